# SPDX-License-Identifier: Apache-2.0
"""A process dies between the record's commit and Temporal's knowledge of it: every command ends recorded once.

These tests decided the design: the record wins, and the workflow adopts what it holds (DESIGN, decision 4).
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError

from activities.database import transaction
from activities.interface import CaseAddress
from models.commands import Note
from models.references import workflow_id_for
from run.settings import PROJECT_FOLDER
from tests.chaos.dying_worker import DIED_ON_PURPOSE
from tests.given import ANN, BEN, a_key, a_text
from tests.live import client_of
from tests.record import Record, accepted
from tests.servers import TemporalServer, temporal_dev_server
from workflows.complaint import Answer, ComplaintWorkflow
from workflows.starting import start_case

ANSWERED_WITHIN_SECONDS = 120
"""Long enough for a busy machine: what counts is that the answer comes, and which."""


@pytest.fixture
def own_temporal() -> Iterator[TemporalServer]:
    """A Temporal whose store is on file, to be killed."""
    with temporal_dev_server(on_file=True) as server:
        yield server


@dataclass(slots=True)
class Scene:
    """A case, a Temporal that can be killed, and workers that can die."""

    record: Record
    worker_engine: AsyncEngine
    temporal: TemporalServer
    client: Client
    address: CaseAddress
    task_queue: str
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def worker(self, *, dies_after: str = "") -> subprocess.Popen[str]:
        """Start a worker process and wait until it works."""
        settings = {
            "database_url": self.record.database.worker_url,
            "temporal": self.temporal.address,
            "namespace": self.temporal.namespace,
            "task_queue": self.task_queue,
            "dies_after": dies_after,
        }
        command = [sys.executable, "-m", "tests.chaos.dying_worker", json.dumps(settings)]
        process = subprocess.Popen(command, cwd=PROJECT_FOLDER, stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "working"
        return process

    async def act(self, note: Note) -> Answer:
        """Ask as a patient client does: again with the same key until there is an answer."""
        handle = self.client.get_workflow_handle_for(ComplaintWorkflow.run, workflow_id_for(self.address.case_id))
        async with asyncio.timeout(ANSWERED_WITHIN_SECONDS):
            while True:
                try:
                    return await handle.execute_update(
                        ComplaintWorkflow.act, note, id=note.key, rpc_timeout=timedelta(seconds=15)
                    )
                except (RPCError, WorkflowUpdateRPCTimeoutOrCancelledError):
                    await asyncio.sleep(0.2)

    async def recorded_keys(self) -> list[str]:
        """Return the command keys of the record's events, in order, without the system's own."""
        async with transaction(self.worker_engine, self.address.agency) as connection:
            query = text("SELECT command_key FROM case_event WHERE case_id = :id AND sequence > 2 ORDER BY sequence")
            return list(await connection.scalars(query, {"id": self.address.case_id}))

    def clean_up(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


@pytest.fixture
async def scene(record: Record, worker_engine: AsyncEngine, own_temporal: TemporalServer) -> AsyncIterator[Scene]:
    client = await client_of(own_temporal, worker_engine)
    now = datetime.now(UTC)
    address = await accepted(record, received_at=now, received_on=now.date())
    task_queue = f"test-{uuid4().hex}"
    await start_case(client, address.agency, address.case_id, task_queue=task_queue)
    scene = Scene(record, worker_engine, own_temporal, client, address, task_queue)
    yield scene
    scene.clean_up()


def a_note(by: str = "ann") -> Note:
    return Note(actor=ANN if by == "ann" else BEN, key=a_key(), text=a_text())


@pytest.mark.parametrize("temporal_dies_too", [False, True], ids=["worker killed", "worker and Temporal killed"])
@pytest.mark.parametrize("other_comes_first", [False, True], ids=["retried", "another command first"])
async def test_each_command_ends_recorded_once_with_its_first_answer(
    scene: Scene, *, temporal_dies_too: bool, other_comes_first: bool
) -> None:
    lost, other = a_note(), a_note("ben")
    dying = scene.worker(dies_after=lost.key)
    asked = asyncio.create_task(scene.act(lost))
    assert await asyncio.to_thread(dying.wait, ANSWERED_WITHIN_SECONDS) == DIED_ON_PURPOSE
    if temporal_dies_too:
        scene.temporal.kill()
        scene.temporal.start_again()
    if other_comes_first:
        asked.cancel()
        asked_other = asyncio.create_task(scene.act(other))
        await asyncio.sleep(0.3)
        scene.worker()
        answer_of_other = await asked_other
        answer = await scene.act(lost)
    else:
        scene.worker()
        answer = await asked
        answer_of_other = await scene.act(other)

    assert await scene.recorded_keys() == [lost.key, other.key]
    assert (answer.sequence, answer_of_other.sequence) == (3, 4)
    assert await scene.act(lost) == answer
