"""The games of this package as Gymnasium environments."""

import numpy as np

from catch_dqn.ball_game import BAR, NO_BALL, CatchBall
from catch_dqn.ball_game import State as BallState
from catch_dqn.game import COLUMNS, REACH, ROWS, Catch, State
from shared.games.env import GameEnv
from shared.games.vector import GameVectorEnv

CELL = 24  # pixels per cell in pictures
BACKGROUND, OBJECT, PADDLE = (24, 26, 32), (255, 196, 61), (72, 149, 239)


class CatchEnv(GameEnv):
    __doc__ = Catch.__doc__

    def __init__(self, render_mode: str | None = None, starts: str = "tutorial") -> None:
        super().__init__(Catch(starts), render_mode)

    def render_text(self, state: State) -> str:
        """The grid as ten lines: `o` the object, `=` the paddle, `.` nothing."""
        paddle, column, row = (int(field[0]) for field in state)
        grid = [["."] * COLUMNS for _ in range(ROWS)]
        for x in range(paddle - REACH, paddle + REACH + 1):
            grid[ROWS - 1][x] = "="
        grid[row][column] = "o"
        return "\n".join("".join(line) for line in grid)

    def render_pixels(self, state: State) -> np.ndarray:
        """The grid as a picture: uint8 [240, 240, 3]."""
        paddle, column, row = (int(field[0]) for field in state)
        cells = np.full((ROWS, COLUMNS, 3), BACKGROUND, np.uint8)
        cells[ROWS - 1, paddle - REACH : paddle + REACH + 1] = PADDLE
        cells[row, column] = OBJECT
        return cells.repeat(CELL, axis=0).repeat(CELL, axis=1)


class CatchBallEnv(GameEnv):
    __doc__ = CatchBall.__doc__

    def __init__(self, size: int, render_mode: str | None = None, starts: str = "tutorial") -> None:
        super().__init__(CatchBall(size, starts), render_mode)

    def _visible_balls(self, state):
        """Row and column of each ball on the screen."""
        rows, columns = self.game.rows(np, state)[0], state.columns[0]
        shown = (columns != NO_BALL) & (rows < self.game.size)
        return rows[shown], columns[shown]

    def render_text(self, state: BallState) -> str:
        """The screen as one line for each row: `o` a ball, `=` the bar, `.` nothing."""
        size, bar = self.game.size, int(state.bar[0])
        grid = [["."] * size for _ in range(size)]
        grid[size - 1][bar : bar + BAR] = "=" * BAR
        for row, column in zip(*self._visible_balls(state), strict=True):
            grid[row][column] = "o"
        return "\n".join("".join(line) for line in grid)

    def render_pixels(self, state: BallState) -> np.ndarray:
        """The screen as a picture: uint8 [24 size, 24 size, 3]."""
        size, bar = self.game.size, int(state.bar[0])
        cells = np.full((size, size, 3), BACKGROUND, np.uint8)
        cells[size - 1, bar : bar + BAR] = PADDLE
        cells[self._visible_balls(state)] = OBJECT
        return cells.repeat(CELL, axis=0).repeat(CELL, axis=1)


class CatchVectorEnv(GameVectorEnv):
    """N games of Catch at once."""

    single = CatchEnv


class CatchBallVectorEnv(GameVectorEnv):
    """N games of Catch-ball at once."""

    single = CatchBallEnv
