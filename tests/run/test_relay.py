# SPDX-License-Identifier: Apache-2.0
"""Relays wait out what is away, and say which of them waits."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import cast

import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from temporalio.client import Client

from activities.pending import PendingQueue
from run.relay import QuietRelay, Relay
from workflows.starting import start_fix, start_help


async def test_a_relay_that_is_out_of_reach_names_what_it_relays(caplog: pytest.LogCaptureFixture) -> None:
    away = create_async_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    client = cast("Client", None)  # asked of nothing while the queue cannot be read
    relays: list[Relay | QuietRelay] = [
        Relay(client, away, task_queue="", in_flight=1, clock=lambda: datetime.now(UTC)),
        QuietRelay(
            client, PendingQueue(away, "fix_pending"), start_fix, task_queue="", clock=lambda: datetime.now(UTC)
        ),
        QuietRelay(
            client, PendingQueue(away, "affected_pending"), start_help, task_queue="", clock=lambda: datetime.now(UTC)
        ),
    ]

    tasks = [asyncio.create_task(relay.run(asyncio.Event())) for relay in relays]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(10):
            while len(caplog.records) < len(relays):
                await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    said = caplog.text
    for name in ("receipt_pending", "fix_pending", "affected_pending"):
        assert f"relaying {name}: out of reach (OperationalError), trying again" in said
