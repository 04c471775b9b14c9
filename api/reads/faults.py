# SPDX-License-Identifier: Apache-2.0
"""Cases that something is wrong with, as the worker marked them; a mark that was cleared counts no more."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.tables.cases import fault

WRONG_MASTER_KEY = "wrong_master_key"


async def standing_faults(connection: AsyncConnection, kind: str) -> int:
    """Return how many cases of the agency bear that mark."""
    query = select(func.count()).where(fault.c.kind == kind, fault.c.cleared_at.is_(None))
    return (await connection.execute(query)).scalar_one()
