# SPDX-License-Identifier: Apache-2.0
"""Texts of later actions: stored once under the id that case, key and kind give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from sqlalchemy import TextClause, text

from api.reads.database import Database
from models.messages import ContentRef, sha256
from models.receiving import Text
from models.refusals import KeyReused

_PUT = text("SELECT * FROM put_content(:agency, :case_id, :id, :kind, :body, :salt, :digest)")


async def put_texts(database: Database, agency: str, case_id: UUID, texts: Iterable[Text]) -> dict[str, ContentRef]:
    """Store the texts, or find them stored; return how commands refer to them, by kind.

    Raises KeyReused where another text stands under the same key.
    """
    return await put_all(database, _PUT, {"agency": agency, "case_id": case_id}, texts)


async def put_all(
    database: Database, door: TextClause, whose: Mapping[str, object], texts: Iterable[Text]
) -> dict[str, ContentRef]:
    """Do so through a door of the record, for the case or the fix they belong to."""
    refs = {}
    async with database.doors() as connection:
        for told in texts:
            row = {"id": told.id, "kind": told.kind, "body": told.body, "salt": told.salt, "digest": told.digest}
            stored = (await connection.execute(door, {**whose, **row})).one()
            if bytes(stored.o_digest) != sha256(bytes(stored.o_salt), told.body.encode()):
                raise KeyReused("This Idempotency-Key was used with another text; send a new key with a new text.")
            refs[told.kind] = ContentRef(id=told.id, digest=bytes(stored.o_digest).hex())
    return refs
