"""The tasks as experiments: which policy learns them and how it is judged. Any Gymnasium id can be one."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import gymnasium
import numpy as np

from lunar_pg import presets
from lunar_pg.numpy_policy import NumpyPolicy
from lunar_pg.presets import PolicySettings
from shared.commands import affordable
from shared.display.charts import Panel
from shared.errors import UserError
from shared.late import late, load
from shared.names import OPTIMIZERS
from shared.rollouts.action_values import ActionValues, Outlook
from shared.rollouts.collector import Collector
from shared.rollouts.intervals import mean_and_ci95, plus_minus
from shared.runs.experiment import Experiment, Spaces
from shared.runs.own import is_registered, make_env
from shared.runs.suite import Suite
from shared.runs.trainer import Trainer

policies, stage, trainer = late("lunar_pg.policies"), late("lunar_pg.stage"), late("lunar_pg.trainer")

VALUE_SEED_OFFSET = 1_000_003  # the baseline's first weights are not the policy's
NO_PROBABILITIES = "the outputs are values, like those of a DQN, not probabilities"


@dataclasses.dataclass(frozen=True)
class PolicyExperiment(Experiment):
    """A task with a vector of numbers to observe and a few actions to choose from."""

    env_id: str = ""
    weights_name: str = "policy.weights.h5"
    unit: str = "episodes"

    method: ClassVar[str] = "a policy"
    draws_actions: ClassVar[bool] = True
    engines: ClassVar[tuple[str, ...]] = ("compiled",)
    # The loss of a policy gradient does not say how good the policy is.
    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("score", "mean return, last 100 episodes"),
        Panel("entropy", "entropy of the policy, nats"),
    )

    def spaces(self, settings: PolicySettings) -> Spaces:
        """What a policy takes and gives: one output stands for two actions where the head is a sigmoid."""
        size, actions = self._sizes(settings)
        return Spaces((size,), actions if settings.head == "softmax" else 1)

    def env(self, settings: PolicySettings, **options: Any) -> gymnasium.Env:
        """The task as a Gymnasium environment."""
        options = {"max_episode_steps": settings.time_limit} | options
        env = gymnasium.make(self.env_id, disable_env_checker=True, **options)
        if env.spec.max_episode_steps is None:
            raise UserError(f"--env {self.env_id}: its episodes may never end; give --time-limit")
        return env

    def training_env(self, settings: PolicySettings) -> gymnasium.Env:
        """The same, cut after `settings.horizon` steps."""
        env = self.env(settings)
        steps = min(settings.horizon or env.spec.max_episode_steps, env.spec.max_episode_steps)
        return self.env(settings, max_episode_steps=steps)

    def model(self, settings: PolicySettings) -> Any:
        """The policy network."""
        size, actions = self._sizes(settings)
        if settings.head == "sigmoid" and actions != 2:
            raise UserError(f"--head sigmoid: chooses between two actions, here are {actions}; give --head softmax")
        return policies.policy_network(
            size, actions, settings.hidden, settings.activation, settings.head, settings.seed
        )

    def policy(self, model: Any, sampled: bool, seed: int) -> Callable[[np.ndarray], int]:
        """The likeliest action, or one drawn by its chance."""
        chooser, rng = NumpyPolicy(model), np.random.default_rng(seed)
        if sampled and not chooser.has_probabilities:
            raise UserError(f"--sampled: {NO_PROBABILITIES}; leave it out")
        choose = chooser.sample if sampled else chooser.greedy
        return lambda observation: int(choose(np.asarray(observation, np.float32)[None], rng.random(1))[0])

    def outlook(self, model: Any) -> Outlook:
        """The probabilities of the actions; for a network of action values, these."""
        policy = NumpyPolicy(model)
        look = policy.probabilities if policy.has_probabilities else policy.logits
        return lambda observation: ActionValues(
            look(np.asarray(observation, np.float32)[None])[0], policy.has_probabilities
        )

    def stage(self) -> Any:
        """LunarLander with the arrow keys; other tasks as any environment is shown."""
        return stage.STAGE if self.env_id.startswith("LunarLander") else None

    def engine(self, settings: PolicySettings) -> Trainer:
        """What trains the policy."""
        policy, value = self.model(settings), self._value_network(settings)
        steps = settings.num_envs * self.training_env(settings).spec.max_episode_steps  # of a batch, at most
        affordable.refuse_learning(policy, steps, "give fewer --num-envs or a smaller --time-limit")
        optimizer = load(OPTIMIZERS, settings.optimizer)
        return trainer.Trainer(lambda: self.training_env(settings), policy, value, optimizer, settings)

    def again(self, trainer: Any, settings: PolicySettings, engine: str) -> Trainer:
        """What `trainer` makes, out of one that there is (`shared.runs.experiment.Experiment.again`)."""
        trainer.again(settings, self.model(settings), self._value_network(settings))
        return trainer

    def evaluate(self, model: Any, settings: PolicySettings, episodes: int, seed: int) -> dict[str, Any]:
        """The same fresh episodes played twice: with the likeliest action, and with actions drawn.

        Returns `mean_score`, `ci95` (greedy), `sampled_mean_score`, `sampled_ci95` and `episodes`. The sampled ones are
        left out for a network whose outputs are not probabilities.
        """
        policy, collector = NumpyPolicy(model), Collector(lambda: self.env(settings), episodes)
        ways = {"": policy.greedy} | ({"sampled_": policy.sample} if policy.has_probabilities else {})
        result: dict[str, Any] = {"episodes": episodes}
        for name, choose in ways.items():
            scores = [episode.rewards.sum() for episode in collector.collect(choose, [seed])]
            result[f"{name}mean_score"], result[f"{name}ci95"] = mean_and_ci95(scores)
        collector.close()
        return result

    def describe(self, result: dict[str, Any]) -> str:
        """The result of `evaluate` as text."""
        mean = f"mean return of {result['episodes']} fresh episodes ± 95 %" if result["episodes"] > 1 else "one episode"
        greedy = plus_minus(result["mean_score"], result["ci95"], ".1f")
        if "sampled_mean_score" not in result:
            return f"greedy: {greedy} ({mean}); not sampled: {NO_PROBABILITIES}"
        sampled = plus_minus(result["sampled_mean_score"], result["sampled_ci95"], ".1f")
        return f"greedy: {greedy}, sampled: {sampled} ({mean})"

    def _value_network(self, settings):
        """A new baseline, or None where there is none."""
        if not settings.baseline:
            return None
        size, _ = self._sizes(settings)
        return policies.value_network(size, settings.hidden, settings.activation, settings.seed + VALUE_SEED_OFFSET)

    def _sizes(self, settings):
        """Numbers in an observation, and actions."""
        env = self.env(settings)
        return env.observation_space.shape[0], int(env.action_space.n)


def any_task(env_id: str) -> PolicyExperiment:
    """The experiment of a Gymnasium id that is not listed, with the settings of LunarLander.

    Raises:
        UserError: if there is no such environment, or none with a vector to observe and discrete actions.
    """
    env = make_env(env_id, "give lunar, cartpole or the id of an environment")
    vector = isinstance(env.observation_space, gymnasium.spaces.Box) and len(env.observation_space.shape) == 1
    if not vector or type(env.action_space) is not gymnasium.spaces.Discrete or env.action_space.start != 0:
        raise UserError(
            f"--env {env_id}: observes {env.observation_space} and acts by {env.action_space}; "
            "choose a task with a vector of numbers to observe and actions 0, 1, 2, ..."
        )
    return PolicyExperiment(
        name=env_id,
        title=env_id,
        presets={
            "tutorial": presets.LUNAR_TUTORIAL,
            "tuned": dataclasses.replace(presets.LUNAR_TUNED, horizon=0, discount=0.995),
        },
        env_id=env_id,
    )


EXPERIMENTS = {
    "lunar": PolicyExperiment(
        name="lunar",
        title="LunarLander (T4)",
        presets={"tutorial": presets.LUNAR_TUTORIAL, "tuned": presets.LUNAR_TUNED},
        env_id="LunarLander-v3",
    ),
    "cartpole": PolicyExperiment(
        name="cartpole",
        title="CartPole, 200 steps at most (T4)",
        presets={"tutorial": presets.CARTPOLE_TUTORIAL, "tuned": presets.CARTPOLE_TUNED},
        env_id="CartPole-v1",
    ),
}
SUITE = Suite("lunar_pg", EXPERIMENTS, flag="--env", make=any_task, known=is_registered)
