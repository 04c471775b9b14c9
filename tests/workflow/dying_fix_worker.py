# SPDX-License-Identifier: Apache-2.0
"""A worker that dies the moment the record has committed a certain command of a fix, before Temporal hears of it.

Started by tests as a process of its own: python -m tests.workflow.dying_fix_worker <json of its settings>.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import sys

from sqlalchemy.ext.asyncio import create_async_engine
from temporalio import activity
from temporalio.client import Client

from activities.fix_records import DatabaseFixRecords
from activities.interface import FixBatch, FixRecorded
from activities.policies import Policies
from run.codec import data_converter
from run.worker import temporal_worker
from tests.live import keys_for, work_of

DIED_ON_PURPOSE = 9


class DyingFixRecords(DatabaseFixRecords):
    """Commits, and then the power goes."""

    dies_after: str

    @activity.defn(name="record_fix")
    async def record_fix(self, batch: FixBatch) -> FixRecorded:
        """Record, and die where told to."""
        recorded = await super().record_fix(batch)
        if recorded.was_appended and any(event.command.key == self.dies_after for event in batch.events):
            os._exit(DIED_ON_PURPOSE)
        return recorded


async def work(settings: dict[str, str]) -> None:
    """Work until killed, or dead."""
    engine = create_async_engine(settings["database_url"])
    client = await Client.connect(
        settings["temporal"], namespace=settings["namespace"], data_converter=data_converter(keys_for(engine))
    )
    records = DyingFixRecords(engine, Policies())
    records.dies_after = settings["dies_after"]
    work_of_the_dying = dataclasses.replace(work_of(engine), fixes=records)
    async with temporal_worker(client, work_of_the_dying, settings["task_queue"]):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(work(json.loads(sys.argv[1])))
