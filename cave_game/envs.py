"""The games of this package as Gymnasium environments."""

from typing import Any

import gymnasium
import numpy as np

from cave_game import game2017
from cave_game.game import CRAFT, CRAFT_COLUMN, FLYING, QUARTERS, ROCK, TOP_SPEED, Cave, State
from cave_game.game2017 import Cave2017
from shared.games.env import GameEnv
from shared.games.vector import GameVectorEnv

CELL = 8  # pixels per cell in pictures
FREE_COLOUR, ROCK_COLOUR, CRAFT_COLOUR, CRASH_COLOUR = (24, 26, 32), (92, 98, 112), (255, 196, 61), (239, 71, 72)
BLOCK_COLOUR, TAIL_COLOUR = (138, 146, 162), (150, 112, 36)
FREE_KIND, ROCK_KIND, CRAFT_KIND, CRASH_KIND, BLOCK_KIND, TAIL_KIND = range(6)  # of cells
COLOURS = np.array([FREE_COLOUR, ROCK_COLOUR, CRAFT_COLOUR, CRASH_COLOUR, BLOCK_COLOUR, TAIL_COLOUR], np.uint8)
GLYPHS = np.array(list(".#@X%-"))


class ScreenEnv(GameEnv):
    """A game that is drawn on a screen of 48 x 48 cells. A subclass says of what kind each cell is."""

    metadata = {"render_modes": ["ansi", "rgb_array", "human"], "render_fps": 15}

    def __init__(self, game: Cave | Cave2017, render_mode: str | None, top_speed: float) -> None:
        space = None
        if game.observation == "columns":
            most = np.ones(game.observation_shape, np.float32)
            most[-1] = top_speed
            space = gymnasium.spaces.Box(-most, most)
        super().__init__(game, render_mode, space)

    def info(self, state: State | game2017.State) -> dict[str, np.ndarray]:
        """The full screens: `screen` float32 [N, 48, 48]."""
        return {"screen": self.game.screen(np, state)}

    def cells(self, state: Any) -> np.ndarray:
        """The kind of each cell of one game's screen, an index of `COLOURS` and `GLYPHS`: int [48, 48]."""
        raise NotImplementedError

    def picture(self, state: State | game2017.State) -> np.ndarray:
        """One game's screen in colours, a pixel per cell: uint8 [48, 48, 3]."""
        return COLOURS[self.cells(state)]

    def render_text(self, state: State | game2017.State) -> str:
        """The screen as 48 lines: `#` rock, `%` a block, `@` the craft (`X` when it has crashed), `-` its tail."""
        return "\n".join("".join(row) for row in GLYPHS[self.cells(state)])

    def render_pixels(self, state: State | game2017.State) -> np.ndarray:
        """The screen as a picture: uint8 [384, 384, 3]; a craft that has crashed is red."""
        return self.picture(state).repeat(CELL, axis=0).repeat(CELL, axis=1)


class CaveEnv(ScreenEnv):
    __doc__ = (
        f"{Cave.__doc__}"
        '\n    `info["screen"]` is the full screen, float32 [48, 48]. An episode is cut after 2000 steps.\n'
    )

    def __init__(self, render_mode: str | None = None, observation: str = "screens") -> None:
        super().__init__(Cave(observation), render_mode, TOP_SPEED / QUARTERS)

    def cells(self, state: Any) -> np.ndarray:
        """Rock, which blocks are made of, and the craft."""
        kinds = np.where(self.game.screen(np, state)[0] == ROCK, ROCK_KIND, FREE_KIND)
        row = int(state.rows[0, -1])
        craft = CRAFT_KIND if state.ending[0] == FLYING else CRASH_KIND
        kinds[row : row + CRAFT, CRAFT_COLUMN : CRAFT_COLUMN + CRAFT] = craft
        return kinds


class Cave2017Env(ScreenEnv):
    __doc__ = (
        f"{Cave2017.__doc__}"
        '\n    `info["screen"]` is the full screen, float32 [48, 48]. An episode is cut after 10,000 steps.\n'
    )

    def __init__(
        self,
        render_mode: str | None = None,
        observation: str = "published",
        quirks: bool = True,
        reward: str = "crash",
    ) -> None:
        super().__init__(Cave2017(observation, quirks, reward), render_mode, game2017.TOP_SPEED / game2017.CELL)

    def cells(self, state: Any) -> np.ndarray:
        """What the game draws, and the craft over all of it."""
        screen = self.game.screen(np, state)[0]
        kinds = np.full(screen.shape, FREE_KIND)
        for brightness, kind in (
            (game2017.ROCK_BRIGHTNESS, ROCK_KIND),
            (game2017.BLOCK_BRIGHTNESS, BLOCK_KIND),
            (game2017.TAIL_BRIGHTNESS, TAIL_KIND),
        ):
            kinds[screen == np.float32(brightness)] = kind
        kinds[game2017.CRAFT_PLACE] = CRAFT_KIND if state.ending[0] == FLYING else CRASH_KIND
        return kinds


class Holding(gymnasium.Wrapper):
    """Asks for a decision at every so manieth step of an episode; between them what was decided goes on."""

    def __init__(self, env: gymnasium.Env, steps: int) -> None:
        super().__init__(env)
        self._steps, self._made, self._action = steps, 0, 0

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; its first step is a decision."""
        self._made = 0
        return self.env.reset(**options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """A step with the action, or with the one that is held."""
        if self._made % self._steps == 0:
            self._action = action
        self._made += 1
        return self.env.step(self._action)


class CaveVectorEnv(GameVectorEnv):
    """N caves at once."""

    single = CaveEnv


class Cave2017VectorEnv(GameVectorEnv):
    """N caves of 2017 at once."""

    single = Cave2017Env
