# SPDX-License-Identifier: Apache-2.0
"""Agencies and their policy versions, remembered by this process: a version never changes, a new one is seen soon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache

from sqlalchemy import select

from api.reads.database import Database
from models.case import Case
from models.clocks import Rules, rules_for
from models.policy import Policy
from models.tables.receipts import agency as agency_table
from models.tables.receipts import policy_version
from models.terms import ClockName
from models.working_time import Unit

NEW_VERSION_SEEN_WITHIN = timedelta(seconds=60)


class UnknownAgency(LookupError):
    """There is no such agency here, or it has no policy."""


@dataclass(frozen=True, slots=True)
class AgencyRow:
    """An agency of this installation."""

    slug: str
    prefix: str
    name: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an agency's policy."""

    number: int
    effective_from: datetime
    policy: Policy
    _dates: dict[tuple[date, date], tuple[datetime, datetime]] = field(default_factory=dict, compare=False, repr=False)

    def next_dates(self, counted_from: datetime) -> tuple[datetime, datetime]:
        """Return by when a person writes, and by when the answer is there, if nothing stops the clock.

        In days they depend on the day alone, so that each day's are computed once.
        """
        calendar, standards = self.policy.calendar, self.policy.standards
        if Unit.MINUTES in {standards.of(clock).unit for clock in (ClockName.ACKNOWLEDGE, ClockName.ANSWER)}:
            return next_dates(self.policy, counted_from)
        day = (calendar.local_date(counted_from), calendar.day_of_receipt(counted_from))
        if day not in self._dates:
            self._dates[day] = next_dates(self.policy, counted_from)
        return self._dates[day]


def next_dates(policy: Policy, counted_from: datetime) -> tuple[datetime, datetime]:
    """Return by when a person writes, and by when the answer is there, if nothing stops the clock."""
    acknowledge, answer = policy.standards.of(ClockName.ACKNOWLEDGE), policy.standards.of(ClockName.ANSWER)
    return acknowledge.due_at(counted_from, policy.calendar), answer.due_at(counted_from, policy.calendar)


class Policies:
    """The policy versions of every agency; times are given, so that tests can let them pass."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._agencies: tuple[AgencyRow, ...] = ()
        self._agencies_read_at: datetime | None = None
        self._versions: dict[str, tuple[Version, ...]] = {}
        self._versions_read_at: dict[str, datetime] = {}
        self._rules = lru_cache(maxsize=512)(self._cut_rules)

    async def agencies(self, now: datetime) -> tuple[AgencyRow, ...]:
        """Return the agencies of this installation, by slug."""
        if _is_old(self._agencies_read_at, now) or not self._agencies:
            query = select(agency_table).order_by(agency_table.c.slug)
            async with self._database.doors() as connection:
                rows = (await connection.execute(query)).all()
            self._agencies = tuple(AgencyRow(row.slug, row.prefix, row.name, row.time_zone) for row in rows)
            self._agencies_read_at = now
        return self._agencies

    async def agency_named(self, slug: str | None, now: datetime) -> AgencyRow:
        """Return the agency of that name, or the only one where none is named; raises UnknownAgency."""
        agencies = await self.agencies(now)
        if slug is None:
            if len(agencies) == 1:
                return agencies[0]
            raise UnknownAgency("Several agencies take complaints here; say which in the field 'agency'.")
        for agency in agencies:
            if agency.slug == slug:
                return agency
        raise UnknownAgency(f"There is no agency '{slug}' here.")

    async def versions(self, agency: str, now: datetime) -> tuple[Version, ...]:
        """Return the versions of an agency's policy, in the order in which they came into force."""
        if agency not in self._versions or _is_old(self._versions_read_at.get(agency), now):
            known = {version.number: version for version in self._versions.get(agency, ())}
            self._versions[agency] = await self._read_versions(agency, known)
            self._versions_read_at[agency] = now
        return self._versions[agency]

    async def in_force(self, agency: str, received_at: datetime, now: datetime) -> Version:
        """Return the version in force when a complaint was received; older than the first takes the first."""
        versions = await self.versions(agency, now)
        fitting = [version for version in versions if version.effective_from <= received_at]
        return fitting[-1] if fitting else versions[0]

    async def current(self, agency: str, now: datetime) -> Version:
        """Return the version in force now."""
        return await self.in_force(agency, now, now)

    async def of_case(self, case: Case, now: datetime) -> Version:
        """Return the version under which the case was received (and keeps to)."""
        if case.policy_version == 0:
            return await self.in_force(case.agency, case.counted_from, now)
        for version in await self.versions(case.agency, now):
            if version.number == case.policy_version:
                return version
        # Stored a moment ago by another process: look again before giving up.
        self._versions_read_at.pop(case.agency, None)
        versions = await self.versions(case.agency, now)
        return next(version for version in versions if version.number == case.policy_version)

    async def rules(self, case: Case, now: datetime) -> Rules:
        """Return what the case's clocks are computed by."""
        version = await self.of_case(case, now)
        received = case.counted_from
        return self._rules(case.agency, version.number, _month(received), _month(now))

    def _cut_rules(self, agency: str, number: int, received_month: datetime, month: datetime) -> Rules:
        policy = next(version.policy for version in self._versions[agency] if version.number == number)
        return rules_for(policy.standards, policy.calendar, around=received_month, until=month)

    async def _read_versions(self, agency: str, known: dict[int, Version]) -> tuple[Version, ...]:
        numbers = (
            select(policy_version.c.version, policy_version.c.effective_from)
            .where(policy_version.c.agency == agency)
            .order_by(policy_version.c.effective_from, policy_version.c.version)
        )
        async with self._database.of(agency) as connection:
            rows = (await connection.execute(numbers)).all()
            missing: Sequence[int] = [row.version for row in rows if row.version not in known]
            documents = (
                select(policy_version.c.version, policy_version.c.document)
                .where(policy_version.c.agency == agency, policy_version.c.version.in_(missing))
            )  # fmt: skip
            found = await connection.execute(documents) if missing else ()
            read = {row.version: row.document for row in found}
        if not rows:
            raise UnknownAgency(f"The agency '{agency}' has no policy here.")
        return tuple(
            known.get(row.version) or Version(row.version, row.effective_from, Policy.model_validate(read[row.version]))
            for row in rows
        )


def _is_old(read_at: datetime | None, now: datetime) -> bool:
    return read_at is None or now - read_at > NEW_VERSION_SEEN_WITHIN


def _month(moment: datetime) -> datetime:
    return datetime(moment.year, moment.month, 1, tzinfo=moment.tzinfo)
