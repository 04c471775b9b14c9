# SPDX-License-Identifier: Apache-2.0
"""Tails and the smallest p over windows, against published numbers, scipy's distributions and simulation."""

import numpy as np
import pytest
from scipy import stats

from analytics.tails import (
    WindowRule,
    critical_count,
    first_passage_probability,
    smallest_p_over_windows,
    tail_probability,
)
from analytics.tails import threshold_count as threshold_of

ONE = np.ones(1)
NONE = np.zeros(1)


def threshold(expected: float, rate: float) -> int:
    return int(threshold_of(np.array([expected]), ONE, NONE, false_alarm_rate=rate)[0])


def test_with_five_expected_and_one_false_alarm_in_a_hundred_more_than_eleven_is_unusual() -> None:
    assert threshold(5.0, 0.01) == 11


@pytest.mark.parametrize(("expected", "rate", "published"), [(1.0, 0.05, 3), (2.0, 0.01, 6), (10.0, 0.05, 15)])
def test_poisson_thresholds_are_those_of_the_tables(expected: float, rate: float, published: int) -> None:
    assert threshold(expected, rate) == published


@pytest.mark.parametrize("mean", [0.05, 1.0, 7.5, 300.0])
@pytest.mark.parametrize(("dispersion", "relative_variance"), [(1.0, 0.0), (1.5, 0.0), (1.0, 0.2), (4.0, 0.05)])
def test_tails_are_scipys(mean: float, dispersion: float, relative_variance: float) -> None:
    count = np.arange(0, int(mean * 4) + 10)
    variance = dispersion * mean + relative_variance * mean**2
    if variance == mean:
        expected = stats.poisson.sf(count - 1, mean)
    else:
        expected = stats.nbinom.sf(count - 1, mean**2 / (variance - mean), mean / variance)

    ours = tail_probability(count, np.array([mean]), np.array([dispersion]), np.array([relative_variance]))

    np.testing.assert_allclose(ours, expected, rtol=1e-8)


def test_an_uncertain_expectation_asks_for_more_complaints() -> None:
    sure, unsure = critical_count(np.array([0.01]), np.array([5.0]), ONE, np.array([0.0, 0.3]))

    assert unsure > sure


def test_the_chance_of_one_window_is_its_tail() -> None:
    mean, spread, variance = np.array([[4.0]]), np.array([1.7]), np.array([0.0])
    critical = np.array([[9]])

    walked = first_passage_probability(mean, spread, variance, critical)

    np.testing.assert_allclose(walked, tail_probability(critical[:, 0], mean[:, 0], spread, variance), rtol=1e-6)


def test_the_chance_of_two_windows_is_what_counting_by_hand_gives() -> None:
    # Windows of one and two weeks, a Poisson mean of 1 each week; critical are 2 in one week or 3 in two.
    # Quiet: (0 this week and at most 2 last week) or (1 this week and at most 1 last week).
    quiet = np.exp(-2.0) * ((1 + 1 + 1 / 2) + (1 + 1))

    walked = first_passage_probability(np.array([[1.0, 2.0]]), ONE, NONE, np.array([[2, 3]]))

    np.testing.assert_allclose(walked, 1.0 - quiet, rtol=1e-6)


@pytest.mark.parametrize(
    ("mean_per_week", "dispersion", "relative_variance"),
    [(0.02, 1.0, 0.3), (0.2, 1.0, 0.1), (0.2, 2.0, 0.1), (1.0, 1.5, 0.02), (20.0, 3.0, 0.005)],
)
def test_the_smallest_p_over_five_windows_is_as_rare_as_it_says(
    mean_per_week: float, dispersion: float, relative_variance: float
) -> None:
    rng = np.random.default_rng(20)
    windows = np.array([1, 2, 4, 8, 13])
    cells = 5_000
    factor = rng.gamma(1 / relative_variance, relative_variance, (cells, 1)) * np.ones((1, 13))
    mean = mean_per_week * np.maximum(factor, 1e-9)
    weekly = (
        rng.poisson(mean) if dispersion == 1.0 else rng.negative_binomial(mean / (dispersion - 1.0), 1.0 / dispersion)
    )
    observed = np.cumsum(weekly, axis=1)[:, windows - 1]
    expected = np.broadcast_to(mean_per_week * windows, observed.shape)

    p = smallest_p_over_windows(
        observed,
        expected,
        np.full(cells, dispersion),
        np.full(observed.shape, relative_variance),
        floor_count=1,
    ).p_value

    for rate in (0.05, 0.01, 0.002):
        chance_error = 3 * np.sqrt(rate / cells)
        assert (p <= rate).mean() <= rate + chance_error
    if mean_per_week >= 0.2:  # rarer cells have too few attainable counts to use up the rate
        assert (p <= 0.05).mean() >= 0.03


def test_fewer_complaints_than_the_floor_say_nothing() -> None:
    scores = smallest_p_over_windows(np.array([[2, 2]]), np.array([[1e-6, 2e-6]]), ONE, np.zeros((1, 2)), floor_count=3)

    assert scores.p_value[0] == 1.0


def test_the_window_that_speaks_is_the_one_that_is_least_likely() -> None:
    scores = smallest_p_over_windows(
        np.array([[1, 1, 14], [9, 9, 14]]),
        np.array([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]]),
        np.ones(2),
        np.zeros((2, 3)),
        floor_count=3,
    )

    assert scores.window.tolist() == [2, 0]


def test_large_and_small_cells_in_one_batch_do_not_disturb_each_other() -> None:
    expected = np.array([[0.2, 0.4], [5.0, 10.0], [3_000.0, 6_000.0]])
    observed = np.array([[3, 3], [14, 20], [3_200, 6_200]])

    together = smallest_p_over_windows(observed, expected, np.ones(3), np.zeros((3, 2)), floor_count=3)
    alone = [
        smallest_p_over_windows(observed[[i]], expected[[i]], np.ones(1), np.zeros((1, 2)), floor_count=3).p_value[0]
        for i in range(3)
    ]

    np.testing.assert_allclose(together.p_value, alone, rtol=1e-6)


@pytest.mark.parametrize(
    ("mean_per_week", "dispersion", "relative_variance"), [(0.2, 1.0, 0.1), (1.0, 1.5, 0.02), (20.0, 3.0, 0.005)]
)
def test_the_standard_rule_is_as_rare_as_it_says(
    mean_per_week: float, dispersion: float, relative_variance: float
) -> None:
    rng = np.random.default_rng(21)
    windows = (1, 2, 4, 8, 13)
    cells = 5_000
    mean = np.maximum(mean_per_week * rng.gamma(1 / relative_variance, relative_variance, (cells, 1)), 1e-9)
    weekly = rng.poisson(
        mean if dispersion == 1.0 else rng.gamma(mean / (dispersion - 1.0), dispersion - 1.0, (cells, 13)), (cells, 13)
    )
    observed = np.cumsum(weekly, axis=1)[:, np.array(windows) - 1]

    p = smallest_p_over_windows(
        observed,
        np.broadcast_to(mean_per_week * np.array(windows), observed.shape),
        np.full(cells, dispersion),
        np.full(observed.shape, relative_variance),
        floor_count=1,
        rule=WindowRule.standard(windows),
    ).p_value

    for rate in (0.05, 0.01, 0.002):
        assert (p <= rate).mean() <= rate + 3 * np.sqrt(rate / cells)
    assert (p <= 0.05).mean() >= 0.03


def test_the_chance_under_a_lean_is_what_counting_by_hand_gives() -> None:
    # A Poisson mean of 1 each week; critical are 3 in two weeks, but only if the last week brought 1 at least.
    # Alarm: last week 1 and 2 or more before, last week 2 and 1 or more, last week 3 or more.
    none, one = np.exp(-1.0), np.exp(-1.0)
    alarm = one * (1 - 2 * none) + (one / 2) * (1 - none) + (1 - 2.5 * none)

    walked = first_passage_probability(np.array([[1.0, 2.0]]), ONE, NONE, np.array([[99, 3]]), least=np.array([[1, 0]]))

    np.testing.assert_allclose(walked, alarm, rtol=1e-6)


def test_what_is_over_no_longer_rings() -> None:
    rule = WindowRule(weights=(1.0, 1.0), leans=(0.5, 1.0))
    expected = np.array([[2.0, 8.0]])

    ringing, over = (
        smallest_p_over_windows(np.array([seen]), expected, ONE, np.zeros((1, 2)), floor_count=3, rule=rule)
        for seen in ([4, 22], [0, 22])
    )

    assert ringing.p_value[0] < 0.001
    assert over.p_value[0] == 1.0


def test_a_window_of_less_weight_needs_a_smaller_p() -> None:
    observed, expected = np.array([[1, 17]]), np.array([[2.0, 8.0]])

    even, uneven = (
        smallest_p_over_windows(
            observed, expected, ONE, np.zeros((1, 2)), floor_count=3, rule=WindowRule(weights, (1.0, 1.0))
        ).p_value[0]
        for weights in ((1.0, 1.0), (1.0, 0.1))
    )

    assert uneven > 3 * even
