# SPDX-License-Identifier: Apache-2.0
"""A look at a fix's effect: which weekly cells are summed into what, and what the sums say."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, time, timedelta

import pytest

from activities.fix_effect import counted_for, effect_of
from models.aggregates import Cell
from models.fixes.cells import name_of_cell
from models.fixes.commands import CellRef, Plan
from models.fixes.terms import FixState, Verdict
from models.fixes.watching import command_after
from tests.counted_fixes import a_cell, a_monitored_fix, cells, sunday_after
from tests.given import a_policy
from tests.given_fixes import CHANGED_ON, CONTROL, TARGET, a_fix_at, a_plan, after, an_effect

POLICY = a_policy()
WEEK = CHANGED_ON - timedelta(weeks=3)


def counted(plan: Plan, totals: Counter[Cell]) -> dict[str, float]:
    made = counted_for(plan, CHANGED_ON, totals, sunday_after(2), POLICY)
    return {name: row.sum() for name, row in zip(made.names, made.counts, strict=True)}


def test_a_change_that_halves_complaints_is_found_effective() -> None:
    effect = effect_of(a_monitored_fix(), cells(30, lambda _: 0.5), sunday_after(30), POLICY)

    assert effect.verdict is Verdict.EFFECTIVE
    assert effect.rate_ratio < 0.7
    assert effect.e_value >= 20
    assert not effect.has_relapsed
    assert any("effective" in sentence for sentence in effect.sentences)


def test_a_change_that_does_nothing_is_found_not_effective_in_the_end() -> None:
    effect = effect_of(a_monitored_fix(), cells(60), sunday_after(60), POLICY)

    assert effect.verdict is Verdict.NOT_EFFECTIVE
    assert not effect.has_relapsed


def test_a_brand_new_failure_is_compared_with_the_weeks_in_which_it_was_there() -> None:
    began = CHANGED_ON - timedelta(weeks=20)
    totals = Counter({
        cell: number
        for cell, number in cells(30, lambda _: 0.6).items()
        if cell.office != TARGET.office or cell.week >= began
    })  # fmt: skip

    of_old, anew = a_monitored_fix(), a_monitored_fix(compared_from=began)

    assert effect_of(of_old, totals, sunday_after(30), POLICY).verdict is not Verdict.EFFECTIVE
    assert effect_of(anew, totals, sunday_after(30), POLICY).verdict is Verdict.EFFECTIVE


def test_after_a_few_weeks_nothing_is_known_yet_and_the_weeks_still_needed_are_said() -> None:
    effect = effect_of(a_monitored_fix(), cells(4, lambda _: 0.5), sunday_after(4), POLICY)

    assert effect.verdict is Verdict.NOT_YET_KNOWN
    assert effect.weeks_still_needed


def test_what_comes_back_after_success_has_relapsed() -> None:
    totals = cells(70, lambda week: 0.7 if week < 25 else -0.5)
    fix = a_monitored_fix()
    first = effect_of(fix, totals, sunday_after(25), POLICY)
    fix = after(fix, command_after(fix, first))
    assert fix.state is FixState.EFFECTIVE

    effect = effect_of(fix, totals, sunday_after(70), POLICY)

    assert effect.has_relapsed
    assert after(fix, command_after(fix, effect)).state is FixState.WORKED_OUT


def test_the_same_counts_say_the_same_and_other_counts_have_another_hash() -> None:
    fix, totals = a_monitored_fix(), cells(10, lambda _: 0.5)
    effect = effect_of(fix, totals, sunday_after(10), POLICY)
    shuffled = Counter(dict(sorted(totals.items(), key=lambda item: hash(item[0]))))

    assert effect_of(fix, shuffled, sunday_after(10), POLICY) == effect
    more = totals + Counter({a_cell(TARGET, WEEK): 1})
    assert effect_of(fix, more, sunday_after(10), POLICY).inputs_hash != effect.inputs_hash


def test_weeks_after_the_day_looked_at_do_not_count() -> None:
    fix, totals = a_monitored_fix(), cells(10, lambda _: 0.5)
    late = Counter({a_cell(TARGET, CHANGED_ON + timedelta(weeks=10)): 50})

    assert effect_of(fix, totals + late, sunday_after(10), POLICY) == effect_of(fix, totals, sunday_after(10), POLICY)


def test_a_complaint_counts_once_however_many_targets_name_it() -> None:
    plan = a_plan(targets=(TARGET, TARGET.model_copy(update={"office": None})), controls=())

    assert counted(plan, Counter({a_cell(TARGET, WEEK): 4, a_cell(CONTROL, WEEK): 3})) == {"The target": 7}


def test_a_complaint_counts_for_the_first_control_that_names_it() -> None:
    wide = CellRef(measure="cause", family="HND", service="housing", office="central")
    plan = a_plan(controls=(CONTROL, wide))
    totals = Counter({a_cell(CONTROL, WEEK): 3, a_cell(CONTROL.model_copy(update={"code": "HND4"}), WEEK): 2})

    assert sorted(counted(plan, totals).values()) == [0, 2, 3]


def test_a_family_counts_all_its_failures_and_no_others() -> None:
    plan = a_plan(targets=(CellRef(measure="cause", family="HND", service="housing"),), controls=())
    totals = Counter({
        a_cell(TARGET, WEEK): 1,
        a_cell(TARGET.model_copy(update={"code": "HND4"}), WEEK): 2,
        a_cell(TARGET.model_copy(update={"code": "TIM2", "family": "TIM"}), WEEK): 4,
        a_cell(TARGET.model_copy(update={"code": "not-ours", "family": "other"}), WEEK): 8,
    })  # fmt: skip

    assert counted(plan, totals)["The target"] == 3


def test_a_target_of_one_channel_counts_the_complaints_of_that_channel_alone() -> None:
    plan = a_plan(targets=(TARGET.model_copy(update={"channel": "phone"}),), controls=(CONTROL,))
    totals = Counter({a_cell(ref, WEEK, channel): 3 for ref in (TARGET, CONTROL) for channel in ("web", "phone")})

    assert sorted(counted(plan, totals).values()) == [3, 6]


def test_intake_categories_are_another_measure_than_causes() -> None:
    intake = CellRef(measure="intake", family="intake", code="too_slow")
    plan = a_plan(targets=(intake,), controls=())
    totals = Counter({a_cell(intake, WEEK): 5, Cell("cause", "too_slow", "", "", "web", WEEK): 9})

    assert counted(plan, totals) == {"The target": 5}


def test_other_failures_of_the_family_in_the_same_place_stand_beside_under_their_names() -> None:
    sibling = TARGET.model_copy(update={"code": "HND4"})
    elsewhere = sibling.model_copy(update={"office": "central"})
    made = counted(a_plan(), Counter({a_cell(TARGET, WEEK): 1, a_cell(sibling, WEEK): 2, a_cell(elsewhere, WEEK): 4}))

    assert made[name_of_cell(sibling, POLICY)] == 2
    assert name_of_cell(elsewhere, POLICY) not in made


def test_what_stands_beside_is_counted_in_the_weeks_that_are_looked_at_alone_and_in_the_targets_family() -> None:
    sibling = TARGET.model_copy(update={"code": "HND4"})
    other_family = TARGET.model_copy(update={"code": "TIM2", "family": "TIM"})
    many_too_late = {sibling.model_copy(update={"code": f"HND{n}"}): 9 for n in (1, 2)}
    totals = Counter({a_cell(TARGET, WEEK): 1, a_cell(sibling, WEEK): 2, a_cell(other_family, WEEK): 4})
    totals.update({a_cell(ref, CHANGED_ON + timedelta(weeks=40)): number for ref, number in many_too_late.items()})
    plan = a_plan(targets=(TARGET.model_copy(update={"family": None}),))

    made = counted(plan, totals)

    assert {name: int(number) for name, number in made.items() if number} == {
        "The target": 1,
        name_of_cell(sibling, POLICY): 2,
    }
    assert len(made) == 3, "target, control and the one that came in these weeks"


def test_the_weeks_that_raised_the_signal_and_the_transition_are_left_out_and_that_is_said() -> None:
    trigger = {"trigger_from": CHANGED_ON - timedelta(weeks=6), "trigger_until": CHANGED_ON - timedelta(days=15)}

    effect = effect_of(a_monitored_fix(**trigger), cells(20, lambda _: 0.5), sunday_after(20), POLICY)

    assert "Left out: 4 weeks that raised the signal, 2 weeks of transition." in effect.sentences


def test_a_verdict_by_a_plan_that_was_frozen_after_its_change_says_so() -> None:
    def said_of_a_plan_frozen(days_after: int) -> tuple[str, ...]:
        at = datetime.combine(CHANGED_ON + timedelta(days=days_after), time(4), UTC)  # still the evening before, here
        fix = a_monitored_fix().model_copy(update={"registered_at": at})
        return effect_of(fix, cells(20, lambda _: 0.5), sunday_after(20), POLICY).sentences

    afterwards = "The plan was frozen after the change: nobody was held beforehand to what it says."
    assert said_of_a_plan_frozen(2) == (*said_of_a_plan_frozen(1), afterwards)
    assert afterwards not in said_of_a_plan_frozen(1)


def test_what_came_in_the_weeks_that_raised_the_signal_changes_no_expectation() -> None:
    first = CHANGED_ON - timedelta(weeks=6)
    fix = a_monitored_fix(trigger_from=first, trigger_until=CHANGED_ON - timedelta(days=15))
    totals = cells(20, lambda _: 0.5)
    spike = Counter({a_cell(TARGET, first + timedelta(weeks=week)): 40 for week in range(4)})

    usual, spiked = (effect_of(fix, counts, sunday_after(20), POLICY) for counts in (totals, totals + spike))

    assert spiked.expected == usual.expected
    assert spiked.verdict is usual.verdict


def test_too_little_past_is_not_yet_known_and_says_why() -> None:
    effect = effect_of(a_monitored_fix(), cells(10, weeks_before=5), sunday_after(10), POLICY)

    assert effect.verdict is Verdict.NOT_YET_KNOWN
    assert "too few to judge it by" in effect.sentences[1]
    assert effect.rate_ratio_low < effect.rate_ratio < effect.rate_ratio_high


def test_without_a_single_complaint_nothing_is_known() -> None:
    effect = effect_of(a_monitored_fix(), Counter(), sunday_after(3), POLICY)

    assert (effect.verdict, effect.observed, effect.expected) == (Verdict.NOT_YET_KNOWN, 0, 0)


def test_without_controls_a_warning_is_said() -> None:
    effect = effect_of(a_monitored_fix(controls=()), cells(20, lambda _: 0.5), sunday_after(20), POLICY)

    assert any("There are no controls" in sentence for sentence in effect.sentences)


def test_a_fix_with_nothing_in_place_cannot_be_looked_at() -> None:
    with pytest.raises(ValueError, match="no change in place"):
        effect_of(a_fix_at(FixState.WORKED_OUT), Counter(), sunday_after(3), POLICY)


def test_a_verdict_found_by_a_look_makes_the_command_that_the_lifecycle_takes() -> None:
    fix = a_monitored_fix()

    assert after(fix, command_after(fix, an_effect(Verdict.NOT_EFFECTIVE))).rounds[0].effect.verdict is (
        Verdict.NOT_EFFECTIVE
    )
