# SPDX-License-Identifier: Apache-2.0
"""The auditor's page: who looked at what, who changed ways in, and the anchors that prove nothing was taken away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response

from api.identity import Given, who
from api.pages.admin import change_lines
from api.pages.forms import Form
from api.pages.place import Place, place_of
from api.pages.site import PageRoute
from api.pages.words import ROLES, Option
from api.reads.accounts import account_changes, accounts
from api.reads.audit import AnchorRow, ReadRow, anchors, case_named, reads
from api.reads.people import Staff
from models.terms import Role

router = APIRouter(include_in_schema=False, route_class=PageRoute)
ROWS = 50
ANCHORS_SHOWN = 14
COMPLAINANT = "complainant"
_LOOKED = {
    "case": "opened the case",
    "events": "read its story",
    "fix": "looked at fixes",
    "list": "listed cases",
    "search": "searched",
    "signal": "looked at signals",
    "track": "looked where it stands",
}
_WRONG_SECRET = "showed a wrong code"  # noqa: S105 - the words for it
_UNKNOWN_CASE = "There is no complaint with this number here."


@dataclass(frozen=True, slots=True)
class ReadLine:
    """A look, as a line of the table."""

    at: str
    who: str
    role: str
    did: str
    reference: str
    href: str
    asked: str


@dataclass(frozen=True, slots=True)
class AnchorLine:
    """A day's anchor, as a line of the table."""

    day: str
    receipts: str
    cases: str
    mark: str
    made: str


@router.get("/audit")
async def audit(request: Request, services: Given, person: Annotated[Staff, Depends(who(Role.AUDITOR))]) -> Response:
    """Show who looked at what, by case and by person where asked; filters stand in the address."""
    place = await place_of(services, person)
    asked = {name: _plain(request.query_params.get(name, "")) for name in ("case", "person")}
    cursor = request.query_params.get("after") or None
    async with services.database.of(person.agency) as connection:
        people = await accounts(connection)
        names = {each.name: each.display_name for each in people}
        case_id = await case_named(connection, asked["case"])
        errors = {"case": _UNKNOWN_CASE} if asked["case"] and case_id is None else {}
        found = await reads(
            connection, case_id=case_id, actor=asked["person"] or None, cursor=cursor, limit=ROWS
        )  # fmt: skip
        kept = await anchors(connection, ANCHORS_SHOWN)
        changes = await account_changes(connection)
    here = {name: value for name, value in asked.items() if value}
    older = urlencode(here | {"after": found.next_cursor}) if found.next_cursor else ""
    return place.page(
        request,
        "audit",
        "admin/audit.html",
        form=Form(asked, errors),
        people=(Option(COMPLAINANT, "A complainant"), *(Option(each.name, each.display_name) for each in people)),
        rows=[] if errors else [_read(row, place, names) for row in found.rows],
        older=f"/audit?{older}" if older and not errors else "",
        newer=f"/audit?{urlencode(here)}".rstrip("?") if cursor else "",
        anchors=[_anchor(row, place) for row in kept],
        changes=change_lines(changes, place, names),
    )


def _plain(typed: str) -> str:
    return typed.replace("\x00", " ").strip()


def _read(row: ReadRow, place: Place, names: dict[str, str]) -> ReadLine:
    told = dict(row.asked or {})
    did = _WRONG_SECRET if told.pop("refused", None) else _LOOKED[row.what]
    return ReadLine(
        at=place.times.moment(row.at),
        who="A complainant" if row.role is Role.COMPLAINANT else names.get(row.actor, row.actor),
        role="" if row.role is Role.COMPLAINANT else ROLES[row.role],
        did=did,
        reference=row.reference or "",
        href=f"/cases/{row.case_id}" if row.case_id else "",
        asked=", ".join(f"{name.replace('_', ' ')}: {_value(value)}" for name, value in told.items()),
    )


def _value(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _anchor(row: AnchorRow, place: Place) -> AnchorLine:
    return AnchorLine(
        day=place.times.day(row.day),
        receipts=f"{row.receipt_count:,}",
        cases=f"{row.case_count:,}",
        mark=row.hash.hex()[:16],
        made=place.times.moment(row.made_at),
    )
