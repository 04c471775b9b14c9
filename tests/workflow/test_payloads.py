# SPDX-License-Identifier: Apache-2.0
"""What Temporal gets to see: encrypted payloads under the case's own key, and nothing personal beside them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from google.protobuf.message import Message
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus

from activities.mail import SmtpMailer
from models.references import secret_for, workflow_id_for
from models.tables.base import METADATA
from models.terms import Action
from run.codec import CaseCodec, CaseKeys, data_converter
from run.worker import end_unreadable, temporal_worker
from tests.given import a_command
from tests.letters import ADA, SECRETS_KEY, a_mail_server, correspondence
from tests.live import OTHER_KEY, Desk, keys_for, work_of
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


def payloads_in(message: Message) -> Iterator[Payload]:
    """Return every payload that a message of Temporal's holds, however deep."""
    if isinstance(message, Payload):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            is_map = field.message_type.GetOptions().map_entry
            inner = value.values() if is_map else value if field.is_repeated else [value]
            for one in inner:
                if isinstance(one, Message):
                    yield from payloads_in(one)


async def test_the_complainants_secret_is_in_the_letter_and_nowhere_else(
    desk: Desk, owner_engine: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    contact = json.dumps({"name": "Ada Byron", "email": ADA})
    live = await desk.a_case(contact=contact, can_be_written_to=True)
    with a_mail_server() as post:
        await correspondence(desk.worker_engine, SmtpMailer(post.url)).send_some()
    secret = secret_for(live.address.case_id, SECRETS_KEY)

    history = await live.handle.fetch_history()
    payloads = [payload for event in history.events for payload in payloads_in(event)]
    read = await CaseCodec(keys_for(desk.worker_engine)).decode(payloads)
    async with owner_engine.connect() as connection:
        stored = [
            row for table in METADATA.tables for row in await connection.scalars(text(f"SELECT t::text FROM {table} t"))
        ]

    said = "".join(entry.getMessage() for entry in caplog.records if entry.name != "mail.log")  # the test's server
    assert [secret in str(message.get_content()) for message in post.received] == [True]
    assert any(b"benefits" in payload.data for payload in read)
    assert not [payload for payload in read if secret.encode() in payload.data]
    assert any(str(live.address.case_id) in row for row in stored)
    assert not [row for row in stored if secret in row]
    assert secret not in said


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
