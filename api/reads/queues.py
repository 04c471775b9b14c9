# SPDX-License-Identifier: Apache-2.0
"""How many cases stand in which queue: folded totals and the deltas that are not folded yet, each counted once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_MARK = "coalesce((SELECT folded_below FROM fold_mark WHERE kind = 'queue'), '0'::xid8)"
# One statement, so that total and mark are of the same moment: between two, a fold would count some twice.
_SOME = text(f"""
    SELECT queue, sum(change)::integer AS total FROM (
        SELECT queue, total AS change FROM queue_total WHERE queue = ANY (:names)
        UNION ALL
        SELECT queue, change FROM queue_delta WHERE xid >= {_MARK} AND queue = ANY (:names)
    ) AS counted GROUP BY queue
""")  # noqa: S608  only our own constant is put in
_ALL = text(f"""
    SELECT queue, sum(change)::integer AS total FROM (
        SELECT queue, total AS change FROM queue_total
        UNION ALL
        SELECT queue, change FROM queue_delta WHERE xid >= {_MARK}
    ) AS counted GROUP BY queue HAVING sum(change) <> 0
""")  # noqa: S608  only our own constant is put in


@dataclass(frozen=True, slots=True)
class Workload:
    """How many open cases there are, where they stand, who has them, and how many are late."""

    open: int
    late: int
    by_stage: dict[str, int]
    by_team: dict[str, int]
    late_by_team: dict[str, int]
    by_owner: dict[str, int]


async def totals(connection: AsyncConnection, names: Sequence[str]) -> dict[str, int]:
    """Return how many cases stand in each of these queues; one without any may be missing."""
    rows = await connection.execute(_SOME, {"names": list(names)})
    return {row.queue: row.total for row in rows}


async def workload(connection: AsyncConnection) -> Workload:
    """Return the agency's workload of this moment."""
    count = {row.queue: row.total for row in await connection.execute(_ALL)}

    def among(first: str, last: str) -> dict[str, int]:
        parts = {tuple(queue.split("/")): total for queue, total in count.items()}
        return {path[1]: total for path, total in sorted(parts.items()) if path[0] == first and path[2:] == (last,)}

    return Workload(
        open=count.get("open", 0),
        late=count.get("late", 0),
        by_stage={queue.removeprefix("stage/"): n for queue, n in sorted(count.items()) if queue.startswith("stage/")},
        by_team=among("team", "open"),
        late_by_team=among("team", "late"),
        by_owner=among("owner", "open"),
    )
