# SPDX-License-Identifier: Apache-2.0
"""Problem Solving Days and the workload: registers and counters, never counted by scanning."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query

from api.acting import key_for
from api.codes import CodeCheck
from api.identity import Given, who
from api.problems import Forbidden, NotFound, NotSignedIn, Unprocessable, problems
from api.reads.database import RecordAway
from api.reads.days import Day, Tally, day_by_id, days, follow_ups, tallies
from api.reads.paging import DEFAULT_LIMIT, LONGEST_PAGE
from api.reads.people import Staff, colleagues
from api.reads.queues import workload_at
from api.services import Services
from api.shapes import IdempotencyKey
from api.shapes_registers import DayAsked, DayDetail, DayList, DayView, FollowUpView, WorkloadView
from api.writes.audit import Looked, note_read
from api.writes.registers import DayPlanned, plan_day
from models.refusals import KeyReused
from models.terms import Role

DESK = (Role.LIAISON, Role.INTAKE, Role.CASEWORKER, Role.SUPERVISOR)
router = APIRouter(tags=["problem solving days"])


@router.get("/problem-solving-days", responses=problems(NotSignedIn, Forbidden, Unprocessable, RecordAway))
async def list_days(
    services: Given,
    staff: Annotated[Staff, Depends(who(*DESK))],
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=LONGEST_PAGE)] = DEFAULT_LIMIT,
) -> DayList:
    """List Problem Solving Days with their tallies, the latest first."""
    async with services.database.of(staff.agency) as connection:
        page = await days(connection, cursor=cursor, limit=limit)
        tally = await tallies(connection, [day.id for day in page.rows])
    return DayList(days=tuple(_view(day, tally[day.id]) for day in page.rows), next_cursor=page.next_cursor)


@router.post(
    "/problem-solving-days",
    status_code=HTTPStatus.CREATED,
    responses=problems(NotSignedIn, Forbidden, Unprocessable, KeyReused, RecordAway),
)
async def plan(
    asked: DayAsked,
    services: Given,
    staff: Annotated[Staff, Depends(who(Role.LIAISON, Role.SUPERVISOR))],
    idempotency_key: Annotated[IdempotencyKey, Header()],
) -> DayView:
    """Plan a Problem Solving Day: where, when, and who is at the desk."""
    return await planned(services, staff, asked, key=idempotency_key)


@router.get(
    "/problem-solving-days/{day_id}", responses=problems(NotSignedIn, Forbidden, NotFound, Unprocessable, RecordAway)
)
async def show(day_id: UUID, services: Given, staff: Annotated[Staff, Depends(who(*DESK))]) -> DayDetail:
    """Show a day with its tally and what is left to follow up, with owner and date."""
    async with services.database.of(staff.agency) as connection:
        day = await day_by_id(connection, day_id)
        if day is None:
            raise NotFound("There is no such Problem Solving Day.")
        tally, open_cases = await tallies(connection, [day_id]), await follow_ups(connection, day_id)
        await note_read(connection, staff.agency, staff.actor, Looked.LIST, asked={"follow_ups_of": str(day_id)})
    return DayDetail(
        day=_view(day, tally[day_id]),
        follow_ups=tuple(FollowUpView.model_validate(case, from_attributes=True) for case in open_cases),
    )


@router.get("/workload", responses=problems(NotSignedIn, Forbidden, RecordAway))
async def show_workload(
    services: Given, staff: Annotated[Staff, Depends(who(Role.SUPERVISOR, Role.LIAISON, Role.ANALYST))]
) -> WorkloadView:
    """Show how many open cases there are, where they stand, who has them, and how many are late."""
    async with services.database.of(staff.agency) as connection:
        return WorkloadView.model_validate(asdict(await workload_at(connection, services.clock())))


async def planned(services: Services, staff: Staff, asked: DayAsked, *, key: str) -> DayView:
    """Write a day, once per key; raises Unprocessable or KeyReused."""
    now = services.clock()
    policy = (await services.policies.current(staff.agency, now)).policy
    check = CodeCheck(policy, policy.calendar.local_date(now))
    check.office("office", asked.office)
    row = DayPlanned(
        agency=staff.agency,
        name=asked.name,
        place=asked.place,
        held_on=asked.held_on,
        office=asked.office,
        roster=asked.roster,
        made_by=staff.name,
    )
    async with services.database.of(staff.agency) as connection:
        people = {person.name for person in await colleagues(connection)}
        for number, name in enumerate(asked.roster):
            check.person(f"roster.{number}", name, people)
        check.done()
        day_id = await plan_day(connection, row, key_for(staff.actor, key))
        day, tally = await day_by_id(connection, day_id), await tallies(connection, [day_id])
    assert day is not None
    return _view(day, tally[day_id])


def _view(day: Day, tally: Tally) -> DayView:
    told = {name: getattr(day, name) for name in DayView.model_fields if hasattr(day, name)}
    return DayView(
        **told,
        taken_in=tally.taken_in,
        solved_on_the_spot=tally.solved_on_the_spot,
        to_follow_up=tally.to_follow_up,
    )
