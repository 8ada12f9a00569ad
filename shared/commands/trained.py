"""Finding a trained agent and loading it: for `play` and `evaluate` of every experiment."""

import importlib.resources
import json
from pathlib import Path
from typing import Any, NamedTuple

from shared.errors import UserError
from shared.runs.experiment import add_game_argument, game_flag, of_run
from shared.runs.folder import CONFIG, Run, latest_run


class Trained(NamedTuple):
    """A trained agent."""

    experiment: Any  # the `shared.runs.experiment.Experiment` it was trained in
    settings: Any  # the settings it was trained with
    model: Any  # the Keras Q-network
    weights: Path  # the file it came from


def add_weights_arguments(parser, package, experiments):
    """Add the flags that say which agent is meant."""
    first = next(iter(experiments))
    add_game_argument(
        parser, experiments, None, f"which {game_flag(experiments)[2:]} (default: that of the agent, or {first})"
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="FILE",
        help="architecture that --weights are for, .yaml or .json, as saved here or by Keras; or a whole model in one "
        ".keras or .h5 file (default: the network that the game's agents have)",
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="an .h5 or .keras file (default: the latest finished run, else the agent that comes with the project)",
    )


def load_trained(arguments, package, experiments):
    """The agent that the flags of `add_weights_arguments` name: a `Trained`.

    Where a `config.json` lies beside the weights, as in a run's folder, it says which network they are for; otherwise
    it is the one of the game's first preset.
    """
    game = getattr(arguments, "game", None)
    if arguments.model is not None:
        experiment = experiments[game or next(iter(experiments))]
        return _load_with_model(arguments, experiment, game_flag(experiments) if len(experiments) > 1 else None)
    weights = arguments.weights or _default_weights(package, experiments, game)
    config, path = _config_beside(weights)
    if config.get("game") and game in (None, config["game"]):
        experiment, settings = of_run(config, package, experiments, path)
    else:
        experiment = experiments[game or next(iter(experiments))]
        settings = next(iter(experiment.presets.values()))
    import shared.nn.backend  # noqa: F401  before Keras, to keep TensorFlow quiet
    from shared import storage

    model = experiment.model(settings)
    storage.load_weights(model, weights)
    return Trained(experiment, settings, model, weights)


def _load_with_model(arguments, experiment, flag):
    """An agent whose network a file describes."""
    import shared.nn.backend  # noqa: F401  before Keras, to keep TensorFlow quiet
    from shared.legacy import open_model

    settings = next(iter(experiment.presets.values()))
    model = open_model(arguments.model, arguments.weights)
    game = experiment.game(settings)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UserError(
            f"{arguments.model}: the model takes {len(model.inputs)} arrays and gives {len(model.outputs)}, "
            f"{experiment.name} wants one of each; give another model"
        )
    model = _behind_reshape(model, game.observation_shape)
    for what, found, wanted in (
        ("takes", model.input_shape[1:], game.observation_shape),
        ("gives", model.output_shape[1:], (game.num_actions,)),
    ):
        if tuple(found) != wanted:
            raise UserError(
                f"{arguments.model}: the model {what} arrays of shape {tuple(found)}, {experiment.name} wants {wanted}"
                f"; give {f'what it was trained for with {flag}, or ' if flag else ''}another model"
            )
    return Trained(experiment, settings, model, arguments.weights or arguments.model)


def _behind_reshape(model, shape):
    """The model behind a layer that gives an observation of that shape the axes of size 1 that it takes.

    keras-rl's networks take (1, 4) where CartPole shows (4,): a window of one observation. A model that takes the shape
    itself, or numbers that lie otherwise, is returned as it is.
    """
    import keras

    wanted = tuple(model.input_shape[1:])
    if wanted == shape or [size for size in wanted if size != 1] != [size for size in shape if size != 1]:
        return model
    return keras.Sequential([keras.Input(shape), keras.layers.Reshape(wanted), model], name=model.name)


def _default_weights(package, experiments, game):
    run = latest_run(package, wanted=lambda config: game in (None, config.get("game")))
    name = game or next(iter(experiments))
    folder = run or Path(str(importlib.resources.files(package) / "pretrained" / name))
    if not folder.is_dir():
        which = f" {game_flag(experiments)} {name}" if len(experiments) > 1 else ""
        raise UserError(
            f"--weights: no agent has been trained for {name} yet; run python -m {package}.train{which}, or name a file"
        )
    experiment, _ = of_run(Run(folder).read_config(), package, experiments, folder / CONFIG)
    return folder / experiment.weights_name


def _config_beside(weights):
    """The `config.json` in the folder of a weights file, an empty dict if there is none; and its path."""
    path = weights.parent / CONFIG
    if not path.is_file():
        return {}, path
    try:
        config = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); mend it or move the weights away from it") from error
    return config if isinstance(config, dict) else {}, path
