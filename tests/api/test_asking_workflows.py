# SPDX-License-Identifier: Apache-2.0
"""Actions with a real Temporal: what stands in its histories, and what is told of a case that was disposed of."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from api.acting import key_for
from api.actions import Actions
from api.problems import problem_of
from api.reads.answers import RecordedAnswers
from api.reads.database import Database
from models.commands import Note
from models.refusals import Disposed, Refused, Stale
from models.terms import Action, State
from tests.given import ANN, BEN, a_command
from tests.live import Desk, client_of
from tests.servers import TemporalServer
from workflows.complaint import Answer


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
