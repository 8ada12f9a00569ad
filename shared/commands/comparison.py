"""The same training over several seeds: runs made once and used again, and their curves side by side."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shared.commands.train import refuse_another
from shared.display.charts import Curve
from shared.errors import UserError
from shared.runs.folder import Run
from shared.runs.suite import Suite

POINTS = 120  # of a curve, common to all seeds


def train_once(
    out: Path, suite: Suite, flags: Sequence[str], seed: int, *figures: str
) -> tuple[list[dict[str, float]], dict[str, Any]]:
    """Train with one seed by the package's own command, unless the run is finished already.

    Args:
        out: the run's folder.
        suite: of the package, its `SUITE`.
        flags: of its `train`, a list of words.
        seed: of the run.
        figures: that its summary has to have.

    Returns the rows of its metrics and its summary.

    Raises:
        UserError: if the training fails, or the finished run is of other settings.
    """
    run, argv = Run(out), [*flags, "--seed", str(seed)]
    if run.finished:
        refuse_another(run.read_config(), argv, suite, out)
    else:
        command = [sys.executable, "-m", f"{suite.package}.train", *argv, "--out", str(out), "--overwrite"]
        training = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if training.returncode:
            raise UserError(f"training with {' '.join(argv)} failed: {(training.stderr.splitlines() or ['?'])[-1]}")
        sys.stderr.write(training.stderr)  # its warnings
    return run.read_metrics(), run.read_summary(*figures)


def curve(label: str, runs: Sequence[list[dict[str, float]]], x: str, column: str, log_x: bool = False) -> Curve:
    """What several runs say of `column` along `x`, from the first update on, as far as all of them went.

    Args:
        label: names the curve.
        runs: for each seed the rows of its metrics.
        x, column: names of metrics.
        log_x: points lie as the axis of a logarithmic plot wants them.

    Returns a `Curve`.

    Raises:
        UserError: if a run has no update, or not these metrics.
    """
    known = [[row for row in rows if row.get("loss", 0) > 0 and x in row and column in row] for rows in runs]
    if not all(known):
        raise UserError(f"{label}: a run's metrics.csv has no {column} of an update; let it train longer, or remove it")
    first, last = max(rows[0][x] for rows in known), min(rows[-1][x] for rows in known)
    grid = np.geomspace(max(first, 1), last, POINTS) if log_x else np.linspace(first, last, POINTS)
    lines = [np.interp(grid, [row[x] for row in rows], [row[column] for row in rows]) for rows in known]
    return Curve(label, grid, np.array(lines))
