"""N games of this project at once behind Gymnasium's vector interface: what `gymnasium.make_vec` makes."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from shared.games.env import GameEnv, refuse_before_reset


class GameVectorEnv(VectorEnv):
    """N games side by side: a step of all of them is one call of the rules on NumPy arrays [N, ...].

    A subclass names the environment of one game, `single = CatchEnv`. With the same seeds it plays what N of those play
    in a `gymnasium.vector.SyncVectorEnv`, number for number.

    A game that has ended starts anew at the next step, which pays 0 and whose action does not count (Gymnasium's
    `AutoresetMode.NEXT_STEP`), so that its last observation is seen.

    Args:
        num_envs: N.
        max_episode_steps: steps after which an episode is truncated; None or -1: it is not.
        render_mode: `"ansi"`, `"rgb_array"` or None.
        options: what the environment of one game takes besides.
    """

    single: ClassVar[type[GameEnv]]
    metadata = {"render_modes": ["ansi", "rgb_array"], "autoreset_mode": AutoresetMode.NEXT_STEP}

    def __init__(
        self, num_envs: int = 1, max_episode_steps: int | None = None, render_mode: str | None = None, **options: Any
    ) -> None:
        limit = math.inf if max_episode_steps in (None, -1) else max_episode_steps
        if num_envs < 1 or limit < 1:
            raise ValueError(f"num_envs={num_envs}, max_episode_steps={max_episode_steps}: choose numbers from 1 on")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode={render_mode!r}: choose one of {self.metadata['render_modes']}")
        self.metadata = self.single.metadata | self.metadata
        self.num_envs, self.render_mode, self._limit = num_envs, render_mode, limit
        self._one = self.single(render_mode=render_mode, **options)
        self.game = self._one.game
        self.single_observation_space, self.single_action_space = self._one.observation_space, self._one.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._generators = [np_random()[0] for _ in range(num_envs)]
        self.state = None

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start N new games, game i with the seed `seed + i` or `seed[i]`; without one its chance goes on as it was.

        `options={"state": State}` starts from that state of N games instead of a drawn one.
        """
        if seed is not None:
            seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int) else seed
            if len(seeds) != self.num_envs:
                raise ValueError(f"seed={seed!r}: give one number, or one for each of the {self.num_envs} games")
            for i, own in enumerate(seeds):
                self._generators[i] = self._generators[i] if own is None else np_random(own)[0]
        given = (options or {}).get("state")
        self.state = given if given is not None else self._begin(np.ones(self.num_envs, bool))
        self._steps, self._over = np.zeros(self.num_envs, int), np.zeros(self.num_envs, bool)
        return self._seen()

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Play one action in each game, int [N].

        Returns the observations [N, ...], the rewards float64 [N], who is terminated and who is truncated, bool [N],
        and the info. Raises what `GameEnv.step` does.
        """
        refuse_before_reset(self.state, "step")
        actions = np.asarray(actions)
        if not self.action_space.contains(actions):
            raise ValueError(
                f"actions={actions!r}: choose {self.num_envs} whole numbers from 0 to {self.game.num_actions - 1}"
            )
        begins, plays = self._over, ~self._over
        rewards, terminated = np.zeros(self.num_envs), np.zeros(self.num_envs, bool)
        if plays.any():
            now, chosen = _rows(self.state, plays), actions[plays].astype(np.int32)
            draws = self._draws(plays, self.game.step_draws)
            after, rewards[plays], terminated[plays] = self.game.step(np, now, chosen, draws)
            self.state = _replaced(self.state, plays, after)
        if begins.any():
            self.state = _replaced(self.state, begins, self._begin(begins))
        self._steps = np.where(begins, 0, self._steps + 1)
        truncated = plays & (self._steps >= self._limit)
        self._over = terminated | truncated
        observations, info = self._seen()
        return observations, rewards, terminated, truncated, info

    def render(self) -> tuple[Any, ...]:
        """What `GameEnv.render` gives of each game."""
        refuse_before_reset(self.state, "render")
        frames = []
        for i in range(self.num_envs):
            self._one.state = _rows(self.state, slice(i, i + 1))
            frames.append(self._one.render())
        return tuple(frames)

    def _seen(self):
        info = self._one.info(self.state)
        everybody = {f"_{name}": np.ones(self.num_envs, bool) for name in info}  # Gymnasium's "who has it"
        return self.game.observe(np, self.state), info | everybody

    def _begin(self, who):
        """The fresh states of some games; `who`, bool [N], says of which."""
        return self.game.reset(np, self._draws(who, self.game.reset_draws))

    def _draws(self, who, count):
        """Uniform numbers from each of these games' own generator: float32 [games, count]."""
        drawn = [self._generators[i].random(count, dtype=np.float32) for i in np.flatnonzero(who)]
        return np.array(drawn).reshape(len(drawn), count)


def _rows(state, who):
    return type(state)(*(field[who] for field in state))


def _replaced(state, who, rows):
    """`state` with the games of `who`, bool [N], in the state `rows`."""

    def replaced(field, new):
        field = field.copy()
        field[who] = new
        return field

    return type(state)(*(replaced(*fields) for fields in zip(state, rows, strict=True)))
