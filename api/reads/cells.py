# SPDX-License-Identifier: Apache-2.0
"""The weekly counts: folded totals and the deltas that are not folded yet, each counted once."""

from __future__ import annotations

from datetime import date

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.aggregates import Cell

# One statement, so that totals and deltas are seen by one snapshot: between two, a fold would count some twice.
_CELLS = text("""
    SELECT measure, code, service, office, CASE WHEN CAST(:by_channel AS boolean) THEN channel ELSE '' END AS channel,
           week, sum(number)::integer AS total FROM (
        SELECT measure, code, service, office, channel, week, total AS number FROM cell_day
        WHERE week >= :since AND (CAST(:upto AS date) IS NULL OR happened_on <= :upto)
        UNION ALL
        SELECT d.measure, d.code, d.service, d.office, d.channel, d.week, d.change
        FROM cell_delta d JOIN agency a ON a.slug = d.agency
        WHERE d.week >= :since
          AND d.xid >= coalesce((SELECT folded_below FROM fold_mark WHERE kind = 'cell'), '0'::xid8)
          AND (CAST(:upto AS date) IS NULL OR (d.happened_at AT TIME ZONE a.time_zone)::date <= :upto)
    ) AS counted GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(number) <> 0
""")


async def cells_since(
    connection: AsyncConnection, since: date, upto: date | None = None, *, by_channel: bool = False
) -> dict[Cell, int]:
    """Return the agency's weekly counts from a Monday on, as they were known at the end of `upto` (None: now).

    Channels are added up, a cell's channel is empty, unless they are asked for.
    """
    rows = await connection.execute(_CELLS, {"since": since, "upto": upto, "by_channel": by_channel})
    return {Cell(row.measure, row.code, row.service, row.office, row.channel, row.week): row.total for row in rows}
