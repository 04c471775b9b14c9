# SPDX-License-Identifier: Apache-2.0
"""Anchors: each day's last word of every case and systemic fix touched, chained from day to day.

A hash chain shows a changed event; that its end was cut off, or a whole case taken away, shows by the anchor.
Days are the agency's own. A day is anchored once; days missed are anchored later, in their order.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.database import transaction
from models.messages import canonical
from models.tables.anchors import anchor, anchor_case, anchor_fix
from models.tables.receipts import agency as agency_table
from models.tables.receipts import receipt

FIRST_HASH = bytes(32)
"""What stands before the first anchor."""
SETTLED_AFTER = timedelta(minutes=15)
"""How long after midnight a day is anchored: whatever was being recorded then has been committed or given up."""
_ONE_DAY = timedelta(days=1)
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtext('putright.anchor'), hashtext(:agency))")
_LAST_EVENTS = text("""
    INSERT INTO anchor_case (agency, day, case_id, sequence, hash)
    SELECT DISTINCT ON (case_id) agency, CAST(:day AS date), case_id, sequence, hash FROM case_event
    WHERE agency = :agency AND recorded_at >= :begins AND recorded_at < :ends
    ORDER BY case_id, sequence DESC
""")
_LAST_FIX_EVENTS = text("""
    INSERT INTO anchor_fix (agency, day, fix_id, sequence, hash)
    SELECT DISTINCT ON (fix_id) agency, CAST(:day AS date), fix_id, sequence, hash FROM fix_event
    WHERE agency = :agency AND recorded_at >= :begins AND recorded_at < :ends
    ORDER BY fix_id, sequence DESC
""")
_DAYS = text("""
    SELECT DISTINCT (recorded_at AT TIME ZONE :zone)::date AS day FROM case_event
    WHERE agency = :agency AND recorded_at >= :since AND recorded_at < :until
    UNION
    SELECT DISTINCT (recorded_at AT TIME ZONE :zone)::date FROM fix_event
    WHERE agency = :agency AND recorded_at >= :since AND recorded_at < :until
    UNION
    SELECT DISTINCT (accepted_at AT TIME ZONE :zone)::date FROM receipt
    WHERE agency = :agency AND accepted_at >= :since AND accepted_at < :until
    ORDER BY day
""")


@dataclass(frozen=True, slots=True)
class Counts:
    """What a day's anchor counts."""

    receipts: int
    cases: int
    fixes: int


@dataclass(frozen=True, slots=True)
class Anchor:
    """One day's anchor."""

    agency: str
    day: date
    receipt_count: int
    case_count: int
    fix_count: int
    hash: bytes


class LastEvent(Protocol):
    """The last event of a case or fix on the day."""

    @property
    def sequence(self) -> int:
        """Its number."""

    @property
    def hash(self) -> bytes:
        """Its hash in the case's chain."""


class AnchorHash:
    """The hash of an anchor: SHA-256 of the hash before it, the day's counts, and each last event.

    First those of cases, then those of fixes, either in the order of their ids.
    """

    def __init__(self, previous: bytes, agency: str, day: date, counts: Counts) -> None:
        head = {"agency": agency, "day": day.isoformat(), "receipts": counts.receipts, "cases": counts.cases}
        # A day without fixes has the hash that it had before there were any.
        head |= {"fixes": counts.fixes} if counts.fixes else {}
        self._digest = hashlib.sha256(previous + canonical(head))

    def add(self, of: UUID, last: LastEvent) -> None:
        """Add the next case or fix."""
        self._digest.update(of.bytes + last.sequence.to_bytes(4) + last.hash)

    def value(self) -> bytes:
        """Return the hash."""
        return self._digest.digest()


def bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the moments at which a local day begins and is over."""
    begins, ends = (datetime.combine(d, time(), zone).astimezone(UTC) for d in (day, day + _ONE_DAY))
    return begins, ends


async def anchor_day(engine: AsyncEngine, agency: str, day: date) -> Anchor | None:
    """Anchor one day that is over; return the new anchor, or None if it has one, or a later day has."""
    async with transaction(engine, agency) as connection:
        await connection.execute(_ONE_AT_A_TIME, {"agency": agency})
        last = await _last(connection, agency)
        if last is not None and last.day >= day:
            return None
        begins, ends = bounds(day, await zone_of(connection, agency))
        receipts = await connection.scalar(
            select(func.count()).where(
                receipt.c.agency == agency, receipt.c.accepted_at >= begins, receipt.c.accepted_at < ends
            )
        )
        span = {"agency": agency, "day": day, "begins": begins, "ends": ends}
        cases = (await connection.execute(_LAST_EVENTS, span)).rowcount
        fixes = (await connection.execute(_LAST_FIX_EVENTS, span)).rowcount
        counts = Counts(receipts or 0, cases, fixes)
        made = await _hash(connection, last.hash if last else FIRST_HASH, agency, day, counts)
        row = {"receipt_count": counts.receipts, "case_count": counts.cases, "fix_count": counts.fixes, "hash": made}
        await connection.execute(insert(anchor).values(agency=agency, day=day, **row))
        return Anchor(agency, day, counts.receipts, counts.cases, counts.fixes, made)


async def anchor_missed_days(engine: AsyncEngine, agency: str, now: datetime) -> list[Anchor]:
    """Anchor every settled day since the last anchor on which something happened, in order."""
    async with transaction(engine, agency) as connection:
        zone = await zone_of(connection, agency)
        last = await _last(connection, agency)
        today = (now - SETTLED_AFTER).astimezone(zone).date()
        since = bounds(last.day, zone)[1] if last else datetime.min.replace(tzinfo=UTC)
        span = {"agency": agency, "zone": zone.key, "since": since, "until": bounds(today, zone)[0]}
        days = list(await connection.scalars(_DAYS, span))
    made = [await anchor_day(engine, agency, day) for day in days]
    return [one for one in made if one is not None]


async def zone_of(connection: AsyncConnection, agency: str) -> ZoneInfo:
    """Return the agency's time zone."""
    query = select(agency_table.c.time_zone).where(agency_table.c.slug == agency)
    return ZoneInfo((await connection.execute(query)).scalar_one())


async def _last(connection: AsyncConnection, agency: str) -> Anchor | None:
    query = select(anchor).where(anchor.c.agency == agency).order_by(anchor.c.day.desc()).limit(1)
    row = (await connection.execute(query)).one_or_none()
    return Anchor(row.agency, row.day, row.receipt_count, row.case_count, row.fix_count, row.hash) if row else None


async def _hash(connection: AsyncConnection, previous: bytes, agency: str, day: date, counts: Counts) -> bytes:
    made = AnchorHash(previous, agency, day, counts)
    for table, id_ in ((anchor_case, anchor_case.c.case_id), (anchor_fix, anchor_fix.c.fix_id)):
        query = select(id_.label("of"), table.c.sequence, table.c.hash)
        of_the_day = query.where(table.c.agency == agency, table.c.day == day).order_by(id_)
        async with connection.stream(of_the_day) as rows:
            async for row in rows:
                made.add(row.of, row)
    return made.value()
