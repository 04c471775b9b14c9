# SPDX-License-Identifier: Apache-2.0
"""How the installation does, for administrators: what waits to be opened, and what waits for a person."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.tables.cases import case_file, fault
from models.tables.receipts import receipt

LOOKED_AT = 1000
"""How many of the newest receipts are looked at: enough to see the relay stand still, and never a count of all."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What has not gone its way."""

    unopened: int
    """Receipts among the newest that have no case yet."""
    faults: dict[str, int]
    """Faults that nobody has cleared, by kind."""


async def waiting(connection: AsyncConnection) -> Waiting:
    """Return what waits in the agency."""
    newest = select(receipt.c.case_id).order_by(receipt.c.case_id.desc()).limit(LOOKED_AT).subquery()
    unopened = (
        select(func.count())
        .select_from(newest.outerjoin(case_file, case_file.c.case_id == newest.c.case_id))
        .where(case_file.c.case_id.is_(None))
    )
    kinds = (
        select(fault.c.kind, func.count().label("number")).where(fault.c.cleared_at.is_(None)).group_by(fault.c.kind)
    )
    found = (await connection.execute(kinds.order_by(fault.c.kind))).all()
    return Waiting(
        unopened=(await connection.execute(unopened)).scalar_one(),
        faults={row.kind: row.number for row in found},
    )
