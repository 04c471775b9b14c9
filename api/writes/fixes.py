# SPDX-License-Identifier: Apache-2.0
"""Opening a fix, durable in one round trip as a receipt is, and the texts of what is asked of it later."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.reads.database import Database
from api.writes.texts import put_all
from models.fixes.commands import Open
from models.messages import ContentRef, canonical_message
from models.receiving import Text
from models.refusals import KeyReused

_OPEN = text("""
    SELECT o_fix_id, o_request_hash FROM open_fix(
        :agency, :fix_id, :key, :request_hash, :opened_at, :command, CAST(:ids AS uuid[]), CAST(:kinds AS text[]),
        CAST(:bodies AS text[]), CAST(:salts AS bytea[]), CAST(:digests AS bytea[]))
""")
_PUT = text("SELECT * FROM put_fix_text(:agency, :fix_id, :id, :kind, :body, :salt, :digest)")
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended(:what, 0))")


async def one_at_a_time(connection: AsyncConnection, what: str) -> None:
    """Let nobody else through here for the same thing until this transaction ends."""
    await connection.execute(_ONE_AT_A_TIME, {"what": what})


async def open_fix(
    connection: AsyncConnection, opening: Open, texts: Sequence[Text], *, request_hash: bytes, opened_at: datetime
) -> UUID:
    """Write what opens a fix, with its texts, or find it written under the same key; return the fix's id.

    Raises KeyReused where the key opened another one.
    """
    told = {
        "agency": opening.agency,
        "fix_id": opening.fix_id,
        "key": opening.key,
        "request_hash": request_hash,
        "opened_at": opened_at,
        "command": canonical_message(opening),
        "ids": [t.id for t in texts],
        "kinds": [t.kind for t in texts],
        "bodies": [t.body for t in texts],
        "salts": [t.salt for t in texts],
        "digests": [t.digest for t in texts],
    }
    row = (await connection.execute(_OPEN, told)).one()
    if bytes(row.o_request_hash) != request_hash:
        raise KeyReused("This Idempotency-Key was used for another fix; send a new key with a new fix.")
    fix_id: UUID = row.o_fix_id
    return fix_id


async def put_fix_texts(database: Database, agency: str, fix_id: UUID, texts: Iterable[Text]) -> dict[str, ContentRef]:
    """Store the texts, or find them stored; return how commands refer to them, by kind.

    Raises KeyReused where another text stands under the same key.
    """
    return await put_all(database, _PUT, {"agency": agency, "fix_id": fix_id}, texts)
