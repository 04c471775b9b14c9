# SPDX-License-Identifier: Apache-2.0
"""Always bad, not only newly bad: pairs (office and failure, company and issue) reported more than they should be.

The Gamma-Poisson Shrinker (DuMouchel 1999, Am. Statistician 53:177; DuMouchel & Pregibon 2001, KDD '01:67). The number
of reports of a pair is Poisson with mean λE. E is what the pair would have if its halves had nothing to do with each
other, summed over strata; λ comes from a mixture of two gamma distributions that all pairs share and that is learnt
from them. EBGM is the geometric mean of λ given the count, EB05 and EB95 its 5 % and 95 % points: a pair with few
reports is drawn towards what pairs usually are, one with many speaks for itself. A common rule calls a pair out of
proportion at EB05 ≥ 2 and at least 3 reports.

Pairs that never occur are left out, and the likelihood is that of counts of at least one, each component truncated for
itself, as in the R package openEBGM 0.9.1 (its vignettes and table are what `benchmarks.disproportionality` compares
with). Tables with fewer than `FEWEST_PAIRS_TO_LEARN_FROM` pairs cannot tell five numbers apart: they take the fixed
prior of `FIXED_PRIOR`, gamma(½, ½), whose geometric mean is nearly the information component of Norén, Hopstadius &
Bate (2013, Stat. Methods Med. Res. 22:57); `Prior.is_learnt` says which.
"""

from dataclasses import dataclass

import numpy as np
from scipy import optimize, special
from scipy.optimize import elementwise

from analytics.arrays import FloatArray, IntArray

FEWEST_PAIRS_TO_LEARN_FROM = 100
MOST_POINTS_TO_FIT = 50_000
SQUASHED_TO = 0.01
"""In tables with more points, pairs of equal count and expectations closer than this become one point."""
SMALLEST_PARAMETER, LARGEST_PARAMETER = 1e-3, 1e3
SMALLEST_MIXING, LARGEST_MIXING = 1e-6, 1.0 - 1e-6
STARTS = (
    (0.2, 0.1, 2.0, 4.0, 1 / 3),
    (2.0, 0.3, 2.0, 2.0, 0.1),
    (5.0, 1.0, 20.0, 20.0, 0.2),
    (1.0, 1.0, 1.0, 1.0, 0.5),
)
"""Where the search begins; the first is DuMouchel's. The best end wins."""


@dataclass(frozen=True, slots=True)
class Prior:
    """What λ is before a pair is looked at: with chance `mixing` gamma(shape1, rate1), else gamma(shape2, rate2).

    The first component is the one with the larger mean.
    """

    shape1: float
    rate1: float
    shape2: float
    rate2: float
    mixing: float
    is_learnt: bool = True

    @property
    def mean(self) -> float:
        """The expected λ."""
        return self.mixing * self.shape1 / self.rate1 + (1.0 - self.mixing) * self.shape2 / self.rate2


FIXED_PRIOR = Prior(0.5, 0.5, 0.5, 0.5, 0.5, is_learnt=False)


@dataclass(frozen=True, slots=True)
class PairCounts:
    """Every pair that occurs, ordered by `first`, then `second`, with its reports and their expectation."""

    first: IntArray
    second: IntArray
    count: IntArray
    expected: FloatArray


@dataclass(frozen=True, slots=True)
class Disproportion:
    """How far out of proportion each pair is; `eb05` and `eb95` bound λ with 90 % probability."""

    pairs: PairCounts
    prior: Prior
    ebgm: FloatArray
    eb05: FloatArray
    eb95: FloatArray


def disproportionality(
    first: IntArray, second: IntArray, *, stratum: IntArray | None = None, report: IntArray | None = None
) -> Disproportion:
    """Return every occurring pair with its shrunken ratio. Codes count from 0; the arrays are as for `count_pairs`."""
    pairs = count_pairs(first, second, stratum=stratum, report=report)
    prior = learn_prior(pairs.count, pairs.expected)
    ebgm, eb05, eb95 = shrink(pairs.count, pairs.expected, prior)
    return Disproportion(pairs, prior, ebgm, eb05, eb95)


def count_pairs(
    first: IntArray, second: IntArray, *, stratum: IntArray | None = None, report: IntArray | None = None
) -> PairCounts:
    """Return the reports per pair and what would be expected: the sum over strata of row total · column total / total.

    Each row names one pair of codes; rows with the same `report` are one report (a complaint with two failures names
    two pairs), counted once in every total. Without `report`, each row is a report.
    Raises ValueError for arrays of different lengths, or a report in two strata.
    """
    rows = len(first)
    strata = np.zeros(rows, dtype=np.int64) if stratum is None else stratum
    reports = np.arange(rows, dtype=np.int64) if report is None else report
    if any(len(column) != rows for column in (second, strata, reports)):
        raise ValueError("Every row needs both codes, a stratum and a report.")
    if len(np.unique(_joined(reports, strata))) != len(np.unique(reports)):
        raise ValueError("A report belongs to one stratum.")
    _, where_first, row = np.unique(first, return_index=True, return_inverse=True)
    _, where_second, column = np.unique(second, return_index=True, return_inverse=True)
    _, pair = np.unique(_joined(row, column), return_inverse=True)
    _, at = np.unique(pair, return_index=True)
    expected = np.zeros(len(at))
    for one in np.unique(strata):
        inside = strata == one
        of_row = _distinct_reports(row[inside], reports[inside], len(where_first))
        of_column = _distinct_reports(column[inside], reports[inside], len(where_second))
        expected += of_row[row[at]] * of_column[column[at]] / len(np.unique(reports[inside]))
    return PairCounts(first[at], second[at], _distinct_reports(pair, reports, len(at)), expected)


def _joined(left: IntArray, right: IntArray) -> IntArray:
    """Return one code per combination of the two, in the order of left, then right; small enough to join again."""
    _, left_rank = np.unique(left, return_inverse=True)
    kinds, right_rank = np.unique(right, return_inverse=True)
    _, code = np.unique(left_rank * len(kinds) + right_rank, return_inverse=True)
    return np.asarray(code, dtype=np.int64)


def _distinct_reports(code: IntArray, report: IntArray, code_count: int) -> IntArray:
    """Return how many different reports name each code, 0 … code_count - 1."""
    _, at = np.unique(_joined(code, report), return_index=True)
    return np.bincount(code[at], minlength=code_count).astype(np.int64)


def learn_prior(count: IntArray, expected: FloatArray) -> Prior:
    """Return the prior that makes the counts (each at least 1) most likely, or the fixed one when pairs are few.

    Maximum likelihood by L-BFGS from several starts, on the log and logit scale, every parameter kept within bounds so
    that a table without any spread ends in a narrow prior and not at infinity.
    """
    if len(count) < FEWEST_PAIRS_TO_LEARN_FROM:
        return FIXED_PRIOR
    points = _points(count, expected)
    low, high = np.log(SMALLEST_PARAMETER), np.log(LARGEST_PARAMETER)
    bounds = [(low, high)] * 4 + [(special.logit(SMALLEST_MIXING), special.logit(LARGEST_MIXING))]
    ends = [
        optimize.minimize(
            points.cost_and_slope,
            [*np.log(start[:4]), special.logit(start[4])],
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": 2_000, "maxfun": 4_000, "ftol": 1e-15, "gtol": 1e-9},
        )
        for start in STARTS
    ]
    best = min(ends, key=lambda end: float(end.fun)).x
    shape1, rate1, shape2, rate2 = (float(value) for value in np.exp(best[:4]))
    mixing = float(special.expit(best[4]))
    if shape1 / rate1 >= shape2 / rate2:
        return Prior(shape1, rate1, shape2, rate2, mixing)
    return Prior(shape2, rate2, shape1, rate1, 1.0 - mixing)


@dataclass(frozen=True, slots=True)
class _Points:
    """A table to fit: kinds of count, which of them each point has, its expectation, and how many pairs it stands for.

    The costly functions of the counts are taken once per kind, of which there are few.
    """

    kinds: FloatArray
    kind: IntArray
    expected: FloatArray
    weight: FloatArray

    def cost_and_slope(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """Return minus the mean log likelihood per pair and its gradient in log shapes, log rates and logit mixing."""
        shape1, rate1, shape2, rate2 = np.exp(theta[:4])
        log_mixing, log_rest = -np.logaddexp(0.0, -theta[4]), -np.logaddexp(0.0, theta[4])
        log1, by_shape1, by_rate1 = self._component(shape1, rate1)
        log2, by_shape2, by_rate2 = self._component(shape2, rate2)
        together = np.logaddexp(log_mixing + log1, log_rest + log2)
        belongs1 = self.weight * np.exp(log_mixing + log1 - together)
        belongs2 = self.weight - belongs1
        total = self.weight.sum()
        slope = np.array(
            [
                shape1 * (belongs1 @ by_shape1),
                rate1 * (belongs1 @ by_rate1),
                shape2 * (belongs2 @ by_shape2),
                rate2 * (belongs2 @ by_rate2),
                belongs1.sum() - np.exp(log_mixing) * total,
            ]
        )
        return -float(self.weight @ together) / total, -slope / total

    def _component(self, shape: float, rate: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the log likelihood of each point under one gamma, counts of 0 excluded, and its slopes."""
        n, e = self.kinds[self.kind], self.expected
        log_share = np.log(rate / (rate + e))
        of_kind = special.gammaln(shape + self.kinds) - special.gammaln(shape) - special.gammaln(self.kinds + 1.0)
        slope_of_kind = special.digamma(shape + self.kinds) - special.digamma(shape)
        none = shape * log_share  # the log chance of a count of 0
        by_none = np.exp(none) / -np.expm1(none)
        log_likelihood = of_kind[self.kind] + none + n * np.log(e / (rate + e)) - np.log(-np.expm1(none))
        by_shape = slope_of_kind[self.kind] + log_share * (1.0 + by_none)
        by_rate = shape / rate - (shape + n) / (rate + e) + by_none * shape * e / (rate * (rate + e))
        return log_likelihood, by_shape, by_rate


def _points(count: IntArray, expected: FloatArray) -> _Points:
    """Return the table with equal pairs as one point; a very large one squashed (DuMouchel & Pregibon 2001)."""
    kinds, kind = np.unique(count, return_inverse=True)
    _, at, point = np.unique(np.column_stack([kind, expected]), axis=0, return_index=True, return_inverse=True)
    if len(at) > MOST_POINTS_TO_FIT:
        step = np.floor(np.log(expected) / SQUASHED_TO).astype(np.int64)
        _, at, point = np.unique(_joined(kind, step), return_index=True, return_inverse=True)
    weight = np.bincount(point).astype(np.float64)
    return _Points(kinds.astype(np.float64), kind[at], np.bincount(point, expected) / weight, weight)


def shrink(count: IntArray, expected: FloatArray, prior: Prior) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return EBGM, EB05 and EB95 of each pair under the prior."""
    share = share_of_first_component(count, expected, prior)
    n = count.astype(np.float64)
    shapes: tuple[FloatArray, FloatArray] = (n + prior.shape1, n + prior.shape2)
    rates: tuple[FloatArray, FloatArray] = (expected + prior.rate1, expected + prior.rate2)
    log_means = [special.digamma(shape) - np.log(rate) for shape, rate in zip(shapes, rates, strict=True)]
    ebgm = np.exp(share * log_means[0] + (1.0 - share) * log_means[1])
    return (
        np.asarray(ebgm, dtype=np.float64),
        _quantile(0.05, share, shapes, rates),
        _quantile(0.95, share, shapes, rates),
    )


def share_of_first_component(count: IntArray, expected: FloatArray, prior: Prior) -> FloatArray:
    """Return the chance that λ of a pair came from the prior's first component, given its count (openEBGM's Qn)."""
    log_odds = special.logit(prior.mixing) + (
        _log_marginal(count, expected, prior.shape1, prior.rate1)
        - _log_marginal(count, expected, prior.shape2, prior.rate2)
    )
    return np.asarray(special.expit(log_odds), dtype=np.float64)


def _log_marginal(count: IntArray, expected: FloatArray, shape: float, rate: float) -> FloatArray:
    """Return the log chance of a count when λ is gamma: negative binomial, without the factor that all priors share."""
    kinds, kind = np.unique(count, return_inverse=True)
    of_kind = special.gammaln(shape + kinds) - special.gammaln(shape)
    value = of_kind[kind] + shape * np.log(rate / (rate + expected)) - count * np.log(rate + expected)
    return np.asarray(value, dtype=np.float64)


def _quantile(
    chance: float, share: FloatArray, shapes: tuple[FloatArray, FloatArray], rates: tuple[FloatArray, FloatArray]
) -> FloatArray:
    """Return the value below which a mixture of two gammas lies with this chance.

    It lies between the components' own quantiles, where Chandrupatla's method finds it for all pairs at once.
    """
    ends = [special.gammaincinv(shape, chance) / rate for shape, rate in zip(shapes, rates, strict=True)]

    def too_much(value: FloatArray, *of: FloatArray) -> FloatArray:
        mixing, shape1, rate1, shape2, rate2 = of
        below = mixing * special.gammainc(shape1, rate1 * value)
        return np.asarray(below + (1.0 - mixing) * special.gammainc(shape2, rate2 * value) - chance, dtype=np.float64)

    # A hair wider than the ends, or rounding would leave no change of sign where one component has it all.
    bracket = (np.minimum(*ends) * (1.0 - 1e-9), np.maximum(*ends) * (1.0 + 1e-9))
    arguments = (share, shapes[0], rates[0], shapes[1], rates[1])
    found = elementwise.find_root(too_much, bracket, args=arguments, tolerances={"xrtol": 1e-10})
    return np.asarray(found.x, dtype=np.float64)
