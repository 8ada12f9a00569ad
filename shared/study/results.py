"""What the runs of a study came to, read from their folders."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.errors import UserError
from shared.late import late
from shared.runs.folder import Run
from shared.study.job import Job
from shared.study.plan import Plan

report, pandas = late("shared.study.report"), late("pandas")


@dataclasses.dataclass(frozen=True)
class Results:
    """What a study found."""

    folder: Path  # of the study
    # For each run a dict: its `setting`, what the grid varies, its `seed` and what its summary says, such as
    # `mean_score`, `steps` and `seconds`; for one that failed, NaN for these and `failed`, why.
    rows: list[dict[str, Any]]
    curves: dict[str, dict[int, list[dict[str, float]]]]  # setting -> seed -> rows of its metrics.csv
    status: int = 0  # the exit status: 1 if a run failed, 130 or 143 if the study was stopped by a signal

    def table(self) -> str:
        """The settings side by side, as a table in Markdown."""
        return report.table(self.rows) if self.rows else "no run is finished"

    def figures(self) -> str:
        """The means of all numbers in the runs' summaries, in the same way."""
        return report.figures(self.rows) if self.rows else ""

    __str__ = _repr_markdown_ = table

    def frame(self) -> Any:
        """The rows as a pandas `DataFrame`.

        Raises:
            UserError: if pandas is not installed.
        """
        try:
            return pandas.DataFrame(self.rows)
        except ImportError:
            raise UserError("frame: needs pandas; run pip install pandas, or use .rows") from None


def results(plan: Plan, failed: Mapping[Job, str]) -> Results:
    """What the runs have left; those that neither ended nor failed are not in it.

    Args:
        plan: of the study.
        failed: why, for each run that did.
    """
    rows: list[dict[str, Any]] = []
    curves: dict[str, dict[int, list[dict[str, float]]]] = {}
    values = {setting.label: setting.values for setting in plan.settings}
    for job in plan.jobs:
        run = Run(job.folder)
        known: dict[str, Any] = {"setting": job.setting, **values[job.setting], "seed": job.seed}
        if run.finished:
            rows.append(known | run.read_summary())
            curves.setdefault(job.setting, {})[job.seed] = run.read_metrics()
        elif job in failed:
            rows.append(known | dict.fromkeys(("mean_score", "steps", "seconds"), math.nan) | {"failed": failed[job]})
    return Results(plan.folder, rows, curves)
