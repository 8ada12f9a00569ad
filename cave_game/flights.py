"""Flights through caves: what becomes of a player, and `fly`, which lets any of them try the same caves.

A `Player` is `player(state) -> int32 [N]`: it sees the state of N games and presses N buttons.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from cave_game import game, game2017
from cave_game.game import BLOCK, CEILING, FLOOR, FLYING, Cave
from cave_game.game2017 import Cave2017
from shared.commands.parser import Parser, settings_from
from shared.options import LARGEST, check_limits, option
from shared.rollouts.intervals import mean_and_ci95, plus_minus

AnyState = game.State | game2017.State
Player = Callable[[Any], np.ndarray]  # of one of these states
ENDINGS = {"flown": FLYING, "ceiling": CEILING, "floor": FLOOR, "block": BLOCK}
GAMES: dict[str, Cave | Cave2017] = {"cave": Cave(), "cave2017": Cave2017()}
TIME_LIMITS = {"cave": game.TIME_LIMIT, "cave2017": game2017.TIME_LIMIT}


class Flights(NamedTuple):
    """What became of N flights."""

    scores: np.ndarray  # float32 [N], steps survived; in the author's game steps made, with the one of the crash
    endings: np.ndarray  # int32 [N], what was hit: `CEILING`, `FLOOR` or `BLOCK`, or `FLYING` at the time limit

    def summary(self) -> dict[str, Any]:
        """A dict: `mean_score` and its `ci95`, how many caves (`episodes`), and how many flights ended how."""
        mean, ci95 = mean_and_ci95(self.scores)
        counts = {name: int(np.sum(self.endings == ending)) for name, ending in ENDINGS.items()}
        return {"mean_score": mean, "ci95": ci95, "episodes": len(self.scores)} | counts


def describe(summary: dict[str, Any], rules: Cave | Cave2017) -> str:
    """A `Flights.summary` as text."""
    counted = "made" if rules.crash_counts else "survived"
    caves, score = summary["episodes"], plus_minus(summary["mean_score"], summary["ci95"], ".1f")
    return (
        f"{score} steps {counted} on average in {caves} cave{'s' * (caves > 1)}, {summary['flown']} flown to the time "
        f"limit; ended by the ceiling: {summary['ceiling']}, the floor: {summary['floor']}, a block: {summary['block']}"
    )


def fly(player: Player, caves: int, seed: int, steps: int, rules: Cave | Cave2017) -> Flights:
    """Fly caves side by side until each has crashed or survived `steps`; returns `Flights`.

    Args:
        player: see above.
        caves: how many (N).
        seed: of the caves: the same seed gives the same caves to every player.
        steps: the time limit.
        rules: which game.
    """
    rng = np.random.default_rng(seed)
    state: Any = rules.reset(np, np.zeros((caves, 0), np.float32))
    scores, flying = np.zeros(caves, np.float32), np.ones(caves, bool)
    for _ in range(steps):
        draws = rng.random((caves, rules.step_draws), dtype=np.float32)
        state, _, terminated = rules.step(np, state, player(state), draws)
        scores += flying if rules.crash_counts else ~terminated
        flying = ~terminated
        if not flying.any():
            break
    return Flights(scores, state.ending)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FlightsConfig:
    """What a command that flies is told."""

    game: str = option("cave", "which game", choices=tuple(GAMES))
    caves: int = option(100, "how many", low=1, high=100_000)
    seed: int = option(0, "every random number of the caves comes from it", low=0, high=LARGEST)

    def __post_init__(self):
        check_limits(self)


def parse_flights(argv: list[str], module: str, description: str, caves: int) -> FlightsConfig:
    """The `FlightsConfig` of a command that flies; `caves` is the default."""
    parser = Parser(module, description)
    parser.add_settings(FlightsConfig(caves=caves))
    return settings_from(parser.parse_args(argv), FlightsConfig)
