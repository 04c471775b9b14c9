# SPDX-License-Identifier: Apache-2.0
"""Putting down a list of people whom a failure affected; it begins when the fix's event names it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from api.reads.database import Database
from models.refusals import KeyReused

_LIST = text("""
    SELECT o_request_hash, o_people_count FROM list_affected(
        :agency, :list_id, :fix_id, :help, :request_hash, :added_by, :added_at, CAST(:people AS jsonb))
""")


@dataclass(frozen=True, slots=True)
class ListPut:
    """A list as somebody puts it down; people as `affected_person` has them."""

    list_id: UUID
    fix_id: UUID
    help: str
    request_hash: bytes
    added_by: str
    people: Sequence[dict[str, Any]]


async def put_list(database: Database, agency: str, put: ListPut, now: datetime) -> int:
    """Store the list, or find it stored; return how many people are on it.

    Raises KeyReused where another list stands under the same key.
    """
    told = {
        "agency": agency,
        "list_id": put.list_id,
        "fix_id": put.fix_id,
        "help": put.help,
        "request_hash": put.request_hash,
        "added_by": put.added_by,
        "added_at": now,
        "people": json.dumps(put.people),
    }
    async with database.doors() as connection:
        row = (await connection.execute(_LIST, told)).one()
    if bytes(row.o_request_hash) != put.request_hash:
        raise KeyReused("This Idempotency-Key was used with another list; send a new key with a new list.")
    count: int = row.o_people_count
    return count
