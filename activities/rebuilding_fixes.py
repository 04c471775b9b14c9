# SPDX-License-Identifier: Apache-2.0
"""Rebuilding the read model of systemic fixes from their events, each under the lock that recording takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.database import transaction
from activities.fix_records import fix_events, fix_row, lock_fix, put_fix
from models.fixes.fix import Fix
from models.fixes.story import fold
from models.tables.fixes import fix_event, fix_file, fix_signal
from models.tables.signals import signal

UNREADABLE_KEPT = 20


@dataclass(slots=True)
class FixesRebuilt:
    """What rebuilding the fixes of an agency came to."""

    fixes: int = 0
    repaired: int = 0
    """Fixes whose row, or whose signals, were wrong or missing."""
    unreadable: list[str] = field(default_factory=list)
    """Fixes whose events do not tell a story; `verify` says more."""


async def rebuild_fixes(engine: AsyncEngine, agency: str) -> FixesRebuilt:
    """Rebuild the read model of every fix of the agency."""
    rebuilt = FixesRebuilt()
    async with transaction(engine, agency) as connection:
        query = select(fix_event.c.fix_id).where(fix_event.c.agency == agency).distinct().order_by(fix_event.c.fix_id)
        fix_ids = list(await connection.scalars(query))
    for fix_id in fix_ids:
        async with transaction(engine, agency) as connection:
            await _rebuild(connection, fix_id, rebuilt)
    return rebuilt


async def _rebuild(connection: AsyncConnection, fix_id: UUID, rebuilt: FixesRebuilt) -> None:
    await lock_fix(connection, fix_id)
    try:
        fix = fold(Fix(id=fix_id), await fix_events(connection, fix_id))
    except ValueError:
        if len(rebuilt.unreadable) < UNREADABLE_KEPT:
            rebuilt.unreadable.append(f"Fix {fix_id} cannot be told from its events; run putright verify.")
        return
    last = select(fix_event.c.hash).where(fix_event.c.fix_id == fix_id, fix_event.c.sequence == fix.sequence)
    right = fix_row(fix, bytes((await connection.execute(last)).scalar_one()))
    stored = (await connection.execute(select(fix_file).where(fix_file.c.fix_id == fix_id))).mappings().one_or_none()
    linked = set(await connection.scalars(select(fix_signal.c.signal_id).where(fix_signal.c.fix_id == fix_id)))
    told_of = set(await connection.scalars(select(signal.c.id).where(signal.c.id.in_(fix.signals))))
    is_right = stored is not None and dict(stored) == right and linked == told_of
    if not is_right:
        await connection.execute(delete(fix_signal).where(fix_signal.c.fix_id == fix_id))
        await put_fix(connection, fix, right["last_hash"])
    rebuilt.fixes += 1
    rebuilt.repaired += not is_right
