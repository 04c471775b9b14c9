# SPDX-License-Identifier: Apache-2.0
"""Fixes in the record for tests: opened as the API opens them, their events decided by the lifecycle."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.fix_records import DatabaseFixRecords
from activities.interface import FixAddress, FixBatch
from activities.policies import Policies
from models.fixes import lifecycle
from models.fixes.commands import CellRef, FixCommand, Open
from models.fixes.fix import Fix, FixEvent
from models.fixes.story import apply
from models.fixes.terms import FixAction
from models.messages import ContentRef, canonical_message
from models.receiving import text_of
from models.references import uuid7_at
from tests.given import SUE, a_key
from tests.given_fixes import TARGET, a_fix_command
from tests.record import Record

_OPEN = text("""
    SELECT * FROM open_fix(:agency, :fix_id, :key, :request_hash, :opened_at, :command, :ids, :kinds, :bodies, :salts,
                           :digests)
""")
_PUT = text("SELECT * FROM put_fix_text(:agency, :fix_id, :id, :kind, :body, :salt, :digest)")


async def an_opening(
    record: Record,
    *,
    agency: str = "riverbend",
    signal_id: UUID | None = None,
    cells: tuple[CellRef, ...] = (TARGET,),
    opened_at: datetime | None = None,
) -> FixAddress:
    """Open a fix as the API does and return where it is."""
    opened_at = opened_at or datetime.now(UTC)
    fix_id, key = uuid7_at(opened_at), a_key()
    title = text_of(fix_id, key, "title", "Papers get lost between two offices")
    command = Open(
        actor=SUE, key=key, fix_id=fix_id, agency=agency, title=title.ref, owner="sue", signal_id=signal_id, cells=cells
    )
    values: dict[str, Any] = {
        "agency": agency,
        "fix_id": fix_id,
        "key": key,
        "request_hash": command.request_hash,
        "opened_at": opened_at,
        "command": canonical_message(command),
        "ids": [title.id],
        "kinds": [title.kind],
        "bodies": [title.body],
        "salts": [title.salt],
        "digests": [title.digest],
    }
    async with record.engine.begin() as connection:
        (opened,) = (await connection.execute(_OPEN, values)).all()
    assert opened.o_fix_id == fix_id
    return FixAddress(agency=agency, fix_id=fix_id)


async def fix_words(record: Record, address: FixAddress, body: str, kind: str = "words") -> ContentRef:
    """Store a text of the fix as the API does and return its reference."""
    said = text_of(address.fix_id, a_key(), kind, body)
    values = {"id": said.id, "kind": said.kind, "body": said.body, "salt": said.salt, "digest": said.digest}
    async with record.engine.begin() as connection:
        await connection.execute(_PUT, {"agency": address.agency, "fix_id": address.fix_id, **values})
    return said.ref


def fix_records_of(engine: AsyncEngine) -> DatabaseFixRecords:
    """Return the record of fixes as the worker has it."""
    return DatabaseFixRecords(engine, Policies())


def batch_of(fix: Fix, *events: FixEvent) -> FixBatch:
    """Return the events as the fix's workflow sends them."""
    return FixBatch(agency=fix.agency, fix_id=fix.id, events=events)


async def opened_fix(engine: AsyncEngine, address: FixAddress) -> Fix:
    """Return the fix after its first event, recorded."""
    loaded = await fix_records_of(engine).load_fix(address)
    assert loaded.opening is not None
    return await lived_fix(engine, loaded.fix.model_copy(update={"agency": address.agency}), loaded.opening)


async def lived_fix(engine: AsyncEngine, fix: Fix, *commands: FixCommand | FixAction) -> Fix:
    """Return the fix after these commands, decided and recorded one after another."""
    for asked in commands:
        command = a_fix_command(asked, fix) if isinstance(asked, FixAction) else asked
        event = lifecycle.decide(fix, command, fix.last_event_at or datetime.now(UTC))
        assert (await fix_records_of(engine).record_fix(batch_of(fix, event))).was_appended
        fix = apply(fix, event)
    return fix
