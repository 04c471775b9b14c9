# SPDX-License-Identifier: Apache-2.0
"""Fixes that were led elsewhere, or long ago, written as the live record would hold them.

A fix's story is what opens it, its texts and its lawful events, written in the caller's transaction. No letter is sent:
whoever was to be told of it counts as told, under no Message-ID, and the executive hears nothing of what is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.affected_lists import as_begun, draw
from activities.fix_records import append_fix_events, lock_fix
from activities.interface import FixBatch
from models.fixes.commands import Open
from models.fixes.fix import Fix, FixEvent
from models.fixes.terms import FixAction
from models.messages import canonical_message
from models.policy import Policy
from models.receiving import Text
from models.tables.affected import affected_list, affected_pending, affected_person, fix_alert
from models.tables.fixes import fix_opening, fix_pending

_OPEN = text("""
    SELECT o_fix_id FROM open_fix(
        :agency, :fix_id, :key, :request_hash, :opened_at, :command, CAST(:ids AS uuid[]), CAST(:kinds AS text[]),
        CAST(:bodies AS text[]), CAST(:salts AS bytea[]), CAST(:digests AS bytea[]))
""")
_WAKE = text("SELECT pg_notify('fix', '')")
_ALARMING = frozenset({FixAction.FIND_NOT_EFFECTIVE, FixAction.RELAPSE})


@dataclass(frozen=True, slots=True)
class FixStory:
    """A fix and all that happened to it; the first event is its opening."""

    fix: Fix
    """As the events leave it."""
    events: tuple[FixEvent, ...]
    texts: tuple[Text, ...]
    """What the events refer to."""

    @property
    def opening(self) -> Open:
        """What opened it."""
        command = self.events[0].command
        assert isinstance(command, Open)
        return command


async def fix_under(connection: AsyncConnection, agency: str, key: str) -> UUID | None:
    """Return the fix that a key opened, or None."""
    query = select(fix_opening.c.fix_id).where(fix_opening.c.agency == agency, fix_opening.c.command_key == key)
    return (await connection.execute(query)).scalar_one_or_none()


async def write_fix(connection: AsyncConnection, story: FixStory, policy: Policy) -> None:
    """Write a fix whose key is new, with its whole story; it has no workflow before it is handed over."""
    opening, agency = story.opening, story.fix.agency
    told = {
        "agency": agency,
        "fix_id": opening.fix_id,
        "key": opening.key,
        "request_hash": opening.request_hash,
        "opened_at": story.events[0].at,
        "command": canonical_message(opening),
    }
    await connection.execute(_OPEN, told | _columns(story.texts))
    await connection.execute(delete(fix_pending).where(fix_pending.c.fix_id == opening.fix_id))
    await lock_fix(connection, opening.fix_id)
    await append_fix_events(connection, FixBatch(agency=agency, fix_id=opening.fix_id, events=story.events))
    await count_lists_as_told(connection, opening.fix_id, policy)
    await _count_as_alerted(connection, agency, story.events)


async def count_lists_as_told(connection: AsyncConnection, fix_id: UUID, policy: Policy) -> None:
    """Note that everybody was told whom the fix's events until now had told: no letter leaves about the past."""
    begun = affected_list.c.fix_id == fix_id, affected_list.c.begun_at.is_not(None), affected_list.c.drawn_at.is_(None)
    for listed in (
        await connection.execute(select(affected_list).where(*begun).order_by(affected_list.c.begun_at))
    ).all():
        await _count_as_told(connection, listed, policy)


async def hand_over(connection: AsyncConnection, agency: str, fix_id: UUID) -> None:
    """Have a workflow take over a fix whose story was written."""
    await connection.execute(upsert(fix_pending).values(fix_id=fix_id, agency=agency).on_conflict_do_nothing())
    await connection.execute(_WAKE)


def _columns(texts: Sequence[Text]) -> dict[str, Any]:
    return {
        "ids": [t.id for t in texts],
        "kinds": [t.kind for t in texts],
        "bodies": [t.body for t in texts],
        "salts": [t.salt for t in texts],
        "digests": [t.digest for t in texts],
    }


async def _count_as_told(connection: AsyncConnection, listed: Row[Any], policy: Policy) -> None:
    """Draw a list's people as they were when it began, and note that they were told then."""
    at: datetime = listed.begun_at
    await draw(connection, listed, await as_begun(connection, listed), policy, at)
    whose = affected_person.c.list_id == listed.list_id
    told = await connection.execute(update(affected_person).where(whose).values(result="done", done_at=at, attempts=1))
    counted = update(affected_list).where(affected_list.c.list_id == listed.list_id)
    # A list of nobody has been noted as finished when it was drawn.
    await connection.execute(
        counted.where(affected_list.c.finished_at.is_(None)).values(done_count=told.rowcount, finished_at=at)
    )
    await connection.execute(delete(affected_pending).where(affected_pending.c.list_id == listed.list_id))


async def _count_as_alerted(connection: AsyncConnection, agency: str, events: Sequence[FixEvent]) -> None:
    for event in events:
        if event.command.action in _ALARMING:
            message_id = f"<{event.fix_id}/{event.sequence}@history>"
            row = {"fix_id": event.fix_id, "sequence": event.sequence, "agency": agency, "told_at": event.at}
            await connection.execute(upsert(fix_alert).values(message_id=message_id, **row).on_conflict_do_nothing())
