"""The game as an experiment: which network flies and how it is judged."""

from cave_game import presets
from cave_game.game import Cave
from shared.late import late
from shared.runs.experiment import Experiment
from shared.runs.suite import Suite


class CaveExperiment(Experiment):
    """T3's game of CAVE."""

    def game(self, settings):
        """The rules."""
        return Cave()

    def env(self, settings, **options):
        """The Gymnasium environment `cave_game/Cave-v0`."""
        import gymnasium

        options = {"max_episode_steps": settings.time_limit or -1} | options
        return gymnasium.make("cave_game/Cave-v0", **options)

    def network(self, settings, outputs):
        """T3's network of three convolutions."""
        from cave_game.networks import three_convolutions

        return three_convolutions(
            Cave.observation_shape,
            outputs,
            settings.hidden,
            settings.seed,
            settings.first_value,
            settings.activation,
        )

    def stage(self):
        """The screen, and the space bar."""
        return late("cave_game.stage").STAGE

    def evaluate(self, model, settings, episodes, seed):
        """Fly caves greedily.

        Returns `mean_score`, `ci95` and `episodes`, how many caves were `flown` to the time limit, and how many flights
        ended at the `ceiling`, the `floor` and a `block`.
        """
        from cave_game.flights import fly
        from cave_game.players import network_player

        return fly(network_player(model), episodes, seed, settings.time_limit).summary()

    def describe(self, result):
        """The result of `evaluate` as text."""
        from cave_game.flights import describe

        return f"greedy: {describe(result)}"


EXPERIMENTS = {
    "cave": CaveExperiment(
        name="cave",
        title="CAVE, a flight through a cave (T3)",
        presets={"tutorial": presets.CAVE_TUTORIAL, "tuned": presets.CAVE_TUNED},
        unit="flights",
    )
}
SUITE = Suite("cave_game", EXPERIMENTS)
