# SPDX-License-Identifier: Apache-2.0
"""The list of systemic fixes, and opening one that no signal asks for."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.deciding import open_asked
from api.fixes import READERS
from api.identity import Given, who
from api.pages.asking import errors_of
from api.pages.fix_words import verdict_words
from api.pages.forms import Faults, Form, sent
from api.pages.place import Place, place_of
from api.pages.site import DECIDERS, PageRoute, to
from api.problems import Unprocessable
from api.reads.fixes import FixRow, fixes
from api.reads.people import Staff
from api.services import Services
from api.shapes_fixes import FixAsked
from api.views_fixes import rhythm_of
from api.writes.audit import Looked, note_read
from models.fixes.fix import Fix
from models.fixes.terms import FixState
from models.fixes.watching import watch_ends_at

router = APIRouter(include_in_schema=False, route_class=PageRoute)
FIXES_SHOWN = 50


@dataclass(frozen=True, slots=True)
class FixLine:
    """A fix in the list."""

    href: str
    title: str
    state: str
    owner: str
    next_date: str
    verdict: str
    opened: str


@router.get("/fixes")
async def fix_list(request: Request, services: Given, person: Annotated[Staff, Depends(who(*READERS))]) -> Response:
    """List the fixes: the open ones by their state, then page by page all of them."""
    return await _list(request, services, person, Form())


async def _list(
    request: Request, services: Services, person: Staff, form: Form, *, status: int = HTTPStatus.OK
) -> Response:
    place = await place_of(services, person)
    cursor = request.query_params.get("after") or None
    shows_all = cursor is not None or request.query_params.get("show") == "all"
    async with services.database.of(person.agency) as connection:
        page = await fixes(connection, only_open=not shows_all, cursor=cursor, limit=FIXES_SHOWN)
        asked = {"page": "fixes", "show": "all" if shows_all else "open"}
        await note_read(connection, person.agency, person.actor, Looked.FIX, asked=asked)
    states = [state for state in FixState if any(row.fix.state is state for row in page.rows)]
    groups = [(state.label, [_line(row, place) for row in page.rows if row.fix.state is state]) for state in states]
    return place.page(
        request,
        "fixes",
        "fixes/list.html",
        status=status,
        groups=groups,
        shows_all=shows_all,
        older=f"/fixes?show=all&after={page.next_cursor}" if page.next_cursor else "",
        may_open=person.role in DECIDERS,
        form=form,
    )


def _line(row: FixRow, place: Place) -> FixLine:
    fix = row.fix
    return FixLine(
        href=f"/fixes/{fix.id}",
        title=row.title,
        state=fix.state.label,
        owner=place.words.person(fix.owner),
        next_date=_next_date(fix, place),
        verdict=verdict_words(fix),
        opened=place.times.day(row.opened_at),
    )


def _next_date(fix: Fix, place: Place) -> str:
    if fix.state is FixState.IN_HAND:
        due = [measure.due_on for measure in fix.standing_measures if not measure.is_done]
        return f"measure due {place.times.day(min(due))}" if due else "ready to be put in place"
    if fix.state is FixState.MONITORED and fix.plan is not None:
        return f"known at the latest {place.times.day(fix.plan.look_on)}"
    if (ends_at := watch_ends_at(fix, rhythm_of(place.policy))) is not None:
        return f"watched until {place.times.day(ends_at.date())}"
    return ""


@router.post("/fixes")
async def open_fix(request: Request, services: Given, person: Annotated[Staff, Depends(who(*DECIDERS))]) -> Response:
    """Open a fix that no signal asks for; the same form twice opens one."""
    form = await sent(request)
    try:
        title = form.line("title", missing="Give it a name in a line.")
        statement = form.text("statement", limit=20_000)
        form.check()
        fix_id = await open_asked(services, person, FixAsked(title=title, statement=statement or None), key=form.key)
    except (Faults, Unprocessable) as wrong:
        errors = wrong.errors if isinstance(wrong, Faults) else errors_of(wrong)
        return await _list(request, services, person, form.again(errors), status=HTTPStatus.UNPROCESSABLE_ENTITY)
    return to(f"/fixes/{fix_id}?done=fix-opened")
