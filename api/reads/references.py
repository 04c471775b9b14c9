# SPDX-License-Identifier: Apache-2.0
"""Where a public reference belongs, before the agency is known; its holder still has to show the secret."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text

from api.reads.database import Database

_PLACE = text("SELECT * FROM case_of_reference(:reference)")


@dataclass(frozen=True, slots=True)
class Place:
    """A case and its agency."""

    case_id: UUID
    agency: str


async def place_of_reference(database: Database, reference: str) -> Place | None:
    """Return where the reference belongs, or None for one that nobody gave out."""
    async with database.doors() as connection:
        row = (await connection.execute(_PLACE, {"reference": reference})).one_or_none()
    return Place(row.o_case_id, row.o_agency) if row else None
