"""The command `train` that every experiment offers."""

import argparse
import contextlib
import dataclasses
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from shared.commands import output, whole_run
from shared.commands.parser import Parser, command_line, path_name, settings_from
from shared.commands.trained import add_choice
from shared.dqn.settings import what_stays
from shared.errors import UserError, say, warn
from shared.late import late
from shared.names import SINKS
from shared.options import flag
from shared.runs import logs, preset_file
from shared.runs.folder import CONFIG, Run, latest_run, new_folder
from shared.runs.suite import Choice, Suite

training = late("shared.runs.training")

LATEST = object()  # --resume without a folder


def train(argv: list[str], suite: Suite) -> int:
    """`python -m <package>.train`.

    Args:
        argv: the arguments.
        suite: what can be trained.

    Returns the exit status.
    """
    request = requested(argv, suite)
    logs.require(request.log)
    preset = request.defaults.settings
    if request.resume is not None and request.start is not None:
        raise UserError(f"--from {request.start}: a resumed run goes on from its own weights; leave out one of the two")
    if request.resume is not None and Run(request.resume).finished:
        request = _further(request, argv)
    elif request.resume is None and (told := what_stays(preset, request.choice.settings)):
        warn(told)
    now = request.choice
    if request.resume is None:
        label = f"{now.experiment.name.replace('/', '-')}-{now.preset}-seed{now.settings.seed}"
        run = Run.claim(request.out or new_folder(suite.package, label), request.overwrite)
    else:
        for name, begun_with, value in whole_run.differences(request.defaults, now, suite):
            raise UserError(
                f"{name} {value}: this run was begun with {begun_with}; leave the flag out, or start another run"
            )
        run = Run.open(request.resume)
    with contextlib.closing(run), output.patience():
        began = time.monotonic()
        run.log_to(request.log)
        try:
            trainer = whole_run.trainer_for(now, run.path, request.start)
        except UserError:
            if request.resume is None:
                run.release()
            raise
        if request.resume is None:
            run.begin(whole_run.config_of(suite, now, argv), now.experiment.weights_name)
        return _carry_out(run, trainer, request, suite, began)


def refuse_another(config: dict[str, Any], argv: list[str], suite: Suite, place: Path) -> None:
    """Raise `UserError` unless a run is the one that `train` would make.

    Args:
        config: of the run.
        argv, suite: as for `train`; no run to resume is named.
        place: of the run, for the complaint.
    """
    wanted = requested(argv, suite).choice
    found = suite.of_run(config, place, wanted.experiment.name)
    for name, value, other in whole_run.differences(found, wanted, suite):
        raise UserError(
            f"{place}: a run with {name} {value}, where {other} is wanted; remove it, or let the runs go to "
            "another folder"
        )


class Request(NamedTuple):
    """What a command line asks for."""

    choice: Choice
    defaults: Choice  # what gave the flags their defaults: a preset, or the run to resume
    resume: Path | None  # the folder of that run
    out: Path | None
    overwrite: bool
    log: tuple[str, ...]  # where the rows of metrics are shown too
    keras: bool  # also write the whole network as Keras does
    start: Path | None  # the file of the weights that it begins with; None: random ones


def requested(argv: Sequence[str], suite: Suite) -> Request:
    """What some arguments of `train` ask for.

    Args:
        argv: the arguments.
        suite: what can be trained.

    Raises:
        UserError: if it cannot be done.
    """
    first, defaults, resume, file = _defaults(argv, suite)
    experiment, preset = defaults.experiment, first.preset or defaults.preset
    chosen = " ".join([*suite.named(experiment.name), f"--preset {preset}"])
    parser = Parser(
        suite.command("train"),
        f"Train {experiment.method}: {experiment.title}. The defaults shown are those of {chosen}.",
    )
    _add_choices(parser, suite, experiment, experiment.engines)
    parser.set_defaults(experiment=experiment.name, preset=defaults.preset, engine=defaults.engine)
    parser.add_settings(file.over(defaults.settings) if file else defaults.settings, fixed=experiment.fixed)
    arguments = parser.parse_args(argv)
    try:
        settings = settings_from(arguments, type(defaults.settings))
    except UserError as error:
        raise _with_source(error, argv, defaults.settings, preset, resume) from None
    preset = file.preset if file else arguments.preset
    choice = Choice(suite.find(arguments.experiment), preset, arguments.engine, settings)
    return Request(choice, defaults, resume, first.out, first.overwrite, first.log, first.keras, first.start)


def _with_source(error, argv, then, preset, resume):
    """A complaint about settings, with where the flags come from that it names and nobody gave."""
    given = {word.split("=")[0] for word in argv}
    held = {flag(name): str(value) for name, value in dataclasses.asdict(then).items()}
    named = [(name, value) for name, value in re.findall(r"(--[a-z-]+) ([^\s:;,]+)", str(error)) if name not in given]
    others = dict.fromkeys(f"{name} {value}" for name, value in named if held.get(name) == value)
    source = f"comes with --preset {preset}" if resume is None else f"is that of the run in {resume}"
    return UserError(f"{error} ({' and '.join(others)} {source})") if others else error


def _defaults(argv, suite):
    """The arguments that decide the other flags' defaults, the `Choice` that they make, the run to resume or None, and
    the `PresetFile` that is given or None.
    """
    first = Parser(suite.command("train"), "", add_help=False)
    engines = dict.fromkeys(engine for experiment in suite.experiments.values() for engine in experiment.engines)
    _add_choices(first, suite, suite.find(None), list(engines))
    first.set_defaults(experiment=None, preset=None, engine=None)
    chosen, _ = first.parse_known_args(argv)
    resume = chosen.resume
    if resume is LATEST:
        resume = chosen.out or latest_run(
            suite.package, finished=False, wanted=lambda run: _of_run(run, suite, chosen.experiment)
        )
        if resume is None:
            raise UserError("--resume: there is no unfinished run; name its folder, or train without --resume")
    then = None if resume is None else _of_run(Run(resume), suite, chosen.experiment)
    file = None
    if isinstance(chosen.preset, Path):
        file = preset_file.read(chosen.preset, suite, then.experiment.name if then else chosen.experiment)
    if then:
        return chosen, then, resume, file
    if file:
        settings = file.over(file.experiment.presets[file.preset])
        engine = chosen.engine or file.experiment.engines[0]
        return chosen, Choice(file.experiment, file.preset, engine, settings), None, file
    experiment = suite.find(chosen.experiment)
    preset = chosen.preset or next(iter(experiment.presets))
    if preset not in experiment.presets:
        there = ", ".join(experiment.presets)
        raise UserError(f"--preset {preset}: {experiment.name} has only {there}; give one of these")
    engine = chosen.engine or experiment.engines[0]
    return chosen, Choice(experiment, preset, engine, experiment.presets[preset]), None, None


def _of_run(run, suite, named):
    """The `Choice` of a run on disk."""
    return suite.of_run(run.read_config(), run.path / CONFIG, named)


def _further(request, argv):
    """The `Request` of a new run that goes on from the weights of a finished one, for what it is asked to do more.

    Checkpoints do not outlive a run (CAVE's memory takes 130 MB), so memory and optimizer begin anew. Epsilon and step
    size stay where they had come to; flags that are given change that, like all else.
    """
    run, then, asked = Run(request.resume), request.defaults.settings, request.choice.settings
    summary, rows = run.read_summary(), run.read_metrics()
    lengths = {name: getattr(then, name, None) for name in ("steps", "episodes", "iterations")}
    by_steps = lengths["steps"] is not None and summary["steps"] >= lengths["steps"]
    ended_by = "steps" if by_steps else next(n for n in ("iterations", "episodes", "steps") if lengths[n] is not None)
    left = {ended_by: getattr(asked, ended_by) - lengths[ended_by]}
    if ended_by == "episodes" and asked.steps is not None:
        left["steps"] = asked.steps - int(summary["steps"])
    for name, number in left.items():
        if number <= 0:
            raise UserError(
                f"{run.path}: this run is finished; watch it with --weights, give it more {flag(name)} than "
                f"{getattr(asked, name) - number} to go on, or start another with --out"
            )
    given = {word.split("=")[0] for word in argv}
    stands = {name: value for name, value in then.where_it_ended(rows).items() if flag(name) not in given}
    if stands.get("learning_rate") == 0:
        raise UserError(f"{run.path}: its step size had come to 0; give --learning-rate too, to go on from its weights")
    settings = dataclasses.replace(asked, **stands, **left)
    more = " and ".join(f"{number} {name}" for name, number in left.items())
    held = " and ".join(
        f"{flag(name)} {getattr(settings, name):.3g}"
        for name in ("epsilon", "learning_rate")
        if hasattr(settings, name)
    )
    say(f"{run.path} is finished: its weights go on in a new run, with an empty memory and {held}, for {more} more")
    out = None if request.out == request.resume else request.out
    choice = request.choice._replace(settings=settings)
    return request._replace(choice=choice, resume=None, out=out, start=run.path / choice.experiment.weights_name)


def _preset(text, presets):
    """What stands after `--preset`: a name, or the path of a file."""
    if text in presets:
        return text
    if preset_file.is_file(text):
        return Path(text)
    raise argparse.ArgumentTypeError(f"invalid choice: {text!r} (choose from {', '.join(presets)}, or a .yaml file)")


def _add_choices(parser, suite, experiment, engines):
    add_choice(parser, suite, f"which {suite.flag[2:]} (default: {suite.default})")
    presets = list(dict.fromkeys(name for one in (experiment, *suite.experiments.values()) for name in one.presets))
    parser.add_argument(
        "--preset",
        type=lambda text: _preset(text, presets),
        metavar="|".join([*presets, "FILE"]),
        help="settings as published, or ours, or those in a .yaml file, as a tuning leaves it "
        f"(default: {next(iter(experiment.presets))})",
    )
    if len(engines) > 1:
        parser.add_argument(
            "--engine",
            choices=engines,
            help="compiled: the whole loop as one program; readable: the loop to read "
            f"(default: {experiment.engines[0]})",
        )
    else:
        parser.set_defaults(engine=engines[0])
    parser.add_argument(
        "--keras",
        action="store_true",
        help="also write model.keras, a file with the whole network that keras.saving.load_model reads",
    )
    parser.add_argument(
        "--from",
        dest="start",
        type=path_name,
        metavar="FILE",
        help="begin with these weights, an .h5 or .keras file, not with random ones",
    )
    parser.add_argument(
        "--out", type=path_name, metavar="FOLDER", help="the run's folder (default: a new one in runs/)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the run that is in --out")
    parser.add_argument(
        "--log",
        type=_sinks,
        default=(),
        metavar=",".join(SINKS),
        help="show the rows of metrics.csv there too, and games of the final evaluation; all stays in the run's folder",
    )
    parser.add_argument(
        "--resume",
        nargs="?",
        type=path_name,
        const=LATEST,
        metavar="FOLDER",
        help="go on with an unfinished run: in FOLDER, else in --out, else the latest one; a finished one with more "
        "--episodes or --steps goes on from its weights, as a new run",
    )
    parser.add_compile_cache()


def _carry_out(run, trainer, request, suite, began):
    """Train in a run that was begun, to its end or to a signal. Returns the exit status."""
    choice, resumed = request.choice, request.resume is not None
    weights = run.path / choice.experiment.weights_name
    watch = command_line(suite.command("play"), "--weights", weights)
    try:
        outcome, told = whole_run.carry_out(run, choice, trainer, resume=resumed, keras=request.keras)
    except training.Stopped as stopped:
        words = ["--resume", run.path, *(["--log", ",".join(request.log)] if request.log else [])]
        say(f"stopped and saved; go on with: {command_line(suite.command('train'), *words)}")
        say(f"watch it so far: {watch}")
        return stopped.status
    print(*told, sep="\n")
    say(
        f"{len(outcome.scores)} {choice.experiment.unit}, {outcome.steps} steps in {outcome.seconds:.1f} s of "
        f"training, {time.monotonic() - began:.1f} s {'since it was resumed' if resumed else 'in all'}; "
        f"everything is in {run.path}"
    )
    say(f"watch it: {watch}")
    return 0


def _sinks(text):
    """The sinks that a command line names, with commas between them."""
    names = tuple(dict.fromkeys(text.split(",")))
    for name in names:
        if name not in SINKS:
            raise argparse.ArgumentTypeError(f"{name!r} is no log; give some of {','.join(SINKS)}")
    return names
