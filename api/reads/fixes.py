# SPDX-License-Identifier: Apache-2.0
"""Systemic fixes as the record has them: one with its texts and story, lists of many, and what is told of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.reads.affected import AffectedListRow, lists_of
from api.reads.paging import Page, cursor_of, moment_and_id
from api.reads.signals import SignalEvidence, evidence_of
from models.fixes import lifecycle
from models.fixes.commands import FIX_COMMAND, ApproveWords, Open
from models.fixes.fix import Fix, FixEvent
from models.fixes.story import apply
from models.fixes.terms import FixState, Occasion
from models.messages import ContentRef
from models.tables.fixes import fix_event, fix_file, fix_opening, fix_text

_ORDER = "fixes"
# What opened a fix is there before its first event, so lists begin from it.
_LIST = text("""
    SELECT o.fix_id, o.opened_at, o.command, f.snapshot
    FROM fix_opening o LEFT JOIN fix_file f USING (fix_id)
    WHERE (NOT :only_open OR coalesce(f.is_open, true))
      AND (CAST(:state AS text) IS NULL OR coalesce(f.state, 'worked_out') = :state)
      AND (CAST(:at AS timestamptz) IS NULL OR (o.opened_at, o.fix_id) < (:at, CAST(:id AS uuid)))
    ORDER BY o.opened_at DESC, o.fix_id DESC LIMIT :limit
""")
_BY_ID = text("""
    SELECT o.fix_id, o.opened_at, o.command, f.snapshot
    FROM fix_opening o LEFT JOIN fix_file f USING (fix_id) WHERE o.fix_id = ANY (:ids)
""")
_OF_SIGNALS = text("""
    SELECT signal_id, fix_id, is_open FROM (
        SELECT s.signal_id, s.fix_id, f.is_open, f.opened_at FROM fix_signal s JOIN fix_file f USING (fix_id)
        UNION ALL
        SELECT CAST(told.command ->> 'signal_id' AS uuid), told.fix_id, true, told.opened_at
        FROM (SELECT o.fix_id, o.opened_at, CAST(convert_from(o.command, 'UTF8') AS jsonb) AS command
              FROM fix_opening o WHERE NOT EXISTS (SELECT FROM fix_file f WHERE f.fix_id = o.fix_id)) AS told
        WHERE told.command ->> 'signal_id' IS NOT NULL
    ) AS both_ways WHERE signal_id = ANY (:signals) ORDER BY is_open DESC, opened_at DESC
""")
_APPROVED = text("""
    SELECT f.snapshot, e.fix_id, e.canonical FROM fix_event e JOIN fix_file f USING (fix_id)
    WHERE e.action = 'approve_words' ORDER BY e.at DESC, e.fix_id, e.sequence DESC LIMIT :limit
""")
_PRECISION = text("""
    SELECT s.measure, s.family, count(*) FILTER (WHERE d.decision = 'accept')::integer AS accepted,
           count(*)::integer AS decided
    FROM signal s JOIN LATERAL (
        SELECT decision FROM signal_decision d WHERE d.signal_id = s.id ORDER BY d.decided_at DESC, d.id DESC LIMIT 1
    ) d ON true
    WHERE d.decision <> 'defer' GROUP BY s.measure, s.family ORDER BY count(*) DESC, s.measure, s.family
""")


@dataclass(frozen=True, slots=True)
class FixRow:
    """A fix in a list, with its title."""

    fix: Fix
    title: str
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class StoredFixEvent:
    """An event with when it was written and the hash that chains it."""

    event: FixEvent
    recorded_at: datetime
    hash: bytes


@dataclass(frozen=True, slots=True)
class FixDossier:
    """A fix with its texts, its story, the people on its lists, and what speaks of its signals."""

    fix: Fix
    texts: dict[UUID, str]
    events: tuple[StoredFixEvent, ...]
    lists: tuple[AffectedListRow, ...]
    beside: tuple[SignalEvidence, ...]
    """What was attached to its signals beside their complaints."""

    def text(self, ref: ContentRef | None) -> str | None:
        """Return the words a reference stands for."""
        return self.texts.get(ref.id) if ref else None


@dataclass(frozen=True, slots=True)
class FixOfSignal:
    """A fix that deals with a signal."""

    fix_id: UUID
    is_open: bool


@dataclass(frozen=True, slots=True)
class ApprovedWords:
    """What was approved to be told of a fix."""

    fix: Fix
    occasion: Occasion
    words: str
    translations: dict[str, str]
    """The same by language, where there are others."""
    at: datetime


@dataclass(frozen=True, slots=True)
class FamilyPrecision:
    """How many of a family's decided signals were taken up: by a fix of their own, or one that was there."""

    measure: str
    family: str | None
    accepted: int
    decided: int


async def fix_by_id(connection: AsyncConnection, fix_id: UUID) -> Fix | None:
    """Return the fix as the record has it, or None if this agency has none.

    One whose workflow has not begun yet is shown as what opens it will make it.
    """
    snapshot = await connection.scalar(select(fix_file.c.snapshot).where(fix_file.c.fix_id == fix_id))
    if snapshot is not None:
        return Fix.model_validate(snapshot)
    query = select(fix_opening.c.command, fix_opening.c.opened_at).where(fix_opening.c.fix_id == fix_id)
    row = (await connection.execute(query)).one_or_none()
    return _opened(fix_id, row.command, row.opened_at) if row else None


async def fix_dossier(connection: AsyncConnection, fix_id: UUID) -> FixDossier | None:
    """Return the fix with its texts and story, or None if this agency has none."""
    fix = await fix_by_id(connection, fix_id)
    if fix is None:
        return None
    texts = await connection.execute(select(fix_text.c.id, fix_text.c.body).where(fix_text.c.fix_id == fix_id))
    events = await connection.execute(
        select(fix_event.c.canonical, fix_event.c.recorded_at, fix_event.c.hash)
        .where(fix_event.c.fix_id == fix_id)
        .order_by(fix_event.c.sequence)
    )
    return FixDossier(
        fix=fix,
        texts={row.id: row.body for row in texts},
        events=tuple(
            StoredFixEvent(FixEvent.model_validate_json(row.canonical), row.recorded_at, row.hash) for row in events
        ),
        lists=await lists_of(connection, fix_id),
        beside=await evidence_of(connection, fix.signals),
    )


async def fixes(
    connection: AsyncConnection, *, only_open: bool, state: FixState | None = None, cursor: str | None, limit: int
) -> Page[FixRow]:
    """Return fixes, the newest first; raises BadCursor."""
    at, identity = moment_and_id(cursor, _ORDER) if cursor else (None, None)
    asked = {"only_open": only_open, "state": state and state.value, "at": at, "id": identity, "limit": limit + 1}
    rows = (await connection.execute(_LIST, asked)).all()
    page = await _with_titles(connection, rows[:limit])
    last = page[-1] if len(rows) > limit else None
    return Page(page, cursor_of(_ORDER, last.opened_at, last.fix.id) if last else None)


async def fix_row(connection: AsyncConnection, fix_id: UUID) -> FixRow | None:
    """Return one fix as a list has it, or None if this agency has none of that id."""
    return (await _rows_of(connection, [fix_id])).get(fix_id)


async def fixes_of_signals(connection: AsyncConnection, signals: Iterable[UUID]) -> dict[UUID, FixOfSignal]:
    """Return the fix that deals with each signal: an open one before one that has ended, then the latest."""
    found: dict[UUID, FixOfSignal] = {}
    for row in await connection.execute(_OF_SIGNALS, {"signals": list(signals)}):
        found.setdefault(row.signal_id, FixOfSignal(row.fix_id, row.is_open))
    return found


async def open_fixes_of(connection: AsyncConnection, signals: Sequence[UUID]) -> dict[UUID, FixRow]:
    """Return the open fix that deals with each signal, of those that have one, the first first."""
    dealt_with = await fixes_of_signals(connection, signals)
    open_ones = {
        signal: dealt_with[signal].fix_id for signal in signals if signal in dealt_with and dealt_with[signal].is_open
    }
    rows = await _rows_of(connection, open_ones.values())
    return {signal: rows[fix_id] for signal, fix_id in open_ones.items() if fix_id in rows}


async def approved_words(connection: AsyncConnection, *, limit: int) -> tuple[ApprovedWords, ...]:
    """Return what the agency has approved to be told, the latest first."""
    rows = (await connection.execute(_APPROVED, {"limit": limit})).all()
    events = [FixEvent.model_validate_json(row.canonical) for row in rows]
    approved = [event.command for event in events if isinstance(event.command, ApproveWords)]
    told = [command.words for command in approved]
    translated = [each.words for command in approved for each in command.translations or ()]
    texts = await _texts_of(connection, [*told, *translated])
    return tuple(
        ApprovedWords(
            Fix.model_validate(row.snapshot),
            event.command.occasion,
            texts[event.command.words.id],
            {each.language: texts[each.words.id] for each in event.command.translations or ()},
            event.at,
        )
        for row, event in zip(rows, events, strict=True)
        if isinstance(event.command, ApproveWords)
    )


async def precision_by_family(connection: AsyncConnection) -> tuple[FamilyPrecision, ...]:
    """Return, for each family, how many of its decided signals were taken up; those put off are not decided."""
    return tuple(FamilyPrecision(*row) for row in await connection.execute(_PRECISION))


async def _rows_of(connection: AsyncConnection, fix_ids: Iterable[UUID]) -> dict[UUID, FixRow]:
    """Return fixes as a list has them, by id."""
    rows = (await connection.execute(_BY_ID, {"ids": list(fix_ids)})).all()
    return {row.fix.id: row for row in await _with_titles(connection, rows)}


async def _with_titles(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> tuple[FixRow, ...]:
    shown = [_of_row(row) for row in rows]
    titles = await _texts_of(connection, (fix.title for fix in shown))
    return tuple(
        FixRow(fix, titles.get(fix.title.id, "") if fix.title else "", row.opened_at)
        for fix, row in zip(shown, rows, strict=True)
    )


def _of_row(row: Row[Any]) -> Fix:
    if row.snapshot is not None:
        return Fix.model_validate(row.snapshot)
    return _opened(row.fix_id, row.command, row.opened_at)


def _opened(fix_id: UUID, command: bytes, opened_at: datetime) -> Fix:
    opening = FIX_COMMAND.validate_json(bytes(command))
    assert isinstance(opening, Open)
    fix = Fix(id=fix_id)
    return apply(fix, lifecycle.decide(fix, opening, opened_at))


async def _texts_of(connection: AsyncConnection, refs: Iterable[ContentRef | None]) -> dict[UUID, str]:
    ids = [ref.id for ref in refs if ref is not None]
    rows = await connection.execute(select(fix_text.c.id, fix_text.c.body).where(fix_text.c.id.in_(ids)))
    return {row.id: row.body for row in rows}
