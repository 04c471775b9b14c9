# SPDX-License-Identifier: Apache-2.0
"""Policy versions in the record: append-only, looked up once and kept in memory, for a version never changes."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.case import Case
from models.clocks import Rules, rules_for
from models.policy import Policy
from models.tables.receipts import policy_version


class NoPolicy(LookupError):
    """The agency has no policy in the record."""


class Policies:
    """The policy versions of every agency this process has met."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], Policy] = {}
        self._rules = lru_cache(maxsize=512)(self._cut_rules)

    async def version(self, connection: AsyncConnection, agency: str, version: int) -> Policy:
        """Return one version of the agency's policy."""
        if (known := self._known.get((agency, version))) is None:
            query = select(policy_version.c.document).where(
                policy_version.c.agency == agency, policy_version.c.version == version
            )
            document = (await connection.execute(query)).scalar_one_or_none()
            if document is None:
                message = f"The record holds no policy version {version} of {agency}; run `putright migrate`."
                raise NoPolicy(message)
            known = self._known[agency, version] = Policy.model_validate(document)
        return known

    async def in_force(self, connection: AsyncConnection, agency: str, received_at: datetime) -> tuple[int, Policy]:
        """Return the version in force when a complaint was received; older than the first takes the first."""
        number = in_force_at(await self.versions(connection, agency), received_at)
        return number, await self.version(connection, agency, number)

    async def versions(self, connection: AsyncConnection, agency: str) -> list[tuple[datetime, int]]:
        """Return from when on each of the agency's versions is in force, the oldest first; never an empty list."""
        query = (
            select(policy_version.c.effective_from, policy_version.c.version)
            .where(policy_version.c.agency == agency)
            .order_by(policy_version.c.effective_from, policy_version.c.version)
        )
        if versions := (await connection.execute(query)).all():
            return [(row.effective_from, row.version) for row in versions]
        message = f"The record holds no policy of {agency}; run `putright migrate`."
        raise NoPolicy(message)

    async def rules(self, connection: AsyncConnection, case: Case, now: datetime) -> Rules:
        """Return what the case's clocks are computed by."""
        await self.version(connection, case.agency, case.policy_version)
        month = datetime(now.year, now.month, 1, tzinfo=now.tzinfo)
        received = case.counted_from
        received_month = datetime(received.year, received.month, 1, tzinfo=received.tzinfo)
        return self._rules(case.agency, case.policy_version, received_month, month)

    def _cut_rules(self, agency: str, version: int, received_month: datetime, month: datetime) -> Rules:
        policy = self._known[agency, version]
        return rules_for(policy.standards, policy.calendar, around=received_month, until=month)


def in_force_at(versions: list[tuple[datetime, int]], received_at: datetime) -> int:
    """Return the version in force at a moment; what is older than the first takes the first."""
    fitting = [version for effective_from, version in versions if effective_from <= received_at]
    return fitting[-1] if fitting else versions[0][1]
