# SPDX-License-Identifier: Apache-2.0
"""The yardstick: a workflow with the same updates, timer and number of local activities that records nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from models.commands import Command


@activity.defn(name="nothing")
async def nothing(address: str) -> None:
    """Do nothing."""


@workflow.defn(name="bare")
class BareWorkflow:
    """As many steps as a complaint's life, and no record."""

    @workflow.init
    def __init__(self, address: str) -> None:
        self.address = address
        self.asked = 0
        self.done = 0
        self.pending = 0

    @workflow.run
    async def run(self, address: str) -> int:  # noqa: ARG002 - a workflow repeats the arguments of its init
        """Take updates until a `close`, then wait as a closed case does."""
        await self.step()  # load
        await self.step()  # receive and receipt, in one batch
        timer = asyncio.create_task(workflow.sleep(timedelta(days=2)))
        while not timer.done():
            await workflow.wait_condition(lambda: self.pending > 0 or timer.done())
            batch = self.pending
            await self.step()
            self.pending -= batch
            self.done += batch
        return self.done

    async def step(self) -> None:
        """Run one local activity."""
        await workflow.execute_local_activity(nothing, self.address, start_to_close_timeout=timedelta(seconds=8))

    @workflow.update
    async def act(self, command: Command) -> int:  # noqa: ARG002 - as heavy as the real one, and as little read
        """Count, and answer when the writer has been round."""
        self.asked += 1
        self.pending += 1
        mine = self.asked
        await workflow.wait_condition(lambda: self.done >= mine)
        return mine

    @act.validator
    def check(self, command: Command) -> None:
        """Accept."""
