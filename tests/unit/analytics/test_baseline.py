# SPDX-License-Identifier: Apache-2.0
"""Expectations against truth that was made up beforehand."""

import numpy as np
import pytest

from analytics.arrays import FloatArray, IntArray
from analytics.baseline import Baseline, BaselineSettings, KnownReasons, baseline_gap_weeks, fit_baseline
from tests.unit.analytics.simulated import WEEKS, counts_around

WEEK = np.arange(WEEKS)
SETTINGS = BaselineSettings()


def fitted(counts: IntArray, parents: list[int] | None = None, levels: list[int] | None = None) -> Baseline:
    alone = [-1] * len(counts)
    baseline = fit_baseline(
        counts,
        np.array(parents or alone, dtype=np.int64),
        np.array(levels or [0] * len(counts), dtype=np.int64),
        first_week=0,
        windows=(1, 13),
        settings=SETTINGS,
    )
    assert baseline is not None
    return baseline


def seasonal(mean: float, change_per_year: float = 0.0) -> FloatArray:
    wave = 0.5 * np.cos(2 * np.pi * WEEK / SETTINGS.season_weeks)
    return np.asarray(mean * np.exp(wave + change_per_year * (WEEK - WEEKS / 2) / 52), dtype=np.float64)


def test_level_season_and_trend_are_found() -> None:
    truth = seasonal(40.0, change_per_year=0.1)

    baseline = fitted(counts_around(truth, 1.5, 50, seed=1))

    latest = baseline.expected[:, -13:].mean(axis=0)
    np.testing.assert_allclose(latest, truth[-13:], rtol=0.04)
    np.testing.assert_allclose(baseline.dispersion.mean(), 1.5, atol=0.1)


def test_the_latest_half_year_does_not_raise_its_own_expectation() -> None:
    counts = counts_around(np.full(WEEKS, 10.0), 1.0, 20, seed=2)
    troubled = counts.copy()
    troubled[:, -26:] *= 5

    np.testing.assert_array_equal(fitted(troubled).expected, fitted(counts).expected)


def test_a_past_outbreak_hardly_raises_the_expectation() -> None:
    counts = counts_around(np.full(WEEKS, 10.0), 1.0, 20, seed=3)
    with_outbreak = counts.copy()
    with_outbreak[:, 150:158] += 60

    raised = fitted(with_outbreak).expected[:, -1].mean() / fitted(counts).expected[:, -1].mean()

    assert raised < 1.08  # taken at face value it would be 1.18


def test_a_small_cell_is_its_share_of_its_parent_with_the_parents_season() -> None:
    truth = seasonal(20.0)
    parent = counts_around(truth, 1.0, 1, seed=4)[0]
    child = np.random.default_rng(4).binomial(parent, 0.015)

    baseline = fitted(np.stack([parent, child]), parents=[-1, 0], levels=[0, 1])

    share = baseline.expected[1] / baseline.expected[0]
    assert np.ptp(share) < 1e-12
    learnt = child[: baseline.baseline_weeks].sum() / parent[: baseline.baseline_weeks].sum()
    np.testing.assert_allclose(share[0], learnt, rtol=0.05)
    of_the_share = baseline.dispersion[1] / (child[: baseline.baseline_weeks].sum() + 0.5)
    np.testing.assert_allclose(baseline.relative_variance[1], baseline.relative_variance[0] + of_the_share, rtol=0.05)


def test_a_child_without_any_past_is_expected_to_stay_nearly_silent() -> None:
    parent = counts_around(np.full(WEEKS, 20.0), 1.0, 1, seed=5)[0]

    baseline = fitted(np.stack([parent, np.zeros(WEEKS, dtype=np.int64)]), parents=[-1, 0], levels=[0, 1])

    assert 0 < baseline.expected[1, -13:].sum() < 0.1


def test_a_failure_known_for_half_a_year_is_measured_by_the_time_it_is_known() -> None:
    parent = counts_around(np.full(WEEKS, 40.0), 1.0, 1, seed=6)[0]
    child = np.zeros(WEEKS, dtype=np.int64)
    child[-60:] = np.random.default_rng(6).poisson(4.0, 60)

    baseline = fitted(np.stack([parent, child]), parents=[-1, 0], levels=[0, 1])

    np.testing.assert_allclose(baseline.expected[1, -1], 4.0, rtol=0.2)


def test_dispersion_is_shared_among_cells_of_a_kind() -> None:
    wild = counts_around(np.full(WEEKS, 1.0), 3.0, 40, seed=7)
    calm = counts_around(np.full(WEEKS, 1.0), 1.0, 40, seed=8)

    apart = fitted(np.concatenate([wild, calm]), levels=[0] * 40 + [1] * 40).dispersion
    together = fitted(np.concatenate([wild, calm])).dispersion

    assert apart[:40].mean() > together[:40].mean()
    assert apart[40:].mean() < together[40:].mean()


def test_what_sparse_cells_cannot_know_of_their_dispersion_they_learn_from_their_kind() -> None:
    counts = counts_around(np.full(WEEKS, 0.2), 1.5, 60, seed=12)

    alone = fitted(counts, levels=list(range(60))).dispersion
    together = fitted(counts).dispersion

    assert together.std() < 0.65 * alone.std()


def test_a_cell_that_never_had_a_complaint_does_no_harm() -> None:
    baseline = fitted(np.zeros((2, WEEKS), dtype=np.int64))

    assert np.isfinite(baseline.expected).all()
    assert (baseline.expected[:, -1] < 0.05).all()


def test_the_gap_shrinks_only_while_the_history_is_short() -> None:
    assert baseline_gap_weeks(260, SETTINGS) == 26
    assert baseline_gap_weeks(78, SETTINGS) == 26
    assert baseline_gap_weeks(60, SETTINGS) == 20
    assert baseline_gap_weeks(9, SETTINGS) == 4


def test_under_a_year_there_is_a_level_and_no_season() -> None:
    baseline = fitted(counts_around(np.full(50, 10.0), 1.0, 1, seed=9))

    assert np.ptp(baseline.expected[0]) == 0.0
    np.testing.assert_allclose(baseline.expected[0, 0], 10.0, rtol=0.15)


def test_a_few_weeks_are_no_baseline() -> None:
    counts = np.ones((1, 15), dtype=np.int64)
    none = np.zeros(1, dtype=np.int64)

    assert fit_baseline(counts, none - 1, none, first_week=0, windows=(1,), settings=SETTINGS) is None


def test_a_huge_past_outbreak_in_a_small_cell_does_not_pass_for_wild_chance() -> None:
    counts = counts_around(np.full(WEEKS, 0.3), 1.0, 20, seed=13)
    with_outbreak = counts.copy()
    with_outbreak[:, 150] += 65

    baseline = fitted(with_outbreak, levels=list(range(20)))

    assert (baseline.dispersion < 6.0).all()  # taken at face value it would be about 50


@pytest.mark.parametrize(("mean", "dispersion"), [(1.6, 5.0), (5.0, 2.0), (12.0, 3.0), (150.0, 1.2)])
def test_down_weighting_takes_nothing_from_cells_without_outbreaks(mean: float, dispersion: float) -> None:
    baseline = fitted(counts_around(np.full(WEEKS, mean), dispersion, 150, seed=14), levels=list(range(150)))

    np.testing.assert_allclose(baseline.expected[:, -1].mean(), mean, rtol=0.05)
    np.testing.assert_allclose(baseline.dispersion.mean(), dispersion, rtol=0.12)


def test_what_is_served_twice_as_often_is_expected_twice_as_often() -> None:
    volume = np.where(WEEK < WEEKS - 40, 1.0, 2.0) * np.ones((10, 1))
    counts = np.random.default_rng(15).poisson(8.0 * volume)

    told = known_baseline(counts, KnownReasons(log_offset=np.log(volume)))
    untold = known_baseline(counts, KnownReasons())

    np.testing.assert_allclose(told.expected[:, -1].mean(), 16.0, rtol=0.06)
    assert untold.expected[:, -1].mean() < 13.0


def test_weeks_of_a_fix_are_not_learnt_from() -> None:
    counts = counts_around(np.full(WEEKS, 10.0), 1.0, 10, seed=16)
    changed = counts.copy()
    changed[:, 100:160] = 0
    masked = np.zeros(counts.shape, dtype=np.bool_)
    masked[:, 100:160] = True

    expected = [known_baseline(each, KnownReasons(masked=masked)).expected for each in (counts, changed)]

    np.testing.assert_allclose(expected[0], expected[1], rtol=1e-9)


def test_a_holiday_lowers_the_expectation_of_its_week_alone() -> None:
    holiday = (WEEK % 13 == (WEEKS - 1) % 13).astype(np.float64)  # four a year, the last week among them
    counts = np.random.default_rng(17).poisson(100.0 * np.exp(-0.25 * holiday), (20, WEEKS))

    baseline = known_baseline(counts, KnownReasons(holidays=holiday[:, None]))

    np.testing.assert_allclose(baseline.expected[:, -1].mean(), 100.0 * np.exp(-0.25), rtol=0.05)
    np.testing.assert_allclose(baseline.expected[:, -2].mean(), 100.0, rtol=0.05)


def test_a_small_cell_with_its_own_volume_is_expected_by_its_own_volume() -> None:
    parent = counts_around(np.full(WEEKS, 40.0), 1.0, 1, seed=18)[0]
    volume = np.ones((2, WEEKS))
    volume[1, -20:] = 3.0
    child = np.random.default_rng(18).poisson(0.3 * volume[1])

    baseline = fit_baseline(
        np.stack([parent, child]),
        np.array([-1, 0]),
        np.array([0, 1]),
        first_week=0,
        windows=(1, 13),
        settings=SETTINGS,
        known=KnownReasons(log_offset=np.log(volume)),
    )

    assert baseline is not None
    np.testing.assert_allclose(baseline.expected[1, -1] / baseline.expected[1, -30], 3.0, rtol=0.05)


def known_baseline(counts: IntArray, known: KnownReasons) -> Baseline:
    baseline = fit_baseline(
        counts,
        np.full(len(counts), -1, dtype=np.int64),
        np.zeros(len(counts), dtype=np.int64),
        first_week=0,
        windows=(1, 13),
        settings=SETTINGS,
        known=known,
    )
    assert baseline is not None
    return baseline
