# SPDX-License-Identifier: Apache-2.0
"""Which letters an event causes, and to whom."""

from __future__ import annotations

from datetime import datetime

import pytest

from models import lifecycle
from models.case import Case
from models.commands import SYSTEM, Escalate
from models.letters import LetterKind
from models.outgoing import Outgoing, Recipient, letters_of
from models.story import apply
from models.terms import Action, ClockName, State, Track
from tests.given import MONDAY, a_case_at, a_command, a_key


def letters(state: State, action: Action, **facts: object) -> tuple[Outgoing, ...]:
    return letters_from(a_case_at(state, **facts), action)


def letters_from(case: Case, action: Action) -> tuple[Outgoing, ...]:
    event = lifecycle.decide(case, a_command(action, case), MONDAY)
    return letters_of(event, case, apply(case, event))


@pytest.mark.parametrize(
    ("state", "action", "letter", "recipient"),
    [
        (State.RECEIVED, Action.SEND_RECEIPT, LetterKind.RECEIPT, Recipient.COMPLAINANT),
        (State.IN_TRIAGE, Action.ACKNOWLEDGE, LetterKind.ACKNOWLEDGEMENT, Recipient.COMPLAINANT),
        (State.IN_RESOLUTION, Action.REQUEST_INFORMATION, LetterKind.INFORMATION_REQUEST, Recipient.COMPLAINANT),
        (State.IN_RESOLUTION, Action.ANSWER, LetterKind.ANSWER, Recipient.COMPLAINANT),
        (State.AWAITING_APPROVAL, Action.APPROVE, LetterKind.ANSWER, Recipient.COMPLAINANT),
        (State.IN_RESOLUTION, Action.WITHDRAW, LetterKind.WITHDRAWN, Recipient.COMPLAINANT),
        (State.IN_RESOLUTION, Action.MARK_DUPLICATE, LetterKind.DUPLICATE, Recipient.COMPLAINANT),
        (State.CLOSED, Action.REOPEN, LetterKind.REOPENED, Recipient.COMPLAINANT),
        (State.IN_TRIAGE, Action.WARN_OF_DEADLINE, LetterKind.DEADLINE_WARNING, Recipient.OWNER),
    ],
)
def test_an_event_causes_its_letter(state: State, action: Action, letter: LetterKind, recipient: Recipient) -> None:
    (sent,) = letters(state, action, can_be_written_to=True)

    assert (sent.letter, sent.recipient) == (letter, recipient)


@pytest.mark.parametrize(
    ("state", "action"),
    [
        (State.NEW, Action.RECEIVE),
        (State.NEW, Action.RECORD_AS_HISTORY),
        (State.IN_TRIAGE, Action.TRIAGE),
        (State.IN_TRIAGE, Action.NOTE),
        (State.IN_RESOLUTION, Action.ASSIGN),
        (State.IN_RESOLUTION, Action.PROPOSE_ANSWER),
        (State.AWAITING_APPROVAL, Action.SEND_BACK),
        (State.ANSWERED, Action.TAG_ROOT_CAUSE),
    ],
)
def test_what_happens_inside_writes_to_nobody(state: State, action: Action) -> None:
    assert letters(state, action, can_be_written_to=True) == ()


def test_a_late_answer_is_told_to_the_complainant_too_and_what_else_is_late_to_supervisors_only() -> None:
    case = a_case_at(State.IN_RESOLUTION, can_be_written_to=True)

    def told(clock: ClockName) -> list[tuple[LetterKind, Recipient]]:
        event = lifecycle.decide(case, Escalate(actor=SYSTEM, key=a_key(), clock=clock, due_at=MONDAY), MONDAY)
        return [(letter.letter, letter.recipient) for letter in letters_of(event, case, apply(case, event))]

    supervisors = (LetterKind.ESCALATION, Recipient.SUPERVISORS)
    assert told(ClockName.ANSWER) == [supervisors, (LetterKind.LATE, Recipient.COMPLAINANT)]
    assert told(ClockName.ACKNOWLEDGE) == [supervisors]


def test_another_date_for_the_answer_is_told_to_whoever_was_told_one() -> None:
    case = a_case_at(State.IN_RESOLUTION, can_be_written_to=True)
    triage = a_command(Action.TRIAGE, case)
    other = next(track for track in Track if track is not case.track)

    def told(before: Case, track: Track) -> list[LetterKind]:
        event = lifecycle.decide(before, triage.model_copy(update={"track": track}), MONDAY)
        return [letter.letter for letter in letters_of(event, before, apply(before, event))]

    acknowledged = case.model_copy(update={"acknowledged_at": MONDAY})
    assert told(acknowledged, other) == [LetterKind.PROGRESS]
    assert told(acknowledged, case.track) == []
    assert told(case.model_copy(update={"acknowledged_at": None}), other) == []
    assert told(acknowledged.model_copy(update={"review_round": 1}), other) == []


def test_who_left_no_address_is_not_written_to_and_staff_are() -> None:
    assert letters(State.IN_RESOLUTION, Action.ANSWER) == ()
    assert len(letters(State.IN_RESOLUTION, Action.ESCALATE)) == 1


def test_an_import_sends_no_receipt_but_its_answer_is_sent() -> None:
    assert letters(State.RECEIVED, Action.SEND_RECEIPT, is_imported=True, can_be_written_to=True) == ()
    assert len(letters(State.IN_RESOLUTION, Action.ANSWER, is_imported=True, can_be_written_to=True)) == 1


def test_who_was_brought_in_by_an_import_is_told_of_a_late_answer_only_if_a_date_was_told_them() -> None:
    brought_in = a_case_at(State.IN_RESOLUTION, is_imported=True, can_be_written_to=True)
    late = Escalate(actor=SYSTEM, key=a_key(), clock=ClockName.ANSWER, due_at=MONDAY)

    def told(acknowledged_at: datetime | None) -> bool:
        case = brought_in.model_copy(update={"acknowledged_at": acknowledged_at})
        event = lifecycle.decide(case, late, MONDAY)
        return LetterKind.LATE in [letter.letter for letter in letters_of(event, case, apply(case, event))]

    assert not told(None)
    assert told(MONDAY)


def test_the_same_event_causes_the_same_letter_however_often_it_is_asked() -> None:
    case = a_case_at(State.IN_RESOLUTION, can_be_written_to=True)
    first, second = letters_from(case, Action.ANSWER), letters_from(case, Action.ANSWER)

    assert first == second
    assert first[0].message_id("example.gov") == f"<{first[0].id}@example.gov>"


def test_letters_of_different_events_have_different_ids() -> None:
    case = a_case_at(State.IN_RESOLUTION, can_be_written_to=True)
    warned = apply(case, lifecycle.decide(case, a_command(Action.WARN_OF_DEADLINE, case), MONDAY))

    assert letters_from(case, Action.ANSWER)[0].id != letters_from(warned, Action.ANSWER)[0].id
