"""What the seven ways to learn CartPole have in common. Each has a file of its own that says what it adds."""

import dataclasses

from cartpole_dqn.physics import CartPole
from shared.dqn.settings import Settings
from shared.late import late
from shared.options import option
from shared.rollouts.intervals import mean_and_ci95, plus_minus
from shared.runs.experiment import Experiment

ENV_ID = "CartPole-v1"
PUBLISHED_LIMIT = 200  # steps of an episode in T4 and T5
LIMIT = 500  # steps of an episode of CartPole-v1: scores are out of this


@dataclasses.dataclass(frozen=True, kw_only=True)
class CartPoleSettings(Settings):
    """Settings of CartPole."""

    activation: str = option("relu", "of the hidden layers", choices=("relu", "elu", "tanh"))
    dueling: str = option(
        "none",
        "two heads, a state's value and its actions' advantages; from these is taken their greatest (T4) or their mean",
        choices=("none", "max", "mean"),
    )


class Variant(Experiment):
    """One way to learn CartPole."""

    def game(self, settings):
        """The physics, for the compiled loop."""
        return CartPole()

    def env(self, settings, **options):
        """Gymnasium's own environment; every score that is reported was played on it, with its limit of 500 steps."""
        import gymnasium

        return gymnasium.make(ENV_ID, disable_env_checker=True, **options)

    def network(self, settings, outputs):
        """Dense layers, with one head or two."""
        from shared.nn.networks import dense

        shape = CartPole.observation_shape
        return dense(shape, outputs, settings.hidden, settings.seed, settings.activation, settings.dueling)

    def stage(self):
        """Cart and pole, and the arrow keys."""
        return late("cartpole_dqn.stage").STAGE

    def evaluate(self, model, settings, episodes, seed):
        """Greedy episodes on Gymnasium's environment, of 500 steps at most.

        Returns `mean_score`, `ci95` and `episodes`, and `mean_score_200` and `ci95_200`: what the same episodes would
        have scored if they were cut after 200 steps, as T4 and T5 do.
        """
        import numpy as np

        from shared.rollouts.collector import Collector
        from shared.rollouts.greedy import greedy_choice

        collector = Collector(lambda: self.env(settings), episodes)
        played = collector.collect(greedy_choice(model, episodes), [seed])
        collector.close()
        scores = np.array([episode.rewards.sum() for episode in played])
        result = {"episodes": episodes}
        result["mean_score"], result["ci95"] = mean_and_ci95(scores)
        result["mean_score_200"], result["ci95_200"] = mean_and_ci95(np.minimum(scores, PUBLISHED_LIMIT))
        return result

    def describe(self, result):
        """The result of `evaluate` as text."""
        all_steps = plus_minus(result["mean_score"], result["ci95"], ".1f")
        first_steps = plus_minus(result["mean_score_200"], result["ci95_200"], ".1f")
        mean = f"mean ± 95 % over {result['episodes']} episodes" if result["episodes"] > 1 else "one episode"
        return f"greedy: {all_steps} of {LIMIT} steps, {first_steps} of {PUBLISHED_LIMIT} ({mean})"


def vary(variant, name, title, *, tutorial, tuned):
    """The next variant: `variant` under another name, with some settings of each preset changed."""
    changes = {"tutorial": tutorial, "tuned": tuned}
    presets = {key: dataclasses.replace(preset, **changes[key]) for key, preset in variant.presets.items()}
    return dataclasses.replace(variant, name=name, title=title, presets=presets)
