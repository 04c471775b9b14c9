# SPDX-License-Identifier: Apache-2.0
"""A slow creep that no single window shows: the sum of small excesses since they began, for all cells at once.

The one-sided likelihood-ratio CUSUM for negative-binomial counts (Höhle & Paul 2008, Comput. Stat. Data Anal. 52:4357;
Page 1954 for the sum): each week adds the log likelihood ratio of a rate raised by `rate_ratio`, and the sum never
falls below nothing. With variance φ times mean that ratio is a (x - k m), where x came and m were expected, so that

    S = max(0, S + x - k m),   a = log(κφ / (1 + κ(φ - 1))),   k = log((1 + κ(φ - 1)) / φ) / ((φ - 1) a)

counts complaints beyond k times the expected ones; for κ = 1.5 without extra variance k is 1.23. The threshold holds
the mean number of weeks to a false alarm (in-control run length) at `in_control_weeks`, by the Markov chain of Brook &
Evans (1972, Biometrika 59:539), the sum being split between the two nearest states of a grid.

The expectation must not have learnt from the weeks that are summed, or it creeps along: give that of a baseline frozen
before them. Where it is uncertain, each cell's is raised to its upper 90 % bound, so that nine cells in ten keep their
run length in spite of the estimate (guaranteed performance: Gandy & Kvaløy 2013, Scand. J. Stat. 40:647).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special

from analytics.arrays import BoolArray, FloatArray, IntArray

NO_EXTRA_VARIANCE = 1e-9
GUARD = 1.2816
"""Standard errors to the upper 90 % bound of the log expectation."""
LARGEST_ERROR, ERROR_STEP = 6.0, 0.25
"""Up to how many standard errors, and in what steps, the error of an expectation is thought of."""
SURELY_DULL_ABOVE = 0.25
"""A chance above this, the expectation taken for certain, is given as it is: no decision hangs on it."""
STATES = 151
MEANS_PER_DECADE, DISPERSIONS_PER_DECADE = 12, 8
"""How fine the grid is on which thresholds are solved; between its nodes they are interpolated."""
SMALLEST_MEAN, LARGEST_MEAN = 1e-3, 500.0
"""Between these the chain is solved; above, and never too low, the threshold is Lorden's bound log(weeks) / a."""
RUN_LENGTH_TOLERANCE = 0.005
MOST_STEPS = 40


@dataclass(frozen=True, slots=True)
class Creep:
    """Per cell and week the sum `excess` in complaints; per cell the rest.

    `threshold`: the sum that is an alarm when exceeded. `is_alarm`: cells by weeks. `weeks_under_way`: how long the sum
    has stood above nothing at the last week, the natural estimate of when the rise began. `p_value`: a bound on the
    chance of so high a sum in the last week if the rate never rose, e to the power of minus a S: likelihood ratios
    multiplied backward from this week are a martingale of mean 1 (Ville's inequality), whatever the season does.
    """

    excess: FloatArray
    threshold: FloatArray
    is_alarm: BoolArray
    weeks_under_way: IntArray
    p_value: FloatArray


def creep(
    counts: IntArray,
    expected: FloatArray,
    dispersion: FloatArray,
    *,
    relative_variance: FloatArray | None = None,
    rate_ratio: float = 1.5,
    in_control_weeks: float = 1_040.0,
) -> Creep:
    """Return the sums of `counts` over `expected` (both cells by weeks; expectations positive).

    `dispersion`, variance over mean, and `relative_variance`, that of the expectation, are per cell.
    Raises ValueError for a rate ratio or run length of 1 or less.
    """
    if rate_ratio <= 1.0 or in_control_weeks <= 1.0:
        raise ValueError("The rate ratio and the run length must be above 1.")
    if relative_variance is not None:
        expected = guarded(expected, relative_variance)
    excess = sums(counts, expected, dispersion, rate_ratio)
    threshold = threshold_for(
        expected.mean(axis=1), dispersion, rate_ratio=rate_ratio, in_control_weeks=in_control_weeks
    )
    return Creep(
        excess=excess,
        threshold=threshold,
        is_alarm=np.asarray(excess > threshold[:, None], dtype=np.bool_),
        weeks_under_way=weeks_under_way(excess),
        p_value=chance_of(excess, dispersion, rate_ratio),
    )


def guarded(expected: FloatArray, relative_variance: FloatArray) -> FloatArray:
    """Return the expectation (cells by weeks) raised to its upper 90 % bound."""
    return np.asarray(expected * np.exp(GUARD * np.sqrt(relative_variance))[:, None], dtype=np.float64)


def sums(counts: IntArray, expected: FloatArray, dispersion: FloatArray, rate_ratio: float) -> FloatArray:
    """Return S after each week, cells by weeks."""
    walk = np.cumsum(counts - tolerated_per_expected(dispersion, rate_ratio)[:, None] * expected, axis=1)
    return np.asarray(walk - np.minimum(np.minimum.accumulate(walk, axis=1), 0.0), dtype=np.float64)


def chance_though_uncertain(
    counts: IntArray, expected: FloatArray, dispersion: FloatArray, relative_variance: FloatArray, rate_ratio: float
) -> FloatArray:
    """Return the predictive chance of so high a sum: Ville's bound averaged over the expectation's own error.

    Among thousands of cells some expectations are three standard errors too low, beyond any one guard. The error of the
    log expectation is normal, the same in all weeks: ∫ φ(z) exp(-a S(z)) dz, S(z) being the sum against the expectation
    raised by z standard errors.
    """
    total = chance_of(sums(counts, expected, dispersion, rate_ratio), dispersion, rate_ratio)
    near = np.flatnonzero(total <= SURELY_DULL_ABOVE)
    error = np.sqrt(relative_variance[near])[:, None]
    edges = np.arange(-LARGEST_ERROR, LARGEST_ERROR + ERROR_STEP, ERROR_STEP)
    weights = np.diff(special.ndtr(edges), prepend=0.0)
    total[near] = special.ndtr(-LARGEST_ERROR)
    for z, weight in zip(edges, weights, strict=True):
        excess = sums(counts[near], expected[near] * np.exp(z * error), dispersion[near], rate_ratio)
        total[near] += weight * chance_of(excess, dispersion[near], rate_ratio)
    return np.asarray(np.minimum(total, 1.0), dtype=np.float64)


def weeks_under_way(excess: FloatArray) -> IntArray:
    """Return for how many weeks each cell's sum has stood above nothing."""
    weeks = np.arange(1, excess.shape[1] + 1)
    return np.asarray(excess.shape[1] - np.where(excess <= 0.0, weeks, 0).max(axis=1), dtype=np.int64)


def chance_of(excess: FloatArray, dispersion: FloatArray, rate_ratio: float) -> FloatArray:
    """Return the bound on the chance of so high a sum in the last week."""
    per_complaint = log_ratio_per_complaint(dispersion, rate_ratio)
    return np.asarray(np.exp(-per_complaint * excess[:, -1]), dtype=np.float64)


def log_ratio_per_complaint(dispersion: FloatArray, rate_ratio: float) -> FloatArray:
    """Return a: by how much one complaint raises the log likelihood ratio."""
    extra = dispersion - 1.0
    return np.asarray(np.log(rate_ratio) - np.log1p((rate_ratio - 1.0) * extra / dispersion), dtype=np.float64)


def tolerated_per_expected(dispersion: FloatArray, rate_ratio: float) -> FloatArray:
    """Return k: how many complaints per expected one leave the sum where it is; between 1 and the rate ratio."""
    extra = dispersion - 1.0
    is_poisson = extra < NO_EXTRA_VARIANCE
    safe = np.where(is_poisson, 1.0, extra)
    of_expected = np.where(is_poisson, rate_ratio - 1.0, np.log1p((rate_ratio - 1.0) * safe / (1.0 + safe)) / safe)
    return np.asarray(of_expected / log_ratio_per_complaint(dispersion, rate_ratio), dtype=np.float64)


def threshold_for(
    mean: FloatArray, dispersion: FloatArray, *, rate_ratio: float, in_control_weeks: float
) -> FloatArray:
    """Return per cell the sum that chance exceeds once in so many weeks, for a steady mean per week.

    Solved on a grid of means and dispersions and interpolated between, all on the log scale; so many cells share few
    solutions. A mean that comes and goes with the season by half moves the run length by less than a fifth,
    and so does that counts are whole (tests).
    """
    bound = np.log(in_control_weeks) / log_ratio_per_complaint(dispersion, rate_ratio)
    across = np.log10(np.clip(mean, SMALLEST_MEAN, LARGEST_MEAN)) * MEANS_PER_DECADE
    along = np.log10(np.maximum(dispersion, 1.0)) * DISPERSIONS_PER_DECADE
    left, low = np.floor(across).astype(np.int64), np.floor(along).astype(np.int64)
    wanted = {(int(i) + di, int(j) + dj) for i, j in zip(left, low, strict=True) for di in (0, 1) for dj in (0, 1)}
    corners = {
        (i, j): _threshold(
            10.0 ** (i / MEANS_PER_DECADE), 10.0 ** (j / DISPERSIONS_PER_DECADE), rate_ratio, in_control_weeks
        )
        for i, j in wanted
    }
    x, y = across - left, along - low
    value = np.zeros(len(mean))
    for di, weight_x in ((0, 1.0 - x), (1, x)):
        for dj, weight_y in ((0, 1.0 - y), (1, y)):
            here = np.array([corners[int(i) + di, int(j) + dj] for i, j in zip(left, low, strict=True)])
            value += weight_x * weight_y * np.log(here)
    return np.asarray(np.where(mean > LARGEST_MEAN, bound, np.minimum(np.exp(value), bound)), dtype=np.float64)


@lru_cache(maxsize=4_096)
def _threshold(mean: float, dispersion: float, rate_ratio: float, in_control_weeks: float) -> float:
    """Return the threshold of one mean and dispersion: the log run length is nearly straight in it, so by secants."""
    phi = np.array([dispersion])
    per_complaint = float(log_ratio_per_complaint(phi, rate_ratio)[0])
    tolerated = float(tolerated_per_expected(phi, rate_ratio)[0]) * mean
    low, high = 0.0, np.log(in_control_weeks) / per_complaint
    low_log, high_log, goal = 0.0, np.inf, np.log(in_control_weeks)
    middle = 0.6 * high
    for _ in range(MOST_STEPS):
        log_weeks = np.log(run_length(middle, mean, dispersion, tolerated))
        if abs(log_weeks - goal) < RUN_LENGTH_TOLERANCE or high - low < RUN_LENGTH_TOLERANCE * middle:
            break
        if log_weeks < goal:
            low, low_log = middle, log_weeks
        else:
            high, high_log = middle, log_weeks
        straight = low + (high - low) * (goal - low_log) / (high_log - low_log) if np.isfinite(high_log) else np.nan
        middle = straight if low < straight < high else (low + high) / 2.0
    return float(middle)


def run_length(threshold: float, mean: float, dispersion: float, tolerated: float) -> float:
    """Return the mean number of weeks until the sum, begun at nothing, exceeds the threshold (Brook & Evans 1972).

    `tolerated` complaints a week leave the sum where it is. A sum between two states of the grid is one of them, with
    chances that keep its mean.
    """
    states = np.linspace(0.0, threshold, STATES)
    most = int(np.ceil(threshold + tolerated)) + 1
    chance = _chances(most, mean, dispersion)
    lands = np.maximum(states[:, None] + np.arange(most)[None, :] - tolerated, 0.0)
    stays = lands <= threshold
    position = np.where(stays, lands, 0.0) / threshold * (STATES - 1)
    lower = np.minimum(position.astype(np.int64), STATES - 2)
    upper_share = position - lower
    row = np.broadcast_to(np.arange(STATES)[:, None], lands.shape)
    weight = np.where(stays, chance[None, :], 0.0)
    cells = STATES * STATES
    moves = np.bincount((row * STATES + lower).ravel(), (weight * (1.0 - upper_share)).ravel(), cells)
    moves += np.bincount((row * STATES + lower + 1).ravel(), (weight * upper_share).ravel(), cells)
    weeks = np.linalg.solve(np.eye(STATES) - moves.reshape(STATES, STATES), np.ones(STATES))
    return max(float(weeks[0]), 1.0) if np.isfinite(weeks[0]) else np.inf


def _chances(most: int, mean: float, dispersion: float) -> FloatArray:
    """Return the chance of 0 … most - 1 complaints: negative binomial with variance dispersion · mean, or Poisson."""
    x = np.arange(most, dtype=np.float64)
    extra = dispersion - 1.0
    if extra < NO_EXTRA_VARIANCE:
        return np.asarray(np.exp(special.xlogy(x, mean) - mean - special.gammaln(x + 1.0)), dtype=np.float64)
    size = mean / extra
    log_chance = special.gammaln(size + x) - special.gammaln(size) - special.gammaln(x + 1.0)
    return np.asarray(np.exp(log_chance - size * np.log(dispersion) + x * np.log(extra / dispersion)), dtype=np.float64)
