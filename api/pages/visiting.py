# SPDX-License-Identifier: Apache-2.0
"""A visit to one's own complaint: reference and secret, shown once, go with the browser for as long as it lasts.

They never stand in an address: a cookie that is shown to no script holds them, and every page checks them anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from fastapi import Request
from fastapi.responses import RedirectResponse

from api.identity import COMPLAINANT
from api.pages.front import Front
from api.reads.cases import Dossier, dossier, id_of_reference
from api.track import WRONG_SECRET
from api.writes.audit import Looked, note_read
from models.references import is_secret, normal_reference

LASTS = timedelta(minutes=30)
COOKIE = "complaint"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who has shown reference and secret, and what they opened."""

    opened: Dossier
    secret: str = field(repr=False)


def visit(response: RedirectResponse, front: Front, reference: str, secret: str) -> RedirectResponse:
    """Have the browser show reference and secret for the length of a visit, on this agency's pages only."""
    response.set_cookie(
        COOKIE,
        f"{reference}.{secret}",
        max_age=int(LASTS.total_seconds()),
        path=front.home,
        secure=front.services.settings.is_https,
        httponly=True,
        samesite="lax",
    )
    return response


async def visited(request: Request, front: Front, *, is_shown: bool = True) -> Visitor | None:
    """Return the complaint that the visitor has shown reference and secret for, or None.

    A complaint that is shown is noted as looked at: once for every page, not for what leads to it.
    """
    reference, _, secret = request.cookies.get(COOKIE, "").partition(".")
    opened = await _opened(front, reference, secret, is_shown=is_shown)
    return Visitor(opened, secret) if opened else None


async def may_visit(front: Front, reference: str, secret: str) -> bool:
    """Return whether reference and secret belong together."""
    return await _opened(front, reference, secret, is_shown=False) is not None


async def _opened(front: Front, reference: str, secret: str, *, is_shown: bool) -> Dossier | None:
    if normal_reference(reference) is None:
        return None
    async with front.services.database.of(front.slug) as connection:
        case_id = await id_of_reference(connection, reference)
        if case_id is None:
            return None
        if not is_secret(secret, case_id, front.services.complainant_secrets):
            await note_read(connection, front.slug, COMPLAINANT, Looked.TRACK, case_id=case_id, asked=WRONG_SECRET)
            return None
        if is_shown:
            await note_read(connection, front.slug, COMPLAINANT, Looked.TRACK, case_id=case_id)
        return await dossier(connection, case_id)
