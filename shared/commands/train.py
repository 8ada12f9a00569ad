"""The command `train` that every experiment offers."""

import contextlib
import dataclasses
import re
import sys
import time
from importlib.metadata import version

from shared.commands import output
from shared.commands.evaluate import EVALUATION_SEED_OFFSET, FINAL_EPISODES
from shared.commands.parser import Parser, command_line, path_name, settings_from
from shared.errors import UserError
from shared.options import flag
from shared.runs.experiment import Choice, RunConfig, add_game_argument, game_flag, of_run
from shared.runs.folder import ARCHITECTURE, CONFIG, CURVE, Run, latest_run, new_folder

LATEST = object()  # --resume without a folder


def train(argv, package, experiments):
    """`python -m <package>.train`.

    Args:
        argv: the arguments.
        package: its name.
        experiments: dict of `shared.runs.experiment.Experiment` by name; the first is the default.

    Returns the exit status.
    """
    arguments, then, now = _parsed(argv, package, experiments)
    experiment = experiments[now.game]
    if arguments.resume is None:
        label = f"{experiment.name.replace('/', '-')}-{now.preset}-seed{now.settings.seed}"
        run = Run.claim(arguments.out or new_folder(package, label), arguments.overwrite)
        config = _config(package, now, argv)
    else:
        for name, begun_with, value in _differences(then, now, experiments):
            raise UserError(
                f"{name} {value}: this run was begun with {begun_with}; leave the flag out, or start another run"
            )
        run, config = Run.open(arguments.resume), None
    with contextlib.closing(run), output.patience():
        return _train(run, experiment, now, config)


def refuse_another(config, argv, package, experiments, place):
    """Raise `UserError` unless a run is the one that `train` would make.

    Args:
        config: of the run.
        argv, package, experiments: as for `train`; no run to resume is named.
        place: of the run, for the complaint.
    """
    _, _, wanted = _parsed(argv, package, experiments)
    _, found = of_run(config, package, experiments, place, wanted.game)
    for name, value, other in _differences(found, wanted, experiments):
        raise UserError(
            f"{place}: a run with {name} {value}, where {other} is wanted; remove it, or let the runs go to "
            "another folder"
        )


def _parsed(argv, package, experiments):
    """The arguments; the `Choice` that gave the flags their defaults, a preset or the run to resume; that they make."""
    arguments, then = _what_to_train(argv, package, experiments)
    experiment = experiments[then.game]
    parser = Parser(
        f"{package}.train",
        f"Train {experiment.method}: {experiment.title}. The defaults shown are those of "
        f"{f'{game_flag(experiments)} {experiment.name} ' if len(experiments) > 1 else ''}--preset {then.preset}.",
    )
    _add_choices(parser, experiments, experiment.engines)
    parser.set_defaults(game=then.game, preset=then.preset, engine=then.engine)
    parser.add_settings(then.settings, fixed=experiment.fixed)
    parsed = parser.parse_args(argv)
    try:
        settings = settings_from(parsed, experiment.settings_class)
    except UserError as error:
        raise _with_source(error, argv, then, arguments.resume) from None
    parsed.resume = arguments.resume
    return parsed, then, Choice(parsed.game, parsed.preset, parsed.engine, settings)


def _with_source(error, argv, then, resume):
    """A complaint about settings, with where the flags come from that it names and nobody gave."""
    given = {word.split("=")[0] for word in argv}
    held = {flag(name): str(value) for name, value in dataclasses.asdict(then.settings).items()}
    named = [(name, value) for name, value in re.findall(r"(--[a-z-]+) ([^\s:;,]+)", str(error)) if name not in given]
    others = dict.fromkeys(f"{name} {value}" for name, value in named if held.get(name) == value)
    source = f"comes with --preset {then.preset}" if resume is None else f"is that of the run in {resume}"
    return UserError(f"{error} ({' and '.join(others)} {source})") if others else error


def _what_to_train(argv, package, experiments):
    """The arguments that decide the other flags' defaults, and the `Choice` that these make."""
    first = Parser(f"{package}.train", "", add_help=False)
    _add_choices(first, experiments, list(dict.fromkeys(e for x in experiments.values() for e in x.engines)))
    default = first.get_default("game")
    first.set_defaults(game=None)
    chosen, _ = first.parse_known_args(argv)
    if chosen.resume is LATEST:
        chosen.resume = chosen.out or latest_run(
            package, finished=False, wanted=lambda run: _of_run(run, package, experiments, chosen.game)
        )
        if chosen.resume is None:
            raise UserError("--resume: there is no unfinished run; name its folder, or train without --resume")
    if chosen.resume is not None:
        return chosen, _of_run(Run(chosen.resume), package, experiments, chosen.game)
    name = chosen.game or default
    presets = experiments[name].presets
    if chosen.preset not in presets:
        raise UserError(f"--preset {chosen.preset}: {name} has only {', '.join(presets)}; give one of these")
    return chosen, Choice(name, chosen.preset, chosen.engine, presets[chosen.preset])


def _of_run(run, package, experiments, named):
    """The `Choice` of a run on disk."""
    return of_run(run.read_config(), package, experiments, run.path / CONFIG, named)[1]


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
    parser.add_argument(
        "--out", type=path_name, metavar="FOLDER", help="where the run goes (default: a new one in runs/)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the run that is in --out")
    parser.add_argument(
        "--resume",
        nargs="?",
        type=path_name,
        const=LATEST,
        metavar="FOLDER",
        help="go on with an unfinished run: this one, or that in --out, or the latest",
    )


def _config(package, choice, argv):
    """What `config.json` is going to say."""
    return dataclasses.asdict(
        RunConfig(
            experiment=package,
            game=choice.game,
            preset=choice.preset,
            engine=choice.engine,
            settings=dataclasses.asdict(choice.settings),
            versions={
                "python": sys.version.split()[0],
                **{name: version(name) for name in ("tensorflow", "keras", "numpy", "gymnasium")},
            },
            command=("python", "-m", f"{package}.train", *argv),
            began=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        )
    )


def _differences(then, now, experiments):
    """In what two `Choice`s differ: a list of flags, each with what it is there and here."""
    flags = {"game": game_flag(experiments)}
    then, now = (
        {name: value for name, value in choice._asdict().items() if name != "settings"}
        | dataclasses.asdict(choice.settings)
        for choice in (then, now)
    )
    return [(flags.get(name, flag(name)), then[name], value) for name, value in now.items() if then[name] != value]


def _train(run, experiment, choice, config):
    """Train in a run that was claimed, and is begun with `config`; or go on with one that was opened (None)."""
    from shared.runs import training

    began, resume = time.monotonic(), config is None
    try:
        trainer = _trainer(run, experiment, choice)
    except UserError:
        if not resume:
            run.release()
        raise
    if not resume:
        run.begin(config, experiment.weights_name)
    watched = {"unit": experiment.unit, "figure": experiment.figure(), "largest_reward": experiment.largest_reward}
    try:
        outcome = training.train(trainer, run, choice.settings, resume=resume, **watched)
    except training.Stopped as stopped:
        go_on = command_line(f"{experiment.package}.train", "--resume", run.path)
        print(f"stopped and saved; go on with: {go_on}")
        return stopped.status
    _finish(run, experiment, choice.settings, trainer.export(), outcome)
    print(
        f"{len(outcome.scores)} {experiment.unit}, {outcome.steps} steps in {outcome.seconds:.1f} s of training, "
        f"{time.monotonic() - began:.1f} s {'since it was resumed' if resume else 'in all'}; "
        f"everything is in {run.path}\n"
        f"watch it: {command_line(f'{experiment.package}.play', '--weights', run.path / experiment.weights_name)}"
    )
    return 0


def _trainer(run, experiment, choice):
    """What trains. Raises `UserError` where the training cannot be paid for, or what it learns not be saved."""
    from shared import storage
    from shared.commands import affordable

    settings = choice.settings
    affordable.refuse_settings(settings)
    trainer = experiment.engine(settings) if choice.engine == "compiled" else experiment.loop(settings)
    model, rows = trainer.export(), getattr(settings, "batch_size", 0) + settings.games
    affordable.refuse_learning(model, rows, "give a smaller --batch-size, fewer --games or smaller --hidden layers")
    storage.check_architecture(model, run.path / ARCHITECTURE)
    return trainer


def _finish(run, experiment, settings, model, outcome):
    """Leave in the run's folder what training came to, and print how good it is."""
    from shared import storage
    from shared.display import charts
    from shared.runs.training import WINDOW

    storage.save_weights(model, run.path / experiment.weights_name)
    storage.save_architecture(model, run.path / ARCHITECTURE)
    axis = ("episodes", experiment.unit) if settings.steps is None else ("steps", "environment steps")
    charts.learning_curve(run.path / CURVE, run.read_metrics(), experiment.panels, *axis)
    result = experiment.evaluate(model, settings, FINAL_EPISODES, settings.seed + EVALUATION_SEED_OFFSET)
    figure, recent, last = experiment.figure(), outcome.scores[-WINDOW:], None
    if len(recent):
        last = float(figure.of(recent))
        print(f"{figure.name} over the last {WINDOW} {experiment.unit} of training: {figure.format.format(last)}")
    else:
        print(f"no {experiment.unit.removesuffix('s')} ended in training")
    run.finish({**result, "final_training_score": last, "steps": outcome.steps, "seconds": outcome.seconds})
    print(experiment.describe(result))
