# SPDX-License-Identifier: Apache-2.0
"""What runs by the calendar, one schedule each an agency: the weekly look for recurring failures, nightly reading."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from activities.database import agencies, transaction
from activities.interface import RootCauseRun, TextRun
from activities.policies import Policies
from models.policy import Policy
from models.reading import READ_AT_HOUR
from run.composition import now
from run.settings import Settings
from workflows.root_cause import RootCauseWorkflow
from workflows.text import TextWorkflow

CATCH_UP = timedelta(days=6)
"""A run missed while everything was down is made up for, if the next one is not due yet."""
CATCH_UP_A_NIGHT = timedelta(hours=20)
_SUNDAY_FIRST = 7


def root_cause_id(agency: str) -> str:
    """Return the id of an agency's schedule, and the beginning of its workflows' ids."""
    return f"root-cause/{agency}"


def texts_id(agency: str) -> str:
    """Return the id of an agency's nightly schedule, and the beginning of its workflows' ids."""
    return f"texts/{agency}"


async def keep_schedules(client: Client, engine: AsyncEngine, settings: Settings) -> None:
    """Make every agency's schedule, or bring it to what the policy says now."""
    policies = Policies()
    for agency in await agencies(engine):
        async with transaction(engine, agency) as connection:
            _, policy = await policies.in_force(connection, agency, now())
        await _keep(client, root_cause_id(agency), _weekly(agency, policy, settings.task_queue))
        await _keep(client, texts_id(agency), _nightly(agency, policy, settings.task_queue))


async def _keep(client: Client, schedule_id: str, wanted: Schedule) -> None:
    def update(_: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(schedule=wanted)

    try:
        await client.create_schedule(schedule_id, wanted)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(schedule_id).update(update)


def _weekly(agency: str, policy: Policy, task_queue: str) -> Schedule:
    surveillance = policy.surveillance
    # Temporal counts the days of a week from Sunday, Python from Monday.
    weekday = (surveillance.run_weekday + 1) % _SUNDAY_FIRST
    when = ScheduleCalendarSpec(
        day_of_week=[ScheduleRange(weekday)], hour=[ScheduleRange(surveillance.run_hour)], comment="root causes"
    )
    return Schedule(
        action=ScheduleActionStartWorkflow(
            RootCauseWorkflow.run, RootCauseRun(agency=agency), id=root_cause_id(agency), task_queue=task_queue
        ),
        spec=ScheduleSpec(calendars=[when], time_zone_name=policy.agency.time_zone),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
    )


def _nightly(agency: str, policy: Policy, task_queue: str) -> Schedule:
    when = ScheduleCalendarSpec(hour=[ScheduleRange(READ_AT_HOUR)], comment="texts")
    return Schedule(
        action=ScheduleActionStartWorkflow(
            TextWorkflow.run, TextRun(agency=agency), id=texts_id(agency), task_queue=task_queue
        ),
        spec=ScheduleSpec(calendars=[when], time_zone_name=policy.agency.time_zone),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP_A_NIGHT),
    )
