# SPDX-License-Identifier: Apache-2.0
"""The complainant's pages: tell us, get a receipt, see where it stands, answer a question. No account, no script.

Reference and secret never stand in an address: the browser keeps them in a cookie that lasts as long as a visit, is
shown to no script, and is checked anew with every page.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from api.acting import act
from api.filing import PUBLIC_CHANNEL, file_complaint
from api.identity import COMPLAINANT, Given, forgive, open_to_all, public
from api.pages.asking import errors_of
from api.pages.filing_form import category_options, filed_of, service_options
from api.pages.forms import Faults, Form, Sent, sent
from api.pages.site import PageRoute, page, to
from api.pages.words import FINDINGS, LANGUAGES, Option, Times, times_of
from api.problems import NotFound, Unprocessable
from api.reads.cases import Dossier, dossier, id_of_reference
from api.reads.policies import UnknownAgency
from api.services import Services
from api.shapes_actions import NoteAsked, RecordInformationAsked, ReopenAsked, WithdrawAsked
from api.shapes_cases import StepView
from api.track import WRONG_SECRET
from api.views import tracked_view
from api.writes.audit import Looked, note_read
from models.case import Case
from models.clocks import customer_days
from models.policy import Policy
from models.references import is_secret, normal_reference
from models.refusals import Refused
from models.terms import Action, ClockName, State

router = APIRouter(include_in_schema=False, route_class=PageRoute)
VISIT = timedelta(minutes=30)
COOKIE = "complaint"
_NO_MATCH = "This number and this code do not belong together. Please look at your receipt again."
_TEXT_OF = {
    Action.NOTE: ("note", "Write what we should know."),
    Action.RECORD_INFORMATION: ("reply", "Write your answer."),
    Action.REOPEN: ("again", "Tell us what is not right."),
    Action.WITHDRAW: ("why", ""),
}


@dataclass(frozen=True, slots=True)
class Front:
    """An agency as the public meets it."""

    services: Services
    slug: str
    policy: Policy
    times: Times
    now: datetime

    @property
    def home(self) -> str:
        """Where the agency's pages begin."""
        return f"/a/{self.slug}"

    @property
    def language(self) -> str:
        """The language of the page."""
        return self.policy.agency.languages[0]

    def page(
        self, request: Request, here: str, template: str, *, status: int = HTTPStatus.OK, **context: object
    ) -> Response:
        """Return a page with the agency's frame around it."""
        agency = self.policy.agency
        frame = {
            "agency": agency,
            "home": self.home,
            "here": here,
            "site_name": agency.name,
            "language": self.language,
            "route_outside": agency.external_route[self.language],
            "notice": agency.notice[self.language],
        }
        return page(request, template, frame | context, status=status)


async def front_of(services: Services, slug: str) -> Front:
    """Return the agency of an address; raises NotFound."""
    now = services.clock()
    try:
        agency = await services.policies.agency_named(slug, now)
    except UnknownAgency as problem:
        raise NotFound(str(problem)) from problem
    policy = (await services.policies.current(agency.slug, now)).policy
    return Front(services, agency.slug, policy, times_of(agency.time_zone), now)


@router.get("/")
async def root(request: Request, services: Given, _: Annotated[object, Depends(open_to_all)]) -> Response:
    """Show the agency, or the choice where there are several."""
    agencies = await services.policies.agencies(services.clock())
    if len(agencies) == 1:
        return await start(request, agencies[0].slug, services, _)
    return page(request, "public/agencies.html", {"agencies": agencies})


@router.get("/a/{slug}")
async def start(request: Request, slug: str, services: Given, _: Annotated[object, Depends(open_to_all)]) -> Response:
    """Show what we promise, and the two ways on."""
    front = await front_of(services, slug)
    shown = [s for s in front.policy.standards.standards if s.clock is not ClockName.RECEIPT]
    promises = [standard.promise_in(front.language) for standard in shown]
    return front.page(request, "start", "public/start.html", promises=promises)


@router.get("/a/{slug}/complain")
async def complaint_form(
    request: Request, slug: str, services: Given, _: Annotated[object, Depends(open_to_all)]
) -> Response:
    """Show the form of a complaint."""
    front = await front_of(services, slug)
    response = _complaint_form(request, front, Form({"language": front.language}))
    # Nothing personal stands in it yet. Kept, it has the same key when somebody goes back and sends it again; so it is
    # sent to another address, for browsers forget a page to whose own address something was posted.
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _complaint_form(request: Request, front: Front, form: Form, status: int = HTTPStatus.OK) -> Response:
    agency, language = front.policy.agency, front.language
    return front.page(
        request,
        "complain",
        "public/complain.html",
        status=status,
        form=form,
        services=service_options(front.policy, language),
        categories=category_options(front.policy, language),
        offices=[Option(office.id, office.name) for office in agency.offices],
        languages=[Option(code, LANGUAGES.get(code, code)) for code in agency.languages],
    )


@router.get("/a/{slug}/complain/send")
async def complaint_form_again(slug: str, services: Given, _: Annotated[object, Depends(open_to_all)]) -> Response:
    """Lead back to the form whoever comes here by the address alone."""
    return to(f"{(await front_of(services, slug)).home}/complain")


@router.post("/a/{slug}/complain/send")
async def complain(request: Request, slug: str, services: Given, _: Annotated[object, Depends(public)]) -> Response:
    """Take a complaint in; the same form sent twice is one complaint."""
    front = await front_of(services, slug)
    form = await sent(request)
    try:
        filed = filed_of(form, front.policy, agency=front.slug, channel=PUBLIC_CHANNEL)
        taken = await file_complaint(services, filed, staff=None, key=form.key)
    except (Faults, Unprocessable) as wrong:
        await forgive(request)
        errors = wrong.errors if isinstance(wrong, Faults) else errors_of(wrong)
        return _complaint_form(request, front, form.again(errors), HTTPStatus.UNPROCESSABLE_ENTITY)
    return _visiting(to(f"{front.home}/receipt"), front, taken.receipt.reference, taken.secret)


def _visiting(response: RedirectResponse, front: Front, reference: str, secret: str) -> RedirectResponse:
    """Have the browser show reference and secret for the length of a visit, on this agency's pages only."""
    response.set_cookie(
        COOKIE,
        f"{reference}.{secret}",
        max_age=int(VISIT.total_seconds()),
        path=front.home,
        secure=front.services.settings.is_https,
        httponly=True,
        samesite="lax",
    )
    return response


async def _visited(request: Request, front: Front) -> tuple[Dossier, str] | None:
    """Return the complaint that the visitor has shown reference and secret for, and the secret; or None."""
    reference, _, secret = request.cookies.get(COOKIE, "").partition(".")
    found = await _opened(front, reference, secret)
    return (found, secret) if found else None


async def _opened(front: Front, reference: str, secret: str) -> Dossier | None:
    if normal_reference(reference) is None:
        return None
    async with front.services.database.of(front.slug) as connection:
        case_id = await id_of_reference(connection, reference)
        if case_id is None:
            return None
        if not is_secret(secret, case_id, front.services.complainant_secrets):
            await note_read(connection, front.slug, COMPLAINANT, Looked.TRACK, case_id=case_id, asked=WRONG_SECRET)
            return None
        await note_read(connection, front.slug, COMPLAINANT, Looked.TRACK, case_id=case_id)
        return await dossier(connection, case_id)


@router.get("/a/{slug}/receipt")
async def receipt(request: Request, slug: str, services: Given, _: Annotated[object, Depends(public)]) -> Response:
    """Show the receipt of the complaint just sent: number, secret, next dates; made to be printed."""
    front = await front_of(services, slug)
    visited = await _visited(request, front)
    if visited is None:
        return to(f"{front.home}/track")
    opened, secret = visited
    case = opened.case
    version = await services.policies.of_case(case, front.now)
    acknowledge_by, answer_by = version.next_dates(case.counted_from)
    return front.page(
        request,
        "complain",
        "public/receipt.html",
        reference=case.receipt.reference,
        secret=secret,
        acknowledge_by=front.times.day(acknowledge_by),
        answer_by=front.times.day(answer_by),
        gets_letters=case.receipt.can_be_written_to,
        can_be_called=case.receipt.contact is not None,
    )


@router.get("/a/{slug}/track")
async def track_form(
    request: Request, slug: str, services: Given, _: Annotated[object, Depends(open_to_all)]
) -> Response:
    """Ask for reference and secret."""
    front = await front_of(services, slug)
    return front.page(request, "track", "public/track.html", form=Form())


@router.post("/a/{slug}/track")
async def track(request: Request, slug: str, services: Given, _: Annotated[object, Depends(public)]) -> Response:
    """Check reference and secret, and go to the complaint."""
    front = await front_of(services, slug)
    form = await sent(request)
    reference = form.line("reference", missing="Write your number.")
    secret = form.line("secret", missing="Write your secret code.")
    if not form.errors:
        if (normal := normal_reference(reference)) and await _opened(front, normal, secret):
            return _visiting(to(f"{front.home}/track/view"), front, normal, secret)
        form.errors["reference"] = _NO_MATCH
    return front.page(request, "track", "public/track.html", form=form.again(), status=HTTPStatus.UNPROCESSABLE_ENTITY)


@router.post("/a/{slug}/track/leave")
async def leave(slug: str, services: Given, _: Annotated[object, Depends(open_to_all)]) -> Response:
    """Forget reference and secret; for computers that others use."""
    front = await front_of(services, slug)
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
    findings: tuple[str, ...]
    gets_letters: bool
    review_until: str
    offered: frozenset[str]
    steps: tuple[StepLine, ...]


@router.get("/a/{slug}/track/view")
async def track_view(request: Request, slug: str, services: Given, _: Annotated[object, Depends(public)]) -> Response:
    """Show where the complaint stands, who acts next, and what its sender may do."""
    front = await front_of(services, slug)
    visited = await _visited(request, front)
    if visited is None:
        return to(f"{front.home}/track")
    return await _tracked_page(request, front, visited[0], Form())


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
    is_theirs = case.state is State.WAITING_FOR_COMPLAINANT
    gets_letters = case.receipt.can_be_written_to
    reply_by = told.reply_by if is_theirs else None
    label, due_at = _next_date(reply_by, told.acknowledge_by, told.answer_by, gets_letters=gets_letters)
    return Tracked(
        reference=told.reference,
        phase=told.phase,
        is_open=not case.state.is_final,
        ball=_who_acts(case.state),
        due_label=label,
        due_on=front.times.day(due_at),
        is_late=told.is_late,
        days=customer_days(case, front.now),
        question=told.question,
        answer=told.answer,
        findings=_findings(case) if told.answer else (),
        gets_letters=gets_letters,
        review_until=front.times.day(told.review_until),
        offered=frozenset(action.value for action in told.offered),
        steps=tuple(_step(step, front) for step in reversed(told.steps)),
    )


def _findings(case: Case) -> tuple[str, ...]:
    """Return what we found, point by point where there are several."""
    found = [(issue.number, FINDINGS[issue.finding].lower()) for issue in case.issues if issue.finding]
    if len(found) == 1:
        return (f"What we found: {found[0][1]}.",)
    return tuple(f"What we found on point {number}: {words}." for number, words in found)


def _who_acts(state: State) -> str:
    if state is State.WAITING_FOR_COMPLAINANT:
        return "You: please answer our question"
    if state is State.ANSWERED:
        return "We do: we note what went wrong and close it. Then you may ask us to look again"
    if state is State.CLOSED:
        return "Nobody has to. You may ask us to look again"
    return "Nobody" if state.is_final else "We do"


def _next_date(
    reply_by: datetime | None, acknowledge_by: datetime | None, answer_by: datetime | None, *, gets_letters: bool
) -> tuple[str, datetime | None]:
    """Return the next date the sender should know, and what it is."""
    if reply_by is not None:
        return "Please answer by", reply_by
    if acknowledge_by is not None and answer_by is not None:
        return ("A person writes to you by" if gets_letters else "A person looks after it by"), acknowledge_by
    return ("You have our answer by" if gets_letters else "Our answer stands here by"), answer_by


def _step(step: StepView, front: Front) -> StepLine:
    is_theirs = step.what.startswith(("You ", "We have your reply"))
    return StepLine(front.times.moment(step.at), step.what, step.text, "complainant" if is_theirs else "staff")


@router.post("/a/{slug}/track/act")
async def act_on_own(request: Request, slug: str, services: Given, _: Annotated[object, Depends(public)]) -> Response:
    """Add something, answer a question, withdraw, or ask to look again."""
    front = await front_of(services, slug)
    visited = await _visited(request, front)
    if visited is None:
        return to(f"{front.home}/track")
    form = await sent(request)
    case_id: UUID = visited[0].case.id
    try:
        asked = _asked(form)
        await act(services, front.slug, COMPLAINANT, case_id, asked, key=f"{form.key}-{asked.action}")
    except (Faults, Unprocessable, Refused) as wrong:
        await forgive(request)
        errors = wrong.errors if isinstance(wrong, Faults) else {"": str(wrong)}
        again = form.again(errors)
        return await _tracked_page(request, front, visited[0], again, HTTPStatus.UNPROCESSABLE_ENTITY)
    return to(f"{front.home}/track/view?done=sent")


def _asked(form: Sent) -> NoteAsked | RecordInformationAsked | WithdrawAsked | ReopenAsked:
    action = Action(
        form.code("action", {action.value for action in _TEXT_OF}, missing="Choose what to do.") or Action.NOTE
    )
    field, missing = _TEXT_OF[action]
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
