# SPDX-License-Identifier: Apache-2.0
"""A live systemic fix for tests: a real record, a real Temporal that skips time; looks may be told what to find."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import uuid4

from sqlalchemy import text
from temporalio import activity
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.service import RPCError

from activities.database import transaction
from activities.fix_records import DatabaseFixRecords
from activities.interface import EffectLook, FixAddress
from models import refusals
from models.fixes.commands import Effect, FinishMeasure, FixCommand, PutInPlace, Register
from models.fixes.fix import Fix
from models.fixes.terms import FixAction, FixState, Verdict
from models.references import fix_workflow_id_for
from models.refusals import Refused
from run.worker import temporal_worker
from tests.fix_record import an_opening, fix_records_of
from tests.given import SUE, a_key
from tests.given_fixes import WORKED_OUT, a_fix_command, a_plan, an_effect
from tests.live import Desk, work_of
from workflows.starting import start_fix
from workflows.systemic_fix import FixAnswer, SystemicFixWorkflow

Finding = Callable[[EffectLook], Effect]
ONE_WEEK = timedelta(weeks=1)


def nothing_known(look: EffectLook) -> Effect:
    """Find that nothing is known yet."""
    return an_effect(Verdict.NOT_YET_KNOWN, as_of=look.as_of)


def effective(look: EffectLook) -> Effect:
    """Find that the change works."""
    return an_effect(Verdict.EFFECTIVE, as_of=look.as_of)


def not_effective(look: EffectLook) -> Effect:
    """Find that the change does not work, or no longer does."""
    has_relapsed = look.fix.effective_on is not None
    return an_effect(Verdict.NOT_EFFECTIVE, as_of=look.as_of).model_copy(update={"has_relapsed": has_relapsed})


class ToldLooks(DatabaseFixRecords):
    """The record, with looks that find what the test says."""

    find: Finding = staticmethod(nothing_known)
    looked_at: list[date]
    before: Callable[[], Awaitable[object]] | None = None
    """Waited for before a look."""

    @activity.defn(name="look_at_effect")
    async def look_at_effect(self, look: EffectLook) -> Effect:
        """Find what the test says."""
        if self.before is not None:
            await self.before()
        self.looked_at.append(look.as_of)
        return self.find(look)


@dataclass(slots=True)
class LiveFix:
    """One fix with its workflow."""

    desk: Desk
    address: FixAddress
    handle: WorkflowHandle[SystemicFixWorkflow, FixState]

    async def act(self, command: FixCommand, *, update_id: str | None = None) -> FixAnswer:
        """Ask for something; a refusal comes back as itself."""
        try:
            return await self.handle.execute_update(SystemicFixWorkflow.act, command, id=update_id or command.key)
        except WorkflowUpdateFailedError as failed:
            kind = getattr(refusals, getattr(failed.cause, "type", "") or "", None)
            if kind is not None and issubclass(kind, Refused):
                raise kind(str(getattr(failed.cause, "message", ""))) from None
            raise

    async def lead(self, *actions: FixAction) -> None:
        """Ask for the actions one after another, each of somebody who may."""
        for action in actions:
            await self.act(a_fix_command(action, await self.fix()))

    async def put_in_place(self, changed_on: date) -> None:
        """Lead a new fix on until its change is in place since that day."""
        await self.lead(*WORKED_OUT)
        plan = a_plan(change_planned_on=changed_on, look_on=changed_on + 20 * ONE_WEEK)
        await self.act(Register(actor=SUE, key=a_key(), plan=plan))
        for measure in (await self.fix()).standing_measures:
            done = {"number": measure.number, "done_on": changed_on, "effective_on": changed_on}
            await self.act(FinishMeasure.model_validate({"actor": SUE, "key": a_key(), **done}))
        await self.act(PutInPlace(actor=SUE, key=a_key(), changed_on=changed_on))

    async def fix(self) -> Fix:
        """Return the fix as its workflow has it, waiting for a run that has only just begun."""
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(RPCError):
                    if (fix := await self.handle.query(SystemicFixWorkflow.current)) is not None:
                        return fix
                await asyncio.sleep(0.05)

    async def recorded(self) -> Fix:
        """Return the fix as the record has it."""
        return (await fix_records_of(self.desk.worker_engine).load_fix(self.address)).fix

    async def actions(self) -> list[str]:
        """Return the actions of the events the record holds, in order."""
        async with transaction(self.desk.worker_engine, self.address.agency) as connection:
            query = text("SELECT action FROM fix_event WHERE fix_id = :id ORDER BY sequence")
            return list(await connection.scalars(query, {"id": self.address.fix_id}))

    async def time_passes(self, length: timedelta) -> None:
        """Let time pass for this fix, and what it brings be recorded."""
        if await self.desk.skipper.fast_forward(self.handle, length):
            await self.fix()

    async def now(self) -> datetime:
        """Return the fix's time."""
        return await self.desk.skipper.get_current_time(self.handle)


async def started_fix(desk: Desk, address: FixAddress) -> LiveFix:
    """Start the workflow of a fix in the record, and wait until it has opened it."""
    with desk.skipper.with_time_skipping_disabled():
        await start_fix(desk.client, address.agency, address.fix_id, task_queue=desk.task_queue)
    handle = desk.client.get_workflow_handle_for(SystemicFixWorkflow.run, fix_workflow_id_for(address.fix_id))
    live = LiveFix(desk, address, handle)
    while (fix := await handle.query(SystemicFixWorkflow.current)) is None or not await live.actions():
        await asyncio.sleep(0.05)
    assert fix.sequence
    return live


async def a_live_fix(desk: Desk) -> LiveFix:
    """Open a fix in this moment and start its workflow."""
    return await started_fix(desk, await an_opening(desk.record))


@asynccontextmanager
async def told_looks(desk: Desk, find: Finding = nothing_known) -> AsyncIterator[tuple[Desk, ToldLooks]]:
    """Give a desk whose looks find what `find` says, with the looks it has made."""
    looks = ToldLooks(desk.worker_engine, fix_records_of(desk.worker_engine)._policies)
    looks.find, looks.looked_at = find, []
    told = replace(desk, task_queue=f"test-{uuid4().hex}")
    async with temporal_worker(told.client, replace(work_of(desk.worker_engine), fixes=looks), told.task_queue):
        yield told, looks
