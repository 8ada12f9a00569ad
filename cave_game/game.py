"""CAVE: the rules (T3, the tutorial on DQN with Keras, names the game; what it leaves open is settled here)."""

from dataclasses import dataclass
from typing import Any, NamedTuple

ROWS, COLUMNS = 48, 48  # cells of the screen
FRAMES = 4  # screens in one observation
SHRINK = 2  # cells per side that one value of an observation is the mean of
PROFILE = COLUMNS + FRAMES - 1  # columns of the cave that the last four screens show

RELEASED, HELD = 0, 1  # the button
CRAFT, CRAFT_COLUMN = 2, 8  # side of the craft in cells; the column of its left edge
QUARTERS = 4  # positions and speeds are counted in quarter cells, so that they are exact
TOP_SPEED = 6  # quarter cells per step

START_GAP, LEAST_GAP = 30, 18  # free cells between ceiling and floor
MARGIN = 3  # rows of rock above and below that always remain
NARROWS_EVERY, NARROWS_AT = 48, 12  # columns from one narrowing by a cell to the next, and the remainder they stand at
BLOCK_EVERY, BLOCK_WIDTH, BLOCK_HEIGHT = 24, 3, 8
PASSAGE = 7  # free cells on one side of a block, at least
NARROWEST = NARROWS_EVERY * (START_GAP - LEAST_GAP + 1)  # columns flown after which all that is in view is narrowest
NO_BLOCK = ROWS  # "top row" of a block where there is none: below the screen

ROCK, CRAFT_BRIGHTNESS = 0.5, 1.0  # brightness on the screen; free cells are 0
FLYING, CEILING, FLOOR, BLOCK = range(4)  # what has ended the game
OBSERVATIONS = ("screens", "columns")
AHEAD = COLUMNS - CRAFT_COLUMN  # columns from the craft's left edge to the right edge of the screen
STARTS = ("wide", "any")  # how narrow the cave is at the beginning
TIME_LIMIT = 2000  # steps of an episode; no rule of the game, but what its scores are out of


class State(NamedTuple):
    """N flights, side by side. Profiles hold the columns of the last four screens; the last 48 are on screen now."""

    height: Any  # int32 [N], top edge of the craft in quarter cells below the screen's upper edge
    speed: Any  # int32 [N], quarter cells per step, positive downwards
    rows: Any  # int8 [N, 4], top row of the craft as drawn on each of the last four screens, oldest first
    ceiling: Any  # int8 [N, 51], cells of rock that hang down in each column
    floor: Any  # int8 [N, 51], first row of the rock below
    block: Any  # int8 [N, 51], top row of the block in this column, or NO_BLOCK
    distance: Any  # int32 [N], columns flown
    ending: Any  # int32 [N], FLYING, or what was hit: CEILING, FLOOR or BLOCK


class Packed(NamedTuple):
    """What replay memory keeps of N states: all that can be seen, and nothing that the distance tells."""

    height: Any  # int16 [N], these four as in `State`
    speed: Any  # int8 [N]
    rows: Any  # int8 [N, 4]
    ceiling: Any  # int8 [N, 51]
    tops: Any  # int8 [N, 3], top rows of the blocks in view, from the left; NO_BLOCK where there are fewer
    distance: Any  # int32 [N]
    ending: Any  # int8 [N]


@dataclass(frozen=True)
class Cave:
    """A craft that rises while a button is held flies through a cave.

    | | |
    |---|---|
    | Screen | 48 rows x 48 columns, row 0 on top; rock 0.5, craft 1, free cells 0; a craft that has crashed is gone |
    | Observation | the last 4 screens, oldest first, each value the mean of 2 x 2 cells: (24, 24, 4); or see below |
    | Actions | 0 button released, 1 button held |
    | Craft | 2 x 2 cells at columns 8-9; its height is exact to a quarter cell and drawn rounded |
    | Start | in the middle of a straight passage of 30 rows, one screen long; speed 0 |
    | Step | the speed changes by 0.25 cells/step, upwards while the button is held, else downwards, and stays within 1.5; the craft moves by it; the cave moves one column to the left |
    | Ceiling, floor | each new column, both shift together by -1, 0 or 1 cell, whichever leave 3 rows of rock at either edge of the screen, with equal chances |
    | Narrowing | every 48 columns either the ceiling or the floor comes one cell closer, until 18 are left between them |
    | Blocks | every 24 columns, 3 columns wide, 8 rows high, anywhere between ceiling and floor that leaves 7 free cells above or below; ceiling and floor run level beside it |
    | End | when the craft, as drawn, touches ceiling, floor or block |
    | Reward | 1 for a step survived, 0 for the one that ends the game |

    Each step takes one draw, for the column that comes into view: the same draws give the same cave, however it is
    flown. `cave_game/planner.py` flies through all of them.

    `observation="columns"` tells the screen in numbers, without pictures: (121,). For each of the 40 columns from the
    craft's left edge to the right edge, how far below the craft's upper edge the ceiling is, for each the same of the
    floor and of the upper edge of a block: 1 is half a screen, and no number is below -1 or above 1 (nor is that of a
    block where there is none). At last the speed, in cells a step downwards. Height and speed are exact here; screens
    show the height rounded.

    `starts="any"` is for training: a game begins as narrow as it is after 0 to 624 steps, a number that takes a draw.
    """  # noqa: E501

    observation: str = "screens"
    starts: str = "wide"

    crash_counts = False  # the score is the number of steps survived
    num_actions = 2
    step_draws = 1

    def __post_init__(self):
        if self.observation not in OBSERVATIONS:
            raise ValueError(f"observation={self.observation!r}: choose one of {list(OBSERVATIONS)}")
        if self.starts not in STARTS:
            raise ValueError(f"starts={self.starts!r}: choose one of {list(STARTS)}")

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """Shape of one observation."""
        return (3 * AHEAD + 1,) if self.observation == "columns" else (ROWS // SHRINK, COLUMNS // SHRINK, FRAMES)

    @property
    def reset_draws(self) -> int:
        """How many uniform numbers one reset consumes."""
        return int(self.starts == "any")

    def reset(self, xp: Any, draws: Any) -> State:
        """Start N games; of `draws`, float32 [N, 0], only the length counts. With `starts="any"` it is [N, 1]."""
        none = xp.zeros((draws.shape[0],), dtype="int32")  # [N]
        level = xp.zeros((draws.shape[0], PROFILE), dtype="int8")  # [N, 51]
        row = (ROWS - CRAFT) // 2
        distance = none if self.starts == "wide" else self._pick(xp, draws[:, 0], NARROWEST + 1)
        gap = self._gap(xp, self._columns(xp, distance))
        ceiling = (ROWS - gap) // 2
        return State(
            height=none + row * QUARTERS,
            speed=none,
            rows=level[:, :FRAMES] + row,
            ceiling=xp.array(ceiling, dtype="int8"),
            floor=xp.array(ceiling + gap, dtype="int8"),
            block=level + NO_BLOCK,
            distance=distance,
            ending=none,
        )

    def step(self, xp: Any, state: State, action: Any, draws: Any) -> tuple[State, Any, Any]:
        """One step of N games; `action` int32 [N], `draws` float32 [N, 1] shape the column that comes into view."""
        speed = xp.clip(state.speed + 1 - 2 * action, -TOP_SPEED, TOP_SPEED)
        height = xp.clip(state.height + speed, 0, (ROWS - CRAFT) * QUARTERS)
        row = (height + QUARTERS // 2) // QUARTERS  # to the nearest cell
        ceiling, floor, block = (
            xp.concatenate([old[:, 1:], xp.array(new, dtype="int8")[:, None]], axis=1)
            for old, new in zip(state[3:6], self._next_column(xp, state, draws[:, 0]), strict=True)
        )
        ending = xp.where(state.ending == FLYING, self._hit(xp, row, ceiling, floor, block), state.ending)
        terminated = ending != FLYING
        rows = xp.concatenate([state.rows[:, 1:], xp.array(row, dtype="int8")[:, None]], axis=1)
        state = State(height, speed, rows, ceiling, floor, block, state.distance + 1, ending)
        return state, 1.0 - xp.array(terminated, dtype="float32"), terminated

    def _next_column(self, xp, state, draw):
        """Ceiling, floor and block of the column that comes into view, int32 [N] each; `draw` float32 [N]."""
        ceiling, floor, block = (xp.array(profile[:, -1], dtype="int32") for profile in state[3:6])
        column = state.distance + COLUMNS
        into_block = column % BLOCK_EVERY
        beside_block = into_block < BLOCK_WIDTH

        narrows = xp.logical_and(column % NARROWS_EVERY == NARROWS_AT, floor - ceiling > LEAST_GAP)
        narrows = xp.array(narrows, dtype="int32")
        lowest = xp.maximum(narrows - 1, MARGIN - ceiling)
        highest = xp.minimum(1, ROWS - MARGIN - floor + narrows)
        shift = lowest + self._pick(xp, draw, highest - lowest + 1)
        shift = xp.where(beside_block, 0, shift)

        # A block may stand `below_ceiling` rows under the ceiling: 0..room, without those that leave no passage.
        room = floor - ceiling - BLOCK_HEIGHT
        blocked = xp.maximum(0, 2 * PASSAGE - 1 - room)  # how many of them
        below_ceiling = self._pick(xp, draw, room + 1 - blocked)
        below_ceiling = below_ceiling + xp.where(below_ceiling > room - PASSAGE, blocked, 0)
        block = xp.where(into_block == 0, ceiling + below_ceiling, block)
        block = xp.where(beside_block, block, NO_BLOCK)
        return ceiling + shift, floor + shift - narrows, block

    def _pick(self, xp, draw, count):
        """One of the numbers from 0 to `count - 1`, int32 [N], all alike; `draw` float32 [N]."""
        return xp.array(xp.floor(draw * xp.array(count, dtype="float32")), dtype="int32")

    def _hit(self, xp, row, ceiling, floor, block):
        """What a craft whose top row is `row`, int32 [N], touches in profiles int8 [N, 51]: int32 [N]."""
        left = FRAMES - 1 + CRAFT_COLUMN
        ceiling, floor, block = (
            xp.array(profile[:, left : left + CRAFT], dtype="int32") for profile in (ceiling, floor, block)
        )  # [N, 2]
        row = row[:, None]
        hit_ceiling = xp.any(row < ceiling, axis=1)
        hit_floor = xp.any(row + CRAFT > floor, axis=1)
        hit_block = xp.any(xp.logical_and(row + CRAFT > block, row < block + BLOCK_HEIGHT), axis=1)
        hit = xp.where(hit_ceiling, CEILING, xp.where(hit_floor, FLOOR, xp.where(hit_block, BLOCK, FLYING)))
        return xp.array(hit, dtype="int32")

    def observe(self, xp: Any, state: State) -> Any:
        """The last four screens, float32 [N, 24, 24, 4], or what the columns hold, [N, 121]."""
        if self.observation == "screens":
            return self._screens(xp, state)
        rows = xp.concatenate([profile[:, -AHEAD:] for profile in state[3:6]], axis=1)
        edges = QUARTERS * xp.array(rows, dtype="int32")
        half = QUARTERS * ROWS // 2
        edges = xp.array(xp.clip(edges - state.height[:, None], -half, half), dtype="float32") * (1.0 / half)
        speed = xp.array(state.speed, dtype="float32") * (1.0 / QUARTERS)
        return xp.concatenate([edges, speed[:, None]], axis=1)

    def _screens(self, xp, state):
        """The last four screens at half the resolution: float32 [N, 24, 24, 4].

        Equal to the means of 2 x 2 cells of four screens, but computed from the profiles: four screens of one cave
        differ only by where its columns stand and by the craft.
        """
        top = SHRINK * xp.arange(ROWS // SHRINK, dtype="int32")[None, :, None]  # upper row of each pair, [1, 24, 1]
        ceiling, floor, block = (xp.array(profile, dtype="int32")[:, None] for profile in state[3:6])  # [N, 1, 51]
        rock = xp.clip(ceiling - top, 0, SHRINK) + xp.clip(top + SHRINK - floor, 0, SHRINK)
        rock = rock + self._shared(xp, top, block, BLOCK_HEIGHT)  # cells of rock in each pair of rows, [N, 24, 51]
        rock = rock[:, :, :-1] + rock[:, :, 1:]  # in each square of 2 x 2 cells, [N, 24, 50]
        rock = xp.stack([rock[:, :, frame::SHRINK][:, :, : COLUMNS // SHRINK] for frame in range(FRAMES)], axis=-1)

        craft = CRAFT * self._shared(xp, top, xp.array(state.rows, dtype="int32")[:, None], CRAFT)  # [N, 24, 4]
        newest = xp.arange(FRAMES) == FRAMES - 1
        gone = xp.logical_and(newest[None], state.ending[:, None] != FLYING)  # [N, 4]
        craft = xp.where(gone[:, None], 0, craft)[:, :, None]  # [N, 24, 1, 4]
        here = (xp.arange(COLUMNS // SHRINK) == CRAFT_COLUMN // SHRINK)[None, None, :, None]
        brightness = ROCK * xp.array(rock, dtype="float32")
        brightness = brightness + xp.where(here, CRAFT_BRIGHTNESS * xp.array(craft, dtype="float32"), 0.0)
        return brightness / SHRINK**2

    def _shared(self, xp, top, row, height):
        """How many rows the pairs that start at `top` share with something `height` rows high that starts at `row`."""
        return xp.clip(xp.minimum(row + height, top + SHRINK) - xp.maximum(row, top), 0, SHRINK)

    def pack(self, xp: Any, state: State) -> Packed:
        """What `unpack` needs to have of N states what can be seen."""
        first, number = self._blocks_in_view(xp, state.distance)
        place = BLOCK_EVERY * number - first  # of their left columns, [N, 3]
        tops = xp.take_along_axis(state.block, xp.clip(place, 0, PROFILE - 1), axis=1)
        tops = xp.array(xp.where(place < PROFILE, tops, NO_BLOCK), dtype="int8")
        height, speed = xp.array(state.height, dtype="int16"), xp.array(state.speed, dtype="int8")
        ending = xp.array(state.ending, dtype="int8")
        return Packed(height, speed, state.rows, state.ceiling, tops, state.distance, ending)

    def unpack(self, xp: Any, packed: Packed) -> State:
        """The states that were packed."""
        number = self._blocks_in_view(xp, packed.distance)[1]
        column = self._columns(xp, packed.distance)
        gap = self._gap(xp, column)
        top = xp.take_along_axis(packed.tops, xp.clip(column // BLOCK_EVERY - number[:, :1], 0, 2), axis=1)
        return State(
            height=xp.array(packed.height, dtype="int32"),
            speed=xp.array(packed.speed, dtype="int32"),
            rows=packed.rows,
            ceiling=packed.ceiling,
            floor=packed.ceiling + xp.array(gap, dtype="int8"),
            block=xp.array(xp.where(column % BLOCK_EVERY < BLOCK_WIDTH, top, NO_BLOCK), dtype="int8"),
            distance=packed.distance,
            ending=xp.array(packed.ending, dtype="int32"),
        )

    def _columns(self, xp, distance):
        """Which columns of the cave the profiles show, int32 [N, 51]."""
        return distance[:, None] + COLUMNS - PROFILE + xp.arange(PROFILE, dtype="int32")[None]

    def _gap(self, xp, column):
        """Free cells between ceiling and floor in some columns of the cave, int32 alike."""
        return xp.clip(START_GAP - (column - NARROWS_AT) // NARROWS_EVERY, LEAST_GAP, START_GAP)

    def _blocks_in_view(self, xp, distance):
        """The first column of the profiles, int32 [N, 1], and the numbers of the blocks that may be in them, [N, 3]."""
        first = distance[:, None] + COLUMNS - PROFILE
        return first, (first + BLOCK_EVERY - BLOCK_WIDTH) // BLOCK_EVERY + xp.arange(3, dtype="int32")[None]

    def screen(self, xp: Any, state: State) -> Any:
        """What is on the screen now: float32 [N, 48, 48]."""
        row = xp.arange(ROWS, dtype="int32")[None, :, None]  # [1, 48, 1]
        ceiling, floor, block = (xp.array(p[:, FRAMES - 1 :], dtype="int32")[:, None] for p in state[3:6])  # [N, 1, 48]
        in_block = xp.logical_and(row >= block, row < block + BLOCK_HEIGHT)
        rock = xp.logical_or(xp.logical_or(row < ceiling, row >= floor), in_block)
        column = xp.arange(COLUMNS)[None, None]
        top = xp.array(state.rows[:, -1], dtype="int32")[:, None, None]
        craft = xp.logical_and(row >= top, row < top + CRAFT)
        craft = xp.logical_and(craft, xp.logical_and(column >= CRAFT_COLUMN, column < CRAFT_COLUMN + CRAFT))
        craft = xp.logical_and(craft, (state.ending == FLYING)[:, None, None])
        brightness = ROCK * xp.array(rock, dtype="float32")
        return xp.where(craft, CRAFT_BRIGHTNESS, brightness)
