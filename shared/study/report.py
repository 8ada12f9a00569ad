"""What a study found: a table, the runs as CSV, learning curves, performance profiles, and which setting is better.

Rows are dicts, one for each run:

| key | value |
|---|---|
| `setting` | the label of its setting, a word or more |
| `seed` | int |
| `mean_score`, `steps`, `seconds` | of its summary; `mean_score` is NaN where the run failed |
| `failed` | why it failed, in a run that did; else missing or empty |
| others | the settings that differ, and what else its summary says: as columns of the CSV |

A run that failed counts as worse than every other: where more than a quarter of the runs of a setting failed, it has no
interquartile mean. Only the curves, and the medians of steps and seconds, are those of the runs that came to their end.
Nothing here depends on the order of the rows.
"""

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shared import files
from shared.display import charts
from shared.errors import one_line
from shared.rollouts.intervals import (
    bracketed,
    improvement_and_ci95,
    interquartile_mean,
    iqm_and_ci95,
    mean_and_ci95,
    plus_minus,
    profile_and_ci95,
)

RUNS, TABLE, PROFILES, CURVES = "study.csv", "study.md", "profiles.png", "curves.png"
WRITTEN = (RUNS, TABLE, PROFILES, CURVES)
LAST_COLUMNS = ("failed", "seconds")  # of the CSV
MOST = len(charts.COLOURS)  # settings that a picture and a matrix show: the best ones
POINTS = 120  # of a curve, common to all seeds
CURVE_RESAMPLES = 1000  # for the interval of each of these points
SCORE = ".4g"  # how scores are written
COSTS = (("steps", ",.0f"), ("seconds", ".1f"))  # and what a run costs

Row = Mapping[str, Any]
Curves = Mapping[str, Mapping[int, Sequence[Mapping[str, float]]]]  # setting -> seed -> rows of its metrics.csv


class Setting(NamedTuple):
    """What is known of one setting."""

    label: str
    rows: list[Row]  # by seed

    @property
    def scores(self) -> np.ndarray:
        """Of its runs, float64 [S]; minus infinity for one that failed."""
        scores = np.array([row["mean_score"] for row in self.rows], np.float64)
        return np.where(np.isfinite(scores), scores, -np.inf)

    @property
    def finished(self) -> list[Row]:
        """The rows of the runs that came to their end."""
        return [row for row in self.rows if math.isfinite(row["mean_score"])]


def by_setting(rows: Iterable[Row]) -> list[Setting]:
    """The rows of each setting, the setting of the highest interquartile mean first."""
    found: dict[str, list[Row]] = {}
    for row in sorted(rows, key=_place):
        found.setdefault(row["setting"], []).append(row)
    settings = [Setting(label, held) for label, held in found.items()]
    return sorted(settings, key=lambda one: (-interquartile_mean(one.scores), -len(one.finished)))


def table(rows: Sequence[Row]) -> str:
    """A table of the settings, the best one first, in Markdown that is aligned for a terminal too.

    Of the runs of each setting: the interquartile mean of their scores with its 95 % interval, the median, the worst,
    the chance that a run of the best setting scores higher than one of this, how many runs there are and how many of
    them failed, and the medians of their environment steps and of their seconds.
    """
    settings = by_setting(rows)
    return _markdown([_line(setting, settings) for setting in settings])


def figures(rows: Sequence[Row]) -> str:
    """All numbers that the summaries of the runs have, as a table like that of `table`.

    For each setting and number: the mean over the runs that came to their end, and its 95 % interval (Student's t).
    """
    settings = by_setting(rows)
    told = dict.fromkeys(name for row in rows for name, value in row.items() if isinstance(value, (int, float)))
    names = [name for name in told if name not in ("seed", *dict(COSTS))]
    lines = [{"mean ± 95 %": one.label, **{name: _mean(one, name) for name in names}} for one in settings]
    return _markdown(lines)


def write(folder: str | Path, rows: Sequence[Row], curves: Curves) -> list[Path]:
    """Leave in a folder what a study found: `WRITTEN`; what of it is there is replaced.

    Args:
        folder: is there.
        rows: of all runs, at least one.
        curves: for each setting and seed the rows of the run's `metrics.csv`.

    Returns the paths of the files.

    Raises:
        UserError: if a file cannot be written.
    """
    folder, settings = Path(folder), by_setting(rows)
    files.write_bytes(folder / RUNS, _csv(rows).encode())
    _draw_profiles(folder / PROFILES, settings)
    _draw_curves(folder / CURVES, settings, curves)
    files.write_bytes(folder / TABLE, _page(rows, settings).encode())
    return [folder / name for name in WRITTEN]


def _place(row):
    """Where a row stands: "n=8" before "n=16"."""
    words = re.split(r"(\d+)", row["setting"])
    return [int(word) if word.isdigit() else word for word in words], row["setting"], row["seed"]


def _line(setting, settings):
    """A row of the table: texts by the names of the columns."""
    scores, finished, best = setting.scores, setting.finished, settings[0]
    middle, low, high = iqm_and_ci95(scores)
    others = {} if len(settings) == 1 else {"P(best > this)": "" if setting is best else _chance(best, setting)}
    return {
        "setting": setting.label,
        "score: IQM [95 %]": bracketed(middle, low, high, SCORE) if math.isfinite(middle) else "failed",
        "median": _score(np.median(scores)),
        "worst": _score(scores.min()),
        **others,
        "runs": str(len(scores)),
        "failed": str(len(scores) - len(finished)),
        **{name: f"{np.median([row[name] for row in finished]):{spec}}" if finished else "-" for name, spec in COSTS},
    }


def _chance(one, other):
    return bracketed(*improvement_and_ci95(one.scores, other.scores), ".2f")


def _mean(setting, name):
    known = [row[name] for row in setting.finished if name in row]
    return plus_minus(*mean_and_ci95(known), SCORE) if known else "-"


def _score(value):
    return f"{value:{SCORE}}" if math.isfinite(value) else "failed"


def _markdown(lines):
    """Dicts of texts as a table: the first column to the left, numbers to the right."""
    cells = [list(lines[0]), *(list(line.values()) for line in lines)]
    cells = [[text.replace("|", "\\|") for text in row] for row in cells]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rules = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    first, *rest = (
        [row[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))]
        for row in cells
    )
    return "\n".join(f"| {' | '.join(row)} |" for row in (first, rules, *rest))


def _page(rows, settings):
    """The report as Markdown."""
    told = (
        "Score: the interquartile mean of the runs' `mean_score`, with its 95 % bootstrap interval (Agarwal et al. "
        "2021). P(X > Y): the chance that a run of X scores higher than one of Y. A run that failed counts as worse "
        "than every other; curves, steps and seconds are those of the others."
    )
    parts = ["# What the study found", table(rows), told]
    if failures := [row for row in sorted(rows, key=_place) if not math.isfinite(row["mean_score"])]:
        listed = [f"- {row['setting']}, seed {row['seed']}: {one_line(row.get('failed') or '?')}" for row in failures]
        parts += ["## Runs that failed", "\n".join(listed)]
    parts += ["## All that the runs say of themselves", figures(rows)]
    if len(settings) > 1:
        lines = [
            {
                "X": one.label,
                **{f"Y: {other.label}": "" if one is other else _chance(one, other) for other in settings[:MOST]},
            }
            for one in settings[:MOST]
        ]
        parts += ["## P(X > Y)", _markdown(lines)]
    if len(settings) > MOST:
        parts.append(f"Here and in the pictures: the best {MOST} of {len(settings)} settings.")
    parts += [f"![Fraction of the runs above a score]({PROFILES})", f"![Scores in training]({CURVES})"]
    return "\n\n".join(parts) + "\n"


def _csv(rows):
    """All runs, by setting and seed; what is not known is empty."""
    rows = sorted(rows, key=_place)
    columns = list(dict.fromkeys(name for row in rows for name in row if name not in LAST_COLUMNS))
    columns += [name for name in LAST_COLUMNS if any(name in row for row in rows)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)
    return text.getvalue()


def _cell(value):
    """A value as the command line has it."""
    if isinstance(value, (tuple, list)):
        return " ".join(map(str, value))
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value


def _draw_profiles(path, settings):
    """Which fraction of the runs of each setting scores above what."""
    scores = np.unique([row["mean_score"] for setting in settings for row in setting.finished] or [0.0])
    margin = 0.05 * (scores[-1] - scores[0]) or 1.0
    thresholds = np.array([scores[0] - margin, *scores, scores[-1] + margin])
    drawn = [
        charts.Line(setting.label, thresholds, *profile_and_ci95(setting.scores, thresholds))
        for setting in settings[:MOST]
    ]
    panel = charts.Panel("", "runs above the score", limits=(0, 1.02), percent=True)
    charts.lines(path, drawn, "score", panel, stairs=True)


def _draw_curves(path, settings, curves):
    """Scores in training: the interquartile mean over the runs of each setting, and its 95 % interval."""
    drawn = [_curve(setting, curves.get(setting.label, {})) for setting in settings[:MOST]]
    charts.lines(path, drawn, "environment steps", charts.Panel("score", "score in training, last 100 episodes"))


def _curve(setting, runs):
    """The line of a setting, as far as all of its runs went that came to their end; without points if there is none."""
    known = [_known(runs.get(row["seed"], ())) for row in setting.finished]
    known = [run for run in known if len(run[0])]
    first, last = max((steps[0] for steps, _ in known), default=1), min((steps[-1] for steps, _ in known), default=0)
    if first > last:
        return charts.Line(setting.label, *np.empty((4, 0)))
    x = np.linspace(first, last, POINTS)
    scores = np.array([np.interp(x, *run) for run in known])  # [S, T]
    return charts.Line(setting.label, x, *iqm_and_ci95(scores, resamples=CURVE_RESAMPLES))


def _known(rows):
    """Steps and scores of the rows that have both, float64 [T] each."""
    pairs = [(row["steps"], row["score"]) for row in rows if math.isfinite(row.get("score", math.nan))]
    return np.array(pairs, np.float64).reshape(-1, 2).T
