# SPDX-License-Identifier: Apache-2.0
"""Where a page of the staff's side stands: who looks, under which policy, at what moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fastapi import Request
from fastapi.responses import HTMLResponse

from api.pages.site import staff_page
from api.pages.words import Times, Words, times_of
from api.reads.people import Staff, colleagues
from api.services import Services
from models.case import Case
from models.policy import Policy


@dataclass(frozen=True, slots=True)
class Place:
    """What every page of the staff's side is made with."""

    services: Services
    person: Staff
    policy: Policy
    words: Words
    times: Times
    now: datetime

    def page(self, request: Request, here: str, template: str, *, status: int = 200, **context: object) -> HTMLResponse:
        """Return a page with the menu around it."""
        name = self.policy.agency.name
        told = {"words": self.words, **context}
        return staff_page(request, self.person, name, here, template, told, status=status)


async def place_of(services: Services, person: Staff, case: Case | None = None) -> Place:
    """Return the place of a page; that of a case stands under the policy the case was received under."""
    now = services.clock()
    if case is None:
        policy = (await services.policies.current(person.agency, now)).policy
    else:
        policy = (await services.policies.of_case(case, now)).policy
    times = times_of(policy.agency.time_zone)
    async with services.database.of(person.agency) as connection:
        people = await colleagues(connection)
    return Place(services, person, policy, Words(policy, people, times.on(now)), times, now)
