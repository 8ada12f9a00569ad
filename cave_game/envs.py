"""The game as a Gymnasium environment."""

import numpy as np

from cave_game.game import CRAFT, CRAFT_COLUMN, FLYING, ROCK, Cave, State
from shared.games.env import GameEnv
from shared.games.vector import GameVectorEnv

CELL = 8  # pixels per cell in pictures
FREE_COLOUR, ROCK_COLOUR, CRAFT_COLOUR, CRASH_COLOUR = (24, 26, 32), (92, 98, 112), (255, 196, 61), (239, 71, 72)
FREE_GLYPH, ROCK_GLYPH, CRAFT_GLYPH, CRASH_GLYPH = ".#@X"


class CaveEnv(GameEnv):
    __doc__ = (
        f"{Cave.__doc__}"
        '\n    `info["screen"]` is the full screen, float32 [48, 48]. An episode is cut after 2000 steps.\n'
    )

    metadata = {"render_modes": ["ansi", "rgb_array", "human"], "render_fps": 15}

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(Cave(), render_mode)

    def info(self, state: State) -> dict[str, np.ndarray]:
        """The full screens: `screen` float32 [N, 48, 48]."""
        return {"screen": self.game.screen(np, state)}

    def render_text(self, state: State) -> str:
        """The screen as 48 lines: `#` rock, `@` the craft (`X` when it has crashed), `.` nothing."""
        glyphs = np.array([FREE_GLYPH, ROCK_GLYPH, CRAFT_GLYPH, CRASH_GLYPH])
        return "\n".join("".join(row) for row in glyphs[cells(self.game, state)])

    def render_pixels(self, state: State) -> np.ndarray:
        """The screen as a picture: uint8 [384, 384, 3]; a craft that has crashed is red."""
        return picture(self.game, state).repeat(CELL, axis=0).repeat(CELL, axis=1)


class CaveVectorEnv(GameVectorEnv):
    """N caves at once."""

    single = CaveEnv


def cells(game: Cave, state: State) -> np.ndarray:
    """The kind of each cell of one game's screen, int [48, 48]: 0 free, 1 rock, 2 the craft, 3 the craft, crashed."""
    kinds = (game.screen(np, state)[0] == ROCK).astype(int)
    row = int(state.rows[0, -1])
    kinds[row : row + CRAFT, CRAFT_COLUMN : CRAFT_COLUMN + CRAFT] = 2 if state.ending[0] == FLYING else 3
    return kinds


def picture(game: Cave, state: State) -> np.ndarray:
    """One game's screen in colours, a pixel per cell: uint8 [48, 48, 3]."""
    return np.array([FREE_COLOUR, ROCK_COLOUR, CRAFT_COLOUR, CRASH_COLOUR], np.uint8)[cells(game, state)]
