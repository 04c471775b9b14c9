# SPDX-License-Identifier: Apache-2.0
"""A complaint's life through its workflow, on a real record and a real Temporal server that skips time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from models.commands import Answer, Close, Note
from models.refusals import KeyReused, Refused, WrongState
from models.terms import Action, ClockName, State
from tests.given import ANN, BEN, COMPLAINANT, SUE, a_command, a_key, a_text
from tests.live import Desk, LiveCase
from tests.record import accepted
from workflows.starting import start_case


async def led(live: LiveCase, *actions: Action) -> None:
    for action in actions:
        await live.act(a_command(action, await live.case()))


async def test_a_receipt_is_sent_at_once(desk: Desk) -> None:
    live = await desk.a_case(can_be_written_to=True)

    assert await live.actions() == ["receive", "send_receipt"]
    assert await live.letters() == ["receipt"]


async def test_an_import_sends_no_receipt(desk: Desk) -> None:
    live = await desk.a_case(can_be_written_to=True, is_imported=True)

    assert await live.actions() == ["receive", "send_receipt"]
    assert await live.letters() == []


async def test_a_complaint_goes_from_intake_to_closed(desk: Desk) -> None:
    live = await desk.a_case()

    await led(live, Action.ACKNOWLEDGE, Action.TRIAGE, Action.ANSWER, Action.TAG_ROOT_CAUSE, Action.CLOSE)

    assert (await live.case()).state is State.CLOSED
    assert (await live.actions())[2:] == ["acknowledge", "triage", "answer", "tag_root_cause", "close"]


async def test_a_refusal_is_a_sentence_and_leaves_no_event(desk: Desk) -> None:
    live = await desk.a_case()

    with pytest.raises(WrongState, match="“Close” is for a complaint that is answered"):
        await live.act(Close(actor=ANN, key=a_key()))

    assert await live.actions() == ["receive", "send_receipt"]


async def test_an_answer_that_leaves_an_issue_out_is_refused(desk: Desk) -> None:
    live = await desk.a_case()
    await led(live, Action.TRIAGE)
    answer = a_command(Action.ANSWER, await live.case())
    assert isinstance(answer, Answer)
    other = answer.issues[0].model_copy(update={"number": 2})

    with pytest.raises(Refused, match="not in this complaint"):
        await live.act(answer.model_copy(update={"issues": (other,)}))


async def test_the_same_key_again_gives_the_first_answer(desk: Desk) -> None:
    live = await desk.a_case()
    note = Note(actor=ANN, key=a_key(), text=a_text())

    first = await live.act(note)
    again = await live.act(note)

    assert again == first
    assert (await live.actions()).count("note") == 1


async def test_the_same_key_with_another_request_is_refused(desk: Desk) -> None:
    live = await desk.a_case()
    note = Note(actor=ANN, key=a_key(), text=a_text())
    await live.act(note)
    other = note.model_copy(update={"text": a_text()})

    # Temporal itself answers a repeated update id within one run; a later run has forgotten it.
    with pytest.raises(KeyReused):
        await live.act(other, update_id=a_key())


async def test_two_who_triage_at_once_both_succeed_in_order_and_two_who_close_do_not(desk: Desk) -> None:
    live = await desk.a_case()
    await led(live, Action.TRIAGE, Action.ANSWER, Action.TAG_ROOT_CAUSE)

    outcomes = await asyncio.gather(
        live.act(Close(actor=ANN, key=a_key())), live.act(Close(actor=BEN, key=a_key())), return_exceptions=True
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Answer", "WrongState"]


async def test_a_missed_deadline_is_warned_of_and_escalated(desk: Desk) -> None:
    live = await desk.a_case()

    await live.time_passes(timedelta(days=14))

    assert (await live.actions())[2:] == ["warn_of_deadline", "escalate"]
    assert await live.letters() == ["deadline_warning", "escalation"]


async def test_an_acknowledged_case_is_not_warned_of_acknowledgement(desk: Desk) -> None:
    live = await desk.a_case()
    await led(live, Action.ACKNOWLEDGE)

    await live.time_passes(timedelta(days=14))

    assert (await live.actions())[2:] == ["acknowledge"]


async def test_an_import_does_not_escalate_what_was_late_before_it_came(desk: Desk) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=100)
    live = await desk.a_case(is_imported=True, received_at=long_ago, received_on=long_ago.date())

    await live.time_passes(timedelta(days=60))

    assert await live.actions() == ["receive", "send_receipt"]


async def test_a_question_to_the_complainant_stops_the_answers_clock(desk: Desk) -> None:
    live = await desk.a_case()
    await led(live, Action.ACKNOWLEDGE, Action.TRIAGE, Action.REQUEST_INFORMATION)
    case = await live.case()
    assert case.open_pause is not None
    assert case.open_pause.clock is ClockName.ANSWER

    await live.act(a_command(Action.RECORD_INFORMATION, case, COMPLAINANT))

    assert (await live.case()).open_pause is None


async def test_a_closed_case_can_be_reopened_and_its_workflow_ends_after_the_review_window(desk: Desk) -> None:
    live = await desk.a_case()
    await led(
        live, Action.TRIAGE, Action.ACKNOWLEDGE, Action.ANSWER, Action.TAG_ROOT_CAUSE, Action.CLOSE, Action.REOPEN
    )
    case = await live.case()
    assert case.review_round == 1
    with pytest.raises(Refused, match="different person"):
        await live.act(a_command(Action.ANSWER, case, ANN))

    await live.act(a_command(Action.ANSWER, case, BEN))
    await led(live, Action.TAG_ROOT_CAUSE, Action.CLOSE)
    await live.time_passes(timedelta(days=61))

    assert await live.handle.result() is State.CLOSED


async def test_an_action_after_the_workflow_has_ended_finds_the_case_in_the_record(desk: Desk) -> None:
    live = await desk.a_case()
    await led(live, Action.WITHDRAW)
    await live.time_passes(timedelta(days=61))
    await live.handle.result()

    again = await desk.started(live.address)
    reopened = await again.act(a_command(Action.REOPEN, await again.case(), SUE))

    assert reopened.state is State.IN_RESOLUTION


async def test_the_start_is_eager(desk: Desk) -> None:
    address = await accepted(desk.record)

    with desk.skipper.with_time_skipping_disabled():
        handle = await start_case(desk.client, address.agency, address.case_id, task_queue=desk.task_queue)

    # The first task came back with the start, which saves a round through the server's queue.
    assert getattr(handle, "__temporal_eagerly_started", False)


async def test_closing_without_findings_or_causes_is_impossible(desk: Desk) -> None:
    live = await desk.a_case()
    await led(live, Action.TRIAGE, Action.ANSWER)

    with pytest.raises(Refused, match="without a root cause"):
        await live.act(Close(actor=ANN, key=a_key()))
