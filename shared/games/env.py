"""Any game of this project as a Gymnasium environment."""

import time
from typing import Any

import gymnasium
import numpy as np

from shared.arrays import Array
from shared.errors import UserError
from shared.games.contract import Game, State
from shared.games.window import Window

AFTER_THE_END = (
    "step() after the end: the game is over and stays as it is, and every reward is 0; "
    "call reset() once terminated or truncated is True"
)

BRIGHTNESS = np.array(list(".:-=+*%@#"))  # glyphs from 0 to 1
MARKS = np.array(list("#o*+x@%="))  # glyphs of several channels, one each
DARK = np.array([24, 26, 32])  # the colour of 0
HUES = np.array(  # the colours of 1, one for each channel; their brightness differs, too
    [[255, 196, 61], [200, 40, 40], [60, 130, 220], [240, 240, 240], [60, 200, 80], [90, 30, 120]]
)
PICTURE = 320  # pixels of a picture's longer side, about


class GameEnv(gymnasium.Env):
    """One game, played on NumPy, behind Gymnasium's interface.

    A subclass may say what the game looks like: `render_text(state) -> str` and `render_pixels(state) -> uint8 [H, W,
    3]`, each for a state of one game (leading axis 1). `shared.games.vector.GameVectorEnv` plays N of them at once.

    It knows the rules and no time limit: `gymnasium.make` puts Gymnasium's own `TimeLimit` around it, for as many steps
    as the environment is registered with or `max_episode_steps` says.

    Args:
        game: the rules.
        render_mode: `"ansi"` (a string), `"rgb_array"` (uint8 [H, W, 3]), `"human"` (drawn while playing,
            in a window or, where there can be none, as text) or None.
        observation_space: what `game.observe` returns; default: values from 0 to 1 of the game's shape.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi", "rgb_array", "human"], "render_fps": 10}

    def __init__(
        self, game: Game, render_mode: str | None = None, observation_space: gymnasium.spaces.Box | None = None
    ) -> None:
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(f"render_mode={render_mode!r}: choose one of {self.metadata['render_modes']}")
        self.game: Any = game  # each subclass knows what else its own has
        self.render_mode = render_mode
        self.action_space = gymnasium.spaces.Discrete(game.num_actions)
        self.observation_space = observation_space or gymnasium.spaces.Box(0.0, 1.0, game.observation_shape, np.float32)
        self.state: State | None = None
        self._over, self._warned = False, False
        self._window: Window | None = None
        self._no_display = False

    def _draws(self, count):
        return self.np_random.random((1, count), dtype=np.float32)

    def _seen(self):
        """What `reset` and `step` say of the present state: the observation and the info."""
        info = {name: values[0] for name, values in self.info(self.state).items()}
        return self.game.observe(np, self.state)[0], info

    def info(self, state: State) -> dict[str, Array]:
        """What there is to know of N games besides their observations, by name: arrays [N, ...]."""
        return {}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start a new game. `options={"state": State}` starts from that state instead of a drawn one."""
        super().reset(seed=seed)
        given = (options or {}).get("state")
        self.state = given if given is not None else self.game.reset(np, self._draws(self.game.reset_draws))
        self._over, self._warned = False, False
        if self.render_mode == "human":
            self.render()
        return self._seen()

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Play one action; returns Gymnasium's five values, of which `truncated` is always False.

        After the end nothing moves any more: the last observation, a reward of 0 and `terminated`, and for each game
        one warning by `gymnasium.logger`.

        Raises:
            ValueError: for an action that there is not.
            gymnasium.error.ResetNeeded: before the first `reset`.
        """
        refuse_before_reset(self.state, "step")
        if not self.action_space.contains(action):
            raise ValueError(f"action={action!r}: choose a whole number from 0 to {self.action_space.n - 1}")
        reward = 0.0
        if not self._over:
            draws = self._draws(self.game.step_draws)
            self.state, rewards, terminated = self.game.step(np, self.state, np.array([action], np.int32), draws)
            reward, self._over = float(rewards[0]), bool(terminated[0])
        elif not self._warned:
            gymnasium.logger.warn(AFTER_THE_END)
            self._warned = True
        if self.render_mode == "human":
            self.render()
        observation, info = self._seen()
        return observation, reward, self._over, False, info

    def render(self) -> str | np.ndarray | None:
        """Show the present state in the chosen render mode.

        Raises:
            gymnasium.error.ResetNeeded: before the first `reset`.
        """
        refuse_before_reset(self.state, "render")
        if self.render_mode == "ansi":
            return self.render_text(self.state)
        if self.render_mode == "rgb_array":
            return self.render_pixels(self.state)
        if self.render_mode == "human":
            self._show()
        else:
            gymnasium.logger.warn(
                f"render() without a render mode shows nothing: choose one of {self.metadata['render_modes']}, "
                'as in gymnasium.make(..., render_mode="ansi")'
            )
        return None

    def _show(self):
        """Draw into a window; over SSH and the like, where there can be none, print the frame as text."""
        if self._window is None and not self._no_display:
            try:
                self._window = Window(self.spec.id if self.spec else "game", fps=self.metadata["render_fps"])
            except UserError:
                self._no_display = True
        if self._window is not None:
            self._window.show(self.render_pixels(self.state))
        else:
            print(self.render_text(self.state), end="\n\n", flush=True)
            time.sleep(1 / self.metadata["render_fps"])

    def render_text(self, state: State) -> str:
        """The state of one game as text; unless a subclass says more, what is observed.

        One channel by its brightness; of several the strongest, each with a glyph of its own.
        """
        cells, channels, count = self._cells(state)
        glyphs = BRIGHTNESS[(cells * (len(BRIGHTNESS) - 1)).astype(int)]
        if count > 1:
            glyphs = np.where(cells >= 0.5, MARKS[channels % len(MARKS)], BRIGHTNESS[0])
        return "\n".join("".join(row) for row in glyphs)

    def render_pixels(self, state: State) -> np.ndarray:
        """The state of one game as a picture, uint8 [H, W, 3]; unless a subclass says more, what is observed.

        Of several channels the strongest, each in a colour of its own.
        """
        cells, channels, _ = self._cells(state)
        size = max(1, PICTURE // max(cells.shape))
        colours = (DARK + cells[..., None] * (HUES[channels % len(HUES)] - DARK)).astype(np.uint8)
        return colours.repeat(size, axis=0).repeat(size, axis=1)

    def _cells(self, state):
        """What is observed: a grid [H, W] of numbers from 0 to 1, the channel that each is of, and how many there are.

        A vector is one row; of several channels a cell has the strongest.
        """
        seen = np.clip(self.game.observe(np, state)[0], 0.0, 1.0)
        seen = seen[None, :, None] if seen.ndim == 1 else seen.reshape(*seen.shape[:2], -1)
        return seen.max(axis=-1), seen.argmax(axis=-1), seen.shape[-1]

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
            self._window = None


def refuse_before_reset(state: State | None, method: str) -> None:
    """Raise `gymnasium.error.ResetNeeded` for a `method` that needs a state where there is none."""
    if state is None:
        raise gymnasium.error.ResetNeeded(f"call reset() before {method}()")
