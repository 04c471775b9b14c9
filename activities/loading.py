# SPDX-License-Identifier: Apache-2.0
"""Many rows at once: COPY into a temporary table of the connection, then INSERT … SELECT into the table itself.

PostgreSQL refuses COPY into a table under row-level security, and COPY knows no ON CONFLICT; the detour costs little
and keeps both the separation of agencies and the idempotency key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import AsyncConnection as Driver
from psycopg import sql
from sqlalchemy import Column, Table
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.ext.asyncio import AsyncConnection

_DIALECT = PGDialect()  # type: ignore[no-untyped-call]  # SQLAlchemy has no types here

Values = Sequence[Any]
"""The values of one row, in the order of the columns."""


class Loading:
    """The way into one table for some of its columns; the others take their defaults."""

    def __init__(self, table: Table, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        self.waiting = sql.Identifier("pg_temp", f"loading_{table.name}")
        types = sql.SQL(", ").join(_typed(table.c[name]) for name in columns)
        self._make = sql.SQL("CREATE TEMPORARY TABLE IF NOT EXISTS {} ({}) ON COMMIT DELETE ROWS").format(
            self.waiting, types
        )
        self._copy = sql.SQL("COPY {} ({}) FROM STDIN").format(self.waiting, names)
        self._take_over = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {}").format(
            sql.Identifier(table.name), names, names, self.waiting
        )

    async def wait(self, driver: Driver[Any], rows: Iterable[Values]) -> None:
        """Bring rows to the temporary table."""
        async with driver.cursor() as cursor:
            await cursor.execute(self._make)
            async with cursor.copy(self._copy) as copy:
                for row in rows:
                    await copy.write_row(row)

    async def take_over(self, driver: Driver[Any]) -> None:
        """Insert the waiting rows into the table."""
        await driver.execute(self._take_over)

    async def take_over_new(self, driver: Driver[Any], returning: str) -> set[Any]:
        """Insert the waiting rows whose keys are new; return a column of those."""
        statement = sql.SQL("{} ON CONFLICT DO NOTHING RETURNING {}").format(self._take_over, sql.Identifier(returning))
        cursor = await driver.execute(statement)
        return {row[0] for row in await cursor.fetchall()}

    async def load(self, driver: Driver[Any], rows: Sequence[Values]) -> None:
        """Insert rows, all of them new; the temporary table is there afterwards also where there were none."""
        await self.wait(driver, rows)
        if rows:
            await self.take_over(driver)


async def driver_of(connection: AsyncConnection) -> Driver[Any]:
    """Return psycopg's own connection, which speaks COPY, in the same transaction."""
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    assert isinstance(driver, Driver)
    return driver


def _typed(column: Column[Any]) -> sql.Composable:
    return sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type.compile(dialect=_DIALECT)))
