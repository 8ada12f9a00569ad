"""T5's table: to the idea of a value for every action, the next state (Watkins 1989).

    Q(s_tm1, a_tm1) ← Q(s_tm1, a_tm1) + alpha (target - Q(s_tm1, a_tm1)),    target = r_t + discount max_a Q(s_t, a)

What was wrong with `naive` is gone: the value of a step is what the rest of the episode brings. The four numbers of a
state are sorted into 4 x 4 x 29 x 8 = 3712 cells, each with a row of two values. To the compiled loop this is gradient
descent on a squared error, whose derivative is twice the error: alpha is twice its `--learning-rate`.
"""

import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from cartpole_dqn.agent import ONE_AT_A_TIME, AgentVariant, best_of
from cartpole_dqn.variant import PUBLISHED_LIMIT, CartPoleSettings, lesson
from shared.dqn.settings import Settings
from shared.late import late

networks = late("cartpole_dqn.networks")

EDGES = (
    (-0.1, 0.0, 0.1),  # position, m
    (-0.75, 0.0, 0.75),  # velocity, m/s
    tuple(np.linspace(math.radians(-12), math.radians(12), 30)[1:-1]),  # angle, rad
    tuple(np.linspace(-1.7, 1.7, 9)[1:-1]),  # spin, rad/s
)
ALPHA = 0.1


class Table:
    """A value for every action in every cell of a grid.

    Args:
        edges: for each number of a state, the ascending edges between its bins; an edge belongs to the bin above it.
        num_actions: how many actions there are.
        alpha: how far a value moves towards its target, from 0 to 1.
        rng: a `numpy.random.Generator` that breaks ties.
    """

    def __init__(
        self, edges: Sequence[Sequence[float]], num_actions: int, alpha: float, rng: np.random.Generator
    ) -> None:
        self.edges, self.alpha, self.rng = edges, alpha, rng
        self.values = np.zeros((*(len(axis) + 1 for axis in edges), num_actions), np.float32)

    def cell(self, state: Iterable[float]) -> tuple[int, ...]:
        """Where a state's row of values is: an index for each number."""
        return tuple(int(np.digitize(x, axis)) for x, axis in zip(state, self.edges, strict=True))

    def __getitem__(self, state_and_action: Any) -> Any:
        if not isinstance(state_and_action, tuple):
            return self.values[self.cell(state_and_action)]
        state, action = state_and_action
        return self.values[(*self.cell(state), action)]

    def __setitem__(self, state_and_action: tuple[np.ndarray, int], target: float) -> None:
        state, action = state_and_action
        place = (*self.cell(state), action)
        self.values[place] += self.alpha * (target - self.values[place])

    def get_max(self, state: np.ndarray) -> float:
        """The value of the best action."""
        return self.values[self.cell(state)].max()

    def get_arg_max(self, state: np.ndarray) -> int:
        """The best action; of several alike, one at random."""
        return best_of(self.values[self.cell(state)], self.rng)

    @property
    def model(self) -> Any:
        """The same table as a Keras model, each time the same one."""
        self._network.set_weights([self.values.reshape(-1, self.values.shape[-1])])
        return self._network

    @functools.cached_property
    def _network(self) -> Any:
        return networks.table(self.edges, self.values.shape[-1])

    def again(self, model: Any, rng: np.random.Generator) -> None:
        """Begin with the values of a Keras model (`cartpole_dqn.networks.table`): zeros, or what was learned before."""
        self.values[:] = model.get_weights()[0].reshape(self.values.shape)
        self.rng = rng

    def snapshot(self) -> dict[str, np.ndarray]:
        """The values, for a checkpoint."""
        return {"table": self.values.copy()}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back what `snapshot` gave."""
        self.values[:] = arrays["table"]


class TabularVariant(AgentVariant):
    """CartPole by a table."""

    fixed: ClassVar[tuple[str, ...]] = ("hidden", "activation", "dueling")  # a table has no layers
    compiled_only: ClassVar[tuple[str, ...]] = (*AgentVariant.compiled_only, "optimizer", "learning_rate_decay")

    def q_function(self, settings: Settings, rng: np.random.Generator) -> Table:
        """A `Table`."""
        table = Table(EDGES, 2, 2 * settings.learning_rate, rng)
        table.again(self.model(settings), rng)
        return table

    def network(self, settings: CartPoleSettings, outputs: int) -> Any:
        """The table as a network, which the compiled loop trains."""
        return networks.table(EDGES, outputs)


TABULAR = TabularVariant(
    name="tabular",
    title="CartPole by a table (T5)",
    presets={
        "tutorial": dataclasses.replace(
            ONE_AT_A_TIME,
            episodes=25_000,
            time_limit=PUBLISHED_LIMIT,
            truncation="terminal",
            optimizer="sgd",
            learning_rate=ALPHA / 2,
            discount=0.99,
            epsilon=1.0,
            epsilon_end=0.05,
            epsilon_by="episodes",
            epsilon_decay=25_000,
        )
    },
    unit="episodes",
)


if __name__ == "__main__":
    lesson(TABULAR)
