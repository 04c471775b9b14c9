# SPDX-License-Identifier: Apache-2.0
"""A systemic fix's life through its workflow, on a real record and a real Temporal server that skips time."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from temporalio.api.enums.v1 import EventType

from activities.interface import EffectLook
from models.fixes import lifecycle
from models.fixes.commands import Abandon, Effect, Note
from models.fixes.terms import FixAction, FixState, Verdict
from models.refusals import KeyReused, WrongState
from tests.counted_fixes import cells
from tests.counts import Counted, count
from tests.fix_record import an_opening, batch_of, fix_records_of
from tests.given import SUE, a_key, a_text
from tests.given_fixes import WORKED_OUT, a_fix_command
from tests.live import Desk
from tests.live_fixes import (
    ONE_WEEK,
    LiveFix,
    ToldLooks,
    a_live_fix,
    effective,
    not_effective,
    nothing_known,
    started_fix,
    told_looks,
)

ZONE = ZoneInfo("America/Chicago")
TRANSITION = 2 * ONE_WEEK


def last_monday() -> date:
    today = datetime.now(UTC).date()
    return today - timedelta(days=today.weekday())


async def in_place(desk: Desk) -> LiveFix:
    """Return a fix whose change is in place since the last Monday."""
    live = await a_live_fix(desk)
    await live.put_in_place(last_monday())
    return live


async def test_a_fix_is_opened_from_the_record(desk: Desk) -> None:
    live = await a_live_fix(desk)

    assert await live.actions() == ["open"]
    assert (await live.fix()).state is FixState.WORKED_OUT


async def test_a_fix_is_worked_out_registered_carried_out_and_monitored(desk: Desk) -> None:
    live = await in_place(desk)

    assert (await live.fix()).state is FixState.MONITORED
    assert (await live.actions())[-3:] == ["register", "finish_measure", "put_in_place"]
    assert await live.recorded() == await live.fix()


async def test_a_refusal_is_a_sentence_and_leaves_no_trace_in_the_history(desk: Desk) -> None:
    live = await a_live_fix(desk)

    with pytest.raises(
        WrongState, match="“The change is in place” is for a fix that is in hand; this one is being worked out"
    ):
        await live.lead(FixAction.PUT_IN_PLACE)

    assert await live.actions() == ["open"]
    kinds = {event.event_type async for event in live.handle.fetch_history_events()}
    assert EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED not in kinds


async def test_the_same_key_again_gives_the_first_answer_and_another_request_is_refused(desk: Desk) -> None:
    live = await a_live_fix(desk)
    note = Note(actor=SUE, key=a_key(), words=a_text())

    first = await live.act(note)
    again = await live.act(note, update_id=a_key())

    assert again == first
    with pytest.raises(KeyReused):
        await live.act(note.model_copy(update={"words": a_text()}), update_id=a_key())
    assert (await live.actions()).count("note") == 1


async def test_the_effect_is_looked_at_on_mondays_from_the_first_whole_week_after_the_transition(desk: Desk) -> None:
    async with told_looks(desk) as (told, looks):
        live = await in_place(told)
        first = last_monday() + TRANSITION + timedelta(days=6)
        await live.time_passes(TRANSITION + 4 * ONE_WEEK)

        assert looks.looked_at[:3] == [first, first + ONE_WEEK, first + 2 * ONE_WEEK]
        assert set((await live.actions())[-3:]) == {"look"}
        fix = await live.recorded()
        assert fix.last_event_at is not None
        assert fix.last_event_at.astimezone(ZONE).weekday() == 0
        assert fix.last_event_at.astimezone(ZONE).hour == 5


async def test_what_works_is_found_effective_watched_and_closed(desk: Desk) -> None:
    async with told_looks(desk, effective) as (told, looks):
        live = await in_place(told)
        await live.time_passes(TRANSITION + 2 * ONE_WEEK)
        assert (await live.fix()).state is FixState.EFFECTIVE

        await live.time_passes(60 * ONE_WEEK)

        assert await live.handle.result() is FixState.CLOSED
    actions = await live.actions()
    assert actions[-1] == "end_watch"
    assert actions.count("find_effective") == 1
    assert 50 <= actions.count("look") <= 53
    assert len(looks.looked_at) == len(set(looks.looked_at))


async def test_what_does_not_work_is_worked_out_again_by_itself(desk: Desk) -> None:
    async with told_looks(desk, not_effective) as (told, _):
        live = await in_place(told)
        await live.time_passes(TRANSITION + 2 * ONE_WEEK)

        fix = await live.fix()
        assert fix.state is FixState.WORKED_OUT
        assert fix.attempt == 2
        assert fix.rounds[0].effect.verdict is Verdict.NOT_EFFECTIVE
        assert (await live.actions())[-1] == "find_not_effective"


async def test_a_relapse_opens_a_fix_again_by_itself_and_a_second_attempt_is_looked_at(desk: Desk) -> None:
    def works_for_a_while(look: EffectLook) -> Effect:
        return effective(look) if look.as_of < last_monday() + 6 * ONE_WEEK else not_effective(look)

    async with told_looks(desk, works_for_a_while) as (told, looks):
        live = await in_place(told)
        await live.time_passes(8 * ONE_WEEK)
        assert (await live.fix()).state is FixState.WORKED_OUT
        assert (await live.actions())[-1] == "relapse"

        looks.find = nothing_known
        await live.put_in_place((await live.now()).date())
        await live.time_passes(5 * ONE_WEEK)

        assert (await live.fix()).state is FixState.MONITORED
        assert (await live.actions())[-1] == "look"


def slowed(looks: ToldLooks) -> tuple[asyncio.Event, asyncio.Event]:
    """Let looks begin, and end no earlier than they may: return what tells of the one and what allows the other."""
    looking, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        looking.set()
        await go_on.wait()

    looks.before = wait
    return looking, go_on


async def test_people_are_served_while_the_effect_is_being_looked_at(desk: Desk) -> None:
    async with told_looks(desk) as (told, looks):
        live = await in_place(told)
        looking, go_on = slowed(looks)
        passing = asyncio.create_task(live.time_passes(TRANSITION + ONE_WEEK))
        await asyncio.wait_for(looking.wait(), 60)
        answer = await live.act(Note(actor=SUE, key=a_key(), words=a_text()))
        go_on.set()
        await passing
        await eventually(live, "look")

    assert answer.state is FixState.MONITORED
    assert (await live.actions())[-2:] == ["note", "look"]
    assert len(looks.looked_at) == 1


async def test_a_fix_that_was_given_up_while_it_was_looked_at_stays_given_up(desk: Desk) -> None:
    async with told_looks(desk, effective) as (told, looks):
        live = await in_place(told)
        looking, go_on = slowed(looks)
        passing = asyncio.create_task(live.time_passes(TRANSITION + ONE_WEEK))
        await asyncio.wait_for(looking.wait(), 60)
        await live.act(Abandon(actor=SUE, key=a_key(), reason=a_text()))
        go_on.set()
        await passing

    assert (await live.actions())[-1] == "abandon"


async def eventually(live: LiveFix, action: str) -> None:
    async with asyncio.timeout(30):
        while (await live.actions())[-1] != action:
            await asyncio.sleep(0.05)


async def test_the_record_ahead_of_the_workflow_is_adopted_and_what_was_asked_is_decided_anew(desk: Desk) -> None:
    live = await a_live_fix(desk)
    await live.lead(*WORKED_OUT)
    fix = await live.fix()
    lost = lifecycle.decide(fix, a_fix_command(FixAction.REGISTER, fix), datetime.now(UTC))
    assert (await fix_records_of(desk.worker_engine).record_fix(batch_of(fix, lost))).was_appended

    with pytest.raises(WrongState):
        await live.act(a_fix_command(FixAction.REGISTER, fix))

    assert await live.fix() == await live.recorded()
    assert (await live.actions()).count("register") == 1


async def test_a_command_that_only_the_record_allows_is_done_after_catching_up(desk: Desk) -> None:
    live = await a_live_fix(desk)
    await live.lead(*WORKED_OUT)
    fix = await live.fix()
    lost = lifecycle.decide(fix, a_fix_command(FixAction.REGISTER, fix), datetime.now(UTC))
    await fix_records_of(desk.worker_engine).record_fix(batch_of(fix, lost))

    sequence = await live.handle.execute_update("catch_up", result_type=int)
    answer = await live.act(a_fix_command(FixAction.FINISH_MEASURE, await live.fix()))

    assert sequence == lost.sequence
    assert answer.sequence == lost.sequence + 1


async def test_two_who_ask_at_once_are_decided_one_after_another(desk: Desk) -> None:
    live = await a_live_fix(desk)
    commands = [Abandon(actor=SUE, key=a_key(), reason=a_text()) for _ in range(2)]

    outcomes = await asyncio.gather(*(live.act(command) for command in commands), return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["FixAnswer", "WrongState"]


async def test_the_workflow_of_a_fix_that_was_given_up_ends_and_can_be_asked_again(desk: Desk) -> None:
    live = await a_live_fix(desk)
    await live.lead(FixAction.ABANDON)
    await live.time_passes(timedelta(minutes=2))
    assert await live.handle.result() is FixState.ABANDONED

    again = await started_fix(desk, live.address)
    await again.act(Note(actor=SUE, key=a_key(), words=a_text()))

    assert (await again.actions())[-2:] == ["abandon", "note"]


async def test_real_counts_lead_to_a_verdict(desk: Desk) -> None:
    monday = last_monday()
    counted = cells(14, lambda _: 0.75, changed_on=monday)
    await count(
        desk.worker_engine,
        [
            Counted(cell.code, cell.service, cell.office, cell.week, number, channel=cell.channel)
            for cell, number in counted.items()
        ],
    )
    live = await started_fix(desk, await an_opening(desk.record))
    await live.put_in_place(monday)

    await live.time_passes(14 * ONE_WEEK)

    fix = await live.recorded()
    assert fix.state is FixState.EFFECTIVE
    assert fix.effect is not None
    assert fix.effect.verdict is Verdict.EFFECTIVE
