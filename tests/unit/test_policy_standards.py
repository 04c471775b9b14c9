# SPDX-License-Identifier: Apache-2.0
"""Standards: the clock, the promise and the warning all take the same number."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from models.policy import parse_policy
from models.terms import ClockName, Track
from tests.unit.policy_texts import default_policy, spoiled

CHICAGO = ZoneInfo("America/Chicago")
RECEIVED_AT = datetime(2026, 3, 2, 10, tzinfo=CHICAGO)
POLICY = default_policy()


def due(clock: ClockName, track: Track | None = None, paused_days: int = 0) -> datetime:
    return POLICY.standards.of(clock, track).due_at(RECEIVED_AT, POLICY.calendar, paused_days=paused_days)


def test_every_clock_is_due_when_its_standard_says() -> None:
    assert due(ClockName.RECEIPT) == RECEIVED_AT + timedelta(minutes=1)
    assert due(ClockName.ACKNOWLEDGE) == datetime(2026, 3, 5, 17, tzinfo=CHICAGO)
    assert due(ClockName.ANSWER, Track.FRONTLINE) == datetime(2026, 3, 9, 17, tzinfo=CHICAGO)
    assert due(ClockName.ANSWER, Track.STANDARD) == datetime(2026, 3, 30, 17, tzinfo=CHICAGO)
    assert due(ClockName.ANSWER, Track.COMPLEX) == datetime(2026, 5, 1, 17, tzinfo=CHICAGO)


def test_before_a_track_is_chosen_the_answer_is_a_standard_one() -> None:
    assert due(ClockName.ANSWER) == due(ClockName.ANSWER, Track.STANDARD)


def test_a_track_matters_to_the_answer_alone() -> None:
    assert due(ClockName.ACKNOWLEDGE, Track.COMPLEX) == due(ClockName.ACKNOWLEDGE)


def test_days_paused_are_added() -> None:
    assert due(ClockName.ANSWER, Track.FRONTLINE, paused_days=5) == datetime(2026, 3, 16, 17, tzinfo=CHICAGO)


def test_the_explanation_counts_the_days_of_the_standard_and_of_the_pause() -> None:
    frontline = POLICY.standards.of(ClockName.ANSWER, Track.FRONTLINE)

    story = frontline.explain(RECEIVED_AT, POLICY.calendar, paused_days=2)

    assert story[-1].number == 7
    assert POLICY.standards.of(ClockName.RECEIPT).explain(RECEIVED_AT, POLICY.calendar) == ()


def test_owners_are_warned_as_many_open_days_before_as_the_standard_says() -> None:
    answer = POLICY.standards.of(ClockName.ANSWER)

    assert answer.warn_at(due(ClockName.ANSWER), POLICY.calendar) == datetime(2026, 3, 26, 8, 30, tzinfo=CHICAGO)
    assert POLICY.standards.of(ClockName.RECEIPT).warn_at(due(ClockName.RECEIPT), POLICY.calendar) is None


@pytest.mark.parametrize(("language", "part"), [("en", "within 3 business days"), ("es", "En 3 días hábiles")])
def test_the_promise_says_the_number_of_the_clock(language: str, part: str) -> None:
    promise = POLICY.standards.of(ClockName.ACKNOWLEDGE).promise_in(language)

    assert part.casefold() in promise.casefold()


def test_another_number_changes_clock_and_promise_together() -> None:
    changed = parse_policy(spoiled("service_standards.toml", "amount = 3\n", "amount = 4\n"))
    acknowledge = changed.standards.of(ClockName.ACKNOWLEDGE)

    assert acknowledge.due_at(RECEIVED_AT, changed.calendar) == datetime(2026, 3, 6, 17, tzinfo=CHICAGO)
    assert "4 business days" in acknowledge.promise_in("en")
