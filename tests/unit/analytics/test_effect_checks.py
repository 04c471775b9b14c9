# SPDX-License-Identifier: Apache-2.0
"""What could make a verdict wrong: placebos, displacement, intake."""

from dataclasses import replace

import numpy as np
import pytest

from analytics.arrays import FloatArray
from analytics.effect import EffectSettings, Verdict, judge
from analytics.effect_checks import (
    Placebo,
    Study,
    assess,
    compare,
    displacement,
    held_back,
    intake,
    placebo,
    without_trigger,
)

SETTINGS = EffectSettings()
BEFORE, AFTER = 52, 26


def study_of(counts: FloatArray, exposure: FloatArray | None = None) -> Study:
    is_before = np.arange(counts.shape[1]) < BEFORE
    return Study(
        counts=counts,
        exposure=np.ones_like(counts) if exposure is None else exposure,
        target=0,
        controls=tuple(range(1, len(counts))),
        is_before=is_before,
        is_after=~is_before,
    )


def drawn(seed: int, series: int = 4, *, ratio: float = 1.0) -> FloatArray:
    """Return a target and three controls with five complaints a week, the target's times `ratio` after the change."""
    rng = np.random.default_rng(seed)
    mean = np.full((series, BEFORE + AFTER), 5.0)
    mean[0, BEFORE:] *= ratio
    return rng.negative_binomial(mean / 0.2, 1 / 1.2).astype(np.float64)


def test_changes_that_never_were_hardly_ever_seem_to_work() -> None:
    tried = [placebo(study_of(drawn(seed)), SETTINGS) for seed in range(3)]

    assert sum(one.tried for one in tried) > 300
    assert sum(one.worked for one in tried) <= 0.05 * sum(one.tried for one in tried)


def test_a_target_that_goes_its_own_way_fails_its_placebos() -> None:
    counts = drawn(5)
    counts[0, :26] += 15.0  # it had halved long before the change

    tried = placebo(study_of(counts), SETTINGS)

    assert not tried.is_passed


def test_one_fix_has_at_most_two_hundred_placebos() -> None:
    assert placebo(study_of(drawn(6, series=9)), SETTINGS).tried == 200


def test_a_success_that_placebos_have_as_well_is_held_back() -> None:
    study = study_of(drawn(7, ratio=0.2))
    effect, _ = assess(study, (), SETTINGS)
    assert effect.verdict is Verdict.EFFECTIVE

    assert held_back(effect, Placebo(100, 5)) == effect
    assert held_back(effect, Placebo(100, 6)).verdict is Verdict.NOT_YET_KNOWN


def test_beside_controls_that_were_closed_there_is_no_verdict() -> None:
    counts = drawn(14, ratio=1.6)
    assert assess(study_of(counts), (1,), SETTINGS)[0].verdict is Verdict.NOT_EFFECTIVE

    counts[1:, BEFORE:] = 0.0
    effect, checks = assess(study_of(counts), (1, 2, 3), SETTINGS)

    assert effect.verdict is Verdict.NOT_YET_KNOWN
    assert checks.displacement == ()
    assert not checks.intake.is_passed


def test_a_target_that_has_vanished_is_a_success() -> None:
    counts = drawn(15)
    counts[0, BEFORE:] = 0.0

    assert assess(study_of(counts), (1,), SETTINGS)[0].verdict is Verdict.EFFECTIVE


def test_weeks_that_raised_the_signal_can_be_found_and_left_out() -> None:
    counts = drawn(16)
    counts[0, BEFORE - 8 : BEFORE] += 9.0
    high = study_of(counts)

    without, weeks = without_trigger(high)

    assert weeks >= 8
    assert without.is_before.sum() == BEFORE - weeks
    assert not without.is_before[BEFORE - weeks :].any()
    assert without_trigger(study_of(drawn(16)))[1] == 0


def test_a_neighbour_that_rises_when_the_target_falls_is_named() -> None:
    counts = drawn(8, ratio=0.4)
    counts[2, BEFORE:] += 3.0

    found = displacement(study_of(counts), (1, 2, 3))

    assert [neighbour.series for neighbour in found if neighbour.has_risen] == [2]
    assert found[1].extra_count == pytest.approx(78, abs=35)


def test_neighbours_that_stay_as_they_were_are_hardly_ever_named() -> None:
    risen = [
        any(neighbour.has_risen for neighbour in displacement(study_of(drawn(100 + seed)), (1, 2, 3)))
        for seed in range(60)
    ]

    assert np.mean(risen) <= 0.13  # nominally 0.05; 0.13 is three standard errors above


def test_a_neighbour_without_other_controls_cannot_be_judged() -> None:
    assert displacement(study_of(drawn(9, series=2)), (1,)) == ()


def test_controls_that_lose_half_their_complaints_are_asked_about() -> None:
    counts = drawn(10)
    assert intake(study_of(counts)).is_passed

    counts[1:, BEFORE:] = np.floor(counts[1:, BEFORE:] * 0.4)

    changed = intake(study_of(counts))
    assert changed.has_changed
    assert changed.controls_ratio is not None
    assert changed.controls_ratio.upper < 0.6


def test_a_series_in_which_nothing_comes_any_more_is_asked_about() -> None:
    counts = drawn(11)
    counts[0, -6:] = 0.0
    counts[2, -1:] = 0.0  # one quiet week is none

    assert intake(study_of(counts)).silent == ((0, 6),)


def test_quiet_weeks_of_what_has_become_rare_are_no_closed_channel() -> None:
    counts = drawn(11)
    counts[0, BEFORE:] = 0.0
    counts[0, BEFORE : BEFORE + 20 : 2] = 1.0
    silent_for = counts.shape[1] - (BEFORE + 19)

    assert 2 < silent_for < 9
    assert intake(study_of(counts)).silent == ()


def test_without_controls_the_expectation_is_what_was_served() -> None:
    counts = np.full((1, BEFORE + AFTER), 6.0)
    counts[0, BEFORE:] = 3.0
    served = np.full_like(counts, 1_000.0)
    served[0, BEFORE:] = 500.0
    study = study_of(counts, served)

    effect = judge(compare(study, 0, ()), SETTINGS)

    assert effect.rate_ratio.estimate == pytest.approx(1.0, abs=0.02)
    assert intake(study).controls_ratio is None


def test_controls_are_scaled_by_what_was_served() -> None:
    counts = np.full((3, BEFORE + AFTER), 6.0)
    counts[0, BEFORE:] = 3.0
    served = np.full_like(counts, 1_000.0)
    served[0, BEFORE:] = 500.0  # the target served half as many

    study = study_of(counts, served)

    assert judge(compare(study, 0, (1, 2)), SETTINGS).rate_ratio.estimate == pytest.approx(1.0, abs=0.02)


def test_a_target_cannot_be_its_own_control() -> None:
    with pytest.raises(ValueError, match="other series"):
        replace(study_of(drawn(12)), controls=(0, 1))


def test_nothing_served_is_no_exposure() -> None:
    with pytest.raises(ValueError, match="more than 0"):
        study_of(drawn(13), np.zeros((4, BEFORE + AFTER)))
