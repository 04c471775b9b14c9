# SPDX-License-Identifier: Apache-2.0
"""What the weekly look reads of the record, as it was at the end of a day: counts, issues, fixes in place, exposure.

Only `chances`, what the suggestions say of issues that nobody has coded, could be told as it is now alone: suggestions
are made anew every night, and the issues are coded since. They are read for the last whole week, not of past ones; they
stand beside the counts and decide nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.folding import ConfirmedOn, cell_totals, confirmed_days
from analytics.agency_cube import LeftOut, Served
from analytics.cube import Cell, monday_of, week_of
from analytics.delays import LEARNT_WEEKS, MOST_WEEKS
from analytics.standing import TRAILING_WEEKS
from models import aggregates
from models.aggregates import EVENT_CHANNEL
from models.fixes.commands import CellRef
from models.fixes.fix import Fix
from models.fixes.terms import FixState

Measure = Literal["cause", "intake"]
MEASURES: tuple[Measure, ...] = ("cause", "intake")

# What each case adds to the weekly cells of the last year, with the letter it is a near-copy of, if it is one.
_ISSUES = text("""
    SELECT d.case_id, d.measure, d.code, d.service, d.office, d.channel, d.week, d.harm, d.vulnerable,
           sum(d.change)::integer AS total, coalesce(c.of_case_id, d.case_id) AS letter
    FROM cell_delta d
    JOIN agency a ON a.slug = d.agency
    LEFT JOIN text_copy c ON c.case_id = d.case_id AND (c.found_at AT TIME ZONE a.time_zone)::date <= :upto
    WHERE d.agency = :agency AND d.week >= :since AND d.channel <> :apart
      AND (d.happened_at AT TIME ZONE a.time_zone)::date <= :upto
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 11 HAVING sum(d.change) > 0
    ORDER BY d.week, d.case_id, d.measure, d.code, d.service, d.office, d.channel, d.harm, d.vulnerable
""")
_SERVED = text("""
    SELECT DISTINCT ON (e.service, e.office, e.week) e.service, e.office, e.week, e.served
    FROM exposure e JOIN agency a ON a.slug = e.agency
    WHERE e.agency = :agency AND (e.recorded_at AT TIME ZONE a.time_zone)::date <= :upto
    ORDER BY e.service, e.office, e.week, e.recorded_at DESC
""")
_FIXES = text("SELECT snapshot FROM fix_file WHERE agency = :agency ORDER BY fix_id")
_FIX_STATES = text("""
    SELECT e.fix_id, e.state, (e.at AT TIME ZONE a.time_zone)::date AS on_day
    FROM fix_event e JOIN agency a ON a.slug = e.agency
    WHERE e.agency = :agency AND (e.at AT TIME ZONE a.time_zone)::date <= :upto ORDER BY e.fix_id, e.sequence
""")
_CHANCES = text("""
    SELECT s.codes, s.chances, coalesce(i.service, f.service, '') AS service, coalesce(f.office, '') AS office,
           f.channel, (f.sort_at AT TIME ZONE a.time_zone)::date AS received_on
    FROM text_suggestion s
    JOIN case_file f USING (case_id)
    JOIN agency a ON a.slug = f.agency
    LEFT JOIN case_issue i ON i.case_id = s.case_id AND i.number = s.number
    WHERE s.agency = :agency AND s.kind = 'failure' AND (s.made_at AT TIME ZONE a.time_zone)::date <= :upto
      AND f.state NOT IN ('new', 'duplicate', 'withdrawn') AND f.channel <> :apart
      AND (f.sort_at AT TIME ZONE a.time_zone)::date BETWEEN :since AND :upto
      AND NOT EXISTS (SELECT FROM case_tag t WHERE t.case_id = s.case_id AND t.number = s.number)
    ORDER BY s.case_id, s.number
""")


@dataclass(frozen=True, slots=True)
class Issues:
    """What one case adds to one weekly cell, nearly always one issue; `letter` is the case it is a near-copy of."""

    case_id: UUID
    letter: UUID
    measure: str
    code: str
    service: str
    office: str
    channel: str
    week: int
    harm: int | None
    vulnerable: bool | None
    """Whether the person affected is in vulnerable circumstances; None where not known."""
    count: int


@dataclass(frozen=True, slots=True)
class Chances:
    """An issue that nobody has coded: how likely its text makes each failure."""

    by_code: dict[str, float]
    service: str
    office: str
    channel: str
    week: int


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that one look is made of, beside the policy and what earlier looks left."""

    as_of: date
    totals: dict[aggregates.Cell, int]
    confirmed: Sequence[ConfirmedOn]
    issues: Sequence[Issues]
    served: Sequence[Served]
    left_out: Sequence[tuple[Measure, LeftOut]]
    chances: Sequence[Chances]
    policy_changes: Sequence[datetime]

    @property
    def as_of_week(self) -> int:
        """The last week that is over."""
        return last_whole_week(self.as_of)


def last_whole_week(as_of: date) -> int:
    """Return the last week that is over at the end of the day."""
    return week_of(as_of + timedelta(days=1)) - 1


async def inputs_of(
    connection: AsyncConnection, agency: str, as_of: date, policy_changes: Sequence[datetime], *, today: date
) -> Inputs:
    """Return what the record says as of the end of the day, without what Problem Solving Days brought."""
    last = last_whole_week(as_of)
    is_latest = last >= last_whole_week(today - timedelta(days=1))
    known_by = {"agency": agency, "upto": as_of}
    asked = known_by | {"since": monday_of(last - TRAILING_WEEKS + 1), "apart": EVENT_CHANNEL}
    totals = await cell_totals(connection, agency, as_of)
    confirmed = await confirmed_days(connection, agency, monday_of(last - LEARNT_WEEKS - MOST_WEEKS), as_of)
    return Inputs(
        as_of=as_of,
        totals={cell: number for cell, number in totals.items() if cell.channel != EVENT_CHANNEL},
        confirmed=[one for one in confirmed if one.channel != EVENT_CHANNEL],
        issues=await _issues(connection, asked),
        served=[
            Served(week_of(row.week), row.service, row.office, float(row.served))
            for row in await connection.execute(_SERVED, known_by)
        ],
        left_out=await _left_out(connection, known_by, as_of),
        chances=await _chances(connection, asked) if is_latest else [],
        policy_changes=policy_changes,
    )


async def _issues(connection: AsyncConnection, asked: dict[str, Any]) -> list[Issues]:
    # Of a large agency these are hundreds of thousands: they are made beside the worker's loop.
    return await asyncio.to_thread(_issues_of, (await connection.execute(_ISSUES, asked)).all())


def _issues_of(rows: Sequence[Row[Any]]) -> list[Issues]:
    return [
        Issues(
            row.case_id,
            row.letter,
            row.measure,
            row.code,
            row.service,
            row.office,
            row.channel,
            week_of(row.week),
            row.harm,
            row.vulnerable,
            row.total,
        )
        for row in rows
    ]


async def _chances(connection: AsyncConnection, asked: dict[str, Any]) -> list[Chances]:
    return await asyncio.to_thread(_chances_of, (await connection.execute(_CHANCES, asked)).all())


def _chances_of(rows: Sequence[Row[Any]]) -> list[Chances]:
    return [
        Chances(
            dict(zip(row.codes, row.chances, strict=True)),
            row.service,
            row.office,
            row.channel,
            week_of(row.received_on),
        )
        for row in rows
    ]


async def _left_out(connection: AsyncConnection, known_by: dict[str, Any], upto: date) -> list[tuple[Measure, LeftOut]]:
    """Return the cells and weeks in which a fix was in place and not yet judged: they are no usual weeks."""
    watched: dict[UUID, list[tuple[date, date | None]]] = {}
    before: dict[UUID, str] = {}
    for row in await connection.execute(_FIX_STATES, known_by):
        spans = watched.setdefault(row.fix_id, [])
        was, before[row.fix_id] = before.get(row.fix_id), row.state
        if row.state == FixState.MONITORED and was != FixState.MONITORED:
            spans.append((row.on_day, None))
        elif was == FixState.MONITORED and row.state != FixState.MONITORED:
            spans[-1] = (spans[-1][0], row.on_day)
    found: list[tuple[Measure, LeftOut]] = []
    for snapshot in (await connection.execute(_FIXES, known_by)).scalars():
        fix = Fix.model_validate(snapshot)
        attempts = [(one.changed_on, one.plan) for one in fix.rounds] + [(fix.changed_on, fix.plan)]
        for (begun_on, ended_on), (changed_on, plan) in zip(watched.get(fix.id, []), attempts, strict=False):
            if plan is None:
                continue
            first, last = week_of(changed_on or begun_on), week_of(ended_on or upto)
            found += [(ref.measure, LeftOut(_cell_of(ref), first, last)) for ref in plan.targets]
    return found


def _cell_of(ref: CellRef) -> Cell:
    return Cell(
        family=ref.family or "",
        failure=ref.code or "",
        service=ref.service or "",
        office=ref.office or "",
        further=(("channel", ref.channel),) if ref.channel else (),
    )
