"""The games as experiments: which network flies and how it is judged."""

import dataclasses
from typing import Any, ClassVar

import gymnasium

from cave_game import flights, game, game2017, planner, players, presets
from cave_game.game import Cave
from cave_game.game2017 import Cave2017
from cave_game.presets import Cave2017Settings, CaveSettings
from shared.late import late
from shared.rollouts.action_values import Adviser
from shared.runs.experiment import READABLE, BrowserRules, Experiment, Figure
from shared.runs.suite import Suite

envs, networks, stage = late("cave_game.envs"), late("cave_game.networks"), late("cave_game.stage")
shared_networks = late("shared.nn.networks")
np = late("numpy")


class CaveExperiment(Experiment):
    """T3's game of CAVE."""

    readable = READABLE | {"starts": "wide"}
    observations: ClassVar[tuple[str, ...]] = game.OBSERVATIONS

    def game(self, settings: Any) -> Cave | Cave2017:
        """The rules."""
        return Cave(**self._options(settings))

    def training_game(self, settings: CaveSettings) -> Cave | Cave2017:
        """The rules, with the starts that the training has."""
        return dataclasses.replace(self.game(settings), starts=settings.starts)

    def env(self, settings: Any, **options: Any) -> gymnasium.Env:
        """The Gymnasium environment `cave_game/Cave-v0`."""
        options = {"max_episode_steps": settings.time_limit or -1} | options
        return gymnasium.make("cave_game/Cave-v0", **self._options(settings), **options)

    def network(self, settings: Any, outputs: int) -> Any:
        """T3's network of three convolutions; dense layers alone where the screen is told in numbers."""
        shape = self.spaces(settings).observation_shape
        options = {name: getattr(settings, name) for name in ("first_value", "activation", "layer_norm")}
        if settings.observation == "columns":
            return shared_networks.dense(shape, outputs, settings.hidden, settings.seed, **options)
        options["convolutions"] = settings.convolutions
        return networks.three_convolutions(shape, outputs, settings.hidden, settings.seed, **options)

    def settings_for(self, input_shape: tuple[int, ...]) -> CaveSettings:
        """Those of the first preset, with the observation of that shape; axes of 1 do not count."""
        sides, first = tuple(size for size in input_shape if size != 1), self.first_settings
        for observation in self.observations:
            settings = dataclasses.replace(first, observation=observation)
            if self.spaces(settings).observation_shape == sides:
                return settings
        return first

    def _options(self, settings):
        """Of the rules, as far as they are settings and not of the training alone."""
        return {"observation": settings.observation}

    def browser_rules(self, settings: Any) -> BrowserRules:
        """The rules in JavaScript."""
        return BrowserRules("game.js", "Cave", self._options(settings))

    def stage(self) -> Any:
        """The screen, and the space bar."""
        return stage.STAGES[self.name]

    def adviser(self, settings: Any) -> Adviser | None:
        """The planner, which knows what the screen shows and how fast the craft is."""
        return lambda env: planner.advise(env.unwrapped.state)

    def player(self, model: Any, settings: Any) -> flights.Player:
        """Who flies: the network, greedily."""
        return players.network_player(model, self.game(settings))

    def evaluate(self, model: Any, settings: CaveSettings, episodes: int, seed: int) -> dict[str, Any]:
        """Fly caves greedily.

        Returns `mean_score`, `ci95` and `episodes`, how many caves were `flown` to the time limit, and how many flights
        ended at the `ceiling`, the `floor` and a `block`.
        """
        rules = self.game(settings)
        player = self.player(model, settings)
        return flights.fly(player, episodes, seed, settings.time_limit, rules).summary()

    def describe(self, result: dict[str, Any]) -> str:
        """The result of `evaluate` as text."""
        return f"greedy: {flights.describe(result, flights.GAMES[self.name])}"


class Cave2017Experiment(CaveExperiment):
    """CAVE as its author wrote it."""

    holds = True
    observations = game2017.OBSERVATIONS
    fixed = ("hold",)  # in training
    figure = Figure("score", lambda steps: np.mean(steps), "{:.1f}", counts="length")

    def game(self, settings: Cave2017Settings) -> Cave2017:
        """The rules."""
        return Cave2017(**self._options(settings))

    def browser_rules(self, settings: Cave2017Settings) -> BrowserRules:
        """The rules in JavaScript."""
        return BrowserRules("game2017.js", "Cave2017", self._options(settings))

    def env(self, settings: Any, **options: Any) -> gymnasium.Env:
        """The Gymnasium environment `cave_game/Cave2017-v0`."""
        options = {"max_episode_steps": settings.time_limit or -1} | options
        env = gymnasium.make("cave_game/Cave2017-v0", **self._options(settings), **options)
        return envs.Holding(env, settings.hold) if settings.hold > 1 else env

    def network(self, settings: Any, outputs: int) -> Any:
        """T3's network of three convolutions, or one with an LSTM."""
        if settings.network == "stacked":
            return super().network(settings, outputs)
        shape = self.spaces(settings).observation_shape
        return networks.recurrent(
            shape, outputs, settings.hidden, settings.seed, settings.first_value, settings.convolutions
        )

    def _options(self, settings):
        return super()._options(settings) | {"quirks": settings.quirks, "reward": settings.reward}

    def adviser(self, settings: Any) -> None:
        """Nobody: the planner of this game has to be told of the whole cave."""
        return

    def player(self, model: Any, settings: Cave2017Settings) -> flights.Player:
        """Who flies: the network, greedily; it may decide at every so manieth step only."""
        return players.Held(super().player(model, settings), settings.hold)


EXPERIMENTS = {
    "cave": CaveExperiment(
        name="cave",
        title="CAVE, a flight through a cave (T3)",
        presets={
            "tutorial": presets.CAVE_TUTORIAL,
            "tuned": presets.CAVE_TUNED,
            "screens": presets.CAVE_SCREENS,
        },
        unit="flights",
    ),
    "cave2017": Cave2017Experiment(
        name="cave2017",
        title="CAVE by the rules of its author's program of 2017 (T3)",
        presets={
            "tutorial": presets.CAVE2017_TUTORIAL,
            "tuned": presets.CAVE2017_TUNED,
            "screens": presets.CAVE2017_SCREENS,
            "recurrent": presets.CAVE2017_RECURRENT,
        },
        unit="flights",
    ),
}
SUITE = Suite("cave_game", EXPERIMENTS)
