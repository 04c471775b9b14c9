# SPDX-License-Identifier: Apache-2.0
"""Flagging recurring process failures: counts out of the aggregates, sums by analytics/, signals into the record.

Two measures are looked at, each with its own false-alarm control: root causes that people confirmed, and the
categories complaints come in with. The same failure seen again in later weeks is the same signal.

Over the years each measure has a budget of false alarms (analytics/lifetime.py), whose ledger is stored with every run:
a look continues the latest earlier one, and a look repeated takes what the first one took, so that it gives the same.
"""

from __future__ import annotations

import asyncio
import json
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
from activities.signal_facts import facts_of
from analytics.baseline import BaselineSettings
from analytics.cube import Cell, CellCounts, WeeklyRow, build_cube, monday_of, week_of
from analytics.detection import (
    DetectionSettings,
    Finding,
    detect_within_budget,
    hash_of_inputs,
    is_of_open_matter,
)
from analytics.lifetime import Ledger, LifetimeSettings, entered, false_share_bound, level_of
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
class Standing:
    """Where the earlier looks left a measure: the ledger of false alarms, and the cells of each open matter."""

    ledger: Ledger
    open_matters: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """What one measure came to; `facts` are its findings', `lifetime` what the run keeps of the budget."""

    measure: Measure
    cells: int
    inputs_hash: str
    findings: tuple[Finding, ...]
    facts: list[dict[str, Any]]
    lifetime: dict[str, Any]


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
            changes = [at for at, _ in (await self._policies.versions(connection, agency))[1:]]
            standings = {measure: await _standing(connection, agency, measure, as_of) for measure in MEASURES}
        judged = [
            await asyncio.to_thread(_judged, measure, totals, policy, as_of, standings[measure], changes)
            for measure in MEASURES
        ]
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


def _judged(
    measure: Measure,
    totals: Mapping[aggregates.Cell, int],
    policy: Policy,
    as_of: date,
    standing: Standing,
    policy_changes: Sequence[datetime],
) -> Judged:
    as_of_week = last_whole_week(as_of)
    settings = settings_of(policy)
    rows = weekly_rows(totals, measure)
    longest = settings.baseline.longest_baseline_weeks + settings.baseline.gap_weeks
    first_seen = min((row.week for row in rows), default=as_of_week)
    first_week = min(max(first_seen, as_of_week - longest + 1), as_of_week)
    weekly = [row for row in rows if row.week >= first_week]
    families = families_of(policy, measure, weekly)
    cube: CellCounts = build_cube(weekly, families, first_week=first_week, as_of_week=as_of_week)
    lifetime = _lifetime_of(settings)
    looked_at = len(cube.cells) + sum(count for _, count in cube.silent_counts)
    new_cells = looked_at - int(is_of_open_matter(cube, standing.open_matters).sum())
    level = level_of(standing.ledger, as_of_week, new_cells, lifetime)
    found = detect_within_budget(
        cube, as_of_week=as_of_week, settings=settings, level=level, open_matters=standing.open_matters
    )
    after = standing.ledger
    if found.tested_count:
        after = entered(after, as_of_week, level, found.new_count, found.new_count + 1)
    before = {"before": standing.ledger.as_json(), "open": [_as_lists(matter) for matter in standing.open_matters]}
    inputs_hash = sha256(
        hash_of_inputs(cube, as_of_week=as_of_week, settings=settings).encode(),
        json.dumps([before, asdict(lifetime)], sort_keys=True).encode(),
    ).hex()
    facts = facts_of(
        found.findings,
        {counted: number for counted, number in totals.items() if counted.measure == measure},
        families,
        inputs_hash=inputs_hash,
        policy_changes=policy_changes,
        zone=ZoneInfo(policy.agency.time_zone),
    )
    bound = false_share_bound(after, as_of_week, lifetime)
    kept = {**before, "level": level, "after": after.as_json(), "false_share_at_most": bound}
    return Judged(measure, looked_at, inputs_hash, found.findings, facts, kept)


def _lifetime_of(settings: DetectionSettings) -> LifetimeSettings:
    """Return the promise over the years: the policy's rate holds in the week and over the years."""
    return LifetimeSettings(rate=settings.false_discovery_rate, weekly_rate=settings.false_discovery_rate)


def _as_lists(cells: Sequence[Cell]) -> list[list[str]]:
    return [[cell.family, cell.failure, cell.service, cell.office] for cell in cells]


async def _standing(connection: AsyncConnection, agency: str, measure: Measure, as_of: date) -> Standing:
    """Return what a look on that day continues from: as the first one of that day did, else from the latest before."""
    runs = select(signal_run.c.settings).where(signal_run.c.agency == agency)
    same_day = runs.where(signal_run.c.as_of == as_of).order_by(signal_run.c.ran_at).limit(1)
    if kept := _kept((await connection.execute(same_day)).scalar_one_or_none(), measure):
        matters = tuple(tuple(Cell(*cell) for cell in matter) for matter in kept["open"])
        return Standing(Ledger.from_json(kept["before"]), matters)
    earlier = runs.where(signal_run.c.as_of < as_of).order_by(signal_run.c.as_of.desc(), signal_run.c.ran_at).limit(1)
    kept = _kept((await connection.execute(earlier)).scalar_one_or_none(), measure)
    entries = Ledger.from_json(kept["after"]).weeks if kept else ()
    this_week = last_whole_week(as_of)
    ledger = Ledger(tuple(entry for entry in entries if entry.week < this_week))
    day_before = monday_of(this_week) + timedelta(days=5)
    known = await _recent(connection, agency, measure, as_of - timedelta(weeks=SAME_SIGNAL_WEEKS), day_before)
    return Standing(ledger, tuple(old.cells for old in known))


def _kept(settings: dict[str, Any] | None, measure: Measure) -> dict[str, Any] | None:
    """Return what a run kept of a measure's budget; runs of before there was one kept nothing."""
    kept: dict[str, Any] | None = (settings or {}).get("lifetime", {}).get(measure)
    return kept


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
    settings = {**asdict(settings_of(policy)), "lifetime": {part.measure: part.lifetime for part in judged}}
    await connection.execute(upsert(signal_run).values(settings=settings, **run).on_conflict_do_nothing())
    raised: list[tuple[UUID, str]] = []
    seen_again: list[tuple[UUID, str]] = []
    for part in judged:
        near = timedelta(weeks=SAME_SIGNAL_WEEKS)
        known = await _recent(connection, agency, part.measure, as_of - near, as_of + near)
        for finding, facts in zip(part.findings, part.facts, strict=True):
            same = next((old for old in known if finding.is_same_matter_as(old.cells)), None)
            told = sentences(finding, labels_of(policy))
            signal_id = same.id if same else await _raise(connection, agency, part.measure, as_of, policy, finding)
            await _add_week(connection, agency, as_of, part, signal_id, finding, told, facts)
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


async def _recent(
    connection: AsyncConnection, agency: str, measure: Measure, first_day: date, last_day: date
) -> list[Known]:
    """Return the signals seen from one day to another, the oldest first, each as it was last seen in that time."""
    query = (
        select(signal.c.id, signal_week.c.evidence)
        .ext(distinct_on(signal.c.raised_on, signal.c.id))
        .join(signal_week, signal_week.c.signal_id == signal.c.id)
        .where(
            signal.c.agency == agency,
            signal.c.measure == measure,
            signal_week.c.as_of.between(first_day, last_day),
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
    facts: Mapping[str, Any],
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
        "evidence": {**evidence_of(finding), **facts, "false_share_at_most": part.lifetime["false_share_at_most"]},
    }
    statement = upsert(signal_week).values(signal_id=signal_id, as_of=as_of, **row)
    await connection.execute(statement.on_conflict_do_update(index_elements=["signal_id", "as_of"], set_=row))


def evidence_of(finding: Finding) -> dict[str, Any]:
    """Return what chart, table and list of cases are drawn from."""
    series = finding.series
    return {
        "cells": _as_lists(finding.cells),
        "began_week": monday_of(finding.began_week).isoformat(),
        "recurrence_years": finding.recurrence_years,
        "series": {
            "weeks": [monday_of(week).isoformat() for week in series.weeks],
            "observed": list(series.observed_counts),
            "expected": [round(value, 3) for value in series.expected_counts],
            "upper_band": list(series.upper_band),
        },
    }
