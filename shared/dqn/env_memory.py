"""Replay memory for environments that play in Python: NumPy, in the environment's own dtype, every frame stored once.

N environments write a row at every step. What follows an observation stands in the next row; only where an episode was
cut, and the next row begins another one, its last observation is kept beside.
"""

import math

import gymnasium
import numpy as np

from shared.dqn.replay import Replay
from shared.errors import UserError
from shared.machine import memory_bytes
from shared.rollouts.env_state import packed, unpacked


class EnvMemory:
    """The last transitions of N environments.

    Args:
        capacity: transitions, a multiple of N.
        games: N.
        space: the environments' observation space, a `gymnasium.spaces.Box`.
        n_step: rewards in a return, n.
        discount: value of a reward one step later, gamma.
        frames: an observation is the last so many pictures, one behind the other along its last axis; before an
            episode's first one stands that one again. Each picture is stored once.

    Raises:
        UserError: if it would not fit into the machine's memory.
    """

    def __init__(
        self, capacity: int, games: int, space: gymnasium.spaces.Box, n_step: int, discount: float, frames: int = 1
    ) -> None:
        self.games, self.n_step, self.discount, self.frames = games, n_step, discount, frames
        self.channels = space.shape[-1] // frames  # of one picture
        self.rows = capacity // games + frames  # the last one is what is seen now
        shape = (self.rows, games, *space.shape[:-1], self.channels)
        needed, present = math.prod(shape) * space.dtype.itemsize, memory_bytes()
        if needed > present:
            raise UserError(
                f"--replay-capacity {capacity}: needs {needed / 2**30:.1f} GiB, this machine has "
                f"{present / 2**30:.1f} GiB; give a smaller one"
            )
        self.seen = np.zeros(shape, space.dtype)
        self.age = np.zeros((self.rows, games), np.uint8)  # pictures before that one in its episode, frames - 1 at most
        self.action = np.zeros((self.rows, games), np.int32)
        self.reward = np.zeros((self.rows, games), np.float32)
        self.terminated = np.zeros((self.rows, games), bool)
        self.ended = np.zeros((self.rows, games), bool)
        # (row, game) -> the last observation of an episode that was cut
        self.final: dict[tuple[int, int], np.ndarray] = {}
        self.steps = 0  # of all environments together, ever

    @property
    def held(self) -> int:
        """How many transitions there are."""
        return min(self.steps, self.rows - self.frames) * self.games

    def start(self, seen: np.ndarray) -> None:
        """The first observations, [N, ...]."""
        self.seen[self.steps % self.rows] = seen[..., -self.channels :]
        self.age[self.steps % self.rows] = 0

    def cut(self, seen: np.ndarray) -> None:
        """All episodes under way are cut; others begin with these observations, [N, ...]."""
        last = (self.steps - 1) % self.rows
        now = self._observed(np.full(self.games, self.steps), np.arange(self.games))
        open_games = np.flatnonzero(~self.ended[last] & (self.steps > 0)).tolist()
        self.final |= {(last, game): now[game].copy() for game in open_games}
        self.ended[last] = True
        self.start(seen)

    def add(
        self,
        action: np.ndarray,
        reward: np.ndarray,
        terminated: np.ndarray,
        truncated: np.ndarray,
        seen: np.ndarray,
        final: dict[int, np.ndarray],
    ) -> None:
        """One step of all environments.

        Args:
            action, reward, terminated, truncated: [N].
            seen: what is seen now, [N, ...]: of a new episode where one ended.
            final: dict from game to the last observation of an episode that ended.
        """
        row, following = self.steps % self.rows, (self.steps + 1) % self.rows
        self.action[row], self.reward[row], self.terminated[row] = action, reward, terminated
        self.ended[row] = np.logical_or(terminated, truncated)
        self.final = {key: value for key, value in self.final.items() if key[0] != following}  # it is overwritten
        self.final |= {(row, game): value for game, value in final.items() if not terminated[game]}
        self.seen[following] = seen[..., -self.channels :]
        self.age[following] = np.minimum(self.age[row] + 1, self.frames - 1)
        self.age[following, list(final)] = 0
        self.steps += 1

    def sample(self, draws: np.ndarray) -> Replay:
        """Transitions of n steps, drawn with replacement: a `Replay` of B rows, NumPy, for uniform `draws` [B].

        They never reach over an episode's end, and the newest ones are shorter.
        """
        index = np.floor(draws * self.held).astype(np.int64)
        step, game = self.steps - self.held // self.games + index // self.games, index % self.games
        reward, discount = np.zeros(len(draws), np.float32), np.ones(len(draws), np.float32)
        last, goes_on = step, np.ones(len(draws), bool)
        for ahead in range(self.n_step):
            goes_on = goes_on & (step + ahead < self.steps)
            row = (step + ahead) % self.rows, game
            last = np.where(goes_on, step + ahead, last)
            reward += goes_on * discount * self.reward[row]
            discount = np.where(goes_on, discount * self.discount * ~self.terminated[row], discount)
            goes_on = goes_on & ~self.ended[row]
        s_t = self._observed(last + 1, game)
        for i in np.flatnonzero(self.ended[last % self.rows, game] & (discount > 0)):
            s_t[i] = self.final[int(last[i] % self.rows), int(game[i])]
        row = step % self.rows, game
        return Replay(self._observed(step, game), self.action[row], reward, discount.astype(np.float32), s_t)

    def _observed(self, step, game):
        """What was seen before some steps, [B, ...]: pictures of older steps first."""
        if self.frames == 1:
            return self.seen[step % self.rows, game]
        before = np.minimum(np.arange(self.frames - 1, -1, -1), self.age[step % self.rows, game][:, None])  # [B, F]
        pictures = self.seen[(step[:, None] - before) % self.rows, game[:, None]]  # [B, F, ..., C]
        return np.concatenate([pictures[:, i] for i in range(self.frames)], axis=-1)

    def snapshot(self) -> dict[str, np.ndarray]:
        """All of it as a dict of arrays by name."""
        arrays = {f"memory/{name}": getattr(self, name) for name in COLUMNS}
        keys = np.array(list(self.final), np.int64).reshape(-1, 2)
        final = np.array(list(self.final.values()), self.seen.dtype).reshape(-1, *self.seen.shape[2:])
        cut = {"memory/cut": packed(keys), "memory/final": packed(final)}
        return arrays | cut | {"memory/steps": np.array(self.steps)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what `snapshot` gave."""
        for name in COLUMNS:
            getattr(self, name)[:] = arrays[f"memory/{name}"]
        self.steps = int(arrays["memory/steps"])
        keys = [(int(row), int(game)) for row, game in unpacked(arrays["memory/cut"])]
        self.final = dict(zip(keys, unpacked(arrays["memory/final"]), strict=True))


COLUMNS = ("seen", "age", "action", "reward", "terminated", "ended")
