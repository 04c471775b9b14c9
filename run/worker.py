# SPDX-License-Identifier: Apache-2.0
"""The worker: runs workflows and activities, relays receipts and fixes, sends letters, keeps house."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.affected import DatabaseAffected
from activities.case_records import DatabaseCaseRecords
from activities.fix_records import DatabaseFixRecords
from activities.pending import PendingQueue
from activities.policies import Policies
from activities.root_causes import DatabaseRootCauses
from activities.sweeping import KEY_IS_GONE, end_workflow
from activities.text_learning import DatabaseTexts
from run import housekeeping
from run.composition import case_keys, engine_for, now, secrets_of, temporal_client
from run.relay import QuietRelay, Relay, notifications
from run.schedules import keep_schedules
from run.settings import Settings, libpq_url
from workflows.complaint import ComplaintWorkflow
from workflows.help_affected import HelpAffectedWorkflow
from workflows.root_cause import RootCauseWorkflow
from workflows.starting import start_fix, start_help
from workflows.systemic_fix import SystemicFixWorkflow
from workflows.text import TextWorkflow

CONNECTIONS = 40
CACHED_WORKFLOWS = 2_000
TASKS_AT_ONCE = 40
GRACE = timedelta(seconds=10)
FIRST_LEARNING_EVERY = timedelta(minutes=10)
"""An agency that has never learnt, because it is new or was just imported, does not wait for the night."""
READ_EVERY = timedelta(seconds=20)
"""How soon a complaint is read for suggestions and copies; triage takes longer."""
SCHEDULES_EVERY = timedelta(hours=1)
"""So that a Temporal which has lost its store has them again."""
PASSED_THROUGH = ("models", "activities", "workflows", "pydantic", "pydantic_core", "annotated_types")
_LEARNING = 7_305_198_240_119
"""Number of the advisory lock that lets one process learn at a time."""
_T = TypeVar("_T")
_log = logging.getLogger(__name__)


def sandbox() -> SandboxedWorkflowRunner:
    """Return the sandbox with our own modules passed through: re-importing them costs 0.1 s for each open case."""
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH))


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker registers."""

    records: DatabaseCaseRecords
    root_causes: DatabaseRootCauses
    fixes: DatabaseFixRecords
    affected: DatabaseAffected
    texts: DatabaseTexts


def work_with(engine: AsyncEngine, settings: Settings) -> Work:
    """Return the activities, put together with the record."""
    policies = Policies()
    domain = settings.mail_from.partition("@")[2]
    return Work(
        records=DatabaseCaseRecords(engine, policies, mail_domain=domain, clock=now),
        root_causes=DatabaseRootCauses(engine, policies),
        fixes=DatabaseFixRecords(engine, policies),
        affected=DatabaseAffected(
            engine, policies, housekeeping.mailer_of(settings), mail_from=settings.mail_from, clock=now
        ),
        texts=DatabaseTexts(engine, policies),
    )


def temporal_worker(client: Client, work: Work, task_queue: str) -> Worker:
    """Return the Temporal worker of this process."""
    return Worker(
        client,
        task_queue=task_queue,
        workflows=[ComplaintWorkflow, RootCauseWorkflow, SystemicFixWorkflow, HelpAffectedWorkflow, TextWorkflow],
        activities=[
            work.records.load,
            work.records.record,
            work.root_causes.flag_recurring_failures,
            work.fixes.load_fix,
            work.fixes.record_fix,
            work.fixes.look_at_effect,
            work.affected.draw_list,
            work.affected.help_some,
            work.texts.learn_texts,
            work.texts.read_texts,
            work.texts.look_at_texts,
        ],
        workflow_runner=sandbox(),
        max_cached_workflows=CACHED_WORKFLOWS,
        max_concurrent_workflow_tasks=TASKS_AT_ONCE,
        max_concurrent_local_activities=TASKS_AT_ONCE,
        graceful_shutdown_timeout=GRACE,
    )


async def run_worker(settings: Settings, stop: asyncio.Event) -> None:
    """Work until `stop` is set."""
    secrets = secrets_of(settings)
    engine = engine_for(settings.worker_database_url, connections=CONNECTIONS)
    keys = case_keys(engine, secrets)
    client = await _unless_stopped(stop, temporal_client(settings, keys))
    if client is None:
        await engine.dispose()
        return
    keys.on_destroyed = lambda case_id: end_unreadable(client, case_id)
    wake = {channel: asyncio.Event() for channel in ("receipt", "outbox", "fix", "affected")}
    relay = Relay(
        client,
        engine,
        task_queue=settings.task_queue,
        in_flight=settings.relay_in_flight,
        clock=now,
    )
    task_queue = settings.task_queue
    fixes = QuietRelay(client, PendingQueue(engine, "fix_pending"), start_fix, task_queue=task_queue, clock=now)
    lists = QuietRelay(client, PendingQueue(engine, "affected_pending"), start_help, task_queue=task_queue, clock=now)
    work = work_with(engine, settings)
    loops = [
        relay.run(wake["receipt"]),
        fixes.run(wake["fix"]),
        lists.run(wake["affected"]),
        notifications(libpq_url(settings.worker_database_url), wake),
        housekeeping.repeated("keeping schedules", lambda: keep_schedules(client, engine, settings), SCHEDULES_EVERY),
        housekeeping.repeated("reading texts", lambda: read_texts(engine, work.texts), READ_EVERY),
        housekeeping.repeated("first learning", lambda: learn_first(engine, work.texts), FIRST_LEARNING_EVERY),
        *housekeeping.loops(engine, client, settings, secrets, wake["outbox"]),
    ]
    try:
        async with temporal_worker(client, work, settings.task_queue):
            await _until(stop, loops)
    finally:
        await engine.dispose()


async def read_texts(engine: AsyncEngine, texts: DatabaseTexts) -> None:
    """Read the complaints that came in lately."""
    await housekeeping.for_each_agency(engine, "reading texts", lambda agency: texts.reader.read_lately(agency, now()))


async def learn_first(engine: AsyncEngine, texts: DatabaseTexts) -> None:
    """Have every agency that has never learnt from its coded complaints spend a night now."""
    async with housekeeping.only_one(engine, _LEARNING) as is_our_turn:
        if is_our_turn:
            await housekeeping.for_each_agency(
                engine, "first learning", lambda agency: texts.first_night(agency, now())
            )


async def _unless_stopped(stop: asyncio.Event, waiting: Coroutine[Any, Any, _T]) -> _T | None:
    """Return what is waited for, or nothing where `stop` is set before it has come."""
    task = asyncio.create_task(waiting)
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for one in (task, stopped):
            one.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)


async def _until(stop: asyncio.Event, loops: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run the loops until `stop` is set; one that fails ends the process, for the supervisor to start it anew."""
    tasks = [asyncio.create_task(loop) for loop in loops]
    stopped = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopped}:
            task.result()
    finally:
        for task in (*tasks, stopped):
            task.cancel()
        await asyncio.gather(*tasks, stopped, return_exceptions=True)


async def end_unreadable(client: Client, case_id: UUID) -> None:
    """End the workflow of a case whose key has been destroyed: it could only fail, for ever."""
    try:
        await end_workflow(client, case_id, KEY_IS_GONE)
    except RPCError as problem:
        _log.info("workflow of case %s was not ended (%s)", case_id, problem.status.name)
