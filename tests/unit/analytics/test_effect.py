# SPDX-License-Identifier: Apache-2.0
"""Verdicts on fixes whose truth is known."""

import math
from dataclasses import replace

import numpy as np
import pytest

from analytics.always_valid import ratio_posterior
from analytics.arrays import BoolArray, FloatArray
from analytics.effect import (
    Comparison,
    Effect,
    EffectSettings,
    Verdict,
    dispersion_before,
    follow,
    judge,
    succeeds,
    totals_of_all,
    trigger_weeks,
)

SETTINGS = EffectSettings()
BEFORE = 52


def counts(mean: FloatArray, dispersion: float, fixes: int, rng: np.random.Generator) -> FloatArray:
    shape = (fixes, len(mean))
    if dispersion == 1.0:
        return rng.poisson(mean, shape).astype(np.float64)
    return rng.negative_binomial(mean / (dispersion - 1.0), 1.0 / dispersion, shape).astype(np.float64)


def fixes_with(
    ratio: float, *, weeks: int, seed: int, fixes: int = 1, rate: float = 5.0, dispersion: float = 1.2
) -> Comparison:
    """Return fixes whose target goes on at `ratio` times its rate, with four times as many in the controls."""
    rng = np.random.default_rng(seed)
    mean = np.full(BEFORE + weeks, rate)
    controls = counts(4 * mean, dispersion, fixes, rng)
    mean[BEFORE:] *= ratio
    return split(counts(mean, dispersion, fixes, rng), controls)


def split(target: FloatArray, controls: FloatArray, before: int = BEFORE) -> Comparison:
    is_before = np.broadcast_to(np.arange(target.shape[1]) < before, target.shape)
    return Comparison(target, controls, is_before, ~is_before)


def even(*parts: tuple[float, int]) -> Comparison:
    """Return one target that has had exactly so many a week for so long, beside 20 a week in the controls."""
    target = np.concatenate([np.full(weeks, rate) for rate, weeks in parts])[None, :]
    return split(target, np.full_like(target, 4.0 * parts[0][0]))


def only(mask: BoolArray, columns: slice) -> BoolArray:
    chosen = np.zeros_like(mask)
    chosen[:, columns] = mask[:, columns]
    return chosen


def test_a_fix_that_halves_the_complaints_is_effective() -> None:
    effect = judge(even((5, 52), (2.5, 26)), SETTINGS)

    assert effect.verdict is Verdict.EFFECTIVE
    assert effect.weeks_still_needed is None
    assert effect.rate_ratio.lower < 0.5 < effect.rate_ratio.upper
    assert effect.rate_ratio.estimate == pytest.approx(0.5, abs=0.01)
    assert effect.expected == pytest.approx(130.0)
    assert effect.observed == 65
    assert effect.probability_reduced > 0.99
    assert 0.3 < effect.probability_target_met < 0.7
    assert effect.since_column == 52


def test_a_fix_that_changes_nothing_is_not_effective_from_the_planned_look_on() -> None:
    effect = judge(even((5, 52), (5, 26)), SETTINGS)

    assert effect.planned_weeks is not None
    assert effect.planned_weeks <= 26
    assert effect.verdict is Verdict.NOT_EFFECTIVE
    assert effect.probability_worthwhile < 0.1


def test_before_the_planned_look_no_fix_is_given_up() -> None:
    effect = judge(even((5, 52), (5, 5)), SETTINGS)

    assert effect.verdict is Verdict.NOT_YET_KNOWN
    assert effect.weeks_still_needed is not None


def test_the_weeks_still_needed_are_enough_if_the_target_is_met() -> None:
    early = judge(even((5, 52), (2.5, 3)), SETTINGS)
    assert early.verdict is Verdict.NOT_YET_KNOWN
    assert early.weeks_still_needed is not None

    then = judge(even((5, 52), (2.5, 3 + early.weeks_still_needed)), SETTINGS)
    just_before = judge(even((5, 52), (2.5, 2 + early.weeks_still_needed)), SETTINGS)

    assert then.verdict is Verdict.EFFECTIVE
    assert just_before.verdict is Verdict.NOT_YET_KNOWN


def test_no_fix_is_effective_before_four_weeks_however_strong_the_evidence() -> None:
    three = judge(even((50, 52), (5, 3)), SETTINGS)

    assert three.e_value > 20
    assert three.verdict is Verdict.NOT_YET_KNOWN
    assert three.weeks_still_needed == 1
    assert judge(even((50, 52), (5, 4)), SETTINGS).verdict is Verdict.EFFECTIVE


def test_before_the_first_week_nothing_is_known_but_how_long_it_will_take() -> None:
    effect = judge(even((5, 52)), SETTINGS)

    assert effect.verdict is Verdict.NOT_YET_KNOWN
    assert effect.e_value == 1.0
    assert effect.weeks_still_needed is not None
    assert effect.since_column is None


def test_a_quiet_cell_is_to_be_widened() -> None:
    quiet = judge(even((0.5, 52), (0.25, 10)), SETTINGS)

    assert quiet.is_too_quiet
    assert quiet.verdict is Verdict.NOT_YET_KNOWN
    assert quiet.planned_weeks is None


def test_what_moves_target_and_controls_alike_is_no_effect() -> None:
    season = 1.0 + 0.6 * np.cos(2 * np.pi * np.arange(78) / 52)
    season[52:] *= 0.5  # and half of all complaints stay away
    effect = judge(split((5 * season)[None, :], (20 * season)[None, :]), SETTINGS)

    assert effect.rate_ratio.estimate == pytest.approx(1.0, abs=0.02)
    assert effect.verdict is not Verdict.EFFECTIVE


def test_the_weeks_that_raised_the_signal_would_mislead_if_they_stayed_in() -> None:
    # 3,000 cells in which nothing ever changes; "fixed" are the 60 whose last eight weeks happened to be the highest.
    rng = np.random.default_rng(41)
    before, weeks, cells = 39, 52, 3_000
    mean = np.full(before + weeks, 3.0)
    target = counts(mean, 1.2, cells, rng)
    chosen = np.argsort(target[:, before - 8 : before].sum(axis=1))[-60:]
    left_in = split(target[chosen], counts(4 * mean, 1.2, 60, rng), before)
    left_out = replace(left_in, is_before=only(left_in.is_before, slice(0, before - 8)))

    def seem_reduced(comparison: Comparison) -> tuple[float, float]:
        posterior = ratio_posterior(totals_of_all(comparison))
        return float(np.median(posterior.quantile(0.5))), float((posterior.chance_at_most(1.0) >= 0.95).mean())

    ratio, surely = seem_reduced(left_in)
    assert ratio < 0.9
    assert surely > 0.12
    ratio, surely = seem_reduced(left_out)
    assert ratio == pytest.approx(1.0, abs=0.05)
    assert surely <= 0.1


def test_high_weeks_before_the_change_are_noticed() -> None:
    assert trigger_weeks(even((3, 44), (9, 8), (3, 10))) == 13
    assert trigger_weeks(even((3, 52), (3, 10))) == 0


def test_high_weeks_are_hardly_ever_noticed_where_there_are_none() -> None:
    many = fixes_with(1.0, weeks=1, seed=42, fixes=200)
    noticed = [
        trigger_weeks(Comparison(many.target[[i]], many.controls[[i]], many.is_before[[i]], many.is_after[[i]]))
        for i in range(200)
    ]

    assert np.mean(np.array(noticed) > 0) <= 0.05


def test_weeks_left_out_count_neither_before_nor_after() -> None:
    plain = even((5, 52), (2.5, 26))
    disturbed = Comparison(plain.target.copy(), plain.controls.copy(), plain.is_before.copy(), plain.is_after.copy())
    disturbed.target[0, 20:24] = 500.0
    disturbed.target[0, 52:54] = 500.0
    disturbed.is_before[0, 20:24] = False
    disturbed.is_after[0, 52:54] = False

    effect = judge(disturbed, SETTINGS)

    assert (effect.weeks_before, effect.weeks_after) == (48, 24)
    assert effect.rate_ratio.estimate == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("dispersion", [1.2, 2.0])
def test_fixes_that_change_nothing_are_hardly_ever_called_effective_in_two_years_of_weekly_looks(
    dispersion: float,
) -> None:
    course = follow(fixes_with(1.0, weeks=104, seed=43, fixes=100, dispersion=dispersion), SETTINGS)

    assert (course.success >= 0).mean() <= 0.05


def test_most_fixes_that_halve_five_complaints_a_week_are_called_effective_within_half_a_year() -> None:
    course = follow(fixes_with(0.5, weeks=26, seed=44, fixes=250), SETTINGS)

    assert (course.success >= 0).mean() >= 0.8


def test_a_fall_that_is_sure_but_small_is_not_enough() -> None:
    small = judge(even((200, 52), (170, 104)), SETTINGS)

    assert small.highest_e_value > 20
    assert small.success_column is None
    assert small.verdict is Verdict.NOT_EFFECTIVE


def test_with_a_smaller_target_a_smaller_fall_is_enough() -> None:
    small = judge(even((200, 52), (170, 104)), EffectSettings(0.1))

    assert small.verdict is Verdict.EFFECTIVE


def test_a_fix_whose_complaints_come_back_is_no_longer_effective() -> None:
    effect = judge(even((5, 52), (1, 20), (5, 30)), SETTINGS)

    assert effect.success_column is not None
    assert effect.success_column < 72
    assert effect.relapse_column is not None
    assert 72 <= effect.relapse_column < 92
    assert effect.verdict is Verdict.NOT_EFFECTIVE


def test_a_fix_that_lasts_is_hardly_ever_called_relapsed() -> None:
    course = follow(fixes_with(0.5, weeks=104, seed=46, fixes=100), SETTINGS)

    assert (course.relapse >= 0).mean() <= 0.05


def test_the_dispersion_is_that_of_the_weeks_before() -> None:
    for dispersion in (1.2, 2.0):
        many = fixes_with(0.5, weeks=10, seed=47, fixes=400, dispersion=dispersion)
        assert float(np.mean(dispersion_before(many))) == pytest.approx(dispersion, rel=0.12)


def test_weeks_that_resemble_their_neighbours_are_worth_less() -> None:
    waves = np.tile(np.repeat([2.0, 8.0], 6), 5)[None, :52]
    shuffled = np.random.default_rng(48).permuted(waves, axis=1)
    after = np.full((1, 10), 5.0)
    alike, unlike = (
        dispersion_before(split(np.concatenate([before, after], axis=1), np.full((1, 62), 20.0)))[0]
        for before in (waves, shuffled)
    )

    assert alike > 2 * unlike


def test_the_look_in_a_week_depends_on_no_later_week() -> None:
    whole = fixes_with(0.6, weeks=40, seed=49, fixes=3)
    part = Comparison(whole.target[:, :72], whole.controls[:, :72], whole.is_before[:, :72], whole.is_after[:, :72])

    np.testing.assert_allclose(follow(whole, SETTINGS).e_value[:, :20], follow(part, SETTINGS).e_value, rtol=1e-9)


def test_the_chart_adds_up_to_what_was_expected() -> None:
    effect: Effect = judge(fixes_with(0.5, weeks=26, seed=50), SETTINGS)

    assert effect.chart.expected[52:].sum() == pytest.approx(effect.expected)
    assert (effect.chart.lower <= effect.chart.expected).all()
    assert (effect.chart.expected <= effect.chart.upper).all()


@pytest.mark.parametrize(
    ("target", "controls", "before", "said"),
    [
        (5.0, 20.0, 5, "5 weeks before the change are too few"),
        (0.0, 20.0, 52, "nothing to reduce"),
        (5.0, 0.0, 52, "let nothing expect"),
    ],
)
def test_too_little_past_is_refused_in_a_sentence(target: float, controls: float, before: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        judge(split(np.full((1, 60), target), np.full((1, 60), controls), before), SETTINGS)


def test_a_week_cannot_lie_before_and_after() -> None:
    plain = even((5, 52), (5, 5))
    with pytest.raises(ValueError, match="not both"):
        replace(plain, is_after=np.ones_like(plain.is_after))


def test_the_expectation_may_be_known() -> None:
    known = even((5, 52), (2.5, 12))
    scaled = replace(known, controls=known.controls * 1e6)

    assert judge(scaled, SETTINGS, controls_ratio=math.inf).planned_weeks == 8


@pytest.mark.parametrize("ratio", [1.0, 0.8, 0.5])
def test_who_succeeds_is_the_same_however_it_is_found(ratio: float) -> None:
    comparison = fixes_with(ratio, weeks=40, seed=47, fixes=60)

    found = succeeds(comparison, SETTINGS)

    assert found.tolist() == (follow(comparison, SETTINGS).success >= 0).tolist()
    assert found.any() or ratio == 1.0
