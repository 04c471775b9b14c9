# SPDX-License-Identifier: Apache-2.0
"""One case: its story, its clocks, and what may be done with it now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from api.acting import act
from api.identity import Given, who
from api.pages.asking import PAGE_ACTIONS, asked_of, empty_form, errors_of, issue_numbers, next_actions
from api.pages.case_view import case_view
from api.pages.forms import Faults, Form, NotNow, Offer, check_day_to_come, sent
from api.pages.lists import FILTER_NAMES, FROM_WORK, address_with, filter_of, known
from api.pages.place import Place, place_of
from api.pages.rounds import sent_back
from api.pages.site import READERS, WORKERS, PageRoute, to
from api.pages.text_view import texts_view
from api.pages.words import ACTIONS, BUTTONS
from api.problems import NotFound, Unprocessable
from api.reads.cases import Dossier, cases, dossier
from api.reads.people import Staff
from api.reads.text import texts_of_case
from api.services import Services
from api.shapes_actions import ActionAsked, AssignAsked
from api.views import offered, refused
from api.writes.audit import Looked, note_read
from models.case import Case
from models.clocks import Rules
from models.refusals import Refused
from models.terms import Action

router = APIRouter(include_in_schema=False, route_class=PageRoute)
LIST_LOOKED_THROUGH = 200
"""How far into a list the way to the neighbours is looked for."""
_ANSWERING = frozenset({Action.ANSWER, Action.PROPOSE_ANSWER})
"""Two forms with the same fields."""
_OF_ONE_FORM = frozenset({"key", "sequence"})
_UNGUARDED = frozenset({Action.NOTE, Action.ASSIGN})
"""Actions that stay right when somebody else has done something meanwhile."""


@dataclass(frozen=True, slots=True)
class Around:
    """The list one came from, and the neighbours in it."""

    place: str = ""
    back: str = ""
    previous: str = ""
    next: str = ""


@router.get("/cases/{case_id}")
async def case_page(
    request: Request, case_id: UUID, services: Given, person: Annotated[Staff, Depends(who(*READERS))]
) -> Response:
    """Show a case."""
    opened = await opened_case(services, person, case_id)
    return await _page(request, services, person, opened)


async def opened_case(services: Services, person: Staff, case_id: UUID, *, is_shown: bool = True) -> Dossier:
    """Return a case with all that belongs to it, and note who looked where it is shown; raises NotFound."""
    async with services.database.of(person.agency) as connection:
        found = await dossier(connection, case_id)
        if found is None:
            raise NotFound("There is no such complaint.")
        if is_shown:
            await note_read(connection, person.agency, person.actor, Looked.CASE, case_id=case_id)
    return found


async def _page(
    request: Request,
    services: Services,
    person: Staff,
    opened: Dossier,
    *,
    again: tuple[Action, Form] | None = None,
    status: int = HTTPStatus.OK,
) -> Response:
    case = opened.case
    place = await place_of(services, person, case)
    rules = await services.policies.rules(case, place.now)
    async with services.database.of(person.agency) as connection:
        told = await texts_of_case(connection, case.id)
    return place.page(
        request,
        "work" if request.query_params.get("from") == FROM_WORK else "queue",
        "staff/case.html",
        status=status,
        view=case_view(opened, rules, place.words, place.times, person, place.now),
        offered=offers(opened, place, rules, again),
        refused=refusals(case, place, rules),
        around=await _around(request.query_params, case, place),
        listed_as=_listed_as(request.query_params),
        form=again[1] if again else Form(),
        take=Form(),
        texts=texts_view(told, case, place.words, place.times),
    )


def offers(opened: Dossier, place: Place, rules: Rules, again: tuple[Action, Form] | None = None) -> list[Offer]:
    """Return what may be done now, what is likely to come next first."""
    case = opened.case
    upcoming = next_actions(case)
    may = offered(case, place.person.actor, rules, place.now)
    shown = [action for action in may if action in PAGE_ACTIONS]
    shown.sort(key=lambda action: upcoming.index(action) if action in upcoming else len(upcoming))
    typed = again[0] if again else None
    # An answer that came back is taken up where it was left.
    first = Action.PROPOSE_ANSWER if Action.PROPOSE_ANSWER in shown and sent_back(opened) else next(iter(shown), None)
    return [
        Offer(
            name=action.value,
            label=ACTIONS[action],
            button=BUTTONS[action],
            form=again[1] if again and action is typed else _fresh_form(action, opened, place, again),
            is_next=action in upcoming,
            is_open=action is typed or (typed is None and action in upcoming and action is first),
        )
        for action in shown
    ]


def _fresh_form(action: Action, opened: Dossier, place: Place, again: tuple[Action, Form] | None) -> Form:
    """Return the form of an action; an answer that was typed or proposed before is not typed a second time."""
    form = empty_form(action, opened.case, place.words, place.person.name)
    if action not in _ANSWERING:
        return form
    if again and again[0] in _ANSWERING:
        return replace(form, values={name: v for name, v in again[1].values.items() if name not in _OF_ONE_FORM})
    return replace(form, values=sent_back(opened))


def refusals(case: Case, place: Place, rules: Rules) -> list[NotNow]:
    """Return what this role may do at other times, each with the sentence why not now."""
    return [
        NotNow(action.value, ACTIONS[action], place.words.sentence(reason))
        for action, reason in refused(case, place.person.actor, rules, place.now).items()
        if action in PAGE_ACTIONS
    ]


async def _around(asked: Mapping[str, str], case: Case, place: Place) -> Around:
    listed_as = _listed_as(asked)
    if not listed_as:
        return Around()
    told = known({name: asked.get(name, "") for name in FILTER_NAMES})
    wanted = filter_of(told, place.person.name)
    async with place.services.database.of(place.person.agency) as connection:
        rows = (await cases(connection, wanted, cursor=None, limit=LIST_LOOKED_THROUGH, now=place.now)).rows
    ids = [row.case_id for row in rows]
    back = "/work" if asked.get("from") == FROM_WORK else f"/queue?{listed_as}"
    if case.id not in ids:
        return Around("Back to the list", back)
    here = ids.index(case.id)

    def address(index: int) -> str:
        return f"/cases/{ids[index]}?{listed_as}" if 0 <= index < len(ids) else ""

    return Around(f"No. {here + 1} in your list", back, address(here - 1), address(here + 1))


@router.post("/cases/{case_id}/take")
async def take(
    request: Request, case_id: UUID, services: Given, person: Annotated[Staff, Depends(who(*WORKERS))]
) -> Response:
    """Make the case mine; who may not take it is told so on its page."""
    form = await sent(request)
    asked = AssignAsked(action=Action.ASSIGN, owner=person.name)
    try:
        await act(services, person.agency, person.actor, case_id, asked, key=form.key)
    except Refused as reason:
        opened = await opened_case(services, person, case_id)
        place = await place_of(services, person, opened.case)
        again = Form(errors={"": place.words.sentence(reason)}, prefix=f"{Action.ASSIGN.value}-")
        return await _page(request, services, person, opened, again=(Action.ASSIGN, again), status=HTTPStatus.CONFLICT)
    return to(_again(request, case_id, "taken"))


@router.post("/cases/{case_id}/actions/{action}")
async def act_on_case(
    request: Request, case_id: UUID, action: Action, services: Given, person: Annotated[Staff, Depends(who(*WORKERS))]
) -> Response:
    """Ask the case's workflow to do something; what cannot be done comes back with the form as it was typed."""
    if action not in PAGE_ACTIONS:
        raise NotFound("There is no such action.")
    form = await sent(request)
    opened = await opened_case(services, person, case_id, is_shown=False)
    place = await place_of(services, person, opened.case)
    prefix = f"{action.value}-"
    try:
        asked = asked_of(action, form, opened.case, place.words)
        if isinstance(asked, AssignAsked):
            check_day_to_come(asked.follow_up_on, place.times.on(place.now))
        await _ask(services, person, case_id, asked, form.key, form.number("sequence"))
    except (Faults, Unprocessable) as wrong:
        errors = wrong.errors if isinstance(wrong, Faults) else errors_of(wrong)
        shown = await opened_case(services, person, case_id)
        again = _numbered(form.again(errors, prefix=prefix), shown.case)
        return await _page(
            request, services, person, shown, again=(action, again), status=HTTPStatus.UNPROCESSABLE_ENTITY
        )
    except Refused as reason:
        now_there = await opened_case(services, person, case_id)
        again = _numbered(form.again({"": place.words.sentence(reason)}, prefix=prefix), now_there.case)
        return await _page(request, services, person, now_there, again=(action, again), status=HTTPStatus.CONFLICT)
    return to(_again(request, case_id, "acted"))


def _again(request: Request, case_id: UUID, done: str) -> str:
    """Return the case's address with what came of the form, in the same list as before."""
    listed_as = _listed_as(request.query_params)
    return f"/cases/{case_id}?" + (f"{listed_as}&" if listed_as else "") + f"done={done}"


def _listed_as(asked: Mapping[str, str]) -> str:
    """Return the list a case was opened from, as it stands in an address; nothing where it was opened by itself."""
    listed_as = address_with(known({name: asked.get(name, "") for name in FILTER_NAMES}))
    return f"{listed_as}&from={FROM_WORK}" if listed_as and asked.get("from") == FROM_WORK else listed_as


async def _ask(
    services: Services, person: Staff, case_id: UUID, asked: ActionAsked, key: str, sequence: int | None
) -> None:
    expected = None if asked.action in _UNGUARDED else sequence
    await act(services, person.agency, person.actor, case_id, asked, key=key, expected_sequence=expected)


def _numbered(form: Form, case: Case) -> Form:
    """Return a form sent back, with as many issues as it had."""
    return replace(form, numbers=issue_numbers(case))
