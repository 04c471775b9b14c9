# SPDX-License-Identifier: Apache-2.0
"""Expectations against truth that was made up beforehand."""

import numpy as np

from analytics.arrays import FloatArray, IntArray
from analytics.baseline import Baseline, BaselineSettings, baseline_gap_weeks, fit_baseline
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
