# SPDX-License-Identifier: Apache-2.0
"""The workload: how much there is, where it stands, what is late and what waits for approval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.identity import Given, who
from api.pages.lists import address_with, lines_of
from api.pages.place import place_of
from api.pages.site import LEADERS, PageRoute
from api.reads.cases import Filter, cases
from api.reads.people import Staff
from api.reads.queues import LATE_COUNTED, Workload, workload_at
from api.writes.audit import Looked, note_read
from models.terms import Role, Stage, State

router = APIRouter(include_in_schema=False, route_class=PageRoute)
APPROVALS_SHOWN = 25
BREACHES_SHOWN = 15


@dataclass(frozen=True, slots=True)
class Tile:
    """A number on the way to a list."""

    label: str
    count: str
    href: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class LoadLine:
    """A team or a person, with how much they have."""

    label: str
    open: int
    late: int
    href: str


@router.get("/workload")
async def workload_page(
    request: Request, services: Given, person: Annotated[Staff, Depends(who(*LEADERS))]
) -> Response:
    """Show how much there is, where it stands, what is late and what waits for approval."""
    place = await place_of(services, person)
    late, approval = Filter(is_overdue=True), Filter(state=State.AWAITING_APPROVAL)
    async with services.database.of(person.agency) as connection:
        load = await workload_at(connection, place.now)
        breaches = (await cases(connection, late, cursor=None, limit=BREACHES_SHOWN, now=place.now)).rows
        approvals = (await cases(connection, approval, cursor=None, limit=APPROVALS_SHOWN, now=place.now)).rows
        await note_read(connection, person.agency, person.actor, Looked.LIST, asked={"page": "workload"})
    return place.page(
        request,
        "workload",
        "staff/workload.html",
        tiles=_tiles(load),
        breaches=lines_of(breaches, place.words, place.times, place.now, listed_as=address_with({}, show="late")),
        approvals=lines_of(
            approvals, place.words, place.times, place.now,
            listed_as=address_with({}, state=State.AWAITING_APPROVAL.value),
        ),
        shows_cases=person.role is Role.SUPERVISOR,
        teams=[
            LoadLine(place.words.team(team), count, load.late_by_team.get(team, 0), f"/queue?team={team}")
            for team, count in sorted(load.by_team.items(), key=lambda item: -item[1])
        ],
        people=[
            LoadLine(place.words.person(name), count, load.late_by_owner.get(name, 0), f"/queue?owner={name}")
            for name, count in sorted(load.by_owner.items(), key=lambda item: -item[1])
        ],
    )  # fmt: skip


def _tiles(load: Workload) -> list[Tile]:
    tiles = [
        Tile("open", f"{load.open:,}", "/queue"),
        Tile(
            "late",
            f"{load.late:,}{'+' if load.late >= LATE_COUNTED else ''}",
            "/queue?show=late",
            "late" if load.late else "",
        ),
    ]
    return tiles + [
        Tile(f"in {stage.label.lower()}", f"{load.by_stage.get(stage.value, 0):,}", f"/queue?stage={stage.value}")
        for stage in Stage
        if stage is not Stage.CLOSED
    ]
