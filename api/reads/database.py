# SPDX-License-Identifier: Apache-2.0
"""How the API reaches PostgreSQL: one transaction at a time, for one agency, and a record that is away says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_SET_AGENCY = text("SELECT set_config('putright.agency', :agency, true)")
_IS_THERE = text("SELECT true")


class RecordAway(Exception):
    """The record cannot be reached now; asking again is safe and right."""

    def __init__(self, *, is_of_one_connection: bool) -> None:
        super().__init__("The record cannot be reached just now. Ask again in a few seconds.")
        self.is_of_one_connection = is_of_one_connection
        """Whether one connection had died unnoticed; a new one may well work."""


class Database:
    """The record, as the API's role reaches it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        # Each statement by itself: a door that does all its work in one call needs no BEGIN and COMMIT around it.
        self._doors = engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def of(self, agency: str) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that sees and writes this agency's rows only."""
        async with _or_away(), self._engine.begin() as connection:
            await connection.execute(_SET_AGENCY, {"agency": agency})
            yield connection

    @asynccontextmanager
    async def doors(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection that may only call functions and read what no agency owns."""
        async with _or_away(), self._doors.connect() as connection:
            yield connection

    async def is_there(self) -> bool:
        """Return whether the record answers."""
        try:
            async with self.doors() as connection:
                return bool((await connection.execute(_IS_THERE)).scalar_one())
        except RecordAway:
            return False


@asynccontextmanager
async def _or_away() -> AsyncIterator[None]:
    """Say RecordAway where PostgreSQL cannot be reached, or no connection came free in time."""
    try:
        yield
    except (OperationalError, InterfaceError) as problem:
        raise RecordAway(is_of_one_connection=problem.connection_invalidated) from problem
    except PoolTimeout as problem:
        raise RecordAway(is_of_one_connection=False) from problem
