# SPDX-License-Identifier: Apache-2.0
"""What the record holds for a command's key: asked before Temporal, which forgets keys when a history goes on anew."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.reads.database import Database
from models.commands import Command
from models.fixes.commands import FixCommand
from models.fixes.terms import FixAction, FixState
from models.refusals import KeyReused
from models.tables.cases import case_event
from models.tables.fixes import fix_event
from models.terms import State
from workflows.complaint import Answer
from workflows.systemic_fix import FixAnswer


async def is_recorded(connection: AsyncConnection, case_id: UUID, key: str) -> bool:
    """Return whether an event of the case carries the key."""
    query = select(case_event.c.sequence).where(case_event.c.case_id == case_id, case_event.c.command_key == key)
    return (await connection.execute(query)).scalar_one_or_none() is not None


async def is_recorded_of_fix(connection: AsyncConnection, fix_id: UUID, key: str) -> bool:
    """Return whether an event of the fix carries the key."""
    query = select(fix_event.c.sequence).where(fix_event.c.fix_id == fix_id, fix_event.c.command_key == key)
    return (await connection.execute(query)).scalar_one_or_none() is not None


class RecordedAnswers:
    """The first answers, as `Actions` asks for them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self, agency: str, identity: UUID, command: Command | FixCommand) -> Answer | FixAnswer | None:
        """Return the first answer to the command's key, or nothing; raises KeyReused for another request."""
        is_of_fix = isinstance(command.action, FixAction)
        columns = (fix_event if is_of_fix else case_event).c
        whose = columns.fix_id if is_of_fix else columns.case_id
        query = select(columns.sequence, columns.state, columns.at, columns.request_hash).where(
            whose == identity, columns.command_key == command.key
        )
        async with self._database.of(agency) as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        if bytes(row.request_hash) != command.request_hash:
            raise KeyReused("This Idempotency-Key was used for another request; send a new key with a new request.")
        if is_of_fix:
            return FixAnswer(sequence=row.sequence, state=FixState(row.state), at=row.at)
        return Answer(sequence=row.sequence, state=State(row.state), at=row.at)
