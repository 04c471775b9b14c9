# SPDX-License-Identifier: Apache-2.0
"""Counts as differences: what a case adds to queues and weekly cells follows from the case alone."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from uuid import uuid4

import pytest

from models.aggregates import ON_THE_SPOT, UNKNOWN, Cell, cells_of, changes, monday_of, queues_of
from models.case import Case
from models.commands import IssueTag, NoFailure, Triage
from models.terms import Action, ClockName, Stage, State
from tests.given import BEN, MONDAY, a_case_at, a_command, after

EVENT = uuid4()
USUAL = a_case_at(State.IN_RESOLUTION)
"""A case as the builders make it: its team, service and category are the ones to expect."""


@pytest.mark.parametrize("state", sorted(set(State) - {State.NEW}))
def test_a_case_stands_in_the_queue_of_its_stage_while_it_is_open(state: State) -> None:
    queues = queues_of(a_case_at(state))

    assert ("open" in queues) is not state.is_final
    assert {f"stage/{stage}" for stage in Stage} & queues == (set() if state.is_final else {f"stage/{state.stage}"})


def test_a_bare_receipt_stands_in_no_queue() -> None:
    assert queues_of(a_case_at(State.NEW, event_id=EVENT)) == frozenset()


def test_an_open_case_stands_with_its_team_and_its_owner() -> None:
    assert {f"team/{USUAL.team}/open", f"owner/{USUAL.owner}/open"} <= queues_of(a_case_at(State.IN_RESOLUTION))


def test_a_case_with_a_missed_deadline_is_late_until_its_clock_stops() -> None:
    case = a_case_at(State.IN_RESOLUTION)
    late = after(case, a_command(Action.ESCALATE, case).model_copy(update={"clock": ClockName.ANSWER}))

    assert {"late", f"team/{USUAL.team}/late"} <= queues_of(late)
    assert "late" not in queues_of(after(late, a_command(Action.ANSWER, late)))


def test_what_the_first_answer_missed_makes_no_review_late() -> None:
    case = a_case_at(State.ANSWERED)
    late = after(case, a_command(Action.ESCALATE, case).model_copy(update={"clock": ClockName.TAG_AND_CLOSE}))
    assert "late" in queues_of(late)
    again = late
    for action in (Action.TAG_ROOT_CAUSE, Action.CLOSE, Action.REOPEN, Action.ANSWER):
        actor = BEN if action is Action.ANSWER else None
        again = after(again, a_command(action, again, actor), at=MONDAY + timedelta(days=90))

    assert again.clock(ClockName.TAG_AND_CLOSE) != late.clock(ClockName.TAG_AND_CLOSE)
    assert "late" not in queues_of(again)


def test_a_case_without_a_team_stands_with_none() -> None:
    assert not any(queue.startswith("team/") for queue in queues_of(USUAL.model_copy(update={"team": None})))


def test_a_warning_makes_no_case_late() -> None:
    case = a_case_at(State.IN_RESOLUTION)

    assert "late" not in queues_of(after(case, a_command(Action.WARN_OF_DEADLINE, case)))


@pytest.mark.parametrize(("hours", "is_on_the_spot"), [(1, True), (12, True), (13, False)])
def test_a_problem_solving_day_counts_what_was_solved_on_the_spot(hours: int, *, is_on_the_spot: bool) -> None:
    case = a_case_at(State.IN_RESOLUTION, event_id=EVENT)
    answered = after(case, a_command(Action.ANSWER, case), at=MONDAY + timedelta(hours=hours))

    assert f"event/{EVENT}/taken_in" in queues_of(answered)
    assert (f"event/{EVENT}/solved_on_the_spot" in queues_of(answered)) is is_on_the_spot
    assert timedelta(hours=12) == ON_THE_SPOT


def test_what_was_taken_in_at_an_event_stays_counted_when_it_is_closed() -> None:
    assert queues_of(a_case_at(State.CLOSED, event_id=EVENT)) == {
        f"event/{EVENT}/taken_in",
        f"event/{EVENT}/solved_on_the_spot",
    }


def a_cell(measure: str, code: str, **other: object) -> Cell:
    known = {"service": USUAL.service, "office": UNKNOWN, "channel": "web"} | other
    return Cell(measure, code, week=date(2026, 3, 2), **known)  # type: ignore[arg-type]  # the test names a measure


def test_an_intake_category_counts_from_receipt_on() -> None:
    assert cells_of(a_case_at(State.RECEIVED)) == {a_cell("intake", str(USUAL.category)): 1}


def test_a_cause_counts_when_a_person_has_coded_it() -> None:
    answered = a_case_at(State.ANSWERED)
    coded = after(answered, a_command(Action.TAG_ROOT_CAUSE, answered))

    assert cells_of(coded) - cells_of(answered) == {a_cell("cause", "HND3", harm=2): 1}


def test_a_reason_why_nothing_failed_adds_to_no_cause() -> None:
    answered = a_case_at(State.ANSWERED)
    tag = a_command(Action.TAG_ROOT_CAUSE, answered)
    nothing = tag.model_copy(update={"issues": (IssueTag(number=1, cause=NoFailure(reason="N1")),)})

    assert cells_of(after(answered, nothing)) == cells_of(answered)


def test_what_is_known_of_the_persons_circumstances_counts_with_every_issue_from_triage_on() -> None:
    case = a_case_at(State.IN_TRIAGE)
    triaged = after(case, a_command(Action.TRIAGE, case).model_copy(update={"vulnerable": True}))
    answered = after(triaged, a_command(Action.ANSWER, triaged))
    coded = after(answered, a_command(Action.TAG_ROOT_CAUSE, answered))

    assert set(changes(cells_of(case), cells_of(triaged))) == {
        (a_cell("intake", str(USUAL.category)), -1),
        (a_cell("intake", str(USUAL.category), vulnerable=True), 1),
    }
    assert cells_of(coded) - cells_of(answered) == {a_cell("cause", "HND3", harm=2, vulnerable=True): 1}


def test_triage_moves_the_count_to_where_it_belongs() -> None:
    case = a_case_at(State.IN_TRIAGE)
    triage = a_command(Action.TRIAGE, case)
    assert isinstance(triage, Triage)
    moved = triage.issues[0].model_copy(update={"service": "permits", "category": "error"})
    triaged = after(case, triage.model_copy(update={"issues": (moved,), "office": "north"}))

    assert set(changes(cells_of(case), cells_of(triaged))) == {
        (a_cell("intake", str(USUAL.category)), -1),
        (a_cell("intake", "error", service="permits", office="north"), 1),
    }


def test_a_duplicate_is_counted_once_in_the_other_case_and_not_here() -> None:
    assert cells_of(a_case_at(State.DUPLICATE)) == Counter()


def test_a_review_takes_the_cause_out_until_it_is_coded_again() -> None:
    closed = a_case_at(State.CLOSED)
    review = after(closed, a_command(Action.REOPEN, closed))

    assert changes(cells_of(closed), cells_of(review)) == [(a_cell("cause", "HND3", harm=2), -1)]


def test_a_complaint_without_a_date_is_in_no_week() -> None:
    assert cells_of(a_case_at(State.CLOSED, received_on=None)) == Counter()


def test_history_counts_as_intake_and_in_no_cause() -> None:
    case = a_case_at(State.NEW)
    history = after(case, a_command(Action.RECORD_AS_HISTORY, case))

    assert {cell.measure for cell in cells_of(history)} == {"intake"}


@pytest.mark.parametrize(("day", "monday"), [(2, 2), (4, 2), (8, 2), (9, 9)])
def test_a_week_begins_on_monday(day: int, monday: int) -> None:
    assert monday_of(date(2026, 3, day)) == date(2026, 3, monday)


def test_what_did_not_change_is_no_change() -> None:
    assert changes(Counter(a=1, b=2), Counter(b=2, c=1)) == [("c", 1), ("a", -1)]


def test_a_case_of_two_issues_counts_for_each() -> None:
    case: Case = a_case_at(State.IN_TRIAGE)
    triage = a_command(Action.TRIAGE, case)
    assert isinstance(triage, Triage)
    second = triage.issues[0].model_copy(update={"number": 2})

    triaged = after(case, triage.model_copy(update={"issues": (*triage.issues, second)}))

    assert cells_of(triaged) == {a_cell("intake", str(USUAL.category)): 2}
