# SPDX-License-Identifier: Apache-2.0
"""What the record promises alike of a case and of a systemic fix: each key once, and faults that are seen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Table, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio.exceptions import ApplicationError

from activities.database import transaction
from models.events import Event
from models.fixes.fix import FixEvent
from models.tables.cases import fault


class KeyOfAnotherRequest(Exception):
    """A command key has been recorded with another request."""


class RecordBehind(Exception):
    """The workflow knows events that the record does not hold, which cannot come about by crashes."""


@dataclass(frozen=True, slots=True)
class Held:
    """The bytes of the events that stand in the place of a batch; without any, it can be appended."""

    since: tuple[bytes, ...]
    """From the batch's first sequence on."""
    earlier: tuple[bytes, ...]
    """Those before it that carry one of the batch's keys."""


async def held_instead(
    connection: AsyncConnection, table: Table, is_of_story: ColumnElement[bool], events: Sequence[Event | FixEvent]
) -> Held:
    """Return what the record holds instead of the events; raises KeyOfAnotherRequest."""
    first = events[0].sequence
    asked = {event.command.key: event.command.request_hash for event in events}
    query = (
        select(table.c.sequence, table.c.command_key, table.c.request_hash, table.c.canonical)
        .where(is_of_story, or_(table.c.sequence >= first, table.c.command_key.in_(list(asked))))
        .order_by(table.c.sequence)
    )
    rows = (await connection.execute(query)).all()
    for row in rows:
        if asked.get(row.command_key, row.request_hash) != row.request_hash:
            message = f"The key {row.command_key} belongs to event {row.sequence} and was sent with another request."
            raise KeyOfAnotherRequest(message)
    return Held(
        since=tuple(row.canonical for row in rows if row.sequence >= first),
        earlier=tuple(row.canonical for row in rows if row.sequence < first),
    )


def event_columns(agency: str, event: Event | FixEvent, canonical: bytes, event_hash: bytes) -> dict[str, Any]:
    """Return the columns of an event's row that say what happened, beside the id of whose story it is."""
    command = event.command
    return {
        "sequence": event.sequence,
        "agency": agency,
        "command_key": command.key,
        "request_hash": command.request_hash,
        "action": command.action.value,
        "actor": command.actor.name,
        "role": command.actor.role.value,
        "state": event.target.value,
        "at": event.at,
        "canonical": canonical,
        "hash": event_hash,
    }


@asynccontextmanager
async def faults_marked(engine: AsyncEngine, agency: str, story_id: UUID) -> AsyncIterator[None]:
    """Mark the case or fix where a workflow cannot go on by itself, and tell Temporal not to try again."""
    try:
        yield
    except KeyOfAnotherRequest as problem:
        await _mark(engine, agency, story_id, "key_reused", str(problem))
        raise ApplicationError(str(problem), type="KeyReused", non_retryable=True) from problem
    except RecordBehind as problem:
        await _mark(engine, agency, story_id, "record_behind", str(problem))
        raise ApplicationError(str(problem), type="RecordBehind", non_retryable=True) from problem


async def _mark(engine: AsyncEngine, agency: str, story_id: UUID, kind: str, detail: str) -> None:
    async with transaction(engine, agency) as connection:
        row = {"agency": agency, "case_id": story_id, "kind": kind, "detail": detail}
        await connection.execute(upsert(fault).values(row).on_conflict_do_nothing())
