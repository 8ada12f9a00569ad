"""Episodes from environments side by side: one call of the policy for each step of all of them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import gymnasium
import numpy as np


class Trajectory(NamedTuple):
    """One episode of T steps, from its reset to its end."""

    observations: np.ndarray  # float32 [T + 1, D], the final one included
    actions: np.ndarray  # int32 [T]
    rewards: np.ndarray  # float64 [T]
    terminated: bool  # the task was over; otherwise the episode was truncated


class Collector:
    """N environments in which a policy plays N episodes side by side.

    All start together, and one that is over waits until all are: no episode is dropped because it is long, which
    would bias what is learned, and none is under way when training is saved.

    Args:
        make_env: () -> a Gymnasium environment that ends every episode at some time.
        count: N.
    """

    def __init__(self, make_env: Callable[[], gymnasium.Env], count: int) -> None:
        self.envs = [make_env() for _ in range(count)]

    def collect(self, choose: Callable[[np.ndarray, np.ndarray], np.ndarray], key: Sequence[int]) -> list[Trajectory]:
        """Play one episode in each environment.

        Args:
            choose: (observations float32 [B, D], draws [B]) -> actions int [B], for the B environments still at it.
            key: a list of integers from which all chance comes, that of the environments and that of `choose`.

        Returns N `Trajectory`s.
        """
        rng = np.random.default_rng(key)
        seeds = rng.integers(2**31, size=len(self.envs)).tolist()
        observations = [[env.reset(seed=seed)[0]] for env, seed in zip(self.envs, seeds, strict=True)]
        actions: list[list[int]] = [[] for _ in self.envs]
        rewards: list[list[float]] = [[] for _ in self.envs]
        terminated = [False] * len(self.envs)
        playing = list(range(len(self.envs)))
        while playing:
            latest = np.array([observations[i][-1] for i in playing], np.float32)  # [B, D]
            chosen = choose(latest, rng.random(len(self.envs))[playing]).tolist()
            still = []
            for i, action in zip(playing, chosen, strict=True):
                observation, reward, terminated[i], truncated, _ = self.envs[i].step(action)
                observations[i].append(observation)
                actions[i].append(action)
                rewards[i].append(reward)
                if not (terminated[i] or truncated):
                    still.append(i)
            playing = still
        return [
            Trajectory(np.array(o, np.float32), np.array(a, np.int32), np.array(r, np.float64), bool(t))
            for o, a, r, t in zip(observations, actions, rewards, terminated, strict=True)
        ]

    def close(self) -> None:
        """Close the environments."""
        for env in self.envs:
            env.close()
