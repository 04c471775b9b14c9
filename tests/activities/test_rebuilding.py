# SPDX-License-Identifier: Apache-2.0
"""The read model is made again from the events, changes nothing where nothing is wrong, and may run under load."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities import rebuilding
from activities.history import HistoryWriter, Story
from activities.interface import Batch
from activities.policies import Policies
from activities.rebuilding import Rebuilt, rebuild_agency
from activities.verifying import verify_agency
from models import lifecycle
from models.case import Case, new_case
from models.commands import HistoricalIssue, Note, RecordAsHistory
from models.events import Event
from models.receiving import intake_of
from models.story import apply
from models.terms import Action
from tests.given import ANN, IMPORTER, MONDAY, a_command, a_key
from tests.letters import a_writable_case, lived, opened, said
from tests.record import WRAPPING_KEY, Record, a_submission, accepted, records_of

READ_MODEL = {
    "case_file": "*",
    "case_issue": "*",
    "case_tag": "case_id, number, agency, failure, no_failure, contributing_cause, severity, harm, scope, office",
    "case_clock": "*",
    "case_search": "case_id, agency, sort_at, tsvector_to_array(words)",
}
COUNTS = {
    "cell_delta": "case_id, measure, code, service, office, channel, week, harm, vulnerable",
    "queue_delta": "case_id, queue",
}


async def rebuild(engine: AsyncEngine) -> Rebuilt:
    return await rebuild_agency(engine, Policies(), "riverbend", clock=lambda: datetime.now(UTC))


async def fingerprint(engine: AsyncEngine) -> dict[str, object]:
    """Return what the read model and the counts say, table by table."""
    whole: dict[str, object] = {}
    async with engine.connect() as connection:
        for table, columns in READ_MODEL.items():
            whole[table] = tuple((await connection.execute(digest_of(f"SELECT {columns} FROM {table}"))).one())
        for table, columns in COUNTS.items():
            sums = f"SELECT {columns}, sum(change) FROM {table} GROUP BY {columns} HAVING sum(change) <> 0"
            whole[table] = tuple((await connection.execute(digest_of(sums))).one())
    return whole


def digest_of(query: str) -> TextClause:
    return text(f"SELECT count(*), md5(string_agg(r::text, ';' ORDER BY r::text)) FROM ({query}) r")


async def damage(engine: AsyncEngine, *statements: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            await connection.execute(text(statement))


async def number_of_deltas(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        query = text("SELECT (SELECT count(*) FROM cell_delta) + (SELECT count(*) FROM queue_delta)")
        return int((await connection.execute(query)).scalar_one())


@pytest.fixture
async def cases(record: Record, worker_engine: AsyncEngine) -> list[Case]:
    """Some cases in different states, with texts, a pause, tags and a review; and a receipt that waits."""
    one = await a_writable_case(record, worker_engine)
    note = Note(actor=ANN, key=a_key(), text=await said(record, one, "note", "The zebra form was found."))
    one = await lived(worker_engine, one, a_command(Action.TRIAGE, one), note)
    two = await opened(worker_engine, await accepted(record))
    for action in (Action.TRIAGE, Action.REQUEST_INFORMATION, Action.RECORD_INFORMATION, Action.ANSWER):
        two = await lived(worker_engine, two, a_command(action, two))
    two = await lived(worker_engine, two, a_command(Action.TAG_ROOT_CAUSE, two), a_command(Action.CLOSE, two))
    three = await lived(worker_engine, two, a_command(Action.NOTE, two))
    four = await opened(worker_engine, await accepted(record))
    await accepted(record)
    return [one, three, four]


async def test_a_rebuild_where_nothing_is_wrong_changes_nothing(
    cases: list[Case], worker_engine: AsyncEngine, owner_engine: AsyncEngine
) -> None:
    before, deltas = await fingerprint(owner_engine), await number_of_deltas(owner_engine)

    rebuilt = await rebuild(worker_engine)

    assert rebuilt == Rebuilt("riverbend", cases=3, waiting=1)
    assert await fingerprint(owner_engine) == before
    assert await number_of_deltas(owner_engine) == deltas


async def test_a_read_model_that_is_gone_is_made_again_to_the_last_word(
    cases: list[Case], worker_engine: AsyncEngine, owner_engine: AsyncEngine
) -> None:
    before = await fingerprint(owner_engine)
    await damage(owner_engine, *(f"TRUNCATE {table}" for table in (*READ_MODEL, *COUNTS)))

    rebuilt = await rebuild(worker_engine)

    assert (rebuilt.rows_repaired, rebuilt.counts_corrected, rebuilt.words_repaired) == (3, 3, 3)
    assert await fingerprint(owner_engine) == before
    assert (await verify_agency(worker_engine, "riverbend")).breaks == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE case_file SET team = 'nobody'",
        "UPDATE case_file SET vulnerable = true",
        "UPDATE cell_delta SET vulnerable = true",
        "UPDATE case_file SET last_hash = 'x', sequence = 1",
        "UPDATE case_file SET snapshot = snapshot || '{\"sequence\": 1}'",
        "DELETE FROM case_issue",
        "UPDATE case_tag SET failure = 'other'",
        "INSERT INTO case_clock SELECT case_id, 77, clock, agency, now(), NULL, now(), false FROM case_clock LIMIT 1",
        "UPDATE case_search SET words = 'giraffe'",
        "DELETE FROM queue_delta WHERE queue = 'open'",
        "INSERT INTO queue_delta (agency, case_id, queue, change) SELECT agency, case_id, 'late', 1 FROM case_file",
        "UPDATE cell_delta SET change = change * 2",
    ],
)
async def test_whatever_is_wrong_is_put_right(
    cases: list[Case], worker_engine: AsyncEngine, owner_engine: AsyncEngine, statement: str
) -> None:
    before = await fingerprint(owner_engine)
    await damage(owner_engine, statement)
    assert await fingerprint(owner_engine) != before

    await rebuild(worker_engine)

    assert await fingerprint(owner_engine) == before


async def test_words_of_a_text_that_was_removed_are_found_no_more(
    cases: list[Case], worker_engine: AsyncEngine, owner_engine: AsyncEngine
) -> None:
    query = text("SELECT count(*) FROM case_search WHERE words @@ to_tsquery('simple', 'zebra')")
    async with owner_engine.connect() as connection:
        assert await connection.scalar(query) == 1
    await damage(owner_engine, "DELETE FROM content WHERE body LIKE '%zebra%'")

    rebuilt = await rebuild(worker_engine)

    assert rebuilt.words_repaired == 1
    async with owner_engine.connect() as connection:
        assert await connection.scalar(query) == 0


async def test_a_case_whose_events_tell_no_story_is_named_and_left_alone(
    cases: list[Case], worker_engine: AsyncEngine, owner_engine: AsyncEngine
) -> None:
    await damage(owner_engine, f"DELETE FROM case_event WHERE case_id = '{cases[1].id}' AND sequence = 2")
    before = await fingerprint(owner_engine)

    rebuilt = await rebuild(worker_engine)

    reference = cases[1].receipt.reference
    assert rebuilt.unreadable == [f"Case {reference} cannot be told from its events; run putright verify."]
    assert rebuilt.cases == 2
    assert await fingerprint(owner_engine) == before


def a_story(number: int) -> Story:
    """Return a complaint that another system closed."""
    day = MONDAY - timedelta(minutes=number)
    submission = a_submission(received_at=day, received_on=day.date(), is_imported=True)
    intake = intake_of(submission, datetime.now(UTC), WRAPPING_KEY)
    case = new_case(intake.receipt)
    command = RecordAsHistory(
        receipt=intake.receipt,
        team="front_desk",
        policy_version=1,
        issues=(HistoricalIssue(service="benefits", category="delay"),),
        closed_at=day,
        actor=IMPORTER,
        key="history",
    )
    return Story(intake=intake, events=(lifecycle.decide(case, command, intake.receipt.accepted_at),))


async def notes_added(engine: AsyncEngine, case: Case, until: asyncio.Event) -> Case:
    """Add one note after another, as the case's workflow would, until told to stop."""
    records = records_of(engine)
    while not until.is_set():
        note = a_command(Action.NOTE, case)
        event: Event = lifecycle.decide(case, note, case.last_event_at or MONDAY)
        assert (await records.record(Batch(agency=case.agency, case_id=case.id, events=(event,)))).was_appended
        case = apply(case, event)
        await asyncio.sleep(0.05)
    return case


async def test_ten_thousand_cases_are_rebuilt_while_others_go_on_working(
    cases: list[Case], worker_engine: AsyncEngine, owner_engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = HistoryWriter(worker_engine, Policies())
    for start in range(0, 10_000, 1_000):
        stories = [a_story(number) for number in range(start, start + 1_000)]
        await writer.write("riverbend", stories, datetime.now(UTC))
    largest = 0
    shape = rebuilding._stored

    async def watched(connection: object, case_ids: list[object]) -> object:
        nonlocal largest
        largest = max(largest, len(case_ids))
        return await shape(connection, case_ids)  # type: ignore[arg-type]

    monkeypatch.setattr(rebuilding, "_stored", watched)
    before = await fingerprint(owner_engine)
    await damage(
        owner_engine,
        "CREATE TEMP TABLE damaged AS SELECT case_id FROM case_file WHERE is_history ORDER BY case_id LIMIT 2000",
        "DELETE FROM case_file WHERE case_id IN (TABLE damaged)",
        "DELETE FROM case_search WHERE case_id IN (TABLE damaged)",
        "DELETE FROM cell_delta WHERE case_id IN (TABLE damaged)",
        "TRUNCATE case_issue",
    )

    is_rebuilt = asyncio.Event()
    busy = [asyncio.create_task(notes_added(worker_engine, case, is_rebuilt)) for case in (cases[0], cases[2])]
    rebuilt = await rebuild(worker_engine)
    is_rebuilt.set()
    worked = await asyncio.gather(*busy)

    assert rebuilt.cases == 10_003
    assert rebuilt.rows_repaired >= 10_000
    assert (rebuilt.counts_corrected, rebuilt.words_repaired) == (2_000, 2_000)
    assert largest == rebuilding.CASES_AT_A_TIME
    assert all(case.sequence > 3 for case in worked)
    assert (await verify_agency(worker_engine, "riverbend")).breaks == []
    after = await fingerprint(owner_engine)
    assert {name: after[name] for name in COUNTS} == {name: before[name] for name in COUNTS}
    assert after["case_issue"] == before["case_issue"]
