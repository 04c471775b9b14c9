# SPDX-License-Identifier: Apache-2.0
"""What else is asked of Temporal: whether it is there, and to look for recurring failures."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError

from api.actions import Busy

ROOT_CAUSE = "root-cause"
"""The workflow's type; by name, for this room imports no activity's interface."""
ANSWER_WITHIN = timedelta(seconds=5)


class TemporalConductor:
    """Temporal, as the routes see it."""

    def __init__(self, client: Client, *, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    async def is_there(self) -> bool:
        """Return whether Temporal answers."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN.total_seconds()):
                return await self._client.service_client.check_health()
        except (RPCError, RuntimeError, TimeoutError):
            # RuntimeError: the SDK's word for a server it could not connect to.
            return False

    async def analyse(self, agency: str, as_of: date) -> str:
        """Start the look as of the end of a day, or find the one that runs; return the workflow's id."""
        workflow_id = f"{ROOT_CAUSE}/{agency}/{as_of.isoformat()}"
        try:
            await self._client.start_workflow(
                ROOT_CAUSE,
                {"agency": agency, "as_of": as_of.isoformat()},
                id=workflow_id,
                task_queue=self._task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                rpc_timeout=ANSWER_WITHIN,
            )
        except (RPCError, RuntimeError) as problem:
            raise Busy("The analysis could not be started just now. Ask again in a few seconds.") from problem
        return workflow_id
