"""What T4 and T5 type for CartPole, by their names: T4's DQN in five functions, T5's agent with its Q-functions.

T4's functions take from the notebook around them what they work with; here it is passed to them, after T4's own
arguments. The compiled loop does the same faster (`python -m cartpole_dqn.train`); tests hold them together.
"""

import dataclasses
import functools
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import gymnasium
import keras
import numpy as np
from keras import ops

from cartpole_dqn import agent
from cartpole_dqn.neural import NEURAL, Network
from cartpole_dqn.run import PACE, told
from cartpole_dqn.tabular import ALPHA, EDGES, TABULAR, Table
from shared.arrays import Array
from shared.display import notebook, playback
from shared.dqn.loop import play_and_learn
from shared.machine import in_notebook
from shared.nn.backend import descend

# -- T4 ---------------------------------------------------------------------------------------------------------------


class ReplayBuffer:
    """The last `max_size` things that were appended, in a ring; `seed` is of what is drawn from them."""

    def __init__(self, max_size: int, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self._kept: list[Any] = [None] * max_size
        self._appended = 0

    def append(self, thing: Any) -> None:
        """Keep a thing, in the place of the oldest where all are taken."""
        self._kept[self._appended % len(self._kept)] = thing
        self._appended += 1

    def __len__(self) -> int:
        return min(self._appended, len(self._kept))

    def sample(self, batch_size: int) -> list[Any]:
        """So many of the things, drawn with replacement."""
        return [self._kept[i] for i in self.rng.integers(len(self), size=batch_size)]


def epsilon_greedy_policy(state: np.ndarray, epsilon: float, model: keras.Model, rng: np.random.Generator) -> int:
    """With chance `epsilon` any action, else the one of highest value (Watkins 1989); `state` is [D]."""
    if rng.random() < epsilon:
        return int(rng.integers(model.output_shape[-1]))
    return int(model.predict_on_batch(state[None])[0].argmax())


def play_one_step(
    env: gymnasium.Env, state: np.ndarray, epsilon: float, model: keras.Model, replay_buffer: ReplayBuffer
) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
    """Take an epsilon-greedy action and remember what came of it.

    All chance comes from the environment's random generator: reset it with a seed.

    Returns what `env.step` returned: the next state, the reward, done, truncated, info.
    """
    action = epsilon_greedy_policy(state, epsilon, model, env.unwrapped.np_random)
    next_state, reward, done, truncated, info = env.step(action)
    replay_buffer.append((state, action, float(reward), next_state, done, truncated))
    return next_state, float(reward), done, truncated, info


def sample_experiences(batch_size: int, replay_buffer: ReplayBuffer) -> tuple[np.ndarray, ...]:
    """A batch of what was remembered, drawn with replacement.

    Returns states [B, D], actions [B], rewards [B], next states [B, D], dones [B] and truncateds [B].
    """
    return tuple(map(np.array, zip(*replay_buffer.sample(batch_size), strict=True)))


def training_step(
    batch_size: int,
    model: keras.Model,
    replay_buffer: ReplayBuffer,
    optimizer: keras.optimizers.Optimizer,
    loss_fn: Callable[[Array, Array], Array],
    discount_factor: float = 0.95,
    target: keras.Model | None = None,
    double: bool = False,
) -> float:
    """Learn from one batch (Mnih et al. 2015).

    Args:
        batch_size: transitions in it.
        model: the network that learns, from states [B, D] to action values [B, A].
        replay_buffer: where the batch comes from.
        optimizer: of Keras.
        loss_fn: such as `keras.losses.mean_squared_error`, of the taken actions' values [B, 1].
        discount_factor: value of a reward one step later, gamma.
        target: the network whose values are learned from (fixed targets); None: `model`.
        double: `model` picks the next action, `target` says what it is worth (van Hasselt, Guez and Silver 2016).

    Returns the loss. After a truncated step the world went on, so only `done` ends it (in T4, both do; its environment
    is cut at 500 steps and its loop at 200, so that nothing is truncated there).
    """
    states, actions, rewards, next_states, dones, _ = sample_experiences(batch_size, replay_buffer)
    next_values = (target or model)(next_states)  # [B, A]
    best = ops.argmax(model(next_states) if double else next_values, axis=1)
    best_next = ops.sum(next_values * ops.one_hot(best, next_values.shape[-1]), axis=1)  # [B]
    targets = (rewards + discount_factor * ~dones * ops.convert_to_numpy(best_next)).astype(np.float32)
    taken = ops.one_hot(actions, next_values.shape[-1])  # [B, A]
    if not optimizer.built:
        optimizer.build(model.trainable_variables)

    def loss():
        values = ops.sum(model(states) * taken, axis=1, keepdims=True)  # [B, 1]
        return ops.mean(loss_fn(targets[:, None], values))

    return float(descend(loss, model.trainable_variables, optimizer))


# -- T5 ---------------------------------------------------------------------------------------------------------------


class QTable(Table):
    """T5's table: 4 x 4 x 29 x 8 cells, alpha 0.1."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(EDGES, 2, ALPHA, np.random.default_rng([seed, 1]))


class QNetwork(Network):
    """T5's network: two hidden layers of 20 units, Adam, one transition at a time."""

    def __init__(self, seed: int = 0) -> None:
        settings = dataclasses.replace(NEURAL.first_settings, seed=seed)
        super().__init__(NEURAL.model(settings), NEURAL.optimizer(settings), np.random.default_rng([seed, 1]))


class QFunction:
    """For a Q of one's own: `q[state, action]` and `q[state, action] = target` are enough, the rest follows.

    (`cartpole_dqn.agent.QFunction` says what an agent asks of a Q.)
    """

    num_actions = 2

    @functools.cached_property
    def rng(self) -> np.random.Generator:
        """Breaks ties."""
        return np.random.default_rng(0)

    def get_max(self, state: np.ndarray) -> float:
        """The value of the best action."""
        return max(self[state, action] for action in range(self.num_actions))

    def get_arg_max(self, state: np.ndarray) -> int:
        """The best action; of several alike, one at random."""
        return agent.best_of(np.array([self[state, action] for action in range(self.num_actions)]), self.rng)

    def __getitem__(self, state_and_action: tuple[np.ndarray, int]) -> float:
        raise NotImplementedError

    def __setitem__(self, state_and_action: tuple[np.ndarray, int], target: float) -> None:
        raise NotImplementedError


class Agent(agent.Agent):
    """T5's agent, and its CartPole: `Agent(QTable, gamma=0.99).train(3000)`.

    Args:
        q: makes the Q-function: `QTable`, `QNetwork`, or a class of one's own with the same four methods.
        gamma: value of a reward one step later.
        seed: of the environment and of the random actions.
    """

    def __init__(self, q: Callable[[], Any] = QTable, gamma: float = 0.99, seed: int = 0) -> None:
        super().__init__(q(), 2, 1.0, gamma, np.random.default_rng(seed))
        self.seed = seed

    def train(self, episodes: int = 25_000) -> tuple[np.ndarray, np.ndarray]:
        """Play and learn; epsilon falls from 1 to 0.05. Every 5 % of the episodes a line says how the last 5 % went.

        Returns the steps of each episode, int [episodes], and its epsilon, float [episodes].
        """
        settings = dataclasses.replace(TABULAR.first_settings, episodes=episodes, epsilon_decay=episodes)
        env = TABULAR.env(settings, max_episode_steps=settings.time_limit)
        env.reset(seed=self.seed)
        ns, eps = np.zeros(episodes, int), np.zeros(episodes)
        reports, before = {episodes * part // 20 for part in range(1, 20)}, 0
        learning: Any = self  # has no target network, and T5 asks for none
        for i, episode in enumerate(islice(play_and_learn(env, learning, settings), episodes)):
            if i in reports and i > before:
                last = ns[before:i]
                print(
                    f"episode {i:6d}  epsilon {self.explore:.2f}  steps: max {last.max():3d}  mean {last.mean():5.1f}  "
                    f"std {last.std():4.1f}",
                    flush=True,
                )
                before = i
            ns[i], eps[i] = episode.length, self.explore
        return ns, eps

    def run(self, video: str | Path | None = None, seed: int = 0) -> Any:
        """Play one greedy episode of 200 steps at most and print every step.

        Args:
            video: an `.mp4` or `.gif` file to record it in.
            seed: of the episode.

        Returns, in a notebook, the animation; else None.
        """
        settings = TABULAR.first_settings
        env = TABULAR.env(settings, max_episode_steps=settings.time_limit, render_mode="rgb_array")
        options: dict[str, Any] = {"episodes": 1, "seed": seed}
        policy = told(self.q.get_arg_max)
        if video is not None:
            playback.record(video, env, policy, fps=PACE, **options)
            return notebook.show_video(video) if in_notebook() else None
        if in_notebook():
            return notebook.animated(env, policy, fps=PACE, **options)
        for _ in playback.moments(env, policy, played=[], **options):
            pass
        return None
