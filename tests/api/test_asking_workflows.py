# SPDX-License-Identifier: Apache-2.0
"""Actions with a real Temporal: what stands in its histories, and what is told of a case that was disposed of."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from api.acting import key_for
from api.actions import Actions, Busy
from api.problems import problem_of
from api.reads.answers import RecordedAnswers
from api.reads.database import Database
from api.writes.fixes import open_fix
from models.commands import Note
from models.fixes.commands import ChooseOption, Describe, Open
from models.fixes.terms import FixState
from models.receiving import text_of
from models.references import uuid7_at
from models.refusals import Disposed, Incomplete, Refused, Stale
from models.terms import Action, State
from run.codec import CaseKeys, data_converter
from tests.given import ANN, BEN, MONDAY, SUE, a_command, a_key, a_text
from tests.live import OTHER_KEY, Desk, client_of
from tests.servers import TemporalServer
from workflows.complaint import Answer
from workflows.systemic_fix import FixAnswer


@pytest.fixture
async def actions(api_engine: AsyncEngine, desk: Desk, temporal_server: TemporalServer) -> Actions:
    """Actions as another process has them: it remembers no case's key."""
    client = await client_of(temporal_server, desk.worker_engine)
    return Actions(client, RecordedAnswers(Database(api_engine)), task_queue=desk.task_queue, in_flight=4)


async def test_nobodys_name_or_words_stand_in_a_history_through_the_key(desk: Desk, actions: Actions) -> None:
    live = await desk.a_case()
    triage = a_command(Action.TRIAGE, await live.case(), ANN)
    keyed = triage.model_copy(update={"key": key_for(ANN, "jo-rivers-of-mill-lane")})

    answers = [await actions.act(live.address.agency, live.address.case_id, keyed) for _ in range(2)]

    assert answers[0] == answers[1]
    assert answers[0].state is State.IN_RESOLUTION
    history = await live.handle.fetch_history()
    seen = b"".join(event.SerializeToString() for event in history.events)
    assert b"jo-rivers" not in seen
    assert f"{ANN.name}:".encode() not in seen


async def test_a_case_that_was_disposed_of_is_refused_with_the_reason(
    desk: Desk, actions: Actions, owner_engine: AsyncEngine
) -> None:
    live = await desk.a_case()
    note = a_command(Action.NOTE, await live.case(), ANN)
    assert isinstance(note, Note)
    async with owner_engine.begin() as connection:
        await connection.execute(
            text("UPDATE case_key SET wrapped = NULL, destroyed_at = now() WHERE case_id = :id"),
            {"id": live.address.case_id},
        )

    with pytest.raises(Disposed, match="disposed of") as refused:
        await actions.act(live.address.agency, live.address.case_id, note)

    assert problem_of(refused.value).status == 409


async def test_of_two_who_saw_the_same_case_at_once_only_one_is_granted(desk: Desk, actions: Actions) -> None:
    live = await desk.a_case()
    case = await live.case()
    notes = [
        a_command(Action.NOTE, case, who).model_copy(update={"expected_sequence": case.sequence}) for who in (ANN, BEN)
    ]

    told = await asyncio.gather(
        *(actions.act(live.address.agency, live.address.case_id, note) for note in notes), return_exceptions=True
    )

    assert [type(answer) for answer in told if isinstance(answer, Refused)] == [Stale]
    assert [answer.sequence for answer in told if isinstance(answer, Answer)] == [case.sequence + 1]
    assert (await live.actions()).count("note") == 1


async def test_a_granted_request_is_answered_again_though_the_case_has_moved_on(desk: Desk, actions: Actions) -> None:
    live = await desk.a_case()
    case = await live.case()
    note = a_command(Action.NOTE, case, ANN).model_copy(update={"expected_sequence": case.sequence})

    first, again = [await actions.act(live.address.agency, live.address.case_id, note) for _ in range(2)]
    directly = await live.act(note, update_id="another")

    assert first == again == directly


async def an_opened_fix(api_engine: AsyncEngine, title: str = "Lost renewals") -> UUID:
    """Open a fix as the API does; nobody has started its workflow."""
    fix_id, key = uuid7_at(MONDAY), a_key()
    told = text_of(fix_id, key, "title", title)
    command = Open(actor=SUE, key=key, fix_id=fix_id, agency="riverbend", title=told.ref, owner="sue")
    async with Database(api_engine).of("riverbend") as connection:
        return await open_fix(connection, command, [told], request_hash=command.request_hash, opened_at=MONDAY)


async def test_a_fix_whose_workflow_does_not_run_is_given_one(
    desk: Desk, actions: Actions, api_engine: AsyncEngine
) -> None:
    fix_id = await an_opened_fix(api_engine)
    describe = Describe(actor=SUE, key=f"{SUE.name}:{a_key()}", statement=a_text())

    answers = [await actions.act_on_fix("riverbend", fix_id, describe) for _ in range(2)]

    assert answers[0] == answers[1] == FixAnswer(sequence=2, state=FixState.WORKED_OUT, at=answers[0].at)


async def test_what_a_fix_refuses_comes_back_as_itself(desk: Desk, actions: Actions, api_engine: AsyncEngine) -> None:
    fix_id = await an_opened_fix(api_engine)

    with pytest.raises(Incomplete, match="There is no option yet; “Add an option” comes first"):
        await actions.act_on_fix("riverbend", fix_id, ChooseOption(actor=SUE, key=a_key(), number=3, reason=a_text()))


async def test_a_case_that_a_wrong_master_key_shuts_out_is_to_be_asked_again(
    desk: Desk, api_engine: AsyncEngine, temporal_server: TemporalServer
) -> None:
    live = await desk.a_case()
    wrong = data_converter(CaseKeys(desk.worker_engine, b"x" * 32, OTHER_KEY))
    client = await Client.connect(temporal_server.address, namespace=temporal_server.namespace, data_converter=wrong)
    shut_out = Actions(client, RecordedAnswers(Database(api_engine)), task_queue=desk.task_queue, in_flight=4)
    note = a_command(Action.NOTE, await live.case(), ANN)

    with pytest.raises(Busy, match=r"cannot be opened with this master key.* ask again with the same key") as told:
        await shut_out.act(live.address.agency, live.address.case_id, note)

    assert problem_of(told.value).status == 503
