# SPDX-License-Identifier: Apache-2.0
"""The relays: take what is pending and start its workflows, never more than so many at once.

That of receipts yields to intake; fixes and lists of affected people are few and come one after another.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import psycopg
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from activities.pending import Claimed, PendingQueue
from activities.sweeping import mark_wrong_master_key
from models.case_keys import KeyDestroyed, WrongMasterKey
from run.reach import OUT_OF_REACH
from workflows.starting import start_case

LOOK_EVERY = timedelta(seconds=1)
"""How long the relay sleeps when nobody wakes it; NOTIFY wakes it at once."""
QUIET_LOOK_EVERY = timedelta(seconds=5)
QUIET_AT_A_TIME = 10
RETRY_AFTER = timedelta(seconds=5)
RUSH_PER_SECOND = 40
"""With more receipts than this coming in, intake needs the machine: the relay goes on with one at a time."""
RUSH_PAUSE = timedelta(milliseconds=500)
"""And rests before each: nobody waits for it, their receipts are durable."""
_log = logging.getLogger(__name__)


async def _keep_on(
    what: str, relay_some: Callable[[], Awaitable[int]], wake: asyncio.Event, look_every: timedelta
) -> None:
    """Relay as long as there is something, then sleep until woken or it is time to look again; for ever."""
    while True:
        wake.clear()
        try:
            while await relay_some():
                pass
        except OUT_OF_REACH as problem:
            _log.warning("relaying %s: out of reach (%s), trying again", what, type(problem).__name__)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(wake.wait(), look_every.total_seconds())


class Relay:
    """Starts the workflows of pending receipts."""

    def __init__(
        self,
        client: Client,
        engine: AsyncEngine,
        *,
        task_queue: str,
        in_flight: int,
        clock: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._engine = engine
        self._queue = PendingQueue(engine, "receipt_pending")
        self._task_queue = task_queue
        self._in_flight = in_flight
        self._clock = clock

    async def run(self, wake: asyncio.Event) -> None:
        """Relay until cancelled."""
        await _keep_on(self._queue.name, self.relay_some, wake, LOOK_EVERY)

    async def relay_some(self) -> int:
        """Start the workflows of some pending receipts; return how many were claimed."""
        now = self._clock()
        rush = await self._queue.arrivals(now - timedelta(seconds=1), RUSH_PER_SECOND) >= RUSH_PER_SECOND
        if rush:
            await asyncio.sleep(RUSH_PAUSE.total_seconds())
        claimed = await self._queue.claim(1 if rush else self._in_flight, now)
        started = await asyncio.gather(*(self._start(item) for item in claimed))
        if done := [item.id for item, is_started in zip(claimed, started, strict=True) if is_started]:
            await self._queue.strike(done)
        if waiting := [item.id for item, is_started in zip(claimed, started, strict=True) if not is_started]:
            await self._queue.put_back(waiting, self._clock() + RETRY_AFTER)
            return 0
        return len(claimed)

    async def _start(self, item: Claimed) -> bool:
        try:
            await start_case(self._client, item.agency, item.id, task_queue=self._task_queue)
        except KeyDestroyed:
            return True  # nobody can read what its workflow would say; there is nothing to start
        except WrongMasterKey as problem:
            _log.error("case %s cannot be started: %s", item.id, problem)
            await mark_wrong_master_key(self._engine, item.agency, [item.id])
            return True  # the sweep queues it again when its key opens
        except OUT_OF_REACH as problem:
            _log.warning("case %s is not started yet (%s)", item.id, type(problem).__name__)
            return False
        return True


class StartOf(Protocol):
    """One way to begin (workflows/starting.py)."""

    async def __call__(self, client: Client, agency: str, id_: UUID, /, *, task_queue: str) -> object:
        """Start the workflow of what has the id, or find the one that runs."""


class QuietRelay:
    """Starts the workflows of a queue in which little comes: fixes, lists of affected people."""

    def __init__(
        self,
        client: Client,
        queue: PendingQueue,
        start: StartOf,
        *,
        task_queue: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._queue = queue
        self._start = start
        self._task_queue = task_queue
        self._clock = clock

    async def run(self, wake: asyncio.Event) -> None:
        """Relay until cancelled."""
        await _keep_on(self._queue.name, self.relay_some, wake, QUIET_LOOK_EVERY)

    async def relay_some(self) -> int:
        """Start some pending workflows; return how many were started."""
        started = 0
        for item in await self._queue.claim(QUIET_AT_A_TIME, self._clock()):
            try:
                await self._start(self._client, item.agency, item.id, task_queue=self._task_queue)
            except OUT_OF_REACH:
                await self._queue.put_back([item.id], self._clock() + RETRY_AFTER)
                raise
            await self._queue.strike([item.id])
            started += 1
        return started


async def notifications(dsn: str, channels: dict[str, asyncio.Event]) -> None:
    """Set a channel's event whenever PostgreSQL notifies it; reconnects for ever."""
    while True:
        try:
            async for channel in _listen(dsn, tuple(channels)):
                channels[channel].set()
        except (psycopg.Error, OSError) as problem:
            _log.info("waiting for notifications again (%s)", type(problem).__name__)
            await asyncio.sleep(1)


async def _listen(dsn: str, channels: tuple[str, ...]) -> AsyncIterator[str]:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        for channel in channels:
            await connection.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(channel)))
        async for notification in connection.notifies():
            yield notification.channel
