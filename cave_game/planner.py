"""A planner: the upper bound that an agent is measured by. `python -m cave_game.planner --caves 1000` flies them all.

It knows what the screen shows and how fast the craft is, and keeps to flights that get through all that is in view.
A set of heights is one integer: bit h stands for a height of h quarter cells. So a step of every craft in the set is
one shift, and all flights through a screen are found in a few thousand operations on integers.
"""

import time
from collections.abc import Sequence

import numpy as np

from cave_game.flights import GAMES, TIME_LIMITS, fly, parse_flights
from cave_game.game import (
    BLOCK_HEIGHT,
    CRAFT,
    CRAFT_COLUMN,
    FRAMES,
    HELD,
    QUARTERS,
    RELEASED,
    TOP_SPEED,
    State,
)
from shared.commands.parser import command
from shared.late import late
from shared.rollouts.action_values import Advice

planner2017 = late("cave_game.planner2017")  # it imports this module

SPEEDS = range(-TOP_SPEED, TOP_SPEED + 1)  # quarter cells per step
LOOK_EVERY = 12  # steps flown before the planner looks again: 26 columns of its plan are then still ahead


class Planner:
    """A player for `cave_game.flights.fly`: it plans a way through the whole screen, and again every 12 steps."""

    def __init__(self) -> None:
        # By number of the cave: what the craft will be (distance, height, speed), and the actions left.
        self._plans: dict[int, tuple[tuple[int, ...], list[int]]] = {}

    def __call__(self, state: State) -> np.ndarray:
        """The action for each of N games, int32 [N]."""
        return np.array([self._action(cave, state) for cave in range(len(state.height))], np.int32)

    def _action(self, cave, state):
        craft = distance, height, speed = tuple(int(x[cave]) for x in (state.distance, state.height, state.speed))
        expected, actions = self._plans.get(cave, (None, []))
        if craft != expected or not actions:  # another flight, or the plan has been flown
            actions = plan(state, cave)[:LOOK_EVERY]
        action, *rest = actions
        speed = accelerate(speed, action)
        self._plans[cave] = (distance + 1, max(0, height + speed), speed), rest
        return action


def plan(state: State, cave: int = 0) -> list[int]:
    """The actions that fly one cave up to the right edge of the screen: a list of 38.

    Where both actions have a way on, the one that ends nearer to the middle between ceiling and floor is taken; where
    none has (never yet seen), the button stays released.

    Args:
        state: of N games.
        cave: which of its games.
    """
    ceiling, floor, block = _ahead(state, cave)
    height, speed = int(state.height[cave]), int(state.speed[cave])
    actions = []
    for column, ways in enumerate(ways_through(ceiling, floor, block)):
        middle = QUARTERS * (ceiling[column] + floor[column] - CRAFT) // 2
        choices = []
        for action in (RELEASED, HELD):
            next_speed = accelerate(speed, action)
            next_height = max(0, height + next_speed)
            dead_end = not ways[next_speed] >> next_height & 1
            choices.append((dead_end, abs(next_height + next_speed - middle), action, next_height, next_speed))
        _, _, action, height, speed = min(choices)
        actions.append(action)
    return actions


def advise(state: State) -> Advice:
    """What `plan` does in one game, and how many of the steps in view each action gives up for good."""
    left = [steps_left(state, action) for action in (RELEASED, HELD)]
    return Advice("planner", plan(state)[0], tuple(float(max(left) - some) for some in left), "steps")


def steps_left(state: State, action: int) -> int:
    """How many steps, of the 38 in view, the craft of one game can survive if an action is its first."""
    here = {int(state.speed[0]): 1 << int(state.height[0])}  # speed -> heights that can be reached
    free = _free_ahead(*_ahead(state, 0))
    buttons: tuple[int, ...] = (action,)
    for step, heights_free in enumerate(free):
        there: dict[int, int] = {}
        for before, heights in here.items():
            for button in buttons:
                speed = accelerate(before, button)
                moved = heights << speed if speed >= 0 else heights >> -speed
                there[speed] = there.get(speed, 0) | moved & heights_free
        if not any(there.values()):
            return step
        here, buttons = there, (RELEASED, HELD)
    return len(free)


def _ahead(state, cave):
    """Ceiling, floor and block of one cave where the craft's left edge will be after 1 step, 2, ...: lists of ints."""
    columns = slice(FRAMES - 1 + CRAFT_COLUMN + 1, None)
    return [profile[cave, columns].tolist() for profile in (state.ceiling, state.floor, state.block)]


def _free_ahead(ceiling, floor, block):
    """The set of heights at which a craft touches nothing, after each step through some columns."""
    pairs = [slice(left, left + CRAFT) for left in range(len(ceiling) - CRAFT + 1)]
    return [free_heights(ceiling[under], floor[under], block[under]) for under in pairs]


def accelerate(speed: int, action: int) -> int:
    """The speed after a step, as `Cave.step` has it, in quarter cells per step."""
    return max(-TOP_SPEED, min(speed + 1 - 2 * action, TOP_SPEED))


NEXT_SPEEDS = [(speed, accelerate(speed, RELEASED), accelerate(speed, HELD)) for speed in SPEEDS]


def ways_through(ceiling: Sequence[int], floor: Sequence[int], block: Sequence[int]) -> list[dict[int, int]]:
    """From where one can fly on through all the given columns: reachability, from the last one backwards.

    Args:
        ceiling, floor, block: the profiles of the columns ahead, ints [n] each.

    Returns for each step, 0..n - 2, a dict from speed to a set of heights: those at which a craft that arrives with
    this speed touches nothing now and can go on to the end.
    """
    return ways_on(_free_ahead(ceiling, floor, block), NEXT_SPEEDS)


def ways_on(
    free: Sequence[int], next_speeds: Sequence[tuple[int, int, int]], rises: Sequence[int] = ()
) -> list[dict[int, int]]:
    """From where one can fly on through some steps, worked out from the last one backwards.

    Args:
        free: for each step the set of heights at which a craft touches nothing.
        next_speeds: each speed, with what it becomes if the button is released, and if it is held.
        rises: by how much the height that bit 0 stands for rises after each step but the last; default: it does not.

    Returns for each step a dict from speed to the set of heights from which there is a way on to the end.
    """
    steps, onwards = [], {speed: -1 for speed, *_ in next_speeds}  # beyond the last step every height will do
    for step in reversed(range(len(free))):
        rise = rises[step] if step < len(rises) else 0
        before = {}  # speed -> heights from which a step at this speed leads to a way on
        for speed, heights in onwards.items():
            before[speed] = heights >> speed + rise if speed + rise >= 0 else heights << -speed - rise
        onwards = {speed: free[step] & (before[down] | before[up]) for speed, down, up in next_speeds}
        steps.append(onwards)
    return steps[::-1]


def free_heights(ceiling: Sequence[int], floor: Sequence[int], block: Sequence[int]) -> int:
    """The set of heights at which the craft, as drawn, touches nothing in the columns that it covers, ints [2] each."""
    free = _drawn_between(max(ceiling), min(floor) - CRAFT)
    for top in block:
        free &= ~_drawn_between(top - CRAFT + 1, top + BLOCK_HEIGHT - 1)
    return free


def _drawn_between(first, last):
    """The heights that are drawn at rows `first` to `last`: rounding takes two quarters above a row, one below."""
    return (1 << QUARTERS * (last + 1) - QUARTERS // 2) - (1 << max(0, QUARTERS * first - QUARTERS // 2))


def main(argv: list[str]) -> int:
    """Fly many caves and say how many were flown to the end; returns the exit status, 1 if one was not."""
    arguments = parse_flights(argv, "cave_game.planner", "Fly many caves: every one of them can be flown.", 1000)
    began = time.monotonic()
    caves, seed, limit = arguments.caves, arguments.seed, TIME_LIMITS[arguments.game]
    planner = Planner() if arguments.game == "cave" else planner2017.Planner2017(caves, seed, limit)
    flights = fly(planner, caves, seed, limit, GAMES[arguments.game])
    flown = int(np.sum(flights.scores == limit))
    print(
        f"{flown} of {caves} caves flown for {limit} steps in {time.monotonic() - began:.0f} s; "
        f"fewest steps survived: {flights.scores.min():.0f}"
    )
    return 0 if flown == caves else 1


if __name__ == "__main__":
    command(main)
