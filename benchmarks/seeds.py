"""One training for each of several seeds: `python -m benchmarks.seeds 5 catch_dqn --preset tutorial`.

Arguments: the number of seeds, the package, then any flags of its `train`. Prints what each `summary.json` says and
the mean with its 95 % interval over the seeds. The runs stay in `runs/seeds/` (or `--runs FOLDER`, given first).
"""

import argparse
import importlib
from pathlib import Path

from shared.commands.comparison import train_once
from shared.commands.parser import command, path_name
from shared.rollouts.intervals import mean_and_ci95, plus_minus


def main(argv):
    """Run the trainings and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=path_name, default=Path("runs/seeds"), help="where the runs go")
    parser.add_argument("seeds", type=int)
    parser.add_argument("package")
    parser.add_argument("flags", nargs=argparse.REMAINDER)
    arguments = parser.parse_args(argv)
    experiments = importlib.import_module(f"{arguments.package}.experiment").EXPERIMENTS
    label = "-".join([arguments.package, *(flag.strip("-") for flag in arguments.flags)])
    summaries = []
    for seed in range(arguments.seeds):
        out = arguments.runs / label / f"seed{seed}"
        summaries.append(train_once(out, arguments.package, experiments, arguments.flags, seed)[1])
        print(f"seed {seed}: " + "  ".join(f"{k} {v:.4g}" for k, v in summaries[-1].items()), flush=True)
    for name in summaries[0]:
        print(f"{name}: {plus_minus(*mean_and_ci95([summary[name] for summary in summaries]), '.4g')}")


if __name__ == "__main__":
    command(main)
