# SPDX-License-Identifier: Apache-2.0
"""Looking for recurring failures now: the body of `putright analyze`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

from temporalio.client import Client

from activities.imports import importing_agencies
from activities.interface import RootCauseOutcome, RootCauseRun
from activities.signal_inputs import last_whole_week
from analytics.cube import monday_of
from models.wording import english_day
from run.composition import case_keys, engine_for, now, secrets_of, temporal_client
from run.schedules import root_cause_id
from run.settings import Settings
from workflows.root_cause import RootCauseWorkflow


class CannotAnalyze(Exception):
    """There is nothing to look at; the text says why."""


async def analyze(
    settings: Settings, *, agency: str, as_of: date | None, say: Callable[[str], object] = lambda _: None
) -> list[str]:
    """Have a worker look at the agency, or all, and return what it found as lines; `say` hears what it is doing.

    Raises CannotAnalyze for an agency that is none, and for a day that is not over nor begun.
    """
    engine = engine_for(settings.worker_database_url, connections=2)
    try:
        chosen = [one for one in await importing_agencies(engine) if agency in {"", one.slug}]
        if not chosen:
            raise CannotAnalyze(f"There is no agency {agency}." if agency else "There is no agency.")
        for one in chosen:
            _refuse_a_day_to_come(as_of, now().astimezone(ZoneInfo(one.time_zone)).date())
        client = await temporal_client(settings, case_keys(engine, secrets_of(settings)))
        runs = [RootCauseRun(agency=one.slug, as_of=as_of) for one in chosen]
        outcomes = [await _look_saying_so(client, run, settings.task_queue, say) for run in runs]
    finally:
        await engine.dispose()
    return [line for outcome in outcomes for line in _lines(outcome)]


async def _look_saying_so(
    client: Client, run: RootCauseRun, task_queue: str, say: Callable[[str], object]
) -> RootCauseOutcome:
    say(f"A worker looks at every failure and place of {run.agency}, week by week; this can take some minutes …")
    return await look(client, run, task_queue)


async def look(client: Client, run: RootCauseRun, task_queue: str) -> RootCauseOutcome:
    """Run the workflow and return its outcome."""
    return await client.execute_workflow(
        RootCauseWorkflow.run, run, id=f"{root_cause_id(run.agency)}/{uuid4()}", task_queue=task_queue
    )


def _refuse_a_day_to_come(as_of: date | None, today: date) -> None:
    if as_of is not None and as_of > today:
        raise CannotAnalyze(f"{as_of} has not come yet; today is {today}. Name it or a day before it.")


def _lines(outcome: RootCauseOutcome) -> list[str]:
    count = len(outcome.raised) + len(outcome.seen_again)
    monday = monday_of(last_whole_week(outcome.as_of))
    week = f"{english_day(monday)} to {english_day(monday + timedelta(days=6))}"
    found = f"{count} signal{'' if count == 1 else 's'} ({len(outcome.raised)} new)"
    head = (
        f"{outcome.agency}, as of {english_day(outcome.as_of)}: the weeks up to that of {week} are judged, the last "
        f"that is over; {outcome.cells:,} places and failures looked at, {found}. Inputs {outcome.inputs_hash[:12]}."
    )
    ids = (*outcome.raised, *outcome.seen_again)
    return [head, *(f"  {i}  {sentence}" for i, sentence in zip(ids, outcome.sentences, strict=True))]
