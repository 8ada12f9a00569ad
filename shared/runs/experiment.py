"""What the commands need to know of one experiment: a game, its settings, its network and how it is judged."""

import dataclasses

from shared.dqn.settings import Settings
from shared.errors import UserError
from shared.options import from_json


class OpenExperiments(dict):
    """Experiments by name, for tasks that are known by their Gymnasium id: there are more than are listed.

    Args:
        listed: dict of `Experiment` by name; the first one is the default.
        make: function: id -> `Experiment`, for those that are not listed. Raises `UserError` for an unknown id.
    """

    flag = "--env"

    def __init__(self, listed, make):
        super().__init__(listed)
        self.make = make

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


def of_run(config, package, experiments, path):
    """The experiment and the settings that a run's config names.

    Args:
        config: what its `config.json` holds.
        package: whose run it should be.
        experiments: of this package, dict of `Experiment` by name.
        path: of the file, for the complaint.

    Raises:
        UserError: if it is the run of another package, or not a config that this program wrote.
    """
    try:
        if config["experiment"] != package:
            raise UserError(f"{path}: a run of {config['experiment']}; use the commands of that package")
        experiment = experiments[config["game"]]
        return experiment, from_json(experiment.settings_class, config["settings"])
    except (AttributeError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not the config of a run ({error!r}); give another folder or file") from error


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One game that is learned. Subclasses fill in the methods; nothing here imports Keras until it is called."""

    method = "a DQN"  # what learns it
    engines = ("compiled", "readable")  # the loops that there are; the first one is the default
    fixed = ()  # names of settings that mean nothing to it, and have no flag
    panels = None  # the charts of its learning curve, `shared.display.charts.Panel`s; None: the usual ones

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

    def model(self, settings):
        """A new Q-network, its weights from `settings.seed`."""
        raise NotImplementedError

    def figure(self):
        """What a person watches while it trains (`shared.runs.training.Figure`)."""
        raise NotImplementedError

    def evaluate(self, model, settings, episodes, seed):
        """Play greedily. Returns a dict with at least `mean_score`, `ci95` and `episodes`."""
        raise NotImplementedError

    def describe(self, result):
        """What `evaluate` found, as a line or more for people."""
        raise NotImplementedError

    def optimizer_and_loss(self, settings):
        """The Keras optimizer and loss that the settings name."""
        from keras.optimizers.schedules import PolynomialDecay

        from shared.nn.losses import LOSSES
        from shared.nn.optimizers import OPTIMIZERS, GeometricDecay

        rate = settings.learning_rate
        if settings.learning_rate_decay:
            updates = max(1, settings.learning_rate_decay // settings.train_every)
            end = settings.learning_rate_end
            if settings.learning_rate_by == "factors":
                rate = GeometricDecay(rate, updates, end)
            else:
                rate = PolynomialDecay(rate, updates, end)
        return OPTIMIZERS[settings.optimizer](rate), LOSSES[settings.loss]()

    def engine(self, settings):
        """The compiled loop for these settings."""
        from shared.dqn.engine import Engine

        optimizer, loss = self.optimizer_and_loss(settings)
        return Engine(self.game(settings), self.model(settings), optimizer, loss, settings)

    def loop(self, settings):
        """The readable loop for these settings."""
        raise NotImplementedError
