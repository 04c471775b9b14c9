# SPDX-License-Identifier: Apache-2.0
"""Fixes are looked after as cases are: verified, rebuilt, anchored, and started again where their workflow is lost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from activities.anchoring import anchor_missed_days
from activities.rebuilding_fixes import rebuild_fixes
from activities.sweeping_fixes import queue_lost_fixes, queue_lost_lists
from activities.verifying import Verdict, verify_agency
from models.fixes.commands import LinkSignal
from models.fixes.fix import Fix
from models.fixes.terms import FixAction, FixState
from run.rebuild import restart_fixes
from run.worker import temporal_worker
from tests.affected import beginning, listed, people
from tests.fix_record import an_opening, lived_fix, opened_fix
from tests.given import SUE, a_key
from tests.given_fixes import WORKED_OUT
from tests.live import client_of, work_of
from tests.record import Record
from tests.servers import TemporalServer
from workflows.starting import start_fix, start_help

AGENCY = "riverbend"
TOMORROW = datetime.now(UTC) + timedelta(days=1, hours=1)


@dataclass
class Drill:
    """A record with a fix, and somebody with a superuser's hands."""

    worker: AsyncEngine
    owner: AsyncEngine
    fix: Fix

    async def tamper(self, statement: str) -> None:
        async with self.owner.begin() as connection:
            await connection.execute(text("SET LOCAL session_replication_role = replica"))
            await connection.execute(text(statement))

    async def verdict(self) -> Verdict:
        return await verify_agency(self.worker, AGENCY)

    async def waiting(self, queue: str) -> int:
        async with self.owner.connect() as connection:
            return int(await connection.scalar(text(f"SELECT count(*) FROM {queue}")) or 0)


@pytest.fixture
async def drill(record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine) -> Drill:
    fix = await opened_fix(worker_engine, await an_opening(record))
    return Drill(worker_engine, owner_engine, await lived_fix(worker_engine, fix, *WORKED_OUT[:1]))


async def test_a_fix_whose_events_are_whole_holds_and_the_texts_that_are_gone_are_counted(drill: Drill) -> None:
    verdict = await drill.verdict()

    assert (verdict.fixes, verdict.events, verdict.breaks) == (1, 2, [])
    assert verdict.removed_texts == 1, "builders refer to texts that are nowhere"


async def test_only_disposal_removes_the_words_of_a_fix(drill: Drill) -> None:
    before = await drill.verdict()
    removal = text("DELETE FROM fix_text")
    async with drill.worker.connect() as connection:
        with pytest.raises(DBAPIError, match="permission denied"):
            await connection.execute(removal)
    async with drill.owner.connect() as connection:
        with pytest.raises(DBAPIError, match="append-only"):
            await connection.execute(text("UPDATE fix_text SET body = 'Another'"))

    async with drill.owner.begin() as connection:
        await connection.execute(text("SET LOCAL ROLE putright_disposal"))
        await connection.execute(text("SELECT set_config('putright.agency', 'riverbend', true)"))
        assert (await connection.execute(removal)).rowcount == before.texts

    after = await drill.verdict()
    assert (after.breaks, after.texts) == ([], 0)
    assert after.removed_texts == before.removed_texts + before.texts


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("UPDATE fix_event SET canonical = canonical || ' ' WHERE sequence = 2", "event 2 is not what was recorded"),
        ("DELETE FROM fix_event WHERE sequence = 1", "event 1 is missing"),
        ("UPDATE fix_event SET actor = 'eve' WHERE sequence = 1", "the column actor of event 1 does not say"),
        ("UPDATE fix_opening SET command = command || ' '", "what opened it is not what its first event tells of"),
        ("UPDATE fix_text SET body = 'Another title'", "is not the one that was recorded"),
        ("UPDATE fix_file SET sequence = 1", "the read model stands at event 1, the events end with 2"),
        ("UPDATE fix_file SET last_hash = sha256('other')", "the read model was made from another last event"),
        ("DELETE FROM fix_file", "the read model does not know it"),
        ("DELETE FROM fix_opening", "nothing opens it"),
    ],
)
async def test_whatever_is_changed_behind_the_records_back_is_said(drill: Drill, statement: str, sentence: str) -> None:
    await drill.tamper(statement)

    assert [said for said in (await drill.verdict()).breaks if sentence in said]


async def test_a_fixs_last_event_is_anchored_so_that_a_cut_off_tail_shows(drill: Drill) -> None:
    (anchor,) = await anchor_missed_days(drill.worker, AGENCY, TOMORROW)
    assert anchor.fix_count == 1
    assert not [said for said in (await drill.verdict()).breaks if "anchor" in said.lower()]

    await drill.tamper("DELETE FROM fix_event WHERE sequence = 2")

    assert any(
        said == f"Fix {drill.fix.id}: event 2 is gone; the anchor of {anchor.day} knows it."
        for said in (await drill.verdict()).breaks
    )


async def test_an_anchors_hash_holds_its_fixes(drill: Drill) -> None:
    (anchor,) = await anchor_missed_days(drill.worker, AGENCY, TOMORROW)

    await drill.tamper("DELETE FROM anchor_fix")

    said = f"The anchor of {anchor.day} does not follow from the one before it and what it lists."
    assert said in (await drill.verdict()).breaks


@pytest.mark.parametrize(
    "damage", ["DELETE FROM fix_file", "UPDATE fix_file SET owner = 'eve', snapshot = snapshot - 'owner'"]
)
async def test_the_read_model_is_rebuilt_from_the_events(drill: Drill, damage: str) -> None:
    assert (await rebuild_fixes(drill.worker, AGENCY)).repaired == 0
    await drill.tamper(damage)

    rebuilt = await rebuild_fixes(drill.worker, AGENCY)

    assert (rebuilt.fixes, rebuilt.repaired, rebuilt.unreadable) == (1, 1, [])
    assert (await rebuild_fixes(drill.worker, AGENCY)).repaired == 0


async def test_the_signals_of_a_fix_are_rebuilt_too(drill: Drill) -> None:
    signal_id = uuid4()
    await drill.tamper(f"""
        INSERT INTO signal (id, agency, measure, began_week, raised_on, decide_by)
        VALUES ('{signal_id}', 'riverbend', 'cause', '2026-02-02', '2026-03-01', '2026-03-16')
    """)
    await lived_fix(drill.worker, drill.fix, LinkSignal(actor=SUE, key=a_key(), signal_id=signal_id))
    assert (await rebuild_fixes(drill.worker, AGENCY)).repaired == 0
    await drill.tamper("DELETE FROM fix_signal")

    assert (await rebuild_fixes(drill.worker, AGENCY)).repaired == 1
    assert await drill.waiting("fix_signal") == 1


@pytest.fixture
async def client(temporal_server: TemporalServer, worker_engine: AsyncEngine) -> Client:
    return await client_of(temporal_server, worker_engine)


async def test_a_fix_without_a_workflow_is_queued_and_one_that_runs_or_has_ended_is_not(
    record: Record, drill: Drill, client: Client
) -> None:
    running, ended = await an_opening(record), await opened_fix(drill.worker, await an_opening(record))
    await lived_fix(drill.worker, ended, FixAction.ABANDON)
    await start_fix(client, AGENCY, running.fix_id, task_queue=f"nobody-{uuid4().hex}")
    await drill.tamper("DELETE FROM fix_pending")

    lost = await queue_lost_fixes(drill.worker, client, AGENCY, TOMORROW)
    young = await queue_lost_fixes(drill.worker, client, AGENCY, datetime.now(UTC) - timedelta(hours=1))

    assert (lost, young) == (1, 0)
    async with drill.owner.connect() as connection:
        assert list(await connection.scalars(text("SELECT fix_id FROM fix_pending"))) == [drill.fix.id]


async def test_a_list_that_has_begun_and_has_no_workflow_is_queued(
    record: Record, drill: Drill, client: Client
) -> None:
    address = await listed(record, drill.fix, people(2))
    await drill.tamper("DELETE FROM affected_pending")
    assert await queue_lost_lists(drill.worker, client, AGENCY) == 0
    await lived_fix(drill.worker, drill.fix, await beginning(record, drill.fix, address, count=2))
    await drill.tamper("DELETE FROM affected_pending")

    assert await queue_lost_lists(drill.worker, client, AGENCY) == 1
    assert await drill.waiting("affected_pending") == 1
    await start_help(client, AGENCY, address.list_id, task_queue=f"nobody-{uuid4().hex}")
    assert await queue_lost_lists(drill.worker, client, AGENCY) == 0


async def test_workflows_of_fixes_are_started_anew_from_the_record(drill: Drill, client: Client) -> None:
    queue = f"test-{uuid4().hex}"
    async with temporal_worker(client, work_of(drill.worker), queue):
        first = await restart_fixes(drill.worker, client, AGENCY, task_queue=queue)
        second = await restart_fixes(drill.worker, client, AGENCY, task_queue=queue)
        await lived_fix(drill.worker, drill.fix, FixAction.NOTE)
        third = await restart_fixes(drill.worker, client, AGENCY, task_queue=queue)

    assert "0 up to date, 1 started, 0 ended" in first
    assert "1 up to date, 0 started, 0 ended" in second
    assert "0 up to date, 0 started, 1 ended and started again" in third
    assert drill.fix.state is FixState.WORKED_OUT
