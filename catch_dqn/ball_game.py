"""Catch-ball on an 8x8 or 16x16 screen: the rules (T3, the tutorial on Keras and DQN)."""

from dataclasses import dataclass
from typing import Any, NamedTuple

BAR = 3  # cells of the bar
INTERVAL = 5  # steps from one ball to the next
STAY, LEFT, RIGHT = 0, 1, 2
TIME_LIMIT = 500  # steps of an episode; no rule of the game, but what the tutorial's scores are out of
NO_BALL = -1
FARTHEST = {8: 7, 16: 6}  # columns from one ball to the next, at most, by size of the screen
NEAREST = 3  # and at least


class State(NamedTuple):
    """N games of Catch-ball, side by side, on a screen of S rows that at most K = ceil(S / 5) balls are on at once."""

    bar: Any  # int32 [N], column of the bar's left cell, 0..S-3
    since_drop: Any  # int32 [N], steps since the newest ball appeared, 0..4: the row it is on
    columns: Any  # int32 [N, K], columns of the balls, newest first, each 5 rows below the one before; or NO_BALL


@dataclass(frozen=True)
class CatchBall:
    """A bar on the bottom row catches ball after ball until it misses one.

    | | |
    |---|---|
    | Screen | `size` x `size` cells, 8 or 16; row 0 on top |
    | Observation | [size, size, 1]: bar 1.0, balls 0.5 drawn over the bar, elsewhere 0 |
    | Actions | 0 stay, 1 left, 2 right |
    | Start | one ball on row 0, any column; the bar, 3 cells wide, anywhere: see `starts` |
    | Step | see below |
    | Reward | +1 for a ball that is caught, -1 for one that is missed, else 0 |
    | End | when a ball is missed |

    In one step

    1. the bar moves one cell, or stays; it never leaves the screen;
    2. every ball falls one row;
    3. at every 5th step since the start a new ball appears on row 0, in a column drawn with equal chances from those
       that lie 3 to 6 columns from the ball before it (on 8x8: 3 or more);
    4. a ball on the bottom row has landed: caught if it is in one of the bar's columns, else missed. It is gone at the
       next step.

    The rules know no time limit: the tutorial's 500 steps belong to the loop or the environment around them. In 500
    steps 98 balls land on 16x16 (the first one at step 15, then one every 5 steps) and 99 on 8x8 (from step 7 on).
    Each of them can be caught, whatever columns are drawn: `catch_dqn/perfect_player.py` does it.

    `starts="tutorial"` draws the bar's left cell from 0..size-4, as the tutorial does, never the rightmost place;
    `starts="all"` draws from all 0..size-3.
    """

    size: int = 16
    starts: str = "tutorial"

    num_actions = 3
    reset_draws = 2
    step_draws = 1

    def __post_init__(self):
        if self.size not in FARTHEST:
            raise ValueError(f"size={self.size!r}: choose one of {sorted(FARTHEST)}")
        if self.starts not in ("tutorial", "all"):
            raise ValueError(f'starts={self.starts!r}: choose "tutorial" (the bar never starts rightmost) or "all"')

    @property
    def observation_shape(self) -> tuple[int, int, int]:
        """Shape of one observation."""
        return (self.size, self.size, 1)

    @property
    def balls(self) -> int:
        """How many balls can be on the screen at once, K."""
        return -(-self.size // INTERVAL)

    def reset(self, xp: Any, draws: Any) -> State:
        """Start N games; `draws` float32 [N, 2] places the ball and the bar."""
        places = self.size - BAR + (self.starts == "all")
        column = xp.array(xp.floor(draws[:, :1] * self.size), dtype="int32")  # [N, 1]
        bar = xp.array(xp.floor(draws[:, 1] * places), dtype="int32")  # [N]
        columns = xp.concatenate([column] + [xp.full_like(column, NO_BALL)] * (self.balls - 1), axis=1)  # [N, K]
        return State(bar, xp.zeros_like(bar), columns)

    def step(self, xp: Any, state: State, action: Any, draws: Any) -> tuple[State, Any, Any]:
        """One step of N games; `action` int32 [N], `draws` [N, 1] picks a new ball's column."""
        move = xp.array(action == RIGHT, dtype="int32") - xp.array(action == LEFT, dtype="int32")
        bar = xp.clip(state.bar + move, 0, self.size - BAR)

        drops = state.since_drop == INTERVAL - 1  # [N]
        since_drop = xp.where(drops, 0, state.since_drop + 1)
        new = self._next_column(xp, state.columns[:, 0], draws[:, 0])
        pushed = xp.concatenate([new[:, None], state.columns[:, :-1]], axis=1)  # [N, K]
        state = State(bar, since_drop, xp.where(drops[:, None], pushed, state.columns))

        at_bottom = xp.logical_and(
            self.rows(xp, state) == self.size - 1, state.columns != NO_BALL
        )  # [N, K], one at most
        landed = xp.any(at_bottom, axis=1)
        ahead = state.columns - bar[:, None]
        caught = xp.any(xp.logical_and(at_bottom, xp.logical_and(ahead >= 0, ahead < BAR)), axis=1)
        terminated = xp.logical_and(landed, xp.logical_not(caught))
        reward = xp.array(caught, dtype="float32") - xp.array(terminated, dtype="float32")
        return state, reward, terminated

    def observe(self, xp: Any, state: State) -> Any:
        """The screen of each game: float32 [N, size, size, 1]."""
        line = xp.arange(self.size)
        row, column = line[None, :, None], line[None, None, :]  # [1, S, 1], [1, 1, S]
        ahead = column - state.bar[:, None, None]
        bar = xp.logical_and(row == self.size - 1, xp.logical_and(ahead >= 0, ahead < BAR))  # [N, S, S]
        on_row = row[:, None] == self.rows(xp, state)[:, :, None, None]  # [N, K, S, 1]
        on_column = column[:, None] == state.columns[:, :, None, None]  # [N, K, 1, S]
        balls = xp.any(xp.logical_and(on_row, on_column), axis=1)  # [N, S, S]
        return xp.where(balls, 0.5, xp.array(bar, dtype="float32"))[..., None]

    def rows(self, xp: Any, state: State) -> Any:
        """The row of each ball, int32 [N, K]: the newest first, `size` or more once it has left the screen."""
        return state.since_drop[:, None] + INTERVAL * xp.arange(self.balls)[None]

    def _next_column(self, xp, last, draw):
        """A column that fits, picked among all that fit to the left and right of the last ball's.

        The tutorial draws from all columns until one fits, which comes to the same chances.
        """
        leftmost = xp.maximum(last - FARTHEST[self.size], 0)
        on_left = xp.maximum(last - NEAREST + 1 - leftmost, 0)  # how many fit there
        rightmost = xp.minimum(last + FARTHEST[self.size], self.size - 1)
        on_right = xp.maximum(rightmost - (last + NEAREST) + 1, 0)
        pick = xp.array(xp.floor(draw * xp.array(on_left + on_right, dtype="float32")), dtype="int32")
        return xp.where(pick < on_left, leftmost + pick, last + NEAREST + pick - on_left)
