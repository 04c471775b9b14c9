# SPDX-License-Identifier: Apache-2.0
"""What becomes of a signal by decisions and looks: it waits, is put off, is silenced, is taken up, or expires."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from api.reads.signals import Raised, Standing, Viewed, began_and_raised, standings_of
from models.aggregates import monday_of
from tests.api.conftest import Front
from tests.api.test_registers import a_signal

EXPIRES_AFTER_WEEKS, GROWN = 8, 1.5
DECIDED_ON, SEEN_ON = date(2026, 3, 2), date(2026, 2, 28)
"""The signal was last seen, with an excess of 3.5 in four weeks, two days before it was decided."""


@pytest.fixture
async def signal_id(front: Front) -> UUID:
    """A signal that was seen once."""
    written = await a_signal(front)
    async with front.owner.begin() as connection:
        await connection.execute(text("DELETE FROM signal_week WHERE as_of > :on"), {"on": SEEN_ON})
    return written


async def standing(front: Front, signal_id: UUID, on: date) -> Standing:
    async with front.services.database.of("riverbend") as connection:
        return (await standings_of(connection, [signal_id], Viewed(on, EXPIRES_AFTER_WEEKS, GROWN)))[signal_id]


async def decided(front: Front, signal_id: UUID, decision: str, on: date = DECIDED_ON, **also: object) -> None:
    row = {
        "id": uuid4(), "signal": signal_id, "decision": decision, "key": str(uuid4()), "until": None, "fix": None,
        "at": datetime(on.year, on.month, on.day, 18, tzinfo=UTC),
    } | also  # fmt: skip
    async with front.owner.begin() as connection:
        await connection.execute(
            text("""
                INSERT INTO signal_decision (id, signal_id, agency, decision, reason, defer_until, decided_by,
                                             decided_at, command_key, request_hash, fix_id)
                VALUES (:id, :signal, 'riverbend', :decision, 'So.', :until, 'sue', :at, :key, '', :fix)
            """),
            row,
        )


async def seen(front: Front, signal_id: UUID, on: date, observed: int) -> None:
    async with front.owner.begin() as connection:
        await connection.execute(
            text("""
                INSERT INTO signal_week VALUES (:id, :on, 'riverbend', 'hash', :observed, 1.5, 5, 0.001, 0.01, 4,
                                                ARRAY['It happened.', 'We are sure.'], '{}')
            """),
            {"id": signal_id, "on": on, "observed": observed},
        )


async def looked(front: Front, on: date) -> None:
    async with front.owner.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO signal_run (agency, as_of, inputs_hash, settings, cells) "
                "VALUES ('riverbend', :on, 'hash', '{}', 9)"
            ),
            {"on": on},
        )  # fmt: skip


async def a_fix(front: Front, signal_id: UUID, *, state: str, at: date) -> UUID:
    """Write what a fix's workflow writes of it, as far as signals look at it."""
    fix_id = uuid4()
    async with front.owner.begin() as connection:
        await connection.execute(
            text("""
                INSERT INTO fix_file (fix_id, agency, state, is_open, sequence, last_hash, title_id, owner, opened_at,
                                      attempt, last_event_at, snapshot)
                VALUES (:id, 'riverbend', :state, :is_open, 1, '', :id, 'sue', :at, 1, :at, '{}')
            """),
            {
                "id": fix_id,
                "state": state,
                "is_open": state not in {"abandoned", "closed"},
                "at": datetime(at.year, at.month, at.day, 18, tzinfo=UTC),
            },
        )
        await connection.execute(
            text("INSERT INTO fix_signal VALUES (:id, :signal, 'riverbend')"), {"id": fix_id, "signal": signal_id}
        )
    return fix_id


async def test_what_is_put_off_comes_back_by_itself_on_its_day(front: Front, signal_id: UUID) -> None:
    await decided(front, signal_id, "defer", until=date(2026, 3, 20))

    before = await standing(front, signal_id, date(2026, 3, 1))
    meanwhile = await standing(front, signal_id, date(2026, 3, 19))
    then = await standing(front, signal_id, date(2026, 3, 20))

    assert (before.state, before.why, before.due_on) == ("to_decide", "new", date(2026, 3, 17))
    assert (meanwhile.state, meanwhile.why, meanwhile.due_on) == ("snoozed", None, date(2026, 3, 20))
    assert (then.state, then.why, then.due_on) == ("to_decide", "day_has_come", date(2026, 3, 20))


@pytest.mark.parametrize("decision", [None, "reject"])
async def test_what_is_not_seen_again_in_the_looks_of_so_many_weeks_expires(
    front: Front, signal_id: UUID, decision: str | None
) -> None:
    if decision is not None:
        await decided(front, signal_id, decision)
    nobody_looked = await standing(front, signal_id, date(2027, 1, 1))
    await looked(front, date(2026, 4, 24))
    a_day_early = await standing(front, signal_id, date(2027, 1, 1))
    await looked(front, date(2026, 4, 25))

    over = await standing(front, signal_id, date(2027, 1, 1))

    assert {nobody_looked.state, a_day_early.state} == {"silenced" if decision else "to_decide"}
    assert (over.state, over.expired_on, over.last_seen_on, over.due_on) == (
        "expired", date(2026, 4, 25), SEEN_ON, None,
    )  # fmt: skip


async def test_what_is_put_off_does_not_expire_before_its_day(front: Front, signal_id: UUID) -> None:
    await decided(front, signal_id, "defer", until=date(2026, 5, 20))
    await looked(front, date(2026, 5, 19))
    await looked(front, date(2026, 7, 15))

    assert (await standing(front, signal_id, date(2026, 5, 19))).state == "snoozed"
    assert (await standing(front, signal_id, date(2026, 5, 20))).state == "to_decide"
    assert (await standing(front, signal_id, date(2026, 7, 15))).state == "expired"


async def test_what_is_no_problem_comes_back_when_its_excess_has_grown(front: Front, signal_id: UUID) -> None:
    await decided(front, signal_id, "reject")
    await seen(front, signal_id, date(2026, 3, 14), 6)
    little = await standing(front, signal_id, date(2026, 3, 14))
    await seen(front, signal_id, date(2026, 3, 21), 7)
    await seen(front, signal_id, date(2026, 3, 28), 5)

    much = await standing(front, signal_id, date(2026, 3, 28))
    await decided(front, signal_id, "reject", on=date(2026, 3, 30))
    again = await standing(front, signal_id, date(2026, 3, 30))

    assert little.state == "silenced"
    assert (much.state, much.why, much.due_on) == ("to_decide", "grown", date(2026, 4, 4))
    assert again.state == "silenced"


async def test_a_known_cause_explains_no_more_than_it_explained(front: Front, signal_id: UUID) -> None:
    fix_id = await a_fix(front, signal_id, state="in_hand", at=DECIDED_ON)
    await decided(front, signal_id, "accept", fix=fix_id)
    before = await standing(front, signal_id, date(2026, 3, 20))
    await seen(front, signal_id, date(2026, 3, 21), 7)

    after = await standing(front, signal_id, date(2026, 3, 21))

    assert before.state == "taken_up"
    assert (after.state, after.why) == ("to_decide", "grown")


async def test_what_has_grown_under_an_open_fix_does_not_expire(front: Front, signal_id: UUID) -> None:
    fix_id = await a_fix(front, signal_id, state="in_hand", at=DECIDED_ON)
    await decided(front, signal_id, "accept", fix=fix_id)
    await seen(front, signal_id, date(2026, 3, 21), 7)
    await looked(front, date(2026, 9, 1))

    assert (await standing(front, signal_id, date(2026, 9, 1))).state == "to_decide"


async def test_a_signal_that_an_open_fix_took_in_waits_for_nobody(front: Front, signal_id: UUID) -> None:
    await a_fix(front, signal_id, state="in_hand", at=DECIDED_ON)

    assert (await standing(front, signal_id, date(2026, 3, 20))).state == "taken_up"


async def test_a_fix_of_its_own_keeps_a_signal_while_it_is_open(front: Front, signal_id: UUID) -> None:
    await a_fix(front, signal_id, state="monitored", at=DECIDED_ON)
    await decided(front, signal_id, "accept")
    await seen(front, signal_id, date(2026, 3, 21), 20)
    await looked(front, date(2026, 9, 1))

    assert (await standing(front, signal_id, date(2026, 9, 1))).state == "taken_up"


@pytest.mark.parametrize("end", ["abandoned", "closed"])
async def test_a_signal_whose_fix_has_ended_comes_back_when_it_is_seen_again(
    front: Front, signal_id: UUID, end: str
) -> None:
    await a_fix(front, signal_id, state=end, at=date(2026, 3, 10))
    await decided(front, signal_id, "accept")
    before = await standing(front, signal_id, date(2026, 3, 20))
    await seen(front, signal_id, date(2026, 3, 21), 5)

    await seen(front, signal_id, date(2026, 3, 28), 5)
    after = await standing(front, signal_id, date(2026, 3, 28))
    await decided(front, signal_id, "accept", on=date(2026, 3, 30))
    decided_again = await standing(front, signal_id, date(2026, 3, 30))

    assert before.state == "taken_up"
    assert (after.state, after.why, after.due_on) == ("to_decide", "fix_ended", date(2026, 4, 4))
    assert decided_again.state == "taken_up"


async def test_an_earlier_fix_that_has_ended_brings_nothing_back_while_another_is_open(
    front: Front, signal_id: UUID
) -> None:
    await a_fix(front, signal_id, state="closed", at=date(2026, 3, 10))
    await a_fix(front, signal_id, state="in_hand", at=date(2026, 3, 12))
    await decided(front, signal_id, "accept")
    await seen(front, signal_id, date(2026, 3, 21), 5)

    assert (await standing(front, signal_id, date(2026, 3, 21))).state == "taken_up"


async def test_the_weeks_that_led_to_a_fix_are_those_of_the_look_that_raised_its_signal_or_brought_it_back(
    front: Front, signal_id: UUID
) -> None:
    opened_by, linked = signal_id, await a_signal(front, began_week=date(2025, 10, 13))
    await seen(front, linked, SEEN_ON + timedelta(weeks=20), 9)

    async def raised() -> Raised | None:
        async with front.services.database.of("riverbend") as connection:
            return await began_and_raised(connection, [opened_by, linked])

    at_first = await raised()
    await decided(front, opened_by, "reject", SEEN_ON + timedelta(days=2))
    left_alone = await raised()
    back_on = SEEN_ON + timedelta(weeks=10)
    await seen(front, opened_by, back_on, 20)
    brought_back = await raised()

    assert at_first is not None
    assert (at_first.began_week, at_first.by) == (date(2025, 10, 13), four_weeks_to(SEEN_ON))
    assert left_alone == at_first
    assert brought_back is not None
    assert brought_back.by == four_weeks_to(back_on)


def four_weeks_to(as_of: date) -> tuple[date, date]:
    """Return the first and the last day of the four whole weeks that a look as of that day counts."""
    before = monday_of(as_of + timedelta(days=1))
    return before - timedelta(weeks=4), before - timedelta(days=1)
