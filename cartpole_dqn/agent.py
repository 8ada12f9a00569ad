"""T5's agent: Q-learning with whatever can be asked for the value of an action, a table or a network.

A `QFunction` has four methods:

- `q[state, action]`: the value,
- `q[state, action] = target`: learn that it should have been `target`,
- `q.get_max(state)`: the value of the best action,
- `q.get_arg_max(state)`: the best action; of several alike, one at random.

(T5's two Q-functions also give the values of all actions, `q[state]`.)

`cartpole_dqn/tabular.py` and `cartpole_dqn/neural.py` each have one. `shared/dqn/loop.py` plays the agent against
Gymnasium's CartPole (`--engine readable`); the compiled loop does the same thing faster, but for one: of actions alike
it takes the first, as all scoring does.
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np

from cartpole_dqn.variant import CartPoleSettings, Variant
from shared.dqn.settings import Settings
from shared.errors import UserError
from shared.late import late
from shared.options import flag
from shared.runs.trainer import Trainer

loop = late("shared.dqn.loop")

# What the agent is as settings of a DQN: a memory of one transition, and a batch of one, after every step.
ONE_AT_A_TIME = CartPoleSettings(replay_capacity=1, batch_size=1, loss="mse-taken")


class QFunction(Protocol):
    """The value of every action in every state: what `Agent` asks, and what it learns."""

    rng: np.random.Generator  # breaks ties

    @property
    def model(self) -> Any:
        """The same as a Keras model."""

    def __getitem__(self, state_and_action: tuple[np.ndarray, int]) -> float: ...

    def __setitem__(self, state_and_action: tuple[np.ndarray, int], target: float) -> None: ...

    def get_max(self, state: np.ndarray) -> float:
        """The value of the best action."""

    def get_arg_max(self, state: np.ndarray) -> int:
        """The best action; of several alike, one at random."""

    def again(self, model: Any, rng: np.random.Generator) -> None:
        """Become what a new Q-function would be that starts as this Keras model."""

    def snapshot(self) -> dict[str, np.ndarray]:
        """What has been learned, for a checkpoint."""

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back what `snapshot` gave."""


class Agent:
    """Q-learning (Watkins 1989), one transition at a time.

    Args:
        q: a table or a network.
        num_actions: how many actions there are.
        explore: chance of a random action, epsilon. The loop changes it as training goes on.
        discount: value of a reward one step later, gamma.
        rng: a `numpy.random.Generator`, for the random actions.
    """

    def __init__(
        self, q: QFunction, num_actions: int, explore: float, discount: float, rng: np.random.Generator
    ) -> None:
        self.q, self.num_actions, self.explore, self.discount, self.rng = q, num_actions, explore, discount, rng

    def choose_action(self, state: np.ndarray) -> int:
        """A random action with chance `explore`, else the best one."""
        explore, choice = self.rng.random(2, dtype=np.float32)
        if explore < self.explore:
            return int(choice * self.num_actions)
        return self.q.get_arg_max(state)

    def remember(self, state: np.ndarray, action: int, reward: float, terminated: bool, next_state: np.ndarray) -> None:
        """Keep one transition until `replay` learns from it."""
        self._transition = state, action, reward, terminated, next_state

    def replay(self) -> float:
        """Learn from the last transition; returns the squared error that there was.

        The target of an episode's last step is its reward alone.
        """
        state, action, reward, terminated, next_state = self._transition
        target = reward if terminated else reward + self.discount * self.q.get_max(next_state)
        error = target - self.q[state, action]
        self.q[state, action] = target
        return float(error**2)

    def trained(self) -> Any:
        """The Q-function as a Keras model."""
        return self.q.model

    def again(self, model: Any, seed: int) -> None:
        """Become what a new agent with this model and this seed would be."""
        self.rng, ties = generators(seed)
        self.q.again(model, ties)

    def snapshot(self) -> dict[str, np.ndarray]:
        """What has been learned as a dict of NumPy arrays, for a checkpoint."""
        generator = json.dumps(self.q.rng.bit_generator.state)
        return self.q.snapshot() | {"ties": np.frombuffer(generator.encode(), np.uint8)}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back what `snapshot` gave."""
        self.q.restore(arrays)
        self.q.rng.bit_generator.state = json.loads(arrays["ties"].tobytes())


def generators(seed: int) -> tuple[np.random.Generator, np.random.Generator]:
    """The random numbers of a run's agent: for its random actions, and to break ties."""
    return np.random.default_rng(seed), np.random.default_rng([seed, 1])


def best_of(values: np.ndarray, rng: np.random.Generator) -> int:
    """The index of the largest of `values` [A]; of several alike, one at random."""
    best = np.flatnonzero(values == values.max())
    return int(best[0]) if len(best) == 1 else int(rng.choice(best))


class AgentVariant(Variant):
    """A variant that T5's agent learns, compiled or to read."""

    method: ClassVar[str] = "T5's Q-learning"
    compiled_only: ClassVar[tuple[str, ...]] = (  # settings that the agent to read does not know
        *("replay_capacity", "batch_size", "num_envs", "n_step", "replay_states", "prioritized"),
        *("loss", "restore_best", "target_sync"),
    )

    def q_function(self, settings: Settings, rng: np.random.Generator) -> QFunction:
        """The Q-function that `Agent` learns; `rng` breaks ties."""
        raise NotImplementedError

    def loop(self, settings: Settings) -> Trainer:
        """The readable loop: `Agent` in Gymnasium's CartPole.

        Raises:
            UserError: if the settings ask for what only the compiled loop can do.
        """
        for name in self.compiled_only:
            value, only = getattr(settings, name), getattr(self.presets["tutorial"], name)
            if value != only:
                raise UserError(
                    f"{flag(name)} {value}: the readable agent of T5 knows only {only}; use --engine compiled"
                )
        rng, ties = generators(settings.seed)
        q = self.q_function(settings, ties)
        env = self.env(settings, max_episode_steps=settings.time_limit or -1)
        return loop.Loop(env, Agent(q, env.action_space.n, settings.epsilon, settings.discount, rng), settings)
