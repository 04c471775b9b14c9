# SPDX-License-Identifier: Apache-2.0
"""Looking for recurring failures now: the body of `putright analyze`."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

from temporalio.client import Client

from activities.database import agencies
from activities.interface import RootCauseOutcome, RootCauseRun
from run.composition import case_keys, engine_for, secrets_of, temporal_client
from run.schedules import root_cause_id
from run.settings import Settings
from workflows.root_cause import RootCauseWorkflow


async def analyze(settings: Settings, *, agency: str, as_of: date | None) -> list[str]:
    """Have a worker look at the agency, or all, and return what it found as lines."""
    engine = engine_for(settings.worker_database_url, connections=2)
    try:
        client = await temporal_client(settings, case_keys(engine, secrets_of(settings)))
        chosen = [agency] if agency else await agencies(engine)
        outcomes = [await look(client, RootCauseRun(agency=one, as_of=as_of), settings.task_queue) for one in chosen]
    finally:
        await engine.dispose()
    return [line for outcome in outcomes for line in _lines(outcome)]


async def look(client: Client, run: RootCauseRun, task_queue: str) -> RootCauseOutcome:
    """Run the workflow and return its outcome."""
    return await client.execute_workflow(
        RootCauseWorkflow.run, run, id=f"{root_cause_id(run.agency)}/{uuid4()}", task_queue=task_queue
    )


def _lines(outcome: RootCauseOutcome) -> list[str]:
    count = len(outcome.raised) + len(outcome.seen_again)
    head = (
        f"{outcome.agency}, as of {outcome.as_of}: {outcome.cells:,} places and failures looked at, "
        f"{count} signal{'' if count == 1 else 's'} ({len(outcome.raised)} new). Inputs {outcome.inputs_hash[:12]}."
    )
    ids = (*outcome.raised, *outcome.seen_again)
    return [head, *(f"  {i}  {sentence}" for i, sentence in zip(ids, outcome.sentences, strict=True))]
