# SPDX-License-Identifier: Apache-2.0
"""Keep the histories of all lives that no history is kept of yet: `python -m tests.replay.record`.

A history's name ends with the fingerprint of the workflow that lived it. So, after a change, new histories are kept
beside the old ones, which stay: cases that began under the old code are still open.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy.ext.asyncio import create_async_engine
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import TimeSkipper

from activities.interface import RootCauseRun, TextRun
from run.migrate import migrate
from run.settings import API_ROLE, WORKER_ROLE
from run.worker import temporal_worker
from tests.databases import Database
from tests.given import POLICY_FOLDER, a_policy
from tests.live import Desk, work_of
from tests.record import Record
from tests.replay.fingerprints import digest
from tests.replay.fix_lives import FIX_LIVES, helped
from tests.replay.keys import fixed_converter
from tests.replay.lives import CONTINUES_AFTER_EVENTS, LIVES
from tests.servers import PostgresServer, TemporalServer, embedded_postgres, temporal_dev_server
from workflows.complaint import ComplaintWorkflow
from workflows.help_affected import HelpAffectedWorkflow
from workflows.root_cause import RootCauseWorkflow
from workflows.systemic_fix import SystemicFixWorkflow
from workflows.text import TextWorkflow

HISTORIES = Path(__file__).with_name("histories")
IDENTITY = "recorder"
"""In place of the process and machine that histories otherwise name."""
ONE_LOOK = "one_look"
ONE_LIST = "one_list"
ONE_NIGHT = "one_night"
_log = logging.getLogger(__name__)


def history_file(life: str, workflow: type) -> Path:
    """Return where the history of a life under today's workflow is kept."""
    return HISTORIES / f"{life}.{digest(workflow)}.json"


@asynccontextmanager
async def a_desk(postgres: PostgresServer, temporal: TemporalServer) -> AsyncIterator[Desk]:
    """Give a desk on servers of its own, whose payloads have the fixed key."""
    name = postgres.new_database()
    passwords = {WORKER_ROLE: "for tests", API_ROLE: "for tests"}
    migrate(postgres.url(database=name), {POLICY_FOLDER: a_policy()}, passwords, now=datetime.now(UTC))
    database = Database(postgres, name)
    engine, api_engine = create_async_engine(database.worker_url), create_async_engine(database.api_url)
    client = await Client.connect(
        temporal.address, namespace=temporal.namespace, data_converter=fixed_converter(), identity=IDENTITY
    )
    desk = Desk(Record(database, api_engine), engine, TimeSkipper(client), task_queue=f"record-{uuid4().hex}")
    async with temporal_worker(desk.client, work_of(engine), desk.task_queue):
        yield desk
    await engine.dispose()
    await api_engine.dispose()


async def keep(handle: WorkflowHandle[Any, Any], file: Path) -> None:
    """Write a history, unless one of that name is kept: the past is never overwritten."""
    history = await handle.fetch_history()
    file.parent.mkdir(exist_ok=True)
    with file.open("x", encoding="utf-8") as kept:
        kept.write(history.to_json() + "\n")
    _log.info("kept %s: %d events", file.name, len(history.events))


async def record() -> None:
    """Live every life that is missing, and keep its history."""
    missing = [life for life in LIVES if not history_file(life, ComplaintWorkflow).exists()]
    missing_fixes = [life for life in FIX_LIVES if not history_file(life, SystemicFixWorkflow).exists()]
    look, help_ = history_file(ONE_LOOK, RootCauseWorkflow), history_file(ONE_LIST, HelpAffectedWorkflow)
    night = history_file(ONE_NIGHT, TextWorkflow)
    if not missing and not missing_fixes and look.exists() and help_.exists() and night.exists():
        _log.info("a history of every life is kept already")
        return
    settings = {"limit.historyCount.suggestContinueAsNew": str(CONTINUES_AFTER_EVENTS)}
    with (
        embedded_postgres(durable=False) as postgres,
        temporal_dev_server(time_skipping=True, dynamic_settings=settings) as temporal,
    ):
        async with a_desk(postgres, temporal) as desk:
            for life in missing:
                live = await LIVES[life](desk)
                await keep(live.handle, history_file(life, ComplaintWorkflow))
            for life in missing_fixes:
                await keep(await FIX_LIVES[life](desk), history_file(life, SystemicFixWorkflow))
            if not look.exists():
                await keep(await looked(desk), look)
            if not help_.exists():
                await keep(await helped(desk), help_)
            if not night.exists():
                await keep(await read(desk), night)


async def looked(desk: Desk) -> WorkflowHandle[Any, Any]:
    """Have the root causes looked at once."""
    handle = await desk.client.start_workflow(
        RootCauseWorkflow.run, RootCauseRun(agency="riverbend"), id="root-cause/once", task_queue=desk.task_queue
    )
    await handle.result()
    return handle


async def read(desk: Desk) -> WorkflowHandle[Any, Any]:
    """Have the texts read for a night."""
    handle = await desk.client.start_workflow(
        TextWorkflow.run, TextRun(agency="riverbend"), id="texts/once", task_queue=desk.task_queue
    )
    await handle.result()
    return handle


if __name__ == "__main__":
    logging.basicConfig(level="INFO", format="%(message)s", stream=sys.stderr)
    asyncio.run(record())
