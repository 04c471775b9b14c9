# SPDX-License-Identifier: Apache-2.0
"""Resolving on the spot: one form, four recorded steps, within the authority that the policy gives the desk.

Each step's key comes from the form's key, so that a form sent again goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from api.acting import act
from api.identity import Given, who
from api.pages.asking import answer_of, cause_of, errors_of
from api.pages.case import opened_case
from api.pages.case_view import case_view
from api.pages.forms import Faults, Form, Sent, as_chosen, check_day_to_come, sent
from api.pages.place import Place, place_of
from api.pages.site import WORKERS, PageRoute, to
from api.problems import NotFound, Unprocessable
from api.reads.cases import Dossier
from api.reads.days import Day, day_by_id
from api.reads.people import Staff
from api.services import Services
from api.shapes_actions import (
    ActionAsked,
    AnswerAsked,
    AssignAsked,
    CloseAsked,
    IssueTriaged,
    TagRootCauseAsked,
    TriageAsked,
)
from models.commands import IssueAnswer, IssueTag, NoFailure, ProcessFailure
from models.messages import sha256
from models.refusals import Refused
from models.terms import Action, Scope, State, Track
from models.wording import money

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class Authority:
    """What may be settled on the spot."""

    severity: str
    money: str


@router.get("/desk/{day_id}/spot/{case_id}")
async def spot(
    request: Request, day_id: UUID, case_id: UUID, services: Given, person: Annotated[Staff, Depends(who(*WORKERS))]
) -> Response:
    """Show the one form that settles a complaint."""
    opened = await opened_case(services, person, case_id)
    place = await place_of(services, person, opened.case)
    case = opened.case
    known = {
        "service": case.service or case.receipt.service or "",
        "category": case.category or case.receipt.category or "",
        "scope": Scope.ONE_PERSON.value,
        "harm": "1",
        "vulnerable": as_chosen(case.receipt.vulnerable if case.state is State.NEW else case.vulnerable),
    }
    return await _page(request, place, day_id, opened, Form(known))


@router.post("/desk/{day_id}/spot/{case_id}")
async def resolve(
    request: Request, day_id: UUID, case_id: UUID, services: Given, person: Annotated[Staff, Depends(who(*WORKERS))]
) -> Response:
    """Triage, answer, say why it happened, and close."""
    form = await sent(request)
    opened = await opened_case(services, person, case_id)
    place = await place_of(services, person, opened.case)
    try:
        for asked in _steps(form, place):
            await act(services, person.agency, person.actor, case_id, asked, key=_step_key(form, asked))
    except (Faults, Unprocessable, Refused) as wrong:
        return await _page(
            request, place, day_id, opened, form.again(_errors(wrong, place)), status=HTTPStatus.UNPROCESSABLE_ENTITY
        )
    return to(f"/desk/{day_id}?done=solved")


@router.post("/desk/{day_id}/spot/{case_id}/follow-up")
async def follow_up(
    request: Request, day_id: UUID, case_id: UUID, services: Given, person: Annotated[Staff, Depends(who(*WORKERS))]
) -> Response:
    """Say who does the next thing, and by when."""
    form = await sent(request)
    opened = await opened_case(services, person, case_id)
    place = await place_of(services, person, opened.case)
    owner = form.code("owner", {option.value for option in place.words.people}, missing="Say who.")
    on = form.day("follow_up_on", missing="Say by when.")
    try:
        form.check()
        check_day_to_come(on, place.times.on(place.now))
        asked = AssignAsked(action=Action.ASSIGN, owner=owner, follow_up_on=on)
        await act(services, person.agency, person.actor, case_id, asked, key=form.key)
    except (Faults, Unprocessable, Refused) as wrong:
        again = form.again(_errors(wrong, place), prefix="follow-")
        return await _page(request, place, day_id, opened, Form(), follow=again, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    return to(f"/desk/{day_id}?done=follow-up")


def _errors(wrong: Faults | Unprocessable | Refused, place: Place) -> Mapping[str, str]:
    match wrong:
        case Faults():
            return wrong.errors
        case Unprocessable():
            return errors_of(wrong)
        case _:
            return {"": place.words.sentence(wrong)}


def _steps(form: Sent, place: Place) -> tuple[ActionAsked, ...]:
    """Return what the form asks for, in order; everything is checked before the first step is taken."""
    words = place.words
    service = form.code("service", {o.value for o in words.services}, missing="Choose the service.")
    category = form.code("category", {o.value for o in words.categories}, missing="Choose the kind of problem.")
    severity = form.code("severity", {o.value for o in words.spot_severities}, missing="Say how grave it is.")
    vulnerable = form.yes_or_no("vulnerable")
    text = form.text("text", missing="Write the answer.")
    answer = answer_of(form, 1, words)
    cause = cause_of(form, 1, words, severity=int(severity or 1))
    form.check()
    assert service is not None
    assert category is not None
    assert severity is not None
    assert answer is not None
    assert cause is not None
    _stay_within_authority(place, int(severity), answer, cause)
    triaged = IssueTriaged(number=1, service=service, category=category)
    return (
        TriageAsked(
            action=Action.TRIAGE,
            issues=(triaged,),
            severity=int(severity),
            track=Track.FRONTLINE,
            owner=place.person.name,
            vulnerable=vulnerable,
        ),
        AnswerAsked(action=Action.ANSWER, text=text, issues=(answer,)),
        TagRootCauseAsked(action=Action.TAG_ROOT_CAUSE, issues=(IssueTag(number=1, cause=cause),)),
        CloseAsked(action=Action.CLOSE),
    )


def _step_key(form: Sent, asked: ActionAsked) -> str:
    """Return the key of one step: unchanged it is done once, corrected after a refusal it is asked anew."""
    return f"{form.key}/{asked.action}/{sha256(asked.model_dump_json().encode()).hex()[:12]}"


def _stay_within_authority(place: Place, severity: int, answer: IssueAnswer, cause: ProcessFailure | NoFailure) -> None:
    """Raise Faults for what the desk may not settle alone, before anything is recorded."""
    scales = place.policy.severity
    cents = answer.amount.cents if answer.amount else 0
    harm = cause.harm if isinstance(cause, ProcessFailure) else 0
    reason = scales.why_not_on_the_spot(severity=severity, remedy=answer.remedies[0], remedy_cents=cents)
    reason = reason or scales.why_another_person(severity=severity, harm=harm, remedy_cents=cents)
    if reason is not None:
        raise Faults({"": f"{reason} Set a follow-up instead."})


async def _page(
    request: Request,
    place: Place,
    day_id: UUID,
    opened: Dossier,
    form: Form,
    *,
    follow: Form | None = None,
    status: int = HTTPStatus.OK,
) -> Response:
    day = await _day(place.services, place.person, day_id)
    rules = await place.services.policies.rules(opened.case, place.now)
    limits = place.policy.severity.on_the_spot
    return place.page(
        request,
        "desk",
        "staff/spot.html",
        status=status,
        day=day,
        view=case_view(opened, rules, place.words, place.times, place.person, place.now),
        form=form,
        follow=follow or Form({"owner": place.person.name}, prefix="follow-"),
        limits=Authority(place.words.severity(limits.severity_at_most), money(limits.remedy_cents_at_most)),
    )


async def _day(services: Services, person: Staff, day_id: UUID) -> Day:
    async with services.database.of(person.agency) as connection:
        day = await day_by_id(connection, day_id)
    if day is None:
        raise NotFound("There is no such Problem Solving Day.")
    return day
