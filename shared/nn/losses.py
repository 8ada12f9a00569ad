"""Losses over the vector of action values.

How each one reduces matters: an optimizer that divides by the root of squared gradients, plus an epsilon, is not
indifferent to the scale of the loss.

| Name | over the A actions | over the batch |
|---|---|---|
| `mse` | mean | mean |
| `mse-taken` | sum | mean |
| `clipped-huber` | sum | sum |

Untaken actions have no error, so that a sum over actions is what the taken one has. With B = 32 and A = 3 the same
errors, all below 1, thus give `clipped-huber` a gradient of 0.5 * 32 * 3 = 48 times that of `mse`.
"""

from typing import Any

import keras
from keras import ops

from shared.arrays import Array


def clipped_huber(y_true: Array, y_pred: Array, delta: float = 1.0) -> Array:
    """0.5 e² where e = |y_true - y_pred| is at most delta, delta (e - 0.5 delta) beyond; summed over actions.

    Its derivative is the error clipped to [-delta, delta]: what "clipping the error" means in Mnih et al. (2015,
    Methods), and the loss of Huber (1964).

    Args:
        y_true: float32 [B, A], what the values should have been.
        y_pred: float32 [B, A], the values.
        delta: from which error on the loss is a straight line.

    Returns float32 [B].
    """
    return ops.sum(_huber(y_true - y_pred, delta), axis=-1)


def masked_clipped_huber(q: Array, action: Array, target: Array, delta: float = 1.0) -> Array:
    """The same loss of the taken actions alone, picked by a one-hot mask.

    It equals `clipped_huber` of a `y_true` that differs from `q` in the taken action only.

    Args:
        q: float32 [B, A], action values.
        action: int32 [B], the action taken.
        target: float32 [B], what its value should have been.
        delta: from which error on the loss is a straight line.

    Returns float32 [B].
    """
    mask = ops.one_hot(action, q.shape[-1], dtype=q.dtype)  # [B, A]
    return _huber(target - ops.sum(q * mask, axis=-1), delta)


def _huber(difference, delta):
    error = ops.abs(difference)
    bent = ops.minimum(error, delta)
    return 0.5 * ops.square(bent) + delta * (error - bent)


@keras.saving.register_keras_serializable(package="shared")
class ClippedHuber(keras.losses.Loss):
    """`clipped_huber` as a Keras loss: summed over actions and, unless `reduction` says otherwise, over the batch.

    `keras.losses.Huber` takes the mean over both.

    Args:
        delta: from which error on the loss is a straight line.
        reduction: of Keras: `"sum"`, `"mean"`, `"none"` and so on, over the [B] values of the samples.
        name, dtype: of Keras.
    """

    def __init__(
        self, delta: float = 1.0, reduction: str = "sum", name: str = "clipped_huber", dtype: str | None = None
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.delta = delta

    def call(self, y_true: Array, y_pred: Array) -> Array:
        """The loss of each sample, float32 [B], before Keras weighs and reduces it."""
        return clipped_huber(y_true, y_pred, self.delta)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make an equal loss."""
        return {**super().get_config(), "delta": self.delta}


@keras.saving.register_keras_serializable(package="shared")
class TakenSquaredError(keras.losses.Loss):
    """(y_true - y_pred)² summed over actions and, unless `reduction` says otherwise, averaged over the batch.

    What T2, T4 and T5 write as the mean squared error of the taken actions' values.

    Args:
        reduction: of Keras, over the [B] values of the samples.
        name, dtype: of Keras.
    """

    def __init__(
        self, reduction: str = "sum_over_batch_size", name: str = "taken_squared_error", dtype: str | None = None
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true: Array, y_pred: Array) -> Array:
        """The loss of each sample, float32 [B], before Keras weighs and reduces it."""
        return ops.sum(ops.square(y_true - y_pred), axis=-1)
