# SPDX-License-Identifier: Apache-2.0
"""One measure made ready to be judged: its cells, and what is known of them from outside.

All is a function of what was read and of the policy.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import numpy as np

from activities.folding import ConfirmedOn
from activities.signal_inputs import Inputs, Issues, Measure
from analytics.agency_cube import Outside, Reasons, build_agency_cube, events_of, reasons_for
from analytics.arrays import FloatArray
from analytics.baseline import BaselineSettings
from analytics.cube import Cell, CellCounts, WeeklyRow, monday_of, week_of
from analytics.delays import Confirmed, completeness
from analytics.detection import hash_of_inputs
from analytics.dimensions import Events
from analytics.places import ELSEWHERE
from analytics.scores import DetectionSettings
from analytics.standing import TRAILING_WEEKS
from models.aggregates import Cell as CountedCell
from models.fixes.cells import families_of, family_of
from models.messages import sha256
from models.policy import Policy


@dataclass(frozen=True, slots=True)
class Prepared:
    """One measure made ready to be judged; `counts_hash` is of all that the judgement rests on beside earlier looks."""

    measure: Measure
    inputs: Inputs
    totals: dict[CountedCell, int]
    issues: Mapping[tuple[str, str], tuple[Issues, ...]]
    """By code and office, so that a cell's are found without a walk through all."""
    families: Mapping[str, str]
    regions: Mapping[str, str]
    events: Events
    cube: CellCounts
    reasons: Reasons
    settings: DetectionSettings
    counts_hash: str

    @property
    def looked_at(self) -> int:
        """How many cells are looked at, those too quiet to judge among them."""
        return len(self.cube.cells) + sum(count for _, count in self.cube.silent_counts)

    def within(self, cell: Cell, weeks: int) -> Iterator[Issues]:
        """Return the issues of a cell's last weeks."""
        last, service, channel = self.inputs.as_of_week, cell.service, cell.named.get("channel", "")
        for (code, office), issues in self.issues.items():
            if self._is_of(cell, code, office):
                yield from (
                    one
                    for one in issues
                    if last - weeks < one.week <= last and service in {"", one.service} and channel in {"", one.channel}
                )

    def letters_of(self, cell: Cell, weeks: int) -> tuple[int, int]:
        """Return how many different letters are behind a cell's last weeks, and how many complaints copy one."""
        behind = {issue.case_id: issue.letter for issue in self.within(cell, weeks)}
        different = len(set(behind.values()))
        return different, len(behind) - different

    def is_in(self, cell: Cell, counted: CountedCell) -> bool:
        """Return whether what was counted belongs to the cell."""
        return (
            self._is_of(cell, counted.code, counted.office)
            and cell.service in {"", counted.service}
            and cell.named.get("channel", "") in {"", counted.channel}
        )

    def _is_of(self, cell: Cell, code: str, office: str) -> bool:
        return (
            cell.failure in {"", code}
            and cell.office in {"", office}
            and cell.family in {"", self.families.get(code, "")}
            and cell.named.get("region", "") in {"", self.region_of(office)}
        )

    def region_of(self, office: str) -> str:
        """Return the region of an office; nothing where nobody has said the office."""
        return self.regions.get(office, ELSEWHERE) if office else ""


def prepare(measure: Measure, inputs: Inputs, policy: Policy) -> Prepared:
    """Return the measure's cells with what is known of them."""
    last = inputs.as_of_week
    settings = settings_of(policy)
    totals = {cell: number for cell, number in inputs.totals.items() if cell.measure == measure}
    rows = [row for row in weekly_rows(totals, measure) if row.week <= last]
    longest = settings.baseline.longest_baseline_weeks + max(settings.baseline.gap_weeks, TRAILING_WEEKS)
    first_week = min(max(min((row.week for row in rows), default=last), last - longest + 1), last)
    rows = [row for row in rows if row.week >= first_week]
    families = _families(policy, measure, rows)
    regions = {office.id: office.region for office in policy.agency.offices}
    events = events_of(rows, families, regions)
    cube = build_agency_cube(events, first_week=first_week, as_of_week=last)
    reasons = reasons_for(cube, events, outside_of(measure, inputs, policy, first_week), regions)
    issues = tuple(_issues_of(measure, inputs))
    counts_hash = sha256(
        hash_of_inputs(cube, as_of_week=last, settings=settings, known=reasons.known).encode(),
        json.dumps([_hashed(issue) for issue in issues]).encode(),
        json.dumps(policy.surveillance.harm_weights).encode(),
    ).hex()
    return Prepared(
        measure=measure,
        inputs=inputs,
        totals=totals,
        issues=_by_code_and_office(issues),
        families=families,
        regions=regions,
        events=events,
        cube=cube,
        reasons=reasons,
        settings=settings,
        counts_hash=counts_hash,
    )


def _issues_of(measure: Measure, inputs: Inputs) -> Iterator[Issues]:
    """Return the measure's issues; of what people came in with, the harm is the worst that was coded of the case."""
    coded: dict[UUID, int] = {}
    for issue in inputs.issues:
        if issue.harm is not None:
            coded[issue.case_id] = max(issue.harm, coded.get(issue.case_id, 0))
    last = inputs.as_of_week
    for issue in inputs.issues:
        if issue.measure == measure and issue.week <= last:
            is_as_told = measure == "cause" or issue.case_id not in coded
            yield issue if is_as_told else replace(issue, harm=coded[issue.case_id])


def _by_code_and_office(issues: Sequence[Issues]) -> dict[tuple[str, str], tuple[Issues, ...]]:
    kinds: dict[tuple[str, str], list[Issues]] = {}
    for issue in issues:
        kinds.setdefault((issue.code, issue.office), []).append(issue)
    return {kind: tuple(of_kind) for kind, of_kind in kinds.items()}


def _hashed(issue: Issues) -> list[Any]:
    return [
        issue.case_id.hex,
        issue.letter.hex,
        issue.code,
        issue.service,
        issue.office,
        issue.channel,
        issue.week,
        issue.harm,
        issue.vulnerable,
        issue.count,
    ]


def weekly_rows(totals: Mapping[CountedCell, int], measure: Measure) -> list[WeeklyRow]:
    """Return one measure's counts as the sums want them, in order."""
    counts: Counter[tuple[int, str, str, str, str]] = Counter()
    for cell, number in totals.items():
        if cell.measure == measure:
            counts[week_of(cell.week), cell.code, cell.service, cell.office, cell.channel] += number
    return [
        WeeklyRow(week, code, service, office, number, channel)
        for (week, code, service, office, channel), number in sorted(counts.items())
    ]


def settings_of(policy: Policy) -> DetectionSettings:
    """Return the run's numbers out of policy/surveillance.toml."""
    told = policy.surveillance
    return DetectionSettings(
        windows=told.window_weeks,
        false_discovery_rate=told.q,
        false_alarm_rate=told.alpha,
        floor_count=told.floor_count,
        floor_letters=told.floor_letters,
        baseline=BaselineSettings(longest_baseline_weeks=told.baseline_weeks, gap_weeks=told.left_out_weeks),
    )


def _families(policy: Policy, measure: Measure, rows: Sequence[WeeklyRow]) -> Mapping[str, str]:
    """Return the family of every code that occurs, also of codes the policy does not know (imports keep their own)."""
    known = families_of(policy)
    return {row.failure: family_of(measure, row.failure, known) for row in rows}


def outside_of(measure: Measure, inputs: Inputs, policy: Policy, first_week: int) -> Outside:
    """Return what is known beside the counts; how much is confirmed matters to confirmed causes only."""
    channels = tuple(sorted({one.channel for one in inputs.confirmed}))
    after = inputs.as_of - monday_of(inputs.as_of_week + 1)
    is_delayed = measure == "cause" and bool(inputs.confirmed)
    return Outside(
        completeness=completeness(_confirmed(inputs.confirmed, channels), inputs.as_of_week) if is_delayed else None,
        channels=channels,
        age_days=after.days + 1,
        served=inputs.served,
        left_out=[one for of_measure, one in inputs.left_out if of_measure == measure],
        closed_days=_closed_days(policy, first_week, inputs.as_of_week),
    )


def _confirmed(rows: Sequence[ConfirmedOn], channels: Sequence[str]) -> Confirmed:
    weeks = np.array([week_of(row.week) for row in rows], dtype=np.int64)
    return Confirmed(
        channel=np.array([channels.index(row.channel) for row in rows], dtype=np.int64),
        week=weeks,
        delay=np.array([week_of(row.on) for row in rows], dtype=np.int64) - weeks,
        count=np.array([row.count for row in rows], dtype=np.int64),
        channel_count=len(channels),
    )


def _closed_days(policy: Policy, first_week: int, last_week: int) -> FloatArray:
    """Return on how many of its working days the agency was closed, week by week."""
    worked = {hours.weekday for hours in policy.calendar.opening_hours}
    closed = Counter(week_of(day.on) for day in policy.calendar.closed_days if day.on.weekday() in worked)
    return np.array([float(closed[week]) for week in range(first_week, last_week + 1)])
