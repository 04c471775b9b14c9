# SPDX-License-Identifier: Apache-2.0
"""The sweep for systemic fixes: openings without an event, open fixes and unfinished lists without a workflow.

Lists that no event has begun leave with their people: what they were put down for was refused, or never asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from activities.database import transaction
from activities.running import workflow_runs
from models.references import affected_workflow_id_for, fix_workflow_id_for

SETTLED_AFTER = timedelta(minutes=1)
"""A fix opened later than this is on its way."""
FORGOTTEN_AFTER = timedelta(days=7)
"""A list put down later than this may still be begun: its command may wait for Temporal."""
_REFUSED = text("""
    SELECT list_id FROM affected_list
    WHERE agency = :agency AND begun_at IS NULL AND added_at < :before FOR UPDATE SKIP LOCKED
""")
_FORGET_PEOPLE = text("DELETE FROM affected_person WHERE list_id = ANY (:lists)")
_FORGET_LISTS = text("DELETE FROM affected_list WHERE list_id = ANY (:lists)")


@dataclass(frozen=True, slots=True)
class _Led:
    """What workflows lead: which should have one, how they get into the queue, and who is woken then."""

    unfinished: TextClause
    workflow_id_for: Callable[[UUID], str]
    queue: TextClause
    wake: TextClause


_FIXES = _Led(
    unfinished=text("""
        SELECT o.fix_id FROM fix_opening o LEFT JOIN fix_file f USING (fix_id)
        WHERE o.agency = :agency AND o.opened_at < :before AND coalesce(f.is_open, true) ORDER BY o.fix_id
    """),
    workflow_id_for=fix_workflow_id_for,
    queue=text("INSERT INTO fix_pending (fix_id, agency) VALUES (:id, :agency) ON CONFLICT DO NOTHING"),
    wake=text("SELECT pg_notify('fix', '')"),
)
_LISTS = _Led(
    unfinished=text("""
        SELECT list_id FROM affected_list
        WHERE agency = :agency AND begun_at IS NOT NULL AND finished_at IS NULL ORDER BY list_id
    """),
    workflow_id_for=affected_workflow_id_for,
    queue=text("INSERT INTO affected_pending (list_id, agency) VALUES (:id, :agency) ON CONFLICT DO NOTHING"),
    wake=text("SELECT pg_notify('affected', '')"),
)


async def queue_lost_fixes(engine: AsyncEngine, client: Client, agency: str, now: datetime) -> int:
    """Queue the agency's fixes that should have a workflow and have none; return how many there are."""
    return await _queue_lost(engine, client, _FIXES, {"agency": agency, "before": now - SETTLED_AFTER})


async def queue_lost_lists(engine: AsyncEngine, client: Client, agency: str) -> int:
    """Queue the agency's lists that have begun, are not finished and have no workflow; return how many there are."""
    return await _queue_lost(engine, client, _LISTS, {"agency": agency})


async def _queue_lost(engine: AsyncEngine, client: Client, led: _Led, asked: Mapping[str, Any]) -> int:
    agency = asked["agency"]
    async with transaction(engine, agency) as connection:
        ids = await connection.scalars(led.unfinished, asked)
    lost = [id_ for id_ in ids if not await workflow_runs(client, led.workflow_id_for(id_))]
    if lost:
        async with transaction(engine, agency) as connection:
            await connection.execute(led.queue, [{"id": id_, "agency": agency} for id_ in lost])
            await connection.execute(led.wake)
    return len(lost)


async def forget_refused_lists(engine: AsyncEngine, agency: str, now: datetime) -> int:
    """Remove the agency's lists that no event has begun in time, with their people; return how many there were."""
    async with transaction(engine, agency) as connection:
        asked = await connection.scalars(_REFUSED, {"agency": agency, "before": now - FORGOTTEN_AFTER})
        if lists := list(asked):
            await connection.execute(_FORGET_PEOPLE, {"lists": lists})
            await connection.execute(_FORGET_LISTS, {"lists": lists})
    return len(lists)
