# SPDX-License-Identifier: Apache-2.0
"""The Problem Solving Day desk: a person is taken in within a minute, and where possible goes home with an answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError

from api.days import planned
from api.filing import file_complaint
from api.identity import Given, who
from api.pages.asking import errors_of
from api.pages.filing_form import filed_of
from api.pages.forms import Faults, Form, Sent, sent
from api.pages.lists import line_of_receipt, lines_of
from api.pages.place import Place, place_of
from api.pages.site import DESK, LEADERS, READERS, WORKERS, PageRoute, to
from api.problems import NotFound, Unprocessable, faults_of
from api.reads.cases import Filter, Order, case_by_id, cases
from api.reads.days import Day, Tally, at_the_desk, day_by_id, days, tallies
from api.reads.people import Staff
from api.shapes_registers import DayAsked
from api.writes.audit import Looked, note_read
from models.aggregates import EVENT_CHANNEL
from models.case import Case
from models.references import secret_for

router = APIRouter(include_in_schema=False, route_class=PageRoute)
DAYS_SHOWN = 50
PEOPLE_SHOWN = 200
HANDED_OUT_WITHIN = timedelta(minutes=10)
WAITED_FOR = timedelta(days=1)
"""How far back receipts are looked for whose case is not opened yet; that takes a moment, in a rush minutes."""


@dataclass(frozen=True, slots=True)
class DayView:
    """A day as pages show it."""

    id: UUID
    name: str
    place: str
    held_on: str
    is_today: bool
    roster: str
    taken_in: int
    solved: int
    to_follow_up: int


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What the desk hands to the person who has just been taken in."""

    case_id: UUID
    reference: str
    secret: str


@router.get("/desk")
async def desk_days(request: Request, services: Given, person: Annotated[Staff, Depends(who(*DESK))]) -> Response:
    """Show the days, the latest first, each with its tally."""
    place = await place_of(services, person)
    async with services.database.of(person.agency) as connection:
        page = await days(connection, cursor=None, limit=DAYS_SHOWN)
        tally = await tallies(connection, [day.id for day in page.rows])
    views = [_view(day, tally[day.id], place) for day in page.rows]
    return place.page(request, "desk", "staff/desk_days.html", days=views, may_make=person.role in LEADERS)


@router.get("/desk/new")
async def new_day(request: Request, services: Given, person: Annotated[Staff, Depends(who(*LEADERS))]) -> Response:
    """Show the form of a new day."""
    place = await place_of(services, person)
    return place.page(request, "desk", "staff/desk_new.html", form=Form())


@router.post("/desk/new")
async def plan(request: Request, services: Given, person: Annotated[Staff, Depends(who(*LEADERS))]) -> Response:
    """Plan a day; the same form twice plans it once."""
    form = await sent(request)
    place = await place_of(services, person)
    try:
        day = await planned(services, person, _asked(form, place), key=form.key)
    except (Faults, Unprocessable) as wrong:
        again = form.again(wrong.errors if isinstance(wrong, Faults) else errors_of(wrong))
        return place.page(request, "desk", "staff/desk_new.html", status=HTTPStatus.UNPROCESSABLE_ENTITY, form=again)
    return to(f"/desk/{day.id}?done=planned")


def _asked(form: Sent, place: Place) -> DayAsked:
    people = {option.value for option in place.words.people}
    name = form.line("name", missing="Give the day a name.")
    where = form.line("place", missing="Say where it is held.")
    held_on = form.day("held_on", missing="Say on which day.")
    office = form.code("office", {option.value for option in place.words.offices})
    form.check()
    roster = tuple(name for name in form.many("roster") if name in people)
    told = {"name": name, "place": where, "held_on": held_on, "office": office, "roster": roster}
    try:
        return DayAsked.model_validate(told)
    except ValidationError as wrong:
        raise Unprocessable(faults_of(wrong.errors())) from wrong


@router.get("/desk/{day_id}")
async def desk(
    request: Request, day_id: UUID, services: Given, person: Annotated[Staff, Depends(who(*DESK))]
) -> Response:
    """Show the desk: the next person's form, the tally, the people of the day."""
    place = await place_of(services, person)
    return await _desk(request, place, await _day(place, day_id), Form({"language": place.policy.agency.languages[0]}))


@router.post("/desk/{day_id}")
async def take_in(
    request: Request, day_id: UUID, services: Given, person: Annotated[Staff, Depends(who(*WORKERS))]
) -> Response:
    """Take a person's complaint in, and be ready for the next."""
    form = await sent(request)
    place = await place_of(services, person)
    day = await _day(place, day_id)
    try:
        filed = filed_of(form, place.policy, agency=person.agency, channel=EVENT_CHANNEL, event_id=day.id)
        filed = filed.model_copy(update={"office": day.office})
        taken = await file_complaint(services, filed, staff=person, key=form.key)
    except (Faults, Unprocessable) as wrong:
        errors = wrong.errors if isinstance(wrong, Faults) else errors_of(wrong)
        return await _desk(request, place, day, form.again(errors), status=HTTPStatus.UNPROCESSABLE_ENTITY)
    return to(f"/desk/{day.id}?taken={taken.receipt.case_id}")


async def _desk(request: Request, place: Place, day: Day, form: Form, *, status: int = HTTPStatus.OK) -> Response:
    wanted = Filter(event_id=day.id, order=Order.NEWEST)
    async with place.services.database.of(place.person.agency) as connection:
        stands = await at_the_desk(connection, day.id, place.now - WAITED_FOR)
        rows = (await cases(connection, wanted, cursor=None, limit=PEOPLE_SHOWN, now=place.now)).rows
        taken_id = _uuid(request.query_params.get("taken", ""))
        taken = await case_by_id(connection, taken_id) if taken_id else None
        actor = place.person.actor
        await note_read(connection, place.person.agency, actor, Looked.LIST, asked=wanted.told())
    return place.page(
        request,
        "desk",
        "staff/desk.html",
        status=status,
        day=_view(day, stands.tally, place),
        form=form,
        taken=_just_taken(taken, place, day),
        may_take=place.person.role in WORKERS,
        may_open=place.person.role in READERS,
        rows=[
            *(line_of_receipt(receipt, place.words, place.times, place.now) for receipt in stands.waiting),
            *lines_of(rows, place.words, place.times, place.now),
        ],
    )


def _just_taken(case: Case | None, place: Place, day: Day) -> TakenIn | None:
    """Return what to hand out for the complaint this desk took in a moment ago; later the secret is shown to nobody."""
    if case is None or case.receipt.event_id != day.id or place.now - case.receipt.accepted_at > HANDED_OUT_WITHIN:
        return None
    return TakenIn(case.id, case.receipt.reference, secret_for(case.id, place.services.complainant_secrets))


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


async def _day(place: Place, day_id: UUID) -> Day:
    async with place.services.database.of(place.person.agency) as connection:
        day = await day_by_id(connection, day_id)
    if day is None:
        raise NotFound("There is no such Problem Solving Day.")
    return day


def _view(day: Day, tally: Tally, place: Place) -> DayView:
    return DayView(
        id=day.id,
        name=day.name,
        place=day.place,
        held_on=place.times.day(day.held_on),
        is_today=day.held_on == place.times.on(place.now),
        roster=", ".join(place.words.person(name) for name in day.roster),
        taken_in=tally.taken_in,
        solved=tally.solved_on_the_spot,
        to_follow_up=tally.to_follow_up,
    )
