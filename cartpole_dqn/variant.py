"""What the seven ways to learn CartPole have in common. Each has a file of its own that says what it adds."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NoReturn

import gymnasium
import numpy as np

from cartpole_dqn.physics import CartPole
from shared.commands.parser import command
from shared.dqn.settings import Settings
from shared.errors import UserError
from shared.late import late
from shared.options import option
from shared.rollouts.collector import Collector
from shared.rollouts.intervals import mean_and_ci95, plus_minus
from shared.runs.experiment import Experiment

networks, greedy, stage = late("shared.nn.networks"), late("shared.rollouts.greedy"), late("cartpole_dqn.stage")

ENV_ID = "CartPole-v1"
PUBLISHED_LIMIT = 200  # steps of an episode in T4 and T5
LIMIT = 500  # steps of an episode of CartPole-v1: scores are out of this


@dataclasses.dataclass(frozen=True, kw_only=True)
class CartPoleSettings(Settings):
    """Settings of CartPole."""

    activation: str = option("relu", "activation of the hidden layers", choices=("relu", "elu", "tanh"))
    dueling: str = option(
        "none",
        "give the network two heads, one for a state's value, one for its actions' advantages, from which it subtracts "
        "the largest (max, as T4 does) or the mean",
        choices=("none", "max", "mean"),
    )


class Variant(Experiment):
    """One way to learn CartPole."""

    def game(self, settings: CartPoleSettings) -> CartPole:
        """The physics, for the compiled loop."""
        return CartPole()

    def env(self, settings: Settings, **options: Any) -> gymnasium.Env:
        """Gymnasium's own environment; every score that is reported was played on it, with its limit of 500 steps."""
        return gymnasium.make(ENV_ID, disable_env_checker=True, **options)

    def network(self, settings: CartPoleSettings, outputs: int) -> Any:
        """Dense layers, with one head or two.

        Raises:
            UserError: for two heads of a learner whose outputs are not one value for each action.
        """
        shape = CartPole.observation_shape
        if settings.dueling != "none" and outputs != CartPole.num_actions:
            raise UserError(
                f"--learner {settings.learner}: a network with two heads has one value for each action; "
                "give --dueling none too, or another --learner"
            )
        return networks.dense(shape, outputs, settings.hidden, settings.seed, settings.activation, settings.dueling)

    def stage(self) -> Any:
        """Cart and pole, and the arrow keys."""
        return stage.STAGE

    def evaluate(self, model: Any, settings: CartPoleSettings, episodes: int, seed: int) -> dict[str, Any]:
        """Greedy episodes on Gymnasium's environment, of 500 steps at most.

        Returns `mean_score`, `ci95` and `episodes`, and `mean_score_200` and `ci95_200`: what the same episodes would
        have scored if they were cut after 200 steps, as T4 and T5 do.
        """
        collector = Collector(lambda: self.env(settings), episodes)
        played = collector.collect(greedy.greedy_choice(model, episodes), [seed])
        collector.close()
        scores = np.array([episode.rewards.sum() for episode in played])
        result: dict[str, Any] = {"episodes": episodes}
        result["mean_score"], result["ci95"] = mean_and_ci95(scores)
        result["mean_score_200"], result["ci95_200"] = mean_and_ci95(np.minimum(scores, PUBLISHED_LIMIT))
        return result

    def describe(self, result: dict[str, Any]) -> str:
        """The result of `evaluate` as text."""
        all_steps = plus_minus(result["mean_score"], result["ci95"], ".1f")
        first_steps = plus_minus(result["mean_score_200"], result["ci95_200"], ".1f")
        mean = f"mean ± 95 % over {result['episodes']} episodes" if result["episodes"] > 1 else "one episode"
        return f"greedy: {all_steps} of {LIMIT} steps, {first_steps} of {PUBLISHED_LIMIT} ({mean})"


def vary(variant: Variant, name: str, title: str, *, tutorial: Mapping[str, Any], tuned: Mapping[str, Any]) -> Variant:
    """The next variant: `variant` under another name, with some settings of each preset changed."""
    changes = {"tutorial": tutorial, "tuned": tuned}
    presets = {key: dataclasses.replace(preset, **changes[key]) for key, preset in variant.presets.items()}
    return dataclasses.replace(variant, name=name, title=title, presets=presets)


def lesson(variant: Variant) -> NoReturn:
    """What a variant's file says when it is run as a program: how to train what it describes."""

    def main(argv: list[str]) -> NoReturn:
        raise UserError(f"a file to read; to train it: python -m cartpole_dqn.train --variant {variant.name}")

    command(main, f"python -m cartpole_dqn.{variant.name.replace('-', '_')}")
