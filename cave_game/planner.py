"""A planner: the upper bound that a trained agent is measured by. `python -m cave_game.planner --caves 1000`.

It knows what the screen shows and how fast the craft flies, and keeps to flights that get through all of it.
"""

import argparse

import numpy as np

from cave_game.game import (
    BLOCK_HEIGHT,
    COLUMNS,
    CRAFT,
    CRAFT_COLUMN,
    FRAMES,
    HELD,
    NO_BLOCK,
    QUARTERS,
    RELEASED,
    ROWS,
    TOP_SPEED,
)

SPEEDS = range(-TOP_SPEED, TOP_SPEED + 1)  # quarter cells per step
AHEAD = COLUMNS - CRAFT_COLUMN - CRAFT  # steps until the craft's right edge stands at the last column on screen


def free_heights(ceiling, floor, block):
    """Where the craft, drawn, touches nothing.

    Args:
        ceiling, floor, block: the profiles of two neighbouring columns, ints [2] each.

    Returns a set of heights in quarter cells as the bits of one integer: bit h stands for height h.
    """
    rows = set(range(max(ceiling), min(floor) - CRAFT + 1))
    for top in block:
        rows -= set(range(top - CRAFT + 1, top + BLOCK_HEIGHT))
    # Heights are drawn rounded: those from two quarters above a row to one below it.
    return sum(((1 << QUARTERS) - 1) << (row * QUARTERS) for row in rows) >> QUARTERS // 2


def safe_heights(ceiling, floor, block):
    """From where one can fly on to the end of the given columns: reachability, backwards from there.

    Args:
        ceiling, floor, block: the profiles from the craft's left column on, ints [n] each.

    Returns a list over steps 0..n - 2; each is a dict from a speed to the set of heights (as `free_heights`) at
    which a craft that arrives with this speed hits nothing now and has a way through all the columns that follow.
    """
    steps = []
    following = dict.fromkeys(SPEEDS, -1)  # beyond the last column everything is as good
    for left in reversed(range(len(ceiling) - 1)):
        pair = slice(left, left + CRAFT)
        free = free_heights(ceiling[pair], floor[pair], block[pair])
        following = {speed: free & _may_become(following, speed) for speed in SPEEDS}
        steps.append(following)
    return steps[::-1]


def _may_become(following, speed):
    """The heights from which one of the two actions leads into `following`."""
    up, down = max(speed - 1, -TOP_SPEED), min(speed + 1, TOP_SPEED)
    return _shift(following[up], up) | _shift(following[down], down)


def _shift(heights, speed):
    """The heights that one step at `speed` turns into `heights`."""
    return heights >> speed if speed >= 0 else heights << -speed
