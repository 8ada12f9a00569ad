"""Settings that suit a task, found by trying: `python -m shared.tune catch_dqn --trials 20 -- --preset tuned`."""

import dataclasses
import os
import sys
from pathlib import Path

from shared.commands import output
from shared.commands.parser import Parser, command, command_line, path_name, settings_from
from shared.commands.program import suite_of
from shared.commands.train import requested
from shared.dqn.settings import what_stays
from shared.errors import INTERRUPTED, UserError, say, warn
from shared.late import is_installed, late
from shared.options import LARGEST, check_limits, option
from shared.study.plan import add_experiment, asked, folder_name, refuse_own
from shared.study.pool import THREADS
from shared.tune.space import dimensions

report, search, training = late("shared.study.report"), late("shared.tune.search"), late("shared.runs.training")

ROOT = Path("runs/tunings")
SHOWN = 5  # trials in the table that is printed
ABOUT = """Find settings by trying: Optuna suggests some, a few runs score them, and so on. What goes badly is given up.

EXPERIMENT is a package such as catch_dqn, or the path of a file with a game of your own. What follows -- are flags of
its train command, for all runs:

  python -m shared.tune catch_dqn --vary learning_rate=1e-4:1e-2 optimizer=adam,sgd n_step -- --preset tuned

The same command goes on with a tuning that was stopped. Given while it runs, it joins in as another process.
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TuneSettings:
    """How much is tried."""

    trials: int = option(20, "settings to try, in all", low=1, high=1_000_000)
    seeds: int = option(3, "runs of each, with the seeds 1000, 1001 and so on", low=1, high=1000)
    seed: int = option(0, "of what is suggested", low=0, high=LARGEST)
    pruning: bool = option(True, "give up a trial that goes worse than half of those before it")

    def __post_init__(self):
        check_limits(self)


def main(argv: list[str]) -> int:
    """Run the command with a list of arguments; returns its exit status."""
    parser = Parser("shared.tune", ABOUT)
    add_experiment(parser)
    parser.add_settings(TuneSettings())
    parser.add_argument(
        "--vary",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="settings to vary: NAME, NAME=LOW:HIGH or NAME=THIS,THAT (default: those that have a range for this, such "
        "as learning_rate and hidden)",
    )
    parser.add_argument(
        "--out", type=path_name, metavar="FOLDER", help="the folder of the tuning (default: one in runs/tunings/)"
    )
    parser.add_argument(
        "--storage",
        type=path_name,
        metavar="FILE",
        help="the SQLite database of the trials (default: tune.db in --out)",
    )
    arguments, experiment, flags = asked(parser, argv)
    settings = settings_from(arguments, TuneSettings)
    suite = suite_of(experiment)
    refuse_own(flags, "a tuning")
    first = requested(flags, suite)
    if told := what_stays(first.defaults.settings, first.choice.settings):
        warn(told)
    varied = dimensions(arguments.vary, first.choice, flags)
    if not is_installed("optuna"):
        raise UserError('optuna: is not installed; run pip install ".[tune]"')
    for variable, one in THREADS.items():
        os.environ.setdefault(variable, one)  # before TensorFlow is imported
    out = arguments.out or ROOT / folder_name(" ".join([suite.package, *flags, *arguments.vary]))
    tuning = search.Tuning(
        experiment,
        tuple(flags),
        varied,
        **dataclasses.asdict(settings),
        folder=out,
        storage=arguments.storage or out / "tune.db",
    )
    with output.patience():
        searching = search.Search(tuning, suite)
        say(f"varied: {', '.join(map(str, varied))}")
        try:
            if not searching.run():
                sys.stdout.flush()
                os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
        except (training.Stopped, KeyboardInterrupt) as stopped:
            say(f"stopped and saved; go on with: {command_line('python -m shared.tune', *argv)}")
            return getattr(stopped, "status", INTERRUPTED)
        return _told(tuning, searching, suite)


def _told(tuning, searching, suite):
    """Leave the report, and print what was found; returns the exit status."""
    rows, curves = searching.found()
    if going_on := searching.going_on():
        say(f"{going_on} trials go on in other processes")
    if not rows:
        raise UserError(f"{tuning.folder}: no trial has come to its end; give other ranges, or more --trials")
    report.write(tuning.folder, rows, curves)
    best = {setting.label for setting in report.by_setting(rows)[:SHOWN]}
    for line in report.table([row for row in rows if row["setting"] in best]).splitlines():
        say(line)
    say(f"everything is in {tuning.folder}")
    say(f"train with the best: {command_line(suite.command('train'), '--preset', tuning.folder / search.PRESET)}")
    return 0


if __name__ == "__main__":
    command(main)
