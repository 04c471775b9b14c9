# SPDX-License-Identifier: Apache-2.0
"""The complainant's own complaint: where it stands, what was answered point by point, and what they may do now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.acting import act
from api.identity import COMPLAINANT, Given, forgive, open_to_all, public
from api.pages.forms import Faults, Form, Sent, sent
from api.pages.front import Front, front_of
from api.pages.site import PageRoute, to
from api.pages.visiting import COOKIE, may_visit, visit, visited
from api.problems import Unprocessable
from api.reads.cases import Dossier
from api.rounds import answered_before
from api.shapes_actions import NoteAsked, RecordInformationAsked, ReopenAsked, WithdrawAsked
from api.shapes_cases import StepView, TrackedView
from api.views import tracked_view
from models.clocks import customer_days
from models.points import Point, points_of
from models.policy import Policy
from models.references import normal_reference
from models.refusals import Refused, TooLate, WrongState
from models.terms import Action, State

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/a/{slug}/track")
async def track_form(
    request: Request, slug: str, services: Given, _: Annotated[object, Depends(open_to_all)]
) -> Response:
    """Ask for reference and secret."""
    front = await front_of(request, services, slug)
    return front.page(request, "track", "public/track.html", form=Form())


@router.post("/a/{slug}/track")
async def track(request: Request, slug: str, services: Given, _: Annotated[object, Depends(public)]) -> Response:
    """Check reference and secret, and go to the complaint."""
    front = await front_of(request, services, slug)
    form = await sent(request, front.tongue)
    reference = form.line("reference", missing=front.say("Write your number."))
    secret = form.line("secret", missing=front.say("Write your secret code."))
    if not form.errors:
        if (normal := normal_reference(reference)) and await may_visit(front, normal, secret):
            return visit(to(f"{front.home}/track/view"), front, normal, secret)
        form.errors["reference"] = front.say(
            "This number and this code do not belong together. Please look at your receipt again."
        )
    return front.page(request, "track", "public/track.html", form=form.again(), status=HTTPStatus.UNPROCESSABLE_ENTITY)


@router.post("/a/{slug}/track/leave")
async def leave(request: Request, slug: str, services: Given, _: Annotated[object, Depends(open_to_all)]) -> Response:
    """Forget reference and secret; for computers that others use."""
    front = await front_of(request, services, slug)
    response = to(front.home)
    response.delete_cookie(COOKIE, path=front.home)
    return response


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step the sender is told of."""

    on: str
    words: str
    text: str | None
    by: str


@dataclass(frozen=True, slots=True)
class EarlierAnswer:
    """What was answered before the complaint was looked at again; its text stands among the steps too."""

    label: str
    answer: str | None
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Tracked:
    """A complaint as its sender sees it."""

    reference: str
    phase: str
    is_open: bool
    ball: str
    due_label: str
    due_on: str
    is_late: bool
    days: int
    question: str | None
    answer: str | None
    points: tuple[Point, ...]
    earlier: tuple[EarlierAnswer, ...]
    """The latest first."""
    gets_letters: bool
    review: str
    """When a review may be asked for; empty while that is not known, and once it is over."""
    review_until: str
    offered: frozenset[str]
    steps: tuple[StepLine, ...]


@router.get("/a/{slug}/track/view")
async def track_view(request: Request, slug: str, services: Given, _: Annotated[object, Depends(public)]) -> Response:
    """Show where the complaint stands, who acts next, and what its sender may do."""
    front = await front_of(request, services, slug)
    visitor = await visited(request, front)
    if visitor is None:
        return to(f"{front.home}/track")
    return await _tracked_page(request, front, visitor.opened, Form())


async def _tracked_page(
    request: Request, front: Front, opened: Dossier, form: Form, status: int = HTTPStatus.OK
) -> Response:
    view = await _tracked(front, opened)
    return front.page(request, "track", "public/tracked.html", status=status, view=view, form=form)


async def _tracked(front: Front, opened: Dossier) -> Tracked:
    case = opened.case
    version = await front.services.policies.of_case(case, front.now)
    rules = await front.services.policies.rules(case, front.now)
    told = tracked_view(opened, rules, version.policy, COMPLAINANT, front.now)
    gets_letters = case.receipt.can_be_written_to
    label, due_at = _next_date(told, case.state, gets_letters=gets_letters)
    return Tracked(
        reference=told.reference,
        phase=front.say(told.phase),
        is_open=not case.state.is_final,
        ball=front.say(_who_acts(case.state, told)),
        due_label=front.say(label),
        due_on=front.times.day(due_at),
        is_late=told.is_late,
        days=customer_days(case, front.now),
        question=told.question,
        answer=told.answer,
        points=points_of(case.issues, version.policy, front.language) if case.answered_at else (),
        earlier=tuple(reversed(_earlier(opened, version.policy, front))),
        gets_letters=gets_letters,
        review=_when_to_review(told, case.state, front),
        review_until=front.times.day(told.review_until),
        offered=frozenset(action.value for action in told.offered),
        steps=tuple(_step(step, front) for step in reversed(told.steps)),
    )


def _earlier(opened: Dossier, policy: Policy, front: Front) -> list[EarlierAnswer]:
    answered = answered_before(opened)
    labels = (
        [front.say("Our answer before we looked at it again")]
        if len(answered) == 1
        else [front.say("Our answer no. %(number)s", number=number) for number in range(1, len(answered) + 1)]
    )
    return [
        EarlierAnswer(label, opened.text(before.answer), points_of(before.case.issues, policy, front.language))
        for label, before in zip(labels, answered, strict=True)
    ]


def _who_acts(state: State, told: TrackedView) -> str:
    if state is State.WAITING_FOR_COMPLAINANT:
        return "You: please answer our question"
    if state is State.ANSWERED:
        return "We do: we note what went wrong and close it. Then you may ask us to look again"
    if state is State.CLOSED and Action.REOPEN in told.offered:
        return "Nobody has to. You may ask us to look again"
    return "Nobody" if state.is_final else "We do"


def _when_to_review(told: TrackedView, state: State, front: Front) -> str:
    day = front.times.day(told.review_until)
    if state is State.ANSWERED and day:
        return front.say("As soon as it is closed, and at least until %(day)s", day=day)
    if Action.REOPEN not in told.offered:
        return ""
    return front.say("Until %(day)s", day=day) if day else front.say("At any time")


def _next_date(told: TrackedView, state: State, *, gets_letters: bool) -> tuple[str, datetime | None]:
    """Return the next date the sender should know, and what it is."""
    if state is State.WAITING_FOR_COMPLAINANT and told.reply_by is not None:
        return "Please answer by", told.reply_by
    if told.acknowledge_by is not None and told.answer_by is not None:
        return ("A person writes to you by" if gets_letters else "A person looks after it by"), told.acknowledge_by
    return ("You have our answer by" if gets_letters else "Our answer stands here by"), told.answer_by


def _step(step: StepView, front: Front) -> StepLine:
    is_theirs = step.what.startswith(("You ", "We have your reply"))
    by = "complainant" if is_theirs else "staff"
    return StepLine(front.times.moment(step.at), front.say(step.what), step.text, by)


@router.post("/a/{slug}/track/act")
async def act_on_own(request: Request, slug: str, services: Given, _: Annotated[object, Depends(public)]) -> Response:
    """Add something, answer a question, withdraw, or ask to look again."""
    front = await front_of(request, services, slug)
    visitor = await visited(request, front, is_shown=False)
    if visitor is None:
        return to(f"{front.home}/track")
    form = await sent(request, front.tongue)
    try:
        asked = _asked(form)
        case_id = visitor.opened.case.id
        await act(services, front.slug, COMPLAINANT, case_id, asked, key=f"{form.key}-{asked.action}")
    except (Faults, Unprocessable, Refused) as wrong:
        await forgive(request)
        errors = wrong.errors if isinstance(wrong, Faults) else {"": front.say(_why_not(wrong))}
        now_there = await visited(request, front) or visitor
        again = form.again(errors)
        return await _tracked_page(request, front, now_there.opened, again, HTTPStatus.UNPROCESSABLE_ENTITY)
    return to(f"{front.home}/track/view?done=sent")


def _why_not(wrong: Unprocessable | Refused) -> str:
    """Return why something cannot be done, in the words of somebody who does not know how we work."""
    match wrong:
        case TooLate():
            return "The time to ask for a review is over. Please make a new complaint; we read it as well."
        case WrongState():
            return "This is not possible any more: your complaint has moved on. See below where it stands now."
        case _:
            return "This could not be done. Please look at this page again, or call us."


def _asked(form: Sent) -> NoteAsked | RecordInformationAsked | WithdrawAsked | ReopenAsked:
    texts = {
        Action.NOTE: ("note", form.say("Write what we should know.")),
        Action.RECORD_INFORMATION: ("reply", form.say("Write your answer.")),
        Action.REOPEN: ("again", form.say("Tell us what is not right.")),
        Action.WITHDRAW: ("why", ""),
    }
    chosen = form.code("action", {action.value for action in texts}, missing=form.say("Choose what to do."))
    action = Action(chosen or Action.NOTE)
    field, missing = texts[action]
    text = form.text(field, missing=missing)
    form.check()
    match action:
        case Action.RECORD_INFORMATION:
            return RecordInformationAsked(action=Action.RECORD_INFORMATION, text=text)
        case Action.REOPEN:
            return ReopenAsked(action=Action.REOPEN, text=text)
        case Action.WITHDRAW:
            return WithdrawAsked(action=Action.WITHDRAW, text=text or None)
        case _:
            return NoteAsked(action=Action.NOTE, text=text)
