# SPDX-License-Identifier: Apache-2.0
"""The record of a systemic fix: the one place where its events are written.

It keeps the same promises as a complaint's (activities/case_records.py) at a pace that needs no cache: a fix has some
fifty events in its life.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.affected_lists import begin_list
from activities.database import transaction
from activities.fix_effect import effect_of
from activities.folding import cell_totals
from activities.interface import EffectLook, FixAddress, FixBatch, FixRecorded, FixRecords, LoadedFix
from activities.policies import Policies
from activities.story_records import RecordBehind, event_columns, faults_marked, held_instead
from models.events import GENESIS_HASH, chained
from models.fixes.commands import FIX_COMMAND, Effect, Open
from models.fixes.fix import Fix, FixEvent
from models.fixes.story import apply, fold
from models.fixes.watching import Rhythm
from models.tables.fixes import fix_event, fix_file, fix_opening

# Before its first event a fix has no row of its own that could be locked.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:fix_id, 0))")
# A signal that is not in the record stays in the story alone: an accepted command must not wait for it for ever.
_LINK = text("""
    INSERT INTO fix_signal (fix_id, signal_id, agency)
    SELECT :fix_id, id, agency FROM signal WHERE agency = :agency AND id = ANY (:signals) ON CONFLICT DO NOTHING
""")


class DatabaseFixRecords(FixRecords):
    """The record in PostgreSQL."""

    def __init__(self, engine: AsyncEngine, policies: Policies) -> None:
        self._engine = engine
        self._policies = policies

    @activity.defn(name="load_fix")
    async def load_fix(self, address: FixAddress) -> LoadedFix:
        """Return the fix folded from its events, or what opens it."""
        async with transaction(self._engine, address.agency) as connection:
            row = await _opening_row(connection, address.fix_id)
            fix = fold(Fix(id=address.fix_id), await fix_events(connection, address.fix_id))
            _, policy = await self._policies.in_force(connection, address.agency, row.opened_at)
        rhythm = Rhythm(
            time_zone=policy.agency.time_zone,
            hour=policy.surveillance.run_hour,
            watch_weeks=policy.surveillance.watch_weeks,
        )
        return LoadedFix(fix=fix, rhythm=rhythm, opening=None if fix.sequence else _opening(row))

    @activity.defn(name="record_fix")
    async def record_fix(self, batch: FixBatch) -> FixRecorded:
        """Append the batch in one transaction, or answer with what the record holds instead."""
        async with (
            faults_marked(self._engine, batch.agency, batch.fix_id),
            transaction(self._engine, batch.agency) as connection,
        ):
            await lock_fix(connection, batch.fix_id)
            held = await held_instead(connection, fix_event, fix_event.c.fix_id == batch.fix_id, batch.events)
            if held.since or held.earlier:
                return FixRecorded(held=_events(held.since), earlier=_events(held.earlier))
            await append_fix_events(connection, batch)
            return FixRecorded()

    @activity.defn(name="look_at_effect")
    async def look_at_effect(self, look: EffectLook) -> Effect:
        """Return what the weekly counts say of the change so far; the same counts give the same answer."""
        async with transaction(self._engine, look.agency) as connection:
            totals = await cell_totals(connection, look.agency, look.as_of)
            noon = datetime.combine(look.as_of, time(12), UTC)
            _, policy = await self._policies.in_force(connection, look.agency, noon)
        return await asyncio.to_thread(effect_of, look.fix, totals, look.as_of, policy)


async def lock_fix(connection: AsyncConnection, fix_id: UUID) -> None:
    """Wait until nobody else writes the fix, and keep others from it until the transaction ends."""
    await connection.execute(_LOCK, {"fix_id": str(fix_id)})


async def append_fix_events(connection: AsyncConnection, batch: FixBatch) -> Fix:
    """Append lawful events with the read model; the caller holds the fix's lock. Raises where they do not follow."""
    stored = (
        await connection.execute(
            select(fix_file.c.last_hash, fix_file.c.snapshot).where(fix_file.c.fix_id == batch.fix_id)
        )
    ).one_or_none()
    fix = Fix(id=batch.fix_id) if stored is None else Fix.model_validate(stored.snapshot)
    last_hash = GENESIS_HASH if stored is None else bytes(stored.last_hash)
    if fix.sequence != batch.events[0].sequence - 1:
        message = f"The record ends at event {fix.sequence}, the workflow goes on from {batch.events[0].sequence - 1}."
        raise RecordBehind(message)
    rows, stages = [], []
    for event in batch.events:
        fix = apply(fix, event)
        stages.append(fix)
        canonical = event.canonical()
        last_hash = chained(last_hash, canonical)
        rows.append({"fix_id": event.fix_id} | event_columns(batch.agency, event, canonical, last_hash))
    await connection.execute(insert(fix_event), rows)
    await put_fix(connection, fix, last_hash)
    for stage, event in zip(stages, batch.events, strict=True):
        await begin_list(connection, stage, event)
    return fix


async def put_fix(connection: AsyncConnection, fix: Fix, last_hash: bytes) -> None:
    """Write the read model of a fix."""
    row = fix_row(fix, last_hash)
    statement = upsert(fix_file).values(row)
    await connection.execute(statement.on_conflict_do_update(index_elements=["fix_id"], set_=row))
    if fix.signals:
        await connection.execute(_LINK, {"fix_id": fix.id, "agency": fix.agency, "signals": list(fix.signals)})


async def fix_events(connection: AsyncConnection, fix_id: UUID) -> list[FixEvent]:
    """Return all events of a fix in order."""
    query = select(fix_event.c.canonical).where(fix_event.c.fix_id == fix_id).order_by(fix_event.c.sequence)
    return list(_events(await connection.scalars(query)))


def _events(stored: Iterable[bytes]) -> tuple[FixEvent, ...]:
    return tuple(FixEvent.model_validate_json(canonical) for canonical in stored)


async def _opening_row(connection: AsyncConnection, fix_id: UUID) -> Row[Any]:
    query = select(fix_opening).where(fix_opening.c.fix_id == fix_id)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        message = f"Nothing opens fix {fix_id} in this agency."
        raise ApplicationError(message, type="NoSuchFix", non_retryable=True)
    return row


def _opening(row: Row[Any]) -> Open:
    command = FIX_COMMAND.validate_json(bytes(row.command))
    assert isinstance(command, Open)
    return command


def fix_row(fix: Fix, last_hash: bytes) -> dict[str, Any]:
    """Return the row of `fix_file`."""
    assert fix.title is not None
    return {
        "fix_id": fix.id,
        "agency": fix.agency,
        "state": fix.state.value,
        "is_open": not fix.state.is_final,
        "sequence": fix.sequence,
        "last_hash": last_hash,
        "title_id": fix.title.id,
        "owner": fix.owner,
        "opened_at": fix.opened_at,
        "attempt": fix.attempt,
        "changed_on": fix.changed_on,
        "look_on": fix.plan.look_on if fix.plan else None,
        "verdict": fix.verdict.value if fix.verdict else None,
        "last_event_at": fix.last_event_at,
        "snapshot": fix.model_dump(mode="json", exclude_none=True),
    }
