# SPDX-License-Identifier: Apache-2.0
"""The weekly look through Temporal: asked for by a person, or by the schedule the policy describes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import ScheduleActionExecutionStartWorkflow, ScheduleActionStartWorkflow, ScheduleOverlapPolicy

from activities.database import transaction
from activities.interface import RootCauseOutcome, RootCauseRun
from run import schedules
from run.analyzing import look
from run.schedules import keep_schedules, root_cause_id
from run.settings import Settings
from tests.counts import AGENCY, SUNDAY, count, planted, usual
from tests.given import a_policy
from tests.live import Desk

ZONE = ZoneInfo(a_policy().agency.time_zone)
MONDAY_IN_TEMPORAL = 1


@pytest.fixture
def settings(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a worker, whose schedules are its own on a server that tests share."""
    monkeypatch.setattr(schedules, "root_cause_id", lambda agency: f"root-cause/{agency}/{desk.task_queue}")
    monkeypatch.setattr(schedules, "texts_id", lambda agency: f"texts/{agency}/{desk.task_queue}")
    return Settings(task_queue=desk.task_queue)


async def test_a_person_has_any_day_looked_at(desk: Desk, worker_engine: AsyncEngine) -> None:
    await count(worker_engine, [*usual(), *planted()])

    outcome = await look(desk.client, RootCauseRun(agency=AGENCY, as_of=SUNDAY), desk.task_queue)

    assert outcome.as_of == SUNDAY
    assert len(outcome.raised) == 1
    assert "Dropped or lost, Benefit payments" in outcome.sentences[0]
    async with transaction(worker_engine, AGENCY) as connection:
        assert list(await connection.scalars(text("SELECT id FROM signal"))) == list(outcome.raised)


async def test_every_agency_has_its_weekly_look_at_the_policys_hour(
    desk: Desk, worker_engine: AsyncEngine, settings: Settings
) -> None:
    for _ in range(2):
        await keep_schedules(desk.client, worker_engine, settings)

    for agency in (AGENCY, "lakeside"):
        schedule = (await desk.client.get_schedule_handle(schedules.root_cause_id(agency)).describe()).schedule
        (when,) = schedule.spec.calendars
        assert [(days.start, days.end) for days in when.day_of_week] == [(MONDAY_IN_TEMPORAL, MONDAY_IN_TEMPORAL)]
        assert [(hours.start, hours.end) for hours in when.hour] == [(5, 5)]
        assert [(minutes.start, minutes.end) for minutes in when.minute] == [(0, 0)]
        assert schedule.spec.time_zone_name == "America/Chicago"
        assert schedule.policy.overlap is ScheduleOverlapPolicy.SKIP
        assert isinstance(schedule.action, ScheduleActionStartWorkflow)
        (told,) = await desk.client.data_converter.decode(schedule.action.args, [RootCauseRun])
        assert told == RootCauseRun(agency=agency)


async def test_the_next_looks_are_on_mondays_at_five_where_the_agency_is(
    desk: Desk, worker_engine: AsyncEngine, settings: Settings
) -> None:
    await keep_schedules(desk.client, worker_engine, settings)

    handle = desk.client.get_schedule_handle(schedules.root_cause_id(AGENCY))
    upcoming = [at.astimezone(ZONE) for at in (await handle.describe()).info.next_action_times]

    assert upcoming
    assert {(at.weekday(), at.hour, at.minute) for at in upcoming} == {(0, 5, 0)}
    assert len({at.date() for at in upcoming}) == len(upcoming)


async def test_what_the_schedule_starts_looks_at_the_day_before(
    desk: Desk, worker_engine: AsyncEngine, settings: Settings
) -> None:
    await count(worker_engine, [*usual(), *planted()])
    await keep_schedules(desk.client, worker_engine, settings)
    handle = desk.client.get_schedule_handle(schedules.root_cause_id(AGENCY))

    before = datetime.now(UTC)
    await handle.trigger()
    while not (actions := (await handle.describe()).info.recent_actions):
        await asyncio.sleep(0.05)
    started = actions[0].action
    assert isinstance(started, ScheduleActionExecutionStartWorkflow)
    looked = desk.client.get_workflow_handle(started.workflow_id, result_type=RootCauseOutcome)
    outcome = await looked.result()

    days = {(at.astimezone(ZONE) - timedelta(days=1)).date() for at in (before, datetime.now(UTC))}
    assert outcome.as_of in days
    assert outcome.agency == AGENCY
    async with transaction(worker_engine, AGENCY) as connection:
        assert list(await connection.scalars(text("SELECT as_of FROM signal_run"))) == [outcome.as_of]


def test_schedules_are_named_after_their_agency() -> None:
    assert root_cause_id(AGENCY) == "root-cause/riverbend"
