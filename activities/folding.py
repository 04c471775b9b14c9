# SPDX-License-Identifier: Apache-2.0
"""Folding: deltas are added into totals in the background, each of them once; the deltas themselves stay.

What is folded is decided by transaction ids, not by arrival: a delta counts as folded when its transaction is older
than every one still running, so that one which commits late can neither be skipped nor be counted twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.database import transaction
from models.aggregates import Cell

Kind = Literal["cell", "queue"]

_FIRST_MARK = text("""
    INSERT INTO fold_mark (agency, kind, folded_below) VALUES (:agency, :kind, '0') ON CONFLICT DO NOTHING
""")
_MARK = text("SELECT folded_below::text FROM fold_mark WHERE agency = :agency AND kind = :kind FOR UPDATE")
_OLDEST_RUNNING = text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
_MOVE_MARK = text("UPDATE fold_mark SET folded_below = :upto WHERE agency = :agency AND kind = :kind")
_FOLD: dict[Kind, str] = {
    "cell": """
        INSERT INTO cell_day (agency, measure, code, service, office, channel, week, happened_on, total)
        SELECT d.agency, d.measure, d.code, d.service, d.office, d.channel, d.week,
               (d.happened_at AT TIME ZONE a.time_zone)::date, sum(d.change)
        FROM cell_delta d JOIN agency a ON a.slug = d.agency
        WHERE d.agency = :agency AND d.xid >= :since AND d.xid < :upto
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 HAVING sum(d.change) <> 0
        ON CONFLICT (agency, measure, code, service, office, channel, week, happened_on)
        DO UPDATE SET total = cell_day.total + excluded.total
    """,
    "queue": """
        INSERT INTO queue_total (agency, queue, total)
        SELECT agency, queue, sum(change) FROM queue_delta
        WHERE agency = :agency AND xid >= :since AND xid < :upto
        GROUP BY 1, 2 HAVING sum(change) <> 0
        ON CONFLICT (agency, queue) DO UPDATE SET total = queue_total.total + excluded.total
    """,
}
_QUEUES = text("""
    SELECT queue, sum(number)::integer AS total FROM queue_number WHERE agency = :agency
    GROUP BY queue HAVING sum(number) <> 0
""")
# One statement, so that totals and deltas are seen by one snapshot.
_CELLS = text("""
    SELECT measure, code, service, office, channel, week, sum(number)::integer AS total FROM (
        SELECT measure, code, service, office, channel, week, total AS number FROM cell_day
        WHERE agency = :agency AND (CAST(:upto AS date) IS NULL OR happened_on <= :upto)
        UNION ALL
        SELECT d.measure, d.code, d.service, d.office, d.channel, d.week, d.change
        FROM cell_delta d JOIN agency a ON a.slug = d.agency
        WHERE d.agency = :agency AND d.xid >= coalesce(
            (SELECT folded_below FROM fold_mark WHERE agency = :agency AND kind = 'cell'), '0'::xid8)
          AND (CAST(:upto AS date) IS NULL OR (d.happened_at AT TIME ZONE a.time_zone)::date <= :upto)
    ) AS counted GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(number) <> 0
""")


# How causes came in after their week of receipt, by the day they were confirmed (no earlier week than `since`).
_CONFIRMED = text("""
    SELECT channel, week, happened_on, sum(number)::integer AS total FROM (
        SELECT channel, week, happened_on, total AS number FROM cell_day
        WHERE agency = :agency AND measure = 'cause' AND week >= :since AND happened_on <= :upto
        UNION ALL
        SELECT d.channel, d.week, (d.happened_at AT TIME ZONE a.time_zone)::date, d.change
        FROM cell_delta d JOIN agency a ON a.slug = d.agency
        WHERE d.agency = :agency AND d.measure = 'cause' AND d.week >= :since AND d.xid >= coalesce(
            (SELECT folded_below FROM fold_mark WHERE agency = :agency AND kind = 'cell'), '0'::xid8)
          AND (d.happened_at AT TIME ZONE a.time_zone)::date <= :upto
    ) AS counted GROUP BY 1, 2, 3 HAVING sum(number) <> 0 ORDER BY 1, 2, 3
""")


@dataclass(frozen=True, slots=True)
class ConfirmedOn:
    """So many causes of a channel and a week of receipt (its Monday), confirmed on a day; corrections are negative."""

    channel: str
    week: date
    on: date
    count: int


async def fold_deltas(engine: AsyncEngine, agency: str, kind: Kind) -> bool:
    """Add the agency's finished deltas into its totals; return whether the mark moved.

    Any number of processes may fold at once: the mark's row is the lock.
    """
    whose = {"agency": agency, "kind": kind}
    async with transaction(engine, agency) as connection:
        await connection.execute(_FIRST_MARK, whose)
        since = (await connection.execute(_MARK, whose)).scalar_one()
        # Asked for after the lock is ours: everything below it is finished, and visible to the next statement.
        upto = (await connection.execute(_OLDEST_RUNNING)).scalar_one()
        if int(upto) <= int(since):
            return False
        await connection.execute(text(_FOLD[kind]), {"agency": agency, "since": since, "upto": upto})
        await connection.execute(_MOVE_MARK, {**whose, "upto": upto})
        return True


async def queue_totals(connection: AsyncConnection, agency: str) -> dict[str, int]:
    """Return how many cases stand in each queue of the agency, folded or not."""
    return {row.queue: row.total for row in await connection.execute(_QUEUES, {"agency": agency})}


async def cell_totals(connection: AsyncConnection, agency: str, upto: date | None = None) -> dict[Cell, int]:
    """Return the agency's weekly cells, folded or not, as they were at the end of `upto` (None: as they are)."""
    rows = await connection.execute(_CELLS, {"agency": agency, "upto": upto})
    return {Cell(row.measure, row.code, row.service, row.office, row.channel, row.week): row.total for row in rows}


async def confirmed_days(connection: AsyncConnection, agency: str, since: date, upto: date) -> list[ConfirmedOn]:
    """Return when the causes of the weeks from `since` on were confirmed, as known at the end of `upto`."""
    rows = await connection.execute(_CONFIRMED, {"agency": agency, "since": since, "upto": upto})
    return [ConfirmedOn(row.channel, row.week, row.happened_on, row.total) for row in rows]
