# SPDX-License-Identifier: Apache-2.0
"""The lives of systemic fixes whose histories are kept, and one list of affected people that is helped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from temporalio.client import WorkflowHandle

from activities.mail import Mail, NotDeliveredYet
from models.fixes import lifecycle
from models.fixes.commands import Note
from models.fixes.terms import FixAction, FixState
from models.refusals import Refused
from run.worker import temporal_worker
from tests.affected import beginning, listed, people
from tests.fix_record import an_opening, batch_of, fix_records_of, lived_fix, opened_fix
from tests.given import SUE, a_key, a_text
from tests.given_fixes import WORKED_OUT, a_fix_command
from tests.live import Desk, work_of
from tests.live_fixes import ONE_WEEK, LiveFix, a_live_fix, effective, not_effective, told_looks
from workflows.starting import start_help
from workflows.systemic_fix import SystemicFixWorkflow

Handle = WorkflowHandle[Any, Any]


async def fix_given_up(desk: Desk) -> Handle:
    """Worked out, then given up; the workflow ends."""
    live = await a_live_fix(desk)
    await live.lead(*WORKED_OUT, FixAction.ABANDON)
    await live.time_passes(timedelta(minutes=5))
    assert await live.handle.result() is FixState.ABANDONED
    return live.handle


async def fix_not_effective(desk: Desk) -> Handle:
    """In place, looked at, not effective: worked out again, still open."""
    async with told_looks(desk, not_effective) as (told, _):
        live = await in_place(told)
        await live.time_passes(5 * ONE_WEEK)
        assert (await live.fix()).attempt == 2
        return live.handle


async def fix_continued(desk: Desk) -> Handle:
    """Effective and watched for so long that the workflow goes on with a fresh history; this is the first."""
    async with told_looks(desk, effective) as (told, _):
        live = await in_place(told)
        first = (await live.handle.describe()).run_id
        await live.time_passes(30 * ONE_WEEK)
        return desk.client.get_workflow_handle_for(SystemicFixWorkflow.run, live.handle.id, run_id=first)


async def fix_watched_and_closed(desk: Desk) -> Handle:
    """The same until it is closed; this is the last history."""
    async with told_looks(desk, effective) as (told, _):
        live = await in_place(told)
        await live.time_passes(70 * ONE_WEEK)
        assert await live.handle.result() is FixState.CLOSED
        return desk.client.get_workflow_handle(live.handle.id)


async def fix_record_ahead(desk: Desk) -> Handle:
    """The record holds an event that the workflow does not know: it is adopted, and caught up with when asked to."""
    live = await a_live_fix(desk)
    await live.lead(*WORKED_OUT)
    await record_behind_its_back(live, FixAction.REGISTER)
    try:
        await live.lead(FixAction.REGISTER)
    except Refused:
        await record_behind_its_back(live, FixAction.FINISH_MEASURE)
        await live.handle.execute_update(SystemicFixWorkflow.catch_up)
        await live.act(Note(actor=SUE, key=a_key(), words=a_text()))
        return live.handle
    message = "a plan was registered twice"
    raise AssertionError(message)


async def in_place(desk: Desk) -> LiveFix:
    """Return a fix whose change is in place since today."""
    live = await a_live_fix(desk)
    await live.put_in_place(datetime.now(UTC).date())
    return live


async def record_behind_its_back(live: LiveFix, action: FixAction) -> None:
    """Record an action as a worker does that dies before it can tell Temporal."""
    fix = await live.fix()
    event = lifecycle.decide(fix, a_fix_command(action, fix), datetime.now(UTC))
    assert (await fix_records_of(live.desk.worker_engine).record_fix(batch_of(fix, event))).was_appended


class Hesitant:
    """A mailer that takes nothing at its first chance."""

    def __init__(self) -> None:
        self.refused: set[str] = set()

    async def send(self, mail: Mail) -> None:
        """Take what was offered before."""
        if mail.message_id not in self.refused:
            self.refused.add(mail.message_id)
            raise NotDeliveredYet("later, please")


async def helped(desk: Desk) -> Handle:
    """Have everybody on a list helped, at the second try."""
    fix = await opened_fix(desk.worker_engine, await an_opening(desk.record))
    address = await listed(desk.record, fix, people(3))
    await lived_fix(desk.worker_engine, fix, await beginning(desk.record, fix, address, count=3))
    queue = f"record-{uuid4().hex}"
    async with temporal_worker(desk.client, work_of(desk.worker_engine, Hesitant()), queue):
        with desk.skipper.with_time_skipping_disabled():
            handle = await start_help(desk.client, address.agency, address.list_id, task_queue=queue)
        await desk.skipper.fast_forward(handle, timedelta(minutes=10))
        assert not (await handle.result()).waiting
        return handle


FIX_LIVES: Mapping[str, Callable[[Desk], Awaitable[Handle]]] = {
    life.__name__: life
    for life in (fix_given_up, fix_not_effective, fix_continued, fix_watched_and_closed, fix_record_ahead)
}
