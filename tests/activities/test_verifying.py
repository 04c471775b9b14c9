# SPDX-License-Identifier: Apache-2.0
"""Whatever is changed behind the record's back is found and said in a sentence; lawful removal breaks nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities import verifying
from activities.anchoring import Anchor, anchor_day, anchor_missed_days
from activities.database import transaction
from activities.folding import fold_deltas
from activities.verifying import Verdict, verify_agency
from models.case import Case
from models.events import GENESIS_HASH, chained
from models.terms import Action
from tests.given import a_command
from tests.letters import lived, opened
from tests.record import Record, accepted

TOMORROW = datetime.now(UTC) + timedelta(days=1, hours=1)


@dataclass
class Drill:
    """A record with some cases, and somebody with a superuser's hands."""

    worker: AsyncEngine
    owner: AsyncEngine
    cases: list[Case]

    @property
    def case(self) -> Case:
        return self.cases[1]

    async def tamper(self, *statements: str, **values: object) -> None:
        async with self.owner.begin() as connection:
            await connection.execute(text("SET LOCAL session_replication_role = replica"))
            for statement in statements:
                await connection.execute(text(statement), {"id": self.case.id} | values)

    async def verify(self) -> Verdict:
        return await verify_agency(self.worker, "riverbend")

    async def anchored(self) -> list[Anchor]:
        return await anchor_missed_days(self.worker, "riverbend", TOMORROW)

    async def found(self) -> str:
        verdict = await self.verify()
        assert not verdict.holds
        return verdict.breaks[0]


@pytest.fixture
async def drill(record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine) -> Drill:
    now = datetime.now(UTC)
    cases = [await opened(worker_engine, await accepted(record, received_at=now)) for _ in range(3)]
    for position, case in enumerate(cases):
        cases[position] = await lived(
            worker_engine, case, a_command(Action.TRIAGE, case), a_command(Action.ACKNOWLEDGE, case)
        )
    await accepted(record, received_at=now)
    return Drill(worker_engine, owner_engine, sorted(cases, key=lambda case: case.id))


@pytest.mark.parametrize("at_a_time", [1, 2, 300])
async def test_a_record_nobody_touched_holds(drill: Drill, monkeypatch: pytest.MonkeyPatch, at_a_time: int) -> None:
    monkeypatch.setattr(verifying, "CASES_AT_A_TIME", at_a_time)
    await drill.anchored()
    await fold_deltas(drill.worker, "riverbend", "queue")

    verdict = await drill.verify()

    assert verdict.breaks == []
    assert (verdict.receipts, verdict.cases, verdict.waiting, verdict.events) == (4, 3, 1, 12)
    assert verdict.anchors >= 1


async def test_another_agency_has_a_verdict_of_its_own(drill: Drill) -> None:
    await drill.tamper("UPDATE case_event SET actor = 'eve' WHERE case_id = :id AND sequence = 3")

    assert (await verify_agency(drill.worker, "lakeside")).holds
    assert not (await drill.verify()).holds


async def test_a_changed_event_is_found(drill: Drill) -> None:
    await drill.tamper(
        "UPDATE case_event SET canonical = convert_to(replace(convert_from(canonical, 'UTF8'), 'ann', 'eve'), 'UTF8')"
        " WHERE case_id = :id AND sequence = 3"
    )

    assert await drill.found() == (
        f"Case {drill.case.receipt.reference}: event 3 is not what was recorded;"
        " its hash does not follow from event 2 and its bytes."
    )


async def test_a_deleted_last_event_is_found(drill: Drill) -> None:
    await drill.tamper("DELETE FROM case_event WHERE case_id = :id AND sequence = 4")

    name = f"Case {drill.case.receipt.reference}"
    assert await drill.found() == f"{name}: the read model stands at event 4, the events end with 3."


async def test_a_deleted_last_event_is_found_though_the_read_model_was_changed_to_match(drill: Drill) -> None:
    [anchor] = await drill.anchored()
    await drill.tamper(
        "DELETE FROM case_event WHERE case_id = :id AND sequence = 4",
        "UPDATE case_file f SET sequence = 3, last_hash = e.hash FROM case_event e"
        " WHERE f.case_id = :id AND e.case_id = :id AND e.sequence = 3",
    )

    name = f"Case {drill.case.receipt.reference}"
    assert await drill.found() == f"{name}: event 4 is gone; the anchor of {anchor.day} knows it."


async def test_a_deleted_whole_case_is_found_even_before_its_day_is_anchored(drill: Drill) -> None:
    await drill.tamper(*whole_case_deleted())

    assert await drill.found() == f"Case {drill.case.id}: it is counted or written to, but there is no receipt."


def whole_case_deleted() -> tuple[str, ...]:
    tables = ("receipt", "case_event", "content", "case_file", "case_issue", "case_clock", "case_search", "case_key")
    return tuple(f"DELETE FROM {table} WHERE case_id = :id" for table in tables)


async def test_a_case_deleted_with_every_trace_is_found_by_the_anchor(drill: Drill) -> None:
    [anchor] = await drill.anchored()
    traces = tuple(f"DELETE FROM {table} WHERE case_id = :id" for table in ("queue_delta", "cell_delta", "outbox"))
    await drill.tamper(*whole_case_deleted(), *traces)

    verdict = await drill.verify()

    assert verdict.breaks == [
        f"Case {drill.case.id}: event 4 is gone; the anchor of {anchor.day} knows it.",
        f"Of the 4 receipts of {anchor.day}, 1 are gone.",
    ]


async def test_a_chain_that_was_made_anew_is_found_by_the_anchor(drill: Drill) -> None:
    [anchor] = await drill.anchored()
    async with transaction(drill.worker, "riverbend") as connection:
        stored = list(
            await connection.scalars(
                text("SELECT canonical FROM case_event WHERE case_id = :id ORDER BY sequence"), {"id": drill.case.id}
            )
        )
    last_hash = GENESIS_HASH
    for sequence, canonical in enumerate(stored, start=1):
        forged = canonical.replace(b'"severity":1', b'"severity":0')
        last_hash = chained(last_hash, forged)
        await drill.tamper(
            "UPDATE case_event SET canonical = :canonical, hash = :hash,"
            " request_hash = sha256(convert_to((convert_from(:canonical, 'UTF8')::jsonb ->> 'command'), 'UTF8'))"
            " WHERE case_id = :id AND sequence = :sequence",
            "UPDATE case_file SET last_hash = :hash WHERE case_id = :id",
            canonical=forged,
            hash=last_hash,
            sequence=sequence,
        )

    verdict = await drill.verify()

    name = f"Case {drill.case.receipt.reference}"
    assert f"{name}: event 4 is another one than the anchor of {anchor.day} knows." in verdict.breaks


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("DELETE FROM case_event WHERE case_id = :id AND sequence = 2", "event 2 is missing."),
        (
            "UPDATE case_event SET agency = 'lakeside' WHERE case_id = :id AND sequence = 2",
            "event 2 is missing.",
        ),
        (
            "UPDATE case_event SET actor = 'eve' WHERE case_id = :id AND sequence = 3",
            "the column actor of event 3 does not say what the event says.",
        ),
        (
            "UPDATE case_event SET at = at - interval '1 day' WHERE case_id = :id AND sequence = 3",
            "the column at of event 3 does not say what the event says.",
        ),
        (
            "UPDATE case_event SET request_hash = 'x' WHERE case_id = :id AND sequence = 3",
            "the column request_hash of event 3 does not say what the event says.",
        ),
        (
            "UPDATE receipt SET facts = facts || '\\x20' WHERE case_id = :id",
            "the receipt is not the one that its first event tells of.",
        ),
        ("DELETE FROM receipt WHERE case_id = :id", "there is no receipt, only what came after it."),
        ("DELETE FROM case_event WHERE case_id = :id", "the read model knows it, but there are no events."),
        ("DELETE FROM case_file WHERE case_id = :id", "there are events, but the read model does not know it."),
        (
            "UPDATE case_file SET last_hash = 'x' WHERE case_id = :id",
            "the read model was made from another last event.",
        ),
    ],
)
async def test_every_other_change_is_found_too(drill: Drill, statement: str, sentence: str) -> None:
    await drill.tamper(statement)

    assert (await drill.found()).endswith(f": {sentence}")


async def test_a_changed_text_is_found(drill: Drill) -> None:
    await drill.tamper("UPDATE content SET body = 'All is well.' WHERE case_id = :id")

    assert (await drill.found()).endswith("is not the one that was recorded; its digest differs.")


async def test_a_text_that_was_swapped_together_with_its_digest_is_found(drill: Drill) -> None:
    await drill.tamper(
        "UPDATE content SET body = 'All is well.', digest = sha256(salt || 'All is well.') WHERE case_id = :id"
    )

    assert (await drill.found()).endswith("is not the one that was recorded; its digest differs.")


async def test_a_text_that_was_lawfully_removed_is_counted_and_breaks_nothing(drill: Drill) -> None:
    before = await drill.verify()
    async with drill.owner.begin() as connection:
        await connection.execute(text("SET LOCAL ROLE putright_disposal"))
        await connection.execute(text("SELECT set_config('putright.agency', 'riverbend', true)"))
        await connection.execute(text("DELETE FROM content WHERE case_id = :id"), {"id": drill.case.id})

    after = await drill.verify()

    assert after.holds
    assert after.removed_texts == before.removed_texts + 1


async def test_totals_that_do_not_come_from_their_differences_are_found(drill: Drill) -> None:
    await fold_deltas(drill.worker, "riverbend", "queue")
    await drill.tamper("UPDATE queue_total SET total = total + 1 WHERE queue = 'open'")

    assert (await drill.verify()).breaks == [
        "The total of queue open is 4, its differences come to 3.",
        "There are 3 open cases, counted are 4.",
    ]


async def test_a_changed_anchor_is_found(drill: Drill) -> None:
    [anchor] = await drill.anchored()
    await drill.tamper("UPDATE anchor SET receipt_count = 3")

    assert (
        await drill.found() == f"The anchor of {anchor.day} does not follow from the one before it and what it lists."
    )


async def test_a_day_is_anchored_once_and_only_when_it_is_over(drill: Drill) -> None:
    now = datetime.now(UTC)
    assert await anchor_missed_days(drill.worker, "riverbend", now) == []

    [anchor] = await drill.anchored()

    assert (anchor.case_count, anchor.receipt_count) == (3, 4)
    assert await drill.anchored() == []
    assert await anchor_day(drill.worker, "riverbend", anchor.day) is None
    assert await anchor_day(drill.worker, "riverbend", anchor.day - timedelta(days=1)) is None


async def test_days_that_were_missed_are_anchored_later_in_their_order(drill: Drill) -> None:
    for case, days in zip(drill.cases, (3, 2, 2), strict=True):
        await drill.tamper(
            "UPDATE case_event SET recorded_at = recorded_at - make_interval(days => :days) WHERE case_id = :case",
            days=days,
            case=case.id,
        )

    made = await drill.anchored()

    assert [anchor.case_count for anchor in made] == [1, 2, 0]
    assert [anchor.receipt_count for anchor in made] == [0, 0, 4]
    assert made == sorted(made, key=lambda anchor: anchor.day)
    assert (await drill.verify()).holds
