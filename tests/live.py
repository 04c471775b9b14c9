# SPDX-License-Identifier: Apache-2.0
"""A live case for tests: a real record, a real Temporal, a worker in this process; time may be skipped."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.testing import TimeSkipper

from activities.affected import DatabaseAffected
from activities.database import transaction
from activities.fix_records import DatabaseFixRecords
from activities.interface import CaseAddress
from activities.mail import Mail, Mailer, NotDeliveredYet
from activities.policies import Policies
from activities.root_causes import DatabaseRootCauses
from activities.text_learning import DatabaseTexts
from models import refusals
from models.case import Case
from models.commands import Command
from models.references import workflow_id_for
from models.refusals import Refused
from models.terms import State
from run.codec import CaseKeys, data_converter
from run.worker import Work, temporal_worker
from tests.record import WRAPPING_KEY, Record, accepted, records_of
from tests.servers import TemporalServer
from workflows.complaint import Answer, ComplaintWorkflow
from workflows.starting import start_case

OTHER_KEY = b"o" * 32


@dataclass(slots=True)
class LiveCase:
    """One case with its workflow."""

    desk: Desk
    address: CaseAddress
    handle: WorkflowHandle[ComplaintWorkflow, State]

    async def act(self, command: Command, *, update_id: str | None = None) -> Answer:
        """Ask for something; a refusal comes back as itself."""
        try:
            return await self.handle.execute_update(ComplaintWorkflow.act, command, id=update_id or command.key)
        except WorkflowUpdateFailedError as failed:
            kind = getattr(refusals, getattr(failed.cause, "type", "") or "", None)
            if kind is not None and issubclass(kind, Refused):
                raise kind(str(getattr(failed.cause, "message", ""))) from None
            raise

    async def case(self) -> Case:
        """Return the case as its workflow has it."""
        case = await self.handle.query(ComplaintWorkflow.current)
        assert case is not None
        return case

    async def actions(self) -> list[str]:
        """Return the actions of the events the record holds, in order."""
        async with transaction(self.desk.worker_engine, self.address.agency) as connection:
            query = text("SELECT action FROM case_event WHERE case_id = :id ORDER BY sequence")
            return list(await connection.scalars(query, {"id": self.address.case_id}))

    async def letters(self) -> list[str]:
        """Return the letters that wait in the outbox, in order."""
        async with transaction(self.desk.worker_engine, self.address.agency) as connection:
            query = text("SELECT letter FROM outbox WHERE case_id = :id ORDER BY sequence")
            return list(await connection.scalars(query, {"id": self.address.case_id}))

    async def time_passes(self, length: timedelta) -> None:
        """Let time pass for this case, and what it brings be recorded."""
        if await self.desk.skipper.fast_forward(self.handle, length):
            await self.case()

    async def now(self) -> datetime:
        """Return the case's time."""
        return await self.desk.skipper.get_current_time(self.handle)


@dataclass(slots=True)
class Desk:
    """Where live cases are made."""

    record: Record
    worker_engine: AsyncEngine
    skipper: TimeSkipper
    task_queue: str

    @property
    def client(self) -> Client:
        return self.skipper.client

    async def a_case(self, **facts: object) -> LiveCase:
        """Take in a complaint of this moment and start its workflow."""
        now = datetime.now(UTC)
        facts = {"received_at": now, "received_on": now.date()} | facts
        return await self.started(await accepted(self.record, **facts))

    async def started(self, address: CaseAddress) -> LiveCase:
        """Start the workflow of a case in the record, and wait until it has opened it."""
        with self.skipper.with_time_skipping_disabled():
            handle = await start_case(self.client, address.agency, address.case_id, task_queue=self.task_queue)
        live = LiveCase(self, address, self.handle_of(address.case_id))
        assert handle.id == live.handle.id
        while (case := await live.handle.query(ComplaintWorkflow.current)) is None or case.state in {
            State.NEW,
            State.RECEIVED,
        }:
            pass
        return live

    def handle_of(self, case_id: UUID) -> WorkflowHandle[ComplaintWorkflow, State]:
        """Return the handle of the case's newest run."""
        return self.client.get_workflow_handle_for(ComplaintWorkflow.run, workflow_id_for(case_id))


class NobodysMailer:
    """A mailer for tests in which nobody is written to."""

    async def send(self, mail: Mail) -> None:
        """Refuse for now."""
        raise NotDeliveredYet("this test has no mail server")


def work_of(engine: AsyncEngine, mailer: Mailer | None = None) -> Work:
    """Return what a worker registers, on this database."""
    return Work(
        records=records_of(engine),
        root_causes=DatabaseRootCauses(engine, Policies()),
        fixes=DatabaseFixRecords(engine, Policies()),
        affected=DatabaseAffected(
            engine,
            Policies(),
            mailer or NobodysMailer(),
            mail_from="complaints@riverbend.example",
            clock=lambda: datetime.now(UTC),
        ),
        texts=DatabaseTexts(engine, Policies(), apart=at_once),
    )


async def at_once(work: Callable[..., Any], *given: object) -> Any:
    """Do a sum here and now: starting a process for each would make tests slow."""
    return work(*given)


def keys_for(engine: AsyncEngine) -> CaseKeys:
    """Return the keys of cases as worker and API read them."""
    return CaseKeys(engine, WRAPPING_KEY, OTHER_KEY)


async def client_of(server: TemporalServer, engine: AsyncEngine) -> Client:
    """Connect to a test server as worker and API do."""
    return await Client.connect(
        server.address, namespace=server.namespace, data_converter=data_converter(keys_for(engine))
    )


@pytest.fixture
async def desk(record: Record, worker_engine: AsyncEngine, temporal_server: TemporalServer) -> AsyncIterator[Desk]:
    skipper = TimeSkipper(await client_of(temporal_server, worker_engine))
    desk = Desk(record, worker_engine, skipper, task_queue=f"test-{uuid4().hex}")
    async with temporal_worker(desk.client, work_of(worker_engine), desk.task_queue):
        yield desk
