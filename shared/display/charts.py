"""Learning curves as small PNG files.

Matplotlib is imported when something is drawn. Files are drawn on a canvas of their own, without a display and
without touching what else a program may be doing with `matplotlib.pyplot`.
"""

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from shared import files
from shared.late import late
from shared.rollouts.intervals import mean_and_ci95

matplotlib, agg = late("matplotlib"), late("matplotlib.backends.backend_agg")
figures, ticker = late("matplotlib.figure"), late("matplotlib.ticker")

# Eight colours that stay apart for colour-blind readers (Okabe and Ito 2008), the pale yellow left out.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
INK, FAINT = "#333333", "#DDDDDD"
DPI = 110
PANEL = (6.4, 2.9)  # inches; the width of a figure, the height of each of its panels
SHORT, LETTER = 20, 0.09  # letters of a line's name that a figure has room for; inches for each one more
SMOOTH_SHARE = 0.02  # of a curve's points, averaged into one where a curve is smoothed


class Panel(NamedTuple):
    """One of the charts of a `learning_curve`, one above the other.

    `column` is the name of the metric, `label` what the axis says. `limits` fixes the axis (a value of None leaves
    that end free), `percent` writes 0.9 as 90 %, `log` makes the axis logarithmic. `published`: a value to compare
    with, drawn as a dashed line.
    """

    column: str
    label: str
    limits: tuple[float | None, float | None] = (None, None)
    percent: bool = False
    log: bool = False
    published: float | None = None


class Curve(NamedTuple):
    """One line of `bands`: `x` [T] and the values `y` [S, T] of S seeds; NaN where a seed has none."""

    label: str
    x: np.ndarray
    y: np.ndarray


# What a run of this project reports, as far as it does.
PANELS = (
    Panel("win_rate", "win rate, last 100 games", limits=(0, 1), percent=True),
    Panel("score", "mean score, last 100 games"),
    Panel("loss", "loss", log=True),
)


def learning_curve(
    path: str | Path | None,
    rows: Sequence[Mapping[str, float]],
    panels: Sequence[Panel] | None = None,
    x: str = "episodes",
    x_label: str = "games",
    title: str = "",
) -> bytes:
    """Draw the metrics of one run, a chart for each `Panel`, over a common axis.

    Noisy values stand pale behind their moving average. Panels without a single finite value are left out, and an
    axis is only logarithmic where there is something above 0.

    Args:
        path: the PNG file to write, or None.
        rows: the run's metrics, a list of dicts of numbers (`shared.runs.folder.Run.read_metrics`).
        panels: what to draw; default: win rate (or, where that is not reported, score) and loss.
        x: the metric on the horizontal axis.
        x_label: what it is called.
        title: stands above.

    Returns the bytes of the PNG file. Raises `UserError` if it cannot be written.
    """
    if panels is None:
        figure = "score" if not len(_finite(rows, x, "win_rate")[1]) else "win_rate"
        panels = [panel for panel in PANELS if panel.column in (figure, "loss")]
    drawn = [(panel, *_finite(rows, x, panel.column)) for panel in panels]
    drawn = [_drawable(*chart) for chart in drawn if len(chart[2])]
    with _style():
        figure, axes = _figure(max(1, len(drawn)))
        for axis, (panel, across, values), colour in zip(axes, drawn, COLOURS, strict=False):
            smooth = smoothed(values, max(1, round(SMOOTH_SHARE * len(values))))
            if len(values) == 1:
                axis.plot(across, values, "o", color=colour)
            elif np.array_equal(smooth, values):
                axis.plot(across, values, color=colour)
            else:
                axis.plot(across, values, color=colour, alpha=0.25, linewidth=0.8)
                axis.plot(across, smooth, color=colour)
            _dress(axis, panel, has_positive=bool((values > 0).any()))
        axes[-1].set_xlabel(x_label)
        if title:
            axes[0].set_title(title, loc="left")
        return _save(figure, path)


class Line(NamedTuple):
    """One line of `lines`: along `x` [T] the values `y` [T] in a band from `low` to `high` [T], NaN where none is."""

    label: str
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray
    high: np.ndarray


def bands(
    path: str | Path, curves: Sequence[Curve], x_label: str, panel: Panel, title: str = "", log_x: bool = False
) -> None:
    """Draw how several seeds fared: for each `Curve` the mean over its seeds, and the mean's 95 % interval as a band.

    The interval is Student's: mean ± t s / sqrt(S); a single seed has none, and its line no band. The arguments and
    what is raised are those of `lines`, but for `Curve`s.
    """
    drawn = []
    for label, x, y in curves:
        mean, half = (np.asarray(line) for line in mean_and_ci95(y))
        drawn.append(Line(label, x, mean, mean - half, mean + half))
    lines(path, drawn, x_label, panel, title, log_x)


def lines(
    path: str | Path,
    drawn: Sequence[Line],
    x_label: str,
    panel: Panel,
    title: str = "",
    log_x: bool = False,
    stairs: bool = False,
) -> None:
    """Draw lines, each in its own colour with its band behind it and its name at its right end.

    Args:
        path: the PNG file to write.
        drawn: up to seven `Line`s; more cannot be told apart. One without a value is left out; its colour is too.
        x_label: what the horizontal axis says.
        panel: the vertical axis; its `column` is not used.
        title: stands above.
        log_x: the horizontal axis is logarithmic.
        stairs: a value holds until the next `x`; the horizontal axis, of scores, begins where the lines do.

    Raises `UserError` if the file cannot be written.
    """
    with _style():
        figure, (axis,) = _figure(1)
        longest = max((len(line.label) for line in drawn), default=0)
        figure.set_size_inches(PANEL[0] + LETTER * max(0, longest - SHORT), 1.3 * PANEL[1])
        ends, positive = [], False
        for line, colour in zip(drawn, COLOURS[: len(drawn)], strict=True):
            known = np.isfinite(line.y)
            across, y, low, high = (np.asarray(column)[known] for column in line[1:])
            if not len(y):
                continue
            positive = positive or bool((y > 0).any())
            axis.plot(across, y, color=colour, drawstyle="steps-post" if stairs else "default")
            step = "post" if stairs else None
            axis.fill_between(across, low, high, color=colour, alpha=0.18, linewidth=0, step=step)
            ends.append((y[-1], line.label, colour))
        _dress(axis, panel, positive)
        if log_x:
            axis.set_xscale("log")
        if stairs:
            axis.xaxis.set_major_formatter(ticker.ScalarFormatter())
        if log_x or stairs or any((line.x < 0).any() for line in drawn):
            axis.set_xlim(left=min(line.x[0] for line in drawn if len(line.x)))
        axis.set_xlabel(x_label)
        if title:
            axis.set_title(title, loc="left")
        _name_lines(axis, ends)
        _save(figure, path)


class Shares(NamedTuple):
    """One of the charts of `shares`: `x` [T] and for each part its share `y` [N, T] of a whole of 1."""

    x_label: str
    x: np.ndarray
    y: np.ndarray


def shares(path: str | Path, charts: Sequence[Shares], names: Sequence[str], y_label: str, title: str = "") -> None:
    """Draw how the parts of a whole change along an axis: coloured areas on top of each other, chart under chart.

    Args:
        path: the PNG file to write.
        charts: a list of `Shares`.
        names: of the N parts, at most seven, from the lowest area to the highest.
        y_label: what the vertical axes say.
        title: stands above.

    Raises `UserError` if the file cannot be written.
    """
    with _style():
        figure, axes = _figure(len(charts), sharex=False)
        for axis, (x_label, x, y) in zip(axes, charts, strict=True):
            axis.stackplot(x, y, colors=COLOURS, labels=names, alpha=0.85, linewidth=0)
            axis.set_xlim(x[0], x[-1])
            axis.set_ylim(0, 1)
            axis.set_xlabel(x_label)
            axis.set_ylabel(y_label)
            axis.yaxis.set_major_formatter(ticker.PercentFormatter(xmax=1, decimals=0))
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles[::-1], labels[::-1], loc="outside right upper", frameon=False)
        if title:
            axes[0].set_title(title, loc="left")
        _save(figure, path)


def smoothed(values: ArrayLike, window: int) -> np.ndarray:
    """The mean of each value and its neighbours, `window` values wide or fewer at the ends; float64 [T]."""
    values = np.asarray(values, np.float64)
    before, after = (window - 1) // 2, window // 2
    sums = np.concatenate([[0.0], np.cumsum(values)])
    index = np.arange(len(values))
    low, high = np.maximum(index - before, 0), np.minimum(index + after + 1, len(values))
    return (sums[high] - sums[low]) / (high - low)


def _drawable(panel, across, values):
    """A chart without what a logarithmic axis cannot show: a loss of 0 stands for updates not yet made."""
    if panel.log and (values > 0).any():
        across, values = across[values > 0], values[values > 0]
    return panel, across, values


def _finite(rows, x, column):
    """The metric's finite values and where they stand, both float64 [T]."""
    pairs = [(float(row[x]), float(row[column])) for row in rows if row.get(column) not in (None, "")]
    pairs = [pair for pair in pairs if all(map(math.isfinite, pair))]
    across, values = np.array(pairs, np.float64).reshape(-1, 2).T
    return across, values


def _style():
    return matplotlib.rc_context(
        {
            "font.size": 9.5,
            "axes.titlesize": 11,
            "axes.titleweight": "bold",
            "axes.titlepad": 10,
            "axes.edgecolor": FAINT,
            "axes.labelcolor": INK,
            "axes.titlecolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "text.color": INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": FAINT,
            "grid.linewidth": 0.6,
            "axes.axisbelow": True,
            "xtick.major.size": 0,
            "ytick.major.size": 0,
            "lines.linewidth": 1.6,
            "lines.solid_capstyle": "round",
        }
    )


def _figure(panels, sharex=True):
    height = 0.4 + PANEL[1] * panels * (1 if panels == 1 else 0.85)
    figure = figures.Figure(figsize=(PANEL[0], height), layout="constrained")
    agg.FigureCanvasAgg(figure)
    axes = figure.subplots(panels, 1, sharex=sharex, squeeze=False)[:, 0]
    figure.align_ylabels(axes)
    return figure, axes


def _dress(axis, panel, has_positive):
    axis.set_ylabel(panel.label)
    axis.xaxis.set_major_formatter(ticker.EngFormatter(sep=""))
    if panel.percent:
        axis.yaxis.set_major_formatter(ticker.PercentFormatter(xmax=1, decimals=0))
    if panel.log and has_positive:
        axis.set_yscale("log")
    axis.set_ylim(*panel.limits)
    axis.margins(x=0.02)
    axis.set_xlim(left=0)
    if panel.published is not None:
        axis.axhline(panel.published, color=INK, linestyle=(0, (4, 3)), linewidth=0.9)
        axis.annotate(
            "published",
            (0, panel.published),
            xycoords=("axes fraction", "data"),
            xytext=(4, 3),
            textcoords="offset points",
            fontsize=8,
        )


def _name_lines(axis, ends):
    """Write each line's name beside its right end, pushed apart where names would overlap."""
    axis.figure.draw_without_rendering()  # settles the layout, so that values can be turned into points
    to_points = 72 / axis.figure.dpi
    spacing = 12.0  # points from one name to the next
    wanted = [axis.transData.transform((0, y))[1] * to_points for y, *_ in ends]
    heights, order = list(wanted), np.argsort(wanted)
    floor, ceiling = -math.inf, axis.bbox.y1 * to_points - spacing / 2
    for index in order:
        heights[index] = max(heights[index], floor)
        floor = heights[index] + spacing
    for index in order[::-1]:
        heights[index] = min(heights[index], ceiling)
        ceiling = heights[index] - spacing
    for height, before, (y, label, colour) in zip(heights, wanted, ends, strict=True):
        axis.annotate(
            label,
            (1, y),
            xycoords=("axes fraction", "data"),
            xytext=(6, height - before),
            textcoords="offset points",
            va="center",
            color=colour,
            fontweight="bold",
            annotation_clip=False,
        )


def _save(figure, path):
    """The bytes of a PNG file, which is written unless `path` is None."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=DPI, metadata={"Software": None})
    # Few colours are used: a palette makes the file a third as large.
    image, data = Image.open(data).convert("RGB"), io.BytesIO()
    image.quantize(128, dither=Image.Dither.NONE).save(data, format="PNG", optimize=True)
    if path is not None:
        files.write_bytes(path, data.getvalue())
    return data.getvalue()
