# SPDX-License-Identifier: Apache-2.0
"""One list of affected people, one workflow: alive until each of them has a result.

The list stands in the record, and so does every result; this only goes on from batch to batch, and waits longer each
time that nobody could be helped. Its past is an API: read docs/how-to/change-a-workflow.md before changing it.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.interface import WORKFLOW_TYPE_AFFECTED, Affected, AffectedAddress, AffectedProgress
    from workflows.options import ALIVE_WITHIN, HELP_WITHIN, UNTIL_HELPED

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)


@workflow.defn(name=WORKFLOW_TYPE_AFFECTED)
class HelpAffectedWorkflow:
    """The help for everybody on a list."""

    @workflow.init
    def __init__(self, address: AffectedAddress) -> None:
        self.address = address
        self.so_far: AffectedProgress | None = None
        self.pause = FIRST_PAUSE

    @workflow.run
    async def run(self, address: AffectedAddress) -> AffectedProgress:
        """Help everybody on the list, each once."""
        progress = self.so_far = await self.draw()
        while progress.waiting:
            before, progress = progress, await self.help_some()
            self.so_far = progress
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(address)
            await self.pause_unless(is_going_on=progress != before or not progress.waiting)
        return progress

    @workflow.query
    def progress(self) -> AffectedProgress | None:
        """Return how far the list has come; None before its people are drawn."""
        return self.so_far

    async def draw(self) -> AffectedProgress:
        """See to it that the list has its people."""
        return await workflow.execute_activity_method(
            Affected.draw_list, self.address, start_to_close_timeout=HELP_WITHIN, retry_policy=UNTIL_HELPED
        )

    async def help_some(self) -> AffectedProgress:
        """Help the next of those who wait."""
        return await workflow.execute_activity_method(
            Affected.help_some,
            self.address,
            start_to_close_timeout=HELP_WITHIN,
            heartbeat_timeout=ALIVE_WITHIN,
            retry_policy=UNTIL_HELPED,
        )

    async def pause_unless(self, *, is_going_on: bool) -> None:
        """Wait before the next try where nobody could be helped, each time for longer."""
        if is_going_on:
            self.pause = FIRST_PAUSE
            return
        await workflow.sleep(self.pause)
        self.pause = min(2 * self.pause, LONGEST_PAUSE)
