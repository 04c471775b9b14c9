# SPDX-License-Identifier: Apache-2.0
"""What would be expected if nothing were wrong: one regression per cell, all cells at once.

After Farrington et al. (1996, JRSS-A 159:547) as improved by Noufaily et al. (2013, Stat. Med. 32:1206): a log-linear
quasi-Poisson regression on up to five years, the latest 26 weeks left out so that a failure already under way does not
raise its own expectation, past outbreaks down-weighted by their Anscombe residuals above 2.58. Instead of a ten-level
seasonal factor: two harmonics; instead of a test for the trend: a trend drawn towards none (ridge) that fades once the
baseline has ended. The ridge is a normal prior, so that the coefficients' covariance is their posterior one.

Cells with less than half a complaint a week, and cells younger than a year, cannot carry a regression. They are a share
of their parent's expectation, the share gamma-distributed around an even split among the parent's cells (conjugate, so
that the predictive count is negative-binomial); they inherit their parent's season and trend.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from analytics.arrays import BoolArray, FloatArray, IntArray
from analytics.tails import SMALLEST_P_VALUE, tail_probability

WEEKS_PER_YEAR = 365.2425 / 7
ANSCOMBE_LIMIT = 2.58
"""Residuals above this are past outbreaks (Noufaily 2013); their weight is the inverse square of the residual."""
TREND_SPAN_WEEKS = 260.0
TREND_PRECISION = 1.0
"""Prior precision of the log change over `TREND_SPAN_WEEKS`: a doubling in five years is 0.7 standard deviations."""
TREND_FADES_PER_WEEK = 0.99
SEASON_PRECISION = 1.0
"""Prior precision of the first harmonic's coefficients (log scale); that of the j-th is j² times it."""
LEVEL_PRECISION = 1e-3
SHARED_DISPERSION_WORTH = 15.0
"""A cell's dispersion is drawn to its level's as if the level were worth so many degrees of freedom of its own."""
STUDENT_WIDENING = 3.2
"""(z² + 1)/2 at the chance of 0.01: by this over its degrees of freedom an estimated variance must grow so that the
normal tail becomes Student's (Abramowitz & Stegun, ch. 26)."""
SHARE_PRIOR_COMPLAINTS = 0.5
FEWEST_PARTIES_TO_AN_OUTBREAK = 3
"""Below so many complaints a week is never down-weighted: in sparse cells two are no outbreak, only skewness."""
GAP_OF_SHORT_HISTORIES = 4
ROUNDS_OF_REWEIGHTING = 5
MEDIAN_OF_A_SQUARED_NORMAL = 0.4549
STEPS_PER_ROUND = 6
LONGEST_STEP = 2.0


@dataclass(frozen=True, slots=True)
class BaselineSettings:
    """The numbers a baseline depends on; lengths in weeks. `season_weeks` is the length of a year in weeks."""

    longest_baseline_weeks: int = 260
    gap_weeks: int = 26
    least_baseline_weeks: int = 12
    year_weeks: int = 52
    season_weeks: float = WEEKS_PER_YEAR
    harmonics: int = 2
    least_mean_per_week: float = 0.5


@dataclass(frozen=True, slots=True)
class Baseline:
    """The expectation of every cell, from the baseline's first week to the week looked at.

    `expected` is cells by weeks, its first column being column `start` of the counts and its last the week looked at;
    `baseline_weeks` of them were learnt from. `dispersion` is the variance of a weekly count over its mean, at least 1.
    `relative_variance` is that of the expectation itself, per cell by window.
    """

    start: int
    baseline_weeks: int
    expected: FloatArray
    dispersion: FloatArray
    relative_variance: FloatArray


@dataclass(frozen=True, slots=True)
class _Span:
    """Where the baseline lies among the columns: learnt from [start, stop), looked at up to `end` inclusive."""

    start: int
    stop: int
    end: int


@dataclass(frozen=True, slots=True)
class _Fit:
    """A batch of regressions: coefficients (cells by terms), their covariance, and the cells' dispersion."""

    coefficients: FloatArray
    covariance: FloatArray
    dispersion: FloatArray


def baseline_gap_weeks(history_weeks: int, settings: BaselineSettings) -> int:
    """Return how many of the latest weeks to leave out: fewer than usual while the whole history is short.

    The full gap is kept once a year remains without it; before, a third of the history, at least four weeks.
    """
    if history_weeks - settings.gap_weeks >= settings.year_weeks:
        return settings.gap_weeks
    return min(settings.gap_weeks, max(GAP_OF_SHORT_HISTORIES, history_weeks // 3))


def fit_baseline(
    counts: IntArray,
    parents: IntArray,
    levels: IntArray,
    *,
    first_week: int,
    windows: tuple[int, ...],
    settings: BaselineSettings,
) -> Baseline | None:
    """Return the baseline for windows ending in the last column of `counts`, or nothing while there is too little past.

    `parents` are indices of earlier cells or -1; dispersion is shared within `levels`; `first_week` numbers the first
    column and so sets the season. The gap must cover the longest of `windows`, in weeks.
    """
    end = counts.shape[1] - 1
    gap = baseline_gap_weeks(end, settings)
    stop = end - gap
    if stop < settings.least_baseline_weeks or len(counts) == 0:
        return None
    span = _Span(max(0, stop - settings.longest_baseline_weeks), stop, end)
    past = counts[:, span.start : span.stop].astype(np.float64)
    live = _live_weeks(counts, span, settings)
    is_share = _is_share(past, live, parents, settings)
    design = _design(span, first_week, settings)
    table = Baseline(
        start=span.start,
        baseline_weeks=past.shape[1],
        expected=np.zeros((len(counts), span.end - span.start + 1)),
        dispersion=np.ones(len(counts)),
        relative_variance=np.zeros((len(counts), len(windows))),
    )
    own = np.flatnonzero(~is_share)
    fit = _fit_regressions(past[own], live[own], design[: past.shape[1]], levels[own], _precision(design))
    table.expected[own] = _means(fit.coefficients, design)
    table.dispersion[own] = fit.dispersion
    table.relative_variance[own] = _relative_variance(fit, table.expected[own], design, windows)
    inherited = table.relative_variance.copy()
    for generation in _generations(parents, is_share):
        inherited[generation] = inherited[parents[generation]]
        _fit_shares(table, generation, past, live, parents, levels)
        table.relative_variance[generation] += inherited[generation]
    return table


def _live_weeks(counts: IntArray, span: _Span, settings: BaselineSettings) -> BoolArray:
    """Return which baseline weeks count for each cell: all, or for a cell younger than a year those since it began.

    The week of its first complaint is left out, for having chosen it we know that it has one.
    """
    ever = counts[:, : span.end + 1] > 0
    began = np.where(ever.any(axis=1), ever.argmax(axis=1), 0)
    is_young = (began > 0) & (span.stop - began < settings.year_weeks) & (began < span.stop - 1)
    weeks = np.arange(span.start, span.stop)
    since = weeks[None, :] > began[:, None]
    seen = (counts[:, span.start : span.stop] * since).sum(axis=1)
    is_busy = seen >= settings.least_mean_per_week * np.maximum(since.sum(axis=1), 1)
    return np.asarray(np.where((is_young & is_busy)[:, None], since, True), dtype=np.bool_)  # noqa: FBT003


def _is_share(past: FloatArray, live: BoolArray, parents: IntArray, settings: BaselineSettings) -> BoolArray:
    """Return which cells are too small, or too young, for a regression of their own; a cell without parent never is."""
    mean = (past * live).sum(axis=1) / np.maximum(live.sum(axis=1), 1)
    is_young = live.sum(axis=1) < min(settings.year_weeks, past.shape[1])
    return np.asarray((parents >= 0) & ((mean < settings.least_mean_per_week) | is_young), dtype=np.bool_)


def _design(span: _Span, first_week: int, settings: BaselineSettings) -> FloatArray:
    """Return the regression's terms, weeks by terms: level, trend that fades after the baseline, harmonics.

    Under a year of past there is no telling season from trend, so that only the level is left.
    """
    columns = np.arange(span.start, span.end + 1)
    terms = [np.ones(len(columns))]
    if span.stop - span.start >= settings.year_weeks:
        beyond = np.maximum(columns - (span.stop - 1), 0)
        fade = TREND_FADES_PER_WEEK
        faded = fade * (1.0 - fade**beyond) / (1.0 - fade)
        middle = (span.start + span.stop - 1) / 2
        terms.append((np.minimum(columns, span.stop - 1) - middle + faded) / TREND_SPAN_WEEKS)
        phase = 2.0 * np.pi * (columns + first_week) / settings.season_weeks
        for harmonic in range(1, settings.harmonics + 1):
            terms += [np.cos(harmonic * phase), np.sin(harmonic * phase)]
    return np.column_stack(terms)


def _precision(design: FloatArray) -> FloatArray:
    """Return the prior precision of each term, as a diagonal matrix."""
    harmonics = (design.shape[1] - 2) // 2
    season = [SEASON_PRECISION * harmonic**2 for harmonic in range(1, harmonics + 1) for _ in range(2)]
    trend = [TREND_PRECISION] if design.shape[1] > 1 else []
    return np.diag([LEVEL_PRECISION, *trend, *season])


def _means(coefficients: FloatArray, design: FloatArray) -> FloatArray:
    """Return the expected counts, cells by weeks, kept within what a double can square."""
    return np.asarray(np.exp(np.clip(coefficients @ design.T, -12.0, 14.0)), dtype=np.float64)


def _fit_regressions(
    past: FloatArray, live: BoolArray, design: FloatArray, levels: IntArray, precision: FloatArray
) -> _Fit:
    """Fit all cells by iteratively reweighted least squares, down-weighting past outbreaks between rounds."""
    terms = design.shape[1]
    products = (design[:, :, None] * design[:, None, :]).reshape(len(design), terms * terms)
    level = np.log((past * live).sum(axis=1) / np.maximum(live.sum(axis=1), 1) + 0.1 / len(design))
    coefficients = np.zeros((len(past), terms))
    coefficients[:, 0] = level
    centre = np.zeros_like(coefficients)
    centre[:, 0] = level
    weights = live.astype(np.float64)
    dispersion = np.ones(len(past))
    information = np.broadcast_to(precision, (len(past), terms, terms))
    for round_number in range(ROUNDS_OF_REWEIGHTING):
        for _ in range(STEPS_PER_ROUND):
            mean = _means(coefficients, design)
            worth = weights / dispersion[:, None]
            information = ((worth * mean) @ products).reshape(-1, terms, terms) + precision
            score = (worth * (past - mean)) @ design - (coefficients - centre) @ precision
            step = np.linalg.solve(information, score[:, :, None])[:, :, 0]
            coefficients += np.clip(step, -LONGEST_STEP, LONGEST_STEP)
        mean = _means(coefficients, design)
        if round_number == 0:
            dispersion = _first_guess_of_dispersion(past, mean)
        else:
            dispersion = _dispersion(past, mean, weights, levels, terms)
        weights = live * _outbreak_weights(past, mean, dispersion)
    return _Fit(coefficients, np.asarray(np.linalg.inv(information), dtype=np.float64), dispersion)


def _outbreak_weights(past: FloatArray, mean: FloatArray, dispersion: FloatArray) -> FloatArray:
    """Return 1, or less for weeks that were outbreaks: the inverse square of their residual above the limit.

    The Anscombe residual (Farrington 1996) with the limit of Noufaily 2013 finds the candidates. Divided by the root of
    the dispersion it is far from normal where counts are small and dispersed, and would take two weeks in a hundred of
    plain chance for outbreaks; so the candidates are judged by their quantile residual, whose limit means the same
    chance everywhere.
    """
    spread = np.broadcast_to(dispersion[:, None], past.shape)
    anscombe = 1.5 * (past ** (2 / 3) - mean ** (2 / 3)) / (mean ** (1 / 6) * np.sqrt(spread))
    candidate = (anscombe > ANSCOMBE_LIMIT) & (past >= FEWEST_PARTIES_TO_AN_OUTBREAK)
    tail = tail_probability(past[candidate], mean[candidate], spread[candidate], np.zeros(1))
    residual = -special.ndtri(np.maximum(tail, SMALLEST_P_VALUE))
    weights = np.ones_like(past)
    weights[candidate] = (ANSCOMBE_LIMIT / np.maximum(residual, ANSCOMBE_LIMIT)) ** 2
    return weights


def _first_guess_of_dispersion(past: FloatArray, mean: FloatArray) -> FloatArray:
    """Return variance over mean per cell, at least 1, from the median squared residual, which no outbreak can raise.

    An outbreak would hide behind the dispersion that it inflates itself. A little low for skewed counts; the next
    rounds correct that.
    """
    median = np.median((past - mean) ** 2 / mean, axis=1)
    return np.asarray(np.maximum(median / MEDIAN_OF_A_SQUARED_NORMAL, 1.0), dtype=np.float64)


def _dispersion(past: FloatArray, mean: FloatArray, weights: FloatArray, levels: IntArray, terms: int) -> FloatArray:
    """Return variance over mean per cell, at least 1, drawn to the pooled one of its level, and widened for its error.

    Squared residuals are summed before they are divided by the summed means: the usual Pearson sum, a sum of ratios,
    is ruled by single complaints where the mean is far below one. The fourth cumulant of the negative binomial with
    variance d times mean m, m d (6 d (d - 1) + 1), gives this estimate's relative variance, and so the degrees of
    freedom it is worth: few where complaints are few.
    """
    total = np.maximum((weights * mean).sum(axis=1), 1e-9)
    squares = (weights * mean**2).sum(axis=1)
    live_weeks = (weights > 0).sum(axis=1)
    correction = live_weeks / np.maximum(live_weeks - terms, 1)
    raw = (weights * (past - mean) ** 2).sum(axis=1) / total * correction
    level_count = int(levels.max(initial=0)) + 1
    pooled = np.bincount(levels, raw * total, level_count) / np.maximum(np.bincount(levels, total, level_count), 1e-9)
    guess = np.maximum(pooled, 1.0)[levels]
    worth = 2.0 * total**2 / (total * (6.0 * (guess - 1.0) + 1.0 / guess) + 2.0 * squares)
    shared = SHARED_DISPERSION_WORTH
    estimate = np.maximum((worth * raw + shared * guess) / (worth + shared), 1.0)
    return np.asarray(estimate * (1.0 + STUDENT_WIDENING / (worth + shared)), dtype=np.float64)


def _relative_variance(fit: _Fit, expected: FloatArray, design: FloatArray, windows: tuple[int, ...]) -> FloatArray:
    """Return the relative variance of each window's expectation (delta method), cells by windows; at most 1."""
    variances = []
    for window in windows:
        mean = expected[:, -window:]
        gradient = mean @ design[-window:] / mean.sum(axis=1, keepdims=True)
        variances.append(np.einsum("cp,cpq,cq->c", gradient, fit.covariance, gradient))
    return np.asarray(np.minimum(np.column_stack(variances), 1.0), dtype=np.float64)


def _generations(parents: IntArray, is_share: BoolArray) -> list[IntArray]:
    """Return the share cells in groups such that a cell's parent stands in an earlier group or has its own regression.

    At most as many rounds as the cube is deep.
    """
    is_ready = ~is_share
    groups = []
    while (group := np.flatnonzero(~is_ready & is_ready[parents])).size:
        groups.append(group)
        is_ready = is_ready.copy()
        is_ready[group] = True
    return groups


def _fit_shares(
    table: Baseline, group: IntArray, past: FloatArray, live: BoolArray, parents: IntArray, levels: IntArray
) -> None:
    """Fill in the cells of `group` as shares of their parents, whose values are in the table already.

    The share's prior is worth half a complaint and lies at an even split among the parent's cells of that level, with
    one more place for the unseen. Given the parent, the posterior is gamma with shape prior + complaints; the relative
    variance written here is the share's alone. (Of what a parent adds, its own error of level cancels in the ratio;
    the season and trend it inherited do not.)
    """
    parent = parents[group]
    whole = table.expected[parent, : past.shape[1]]
    prior_exposure = SHARE_PRIOR_COMPLAINTS * (_sibling_counts(parent, levels[group]) + 1.0)
    y, weights = past[group], live[group].astype(np.float64)
    for round_number in range(ROUNDS_OF_REWEIGHTING):
        seen = SHARE_PRIOR_COMPLAINTS + (weights * y).sum(axis=1)
        share = seen / (prior_exposure + (weights * whole).sum(axis=1))
        mean = share[:, None] * whole
        if round_number == 0:
            dispersion = _first_guess_of_dispersion(y, mean)
        else:
            dispersion = _dispersion(y, mean, weights, levels[group], 1)
        weights = live[group] * _outbreak_weights(y, mean, dispersion)
    table.expected[group] = share[:, None] * table.expected[parent]
    table.dispersion[group] = dispersion
    table.relative_variance[group] = np.minimum(dispersion / seen, 1.0 / SHARE_PRIOR_COMPLAINTS)[:, None]


def _sibling_counts(parent: IntArray, levels: IntArray) -> FloatArray:
    """Return, per cell, how many cells of its level its parent has."""
    _, group, sizes = np.unique(np.column_stack([parent, levels]), axis=0, return_inverse=True, return_counts=True)
    return np.asarray(sizes[group.reshape(-1)], dtype=np.float64)
