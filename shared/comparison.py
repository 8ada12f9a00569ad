"""The same training over several seeds: runs made once and used again, and their curves side by side."""

import json
import subprocess
import sys

import numpy as np

from shared.plotting import Curve
from shared.runs import Run

POINTS = 120  # of a curve, common to all seeds


def train_once(out, package, flags, seed):
    """Train with one seed by the package's own command, unless the run is finished already.

    Args:
        out: the run's folder.
        package: such as `"catch_dqn"`.
        flags: of its `train`, a list of words.
        seed: of the run.

    Returns the rows of its metrics and its summary. Raises `subprocess.CalledProcessError` if the training fails.
    """
    if not (out / "summary.json").exists():
        command = [sys.executable, "-m", f"{package}.train", *flags, "--seed", str(seed), "--out", str(out)]
        subprocess.run([*command, "--overwrite"], check=True, stdout=subprocess.DEVNULL)
    return Run(out).read_metrics(), json.loads((out / "summary.json").read_text())


def curve(label, runs, x, column, log_x=False):
    """What several runs say of `column` along `x`, from the first update on, as far as all of them went.

    Args:
        label: names the curve.
        runs: for each seed the rows of its metrics.
        x, column: names of metrics.
        log_x: points lie as the axis of a logarithmic plot wants them.

    Returns a `shared.plotting.Curve`.
    """
    known = [[row for row in rows if row["loss"] > 0] for rows in runs]
    first, last = max(rows[0][x] for rows in known), min(rows[-1][x] for rows in known)
    grid = np.geomspace(max(first, 1), last, POINTS) if log_x else np.linspace(first, last, POINTS)
    lines = [np.interp(grid, *([row[name] for row in rows] for name in (x, column))) for rows in known]
    return Curve(label, grid, np.array(lines))
