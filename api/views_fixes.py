# SPDX-License-Identifier: Apache-2.0
"""Systemic fixes in the shapes in which they are shown; nothing is decided here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from api.reads.fixes import FixDossier, FixRow, StoredFixEvent
from api.shapes_fixes import (
    AffectedView,
    ApprovedView,
    CauseView,
    EvidenceCount,
    EvidenceView,
    FixEventList,
    FixEventView,
    FixLineView,
    FixView,
    MeasureView,
    OptionView,
    PlanView,
    RoundView,
    SignalEvidenceCount,
)
from api.shapes_signals import SignalEvidenceView
from models.commands import Actor
from models.fixes import lifecycle
from models.fixes.commands import ApproveWords, Plan, Translation
from models.fixes.fix import Fix, Measure, Round
from models.fixes.terms import FixAction, FixState
from models.fixes.watching import Rhythm, is_registered_afterwards, next_look, watch_ends_at
from models.messages import ContentRef
from models.policy import Policy
from models.terms import Role

Day = Callable[[date], str]
Source_co = TypeVar("Source_co", bound=StrEnum, covariant=True)


class _Piece(Protocol[Source_co]):
    """Evidence of any kind: where it comes from, and for how many people it speaks."""

    @property
    def source(self) -> Source_co: ...
    @property
    def people_count(self) -> int | None: ...


def fix_line_view(row: FixRow) -> FixLineView:
    """Return a row of a list as it is shown."""
    fix = row.fix
    return FixLineView(
        id=fix.id,
        title=row.title,
        state=fix.state,
        is_open=not fix.state.is_final,
        owner=fix.owner or "",
        opened_at=row.opened_at,
        attempt=fix.attempt,
        changed_on=fix.changed_on,
        look_on=fix.plan.look_on if fix.plan else None,
        verdict=fix.verdict,
    )


def fix_view(dossier: FixDossier, actor: Actor, policy: Policy) -> FixView:
    """Return a fix as staff see it."""
    fix = dossier.fix
    assert fix.opened_at is not None
    assert fix.opened_by is not None
    assert fix.last_event_at is not None
    return FixView(
        id=fix.id,
        state=fix.state,
        sequence=fix.sequence,
        attempt=fix.attempt,
        title=dossier.text(fix.title) or "",
        statement=dossier.text(fix.statement),
        owner=fix.owner,
        opened_at=fix.opened_at,
        opened_by=fix.opened_by,
        last_event_at=fix.last_event_at,
        signals=fix.signals,
        cells=fix.cells,
        causes=tuple(
            CauseView(category=cause.category, whys=tuple(dossier.text(why) or "" for why in cause.whys))
            for cause in fix.causes
        ),
        evidence=tuple(
            EvidenceView(source=each.source, words=dossier.text(each.words) or "", people_count=each.people_count)
            for each in fix.evidence
        ),
        evidence_by_source=tuple(
            EvidenceCount(source=source, pieces=pieces, people_count=people)
            for source, pieces, people in counted_by_source(fix.evidence)
        ),
        signal_evidence=tuple(SignalEvidenceView.model_validate(each, from_attributes=True) for each in dossier.beside),
        signal_evidence_by_source=tuple(
            SignalEvidenceCount(source=source, pieces=pieces, people_count=people)
            for source, pieces, people in counted_by_source(dossier.beside)
        ),
        options=tuple(
            OptionView(
                number=option.number,
                words=dossier.text(option.words) or "",
                is_chosen=option.is_chosen,
                reason=dossier.text(option.reason),
            )
            for option in fix.options
        ),
        measures=_measures(dossier, fix.measures),
        is_weak=bool(fix.standing_measures) and fix.is_weak,
        signed_off_by=fix.signed_off_by,
        plan=_plan(fix.plan) if fix.plan else None,
        registered_at=fix.registered_at,
        is_registered_afterwards=is_registered_afterwards(fix, policy.calendar),
        changed_on=fix.changed_on,
        effect=fix.effect,
        effective_on=fix.effective_on,
        rounds=tuple(_round(dossier, each) for each in fix.rounds),
        affected=tuple(
            AffectedView(**{name: getattr(each, name) for name in AffectedView.model_fields}) for each in dossier.lists
        ),
        approved=tuple(_approved(dossier)),
        offered=tuple(action for action in lifecycle.available(fix, actor)),
        refused=refused(fix, actor),
        next_step=next_step(fix, rhythm_of(policy), date.isoformat),
    )


def refused(fix: Fix, actor: Actor) -> dict[FixAction, str]:
    """Return what is the actor's to ask and cannot be done now, each with the reason."""
    rows = lifecycle.TRANSITIONS
    theirs = [row.action for row in rows if actor.role in row.roles and row.action is not FixAction.OPEN]
    return {action: str(reason) for action in theirs if (reason := lifecycle.why_not(fix, action, actor)) is not None}


def counted_by_source(evidence: Iterable[_Piece[Source_co]]) -> list[tuple[Source_co, int, int | None]]:
    """Return the pieces of each source, and for how many people they speak where any piece says so.

    Sources are never added up, for one person may speak in several.
    """
    found: dict[Source_co, list[int | None]] = {}
    for each in evidence:
        found.setdefault(each.source, []).append(each.people_count)
    known = {source: [people for people in told if people is not None] for source, told in found.items()}
    return [(source, len(told), sum(known[source]) if known[source] else None) for source, told in found.items()]


def rhythm_of(policy: Policy) -> Rhythm:
    """Return when the agency looks at effects."""
    return Rhythm(
        time_zone=policy.agency.time_zone,
        hour=policy.surveillance.run_hour,
        watch_weeks=policy.surveillance.watch_weeks,
    )


def next_step(fix: Fix, rhythm: Rhythm, day: Day) -> str:
    """Return where the fix stands and what comes next; what lacks is what the lifecycle says, asked as a supervisor."""
    match fix.state:
        case FixState.NEW | FixState.WORKED_OUT:
            again = f"{last_attempt(fix)}, so it is worked out again. " if fix.rounds else ""
            return again + _lacking(
                fix,
                FixAction.REGISTER,
                "It is worked out: register the plan, and begin. How it is judged is frozen then.",
            )
        case FixState.IN_HAND:
            return _lacking(
                fix, FixAction.PUT_IN_PLACE, "Every measure is done: say since which day the whole change is in place."
            )
        case FixState.MONITORED:
            return _watched(fix, rhythm, day)
        case FixState.EFFECTIVE:
            ends_at = watch_ends_at(fix, rhythm)
            until = f" until {day(ends_at.date())}" if ends_at else ""
            return f"It works. It is watched{until}; if the failure comes back, the fix is opened again by itself."
        case FixState.CLOSED:
            return "It worked, and went on working while it was watched. Nothing is left to do."
        case FixState.ABANDONED:
            return "It was given up; the reason stands in its story."


def last_attempt(fix: Fix) -> str:
    """Return what became of the attempt before this one; nothing of a first one."""
    if not fix.rounds:
        return ""
    return f"The last attempt did not {'last' if fix.rounds[-1].effect.has_relapsed else 'work'}"


def _lacking(fix: Fix, action: FixAction, nothing: str) -> str:
    # Any supervisor who does not lead it: what lacks is said whoever looks.
    reason = lifecycle.why_not(fix, action, Actor(name="-", role=Role.SUPERVISOR))
    return str(reason) if reason is not None else nothing


def _watched(fix: Fix, rhythm: Rhythm, day: Day) -> str:
    look = next_look(fix, rhythm)
    after = f" The next look is at the weeks to {day(look.as_of)}." if look else ""
    if fix.effect is None:
        return f"The change is in place; nothing is known of its effect yet.{after}"
    weeks = fix.effect.weeks_still_needed
    if weeks is None:
        return f"The change is in place; it is not yet known whether it works.{after}"
    needed = "1 more week is" if weeks == 1 else f"{weeks} more weeks are"
    return f"The change is in place; {needed} needed to know whether it works.{after}"


def fix_event_list(dossier: FixDossier) -> FixEventList:
    """Return the story of a fix."""
    return FixEventList(fix_id=dossier.fix.id, events=tuple(_event(stored, dossier) for stored in dossier.events))


def _event(stored: StoredFixEvent, dossier: FixDossier) -> FixEventView:
    event, command = stored.event, stored.event.command
    told: dict[str, Any] = command.model_dump(mode="json", exclude_none=True, exclude={"actor", "key", "action"})
    return FixEventView(
        sequence=event.sequence,
        at=event.at,
        recorded_at=stored.recorded_at,
        action=command.action,
        actor=command.actor.name,
        role=command.actor.role,
        source=event.source,
        target=event.target,
        command=told,
        texts={str(ref.id): body for ref in refs_in(command) if (body := dossier.text(ref)) is not None},
        hash=stored.hash.hex(),
    )


def refs_in(command: object) -> list[ContentRef]:
    """Return the texts that a command refers to, in the order of its fields."""
    found: list[ContentRef] = []
    for _, value in command:  # type: ignore[attr-defined]  # pydantic's way to a message's fields
        values = value if isinstance(value, tuple) else (value,)
        found += [each for each in values if isinstance(each, ContentRef)]
        found += [each.words for each in values if isinstance(each, Translation)]
    return found


def _plan(plan: Plan) -> PlanView:
    return PlanView(plan=plan, frozen_hash=plan.frozen_hash)


def _round(dossier: FixDossier, each: Round) -> RoundView:
    return RoundView(
        plan=_plan(each.plan),
        measures=_measures(dossier, each.measures),
        changed_on=each.changed_on,
        effect=each.effect,
    )


def _measures(dossier: FixDossier, measures: Iterable[Measure]) -> tuple[MeasureView, ...]:
    return tuple(
        MeasureView(
            number=measure.number,
            words=dossier.text(measure.words) or "",
            kind=measure.kind,
            strength=measure.strength,
            owner=measure.owner,
            due_on=measure.due_on,
            document=dossier.text(measure.document),
            effective_on=measure.effective_on,
            done_on=measure.done_on,
            is_dropped=measure.is_dropped,
        )
        for measure in measures
    )


def _approved(dossier: FixDossier) -> Iterable[ApprovedView]:
    for stored in dossier.events:
        command = stored.event.command
        if isinstance(command, ApproveWords):
            yield ApprovedView(
                occasion=command.occasion,
                words=dossier.text(command.words) or "",
                approved_by=command.actor.name,
                at=stored.event.at,
            )
