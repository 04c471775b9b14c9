# SPDX-License-Identifier: Apache-2.0
"""The accountable executive is told once of each signal nobody decides on, and of each fix that does not work."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.alerting import Alerts
from activities.letter_values import Links
from activities.mail import Mail, NotDeliveredYet
from activities.policies import Policies
from models.fixes.terms import FixAction
from tests.fix_record import an_opening, lived_fix, opened_fix
from tests.given_fixes import TO_THE_END, WORKED_OUT
from tests.record import Record

NOW = datetime(2026, 3, 20, 15, tzinfo=UTC)
DUE_ON = date(2026, 3, 16)
_SIGNAL = text("""
    INSERT INTO signal (id, agency, measure, code, began_week, raised_on, decide_by)
    VALUES (:id, 'riverbend', 'cause', 'HND3', '2026-02-02', '2026-03-01', :decide_by)
""")
_WEEK = text("""
    INSERT INTO signal_week (signal_id, as_of, agency, inputs_hash, observed, expected, threshold, p_value, q_value,
                             window_weeks, sentences, evidence)
    VALUES (:id, '2026-03-01', 'riverbend', 'x', 9, 2, 6, 0.001, 0.01, 4, ARRAY['Papers get lost.', 'It is sure.'],
            '{}')
""")
_LATER_WEEK = text("""
    INSERT INTO signal_week SELECT signal_id, date '2026-03-22', agency, inputs_hash, observed, expected, threshold,
        p_value, q_value, window_weeks, ARRAY['It is worse.'], evidence FROM signal_week WHERE signal_id = :id
""")
_DECISION = text("""
    INSERT INTO signal_decision (id, signal_id, agency, decision, reason, defer_until, decided_by, decided_at,
                                 command_key, request_hash)
    VALUES (gen_random_uuid(), :id, 'riverbend', :decision, 'because', :until, 'sue', '2026-03-14 12:00+00',
            gen_random_uuid()::text, '\\x00')
""")


@dataclass
class Executive:
    """A mailer that keeps what the executive is sent."""

    letters: list[Mail] = field(default_factory=list)
    is_away: bool = False

    async def send(self, mail: Mail) -> None:
        if self.is_away:
            raise NotDeliveredYet("away")
        self.letters.append(mail)


def alerts(engine: AsyncEngine, mailer: Executive, now: datetime = NOW) -> Alerts:
    return Alerts(
        engine,
        Policies(),
        mailer,
        mail_from="complaints@riverbend.example",
        links=Links("https://complaints.example"),
        clock=lambda: now,
    )


async def a_signal(engine: AsyncEngine, decide_by: date = DUE_ON) -> UUID:
    signal_id = uuid4()
    async with engine.begin() as connection:
        await connection.execute(_SIGNAL, {"id": signal_id, "decide_by": decide_by})
        await connection.execute(_WEEK, {"id": signal_id})
    return signal_id


async def decided(engine: AsyncEngine, signal_id: UUID, decision: str, until: date | None = None) -> None:
    async with engine.begin() as connection:
        await connection.execute(_DECISION, {"id": signal_id, "decision": decision, "until": until})


async def test_a_signal_undecided_past_its_date_is_told_of_once(
    worker_engine: AsyncEngine, owner_engine: AsyncEngine
) -> None:
    signal_id = await a_signal(owner_engine)
    executive = Executive()

    told = [await alerts(worker_engine, executive).tell_all() for _ in range(2)]

    assert told == [1, 0]
    (letter,) = executive.letters
    assert letter.recipients == ("commissioner@riverbend.example",)
    assert "Papers get lost.\n\nIt is sure." in letter.body
    assert "March 16, 2026" in letter.subject
    assert f"https://complaints.example/signals/{signal_id}" in letter.body
    async with owner_engine.connect() as connection:
        rows = [tuple(row) for row in await connection.execute(text("SELECT signal_id, due_on FROM signal_escalation"))]
    assert rows == [(signal_id, DUE_ON)]


@pytest.mark.parametrize("decide_by", [NOW.date(), NOW.date() + timedelta(days=3)])
async def test_a_signal_whose_day_has_not_passed_is_left_alone(
    worker_engine: AsyncEngine, owner_engine: AsyncEngine, decide_by: date
) -> None:
    await a_signal(owner_engine, decide_by)

    assert await alerts(worker_engine, Executive()).tell_all() == 0


async def test_a_decided_signal_is_left_alone_and_a_deferred_one_until_its_new_day_has_passed(
    worker_engine: AsyncEngine, owner_engine: AsyncEngine
) -> None:
    await decided(owner_engine, await a_signal(owner_engine), "reject")
    deferred = await a_signal(owner_engine)
    await decided(owner_engine, deferred, "defer", NOW.date() + timedelta(days=5))
    executive = Executive()

    assert await alerts(worker_engine, executive).tell_all() == 0
    assert await alerts(worker_engine, executive, NOW + timedelta(days=6)).tell_all() == 1


async def test_what_does_not_leave_today_leaves_another_day_under_the_same_message_id(
    worker_engine: AsyncEngine, owner_engine: AsyncEngine
) -> None:
    await a_signal(owner_engine)
    executive = Executive(is_away=True)
    assert await alerts(worker_engine, executive).tell_all() == 0

    executive.is_away = False
    assert await alerts(worker_engine, executive).tell_all() == 1


async def test_a_letter_that_goes_out_again_days_later_is_the_same_to_the_byte(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine
) -> None:
    signal_id = await a_signal(owner_engine)
    fix = await opened_fix(worker_engine, await an_opening(record))
    await lived_fix(worker_engine, fix, *WORKED_OUT, *TO_THE_END[:3], FixAction.FIND_NOT_EFFECTIVE)
    first, again = Executive(), Executive()
    await alerts(worker_engine, first).tell_all()
    async with owner_engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text("DELETE FROM fix_alert"))
        await connection.execute(text("DELETE FROM signal_escalation"))
        await connection.execute(_LATER_WEEK, {"id": signal_id})

    await alerts(worker_engine, again, NOW + timedelta(days=3)).tell_all()

    assert len(first.letters) == 2
    assert again.letters == first.letters


async def test_of_several_workers_one_writes(worker_engine: AsyncEngine, owner_engine: AsyncEngine) -> None:
    await a_signal(owner_engine)
    executive = Executive()

    await asyncio.gather(*(alerts(worker_engine, executive).tell_all() for _ in range(4)))

    assert len(executive.letters) == 1


@pytest.mark.parametrize("failure", [FixAction.FIND_NOT_EFFECTIVE, FixAction.RELAPSE])
async def test_a_fix_that_does_not_work_or_no_longer_does_is_told_of_once(
    record: Record, worker_engine: AsyncEngine, failure: FixAction
) -> None:
    fix = await opened_fix(worker_engine, await an_opening(record))
    way = TO_THE_END[:3] if failure is FixAction.FIND_NOT_EFFECTIVE else TO_THE_END
    await lived_fix(worker_engine, fix, *WORKED_OUT, *way, failure)
    executive = Executive()

    told = [await alerts(worker_engine, executive).tell_all() for _ in range(2)]

    assert told == [1, 0]
    (letter,) = executive.letters
    assert letter.subject == "A fix does not work: Papers get lost between two offices"
    assert "It works." in letter.body  # the sentence of the builder's effect
    assert f"/fixes/{fix.id}" in letter.body


async def test_words_that_the_policy_lacks_leave_the_others_at_work(
    worker_engine: AsyncEngine, owner_engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_signal(owner_engine)
    executive = Executive()

    def lacks(*_: object) -> None:
        raise LookupError("the policy has no such letter")

    with monkeypatch.context() as patched:
        patched.setattr("models.policy.Policy.letter", lacks)
        assert await alerts(worker_engine, executive).tell_all() == 0
    assert await alerts(worker_engine, executive).tell_all() == 1
