# SPDX-License-Identifier: Apache-2.0
"""What all tables share. Constraints and indexes stand in migrations/sql, where the database gets them from."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, FetchedValue, Integer, MetaData, Table, Text, Uuid
from sqlalchemy.types import UserDefinedType

METADATA = MetaData()


def queue(name: str, key: str) -> Table:
    """Return the table of a queue; all are claimed from alike (activities/pending.py). `key` names what waits."""
    return Table(
        name,
        METADATA,
        Column(key, Uuid, primary_key=True),
        Column("agency", Text, nullable=False),
        Column("added_at", DateTime(timezone=True), nullable=False, server_default=FetchedValue()),
        Column("claimed_until", DateTime(timezone=True), nullable=False, server_default=FetchedValue()),
        Column("attempts", Integer, nullable=False, server_default=FetchedValue()),
    )


class Xid8(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction id, which says from when on a row can be seen."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the type's name in SQL."""
        return "xid8"
