# SPDX-License-Identifier: Apache-2.0
"""People whom a failure affected: who they are by the agency's own cases, and how far their lists have come."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.fixes.affected import AffectedPerson, asked_cells, complainant_listed
from models.fixes.cells import families_of
from models.fixes.commands import CellRef
from models.policy import Policy
from models.tables.affected import affected_list, affected_person

EXCEPTIONS_SHOWN = 200
_WAYS = ("email", "post", "phone")
_COMPLAINANTS = text("SELECT * FROM complainants_in(CAST(:cells AS jsonb), :since, :until)")


@dataclass(frozen=True, slots=True)
class AffectedListRow:
    """A list of people, with how far it has come."""

    list_id: UUID
    help: str
    occasion: str | None
    source_id: UUID | None
    words_id: UUID | None
    people_count: int
    added_by: str
    added_at: datetime
    finished_at: datetime | None
    done_count: int
    exception_count: int
    posted_count: int
    """For how many of those done a letter was made that goes by post."""


@dataclass(frozen=True, slots=True)
class AffectedException:
    """Somebody who could not be helped, and why."""

    list_id: UUID
    number: int
    name: str
    address: str
    reason: str
    case_id: UUID | None
    """Their complaint; None of somebody who need not have complained."""


async def complainants(
    connection: AsyncConnection, cells: Iterable[CellRef], policy: Policy, *, since: date, until: date
) -> list[AffectedPerson]:
    """Return everybody who complained of what the cells count in these days, each once, also who cannot be reached."""
    told = json.dumps(asked_cells(cells, families_of(policy)))
    rows = await connection.execute(_COMPLAINANTS, {"cells": told, "since": since, "until": until})
    return [
        complainant_listed(row.o_contact or {}, policy.agency.language_for(row.o_language), row.o_case_id)
        for row in rows
    ]


async def lists_of(connection: AsyncConnection, fix_id: UUID) -> tuple[AffectedListRow, ...]:
    """Return the lists of a fix, the first first."""
    columns = [affected_list.c[field.name] for field in fields(AffectedListRow)]
    query = select(*columns).where(affected_list.c.fix_id == fix_id)
    rows = await connection.execute(query.order_by(affected_list.c.added_at, affected_list.c.list_id))
    return tuple(AffectedListRow(**dict(row)) for row in rows.mappings())


async def exceptions_of(connection: AsyncConnection, lists: Iterable[UUID]) -> tuple[AffectedException, ...]:
    """Return whom the lists could not help, for a person to see to."""
    columns = affected_person.c
    query = (
        select(columns.list_id, columns.number, columns.contact, columns.reason, columns.case_id)
        .where(columns.list_id.in_(list(lists)), columns.result == "exception")
        .order_by(columns.list_id, columns.number)
        .limit(EXCEPTIONS_SHOWN)
    )
    return tuple(
        AffectedException(
            row.list_id,
            row.number,
            str((row.contact or {}).get("name") or ""),
            next((str(told) for way in _WAYS if (told := (row.contact or {}).get(way))), ""),
            row.reason,
            row.case_id,
        )
        for row in await connection.execute(query)
    )
