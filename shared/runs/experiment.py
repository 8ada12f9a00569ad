"""What the commands need to know of one experiment: a game, its settings, its network and how it is judged."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

import gymnasium
import numpy as np

from shared.dqn.settings import Settings
from shared.errors import UserError
from shared.games.contract import Game
from shared.late import late, load
from shared.names import LEARNERS, LOSSES, OPTIMIZERS
from shared.options import flag
from shared.runs.trainer import Trainer

keras, optimizers = late("keras"), late("shared.nn.optimizers")
agent, engine, loop = late("shared.dqn.agent"), late("shared.dqn.engine"), late("shared.dqn.loop")
greedy, action_values = late("shared.rollouts.greedy"), late("shared.rollouts.action_values")

# Of these settings the readable loop knows one value only.
READABLE = {
    "num_envs": 1,
    "n_step": 1,
    "replay_states": False,
    "prioritized": False,
    "learner": "dqn",
    "weight_average": 0.0,
}


class Figure(NamedTuple):
    """The figure a person watches while an agent trains, over the scores of the last episodes."""

    name: str
    of: Callable[[np.ndarray], Any]  # float array [n] -> float
    format: str
    counts: str = "score"  # what an episode's score is, of its `shared.rollouts.trace.Trace`: its return, or its length


MEAN_SCORE = Figure("score", np.mean, "{:.1f}")
WIN_RATE = Figure("win rate", lambda scores: np.mean(scores > 0), "{:.0%}")


class AnySettings(Protocol):
    """What the settings of every experiment say: a frozen dataclass of options (`shared.options`)."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def seed(self) -> int:
        """Every random number of the run comes from it."""

    @property
    def num_envs(self) -> int:
        """Games played side by side."""

    @property
    def discount(self) -> float:
        """Value of a reward one step later."""

    @property
    def time_limit(self) -> int | None:
        """Environment steps after which a game is cut, or None."""

    def where_it_ended(self, rows: Sequence[Mapping[str, float]]) -> dict[str, Any]:
        """The settings, by name, of a training that goes on as this one ended; `rows` are its metrics."""


class Spaces(NamedTuple):
    """What a network has to fit."""

    observation_shape: tuple[int, ...]
    num_actions: int


class BrowserRules(NamedTuple):
    """The rules of a game in JavaScript (docs/web.md)."""

    script: str  # the file, beside the rules in Python
    name: str  # of the class
    options: dict[str, Any] = {}  # that it is made with


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One game that is learned. Subclasses fill in the methods; nothing here imports Keras until it is called.

    Where `settings` are of any type, a subclass names the class of its own; networks are Keras models.
    """

    method: ClassVar[str] = "a DQN"  # what learns it
    engines: ClassVar[tuple[str, ...]] = ("compiled", "readable")  # its loops; the first one is the default
    readable: ClassVar[Mapping[str, Any]] = READABLE
    fixed: ClassVar[tuple[str, ...]] = ()  # names of settings that mean nothing to it, and have no flag
    # The charts of its learning curve, `shared.display.charts.Panel`s; None: the usual ones.
    panels: ClassVar[tuple[Any, ...] | None] = None
    figure: ClassVar[Figure] = MEAN_SCORE  # what a person watches while it trains
    draws_actions: ClassVar[bool] = False  # whether its networks put out chances, from which actions can be drawn
    holds: ClassVar[bool] = False  # whether its settings say for how many steps an agent holds an action (`hold`)
    # Of one step, up or down: values far beyond what it can add up to are a sign of divergence.
    largest_reward: ClassVar[float] = 1.0

    name: str  # of the game, as --game has it
    title: str  # one line for --help
    presets: Mapping[str, AnySettings]  # the first one is the default
    weights_name: str = "game_weights.h5"
    unit: str = "games"

    @property
    def first_settings(self) -> Any:
        """The settings of its first preset."""
        return next(iter(self.presets.values()))

    @property
    def settings_class(self) -> type[Any]:
        """The dataclass of its settings."""
        return type(self.first_settings)

    def game(self, settings: Any) -> Game:
        """The rules (`shared.games.contract.Game`)."""
        raise NotImplementedError

    def training_game(self, settings: Any) -> Game:
        """The rules that the compiled loop trains with: those of `game`, where nothing else is said."""
        return self.game(settings)

    def spaces(self, settings: Any) -> Spaces:
        """What its networks take and give (`Spaces`)."""
        game = self.game(settings)
        return Spaces(tuple(game.observation_shape), game.num_actions)

    def settings_for(self, input_shape: tuple[int, ...]) -> Any:
        """The settings under which a network sees what it was made for: those of the first preset, if it fits."""
        return self.first_settings

    def env(self, settings: Any, **options: Any) -> gymnasium.Env:
        """The game as a Gymnasium environment; `options`, such as `max_episode_steps`, go to `gymnasium.make`."""
        raise NotImplementedError

    def network(self, settings: Any, outputs: int) -> Any:
        """A new network from observations to `outputs` numbers for the learner, its weights from `settings.seed`."""
        raise NotImplementedError

    def model(self, settings: Any) -> Any:
        """A new Q-network, from observations to action values, its weights from `settings.seed`."""
        learner, num_actions = self.learner(settings), self.spaces(settings).num_actions
        return learner.head(self.network(settings, learner.outputs(num_actions)), num_actions)

    def evaluate(self, model: Any, settings: Any, episodes: int, seed: int) -> dict[str, Any]:
        """Play greedily. Returns a dict with at least `mean_score`, `ci95` and `episodes`.

        `model` is a Keras model or a `shared.nn.numpy_network.NumpyNetwork`; `shared.rollouts.greedy` takes both.
        """
        raise NotImplementedError

    def describe(self, result: dict[str, Any]) -> str:
        """What `evaluate` found, as a line or more for people."""
        raise NotImplementedError

    def stage(self) -> Any:
        """How it is shown and played by a person (`shared.display.playback.Stage`); None: as any environment is."""
        return None

    def policy(self, model: Any, sampled: bool, seed: int) -> Callable[[np.ndarray], int]:
        """Who plays when a trained agent is shown: observation -> action, the one of highest value.

        Args:
            model: its network, a Keras model or a `shared.nn.numpy_network.NumpyNetwork`.
            sampled: draw actions by their chances instead (`draws_actions`).
            seed: of these draws.
        """
        return greedy.greedy_policy(model)

    def outlook(self, model: Any) -> Any:
        """What its network says of the actions (`shared.rollouts.action_values.Outlook`)."""
        return action_values.outlook(model)

    def adviser(self, settings: Any) -> Any:
        """Who knows what to do best (`shared.rollouts.action_values.Adviser`); None: nobody does."""
        return None

    def browser_rules(self, settings: Any) -> BrowserRules | None:
        """Its rules in JavaScript, for a page that plays without Python; None: there are none."""
        return None

    def trainer(self, settings: Any, engine: str) -> Trainer:
        """What trains (`shared.runs.trainer.Trainer`), by the name of the loop."""
        return self.engine(settings) if engine == "compiled" else self.loop(settings)

    def again(self, trainer: Trainer, settings: Any, engine: str) -> Trainer:
        """What `trainer(settings, engine)` makes, out of one that there is, for another seed; nothing is compiled.

        Raises:
            UserError: if the settings differ in anything but `seed`.
        """
        trainer.again(settings, self.model(settings))
        return trainer

    def learner(self, settings: Settings) -> Any:
        """What is learned (`shared.dqn.learners.Learner`)."""
        return load(LEARNERS, settings.learner)(settings)

    def optimizer(self, settings: Settings) -> Any:
        """The Keras optimizer that the settings name."""
        rate: Any = float(settings.learning_rate)  # Keras takes no whole number
        if settings.learning_rate_decay:
            updates = max(1, settings.learning_rate_decay // settings.train_every)
            end = settings.learning_rate_end
            if settings.learning_rate_by == "factors":
                rate = optimizers.GeometricDecay(rate, updates, end)
            else:
                rate = keras.optimizers.schedules.PolynomialDecay(rate, updates, end)
        made = load(OPTIMIZERS, settings.optimizer)(rate)
        made.use_ema, made.ema_momentum = settings.weight_average > 0, settings.weight_average
        return made

    def engine(self, settings: Any) -> Trainer:
        """The compiled loop for these settings."""
        game = self.training_game(settings)
        return engine.Engine(game, self.model(settings), self.optimizer(settings), self.learner(settings), settings)

    def loop(self, settings: Settings) -> Trainer:
        """The readable loop for these settings: `shared.dqn.agent.Agent` in the Gymnasium environment.

        Raises:
            UserError: if the settings ask for what only the compiled loop can do.
        """
        for name, plain in self.readable.items():
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


def with_model(experiment: Experiment, model: Any) -> Experiment:
    """The same experiment, whose trainings start from this Keras model and train it in place."""
    kind: Any = type(experiment)

    class WithModel(kind):
        """The experiment with a model of the caller's."""

        def model(self, settings: Any) -> Any:
            return model

    return WithModel(**{field.name: getattr(experiment, field.name) for field in dataclasses.fields(kind)})
