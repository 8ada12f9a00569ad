"""What the commands need to know of one experiment: a game, its settings, its network and how it is judged."""

import dataclasses
from typing import Any, NamedTuple

from shared.dqn.settings import Settings
from shared.errors import UserError
from shared.late import late, load
from shared.names import LEARNERS, LOSSES, OPTIMIZERS
from shared.options import check_limits, flag, from_json

keras, optimizers = late("keras"), late("shared.nn.optimizers")
agent, engine, loop = late("shared.dqn.agent"), late("shared.dqn.engine"), late("shared.dqn.loop")

# Of these settings the readable loop knows one value only.
READABLE = {"games": 1, "n_step": 1, "replay_states": False, "prioritized": False, "learner": "dqn"}


class OpenExperiments(dict):
    """Experiments by name, for tasks that are known by their Gymnasium id: there are more than are listed.

    Args:
        listed: dict of `Experiment` by name; the first one is the default.
        make: function: id -> `Experiment`, for those that are not listed. Raises `UserError` for an unknown id.
        known: function: id -> whether `make` finds it without importing anything; a file may name only such an id.
    """

    flag = "--env"

    def __init__(self, listed, make, known):
        super().__init__(listed)
        self.make, self.known = make, known

    def __missing__(self, name):
        return self.make(name)


class Variants(dict):
    """Experiments by name that learn the same game in different ways."""

    flag = "--variant"


def game_flag(experiments):
    """The flag that chooses between experiments."""
    return getattr(experiments, "flag", "--game")


def add_game_argument(parser, experiments, default, meaning):
    """Add the flag that chooses between experiments, if there is a choice; parsed, it is called `game`."""
    names, flag = list(experiments), game_flag(experiments)
    if isinstance(experiments, OpenExperiments):
        parser.add_argument(
            flag,
            dest="game",
            default=default,
            metavar="|".join([*names, "ID"]),
            help=f"{meaning}; a Gymnasium id too",
        )
    elif len(names) > 1:
        parser.add_argument(flag, dest="game", choices=names, default=default, help=meaning)
    else:
        parser.set_defaults(game=names[0])


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What the `config.json` of a run says."""

    experiment: str  # the package
    game: str  # the experiment's name in it
    preset: str
    engine: str
    settings: dict  # of the experiment's `settings_class`
    versions: dict
    command: tuple[str, ...]
    began: str

    def __post_init__(self):
        check_limits(self)


class Choice(NamedTuple):
    """What a run is known by."""

    game: str
    preset: str
    engine: str
    settings: Any  # an instance of the experiment's `settings_class`


def of_run(config, package, experiments, path, named=None):
    """The experiment of a run and what was chosen for it, from its config. Nothing of that is taken on trust.

    Args:
        config: what its `config.json` holds, a dict.
        package: whose run it should be.
        experiments: of this package, dict of `Experiment` by name.
        path: of the file, for the complaint.
        named: the experiment that the person has named, if so; a file alone may not name what has to be imported.

    Returns an `Experiment` and a `Choice`.

    Raises:
        UserError: if it is the run of another package, or not a config that this program wrote.
    """
    if config.get("experiment", package) != package:
        raise UserError(f"{path}: a run of {config['experiment']!s:.60}; use the commands of that package")
    held = from_json(RunConfig, config, path)
    if held.game not in experiments and not (
        isinstance(experiments, OpenExperiments) and (held.game == named or experiments.known(held.game))
    ):
        flag = game_flag(experiments)
        remedy = f"give {flag} as well" if isinstance(experiments, OpenExperiments) else "choose another run"
        raise UserError(f"{path}: {flag} {held.game!r:.60} is not known here; {remedy}")
    experiment = experiments[held.game]
    for name, known in (("preset", experiment.presets), ("engine", experiment.engines)):
        if getattr(held, name) not in known:
            raise UserError(f"{path}: {name} {getattr(held, name)!r:.60} is not known here; choose another run")
    settings = from_json(experiment.settings_class, held.settings, path)
    return experiment, Choice(held.game, held.preset, held.engine, settings)


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One game that is learned. Subclasses fill in the methods; nothing here imports Keras until it is called."""

    method = "a DQN"  # what learns it
    engines = ("compiled", "readable")  # the loops that there are; the first one is the default
    fixed = ()  # names of settings that mean nothing to it, and have no flag
    panels = None  # the charts of its learning curve, `shared.display.charts.Panel`s; None: the usual ones
    largest_reward = 1.0  # of one step, up or down: values far beyond what it can add up to are a sign of divergence

    package: str  # such as "catch_dqn"; runs go to runs/<package>/
    name: str  # of the game, as --game has it
    title: str  # one line for --help
    presets: dict[str, Settings]  # the first one is the default
    weights_name: str = "game_weights.h5"
    unit: str = "games"

    @property
    def settings_class(self):
        """The dataclass of its settings."""
        return type(next(iter(self.presets.values())))

    def game(self, settings):
        """The rules (`shared.games.contract.Game`)."""
        raise NotImplementedError

    def env(self, settings, **options):
        """The game as a Gymnasium environment; `options`, such as `max_episode_steps`, go to `gymnasium.make`."""
        raise NotImplementedError

    def network(self, settings, outputs):
        """A new network from observations to `outputs` numbers for the learner, its weights from `settings.seed`."""
        raise NotImplementedError

    def model(self, settings):
        """A new Q-network, from observations to action values, its weights from `settings.seed`."""
        learner, num_actions = self.learner(settings), self.game(settings).num_actions
        return learner.head(self.network(settings, learner.outputs(num_actions)), num_actions)

    def figure(self):
        """What a person watches while it trains (`shared.runs.training.Figure`)."""
        raise NotImplementedError

    def evaluate(self, model, settings, episodes, seed):
        """Play greedily. Returns a dict with at least `mean_score`, `ci95` and `episodes`."""
        raise NotImplementedError

    def describe(self, result):
        """What `evaluate` found, as a line or more for people."""
        raise NotImplementedError

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
