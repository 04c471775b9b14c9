# SPDX-License-Identifier: Apache-2.0
"""The audit of reads, for auditors: who looked at what, the newest first, by keyset; and the daily anchors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from api.reads.cases import id_of_reference
from api.reads.paging import BadCursor, Page, cursor_of, keys_of
from models.tables.anchors import anchor
from models.tables.receipts import receipt
from models.tables.registers import audit_read
from models.terms import Role

_ORDER = "audit"


@dataclass(frozen=True, slots=True)
class ReadRow:
    """Somebody looked at something."""

    id: int
    at: datetime
    actor: str
    role: Role
    what: str
    case_id: UUID | None
    reference: str | None
    asked: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class AnchorRow:
    """A day's anchor: how much was there, and the hash that chains it to the day before."""

    day: date
    receipt_count: int
    case_count: int
    hash: bytes
    made_at: datetime


async def reads(
    connection: AsyncConnection, *, case_id: UUID | None, actor: str | None, cursor: str | None, limit: int
) -> Page[ReadRow]:
    """Return one page of the audit, of a case or of a person where one is named; raises BadCursor."""
    columns = audit_read.c
    query = (
        select(
            columns.id, columns.at, columns.actor, columns.role, columns.what, columns.case_id,
            receipt.c.reference, columns.filter,
        )
        .select_from(audit_read.outerjoin(receipt, receipt.c.case_id == columns.case_id))
        .order_by(columns.at.desc(), columns.id.desc())
        .limit(limit + 1)
    )  # fmt: skip
    if case_id is not None:
        query = query.where(columns.case_id == case_id)
    if actor is not None:
        query = query.where(columns.actor == actor)
    if cursor is not None:
        query = query.where(tuple_(columns.at, columns.id) < _after(cursor))
    rows = (await connection.execute(query)).all()
    page = tuple(ReadRow(*row[:3], Role(row.role), *row[4:]) for row in rows[:limit])
    if len(rows) <= limit:
        return Page(page)
    return Page(page, cursor_of(_ORDER, page[-1].at, str(page[-1].id)))


async def case_named(connection: AsyncConnection, name: str) -> UUID | None:
    """Return the case that an id or a reference means, or None for no name and for one that means nothing here."""
    try:
        return UUID(name)
    except ValueError:
        return await id_of_reference(connection, name)


async def anchors(connection: AsyncConnection, limit: int) -> tuple[AnchorRow, ...]:
    """Return the last anchors, the newest first."""
    columns = anchor.c
    query = (
        select(columns.day, columns.receipt_count, columns.case_count, columns.hash, columns.made_at)
        .order_by(columns.day.desc())
        .limit(limit)
    )
    return tuple(
        AnchorRow(row.day, row.receipt_count, row.case_count, bytes(row.hash), row.made_at)
        for row in await connection.execute(query)
    )


def _after(cursor: str) -> tuple[datetime, int]:
    moment, number = keys_of(cursor, _ORDER, 2)
    try:
        return datetime.fromisoformat(moment), int(number)
    except ValueError as problem:
        raise BadCursor from problem
