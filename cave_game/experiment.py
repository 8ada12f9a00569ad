"""The game as an experiment: which network flies and how it is judged."""

from typing import Any

import gymnasium

from cave_game import flights, players, presets
from cave_game.game import Cave
from cave_game.presets import CaveSettings
from shared.late import late
from shared.runs.experiment import Experiment
from shared.runs.suite import Suite

networks, stage = late("cave_game.networks"), late("cave_game.stage")


class CaveExperiment(Experiment):
    """T3's game of CAVE."""

    def game(self, settings: CaveSettings) -> Cave:
        """The rules."""
        return Cave()

    def env(self, settings: CaveSettings, **options: Any) -> gymnasium.Env:
        """The Gymnasium environment `cave_game/Cave-v0`."""
        options = {"max_episode_steps": settings.time_limit or -1} | options
        return gymnasium.make("cave_game/Cave-v0", **options)

    def network(self, settings: CaveSettings, outputs: int) -> Any:
        """T3's network of three convolutions."""
        return networks.three_convolutions(
            Cave.observation_shape,
            outputs,
            settings.hidden,
            settings.seed,
            settings.first_value,
            settings.activation,
        )

    def stage(self) -> Any:
        """The screen, and the space bar."""
        return stage.STAGE

    def evaluate(self, model: Any, settings: CaveSettings, episodes: int, seed: int) -> dict[str, Any]:
        """Fly caves greedily.

        Returns `mean_score`, `ci95` and `episodes`, how many caves were `flown` to the time limit, and how many flights
        ended at the `ceiling`, the `floor` and a `block`.
        """
        return flights.fly(players.network_player(model), episodes, seed, settings.time_limit).summary()

    def describe(self, result: dict[str, Any]) -> str:
        """The result of `evaluate` as text."""
        return f"greedy: {flights.describe(result)}"


EXPERIMENTS = {
    "cave": CaveExperiment(
        name="cave",
        title="CAVE, a flight through a cave (T3)",
        presets={"tutorial": presets.CAVE_TUTORIAL, "tuned": presets.CAVE_TUNED},
        unit="flights",
    )
}
SUITE = Suite("cave_game", EXPERIMENTS)
