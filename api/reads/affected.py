# SPDX-License-Identifier: Apache-2.0
"""People whom a failure affected: who they are by the agency's own cases, and how far their lists have come."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.fixes.commands import CellRef
from models.tables.affected import affected_list, affected_person
from models.taxonomy import Kind, Taxonomy

EXCEPTIONS_SHOWN = 200
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


@dataclass(frozen=True, slots=True)
class AffectedException:
    """Somebody who could not be helped, and why."""

    list_id: UUID
    number: int
    name: str
    address: str
    reason: str


async def complainants(
    connection: AsyncConnection, cells: Iterable[CellRef], taxonomy: Taxonomy, *, since: date, until: date
) -> list[dict[str, Any]]:
    """Return everybody who complained of what the cells count in these days and can be written to, each once."""
    told = json.dumps([_asked(cell, taxonomy) for cell in cells])
    rows = await connection.execute(_COMPLAINANTS, {"cells": told, "since": since, "until": until})
    return [
        {"case_id": str(row.o_case_id), "contact": row.o_contact, "language": row.o_language or "en"} for row in rows
    ]


async def lists_of(connection: AsyncConnection, fix_id: UUID) -> tuple[AffectedListRow, ...]:
    """Return the lists of a fix, the first first."""
    columns = [affected_list.c[field.name] for field in fields(AffectedListRow)]
    query = select(*columns).where(affected_list.c.fix_id == fix_id)
    rows = await connection.execute(query.order_by(affected_list.c.added_at, affected_list.c.list_id))
    return tuple(AffectedListRow(*row) for row in rows)


async def exceptions_of(connection: AsyncConnection, lists: Iterable[UUID]) -> tuple[AffectedException, ...]:
    """Return whom the lists could not help, for a person to see to."""
    columns = affected_person.c
    query = (
        select(columns.list_id, columns.number, columns.contact, columns.reason)
        .where(columns.list_id.in_(list(lists)), columns.result == "exception")
        .order_by(columns.list_id, columns.number)
        .limit(EXCEPTIONS_SHOWN)
    )
    return tuple(
        AffectedException(
            row.list_id,
            row.number,
            str((row.contact or {}).get("name") or ""),
            str((row.contact or {}).get("email") or ""),
            row.reason,
        )
        for row in await connection.execute(query)
    )


def _asked(cell: CellRef, taxonomy: Taxonomy) -> dict[str, Any]:
    codes, other_than = codes_of(cell, taxonomy)
    return {
        "measure": cell.measure,
        "codes": codes,
        "other_than": other_than,
        "service": cell.service,
        "office": cell.office,
    }


def codes_of(cell: CellRef, taxonomy: Taxonomy) -> tuple[list[str] | None, list[str] | None]:
    """Return the codes a count is of (None: any), and those it is not of.

    One without a code is of a whole family: of failures, those that no policy knows, or all complaints.
    """
    if cell.code is not None:
        return [cell.code], None
    if cell.measure == "intake" or cell.family is None:
        return None, None
    failures = taxonomy.of(Kind.FAILURE)
    members = [term.code for term in failures if term.family == cell.family]
    return (members, None) if members else (None, [term.code for term in failures])
