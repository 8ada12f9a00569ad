"""The game as an experiment: which network flies and how it is judged."""

import numpy as np

from cave_game import presets
from cave_game.game import BLOCK, CEILING, FLOOR, FLYING, Cave
from shared.experiment import Experiment

ENDINGS = {"flown": FLYING, "ceiling": CEILING, "floor": FLOOR, "block": BLOCK}


class CaveExperiment(Experiment):
    """T3's game of CAVE."""

    engines = ("compiled",)  # the readable loop would take weeks

    def game(self, settings):
        """The rules."""
        return Cave()

    def env(self, settings, **options):
        """The Gymnasium environment `cave_game/Cave-v0`."""
        import gymnasium

        return gymnasium.make("cave_game/Cave-v0", time_limit=settings.time_limit, **options)

    def model(self, settings):
        """T3's network of three convolutions."""
        from cave_game.networks import three_convolutions

        return three_convolutions(
            Cave.observation_shape, Cave.num_actions, settings.hidden, settings.seed, settings.first_value
        )

    def figure(self):
        """The steps survived."""
        from shared.training import MEAN_SCORE

        return MEAN_SCORE

    def evaluate(self, model, settings, episodes, seed):
        """Fly caves greedily.

        Returns `mean_score`, `ci95` and `episodes`, how many caves were `flown` to the time limit, and how many flights
        ended at the `ceiling`, the `floor` and a `block`.
        """
        from cave_game.players import fly, network_player
        from shared.intervals import mean_and_ci95

        flights = fly(network_player(model), episodes, seed, settings.time_limit)
        mean, ci95 = mean_and_ci95(flights.scores)
        endings = {name: int(np.sum(flights.endings == ending)) for name, ending in ENDINGS.items()}
        return {"mean_score": mean, "ci95": ci95, "episodes": episodes, "time_limit": settings.time_limit} | endings

    def describe(self, result):
        """The result of `evaluate` as text."""
        return (
            f"greedy: {result['mean_score']:.1f} ± {result['ci95']:.1f} steps survived on average in "
            f"{result['episodes']} caves; {result['flown']} flown to the limit of {result['time_limit']} steps; ended "
            f"by the ceiling: {result['ceiling']}, the floor: {result['floor']}, a block: {result['block']}"
        )


EXPERIMENTS = {
    "cave": CaveExperiment(
        package="cave_game",
        name="cave",
        title="CAVE, a flight through a cave (T3)",
        presets={"tutorial": presets.CAVE_TUTORIAL, "tuned": presets.CAVE_TUNED},
        unit="flights",
    )
}
