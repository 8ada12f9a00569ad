"""Flights through caves: what becomes of a player, and `fly`, which lets any of them try the same caves.

A `Player` is `player(state) -> int32 [N]`: it sees the state of N games and presses N buttons.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from cave_game.game import BLOCK, CEILING, FLOOR, FLYING, TIME_LIMIT, Cave, State
from shared.commands.parser import Parser, settings_from
from shared.options import LARGEST, check_limits, option
from shared.rollouts.intervals import mean_and_ci95, plus_minus

Player = Callable[[State], np.ndarray]
ENDINGS = {"flown": FLYING, "ceiling": CEILING, "floor": FLOOR, "block": BLOCK}


class Flights(NamedTuple):
    """What became of N flights."""

    scores: np.ndarray  # float32 [N], steps survived
    endings: np.ndarray  # int32 [N], what was hit: `CEILING`, `FLOOR` or `BLOCK`, or `FLYING` at the time limit

    def summary(self) -> dict[str, Any]:
        """A dict: `mean_score` and its `ci95`, how many caves (`episodes`), and how many flights ended how."""
        mean, ci95 = mean_and_ci95(self.scores)
        counts = {name: int(np.sum(self.endings == ending)) for name, ending in ENDINGS.items()}
        return {"mean_score": mean, "ci95": ci95, "episodes": len(self.scores)} | counts


def describe(summary: dict[str, Any]) -> str:
    """A `Flights.summary` as text."""
    caves, score = summary["episodes"], plus_minus(summary["mean_score"], summary["ci95"], ".1f")
    return (
        f"{score} steps survived on average in {caves} cave{'s' * (caves > 1)}, {summary['flown']} flown to the time "
        f"limit; ended by the ceiling: {summary['ceiling']}, the floor: {summary['floor']}, a block: {summary['block']}"
    )


def fly(player: Player, caves: int, seed: int, steps: int = TIME_LIMIT) -> Flights:
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class FlightsConfig:
    """What a command that flies is told."""

    caves: int = option(100, "how many", low=1, high=100_000)
    seed: int = option(0, "every random number of the caves comes from it", low=0, high=LARGEST)

    def __post_init__(self):
        check_limits(self)


def parse_flights(argv: list[str], module: str, description: str, caves: int) -> FlightsConfig:
    """The `FlightsConfig` of a command that flies; `caves` is the default."""
    parser = Parser(module, description)
    parser.add_settings(FlightsConfig(caves=caves))
    return settings_from(parser.parse_args(argv), FlightsConfig)
