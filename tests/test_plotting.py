"""Learning curves, bands over seeds, and the window."""

import itertools
import sys
import time
import warnings

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from shared.commands.comparison import curve
from shared.display import charts
from shared.display.charts import Curve, Line, Panel, bands, learning_curve, lines, smoothed
from shared.errors import UserError
from shared.games.window import Window
from shared.rollouts.intervals import bracketed, interquartile_mean, iqm_and_ci95, mean_and_ci95, plus_minus


@pytest.fixture
def figures(monkeypatch):
    """The figures that are saved, as they are at that moment."""
    saved, save = [], charts._save

    def note(figure, path):
        saved.append(figure)
        return save(figure, path)

    monkeypatch.setattr(charts, "_save", note)
    return saved


def rows(count, **columns):
    """Metrics as a run reports them."""
    return [
        {"episodes": 10.0 * (i + 1), **{name: float(values[i]) for name, values in columns.items()}}
        for i in range(count)
    ]


class TestFigures:
    def test_smoothed(self):
        np.testing.assert_allclose(smoothed([1, 2, 6, 3], 1), [1, 2, 6, 3])
        np.testing.assert_allclose(smoothed([1, 2, 6, 3], 2), [1.5, 4, 4.5, 3])
        np.testing.assert_allclose(smoothed([1, 2, 6, 3], 3), [1.5, 3, 11 / 3, 4.5])
        np.testing.assert_allclose(smoothed([1, 2, 6, 3], 9), [3, 3, 3, 3])

    def test_mean_and_ci95_of_three_seeds_by_hand(self):
        mean, half = mean_and_ci95([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
        np.testing.assert_allclose(mean, [2.0, 5.0])
        np.testing.assert_allclose(half, [4.303 / np.sqrt(3), 0.0])  # t with 2 degrees of freedom, s = 1

    def test_mean_and_ci95_where_seeds_are_missing(self):
        nan = np.nan
        mean, half = mean_and_ci95([[1.0, 1.0, nan], [3.0, nan, nan]])
        np.testing.assert_allclose(mean, [2.0, 1.0, nan])
        np.testing.assert_allclose(half, [12.706 * np.sqrt(2) / np.sqrt(2), nan, nan])

    def test_a_single_value_has_no_interval(self):
        for single in ([5.0], [5.0, np.nan]):
            mean, half = mean_and_ci95(single)
            assert mean == 5.0
            assert np.isnan(half)
        np.testing.assert_array_equal(iqm_and_ci95([5.0]), [5.0, np.nan, np.nan])

    @pytest.mark.parametrize(
        ("ci95", "text"),
        [(0.44, "12.3 ± 0.4"), (0.0, "12.3 ± 0.0"), (np.nan, "12.3"), (None, "12.3")],
    )
    def test_what_has_no_interval_is_written_without(self, ci95, text):
        assert plus_minus(12.34, ci95, ".1f") == text

    def test_an_interval_in_brackets(self):
        assert bracketed(12.34, 11.9, 12.84, ".1f") == "12.3 [11.9, 12.8]"
        assert bracketed(*iqm_and_ci95([5.0]), ".1f") == "5.0"

    def test_the_band_covers_the_mean_in_95_percent_of_experiments(self):
        rng = np.random.default_rng(0)
        for seeds in (3, 5, 31, 60):
            mean, half = mean_and_ci95(rng.normal(size=(seeds, 20_000)))
            assert np.mean(np.abs(mean) <= half) == pytest.approx(0.95, abs=0.006)

    def test_interquartile_mean_leaves_out_a_quarter_at_each_end(self):
        assert interquartile_mean([100, 1, 2, 3, 4, 5, 6, -50]) == (2 + 3 + 4 + 5) / 4
        np.testing.assert_array_equal(interquartile_mean([[1, 2, 9], [4, 5, 6]]), [4, 5])  # too few to leave one out

    def test_bootstrap_interval_of_the_interquartile_mean(self):
        assert iqm_and_ci95([7.0] * 10) == (7.0, 7.0, 7.0)
        values = np.random.default_rng(0).normal(size=40)
        middle, low, high = iqm_and_ci95(values)
        assert low < middle < high
        assert high - low == pytest.approx(2 * 1.96 * 1.1 / np.sqrt(40), rel=0.3)
        assert iqm_and_ci95(values, seed=0) == (middle, low, high) != iqm_and_ci95(values, seed=1)

    def test_curve_of_several_runs_covers_what_all_of_them_did(self):
        runs = [
            [{"steps": t, "score": factor * t, "loss": float(t > 10)} for t in range(0, last, 10)]
            for factor, last in ((1, 101), (3, 61))
        ]
        for log_x in (False, True):
            drawn = curve("name", runs, "steps", "score", log_x=log_x)
            np.testing.assert_allclose([drawn.x[0], drawn.x[-1]], [20, 60])
            np.testing.assert_allclose(drawn.y, [drawn.x, 3 * drawn.x], rtol=1e-6)

    @pytest.mark.parametrize("missing", ["steps", "score", "loss", None])
    def test_a_run_without_an_update_or_a_column_is_named(self, missing):
        row = {"steps": 1.0, "score": 2.0, "loss": 0.0 if missing is None else 1.0}
        row.pop(missing, None)
        with pytest.raises(UserError, match=r"^naive: a run's metrics\.csv has no score of an update"):
            curve("naive", [[row]], "steps", "score")


class TestLearningCurve:
    def test_default_panels_show_win_rate_and_loss(self, figures, tmp_path):
        rate, loss = np.linspace(0.3, 0.9, 50), np.geomspace(1, 0.01, 50)
        metrics = rows(50, win_rate=rate, score=2 * rate - 1, loss=loss)
        learning_curve(tmp_path / "curve.png", metrics)
        above, below = figures[0].axes
        np.testing.assert_allclose(above.lines[0].get_xydata()[[0, -1]], [[10, 0.3], [500, 0.9]])
        np.testing.assert_allclose(below.lines[0].get_ydata(), loss)
        assert [axis.get_yscale() for axis in figures[0].axes] == ["linear", "log"]
        assert above.get_ylim() == (0, 1)
        with Image.open(tmp_path / "curve.png") as image:
            assert image.width == 704
        assert (tmp_path / "curve.png").stat().st_size < 40_000

    def test_score_where_there_is_no_win_rate(self, figures, tmp_path):
        learning_curve(tmp_path / "curve.png", rows(5, score=np.arange(5), loss=np.zeros(5)))
        assert [axis.get_ylabel() for axis in figures[0].axes] == ["mean score, last 100 games", "loss"]
        assert figures[0].axes[1].get_yscale() == "linear"  # nothing is above 0

    def test_noise_stands_behind_its_moving_average(self, figures, tmp_path):
        noise = np.random.default_rng(0).random(200)
        learning_curve(tmp_path / "curve.png", rows(200, loss=noise), [Panel("loss", "loss")])
        raw, smooth = figures[0].axes[0].lines
        np.testing.assert_array_equal(raw.get_ydata(), noise)
        np.testing.assert_array_equal(smooth.get_ydata(), smoothed(noise, 4))

    def test_values_that_are_not_finite_are_left_out(self, figures, tmp_path):
        learning_curve(tmp_path / "curve.png", rows(4, loss=[np.nan, 1, np.inf, 2]), [Panel("loss", "loss")])
        np.testing.assert_array_equal(figures[0].axes[0].lines[0].get_xydata(), [[20, 1], [40, 2]])

    @pytest.mark.parametrize("count", [0, 1])
    def test_next_to_nothing_is_still_a_picture(self, tmp_path, count):
        learning_curve(tmp_path / "curve.png", rows(count, loss=[1.0]))
        with Image.open(tmp_path / "curve.png") as image:
            assert image.format == "PNG"

    def test_a_published_value_is_a_line_across(self, figures, tmp_path):
        learning_curve(tmp_path / "c.png", rows(3, loss=[3, 2, 1]), [Panel("loss", "loss", published=1.5)])
        axis = figures[0].axes[0]
        assert list(axis.lines[-1].get_ydata()) == [1.5, 1.5]
        assert "published" in [text.get_text() for text in axis.texts]

    def test_same_figures_same_bytes(self, tmp_path):
        for name in ("a.png", "b.png"):
            learning_curve(tmp_path / name, rows(9, loss=np.arange(9)), title="twice")
        assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()

    def test_a_folder_that_is_not_there(self, tmp_path):
        with pytest.raises(UserError, match=r"curve\.png"):
            learning_curve(tmp_path / "missing" / "curve.png", rows(3, loss=np.arange(3)))


class TestBands:
    def test_mean_and_interval_are_drawn(self, figures, tmp_path):
        x, y = np.array([0, 10, 20]), np.array([[0.0, 1.0, 2.0], [2.0, 3.0, 6.0]])
        bands(tmp_path / "bands.png", [Curve("ours", x, y)], "games", Panel("", "score"))
        axis = figures[0].axes[0]
        np.testing.assert_allclose(axis.lines[0].get_xydata(), [[0, 1], [10, 2], [20, 4]])
        mean, half = mean_and_ci95(y)
        corners = axis.collections[0].get_paths()[0].vertices
        for at, low, high in zip(x, mean - half, mean + half, strict=True):
            heights = corners[corners[:, 0] == at, 1]
            np.testing.assert_allclose([heights.min(), heights.max()], [low, high])

    def test_a_single_seed_is_a_line_without_a_band(self, figures, tmp_path):
        alone, with_others = np.array([[1.0, 2.0, 4.0]]), np.array([[0.0, 1.0, 2.0], [2.0, 3.0, np.nan]])
        curves = [Curve("one", np.arange(3), alone), Curve("two", np.arange(3), with_others)]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            bands(tmp_path / "bands.png", curves, "games", Panel("", "score"))
        axis = figures[0].axes[0]
        np.testing.assert_allclose(axis.lines[0].get_ydata(), [1, 2, 4])
        np.testing.assert_allclose(axis.lines[1].get_ydata(), [1, 2, 2])
        one, two = axis.collections
        assert one.get_paths() == []
        assert {x for path in two.get_paths() for x in path.vertices[:, 0]} == {0, 1}  # where both seeds are known
        assert axis.get_ylim()[1] > 4

    def test_names_of_lines_that_end_together_do_not_overlap(self, figures, tmp_path):
        x = np.arange(3)
        curves = [Curve(f"line {i}", x, np.full((2, 3), 50 + 0.01 * i)) for i in range(5)]
        bands(tmp_path / "bands.png", curves, "games", Panel("", "score", limits=(0, 100)))
        names = figures[0].axes[0].texts
        boxes = sorted((text.get_window_extent().extents for text in names), key=lambda box: box[1])
        assert [text.get_text() for text in names] == [f"line {i}" for i in range(5)]
        for (_, _, _, top), (_, bottom, _, _) in itertools.pairwise(boxes):
            assert top <= bottom + 1  # pixel

    def test_a_curve_without_values_is_left_out(self, figures, tmp_path):
        nothing, something = np.full((2, 3), np.nan), np.ones((2, 3))
        curves = [Curve("nothing", np.arange(3), nothing), Curve("something", np.arange(3), something)]
        bands(tmp_path / "bands.png", curves, "games", Panel("", "score"))
        assert [text.get_text() for text in figures[0].axes[0].texts] == ["something"]


class TestLines:
    def test_stairs_hold_a_value_until_the_next_and_begin_where_the_lines_do(self, figures, tmp_path):
        x, y = np.array([450.0, 470.0, 500.0]), np.array([1.0, 0.5, 0.0])
        lines(tmp_path / "lines.png", [Line("ours", x, y, y, y)], "score", Panel("", "runs"), stairs=True)
        axis = figures[0].axes[0]
        assert axis.lines[0].get_drawstyle() == "steps-post"
        assert axis.get_xlim()[0] == 450
        assert axis.xaxis.get_major_formatter()(0.25) != "250m"

    def test_long_names_take_no_room_from_the_lines(self, figures, tmp_path):
        x = np.arange(3.0)
        for name in ("short", "learning_rate=0.0003 optimizer=rmsprop-graves"):
            lines(tmp_path / "lines.png", [Line(name, x, x, x, x)], "games", Panel("", "score"))
        short, long = (figure.axes[0].get_window_extent().width for figure in figures)
        assert long > 0.7 * short

    def test_a_line_without_points_keeps_its_colour(self, figures, tmp_path):
        x, nothing = np.arange(3.0), Line("nothing", *np.empty((4, 0)))
        lines(tmp_path / "lines.png", [nothing, Line("something", x, x, x, x)], "games", Panel("", "score"))
        assert [line.get_color() for line in figures[0].axes[0].lines] == [charts.COLOURS[1]]


class Canvas(FigureCanvasAgg):
    """A canvas that claims to be a window."""

    manager_class = FigureManagerBase
    seconds = []

    def start_event_loop(self, timeout=0):
        """Like a window's, and notes how long."""
        self.seconds.append(timeout)
        time.sleep(timeout)


class TestWindow:
    @pytest.fixture
    def display(self, monkeypatch):
        """Matplotlib believes that it can open windows."""
        backend = type(sys)("pretended_windows")
        backend.FigureCanvas, backend.FigureManager = Canvas, FigureManagerBase
        monkeypatch.setitem(sys.modules, "pretended_windows", backend)
        monkeypatch.setattr(FigureManagerBase, "show", lambda self: None)
        Canvas.seconds.clear()
        before = matplotlib.get_backend()
        plt.switch_backend("module://pretended_windows")
        yield
        plt.switch_backend(before)

    def test_shows_pictures_at_their_pace(self, display):
        window, began = Window("game", fps=50), time.monotonic()
        for shade in (10, 20, 30):
            window.show(np.full((4, 6, 3), shade, np.uint8))
            (image,) = plt.figure("game").axes[0].images
            np.testing.assert_array_equal(image.get_array(), np.full((4, 6, 3), shade))
        assert sum(Canvas.seconds) <= 3 / 50 <= time.monotonic() - began  # it waits no longer than it has to
        assert min(Canvas.seconds) > 0  # 0 would be for ever
        window.close()
        assert plt.get_fignums() == []

    def test_closing_it_ends_the_work(self, display):
        window = Window("game", fps=50)
        window.show(np.zeros((4, 6, 3), np.uint8))
        plt.close("all")
        with pytest.raises(KeyboardInterrupt):
            window.show(np.zeros((4, 6, 3), np.uint8))

    def test_without_a_display_it_says_what_else_there_is(self, monkeypatch):
        before = matplotlib.get_backend()
        plt.switch_backend("agg")
        monkeypatch.delenv("MPLBACKEND", raising=False)
        with pytest.raises(UserError, match=r"no display.*rgb_array"):
            Window("game", fps=10)
        monkeypatch.setenv("MPLBACKEND", "agg")
        with pytest.raises(UserError, match="MPLBACKEND=agg"):
            Window("game", fps=10)
        assert plt.get_fignums() == []
        plt.switch_backend(before)
