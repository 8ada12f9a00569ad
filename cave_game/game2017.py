"""CAVE as its author wrote it: the rules of his public program of 2017 (github.com/yukiB/keras-dqn-cave)."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from cave_game.game import BLOCK, CEILING, FLOOR, FLYING, STARTS

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
NO_BLOCK = 1 << 28  # upper edge of a block where there is none: below every screen

TAIL = 14  # cells of it that are drawn, in the columns left of the craft
ROCK_BRIGHTNESS, BLOCK_BRIGHTNESS, TAIL_BRIGHTNESS, CRAFT_BRIGHTNESS = 0.4, 0.5, 0.8, 1.0
AGES = {"published": (8, 6, 4, 2, 0), "halved": (6, 4, 2, 0)}  # how many steps ago each screen was that is observed
OBSERVATIONS = (*AGES, "columns")
AHEAD = COLUMNS - CRAFT_COLUMN  # columns from the craft to the right edge of the screen
TOP_SPEED = 4 * CELL  # that "columns" tells; in fiftieths of a cell per step
OLDEST = 8
HEIGHTS, PROFILE = OLDEST + TAIL, OLDEST + COLUMNS  # how many heights and columns the last nine screens show
# Steps made after which all that is in view is narrowest: 1330.
NARROWEST = NARROWS_EVERY * (FIRST_HALF - LEAST_HALF) // NARROWS_BY + PROFILE - 1
SHRINK = 2  # cells per side that one value of the halved screens belongs to
TIME_LIMIT = 10_000  # steps of an episode; no rule of the game, but what its scores are out of


class State(NamedTuple):
    """N flights, side by side. Heights grow downwards and are counted in fiftieths of a cell.

    Profiles hold the columns of the last nine screens; the last 48 are on screen now.
    """

    heights: Any  # int32 [N, 22], of the craft after each of the last steps, oldest first
    speed: Any  # int32 [N], fiftieths of a cell per step, positive downwards
    ceiling: Any  # int32 [N, 56], height of its lower edge in each column
    floor: Any  # int32 [N, 56], height of its upper edge
    block: Any  # int32 [N, 56], height of the upper edge of the block in this column, or NO_BLOCK
    slope: (
        Any  # int32 [N], whether the newest column lies lower (1) than the one before, higher (-1) or level with it (0)
    )
    last_block: Any  # int32 [N], height of the upper edge of the block that has come last, or NO_BLOCK
    steps: Any  # int32 [N], steps made
    ending: Any  # int32 [N], FLYING, or what was hit: CEILING, FLOOR or BLOCK


class Packed(NamedTuple):
    """What replay memory keeps of N states: all that can be seen."""

    speeds: Any  # int8 [N, 21], from one height to the next, in accelerations
    moves: Any  # int8 [N, 55], from one centre to the next, in fiftieths of a cell
    centre: Any  # int16 [N], fiftieths of a cell from the craft down to the newest centre
    blocks: Any  # int16 [N, 3], the same down to the upper edges of blocks, newest first, or NO_PACKED_BLOCK
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

    - `quirks=True` draws as the author's program does: where an edge of a block, of the tail or of the floor lies above
      the screen, `int(h)` is negative, and Python counts negative numbers of an array from its end. A block that is
      partly above the screen vanishes, one that is further up appears at the bottom, and so does the floor.
    - `quirks=False` draws what is there: what lies above the screen is not seen, what reaches into it is.

    `observation="halved"` shows 4 screens, every second of the last 7, as a network can use them best: (24, 24, 4).
    Each value is the share of 2 x 2 cells that is rock or block, by their exact heights instead of whole rows. Craft
    and tail are left out: the craft is always in the same place, and how the rock moves tells how fast it is.

    `observation="columns"` tells the screen in numbers, without pictures: (100,). For each of the 33 columns from the
    craft's to the right edge, how far below the craft the ceiling is, for each the same of the floor and of the upper
    edge of a block: 1 is half a screen, and no number is below -1 or above 1 (nor is that of a block where there is
    none). At last the speed, in cells a step downwards, between -4 and 4.

    Each step takes two draws, for the column that comes into view and for a block: the same draws give the same cave,
    however it is flown.

    `starts="any"` is for training: a game begins as narrow as it is after 0 to 1330 steps, a number that takes a draw.
    """  # noqa: E501

    observation: str = "published"
    quirks: bool = True
    reward: str = "crash"
    starts: str = "wide"

    crash_counts = True  # the score is the number of steps made
    num_actions = 2
    step_draws = 2

    def __post_init__(self):
        if self.observation not in OBSERVATIONS:
            raise ValueError(f"observation={self.observation!r}: choose one of {sorted(OBSERVATIONS)}")
        if self.reward not in ("crash", "survival"):
            raise ValueError(f'reward={self.reward!r}: choose "crash" (-1 when the game ends) or "survival"')
        if self.starts not in STARTS:
            raise ValueError(f"starts={self.starts!r}: choose one of {list(STARTS)}")

    @property
    def reset_draws(self) -> int:
        """How many uniform numbers one reset consumes."""
        return int(self.starts == "any")

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """Shape of one observation."""
        if self.observation == "columns":
            return (3 * AHEAD + 1,)
        screens = len(AGES[self.observation])
        return (
            (screens, ROWS, COLUMNS)
            if self.observation == "published"
            else (ROWS // SHRINK, COLUMNS // SHRINK, screens)
        )

    def reset(self, xp: Any, draws: Any) -> State:
        """Start N games; of `draws`, float32 [N, 0], only the length counts. With `starts="any"` it is [N, 1]."""
        games = draws.shape[0]
        none = xp.zeros((games,), dtype="int32")
        level = xp.full((games, PROFILE), MIDDLE, dtype="int32")
        steps = none if self.starts == "wide" else xp.array(xp.floor(draws[:, 0] * (NARROWEST + 1)), dtype="int32")
        half = self._half(xp, self._when(xp, steps))
        return State(
            heights=level[:, :HEIGHTS],
            speed=none,
            ceiling=level - half,
            floor=level + half,
            block=xp.full_like(level, NO_BLOCK),
            slope=none,
            last_block=none + NO_BLOCK,
            steps=steps,
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
        half = self._half(xp, steps)
        into_block = (steps - FIRST_BLOCK - 1) % BLOCK_EVERY  # a block's columns come into view after it has appeared
        in_block = xp.logical_and(steps > FIRST_BLOCK, into_block < BLOCK_WIDTH)
        ceiling, floor, block = (
            self._pushed(xp, old, new)
            for old, new in (
                (state.ceiling, centre - half),
                (state.floor, centre + half),
                (state.block, xp.where(in_block, state.last_block, NO_BLOCK)),
            )
        )
        appears = xp.logical_and(steps >= FIRST_BLOCK, (steps - FIRST_BLOCK) % BLOCK_EVERY == 0)
        last_block = xp.where(appears, self._next_block(xp, centre, half, draws[:, 1]), state.last_block)

        ending = xp.where(flying, self._hit(xp, height, ceiling, floor, block), state.ending)
        heights = self._pushed(xp, state.heights, height)
        state = State(heights, speed, ceiling, floor, block, slope, last_block, steps, ending)
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
        centre = (state.ceiling[:, -1] + state.floor[:, -1]) // 2
        return centre + xp.where(slope == 0, 0, move), slope

    def _next_block(self, xp, centre, half, draw):
        """The height of a block's upper edge, int32 [N], beside the newest column; `draw` float32 [N]."""
        first = self._row(xp, centre - half)
        places = self._row(xp, centre + half - BLOCK_HEIGHT * CELL) - first
        return CELL * (first + xp.array(xp.floor(draw * xp.array(places, dtype="float32")), dtype="int32"))

    def _when(self, xp, steps):
        """At which steps the columns of the profiles came into view, int32 [N, 56]."""
        return steps[:, None] + xp.arange(PROFILE, dtype="int32")[None] - (PROFILE - 1)

    def _half(self, xp, steps):
        """From the centre to ceiling and floor in the columns that come into view at some steps, int32 alike."""
        return xp.maximum(FIRST_HALF - NARROWS_BY * (xp.maximum(steps, 0) // NARROWS_EVERY), LEAST_HALF)

    def _row(self, xp, height):
        """A height as Python's `int` gives it in whole rows, int32 alike: towards 0."""
        return xp.where(height < 0, -(-height // CELL), height // CELL)

    def _hit(self, xp, height, ceiling, floor, block):
        """What a craft at this height, int32 [N], touches in profiles int32 [N, 56]: int32 [N]."""
        here = OLDEST + CRAFT_COLUMN
        top, at = block[:, here - 1 : here + 1], height[:, None]  # the author's blocks end one column further right
        in_block = xp.any(xp.logical_and(top <= at, at <= top + BLOCK_HEIGHT * CELL), axis=1)
        hit = xp.where(height >= floor[:, here], FLOOR, xp.where(in_block, BLOCK, FLYING))
        return xp.array(xp.where(height <= ceiling[:, here], CEILING, hit), dtype="int32")

    def observe(self, xp: Any, state: State) -> Any:
        """The last screens: float32 [N, 5, 48, 48], or halved [N, 24, 24, 4]; or what the columns hold: [N, 100]."""
        if self.observation == "published":
            return self._screens(xp, state, AGES["published"])
        if self.observation == "halved":
            return self._halved(xp, state, AGES["halved"])
        edges = xp.concatenate([profile[:, -AHEAD:] for profile in state[2:5]], axis=1) - state.heights[:, -1:]
        edges = xp.array(xp.clip(edges, -MIDDLE, MIDDLE), dtype="float32") * (1.0 / MIDDLE)
        speed = xp.array(xp.clip(state.speed, -TOP_SPEED, TOP_SPEED), dtype="float32") * (1.0 / CELL)
        return xp.concatenate([edges, speed[:, None]], axis=1)

    def screen(self, xp: Any, state: State) -> Any:
        """What is on the screen now: float32 [N, 48, 48]."""
        return self._screens(xp, state, (0,))[:, 0]

    def _on_screens(self, xp, state, ages):
        """What is to be seen on the screens of some ages, F of them, in fiftieths of a cell below their upper edges.

        Returns the edges of ceiling and floor and the upper edges of blocks in each column, int32 [N, F, 48] each.
        """
        shift = self._at_ages(xp, state.heights, ages, HEIGHTS, 1) - MIDDLE  # [N, F, 1]
        ceiling, floor, block = (self._at_ages(xp, profile, ages, PROFILE, COLUMNS) for profile in state[2:5])
        # A block is gone when its left column has left the screen.
        since = state.steps[:, None] - xp.array([list(ages)], dtype="int32") - COLUMNS - FIRST_BLOCK  # [N, F]
        cut = xp.logical_and(since > 0, since % BLOCK_EVERY == BLOCK_WIDTH - 1)[:, :, None]
        block = xp.where(xp.logical_and(cut, xp.arange(COLUMNS)[None, None] == 0), NO_BLOCK, block)
        return ceiling - shift, floor - shift, block - shift

    def _at_ages(self, xp, values, ages, length, width):
        """Windows of int32 [N, length] that end so many places before its end: [N, F, width]."""
        return xp.stack([values[:, length - age - width : length - age] for age in ages], axis=1)

    def _screens(self, xp, state, ages):
        """The screens of some ages, float32 [N, F, 48, 48]."""
        ceiling, floor, block = self._on_screens(xp, state, ages)
        path = self._at_ages(xp, state.heights, ages, HEIGHTS, TAIL)
        now = path[:, :, -1:]
        elsewhere = xp.zeros_like(ceiling[:, :, TAIL + 1 :]) + NO_BLOCK
        path = xp.concatenate([path - now + MIDDLE, xp.zeros_like(now) + MIDDLE, elsewhere], axis=2)  # [N, F, 48]
        edges = (floor, block, block + BLOCK_HEIGHT * CELL, path - CELL // 2, path + CELL // 2)
        floor, upper, lower, first, last = (self._drawn(xp, edge)[:, :, None] for edge in edges)
        ceiling = ceiling[:, :, None]

        # An edge is drawn at row int(height): row r lies above it if CELL * (r + 1) is not beyond the edge's height.
        row = CELL * xp.arange(1, ROWS + 1, dtype="int32")[None, None, :, None]  # [1, 1, 48, 1]
        rock = xp.logical_or(row <= ceiling, row > floor)
        block = xp.logical_and(row > upper, row <= lower)
        bright = xp.array([TAIL_BRIGHTNESS] * TAIL + [CRAFT_BRIGHTNESS] * (COLUMNS - TAIL), dtype="float32")
        screen = xp.where(xp.logical_and(row > first, row <= last), bright, 0.0)
        screen = xp.where(block, BLOCK_BRIGHTNESS, screen)
        return xp.array(xp.where(rock, ROCK_BRIGHTNESS, screen), dtype="float32")

    def _drawn(self, xp, edge):
        """Where an edge at a height, int32 alike, is drawn. Rows from -1 on upwards are those at the screen's end."""
        if not self.quirks:
            return edge
        return xp.where(edge <= -CELL, edge + CELL - 1 + ROWS * CELL, edge)  # `int` rounds upwards there

    def _halved(self, xp, state, ages):
        """The screens of some ages, halved, float32 [N, 24, 24, F]. (All at once compiles to slower code.)"""
        screens, square = [], SHRINK * CELL
        above = square * xp.arange(ROWS // SHRINK, dtype="int32")[None, :, None]  # upper edges, [1, 24, 1]
        below = above + square
        for age in ages:
            ceiling, floor, block = self._on_screens(xp, state, (age,))  # [N, 1, 48] each
            solid = xp.clip(ceiling - above, 0, square) + xp.clip(below - floor, 0, square)
            in_block = xp.minimum(block + BLOCK_HEIGHT * CELL, below) - xp.maximum(block, above)
            solid = xp.minimum(solid + xp.clip(in_block, 0, square), square)  # [N, 24, 48]
            screens.append(solid[:, :, ::SHRINK] + solid[:, :, 1::SHRINK])
        return xp.array(xp.stack(screens, axis=-1), dtype="float32") * (1.0 / (SHRINK * square))

    def pack(self, xp: Any, state: State) -> Packed:
        """What `unpack` needs to have of N states what can be seen. (No flight is too fast for int8.)"""
        height = state.heights[:, -1:]
        centres = (state.ceiling + state.floor) // 2
        place = self._block_places(xp, state.steps)[0]
        blocks = xp.take_along_axis(state.block, xp.maximum(place, 0), axis=1)
        blocks = xp.where(blocks == NO_BLOCK, NO_PACKED_BLOCK, blocks - height)
        return Packed(
            speeds=xp.array((state.heights[:, 1:] - state.heights[:, :-1]) // ACCELERATION, dtype="int8"),
            moves=xp.array(centres[:, 1:] - centres[:, :-1], dtype="int8"),
            centre=xp.array(centres[:, -1] - height[:, 0], dtype="int16"),
            blocks=xp.array(blocks, dtype="int16"),
            steps=state.steps,
            ending=xp.array(state.ending, dtype="int8"),
        )

    def unpack(self, xp: Any, packed: Packed) -> State:
        """The states that were packed, moved up or down so that the craft is in the middle row.

        Their slope and the last block, as long as it cannot be seen, are left out.
        """
        speeds, moves, centre, blocks = (xp.array(field, dtype="int32") for field in packed[:4])
        middle = xp.zeros_like(centre) + MIDDLE
        centres = self._summed(xp, moves, middle + centre)
        half = self._half(xp, self._when(xp, packed.steps))
        number, in_block = self._block_places(xp, packed.steps)[1:]
        top = xp.take_along_axis(blocks, number, axis=1)
        there = xp.logical_and(in_block, top != NO_PACKED_BLOCK)
        return State(
            heights=self._summed(xp, ACCELERATION * speeds, middle),
            speed=ACCELERATION * speeds[:, -1],
            ceiling=centres - half,
            floor=centres + half,
            block=xp.where(there, top + MIDDLE, NO_BLOCK),
            slope=xp.zeros_like(middle),
            last_block=xp.full_like(middle, NO_BLOCK),
            steps=packed.steps,
            ending=xp.array(packed.ending, dtype="int32"),
        )

    def _block_places(self, xp, steps):
        """Where blocks stand in the profiles after so many steps, int32 [N].

        Returns the left columns of the last blocks, int32 [N, 3], newest first; and for each column the number of its
        block among these, int32 [N, 56], and whether one is there, bool [N, 56].
        """
        since = (steps - FIRST_BLOCK - 1) % BLOCK_EVERY  # steps since the newest block came into view
        newest = PROFILE - 1 - since[:, None]
        place = newest - BLOCK_EVERY * xp.arange(BLOCKS, dtype="int32")[None]
        into = (
            newest + BLOCK_WIDTH - 1 - xp.arange(PROFILE, dtype="int32")[None]
        )  # from a block's right column leftwards
        return place, xp.clip(into // BLOCK_EVERY, 0, BLOCKS - 1), into % BLOCK_EVERY < BLOCK_WIDTH

    def _summed(self, xp, differences, last):
        """The numbers that have these differences, int32 [N, n - 1], and end with `last`, int32 [N]: int32 [N, n]."""
        sums = xp.array(xp.cumsum(differences, axis=1), dtype="int32")
        first = (last - sums[:, -1])[:, None]
        return xp.concatenate([first, first + sums], axis=1)
