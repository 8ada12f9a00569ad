"""The command `train` that every experiment offers."""

import contextlib
import dataclasses
import sys
import time
from importlib.metadata import version
from pathlib import Path

from shared.commands.evaluate import EVALUATION_SEED_OFFSET, FINAL_EPISODES
from shared.commands.parser import Parser, settings_from
from shared.errors import UserError
from shared.options import flag
from shared.runs.experiment import add_game_argument, game_flag, of_run
from shared.runs.folder import CONFIG, Run, latest_run, new_folder

CHOICES = ("game", "preset", "engine")  # what else a run is known by, beside its settings


def train(argv, package, experiments):
    """`python -m <package>.train`.

    Args:
        argv: the arguments.
        package: its name.
        experiments: dict of `shared.runs.experiment.Experiment` by name; the first is the default.

    Returns the exit status.
    """
    chosen, config, arguments, settings = _parsed(argv, package, experiments)
    experiment = experiments[arguments.game]
    if chosen.resume is None:
        out = arguments.out or new_folder(
            package, f"{experiment.name.replace('/', '-')}-{arguments.preset}-seed{settings.seed}"
        )
        run, config = Run.claim(out, arguments.overwrite), _config(package, arguments, settings, argv)
    else:
        _refuse_other_settings(arguments, settings, config, experiments)
        run = Run.open(chosen.resume)
        config = None
    with contextlib.closing(run):
        return _train(run, experiment, settings, arguments, config)


def refuse_another(config, argv, package, experiments, path):
    """Raise `UserError` unless a run is the one that `train` would make.

    Args:
        config: of the run.
        argv, package, experiments: as for `train`; no run to resume is named.
        path: of the run, for the complaint.
    """
    _, settings = of_run(config, package, experiments, path)
    _, _, arguments, wanted = _parsed(argv, package, experiments)
    for name, found, value in _differences({**config, "settings": settings}, arguments, wanted, experiments):
        raise UserError(
            f"{path}: a run with {name} {found}, where {value} is wanted; remove it, or let the runs go to "
            "another folder"
        )


def _parsed(argv, package, experiments):
    """What `_what_to_train` returns, then all the arguments and the settings that they make."""
    chosen, config = _what_to_train(argv, package, experiments)
    experiment = experiments[config["game"]]
    parser = Parser(
        f"{package}.train",
        f"Train {experiment.method}: {experiment.title}. The defaults shown are those of "
        f"{f'{game_flag(experiments)} {experiment.name} ' if len(experiments) > 1 else ''}--preset {config['preset']}.",
    )
    _add_choices(parser, experiments, experiment.engines)
    parser.set_defaults(**{name: config[name] for name in CHOICES})
    parser.add_settings(config["settings"], fixed=experiment.fixed)
    arguments = parser.parse_args(argv)
    return chosen, config, arguments, settings_from(arguments, experiment.settings_class)


def _what_to_train(argv, package, experiments):
    """The choices that decide the other flags' defaults: from the arguments, or from the run to resume."""
    first = Parser(f"{package}.train", "", add_help=False)
    _add_choices(first, experiments, list(dict.fromkeys(e for x in experiments.values() for e in x.engines)))
    chosen, _ = first.parse_known_args(argv)
    if chosen.resume == "":
        chosen.resume = chosen.out or latest_run(package, finished=False)
        if chosen.resume is None:
            raise UserError("--resume: there is no unfinished run; name its folder, or train without --resume")
    if chosen.resume is not None:
        run = Run(chosen.resume)
        config = run.read_config()
        _, settings = of_run(config, package, experiments, run.path / CONFIG)
        return chosen, {**config, "settings": settings}
    presets = experiments[chosen.game].presets
    if chosen.preset not in presets:
        raise UserError(f"--preset {chosen.preset}: {chosen.game} has only {', '.join(presets)}; give one of these")
    return chosen, {**vars(chosen), "settings": presets[chosen.preset]}


def _add_choices(parser, experiments, engines):
    default = next(iter(experiments))
    add_game_argument(parser, experiments, default, f"which {game_flag(experiments)[2:]} (default: {default})")
    presets = list(experiments[default].presets)
    parser.add_argument(
        "--preset", choices=presets, default=presets[0], help=f"settings as published, or ours (default: {presets[0]})"
    )
    if any(len(experiment.engines) > 1 for experiment in experiments.values()):
        parser.add_argument(
            "--engine",
            choices=engines,
            default=engines[0],
            help=f"the whole loop as one program, or the loop to read (default: {engines[0]})",
        )
    else:
        parser.set_defaults(engine=engines[0])
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the run goes (default: a new one in runs/)")
    parser.add_argument(
        "--keras",
        action="store_true",
        help="also write model.keras, the whole network as keras.saving.load_model reads it",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the run that is in --out")
    parser.add_argument(
        "--resume",
        nargs="?",
        const="",
        metavar="FOLDER",
        help="go on with an unfinished run: this one, or that in --out, or the latest",
    )


def _config(package, arguments, settings, argv):
    return {
        "experiment": package,
        "game": arguments.game,
        "preset": arguments.preset,
        "engine": arguments.engine,
        "settings": dataclasses.asdict(settings),
        "versions": {
            "python": sys.version.split()[0],
            **{name: version(name) for name in ("tensorflow", "keras", "numpy", "gymnasium")},
        },
        "command": ["python", "-m", f"{package}.train", *argv],
        "began": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def _refuse_other_settings(arguments, settings, config, experiments):
    for name, found, value in _differences(config, arguments, settings, experiments):
        raise UserError(f"{name} {value}: this run was begun with {found}; leave the flag out, or start another run")


def _differences(config, arguments, settings, experiments):
    """In what a run, by its config, is not what is asked for: a list of flags, each with what it is and should be."""
    flags = {"game": game_flag(experiments)}
    then = {name: config[name] for name in CHOICES} | dataclasses.asdict(config["settings"])
    now = {name: getattr(arguments, name) for name in CHOICES} | dataclasses.asdict(settings)
    return [(flags.get(name, flag(name)), then[name], value) for name, value in now.items() if then[name] != value]


def _train(run, experiment, settings, arguments, config):
    """Train in a run that was claimed, and is begun with `config`; or go on with one that was opened (None)."""
    import shared.nn.backend  # noqa: F401  before Keras, to keep TensorFlow quiet
    from shared import storage
    from shared.display import charts
    from shared.runs import training

    began = time.monotonic()
    try:
        trainer = experiment.engine(settings) if arguments.engine == "compiled" else experiment.loop(settings)
    except UserError:
        if config is not None:
            run.release()
        raise
    if config is not None:
        run.begin(config)
    figure = experiment.figure()
    try:
        outcome = training.train(trainer, run, settings, experiment.unit, figure, resume=config is None)
    except training.Stopped as stopped:
        print(f"stopped and saved; go on with: python -m {experiment.package}.train --resume {run.path}")
        return stopped.status
    model = trainer.export()
    weights = run.path / experiment.weights_name
    storage.save_weights(model, weights)
    storage.save_architecture(model, run.path / "model.yaml")
    if arguments.keras:
        storage.save_model(model, run.path / "model.keras")
    axis = ("episodes", experiment.unit) if settings.steps is None else ("steps", "environment steps")
    charts.learning_curve(run.path / "curve.png", run.read_metrics(), experiment.panels, *axis)
    result = experiment.evaluate(model, settings, FINAL_EPISODES, settings.seed + EVALUATION_SEED_OFFSET)
    span = "in all" if config is not None else "since it was resumed"
    last = figure.of(outcome.scores[-training.WINDOW :])
    run.finish({**result, "final_training_score": float(last), "steps": outcome.steps, "seconds": outcome.seconds})
    print(
        f"{figure.name} over the last {training.WINDOW} {experiment.unit} of training: {figure.format.format(last)}\n"
        f"{experiment.describe(result)}\n"
        f"{len(outcome.scores)} {experiment.unit}, {outcome.steps} steps in {outcome.seconds:.1f} s of training, "
        f"{time.monotonic() - began:.1f} s {span}; everything is in {run.path}\n"
        f"watch it: python -m {experiment.package}.play --weights {weights}"
    )
    return 0
