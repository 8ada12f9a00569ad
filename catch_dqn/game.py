"""Catch on a 10x10 grid: the rules (T1, the tutorial on deep Q-learning with the game of catch)."""

from dataclasses import dataclass
from typing import Any, NamedTuple

ROWS, COLUMNS = 10, 10
REACH = 1  # cells of the paddle on either side of its centre
LEFT, STAY, RIGHT = 0, 1, 2


class State(NamedTuple):
    """N games of Catch, side by side."""

    paddle: Any  # int32 [N], column of the paddle's centre, 1..8
    column: Any  # int32 [N], column of the falling object, 0..9
    row: Any  # int32 [N], row of the falling object, 0 (top) .. 9 (bottom)


@dataclass(frozen=True)
class Catch:
    """A paddle on the bottom row catches one falling object.

    | | |
    |---|---|
    | Grid | 10 rows x 10 columns, row 0 on top |
    | Observation | the grid row by row, 100 values: 1 where the paddle or the object is, else 0 |
    | Actions | 0 left, 1 stay, 2 right |
    | Start | object on row 0; which columns are possible: see `starts` |
    | Step | first the paddle moves by `action - 1`, its centre kept within 1..8; then the object falls one row |
    | End | when the object arrives on the bottom row, 9 steps after the start |
    | Reward | at the end +1 if `abs(column - paddle) <= 1`, else -1; before that 0 |

    `starts="tutorial"` draws the paddle from 1..7 and the object from columns 0..8, as the tutorial does: 63 starts.
    `starts="all"` draws from all 8 x 10 = 80. Perfect play catches the object from every one of them.
    """

    starts: str = "tutorial"

    num_actions = 3
    observation_shape = (ROWS * COLUMNS,)
    reset_draws = 2
    step_draws = 0

    def __post_init__(self):
        if self.starts not in ("tutorial", "all"):
            raise ValueError(f'starts={self.starts!r}: choose "tutorial" (63 starts) or "all" (80 starts)')

    @property
    def start_positions(self) -> list[tuple[int, int]]:
        """Every start as (paddle, column) pairs: 63 for `"tutorial"`, 80 for `"all"`."""
        paddles, columns = (7, 9) if self.starts == "tutorial" else (8, 10)
        return [(1 + paddle, column) for paddle in range(paddles) for column in range(columns)]

    def reset(self, xp: Any, draws: Any) -> State:
        """Start N games; `draws` float32 [N, 2] places the paddle and the object."""
        paddles, columns = (7, 9) if self.starts == "tutorial" else (8, 10)
        paddle = 1 + xp.array(xp.floor(draws[:, 0] * paddles), dtype="int32")  # [N]
        column = xp.array(xp.floor(draws[:, 1] * columns), dtype="int32")  # [N]
        return State(paddle, column, xp.zeros_like(column))

    def step(self, xp: Any, state: State, action: Any, draws: Any) -> tuple[State, Any, Any]:
        """One step of N games; `action` int32 [N], `draws` [N, 0] is not used."""
        paddle = xp.clip(state.paddle + action - 1, REACH, COLUMNS - 1 - REACH)
        row = state.row + 1
        terminated = row >= ROWS - 1
        caught = xp.abs(state.column - paddle) <= REACH
        outcome = 2 * xp.array(caught, dtype="float32") - 1  # +1 or -1
        reward = outcome * xp.array(terminated, dtype="float32")
        return State(paddle, state.column, row), reward, terminated

    def observe(self, xp: Any, state: State) -> Any:
        """The grid of each game, row by row: float32 [N, 100]."""
        cell = xp.arange(ROWS * COLUMNS)
        row, column = (cell // COLUMNS)[None], (cell % COLUMNS)[None]  # [1, 100]
        paddle = xp.logical_and(row == ROWS - 1, xp.abs(column - state.paddle[:, None]) <= REACH)
        falling = xp.logical_and(row == state.row[:, None], column == state.column[:, None])
        return xp.array(xp.logical_or(paddle, falling), dtype="float32")
