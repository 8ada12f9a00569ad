"""Settings that suit a task: `python -m shared.tune catch_dqn --trials 20 --seeds 3 -- --preset tuned --steps 20000`."""

import dataclasses
import importlib.util

from shared.commands import output
from shared.commands.parser import Parser, command, command_line, path_name, settings_from
from shared.commands.program import suite_of
from shared.commands.train import requested
from shared.dqn.settings import what_stays
from shared.errors import INTERRUPTED, UserError, say, warn
from shared.late import late
from shared.options import LARGEST, check_limits, option
from shared.study.plan import folder_name
from shared.tune.space import dimensions

report, search, training = late("shared.study.report"), late("shared.tune.search"), late("shared.runs.training")

ROOT = "runs/tunings"
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
    seeds: int = option(3, "runs of each, with the seeds 0, 1, 2 and so on", low=1, high=1000)
    seed: int = option(0, "of what is suggested", low=0, high=LARGEST)
    pruning: bool = option(True, "give up a trial that goes worse than half of those before it")

    def __post_init__(self):
        check_limits(self)


def main(argv: list[str]) -> int:
    """Run the command with a list of arguments; returns its exit status."""
    end = argv.index("--") if "--" in argv else len(argv)
    flags = argv[end + 1 :]
    parser = Parser("shared.tune", ABOUT)
    parser.add_argument("experiment", nargs="?", metavar="EXPERIMENT", help="what is trained")
    parser.add_argument("--env", metavar="ID", help="a Gymnasium environment instead, such as Acrobot-v1")
    parser.add_settings(TuneSettings())
    parser.add_argument(
        "--vary",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="settings to vary: NAME, NAME=LOW:HIGH or NAME=THIS,THAT (default: step size, layers and what else says "
        "how it is tuned)",
    )
    parser.add_argument(
        "--out", type=path_name, metavar="FOLDER", help="the folder of the tuning (default: one in runs/tunings/)"
    )
    parser.add_argument(
        "--storage", type=path_name, metavar="FILE", help="the SQLite database of the trials (default: tune.db in --out)"
    )
    arguments = parser.parse_args(argv[:end])
    settings = settings_from(arguments, TuneSettings)
    if (arguments.experiment is None) == (arguments.env is None):
        raise UserError("name what is to be trained: a package such as catch_dqn, a file such as ring.py, or --env ID")
    if arguments.env is not None:
        flags = ["--env", arguments.env, *flags]
    experiment = arguments.experiment or "shared.dqn"
