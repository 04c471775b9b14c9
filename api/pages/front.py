# SPDX-License-Identifier: Apache-2.0
"""An agency as the public meets it: its frame, its words, and the language they are read in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from fastapi import Request, Response

from api.pages.languages import ASKED, NAMES, Tongue, offered, read_in, remember, tongue_of
from api.pages.site import page
from api.pages.words import Times, times_of
from api.problems import NotFound
from api.reads.policies import UnknownAgency
from api.services import Services
from models.policy import Policy

_ANSWERS_TO = {"/complain/send": "/complain", "/track/act": "/track/view"}
"""Where the page stands on which a form that was refused is shown again."""


@dataclass(frozen=True, slots=True)
class OtherLanguage:
    """The way to a page in another language."""

    code: str
    name: str
    href: str


@dataclass(frozen=True, slots=True)
class Front:
    """An agency as the public meets it."""

    services: Services
    slug: str
    policy: Policy
    tongue: Tongue
    times: Times
    now: datetime

    @property
    def home(self) -> str:
        """Where the agency's pages begin."""
        return f"/a/{self.slug}"

    @property
    def language(self) -> str:
        """The language of the page."""
        return self.tongue.code

    def say(self, sentence: str, **values: object) -> str:
        """Return a sentence in the language of the page."""
        return self.tongue.say(sentence, **values)

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
            "other_languages": other_languages(request, offered(agency.languages), self.language),
            "route_outside": agency.external_route[self.language],
            "notice": agency.notice[self.language],
        }
        response = page(request, template, frame | context, status=status, tongue=self.tongue)
        if self.language == request.query_params.get(ASKED):
            remember(response, self.language, is_https=self.services.settings.is_https)
        return response


async def front_of(request: Request, services: Services, slug: str) -> Front:
    """Return the agency of an address in the language of whoever asks; raises NotFound."""
    now = services.clock()
    try:
        agency = await services.policies.agency_named(slug, now)
    except UnknownAgency as problem:
        raise NotFound(str(problem)) from problem
    policy = (await services.policies.current(agency.slug, now)).policy
    tongue = tongue_of(read_in(request, offered(policy.agency.languages)))
    # A page that tells of a problem is in the same language as the page that was asked for.
    request.state.tongue = tongue
    return Front(services, agency.slug, policy, tongue, times_of(agency.time_zone, tongue.code), now)


def other_languages(request: Request, languages: Iterable[str], here: str) -> tuple[OtherLanguage, ...]:
    """Return the same page in the other languages, each called as its readers call it."""
    path = request.url.path
    for sent_to, shown_at in _ANSWERS_TO.items():
        if path.endswith(sent_to):
            path = path.removesuffix(sent_to) + shown_at
    return tuple(
        OtherLanguage(code, NAMES.get(code, code), f"{path}?{ASKED}={code}") for code in languages if code != here
    )
