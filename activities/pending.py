# SPDX-License-Identifier: Apache-2.0
"""Queues in PostgreSQL: claim some rows for a while, do the work, strike them off.

A claim whose holder dies runs out by itself.

The queues hold ids and agencies only. Claiming skips what others hold, so any number of workers share them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

Queue = Literal["receipt_pending", "outbox_pending", "fix_pending", "affected_pending"]
_KEY: dict[Queue, str] = {
    "receipt_pending": "case_id",
    "outbox_pending": "id",
    "fix_pending": "fix_id",
    "affected_pending": "list_id",
}
CLAIMED_FOR = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row of a queue, ours for half a minute."""

    id: UUID
    agency: str
    attempts: int


class PendingQueue:
    """One of the queues."""

    def __init__(self, engine: AsyncEngine, queue: Queue) -> None:
        self.name = queue
        self._engine = engine
        self._claim = text(f"""
            UPDATE {queue} SET claimed_until = :until, attempts = attempts + 1
            WHERE {_KEY[queue]} IN (SELECT {_KEY[queue]} FROM {queue} WHERE claimed_until < :now
                                    ORDER BY added_at LIMIT :limit FOR UPDATE SKIP LOCKED)
            RETURNING {_KEY[queue]} AS id, agency, attempts
        """)  # noqa: S608 - the names are those above
        self._done = text(f"DELETE FROM {queue} WHERE {_KEY[queue]} = ANY (:ids)")  # noqa: S608
        self._back = text(f"UPDATE {queue} SET claimed_until = :until WHERE {_KEY[queue]} = ANY (:ids)")  # noqa: S608
        self._recent = text(f"SELECT count(*) FROM (SELECT FROM {queue} WHERE added_at > :since LIMIT :limit) s")  # noqa: S608

    async def claim(self, limit: int, now: datetime) -> list[Claimed]:
        """Claim up to `limit` rows, the oldest first."""
        async with self._engine.begin() as connection:
            rows = await connection.execute(self._claim, {"limit": limit, "now": now, "until": now + CLAIMED_FOR})
            return [Claimed(row.id, row.agency, row.attempts) for row in rows]

    async def strike(self, ids: list[UUID]) -> None:
        """Take rows off, because their work is done."""
        async with self._engine.begin() as connection:
            await connection.execute(self._done, {"ids": ids})

    async def put_back(self, ids: list[UUID], until: datetime) -> None:
        """Give rows back, not to be claimed before `until`."""
        async with self._engine.begin() as connection:
            await connection.execute(self._back, {"ids": ids, "until": until})

    async def arrivals(self, since: datetime, at_most: int) -> int:
        """Return how many waiting rows came in after `since`, counting no further than `at_most`."""
        async with self._engine.connect() as connection:
            return int((await connection.execute(self._recent, {"since": since, "limit": at_most})).scalar_one())
