# SPDX-License-Identifier: Apache-2.0
"""How many people were served: what the weekly look holds complaints against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.database import transaction
from activities.policies import Policies
from models.policy import Policy
from models.tables.signals import exposure

_NEWEST = text("""
    SELECT DISTINCT ON (service, office, week) service, office, week, served FROM exposure WHERE agency = :agency
    ORDER BY service, office, week, recorded_at DESC
""")


@dataclass(frozen=True, slots=True)
class Served:
    """So many people served by a service at an office in the week that begins on a Monday."""

    service: str
    office: str
    week: date
    served: int


async def record_exposure(engine: AsyncEngine, agency: str, told: Sequence[Served]) -> int:
    """Write down what is not known yet, all of it or nothing, and return how many figures that is.

    A figure told anew with another number stands beside the earlier one, which looks as of earlier days go on using.
    """
    async with transaction(engine, agency) as connection:
        await connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"exposure/{agency}"))))
        known = {
            (row.service, row.office, row.week): row.served
            for row in await connection.execute(_NEWEST, {"agency": agency})
        }
        new = [
            {"agency": agency, "service": one.service, "office": one.office, "week": one.week, "served": one.served}
            for one in told
            if known.get((one.service, one.office, one.week)) != one.served
        ]
        if new:
            await connection.execute(exposure.insert(), new)
    return len(new)


async def policy_of(engine: AsyncEngine, agency: str) -> Policy:
    """Return the newest version of the agency's policy, whose services and offices figures may be told of."""
    policies = Policies()
    async with transaction(engine, agency) as connection:
        _, version = (await policies.versions(connection, agency))[-1]
        return await policies.version(connection, agency, version)
