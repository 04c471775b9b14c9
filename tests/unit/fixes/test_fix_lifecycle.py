# SPDX-License-Identifier: Apache-2.0
"""A fix is led by one table, as a complaint is: what is offered is granted, what is not is refused with a sentence."""

from __future__ import annotations

import functools
import itertools
from datetime import date, timedelta

import pytest
from pydantic import ValidationError

from models.commands import Actor
from models.fixes import commands as asked
from models.fixes import lifecycle
from models.fixes.fix import Fix
from models.fixes.lifecycle import TRANSITIONS
from models.fixes.story import apply, fold
from models.fixes.terms import FixAction, FixState, Occasion, Strength, Verdict
from models.fixes.wording import ACTION_NAMES
from models.messages import canonical_message
from models.refusals import AlreadyDone, Incomplete, NeedsApproval, Refused, SamePerson, Stale, WrongRole, WrongState
from models.terms import Role
from tests.given import MONDAY, SUE, a_key, a_text
from tests.given_fixes import (
    CHANGED_ON,
    CONTROL,
    TARGET,
    TO_THE_END,
    TOM,
    WORKED_OUT,
    a_fix_at,
    a_fix_command,
    a_plan,
    after,
    an_effect,
    done,
)

fix_at = functools.cache(a_fix_at)


@pytest.mark.parametrize(("state", "action", "role"), list(itertools.product(FixState, FixAction, Role)))
def test_what_is_offered_is_granted_and_what_is_not_offered_is_refused(
    state: FixState, action: FixAction, role: Role
) -> None:
    fix, actor = fix_at(state), Actor(name=f"a-{role}", role=role)
    command = a_fix_command(action, fix, actor)
    if action in lifecycle.available(fix, actor):
        try:
            event = lifecycle.decide(fix, command, MONDAY)
        except (AlreadyDone, Incomplete, NeedsApproval):
            assert lifecycle.row_of(state, action).checks  # the person may; what the command holds is another matter
            return
        assert (event.source, event.sequence) == (state, fix.sequence + 1)
        assert event.target is (lifecycle.row_of(state, action).target or state)
    else:
        with pytest.raises(Refused) as refused:
            lifecycle.decide(fix, command, MONDAY)
        assert str(refused.value) == str(lifecycle.why_not(fix, action, actor))


@pytest.mark.parametrize(("state", "action"), list(itertools.product(FixState, ACTION_NAMES)))
def test_what_is_refused_is_named_as_on_its_button(state: FixState, action: FixAction) -> None:
    by_anybody = [
        lifecycle.why_not(fix_at(state), action, actor) for actor in (SUE, Actor(role=Role.INTAKE, name="ivy"))
    ]
    refusals = [str(refused) for refused in by_anybody if isinstance(refused, WrongState | WrongRole)]

    assert refusals, "who takes complaints in leads no fix"
    assert all(refusal.startswith(f"“{ACTION_NAMES[action]}” is for ") for refusal in refusals)


@pytest.mark.parametrize("action", FixAction)
def test_every_action_has_a_row_and_makes_one_thing_of_a_state(action: FixAction) -> None:
    places = [source for row in TRANSITIONS if row.action is action for source in row.sources]

    assert places
    assert len(places) == len(set(places))


def test_a_fix_that_is_not_worked_out_is_not_registered_and_is_told_what_lacks() -> None:
    fix = done(fix_at(FixState.NEW), FixAction.OPEN)

    with pytest.raises(
        Incomplete, match="what goes wrong, why it does, which option was chosen and what is to be done"
    ):
        done(fix, FixAction.REGISTER)
    for action in WORKED_OUT:
        assert FixAction.REGISTER not in lifecycle.available(fix, SUE)
        fix = done(fix, action)
    assert FixAction.REGISTER in lifecycle.available(fix, SUE)


def a_weak_fix() -> Fix:
    return done(fix_at(FixState.NEW), FixAction.OPEN, *WORKED_OUT, strength=Strength.WEAKER)


def test_training_and_reminders_alone_need_another_supervisors_sign_off() -> None:
    fix = a_weak_fix()

    with pytest.raises(NeedsApproval, match="“Sign the plan off”"):
        done(fix, FixAction.REGISTER)
    with pytest.raises(SamePerson):
        after(fix, a_fix_command(FixAction.SIGN_OFF, fix, SUE))
    signed = after(fix, a_fix_command(FixAction.SIGN_OFF, fix, TOM))
    assert done(signed, FixAction.REGISTER).state is FixState.IN_HAND


def test_a_sign_off_is_for_the_plan_that_was_signed() -> None:
    fix = a_weak_fix()
    signed = after(fix, a_fix_command(FixAction.SIGN_OFF, fix, TOM))
    changed = after(signed, a_fix_command(FixAction.PLAN_MEASURE, signed, strength=Strength.WEAKER))

    with pytest.raises(NeedsApproval):
        done(changed, FixAction.REGISTER)


def test_a_strong_plan_needs_no_sign_off() -> None:
    fix = fix_at(FixState.WORKED_OUT)

    with pytest.raises(AlreadyDone):
        after(fix, a_fix_command(FixAction.SIGN_OFF, fix, TOM))


def test_a_registered_plan_cannot_be_weakened_by_the_back_door() -> None:
    fix = done(fix_at(FixState.WORKED_OUT), FixAction.REGISTER)
    fix = after(fix, a_fix_command(FixAction.PLAN_MEASURE, fix, strength=Strength.WEAKER))
    drop = a_fix_command(FixAction.DROP_MEASURE, fix)
    weaken = a_fix_command(FixAction.PLAN_MEASURE, fix, strength=Strength.WEAKER).model_copy(update={"number": 1})

    for command in (drop, weaken):
        with pytest.raises(NeedsApproval, match="Only weaker measures would be left"):
            after(fix, command)


def test_the_last_measure_of_a_registered_plan_cannot_be_dropped() -> None:
    fix = fix_at(FixState.IN_HAND)

    with pytest.raises(Incomplete, match="“Give the fix up”"):
        after(fix, a_fix_command(FixAction.DROP_MEASURE, fix))


def test_a_change_is_not_in_place_while_a_measure_is_to_be_done() -> None:
    fix = fix_at(FixState.IN_HAND)

    with pytest.raises(
        Incomplete, match="Measure 1 is still to be done: “A measure is done” or “Drop a measure” comes first"
    ):
        done(fix, FixAction.PUT_IN_PLACE)


def test_a_change_is_not_in_place_before_its_regulation_takes_effect() -> None:
    fix = fix_at(FixState.IN_HAND)
    effective_on = CHANGED_ON + timedelta(days=30)
    finish = asked.FinishMeasure(actor=SUE, key=a_key(), number=1, done_on=CHANGED_ON, effective_on=effective_on)
    fix = after(fix, finish)

    with pytest.raises(Incomplete, match="takes effect on May 6, 2026"):
        done(fix, FixAction.PUT_IN_PLACE)
    late = asked.PutInPlace(actor=SUE, key=a_key(), changed_on=effective_on)
    assert after(fix, late).state is FixState.MONITORED


def test_a_fix_that_does_not_work_is_worked_out_again_and_keeps_its_first_attempt() -> None:
    fix = done(fix_at(FixState.MONITORED), FixAction.LOOK, FixAction.FIND_NOT_EFFECTIVE)

    assert fix.state is FixState.WORKED_OUT
    assert fix.attempt == 2
    assert [(len(ended.measures), ended.effect.verdict) for ended in fix.rounds] == [(1, Verdict.NOT_EFFECTIVE)]
    assert (fix.plan, fix.measures, fix.effect) == (None, (), None)
    assert fix.causes  # what is known of the failure stays
    with pytest.raises(Incomplete, match="which option was chosen and what is to be done"):
        done(fix, FixAction.REGISTER)


def test_a_relapse_opens_an_effective_fix_again_and_its_next_verdict_needs_its_own_words() -> None:
    fix = fix_at(FixState.EFFECTIVE)
    words = [asked.ApproveWords(actor=SUE, key=a_key(), occasion=occasion, words=a_text()) for occasion in Occasion]
    fix = done(after(fix, *words), FixAction.RELAPSE)

    assert fix.state is FixState.WORKED_OUT
    assert fix.approved == (Occasion.ACCEPTED,)


def test_words_about_a_verdict_wait_for_the_verdict() -> None:
    words = asked.ApproveWords(actor=SUE, key=a_key(), occasion=Occasion.JUDGED, words=a_text())

    with pytest.raises(Incomplete, match="no verdict yet"):
        after(fix_at(FixState.MONITORED), words)
    told = after(fix_at(FixState.EFFECTIVE), words)
    with pytest.raises(AlreadyDone):
        after(told, words.model_copy(update={"key": a_key()}))


def test_one_day_is_looked_at_once() -> None:
    fix = done(fix_at(FixState.MONITORED), FixAction.LOOK)
    assert fix.effect is not None
    again = asked.Look(actor=lifecycle_actor(FixAction.LOOK), key=a_key(), effect=an_effect(as_of=fix.effect.as_of))

    with pytest.raises(AlreadyDone):
        after(fix, again)


def lifecycle_actor(action: FixAction) -> Actor:
    return a_fix_command(action, fix_at(FixState.MONITORED)).actor


def test_the_verdict_is_not_for_people() -> None:
    fix = fix_at(FixState.MONITORED)

    with pytest.raises(WrongRole, match="is for the system; you act as supervisor"):
        after(fix, a_fix_command(FixAction.FIND_EFFECTIVE, fix, SUE))


def test_the_choice_of_an_option_can_be_changed_until_the_plan_is_registered() -> None:
    fix = done(fix_at(FixState.WORKED_OUT), FixAction.ADD_OPTION)
    fix = after(fix, asked.ChooseOption(actor=SUE, key=a_key(), number=2, reason=a_text()))

    assert [option.is_chosen for option in fix.options] == [False, True]
    with pytest.raises(Incomplete, match="no option 9"):
        after(fix, asked.ChooseOption(actor=SUE, key=a_key(), number=9, reason=a_text()))
    with pytest.raises(WrongState):
        done(done(fix, FixAction.REGISTER), FixAction.CHOOSE_OPTION)


def test_the_frozen_plan_has_one_hash_and_every_change_another() -> None:
    plan = a_plan()

    assert plan.frozen_hash == a_plan().frozen_hash
    assert not any(name in canonical_message(plan) for name in (b"channel", b"compared_from"))
    for told in (
        {"target_reduction": 0.4},
        {"look_on": plan.look_on + timedelta(days=7)},
        {"controls": ()},
        {"compared_from": CHANGED_ON - timedelta(weeks=9)},
    ):
        assert a_plan(**told).frozen_hash != plan.frozen_hash


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"controls": (TARGET,)}, "must not share"),
        ({"controls": (TARGET.model_copy(update={"office": None}),)}, "must not share"),
        ({"trigger_from": date(2026, 1, 5)}, "both ends"),
        ({"trigger_from": date(2026, 2, 5), "trigger_until": date(2026, 1, 5)}, "before they begin"),
        ({"look_on": CHANGED_ON}, "after the change"),
        ({"target_reduction": 1.0}, "less than 1"),
    ],
)
def test_a_plan_that_could_not_be_judged_is_refused(told: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        a_plan(**told)


def test_a_broad_cell_contains_the_narrow_ones() -> None:
    everywhere = TARGET.model_copy(update={"office": None})

    assert everywhere.contains(TARGET)
    assert everywhere.contains(CONTROL)
    assert not TARGET.contains(everywhere)
    assert not TARGET.contains(CONTROL)


def test_who_saw_an_older_fix_is_told_to_look_again() -> None:
    fix = fix_at(FixState.WORKED_OUT)
    stale = a_fix_command(FixAction.DESCRIBE, fix).model_copy(update={"expected_sequence": fix.sequence - 1})
    fresh = stale.model_copy(update={"expected_sequence": fix.sequence})

    with pytest.raises(Stale):
        lifecycle.decide(fix, stale, MONDAY)
    assert lifecycle.decide(fix, fresh, MONDAY).command.expected_sequence is None


def test_a_story_is_told_in_order_and_without_gaps() -> None:
    fix = fix_at(FixState.NEW)
    first = lifecycle.decide(fix, a_fix_command(FixAction.OPEN, fix), MONDAY)
    opened = apply(fix, first)
    second = lifecycle.decide(opened, a_fix_command(FixAction.DESCRIBE, opened), MONDAY)

    assert fold(fix, [first, second]) == apply(opened, second)
    with pytest.raises(ValueError, match="does not follow"):
        fold(fix, [second])


def test_each_verdict_needs_words_of_its_own_also_after_an_attempt_that_failed() -> None:
    failed = done(a_fix_at(FixState.MONITORED), FixAction.FIND_NOT_EFFECTIVE)
    judged = asked.ApproveWords(actor=SUE, key=a_key(), occasion=Occasion.JUDGED, words=a_text())
    told = after(failed, judged)
    worked = done(told, FixAction.ADD_OPTION, FixAction.CHOOSE_OPTION, FixAction.PLAN_MEASURE, *TO_THE_END)

    assert after(worked, judged.model_copy(update={"key": a_key()})).approved == (Occasion.JUDGED,)
    with pytest.raises(AlreadyDone):
        after(told, judged.model_copy(update={"key": a_key()}))
