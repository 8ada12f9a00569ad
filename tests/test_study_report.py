"""What a study found: intervals against SciPy and by hand, the table, the files."""

import csv

import numpy as np
import pytest
import scipy.stats

from shared.display import charts
from shared.errors import UserError
from shared.rollouts.intervals import improvement_and_ci95, interquartile_mean, iqm_and_ci95, profile_and_ci95
from shared.study import report

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=12).round(1), RNG.normal(0.5, size=9).round(1)  # rounded: with ties
INF, NAN = np.inf, np.nan


class TestIntervals:
    def test_scipy_finds_the_same_interquartile_mean_and_interval(self):
        assert interquartile_mean(X) == pytest.approx(scipy.stats.trim_mean(X, 0.25))
        theirs = scipy.stats.bootstrap(
            (X,), lambda x, axis: scipy.stats.trim_mean(x, 0.25, axis=axis), method="percentile", rng=1
        ).confidence_interval
        np.testing.assert_allclose(iqm_and_ci95(X)[1:], theirs, atol=0.03)

    def test_intervals_of_arrays_are_those_of_their_columns(self):
        both = np.stack([X, 2 * X], axis=1)  # [S, 2]
        middle, low, high = iqm_and_ci95(both)
        for column in range(2):
            np.testing.assert_allclose([middle[column], low[column], high[column]], iqm_and_ci95(both[:, column]))
        assert np.isnan(iqm_and_ci95(both[:1])[1]).all()

    def test_a_failed_run_is_cut_off_and_reaches_into_the_interval(self):
        middle, low, high = iqm_and_ci95([-INF, 1.0, 2.0, 3.0])
        assert (middle, low) == (1.5, -INF)
        assert 2 <= high <= 3
        assert iqm_and_ci95([-INF, -INF, 2.0, 3.0])[0] == -INF

    def test_improvement_by_hand(self):
        # Of the six pairs 3 beats 1 and 2, 2 beats 1 and ties with 2, 0 loses twice.
        assert improvement_and_ci95([3, 2, 0], [1, 2])[0] == pytest.approx((2 + 1.5 + 0) / 6)
        assert improvement_and_ci95([4, 5], [1, 2, 3]) == (1, 1, 1)
        np.testing.assert_array_equal(improvement_and_ci95([1], [1, 2]), [0.25, NAN, NAN])
        assert improvement_and_ci95([-INF, 1], [-INF, -INF])[0] == 0.75  # who fails ties with who fails

    def test_scipy_finds_the_same_improvement_and_interval(self):
        chance, low, high = improvement_and_ci95(Y, X)

        def improvement(y, x):
            return scipy.stats.mannwhitneyu(y, x).statistic / (len(x) * len(y))

        assert chance == pytest.approx(improvement(Y, X))
        theirs = scipy.stats.bootstrap(
            (Y, X), improvement, method="percentile", vectorized=False, n_resamples=2000, rng=1
        ).confidence_interval
        np.testing.assert_allclose([low, high], theirs, atol=0.03)
        assert improvement_and_ci95(Y, X, seed=1) != (chance, low, high) == improvement_and_ci95(Y, X, seed=0)

    def test_profile_by_hand(self):
        above, low, high = profile_and_ci95([1, 2, 2, 4], [0, 1, 2, 4])
        np.testing.assert_array_equal(above, [1, 0.75, 0.25, 0])
        np.testing.assert_array_equal(low[[0, 3]], [1, 0])
        np.testing.assert_array_equal(high[[0, 3]], [1, 0])
        np.testing.assert_array_equal(profile_and_ci95([1, -INF], [-5.0])[0], [0.5])

    def test_scipy_finds_the_same_profile(self):
        thresholds = np.linspace(-2, 2, 21)
        above, low, high = profile_and_ci95(X, thresholds)
        np.testing.assert_allclose(above, scipy.stats.ecdf(X).sf.evaluate(thresholds))
        for ends, share in ((low, 0.025), (high, 0.975)):
            theirs = scipy.stats.binom.ppf(share, len(X), above) / len(X)
            assert np.mean(ends == theirs) > 0.9  # where the share falls between two counts either is right
            np.testing.assert_allclose(ends, theirs, atol=1.01 / len(X))


def run(setting, seed, score, **more):
    """The row of a run; a score of None is that of one that failed."""
    row = {"setting": setting, "seed": seed, "mean_score": NAN if score is None else score, "steps": 1000}
    failed = {"failed": "--learning-rate 9: the loss was nan", "steps": NAN} if score is None else {}
    return {**row, **more, **failed, "seconds": 2.0 + seed}


ROWS = [
    *(run("n=16", seed, score, n=16, hidden=(8, 8)) for seed, score in enumerate((1.0, 2.0, 3.0, 4.0))),
    *(run("n=8", seed, score, n=8, hidden=(8, 8)) for seed, score in enumerate((5.0, 6.0, 7.0, 8.0))),
    *(run("n=4", seed, score, n=4, hidden=(8, 8)) for seed, score in enumerate((9.0, None, None, 9.0))),
]
CURVES = {
    setting: {seed: [{"steps": 10.0 * t, "score": NAN if t < 2 else t + seed} for t in range(9)] for seed in range(4)}
    for setting in ("n=16", "n=8", "n=4")
}


class TestTable:
    def test_best_first_with_all_figures(self):
        heading, _, *lines = (
            [cell.strip() for cell in line.strip("|").split("|")] for line in report.table(ROWS).splitlines()
        )
        assert heading[:5] == ["setting", "score: IQM [95 %]", "median", "worst", "P(best > this)"]
        assert heading[5:] == ["runs", "failed", "steps", "seconds"]
        assert [line[0] for line in lines] == ["n=8", "n=16", "n=4"]  # more than a quarter failed: behind all
        best, second, last = lines
        assert best[1].startswith("6.5 [5")
        assert best[2:] == ["6.5", "5", "", "4", "0", "1,000", "3.5"]
        assert second[4] == "1.00 [1.00, 1.00]"
        assert last[1:4] == ["failed", "failed", "failed"]
        assert last[4].startswith("0.50 [0.00, ")
        assert last[5:] == ["4", "2", "1,000", "3.5"]

    def test_one_setting_is_compared_with_none(self):
        assert "P(" not in report.table(ROWS[:4])
        assert "| n=16    |                 1 |" in report.table(ROWS[:1])  # a single run has no interval

    def test_columns_are_aligned(self):
        assert len({len(line) for line in report.table(ROWS).splitlines()}) == 1


class TestFiles:
    @pytest.fixture
    def lines(self, monkeypatch):
        """The lines of the pictures that are drawn."""
        seen, draw = {}, charts.lines

        def note(path, drawn, *rest, **options):
            seen[path.name] = {line.label: line for line in drawn}
            draw(path, drawn, *rest, **options)

        monkeypatch.setattr(charts, "lines", note)
        return seen

    def test_the_same_bytes_in_whatever_order_runs_come(self, tmp_path):
        for name, rows in (("one", ROWS), ("two", ROWS[::-1])):
            (tmp_path / name).mkdir()
            written = report.write(tmp_path / name, rows, CURVES)
            assert [path.name for path in written] == ["study.csv", "study.md", "profiles.png", "curves.png"]
        for path in written:
            assert path.read_bytes() == (tmp_path / "one" / path.name).read_bytes()

    def test_all_runs_are_in_the_csv(self, tmp_path):
        report.write(tmp_path, ROWS, CURVES)
        with (tmp_path / "study.csv").open(newline="") as file:
            read = list(csv.DictReader(file))
        assert list(read[0]) == ["setting", "seed", "mean_score", "steps", "n", "hidden", "failed", "seconds"]
        assert [(row["setting"], row["seed"]) for row in read[:5]] == [
            *(("n=4", str(i)) for i in range(4)),
            ("n=8", "0"),
        ]
        assert list(read[1].values()) == ["n=4", "1", "", "", "4", "8 8", "--learning-rate 9: the loss was nan", "3.0"]

    def test_the_page_has_table_failures_and_every_pair(self, tmp_path):
        report.write(tmp_path, ROWS, CURVES)
        page = (tmp_path / "study.md").read_text()
        assert report.table(ROWS) in page
        assert "- n=4, seed 2: --learning-rate 9: the loss was nan" in page
        matrix = page.partition("## P(X > Y)")[2].splitlines()[2:7]
        assert [cell.strip() for cell in matrix[3].split("|")[1:5]] == [
            "n=16",
            "0.00 [0.00, 0.00]",
            "",
            "0.50 [0.00, 1.00]",
        ]

    def test_profiles_count_who_failed(self, lines, tmp_path):
        report.write(tmp_path, ROWS, CURVES)
        failing = lines["profiles.png"]["n=4"]
        assert failing.y[0] == 0.5
        assert failing.y[-1] == 0
        np.testing.assert_array_equal(failing.x[1:-1], np.arange(1, 10))

    def test_curves_are_those_of_the_runs_that_came_to_their_end(self, lines, tmp_path):
        shorter = CURVES | {"n=8": CURVES["n=8"] | {2: CURVES["n=8"][2][:6]}}
        report.write(tmp_path, ROWS, shorter)
        drawn = lines["curves.png"]["n=4"]
        assert (drawn.x[0], drawn.x[-1]) == (20, 80)
        np.testing.assert_allclose(drawn.y, drawn.x / 10 + (0 + 3) / 2)
        assert lines["curves.png"]["n=8"].x[-1] == 50

    def test_more_settings_than_colours(self, lines, tmp_path):
        rows = [run(f"n={n}", seed, float(n)) for n in range(9) for seed in range(2)]
        report.write(tmp_path, rows, {})
        assert list(lines["profiles.png"]) == [f"n={n}" for n in range(8, 1, -1)]
        assert "the best 7 of 9 settings" in (tmp_path / "study.md").read_text()

    def test_nothing_but_failures_is_a_report_too(self, tmp_path):
        report.write(tmp_path, [run("n=1", seed, None) for seed in range(2)], {})
        assert "failed" in (tmp_path / "study.md").read_text()

    def test_a_folder_that_is_not_there(self, tmp_path):
        with pytest.raises(UserError, match=r"study\.csv"):
            report.write(tmp_path / "missing", ROWS, CURVES)
