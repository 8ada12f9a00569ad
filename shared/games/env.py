"""Any game of this project as a Gymnasium environment."""

import time

import gymnasium
import numpy as np

from shared.errors import UserError


class GameEnv(gymnasium.Env):
    """One game, played on NumPy, behind Gymnasium's interface.

    A subclass says what the game looks like: `render_text(state) -> str` and `render_pixels(state) -> uint8 [H, W, 3]`,
    each for a state of one game (leading axis 1).

    Args:
        game: the rules (`shared.games.contract.Game`).
        render_mode: `"ansi"` (a string), `"rgb_array"` (uint8 [H, W, 3]), `"human"` (drawn while playing,
            in a window or, where there can be none, as text) or None.
        observation_space: what `game.observe` returns; default: values from 0 to 1 of the game's shape.
        time_limit: steps after which an episode is truncated; None: it is not.
    """

    metadata = {"render_modes": ["ansi", "rgb_array", "human"], "render_fps": 10}

    def __init__(self, game, render_mode=None, observation_space=None, time_limit=None):
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(f"render_mode={render_mode!r}: choose one of {self.metadata['render_modes']}")
        self.game = game
        self.render_mode = render_mode
        self.action_space = gymnasium.spaces.Discrete(game.num_actions)
        self.observation_space = observation_space or gymnasium.spaces.Box(0.0, 1.0, game.observation_shape, np.float32)
        self.time_limit = time_limit
        self.state = None
        self._steps = 0
        self._window, self._no_display = None, False

    def _draws(self, count):
        return self.np_random.random((1, count), dtype=np.float32)

    def _observation(self):
        return self.game.observe(np, self.state)[0]

    def reset(self, *, seed=None, options=None):
        """Start a new game. `options={"state": State}` starts from that state instead of a drawn one."""
        super().reset(seed=seed)
        given = (options or {}).get("state")
        self.state = given if given is not None else self.game.reset(np, self._draws(self.game.reset_draws))
        self._steps = 0
        if self.render_mode == "human":
            self.render()
        return self._observation(), {}

    def step(self, action):
        """Play one action; returns Gymnasium's five values. Raises `ValueError` for an action that there is not."""
        if self.state is None:
            raise gymnasium.error.ResetNeeded("call reset() before step()")
        if not self.action_space.contains(action):
            raise ValueError(f"action={action!r}: choose a whole number from 0 to {self.action_space.n - 1}")
        self.state, reward, terminated = self.game.step(
            np, self.state, np.array([action], np.int32), self._draws(self.game.step_draws)
        )
        self._steps += 1
        truncated = self.time_limit is not None and self._steps >= self.time_limit
        if self.render_mode == "human":
            self.render()
        return self._observation(), float(reward[0]), bool(terminated[0]), truncated, {}

    def render(self):
        """Show the present state in the chosen render mode."""
        if self.render_mode == "ansi":
            return self.render_text(self.state)
        if self.render_mode == "rgb_array":
            return self.render_pixels(self.state)
        if self.render_mode == "human":
            self._show()
        return None

    def _show(self):
        """Draw into a window; over SSH and the like, where there can be none, print the frame as text."""
        if self._window is None and not self._no_display:
            from shared.games.window import Window

            try:
                self._window = Window(self.spec.id if self.spec else "game", fps=self.metadata["render_fps"])
            except UserError:
                self._no_display = True
        if self._no_display:
            print(self.render_text(self.state), end="\n\n", flush=True)
            time.sleep(1 / self.metadata["render_fps"])
        else:
            self._window.show(self.render_pixels(self.state))

    def render_text(self, state):
        """The state of one game as text."""
        raise NotImplementedError

    def render_pixels(self, state):
        """The state of one game as a picture, uint8 [H, W, 3]."""
        raise NotImplementedError

    def close(self):
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
            self._window = None
