# SPDX-License-Identifier: Apache-2.0
"""Lists of affected people for tests: put into the record as the API puts them, begun by their fix's event."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.interface import AffectedAddress, FixAddress
from models.fixes.affected import AffectedPerson
from models.fixes.commands import ListAffected
from models.fixes.fix import Fix
from models.fixes.terms import Help
from models.messages import canonical, sha256
from tests.fix_record import fix_words
from tests.given import SUE, a_key
from tests.record import Record

_LIST = text("""
    SELECT * FROM list_affected(:agency, :list_id, :fix_id, :help, :request_hash, :by, :at, CAST(:people AS jsonb))
""")
WORDS = "We sent your papers to the wrong office. They are where they belong now."


def people(count: int) -> tuple[AffectedPerson, ...]:
    """Return so many people who can be written to."""
    return tuple(a_person(f"Person {n}", f"person-{n}@home.example") for n in range(1, count + 1))


def a_person(name: str, email: str = "", **told: Any) -> AffectedPerson:
    """Return somebody who is written to in English unless told otherwise."""
    return AffectedPerson.model_validate({"name": name, "email": email, "language": "en", **told})


async def listed(
    record: Record,
    fix: Fix,
    people_: Iterable[AffectedPerson],
    *,
    help_: Help = Help.NOTIFY,
    list_id: UUID | None = None,
) -> AffectedAddress:
    """Put a list into the record, and return where it is."""
    listed_people, address = tuple(people_), AffectedAddress(agency=fix.agency, list_id=list_id or uuid4())
    values = {
        "agency": address.agency,
        "list_id": address.list_id,
        "fix_id": fix.id,
        "help": help_.value,
        "request_hash": sha256(canonical([str(fix.id), help_.value, [person.row() for person in listed_people]])),
        "by": "sue",
        "at": datetime.now(UTC),
        "people": json.dumps([person.row() for person in listed_people]),
    }
    async with record.engine.begin() as connection:
        await connection.execute(_LIST, values)
    return address


async def beginning(
    record: Record, fix: Fix, address: AffectedAddress, *, help_: Help = Help.NOTIFY, count: int = 1
) -> ListAffected:
    """Return the command that has the people on a list helped."""
    where = FixAddress(agency=fix.agency, fix_id=fix.id)
    return ListAffected(
        actor=SUE,
        key=a_key(),
        list_id=address.list_id,
        help=help_,
        people_count=count,
        source=await fix_words(record, where, "A list of the benefits office", "source"),
        words=await fix_words(record, where, WORDS),
    )


async def rows_of(engine: AsyncEngine, address: AffectedAddress) -> list[Any]:
    """Return the people of a list as the record has them, in order."""
    async with engine.connect() as connection:
        query = text("SELECT * FROM affected_person WHERE list_id = :id ORDER BY number")
        return list((await connection.execute(query, {"id": address.list_id})).all())


async def list_row(engine: AsyncEngine, address: AffectedAddress) -> Any:
    """Return the list's own row."""
    async with engine.connect() as connection:
        query = text("SELECT * FROM affected_list WHERE list_id = :id")
        return (await connection.execute(query, {"id": address.list_id})).one()
