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

A `WindowRule` says how much of the chance of a false alarm each window gets, and how much the shorter windows must
lean the same way before a longer one may speak. Without the latter a short outbreak goes on ringing for as long as the
longest window after it has ended, and each chance alarm comes several times over. The walk knows both: paths that do
not lean are taken out of it.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import fft, special

from analytics.arrays import BoolArray, FloatArray, IntArray

SMALLEST_P_VALUE = 1e-12
"""Smaller is said as this: the convolutions carry no more, and nobody could tell the difference."""
POISSON_BELOW = 1e-9
"""Relative extra variance under which the negative binomial cannot be told from the Poisson in double precision."""
QUADRATURE_NODES = 15
NODES_IF_NEARLY_SURE = 5
NEARLY_SURE_BELOW = 0.05
"""Fewer nodes do while the expectation's own error is this small a part of the longest window's variance."""
SURELY_DULL_ABOVE = 0.25
"""A sum of the windows' chances above this is given as it is (a little too high): no decision hangs on it."""
LONGEST_WALK = 16_384
"""Critical counts above this get the sum of the windows' chances, which is never too small."""
BATCH_CELLS_TIMES_COUNTS = 200_000


@dataclass(frozen=True, slots=True)
class WindowRule:
    """How several windows share the chance of a false alarm; one entry per window, from short to long.

    A window's p-value is divided by its entry in `weights` before the smallest is taken. A window speaks only while in
    each shorter window at least so many complaints came that chance reaches as many with at most that window's entry in
    `leans` (1 asks nothing; the last entry is never used).
    """

    weights: tuple[float, ...]
    leans: tuple[float, ...]

    @classmethod
    def plain(cls, window_count: int) -> Self:
        """Return the rule by which all windows are alike, nothing asked of the shorter ones."""
        return cls((1.0,) * window_count, (1.0,) * window_count)

    @classmethod
    def standard(cls, windows: tuple[int, ...]) -> Self:
        """Return the rule for windows of so many weeks, chosen on simulated outbreaks: docs/analytics/detection.md.

        Two weeks get the most: sudden failures last a few weeks, and two weeks tell them from chance better than one.
        Long windows get little, for little is enough for the slow growth they are there for.
        """
        weights = tuple(_step(weeks, WEIGHT_UP_TO) for weeks in windows)
        return cls(weights, tuple(_step(weeks, LEAN_UP_TO) for weeks in windows))


def _step(weeks: int, steps: tuple[tuple[float, float], ...]) -> float:
    return next(value for up_to, value in steps if weeks <= up_to)


WEIGHT_UP_TO = ((1, 1.0), (2, 4.0), (3, 1.0), (4, 0.5), (np.inf, 0.2))
"""Weights of windows up to so many weeks."""
LEAN_UP_TO = ((1, 0.6), (2, 0.1), (np.inf, 0.02))
"""What a window up to so many weeks must show before a longer one may speak."""


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
    rule: WindowRule | None = None,
) -> WindowScores:
    """Return, per cell, the chance of windows as unusual as these, whichever window it was.

    `observed`, `expected` and `relative_variance` are cells by windows, nested windows from short to long;
    `dispersion` is per cell. A window with fewer than `floor_count` complaints says nothing, and a cell in which no
    window may speak has p = 1. Without a rule all windows are alike.
    """
    spread = dispersion[:, None]
    rule = rule or WindowRule.plain(expected.shape[1])
    weights = np.array(rule.weights)
    p_by_window = tail_probability(observed, expected, spread, relative_variance)
    least = leaning_counts(expected, dispersion, relative_variance, rule)
    may_speak = (observed >= floor_count) & _leans(observed, least)
    p_by_window = np.where(may_speak, p_by_window, 1.0)
    weighted = np.where(may_speak, p_by_window / weights, np.inf)
    window = np.argmin(weighted, axis=1)
    smallest = np.take_along_axis(weighted, window[:, None], axis=1)
    has_spoken = np.isfinite(smallest[:, 0])
    # A hair more than seen, so that rounding keeps the seen count critical.
    level = np.clip(np.maximum(smallest, SMALLEST_P_VALUE) * weights * (1.0 + 1e-9), SMALLEST_P_VALUE / 2, 1.0)
    critical = np.full(expected.shape, floor_count)
    critical[has_spoken] = np.maximum(
        critical_count(level[has_spoken], expected[has_spoken], spread[has_spoken], relative_variance[has_spoken]),
        floor_count,
    )
    chances = tail_probability(critical, expected, spread, relative_variance)
    p_value = np.where(has_spoken, np.minimum(chances.sum(axis=1), 1.0), 1.0)
    walk = has_spoken & (p_value < SURELY_DULL_ABOVE) & (critical.max(axis=1) <= LONGEST_WALK)
    p_value[walk] = _first_passage_in_batches(
        expected[walk], dispersion[walk], relative_variance[walk].max(axis=1), critical[walk], least[walk]
    )
    # Far out the quadrature falls short of the tail; several looks are never rarer than one that nothing is asked of.
    is_free = np.cumprod([True, *(lean >= 1.0 for lean in rule.leans[:-1])], dtype=np.bool_)
    bound = np.where(has_spoken, chances[:, is_free].max(axis=1), SMALLEST_P_VALUE)
    return WindowScores(np.maximum(np.maximum(p_value, bound), SMALLEST_P_VALUE), window, p_by_window)


def leaning_counts(
    expected: FloatArray, dispersion: FloatArray, relative_variance: FloatArray, rule: WindowRule
) -> IntArray:
    """Return how many complaints each window (cells by windows) needs before a longer one may speak."""
    least = np.zeros(expected.shape, dtype=np.int64)
    for window, lean in enumerate(rule.leans[:-1]):
        if lean < 1.0:
            column = slice(window, window + 1)
            least[:, column] = critical_count(
                np.full((len(expected), 1), lean),
                expected[:, column],
                dispersion[:, None],
                relative_variance[:, column],
            )
    return least


def _leans(observed: IntArray, least: IntArray) -> BoolArray:
    """Return which windows (cells by windows) may speak as far as the shorter ones are concerned."""
    goes_on = np.logical_and.accumulate(observed[:, :-1] >= least[:, :-1], axis=1)
    return np.concatenate([np.ones((len(observed), 1), dtype=np.bool_), goes_on], axis=1)


def _first_passage_in_batches(
    expected: FloatArray, dispersion: FloatArray, relative_variance: FloatArray, critical: IntArray, least: IntArray
) -> FloatArray:
    """Return `first_passage_probability` per cell, cells of like length together so that memory stays small."""
    chance = np.empty(len(expected))
    sizes = 2 ** np.ceil(np.log2(critical.max(axis=1, initial=1) + 1.0)).astype(np.int64)
    is_nearly_sure = relative_variance * expected[:, -1] < NEARLY_SURE_BELOW * dispersion
    nodes = np.where(is_nearly_sure, NODES_IF_NEARLY_SURE, QUADRATURE_NODES)
    for size, node_count in np.unique(np.column_stack([sizes, nodes]), axis=0):
        members = np.flatnonzero((sizes == size) & (nodes == node_count))
        per_batch = max(1, BATCH_CELLS_TIMES_COUNTS // int(size) // int(node_count))
        for batch in np.split(members, range(per_batch, len(members), per_batch)):
            chance[batch] = first_passage_probability(
                expected[batch],
                dispersion[batch],
                relative_variance[batch],
                critical[batch],
                least[batch],
                node_count=int(node_count),
            )
    return chance


def first_passage_probability(
    expected: FloatArray,
    dispersion: FloatArray,
    relative_variance: FloatArray,
    critical: IntArray,
    least: IntArray | None = None,
    *,
    node_count: int = QUADRATURE_NODES,
) -> FloatArray:
    """Return the chance that any nested window reaches its critical count, per cell.

    `expected`, `critical` and `least` are cells by windows; a window counts only if all shorter ones reach their
    `least`. The mean is uncertain by a common factor, gamma-distributed with mean 1 and variance `relative_variance`;
    given the factor, the steps between windows are independent.
    """
    factors, weights = _gamma_nodes(relative_variance, node_count)
    size = int(critical.max(initial=1)) + 1
    floor = np.zeros(critical.shape, dtype=np.int64) if least is None else least
    steps = np.diff(expected, axis=1, prepend=0.0)
    within = np.arange(size)
    goes_on = (within < critical[:, :, None]) & (within >= floor[:, :, None])  # cells by windows by counts
    probability, tail = _step_distribution(steps[:, :1] * factors, dispersion, size)
    chance = _at(tail, critical[:, 0])
    below = np.where(goes_on[:, 0, None, :], probability, 0.0)
    for window in range(1, expected.shape[1]):
        probability, tail = _step_distribution(steps[:, window, None] * factors, dispersion, size)
        still_needed = np.maximum(critical[:, window, None] - within, 0)
        chance += np.einsum("cnk,cnk->cn", below, np.take_along_axis(tail, still_needed[:, None, :], axis=2))
        if window < expected.shape[1] - 1:
            below = np.where(goes_on[:, window, None, :], _convolve(below, probability), 0.0)
    return np.asarray(np.minimum(chance @ weights, 1.0), dtype=np.float64)


def _at(tail: FloatArray, count: IntArray) -> FloatArray:
    """Return the tails (cells by nodes by counts) at one count per cell."""
    return np.take_along_axis(tail, count[:, None, None], axis=2)[:, :, 0]


def _gamma_nodes(relative_variance: FloatArray, node_count: int) -> tuple[FloatArray, FloatArray]:
    """Return values (cells by nodes) and weights (nodes) that average over a gamma factor of mean 1.

    Gauss-Hermite nodes of a standard normal, carried to the gamma distribution quantile by quantile.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(node_count)
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
