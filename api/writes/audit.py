# SPDX-License-Identifier: Apache-2.0
"""The audit of reads: opening a case or its events is one row, a list or a search is one row with its filter."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from models.commands import Actor
from models.tables.registers import audit_read


class Looked(StrEnum):
    """At what somebody looked."""

    CASE = "case"
    EVENTS = "events"
    FIX = "fix"
    LIST = "list"
    SEARCH = "search"
    SIGNAL = "signal"
    TRACK = "track"


async def note_read(
    connection: AsyncConnection,
    agency: str,
    actor: Actor,
    what: Looked,
    *,
    case_id: UUID | None = None,
    asked: Mapping[str, Any] | None = None,
) -> None:
    """Note that somebody looked, in the transaction of the read itself."""
    row = {"agency": agency, "actor": actor.name, "role": actor.role.value, "what": what.value, "case_id": case_id}
    # inline: without RETURNING, for this role may write the audit and not read it.
    await connection.execute(insert(audit_read).values(**row, filter=asked).inline())
