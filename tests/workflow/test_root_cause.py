# SPDX-License-Identifier: Apache-2.0
"""The weekly look through Temporal: asked for by a person, or by the schedule the policy describes."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import ScheduleActionExecutionStartWorkflow, ScheduleActionStartWorkflow, ScheduleOverlapPolicy

from activities.interface import RootCauseOutcome, RootCauseRun
from run.schedules import keep_schedules, root_cause_id
from run.settings import Settings
from tests.activities.test_root_causes import SUNDAY, count, planted, usual
from tests.given import a_policy
from tests.live import Desk
from workflows.root_cause import RootCauseWorkflow
