# SPDX-License-Identifier: Apache-2.0
"""Years of counts for tests, made up from a fixed seed: what is usual, and a failure planted on top of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID, uuid5

import numpy as np
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.database import transaction
from activities.signal_inputs import Measure

AGENCY = "riverbend"
FIRST_MONDAY = date(2024, 3, 4)
PAST_WEEKS = 104
SUNDAY = FIRST_MONDAY + timedelta(weeks=PAST_WEEKS, days=-1)
"""The last day of the history; what is planted comes in the four weeks up to it."""
FAILURES = ("HND3", "HND4", "TIM2", "INF2")
SERVICES = ("benefits", "permits")
OFFICES = ("main_street", "harbor")
USUAL_PER_WEEK = 2.0
PLANTED = ("HND3", "benefits", "harbor")
CASES = UUID(int=1)
_INSERT = text("""
    INSERT INTO cell_delta (agency, case_id, measure, code, service, office, channel, week, harm, vulnerable, change,
                            happened_at)
    VALUES (:agency, :case_id, :measure, :code, :service, :office, :channel, :week, :harm, :vulnerable, :change,
            :happened_at)
""")


@dataclass(frozen=True, slots=True)
class Counted:
    """So many complaints of a week, counted on its Wednesday unless told otherwise."""

    code: str
    service: str
    office: str
    week: date
    change: int
    measure: Measure = "cause"
    happened_at: datetime | None = None
    channel: str = "web"
    harm: int | None = None
    vulnerable: bool | None = None
    case: str = ""
    """Which case counts it: one for all of a kind and week, unless told otherwise."""


def usual(measure: Measure = "cause", codes: tuple[str, ...] = FAILURES, weeks: int = PAST_WEEKS) -> list[Counted]:
    """Return years in which nothing is wrong, always the same."""
    chance = np.random.default_rng(20260301)
    return [
        Counted(code, service, office, FIRST_MONDAY + timedelta(weeks=week), number, measure)
        for week in range(weeks)
        for code in codes
        for service in SERVICES
        for office in OFFICES
        if (number := int(chance.poisson(USUAL_PER_WEEK)))
    ]


def planted(
    *, weeks: Iterable[int] = range(-4, 0), measure: Measure = "cause", code: str = PLANTED[0]
) -> list[Counted]:
    """Return what comes on top of the usual: three times as many, in weeks counted from the end of the history."""
    end = SUNDAY + timedelta(days=1)
    return [
        Counted(code, *PLANTED[1:], end + timedelta(weeks=week), 2, measure, case=case)
        for week in weeks
        for case in "abc"
    ]


def case_of(one: Counted) -> UUID:
    """Return the case that a count is of."""
    return uuid5(CASES, f"{one.code}/{one.service}/{one.office}/{one.week}/{one.channel}/{one.case}")


async def count(engine: AsyncEngine, counted: list[Counted], agency: str = AGENCY) -> None:
    rows = [
        {
            "agency": agency,
            "case_id": case_of(one),
            "measure": one.measure,
            "code": one.code,
            "service": one.service,
            "office": one.office,
            "channel": one.channel,
            "week": one.week,
            "change": one.change,
            "harm": one.harm,
            "vulnerable": one.vulnerable,
            "happened_at": one.happened_at or datetime.combine(one.week + timedelta(days=2), time(18), UTC),
        }
        for one in counted
    ]
    async with transaction(engine, agency) as connection:
        await connection.execute(_INSERT, rows)
