# SPDX-License-Identifier: Apache-2.0
"""Due dates are computed from the case, its standards and the calendar, and can explain themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from models.case import Case
from models.clocks import (
    Clock,
    Rules,
    clocks_of,
    customer_days,
    next_due,
    next_moment,
    pause_until,
    review_until,
    rules_for,
)
from models.commands import Escalate, Triage, WarnOfDeadline
from models.terms import Action, ClockName, State, Track
from tests.given import COMPLAINANT, MONDAY, a_case_at, a_command, a_policy, after

POLICY = a_policy()
RULES = rules_for(POLICY.standards, POLICY.calendar, around=MONDAY, until=MONDAY)
CALENDAR = RULES.calendar
A_LONG_TIME = timedelta(days=365)


def clock_of(case: Case, name: ClockName, rules: Rules = RULES) -> Clock:
    return next(clock for clock in reversed(clocks_of(case, rules)) if clock.name is name)


def working_days_after(start_at: datetime, days: int) -> datetime:
    return CALENDAR.add_working_days(start_at, days)


@pytest.mark.parametrize(
    ("name", "days"), [(ClockName.ACKNOWLEDGE, 3), (ClockName.ANSWER, 20)], ids=["acknowledge", "answer"]
)
def test_a_promise_in_business_days_is_due_at_the_close_of_the_last(name: ClockName, days: int) -> None:
    assert clock_of(a_case_at(State.IN_TRIAGE), name).due_at == working_days_after(MONDAY, days)


def test_the_receipt_is_due_within_a_minute() -> None:
    assert clock_of(a_case_at(State.RECEIVED), ClockName.RECEIPT).due_at == MONDAY + timedelta(minutes=1)


@pytest.mark.parametrize("track", Track)
def test_the_track_chosen_at_triage_sets_the_answers_length(track: Track) -> None:
    case = a_case_at(State.IN_TRIAGE)
    triage = a_command(Action.TRIAGE, case)
    assert isinstance(triage, Triage)
    standard = POLICY.standards.of(ClockName.ANSWER, track)

    triaged = after(case, triage.model_copy(update={"track": track}))

    assert clock_of(triaged, ClockName.ANSWER).due_at == CALENDAR.due_at(MONDAY, standard.amount, standard.unit)


def test_the_explanation_ends_on_the_due_day_and_names_what_was_not_counted() -> None:
    clock = clock_of(a_case_at(State.IN_TRIAGE), ClockName.ANSWER)
    days = clock.explain(CALENDAR)

    assert days[-1].on == CALENDAR.local_date(clock.due_at)
    assert [day.number for day in days if day.counted] == list(range(1, 21))
    assert any("Saturday" in day.sentence for day in days)


def test_what_is_not_counted_while_we_wait_is_added_at_the_end() -> None:
    waiting = a_case_at(State.WAITING_FOR_COMPLAINANT)
    replied_at = working_days_after(MONDAY, 5)
    case = after(waiting, a_command(Action.RECORD_INFORMATION, waiting, COMPLAINANT), at=replied_at)

    clock = clock_of(case, ClockName.ANSWER)

    assert (clock.paused_days, clock.paused_since) == (5, None)
    assert clock.due_at == working_days_after(MONDAY, 25)
    assert len([day for day in clock.explain(CALENDAR) if day.counted]) == 25


def test_a_pause_ends_by_itself() -> None:
    waiting = a_case_at(State.WAITING_FOR_COMPLAINANT)
    at_most = POLICY.standards.pause.at_most_working_days
    late = after(
        waiting, a_command(Action.RECORD_INFORMATION, waiting, COMPLAINANT), at=working_days_after(MONDAY, at_most + 9)
    )

    assert pause_until(MONDAY, RULES) == working_days_after(MONDAY, at_most)
    assert clock_of(late, ClockName.ANSWER).due_at == working_days_after(MONDAY, 20 + at_most)


def test_while_we_wait_the_due_date_allows_for_the_longest_pause() -> None:
    clock = clock_of(a_case_at(State.WAITING_FOR_COMPLAINANT), ClockName.ANSWER)

    assert clock.paused_since == MONDAY
    assert clock.due_at == working_days_after(MONDAY, 20 + POLICY.standards.pause.at_most_working_days)


def test_a_pause_of_the_first_answer_does_not_lengthen_the_review() -> None:
    waiting = a_case_at(State.WAITING_FOR_COMPLAINANT)
    withdrawn = after(waiting, a_command(Action.WITHDRAW, waiting), at=working_days_after(MONDAY, 4))
    reopened_at = working_days_after(MONDAY, 6)
    review = after(withdrawn, a_command(Action.REOPEN, withdrawn), at=reopened_at)

    assert clock_of(review, ClockName.REVIEW).due_at == working_days_after(reopened_at, 20)


def test_the_customers_clock_never_stops_before_the_answer() -> None:
    waiting = a_case_at(State.WAITING_FOR_COMPLAINANT)
    answered = a_case_at(State.ANSWERED)

    assert customer_days(waiting, MONDAY + timedelta(days=33)) == 33
    assert customer_days(answered, MONDAY + timedelta(days=33)) == 0


def test_a_clock_is_overdue_once_its_time_has_passed_and_stays_so_if_it_stopped_late() -> None:
    case = a_case_at(State.IN_TRIAGE)
    running = clock_of(case, ClockName.ACKNOWLEDGE)
    late = after(case, a_command(Action.ACKNOWLEDGE, case), at=running.due_at + timedelta(minutes=1))

    assert not running.is_overdue(running.due_at)
    assert running.is_overdue(running.due_at + timedelta(seconds=1))
    assert clock_of(late, ClockName.ACKNOWLEDGE).is_overdue(MONDAY)


def test_what_is_due_first_comes_first_and_a_closed_case_owes_nothing() -> None:
    due = next_due(a_case_at(State.IN_TRIAGE), RULES)

    assert due is not None
    assert due.name is ClockName.ACKNOWLEDGE
    assert next_due(a_case_at(State.CLOSED), RULES) is None


def test_the_moments_of_a_case_are_a_warning_and_then_a_missed_deadline_for_each_clock() -> None:
    case, told = a_case_at(State.IN_TRIAGE), []
    while (moment := next_moment(case, RULES)) is not None:
        told.append((type(moment.command), moment.command.clock))  # type: ignore[union-attr]  # moments name a clock
        case = after(case, moment.command, at=moment.at)

    assert told == [
        (WarnOfDeadline, ClockName.ACKNOWLEDGE),
        (Escalate, ClockName.ACKNOWLEDGE),
        (WarnOfDeadline, ClockName.ANSWER),
        (Escalate, ClockName.ANSWER),
    ]


def test_a_missed_deadline_that_is_noted_is_not_warned_of_afterwards() -> None:
    case = a_case_at(State.IN_TRIAGE)
    due_at = clock_of(case, ClockName.ACKNOWLEDGE).due_at
    missed = a_command(Action.ESCALATE, case).model_copy(update={"clock": ClockName.ACKNOWLEDGE, "due_at": due_at})

    moment = next_moment(after(case, missed, at=due_at), RULES)

    assert moment is not None
    assert moment.command.clock is ClockName.ANSWER  # type: ignore[union-attr]  # moments name a clock


def test_a_due_date_that_moves_is_watched_anew_under_another_key() -> None:
    case = a_case_at(State.WAITING_FOR_COMPLAINANT)
    acknowledged = after(case, a_command(Action.ACKNOWLEDGE, case))
    first = next_moment(acknowledged, RULES)
    replied = after(acknowledged, a_command(Action.RECORD_INFORMATION, case), at=MONDAY + timedelta(days=1))
    second = next_moment(replied, RULES)

    assert first is not None
    assert second is not None
    assert second.at < first.at
    assert second.command.key != first.command.key


def test_an_import_says_nothing_of_deadlines_that_passed_before_it_came() -> None:
    came_at = MONDAY + A_LONG_TIME
    case = a_case_at(State.IN_TRIAGE, is_imported=True, accepted_at=came_at)

    assert next_due(case, RULES) is not None
    assert next_moment(case, RULES) is None


def test_a_review_may_be_asked_for_some_time_after_closing() -> None:
    closed = a_case_at(State.CLOSED)

    assert review_until(closed, RULES) == MONDAY + timedelta(days=POLICY.standards.review_window_calendar_days)
    assert review_until(a_case_at(State.ANSWERED), RULES) is None


def test_where_nobody_knows_when_it_was_closed_nobody_knows_until_when_to_review() -> None:
    case = a_case_at(State.NEW)
    history = after(case, a_command(Action.RECORD_AS_HISTORY, case))

    assert review_until(history, RULES) is None


def test_the_rules_that_travel_are_small_and_compute_the_same() -> None:
    whole = Rules(standards=POLICY.standards, calendar=POLICY.calendar)
    case = a_case_at(State.WAITING_FOR_COMPLAINANT)

    assert len(RULES.model_dump_json()) < 10_000
    assert [clock.due_at for clock in clocks_of(case, RULES)] == [clock.due_at for clock in clocks_of(case, whole)]


def test_summer_time_moves_no_close_of_business() -> None:
    friday_before = datetime(2026, 3, 6, 15, 0, tzinfo=UTC)
    case = a_case_at(State.IN_TRIAGE, received_at=friday_before)

    assert clock_of(case, ClockName.ACKNOWLEDGE).due_at == working_days_after(friday_before, 3)
    assert clock_of(case, ClockName.ACKNOWLEDGE).due_at.astimezone(CALENDAR._zone).hour == (
        working_days_after(MONDAY, 1).astimezone(CALENDAR._zone).hour
    )
