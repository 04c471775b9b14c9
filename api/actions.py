# SPDX-License-Identifier: Apache-2.0
"""Asking a complaint's workflow to do something: once per key, never more at a time than the server bears."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from models import refusals
from models.case_keys import KeyDestroyed
from models.commands import Command
from models.messages import sha256
from models.references import workflow_id_for
from models.refusals import Disposed, Refused
from workflows.complaint import Answer, ComplaintWorkflow
from workflows.starting import start_case

ANSWER_WITHIN = timedelta(seconds=10)
WAIT_FOR_TURN = timedelta(seconds=5)
_REFUSALS = {
    kind.__name__: kind for kind in vars(refusals).values() if isinstance(kind, type) and issubclass(kind, Refused)
}
_NOT_RUNNING = (RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION)
_TRIES = 3


class Busy(Exception):
    """The action could not be done in time; asking again with the same key is safe and right."""


RecordedAnswer = Callable[[str, UUID, Command], Awaitable[Answer | None]]
"""What the record holds for the command's key: the first answer, nothing, or KeyReused raised."""


class Actions:
    """The way from a command to its answer."""

    def __init__(self, client: Client, recorded: RecordedAnswer, *, task_queue: str, in_flight: int) -> None:
        self._client = client
        self._recorded = recorded
        self._task_queue = task_queue
        self._turns = asyncio.Semaphore(in_flight)

    async def act(self, agency: str, case_id: UUID, command: Command) -> Answer:
        """Have the command done and return its answer; the same key again returns the first answer.

        Raises Refused with the sentence why not, and Busy when no answer came in time.
        """
        # Temporal forgets update ids when a workflow continues as new; the record does not.
        if (known := await self._recorded(agency, case_id, command)) is not None:
            return known
        try:
            await asyncio.wait_for(self._turns.acquire(), WAIT_FOR_TURN.total_seconds())
        except TimeoutError as problem:
            raise Busy("Too much is asked at once. Ask again with the same key in a few seconds.") from problem
        try:
            return await asyncio.wait_for(self._asked(agency, case_id, command), ANSWER_WITHIN.total_seconds())
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError, RPCError, RuntimeError) as problem:
            # RuntimeError: the SDK's word for a server that a lazy client could not connect to.
            raise Busy("The action has not been answered in time. Ask again with the same key.") from problem
        except Refused:
            # A workflow that was started anew while this was under way knows the case, but not the keys in its story.
            if (known := await self._recorded(agency, case_id, command)) is not None:
                return known
            raise
        except KeyDestroyed as gone:
            sentence = "This complaint's records have been disposed of; nothing more can be done with it."
            raise Disposed(sentence) from gone
        finally:
            self._turns.release()

    async def _asked(self, agency: str, case_id: UUID, command: Command) -> Answer:
        try:
            return await self._answered(agency, case_id, command, _update_id(command))
        except Refused:
            # The caller looked at the record, which allows it. A worker that died between its commit and Temporal's
            # knowledge of it may have left the workflow behind; it takes over what the record holds, and decides anew.
            handle = self._client.get_workflow_handle_for(ComplaintWorkflow.run, workflow_id_for(case_id))
            await handle.execute_update(ComplaintWorkflow.catch_up)
            return await self._answered(agency, case_id, command, f"{_update_id(command)}/again")

    async def _answered(self, agency: str, case_id: UUID, command: Command, update_id: str) -> Answer:
        handle = self._client.get_workflow_handle_for(ComplaintWorkflow.run, workflow_id_for(case_id))
        for attempt in range(_TRIES):
            try:
                return await handle.execute_update(ComplaintWorkflow.act, command, id=update_id)
            except WorkflowUpdateFailedError as failed:
                if (refused := _refusal(failed.cause)) is not None:
                    raise refused from None
                if attempt == _TRIES - 1:
                    raise Busy("The action was interrupted. Ask again with the same key.") from failed
            except RPCError as problem:
                if problem.status not in _NOT_RUNNING or attempt == _TRIES - 1:
                    raise
            # Not running (closed long ago, or lost with Temporal's store): the one start gives it a workflow.
            await start_case(self._client, agency, case_id, task_queue=self._task_queue)
        raise AssertionError("the loop returns or raises")


def _update_id(command: Command) -> str:
    """Return the update's id: one for each key, without the names in it, for Temporal shows ids to its operators."""
    return sha256(command.key.encode()).hex()


def _refusal(cause: BaseException | None) -> Refused | None:
    """Return the refusal that came back through Temporal as itself again, or None for another failure."""
    if isinstance(cause, ApplicationError) and cause.type in _REFUSALS:
        return _REFUSALS[cause.type](cause.message)
    return None
