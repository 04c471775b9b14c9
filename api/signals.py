# SPDX-License-Identifier: Apache-2.0
"""Signals of recurring failures: reading them, deciding on them, and looking for them now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query

from api.actions import Busy
from api.deciding import attach, decide_on
from api.identity import Given, who
from api.problems import Forbidden, NotFound, NotSignedIn, Unprocessable, problems
from api.reads.database import RecordAway
from api.reads.fixes import FixOfSignal, fixes_of_signals, open_fixes_of, precision_by_family
from api.reads.paging import DEFAULT_LIMIT, LONGEST_PAGE
from api.reads.people import Staff
from api.reads.signal_cases import cases_behind, twins_of
from api.reads.signals import (
    SignalRow,
    Standing,
    Viewed,
    decisions_of,
    evidence_of,
    signal_by_id,
    signals,
    standings_of,
    weeks_of,
)
from api.services import Services
from api.shapes import FieldFault, IdempotencyKey
from api.shapes_signals import (
    DecisionAsked,
    DecisionView,
    PrecisionView,
    RunAsked,
    RunStarted,
    SignalCaseView,
    SignalDetail,
    SignalEvidenceAsked,
    SignalEvidenceList,
    SignalEvidenceView,
    SignalList,
    SignalView,
    SignalWeekView,
    TwinView,
)
from api.writes.audit import Looked, note_read
from models.refusals import KeyReused, Refused
from models.signals import SignalState
from models.terms import Role

ANALYSTS = (Role.ANALYST, Role.SUPERVISOR)
router = APIRouter(prefix="/signals", tags=["root causes"])
_Cursor = Annotated[str | None, Query(max_length=500)]
_Limit = Annotated[int, Query(ge=1, le=LONGEST_PAGE)]


@router.get("", responses=problems(NotSignedIn, Forbidden, Unprocessable, RecordAway))
async def list_signals(
    services: Given,
    staff: Annotated[Staff, Depends(who(*ANALYSTS))],
    *,
    undecided: Annotated[bool, Query(description="Only those that wait for a decision.")] = False,
    cursor: _Cursor = None,
    limit: _Limit = DEFAULT_LIMIT,
) -> SignalList:
    """List signals, the newest first."""
    at = await _viewed(services, staff)
    states = {SignalState.TO_DECIDE} if undecided else None
    async with services.database.of(staff.agency) as connection:
        page = await signals(connection, at, states=states, cursor=cursor, limit=limit)
        standings = await standings_of(connection, [row.id for row in page.rows], at)
        dealt_with = await fixes_of_signals(connection, [row.id for row in page.rows])
        precision = await precision_by_family(connection)
        await note_read(connection, staff.agency, staff.actor, Looked.SIGNAL, asked={"only_undecided": undecided})
    return SignalList(
        signals=tuple(signal_view(row, standings[row.id], dealt_with) for row in page.rows),
        precision=tuple(PrecisionView.model_validate(each, from_attributes=True) for each in precision),
        next_cursor=page.next_cursor,
    )


@router.post("/runs", status_code=HTTPStatus.ACCEPTED, responses=problems(NotSignedIn, Forbidden, Unprocessable, Busy))
async def run(asked: RunAsked, services: Given, staff: Annotated[Staff, Depends(who(*ANALYSTS))]) -> RunStarted:
    """Look for recurring failures now, or as things stood on a past day; the same day again finds the same."""
    today = (await _viewed(services, staff)).on
    as_of = asked.as_of or today - timedelta(days=1)
    if as_of > today:
        raise Unprocessable([FieldFault(field="as_of", sentence="'as_of': this day has not come yet.")])
    return RunStarted(as_of=as_of, workflow_id=await services.conductor.analyse(staff.agency, as_of))


@router.get("/{signal_id}", responses=problems(NotSignedIn, Forbidden, NotFound, Unprocessable, RecordAway))
async def show(
    signal_id: UUID,
    services: Given,
    staff: Annotated[Staff, Depends(who(*ANALYSTS))],
    cursor: _Cursor = None,
    limit: _Limit = DEFAULT_LIMIT,
) -> SignalDetail:
    """Show a signal with its evidence and the cases behind it, page by page."""
    policy = (await services.policies.current(staff.agency, services.clock())).policy
    at = await _viewed(services, staff)
    async with services.database.of(staff.agency) as connection:
        row = await signal_by_id(connection, signal_id)
        if row is None:
            raise NotFound("There is no such signal.")
        behind = await cases_behind(connection, row, policy, cursor=cursor, limit=limit)
        weeks, decisions = await weeks_of(connection, signal_id), await decisions_of(connection, signal_id)
        evidence = await evidence_of(connection, [signal_id])
        dealt_with = await fixes_of_signals(connection, [signal_id])
        standings = await standings_of(connection, [signal_id], at)
        twins = {pair.other_than(signal_id).id: pair.shared for pair in await twins_of(connection, row, policy, at=at)}
        fixes = await open_fixes_of(connection, list(twins))
        asked = {"signal": str(signal_id)}
        await note_read(connection, staff.agency, staff.actor, Looked.SIGNAL, asked=asked)
    return SignalDetail(
        signal=signal_view(row, standings[signal_id], dealt_with),
        twins=tuple(
            TwinView(signal_id=twin, shared_complaints=shared, fix_id=fixes[twin].fix.id if twin in fixes else None)
            for twin, shared in twins.items()
        ),
        weeks=tuple(SignalWeekView.model_validate(week, from_attributes=True) for week in weeks),
        decisions=tuple(DecisionView.model_validate(made, from_attributes=True) for made in decisions),
        evidence=tuple(SignalEvidenceView.model_validate(told, from_attributes=True) for told in evidence),
        cases=tuple(SignalCaseView.model_validate(case, from_attributes=True) for case in behind.rows),
        next_cursor=behind.next_cursor,
    )


@router.post(
    "/{signal_id}/decisions",
    status_code=HTTPStatus.CREATED,
    responses=problems(NotSignedIn, Forbidden, NotFound, Unprocessable, KeyReused, Refused, Busy, RecordAway),
)
async def decide(
    signal_id: UUID,
    asked: DecisionAsked,
    services: Given,
    staff: Annotated[Staff, Depends(who(Role.SUPERVISOR))],
    idempotency_key: Annotated[IdempotencyKey, Header()],
) -> SignalView:
    """Decide on a signal: accept, reject or defer, with the reason; the last decision stands, all are kept.

    What is accepted is dealt with by a fix, opened or found in this request.
    """
    await decide_on(services, staff, signal_id, asked, key=idempotency_key)
    at = await _viewed(services, staff)
    async with services.database.of(staff.agency) as connection:
        row = await signal_by_id(connection, signal_id)
        dealt_with = await fixes_of_signals(connection, [signal_id])
        standings = await standings_of(connection, [signal_id], at)
    if row is None:
        raise NotFound("There is no such signal.")
    return signal_view(row, standings[signal_id], dealt_with)


@router.post(
    "/{signal_id}/evidence",
    status_code=HTTPStatus.CREATED,
    responses=problems(NotSignedIn, Forbidden, NotFound, Unprocessable, KeyReused, RecordAway),
)
async def attach_evidence(
    signal_id: UUID,
    asked: SignalEvidenceAsked,
    services: Given,
    staff: Annotated[Staff, Depends(who(*ANALYSTS))],
    idempotency_key: Annotated[IdempotencyKey, Header()],
) -> SignalEvidenceList:
    """Attach what was said at an event, in a survey or by employees; answered with all that is attached."""
    await attach(services, staff, signal_id, asked, key=idempotency_key)
    async with services.database.of(staff.agency) as connection:
        evidence = await evidence_of(connection, [signal_id])
    return SignalEvidenceList(
        evidence=tuple(SignalEvidenceView.model_validate(told, from_attributes=True) for told in evidence)
    )


def signal_view(row: SignalRow, standing: Standing, dealt_with: Mapping[UUID, FixOfSignal]) -> SignalView:
    """Return a signal as it is shown, with where it stands and the fix that deals with it."""
    told = {field.name: getattr(row, field.name) for field in fields(SignalRow)}
    fix = dealt_with.get(row.id)
    return SignalView(
        **told,
        state=standing.state,
        is_undecided=standing.waits,
        waits_because=standing.why,
        due_on=standing.due_on,
        last_seen_on=standing.last_seen_on,
        expired_on=standing.expired_on,
        fix_id=fix.fix_id if fix else None,
    )


async def _viewed(services: Services, staff: Staff) -> Viewed:
    now = services.clock()
    policy = (await services.policies.current(staff.agency, now)).policy
    return Viewed.under(policy, policy.calendar.local_date(now))
