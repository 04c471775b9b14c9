# SPDX-License-Identifier: Apache-2.0
"""How much of a week is confirmed after how long, and what is still to come, against simulations."""

import numpy as np
import pytest

from analytics.arrays import FloatArray, IntArray
from analytics.baseline import KnownReasons
from analytics.delays import MOST_WEEKS, Completeness, Confirmed, completeness, waiting, waiting_by_chances
from analytics.scores import score_cells
from tests.unit.analytics.simulated import LAST_WEEK, SETTINGS, WEEKS, counts_around, strangers

MEAN_DELAYS = (6.0, 12.0)
"""Weeks until a cause is confirmed, by channel; the chance is the same in every week."""


def true_share(mean_delay: float) -> FloatArray:
    """Return the share confirmed within 0 … MOST_WEEKS weeks; what takes longer is never confirmed."""
    ever = 1.0 - (1.0 - 1.0 / (mean_delay + 1.0)) ** np.arange(1, MOST_WEEKS + 2)
    return np.asarray(ever / ever[-1], dtype=np.float64)


def delayed(counts: IntArray, mean_delay: float, rng: np.random.Generator) -> IntArray:
    """Return the counts, cells by weeks, split by how many weeks after it each was confirmed."""
    of_delay = np.diff(true_share(mean_delay), prepend=0.0)
    return np.asarray(rng.multinomial(counts, of_delay), dtype=np.int64)


def confirmed_of(by_channel: list[IntArray], since: int = LAST_WEEK - 119) -> Confirmed:
    """Return what is confirmed by the end of the last week of weekly counts by week and delay, one table a channel."""
    rows = [
        (channel, week, delay, int(table[week, delay]))
        for channel, table in enumerate(by_channel)
        for week in range(since, LAST_WEEK + 1)
        for delay in range(min(LAST_WEEK - week, MOST_WEEKS) + 1)
        if table[week, delay]
    ]
    channel, week, delay, count = np.array(rows, dtype=np.int64).T
    return Confirmed(channel, week, delay, count, len(by_channel))


def so_far(tables: IntArray) -> IntArray:
    """Return what is confirmed by the end of the last week: cells by weeks by delays to cells by weeks."""
    age = LAST_WEEK - np.arange(WEEKS)
    return np.asarray((tables * (np.arange(MOST_WEEKS + 1) <= age[:, None])).sum(axis=2), dtype=np.int64)


def agency(mean: float, cells: int, seed: int) -> tuple[IntArray, Completeness, IntArray]:
    """Return what is confirmed by now, its completeness as learnt from all cells, and what there will be in the end."""
    rng = np.random.default_rng([seed, 8])
    whole = counts_around(np.full(WEEKS, mean), 1.2, cells, seed)
    tables = delayed(whole, MEAN_DELAYS[0], rng)
    learnt = completeness(confirmed_of([tables.sum(axis=0)]), LAST_WEEK)
    assert learnt is not None
    return so_far(tables), learnt, whole


def test_each_channels_delay_is_learnt_though_the_latest_weeks_are_not_complete() -> None:
    rng = np.random.default_rng(3)
    tables = [delayed(np.full((1, WEEKS), 40), mean_delay, rng)[0] for mean_delay in MEAN_DELAYS]

    learnt = completeness(confirmed_of(tables), LAST_WEEK)

    assert learnt is not None
    for channel, mean_delay in enumerate(MEAN_DELAYS):
        np.testing.assert_allclose(learnt.share[channel], true_share(mean_delay), atol=0.03)
        z = np.log(learnt.share[channel][:30] / true_share(mean_delay)[:30]) / np.sqrt(learnt.variance[channel][:30])
        assert np.abs(z).max() < 4.0
    assert (np.diff(learnt.share, axis=1) >= 0).all()
    np.testing.assert_allclose(learnt.share[:, -1], 1.0)


def test_a_channel_with_few_complaints_is_taken_to_be_much_as_the_others() -> None:
    rng = np.random.default_rng(4)
    busy = delayed(np.full((1, WEEKS), 40), MEAN_DELAYS[0], rng)[0]
    quiet = np.zeros_like(busy)
    quiet[LAST_WEEK - 60, 30] = 1

    learnt = completeness(confirmed_of([busy, quiet]), LAST_WEEK)

    assert learnt is not None
    np.testing.assert_allclose(learnt.share[1], learnt.share[0], atol=0.06)


def test_a_past_brought_in_with_its_causes_says_nothing_of_how_long_they_take() -> None:
    rng = np.random.default_rng(5)
    live = delayed(np.full((1, WEEKS), 40), MEAN_DELAYS[0], rng)[0]
    alone = completeness(confirmed_of([live], since=LAST_WEEK - 79), LAST_WEEK)
    brought = live.copy()
    brought[: LAST_WEEK - 79] = 0
    brought[: LAST_WEEK - 79, 0] = 40

    with_the_past = completeness(confirmed_of([brought], since=0), LAST_WEEK)

    assert alone is not None
    assert with_the_past is not None
    np.testing.assert_allclose(with_the_past.share, alone.share, atol=0.01)


@pytest.mark.parametrize("count", [0, 1, 60])
def test_without_delays_or_with_hardly_any_complaint_nothing_is_said(count: int) -> None:
    at_once = np.zeros((WEEKS, MOST_WEEKS + 1), dtype=np.int64)
    at_once[LAST_WEEK - 60, 0] = count
    at_once[LAST_WEEK - 61, 2] = 1 if count == 1 else 0
    none = np.zeros(0, dtype=np.int64)
    rows = confirmed_of([at_once]) if count else Confirmed(none, none, none, none, 0)

    assert completeness(rows, LAST_WEEK) is None


def test_batches_of_coding_make_the_share_less_certain() -> None:
    rng = np.random.default_rng(6)
    steady = delayed(np.full((1, WEEKS), 40), MEAN_DELAYS[0], rng)[0]
    batches = np.zeros_like(steady)
    for week, delay in zip(*np.nonzero(steady), strict=True):  # coded in every fourth week only
        batches[week, min(delay + (-(week + delay)) % 4, MOST_WEEKS)] += steady[week, delay]

    one, other = (completeness(confirmed_of([table]), LAST_WEEK) for table in (steady, batches))

    assert one is not None
    assert other is not None
    assert other.variance[0, 4] > 3 * one.variance[0, 4]


def test_lack_of_confirmed_causes_neither_alarms_nor_hides_what_rose() -> None:
    counts, learnt, _ = agency(2.0, 600, seed=1)
    ages = np.arange(WEEKS, dtype=np.float64)[::-1]
    share, variance = learnt.at(0, np.minimum(ages, MOST_WEEKS))
    known = KnownReasons(np.tile(np.log(share), (600, 1)), np.tile(variance, (600, 1)))
    risen = counts.copy()
    risen[:60, -4:] += np.random.default_rng(2).poisson(9.0 * share[-4:], (60, 4))

    quiet = score_cells(strangers(counts), as_of_week=LAST_WEEK, settings=SETTINGS, known=known)
    loud = score_cells(strangers(risen), as_of_week=LAST_WEEK, settings=SETTINGS, known=known)
    blind = score_cells(strangers(risen), as_of_week=LAST_WEEK, settings=SETTINGS)

    assert quiet is not None
    assert loud is not None
    assert blind is not None
    assert 0.2 * 0.05 <= (quiet.scores.p_value <= 0.05).mean() <= 1.5 * 0.05
    found, found_blindly = ((scores.scores.p_value[:60] <= 0.01).mean() for scores in (loud, blind))
    assert found > 0.5
    assert found_blindly < 0.2


def test_what_is_still_to_come_lies_in_its_interval_nine_times_in_ten() -> None:
    inside, bias = [], []
    window = 8
    for seed in range(3):
        counts, learnt, whole = agency(1.5, 300, seed)
        share, variance = learnt.at(0, np.arange(window, dtype=np.float64)[::-1])
        for cell in range(300):
            told = waiting(counts[cell, -window:], 1.5 * share, share, variance, 1.2)
            to_come = int((whole - counts)[cell, -window:].sum())
            inside.append(told.low <= to_come <= told.high)
            bias.append(told.expected - to_come)

    assert 0.88 <= np.mean(inside) <= 0.96
    assert abs(np.mean(bias)) < 0.4


def test_where_all_is_confirmed_nothing_is_to_come() -> None:
    told = waiting(np.array([3]), np.array([2.0]), np.ones(1), np.zeros(1), 1.0)

    assert (told.expected, told.low, told.high) == (0.0, 0, 0)


def test_chances_of_single_complaints_sum_to_what_is_to_come() -> None:
    told = waiting_by_chances(np.array([0.9, 0.9, 0.1, 0.5]))

    assert told.expected == pytest.approx(2.4)
    assert 0 <= told.low < told.expected < told.high <= 4
    assert waiting_by_chances(np.zeros(0)).high == 0
