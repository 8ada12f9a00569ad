"""What the commands need to know of one experiment: a game, its settings, its network and how it is judged."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np

from shared.dqn.settings import Settings
from shared.errors import UserError
from shared.late import late, load
from shared.names import LEARNERS, LOSSES, OPTIMIZERS
from shared.options import flag

keras, optimizers = late("keras"), late("shared.nn.optimizers")
agent, engine, loop = late("shared.dqn.agent"), late("shared.dqn.engine"), late("shared.dqn.loop")
greedy = late("shared.rollouts.greedy")

# Of these settings the readable loop knows one value only.
READABLE = {"num_envs": 1, "n_step": 1, "replay_states": False, "prioritized": False, "learner": "dqn"}


class Figure(NamedTuple):
    """The figure a person watches while an agent trains, over the scores of the last episodes."""

    name: str
    of: Callable[[np.ndarray], Any]  # float array [n] -> float
    format: str


MEAN_SCORE = Figure("score", np.mean, "{:.1f}")
WIN_RATE = Figure("win rate", lambda scores: np.mean(scores > 0), "{:.0%}")


class Spaces(NamedTuple):
    """What a network has to fit."""

    observation_shape: tuple[int, ...]
    num_actions: int


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One game that is learned. Subclasses fill in the methods; nothing here imports Keras until it is called."""

    method = "a DQN"  # what learns it
    engines: ClassVar[tuple[str, ...]] = ("compiled", "readable")  # its loops; the first one is the default
    fixed: ClassVar[tuple[str, ...]] = ()  # names of settings that mean nothing to it, and have no flag
    panels = None  # the charts of its learning curve, `shared.display.charts.Panel`s; None: the usual ones
    figure = MEAN_SCORE  # what a person watches while it trains
    draws_actions: ClassVar[bool] = False  # whether its networks put out chances, from which actions can be drawn
    largest_reward = 1.0  # of one step, up or down: values far beyond what it can add up to are a sign of divergence

    name: str  # of the game, as --game has it
    title: str  # one line for --help
    presets: dict[str, Settings]  # the first one is the default
    weights_name: str = "game_weights.h5"
    unit: str = "games"

    @property
    def first_settings(self):
        """The settings of its first preset."""
        return next(iter(self.presets.values()))

    @property
    def settings_class(self):
        """The dataclass of its settings."""
        return type(self.first_settings)

    def game(self, settings):
        """The rules (`shared.games.contract.Game`)."""
        raise NotImplementedError

    def spaces(self, settings):
        """What its networks take and give (`Spaces`)."""
        game = self.game(settings)
        return Spaces(tuple(game.observation_shape), game.num_actions)

    def env(self, settings, **options):
        """The game as a Gymnasium environment; `options`, such as `max_episode_steps`, go to `gymnasium.make`."""
        raise NotImplementedError

    def network(self, settings, outputs):
        """A new network from observations to `outputs` numbers for the learner, its weights from `settings.seed`."""
        raise NotImplementedError

    def model(self, settings):
        """A new Q-network, from observations to action values, its weights from `settings.seed`."""
        learner, num_actions = self.learner(settings), self.spaces(settings).num_actions
        return learner.head(self.network(settings, learner.outputs(num_actions)), num_actions)

    def evaluate(self, model, settings, episodes, seed):
        """Play greedily. Returns a dict with at least `mean_score`, `ci95` and `episodes`."""
        raise NotImplementedError

    def describe(self, result):
        """What `evaluate` found, as a line or more for people."""
        raise NotImplementedError

    def stage(self):
        """How it is shown and played by a person (`shared.display.playback.Stage`); None: as any environment is."""
        return

    def policy(self, model, sampled, seed):
        """Who plays when a trained agent is shown: observation -> action, the one of highest value.

        Args:
            model: its network.
            sampled: draw actions by their chances instead (`draws_actions`).
            seed: of these draws.
        """
        return greedy.greedy_policy(model)

    def trainer(self, settings, engine):
        """What trains (`shared.runs.trainer.Trainer`), by the name of the loop."""
        return self.engine(settings) if engine == "compiled" else self.loop(settings)

    def learner(self, settings):
        """What is learned (`shared.dqn.learners.Learner`)."""
        return load(LEARNERS, settings.learner)(settings)

    def optimizer(self, settings):
        """The Keras optimizer that the settings name."""
        rate = settings.learning_rate
        if settings.learning_rate_decay:
            updates = max(1, settings.learning_rate_decay // settings.train_every)
            end = settings.learning_rate_end
            if settings.learning_rate_by == "factors":
                rate = optimizers.GeometricDecay(rate, updates, end)
            else:
                rate = keras.optimizers.schedules.PolynomialDecay(rate, updates, end)
        return load(OPTIMIZERS, settings.optimizer)(rate)

    def engine(self, settings):
        """The compiled loop for these settings."""
        return engine.Engine(
            self.game(settings), self.model(settings), self.optimizer(settings), self.learner(settings), settings
        )

    def loop(self, settings):
        """The readable loop for these settings: `shared.dqn.agent.Agent` in the Gymnasium environment.

        Raises:
            UserError: if the settings ask for what only the compiled loop can do.
        """
        for name, plain in READABLE.items():
            value = getattr(settings, name)
            if value != plain:
                raise UserError(f"{flag(name)} {value}: the readable loop cannot do this; use --engine compiled")
        env = self.env(settings, max_episode_steps=settings.time_limit or -1)
        made = agent.Agent(
            env,
            settings.epsilon,
            settings.discount,
            settings.hidden,
            settings.replay_capacity,
            batch_size=settings.batch_size,
            optimizer=self.optimizer(settings),
            loss=load(LOSSES, settings.loss)(),
            seed=settings.seed,
            target_network=settings.first_target if settings.target_sync else None,
            double=settings.double_rule if settings.double else None,
            model=self.model(settings),
        )
        return loop.Loop(env, made, settings)
