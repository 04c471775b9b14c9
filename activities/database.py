# SPDX-License-Identifier: Apache-2.0
"""How activities reach PostgreSQL: one transaction at a time, always for one agency."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_SET_AGENCY = text("SELECT set_config('putright.agency', :agency, true)")


@asynccontextmanager
async def transaction(engine: AsyncEngine, agency: str) -> AsyncIterator[AsyncConnection]:
    """Open a transaction that sees and writes this agency's rows only; it commits at the end, all or nothing."""
    async with engine.begin() as connection:
        await connection.execute(_SET_AGENCY, {"agency": agency})
        yield connection


async def agencies(engine: AsyncEngine) -> list[str]:
    """Return the slugs of all agencies."""
    async with engine.connect() as connection:
        return list(await connection.scalars(text("SELECT slug FROM agency ORDER BY slug")))
