# SPDX-License-Identifier: Apache-2.0
"""Asking a workflow to do something: once per key, never more at a time than the server bears.

Complaints and systemic fixes are asked alike; what differs between them stands in `_Way`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from models import refusals
from models.case_keys import KeyDestroyed, WrongMasterKey
from models.commands import Asked, Command
from models.fixes.commands import FixCommand
from models.messages import sha256
from models.references import fix_workflow_id_for, workflow_id_for
from models.refusals import Disposed, Refused
from workflows.complaint import Answer
from workflows.starting import start_case, start_fix
from workflows.systemic_fix import FixAnswer

ANSWER_WITHIN = timedelta(seconds=10)
WAIT_FOR_TURN = timedelta(seconds=5)
_REFUSALS = {
    kind.__name__: kind for kind in vars(refusals).values() if isinstance(kind, type) and issubclass(kind, Refused)
}
_NOT_RUNNING = (RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION)
_TRIES = 3
_ACT, _CATCH_UP = "act", "catch_up"
"""The updates by which every workflow of ours is asked."""
AnswerT = TypeVar("AnswerT")


class Busy(Exception):
    """The action could not be done in time; asking again with the same key is safe and right."""


RecordedAnswer = Callable[[str, UUID, Any], Awaitable[Any]]
"""What the record holds for a command's key: the first answer of its kind, nothing, or KeyReused raised."""


@dataclass(frozen=True, slots=True)
class _Way(Generic[AnswerT]):
    """How one kind of workflow is asked."""

    workflow_id_for: Callable[[UUID], str]
    start: Callable[[str, UUID], Awaitable[object]]
    answer: type[AnswerT]


class Actions:
    """The way from a command to its answer."""

    def __init__(self, client: Client, recorded: RecordedAnswer, *, task_queue: str, in_flight: int) -> None:
        self._client = client
        self._recorded = recorded
        self._turns = asyncio.Semaphore(in_flight)

        def start_of_case(agency: str, case_id: UUID) -> Awaitable[object]:
            return start_case(client, agency, case_id, task_queue=task_queue)

        def start_of_fix(agency: str, fix_id: UUID) -> Awaitable[object]:
            return start_fix(client, agency, fix_id, task_queue=task_queue)

        self._cases = _Way(workflow_id_for, start_of_case, Answer)
        self._fixes = _Way(fix_workflow_id_for, start_of_fix, FixAnswer)

    async def act(self, agency: str, case_id: UUID, command: Command) -> Answer:
        """Have the command done and return its answer; the same key again returns the first answer.

        Raises Refused with the sentence why not, and Busy when no answer came in time.
        """
        return await self._act(self._cases, agency, case_id, command)

    async def act_on_fix(self, agency: str, fix_id: UUID, command: FixCommand) -> FixAnswer:
        """Do the same with a systemic fix."""
        return await self._act(self._fixes, agency, fix_id, command)

    async def _act(self, way: _Way[AnswerT], agency: str, identity: UUID, command: Asked) -> AnswerT:
        # Temporal forgets update ids when a workflow continues as new; the record does not.
        if (known := await self._known(way, agency, identity, command)) is not None:
            return known
        try:
            await asyncio.wait_for(self._turns.acquire(), WAIT_FOR_TURN.total_seconds())
        except TimeoutError as problem:
            raise Busy("Too much is asked at once. Ask again with the same key in a few seconds.") from problem
        try:
            return await asyncio.wait_for(self._asked(way, agency, identity, command), ANSWER_WITHIN.total_seconds())
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError, RPCError, RuntimeError) as problem:
            # RuntimeError: the SDK's word for a server that a lazy client could not connect to.
            raise Busy("The action has not been answered in time. Ask again with the same key.") from problem
        except Refused:
            # A workflow that was started anew while this was under way knows the case, but not the keys in its story.
            if (known := await self._known(way, agency, identity, command)) is not None:
                return known
            raise
        except KeyDestroyed as gone:
            sentence = "This complaint's records have been disposed of; nothing more can be done with it."
            raise Disposed(sentence) from gone
        except WrongMasterKey as problem:
            # Nothing is wrong with what was asked: once the right key is back, the same request can be done.
            raise Busy(f"{problem} Until then, ask again with the same key.") from problem
        finally:
            self._turns.release()

    async def _known(self, _: _Way[AnswerT], agency: str, identity: UUID, command: Asked) -> AnswerT | None:
        known: AnswerT | None = await self._recorded(agency, identity, command)
        return known

    async def _asked(self, way: _Way[AnswerT], agency: str, identity: UUID, command: Asked) -> AnswerT:
        try:
            return await self._answered(way, agency, identity, command, _update_id(command))
        except Refused:
            # The caller looked at the record, which allows it. A worker that died between its commit and Temporal's
            # knowledge of it may have left the workflow behind; it takes over what the record holds, and decides anew.
            await self._client.get_workflow_handle(way.workflow_id_for(identity)).execute_update(_CATCH_UP)
            return await self._answered(way, agency, identity, command, f"{_update_id(command)}/again")

    async def _answered(
        self, way: _Way[AnswerT], agency: str, identity: UUID, command: Asked, update_id: str
    ) -> AnswerT:
        handle = self._client.get_workflow_handle(way.workflow_id_for(identity))
        for attempt in range(_TRIES):
            try:
                answer: AnswerT = await handle.execute_update(_ACT, command, id=update_id, result_type=way.answer)
            except WorkflowUpdateFailedError as failed:
                if (refused := _refusal(failed.cause)) is not None:
                    raise refused from None
                if attempt == _TRIES - 1:
                    raise Busy("The action was interrupted. Ask again with the same key.") from failed
            except RPCError as problem:
                if problem.status not in _NOT_RUNNING or attempt == _TRIES - 1:
                    raise
            else:
                return answer
            # Not running (ended long ago, or lost with Temporal's store): the one start gives it a workflow.
            await way.start(agency, identity)
        raise AssertionError("the loop returns or raises")


def _update_id(command: Asked) -> str:
    """Return the update's id: one for each key, without the names in it, for Temporal shows ids to its operators."""
    return sha256(command.key.encode()).hex()


def _refusal(cause: BaseException | None) -> Refused | None:
    """Return the refusal that came back through Temporal as itself again, or None for another failure."""
    if isinstance(cause, ApplicationError) and cause.type in _REFUSALS:
        return _REFUSALS[cause.type](cause.message)
    return None
