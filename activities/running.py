# SPDX-License-Identifier: Apache-2.0
"""Whether a workflow runs, as Temporal says; each is asked for by itself, because lists of workflows lag behind."""

from __future__ import annotations

from datetime import timedelta

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

ASK_WITHIN = timedelta(seconds=10)


async def workflow_runs(client: Client, workflow_id: str) -> bool:
    """Return whether a workflow of that id runs."""
    try:
        description = await client.get_workflow_handle(workflow_id).describe(rpc_timeout=ASK_WITHIN)
    except RPCError as problem:
        if problem.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return description.status is WorkflowExecutionStatus.RUNNING
