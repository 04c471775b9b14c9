# SPDX-License-Identifier: Apache-2.0
"""Which complaints to code first this week, whether codes are used as before, and failures that may need a code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.coding_words import drift_sentence, model_sentence, new_failure_sentence
from api.identity import Given, who
from api.pages.place import Place, place_of
from api.pages.site import ANALYSTS, CODERS, READERS, PageRoute
from api.pages.words import state_words
from api.reads.people import Staff
from api.reads.text import Coding, ToCode, coding
from api.writes.audit import Looked, note_read
from models.reading import next_reading
from models.terms import State

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the queue; no `href` for those who may not open cases."""

    place: int
    href: str
    reference: str
    title: str
    issue: str
    state: str
    owner: str
    may_be: str
    is_coded: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Cases that may need a code of their own."""

    sentence: str
    cases: tuple[tuple[str, str], ...]
    """Address and reference of each."""


@router.get("/coding")
async def coding_page(request: Request, services: Given, person: Annotated[Staff, Depends(who(*CODERS))]) -> Response:
    """Show the week's look at coding."""
    place = await place_of(services, person)
    async with services.database.of(person.agency) as connection:
        found = await coding(connection)
        await note_read(connection, person.agency, person.actor, Looked.LIST, asked={"page": "coding"})
    return place.page(
        request,
        "coding",
        "staff/coding.html",
        week=place.times.day(found.queue[0].week) if found.queue else "",
        rows=[_row(one, place) for one in found.queue],
        coded=sum(one.is_coded for one in found.queue),
        drifts=[drift_sentence(one, place.words.term) for one in found.drifts],
        groups=_groups(found, place),
        shows_groups=person.role in ANALYSTS,
        models=[model_sentence(one) for one in found.models],
        reads_next=place.times.moment(next_reading(place.now, place.times.zone)),
    )


def _row(one: ToCode, place: Place) -> Row:
    words = place.words
    best = [words.term(code) for code in one.codes[:2]]
    return Row(
        place=one.place,
        href=f"/cases/{one.case_id}" if place.person.role in READERS else "",
        reference=one.reference,
        title=words.title(one.service, one.category),
        issue=f"Issue {one.number}" if one.number > 1 else "",
        state=state_words(State(one.state)),
        owner=words.person(one.owner) or words.team(one.team),
        may_be=" or ".join(name for name in best if name) or "nothing known yet",
        is_coded=one.is_coded,
    )


def _groups(found: Coding, place: Place) -> list[Group]:
    opens = place.person.role in READERS
    return [
        Group(
            new_failure_sentence(one),
            tuple(
                (f"/cases/{case_id}" if opens else "", reference)
                for case_id, reference in zip(one.case_ids, one.references, strict=True)
            ),
        )
        for one in found.new_failures
    ]
