# SPDX-License-Identifier: Apache-2.0
"""The door for staff: the page from which people sign in."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response

from api.identity import Given, open_to_all
from api.pages.site import PageRoute, page, safe_address

router = APIRouter(include_in_schema=False, route_class=PageRoute)
DEMONSTRATION = (
    ("ann", "caseworker"),
    ("ben", "caseworker"),
    ("ivy", "intake desk"),
    ("sue", "supervisor"),
    ("amy", "analyst"),
    ("leo", "liaison"),
    ("adm", "administrator"),
    ("odo", "auditor"),
)
"""The accounts that a demonstration has; shown only where the local provider lets anybody in."""


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
            "accounts": DEMONSTRATION,
        },
    )
