"""One training for each of several seeds: `python -m benchmarks.seeds 5 catch_dqn --preset tutorial`.

Arguments: the number of seeds, the package, then any flags of its `train`. Prints what each `summary.json` says,
and over the seeds the mean and the interquartile mean, each with its 95 % interval. The runs stay in `runs/seeds/` (or
`--runs FOLDER`, given first).
"""

import argparse
import importlib
from pathlib import Path

from benchmarks.measuring import Seeds
from shared.commands.comparison import train_once
from shared.commands.parser import Parser, command, path_name, settings_from, whole_number
from shared.errors import UserError, say
from shared.rollouts.intervals import bracketed, iqm_and_ci95, mean_and_ci95, plus_minus


def suite_of(package):
    """The experiments of a package by its name."""
    try:
        return importlib.import_module(f"{package}.experiment").SUITE
    except (AttributeError, ImportError, TypeError) as error:
        raise UserError(f"{package}: no package with experiments ({error}); give one such as catch_dqn") from error


def main(argv):
    """Run the trainings and print the table."""
    parser = Parser("benchmarks.seeds", __doc__)
    parser.add_argument("--runs", type=path_name, default=Path("runs/seeds"), help="where the runs go")
    parser.add_argument("seeds", type=whole_number, help="trainings, with the seeds 0, 1, 2 and so on")
    parser.add_argument("package", help="such as catch_dqn")
    parser.add_argument("flags", nargs=argparse.REMAINDER, help="of its train")
    arguments = parser.parse_args(argv)
    count = settings_from(arguments, Seeds).seeds
    suite = suite_of(arguments.package)
    label = "-".join([arguments.package, *(flag.strip("-") for flag in arguments.flags)])
    summaries = []
    for seed in range(count):
        out = arguments.runs / label / f"seed{seed}"
        summaries.append(train_once(out, suite, arguments.flags, seed, *(summaries[0] if summaries else ()))[1])
        say(f"seed {seed}: " + "  ".join(f"{k} {v:.4g}" for k, v in summaries[-1].items()))
    for name in summaries[0]:
        values = [summary[name] for summary in summaries]
        mean, middle = plus_minus(*mean_and_ci95(values), ".4g"), bracketed(*iqm_and_ci95(values), ".4g")
        say(f"{name}: mean {mean}, interquartile mean {middle}")


if __name__ == "__main__":
    command(main)
