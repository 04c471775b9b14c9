# SPDX-License-Identifier: Apache-2.0
"""The nightly reading of complaints: started by a schedule; tags nothing."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.interface import (
        WORKFLOW_TYPE_TEXTS,
        TextLearning,
        TextLook,
        TextRun,
        Texts,
        TextsLookedAt,
    )
    from workflows.options import ANALYSE_RETRIES, ANALYSE_WITHIN


@workflow.defn(name=WORKFLOW_TYPE_TEXTS)
class TextWorkflow:
    """One night."""

    @workflow.run
    async def run(self, run: TextRun) -> TextsLookedAt:
        """Learn anew from what people have coded, read what is open with it, and look at the week."""
        now = workflow.now()
        for kind in ("category", "failure", "likeness"):
            await workflow.execute_activity_method(
                Texts.learn_texts,
                TextLearning(agency=run.agency, kind=kind, asked_at=now),
                start_to_close_timeout=ANALYSE_WITHIN,
                retry_policy=ANALYSE_RETRIES,
                summary=kind,
            )
        look = TextLook(agency=run.agency, asked_at=now)
        await workflow.execute_activity_method(
            Texts.read_texts, look, start_to_close_timeout=ANALYSE_WITHIN, retry_policy=ANALYSE_RETRIES
        )
        return await workflow.execute_activity_method(
            Texts.look_at_texts, look, start_to_close_timeout=ANALYSE_WITHIN, retry_policy=ANALYSE_RETRIES
        )
