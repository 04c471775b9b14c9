# SPDX-License-Identifier: Apache-2.0
"""Verifying systemic fixes: chains, columns, texts, openings and the read model of each, as with cases."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.chains import chain_breaks, column_breaks, missing_texts, read_model_breaks, text_breaks
from models.messages import canonical

_FIXES = text("""
    SELECT fix_id FROM fix_opening WHERE agency = :agency UNION SELECT fix_id FROM fix_event WHERE agency = :agency
    ORDER BY fix_id
""")
_OPENING = text("SELECT command_key, command FROM fix_opening WHERE fix_id = :id")
_EVENTS = text("SELECT * FROM fix_event WHERE fix_id = :id ORDER BY sequence")
_FILE = text("SELECT sequence, last_hash FROM fix_file WHERE fix_id = :id")
_TEXTS = text("""
    SELECT id, encode(digest, 'hex') AS digest, digest = sha256(salt || convert_to(body, 'UTF8')) AS is_whole
    FROM fix_text WHERE fix_id = :id
""")


@dataclass(slots=True)
class StoredFix:
    """Everything the record holds of one fix."""

    fix_id: UUID
    opening: Row[Any] | None
    events: list[Row[Any]]
    file: Row[Any] | None
    texts: dict[str, Row[Any]] = field(default_factory=dict)

    @property
    def removed_texts(self) -> int:
        """How many texts its events refer to that are there no longer: disposal removes them, as those of a case."""
        return missing_texts(self.texts, self._told())

    def breaks(self) -> Iterator[str]:
        """Yield what does not hold, in sentences."""
        broken = list(chain_breaks(self.events))
        if not broken:
            told = self._told()
            broken += [
                *self._opening_breaks(told),
                *column_breaks(self.events, told, "fix_id"),
                *text_breaks(self.texts, told),
            ]
        broken += read_model_breaks(self.file, self.events)
        yield from (f"Fix {self.fix_id}: {sentence}" for sentence in broken)

    def _told(self) -> list[Any]:
        return [json.loads(event.canonical) for event in self.events]

    def _opening_breaks(self, told: list[Any]) -> Iterator[str]:
        if self.opening is None:
            yield "nothing opens it, there is only what came after."
        elif told and canonical(told[0]["command"]) != bytes(self.opening.command):
            yield "what opened it is not what its first event tells of."


async def fixes_of(connection: AsyncConnection, agency: str) -> AsyncIterator[StoredFix]:
    """Yield every fix of the agency, one after another: there are hundreds at most, of some fifty events each."""
    for fix_id in list(await connection.scalars(_FIXES, {"agency": agency})):
        whose = {"id": fix_id}
        fix = StoredFix(
            fix_id,
            (await connection.execute(_OPENING, whose)).one_or_none(),
            list((await connection.execute(_EVENTS, whose)).all()),
            (await connection.execute(_FILE, whose)).one_or_none(),
        )
        fix.texts = {str(row.id): row for row in await connection.execute(_TEXTS, whose)}
        yield fix
