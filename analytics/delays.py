# SPDX-License-Identifier: Apache-2.0
"""Two clocks: a complaint counts for the week it was received in, its cause is confirmed weeks or months later.

How much of a week is there after so many weeks is estimated by reverse hazards (Lagakos, Barraj & De Gruttola 1988,
Biometrika 75:515; Kalbfleisch & Lawless 1989, JASA 84:360): of what was confirmed within d weeks, the share g(d)
confirmed in the d-th, from weeks of receipt at least d weeks old, so that what has not come yet is no part of it. Then

    F(d) = (1 - g(d + 1)) (1 - g(d + 2)) …   is the share of a week confirmed within d weeks of it,

each channel's g being drawn towards that of all by a gamma prior worth `PRIOR_COMPLAINTS`. log F goes into the offset
of the expectation: what has come so far is held against what would have come so far. Counts are never inflated.

Beside a count may stand how many more are to come: not confirmed yet, with a 90 % interval (`waiting`).
"""

from dataclasses import dataclass

import numpy as np

from analytics.arrays import FloatArray, IntArray
from analytics.tails import critical_count

MOST_WEEKS = 52
"""What is not confirmed a year after its week is not waited for."""
LEARNT_WEEKS = 104
PRIOR_COMPLAINTS = 20.0
FEWEST_TO_LEARN_FROM = 50
NEARLY_ALL = 0.995
SMALLEST_SHARE = 1e-3
RATE_PRIOR = 2.0
"""In `waiting` the cell's rate is drawn towards the expected one as if by so many complaints."""
TAIL = 0.05


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Confirmed causes by channel, week of receipt, and how many weeks after it (`delay`; 0: in the same week).

    All arrays are of one length, channels numbered from 0; a `count` that corrects is negative.
    """

    channel: IntArray
    week: IntArray
    delay: IntArray
    count: IntArray
    channel_count: int


@dataclass(frozen=True, slots=True)
class Completeness:
    """Per channel (the last row: all of them), and 0 to `MOST_WEEKS` weeks after a week: the `share` that is confirmed.

    `variance` is that of its logarithm: of the estimate, and of one week from another beyond chance.
    """

    share: FloatArray
    variance: FloatArray

    def at(self, row: int, ages: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return share and variance of a channel's weeks that are so many weeks old; a fraction lies between."""
        whole = np.arange(MOST_WEEKS + 1)
        return (
            np.asarray(np.interp(ages, whole, self.share[row]), dtype=np.float64),
            np.asarray(np.interp(ages, whole, self.variance[row]), dtype=np.float64),
        )


def completeness(confirmed: Confirmed, as_of_week: int) -> Completeness | None:
    """Return how much of a week is confirmed after how long; None while too little is known, or all is at once.

    Learnt from is what was received since causes were confirmed later than in the week of receipt: a past that was
    brought in with its causes says nothing of how long they take.
    """
    later = confirmed.delay[(confirmed.delay > 0) & (confirmed.count > 0)]
    if not later.size:
        return None
    is_later = (confirmed.delay > 0) & (confirmed.count > 0)
    began = int((confirmed.week + confirmed.delay)[is_later].min())
    first = max(began, as_of_week - LEARNT_WEEKS + 1)
    table = _table(confirmed, first, as_of_week)
    if table.sum() < FEWEST_TO_LEARN_FROM:
        return None
    new, so_far = _by_delay(table)
    pooled_new, pooled_so_far = new.sum(axis=0), so_far.sum(axis=0)
    pooled = pooled_new / np.maximum(pooled_so_far, 1e-9)
    hazards = np.vstack([(new + PRIOR_COMPLAINTS * pooled) / (so_far + PRIOR_COMPLAINTS), pooled])
    hazards = np.clip(hazards, 0.0, 1.0 - SMALLEST_SHARE)
    seen = np.vstack([so_far + PRIOR_COMPLAINTS, np.maximum(pooled_so_far, 1.0)])
    spread = _spread(table.sum(axis=0), pooled)
    weeks = np.maximum(as_of_week - first + 1 - np.arange(MOST_WEEKS + 1), 1)
    odds = hazards / (1.0 - hazards)
    of_estimate = spread * odds / seen
    of_one_week = (spread - 1.0) * odds * weeks / seen
    share = np.maximum(np.exp(_after(np.log1p(-hazards))), SMALLEST_SHARE)
    if (share >= NEARLY_ALL).all():
        return None
    return Completeness(share, np.minimum(_after(of_estimate + of_one_week), 1.0))


def _table(confirmed: Confirmed, first: int, as_of_week: int) -> FloatArray:
    """Return net counts by channel, week and delay; what is seen of no week yet is not a number."""
    weeks = as_of_week - first + 1
    table = np.zeros((confirmed.channel_count, max(weeks, 0), MOST_WEEKS + 1))
    inside = (confirmed.week >= first) & (confirmed.week + confirmed.delay <= as_of_week)
    inside &= (confirmed.delay >= 0) & (confirmed.delay <= MOST_WEEKS)
    where = (confirmed.channel[inside], confirmed.week[inside] - first, confirmed.delay[inside])
    np.add.at(table, where, confirmed.count[inside])
    return np.maximum(table, 0.0)


def _by_delay(table: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return, by channel and delay, what was confirmed at the delay and up to it, of weeks old enough to tell."""
    _, weeks, delays = table.shape
    so_far = np.cumsum(table, axis=2)
    is_old_enough = np.arange(weeks)[::-1][:, None] >= np.arange(delays)[None, :]
    return (table * is_old_enough).sum(axis=1), (so_far * is_old_enough).sum(axis=1)


def _spread(table: FloatArray, pooled: FloatArray) -> float:
    """Return how much more weeks differ than chance explains (Pearson), at least 1; coding is often done in batches."""
    weeks, delays = table.shape
    so_far = np.cumsum(table, axis=1)
    mean = pooled[None, :] * so_far
    is_seen = (np.arange(weeks)[::-1][:, None] >= np.arange(delays)[None, :]) & (mean > 1.0)
    is_seen &= (np.arange(delays) > 0)[None, :]
    freedom = int(is_seen.sum()) - int(is_seen.any(axis=0).sum())
    if freedom < 1:
        return 1.0
    variance = np.maximum(mean * (1.0 - pooled[None, :]), 1e-9)
    return max(float((((table - mean) ** 2 / variance)[is_seen]).sum()) / freedom, 1.0)


def _after(values: FloatArray) -> FloatArray:
    """Return, for each delay, the sum over the longer ones."""
    from_here = np.cumsum(values[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(from_here - values, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many more are to be expected, and between what numbers with 90 % probability."""

    expected: float
    low: int
    high: int


def waiting(
    observed: IntArray, expected: FloatArray, share: FloatArray, variance: FloatArray, dispersion: float
) -> Waiting:
    """Return how many complaints of these weeks are still to be confirmed for a cell.

    All arrays are by week: what is confirmed, what was expected to be confirmed by now, the share that is there by now,
    and the variance of that share's logarithm. The cell's rate is what its confirmed ones say, drawn towards the
    expected one; what is to come is negative binomial around it, the share's error being all weeks' alike.
    """
    whole = expected / share
    to_come = float((whole * (1.0 - share)).sum())
    if to_come <= 0:
        return Waiting(0.0, 0, 0)
    seen = RATE_PRIOR + float(observed.sum()) / dispersion
    rate = seen / (RATE_PRIOR + float(expected.sum()) / dispersion)
    of_share = float((whole * np.sqrt(variance)).sum()) / to_come
    mean = np.array([rate * to_come])
    spread = (np.array([dispersion]), np.array([1.0 / seen + of_share**2]))
    low, high = (int(critical_count(np.array([chance]), mean, *spread)[0]) - 1 for chance in (1.0 - TAIL, TAIL))
    return Waiting(float(mean[0]), max(low, 0), max(high, 0))


def waiting_by_chances(chances: FloatArray) -> Waiting:
    """Return how many of some complaints belong to a cell, each with its own chance; the interval is the normal one."""
    mean = float(chances.sum())
    half = 1.645 * float(np.sqrt((chances * (1.0 - chances)).sum()))
    return Waiting(mean, max(int(np.floor(mean - half)), 0), min(int(np.ceil(mean + half)), len(chances)))
