# SPDX-License-Identifier: Apache-2.0
"""What every page shares: the frame, the menu, messages, and problems told as pages.

All words of a page stand in its template; those for complainants are said in their language (api/pages/languages.py).
Staff read English.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.actions import Busy
from api.identity import services_of
from api.pages.assets import address_of
from api.pages.languages import ENGLISH, Tongue, read_in, spoken, tongue_of
from api.pages.words import ROLES, Option
from api.problems import NotFound, NotSignedIn, Problem, problem_of
from api.reads.database import RecordAway
from api.reads.paging import BadCursor
from api.reads.people import Staff
from api.reads.policies import UnknownAgency
from models.refusals import Refused
from models.terms import Role

SITE_NAME = "Putright"
NOTHING_HERE = "There is nothing at this address. It may be misspelled, or what stood here is gone."
TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
WORKERS = (Role.INTAKE, Role.CASEWORKER, Role.SUPERVISOR)
READERS = (*WORKERS, Role.AUDITOR)
DESK = (*WORKERS, Role.LIAISON)
DECIDERS = (Role.SUPERVISOR,)
ANALYSTS = (Role.SUPERVISOR, Role.ANALYST)
LEADERS = (Role.SUPERVISOR, Role.LIAISON)
CODERS = (Role.CASEWORKER, *ANALYSTS)
Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_EXPECTED = (Problem, Refused, Busy, RecordAway, BadCursor, UnknownAgency)
_HEADINGS = {
    HTTPStatus.NOT_FOUND: "This page does not exist",
    HTTPStatus.FORBIDDEN: "This is for others",
    HTTPStatus.TOO_MANY_REQUESTS: "One moment, please",
    HTTPStatus.SERVICE_UNAVAILABLE: "We cannot do this right now",
    HTTPStatus.CONFLICT: "This cannot be done",
}
_OTHER_HEADING = "This did not work"
_FOR_THE_PUBLIC = {
    HTTPStatus.NOT_FOUND: NOTHING_HERE,
    HTTPStatus.TOO_MANY_REQUESTS: "Too many have asked in a short time. Please wait a minute, and try again.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Please try again in a moment. What you sent twice counts once.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "What you sent is too long. Please shorten it, and send it again.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong on our side, and it is noted. Please try again later.",
}
"""What a problem is to a reader of another language; its own sentence, which says more, is in English."""
_SEND_AGAIN = "Wait a moment, then reload this page and let your browser send it again: nothing is done twice."
"""A reload is the same request with the same key, which a form carries; people know of no keys."""
_NOT_UNDERSTOOD = "We could not understand what was sent. Please go back, and try again."


@dataclass(frozen=True, slots=True)
class MenuLink:
    """A line of the menu."""

    name: str
    label: str
    href: str
    roles: tuple[Role, ...]


MENU = (
    MenuLink("work", "My work", "/work", WORKERS),
    MenuLink("audit", "Audit", "/audit", (Role.AUDITOR,)),
    MenuLink("admin", "Administration", "/admin", (Role.ADMINISTRATOR,)),
    MenuLink("queue", "Queue", "/queue", READERS),
    MenuLink("desk", "Desk", "/desk", DESK),
    MenuLink("signals", "Signals", "/signals", ANALYSTS),
    MenuLink("coding", "Coding", "/coding", CODERS),
    MenuLink("fixes", "Fixes", "/fixes", (*ANALYSTS, Role.LIAISON)),
    MenuLink("workload", "Workload", "/workload", LEADERS),
)


@dataclass(frozen=True, slots=True)
class Flash:
    """What came of the last form, in a sentence above the page."""

    text: str
    tone: str = "good"


DONE = {
    "taken": "You have taken this case.",
    "acted": "Done, and recorded.",
    "sent": "Thank you. We have it.",
    "planned": "The day is planned.",
    "solved": "Solved on the spot, and closed.",
    "follow-up": "The follow-up is set.",
    "decided": "Your decision is recorded.",
    "attached": "It stands beside the signal now.",
    "fix-opened": "The fix is open. What comes next stands first.",
    "signed-out": "You are signed out.",
    "account-added": "The account is added.",
    "account-closed": "The account is closed. Its sessions and tokens end at once.",
    "account-opened": "The account is open again.",
    "token-revoked": "The token is revoked. It stops working within seconds.",
}
"""The messages a redirect may ask for by ?done=…; nothing personal ever stands in an address."""


@cache
def _environment(language: str) -> Environment:
    """Return the templates in one language; a template is translated as it is read, so each has its own."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    environment.install_gettext_translations(tongue_of(language), newstyle=True)  # type: ignore[attr-defined]  # given by the i18n extension
    environment.globals["static"] = address_of
    return environment


def page(
    request: Request,
    template: str,
    context: Mapping[str, object],
    *,
    status: int = HTTPStatus.OK,
    tongue: Tongue = ENGLISH,
) -> HTMLResponse:
    """Return a page; nobody but the asker's own browser may keep it."""
    done = DONE.get(request.query_params.get("done", ""))
    shared = {
        "language": tongue.code,
        "site_name": SITE_NAME,
        "signs_anyone_in": services_of(request).settings.signs_anyone_in,
        "flash": Flash(tongue.say(done)) if done else None,
    }
    text = _environment(tongue.code).get_template(template).render({**shared, **context})
    return HTMLResponse(text, status_code=status, headers={"Cache-Control": "no-store"})


def staff_page(
    request: Request,
    person: Staff,
    agency_name: str,
    here: str,
    template: str,
    context: Mapping[str, object],
    *,
    status: int = HTTPStatus.OK,
) -> HTMLResponse:
    """Return a page of the staff's side, with the menu of the role the person acts in."""
    return page(request, template, {**_staff_frame(person, agency_name, here), **context}, status=status)


def _staff_frame(person: Staff, agency_name: str, here: str) -> dict[str, object]:
    return {
        "person": person,
        "agency_name": agency_name,
        "role_label": ROLES[person.role],
        "other_roles": [Option(role.value, ROLES[role]) for role in person.roles if role is not person.role],
        "links": [link for link in MENU if person.role in link.roles],
        "first_page": first_page_of(person.role),
        "may_search": person.role in READERS,
        "here": here,
    }


def to(address: str) -> RedirectResponse:
    """Send the browser on after a form, so that reloading asks for nothing twice."""
    return RedirectResponse(address, status_code=HTTPStatus.SEE_OTHER)


def on_to(request: Request, address: str) -> Response:
    """Send the browser on to another page, also where a part of a page was asked for."""
    if "hx-request" in request.headers:
        return Response(headers={"HX-Redirect": address})
    return to(address)


def first_page_of(role: Role) -> str:
    """Return where a role's day begins."""
    return next((link.href for link in MENU if role in link.roles), "/")


def safe_address(address: str) -> str:
    """Return an address of this site to go on to, or nothing: nobody is sent elsewhere."""
    parts = urlsplit(address)
    is_ours = (
        not parts.scheme and not parts.netloc and address.startswith("/") and not address.startswith(("//", "/\\"))
    )
    return address if is_ours else ""


class PageRoute(APIRoute):
    """A route whose problems are told as pages, and whose strangers are asked to sign in."""

    def get_route_handler(self) -> Handler:
        """Return the handler with expected errors made into pages."""
        handler = super().get_route_handler()

        async def with_problems_as_pages(request: Request) -> Response:
            try:
                return await handler(request)
            except RequestValidationError as error:
                # An address that holds no id where one belongs is one that nothing is at.
                is_address = any(fault["loc"][:1] == ("path",) for fault in error.errors())
                return await problem_page(request, NotFound(NOTHING_HERE) if is_address else problem_of(error))
            except _EXPECTED as error:
                return await problem_page(request, problem_of(error))

        return with_problems_as_pages


def wants_page(request: Request) -> bool:
    """Return whether a person with a browser asks, and not a program."""
    is_interface = request.url.path.startswith(("/api/", "/healthz", "/readyz"))
    return not is_interface and "text/html" in request.headers.get("accept", "")


async def problem_page(request: Request, problem: Problem) -> Response:
    """Return what a person sees of a problem; with the menu, where it is known who they are."""
    if isinstance(problem, NotSignedIn):
        return to(f"/sign-in?next={quote(request.url.path, safe='/')}" if request.method == "GET" else "/sign-in")
    person: Staff | None = getattr(request.state, "person", None)
    tongue = ENGLISH if person else _tongue_of(request)
    heading = tongue.say(_HEADINGS.get(HTTPStatus(problem.status), _OTHER_HEADING))
    start = first_page_of(person.role) if person else "/"
    told: dict[str, object] = {
        "heading": heading,
        "sentence": _sentence(request, problem, tongue),
        "frame": "base.html",
    }
    told["back"] = _back(request, start)
    if person is not None and (agency := await _agency_name(request, person)) is not None:
        told |= {**_staff_frame(person, agency, ""), "frame": "staff/frame.html"}
    response = page(request, "problem.html", told, status=problem.status, tongue=tongue)
    response.headers.update(problem.headers)
    return response


def _tongue_of(request: Request) -> Tongue:
    """Return the language of the public's page that was asked for; elsewhere what the browser reads, if we have it."""
    known: Tongue | None = getattr(request.state, "tongue", None)
    return known or tongue_of(read_in(request, spoken()))


def _sentence(request: Request, problem: Problem, tongue: Tongue) -> str:
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE and request.method == "POST":
        return tongue.say(_SEND_AGAIN)
    if tongue is ENGLISH:
        return problem.detail
    return tongue.say(_FOR_THE_PUBLIC.get(HTTPStatus(problem.status), _NOT_UNDERSTOOD))


async def _agency_name(request: Request, person: Staff) -> str | None:
    """Return the name of somebody's agency, or None where the record is away: then the page goes without."""
    services = services_of(request)
    try:
        return (await services.policies.agency_named(person.agency, services.clock())).name
    except (RecordAway, UnknownAgency):
        return None


def _back(request: Request, start: str) -> str:
    came_from = urlsplit(request.headers.get("referer", ""))
    is_ours = came_from.netloc == request.url.netloc and came_from.path.startswith("/")
    return came_from.path if is_ours and came_from.path != request.url.path else start
