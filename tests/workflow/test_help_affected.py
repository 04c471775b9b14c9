# SPDX-License-Identifier: Apache-2.0
"""Everybody on a list is helped once, whatever dies: through the workflow, on a real record and a real Temporal."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowHandle

from activities.affected import LETTERS_AT_ONCE
from activities.interface import AffectedAddress, AffectedProgress
from activities.mail import Mail, NotDeliveredYet
from activities.pending import PendingQueue
from models.fixes.affected import message_id_for
from models.fixes.fix import Fix
from models.references import affected_workflow_id_for
from run.relay import QuietRelay
from run.worker import temporal_worker
from tests.affected import beginning, list_row, listed, people, rows_of
from tests.fix_record import an_opening, lived_fix, opened_fix
from tests.live import Desk, client_of, work_of
from tests.record import Record
from tests.servers import TemporalServer
from workflows.help_affected import HelpAffectedWorkflow
from workflows.starting import start_fix, start_help

KILLED_AFTER = 300
MANY = 1_000


@pytest.fixture
async def fix(record: Record, worker_engine: AsyncEngine) -> Fix:
    return await opened_fix(worker_engine, await an_opening(record))


async def begun(record: Record, engine: AsyncEngine, fix: Fix, count: int) -> AffectedAddress:
    """Return a list of so many people that has begun."""
    address = await listed(record, fix, people(count))
    await lived_fix(engine, fix, await beginning(record, fix, address, count=count))
    return address


def handle_of(client: Client, address: AffectedAddress) -> WorkflowHandle[HelpAffectedWorkflow, AffectedProgress]:
    return client.get_workflow_handle_for(HelpAffectedWorkflow.run, affected_workflow_id_for(address.list_id))


class Slow:
    """A mailer that has no server at first."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.sent: list[str] = []

    async def send(self, mail: Mail) -> None:
        if self.failures:
            self.failures -= 1
            raise NotDeliveredYet("nobody answers")
        self.sent.append(mail.message_id)


async def test_the_relay_starts_what_waits_and_everybody_is_helped(
    desk: Desk, worker_engine: AsyncEngine, owner_engine: AsyncEngine, fix: Fix
) -> None:
    mailer, queue = Slow(failures=0), f"test-{uuid4().hex}"
    address = await begun(desk.record, worker_engine, fix, 120)
    relay = QuietRelay(
        desk.client,
        PendingQueue(worker_engine, "affected_pending"),
        start_help,
        task_queue=queue,
        clock=lambda: datetime.now(UTC),
    )
    async with temporal_worker(desk.client, work_of(worker_engine, mailer), queue):
        assert await relay.relay_some() == 1
        progress = await handle_of(desk.client, address).result()
        assert await handle_of(desk.client, address).query(HelpAffectedWorkflow.progress) == progress

    assert progress == AffectedProgress(people=120, done=120)
    assert len(set(mailer.sent)) == len(mailer.sent) == 120
    assert await relay.relay_some() == 0
    assert (await list_row(owner_engine, address)).finished_at is not None


async def test_what_fails_for_now_is_tried_again_after_a_pause(
    desk: Desk, worker_engine: AsyncEngine, fix: Fix
) -> None:
    mailer, queue = Slow(failures=6), f"test-{uuid4().hex}"
    address = await begun(desk.record, worker_engine, fix, 2)
    async with temporal_worker(desk.client, work_of(worker_engine, mailer), queue):
        with desk.skipper.with_time_skipping_disabled():
            await start_help(desk.client, address.agency, address.list_id, task_queue=queue)
        handle = handle_of(desk.client, address)
        await desk.skipper.fast_forward(handle, timedelta(minutes=10))
        progress = await handle.result()

    assert progress == AffectedProgress(people=2, done=2)
    assert len(mailer.sent) == 2


async def test_an_opened_fix_waits_for_the_relay_which_starts_it_once(desk: Desk, worker_engine: AsyncEngine) -> None:
    address = await an_opening(desk.record)
    relay = QuietRelay(
        desk.client,
        PendingQueue(worker_engine, "fix_pending"),
        start_fix,
        task_queue=desk.task_queue,
        clock=lambda: datetime.now(UTC),
    )

    assert await relay.relay_some() == 1
    assert await relay.relay_some() == 0
    async with asyncio.timeout(30):
        while not await events_of(worker_engine, address.agency):
            await asyncio.sleep(0.05)


async def events_of(engine: AsyncEngine, agency: str) -> int:
    async with engine.begin() as connection:
        await connection.execute(text("SELECT set_config('putright.agency', :a, true)"), {"a": agency})
        return int(await connection.scalar(text("SELECT count(*) FROM fix_event")) or 0)


async def test_a_worker_killed_in_the_middle_of_a_list_leaves_nobody_out_and_helps_nobody_twice(
    record: Record,
    worker_engine: AsyncEngine,
    owner_engine: AsyncEngine,
    temporal_server: TemporalServer,
    fix: Fix,
    tmp_path: Path,
) -> None:
    address = await begun(record, worker_engine, fix, MANY)
    client, queue, letters = await client_of(temporal_server, worker_engine), f"test-{uuid4().hex}", tmp_path / "sent"
    settings = {
        "database_url": record.database.worker_url,
        "temporal": temporal_server.address,
        "namespace": temporal_server.namespace,
        "task_queue": queue,
        "letters": str(letters),
    }
    workers = [a_worker(settings)]
    try:
        await start_help(client, address.agency, address.list_id, task_queue=queue)
        while not letters.exists() or len(letters.read_text().splitlines()) < KILLED_AFTER:
            assert workers[0].poll() is None
            await asyncio.sleep(0.01)
        workers[0].kill()
        workers[0].wait()
        before = letters.read_text().splitlines()
        workers.append(a_worker(settings))
        progress = await asyncio.wait_for(handle_of(client, address).result(), 180)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()

    assert KILLED_AFTER <= len(before) < MANY
    assert progress == AffectedProgress(people=MANY, done=MANY)
    expected = [message_id_for(address.list_id, number, "riverbend.example") for number in range(1, MANY + 1)]
    assert [row.message_id for row in await rows_of(owner_engine, address)] == expected
    handed_over = Counter(letters.read_text().splitlines())
    assert set(handed_over) == set(expected)
    # What was handed over and not noted when the worker died went out again, under the same Message-ID.
    assert sum(handed_over.values()) - MANY <= LETTERS_AT_ONCE


def a_worker(settings: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.workflow.helping_worker", json.dumps(settings)])
