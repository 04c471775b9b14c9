# SPDX-License-Identifier: Apache-2.0
"""The worker as it is put together: what waits in the record is begun, fixes and lists of affected people too."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from models.fixes.commands import ApproveWords
from models.fixes.terms import Occasion
from models.references import fix_workflow_id_for
from run.composition import case_keys, secrets_of, temporal_client
from run.settings import Settings
from run.worker import run_worker
from tests.fix_record import an_opening, fix_words
from tests.given import SUE, a_key
from tests.record import Record
from tests.servers import TemporalServer
from workflows.systemic_fix import SystemicFixWorkflow


async def test_an_opened_fix_is_begun_and_so_is_the_list_of_those_who_are_told(
    record: Record,
    worker_engine: AsyncEngine,
    owner_engine: AsyncEngine,
    temporal_server: TemporalServer,
    tmp_path: Path,
) -> None:
    settings = Settings(
        home=tmp_path,
        master_key_file=tmp_path / "master.key",
        worker_database_url=record.database.worker_url,
        temporal_address=temporal_server.address,
        temporal_namespace=temporal_server.namespace,
        task_queue=f"test-{uuid4().hex}",
    )
    settings.make_master_key()
    stop = asyncio.Event()
    working = asyncio.create_task(run_worker(settings, stop))
    try:
        address = await an_opening(record, cells=())
        await until(owner_engine, "SELECT count(*) FROM fix_event", working)
        client = await temporal_client(settings, case_keys(worker_engine, secrets_of(settings)))
        handle = client.get_workflow_handle_for(SystemicFixWorkflow.run, fix_workflow_id_for(address.fix_id))
        words = await fix_words(record, address, "We found what went wrong.")
        approve = ApproveWords(actor=SUE, key=a_key(), occasion=Occasion.ACCEPTED, words=words)
        await handle.execute_update(SystemicFixWorkflow.act, approve)
        await until(owner_engine, "SELECT count(*) FROM affected_list WHERE finished_at IS NOT NULL", working)
    finally:
        stop.set()
        await working


async def until(engine: AsyncEngine, query: str, working: asyncio.Task[None]) -> None:
    """Wait until the query counts something, or the worker fails."""
    async with asyncio.timeout(120):
        while True:
            async with engine.connect() as connection:
                if await connection.scalar(text(query)):
                    return
            assert not working.done()
            await asyncio.sleep(0.1)
