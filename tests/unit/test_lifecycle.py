# SPDX-License-Identifier: Apache-2.0
"""The process is one table: what is offered is granted, what is not offered is refused with a sentence."""

from __future__ import annotations

import functools
import itertools

import pytest

from models import lifecycle
from models.case import Case
from models.commands import Actor, Answer, ProposeAnswer, Triage
from models.lifecycle import TRANSITIONS
from models.refusals import (
    AlreadyDone,
    NeedsApproval,
    OutsideAuthority,
    PauseSpent,
    Refused,
    SamePerson,
    UnansweredIssue,
    UnknownIssue,
    UntaggedIssue,
    WrongRole,
    WrongState,
)
from models.terms import OPEN_STATES, STAFF_ROLES, Action, ClockName, Role, Stage, State, Track
from tests.given import ANN, BEN, COMPLAINANT, IVY, MONDAY, SUE, a_case_at, a_command, a_key, a_text, after

case_at = functools.cache(a_case_at)


def is_no_history(row: lifecycle.Transition) -> bool:
    return row.action is not Action.RECORD_AS_HISTORY


@pytest.mark.parametrize(("state", "action", "role"), list(itertools.product(State, Action, Role)))
def test_what_is_offered_is_granted_and_what_is_not_offered_is_refused(
    state: State, action: Action, role: Role
) -> None:
    case, actor = case_at(state), Actor(name=f"a-{role}", role=role)
    command = a_command(action, case, actor)
    if action in lifecycle.available(case, actor):
        event = lifecycle.decide(case, command, MONDAY)
        assert (event.source, event.sequence) == (state, case.sequence + 1)
        assert event.target is (lifecycle.row_of(state, action).target or state)
    else:
        with pytest.raises(Refused) as refused:
            lifecycle.decide(case, command, MONDAY)
        assert str(refused.value) == str(lifecycle.why_not(case, action, actor))


@pytest.mark.parametrize(("state", "role"), list(itertools.product(State, Role)))
def test_a_role_is_told_of_each_of_its_actions_whether_it_is_offered_or_why_not(state: State, role: Role) -> None:
    case, actor = case_at(state), Actor(name=f"a-{role}", role=role)
    offered, refused = set(lifecycle.available(case, actor)), lifecycle.refused(case, actor)

    assert offered.isdisjoint(refused)
    assert offered | refused.keys() == {row.action for row in TRANSITIONS if role in row.roles}


@pytest.mark.parametrize("action", Action)
def test_every_action_has_a_row(action: Action) -> None:
    assert [row for row in TRANSITIONS if row.action is action]


def test_an_action_makes_one_thing_of_a_state() -> None:
    places = [(row.action, source) for row in TRANSITIONS for source in row.sources]

    assert len(places) == len(set(places))


@pytest.mark.parametrize("state", State)
def test_every_state_is_reached_from_the_beginning(state: State) -> None:
    assert lifecycle.shortest_path(State.NEW, state) is not None


@pytest.mark.parametrize("state", State)
def test_every_state_can_reach_an_end(state: State) -> None:
    assert lifecycle.shortest_path(state, State.CLOSED) is not None


@pytest.mark.parametrize("state", sorted(OPEN_STATES - {State.NEW, State.RECEIVED}))
def test_people_alone_can_bring_an_open_complaint_to_its_end(state: State) -> None:
    path = lifecycle.shortest_path(state, State.CLOSED, of=lambda row: bool(row.roles & STAFF_ROLES))

    assert path


def test_there_is_no_way_back_to_the_beginning() -> None:
    with pytest.raises(LookupError, match="No lawful path leads from closed to new"):
        lifecycle.shortest_path(State.CLOSED, State.NEW)


def test_the_shortest_way_from_intake_to_closed_asks_for_five_things() -> None:
    path = lifecycle.shortest_path(State.NEW, State.CLOSED, of=is_no_history)

    assert [row.action for row in path] == [
        Action.RECEIVE,
        Action.SEND_RECEIPT,
        Action.TRIAGE,
        Action.ANSWER,
        Action.CLOSE,
    ]


@pytest.mark.parametrize("state", State)
def test_a_builders_case_stands_where_it_should(state: State) -> None:
    assert case_at(state).state is state


@pytest.mark.parametrize("state", State)
def test_the_complainant_is_told_of_every_state_in_few_words(state: State) -> None:
    assert 1 < len(lifecycle.phase_of(state).split()) < 10


@pytest.mark.parametrize("name", ClockName)
def test_every_clock_that_is_started_is_stopped(name: ClockName) -> None:
    assert [row for row in TRANSITIONS if name in row.starts]
    assert [row for row in TRANSITIONS if name in row.stops]


def test_a_clock_is_paused_only_where_it_can_be_resumed() -> None:
    pausing = next(row for row in TRANSITIONS if row.pauses)
    resuming = next(row for row in TRANSITIONS if row.resumes)

    assert pausing.pauses == resuming.resumes
    assert resuming.sources == {pausing.target}


@pytest.mark.parametrize("state", State)
def test_a_final_state_is_one_of_the_stage_closed(state: State) -> None:
    assert state.is_final is (state.stage is Stage.CLOSED)
    assert state.is_final is (state not in OPEN_STATES)


def test_roles_that_only_look_or_set_up_do_nothing_to_a_complaint() -> None:
    acting = {role for row in TRANSITIONS for role in row.roles}

    assert acting.isdisjoint({Role.ANALYST, Role.ADMINISTRATOR, Role.AUDITOR})


def test_the_wrong_state_is_named_in_the_refusal() -> None:
    said = r"^“Close” is for a complaint that is answered; this one is in triage\. First comes “Triage”\.$"
    with pytest.raises(WrongState, match=said):
        lifecycle.decide(case_at(State.IN_TRIAGE), a_command(Action.CLOSE, case_at(State.IN_TRIAGE)), MONDAY)


def test_the_wrong_role_is_told_whose_business_it_is() -> None:
    case = case_at(State.AWAITING_APPROVAL)

    with pytest.raises(WrongRole, match="“Approve the answer” is for the supervisor; you act as caseworker"):
        lifecycle.decide(case, a_command(Action.APPROVE, case, ANN), MONDAY)


def test_an_answer_is_approved_by_another_person_than_its_proposer() -> None:
    case = after(case_at(State.IN_RESOLUTION), a_command(Action.PROPOSE_ANSWER, case_at(State.IN_RESOLUTION), SUE))

    assert isinstance(lifecycle.why_not(case, Action.APPROVE, SUE), SamePerson)
    assert isinstance(lifecycle.why_not(case, Action.SEND_BACK, SUE), SamePerson)
    assert lifecycle.why_not(case, Action.APPROVE, Actor(name="sam", role=Role.SUPERVISOR)) is None


def test_where_the_policy_asks_for_four_eyes_nobody_answers_alone() -> None:
    triage = a_command(Action.TRIAGE, case_at(State.IN_TRIAGE))
    case = after(case_at(State.IN_TRIAGE), triage.model_copy(update={"approval_required": True}))

    assert isinstance(lifecycle.why_not(case, Action.ANSWER, ANN), NeedsApproval)
    assert lifecycle.why_not(case, Action.PROPOSE_ANSWER, ANN) is None


def test_the_intake_desk_settles_frontline_complaints_only() -> None:
    triage = a_command(Action.TRIAGE, case_at(State.IN_TRIAGE))
    frontline = after(case_at(State.IN_TRIAGE), triage.model_copy(update={"track": Track.FRONTLINE}))

    assert lifecycle.why_not(frontline, Action.ANSWER, IVY) is None
    assert isinstance(lifecycle.why_not(case_at(State.IN_RESOLUTION), Action.ANSWER, IVY), OutsideAuthority)


def test_a_complaint_is_acknowledged_personally_once() -> None:
    case = after(case_at(State.IN_TRIAGE), a_command(Action.ACKNOWLEDGE, case_at(State.IN_TRIAGE)))

    assert isinstance(lifecycle.why_not(case, Action.ACKNOWLEDGE, BEN), AlreadyDone)


def a_case_asked_once() -> Case:
    waiting = case_at(State.WAITING_FOR_COMPLAINANT)
    return after(waiting, a_command(Action.RECORD_INFORMATION, waiting, COMPLAINANT))


def test_the_clock_is_paused_once_only() -> None:
    assert isinstance(lifecycle.why_not(a_case_asked_once(), Action.REQUEST_INFORMATION, ANN), PauseSpent)


def test_a_review_may_pause_its_own_clock_once() -> None:
    case = after(a_case_asked_once(), a_command(Action.WITHDRAW, a_case_asked_once()))
    review = after(case, a_command(Action.REOPEN, case))
    asked = after(review, a_command(Action.REQUEST_INFORMATION, review))
    answered = after(asked, a_command(Action.RECORD_INFORMATION, asked))

    assert isinstance(lifecycle.why_not(answered, Action.REQUEST_INFORMATION, ANN), PauseSpent)


def test_a_complaint_without_a_root_cause_cannot_be_closed() -> None:
    refused = lifecycle.why_not(case_at(State.ANSWERED), Action.CLOSE, ANN)

    assert isinstance(refused, UntaggedIssue)
    assert str(refused).startswith("Issue 1 is without a root cause")


def test_an_answer_speaks_to_every_issue_once_and_to_no_other() -> None:
    triage = a_command(Action.TRIAGE, case_at(State.IN_TRIAGE))
    assert isinstance(triage, Triage)
    second = triage.issues[0].model_copy(update={"number": 2})
    case = after(case_at(State.IN_TRIAGE), triage.model_copy(update={"issues": (*triage.issues, second)}))
    whole = a_command(Action.ANSWER, case)
    assert isinstance(whole, Answer)
    first, other = whole.issues

    assert lifecycle.decide(case, whole, MONDAY).target is State.ANSWERED
    for issues, refusal in (
        ((first,), UnansweredIssue),
        ((first, first), UnknownIssue),
        ((first, other, other.model_copy(update={"number": 3})), UnknownIssue),
    ):
        with pytest.raises(refusal):
            lifecycle.decide(case, whole.model_copy(update={"issues": issues, "key": a_key()}), MONDAY)
        proposal = ProposeAnswer(actor=ANN, key=a_key(), text=a_text(), issues=issues)
        with pytest.raises(refusal):
            lifecycle.decide(case, proposal, MONDAY)


@pytest.mark.parametrize("numbers", [(2,), (1, 3), (1, 1), (2, 1)])
def test_issues_are_numbered_in_order(numbers: tuple[int, ...]) -> None:
    triage = a_command(Action.TRIAGE, case_at(State.IN_TRIAGE))
    assert isinstance(triage, Triage)
    issues = tuple(triage.issues[0].model_copy(update={"number": number}) for number in numbers)

    with pytest.raises(UnknownIssue, match="Number the issues"):
        lifecycle.decide(case_at(State.IN_TRIAGE), triage.model_copy(update={"issues": issues}), MONDAY)


def test_a_root_cause_is_said_of_an_issue_that_is_there() -> None:
    tag = a_command(Action.TAG_ROOT_CAUSE, case_at(State.ANSWERED))
    wrong = tag.issues[0].model_copy(update={"number": 4})  # type: ignore[union-attr]  # the builder's tag has issues

    with pytest.raises(UnknownIssue, match="Issue 4 is not in this complaint, which has 1"):
        lifecycle.decide(case_at(State.ANSWERED), tag.model_copy(update={"issues": (wrong,)}), MONDAY)


def test_an_assignment_to_nobody_is_refused() -> None:
    nobody = a_command(Action.ASSIGN, case_at(State.IN_TRIAGE)).model_copy(update={"owner": None})

    with pytest.raises(Refused, match="Say to whom"):
        lifecycle.decide(case_at(State.IN_TRIAGE), nobody, MONDAY)


def test_a_complaint_is_not_its_own_duplicate() -> None:
    case = case_at(State.IN_TRIAGE)
    itself = a_command(Action.MARK_DUPLICATE, case).model_copy(update={"duplicate_of": case.id})

    with pytest.raises(Refused, match="its own duplicate"):
        lifecycle.decide(case, itself, MONDAY)


def test_a_deadline_is_noted_once() -> None:
    case = case_at(State.IN_TRIAGE)
    note = a_command(Action.ESCALATE, case)

    with pytest.raises(AlreadyDone):
        lifecycle.decide(after(case, note), note.model_copy(update={"key": a_key()}), MONDAY)


def a_review() -> Case:
    """Ann answered; the complainant is not satisfied."""
    closed = case_at(State.CLOSED)
    return after(closed, a_command(Action.REOPEN, closed, COMPLAINANT))


@pytest.mark.parametrize("action", [Action.ANSWER, Action.PROPOSE_ANSWER])
def test_a_review_is_for_a_different_person(action: Action) -> None:
    assert isinstance(lifecycle.why_not(a_review(), action, ANN), SamePerson)
    assert lifecycle.why_not(a_review(), action, BEN) is None


@pytest.mark.parametrize("action", [Action.ASSIGN, Action.TRIAGE])
def test_a_review_is_not_given_to_who_answered_before(action: Action) -> None:
    command = a_command(action, a_review()).model_copy(update={"owner": "ann"})

    with pytest.raises(SamePerson):
        lifecycle.decide(a_review(), command, MONDAY)


def test_who_answered_before_is_not_named_as_reviewer() -> None:
    closed = case_at(State.CLOSED)
    command = a_command(Action.REOPEN, closed).model_copy(update={"reviewer": "ann"})

    with pytest.raises(SamePerson):
        lifecycle.decide(closed, command, MONDAY)
    by_ben = lifecycle.decide(closed, command.model_copy(update={"reviewer": "ben"}), MONDAY)
    assert by_ben.target is State.IN_RESOLUTION


def test_who_approved_the_first_answer_may_not_approve_the_review() -> None:
    proposed = case_at(State.AWAITING_APPROVAL)
    answered = after(proposed, a_command(Action.APPROVE, proposed, SUE))
    case = after(answered, a_command(Action.TAG_ROOT_CAUSE, answered), a_command(Action.CLOSE, answered))
    review = after(case, a_command(Action.REOPEN, case, COMPLAINANT))
    proposed_again = after(review, a_command(Action.PROPOSE_ANSWER, review, BEN))

    assert isinstance(lifecycle.why_not(proposed_again, Action.APPROVE, SUE), SamePerson)


def test_an_imported_closed_complaint_is_recorded_in_one_step() -> None:
    case = after(case_at(State.NEW), a_command(Action.RECORD_AS_HISTORY, case_at(State.NEW)))

    assert (case.state, case.sequence, case.is_history) == (State.CLOSED, 1, True)
