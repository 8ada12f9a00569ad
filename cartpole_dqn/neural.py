"""T5's network: to `tabular`, a network in place of the table, behind the same four methods.

States that resemble each other share what is learned, so none has to be visited before its value is known; but each
update also changes the values of all other states. T5 found it "quite brittle and unstable". The discount changes too:
0.6 instead of 0.99, so that it sees two or three steps ahead.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from cartpole_dqn.agent import ONE_AT_A_TIME, AgentVariant, best_of
from cartpole_dqn.variant import PUBLISHED_LIMIT, lesson
from shared.dqn.settings import Settings
from shared.late import late

keras, backend = late("keras"), late("shared.nn.backend")
copies, optimizers = late("shared.nn.copies"), late("shared.nn.optimizers")


class Network:
    """A network that learns from one transition at a time.

    T5 trains it by way of a second model with two inputs, a state and an action: the value of that action is picked
    by the dot product with the action written as a one-hot vector.

    Args:
        model: a Keras model from float32 [B, D] to action values [B, A].
        optimizer: of Keras.
        rng: a `numpy.random.Generator` that breaks ties.
    """

    def __init__(self, model: Any, optimizer: Any, rng: np.random.Generator) -> None:
        self.model, self.optimizer, self.rng = model, optimizer, rng
        (size,), (self.num_actions,) = model.input_shape[1:], model.output_shape[1:]
        state, action = keras.Input((size,)), keras.Input((self.num_actions,))
        self.value_of_action = keras.Model([state, action], keras.layers.Dot(axes=1)([model(state), action]))
        self._first_steps = optimizers.built(optimizer, model.trainable_variables)
        self._values = backend.program(model, (1, size))
        self._fit = backend.program(self._gradient_step, (1, size), (1, self.num_actions), (1, 1))

    def _gradient_step(self, state, action, target):
        def squared_error():
            return keras.ops.mean(keras.ops.square(target - self.value_of_action([state, action])))

        loss, gradients = backend.value_and_gradients(squared_error, self.model.trainable_variables)
        self.optimizer.apply(gradients, self.model.trainable_variables)
        return loss

    def __getitem__(self, state_and_action: Any) -> Any:
        if not isinstance(state_and_action, tuple):
            return self._values(state_and_action[None])[0]
        state, action = state_and_action
        return self._values(state[None])[0, action]

    def __setitem__(self, state_and_action: tuple[np.ndarray, int], target: float) -> None:
        state, action = state_and_action
        self._fit(state[None], np.eye(self.num_actions, dtype=np.float32)[None, action], [[target]])

    def get_max(self, state: np.ndarray) -> float:
        """The value of the best action."""
        return self._values(state[None])[0].max()

    def get_arg_max(self, state: np.ndarray) -> int:
        """The best action; of several alike, one at random."""
        return best_of(self._values(state[None])[0], self.rng)

    def again(self, model: Any, rng: np.random.Generator) -> None:
        """Become what a new one with this model would be."""
        copies.refuse_unlike(self.model, model)
        copies.copy_weights(model, self.model)
        self.optimizer.load_own_variables(self._first_steps)
        self.rng = rng

    def snapshot(self) -> dict[str, np.ndarray]:
        """Weights and optimizer, for a checkpoint."""
        return {name: variable.numpy() for name, variable in self._variables().items()}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back what `snapshot` gave."""
        for name, variable in self._variables().items():
            variable.assign(arrays[name])

    def _variables(self):
        groups = {"model": self.model.variables, "optimizer": self.optimizer.variables}
        return {f"{group}/{i}": v for group, variables in groups.items() for i, v in enumerate(variables)}


class NeuralVariant(AgentVariant):
    """CartPole by a network, one transition at a time."""

    def q_function(self, settings: Settings, rng: np.random.Generator) -> Network:
        """A `Network`."""
        return Network(self.model(settings), self.optimizer(settings), rng)


NEURAL = NeuralVariant(
    name="neural",
    title="CartPole by a network without memory (T5)",
    presets={
        "tutorial": dataclasses.replace(
            ONE_AT_A_TIME,
            episodes=10_000,
            time_limit=PUBLISHED_LIMIT,
            truncation="terminal",
            hidden=(20, 20),
            optimizer="adam",
            learning_rate=1e-3,
            discount=0.6,
            epsilon=1.0,
            epsilon_end=0.05,
            epsilon_by="episodes",
            epsilon_decay=10_000,
        )
    },
    unit="episodes",
)


if __name__ == "__main__":
    lesson(NEURAL)
