"""RMSProp as Graves wrote it, and step sizes that fall by equal factors: what Keras does not have."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from shared.arrays import Array


def built(optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable]) -> dict[str, np.ndarray]:
    """Build an optimizer for some variables; returns its state, for `optimizer.load_own_variables` to go back to."""
    optimizer.build(variables)
    state: dict[str, np.ndarray] = {}
    optimizer.save_own_variables(state)
    return state


@keras.saving.register_keras_serializable(package="shared")
class RMSPropGraves(keras.optimizers.Optimizer):
    """RMSProp that divides by the gradient's standard deviation (Graves 2013, arXiv:1308.0850, eq. 38-45).

    For each weight w with gradient g:

        n ← alpha n + (1 - alpha) g²
        ḡ ← alpha ḡ + (1 - alpha) g
        Δ ← momentum Δ - learning_rate g / sqrt(n - ḡ² + epsilon)
        w ← w + Δ

    n, ḡ and Δ start at 0, without a correction for it; epsilon stands inside the root, so it is compared with squared
    gradients: a loss that is summed over a batch needs a larger one than a mean.

    The defaults are Chainer's. `keras.optimizers.RMSprop(rho=alpha, momentum=..., epsilon=..., centered=True)` follows
    the same rule, but lets n - ḡ² + epsilon become negative, and the weight NaN, when rounding makes n smaller than ḡ²
    and epsilon is small.

    Args:
        learning_rate: step size, or a Keras schedule.
        alpha: how much of n and ḡ is kept at each update.
        momentum: how much of the last step Δ is taken again.
        epsilon: added to the variance, inside the root.
        name, **kwargs: of `keras.optimizers.Optimizer`.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 1e-4,
        alpha: float = 0.95,
        momentum: float = 0.9,
        epsilon: float = 1e-4,
        name: str = "rmsprop_graves",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.alpha, self.momentum, self.epsilon = alpha, momentum, epsilon

    @classmethod
    def nature(cls, learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 2.5e-4) -> "RMSPropGraves":
        """The settings of the Nature DQN (Mnih et al. 2015, extended data table 1), for a loss summed over 32 samples.

        Its "gradient momentum" of 0.95 is the decay of ḡ; there is no momentum of steps.
        """
        return cls(learning_rate, alpha=0.95, momentum=0.0, epsilon=0.01)

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Make n, ḡ and, where there is momentum, Δ for each of `variables`."""
        if self.built:
            return
        super().build(variables)
        self._squares = self.add_optimizer_variables(variables, "square")
        self._means = self.add_optimizer_variables(variables, "mean")
        self._steps: list[keras.Variable] | None = (
            self.add_optimizer_variables(variables, "step") if self.momentum else None
        )

    def update_step(self, gradient: Array, variable: keras.Variable, learning_rate: Array) -> None:
        """Apply the rule to one weight array."""
        index = self._get_variable_index(variable)
        square, mean = self._squares[index], self._means[index]
        gradient = ops.cast(gradient, variable.dtype)
        self.assign(square, self.alpha * square + (1 - self.alpha) * ops.square(gradient))
        self.assign(mean, self.alpha * mean + (1 - self.alpha) * gradient)
        variance = ops.maximum(square - ops.square(mean), 0.0)  # it is never negative, but rounding can make it so
        step = -ops.cast(learning_rate, variable.dtype) * gradient / ops.sqrt(variance + self.epsilon)
        if self._steps is not None:
            step = self.momentum * self._steps[index] + step
            self.assign(self._steps[index], step)
        self.assign_add(variable, step)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make an equal optimizer, without its state."""
        return {
            **super().get_config(),
            "alpha": self.alpha,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        }


@keras.saving.register_keras_serializable(package="shared")
class GeometricDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A step size that falls by equal factors until it arrives, and stays: start * (end / start) ** (t / updates).

    (`keras.optimizers.schedules.ExponentialDecay` would go on falling.)

    Args:
        start, end: the first and the last step size, both above 0.
        updates: from the one to the other.
    """

    def __init__(self, start: float, updates: int, end: float) -> None:
        super().__init__()
        self.start, self.updates, self.end = start, updates, end

    def __call__(self, step):
        """The step size after so many updates."""
        part = ops.minimum(ops.cast(step, "float32") / self.updates, 1.0)
        return self.start * ops.power(self.end / self.start, part)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make an equal one."""
        return {"start": self.start, "updates": self.updates, "end": self.end}
