# SPDX-License-Identifier: Apache-2.0
"""Flagging recurring process failures: what was read, judged by the sums, as signals into the record.

Two measures are looked at, each with its own false-alarm control: root causes that people confirmed, and the
categories complaints come in with. The same failure seen again in later weeks is the same signal.

Reading is signal_inputs.py, the cells signal_cells.py, judging signal_judging.py, what a card shows signal_facts.py,
what earlier looks left signal_budget.py, and writing signal_store.py.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity

from activities.database import transaction
from activities.interface import RootCauseLook, RootCauseOutcome, RootCauses
from activities.policies import Policies
from activities.signal_budget import before
from activities.signal_cells import Prepared, prepare
from activities.signal_facts import facts_of
from activities.signal_inputs import MEASURES, Inputs, inputs_of
from activities.signal_judging import Judged, judge, looks_at
from activities.signal_store import Look, store


class DatabaseRootCauses(RootCauses):
    """The look at the aggregates in PostgreSQL."""

    def __init__(self, engine: AsyncEngine, policies: Policies) -> None:
        self._engine = engine
        self._policies = policies

    @activity.defn(name="flag_recurring_failures")
    async def flag_recurring_failures(self, look: RootCauseLook) -> RootCauseOutcome:
        """Judge every cell of the agency as of a day and store the signals."""
        told, inputs = await self._read(look)
        # The sums take seconds and are done beside the worker's loop.
        prepared = [await asyncio.to_thread(prepare, measure, inputs, told.policy) for measure in MEASURES]
        judged = [await self._judged(told, one) for one in prepared]
        facts = {part.measure: await asyncio.to_thread(facts_of, part, told.policy) for part in judged}
        async with transaction(self._engine, told.agency) as connection:
            return await store(connection, told, judged, facts)

    async def _read(self, look: RootCauseLook) -> tuple[Look, Inputs]:
        agency = look.run.agency
        async with transaction(self._engine, agency) as connection:
            _, policy = await self._policies.in_force(connection, agency, look.asked_at)
            zone = ZoneInfo(policy.agency.time_zone)
            today = look.asked_at.astimezone(zone).date()
            as_of = look.run.as_of or today - timedelta(days=1)
            changes = [at for at, _ in (await self._policies.versions(connection, agency))[1:]]
            return Look(agency, as_of, policy), await inputs_of(connection, agency, as_of, changes, today=today)

    async def _judged(self, look: Look, prepared: Prepared) -> Judged:
        async with transaction(self._engine, look.agency) as connection:
            continued = {
                name: await before(
                    connection,
                    look.agency,
                    name,
                    counts_hash=prepared.counts_hash,
                    as_of=look.as_of,
                    expires_after=look.expires_after,
                )
                for name in looks_at(prepared.measure)
            }
        return await asyncio.to_thread(judge, prepared, continued)
