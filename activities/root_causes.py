# SPDX-License-Identifier: Apache-2.0
"""Flagging recurring process failures: counts out of the aggregates, sums by analytics/, signals into the record.

Two measures are looked at, each with its own false-alarm control: root causes that people confirmed, and the
categories complaints come in with. The same failure seen again in later weeks is the same signal.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Literal
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio import activity

from activities.database import transaction
from activities.folding import cell_totals
from activities.interface import RootCauseLook, RootCauseOutcome, RootCauses
from activities.policies import Policies
from analytics.baseline import BaselineSettings
from analytics.cube import Cell, CellCounts, WeeklyRow, build_cube, monday_of, week_of
from analytics.detection import DetectionSettings, Finding, detect, hash_of_inputs
from analytics.wording import Labels, sentences
from models import aggregates
from models.messages import sha256
from models.policy import Policy
from models.tables.signals import signal, signal_run, signal_week
from models.taxonomy import Kind

Measure = Literal["cause", "intake"]
MEASURES: tuple[Measure, ...] = ("cause", "intake")
SAME_SIGNAL_WEEKS = 8
"""A failure that was quiet for longer and comes back is a new signal."""
INTAKE_FAMILY = "intake"
OTHER_FAMILY = "other"
_NAMESPACE = UUID("b0b8c4a4-6d0f-5c5e-8a44-0d6f3c1f7a11")


@dataclass(frozen=True, slots=True)
class Judged:
    """What one measure came to."""

    measure: Measure
    cells: int
    inputs_hash: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """A signal of the last weeks, with the cells it spoke of when it was last seen."""

    id: UUID
    cells: tuple[Cell, ...]


class DatabaseRootCauses(RootCauses):
    """The look at the aggregates in PostgreSQL."""

    def __init__(self, engine: AsyncEngine, policies: Policies) -> None:
        self._engine = engine
        self._policies = policies

    @activity.defn(name="flag_recurring_failures")
    async def flag_recurring_failures(self, look: RootCauseLook) -> RootCauseOutcome:
        """Judge every cell of the agency as of a day and store the signals."""
        agency = look.run.agency
        async with transaction(self._engine, agency) as connection:
            _, policy = await self._policies.in_force(connection, agency, look.asked_at)
            zone = ZoneInfo(policy.agency.time_zone)
            as_of = look.run.as_of or look.asked_at.astimezone(zone).date() - timedelta(days=1)
            totals = await cell_totals(connection, agency, as_of)
        counts = {measure: weekly_rows(totals, measure) for measure in MEASURES}
        judged = [await asyncio.to_thread(_judged, measure, counts[measure], policy, as_of) for measure in MEASURES]
        async with transaction(self._engine, agency) as connection:
            return await _store(connection, agency, as_of, policy, judged)


def weekly_rows(totals: Mapping[aggregates.Cell, int], measure: Measure) -> list[WeeklyRow]:
    """Return one measure's counts as the sums want them: over all channels, in order."""
    counts: Counter[tuple[int, str, str, str]] = Counter()
    for cell, number in totals.items():
        if cell.measure == measure:
            counts[week_of(cell.week), cell.code, cell.service, cell.office] += number
    return [WeeklyRow(*which, number) for which, number in sorted(counts.items())]


def last_whole_week(as_of: date) -> int:
    """Return the last week that is over at the end of the day."""
    return week_of(as_of + timedelta(days=1)) - 1


def _judged(measure: Measure, rows: Sequence[WeeklyRow], policy: Policy, as_of: date) -> Judged:
    as_of_week = last_whole_week(as_of)
    settings = settings_of(policy)
    longest = settings.baseline.longest_baseline_weeks + settings.baseline.gap_weeks
    first_seen = min((row.week for row in rows), default=as_of_week)
    first_week = min(max(first_seen, as_of_week - longest + 1), as_of_week)
    weekly = [row for row in rows if row.week >= first_week]
    cube: CellCounts = build_cube(
        weekly, families_of(policy, measure, weekly), first_week=first_week, as_of_week=as_of_week
    )
    return Judged(
        measure,
        len(cube.cells) + sum(count for _, count in cube.silent_counts),
        hash_of_inputs(cube, as_of_week=as_of_week, settings=settings),
        detect(cube, as_of_week=as_of_week, settings=settings),
    )


def settings_of(policy: Policy) -> DetectionSettings:
    """Return the run's numbers out of policy/surveillance.toml."""
    told = policy.surveillance
    return DetectionSettings(
        windows=told.window_weeks,
        false_discovery_rate=told.q,
        false_alarm_rate=told.alpha,
        floor_count=told.floor_count,
        baseline=BaselineSettings(longest_baseline_weeks=told.baseline_weeks, gap_weeks=told.left_out_weeks),
    )


def families_of(policy: Policy, measure: Measure, rows: Sequence[WeeklyRow]) -> Mapping[str, str]:
    """Return the family of every code that occurs, also of codes the policy does not know (imports keep their own)."""
    if measure == "intake":
        return {row.failure: INTAKE_FAMILY for row in rows}
    known = {term.code: term.family for term in policy.taxonomy.of(Kind.FAILURE)}
    return {row.failure: known.get(row.failure) or OTHER_FAMILY for row in rows}


def labels_of(policy: Policy) -> Labels:
    """Return what staff call the codes."""
    language = policy.agency.languages[0]
    terms = policy.taxonomy.by_code.values()
    return Labels(
        families={t.code: t.name_in(language) for t in terms if t.kind is Kind.FAMILY}
        | {INTAKE_FAMILY: "All complaints", OTHER_FAMILY: "Other failures"},
        failures={t.code: t.name_in(language) for t in terms if t.kind in {Kind.FAILURE, Kind.INTAKE}}
        | {aggregates.NOT_STATED: "Kind not stated"},
        services={service.id: service.name[language] for service in policy.agency.services},
        offices={office.id: office.name for office in policy.agency.offices},
    )


async def _store(
    connection: AsyncConnection, agency: str, as_of: date, policy: Policy, judged: Sequence[Judged]
) -> RootCauseOutcome:
    inputs_hash = sha256(*(part.inputs_hash.encode() for part in judged)).hex()
    cells = sum(part.cells for part in judged)
    run = {"agency": agency, "as_of": as_of, "inputs_hash": inputs_hash, "cells": cells}
    settings = asdict(settings_of(policy))
    await connection.execute(upsert(signal_run).values(settings=settings, **run).on_conflict_do_nothing())
    raised: list[tuple[UUID, str]] = []
    seen_again: list[tuple[UUID, str]] = []
    for part in judged:
        known = await _recent(connection, agency, part.measure, as_of)
        for finding in part.findings:
            same = next((old for old in known if finding.is_same_matter_as(old.cells)), None)
            told = sentences(finding, labels_of(policy))
            signal_id = same.id if same else await _raise(connection, agency, part.measure, as_of, policy, finding)
            await _add_week(connection, agency, as_of, part, signal_id, finding, told)
            known = [*(old for old in known if old.id != signal_id), Known(signal_id, finding.cells)]
            (seen_again if same else raised).append((signal_id, told[0]))
    return RootCauseOutcome(
        agency=agency,
        as_of=as_of,
        cells=cells,
        raised=tuple(found for found, _ in raised),
        seen_again=tuple(found for found, _ in seen_again),
        sentences=tuple(sentence for _, sentence in (*raised, *seen_again)),
        inputs_hash=inputs_hash,
    )


async def _recent(connection: AsyncConnection, agency: str, measure: Measure, as_of: date) -> list[Known]:
    """Return the signals seen in the weeks around the day, the oldest first, each as it was last seen."""
    near = timedelta(weeks=SAME_SIGNAL_WEEKS)
    query = (
        select(signal.c.id, signal_week.c.evidence)
        .ext(distinct_on(signal.c.raised_on, signal.c.id))
        .join(signal_week, signal_week.c.signal_id == signal.c.id)
        .where(
            signal.c.agency == agency,
            signal.c.measure == measure,
            signal_week.c.as_of.between(as_of - near, as_of + near),
        )
        .order_by(signal.c.raised_on, signal.c.id, signal_week.c.as_of.desc())
    )
    return [
        Known(row.id, tuple(Cell(*cell) for cell in row.evidence["cells"])) for row in await connection.execute(query)
    ]


async def _raise(
    connection: AsyncConnection, agency: str, measure: Measure, as_of: date, policy: Policy, finding: Finding
) -> UUID:
    cell = finding.cell
    signal_id = uuid5(_NAMESPACE, f"{agency}/{measure}/{cell.key}/{as_of}")
    noon = datetime.combine(as_of, time(12), ZoneInfo(policy.agency.time_zone))
    decide_by = policy.calendar.add_working_days(noon, policy.surveillance.decide_within_working_days)
    await connection.execute(
        upsert(signal)
        .values(
            id=signal_id,
            agency=agency,
            measure=measure,
            code=cell.failure or None,
            family=cell.family or None,
            service=cell.service or None,
            office=cell.office or None,
            began_week=monday_of(finding.began_week),
            raised_on=as_of,
            decide_by=policy.calendar.local_date(decide_by),
        )
        .on_conflict_do_nothing()
    )
    return signal_id


async def _add_week(
    connection: AsyncConnection,
    agency: str,
    as_of: date,
    part: Judged,
    signal_id: UUID,
    finding: Finding,
    told: tuple[str, str],
) -> None:
    row = {
        "agency": agency,
        "inputs_hash": part.inputs_hash,
        "observed": finding.observed_count,
        "expected": finding.expected_count,
        "threshold": finding.threshold_count,
        "p_value": finding.p_value,
        "q_value": finding.q_value,
        "window_weeks": finding.window_weeks,
        "sentences": list(told),
        "evidence": evidence_of(finding),
    }
    statement = upsert(signal_week).values(signal_id=signal_id, as_of=as_of, **row)
    await connection.execute(statement.on_conflict_do_update(index_elements=["signal_id", "as_of"], set_=row))


def evidence_of(finding: Finding) -> dict[str, Any]:
    """Return what chart, table and list of cases are drawn from."""
    series = finding.series
    return {
        "cells": [[cell.family, cell.failure, cell.service, cell.office] for cell in finding.cells],
        "began_week": monday_of(finding.began_week).isoformat(),
        "recurrence_years": finding.recurrence_years,
        "series": {
            "weeks": [monday_of(week).isoformat() for week in series.weeks],
            "observed": list(series.observed_counts),
            "expected": [round(value, 3) for value in series.expected_counts],
            "upper_band": list(series.upper_band),
        },
    }
