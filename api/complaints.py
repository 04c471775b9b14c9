# SPDX-License-Identifier: Apache-2.0
"""Complaints: filing one, lists, one with its story, and asking for something to be done."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Response

from api import acting
from api.actions import Busy
from api.filing import Taken, file_complaint
from api.identity import Given, public, who
from api.problems import Forbidden, NotFound, NotSignedIn, TooLarge, TooMany, Unprocessable, problems
from api.reads.cases import Dossier, Filter, Order, cases, dossier
from api.reads.database import RecordAway
from api.reads.paging import DEFAULT_LIMIT, LONGEST_PAGE
from api.reads.people import Staff
from api.services import Services
from api.shapes import IdempotencyKey, Line, Word
from api.shapes_actions import ActionAsked, ActionDone
from api.shapes_cases import CaseList, CaseView, EventList
from api.shapes_complaints import ComplaintFiled, ComplaintTaken, NextDates
from api.views import case_view, event_list, line_view
from api.writes.audit import Looked, note_read
from models.refusals import KeyReused, Refused, Stale
from models.terms import Role, Stage, State

DESK = (Role.INTAKE, Role.CASEWORKER, Role.SUPERVISOR)
READERS = (*DESK, Role.AUDITOR)
router = APIRouter(tags=["complaints"])
_NO_KEY = "Without one, every sending is a new complaint, so that two people who write the same are both heard."


@router.post(
    "/complaints",
    status_code=HTTPStatus.CREATED,
    response_model=ComplaintTaken,
    responses=problems(Forbidden, Unprocessable, KeyReused, TooLarge, TooMany, RecordAway),
)
async def file(
    filed: ComplaintFiled,
    services: Given,
    staff: Annotated[Staff | None, Depends(public)],
    idempotency_key: Annotated[IdempotencyKey | None, Header(description=_NO_KEY)] = None,
) -> Response:
    """Take a complaint in; the answer comes when it is durable, and again alike for the same key."""
    if staff is not None and staff.role not in {*DESK, Role.LIAISON}:
        raise Forbidden(f"Complaints are taken in by {', '.join(DESK)} or liaison; you act as {staff.role}.")
    taken = await file_complaint(services, filed, staff=staff, key=idempotency_key)
    # Written straight away: the busiest route does not validate its own answer once more.
    return Response(taken_view(taken).model_dump_json(), status_code=HTTPStatus.CREATED, media_type="application/json")


def taken_view(taken: Taken) -> ComplaintTaken:
    """Return what the sender is told."""
    return ComplaintTaken(
        id=str(taken.receipt.case_id),
        reference=taken.receipt.reference,
        secret=taken.secret,
        receipt=taken.receipt_text,
        next=NextDates(acknowledge_by=taken.acknowledge_by, answer_by=taken.answer_by),
        track_url=taken.track_url,
    )


async def filter_asked(
    *,
    state: State | None = None,
    stage: Stage | None = None,
    team: Word | None = None,
    owner: Word | None = None,
    service: Word | None = None,
    category: Word | None = None,
    office: Word | None = None,
    channel: Word | None = None,
    severity: Annotated[int | None, Query(ge=0, le=3)] = None,
    event: UUID | None = None,
    overdue: bool | None = None,
    is_open: Annotated[bool | None, Query(alias="open")] = None,
    q: Annotated[Line | None, Query(description="Words to search for, or a reference.")] = None,
    sort: Annotated[
        Order, Query(description="queue: open cases, due first. A search is always newest first.")
    ] = Order.QUEUE,
) -> Filter:
    """Return which cases a list shows."""
    return Filter(
        state=state,
        stage=stage,
        team=team,
        owner=owner,
        service=service,
        category=category,
        office=office,
        channel=channel,
        severity=severity,
        event_id=event,
        is_overdue=overdue,
        is_open=is_open,
        words=q,
        order=sort,
    )


@router.get("/complaints", responses=problems(NotSignedIn, Forbidden, Unprocessable, RecordAway))
async def list_complaints(
    wanted: Annotated[Filter, Depends(filter_asked)],
    services: Given,
    staff: Annotated[Staff, Depends(who(*READERS))],
    cursor: Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=LONGEST_PAGE)] = DEFAULT_LIMIT,
) -> CaseList:
    """List cases of the agency, page by page; what a filter leaves out is left out for everybody alike."""
    now = services.clock()
    async with services.database.of(staff.agency) as connection:
        page = await cases(connection, wanted, cursor=cursor, limit=limit, now=now)
        looked = Looked.SEARCH if wanted.words else Looked.LIST
        await note_read(connection, staff.agency, staff.actor, looked, asked=wanted.told())
    return CaseList(cases=tuple(line_view(row, now) for row in page.rows), next_cursor=page.next_cursor)


@router.get("/complaints/{case_id}", responses=problems(NotSignedIn, Forbidden, NotFound, Unprocessable, RecordAway))
async def show(case_id: UUID, services: Given, staff: Annotated[Staff, Depends(who(*READERS))]) -> CaseView:
    """Show a case: where it stands, its clocks explained, and what you may ask of it."""
    found = await opened(services, staff, case_id, Looked.CASE)
    now = services.clock()
    return case_view(found, await services.policies.rules(found.case, now), staff.actor, now)


@router.get(
    "/complaints/{case_id}/events", responses=problems(NotSignedIn, Forbidden, NotFound, Unprocessable, RecordAway)
)
async def show_events(case_id: UUID, services: Given, staff: Annotated[Staff, Depends(who(*READERS))]) -> EventList:
    """Show the story of a case, event by event, with the hashes that chain them."""
    return event_list(await opened(services, staff, case_id, Looked.EVENTS))


@router.post(
    "/complaints/{case_id}/actions",
    responses=problems(NotSignedIn, Forbidden, NotFound, Unprocessable, Refused, Stale, Busy, RecordAway),
)
async def act(
    case_id: UUID,
    asked: ActionAsked,
    services: Given,
    staff: Annotated[Staff, Depends(who(*DESK, Role.LIAISON))],
    idempotency_key: Annotated[IdempotencyKey, Header()],
    expected_sequence: Annotated[
        int | None, Query(ge=0, description="The `sequence` you saw; refused if the case has changed since.")
    ] = None,
) -> ActionDone:
    """Ask for something to be done; the answer is that of the record, and the same key is answered alike."""
    answer = await acting.act(
        services, staff.agency, staff.actor, case_id, asked, key=idempotency_key, expected_sequence=expected_sequence
    )
    return ActionDone(case_id=case_id, sequence=answer.sequence, state=answer.state, at=answer.at)


async def opened(services: Services, staff: Staff, case_id: UUID, what: Looked) -> Dossier:
    """Return a case of the asker's agency and note that it was opened; raises NotFound."""
    async with services.database.of(staff.agency) as connection:
        found = await dossier(connection, case_id)
        if found is None:
            raise NotFound("There is no such complaint.")
        await note_read(connection, staff.agency, staff.actor, what, case_id=case_id)
    return found
