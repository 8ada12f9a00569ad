"""CAVE as its author wrote it: the rules of his public program of 2017 (github.com/yukiB/keras-dqn-cave)."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from cave_game.game import BLOCK, CEILING, FLOOR, FLYING

ROWS, COLUMNS = 48, 48  # cells of the screen
CELL = 50  # heights and speeds are whole numbers of fiftieths of a cell, so that they are exact
MIDDLE = ROWS // 2 * CELL  # the height that the craft starts at, and that it is always shown at
CRAFT_COLUMN = 15  # where it collides
CRAFT_PLACE = (ROWS // 2 - 1, CRAFT_COLUMN - 1)  # row and column of the cell that it is drawn in
ACCELERATION = 4  # fiftieths of a cell per step, per step: 0.08 cells

FIRST_HALF, LEAST_HALF = 660, 360  # from the centre to the ceiling and to the floor: 13.2 and 7.2 cells
NARROWS_EVERY, NARROWS_BY = 51, 12  # steps; of each half
CHANCES = 120  # how many values the number takes that moves the centre
UP, DOWN = 72, 48  # the centre rises below `DOWN` of these, sinks from `UP` on, ...
UP_AGAIN, DOWN_AGAIN = 24, 96  # ... after a step in which it did the same

FIRST_BLOCK, BLOCK_EVERY = 51, 21  # steps
BLOCK_WIDTH, BLOCK_HEIGHT = 2, 6  # cells
BLOCKS = 3  # of which something is to be seen on a screen of the last nine, at most
NO_BLOCK = 1 << 20  # "top row" of a block where there is none: below every screen

TAIL = 14  # cells of it that are drawn, in the columns left of the craft
ROCK_BRIGHTNESS, BLOCK_BRIGHTNESS, TAIL_BRIGHTNESS, CRAFT_BRIGHTNESS = 0.4, 0.5, 0.8, 1.0
AGES = {"published": (8, 6, 4, 2, 0), "halved": (6, 4, 2, 0)}  # how many steps ago each screen was that is observed
OLDEST = 8
HEIGHTS, WALLS = OLDEST + TAIL, OLDEST + COLUMNS  # how many of them the last nine screens show
SHRINK = 2  # cells per side that one value of the halved screens belongs to
HALVED = (ROWS // SHRINK, COLUMNS // SHRINK)
TIME_LIMIT = 10_000  # steps of an episode; no rule of the game, but what its scores are out of


class State(NamedTuple):
    """N flights, side by side. Heights grow downwards and are counted in fiftieths of a cell."""

    heights: Any  # int32 [N, 22], of the craft after each of the last steps, oldest first
    speed: Any  # int32 [N], fiftieths of a cell per step, positive downwards
    centres: Any  # int32 [N, 56], between ceiling and floor in each column; the last 48 are on screen now
    slope: (
        Any  # int32 [N], whether the newest centre is lower (1) than the one before, higher (-1) or level with it (0)
    )
    tops: Any  # int32 [N, 3], top rows of the last blocks, newest first; NO_BLOCK where there are fewer
    steps: Any  # int32 [N], steps made
    ending: Any  # int32 [N], FLYING, or what was hit: CEILING, FLOOR or BLOCK


class Packed(NamedTuple):
    """What replay memory keeps of N states: all that can be seen."""

    speeds: Any  # int8 [N, 21], from one height to the next, in accelerations
    moves: Any  # int8 [N, 55], from one centre to the next, in fiftieths of a cell
    part: Any  # int8 [N], fiftieths of a cell that the height is more than a whole row
    centre: Any  # int16 [N], fiftieths of a cell from the craft down to the newest centre
    tops: Any  # int16 [N, 3], rows from the craft's row down to the blocks' upper edges, or NO_PACKED_BLOCK
    steps: Any  # int32 [N]
    ending: Any  # int8 [N]


NO_PACKED_BLOCK = 32_767  # the largest int16


@dataclass(frozen=True)
class Cave2017:
    """A craft that rises while a button is held flies through a cave. No speed is too high, and the picture follows it.

    | | |
    |---|---|
    | Screen | 48 rows x 48 columns, row 0 on top, the craft in the middle row; see below |
    | Observation | `observation="published"`: 5 screens, every second of the last 9, oldest first: (5, 48, 48) |
    | Actions | 0 button released, 1 button held |
    | Craft | a point at column 15; its height grows downwards |
    | Start | height 24 cells, speed 0; 48 columns alike, 26.4 cells high, their centre at 24 |
    | Step | the speed changes by 0.08 cells/step, upwards while the button is held, else downwards; the craft moves by it; the cave moves one column to the left |
    | Narrowing | every 51 steps the columns that come into view are 0.48 cells lower than before, until 14.4 are left |
    | Centre | of each new column: moved by (u - 0.6) x 4.8 cells if u > 0.6 (u > 0.2 after such a move), else by (u - 0.4) x 4.8 if u < 0.4 (u < 0.8 after such a move), else level; u uniform in [0, 1). It knows no bounds |
    | Blocks | one at step 51 and then every 21 steps, 2 columns wide, 6 rows high; it comes in at the right edge, its top row any whole number from `int(ceiling)` up to `int(floor - 6)`, the latter excluded, of the newest column |
    | End | when height <= ceiling or height >= floor in the craft's column, or when a block's left column is 13, 14 or 15 and top <= height <= top + 6 |
    | Reward | -1 for the step that ends the game, else 0; `reward="survival"`: 1 for a step survived, 0 for the last one |

    The score is the number of steps made, with the last one. The rules know no time limit: the author's training cut a
    flight at step 10,001, his test script never.

    Heights are exact: 0.08 cells, 26.4 / 2, 0.48 / 2 and 4.8 / 240 are all whole numbers of fiftieths of a cell. For
    that, u takes 120 values, the middles of 120 equal parts of [0, 1): the chances of going up, down and level are the
    author's, and the centre moves by steps of 0.04 cells where his moved by any number.

    What is drawn: a tail (0.8; where the craft was 0 to 13 steps ago, in the columns 13 to 0), the craft (1; row 23,
    column 14), blocks (0.5) and rock (0.4), each over those before it. An edge at height h is drawn at row `int(h)`.

    - `quirks=True` draws as the author's program does: where the upper edge of a block or of a cell of the tail, or the
      floor, lies above the screen, `int(h)` is negative, and Python counts negative numbers of an array from its end.
      A block that is partly above the screen vanishes, one that is further up appears at the bottom. So does a floor.
    - `quirks=False` draws what is there: what lies above the screen is not seen, what reaches into it is.

    `observation="halved"` shows 4 screens, every second of the last 7, as a network can use them best: (24, 24, 4).
    Each value belongs to 2 x 2 cells; it is half the share of them that is rock or block, and the share that craft and
    tail cover, by their exact heights instead of whole rows. It has no quirks.

    Each step takes two draws, for the column that comes into view and for a block: the same draws give the same cave,
    however it is flown.
    """  # noqa: E501

    observation: str = "published"
    quirks: bool = True
    reward: str = "crash"

    crash_counts = True  # the score is the number of steps made
    num_actions = 2
    reset_draws = 0
    step_draws = 2

    def __post_init__(self):
        if self.observation not in AGES:
            raise ValueError(f"observation={self.observation!r}: choose one of {sorted(AGES)}")
        if self.reward not in ("crash", "survival"):
            raise ValueError(f'reward={self.reward!r}: choose "crash" (-1 when the game ends) or "survival"')

    @property
    def observation_shape(self) -> tuple[int, int, int]:
        """Shape of one observation."""
        screens = len(AGES[self.observation])
        return (screens, ROWS, COLUMNS) if self.observation == "published" else (*HALVED, screens)

    def reset(self, xp: Any, draws: Any) -> State:
        """Start N games; of `draws`, float32 [N, 0], only the length counts."""
        games = draws.shape[0]
        none = xp.zeros((games,), dtype="int32")
        return State(
            heights=xp.full((games, HEIGHTS), MIDDLE, dtype="int32"),
            speed=none,
            centres=xp.full((games, WALLS), MIDDLE, dtype="int32"),
            slope=none,
            tops=xp.full((games, BLOCKS), NO_BLOCK, dtype="int32"),
            steps=none,
            ending=none + FLYING,
        )

    def step(self, xp: Any, state: State, action: Any, draws: Any) -> tuple[State, Any, Any]:
        """One step of N games; `action` int32 [N], `draws` float32 [N, 2] shape the column that comes into view.

        A craft that has crashed stays where it is.
        """
        flying = state.ending == FLYING
        speed = xp.where(flying, state.speed + ACCELERATION * (1 - 2 * action), 0)
        height = state.heights[:, -1] + speed
        steps = state.steps + 1
        centre, slope = self._next_centre(xp, state, draws[:, 0])
        centres = self._pushed(xp, state.centres, centre)
        tops = self._next_tops(xp, state.tops, centre, steps, draws[:, 1])
        ending = xp.where(flying, self._hit(xp, height, centres, tops, steps), state.ending)
        state = State(self._pushed(xp, state.heights, height), speed, centres, slope, tops, steps, ending)
        terminated = ending != FLYING
        ends = xp.array(terminated, dtype="float32")
        return state, (-ends if self.reward == "crash" else 1.0 - ends), terminated

    def _pushed(self, xp, old, new):
        """The columns of `old`, int32 [N, n], moved one place to the left, and `new`, int32 [N], as the last one."""
        return xp.concatenate([old[:, 1:], new[:, None]], axis=1)

    def _next_centre(self, xp, state, draw):
        """The centre of the column that comes into view, and its slope, int32 [N] each; `draw` float32 [N]."""
        chance = xp.array(xp.floor(draw * CHANCES), dtype="int32")
        sinks = chance >= xp.where(state.slope == 1, UP_AGAIN, UP)
        rises = chance < xp.where(state.slope == -1, DOWN_AGAIN, DOWN)
        slope = xp.array(xp.where(sinks, 1, xp.where(rises, -1, 0)), dtype="int32")
        # The middle of the part of [0, 1) that was drawn is (2 x chance + 1) / 240; 4.8 cells are 240 fiftieths.
        move = xp.where(sinks, 2 * (chance - UP) + 1, 2 * (chance - DOWN) + 1)
        return state.centres[:, -1] + xp.where(slope == 0, 0, move), slope

    def _next_tops(self, xp, tops, centre, steps, draw):
        """The top rows of the blocks, int32 [N, 3], once the newest column has come into view; `draw` float32 [N]."""
        half = self._half(xp, steps)
        first = self._row(xp, centre - half)
        places = self._row(xp, centre + half - BLOCK_HEIGHT * CELL) - first
        top = first + xp.array(xp.floor(draw * xp.array(places, dtype="float32")), dtype="int32")
        appears = xp.logical_and(steps >= FIRST_BLOCK, (steps - FIRST_BLOCK) % BLOCK_EVERY == 0)
        return xp.where(appears[:, None], xp.concatenate([top[:, None], tops[:, :-1]], axis=1), tops)

    def _half(self, xp, steps):
        """From the centre to ceiling and floor in the columns that came into view at some steps, int32 alike."""
        return xp.maximum(FIRST_HALF - NARROWS_BY * (xp.maximum(steps, 0) // NARROWS_EVERY), LEAST_HALF)

    def _row(self, xp, height):
        """A height as Python's `int` gives it in whole rows, int32 alike: towards 0."""
        return xp.where(height < 0, -(-height // CELL), height // CELL)

    def _block_columns(self, xp, steps):
        """The left columns of the blocks, int32 [N, 3], newest first, after so many steps, int32 [N]."""
        newest = COLUMNS - (steps - FIRST_BLOCK) % BLOCK_EVERY
        return newest[:, None] - BLOCK_EVERY * xp.arange(BLOCKS, dtype="int32")[None]

    def _hit(self, xp, height, centres, tops, steps):
        """What a craft at this height, int32 [N], touches: int32 [N]."""
        centre = centres[:, OLDEST + CRAFT_COLUMN]
        half = self._half(xp, steps - (COLUMNS - 1 - CRAFT_COLUMN))
        column, top, at = self._block_columns(xp, steps), CELL * tops, height[:, None]
        beside = xp.logical_and(column <= CRAFT_COLUMN, column + BLOCK_WIDTH >= CRAFT_COLUMN)
        beside = xp.logical_and(beside, xp.logical_and(top <= at, at <= top + BLOCK_HEIGHT * CELL))
        hit = xp.where(xp.any(beside, axis=1), BLOCK, FLYING)
        hit = xp.where(height >= centre + half, FLOOR, hit)
        return xp.array(xp.where(height <= centre - half, CEILING, hit), dtype="int32")

    def observe(self, xp: Any, state: State) -> Any:
        """The last screens: float32 [N, 5, 48, 48], or halved [N, 24, 24, 4]."""
        if self.observation == "published":
            return self._screens(xp, state, AGES["published"])
        return self._halved(xp, state)

    def screen(self, xp: Any, state: State) -> Any:
        """What is on the screen now: float32 [N, 48, 48]."""
        return self._screens(xp, state, (0,))[:, 0]

    def _edges(self, xp, state, ages):
        """The edges of all there is to see on the screens of some ages (F of them), in fiftieths of a cell below the
        upper edge of the screen.

        Returns ceiling and floor, int32 [N, F, 48]; upper and lower edges of the block in each column, int32
        [N, F, 48], equal where there is none; and the middle of tail and craft, int32 [N, F, 15].
        """
        shift = xp.stack([state.heights[:, HEIGHTS - 1 - age] for age in ages], axis=1)[:, :, None] - MIDDLE
        centres = xp.stack([state.centres[:, OLDEST - age : WALLS - age] for age in ages], axis=1) - shift
        column = xp.arange(COLUMNS, dtype="int32")[None, None]  # [1, 1, 48]
        age = xp.stack([xp.full((1,), age, dtype="int32") for age in ages], axis=1)[:, :, None]  # [1, F, 1]
        half = self._half(xp, state.steps[:, None, None] - age - (COLUMNS - 1) + column)  # [N, F, 48]

        upper = xp.full_like(centres, ROWS * CELL)
        lower = upper
        left = self._block_columns(xp, state.steps)
        for block in range(BLOCKS):
            place = left[:, block, None, None] + age  # [N, F, 1]
            here = xp.logical_and(xp.logical_or(column == place, column == place + 1), place >= 0)
            top = CELL * state.tops[:, block, None, None] - shift
            upper = xp.where(here, top, upper)
            lower = xp.where(here, top + BLOCK_HEIGHT * CELL, lower)

        path = [state.heights[:, HEIGHTS - age - TAIL : HEIGHTS - age] for age in ages]  # [N, 14] each
        path = xp.stack([xp.concatenate([tail, tail[:, -1:]], axis=1) for tail in path], axis=1) - shift
        return centres - half, centres + half, upper, lower, path

    def _screens(self, xp, state, ages):
        """The screens of some ages, float32 [N, F, 48, 48]."""
        ceiling, floor, upper, lower, path = self._edges(xp, state, ages)
        outside = ROWS * CELL + xp.zeros_like(ceiling[:, :, TAIL + 1 :])
        first, last = (
            self._drawn(xp, xp.concatenate([path + edge, outside], axis=2)) for edge in (-CELL // 2, CELL // 2)
        )
        ceiling = xp.clip(ceiling, 0, ROWS * CELL) // CELL
        floor, upper, lower = (self._drawn(xp, edge) for edge in (floor, upper, lower))
        bright = xp.arange(COLUMNS)[None, None, None] == TAIL  # [1, 1, 1, 48]: the craft, at the tail's right end
        bright = xp.array(xp.where(bright, CRAFT_BRIGHTNESS, TAIL_BRIGHTNESS), dtype="float32")

        row = xp.arange(ROWS, dtype="int32")[None, None, :, None]  # [1, 1, 48, 1]
        ceiling, floor, upper, lower, first, last = (e[:, :, None] for e in (ceiling, floor, upper, lower, first, last))
        rock = xp.logical_or(row < ceiling, row >= floor)
        block = xp.logical_and(row >= upper, row < lower)
        screen = xp.where(xp.logical_and(row >= first, row < last), bright, 0.0)
        screen = xp.where(block, BLOCK_BRIGHTNESS, screen)
        return xp.array(xp.where(rock, ROCK_BRIGHTNESS, screen), dtype="float32")

    def _drawn(self, xp, height):
        """The row from which, or up to which, something with an edge at this height is drawn: 0..48, int32 alike."""
        if not self.quirks:
            return xp.clip(height, 0, ROWS * CELL) // CELL
        row = self._row(xp, height)
        return xp.clip(xp.where(row < 0, row + ROWS, row), 0, ROWS)

    def _halved(self, xp, state):
        """The screens of 24 x 24 values, float32 [N, 24, 24, 4]."""
        edges = self._edges(xp, state, AGES["halved"])
        ceiling, floor, upper, lower, path = (xp.transpose(e, (0, 2, 1))[:, None] for e in edges)  # [N, 1, 48, 4]
        square = SHRINK * CELL
        above = square * xp.arange(HALVED[0], dtype="int32")[None, :, None, None]  # upper edges, [1, 24, 1, 1]
        below = above + square
        solid = xp.clip(ceiling - above, 0, square) + xp.clip(below - floor, 0, square)
        solid = solid + xp.clip(xp.minimum(lower, below) - xp.maximum(upper, above), 0, square)
        solid = xp.minimum(solid, square)
        bright = xp.minimum(path + CELL // 2, below) - xp.maximum(path - CELL // 2, above)
        bright = xp.clip(bright, 0, square)  # [N, 24, 15, 4]
        bright = xp.pad(bright, ((0, 0), (0, 0), (0, COLUMNS - TAIL - 1), (0, 0)))
        value = solid + 2 * bright
        value = value[:, :, ::SHRINK] + value[:, :, 1::SHRINK]
        return xp.array(value, dtype="float32") * (1.0 / (2 * SHRINK * square))

    def pack(self, xp: Any, state: State) -> Packed:
        """What `unpack` needs to have of N states what can be seen. (No flight is too fast for int8.)"""
        height = state.heights[:, -1]
        tops = xp.where(state.tops == NO_BLOCK, NO_PACKED_BLOCK, state.tops - height[:, None] // CELL)
        return Packed(
            speeds=xp.array((state.heights[:, 1:] - state.heights[:, :-1]) // ACCELERATION, dtype="int8"),
            moves=xp.array(state.centres[:, 1:] - state.centres[:, :-1], dtype="int8"),
            part=xp.array(height % CELL, dtype="int8"),
            centre=xp.array(state.centres[:, -1] - height, dtype="int16"),
            tops=xp.array(tops, dtype="int16"),
            steps=state.steps,
            ending=xp.array(state.ending, dtype="int8"),
        )

    def unpack(self, xp: Any, packed: Packed) -> State:
        """The states that were packed, moved up or down by whole rows; their slope, which cannot be seen, is 0."""
        speeds, moves, height, centre, tops = (xp.array(field, dtype="int32") for field in packed[:5])
        return State(
            heights=self._summed(xp, ACCELERATION * speeds, height),
            speed=ACCELERATION * speeds[:, -1],
            centres=self._summed(xp, moves, height + centre),
            slope=xp.zeros_like(height),
            tops=xp.where(tops == NO_PACKED_BLOCK, NO_BLOCK, tops),
            steps=packed.steps,
            ending=xp.array(packed.ending, dtype="int32"),
        )

    def _summed(self, xp, differences, last):
        """The numbers that have these differences, int32 [N, n - 1], and end with `last`, int32 [N]: int32 [N, n]."""
        sums = xp.cumsum(differences, axis=1)
        first = (last - sums[:, -1])[:, None]
        return xp.concatenate([first, first + sums], axis=1)
