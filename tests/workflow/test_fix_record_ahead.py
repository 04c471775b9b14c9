# SPDX-License-Identifier: Apache-2.0
"""A worker dies between the record's commit and Temporal's knowledge of it: a fix's commands end recorded once."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from activities.database import transaction
from activities.fix_records import fix_events
from activities.interface import FixAddress
from models.fixes.commands import FixCommand, Note
from models.fixes.terms import FixState
from models.references import fix_workflow_id_for
from tests.fix_record import an_opening
from tests.given import SUE, a_key, a_text
from tests.live import client_of
from tests.record import Record
from tests.servers import TemporalServer
from tests.workflow.dying_fix_worker import DIED_ON_PURPOSE
from workflows.starting import start_fix
from workflows.systemic_fix import FixAnswer, SystemicFixWorkflow

NOBODY = "nobody"
DIES_WITHIN_SECONDS = 200


@dataclass
class Scene:
    """A fix, whose workers are processes that can die."""

    engine: AsyncEngine
    address: FixAddress
    handle: WorkflowHandle[SystemicFixWorkflow, FixState]
    settings: dict[str, str]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def worker(self, dies_after: str = NOBODY) -> subprocess.Popen[bytes]:
        told = json.dumps(self.settings | {"dies_after": dies_after})
        self.workers.append(subprocess.Popen([sys.executable, "-m", "tests.workflow.dying_fix_worker", told]))
        return self.workers[-1]

    async def act(self, command: FixCommand) -> FixAnswer:
        """Ask as the API does: again with the same key, should nobody answer."""
        while True:
            try:
                return await self.handle.execute_update(SystemicFixWorkflow.act, command, id=command.key)
            except RPCError:
                await asyncio.sleep(0.1)

    async def recorded_keys(self) -> list[str]:
        async with transaction(self.engine, self.address.agency) as connection:
            return [event.command.key for event in await fix_events(connection, self.address.fix_id)][1:]


@pytest.fixture
async def scene(record: Record, worker_engine: AsyncEngine, temporal_server: TemporalServer) -> AsyncIterator[Scene]:
    client: Client = await client_of(temporal_server, worker_engine)
    address, queue = await an_opening(record), f"test-{uuid4().hex}"
    await start_fix(client, address.agency, address.fix_id, task_queue=queue)
    handle = client.get_workflow_handle_for(SystemicFixWorkflow.run, fix_workflow_id_for(address.fix_id))
    settings = {
        "database_url": record.database.worker_url,
        "temporal": temporal_server.address,
        "namespace": temporal_server.namespace,
        "task_queue": queue,
    }
    scene = Scene(worker_engine, address, handle, settings)
    yield scene
    for worker in scene.workers:
        worker.kill()
        worker.wait()


def a_note() -> Note:
    return Note(actor=SUE, key=a_key(), words=a_text())


@pytest.mark.parametrize("other_comes_first", [False, True], ids=["retried", "another command first"])
async def test_each_command_ends_recorded_once_with_its_first_answer(scene: Scene, *, other_comes_first: bool) -> None:
    lost, other = a_note(), a_note()
    dying = scene.worker(dies_after=lost.key)
    asked = asyncio.create_task(scene.act(lost))
    assert await asyncio.to_thread(dying.wait, DIES_WITHIN_SECONDS) == DIED_ON_PURPOSE
    assert await scene.recorded_keys() == [lost.key]
    if other_comes_first:
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        asked_other = asyncio.create_task(scene.act(other))
        await asyncio.sleep(0.3)
        scene.worker()
        answer_of_other, answer = await asked_other, await scene.act(lost)
    else:
        scene.worker()
        answer, answer_of_other = await asked, await scene.act(other)

    assert await scene.recorded_keys() == [lost.key, other.key]
    assert (answer.sequence, answer_of_other.sequence) == (2, 3)
    assert await scene.act(lost) == answer
