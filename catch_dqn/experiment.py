"""The games of this package as experiments: which network plays them and how it is judged."""

import dataclasses
from typing import Any

import gymnasium
import numpy as np

from catch_dqn import presets
from catch_dqn.ball_game import INTERVAL, TIME_LIMIT, CatchBall
from catch_dqn.game import Catch, State
from catch_dqn.presets import CatchSettings
from shared.late import late
from shared.rollouts.action_values import Adviser
from shared.rollouts.intervals import mean_and_ci95, plus_minus
from shared.runs.experiment import WIN_RATE, BrowserRules, Experiment
from shared.runs.suite import Suite

networks, stage = late("catch_dqn.networks"), late("catch_dqn.stage")
perfect_player = late("catch_dqn.perfect_player")
greedy = late("shared.rollouts.greedy")


class CatchExperiment(Experiment):
    """T1's game of Catch."""

    def game(self, settings: CatchSettings) -> Catch:
        """The rules."""
        return Catch(settings.starts)

    def env(self, settings: CatchSettings, **options: Any) -> gymnasium.Env:
        """The Gymnasium environment `catch_dqn/Catch-v0`."""
        options = {"max_episode_steps": settings.time_limit} | options
        return gymnasium.make("catch_dqn/Catch-v0", starts=settings.starts, **options)

    def network(self, settings: CatchSettings, outputs: int) -> Any:
        """T1's network, dense layers over the 100 cells, or convolutions."""
        return networks.network("dense", Catch.observation_shape, outputs, settings)

    def browser_rules(self, settings: CatchSettings) -> BrowserRules:
        """The rules in JavaScript."""
        return BrowserRules("game.js", "Catch", {"starts": settings.starts})

    figure = WIN_RATE

    def stage(self) -> Any:
        """The grid, and the arrow keys."""
        return stage.STAGES[self.name]

    def adviser(self, settings: CatchSettings) -> Adviser:
        """A player that never misses."""
        return lambda env: perfect_player.advise_in_catch(env.unwrapped.state)

    def evaluate(self, model: Any, settings: CatchSettings, episodes: int, seed: int) -> dict[str, Any]:
        """Greedy games: every start once, and `episodes` random ones.

        Returns `mean_score`, `ci95` and `episodes` of the random games, and how many of all `starts` are `wins`.
        """
        game = Catch("all")
        paddle, column = np.array(game.start_positions, np.int32).T
        every_start = State(paddle, column, np.zeros_like(column))
        wins = int(np.sum(greedy.play_greedy(game, model, every_start, seed)[0] > 0))
        scores, _ = greedy.play_greedy(game, model, greedy.random_starts(game, episodes, seed), seed)
        mean, ci95 = mean_and_ci95(scores)
        return {"mean_score": mean, "ci95": ci95, "episodes": episodes, "starts": len(paddle), "wins": wins}

    def describe(self, result: dict[str, Any]) -> str:
        """The result of `evaluate` as text."""
        games, score = result["episodes"], plus_minus(result["mean_score"], result["ci95"], ".3f")
        return (
            f"greedy: wins from {result['wins']} of {result['starts']} starts; mean score {score} over {games} random "
            f"game{'s' * (games > 1)}"
        )


@dataclasses.dataclass(frozen=True)
class CatchBallExperiment(Experiment):
    """T3's game of Catch-ball on a screen of `size` x `size` cells."""

    size: int = 16

    def game(self, settings: CatchSettings) -> CatchBall:
        """The rules."""
        return CatchBall(self.size, settings.starts)

    def env(self, settings: CatchSettings, **options: Any) -> gymnasium.Env:
        """The Gymnasium environment `catch_dqn/CatchBall8-v0` or `16-v0`."""
        options = {"max_episode_steps": settings.time_limit or -1} | options
        return gymnasium.make(f"catch_dqn/CatchBall{self.size}-v0", starts=settings.starts, **options)

    def network(self, settings: CatchSettings, outputs: int) -> Any:
        """T3's network: dense layers for 8x8, convolutions before them for 16x16."""
        tutorial = "dense" if self.size == 8 else "convolutional"
        return networks.network(tutorial, self.game(settings).observation_shape, outputs, settings)

    def browser_rules(self, settings: CatchSettings) -> BrowserRules:
        """The rules in JavaScript."""
        return BrowserRules("ball_game.js", "CatchBall", {"size": self.size, "starts": settings.starts})

    def stage(self) -> Any:
        """The screen, and the arrow keys."""
        return stage.STAGES[self.name]

    def adviser(self, settings: CatchSettings) -> Adviser:
        """A player that never misses."""
        return lambda env: perfect_player.advise(env.unwrapped.game, env.unwrapped.state)

    def evaluate(self, model: Any, settings: CatchSettings, episodes: int, seed: int) -> dict[str, Any]:
        """Greedy games from every kind of start, of at most `TIME_LIMIT` steps.

        Returns `mean_score`, `ci95`, `episodes`, and `perfect`, the score of a player that never misses.
        """
        game = CatchBall(self.size, "all")
        scores, _ = greedy.play_greedy(game, model, greedy.random_starts(game, episodes, seed), seed, TIME_LIMIT)
        mean, ci95 = mean_and_ci95(scores)
        perfect = 1 + (TIME_LIMIT - (self.size - 1)) // INTERVAL  # one lands at step size - 1, then every 5 steps
        return {"mean_score": mean, "ci95": ci95, "episodes": episodes, "perfect": perfect}

    def describe(self, result: dict[str, Any]) -> str:
        """The result of `evaluate` as text."""
        games, score = result["episodes"], plus_minus(result["mean_score"], result["ci95"], ".2f")
        return (
            f"greedy: mean score {score} of {result['perfect']} over {games} game{'s' * (games > 1)} of {TIME_LIMIT} "
            "steps at most"
        )


EXPERIMENTS = {
    "catch": CatchExperiment(
        name="catch",
        title="Catch on a 10x10 grid (T1)",
        presets={"tutorial": presets.CATCH_TUTORIAL, "tuned": presets.CATCH_TUNED},
    ),
    "ball8": CatchBallExperiment(
        name="ball8",
        title="Catch-ball on 8x8 (T3)",
        presets={"tutorial": presets.BALL8_TUTORIAL, "tuned": presets.BALL8_TUNED},
        size=8,
    ),
    "ball16": CatchBallExperiment(
        name="ball16",
        title="Catch-ball on 16x16 (T3)",
        presets={"tutorial": presets.BALL16_TUTORIAL, "tuned": presets.BALL16_TUNED},
        size=16,
    ),
}
SUITE = Suite("catch_dqn", EXPERIMENTS)
