# SPDX-License-Identifier: Apache-2.0
"""A life longer than one history: continue-as-new loses nothing, also with updates in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from activities.database import transaction
from models.commands import Note
from models.references import workflow_id_for
from models.terms import State
from run.worker import temporal_worker
from tests.given import ANN, a_key, a_text
from tests.live import client_of, work_of
from tests.record import Record, accepted
from tests.servers import TemporalServer, temporal_dev_server
from workflows.complaint import Answer, ComplaintWorkflow
from workflows.starting import start_case

NOTES = 60


@pytest.fixture(scope="module")
def hasty_temporal() -> Iterator[TemporalServer]:
    """A server that asks for a fresh history after forty events."""
    with temporal_dev_server(dynamic_settings={"limit.historyCount.suggestContinueAsNew": "40"}) as server:
        yield server


@pytest.fixture
async def client(hasty_temporal: TemporalServer, worker_engine: AsyncEngine) -> Client:
    return await client_of(hasty_temporal, worker_engine)


async def patient(handle: WorkflowHandle[ComplaintWorkflow, State], note: Note) -> Answer:
    """Ask as the API does: again with the same key, should the run change in between."""
    while True:
        try:
            return await handle.execute_update(ComplaintWorkflow.act, note, id=note.key)
        except RPCError:
            await asyncio.sleep(0.05)


async def test_notes_sent_all_at_once_over_several_runs_are_recorded_once_each(
    record: Record, worker_engine: AsyncEngine, client: Client
) -> None:
    now = datetime.now(UTC)
    address = await accepted(record, received_at=now, received_on=now.date())
    notes = [Note(actor=ANN, key=a_key(), text=a_text()) for _ in range(NOTES)]
    queue = f"test-{uuid4().hex}"
    turns = asyncio.Semaphore(8)  # Temporal lets ten updates of one case be in flight

    async def ask(note: Note) -> Answer:
        async with turns:
            return await patient(handle, note)

    async with temporal_worker(client, work_of(worker_engine), queue):
        first = await start_case(client, address.agency, address.case_id, task_queue=queue)
        handle = client.get_workflow_handle_for(ComplaintWorkflow.run, workflow_id_for(address.case_id))
        answers = await asyncio.gather(*(ask(note) for note in notes))
        last_run = (await handle.describe()).run_id

    assert last_run != first.first_execution_run_id, "the workflow never continued as new"
    assert sorted(answer.sequence for answer in answers) == list(range(3, NOTES + 3))
    async with transaction(worker_engine, address.agency) as connection:
        query = text("SELECT command_key FROM case_event WHERE case_id = :id AND sequence > 2")
        stored = list(await connection.scalars(query, {"id": address.case_id}))
    assert sorted(stored) == sorted(note.key for note in notes)


async def test_a_key_of_an_earlier_run_is_answered_from_the_record(
    record: Record, worker_engine: AsyncEngine, client: Client
) -> None:
    now = datetime.now(UTC)
    address = await accepted(record, received_at=now, received_on=now.date())
    queue = f"test-{uuid4().hex}"
    async with temporal_worker(client, work_of(worker_engine), queue):
        first = await start_case(client, address.agency, address.case_id, task_queue=queue)
        handle = client.get_workflow_handle_for(ComplaintWorkflow.run, workflow_id_for(address.case_id))
        early = Note(actor=ANN, key=a_key(), text=a_text())
        answer = await patient(handle, early)
        while (await handle.describe()).run_id == first.first_execution_run_id:
            await patient(handle, Note(actor=ANN, key=a_key(), text=a_text()))

        assert await patient(handle, early) == answer
