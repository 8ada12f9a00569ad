"""Variants of one training, side by side over seeds: `python -m benchmarks.compare NAME`.

Trains every variant of the comparison NAME with every seed, draws score and loss against environment steps as bands
(mean over the seeds and its 95 % interval) into `docs/images/NAME-score.png` and `NAME-loss.png`, and prints the final
evaluations. Finished runs in `runs/compare/` are used again.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from shared.intervals import mean_and_ci95
from shared.plotting import Curve, Panel, bands
from shared.runs import Run

POINTS = 120  # of a curve, common to all seeds
T3_BALL8 = ["catch_dqn", "--game", "ball8", "--preset", "tutorial", "--episodes", "2000"]
COMPARISONS = {
    # The article's plot: clipped Huber loss with both optimizers at the same settings.
    "rmsprop-against-graves": {
        "RMSprop": [*T3_BALL8, "--optimizer", "rmsprop"],
        "RMSPropGraves": [*T3_BALL8, "--optimizer", "rmsprop-graves"],
    },
    "catch-presets": {
        "tutorial": ["catch_dqn", "--preset", "tutorial"],
        "tuned": ["catch_dqn", "--preset", "tuned"],
    },
}


def rows_of(variant, arguments, seed, root):
    """The metrics and the summary of one training; it is run if it was not yet."""
    package, *flags = arguments
    out = root / variant.replace(" ", "-") / f"seed{seed}"
    if not (out / "summary.json").exists():
        command = [sys.executable, "-m", f"{package}.train", *flags, "--seed", str(seed), "--out", str(out)]
        subprocess.run([*command, "--overwrite"], check=True, stdout=subprocess.DEVNULL)
    return Run(out).read_metrics(), json.loads((out / "summary.json").read_text())


def main():
    """Train, draw and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=COMPARISONS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--x", choices=("steps", "episodes"), default="episodes", help="the horizontal axis")
    arguments = parser.parse_args()
    curves = {"score": [], "loss": []}
    for variant, flags in COMPARISONS[arguments.name].items():
        root = Path("runs/compare") / arguments.name
        runs, summaries = zip(*(rows_of(variant, flags, seed, root) for seed in range(arguments.seeds)), strict=True)
        grid = np.linspace(0, max(rows[-1][arguments.x] for rows in runs), POINTS)
        for column, drawn in curves.items():
            lines = []
            for rows in runs:
                known = [row for row in rows if row["loss"] > 0]  # from the first update on
                across, values = ([row[name] for row in known] for name in (arguments.x, column))
                lines.append(np.interp(grid, across, values, left=np.nan, right=np.nan))
            drawn.append(Curve(variant, grid, np.array(lines)))
        mean, ci95 = mean_and_ci95([summary["mean_score"] for summary in summaries])
        print(f"{variant}: mean score {mean:.2f} ± {ci95:.2f} over {arguments.seeds} seeds", flush=True)
    for column, drawn in curves.items():
        panel = Panel(column, column, log=column == "loss")
        bands(Path("docs/images") / f"{arguments.name}-{column}.png", drawn, arguments.x, panel)


if __name__ == "__main__":
    main()
