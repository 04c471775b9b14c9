# SPDX-License-Identifier: Apache-2.0
"""A story written as history is what living it would have left, row by row."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.case_records import OPENING_KEY
from activities.history import HistoryWriter, Story
from activities.interface import Batch, CaseAddress
from activities.policies import Policies
from api.writes.receipts import accept
from models import lifecycle
from models.case import Case, new_case
from models.commands import SYSTEM, Actor, Command, HistoricalIssue, Receive, RecordAsHistory
from models.events import GENESIS_HASH, Event, chained
from models.messages import ContentRef
from models.receiving import Intake, Text, intake_of, text_of
from models.story import apply, fold
from models.terms import Action, Role, State
from tests.given import BEN, IMPORTER, MONDAY, SUE, a_command, a_key
from tests.record import WRAPPING_KEY, Record, a_submission, records_of

HOUR = timedelta(hours=1)
LOCK_SECONDS = 4.0
"""As long as make_partitions waits for a lock."""
LIFE = (
    Action.SEND_RECEIPT, Action.ACKNOWLEDGE, Action.TRIAGE, Action.NOTE, Action.REQUEST_INFORMATION,
    Action.RECORD_INFORMATION, Action.PROPOSE_ANSWER, Action.APPROVE, Action.TAG_ROOT_CAUSE, Action.CLOSE,
    Action.REOPEN, Action.ASSIGN, Action.ANSWER, Action.TAG_ROOT_CAUSE, Action.CLOSE,
)  # fmt: skip
PEOPLE: dict[Action, Actor] = {Action.APPROVE: SUE, Action.REOPEN: SUE}


@pytest.fixture
def writer(worker_engine: AsyncEngine) -> HistoryWriter:
    return HistoryWriter(worker_engine, Policies())


def an_intake(**facts: object) -> Intake:
    submission = a_submission(**facts)
    return intake_of(submission, submission.received_at or MONDAY, WRAPPING_KEY)


def a_lived_story(intake: Intake, actions: tuple[Action, ...] = LIFE, *, goes_on: bool = False) -> Story:
    """Live a case by decide and apply, an hour between any two events."""
    case = new_case(intake.receipt)
    opening = Receive(actor=SYSTEM, key=OPENING_KEY, receipt=intake.receipt, team="front_desk", policy_version=1)
    events: list[Event] = []
    texts: list[Text] = []
    moments = (intake.receipt.accepted_at + n * HOUR for n in itertools.count())
    for action in (Action.RECEIVE, *actions):
        second_round = BEN if action is Action.ANSWER else None
        command = opening if action is Action.RECEIVE else a_command(action, case, PEOPLE.get(action, second_round))
        event = lifecycle.decide(case, with_a_real_text(command, case, texts), next(moments))
        events.append(event)
        case = apply(case, event)
    return Story(intake, tuple(events), tuple(texts), goes_on=goes_on)


def with_a_real_text(command: Command, case: Case, texts: list[Text]) -> Command:
    if not isinstance(getattr(command, "text", None), ContentRef):
        return command
    text = text_of(case.id, command.key, "text", f"What was said at the {command.action.label} about the harbor.")
    texts.append(text)
    return command.model_copy(update={"text": text.ref})


def end_of(story: Story) -> Case:
    return fold(new_case(story.intake.receipt), story.events)


ROWS_OF_A_CASE = {
    "case_event": "case_id, sequence, command_key, request_hash, action, actor, role, state, at, canonical, hash",
    "content": "id, agency, kind, body, salt, digest",
    "case_file": "*",
    "case_issue": "*",
    "case_tag": "*",
    "case_clock": "*",
    "case_search": "case_id, agency, sort_at, strip(words)",
    "receipt": "*",
    "case_key": "case_id, wrapped",
}
SUMS_OF_A_CASE = {
    "cell_delta": "measure, code, service, office, channel, week, happened_at",
    "queue_delta": "queue",
}


async def rows_left(engine: AsyncEngine, case: Case) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row a case has left, and the sums of its differences."""
    left: dict[str, list[tuple[Any, ...]]] = {}
    async with engine.connect() as connection:
        for table, columns in ROWS_OF_A_CASE.items():
            query = text(f"SELECT {columns} FROM {table} WHERE case_id = :id ORDER BY 1, 2")
            left[table] = [tuple(row) for row in await connection.execute(query, {"id": case.id})]
        for table, columns in SUMS_OF_A_CASE.items():
            query = text(
                f"SELECT {columns}, sum(change) FROM {table} WHERE case_id = :id GROUP BY {columns}"
                f" HAVING sum(change) <> 0 ORDER BY {columns}"
            )
            left[table] = [tuple(row) for row in await connection.execute(query, {"id": case.id})]
    return left


async def empty(engine: AsyncEngine) -> None:
    """Take every case away again, as nobody but a superuser can."""
    tables = ", ".join([*ROWS_OF_A_CASE, *SUMS_OF_A_CASE, "receipt_pending", "outbox", "outbox_pending"])
    async with engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text(f"TRUNCATE {tables}"))


@pytest.mark.parametrize("length", range(1, len(LIFE) + 1))
async def test_history_leaves_the_rows_that_living_it_leaves(
    length: int, writer: HistoryWriter, record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine
) -> None:
    story = a_lived_story(an_intake(event_id=None), LIFE[:length])
    case = end_of(story)
    await accept(record.engine, story.intake)
    await put_texts(owner_engine, case, story.texts)
    records = records_of(worker_engine)
    for event in story.events:
        await records.record(Batch(agency=case.agency, case_id=case.id, events=(event,)))
    lived = await rows_left(owner_engine, case)

    await empty(owner_engine)
    await writer.write(case.agency, [story], datetime.now(UTC))

    assert await rows_left(owner_engine, case) == lived


async def put_texts(engine: AsyncEngine, case: Case, texts: tuple[Text, ...]) -> None:
    async with engine.begin() as connection:
        for t in texts:
            values = {"agency": case.agency, "case": case.id, "id": t.id, "kind": t.kind, "body": t.body}
            statement = text("SELECT put_content(:agency, :case, :id, :kind, :body, :salt, :digest)")
            await connection.execute(statement, values | {"salt": t.salt, "digest": t.digest})


async def test_a_story_is_loaded_as_it_was_lived_and_its_chain_verifies(
    writer: HistoryWriter, worker_engine: AsyncEngine, owner_engine: AsyncEngine
) -> None:
    story = a_lived_story(an_intake())
    await writer.write("riverbend", [story], datetime.now(UTC))

    loaded = await records_of(worker_engine).load(CaseAddress(agency="riverbend", case_id=end_of(story).id))

    assert loaded.case == end_of(story)
    last = GENESIS_HASH
    for _, _, _, _, _, _, _, _, _, canonical, stored_hash in (await rows_left(owner_engine, loaded.case))["case_event"]:
        last = chained(last, canonical)
        assert stored_hash == last


async def test_the_same_stories_again_change_nothing(writer: HistoryWriter, owner_engine: AsyncEngine) -> None:
    stories = [a_lived_story(an_intake()) for _ in range(3)]
    first = await writer.write("riverbend", stories[:2], datetime.now(UTC))
    before = [await rows_left(owner_engine, end_of(story)) for story in stories[:2]]

    again = await writer.write("riverbend", stories, datetime.now(UTC))

    assert len(first.new) == 2
    assert again.new == {end_of(stories[2]).id}
    assert again.held == {story.intake.key: story.intake.request_hash for story in stories[:2]}
    assert [await rows_left(owner_engine, end_of(story)) for story in stories[:2]] == before


async def test_a_story_that_goes_on_waits_for_its_workflow_and_one_that_is_over_does_not(
    writer: HistoryWriter, owner_engine: AsyncEngine
) -> None:
    over = a_lived_story(an_intake())
    going_on = a_lived_story(an_intake(), LIFE[:3], goes_on=True)

    await writer.write("riverbend", [over, going_on], datetime.now(UTC))

    async with owner_engine.connect() as connection:
        assert list(await connection.scalars(text("SELECT case_id FROM receipt_pending"))) == [end_of(going_on).id]
        assert not (await connection.execute(text("SELECT FROM outbox"))).all()


async def test_history_of_a_past_month_stands_in_that_months_partition(
    writer: HistoryWriter, owner_engine: AsyncEngine
) -> None:
    long_ago = datetime(2013, 5, 6, 15, 0, tzinfo=UTC)
    story = a_lived_story(an_intake(received_at=long_ago, received_on=long_ago.date()))

    await writer.write("riverbend", [story], datetime.now(UTC))

    async with owner_engine.connect() as connection:
        places = await connection.scalars(text("SELECT DISTINCT tableoid::regclass::text FROM case_event"))
        assert list(places) == ["case_event_2013_05"]


async def test_a_reader_who_holds_the_tables_for_long_is_waited_for(
    writer: HistoryWriter, owner_engine: AsyncEngine
) -> None:
    story = a_lived_story(an_intake(received_at=MONDAY - timedelta(days=3_000)))
    async with owner_engine.connect() as reader:
        await reader.execute(text("SELECT count(*) FROM case_event_default"))  # the lock is held until the rollback
        writing = asyncio.create_task(writer.write("riverbend", [story], MONDAY))
        await asyncio.sleep(LOCK_SECONDS + 0.3)
        assert not writing.done()
        await reader.rollback()

    assert (await writing).new == {story.intake.receipt.case_id}


async def test_what_another_system_closed_counts_in_the_week_it_was_received(
    writer: HistoryWriter, owner_engine: AsyncEngine
) -> None:
    intake = an_intake(is_imported=True)
    command = RecordAsHistory(
        actor=IMPORTER,
        key=a_key(),
        receipt=intake.receipt,
        team="front_desk",
        policy_version=1,
        issues=(HistoricalIssue(service="benefits", category="delay"),),
    )
    now = datetime.now(UTC)
    story = Story(intake, (lifecycle.decide(new_case(intake.receipt), command, now),))

    await writer.write("riverbend", [story], now)

    left = await rows_left(owner_engine, end_of(story))
    assert [(row[0], row[1], row[-2], row[-1]) for row in left["cell_delta"]] == [("intake", "delay", MONDAY, 1)]
    assert left["case_tag"] == []
    assert end_of(story).state is State.CLOSED


async def test_a_story_without_a_word_is_written_too(writer: HistoryWriter, owner_engine: AsyncEngine) -> None:
    story = a_lived_story(an_intake(narrative=""), ())

    await writer.write("riverbend", [story], datetime.now(UTC))

    assert len((await rows_left(owner_engine, end_of(story)))["case_search"]) == 1


async def test_a_story_of_another_agency_is_refused(writer: HistoryWriter, owner_engine: AsyncEngine) -> None:
    foreign = a_lived_story(an_intake(agency="lakeside", prefix="LAK"))

    with pytest.raises(Exception, match="row-level security"):
        await writer.write("riverbend", [foreign], datetime.now(UTC))

    async with owner_engine.connect() as connection:
        assert not (await connection.execute(text("SELECT FROM receipt"))).all()


def test_only_an_import_records_history() -> None:
    (row,) = [row for row in lifecycle.TRANSITIONS if row.action is Action.RECORD_AS_HISTORY]
    assert row.roles == {Role.IMPORT}
