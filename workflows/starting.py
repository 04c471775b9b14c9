# SPDX-License-Identifier: Apache-2.0
"""The one way to begin: a workflow is started with the address of what it is about, and loads the rest."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from temporalio.client import Client, WorkflowHandle
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

from activities.interface import AffectedAddress, AffectedProgress, CaseAddress, FixAddress
from models.fixes.terms import FixState
from models.references import affected_workflow_id_for, fix_workflow_id_for, workflow_id_for
from models.terms import State
from workflows.complaint import ComplaintWorkflow
from workflows.help_affected import HelpAffectedWorkflow
from workflows.systemic_fix import SystemicFixWorkflow

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
        request_eager_start=True,
        **_once(agency),
    )


async def start_fix(
    client: Client, agency: str, fix_id: UUID, *, task_queue: str
) -> WorkflowHandle[SystemicFixWorkflow, FixState]:
    """Start the systemic fix's workflow, or find the one that runs; done twice it is done once."""
    return await client.start_workflow(
        SystemicFixWorkflow.run,
        FixAddress(agency=agency, fix_id=fix_id),
        id=fix_workflow_id_for(fix_id),
        task_queue=task_queue,
        **_once(agency),
    )


async def start_help(
    client: Client, agency: str, list_id: UUID, *, task_queue: str
) -> WorkflowHandle[HelpAffectedWorkflow, AffectedProgress]:
    """Start the help for the people on a list, or find the workflow that runs; done twice it is done once."""
    return await client.start_workflow(
        HelpAffectedWorkflow.run,
        AffectedAddress(agency=agency, list_id=list_id),
        id=affected_workflow_id_for(list_id),
        task_queue=task_queue,
        **_once(agency),
    )


def _once(agency: str) -> dict[str, Any]:
    return {
        "id_reuse_policy": WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        "id_conflict_policy": WorkflowIDConflictPolicy.USE_EXISTING,
        "search_attributes": TypedSearchAttributes([SearchAttributePair(AGENCY, agency)]),
        "rpc_timeout": START_WITHIN,
    }
