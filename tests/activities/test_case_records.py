# SPDX-License-Identifier: Apache-2.0
"""The record keeps its promises on a real PostgreSQL built by the migrations."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.exceptions import ApplicationError

from activities.case_records import DatabaseCaseRecords
from activities.interface import Batch, CaseAddress
from models import lifecycle
from models.case import Case
from models.commands import SYSTEM, Note, SendReceipt
from models.events import Event
from models.story import apply
from models.terms import Action, State
from tests.given import ANN, MONDAY, a_command, a_key, a_text
from tests.record import Record, accepted, records_of


@pytest.fixture
def records(worker_engine: AsyncEngine) -> DatabaseCaseRecords:
    return records_of(worker_engine)


async def test_a_bare_receipt_is_loaded_with_its_opening(records: DatabaseCaseRecords, record: Record) -> None:
    address = await accepted(record)

    loaded = await records.load(address)

    assert loaded.case.state is State.NEW
    assert loaded.opening is not None
    assert loaded.opening.team


async def test_a_narrative_that_tells_of_danger_draws_attention(records: DatabaseCaseRecords, record: Record) -> None:
    address = await accepted(record, narrative="There is a gas leak and nobody comes.")

    loaded = await records.load(address)

    assert loaded.opening is not None
    assert loaded.opening.attention == ("safety",)


async def opened(records: DatabaseCaseRecords, address: CaseAddress) -> Case:
    loaded = await records.load(address)
    assert loaded.opening is not None
    first = lifecycle.decide(loaded.case, loaded.opening, MONDAY)
    case = apply(loaded.case, first)
    second = lifecycle.decide(case, SendReceipt(actor=SYSTEM, key="send-receipt"), MONDAY)
    recorded = await records.record(Batch(agency=address.agency, case_id=address.case_id, events=(first, second)))
    assert recorded.was_appended
    return apply(case, second)


def batch_of(case: Case, *events: Event) -> Batch:
    return Batch(agency=case.agency, case_id=case.id, events=events)


async def test_recording_the_same_batch_again_answers_with_what_is_held(
    records: DatabaseCaseRecords, record: Record
) -> None:
    case = await opened(records, await accepted(record))
    event = lifecycle.decide(case, Note(actor=ANN, key=a_key(), text=a_text()), MONDAY)
    later = event.model_copy(update={"at": MONDAY.replace(hour=20)})

    first = await records.record(batch_of(case, event))
    again = await records.record(batch_of(case, later))

    assert first.was_appended
    assert again.held == (event,)


async def test_another_command_that_comes_first_adopts_the_stored_event(
    records: DatabaseCaseRecords, record: Record
) -> None:
    case = await opened(records, await accepted(record))
    stored = lifecycle.decide(case, Note(actor=ANN, key=a_key(), text=a_text()), MONDAY)
    other = lifecycle.decide(case, Note(actor=ANN, key=a_key(), text=a_text()), MONDAY)
    await records.record(batch_of(case, stored))

    answer = await records.record(batch_of(case, other))

    assert answer.held == (stored,)
    assert (await records.load(CaseAddress(agency=case.agency, case_id=case.id))).case.sequence == stored.sequence


async def test_an_old_key_is_answered_with_its_old_event(records: DatabaseCaseRecords, record: Record) -> None:
    case = await opened(records, await accepted(record))
    note = Note(actor=ANN, key=a_key(), text=a_text())
    event = lifecycle.decide(case, note, MONDAY)
    await records.record(batch_of(case, event))
    later = apply(case, event)

    answer = await records.record(batch_of(later, lifecycle.decide(later, note, MONDAY)))

    assert answer.earlier == (event,)
    assert answer.held == ()


async def test_a_key_with_another_request_is_a_fault_that_is_marked(
    records: DatabaseCaseRecords, record: Record, owner_engine: AsyncEngine
) -> None:
    case = await opened(records, await accepted(record))
    key = a_key()
    await records.record(batch_of(case, lifecycle.decide(case, Note(actor=ANN, key=key, text=a_text()), MONDAY)))

    with pytest.raises(ApplicationError) as refused:
        await records.record(batch_of(case, lifecycle.decide(case, Note(actor=ANN, key=key, text=a_text()), MONDAY)))

    assert refused.value.non_retryable
    async with owner_engine.connect() as connection:
        marks = (await connection.execute(text("SELECT case_id, kind FROM fault"))).all()
    assert marks == [(case.id, "key_reused")]


async def test_an_event_cannot_be_changed_or_deleted(
    records: DatabaseCaseRecords, record: Record, owner_engine: AsyncEngine
) -> None:
    await opened(records, await accepted(record))

    for statement in (
        "UPDATE case_event SET actor = 'x'",
        "DELETE FROM case_event",
        "TRUNCATE case_event",
        "DELETE FROM receipt",
        "UPDATE content SET body = ''",
        "DELETE FROM cell_delta",
    ):
        async with owner_engine.connect() as connection:
            with pytest.raises(Exception, match="append-only"):
                await connection.execute(text(statement))


async def test_a_whole_life_is_loaded_as_it_was_recorded(records: DatabaseCaseRecords, record: Record) -> None:
    case = await opened(records, await accepted(record))
    for action in ("triage", "acknowledge", "answer", "tag_root_cause", "close"):
        event = lifecycle.decide(case, a_command(Action(action), case), MONDAY)
        await records.record(batch_of(case, event))
        case = apply(case, event)

    loaded = await records.load(CaseAddress(agency=case.agency, case_id=case.id))

    assert loaded.case == case
    assert loaded.case.state is State.CLOSED
