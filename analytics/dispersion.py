# SPDX-License-Identifier: Apache-2.0
"""How far counts spread around what is expected of them, and how little past outbreaks are to weigh in that.

The two belong together: an outbreak hides behind the dispersion that it inflates, and weights that take it out also
take something from cells without any, which is given back. All arrays are cells by weeks, or one value per cell.
"""

import numpy as np
from scipy import special

from analytics.arrays import BoolArray, FloatArray, IntArray
from analytics.tails import SMALLEST_P_VALUE, tail_probability

OUTBREAK_LIMIT = 2.3
"""A week, or a pair of weeks, with a residual above this is a past outbreak. Noufaily 2013 take 2.58, for single weeks;
outbreaks last longer than one."""
OUTBREAK_POWER = 4
"""The weight of a past outbreak falls with this power of its residual, so that a large one is nearly forgotten; with
Noufaily's second power all past outbreaks together still widen the dispersion by a tenth."""
CANDIDATE_LIMIT = 2.0
"""Pearson residuals below this cannot be quantile residuals above the limit, the counts being skewed upwards."""
SHARED_DISPERSION_WORTH = 15.0
"""A cell's dispersion is drawn to its level's as if the level were worth so many degrees of freedom of its own."""
PRIOR_DISPERSION = 2.0
PRIOR_DISPERSION_WORTH = 1.0
"""What is believed before any count is seen, worth so many degrees of freedom: it helps to keep one great outbreak
among a few complaints from being taken for wild chance."""
UNSEEN_OUTBREAKS = 0.07
"""The share of the dispersion that comes from past outbreaks too small to be seen; found on simulated series with and
without past outbreaks (docs/analytics/detection.md)."""
STUDENT_WIDENING = 4.0
"""By this over its degrees of freedom an estimated variance must grow so that the tail becomes Student's: (z² + 1)/2,
3.2, at the chance of 0.01 for the normal tail (Abramowitz & Stegun, ch. 26), somewhat more for skewed counts."""
FEWEST_PARTIES_TO_AN_OUTBREAK = 3
"""Below so many complaints a week is never down-weighted: in sparse cells two are no outbreak, only skewness."""
MEDIAN_OF_A_SQUARED_NORMAL = 0.4549


def outbreak_weights(past: FloatArray, mean: FloatArray, dispersion: FloatArray) -> FloatArray:
    """Return 1, or less for weeks that were outbreaks: a power of the limit over their residual above it.

    After Noufaily 2013, whose Anscombe residual, divided by the root of the dispersion, is far from normal where counts
    are small and dispersed: it would take two weeks in a hundred of plain chance for outbreaks. The quantile residual
    (Dunn & Smyth 1996, J. Comput. Graph. Stat. 5:236) means the same chance everywhere. An outbreak seldom keeps to one
    week: two neighbouring weeks are judged together too, and those of them above their expectation pay for both.
    """
    residual = _upper_residuals(past, mean, dispersion)
    if past.shape[1] > 1:
        of_pairs = _upper_residuals(past[:, 1:] + past[:, :-1], mean[:, 1:] + mean[:, :-1], dispersion)
        worse = np.maximum(np.pad(of_pairs, ((0, 0), (0, 1))), np.pad(of_pairs, ((0, 0), (1, 0))))
        residual = np.where(past > mean, np.maximum(residual, worse), residual)
    return np.asarray((OUTBREAK_LIMIT / np.maximum(residual, OUTBREAK_LIMIT)) ** OUTBREAK_POWER, dtype=np.float64)


def _upper_residuals(count: FloatArray, mean: FloatArray, dispersion: FloatArray) -> FloatArray:
    """Return the quantile residuals of the counts that may be outbreaks, and 0 for the others."""
    spread = np.broadcast_to(dispersion[:, None], count.shape)
    excess = count - mean
    candidate = (excess * np.abs(excess) > CANDIDATE_LIMIT**2 * spread * mean) & (
        count >= FEWEST_PARTIES_TO_AN_OUTBREAK
    )
    count, mean, spread = count[candidate], mean[candidate], spread[candidate]
    tail = tail_probability(count, mean, spread, np.zeros(1))
    quantile = -special.ndtri(np.maximum(tail, SMALLEST_P_VALUE))
    # Where the tail has run out of digits, Anscombe's residual still tells a large outbreak from a huge one.
    anscombe = 1.5 * (count ** (2 / 3) - mean ** (2 / 3)) / (mean ** (1 / 6) * np.sqrt(spread))
    residual = np.zeros(candidate.shape)
    residual[candidate] = np.where(tail > SMALLEST_P_VALUE, quantile, np.maximum(quantile, anscombe))
    return residual


def first_guess_of_dispersion(past: FloatArray, mean: FloatArray, live: BoolArray) -> FloatArray:
    """Return variance over mean per cell, at least 1, from the median squared residual, which no outbreak can raise.

    An outbreak would hide behind the dispersion that it inflates itself. A little low for skewed counts; the next
    rounds correct that.
    """
    squares = np.sort(np.where(live, (past - mean) ** 2 / mean, np.inf), axis=1)
    middle = np.maximum(live.sum(axis=1) - 1, 0)
    lower = np.take_along_axis(squares, (middle // 2)[:, None], axis=1)[:, 0]
    upper = np.take_along_axis(squares, ((middle + 1) // 2)[:, None], axis=1)[:, 0]
    median = np.where(live.any(axis=1), (lower + upper) / 2, 0.0)
    return np.asarray(np.maximum(median / MEDIAN_OF_A_SQUARED_NORMAL, 1.0), dtype=np.float64)


def dispersion_of(past: FloatArray, mean: FloatArray, weights: FloatArray, levels: IntArray, terms: int) -> FloatArray:
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
    raw /= 1.0 - lost_to_weights(raw, total / np.maximum(weights.sum(axis=1), 1e-9))[0]
    level_count = int(levels.max(initial=0)) + 1
    of_level = np.maximum(np.bincount(levels, total, level_count), 1e-9)
    pooled = np.maximum(np.bincount(levels, raw * total, level_count) / of_level, 1.0)[levels]
    shared = SHARED_DISPERSION_WORTH * (1.0 - total / of_level[levels])  # a cell alone in its level learns from none
    own_worth = _worth_of_dispersion(pooled, total, squares)
    known = own_worth * raw + shared * pooled + PRIOR_DISPERSION_WORTH * PRIOR_DISPERSION
    estimate = np.maximum(known / (own_worth + shared + PRIOR_DISPERSION_WORTH), 1.0)
    worth = _worth_of_dispersion(estimate, total, squares) + shared + PRIOR_DISPERSION_WORTH
    widened = estimate * (1.0 - UNSEEN_OUTBREAKS) * (1.0 + STUDENT_WIDENING / worth)
    return np.asarray(np.maximum(widened, 1.0), dtype=np.float64)


def _worth_of_dispersion(dispersion: FloatArray, total: FloatArray, squares: FloatArray) -> FloatArray:
    """Return how many degrees of freedom a cell's own estimate of its dispersion is worth."""
    fourth = 6.0 * (dispersion - 1.0) + 1.0 / dispersion
    return np.asarray(2.0 * total**2 / (total * fourth + 2.0 * squares), dtype=np.float64)


def lost_to_weights(dispersion: FloatArray, mean: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the shares of variance and of mean that down-weighting takes from cells without any outbreak.

    The weights also hit weeks that are high by chance. By how much is known: a negative binomial of a given skewness
    is close to a gamma distribution of the same (their tails fall alike), for which it is a one-dimensional integral,
    done once on a grid of shapes. Corrected for it the estimates are consistent (Cantoni & Ronchetti 2001, JASA
    96:1022).
    """
    spread = np.maximum(dispersion, 1.0)
    shape = 4.0 * spread * mean / (2.0 * spread - 1.0) ** 2  # skewness (2d - 1)/sqrt(d m) is that of a gamma, 2/sqrt(k)
    log_shape = np.log(np.clip(shape, SHAPES[0], SHAPES[-1]))
    variance = np.interp(log_shape, np.log(SHAPES), LOST_VARIANCE)
    level = np.interp(log_shape, np.log(SHAPES), LOST_MEAN) * np.sqrt(spread / np.maximum(mean, 1e-9))
    # In sparse cells few weeks are high enough to be down-weighted at all.
    reached = tail_probability(np.array(FEWEST_PARTIES_TO_AN_OUTBREAK), mean, spread, np.zeros(1))
    share = np.minimum(reached / special.ndtr(-OUTBREAK_LIMIT), 1.0)
    return variance * share, np.minimum(level, MOST_LOST_MEAN) * share


def _losses_of_gamma(shapes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return what the weights take from a gamma variable's variance, and from its mean in standard deviations."""
    residual = np.linspace(OUTBREAK_LIMIT, 7.0, 400)
    taken = (1.0 - (OUTBREAK_LIMIT / residual) ** OUTBREAK_POWER) * np.exp(-(residual**2) / 2) / np.sqrt(2 * np.pi)
    shape = shapes[:, None]
    value = (special.gammainccinv(shape, special.ndtr(-residual)) - shape) / np.sqrt(shape)
    step = residual[1] - residual[0]
    return (value**2 * taken).sum(axis=1) * step, (value * taken).sum(axis=1) * step


SHAPES = np.geomspace(0.1, 1000.0, 60)
LOST_VARIANCE, LOST_MEAN = _losses_of_gamma(SHAPES)
MOST_LOST_MEAN = 0.15
