# SPDX-License-Identifier: Apache-2.0
"""The door for staff: the page from which people sign in; where anybody may be anybody, they choose here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response

from api.identity import Given, open_to_all
from api.pages.site import PageRoute, page, safe_address
from api.pages.words import ROLES
from api.reads.accounts import people_of_provider
from api.services import Services

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class Choice:
    """A person to go on as."""

    subject: str
    display_name: str
    roles: str
    agency: str
    """Said where there are several."""


@router.get("/sign-in")
async def sign_in_page(
    request: Request,
    services: Given,
    _: Annotated[object, Depends(open_to_all)],
    next: str = "",  # noqa: A002 - the word in the address
) -> Response:
    """Show the way in."""
    own = safe_address(next)
    going_to = f"?going_to={quote(own, safe='/')}" if own else ""
    return page(
        request,
        "sign_in.html",
        {
            "can_sign_in": services.sign_in is not None,
            "start": f"/sign-in/start{going_to}",
            "going_to": own,
            "people": await _choices(services),
        },
    )


async def _choices(services: Services) -> list[Choice]:
    if not services.settings.signs_anyone_in or services.sign_in is None:
        return []
    offered = await people_of_provider(services.database, services.sign_in.issuer)
    names = {agency.slug: agency.name for agency in await services.policies.agencies(services.clock())}
    are_several = len({person.agency for person in offered}) > 1
    return [
        Choice(
            person.subject,
            person.display_name,
            ", ".join(ROLES[role] for role in person.roles),
            names.get(person.agency, person.agency) if are_several else "",
        )
        for person in offered
    ]
