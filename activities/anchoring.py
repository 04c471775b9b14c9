# SPDX-License-Identifier: Apache-2.0
"""Anchors: each day's last word of every case touched, chained from day to day.

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
from models.tables.anchors import anchor, anchor_case
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
_DAYS = text("""
    SELECT DISTINCT (recorded_at AT TIME ZONE :zone)::date AS day FROM case_event
    WHERE agency = :agency AND recorded_at >= :since AND recorded_at < :until
    UNION
    SELECT DISTINCT (accepted_at AT TIME ZONE :zone)::date FROM receipt
    WHERE agency = :agency AND accepted_at >= :since AND accepted_at < :until
    ORDER BY day
""")


@dataclass(frozen=True, slots=True)
class Anchor:
    """One day's anchor."""

    agency: str
    day: date
    receipt_count: int
    case_count: int
    hash: bytes


class AnchoredCase(Protocol):
    """The last event of a case on the day."""

    @property
    def case_id(self) -> UUID:
        """Whose event it is."""

    @property
    def sequence(self) -> int:
        """Its number."""

    @property
    def hash(self) -> bytes:
        """Its hash in the case's chain."""


class AnchorHash:
    """The hash of an anchor: SHA-256 of the hash before it, the day's counts, and each case in the order of ids."""

    def __init__(self, previous: bytes, agency: str, day: date, receipt_count: int, case_count: int) -> None:
        head = {"agency": agency, "day": day.isoformat(), "receipts": receipt_count, "cases": case_count}
        self._digest = hashlib.sha256(previous + canonical(head))

    def add(self, case: AnchoredCase) -> None:
        """Add the next case."""
        self._digest.update(case.case_id.bytes + case.sequence.to_bytes(4) + case.hash)

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
        made = Anchor(
            agency=agency,
            day=day,
            receipt_count=receipts or 0,
            case_count=cases,
            hash=await _hash(connection, last.hash if last else FIRST_HASH, agency, day, receipts or 0, cases),
        )
        row = {"receipt_count": made.receipt_count, "case_count": made.case_count, "hash": made.hash}
        await connection.execute(insert(anchor).values(agency=agency, day=day, **row))
        return made


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
    return Anchor(row.agency, row.day, row.receipt_count, row.case_count, row.hash) if row else None


async def _hash(
    connection: AsyncConnection, previous: bytes, agency: str, day: date, receipts: int, cases: int
) -> bytes:
    made = AnchorHash(previous, agency, day, receipts, cases)
    query = select(anchor_case).where(anchor_case.c.agency == agency, anchor_case.c.day == day)
    async with connection.stream(query.order_by(anchor_case.c.case_id)) as rows:
        async for row in rows:
            made.add(row)
    return made.value()
