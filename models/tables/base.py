# SPDX-License-Identifier: Apache-2.0
"""What all tables share. Constraints and indexes stand in migrations/sql, where the database gets them from."""

from __future__ import annotations

from sqlalchemy import MetaData
from sqlalchemy.types import UserDefinedType

METADATA = MetaData()


class Xid8(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction id, which says from when on a row can be seen."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the type's name in SQL."""
        return "xid8"
