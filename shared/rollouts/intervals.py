"""How sure a mean is."""

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

# Student's t, two-sided 95 %, for 1, 2, ... 30 degrees of freedom; beyond, the normal distribution's value is close.
STUDENT_T = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
NORMAL = 1.960
RESAMPLES = 10_000  # of a bootstrap


def mean_and_ci95(values: ArrayLike) -> tuple[Any, Any]:
    """Over the first axis of `values` [S, ...]: the mean, and half its 95 % interval: Student's t times s / sqrt(S).

    NaN stands for a missing value. Where all are missing the mean is NaN; where a single one is known, there is no
    interval: NaN. Returns two floats for values [S], else two arrays.
    """
    values = np.asarray(values, np.float64)
    count = np.isfinite(values).sum(axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of columns without a value
        mean = np.nanmean(values, axis=0)
        variance = np.nansum((values - mean) ** 2, axis=0) / np.maximum(count - 1, 1)
    t = np.array([np.nan, np.nan, *STUDENT_T])[np.minimum(count, len(STUDENT_T) + 1)]
    half = np.where(count > len(STUDENT_T) + 1, NORMAL, t) * np.sqrt(variance / np.maximum(count, 1))
    return (float(mean), float(half)) if values.ndim == 1 else (mean, half)


def plus_minus(mean: float, ci95: float | None, spec: str) -> str:
    """A mean and half its interval as text: "12.3 ± 0.4", or "12.3" where there is no interval (None or not finite).

    `spec` is how to write the numbers, as of `format`: ".1f".
    """
    interval = "" if ci95 is None or not math.isfinite(ci95) else f" ± {ci95:{spec}}"
    return f"{mean:{spec}}{interval}"


def bracketed(middle: float, low: float, high: float, spec: str) -> str:
    """An interquartile mean and its interval as text: "12.3 [11.9, 12.8]", or "12.3" where there is no interval.

    `spec` is how to write the numbers, as of `format`: ".1f".
    """
    interval = "" if math.isnan(low) else f" [{low:{spec}}, {high:{spec}}]"
    return f"{middle:{spec}}{interval}"


def interquartile_mean(values: ArrayLike) -> np.ndarray | np.floating:
    """The mean of the middle half: over the last axis, without its lowest and its highest quarter.

    What a typical run reaches: one run that failed moves it less than it does a mean, one that was lucky less than a
    maximum (Agarwal et al. 2021). A quarter of S values is rounded down.
    """
    values = np.sort(np.asarray(values, np.float64), axis=-1)
    cut = values.shape[-1] // 4
    return values[..., cut : values.shape[-1] - cut].mean(axis=-1)


def iqm_and_ci95(values: ArrayLike, seed: int = 0, resamples: int = RESAMPLES) -> tuple[Any, Any, Any]:
    """Over the first axis of `values` [S, ...]: the interquartile mean and its 95 % interval.

    The interval is that of the percentile bootstrap (Efron 1979). The runs of one setting are one stratum of the
    stratified bootstrap (Agarwal et al. 2021).

    Args:
        values: one for each of S runs, or an array for each; minus infinity for a run that failed.
        seed: of the resampling.
        resamples: how many times S values are drawn from them, with replacement.

    Returns the interquartile mean, the lower and the upper end: floats for values [S], else arrays. The ends are NaN
    for a single run.
    """
    values = np.moveaxis(np.asarray(values, np.float64), 0, -1)  # [..., S]
    middle, runs = interquartile_mean(values), values.shape[-1]
    if runs == 1:
        low = high = np.full_like(middle, np.nan)
    else:
        drawn = values[..., np.random.default_rng(seed).integers(runs, size=(resamples, runs))]  # [..., B, S]
        low, high = _middle_95_percent(interquartile_mean(drawn), axis=-1)
    return (float(middle), float(low), float(high)) if values.ndim == 1 else (middle, low, high)


def improvement_and_ci95(
    x: ArrayLike, y: ArrayLike, seed: int = 0, resamples: int = RESAMPLES
) -> tuple[float, float, float]:
    """The chance P(X > Y) that a run of one setting scores higher than one of another, and its 95 % interval.

    The "probability of improvement" of Agarwal et al. 2021: the share of all pairs of a run of X and a run of Y in
    which X's is better, where a tie counts half. (Mann's and Whitney's U divided by N M.) The interval is that of the
    bootstrap, which draws the runs of each setting from its own.

    Args:
        x, y: the scores of N and of M runs; minus infinity for one that failed.
        seed: of the resampling.
        resamples: how many times N and M runs are drawn, with replacement.

    Returns three floats: the chance, the lower and the upper end; these are NaN where a setting has a single run.
    """
    first, second = np.asarray(x, np.float64)[:, None], np.asarray(y, np.float64)[None]
    wins = (first > second) + 0.5 * (first == second)  # [N, M]
    if min(wins.shape) == 1:
        return float(wins.mean()), math.nan, math.nan
    rng = np.random.default_rng(seed)
    shares = [
        rng.multinomial(n, np.full(n, 1 / n), size=resamples) / n for n in wins.shape
    ]  # of each run: [B, N], [B, M]
    low, high = _middle_95_percent(((shares[0] @ wins) * shares[1]).sum(axis=-1), axis=0)
    return float(wins.mean()), float(low), float(high)


def profile_and_ci95(
    values: ArrayLike, thresholds: ArrayLike, seed: int = 0, resamples: int = RESAMPLES
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A performance profile: which fraction of the runs scores above each threshold, and its 95 % intervals.

    Agarwal et al. 2021. Each interval is that of the bootstrap for its threshold alone: of S runs that are drawn with
    replacement, those above it are as many as a binomial distribution says.

    Args:
        values: the scores of S runs; minus infinity for one that failed.
        thresholds: T scores.
        seed: of the resampling.
        resamples: how many times S runs are drawn.

    Returns three float arrays [T]: the fraction, its lower and its upper end; these are NaN for a single run.
    """
    runs = np.asarray(values, np.float64)
    above = (runs > np.asarray(thresholds, np.float64)[:, None]).mean(axis=-1)  # [T]
    if len(runs) == 1:
        return above, np.full_like(above, np.nan), np.full_like(above, np.nan)
    drawn = np.random.default_rng(seed).binomial(len(runs), above, size=(resamples, len(above))) / len(runs)
    low, high = _middle_95_percent(drawn, axis=0)
    return above, low, high


def _middle_95_percent(drawn, axis):
    """The ends of what the middle 95 % of resamples gave. None lies between two of them: some are infinite."""
    return np.percentile(drawn, [2.5, 97.5], axis=axis, method="inverted_cdf")
