# SPDX-License-Identifier: Apache-2.0
"""How unusual a count is: negative-binomial tails, and the smallest of several windows' p-values made honest.

A count with mean m, dispersion φ and a relative variance v of the mean itself (we only estimated it) has variance
φ m + v m². Its tail is that of the negative binomial with the same mean and variance; with φ = 1 and v = 0 it is
Poisson. The negative binomial with variance φ m stays one under addition, so that weeks add up to windows.

Looking at several windows and taking the smallest p finds more, also by chance. `smallest_p_over_windows` gives the
exact chance of a smallest p as small as the one seen: the windows are nested and end in the same week, so the counts
are a walk with independent steps given the mean, and the chance that no window reaches its critical count is a
truncated convolution (first passage), averaged over the uncertain mean. No simulation, no table, no bound; tests
hold it against simulation.
"""

from dataclasses import dataclass

import numpy as np
from scipy import fft, special

from analytics.arrays import FloatArray, IntArray

SMALLEST_P_VALUE = 1e-12
"""Smaller is said as this: the convolutions carry no more, and nobody could tell the difference."""
POISSON_BELOW = 1e-9
"""Relative extra variance under which the negative binomial cannot be told from the Poisson in double precision."""
QUADRATURE_NODES = 15
SURELY_DULL_ABOVE = 0.25
"""A sum of the windows' chances above this is given as it is (a little too high): no decision hangs on it."""
LONGEST_WALK = 16_384
"""Critical counts above this get the sum of the windows' chances, which is never too small."""
BATCH_CELLS_TIMES_COUNTS = 400_000


@dataclass(frozen=True, slots=True)
class WindowScores:
    """Per cell: `p_value` over all windows together, the window that said so (a column), and each window's own p."""

    p_value: FloatArray
    window: IntArray
    p_by_window: FloatArray


def tail_probability(
    count: IntArray | FloatArray, expected: FloatArray, dispersion: FloatArray, relative_variance: FloatArray
) -> FloatArray:
    """Return the chance of at least `count` complaints. Arrays broadcast; `expected` must be positive.

    P(X ≥ k) is the regularised incomplete beta (negative binomial) or gamma (Poisson) function (Abramowitz &
    Stegun, ch. 26).
    """
    k, m, excess = np.broadcast_arrays(
        np.asarray(count, dtype=np.float64),
        np.asarray(expected, dtype=np.float64),
        np.asarray(dispersion - 1.0 + expected * relative_variance, dtype=np.float64),
    )
    at_least_one = np.maximum(k, 1.0)
    is_poisson = excess < POISSON_BELOW
    safe_excess = np.where(is_poisson, 1.0, excess)
    negative_binomial = special.betainc(at_least_one, m / safe_excess, safe_excess / (1.0 + safe_excess))
    tail = np.where(is_poisson, special.gammainc(at_least_one, m), negative_binomial)
    return np.asarray(np.where(k <= 0, 1.0, tail), dtype=np.float64)


def critical_count(
    level: FloatArray, expected: FloatArray, dispersion: FloatArray, relative_variance: FloatArray
) -> IntArray:
    """Return the smallest count that chance reaches with at most probability `level` (0 < level)."""
    shape = np.broadcast_shapes(level.shape, expected.shape, dispersion.shape, relative_variance.shape)
    low = np.full(shape, -1, dtype=np.int64)
    high = np.broadcast_to(np.ceil(expected), shape).astype(np.int64) + 1
    while (too_low := tail_probability(high, expected, dispersion, relative_variance) > level).any():
        low = np.where(too_low, high, low)
        high = np.where(too_low, 2 * high + 8, high)
    while (high - low > 1).any():
        middle = (low + high) // 2
        is_enough = tail_probability(middle, expected, dispersion, relative_variance) <= level
        high = np.where(is_enough, middle, high)
        low = np.where(is_enough, low, middle)
    return high


def threshold_count(
    expected: FloatArray, dispersion: FloatArray, relative_variance: FloatArray, *, false_alarm_rate: float
) -> IntArray:
    """Return the count that chance exceeds less often than the rate; a count above it is an alarm.

    With 5 expected, no extra variance and a rate of 0.01 it is 11 (any table of the Poisson distribution).
    """
    return critical_count(np.float64(false_alarm_rate) * np.ones(1), expected, dispersion, relative_variance) - 1


def smallest_p_over_windows(
    observed: IntArray,
    expected: FloatArray,
    dispersion: FloatArray,
    relative_variance: FloatArray,
    *,
    floor_count: int,
) -> WindowScores:
    """Return, per cell, the chance of windows as unusual as these, whichever window it was.

    `observed`, `expected` and `relative_variance` are cells by windows, nested windows from short to long;
    `dispersion` is per cell. A window with fewer than `floor_count` complaints says nothing, and a cell in which every
    window is under it has p = 1.
    """
    spread = dispersion[:, None]
    p_by_window = tail_probability(observed, expected, spread, relative_variance)
    p_by_window = np.where(observed >= floor_count, p_by_window, 1.0)
    window = np.argmin(p_by_window, axis=1)
    smallest = np.take_along_axis(p_by_window, window[:, None], axis=1)
    has_spoken = smallest[:, 0] < 1.0
    level = np.maximum(smallest, SMALLEST_P_VALUE) * (1.0 + 1e-9)  # so that rounding keeps the seen count critical
    critical = np.maximum(critical_count(level, expected, spread, relative_variance), floor_count)
    chances = tail_probability(critical, expected, spread, relative_variance)
    p_value = np.where(has_spoken, np.minimum(chances.sum(axis=1), 1.0), 1.0)
    walk = has_spoken & (p_value < SURELY_DULL_ABOVE) & (critical.max(axis=1) <= LONGEST_WALK)
    p_value[walk] = _first_passage_in_batches(
        expected[walk], dispersion[walk], relative_variance[walk].max(axis=1), critical[walk]
    )
    # Far out the quadrature falls short of the tail; several looks are never rarer than one of them.
    p_value = np.maximum(p_value, np.maximum(smallest[:, 0], SMALLEST_P_VALUE))
    return WindowScores(p_value, window, p_by_window)


def _first_passage_in_batches(
    expected: FloatArray, dispersion: FloatArray, relative_variance: FloatArray, critical: IntArray
) -> FloatArray:
    """Return `first_passage_probability` per cell, cells of like length together so that memory stays small."""
    chance = np.empty(len(expected))
    sizes = 2 ** np.ceil(np.log2(critical.max(axis=1, initial=1) + 1.0)).astype(np.int64)
    for size in np.unique(sizes):
        members = np.flatnonzero(sizes == size)
        per_batch = max(1, BATCH_CELLS_TIMES_COUNTS // int(size) // QUADRATURE_NODES)
        for batch in np.split(members, range(per_batch, len(members), per_batch)):
            chance[batch] = first_passage_probability(
                expected[batch], dispersion[batch], relative_variance[batch], critical[batch]
            )
    return chance


def first_passage_probability(
    expected: FloatArray, dispersion: FloatArray, relative_variance: FloatArray, critical: IntArray
) -> FloatArray:
    """Return the chance that any nested window reaches its critical count, per cell.

    `expected` and `critical` are cells by windows. The mean is uncertain by a common factor, gamma-distributed with
    mean 1 and variance `relative_variance`; given the factor, the steps between windows are independent.
    """
    factors, weights = _gamma_nodes(relative_variance)
    size = int(critical.max(initial=1)) + 1
    steps = np.diff(expected, axis=1, prepend=0.0)
    within = np.arange(size)
    probability, tail = _step_distribution(steps[:, :1] * factors, dispersion, size)
    chance = _at(tail, critical[:, 0])
    below = np.where(within < critical[:, 0, None, None], probability, 0.0)
    for window in range(1, expected.shape[1]):
        probability, tail = _step_distribution(steps[:, window, None] * factors, dispersion, size)
        still_needed = np.maximum(critical[:, window, None] - within, 0)
        chance += np.einsum("cnk,cnk->cn", below, np.take_along_axis(tail, still_needed[:, None, :], axis=2))
        carried = _convolve(below, probability)
        below = np.where(within < critical[:, window, None, None], carried, 0.0)
    return np.asarray(np.minimum(chance @ weights, 1.0), dtype=np.float64)


def _at(tail: FloatArray, count: IntArray) -> FloatArray:
    """Return the tails (cells by nodes by counts) at one count per cell."""
    return np.take_along_axis(tail, count[:, None, None], axis=2)[:, :, 0]


def _gamma_nodes(relative_variance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return values (cells by nodes) and weights (nodes) that average over a gamma factor of mean 1.

    Gauss-Hermite nodes of a standard normal, carried to the gamma distribution quantile by quantile.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(QUADRATURE_NODES)
    shape = 1.0 / np.maximum(relative_variance, 1e-8)[:, None]
    lower = special.gammaincinv(shape, special.ndtr(nodes))
    upper = special.gammainccinv(shape, special.ndtr(-nodes))  # the far tail keeps its precision from this side
    factors = np.where(nodes < 0, lower, upper) / shape
    return np.maximum(factors, 1e-12), weights / weights.sum()


def _step_distribution(mean: FloatArray, dispersion: FloatArray, size: int) -> tuple[FloatArray, FloatArray]:
    """Return P(X = k) and P(X ≥ k), k = 0 … size - 1, per cell and node; the variance is dispersion times mean."""
    excess = np.maximum(dispersion - 1.0, 0.0)[:, None, None]
    safe_excess = np.where(excess < POISSON_BELOW, 1.0, excess)
    log_none = -mean[:, :, None] * np.where(excess < POISSON_BELOW, 1.0, np.log1p(safe_excess) / safe_excess)
    k = np.arange(1, size)
    log_ratios = np.log(((k - 1) * excess + mean[:, :, None]) / ((1.0 + excess) * k))
    probability = np.exp(np.concatenate([log_none, log_none + np.cumsum(log_ratios, axis=2)], axis=2))
    beyond = tail_probability(np.array(size), mean, dispersion[:, None], np.zeros(1))
    tail = np.cumsum(probability[:, :, ::-1], axis=2)[:, :, ::-1] + beyond[:, :, None]
    return probability, np.minimum(tail, 1.0)


def _convolve(left: FloatArray, right: FloatArray) -> FloatArray:
    """Return the distribution of the sum of two counts, cut at the arrays' length."""
    size = left.shape[2]
    length = fft.next_fast_len(2 * size, real=True)
    product = fft.rfft(left, length, axis=2) * fft.rfft(right, length, axis=2)
    return np.maximum(np.asarray(fft.irfft(product, length, axis=2), dtype=np.float64)[:, :, :size], 0.0)
