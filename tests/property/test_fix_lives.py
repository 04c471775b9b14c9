# SPDX-License-Identifier: Apache-2.0
"""Any life a fix can have: whoever asks whatever, in any order, the rules hold."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from models.commands import Actor
from models.fixes import lifecycle
from models.fixes.fix import Fix, FixEvent
from models.fixes.story import apply, fold
from models.fixes.terms import FixAction, FixState, Strength
from models.references import uuid7_at
from models.refusals import Refused
from models.terms import Role
from tests.given import MONDAY
from tests.given_fixes import a_fix_command

AS_OFTEN = settings(max_examples=80, deadline=None, derandomize=True)
PEOPLE = [Actor(name=f"{role}-{number}", role=role) for role in Role for number in (1, 2)]
NEW = Fix(id=uuid7_at(MONDAY))


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[FixEvent], list[Fix], list[Refused]]:
    """Draw a life: mostly actions that begin where the fix stands, by people of a role that may."""
    fixes, events, refusals = [NEW], [], []
    for step in range(draw(st.integers(1, 40))):
        fix = fixes[-1]
        if draw(st.integers(0, 9)):
            here = [row for row in lifecycle.TRANSITIONS if fix.state in row.sources]
            if not here:
                break
            row = draw(st.sampled_from(here))
            action, people = row.action, [person for person in PEOPLE if person.role in row.roles]
        else:
            action, people = draw(st.sampled_from(FixAction)), PEOPLE
        command = a_fix_command(action, fix, draw(st.sampled_from(people)), strength=draw(st.sampled_from(Strength)))
        try:
            event = lifecycle.decide(fix, command, MONDAY + timedelta(hours=step))
        except Refused as refused:
            refusals.append(refused)
            continue
        events.append(event)
        fixes.append(apply(fix, event))
    return events, fixes, refusals


@given(life=lives())
@AS_OFTEN
def test_every_refusal_is_a_sentence_and_every_life_can_be_folded_again(
    life: tuple[list[FixEvent], list[Fix], list[Refused]],
) -> None:
    events, fixes, refusals = life

    assert fold(NEW, events) == fixes[-1]
    assert fold(NEW, [FixEvent.model_validate_json(event.canonical()) for event in events]) == fixes[-1]
    for refused in refusals:
        assert str(refused).endswith(".")


@given(life=lives())
@AS_OFTEN
def test_no_change_is_judged_before_it_was_registered_carried_out_and_in_effect(
    life: tuple[list[FixEvent], list[Fix], list[Refused]],
) -> None:
    _, fixes, _ = life

    for fix in fixes:
        if fix.state in {FixState.IN_HAND, FixState.MONITORED, FixState.EFFECTIVE, FixState.CLOSED}:
            assert fix.plan is not None
            assert not fix.is_weak or fix.signed_off_by not in {None, fix.opened_by}
        if fix.state in {FixState.MONITORED, FixState.EFFECTIVE, FixState.CLOSED}:
            assert fix.changed_on is not None
            assert all(m.is_done and m.effective_on <= fix.changed_on for m in fix.standing_measures if m.effective_on)
        assert all(ended.effect.verdict is not None for ended in fix.rounds)
