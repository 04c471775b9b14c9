# SPDX-License-Identifier: Apache-2.0
"""The complainant's side: reference and secret open one's own complaint, and nothing else does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Header

from api import acting
from api.actions import Busy
from api.identity import COMPLAINANT, Given, public
from api.problems import NotFound, TooMany, Unprocessable, problems
from api.reads.cases import Dossier, dossier
from api.reads.database import RecordAway
from api.reads.people import Staff
from api.reads.references import place_of_reference
from api.services import Services
from api.shapes import IdempotencyKey
from api.shapes_actions import ActionDone
from api.shapes_cases import TrackedView
from api.shapes_complaints import TrackActionAsked, TrackAsked
from api.views import tracked_view
from api.writes.audit import Looked, note_read
from models.references import is_secret, normal_reference
from models.refusals import Refused

router = APIRouter(prefix="/track", tags=["complainants"])
WRONG_SECRET = {"refused": "wrong secret"}
"""How the audit of reads tells a look that was refused from one that showed something."""
_UNKNOWN = "We know no complaint with this number and secret code. Check both; they stand on your receipt."


@dataclass(frozen=True, slots=True)
class Tracked:
    """A complaint whose sender has shown reference and secret."""

    agency: str
    dossier: Dossier


@router.post("", responses=problems(NotFound, Unprocessable, TooMany, RecordAway))
async def track(asked: TrackAsked, services: Given, _: Annotated[Staff | None, Depends(public)]) -> TrackedView:
    """Show a complaint to its sender: where it stands, the next dates, our question or our answer."""
    return await tracked(services, await found(services, asked.reference, asked.secret))


@router.post("/actions", responses=problems(NotFound, Unprocessable, TooMany, Refused, Busy, RecordAway))
async def act(
    asked: TrackActionAsked,
    services: Given,
    _: Annotated[Staff | None, Depends(public)],
    idempotency_key: Annotated[IdempotencyKey, Header()],
) -> ActionDone:
    """Do what a complainant may: add something, answer our question, withdraw, or ask to look again."""
    theirs = await found(services, asked.reference, asked.secret)
    case_id = theirs.dossier.case.id
    answer = await acting.act(services, theirs.agency, COMPLAINANT, case_id, asked.asked, key=idempotency_key)
    return ActionDone(case_id=case_id, sequence=answer.sequence, state=answer.state, at=answer.at)


async def found(services: Services, reference: str, secret: str) -> Tracked:
    """Return the complaint with this reference and secret; raises NotFound, for a wrong secret as for no complaint."""
    normal = normal_reference(reference)
    place = await place_of_reference(services.database, normal) if normal else None
    if place is None:
        raise NotFound(_UNKNOWN)
    is_theirs = is_secret(secret, place.case_id, services.complainant_secrets)
    async with services.database.of(place.agency) as connection:
        opened = await dossier(connection, place.case_id) if is_theirs else None
        asked = None if is_theirs else WRONG_SECRET
        await note_read(connection, place.agency, COMPLAINANT, Looked.TRACK, case_id=place.case_id, asked=asked)
    if opened is None:
        raise NotFound(_UNKNOWN)
    return Tracked(place.agency, opened)


async def tracked(services: Services, theirs: Tracked) -> TrackedView:
    """Return the complaint as its sender sees it."""
    now, case = services.clock(), theirs.dossier.case
    version = await services.policies.of_case(case, now)
    rules = await services.policies.rules(case, now)
    return tracked_view(theirs.dossier, rules, version.policy, COMPLAINANT, now)
