"""Experiments that are not of this project: any game that keeps the contract, any Gymnasium environment."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import gymnasium
import numpy as np

from shared.dqn.pqn_settings import PQNSettings
from shared.dqn.settings import LEARNING, Settings
from shared.errors import UserError
from shared.games.contract import Game
from shared.games.env import GameEnv
from shared.late import late
from shared.options import option
from shared.rollouts.intervals import mean_and_ci95, plus_minus
from shared.runs.experiment import Experiment, Spaces
from shared.runs.trainer import Trainer

networks, greedy = late("shared.nn.networks"), late("shared.rollouts.greedy")
collector = late("shared.rollouts.collector")
env_loop, pqn = late("shared.dqn.env_loop"), late("shared.dqn.pqn")


def scores_as_text(result: dict[str, Any]) -> str:
    """What `evaluate` found, as a line."""
    score, count = plus_minus(result["mean_score"], result["ci95"], ".2f"), result["episodes"]
    return f"greedy: mean return {score} over {count} fresh episode{'s' * (count > 1)}"


@dataclasses.dataclass(frozen=True)
class GameExperiment(Experiment):
    """A game as an experiment: compiled with its network, its memory and its optimizer."""

    rules: Game | None = None
    make_network: Callable[..., Any] | None = None  # (observation_shape, outputs, hidden, seed) -> Keras model

    def game(self, settings: Settings) -> Game:
        """The rules."""
        assert self.rules is not None
        return self.rules

    def env(self, settings: Settings, **options: Any) -> gymnasium.Env:
        """The game as an environment, cut after the settings' time limit unless `options` say otherwise."""
        limit = options.pop("max_episode_steps", settings.time_limit or -1)
        env = GameEnv(self.game(settings), **options)
        return env if limit in (None, -1) else gymnasium.wrappers.TimeLimit(env, limit)

    def network(self, settings: Settings, outputs: int) -> Any:
        """The game's own network, or one that fits what is observed."""
        make = self.make_network or networks.fitting
        return make(self.game(settings).observation_shape, outputs, settings.hidden, settings.seed)

    def evaluate(self, model: Any, settings: Settings, episodes: int, seed: int) -> dict[str, Any]:
        """Greedy games: `mean_score`, `ci95`, `episodes` and `mean_length`."""
        game = self.game(settings)
        starts = greedy.random_starts(game, episodes, seed)
        scores, lengths = greedy.play_greedy(game, model, starts, seed, settings.time_limit)
        mean, ci95 = mean_and_ci95(scores)
        return {"mean_score": mean, "ci95": ci95, "episodes": episodes, "mean_length": float(np.mean(lengths))}

    def describe(self, result: dict[str, Any]) -> str:
        """The result of `evaluate` as text."""
        return scores_as_text(result)


@dataclasses.dataclass(frozen=True, kw_only=True)
class EnvSettings(Settings):
    """Settings of a DQN for any Gymnasium environment."""

    activation: str = option("relu", "of the dense layers", choices=("relu", "elu", "tanh"), group=LEARNING)
    layer_norm: bool = option(False, "normalise what each layer puts out", group=LEARNING)
    clip_rewards: bool = option(False, "learn from rewards cut to -1 ... 1", group=LEARNING)


ANY_ENV = EnvSettings(
    episodes=None,
    steps=200_000,
    num_envs=8,
    hidden=(128, 128),
    learning_rate=1e-3,
    learning_rate_end=0.0,
    learning_rate_decay=200_000,
    loss="mse-taken",
    discount=0.99,
    n_step=5,
    epsilon=1.0,
    epsilon_end=0.02,
    epsilon_decay=50_000,
    replay_capacity=100_000,
    batch_size=128,
    learning_starts=5_000,
    train_every=8,
    target_sync=2_000,
    double=True,
)
ANY_PQN = PQNSettings()


@dataclasses.dataclass(frozen=True)
class EnvExperiment(Experiment):
    """A Gymnasium environment as an experiment: many of them side by side, their episodes in Python.

    The class of a preset's settings says which method it is: a DQN (`EnvSettings`) or PQN (`PQNSettings`).
    """

    method: ClassVar[str] = "action values"

    engines: ClassVar[tuple[str, ...]] = ("vector", "readable")
    unit: str = "episodes"
    largest_reward: ClassVar[float] = float("inf")  # nobody knows

    def env(self, settings: EnvSettings | PQNSettings, **options: Any) -> gymnasium.Env:
        """The environment; what is observed is a Box, whatever it was."""
        env = gymnasium.make(self.name, disable_env_checker=True, **options)
        if not isinstance(env.observation_space, gymnasium.spaces.Box):
            env = gymnasium.wrappers.FlattenObservation(env)
        return env

    def spaces(self, settings: EnvSettings | PQNSettings) -> Spaces:
        """What a network takes and gives."""
        env = self.env(settings)
        return Spaces(env.observation_space.shape, int(env.action_space.n))

    def network(self, settings: EnvSettings | PQNSettings, outputs: int) -> Any:
        """Dense layers for a vector, convolutions before them for a picture."""
        space = self.env(settings).observation_space
        return networks.fitting(
            space.shape,
            outputs,
            settings.hidden,
            settings.seed,
            activation=settings.activation,
            of_bytes=space.dtype == np.uint8,
            layer_norm=settings.layer_norm,
        )

    def model(self, settings: EnvSettings | PQNSettings) -> Any:
        """A new Q-network, its weights from `settings.seed`."""
        if isinstance(settings, PQNSettings):
            return self.network(settings, self.spaces(settings).num_actions)
        return super().model(settings)

    def trainer(self, settings: EnvSettings | PQNSettings, engine: str) -> Trainer:
        """Many environments side by side, or the loop to read."""
        if isinstance(settings, PQNSettings):
            if engine == "readable":
                raise UserError("--engine readable: PQN has no loop to read; leave it out")
            return pqn.PQN(lambda: self.env(settings), self.model(settings), settings)
        if engine == "readable":
            if settings.clip_rewards:
                raise UserError("--clip-rewards: the readable loop cannot do this; use --engine vector")
            return self.loop(settings)
        for name, plain in (("prioritized", False), ("replay_states", False), ("restore_best", False)):
            if getattr(settings, name) != plain:
                flag = "--" + name.replace("_", "-")
                raise UserError(f"{flag}: only games that are compiled can do this; leave it out")
        if settings.train_by != "steps" or settings.first_target != "copied":
            raise UserError("--train-by, --first-target: only games that are compiled can do this; leave them out")
        return env_loop.EnvLoop(
            lambda: self.env(settings),
            self.model(settings),
            self.optimizer(settings),
            self.learner(settings),
            settings,
            clip_rewards=settings.clip_rewards,
        )

    def evaluate(self, model: Any, settings: EnvSettings | PQNSettings, episodes: int, seed: int) -> dict[str, Any]:
        """Greedy episodes of the environment: `mean_score`, `ci95`, `episodes` and `mean_length`."""
        env = self.env(settings)
        limit = None if env.spec.max_episode_steps else settings.time_limit or 10_000
        options = {} if limit is None else {"max_episode_steps": limit}
        players = collector.Collector(lambda: self.env(settings, **options), min(episodes, 100))
        played: list[Any] = []  # `shared.rollouts.collector.Trajectory`s
        while len(played) < episodes:
            played += players.collect(greedy.greedy_choice(model, len(players.envs)), [seed, len(played)])
        players.close()
        mean, ci95 = mean_and_ci95([one.rewards.sum() for one in played[:episodes]])
        length = float(np.mean([len(one.actions) for one in played[:episodes]]))
        return {"mean_score": mean, "ci95": ci95, "episodes": episodes, "mean_length": length}

    def describe(self, result: dict[str, Any]) -> str:
        """The result of `evaluate` as text."""
        return scores_as_text(result)


def make_env(env_id: str, remedy: str) -> gymnasium.Env:
    """The environment of a Gymnasium id that a person has named.

    Raises:
        UserError: if there is none, with `remedy` as what to do about it.
    """
    try:
        return gymnasium.make(env_id)
    except (gymnasium.error.Error, ImportError, ValueError, TypeError) as error:  # no such id, no id, other arguments
        raise UserError(f"--env {env_id}: {error}; {remedy}") from error


def any_env(env_id: str) -> EnvExperiment:
    """The experiment of a Gymnasium id.

    Raises:
        UserError: if there is no such environment, or none with something to observe and actions 0, 1, 2, ...
    """
    env = make_env(env_id, "give the id of an environment such as Acrobot-v1")
    space, actions = env.observation_space, env.action_space
    env.close()
    seen = isinstance(space, gymnasium.spaces.Box) and len(space.shape) in (1, 2, 3)
    if not (seen or gymnasium.spaces.utils.is_space_dtype_shape_equiv(space, space)) or (
        type(actions) is not gymnasium.spaces.Discrete or actions.start != 0
    ):
        raise UserError(
            f"--env {env_id}: observes {space} and acts by {actions}; choose a task with actions 0, 1, 2, ... and a "
            "vector or a picture to observe"
        )
    return EnvExperiment(name=env_id, title=env_id, presets={"tuned": ANY_ENV, "pqn": ANY_PQN})


def is_registered(env_id: str) -> bool:
    """Whether Gymnasium knows an id already: for one with a `:` it would import what stands before that."""
    return ":" not in env_id and env_id in gymnasium.registry
