"""Flights through caves: what becomes of a player, and `fly`, which lets any of them try the same caves.

A player is `player(state) -> int32 [N]`: it sees the state of N games and presses N buttons.
"""

from typing import NamedTuple

import numpy as np

from cave_game.game import BLOCK, CEILING, FLOOR, FLYING, TIME_LIMIT, Cave
from shared.commands.parser import Parser, whole_number
from shared.errors import UserError
from shared.rollouts.intervals import mean_and_ci95, plus_minus

ENDINGS = {"flown": FLYING, "ceiling": CEILING, "floor": FLOOR, "block": BLOCK}


class Flights(NamedTuple):
    """What became of N flights."""

    scores: np.ndarray  # float32 [N], steps survived
    endings: np.ndarray  # int32 [N], what was hit: `CEILING`, `FLOOR` or `BLOCK`, or `FLYING` at the time limit

    def summary(self):
        """A dict: `mean_score` and its `ci95`, how many caves (`episodes`), and how many flights ended how."""
        mean, ci95 = mean_and_ci95(self.scores)
        counts = {name: int(np.sum(self.endings == ending)) for name, ending in ENDINGS.items()}
        return {"mean_score": mean, "ci95": ci95, "episodes": len(self.scores)} | counts


def describe(summary):
    """A `Flights.summary` as text."""
    caves, score = summary["episodes"], plus_minus(summary["mean_score"], summary["ci95"], ".1f")
    return (
        f"{score} steps survived on average in {caves} cave{'s' * (caves > 1)}, {summary['flown']} flown to the time "
        f"limit; ended by the ceiling: {summary['ceiling']}, the floor: {summary['floor']}, a block: {summary['block']}"
    )


def fly(player, caves, seed, steps=TIME_LIMIT):
    """Fly caves side by side until each has crashed or survived `steps`; returns `Flights`.

    Args:
        player: see above.
        caves: how many (N).
        seed: of the caves: the same seed gives the same caves to every player.
        steps: the time limit.
    """
    game, rng = Cave(), np.random.default_rng(seed)
    state = game.reset(np, np.zeros((caves, 0), np.float32))
    scores = np.zeros(caves, np.float32)
    for _ in range(steps):
        action = player(state)
        state, reward, terminated = game.step(np, state, action, rng.random((caves, 1), dtype=np.float32))
        scores += reward
        if terminated.all():
            break
    return Flights(scores, state.ending)


def parse_flights(argv, module, description, caves):
    """The flags `--caves` and `--seed` of a command that flies; `caves` is the default."""
    parser = Parser(module, description)
    parser.add_argument("--caves", type=whole_number, default=caves, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=whole_number, default=0, help="of the caves (default: %(default)s)")
    arguments = parser.parse_args(argv)
    for name, least in (("caves", 1), ("seed", 0)):
        if getattr(arguments, name) < least:
            raise UserError(f"--{name} {getattr(arguments, name)}: out of range; give a value of at least {least}")
    return arguments
