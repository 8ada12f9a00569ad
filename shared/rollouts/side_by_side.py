"""Environments side by side that go on for as long as training does: where an episode ends, the next one begins."""

from collections.abc import Callable
from typing import NamedTuple

import gymnasium
import numpy as np

from shared.rollouts import env_state

COUNTS = ("begun", "length", "score", "seen")  # what a checkpoint keeps beside the environments themselves


class Steps(NamedTuple):
    """One step of N environments."""

    reward: np.ndarray  # float64 [N], to learn from
    over: np.ndarray  # bool [N], for what is learned nothing comes after it
    terminated: np.ndarray  # bool [N], the world has ended
    truncated: np.ndarray  # bool [N], the episode was cut
    score: np.ndarray  # float64 [N], the sum of the episode's rewards so far, as the environment gives them
    length: np.ndarray  # int64 [N], its steps so far
    final: dict[int, np.ndarray]  # environment -> the last observation of an episode that ended

    @property
    def ended(self) -> np.ndarray:
        """Where an episode ended, bool [N]."""
        return self.terminated | self.truncated


class SideBySide:
    """N environments, a step of all of them at a time.

    An environment that reports `info["life_lost"]` has its players learn as if a lost life were the end, while its
    episode goes on: what is scored is whole episodes. One with an attribute `frames` shows its last so many pictures,
    one behind the other along the last axis (`shared.dqn.env_memory.EnvMemory`).

    Args:
        make_env: () -> a Gymnasium environment with a Box to observe and discrete actions from 0 on.
        count: N.
        seed: each episode begins with a seed that is a function of this one and of the episode's number.
        time_limit: steps after which an episode is cut, beside the environment's own limit.
        clip_rewards: learn from rewards that are cut to -1 ... 1 (Mnih et al. 2015).
    """

    def __init__(
        self,
        make_env: Callable[[], gymnasium.Env],
        count: int,
        seed: int,
        time_limit: int | None = None,
        clip_rewards: bool = False,
    ) -> None:
        self.envs = [make_env() for _ in range(count)]
        self.seed, self.time_limit, self.clip_rewards = seed, time_limit, clip_rewards
        self.space, self.num_actions = self.envs[0].observation_space, int(self.envs[0].action_space.n)
        self.frames = getattr(self.envs[0].unwrapped, "frames", 1)
        self.begun = 0  # episodes
        self.length, self.score = np.zeros(count, np.int64), np.zeros(count)  # of those under way
        self.seen = np.zeros((count, *self.space.shape), self.space.dtype)  # now
        self.can_be_saved = all(map(env_state.can_be_saved, self.envs))

    def start(self) -> np.ndarray:
        """Begin the first episode everywhere. Returns the observations [N, ...]; they stand in `seen`, too."""
        self.begun = 0
        return self._begin_all()

    def step(self, actions: np.ndarray) -> Steps:
        """Take one action in each environment, int [N]. What is seen then, of a new episode where one ended: `seen`."""
        count = len(self.envs)
        reward, terminated, truncated = np.zeros(count), np.zeros(count, bool), np.zeros(count, bool)
        lost, seen, final = np.zeros(count, bool), np.empty_like(self.seen), {}
        for i, (env, action) in enumerate(zip(self.envs, actions.tolist(), strict=True)):
            seen[i], reward[i], terminated[i], truncated[i], info = env.step(action)
            lost[i] = info.get("life_lost", False)
        length, score = self.length + 1, self.score + reward
        if self.time_limit is not None:
            truncated |= length >= self.time_limit
        ended = terminated | truncated
        for i in np.flatnonzero(ended).tolist():
            final[i] = seen[i].copy()
            seen[i] = self._begin(self.envs[i])
        self.seen, self.length, self.score = seen, np.where(ended, 0, length), np.where(ended, 0.0, score)
        if self.clip_rewards:
            reward = np.clip(reward, -1.0, 1.0)
        return Steps(reward, terminated | lost, terminated, truncated, score, length, final)

    def snapshot(self) -> dict[str, np.ndarray]:
        """Where all of them stand, as arrays by name.

        Where the environments cannot be saved, their episodes under way are not in it: they begin anew.
        """
        arrays = {f"play/{name}": np.array(getattr(self, name)) for name in COUNTS}
        if self.can_be_saved:
            for i, env in enumerate(self.envs):
                arrays |= {f"env/{i}/{name}": array for name, array in env_state.save(env).items()}
        return arrays

    def restore(self, arrays: dict[str, np.ndarray]) -> bool:
        """Go back to where `snapshot` was taken. Returns whether the episodes under way go on; if not, new ones began.

        The environments have to have been started.
        """
        self.begun = int(arrays["play/begun"])
        if not self.can_be_saved:
            self._begin_all()
            return False
        self.length, self.score, self.seen = (arrays[f"play/{name}"].copy() for name in ("length", "score", "seen"))
        for i, env in enumerate(self.envs):
            env_state.load(env, {name: arrays[f"env/{i}/{name}"] for name in ("state", "counts", "generator")})
        return True

    def close(self) -> None:
        """Close the environments."""
        for env in self.envs:
            env.close()

    def _begin_all(self):
        self.length, self.score = np.zeros(len(self.envs), np.int64), np.zeros(len(self.envs))
        self.seen = np.stack([self._begin(env) for env in self.envs])
        return self.seen

    def _begin(self, env):
        """Reset one environment."""
        seed = int(np.random.SeedSequence([self.seed, self.begun]).generate_state(1)[0] >> 1)
        self.begun += 1
        return env.reset(seed=seed)[0]
