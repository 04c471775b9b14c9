# SPDX-License-Identifier: Apache-2.0
"""Lives and actions a second, beside a bare workflow of the same shape (python -m benchmarks.lives).

Real PostgreSQL (fsync on) and Temporal (file store, WAL, full sync), one worker in this process, sandbox as in the
product, codec on, seven actions a life. Real and bare runs alternate; the figure is the median of the pairs' ratios.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import psutil
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from temporalio.client import Client
from temporalio.worker import Worker

from api.writes.receipts import accept
from benchmarks.bare import BareWorkflow, nothing
from benchmarks.instructions import Uncountable, counting
from models.case import Case
from models.commands import Command
from models.receiving import Submission, intake_of
from models.references import uuid7_at
from models.terms import Action, State
from run.codec import CaseKeys, data_converter
from run.migrate import migrate
from run.settings import API_ROLE, WORKER_ROLE, Settings
from run.worker import CACHED_WORKFLOWS, TASKS_AT_ONCE, sandbox, temporal_worker, work_with
from tests.given import POLICY_FOLDER, a_case_at, a_command, a_policy
from tests.servers import PostgresServer, TemporalServer, embedded_postgres, temporal_dev_server
from workflows.complaint import ComplaintWorkflow
from workflows.starting import start_case

ACTIONS = (
    Action.ACKNOWLEDGE,
    Action.TRIAGE,
    Action.ASSIGN,
    Action.NOTE,
    Action.ANSWER,
    Action.TAG_ROOT_CAUSE,
    Action.CLOSE,
)
LIVES_A_RUN = 96
CONCURRENCY = 16
PAIRS = 5
WRAPPING_KEY, OTHER_KEY = b"w" * 32, b"o" * 32
NARRATIVE = "I sent the renewal form twice and both times it was lost between the two offices. " * 12


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: lives a second; what every process concerned took for a life, in milliseconds and instructions."""

    lives_per_second: float
    cpu_ms_per_life: float
    million_instructions_per_life: float | None
    """None where they cannot be counted."""


@dataclass(slots=True)
class Scene:
    """The servers and the client."""

    postgres: PostgresServer
    temporal: TemporalServer
    worker_engine: AsyncEngine
    api_engine: AsyncEngine
    client: Client
    task_queue: str

    def processes(self) -> list[psutil.Process]:
        """Return PostgreSQL's, Temporal's and this process, which is the worker."""
        processes = [psutil.Process()]
        for child in (self.postgres.child, self.temporal.child):
            parent = psutil.Process(child.process.pid)
            processes += [parent, *parent.children(recursive=True)]
        return processes

    def cpu_seconds(self) -> float:
        """Return the processor time they have used so far."""
        return sum(sum(process.cpu_times()[:4]) for process in self.processes())


def a_submission() -> Submission:
    """Return a complaint of a kilobyte."""
    now = datetime.now(UTC)
    return Submission(
        agency="riverbend",
        prefix="RIV",
        key=str(uuid4()),
        narrative=NARRATIVE,
        channel="web",
        received_at=now,
        received_on=now.date(),
        service="benefits",
        category="too_slow",
        contact='{"email":"pat@example.org","name":"Pat Doe"}',
        can_be_written_to=True,
    )


def commands() -> list[Command]:
    """Return the seven commands of a life, each with a key of its own."""
    case: Case = a_case_at(State.IN_TRIAGE)
    return [a_command(action, case) for action in ACTIONS]


async def a_real_life(scene: Scene) -> None:
    """Take in a complaint and lead it to closed."""
    taken = await accept(scene.api_engine, intake_of(a_submission(), datetime.now(UTC), WRAPPING_KEY))
    receipt = taken.receipt
    handle = await start_case(scene.client, receipt.agency, receipt.case_id, task_queue=scene.task_queue)
    for command in commands():
        await handle.execute_update(ComplaintWorkflow.act, command, id=command.key)


async def a_bare_life(scene: Scene) -> None:
    """Live the same without a record; its payloads are encrypted with the installation's key."""
    handle = await scene.client.start_workflow(
        BareWorkflow.run, "riverbend", id=f"bare/{uuid7_at(datetime.now(UTC))}", task_queue=scene.task_queue + "-bare",
        request_eager_start=True,
    )  # fmt: skip
    for command in commands():
        await handle.execute_update(BareWorkflow.act, command, id=command.key)


async def measure(scene: Scene, life: Callable[[Scene], Awaitable[None]], *, counted: bool) -> Measured:
    """Live many lives, so many at once; `counted`: count instructions, too."""
    turns = asyncio.Semaphore(CONCURRENCY)

    async def one() -> None:
        async with turns:
            await life(scene)

    cpu, began = scene.cpu_seconds(), time.perf_counter()
    with counting(scene.processes()) if counted else contextlib.nullcontext() as count:
        await asyncio.gather(*(one() for _ in range(LIVES_A_RUN)))
    took = time.perf_counter() - began
    return Measured(
        lives_per_second=LIVES_A_RUN / took,
        cpu_ms_per_life=1000 * (scene.cpu_seconds() - cpu) / LIVES_A_RUN,
        million_instructions_per_life=count.total / 1e6 / LIVES_A_RUN if count else None,
    )


def can_count() -> bool:
    """Return whether instructions can be counted here; say so if not."""
    try:
        with counting([psutil.Process()]):
            return True
    except Uncountable as problem:
        print(f"{problem} Processor time stands for them.")
        return False


async def events_of_a_life(scene: Scene) -> int:
    """Return how many history events one real life leaves in Temporal."""
    before = {w.id async for w in scene.client.list_workflows("WorkflowType = 'complaint'")}
    await a_real_life(scene)
    await asyncio.sleep(2)
    after = [w async for w in scene.client.list_workflows("WorkflowType = 'complaint'") if w.id not in before]
    history = await scene.client.get_workflow_handle(after[0].id).fetch_history()
    return len(history.events)


async def run(scene: Scene) -> None:
    """Measure and print."""
    work = work_with(scene.worker_engine, Settings())
    bare = Worker(
        scene.client,
        task_queue=scene.task_queue + "-bare",
        workflows=[BareWorkflow],
        activities=[nothing],
        workflow_runner=sandbox(),
        max_cached_workflows=CACHED_WORKFLOWS,
        max_concurrent_workflow_tasks=TASKS_AT_ONCE,
        max_concurrent_local_activities=TASKS_AT_ONCE,
    )
    async with temporal_worker(scene.client, work, scene.task_queue), bare:
        await a_real_life(scene)
        await a_bare_life(scene)
        print(f"events of one life in Temporal's history: {await events_of_a_life(scene)}")
        counted = can_count()
        pairs = [
            (await measure(scene, a_real_life, counted=counted), await measure(scene, a_bare_life, counted=counted))
            for _ in range(PAIRS)
        ]
    for real, yardstick in pairs:
        print(
            f"real {real.lives_per_second:5.1f} lives/s {real.lives_per_second * len(ACTIONS):6.1f} actions/s "
            f"{real.cpu_ms_per_life:5.0f} ms CPU | bare {yardstick.lives_per_second:5.1f} lives/s "
            f"{yardstick.cpu_ms_per_life:5.0f} ms CPU | ratio {real.lives_per_second / yardstick.lives_per_second:.2f}"
        )
    ratio = statistics.median(real.lives_per_second / bare.lives_per_second for real, bare in pairs)
    cpu = statistics.median(bare.cpu_ms_per_life / real.cpu_ms_per_life for real, bare in pairs)
    print(f"median of ratios: {ratio:.2f} in lives a second, {cpu:.2f} in processor time (goal 0.60)")
    print(
        f"a life of {len(ACTIONS)} actions: {_cost([real for real, _ in pairs])}; bare {_cost([b for _, b in pairs])}"
    )


def _cost(runs: Sequence[Measured]) -> str:
    """Return the median cost of a life in words."""
    told = f"{statistics.median(run.cpu_ms_per_life for run in runs):.0f} ms CPU"
    instructions = [run.million_instructions_per_life for run in runs if run.million_instructions_per_life is not None]
    return told + (f", {statistics.median(instructions):.0f} million instructions" if instructions else "")


async def main() -> None:
    """Start everything, measure, stop."""
    with embedded_postgres() as postgres, temporal_dev_server(on_file=True) as temporal:
        url = postgres.url()
        migrate(url, {POLICY_FOLDER: a_policy()}, {WORKER_ROLE: "bench", API_ROLE: "bench"}, now=datetime.now(UTC))
        worker_engine = create_async_engine(postgres.url(role=WORKER_ROLE), pool_size=40)
        api_engine = create_async_engine(postgres.url(role=API_ROLE), pool_size=10)
        keys = CaseKeys(worker_engine, WRAPPING_KEY, OTHER_KEY)
        client = await Client.connect(
            temporal.address, namespace=temporal.namespace, data_converter=data_converter(keys)
        )
        scene = Scene(postgres, temporal, worker_engine, api_engine, client, f"bench-{uuid4().hex}")
        await run(scene)
        await worker_engine.dispose()
        await api_engine.dispose()


if __name__ == "__main__":
    asyncio.run(main())
