"""Finding a trained agent and loading it: for `play` and `evaluate` of every experiment."""

import argparse
import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared import files
from shared.commands import affordable
from shared.commands.parser import Parser, command_line, path_name, whole_number
from shared.errors import UserError
from shared.late import late
from shared.nn.numpy_network import NumpyNetwork
from shared.runs.experiment import Experiment
from shared.runs.folder import ARCHITECTURE, CONFIG, Run, latest_run
from shared.runs.suite import Suite

keras, storage, legacy = late("keras"), late("shared.storage"), late("shared.legacy")
threadpoolctl, without_keras = late("threadpoolctl"), late("shared.model_files.without_keras")

# Multiplications for all observations that come at once, up to which NumPy has scored the games before Keras has. (Two
# cores: 1000 episodes of CartPole and 16 games of Catch-ball on 16x16 are below it; Keras takes two seconds to begin.)
WORK_OF_NUMPY = 12_000_000


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained agent."""

    experiment: Experiment  # that it was trained in
    settings: Any  # the settings it was trained with
    weights: Path  # the file it came from
    in_numpy: NumpyNetwork | None  # its network, where NumPy can compute it
    load: Callable[[], Any]  # makes the same as a Keras model

    @functools.cached_property
    def model(self) -> Any:
        """The network as a Keras model."""
        return self.load()

    def network(self, rows: int = 1) -> Any:
        """The network for so many observations at once: in NumPy, or as a Keras model where that is done sooner."""
        if self.in_numpy is not None and rows * self.in_numpy.work <= WORK_OF_NUMPY:
            # Products this small gain nothing by a second thread, and wait for it wherever the machine is busy.
            threadpoolctl.threadpool_limits(1, "blas")
            return self.in_numpy
        return self.model

    @property
    def about(self) -> str:
        """Who plays, for a page."""
        method = self.experiment.method
        return (
            f"{method[0].upper()}{method[1:]} of {self.network().count_params():,} weights plays. "
            "Watch what it thinks of each action, play yourself, or play against it."
        )


def add_choice(parser: Parser, suite: Suite, meaning: str) -> None:
    """Add the flag that chooses an experiment, if there is a choice; parsed, it is `experiment`, None by default."""
    names = list(suite.experiments)
    if suite.make is not None:
        parser.add_argument(
            suite.flag, dest="experiment", metavar="|".join([*names, "ID"]), help=f"{meaning}; or a Gymnasium id"
        )
    elif suite.has_choice:
        parser.add_argument(suite.flag, dest="experiment", choices=names, help=meaning)
    else:
        parser.set_defaults(experiment=None)


def add_weights_arguments(parser: Parser, suite: Suite) -> None:
    """Add the flags that say which agent is meant."""
    add_choice(parser, suite, f"which {suite.flag[2:]} (default: that of the agent, or {suite.default})")
    parser.add_argument(
        "--model",
        type=path_name,
        metavar="FILE",
        help="the network that --weights belong to, a .yaml or .json file written here or by Keras; or a whole model, "
        "one .keras or .h5 file (default: the network that the game's agents have)",
    )
    parser.add_argument(
        "--weights",
        type=path_name,
        metavar="FILE",
        help="an .h5 or .keras file (default: the latest finished run, else the agent that comes with the project)",
    )
    holding = [experiment.name for experiment in suite.experiments.values() if experiment.holds]
    if holding:
        parser.add_argument(
            "--hold",
            type=whole_number,
            metavar="INT",
            help=f"steps from one decision to the next, for {suite.flag} {', '.join(holding)} (default: 1)",
        )


def load_trained(arguments: argparse.Namespace, suite: Suite) -> Trained:
    """The agent that the flags of `add_weights_arguments` name: a `Trained`.

    Where a `config.json` lies beside the weights, as in a run's folder, it says which network they are for; otherwise
    it is the one of the game's first preset. Keras is imported only where it is needed to compute the network.

    Raises:
        UserError: for files that cannot be loaded, and for a network of another shape than the game's.
    """
    trained = _load(arguments, suite) if arguments.model is None else _load_with_model(arguments, suite)
    if trained.in_numpy is None:
        trained.model  # noqa: B018  or it says what is wrong
    hold = getattr(arguments, "hold", None)
    if hold is None:
        return trained
    if not trained.experiment.holds:
        raise UserError(f"--hold {hold}: an agent of {trained.experiment.name} decides at every step; leave it out")
    return dataclasses.replace(trained, settings=dataclasses.replace(trained.settings, hold=hold))


def _load(arguments, suite):
    """An agent whose network its settings describe."""
    named = arguments.experiment
    weights = arguments.weights or _default_weights(suite, named)
    config = _config_beside(weights)
    in_numpy = None
    if config is not None and named in (None, config.get("game")):
        choice = suite.of_run(config, weights.parent / CONFIG, named)
        experiment, settings = choice.experiment, choice.settings
        described = weights.parent / ARCHITECTURE
        found = without_keras.numpy_network(described, weights)
        in_numpy = found if found and _fits(found, experiment.spaces(settings)) else None
    else:
        experiment = suite.find(named)
        settings = experiment.first_settings

    def load():
        if in_numpy is not None:
            return legacy.open_model(described, weights)  # the same files: the same network
        affordable.refuse_settings(settings)
        model = experiment.model(settings)
        storage.load_weights(model, weights)
        return model

    return Trained(experiment, settings, weights, in_numpy, load)


def _fits(network, spaces):
    """Whether a network in NumPy is one for a game."""
    return (network.observation_shape, network.output_shape) == (spaces.observation_shape, (spaces.num_actions,))


def _load_with_model(arguments, suite):
    """An agent whose network a file describes."""
    experiment = suite.find(arguments.experiment)
    weights = arguments.weights or arguments.model
    found = without_keras.numpy_network(arguments.model, weights)
    if found:
        settings = experiment.settings_for(found.observation_shape)
        if _fits(found, experiment.spaces(settings)):
            return Trained(experiment, settings, weights, found, lambda: _open(arguments, suite, experiment)[0])
    model, settings = _open(arguments, suite, experiment)
    return Trained(experiment, settings, weights, None, lambda: model)


def _open(arguments, suite, experiment):
    """The Keras model that a file describes, which fits the game, and the settings that fit it."""
    model = legacy.open_model(arguments.model, arguments.weights)
    settings = experiment.settings_for(tuple(model.input_shape[1:]) if len(model.inputs) == 1 else ())
    spaces = experiment.spaces(settings)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UserError(
            f"{arguments.model}: the model takes {len(model.inputs)} arrays and gives {len(model.outputs)}, "
            f"{experiment.name} wants one of each; give another model"
        )
    model = _behind_reshape(model, spaces.observation_shape)
    for what, found, wanted in (
        ("takes", model.input_shape[1:], spaces.observation_shape),
        ("gives", model.output_shape[1:], (spaces.num_actions,)),
    ):
        if tuple(found) != wanted:
            other = f"what it was trained for with {suite.flag}, or " if suite.has_choice else ""
            raise UserError(
                f"{arguments.model}: the model {what} arrays of shape {tuple(found)}, {experiment.name} wants {wanted}"
                f"; give {other}another model"
            )
    return model, settings


def _behind_reshape(model, shape):
    """The model behind a layer that gives an observation of that shape the axes of size 1 that it takes.

    keras-rl's networks take (1, 4) where CartPole shows (4,): a window of one observation. A model that takes the shape
    itself, or numbers that lie otherwise, is returned as it is.
    """
    wanted = tuple(model.input_shape[1:])
    if wanted == shape or [size for size in wanted if size != 1] != [size for size in shape if size != 1]:
        return model
    return keras.Sequential([keras.Input(shape), keras.layers.Reshape(wanted), model], name=model.name)


def _default_weights(suite, named):
    def weights_of(run):
        """The weights in a run's folder, or None if it is of another experiment."""
        config = run.read_config()
        if named not in (None, config.get("game")):
            return None
        weights = run.path / suite.of_run(config, run.path / CONFIG, named).experiment.weights_name
        if not weights.is_file():
            raise UserError(f"{weights}: is missing")
        return weights

    name, folder = named or suite.default, latest_run(suite.package, wanted=weights_of)
    folder = folder or suite.shipped(name)
    if folder is None:
        suite.find(name)  # or it says that there is no such game
        train = command_line(suite.command("train"), *suite.named(name))
        raise UserError(f"--weights: no agent has been trained for {name} yet; run {train}, or name a file")
    return weights_of(Run(folder))


def _config_beside(weights):
    """The config of the run that a weights file lies in, a dict; None if it lies elsewhere."""
    config = weights.parent / CONFIG
    held = files.read_json(config) if config.exists() else None
    return held if isinstance(held, dict) and "experiment" in held else None
