# SPDX-License-Identifier: Apache-2.0
"""The lives whose histories are kept: between them they go every way that the workflow can go."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from activities.interface import Batch
from models import lifecycle
from models.commands import Close, Note, Triage
from models.refusals import Refused
from models.terms import Action, State
from tests.given import ANN, BEN, COMPLAINANT, SUE, a_command, a_key, a_text
from tests.live import Desk, LiveCase
from tests.record import records_of
from workflows.complaint import ComplaintWorkflow

LONG_AFTER = timedelta(days=100)
"""Beyond the time in which a review may be asked for."""
CONTINUES_AFTER_EVENTS = 120
"""When the recorder's Temporal suggests to go on with a fresh history, so that a life need not have thousands."""

Live = Callable[[Desk], Awaitable[LiveCase]]


async def lead(live: LiveCase, *actions: Action) -> None:
    """Ask for the actions one after another, each of somebody who may."""
    for action in actions:
        await live.act(a_command(action, await live.case()))


async def closed_and_over(desk: Desk) -> LiveCase:
    """From intake to closed, and on until the workflow ends."""
    live = await desk.a_case(can_be_written_to=True)
    await lead(live, Action.ACKNOWLEDGE, Action.TRIAGE, Action.ANSWER, Action.TAG_ROOT_CAUSE, Action.CLOSE)
    await live.time_passes(LONG_AFTER)
    assert await live.handle.result() is State.CLOSED
    return live


async def asked_and_approved(desk: Desk) -> LiveCase:
    """A question to the complainant, an answer sent back and then approved by another person; still open."""
    live = await desk.a_case()
    triage = a_command(Action.TRIAGE, await live.case())
    assert isinstance(triage, Triage)
    await live.act(triage.model_copy(update={"approval_required": True}))
    await lead(live, Action.REQUEST_INFORMATION)
    await live.time_passes(timedelta(days=2))
    await live.act(a_command(Action.RECORD_INFORMATION, await live.case(), COMPLAINANT))
    await lead(live, Action.PROPOSE_ANSWER, Action.SEND_BACK, Action.PROPOSE_ANSWER, Action.APPROVE)
    return live


async def left_alone(desk: Desk) -> LiveCase:
    """Nobody does anything: warnings and missed deadlines follow one another; then it is withdrawn."""
    live = await desk.a_case(can_be_written_to=True)
    await live.time_passes(timedelta(days=14))
    await live.time_passes(timedelta(days=30))
    await lead(live, Action.WITHDRAW)
    return live


async def reviewed_by_another(desk: Desk) -> LiveCase:
    """Closed, reopened by the complainant, answered by somebody else, closed again."""
    live = await desk.a_case()
    await lead(live, Action.TRIAGE, Action.ANSWER, Action.TAG_ROOT_CAUSE, Action.CLOSE)
    await live.time_passes(timedelta(days=20))
    await live.act(a_command(Action.REOPEN, await live.case(), COMPLAINANT))
    await live.act(a_command(Action.ANSWER, await live.case(), BEN))
    await lead(live, Action.TAG_ROOT_CAUSE, Action.CLOSE)
    return live


async def record_ahead(desk: Desk) -> LiveCase:
    """The record holds an event that the workflow does not know; it is adopted, and what was asked is decided anew."""
    live = await desk.a_case()
    await lead(live, Action.TRIAGE, Action.ANSWER, Action.TAG_ROOT_CAUSE)
    case = await live.case()
    assert case.last_event_at is not None
    lost = lifecycle.decide(case, Close(actor=SUE, key=a_key()), case.last_event_at)
    batch = Batch(agency=case.agency, case_id=case.id, events=(lost,))
    assert (await records_of(desk.worker_engine).record(batch)).was_appended
    try:
        await live.act(Close(actor=ANN, key=a_key()))
    except Refused:
        await live.act(Note(actor=ANN, key=a_key(), text=a_text()))
        return live
    message = "a case was closed twice"
    raise AssertionError(message)


async def two_at_once(desk: Desk) -> LiveCase:
    """Two people close at once: one succeeds, the other is refused; one asks again with the same key."""
    live = await desk.a_case()
    await lead(live, Action.TRIAGE, Action.ANSWER, Action.TAG_ROOT_CAUSE)
    commands = [Close(actor=actor, key=a_key()) for actor in (ANN, BEN)]
    await asyncio.gather(*(live.act(command) for command in commands), return_exceptions=True)
    note = Note(actor=SUE, key=a_key(), text=a_text())
    await live.act(note)
    await live.act(note, update_id=a_key())
    return live


async def imported(desk: Desk) -> LiveCase:
    """A complaint of long ago, taken in today: no receipt, no deadline that passed before it came."""
    long_ago = datetime.now().astimezone() - LONG_AFTER
    live = await desk.a_case(is_imported=True, received_at=long_ago, received_on=long_ago.date())
    await lead(live, Action.TRIAGE, Action.MARK_DUPLICATE)
    return live


async def long_story(desk: Desk) -> LiveCase:
    """So many notes that the workflow goes on with a fresh history; this is the first, which ends there."""
    live = await desk.a_case()
    first = (await live.handle.describe()).run_id
    await note_until_continued(live, first)
    return replace(
        live, handle=desk.client.get_workflow_handle_for(ComplaintWorkflow.run, live.handle.id, run_id=first)
    )


async def long_story_goes_on(desk: Desk) -> LiveCase:
    """The same; this is the fresh history."""
    live = await desk.a_case()
    await note_until_continued(live, (await live.handle.describe()).run_id)
    await lead(live, Action.TRIAGE)
    return live


async def note_until_continued(live: LiveCase, first_run: str | None) -> None:
    """Add notes until another run has taken one."""
    is_continued = False
    while not is_continued:
        is_continued = (await live.handle.describe()).run_id != first_run
        await live.act(Note(actor=ANN, key=a_key(), text=a_text()))


LIVES: Mapping[str, Live] = {
    life.__name__: life
    for life in (
        closed_and_over,
        asked_and_approved,
        left_alone,
        reviewed_by_another,
        record_ahead,
        two_at_once,
        imported,
        long_story,
        long_story_goes_on,
    )
}
