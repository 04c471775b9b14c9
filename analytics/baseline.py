# SPDX-License-Identifier: Apache-2.0
"""What would be expected if nothing were wrong: one regression per cell, all cells at once.

After Farrington et al. (1996, JRSS-A 159:547) as improved by Noufaily et al. (2013, Stat. Med. 32:1206): a log-linear
quasi-Poisson regression on up to five years, the latest 26 weeks left out so that a failure already under way does not
raise its own expectation, past outbreaks down-weighted. Instead of a ten-level seasonal factor: two harmonics; instead
of a test for the trend: a trend drawn towards none (ridge) that fades once the baseline has ended. The ridge is a
normal prior, so that the coefficients' covariance is their posterior one; how wide the priors of season and trend are,
each cell's own past says (evidence approximation, MacKay 1992, Neural Comput. 4:415), so that cells without a season
pay little for the possibility of one.

What raises or lowers a whole week for known reasons comes in from outside: an offset on the log scale (volume served,
completeness of reporting), weeks to be left out (while a fix was being brought in), terms for holidays.

Cells with less than half a complaint a week, and cells younger than a year, cannot carry a regression. They are a share
of their parent's expectation, the share gamma-distributed around an even split among the parent's cells (conjugate, so
that the predictive count is negative-binomial); they inherit their parent's season and trend.
"""

from dataclasses import dataclass

import numpy as np

from analytics.arrays import BoolArray, FloatArray, IntArray
from analytics.dispersion import dispersion_of, first_guess_of_dispersion, lost_to_weights, outbreak_weights

WEEKS_PER_YEAR = 365.2425 / 7
TREND_SPAN_WEEKS = 260.0
TREND_PRECISION = 1.0
"""Prior precision, to begin with, of the log change over `TREND_SPAN_WEEKS`: a doubling in five years is 0.7 standard
deviations."""
TREND_PRECISION_RANGE = (0.5, 15.0)
TREND_FADES_PER_WEEK = 0.99
SEASON_PRECISION = 1.0
"""Prior precision, to begin with, of the first harmonic's coefficients (log scale); that of the j-th is j² times it."""
SEASON_PRECISION_RANGE = (1.0, 25.0)
"""Of the first harmonic; the lower end of the j-th is j² times it."""
HOLIDAY_PRECISION = 100.0
"""Prior precision of what one closed day changes in its week (log scale): a tenth is one standard deviation. A quiet
cell, which cannot learn it from a dozen such days, errs on the side of expecting too much."""
LEVEL_PRECISION = 1e-3
SHARE_PRIOR_COMPLAINTS = 0.5
GAP_OF_SHORT_HISTORIES = 4
ROUNDS_OF_REWEIGHTING = 5
STEPS_OF_FIRST_ROUND = 6
STEPS_PER_ROUND = 3
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

    @property
    def weeks(self) -> int:
        return self.end - self.start + 1


@dataclass(frozen=True, slots=True)
class _Design:
    """The regression's terms (weeks by terms, of baseline and after) and how many of them are of which kind.

    In this order: level; trend and pairs of harmonics, if there are `harmonics`; holidays.
    """

    terms: FloatArray
    harmonics: int

    def precision(self) -> FloatArray:
        """Return the prior precision of each term to begin with."""
        season = [SEASON_PRECISION * harmonic**2 for harmonic in range(1, self.harmonics + 1) for _ in range(2)]
        trend = [TREND_PRECISION] if self.harmonics else []
        known = [LEVEL_PRECISION, *trend, *season]
        return np.array(known + [HOLIDAY_PRECISION] * (self.terms.shape[1] - len(known)))


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


@dataclass(frozen=True, slots=True)
class KnownReasons:
    """What is known from outside about the columns of the counts.

    `log_offset`, cells by weeks: the expectation is proportional to its exponential (volume served, completeness);
    `offset_variance`, of the same shape, is how uncertain it is, a week's error being that of its neighbours too.
    `masked`, cells by weeks: weeks that are not learnt from. `holidays`, weeks by terms: what moves a whole week.
    """

    log_offset: FloatArray | None = None
    offset_variance: FloatArray | None = None
    masked: BoolArray | None = None
    holidays: FloatArray | None = None


NOTHING_KNOWN = KnownReasons()


def fit_baseline(
    counts: IntArray,
    parents: IntArray,
    levels: IntArray,
    *,
    first_week: int,
    windows: tuple[int, ...],
    settings: BaselineSettings,
    known: KnownReasons = NOTHING_KNOWN,
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
    live = _live_weeks(counts, parents, span, settings)
    if known.masked is not None:
        live &= ~known.masked[:, span.start : span.stop]
    offset = np.zeros((1, span.weeks)) if known.log_offset is None else known.log_offset[:, span.start : span.end + 1]
    is_share = _is_share(past, live, parents, settings)
    design = _design(span, first_week, settings, known.holidays)
    table = Baseline(
        start=span.start,
        baseline_weeks=past.shape[1],
        expected=np.zeros((len(counts), span.weeks)),
        dispersion=np.ones(len(counts)),
        relative_variance=np.zeros((len(counts), len(windows))),
    )
    own = np.flatnonzero(~is_share)
    own_offset = offset if known.log_offset is None else offset[own]
    fit = _fit_regressions(past[own], live[own], design, own_offset[:, : past.shape[1]], levels[own])
    table.expected[own] = _means(fit.coefficients, design.terms, own_offset)
    table.dispersion[own] = fit.dispersion
    table.relative_variance[own] = _relative_variance(fit, table.expected[own], design.terms, windows)
    inherited = table.relative_variance.copy()
    for generation in _generations(parents, is_share):
        inherited[generation] = inherited[parents[generation]]
        _fit_shares(table, generation, past, live, parents, levels, offset)
        table.relative_variance[generation] += inherited[generation]
    return table


def _live_weeks(counts: IntArray, parents: IntArray, span: _Span, settings: BaselineSettings) -> BoolArray:
    """Return which baseline weeks count for each cell: all, or for a cell younger than a year those since it began.

    The week of its first complaint is left out, for having chosen it we know that it has one. Before its parent began
    a cell could have none: these weeks do not make its share of the parent small.
    """
    ever = counts[:, : span.end + 1] > 0
    began = np.where(ever.any(axis=1), ever.argmax(axis=1), 0)
    is_young = (began > 0) & (span.stop - began < settings.year_weeks) & (began < span.stop - 1)
    weeks = np.arange(span.start, span.stop)
    since = weeks[None, :] > began[:, None]
    seen = (counts[:, span.start : span.stop] * since).sum(axis=1)
    is_busy = seen >= settings.least_mean_per_week * np.maximum(since.sum(axis=1), 1)
    live = np.where((is_young & is_busy)[:, None], since, True)  # noqa: FBT003
    is_child = parents >= 0
    while (dead := live[is_child] & ~live[parents[is_child]]).any():
        live[is_child] &= ~dead
    return np.asarray(live, dtype=np.bool_)


def _is_share(past: FloatArray, live: BoolArray, parents: IntArray, settings: BaselineSettings) -> BoolArray:
    """Return which cells are too small, or too young, for a regression of their own; a cell without parent never is."""
    mean = (past * live).sum(axis=1) / np.maximum(live.sum(axis=1), 1)
    is_young = live.sum(axis=1) < min(settings.year_weeks, past.shape[1])
    return np.asarray((parents >= 0) & ((mean < settings.least_mean_per_week) | is_young), dtype=np.bool_)


def _design(span: _Span, first_week: int, settings: BaselineSettings, holidays: FloatArray | None) -> _Design:
    """Return the terms: level, trend that fades after the baseline, harmonics, holidays.

    Under a year of past there is no telling season from trend, so that only the level is left.
    """
    columns = np.arange(span.start, span.end + 1)
    terms = [np.ones(len(columns))]
    if span.stop - span.start < settings.year_weeks:
        return _Design(np.column_stack(terms), harmonics=0)
    beyond = np.maximum(columns - (span.stop - 1), 0)
    fade = TREND_FADES_PER_WEEK
    faded = fade * (1.0 - fade**beyond) / (1.0 - fade)
    middle = (span.start + span.stop - 1) / 2
    terms.append((np.minimum(columns, span.stop - 1) - middle + faded) / TREND_SPAN_WEEKS)
    phase = 2.0 * np.pi * (columns + first_week) / settings.season_weeks
    for harmonic in range(1, settings.harmonics + 1):
        terms += [np.cos(harmonic * phase), np.sin(harmonic * phase)]
    if holidays is not None:
        terms += list(holidays[columns].T)
    return _Design(np.column_stack(terms), settings.harmonics)


def _means(coefficients: FloatArray, terms: FloatArray, offset: FloatArray) -> FloatArray:
    """Return the expected counts, cells by weeks, kept within what a double can square."""
    return np.asarray(np.exp(np.clip(coefficients @ terms.T + offset, -12.0, 14.0)), dtype=np.float64)


def _fit_regressions(past: FloatArray, live: BoolArray, design: _Design, offset: FloatArray, levels: IntArray) -> _Fit:
    """Fit all cells by iteratively reweighted least squares.

    Between rounds past outbreaks are down-weighted, and the priors widened or narrowed to what the cell shows.
    """
    design_past = design.terms[: past.shape[1]]
    weeks, terms = design_past.shape
    products = (design_past[:, :, None] * design_past[:, None, :]).reshape(weeks, terms * terms)
    exposure = (np.exp(np.clip(offset, -12.0, 14.0)) * live).sum(axis=1)
    level = np.log((past * live).sum(axis=1) + 0.1) - np.log(np.maximum(exposure, 1e-9))
    coefficients = np.zeros((len(past), terms))
    coefficients[:, 0] = level
    centre = coefficients.copy()
    precision = np.tile(design.precision(), (len(past), 1))
    weights = live.astype(np.float64)
    dispersion = np.ones(len(past))
    covariance = np.zeros((len(past), terms, terms))
    for round_number in range(ROUNDS_OF_REWEIGHTING):
        for _ in range(STEPS_OF_FIRST_ROUND if round_number == 0 else STEPS_PER_ROUND):
            mean = _means(coefficients, design_past, offset)
            worth = weights / dispersion[:, None]
            information = ((worth * mean) @ products).reshape(-1, terms, terms)
            information[:, np.arange(terms), np.arange(terms)] += precision
            score = (worth * (past - mean)) @ design_past - (coefficients - centre) * precision
            step = np.linalg.solve(information, score[:, :, None])[:, :, 0]
            coefficients += np.clip(step, -LONGEST_STEP, LONGEST_STEP)
        covariance = np.asarray(np.linalg.inv(information), dtype=np.float64)
        precision = _revised_precision(precision, coefficients, covariance, design.harmonics)
        mean = _means(coefficients, design_past, offset)
        if round_number == 0:
            dispersion = first_guess_of_dispersion(past, mean, live)
        else:
            # Half way only: from a cautious first guess a cell with a great outbreak settles where that is an outbreak,
            # not where so wild a dispersion hides it; a cell without one gets to the same place either way.
            dispersion = np.sqrt(dispersion * dispersion_of(past, mean, weights, levels, terms))
        weights = live * outbreak_weights(past, mean, dispersion)
    mean = _means(coefficients, design_past, offset)
    _, lost = lost_to_weights(dispersion, (weights * mean).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9))
    coefficients[:, 0] -= np.log1p(-lost)
    return _Fit(coefficients, covariance, dispersion)


def _revised_precision(
    precision: FloatArray, coefficients: FloatArray, covariance: FloatArray, harmonics: int
) -> FloatArray:
    """Return the prior precision of trend and season (cells by terms) that the coefficients themselves speak for.

    One over the mean of the squared coefficients of a kind, their posterior variance added (MacKay 1992, eq. 4.8).
    """
    if harmonics == 0:
        return precision
    squares = coefficients**2 + np.diagonal(covariance, axis1=1, axis2=2)
    revised = precision.copy()
    revised[:, 1] = np.clip(1.0 / squares[:, 1], *TREND_PRECISION_RANGE)
    least, most = SEASON_PRECISION_RANGE
    for harmonic in range(1, harmonics + 1):
        pair = slice(2 * harmonic, 2 * harmonic + 2)
        revised[:, pair] = np.clip(2.0 / squares[:, pair].sum(axis=1, keepdims=True), least * harmonic**2, most)
    return revised


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
    table: Baseline,
    group: IntArray,
    past: FloatArray,
    live: BoolArray,
    parents: IntArray,
    levels: IntArray,
    offset: FloatArray,
) -> None:
    """Fill in the cells of `group` as shares of their parents, whose values are in the table already.

    The share's prior is worth half a complaint and lies at an even split among the parent's cells of that level, with
    one more place for the unseen. Given the parent, the posterior is gamma with shape prior + complaints; the relative
    variance written here is the share's alone. (Of what a parent adds, its own error of level cancels in the ratio;
    the season and trend it inherited do not.)
    """
    parent = parents[group]
    of_parent = table.expected[parent]
    if len(offset) > 1:  # each cell its own: a child's volume counts, not its parent's
        of_parent = of_parent * np.exp(np.clip(offset[group] - offset[parent], -12.0, 12.0))
    whole = of_parent[:, : past.shape[1]]
    prior_exposure = SHARE_PRIOR_COMPLAINTS * (_sibling_counts(parent, levels[group]) + 1.0)
    y, weights = past[group], live[group].astype(np.float64)
    for round_number in range(ROUNDS_OF_REWEIGHTING):
        seen = SHARE_PRIOR_COMPLAINTS + (weights * y).sum(axis=1)
        share = seen / (prior_exposure + (weights * whole).sum(axis=1))
        mean = share[:, None] * whole
        if round_number == 0:
            dispersion = first_guess_of_dispersion(y, mean, live[group])
        else:
            dispersion = dispersion_of(y, mean, weights, levels[group], 1)
        weights = live[group] * outbreak_weights(y, mean, dispersion)
    table.expected[group] = share[:, None] * of_parent
    table.dispersion[group] = dispersion
    table.relative_variance[group] = np.minimum(dispersion / seen, 1.0 / SHARE_PRIOR_COMPLAINTS)[:, None]


def _sibling_counts(parent: IntArray, levels: IntArray) -> FloatArray:
    """Return, per cell, how many cells of its level its parent has."""
    _, group, sizes = np.unique(np.column_stack([parent, levels]), axis=0, return_inverse=True, return_counts=True)
    return np.asarray(sizes[group.reshape(-1)], dtype=np.float64)
