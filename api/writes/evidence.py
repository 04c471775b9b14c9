# SPDX-License-Identifier: Apache-2.0
"""Evidence that is laid beside a signal: written once per key, never altered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from models.messages import canonical, sha256
from models.refusals import KeyReused
from models.signals import BesideComplaints
from models.tables.signals import signal_evidence

_NAMESPACE = UUID("6a0d5a1e-93a7-5f0b-8a43-0c6f7b1f2d90")


@dataclass(frozen=True, slots=True)
class Attached:
    """Evidence as somebody lays it down."""

    agency: str
    signal_id: UUID
    source: BesideComplaints
    words: str
    people_count: int | None
    gathered_on: date | None
    added_by: str
    added_at: datetime
    key: str

    @property
    def request_hash(self) -> bytes:
        """SHA-256 of what was laid down; the moment is no part of it."""
        people = "" if self.people_count is None else str(self.people_count)
        return sha256(
            canonical(
                [str(self.signal_id), self.source.value, self.words, people, str(self.gathered_on), self.added_by]
            )
        )


async def attach_evidence(connection: AsyncConnection, attached: Attached) -> UUID:
    """Write evidence, or find it written; raises KeyReused for other evidence under the same key."""
    evidence_id = uuid5(_NAMESPACE, f"{attached.agency}/{attached.key}")
    statement = insert(signal_evidence).values(
        id=evidence_id,
        signal_id=attached.signal_id,
        agency=attached.agency,
        source=attached.source.value,
        words=attached.words,
        people_count=attached.people_count,
        gathered_on=attached.gathered_on,
        added_by=attached.added_by,
        added_at=attached.added_at,
        command_key=attached.key,
        request_hash=attached.request_hash,
    )
    written = await connection.execute(statement.on_conflict_do_nothing().returning(signal_evidence.c.id))
    if written.scalar_one_or_none() is None:
        query = select(signal_evidence.c.request_hash).where(signal_evidence.c.id == evidence_id)
        if bytes((await connection.execute(query)).scalar_one()) != attached.request_hash:
            raise KeyReused("This Idempotency-Key was used for other evidence; send a new key with new evidence.")
    return evidence_id
