"""The curves of several runs as one."""

from collections.abc import Sequence

import numpy as np

from shared.display.charts import Curve
from shared.errors import UserError

POINTS = 120  # of a curve, common to all seeds


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
