# SPDX-License-Identifier: Apache-2.0
"""One systemic fix, one workflow: alive from its opening until it is closed or abandoned.

It lives as a complaint's workflow does (workflows/complaint.py): started with agency and fix id only, loading the fix
from the record; one update, one ordered writer that adopts what the record holds. Once the change is in place it
sleeps from week to week and looks at the effect: what the look says is a command like any other, so that the verdict
and a reopening after a relapse come by themselves.

Its past is an API: read docs/how-to/change-a-workflow.md before adding, removing or reordering anything awaited here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.interface import WORKFLOW_TYPE_FIX, EffectLook, FixAddress, FixBatch, FixRecords, LoadedFix
    from models.fixes import lifecycle
    from models.fixes.commands import Effect, FixCommand
    from models.fixes.fix import Fix, FixEvent
    from models.fixes.story import apply
    from models.fixes.terms import FixState
    from models.fixes.watching import LookDue, command_after, end_of_watch, next_look, watch_ends_at
    from models.messages import Message
    from models.refusals import Refused
    from workflows.options import ANALYSE_WITHIN, LISTENS_AT_LEAST, LOOK_RETRIES, RECORD_WITHIN, UNTIL_RECORDED
    from workflows.ordered_writer import OrderedWriter

NEVER = datetime.max.replace(tzinfo=UTC)


class FixAnswer(Message):
    """What an action came to: the event that the record holds for it."""

    sequence: int
    state: FixState
    at: datetime


@dataclass(frozen=True, slots=True)
class Looked:
    """A look at the effect: of which fix, when, and what was seen."""

    fix: Fix
    look: LookDue
    effect: Effect

    def is_still_asked_for(self, now: Fix, due: LookDue) -> bool:
        """Return whether the fix still waits for this look; a note meanwhile changes nothing."""
        seen = (self.look, self.fix.state, self.fix.plan, self.fix.changed_on)
        return seen == (due, now.state, now.plan, now.changed_on)


@workflow.defn(name=WORKFLOW_TYPE_FIX, failure_exception_types=[Refused])
class SystemicFixWorkflow:
    """A fix's life."""

    @workflow.init
    def __init__(self, address: FixAddress) -> None:
        self.address = address
        self.loaded: LoadedFix | None = None
        self.writer: OrderedWriter[Fix, FixCommand, FixEvent] = OrderedWriter(lifecycle.decide, apply)
        self.is_to_catch_up = False
        self.looking: asyncio.Task[Looked] | None = None

    @workflow.run
    async def run(self, address: FixAddress) -> FixState:  # noqa: ARG002 - Temporal repeats the arguments of the init
        """Live the fix's life."""
        await self.load()
        while not (self.is_over() and await self.is_quiet()):
            if self.writer.pending:
                await self.record_pending()
            elif self.is_to_catch_up:
                await self.load()
            elif workflow.info().is_continue_as_new_suggested():
                await self.continue_as_new_if_quiet()
            else:
                await self.wait_for_work_or_monday()
        return self.writer.state.state

    @workflow.update
    async def act(self, command: FixCommand) -> FixAnswer:
        """Do what the command asks; answer when it is recorded, or refuse with the sentence why not."""
        if self.writer.current is None:
            await workflow.wait_condition(lambda: self.writer.current is not None)
        self.writer.ask(command)
        await workflow.wait_condition(lambda: command.key in self.writer.answers)
        event = self.writer.answer_to(command)
        return FixAnswer(sequence=event.sequence, state=event.target, at=event.at)

    @act.validator
    def check_act(self, command: FixCommand) -> None:
        """Refuse what the lifecycle refuses, without a trace in history."""
        self.writer.check(command)

    @workflow.update
    async def catch_up(self) -> int:
        """Take over what the record holds and return its last sequence; see the complaint's workflow."""
        self.is_to_catch_up = True
        await workflow.wait_condition(lambda: not self.is_to_catch_up)
        return self.writer.state.sequence

    @workflow.query
    def current(self) -> Fix | None:
        """Return the fix as the workflow has it; for support, pages read the record."""
        return self.writer.current

    async def load(self) -> None:
        """Load the fix from the record; one that has no event yet is opened."""
        self.loaded = await workflow.execute_local_activity_method(
            FixRecords.load_fix, self.address, start_to_close_timeout=RECORD_WITHIN, retry_policy=UNTIL_RECORDED
        )
        if self.writer.pending:
            return  # asked for meanwhile: that is recorded first
        self.writer.begin(self.loaded.fix)
        self.is_to_catch_up = False
        if self.loaded.opening is not None:
            self.writer.ask(self.loaded.opening)

    async def record_pending(self) -> None:
        """Write what is pending, in order; adopt what the record holds instead."""
        batch = self.writer.batch
        recorded = await workflow.execute_local_activity_method(
            FixRecords.record_fix,
            FixBatch(agency=self.address.agency, fix_id=self.address.fix_id, events=batch),
            start_to_close_timeout=RECORD_WITHIN,
            retry_policy=UNTIL_RECORDED,
        )
        if recorded.was_appended:
            self.writer.settle(batch)
        else:
            self.writer.settle(recorded.held, earlier=recorded.earlier)
            self.writer.decide_anew()

    async def wait_for_work_or_monday(self) -> None:
        """Sleep until somebody asks for something, the watch ends, or the next look is due."""
        assert self.loaded is not None
        fix, rhythm = self.writer.state, self.loaded.rhythm
        if fix.state.is_final:
            await self.sleep_until(self.listens_until())
            return
        look, ends_at = next_look(fix, rhythm), watch_ends_at(fix, rhythm)
        if ends_at is not None and ends_at <= workflow.now():
            self.writer.ask(end_of_watch(fix))
        elif look is not None and look.at <= workflow.now():
            await self.look(fix, look)
        else:
            await self.sleep_until(min(look.at if look else NEVER, ends_at or NEVER))

    async def look(self, fix: Fix, look: LookDue) -> None:
        """Have the effect looked at, serving whoever asks for something meanwhile; then do what follows."""
        looking = self.looking = self.looking or asyncio.create_task(self.looked(fix, look))
        await workflow.wait_condition(lambda: looking.done() or self.has_work())
        if looking.done():
            self.looking = None
            looked = looking.result()
            if looked.is_still_asked_for(self.writer.state, look):
                self.writer.ask(command_after(self.writer.state, looked.effect))

    async def looked(self, fix: Fix, look: LookDue) -> Looked:
        """Return what the effect is seen to be."""
        effect = await workflow.execute_activity_method(
            FixRecords.look_at_effect,
            EffectLook(agency=self.address.agency, fix=fix, as_of=look.as_of),
            start_to_close_timeout=ANALYSE_WITHIN,
            retry_policy=LOOK_RETRIES,
            summary=f"as of {look.as_of}",
        )
        return Looked(fix, look, effect)

    async def sleep_until(self, moment: datetime) -> None:
        """Sleep until then or until somebody asks for something, whichever comes first."""
        if moment == NEVER:
            await workflow.wait_condition(self.has_work)
            return
        try:
            await workflow.wait_condition(self.has_work, timeout=max(moment - workflow.now(), timedelta()))
        except TimeoutError:
            return

    def has_work(self) -> bool:
        """Return whether somebody waits for the ordered writer."""
        return bool(self.writer.pending) or self.is_to_catch_up

    def is_over(self) -> bool:
        """Return whether nothing more can come."""
        is_final = not self.writer.pending and self.writer.state.state.is_final
        return is_final and self.listens_until() <= workflow.now()

    def listens_until(self) -> datetime:
        """Return until when one that was started for a fix long ended waits for whoever had it started."""
        return workflow.info().start_time + LISTENS_AT_LEAST

    async def is_quiet(self) -> bool:
        """Return whether everybody has an answer."""
        await workflow.wait_condition(lambda: workflow.all_handlers_finished() or self.has_work())
        return not self.has_work()

    async def continue_as_new_if_quiet(self) -> None:
        """Go on with a fresh history; everything is in the record, so nothing but the address is carried over."""
        if await self.is_quiet():
            workflow.continue_as_new(self.address)
