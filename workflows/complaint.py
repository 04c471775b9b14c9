# SPDX-License-Identifier: Apache-2.0
"""One complaint, one workflow: alive from receipt until the time for a review is over.

It is started with agency and case id only and loads the case from the record. A person's action is one update, `act`:
decided and applied in one breath, answered when the one ordered writer has recorded it. The record wins: where it
holds events the workflow does not know (a worker died between commit and completion), they are adopted, and what
was pending is decided anew. Between actions the workflow sleeps on one timer until the next moment that matters.

Its past is an API: read docs/how-to/change-a-workflow.md before adding, removing or reordering anything awaited here.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.interface import WORKFLOW_TYPE_COMPLAINT, Batch, CaseAddress, CaseRecords, Loaded
    from models import lifecycle
    from models.case import Case
    from models.clocks import Rules, next_moment, review_until
    from models.commands import SYSTEM, Command, SendReceipt
    from models.events import Event
    from models.messages import Message
    from models.refusals import Refused
    from models.story import apply
    from models.terms import State
    from workflows.options import LISTENS_AT_LEAST, RECORD_WITHIN, UNTIL_RECORDED
    from workflows.ordered_writer import OrderedWriter

RECEIPT_KEY = "send-receipt"


class Answer(Message):
    """What an action came to: the event that the record holds for it."""

    sequence: int
    state: State
    at: datetime


@workflow.defn(name=WORKFLOW_TYPE_COMPLAINT, failure_exception_types=[Refused])
class ComplaintWorkflow:
    """A complaint's life."""

    @workflow.init
    def __init__(self, address: CaseAddress) -> None:
        self.address = address
        self.loaded: Loaded | None = None
        self.writer: OrderedWriter[Case, Command, Event] = OrderedWriter(lifecycle.decide, apply)
        self.is_to_catch_up = False
        self.alarm: asyncio.Task[None] | None = None
        self.alarm_at = datetime.max.replace(tzinfo=UTC)

    @workflow.run
    async def run(self, address: CaseAddress) -> State:  # noqa: ARG002 - Temporal repeats the arguments of the init
        """Live the complaint's life."""
        await self.load()
        while not (self.is_over() and await self.is_quiet()):
            if self.writer.pending:
                await self.record_pending()
            elif self.is_to_catch_up:
                await self.adopt_the_record()
            elif workflow.info().is_continue_as_new_suggested():
                await self.continue_as_new_if_quiet()
            else:
                await self.wait_for_work_or_alarm()
        return self.the_case.state

    @workflow.update
    async def act(self, command: Command) -> Answer:
        """Do what the command asks; answer when it is recorded, or refuse with the sentence why not."""
        if self.writer.current is None:
            await workflow.wait_condition(lambda: self.writer.current is not None)
        self.writer.ask(command)
        await workflow.wait_condition(lambda: command.key in self.writer.answers)
        event = self.writer.answer_to(command)
        return Answer(sequence=event.sequence, state=event.target, at=event.at)

    @act.validator
    def check_act(self, command: Command) -> None:
        """Refuse what the lifecycle refuses, without a trace in history."""
        self.writer.check(command)

    @workflow.update
    async def catch_up(self) -> int:
        """Take over what the record holds and return its last sequence.

        Asked for when the workflow refuses what the record allows: a worker died between commit and completion, and
        the record itself answered the repeated request, so that nobody told the workflow.
        """
        self.is_to_catch_up = True
        await workflow.wait_condition(lambda: not self.is_to_catch_up)
        return self.the_case.sequence

    @workflow.query
    def current(self) -> Case | None:
        """Return the case as the workflow has it; for support, pages read the record."""
        return self.writer.current

    @property
    def the_case(self) -> Case:
        """The case, once loaded."""
        return self.writer.state

    @property
    def rules(self) -> Rules:
        """What clocks are computed by."""
        assert self.loaded is not None
        return self.loaded.rules

    async def load(self) -> None:
        """Load the case from the record; a bare receipt is opened, and receipted at once."""
        self.loaded = await workflow.execute_local_activity_method(
            CaseRecords.load, self.address, start_to_close_timeout=RECORD_WITHIN, retry_policy=UNTIL_RECORDED
        )
        self.writer.begin(self.loaded.case)
        if self.loaded.opening is not None:
            self.writer.ask(self.loaded.opening)
        if self.the_case.state is State.RECEIVED:
            self.writer.ask(SendReceipt(actor=SYSTEM, key=RECEIPT_KEY))

    async def adopt_the_record(self) -> None:
        """Go on from what the record holds; what somebody has asked for meanwhile is recorded first."""
        loaded = await workflow.execute_local_activity_method(
            CaseRecords.load, self.address, start_to_close_timeout=RECORD_WITHIN, retry_policy=UNTIL_RECORDED
        )
        if not self.writer.pending:
            self.loaded = loaded
            self.writer.begin(loaded.case)
            self.is_to_catch_up = False

    async def record_pending(self) -> None:
        """Write what is pending, in order; adopt what the record holds instead."""
        batch = self.writer.batch
        recorded = await workflow.execute_local_activity_method(
            CaseRecords.record,
            Batch(agency=self.address.agency, case_id=self.address.case_id, events=batch),
            start_to_close_timeout=RECORD_WITHIN,
            retry_policy=UNTIL_RECORDED,
        )
        if recorded.was_appended:
            self.writer.settle(batch)
        else:
            self.writer.settle(recorded.held, earlier=recorded.earlier)
            self.writer.decide_anew()

    async def wait_for_work_or_alarm(self) -> None:
        """Sleep until somebody asks for something, or the next warning, missed deadline or end is there."""
        moment = next_moment(self.the_case, self.rules)
        until = moment.at if moment else self.ends_at()
        if moment is not None and moment.at <= self.writer.moment():
            self.writer.ask(moment.command)
            return
        self.set_alarm(until)
        await workflow.wait_condition(lambda: self.has_work() or self.alarm_has_rung())

    def set_alarm(self, until: datetime | None) -> None:
        """Re-arm the one timer if it would ring too late; one that rings early costs less than another timer."""
        if self.alarm_has_rung():
            self.alarm = None
        if until is None or (self.alarm is not None and self.alarm_at <= until):
            return
        if self.alarm is not None:
            self.alarm.cancel()
        self.alarm_at = until
        self.alarm = asyncio.create_task(workflow.sleep(max(until - workflow.now(), timedelta())))

    def alarm_has_rung(self) -> bool:
        """Return whether the timer is over."""
        return self.alarm is not None and self.alarm.done()

    def is_over(self) -> bool:
        """Return whether nothing more can come: the case is closed, and the time for a review is past."""
        ends_at = self.ends_at()
        return not self.writer.pending and ends_at is not None and ends_at <= workflow.now()

    def ends_at(self) -> datetime | None:
        """Return when a closed case's workflow ends; None while the case is open.

        One that is started for a case long closed was started because somebody asks: they are waited for.
        """
        if not self.the_case.state.is_final:
            return None
        listened_until = workflow.info().start_time + LISTENS_AT_LEAST
        return max(review_until(self.the_case, self.rules) or listened_until, listened_until)

    async def is_quiet(self) -> bool:
        """Return whether everybody has an answer; who asked while the case was being loaded is heard first."""
        await workflow.wait_condition(lambda: workflow.all_handlers_finished() or self.has_work())
        return not self.has_work()

    def has_work(self) -> bool:
        """Return whether somebody waits for the ordered writer."""
        return bool(self.writer.pending) or self.is_to_catch_up

    async def continue_as_new_if_quiet(self) -> None:
        """Go on with a fresh history; everything is in the record, so nothing but the address is carried over."""
        if await self.is_quiet():
            workflow.continue_as_new(self.address)
