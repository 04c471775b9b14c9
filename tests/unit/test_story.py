# SPDX-License-Identifier: Apache-2.0
"""What events make of a case."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models import lifecycle, story
from models.case import Case, ClockRun
from models.commands import Approve, Assign, NoFailure, Triage
from models.events import GENESIS_HASH, Event, chained
from models.messages import sha256
from models.story import apply, fold
from models.taxonomy import Taxonomy
from models.terms import Action, ClockName, Finding, State
from tests.given import ANN, BEN, COMPLAINANT, MONDAY, SUE, a_case_at, a_command, a_key, a_policy, a_text, after

LATER = MONDAY + timedelta(days=2)


def running(case: Case) -> set[ClockName]:
    return {run.name for run in case.clocks if run.is_running}


def test_an_event_out_of_turn_is_refused() -> None:
    case = a_case_at(State.IN_TRIAGE)
    event = lifecycle.decide(case, a_command(Action.NOTE, case), MONDAY)

    with pytest.raises(ValueError, match="does not follow"):
        apply(apply(case, event), event)
    with pytest.raises(ValueError, match="does not follow"):
        apply(case, event.model_copy(update={"source": State.ANSWERED}))


def test_folding_is_applying_one_after_another() -> None:
    start = case = a_case_at(State.NEW)
    events = []
    for action in (Action.RECEIVE, Action.SEND_RECEIPT, Action.TRIAGE, Action.ANSWER):
        events.append(lifecycle.decide(case, a_command(action, case), MONDAY))
        case = apply(case, events[-1])

    assert fold(start, events) == case
    assert fold(fold(start, events[:2]), events[2:]) == case


def test_a_case_is_never_changed_in_place() -> None:
    case = a_case_at(State.IN_TRIAGE)
    before = case.model_copy(deep=True)

    after(case, a_command(Action.TRIAGE, case))

    assert case == before


def a_triage(*, vulnerable: bool | None) -> Triage:
    triage = a_command(Action.TRIAGE, a_case_at(State.IN_TRIAGE))
    assert isinstance(triage, Triage)
    return triage.model_copy(update={"vulnerable": vulnerable})


@pytest.mark.parametrize("vulnerable", [True, False, None])
def test_a_case_knows_of_the_persons_circumstances_what_the_receipt_says(*, vulnerable: bool | None) -> None:
    assert a_case_at(State.IN_TRIAGE, vulnerable=vulnerable).vulnerable is vulnerable


@pytest.mark.parametrize("told", [True, False, None])
@pytest.mark.parametrize("before", [True, False, None])
def test_of_the_persons_circumstances_the_last_triage_counts_also_when_it_takes_them_back(
    *, before: bool | None, told: bool | None
) -> None:
    triaged = after(a_case_at(State.IN_TRIAGE, vulnerable=before), a_triage(vulnerable=told))

    assert triaged.vulnerable is told


def test_a_triage_that_says_nothing_of_circumstances_is_stored_as_before_anybody_was_asked() -> None:
    silent, known = (
        lifecycle.decide(a_case_at(State.IN_TRIAGE), a_triage(vulnerable=told), MONDAY) for told in (None, False)
    )

    assert b"vulnerable" not in silent.canonical()
    assert b'"vulnerable":false' in known.canonical()
    assert Event.model_validate_json(silent.canonical()) == silent


def test_the_clocks_of_intake_start_with_the_receipt_and_not_with_the_opening() -> None:
    case = after(a_case_at(State.NEW), a_command(Action.RECEIVE, a_case_at(State.NEW)), at=LATER)

    assert {run.name: run.started_at for run in case.clocks} == {
        ClockName.RECEIPT: case.counted_from,
        ClockName.ACKNOWLEDGE: case.counted_from,
        ClockName.ANSWER: case.counted_from,
    }


def test_the_automatic_receipt_stops_its_clock_and_no_other() -> None:
    assert running(a_case_at(State.IN_TRIAGE)) == {ClockName.ACKNOWLEDGE, ClockName.ANSWER}


def test_a_personal_acknowledgement_stops_its_clock() -> None:
    case = after(a_case_at(State.IN_TRIAGE), a_command(Action.ACKNOWLEDGE, a_case_at(State.IN_TRIAGE)), at=LATER)

    assert running(case) == {ClockName.ANSWER}
    assert case.acknowledged_at == LATER


def test_the_answer_stops_the_complainants_clocks_and_starts_our_own() -> None:
    assert running(a_case_at(State.ANSWERED)) == {ClockName.TAG_AND_CLOSE}


@pytest.mark.parametrize("state", [State.CLOSED, State.WITHDRAWN, State.DUPLICATE])
def test_no_clock_runs_in_a_case_that_has_ended(state: State) -> None:
    assert running(a_case_at(state)) == set()


def test_a_question_pauses_the_answers_clock_until_the_complainant_replies() -> None:
    waiting = a_case_at(State.WAITING_FOR_COMPLAINANT)
    assert waiting.open_pause is not None

    case = after(waiting, a_command(Action.RECORD_INFORMATION, waiting, COMPLAINANT), at=LATER)

    assert case.open_pause is None
    assert [(p.clock, p.started_at, p.ended_at) for p in case.pauses] == [(ClockName.ANSWER, MONDAY, LATER)]
    assert ClockName.ANSWER in running(case)


def test_an_acknowledgement_while_we_wait_leaves_the_answers_clock_standing_still() -> None:
    waiting = a_case_at(State.WAITING_FOR_COMPLAINANT)

    assert after(waiting, a_command(Action.ACKNOWLEDGE, waiting)).open_pause == waiting.open_pause


def test_withdrawing_while_we_wait_ends_the_pause() -> None:
    waiting = a_case_at(State.WAITING_FOR_COMPLAINANT)

    assert after(waiting, a_command(Action.WITHDRAW, waiting)).open_pause is None


def test_triage_says_what_it_is_about_and_keeps_the_complainants_words() -> None:
    case = a_case_at(State.IN_TRIAGE)
    words = case.issues[0].words
    triage = a_command(Action.TRIAGE, case)
    assert isinstance(triage, Triage)
    first = triage.issues[0].model_copy(update={"service": "permits", "category": "error"})
    second = first.model_copy(update={"number": 2, "words": a_text()})

    triaged = after(case, triage.model_copy(update={"issues": (first, second), "office": "north"}))

    assert [(issue.number, issue.service, issue.category) for issue in triaged.issues] == [
        (1, "permits", "error"),
        (2, "permits", "error"),
    ]
    assert triaged.issues[0].words == words
    assert triaged.issues[1].words == second.words
    assert (triaged.service, triaged.category, triaged.office) == ("permits", "error", "north")


def test_a_case_that_changes_its_team_leaves_its_owner() -> None:
    case = a_case_at(State.IN_RESOLUTION)
    assert case.owner == "ann"

    moved = after(case, Assign(actor=SUE, key=a_key(), team="appeals"))
    kept = after(case, Assign(actor=SUE, key=a_key(), team=case.team))

    assert (moved.team, moved.owner) == ("appeals", None)
    assert (kept.team, kept.owner) == (case.team, "ann")


def test_a_day_of_follow_up_changes_neither_team_nor_owner() -> None:
    case = a_case_at(State.IN_RESOLUTION)
    promised = after(case, Assign(actor=ANN, key=a_key(), follow_up_on=LATER.date()))

    assert (promised.team, promised.owner, promised.follow_up_on) == (case.team, case.owner, LATER.date())


def test_an_approved_answer_is_the_proposed_one_and_both_persons_gave_it() -> None:
    proposed = a_case_at(State.AWAITING_APPROVAL)
    assert proposed.proposal is not None
    finding = proposed.proposal.issues[0].finding

    answered = after(proposed, Approve(actor=SUE, key=a_key()), at=LATER)

    assert answered.issues[0].finding is finding
    assert answered.answered_by == ("ann", "sue")
    assert (answered.answered_at, answered.proposal) == (LATER, None)


def test_an_answer_sent_back_leaves_nothing_answered() -> None:
    proposed = a_case_at(State.AWAITING_APPROVAL)

    case = after(proposed, a_command(Action.SEND_BACK, proposed))

    assert (case.state, case.proposal, case.unanswered, case.answered_at) == (State.IN_RESOLUTION, None, (1,), None)


@pytest.mark.parametrize(
    ("state", "finding", "reason"),
    [
        (State.WITHDRAWN, Finding.WITHDRAWN, story.WITHDRAWN_REASON),
        (State.DUPLICATE, Finding.NOT_DETERMINED, story.DUPLICATE_REASON),
    ],
)
def test_a_case_that_ends_on_the_way_is_coded_by_the_process(state: State, finding: Finding, reason: str) -> None:
    case = a_case_at(state)

    assert [(issue.finding, issue.cause) for issue in case.issues] == [(finding, NoFailure(reason=reason))]


def test_the_reasons_that_the_process_gives_are_in_the_taxonomy() -> None:
    taxonomy: Taxonomy = a_policy().taxonomy
    codes = {term.code for term in taxonomy.terms}

    assert {story.WITHDRAWN_REASON, story.DUPLICATE_REASON} <= codes


def test_a_review_answers_and_codes_afresh_and_remembers_who_answered() -> None:
    closed = a_case_at(State.CLOSED)
    review = after(closed, a_command(Action.REOPEN, closed, COMPLAINANT).model_copy(update={"reviewer": "ben"}))

    assert (review.unanswered, review.uncoded) == ((1,), (1,))
    assert (review.review_round, review.owner, review.answered_by) == (1, "ben", ("ann",))
    assert (review.answered_at, review.closed_at) == (None, None)
    assert running(review) == {ClockName.REVIEW}
    assert review.issues[0].words == closed.issues[0].words


def test_a_review_is_answered_by_a_second_person_and_both_are_remembered() -> None:
    closed = a_case_at(State.CLOSED)
    review = after(closed, a_command(Action.REOPEN, closed, COMPLAINANT))

    assert after(review, a_command(Action.ANSWER, review, BEN)).answered_by == ("ann", "ben")


def test_history_is_closed_uncoded_and_its_unknown_dates_stay_unknown() -> None:
    case = a_case_at(State.NEW, received_on=None)
    recorded = after(case, a_command(Action.RECORD_AS_HISTORY, case))

    assert [issue.finding for issue in recorded.issues] == [Finding.NOT_CODED]
    assert (recorded.closed_at, recorded.received_on, recorded.clocks) == (None, None, ())


def test_a_note_changes_nothing_but_the_story() -> None:
    case = a_case_at(State.CLOSED)
    noted = after(case, a_command(Action.NOTE, case))

    assert noted == case.model_copy(update={"sequence": case.sequence + 1})


def test_an_events_bytes_read_back_as_the_event() -> None:
    case = a_case_at(State.IN_TRIAGE)
    event = lifecycle.decide(case, a_command(Action.TRIAGE, case), MONDAY)

    assert Event.model_validate_json(event.canonical()) == event
    assert Event.model_validate_json(event.canonical()).canonical() == event.canonical()


def test_the_chain_of_hashes_hangs_on_every_byte_and_on_what_came_before() -> None:
    first = chained(GENESIS_HASH, b"one")

    assert first == sha256(bytes(32), b"one")
    assert chained(first, b"two") != chained(GENESIS_HASH, b"two")
    assert chained(first, b"two") != chained(first, b"Two")


def test_a_second_run_of_a_clock_stands_beside_the_first() -> None:
    closed = a_case_at(State.CLOSED)
    review = after(closed, a_command(Action.REOPEN, closed), at=LATER)
    again = after(review, a_command(Action.WITHDRAW, review))
    second = after(again, a_command(Action.REOPEN, again), at=LATER + timedelta(days=1))

    assert [run.started_at for run in second.clocks if run.name is ClockName.REVIEW] == [
        LATER,
        LATER + timedelta(days=1),
    ]
    assert second.clock(ClockName.REVIEW) == ClockRun(name=ClockName.REVIEW, started_at=LATER + timedelta(days=1))
