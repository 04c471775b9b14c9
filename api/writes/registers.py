# SPDX-License-Identifier: Apache-2.0
"""Registers that people keep: Problem Solving Days, and decisions on signals. Each is written once per key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from models.messages import canonical, sha256
from models.refusals import KeyReused
from models.tables.registers import problem_solving_day
from models.tables.signals import signal_decision

_NAMESPACE = UUID("3d1c2b0a-7c3f-5a52-9b0e-4f6a2d8e1c55")


@dataclass(frozen=True, slots=True)
class DayPlanned:
    """A Problem Solving Day as somebody plans it."""

    agency: str
    name: str
    place: str
    held_on: date
    office: str | None
    roster: tuple[str, ...]
    made_by: str


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision on a signal as somebody makes it."""

    agency: str
    signal_id: UUID
    decision: str
    reason: str
    defer_until: date | None
    fix: tuple[str | None, str | None, str | None]
    """The fix that deals with it: its id, or the title and the owner of a new one."""
    decided_by: str
    decided_at: datetime
    key: str

    @property
    def request_hash(self) -> bytes:
        """SHA-256 of what was asked for; the moment is no part of it."""
        asked = [str(self.signal_id), self.decision, self.reason, str(self.defer_until), *self.fix, self.decided_by]
        return sha256(canonical(asked))


async def plan_day(connection: AsyncConnection, planned: DayPlanned, key: str) -> UUID:
    """Write a Problem Solving Day, or find it written; raises KeyReused for another day under the same key."""
    day_id = uuid5(_NAMESPACE, f"day/{planned.agency}/{planned.made_by}/{key}")
    row = {
        "name": planned.name,
        "place": planned.place,
        "held_on": planned.held_on,
        "office": planned.office,
        "roster": list(planned.roster),
    }
    statement = insert(problem_solving_day).values(id=day_id, agency=planned.agency, made_by=planned.made_by, **row)
    written = await connection.execute(statement.on_conflict_do_nothing().returning(problem_solving_day.c.id))
    if written.scalar_one_or_none() is None:
        columns = [problem_solving_day.c[name] for name in row]
        query = select(*columns).where(problem_solving_day.c.id == day_id)
        if (await connection.execute(query)).one() != tuple(row.values()):
            raise KeyReused("This Idempotency-Key was used for another day; send a new key with a new day.")
    return day_id


async def is_decided(connection: AsyncConnection, decided: Decided) -> bool:
    """Return whether the decision was written under its key; raises KeyReused where another one was."""
    query = select(signal_decision.c.request_hash).where(signal_decision.c.command_key == decided.key)
    stored = (await connection.execute(query)).scalar_one_or_none()
    if stored is not None and bytes(stored) != decided.request_hash:
        raise KeyReused("This Idempotency-Key was used for another decision; send a new key with a new decision.")
    return stored is not None


async def decide_signal(connection: AsyncConnection, decided: Decided) -> UUID:
    """Write a decision, or find it written; raises KeyReused for another decision under the same key."""
    decision_id = uuid5(_NAMESPACE, f"decision/{decided.agency}/{decided.key}")
    statement = insert(signal_decision).values(
        id=decision_id,
        signal_id=decided.signal_id,
        agency=decided.agency,
        decision=decided.decision,
        reason=decided.reason,
        defer_until=decided.defer_until,
        decided_by=decided.decided_by,
        decided_at=decided.decided_at,
        command_key=decided.key,
        request_hash=decided.request_hash,
        fix_id=None if decided.fix[0] is None else UUID(decided.fix[0]),
    )
    written = await connection.execute(statement.on_conflict_do_nothing().returning(signal_decision.c.id))
    if written.scalar_one_or_none() is None:
        await is_decided(connection, decided)
    return decision_id
