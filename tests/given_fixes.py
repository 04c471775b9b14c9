# SPDX-License-Identifier: Apache-2.0
"""Builders of systemic fixes: led to a state by the lawful way, never forged."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

from models.commands import SYSTEM, Actor
from models.fixes import commands as asked
from models.fixes import lifecycle
from models.fixes.commands import CellRef, Effect, FixCommand, Plan
from models.fixes.fix import Fix
from models.fixes.story import apply
from models.fixes.terms import (
    CauseCategory,
    EvidenceSource,
    FixAction,
    FixState,
    Help,
    MeasureKind,
    Occasion,
    Strength,
    Verdict,
)
from models.references import uuid7_at
from models.terms import Role
from tests.given import MONDAY, SUE, a_key, a_text

TOM = Actor(name="tom", role=Role.SUPERVISOR)
LIZ = Actor(name="liz", role=Role.LIAISON)
TARGET = CellRef(measure="cause", family="HND", code="HND3", service="housing", office="harbor")
CONTROL = CellRef(measure="cause", family="HND", code="HND3", service="housing", office="central")
CHANGED_ON = date(2026, 4, 6)


def a_plan(**told: Any) -> Plan:
    """Return a plan whose effect can be judged."""
    known: dict[str, Any] = {
        "targets": (TARGET,),
        "controls": (CONTROL,),
        "baseline_rate": 5.0,
        "change_planned_on": CHANGED_ON,
        "look_on": CHANGED_ON + timedelta(weeks=20),
    }
    return Plan.model_validate(known | told)


def an_effect(verdict: Verdict = Verdict.NOT_YET_KNOWN, *, as_of: date | None = None) -> Effect:
    """Return a look at the effect."""
    return Effect(
        as_of=as_of or CHANGED_ON + timedelta(weeks=4),
        verdict=verdict,
        observed=10,
        expected=20.0,
        rate_ratio=0.5,
        rate_ratio_low=0.3,
        rate_ratio_high=0.8,
        probability_reduced=0.99,
        e_value=25.0,
        sentences=("It works.",),
        inputs_hash="ab" * 32,
    )


def a_fix_command(
    action: FixAction, fix: Fix, actor: Actor | None = None, *, strength: Strength = Strength.STRONGER
) -> FixCommand:
    """Return a command that holds all it must, for any action."""
    who: dict[str, Any] = {"actor": actor or default_actor(action), "key": a_key()}
    open_numbers = [measure.number for measure in fix.standing_measures if not measure.is_done]
    number = open_numbers[0] if open_numbers else 1
    later = (fix.effect.as_of if fix.effect else CHANGED_ON + timedelta(weeks=3)) + timedelta(weeks=1)
    made: dict[FixAction, FixCommand] = {
        FixAction.OPEN: asked.Open(
            fix_id=fix.id, agency="riverbend", title=a_text(), owner="sue", signal_id=uuid4(), cells=(TARGET,), **who
        ),
        FixAction.DESCRIBE: asked.Describe(statement=a_text(), **who),
        FixAction.LINK_SIGNAL: asked.LinkSignal(signal_id=uuid4(), cells=(CONTROL,), **who),
        FixAction.ADD_CAUSE: asked.AddCause(category=CauseCategory.PROCESS, whys=(a_text(), a_text()), **who),
        FixAction.ADD_EVIDENCE: asked.AddEvidence(
            source=EvidenceSource.EMPLOYEE_IDEA, words=a_text(), people_count=1, **who
        ),
        FixAction.ADD_OPTION: asked.AddOption(words=a_text(), **who),
        FixAction.CHOOSE_OPTION: asked.ChooseOption(number=1, reason=a_text(), **who),
        FixAction.PLAN_MEASURE: asked.PlanMeasure(
            number=len(fix.measures) + 1, words=a_text(), kind=MeasureKind.SYSTEM, strength=strength,
            owner="ann", due_on=CHANGED_ON, **who,
        ),
        FixAction.DROP_MEASURE: asked.DropMeasure(number=number, reason=a_text(), **who),
        FixAction.SIGN_OFF: asked.SignOff(reason=a_text(), **who),
        FixAction.REGISTER: asked.Register(plan=a_plan(), **who),
        FixAction.FINISH_MEASURE: asked.FinishMeasure(
            number=number, done_on=CHANGED_ON, effective_on=CHANGED_ON, **who
        ),
        FixAction.PUT_IN_PLACE: asked.PutInPlace(changed_on=CHANGED_ON, **who),
        FixAction.LOOK: asked.Look(effect=an_effect(as_of=later), **who),
        FixAction.FIND_EFFECTIVE: asked.FindEffective(effect=an_effect(Verdict.EFFECTIVE, as_of=later), **who),
        FixAction.FIND_NOT_EFFECTIVE: asked.FindNotEffective(
            effect=an_effect(Verdict.NOT_EFFECTIVE, as_of=later), **who
        ),
        FixAction.RELAPSE: asked.Relapse(effect=an_effect(Verdict.NOT_EFFECTIVE, as_of=later), **who),
        FixAction.END_WATCH: asked.EndWatch(**who),
        FixAction.LIST_AFFECTED: asked.ListAffected(
            list_id=uuid4(), help=Help.NOTIFY, people_count=1_000, source=a_text(), words=a_text(), **who
        ),
        FixAction.APPROVE_WORDS: asked.ApproveWords(occasion=Occasion.ACCEPTED, words=a_text(), **who),
        FixAction.ASSIGN: asked.Assign(owner="tom", **who),
        FixAction.NOTE: asked.Note(words=a_text(), **who),
        FixAction.ABANDON: asked.Abandon(reason=a_text(), **who),
    }  # fmt: skip
    return made[action]


def default_actor(action: FixAction) -> Actor:
    """Return somebody who may ask for the action."""
    roles = {role for row in lifecycle.TRANSITIONS if row.action is action for role in row.roles}
    return next(actor for actor in (SUE, SYSTEM, LIZ) if actor.role in roles)


def after(fix: Fix, *commands: FixCommand) -> Fix:
    """Return the fix after these commands, decided and applied one after another."""
    for command in commands:
        fix = apply(fix, lifecycle.decide(fix, command, fix.last_event_at or MONDAY))
    return fix


def done(fix: Fix, *actions: FixAction, strength: Strength = Strength.STRONGER) -> Fix:
    """Return the fix after these actions, each by somebody who may."""
    for action in actions:
        fix = after(fix, a_fix_command(action, fix, strength=strength))
    return fix


WORKED_OUT = (
    FixAction.DESCRIBE, FixAction.ADD_CAUSE, FixAction.ADD_OPTION, FixAction.CHOOSE_OPTION, FixAction.PLAN_MEASURE
)  # fmt: skip
TO_THE_END = (FixAction.REGISTER, FixAction.FINISH_MEASURE, FixAction.PUT_IN_PLACE, FixAction.FIND_EFFECTIVE)
_WAYS: dict[FixState, tuple[FixAction, ...]] = {
    FixState.NEW: (),
    FixState.WORKED_OUT: (FixAction.OPEN, *WORKED_OUT),
    FixState.IN_HAND: (FixAction.OPEN, *WORKED_OUT, *TO_THE_END[:1]),
    FixState.MONITORED: (FixAction.OPEN, *WORKED_OUT, *TO_THE_END[:3]),
    FixState.EFFECTIVE: (FixAction.OPEN, *WORKED_OUT, *TO_THE_END),
    FixState.CLOSED: (FixAction.OPEN, *WORKED_OUT, *TO_THE_END, FixAction.END_WATCH),
    FixState.ABANDONED: (FixAction.OPEN, FixAction.ABANDON),
}


def a_fix_at(state: FixState, *, fix_id: UUID | None = None) -> Fix:
    """Return a fix in that state, led there by a lawful way."""
    return done(Fix(id=fix_id or uuid7_at(MONDAY)), *_WAYS[state])
