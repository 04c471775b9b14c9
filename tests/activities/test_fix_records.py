# SPDX-License-Identifier: Apache-2.0
"""The record of fixes keeps the same promises as that of complaints, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.exceptions import ApplicationError

from activities.fix_records import DatabaseFixRecords
from activities.interface import EffectLook, FixAddress
from models.events import GENESIS_HASH, chained
from models.fixes import lifecycle
from models.fixes.affected import list_id_for
from models.fixes.commands import ApproveWords, LinkSignal, Note
from models.fixes.fix import Fix
from models.fixes.story import apply
from models.fixes.terms import FixAction, FixState, Occasion, Verdict
from tests.counted_fixes import a_monitored_fix, cells, sunday_after
from tests.counts import Counted, count
from tests.fix_record import an_opening, batch_of, fix_records_of, lived_fix, opened_fix
from tests.given import MONDAY, SUE, a_key, a_text
from tests.given_fixes import TO_THE_END, WORKED_OUT, a_fix_command
from tests.record import Record


@pytest.fixture
def records(worker_engine: AsyncEngine) -> DatabaseFixRecords:
    return fix_records_of(worker_engine)


@pytest.fixture
async def fix(record: Record, worker_engine: AsyncEngine) -> Fix:
    return await opened_fix(worker_engine, await an_opening(record))


def a_note(key: str | None = None) -> Note:
    return Note(actor=SUE, key=key or a_key(), words=a_text())


async def test_an_opening_is_loaded_as_what_opens_the_fix(records: DatabaseFixRecords, record: Record) -> None:
    loaded = await records.load_fix(await an_opening(record))

    assert loaded.fix.state is FixState.NEW
    assert loaded.opening is not None
    assert loaded.rhythm.watch_weeks == 52
    assert loaded.rhythm.time_zone == "America/Chicago"


async def test_a_fix_of_another_agency_is_not_found(records: DatabaseFixRecords, record: Record) -> None:
    address = await an_opening(record)

    with pytest.raises(ApplicationError, match="Nothing opens") as refused:
        await records.load_fix(FixAddress(agency="lakeside", fix_id=address.fix_id))

    assert refused.value.non_retryable


async def test_a_whole_life_is_loaded_as_it_was_recorded_with_its_chain_and_its_row(
    records: DatabaseFixRecords, worker_engine: AsyncEngine, owner_engine: AsyncEngine, fix: Fix
) -> None:
    fix = await lived_fix(worker_engine, fix, *WORKED_OUT, *TO_THE_END)

    loaded = await records.load_fix(FixAddress(agency=fix.agency, fix_id=fix.id))

    assert loaded.fix == fix
    assert loaded.opening is None
    async with owner_engine.connect() as connection:
        events = (await connection.execute(text("SELECT * FROM fix_event ORDER BY sequence"))).all()
        row = (await connection.execute(text("SELECT * FROM fix_file"))).one()
    last_hash = GENESIS_HASH
    for event in events:
        last_hash = chained(last_hash, event.canonical)
        assert event.hash == last_hash
    assert (row.state, row.is_open, row.sequence, row.last_hash) == ("effective", True, len(events), last_hash)
    assert (row.verdict, row.attempt, row.owner) == ("effective", 1, "sue")
    assert Fix.model_validate(row.snapshot) == fix


async def test_recording_the_same_batch_again_answers_with_what_is_held(records: DatabaseFixRecords, fix: Fix) -> None:
    event = lifecycle.decide(fix, a_note(), datetime.now(UTC))
    later = event.model_copy(update={"at": event.at + timedelta(hours=2)})

    first = await records.record_fix(batch_of(fix, event))
    again = await records.record_fix(batch_of(fix, later))

    assert first.was_appended
    assert again.held == (event,)


async def test_another_command_that_comes_first_adopts_the_stored_event(records: DatabaseFixRecords, fix: Fix) -> None:
    stored, other = (lifecycle.decide(fix, a_note(), datetime.now(UTC)) for _ in range(2))
    await records.record_fix(batch_of(fix, stored))

    answer = await records.record_fix(batch_of(fix, other))

    assert answer.held == (stored,)
    assert (await records.load_fix(FixAddress(agency=fix.agency, fix_id=fix.id))).fix.sequence == stored.sequence


async def test_an_old_key_is_answered_with_its_old_event(records: DatabaseFixRecords, fix: Fix) -> None:
    note = a_note()
    event = lifecycle.decide(fix, note, datetime.now(UTC))
    await records.record_fix(batch_of(fix, event))
    later = apply(fix, event)

    answer = await records.record_fix(batch_of(later, lifecycle.decide(later, note, event.at)))

    assert answer.earlier == (event,)
    assert answer.held == ()


async def test_a_key_with_another_request_is_a_fault_that_is_marked(
    records: DatabaseFixRecords, owner_engine: AsyncEngine, fix: Fix
) -> None:
    key = a_key()
    await records.record_fix(batch_of(fix, lifecycle.decide(fix, a_note(key), datetime.now(UTC))))

    with pytest.raises(ApplicationError) as refused:
        await records.record_fix(batch_of(fix, lifecycle.decide(fix, a_note(key), datetime.now(UTC))))

    assert refused.value.non_retryable
    assert await marks(owner_engine) == [(fix.id, "key_reused")]


async def test_a_workflow_that_knows_more_than_the_record_is_a_fault_that_is_marked(
    records: DatabaseFixRecords, owner_engine: AsyncEngine, fix: Fix
) -> None:
    ahead = apply(fix, lifecycle.decide(fix, a_note(), datetime.now(UTC)))

    with pytest.raises(ApplicationError, match="The record ends at event 1"):
        await records.record_fix(batch_of(ahead, lifecycle.decide(ahead, a_note(), datetime.now(UTC))))

    assert await marks(owner_engine) == [(fix.id, "record_behind")]


async def marks(engine: AsyncEngine) -> list[tuple[object, ...]]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text("SELECT case_id, kind FROM fault"))]


async def test_two_workers_at_once_append_one_event_and_the_other_adopts_it(
    worker_engine: AsyncEngine, owner_engine: AsyncEngine, fix: Fix
) -> None:
    events = [lifecycle.decide(fix, a_note(), datetime.now(UTC)) for _ in range(6)]

    answers = await asyncio.gather(
        *(fix_records_of(worker_engine).record_fix(batch_of(fix, event)) for event in events)
    )

    assert [answer.was_appended for answer in answers].count(True) == 1
    (winner,) = (event for event, answer in zip(events, answers, strict=True) if answer.was_appended)
    assert all(answer.held == (winner,) for answer in answers if not answer.was_appended)
    async with owner_engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM fix_event")) == 2


async def test_a_fixs_first_event_is_appended_once_by_two_workers(record: Record, worker_engine: AsyncEngine) -> None:
    address = await an_opening(record)
    loaded = await fix_records_of(worker_engine).load_fix(address)
    assert loaded.opening is not None
    event = lifecycle.decide(loaded.fix, loaded.opening, datetime.now(UTC))
    batch = batch_of(loaded.fix.model_copy(update={"agency": address.agency}), event)

    answers = await asyncio.gather(*(fix_records_of(worker_engine).record_fix(batch) for _ in range(2)))

    assert sorted(answer.was_appended for answer in answers) == [False, True]


async def test_a_signal_is_linked_and_one_that_is_not_in_the_record_holds_nothing_up(
    worker_engine: AsyncEngine, owner_engine: AsyncEngine, record: Record
) -> None:
    known, unknown = uuid4(), uuid4()
    async with owner_engine.begin() as connection:
        await connection.execute(
            text("""INSERT INTO signal (id, agency, measure, code, began_week, raised_on, decide_by)
                    VALUES (:id, 'riverbend', 'cause', 'HND3', '2026-02-02', '2026-03-01', '2026-03-15')"""),
            {"id": known},
        )
    fix = await opened_fix(worker_engine, await an_opening(record, signal_id=known))

    fix = await lived_fix(worker_engine, fix, LinkSignal(actor=SUE, key=a_key(), signal_id=unknown))

    assert fix.signals == (known, unknown)
    async with owner_engine.connect() as connection:
        linked = list(await connection.scalars(text("SELECT signal_id FROM fix_signal")))
    assert linked == [known]


async def test_the_list_of_an_occasion_is_that_of_the_fix_as_it_stood_also_within_a_batch(
    records: DatabaseFixRecords, owner_engine: AsyncEngine, fix: Fix
) -> None:
    at = fix.last_event_at or MONDAY
    events, stages = [], [fix]
    for action in (*WORKED_OUT, *TO_THE_END):
        events.append(lifecycle.decide(stages[-1], a_fix_command(action, stages[-1]), at))
        stages.append(apply(stages[-1], events[-1]))
    words = ApproveWords(actor=SUE, key=a_key(), occasion=Occasion.JUDGED, words=a_text())
    told = stages[-1]
    for command in (words, a_fix_command(FixAction.RELAPSE, told)):
        events.append(lifecycle.decide(stages[-1], command, at))
        stages.append(apply(stages[-1], events[-1]))

    await records.record_fix(batch_of(fix, *events))

    async with owner_engine.connect() as connection:
        (list_id,) = await connection.scalars(text("SELECT list_id FROM affected_list"))
    assert list_id == list_id_for(told, Occasion.JUDGED)


async def test_an_event_of_a_fix_cannot_be_changed_or_deleted(owner_engine: AsyncEngine, fix: Fix) -> None:
    assert fix.sequence == 1
    for statement in (
        "UPDATE fix_event SET actor = 'x'",
        "DELETE FROM fix_event",
        "TRUNCATE fix_event",
        "DELETE FROM fix_opening",
        "UPDATE fix_text SET body = ''",
    ):
        async with owner_engine.connect() as connection:
            with pytest.raises(Exception, match="append-only"):
                await connection.execute(text(statement))


async def test_a_look_reads_the_weekly_cells_as_of_the_day(
    records: DatabaseFixRecords, worker_engine: AsyncEngine
) -> None:
    counted = cells(30, lambda _: 0.5)
    await count(
        worker_engine,
        [
            Counted(cell.code, cell.service, cell.office, cell.week, number, channel=cell.channel)
            for cell, number in counted.items()
        ],
    )
    fix = a_monitored_fix()

    early = await records.look_at_effect(EffectLook(agency=fix.agency, fix=fix, as_of=sunday_after(4)))
    late = await records.look_at_effect(EffectLook(agency=fix.agency, fix=fix, as_of=sunday_after(30)))

    assert early.verdict is Verdict.NOT_YET_KNOWN
    assert late.verdict is Verdict.EFFECTIVE
    assert late.observed == sum(
        number for cell, number in counted.items() if cell.office == "harbor" and cell.week >= date(2026, 4, 20)
    )
