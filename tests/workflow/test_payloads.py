# SPDX-License-Identifier: Apache-2.0
"""What Temporal gets to see: encrypted payloads under the case's own key, and nothing personal beside them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus

from models.references import workflow_id_for
from models.terms import Action
from run.codec import CaseKeys, data_converter
from run.worker import end_unreadable, temporal_worker
from tests.given import a_command
from tests.live import OTHER_KEY, Desk, work_of
from tests.record import WRAPPING_KEY, accepted
from tests.servers import TemporalServer
from workflows.starting import start_case


async def test_no_payload_in_the_history_can_be_read_without_the_cases_key(desk: Desk) -> None:
    live = await desk.a_case()
    await live.act(a_command(Action.TRIAGE, await live.case()))

    history = await live.handle.fetch_history()

    seen = b"".join(event.SerializeToString() for event in history.events)
    for word in (b"riverbend/", b"triage", b"benefits", b"ann", b"RIV-"):
        assert word not in seen
    assert any(event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED for event in history.events)


async def test_the_only_search_attribute_is_the_agency(desk: Desk) -> None:
    live = await desk.a_case()

    described = await live.handle.describe()

    own = {pair.key.name for pair in described.typed_search_attributes} - {"BuildIds"}
    assert own == {"Agency"}
    assert described.id == workflow_id_for(live.address.case_id)


async def test_a_destroyed_key_ends_the_workflow_instead_of_failing_for_ever(
    desk: Desk, owner_engine: AsyncEngine, worker_engine: AsyncEngine, temporal_server: TemporalServer
) -> None:
    now = datetime.now(UTC)
    address = await accepted(desk.record, received_at=now, received_on=now.date())
    queue = f"test-{uuid4().hex}"
    keys = CaseKeys(worker_engine, WRAPPING_KEY, OTHER_KEY)
    worker_client = await Client.connect(
        temporal_server.address, namespace=temporal_server.namespace, data_converter=data_converter(keys)
    )
    keys.on_destroyed = lambda case_id: end_unreadable(worker_client, case_id)
    handle = await start_case(desk.client, address.agency, address.case_id, task_queue=queue)
    async with owner_engine.begin() as connection:
        await connection.execute(
            text("UPDATE case_key SET wrapped = NULL, destroyed_at = now() WHERE case_id = :id"),
            {"id": address.case_id},
        )

    async with temporal_worker(worker_client, work_of(worker_engine), queue):
        async with asyncio.timeout(30):
            while (await handle.describe()).status is not WorkflowExecutionStatus.TERMINATED:
                await asyncio.sleep(0.2)
