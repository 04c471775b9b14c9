# SPDX-License-Identifier: Apache-2.0
"""The one way to begin: a complaint's workflow is started with agency and case id, and loads the rest."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from temporalio.client import Client, WorkflowHandle
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

from activities.interface import CaseAddress
from models.references import workflow_id_for
from models.terms import State
from workflows.complaint import ComplaintWorkflow

AGENCY = SearchAttributeKey.for_keyword("Agency")
START_WITHIN = timedelta(seconds=10)


async def start_case(
    client: Client, agency: str, case_id: UUID, *, task_queue: str
) -> WorkflowHandle[ComplaintWorkflow, State]:
    """Start the case's workflow, or find the one that runs; done twice it is done once."""
    return await client.start_workflow(
        ComplaintWorkflow.run,
        CaseAddress(agency=agency, case_id=case_id),
        id=workflow_id_for(case_id),
        task_queue=task_queue,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        search_attributes=TypedSearchAttributes([SearchAttributePair(AGENCY, agency)]),
        request_eager_start=True,
        rpc_timeout=START_WITHIN,
    )


def was_eager(handle: WorkflowHandle[ComplaintWorkflow, State]) -> bool:
    """Return whether the first task came back with the start, saving a round through the server's queue."""
    return bool(getattr(handle, "__temporal_eagerly_started", False))
