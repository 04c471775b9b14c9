# SPDX-License-Identifier: Apache-2.0
"""Systemic fixes: opening one, lists, one with its story, and asking for something to be done."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query

from api.actions import Busy
from api.deciding import open_asked
from api.fixing import act_on_fix
from api.identity import Given, who
from api.problems import Forbidden, NotFound, NotSignedIn, Unprocessable, problems
from api.reads.database import RecordAway
from api.reads.fixes import FixDossier, fix_dossier, fixes
from api.reads.paging import DEFAULT_LIMIT, LONGEST_PAGE
from api.reads.people import Staff
from api.services import Services
from api.shapes import IdempotencyKey
from api.shapes_fixes import (
    FixActionAsked,
    FixActionDone,
    FixAsked,
    FixEventList,
    FixList,
    FixOpened,
    FixView,
)
from api.views_fixes import fix_event_list, fix_line_view, fix_view
from api.writes.audit import Looked, note_read
from models.fixes.terms import FixState
from models.refusals import KeyReused, Refused, Stale
from models.terms import Role

WORKERS = (Role.CASEWORKER, Role.ANALYST, Role.SUPERVISOR, Role.LIAISON)
"""Who has something to do with fixes; each action says who may ask for it."""
READERS = (*WORKERS, Role.AUDITOR)
router = APIRouter(prefix="/fixes", tags=["systemic fixes"])


@router.get("", responses=problems(NotSignedIn, Forbidden, Unprocessable, RecordAway))
async def list_fixes(
    services: Given,
    staff: Annotated[Staff, Depends(who(*READERS))],
    *,
    only_open: Annotated[bool, Query(alias="open", description="Only those that have not ended.")] = False,
    state: FixState | None = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=LONGEST_PAGE)] = DEFAULT_LIMIT,
) -> FixList:
    """List systemic fixes, the newest first."""
    async with services.database.of(staff.agency) as connection:
        page = await fixes(connection, only_open=only_open, state=state, cursor=cursor, limit=limit)
        asked = {"fixes": "open" if only_open else "all"} | ({"state": state.value} if state else {})
        await note_read(connection, staff.agency, staff.actor, Looked.FIX, asked=asked)
    return FixList(fixes=tuple(fix_line_view(row) for row in page.rows), next_cursor=page.next_cursor)


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    responses=problems(NotSignedIn, Forbidden, NotFound, Unprocessable, KeyReused, Refused, RecordAway),
)
async def open_fix(
    asked: FixAsked,
    services: Given,
    staff: Annotated[Staff, Depends(who(Role.SUPERVISOR))],
    idempotency_key: Annotated[IdempotencyKey, Header()],
) -> FixOpened:
    """Open a fix, for a signal or for none; it is durable when this answers, whatever state Temporal is in."""
    return FixOpened(fix_id=await open_asked(services, staff, asked, key=idempotency_key))


@router.get("/{fix_id}", responses=problems(NotSignedIn, Forbidden, NotFound, Unprocessable, RecordAway))
async def show(fix_id: UUID, services: Given, staff: Annotated[Staff, Depends(who(*READERS))]) -> FixView:
    """Show a fix with all its texts: where it stands, how it is judged, and what you may ask of it."""
    found = await opened_fix(services, staff, fix_id)
    policy = (await services.policies.current(staff.agency, services.clock())).policy
    return fix_view(found, staff.actor, policy)


@router.get("/{fix_id}/events", responses=problems(NotSignedIn, Forbidden, NotFound, Unprocessable, RecordAway))
async def show_events(fix_id: UUID, services: Given, staff: Annotated[Staff, Depends(who(*READERS))]) -> FixEventList:
    """Show the story of a fix, event by event, with the hashes that chain them."""
    return fix_event_list(await opened_fix(services, staff, fix_id))


@router.post(
    "/{fix_id}/actions",
    responses=problems(NotSignedIn, Forbidden, NotFound, Unprocessable, Refused, Stale, Busy, RecordAway),
)
async def act(
    fix_id: UUID,
    asked: FixActionAsked,
    services: Given,
    staff: Annotated[Staff, Depends(who(*WORKERS))],
    idempotency_key: Annotated[IdempotencyKey, Header()],
    expected_sequence: Annotated[
        int | None, Query(ge=0, description="The `sequence` you saw; refused if the fix has changed since.")
    ] = None,
) -> FixActionDone:
    """Ask for something to be done; the answer is that of the record, and the same key is answered alike."""
    answer = await act_on_fix(
        services, staff.agency, staff.actor, fix_id, asked, key=idempotency_key, expected_sequence=expected_sequence
    )
    return FixActionDone(fix_id=fix_id, sequence=answer.sequence, state=answer.state, at=answer.at)


async def opened_fix(services: Services, staff: Staff, fix_id: UUID) -> FixDossier:
    """Return a fix of the asker's agency and note that it was opened; raises NotFound."""
    async with services.database.of(staff.agency) as connection:
        found = await fix_dossier(connection, fix_id)
        if found is None:
            raise NotFound("There is no such fix.")
        await note_read(connection, staff.agency, staff.actor, Looked.FIX, asked={"fix": str(fix_id)})
    return found
