"""The planner for the author's game: `python -m cave_game.planner --game cave2017 --caves 20`.

The cave does not depend on how it is flown, and this planner is told all of it: what it flies is an upper bound, and
more than a player of what the screen shows can be sure of. Sets of heights are integers, as in `cave_game.planner`; bit
b stands for b units of 0.08 cells below the ceiling of the craft's column.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cave_game.game import HELD, RELEASED
from cave_game.game2017 import (
    ACCELERATION,
    BLOCK_HEIGHT,
    CELL,
    CRAFT_COLUMN,
    MIDDLE,
    NO_BLOCK,
    OLDEST,
    Cave2017,
    State,
)
from cave_game.planner import ways_on

FASTEST = 30  # units per step; faster flights are not looked at
NEXT_SPEEDS = [(v, min(v + 1, FASTEST), max(v - 1, -FASTEST)) for v in range(-FASTEST, FASTEST + 1)]


class Passage(NamedTuple):
    """What is in the craft's way in N caves, step by step: int [T, N, ...], in fiftieths of a cell."""

    ceiling: np.ndarray  # [T, N]
    floor: np.ndarray  # [T, N]
    blocks: np.ndarray  # [T, N, 2], upper edges, or NO_BLOCK


class Planner2017:
    """A player for `cave_game.flights.fly` that is told of the caves: of the same number, seed and steps."""

    def __init__(self, caves: int, seed: int, steps: int) -> None:
        passage = passages(caves, seed, steps)
        self._actions = iter(np.stack([plan(Passage(*(x[:, i] for x in passage))) for i in range(caves)], axis=1))

    def __call__(self, state: State) -> np.ndarray:
        """The action for each of N games, int32 [N]."""
        return next(self._actions)


def passages(caves: int, seed: int, steps: int) -> Passage:
    """What flights of `cave_game.flights.fly` with this seed meet, whatever they do: a `Passage` of `steps` steps."""
    rules, rng, here = Cave2017(), np.random.default_rng(seed), OLDEST + CRAFT_COLUMN
    state, rows = rules.reset(np, np.zeros((caves, 0), np.float32)), []
    for _ in range(steps):
        draws = rng.random((caves, rules.step_draws), dtype=np.float32)
        state, _, _ = rules.step(np, state, np.zeros(caves, np.int32), draws)
        rows.append((state.ceiling[:, here], state.floor[:, here], state.block[:, here - 1 : here + 1]))
    return Passage(*(np.stack(column) for column in zip(*rows, strict=True)))


def plan(passage: Passage) -> np.ndarray:
    """The actions that fly one cave to the end, int32 [T]; `passage` is of one cave, [T, ...].

    Where both actions have a way on, the one that ends nearer to the middle of what is free is taken; where none has,
    the button stays released.
    """
    top = passage.ceiling // ACCELERATION  # bit 0
    free = [free_heights(*step) for step in zip(*passage, strict=True)]
    rises = [0, *(top[:-1] - top[1:]).tolist()]  # of bit 0, from the step before
    height, speed, actions = MIDDLE // ACCELERATION - int(top[0]), 0, []
    for heights, ways, rise in zip(free, ways_on(free, NEXT_SPEEDS, rises[1:]), rises, strict=True):
        choices = []
        for action in (RELEASED, HELD):
            next_speed = speed + 1 - 2 * action
            bit = height + rise + next_speed
            dead_end = bit < 0 or not ways.get(next_speed, 0) >> bit & 1
            choices.append((dead_end, _from_middle(heights, bit + next_speed), action, bit, next_speed))
        _, _, action, height, speed = min(choices)
        actions.append(action)
    return np.array(actions, np.int32)


def free_heights(ceiling: int, floor: int, blocks: Sequence[int]) -> int:
    """The set of heights at which a craft touches neither ceiling nor floor nor a block, all in fiftieths of a cell."""
    first = int(ceiling) // ACCELERATION

    def bit(height: int) -> int:
        """The first bit that lies below a height or at it."""
        return max(0, -(-int(height) // ACCELERATION) - first)

    free = (1 << bit(floor)) - (1 << bit(ceiling + 1))
    for top in blocks:
        if top != NO_BLOCK:
            free &= ~((1 << bit(top + BLOCK_HEIGHT * CELL + 1)) - (1 << bit(top)))
    return free


def _from_middle(heights, height):
    """How far a height is from the middle of a set of them."""
    lowest, highest = (heights & -heights).bit_length() - 1, heights.bit_length() - 1
    return abs(2 * height - lowest - highest)
