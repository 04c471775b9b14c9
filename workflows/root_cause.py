# SPDX-License-Identifier: Apache-2.0
"""The weekly look for recurring process failures: started by a schedule, or by a person for any day."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.interface import (
        WORKFLOW_TYPE_ROOT_CAUSE,
        RootCauseLook,
        RootCauseOutcome,
        RootCauseRun,
        RootCauses,
    )
    from workflows.options import ANALYSE_RETRIES, ANALYSE_WITHIN


@workflow.defn(name=WORKFLOW_TYPE_ROOT_CAUSE)
class RootCauseWorkflow:
    """One look."""

    @workflow.run
    async def run(self, run: RootCauseRun) -> RootCauseOutcome:
        """Have every cell judged, and return what was found."""
        return await workflow.execute_activity_method(
            RootCauses.flag_recurring_failures,
            RootCauseLook(run=run, asked_at=workflow.now()),
            start_to_close_timeout=ANALYSE_WITHIN,
            retry_policy=ANALYSE_RETRIES,
            summary=f"as of {run.as_of or 'yesterday'}",
        )
