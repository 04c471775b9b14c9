# SPDX-License-Identifier: Apache-2.0
"""Housekeeping: what a worker does beside its workflows.

Letters leave, executives are told, lost cases are found, counts are folded, days anchored. Every worker runs all of
it; queues, row locks and advisory locks see to it that several of them do nothing twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from activities.alerting import Alerts
from activities.anchoring import anchor_missed_days
from activities.correspondence import Correspondence
from activities.database import agencies
from activities.folding import fold_deltas
from activities.letter_values import Links
from activities.mail import Mailer, mailer_for
from activities.policies import Policies
from activities.sweeping import Sweep
from run.composition import Secrets, now
from run.reach import OUT_OF_REACH
from run.settings import Settings

MAIL_FOLDER = "mail"
"""In the data folder; where letters go when no mail server is set."""
LETTERS_EVERY = timedelta(seconds=5)
"""How long letters wait when nobody wakes their loop; NOTIFY wakes it at once."""
FOLD_EVERY = timedelta(seconds=20)
ALERT_EVERY = timedelta(minutes=10)
ANCHOR_EVERY = timedelta(minutes=10)
SWEEP_EVERY = timedelta(hours=1)
AGAIN_AFTER = timedelta(seconds=15)
"""How soon after a failure something is tried again."""
_SWEEPING = 7_305_198_240_118
"""Number of the advisory lock that lets one process sweep at a time."""
_log = logging.getLogger(__name__)


def loops(
    engine: AsyncEngine, client: Client, settings: Settings, secrets: Secrets, wake_outbox: asyncio.Event
) -> list[Coroutine[Any, Any, None]]:
    """Return the loops of a worker; each runs until it is cancelled. `wake_outbox` is set when a letter was written."""
    post = Correspondence(
        engine,
        Policies(),
        mailer_of(settings),
        mail_from=settings.mail_from,
        links=Links(settings.public_url),
        secrets_key=secrets.complainant_secrets,
        clock=now,
    )
    alerts = Alerts(
        engine,
        Policies(),
        mailer_of(settings),
        mail_from=settings.mail_from,
        links=Links(settings.public_url),
        clock=now,
    )
    sweep = Sweep(engine, client, wrapping_key=secrets.case_keys, clock=now)

    async def send_letters() -> None:
        wake_outbox.clear()
        while await post.send_some():
            pass

    async def tell_executives() -> None:
        await alerts.tell_all()

    async def sweep_once() -> None:
        async with only_one(engine, _SWEEPING) as is_our_turn:
            if is_our_turn:
                _log.info("swept: %s", await sweep.sweep())

    return [
        repeated("sending letters", send_letters, LETTERS_EVERY, wake_outbox),
        repeated("telling executives", tell_executives, ALERT_EVERY),
        repeated("sweeping", sweep_once, SWEEP_EVERY),
        repeated("folding counts", lambda: fold_all(engine), FOLD_EVERY),
        repeated("anchoring", lambda: anchor_all(engine), ANCHOR_EVERY),
    ]


def mailer_of(settings: Settings) -> Mailer:
    """Return how letters leave with these settings."""
    return mailer_for(settings.smtp_url, settings.home / MAIL_FOLDER, settings.post_folder)


async def fold_all(engine: AsyncEngine) -> None:
    """Fold the counts of every agency."""
    for agency in await agencies(engine):
        await fold_deltas(engine, agency, "cell")
        await fold_deltas(engine, agency, "queue")


async def anchor_all(engine: AsyncEngine) -> None:
    """Anchor every agency's days that are over and have no anchor yet."""
    for agency in await agencies(engine):
        for anchor in await anchor_missed_days(engine, agency, now()):
            # Kept with the logs, outside the record, these lines prove the anchors themselves.
            _log.info("anchor of %s for %s: %s", agency, anchor.day, anchor.hash.hex())


async def for_each_agency(engine: AsyncEngine, what: str, work: Callable[[str], Awaitable[object]]) -> None:
    """Do for every agency what its cases can go on without: where it fails, say of what class the failure is."""
    for agency in await agencies(engine):
        try:
            await work(agency)
        except OUT_OF_REACH:
            raise
        except Exception as fault:  # noqa: BLE001 - the worker's other work, and other agencies, do not depend on it
            # No trace and no message: they may hold words of a complaint.
            _log.error("%s failed for %s (%s), going on", what, agency, type(fault).__name__)


async def repeated(
    what: str, work: Callable[[], Awaitable[None]], every: timedelta, wake: asyncio.Event | None = None
) -> None:
    """Do some work at once and then after every so much time, or when woken; what cannot be reached is tried again."""
    wake = wake or asyncio.Event()
    while True:
        pause = every
        try:
            await work()
        except OUT_OF_REACH as problem:
            _log.warning("%s: out of reach (%s), trying again", what, type(problem).__name__)
            pause = min(every, AGAIN_AFTER)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(wake.wait(), pause.total_seconds())


@contextlib.asynccontextmanager
async def only_one(engine: AsyncEngine, number: int) -> AsyncIterator[bool]:
    """Give True to one process at a time, False to the others; a process that dies gives its turn back."""
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        is_ours = bool(await connection.scalar(text("SELECT pg_try_advisory_lock(:number)"), {"number": number}))
        try:
            yield is_ours
        finally:
            if is_ours:
                await connection.execute(text("SELECT pg_advisory_unlock(:number)"), {"number": number})
