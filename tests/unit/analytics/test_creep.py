# SPDX-License-Identifier: Apache-2.0
"""The slow creep: sums worked by hand, run lengths against simulation, and what a rise does."""

import numpy as np
import pytest

from analytics.arrays import BoolArray, FloatArray, IntArray
from analytics.creep import (
    creep,
    log_ratio_per_complaint,
    run_length,
    threshold_for,
    tolerated_per_expected,
)


def draw(mean: FloatArray | float, dispersion: float, cells: int, weeks: int, seed: int) -> IntArray:
    rng = np.random.default_rng(seed)
    means = np.broadcast_to(mean, (cells, weeks))
    if dispersion == 1.0:
        return rng.poisson(means)
    return rng.negative_binomial(means / (dispersion - 1.0), 1.0 / dispersion)


def mean_run_length(is_alarm: BoolArray) -> float:
    """Return the mean weeks to the first alarm, runs without one counted to their end (memoryless tail)."""
    weeks = np.where(is_alarm.any(axis=1), is_alarm.argmax(axis=1) + 1, is_alarm.shape[1])
    return float(weeks.sum() / is_alarm.any(axis=1).sum())


def test_the_sum_of_a_poisson_series_worked_by_hand() -> None:
    # k = 0.5 / ln 1.5 = 1.23315; with 2 expected each week tolerates 2.46630.
    found = creep(np.array([[4, 1, 5, 5, 0, 3]]), np.full((1, 6), 2.0), np.ones(1))

    np.testing.assert_allclose(found.excess[0], [1.5337, 0.0674, 2.6011, 5.1348, 2.6685, 3.2022], atol=1e-4)
    assert found.weeks_under_way[0] == 6
    np.testing.assert_allclose(found.p_value, 1.5 ** -found.excess[:, -1])


def test_the_sum_falls_to_nothing_and_the_rise_is_dated_from_there() -> None:
    found = creep(np.array([[4, 0, 0, 4, 5]]), np.full((1, 5), 2.0), np.ones(1))

    np.testing.assert_allclose(found.excess[0], [1.5337, 0.0, 0.0, 1.5337, 4.0674], atol=1e-4)
    assert found.weeks_under_way[0] == 2


def test_a_complaint_counts_by_the_likelihood_ratio_of_hoehle_and_paul() -> None:
    # Negative binomial with mean m and variance m + α m²: the log ratio of κm to m, their equation for a known shift.
    x, m, ratio, dispersion = 7.0, 3.0, 1.4, 1.9
    alpha = (dispersion - 1.0) / m
    log_ratio = x * np.log(ratio) - (x + 1 / alpha) * np.log((1 + alpha * ratio * m) / (1 + alpha * m))

    per_complaint = log_ratio_per_complaint(np.array([dispersion]), ratio)[0]
    tolerated = tolerated_per_expected(np.array([dispersion]), ratio)[0]

    assert per_complaint * (x - tolerated * m) == pytest.approx(log_ratio)
    assert 1.0 < tolerated < ratio


def test_without_extra_variance_the_tolerated_rate_is_poissons() -> None:
    almost = tolerated_per_expected(np.array([1.0, 1.0 + 1e-7]), 1.5)

    np.testing.assert_allclose(almost, 0.5 / np.log(1.5), rtol=1e-6)


def test_a_chain_that_can_be_solved_by_hand() -> None:
    # Nothing tolerated and a threshold below 1: the first complaint is the alarm, a geometric wait.
    assert run_length(0.9, 0.2, 1.0, 0.0) == pytest.approx(1 / (1 - np.exp(-0.2)))


@pytest.mark.parametrize(
    ("mean", "dispersion"), [(0.05, 1.0), (0.4, 1.5), (2.0, 1.0), (2.0, 2.0), (9.0, 1.3), (60.0, 4.0)]
)
def test_a_false_alarm_comes_as_seldom_as_was_asked(mean: float, dispersion: float) -> None:
    counts = draw(mean, dispersion, 500, 1_200, seed=17)

    found = creep(counts, np.full(counts.shape, mean), np.full(500, dispersion), rate_ratio=1.5, in_control_weeks=150.0)

    assert mean_run_length(found.is_alarm) == pytest.approx(150.0, rel=0.2)  # chance, and counts being whole


def test_a_season_hardly_changes_how_seldom() -> None:
    season = 2.0 * (1 + 0.5 * np.sin(2 * np.pi * np.arange(1_200) / 52))
    counts = draw(season, 1.2, 600, 1_200, seed=18)

    found = creep(counts, np.broadcast_to(season, counts.shape), np.full(600, 1.2), in_control_weeks=150.0)

    assert mean_run_length(found.is_alarm) == pytest.approx(150.0, rel=0.2)


def test_the_chance_of_so_high_a_sum_is_never_understated() -> None:
    for mean, dispersion in ((0.1, 1.0), (1.0, 1.6), (12.0, 2.5)):
        counts = draw(mean, dispersion, 4_000, 200, seed=19)

        p_value = creep(counts, np.full(counts.shape, mean), np.full(4_000, dispersion)).p_value

        for level in (0.1, 0.05, 0.01):
            assert (p_value <= level).mean() <= level


def test_a_slow_rise_is_found_and_dated() -> None:
    # Two a week rising by 1 % of that a week for two years: no month stands out, the sum does.
    rise = 2.0 * np.concatenate([np.ones(104), 1 + 0.01 * np.arange(104)])
    counts = draw(rise, 1.2, 300, 208, seed=20)

    found = creep(counts, np.full(counts.shape, 2.0), np.full(300, 1.2))

    assert found.is_alarm[:, :104].any(axis=1).mean() <= 0.12
    assert found.is_alarm[:, 104:].any(axis=1).mean() >= 0.95
    assert 60 <= np.median(found.weeks_under_way) <= 110


def test_a_drop_is_no_alarm() -> None:
    counts = draw(1.0, 1.0, 100, 300, seed=21)

    assert not creep(counts, np.full(counts.shape, 2.0), np.ones(100)).is_alarm.any()


def test_an_uncertain_expectation_keeps_its_run_length_for_nine_cells_in_ten() -> None:
    cells, weeks = 400, 400
    rng = np.random.default_rng(22)
    estimate = 3.0 * np.exp(rng.normal(0.0, 0.12, cells))
    counts = draw(3.0, 1.0, cells, weeks, seed=23)
    expected = np.broadcast_to(estimate[:, None], counts.shape)

    plain = creep(counts, expected, np.ones(cells), in_control_weeks=500.0)
    guarded = creep(counts, expected, np.ones(cells), relative_variance=np.full(cells, 0.12**2), in_control_weeks=500.0)

    alarms_if_exact = 1 - np.exp(-weeks / 500.0)
    assert guarded.is_alarm.any(axis=1).mean() <= alarms_if_exact
    assert guarded.is_alarm.any(axis=1).mean() < plain.is_alarm.any(axis=1).mean()


def test_thresholds_of_many_cells_lie_between_those_of_the_grid_and_under_the_bound() -> None:
    mean = np.array([1e-5, 0.02, 0.9, 1.1, 5_000.0])
    dispersion = np.array([1.0, 1.0, 1.5, 1.5, 1.2])

    found = threshold_for(mean, dispersion, rate_ratio=1.5, in_control_weeks=300.0)

    bound = np.log(300.0) / log_ratio_per_complaint(dispersion, 1.5)
    assert np.all((found > 0) & (found <= bound))
    assert found[-1] == pytest.approx(bound[-1])  # beyond the grid the bound stands in
    for index in (1, 2, 3):
        tolerated = tolerated_per_expected(dispersion[index : index + 1], 1.5)[0] * mean[index]
        assert run_length(found[index], mean[index], dispersion[index], tolerated) == pytest.approx(300.0, rel=0.1)


@pytest.mark.parametrize(("ratio", "weeks"), [(1.0, 100.0), (1.5, 1.0)])
def test_what_cannot_be_watched_for_is_refused(ratio: float, weeks: float) -> None:
    with pytest.raises(ValueError, match="above 1"):
        creep(np.zeros((1, 2), dtype=np.int64), np.ones((1, 2)), np.ones(1), rate_ratio=ratio, in_control_weeks=weeks)
