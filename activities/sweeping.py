# SPDX-License-Identifier: Apache-2.0
"""The sweep: finds what fell between record and conductor, and puts it in the queue of the one start.

A receipt without a case and an open case without a running workflow heal without anybody asking for something, also
after Temporal's store was lost; so do systemic fixes and lists of affected people. To start a workflow that runs
already is harmless, so the sweep may err on that side.

A case whose key the master key does not open is marked and left alone until it does: nothing can be said in its name.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.database import agencies, transaction
from activities.running import ASK_WITHIN, workflow_runs
from activities.sweeping_fixes import forget_refused_lists, queue_lost_fixes, queue_lost_lists
from models.case_keys import WRONG_MASTER_KEY_SENTENCE, WrongMasterKey, unwrapped
from models.references import workflow_id_for
from models.tables.cases import fault

RECEIPTS_AT_A_TIME = 5_000
CASES_AT_A_TIME = 200
ASKED_AT_ONCE = 8
SETTLED_AFTER = timedelta(minutes=1)
"""A receipt younger than this is on its way."""
MONTHS_AHEAD = 3
LONGEST_CLAIM = timedelta(hours=2)
"""Longer than any claim or wait lasts: what is claimed beyond it was claimed by a clock that went wrong."""
WORKFLOW_FAULTS = ("key_reused", "record_behind")
"""Faults of a case that its workflow cannot get over by itself."""
WRONG_MASTER_KEY = "wrong_master_key"
"""Fault of a case whose key does not open; cleared by the first sweep that opens it."""
KEY_IS_GONE = "the case's key has been destroyed"
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Swept:
    """What a sweep found."""

    receipts_without_case: int = 0
    cases_without_workflow: int = 0
    fixes_without_workflow: int = 0
    lists_without_workflow: int = 0
    lists_forgotten: int = 0
    """Lists of people that no fix took up."""
    workflows_ended: int = 0
    partitions_made: int = 0
    claims_cleared: int = 0
    keys_that_do_not_open: int = 0
    """Of cases that wait for the master key they were made with."""


_RECEIPTS = text("""
    WITH page AS (
        SELECT case_id, accepted_at FROM receipt
        WHERE agency = :agency AND (accepted_at, case_id) > (:at, :id) AND accepted_at < :before
        ORDER BY accepted_at, case_id LIMIT :limit),
    found AS (
        INSERT INTO receipt_pending (case_id, agency)
        SELECT p.case_id, :agency FROM page p
        WHERE NOT EXISTS (SELECT FROM case_file f WHERE f.case_id = p.case_id)
          AND NOT EXISTS (SELECT FROM case_key_of(p.case_id) k WHERE k.o_destroyed_at IS NOT NULL)
          AND NOT EXISTS (SELECT FROM fault x WHERE x.agency = :agency AND x.case_id = p.case_id
                          AND x.cleared_at IS NULL AND x.kind = :wrong_key)
        ON CONFLICT DO NOTHING RETURNING case_id)
    SELECT case_id, accepted_at, (SELECT count(*) FROM found) AS found
    FROM page ORDER BY accepted_at DESC, case_id DESC LIMIT 1
""")
_OPEN_CASES = text("""
    SELECT f.case_id, f.sequence, f.queue_at, k.o_wrapped AS wrapped, k.o_destroyed_at IS NOT NULL AS is_unreadable,
           EXISTS (SELECT FROM fault x WHERE x.agency = f.agency AND x.case_id = f.case_id
                   AND x.cleared_at IS NULL AND x.kind = ANY (:faults)) AS is_marked
    FROM case_file f LEFT JOIN LATERAL case_key_of(f.case_id) k ON true
    WHERE f.agency = :agency AND f.is_open AND (f.queue_at, f.case_id) > (:at, :id)
    ORDER BY f.queue_at, f.case_id LIMIT :limit
""")
_MARKED = text("""
    SELECT x.id, x.case_id, k.o_wrapped AS wrapped FROM fault x LEFT JOIN LATERAL case_key_of(x.case_id) k ON true
    WHERE x.agency = :agency AND x.kind = :kind AND x.cleared_at IS NULL AND x.id > :after ORDER BY x.id LIMIT :limit
""")
_CLEAR = text("UPDATE fault SET cleared_at = clock_timestamp() WHERE id = ANY (:ids)")
_PUT_IN_QUEUE = text("""
    INSERT INTO receipt_pending (case_id, agency) SELECT unnest(CAST(:ids AS uuid[])), :agency ON CONFLICT DO NOTHING
""")
_MAKE_MONTHS = text("SELECT make_partitions(:first, :last)")
_DONE_LETTERS = text("""
    DELETE FROM outbox_pending p USING outbox o
    WHERE p.agency = :agency AND o.id = p.id AND (o.sent_at IS NOT NULL OR o.failure IS NOT NULL)
      AND p.claimed_until < :now
""")
_WAKE_RELAY = text("SELECT pg_notify('receipt', '')")
_START = {"at": datetime.min.replace(tzinfo=UTC), "id": UUID(int=0)}


class Sweep:
    """Looks after the record and the conductor together."""

    def __init__(
        self, engine: AsyncEngine, client: Client, *, wrapping_key: bytes, clock: Callable[[], datetime]
    ) -> None:
        self._engine = engine
        self._client = client
        self._wrapping_key = wrapping_key
        self._clock = clock

    async def sweep(self) -> Swept:
        """Look through everything once."""
        swept = Swept()
        now = self._clock()
        swept.partitions_made = await self._make_months(now)
        for agency in await agencies(self._engine):
            await self._clear_keys(agency)
            swept.receipts_without_case += await self._queue_receipts(agency, now)
            await self._look_at_open_cases(agency, swept)
            swept.fixes_without_workflow += await queue_lost_fixes(self._engine, self._client, agency, now)
            swept.lists_without_workflow += await queue_lost_lists(self._engine, self._client, agency)
            swept.lists_forgotten += await forget_refused_lists(self._engine, agency, now)
            swept.claims_cleared += await self._clear_letters(agency, now)
            swept.keys_that_do_not_open += await self._still_marked(agency)
        if swept.keys_that_do_not_open:
            _log.error("the keys of %d cases wait: %s", swept.keys_that_do_not_open, WRONG_MASTER_KEY_SENTENCE)
        swept.claims_cleared += await self._clear_claims(now)
        return swept

    async def _queue_receipts(self, agency: str, now: datetime) -> int:
        found = 0
        where: dict[str, Any] = {
            "agency": agency, "before": now - SETTLED_AFTER, "limit": RECEIPTS_AT_A_TIME, "wrong_key": WRONG_MASTER_KEY,
        } | _START  # fmt: skip
        while True:
            async with transaction(self._engine, agency) as connection:
                last = (await connection.execute(_RECEIPTS, where)).one_or_none()
                if last is None:
                    return found
                if last.found:
                    await connection.execute(_WAKE_RELAY)
            found += last.found
            where |= {"at": last.accepted_at, "id": last.case_id}

    async def _look_at_open_cases(self, agency: str, swept: Swept) -> None:
        async for cases in open_cases(self._engine, agency):
            running = await running_among(self._client, [case.case_id for case in cases])
            for case in cases:
                if case.is_unreadable and case.case_id in running:
                    await end_workflow(self._client, case.case_id, KEY_IS_GONE)
                    swept.workflows_ended += 1
            locked = {case.case_id for case in cases if not self._opens(case)}
            if locked:
                await mark_wrong_master_key(self._engine, agency, locked)
            left_alone = running | locked
            lost = [case.case_id for case in cases if case.case_id not in left_alone and not case.is_unreadable]
            if lost:
                async with transaction(self._engine, agency) as connection:
                    await connection.execute(_PUT_IN_QUEUE, {"ids": lost, "agency": agency})
                    await connection.execute(_WAKE_RELAY)
            swept.cases_without_workflow += len(lost)

    def _opens(self, row: Row[Any]) -> bool:
        """Return whether a case's key opens with this master key; a destroyed one is no matter of the master key."""
        if row.wrapped is None:
            return True
        try:
            unwrapped(row.wrapped, row.case_id, self._wrapping_key)
        except WrongMasterKey:
            return False
        return True

    async def _clear_keys(self, agency: str) -> None:
        """Clear the mark of every case whose key opens again, so that what is lost of it is found like any other."""
        where = {"agency": agency, "kind": WRONG_MASTER_KEY, "after": 0, "limit": RECEIPTS_AT_A_TIME}
        while True:
            async with transaction(self._engine, agency) as connection:
                marked = (await connection.execute(_MARKED, where)).all()
                if not marked:
                    return
                await connection.execute(_CLEAR, {"ids": [row.id for row in marked if self._opens(row)]})
            where["after"] = marked[-1].id

    async def _still_marked(self, agency: str) -> int:
        is_marked = (fault.c.agency == agency, fault.c.kind == WRONG_MASTER_KEY, fault.c.cleared_at.is_(None))
        async with transaction(self._engine, agency) as connection:
            return (await connection.execute(select(func.count()).where(*is_marked))).scalar_one()

    async def _make_months(self, now: datetime) -> int:
        last = now.date() + timedelta(days=31 * MONTHS_AHEAD)
        async with self._engine.begin() as connection:
            return int((await connection.execute(_MAKE_MONTHS, {"first": now.date(), "last": last})).scalar_one())

    async def _clear_letters(self, agency: str, now: datetime) -> int:
        async with transaction(self._engine, agency) as connection:
            return (await connection.execute(_DONE_LETTERS, {"agency": agency, "now": now})).rowcount

    async def _clear_claims(self, now: datetime) -> int:
        cleared = 0
        async with self._engine.begin() as connection:
            for queue in ("receipt_pending", "outbox_pending", "fix_pending", "affected_pending"):
                freed = text(f"UPDATE {queue} SET claimed_until = :now WHERE claimed_until > :beyond")  # noqa: S608
                cleared += (await connection.execute(freed, {"now": now, "beyond": now + LONGEST_CLAIM})).rowcount
        return cleared


async def mark_wrong_master_key(engine: AsyncEngine, agency: str, case_ids: Collection[UUID]) -> None:
    """Mark cases whose keys do not open; the sweep looks every time whether they do, and then has them started."""
    told = {"agency": agency, "kind": WRONG_MASTER_KEY, "detail": WRONG_MASTER_KEY_SENTENCE}
    rows = [told | {"case_id": case_id} for case_id in case_ids]
    async with transaction(engine, agency) as connection:
        await connection.execute(upsert(fault).values(rows).on_conflict_do_nothing())


async def open_cases(engine: AsyncEngine, agency: str) -> AsyncIterator[list[Row[Any]]]:
    """Yield the agency's open cases page by page, with what the record knows of their workflows' troubles."""
    where: dict[str, Any] = {"agency": agency, "faults": list(WORKFLOW_FAULTS), "limit": CASES_AT_A_TIME} | _START
    while True:
        async with transaction(engine, agency) as connection:
            cases = list((await connection.execute(_OPEN_CASES, where)).all())
        if not cases:
            return
        yield cases
        where |= {"at": cases[-1].queue_at, "id": cases[-1].case_id}


async def running_among(client: Client, case_ids: list[UUID]) -> set[UUID]:
    """Return those whose workflow runs. Each is asked for by itself, because lists of workflows lag behind."""
    turns = asyncio.Semaphore(ASKED_AT_ONCE)

    async def runs(case_id: UUID) -> bool:
        async with turns:
            return await is_running(client, case_id)

    answers = await asyncio.gather(*(runs(case_id) for case_id in case_ids))
    return {case_id for case_id, answer in zip(case_ids, answers, strict=True) if answer}


async def is_running(client: Client, case_id: UUID) -> bool:
    """Return whether the case's workflow runs."""
    return await workflow_runs(client, workflow_id_for(case_id))


async def end_workflow(client: Client, case_id: UUID, reason: str) -> None:
    """End the case's workflow; one that has ended meanwhile is no trouble."""
    # Details, unlike the reason, would be encrypted with the case's key, which may be gone.
    try:
        await client.get_workflow_handle(workflow_id_for(case_id)).terminate(reason=reason, rpc_timeout=ASK_WITHIN)
    except RPCError as problem:
        if problem.status is not RPCStatusCode.NOT_FOUND:
            raise
