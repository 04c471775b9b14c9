# SPDX-License-Identifier: Apache-2.0
"""The record knows more than the workflow, and nobody has told it: what the record allows is done all the same."""

from __future__ import annotations

from activities.interface import Batch
from api.actions import Actions
from models import lifecycle
from models.commands import Command
from models.terms import Action, State
from run.composition import now
from tests.given import a_command, a_key
from tests.live import Desk, LiveCase
from tests.record import records_of
from workflows.complaint import Answer


async def nothing_known(agency: str, case_id: object, command: Command) -> Answer | None:
    return None


async def recorded_behind_its_back(live: LiveCase, action: Action) -> None:
    """Record an action as a worker does that dies before it can tell Temporal."""
    case = await live.case()
    event = lifecycle.decide(case, a_command(action, case), now())
    batch = Batch(agency=live.address.agency, case_id=live.address.case_id, events=(event,))
    assert (await records_of(live.desk.worker_engine).record(batch)).was_appended


async def test_an_action_that_only_the_record_allows_is_done(desk: Desk) -> None:
    live = await desk.a_case()
    await recorded_behind_its_back(live, Action.TRIAGE)
    actions = Actions(desk.client, nothing_known, task_queue=desk.task_queue, in_flight=4)
    case = await live.case()
    assert case.state is State.IN_TRIAGE, "the workflow knows of it already; the test shows nothing"

    answer = await actions.act(live.address.agency, live.address.case_id, a_command(Action.ANSWER, case))

    assert answer.state is State.ANSWERED
    assert (await live.actions())[2:] == ["triage", "answer"]
    assert (await live.case()).sequence == answer.sequence


async def test_a_command_recorded_while_it_was_under_way_has_its_first_answer(desk: Desk) -> None:
    live = await desk.a_case()
    case = await live.case()
    command = a_command(Action.WITHDRAW, case)
    asked = 0

    async def recorded_meanwhile(agency: str, case_id: object, asked_for: Command) -> Answer | None:
        nonlocal asked
        asked += 1
        return Answer(sequence=3, state=State.WITHDRAWN, at=now()) if asked > 1 else None

    await live.act(command.model_copy(update={"key": a_key()}))
    actions = Actions(desk.client, recorded_meanwhile, task_queue=desk.task_queue, in_flight=4)

    answer = await actions.act(live.address.agency, live.address.case_id, command)

    assert answer.sequence == 3
