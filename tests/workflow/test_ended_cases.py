# SPDX-License-Identifier: Apache-2.0
"""A case whose workflow has nothing to wait for is started because somebody asks, and whoever asks is heard."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowHandle

from activities.interface import Batch, CaseAddress
from models import lifecycle
from models.case import Case, new_case
from models.commands import HistoricalIssue, RecordAsHistory
from models.references import workflow_id_for
from models.story import apply
from models.terms import Action, State
from run.worker import temporal_worker
from tests.given import IMPORTER, SUE, a_command, a_key
from tests.live import client_of, work_of
from tests.record import Record, a_submission, records_of, take_in
from tests.servers import TemporalServer
from workflows.complaint import ComplaintWorkflow
from workflows.starting import start_case

LONG_AGO = datetime(2020, 1, 6, 15, tzinfo=UTC)


async def a_historical_case(record: Record, engine: AsyncEngine, closed_at: datetime | None) -> Case:
    """Record a complaint of long ago that another system has closed."""
    told = a_submission(is_imported=True, received_at=LONG_AGO, received_on=LONG_AGO.date())
    case = new_case((await take_in(record.engine, told)).receipt)
    command = RecordAsHistory(
        actor=IMPORTER,
        key=a_key(),
        receipt=case.receipt,
        team="front_desk",
        policy_version=1,
        issues=(HistoricalIssue(),),
        closed_at=closed_at,
    )
    event = lifecycle.decide(case, command, datetime.now(UTC))
    recorded = await records_of(engine).record(Batch(agency=case.agency, case_id=case.id, events=(event,)))
    assert recorded.was_appended
    return apply(case, event)


async def started(client: Client, case: Case, queue: str) -> WorkflowHandle[ComplaintWorkflow, State]:
    address = CaseAddress(agency=case.agency, case_id=case.id)
    await start_case(client, address.agency, address.case_id, task_queue=queue)
    return client.get_workflow_handle_for(ComplaintWorkflow.run, workflow_id_for(case.id))


@pytest.mark.parametrize("closed_at", [None, LONG_AGO + timedelta(days=20)])
async def test_who_asks_before_the_case_is_loaded_is_heard(
    record: Record, worker_engine: AsyncEngine, temporal_server: TemporalServer, closed_at: datetime | None
) -> None:
    case = await a_historical_case(record, worker_engine, closed_at)
    client, queue = await client_of(temporal_server, worker_engine), f"test-{uuid4().hex}"
    handle = await started(client, case, queue)
    reopen = a_command(Action.REOPEN, case, SUE)
    asking = asyncio.create_task(handle.execute_update(ComplaintWorkflow.act, reopen, id=reopen.key))

    async with temporal_worker(client, work_of(worker_engine), queue):
        answer = await asyncio.wait_for(asking, 30)

    assert answer.state is State.IN_RESOLUTION


async def test_who_asks_after_the_case_is_loaded_is_heard(
    record: Record, worker_engine: AsyncEngine, temporal_server: TemporalServer
) -> None:
    case = await a_historical_case(record, worker_engine, None)
    client, queue = await client_of(temporal_server, worker_engine), f"test-{uuid4().hex}"

    async with temporal_worker(client, work_of(worker_engine), queue):
        handle = await started(client, case, queue)
        while await handle.query(ComplaintWorkflow.current) is None:
            await asyncio.sleep(0.05)
        reopen = a_command(Action.REOPEN, case, SUE)
        answer = await asyncio.wait_for(handle.execute_update(ComplaintWorkflow.act, reopen, id=reopen.key), 30)

    assert answer.state is State.IN_RESOLUTION
