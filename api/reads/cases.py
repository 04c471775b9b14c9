# SPDX-License-Identifier: Apache-2.0
"""Cases as the read model has them: one with its texts, story and letters, and lists of many, by keyset."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, func, or_, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from api.reads.paging import Page, cursor_of, moment_and_id
from models.case import Case, new_case
from models.commands import Receipt
from models.events import Event
from models.messages import ContentRef
from models.references import normal_reference
from models.tables.cases import case_event, case_file, fault, outbox
from models.tables.receipts import agency, content, receipt
from models.terms import Stage, State

SEARCH_ROUNDS = 5
"""How often a search that other filters thin out looks further before it gives a short page."""
SEARCH_ROWS = 201
_ANY_PREFIX = "ANY"
"""Stands where the agency's letters would, to see whether the rest is a reference."""
_SEARCH = text("SELECT o_case_id, o_sort_at FROM search_cases(:words, :before, :before_id, :limit)")


class Order(StrEnum):
    """How a list is sorted."""

    QUEUE = "queue"
    """Open cases only, what is due first comes first."""
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which cases a list shows; None asks for nothing."""

    state: State | None = None
    stage: Stage | None = None
    team: str | None = None
    owner: str | None = None
    is_unowned: bool | None = None
    """Only what nobody has: new cases, and those that a complainant had reopened."""
    service: str | None = None
    category: str | None = None
    office: str | None = None
    channel: str | None = None
    severity: int | None = None
    event_id: UUID | None = None
    approvable_by: str | None = None
    """Only answers that wait for approval, and that this person may approve: nobody approves their own."""
    is_overdue: bool | None = None
    is_open: bool | None = None
    words: str | None = None
    """Words to search for, or a reference."""
    order: Order = Order.QUEUE

    def told(self) -> dict[str, Any]:
        """Return what was asked for, as the audit of reads keeps it."""
        asked = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: value if isinstance(value, int) else str(value) for name, value in asked.items() if value is not None
        }


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A line of a list."""

    case_id: UUID
    reference: str
    state: State
    stage: Stage
    is_open: bool
    is_history: bool
    sequence: int
    received_at: datetime | None
    sort_at: datetime
    channel: str
    service: str | None
    category: str | None
    office: str | None
    severity: int | None
    vulnerable: bool | None
    track: str
    team: str | None
    owner: str | None
    attention: tuple[str, ...]
    event_id: UUID | None
    follow_up_on: date | None
    due_clock: str | None
    due_at: datetime | None
    queue_at: datetime
    review_round: int
    answered_at: datetime | None
    closed_at: datetime | None
    last_event_at: datetime


_COLUMNS = tuple(case_file.c[field.name] for field in fields(CaseRow))


@dataclass(frozen=True, slots=True)
class StoredText:
    """A free text or personal field."""

    kind: str
    body: str
    added_at: datetime


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with when it was written and the hash that chains it."""

    event: Event
    recorded_at: datetime
    hash: bytes


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter to be sent, or sent."""

    id: UUID
    sequence: int
    letter: str
    recipient: str
    written_at: datetime
    sent_at: datetime | None
    failure: str | None


@dataclass(frozen=True, slots=True)
class Dossier:
    """A case with everything that belongs to it; `case` may be that of a bare receipt, in state NEW."""

    case: Case
    texts: dict[UUID, StoredText]
    events: tuple[StoredEvent, ...]
    letters: tuple[Letter, ...]
    faults: tuple[str, ...]

    def text(self, ref: ContentRef | None) -> str | None:
        """Return the words a reference stands for; None where there are none, or they have been disposed of."""
        stored = self.texts.get(ref.id) if ref else None
        return stored.body if stored else None


async def case_by_id(connection: AsyncConnection, case_id: UUID) -> Case | None:
    """Return the case as the record has it, that of a bare receipt too, or None if this agency has none."""
    query = select(case_file.c.snapshot).where(case_file.c.case_id == case_id)
    if (snapshot := (await connection.execute(query)).scalar_one_or_none()) is not None:
        return Case.model_validate(snapshot)
    bare = select(receipt.c.facts).where(receipt.c.case_id == case_id)
    facts = (await connection.execute(bare)).scalar_one_or_none()
    return new_case(Receipt.model_validate_json(facts)) if facts is not None else None


async def dossier(connection: AsyncConnection, case_id: UUID) -> Dossier | None:
    """Return the case with its texts, story and letters, or None if this agency has none."""
    case = await case_by_id(connection, case_id)
    if case is None:
        return None
    return Dossier(
        case=case,
        texts=await texts_of(connection, case_id),
        events=await events_of(connection, case_id),
        letters=await letters_of(connection, case_id),
        faults=tuple(
            await connection.scalars(
                select(fault.c.kind).where(fault.c.case_id == case_id, fault.c.cleared_at.is_(None))
            )
        ),
    )


async def texts_of(connection: AsyncConnection, case_id: UUID) -> dict[UUID, StoredText]:
    """Return the texts of a case by their id."""
    query = select(content.c.id, content.c.kind, content.c.body, content.c.added_at).where(content.c.case_id == case_id)
    return {row.id: StoredText(row.kind, row.body, row.added_at) for row in await connection.execute(query)}


async def events_of(connection: AsyncConnection, case_id: UUID) -> tuple[StoredEvent, ...]:
    """Return the story of a case, in order."""
    query = (
        select(case_event.c.canonical, case_event.c.recorded_at, case_event.c.hash)
        .where(case_event.c.case_id == case_id)
        .order_by(case_event.c.sequence)
    )
    return tuple(
        StoredEvent(Event.model_validate_json(row.canonical), row.recorded_at, row.hash)
        for row in await connection.execute(query)
    )


async def letters_of(connection: AsyncConnection, case_id: UUID) -> tuple[Letter, ...]:
    """Return the letters of a case, in order."""
    columns = (outbox.c[field.name] for field in fields(Letter))
    query = select(*columns).where(outbox.c.case_id == case_id).order_by(outbox.c.sequence, outbox.c.letter)
    return tuple(Letter(*row) for row in await connection.execute(query))


async def id_of_reference(connection: AsyncConnection, reference: str) -> UUID | None:
    """Return the case of this agency with that reference."""
    normal = normal_reference(reference)
    query = select(receipt.c.case_id).where(receipt.c.reference == normal)
    return (await connection.execute(query)).scalar_one_or_none() if normal else None


async def cases(
    connection: AsyncConnection, wanted: Filter, *, cursor: str | None, limit: int, now: datetime
) -> Page[CaseRow]:
    """Return one page of a list; raises BadCursor.

    A search answers the newest first whatever order is asked for, and may give a short page with a cursor.
    """
    if wanted.words:
        return await _found(connection, wanted, cursor, limit, now)
    order = case_file.c.queue_at if wanted.order is Order.QUEUE else case_file.c.sort_at
    query = _filtered(wanted, now)
    if cursor is not None:
        after = moment_and_id(cursor, wanted.order)
        here = tuple_(order, case_file.c.case_id)
        query = query.where(here > after if wanted.order is Order.QUEUE else here < after)
    if wanted.order is Order.QUEUE:
        query = query.order_by(order, case_file.c.case_id)
    else:
        query = query.order_by(order.desc(), case_file.c.case_id.desc())
    rows = (await connection.execute(query.limit(limit + 1))).all()
    page = tuple(_row(row) for row in rows[:limit])
    if len(rows) <= limit:
        return Page(page)
    last = page[-1]
    at = last.queue_at if wanted.order is Order.QUEUE else last.sort_at
    return Page(page, cursor_of(wanted.order, at, last.case_id))


def _filtered(wanted: Filter, now: datetime) -> Select[Any]:
    columns = case_file.c
    equal: dict[ColumnElement[Any], Any] = {
        columns.state: wanted.state,
        columns.stage: wanted.stage,
        columns.team: wanted.team,
        columns.owner: wanted.owner,
        columns.service: wanted.service,
        columns.category: wanted.category,
        columns.office: wanted.office,
        columns.channel: wanted.channel,
        columns.severity: wanted.severity,
        columns.event_id: wanted.event_id,
    }
    query = select(*_COLUMNS).where(*(column == value for column, value in equal.items() if value is not None))
    is_queue = wanted.order is Order.QUEUE and not wanted.words
    if wanted.is_open or wanted.is_overdue or is_queue:
        query = query.where(columns.is_open)
    elif wanted.is_open is False:
        query = query.where(~columns.is_open)
    if wanted.is_unowned:
        query = query.where(columns.owner.is_(None))
    if wanted.approvable_by is not None:
        # The stage is named for its index; who proposed and who answered before stand in the case alone.
        query = query.where(
            columns.is_open,
            columns.stage == Stage.RESOLUTION,
            columns.state == State.AWAITING_APPROVAL,
            columns.snapshot[("proposal", "by")].astext != wanted.approvable_by,
            or_(columns.review_round == 0, ~columns.snapshot["answered_by"].contains([wanted.approvable_by])),
        )
    if wanted.is_overdue is not None:
        is_late = columns.queue_at < now
        query = query.where(is_late if wanted.is_overdue else ~is_late)
    return query


async def id_of_typed_reference(connection: AsyncConnection, typed: str) -> UUID | None:
    """Return the case that somebody means who types a reference, with or without the agency's letters before it."""
    whole = await id_of_reference(connection, typed)
    any_agency = normal_reference(f"{_ANY_PREFIX}{typed}") if whole is None else None
    if any_agency is None:
        return whole
    prefix = select(agency.c.prefix).where(agency.c.slug == func.current_setting("putright.agency")).scalar_subquery()
    reference = prefix.concat(any_agency.removeprefix(_ANY_PREFIX))
    return (await connection.execute(select(receipt.c.case_id).where(receipt.c.reference == reference))).scalar()


async def _found(
    connection: AsyncConnection, wanted: Filter, cursor: str | None, limit: int, now: datetime
) -> Page[CaseRow]:
    assert wanted.words is not None
    if (case_id := await id_of_typed_reference(connection, wanted.words)) is not None:
        query = _filtered(wanted, now).where(case_file.c.case_id == case_id)
        return Page(tuple(_row(row) for row in await connection.execute(query)))
    before, before_id = moment_and_id(cursor, "search") if cursor else (None, None)
    found: list[CaseRow] = []
    has_other_filters = len(wanted.told()) > len(("words", "order"))
    ask_for = SEARCH_ROWS if has_other_filters else limit + 1
    for _ in range(SEARCH_ROUNDS):
        asked = {"words": wanted.words, "before": before, "before_id": before_id, "limit": ask_for}
        hits = (await connection.execute(_SEARCH, asked)).all()
        ids = [hit.o_case_id for hit in hits]
        query = _filtered(wanted, now).where(case_file.c.case_id.in_(ids))
        newest_first = query.order_by(case_file.c.sort_at.desc(), case_file.c.case_id.desc())
        found += [_row(row) for row in await connection.execute(newest_first)] if ids else []
        if len(found) > limit:
            last = found[limit - 1]
            return Page(tuple(found[:limit]), cursor_of("search", last.sort_at, last.case_id))
        if len(hits) < ask_for:
            return Page(tuple(found))
        before, before_id = hits[-1].o_sort_at, hits[-1].o_case_id
    assert before is not None
    assert before_id is not None
    return Page(tuple(found), cursor_of("search", before, before_id))


def _row(row: Row[Any]) -> CaseRow:
    told = row._mapping  # noqa: SLF001  SQLAlchemy's public name for a row as a mapping
    return CaseRow(**{**told, "state": State(row.state), "stage": Stage(row.stage), "attention": tuple(row.attention)})
