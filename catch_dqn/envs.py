"""The games of this package as Gymnasium environments."""

import numpy as np

from catch_dqn.game import COLUMNS, REACH, ROWS, Catch
from shared.envs import GameEnv

CELL = 24  # pixels per cell in pictures
BACKGROUND, OBJECT, PADDLE = (24, 26, 32), (255, 196, 61), (72, 149, 239)


class CatchEnv(GameEnv):
    __doc__ = Catch.__doc__

    def __init__(self, render_mode=None, starts="tutorial"):
        super().__init__(Catch(starts), render_mode)

    def render_text(self, state):
        """The grid as ten lines: `o` the object, `=` the paddle, `.` nothing."""
        paddle, column, row = (int(field[0]) for field in state)
        grid = [["."] * COLUMNS for _ in range(ROWS)]
        for x in range(paddle - REACH, paddle + REACH + 1):
            grid[ROWS - 1][x] = "="
        grid[row][column] = "o"
        return "\n".join("".join(line) for line in grid)

    def render_pixels(self, state):
        """The grid as a picture: uint8 [240, 240, 3]."""
        paddle, column, row = (int(field[0]) for field in state)
        cells = np.full((ROWS, COLUMNS, 3), BACKGROUND, np.uint8)
        cells[ROWS - 1, paddle - REACH : paddle + REACH + 1] = PADDLE
        cells[row, column] = OBJECT
        return cells.repeat(CELL, axis=0).repeat(CELL, axis=1)
