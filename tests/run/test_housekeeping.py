# SPDX-License-Identifier: Apache-2.0
"""A worker keeps house by itself, waits out what is away, and the commands say what they found."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.anchoring import anchor_missed_days
from activities.sweeping import end_workflow, is_running
from models.terms import Action
from run import housekeeping
from run.composition import Secrets
from run.housekeeping import loops, only_one, repeated
from run.rebuild import Restarted, rebuild_record, rebuild_workflows
from run.settings import Settings
from run.verify import verify_record
from tests.databases import Database
from tests.given import a_command
from tests.letters import SECRETS_KEY, a_writable_case, lived, opened
from tests.live import OTHER_KEY, Desk
from tests.record import WRAPPING_KEY, Record, accepted


def settings_of(database: Database, home: Path) -> Settings:
    told = Settings(home=home, worker_database_url=database.worker_url)
    return told.with_embedded_addresses()


async def scalar(engine: AsyncEngine, query: str) -> object:
    async with engine.connect() as connection:
        return await connection.scalar(text(query))


@contextlib.asynccontextmanager
async def keeping_house(desk: Desk, database: Database, home: Path) -> AsyncIterator[asyncio.Event]:
    wake = asyncio.Event()
    settings = settings_of(database, home)
    keys = Secrets(case_keys=WRAPPING_KEY, other_payloads=OTHER_KEY, complainant_secrets=SECRETS_KEY)
    tasks = [asyncio.create_task(loop) for loop in loops(desk.worker_engine, desk.client, settings, keys, wake)]
    try:
        yield wake
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(engine: AsyncEngine, query: str, expected: object) -> None:
    async with asyncio.timeout(60):
        while await scalar(engine, query) != expected:
            await asyncio.sleep(0.05)


async def test_a_worker_sends_letters_finds_lost_cases_folds_and_makes_partitions(
    desk: Desk, record: Record, database: Database, owner_engine: AsyncEngine, tmp_path: Path
) -> None:
    await a_writable_case(record, desk.worker_engine)
    async with owner_engine.begin() as connection:
        await connection.execute(text("DELETE FROM receipt_pending"))

    async with keeping_house(desk, database, tmp_path) as wake:
        await until(owner_engine, "SELECT count(*) FROM outbox WHERE sent_at IS NOT NULL", 1)
        await until(owner_engine, "SELECT count(*) FROM receipt_pending", 1)
        await until(owner_engine, "SELECT total FROM queue_total WHERE queue = 'open'", 1)
        await a_writable_case(record, desk.worker_engine)
        wake.set()
        await until(owner_engine, "SELECT count(*) FROM outbox WHERE sent_at IS NOT NULL", 2)

    assert len(list((tmp_path / "mail").glob("*.eml"))) == 2


async def test_work_that_cannot_reach_the_record_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "AGAIN_AFTER", timedelta(0))
    tries, done = [], asyncio.Event()

    async def work() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise OperationalError("SELECT", {}, OSError("away"))
        done.set()

    loop = asyncio.create_task(repeated("working", work, timedelta(hours=1)))
    await done.wait()
    loop.cancel()

    assert len(tries) == 3


async def test_a_mistake_in_the_program_ends_the_loop_and_so_the_worker() -> None:
    async def work() -> None:
        raise LookupError("a mistake")

    with pytest.raises(LookupError):
        await repeated("working", work, timedelta(hours=1))


async def test_only_one_process_sweeps_at_a_time(worker_engine: AsyncEngine) -> None:
    async with only_one(worker_engine, 1) as first, only_one(worker_engine, 1) as second:
        assert (first, second) == (True, False)
    async with only_one(worker_engine, 1) as again:
        assert again


async def test_verify_says_how_the_totals_reconcile_and_which_link_is_broken_first(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, database: Database, tmp_path: Path
) -> None:
    case = await opened(worker_engine, await accepted(record))
    await accepted(record)
    await anchor_missed_days(worker_engine, "riverbend", datetime.now(UTC) + timedelta(days=2))
    settings = settings_of(database, tmp_path)
    said: list[str] = []

    assert await verify_record(settings, agency="", say=said.append)
    assert "riverbend: 2 receipts = 1 cases + 1 not opened yet; 2 events" in said[2]
    assert "riverbend: every chain, anchor and total holds." in said

    async with owner_engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text("DELETE FROM case_event WHERE sequence = 2"))
    said.clear()
    assert not await verify_record(settings, agency="riverbend", say=said.append)
    name = f"Case {case.receipt.reference}"
    first = f"{name}: the read model stands at event 2, the events end with 1."
    assert said[1] == f"riverbend: the first broken link: {first}"
    assert not await verify_record(settings, agency="nowhere", say=said.append)
    assert said[-1] == "There is no agency nowhere."


async def test_rebuild_says_what_it_put_right(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, database: Database, tmp_path: Path
) -> None:
    await opened(worker_engine, await accepted(record))
    async with owner_engine.begin() as connection:
        await connection.execute(text("UPDATE case_file SET team = 'nobody'"))
    said: list[str] = []

    await rebuild_record(settings_of(database, tmp_path), agency="riverbend", workflows=False, say=said.append)

    assert said == [
        "riverbend: 1 cases told again, 0 receipts wait to be opened; put right: rows of 1, counts of 0, words of 0."
    ]


async def test_workflows_are_started_where_missing_replaced_where_behind_or_marked_and_else_left_alone(
    desk: Desk, record: Record, owner_engine: AsyncEngine
) -> None:
    current, behind, marked, missing = [await desk.a_case() for _ in range(4)]
    story = await behind.case()
    await lived(desk.worker_engine, story, a_command(Action.TRIAGE, story))
    async with owner_engine.begin() as connection:
        await connection.execute(
            text("INSERT INTO fault (agency, case_id, kind, detail) VALUES ('riverbend', :id, 'key_reused', 'x')"),
            {"id": marked.address.case_id},
        )
    await end_workflow(desk.client, missing.address.case_id, "for the test")
    kept = (await current.handle.describe()).run_id

    restarted = await rebuild_workflows(desk.worker_engine, desk.client, "riverbend", task_queue=desk.task_queue)

    assert restarted == Restarted("riverbend", running=1, started=1, replaced=2)
    assert (await current.handle.describe()).run_id == kept
    for live in (behind, marked, missing):
        assert await is_running(desk.client, live.address.case_id)
    assert await scalar(owner_engine, "SELECT count(*) FROM fault WHERE cleared_at IS NULL") == 0
    again = await rebuild_workflows(desk.worker_engine, desk.client, "riverbend", task_queue=desk.task_queue)
    assert again == Restarted("riverbend", running=4)
