# SPDX-License-Identifier: Apache-2.0
"""The course of a fix: what came, what would have come without the change, and the drawing of both."""

from __future__ import annotations

from datetime import date, timedelta

from api.pages.charts import Charts
from api.pages.effect_chart import course_of
from models.aggregates import Cell
from models.fixes.fix import Fix
from models.fixes.terms import FixState
from tests.given import a_policy
from tests.given_fixes import CHANGED_ON, a_fix_at, an_effect

POLICY = a_policy()


def a_watched_fix() -> Fix:
    return a_fix_at(FixState.MONITORED).model_copy(update={"effect": an_effect(as_of=CHANGED_ON + timedelta(days=69))})


def counts(before_weeks: int) -> dict[Cell, int]:
    """Return six complaints a week before the change and one after it, beside twelve elsewhere."""
    weeks = [CHANGED_ON + timedelta(weeks=number) for number in range(-before_weeks, 10)]
    cells = {}
    for week in weeks:
        cells[Cell("cause", "HND3", "housing", "harbor", "web", week)] = 6 if week < CHANGED_ON else 1
        cells[Cell("cause", "HND3", "housing", "central", "web", week)] = 12
    return cells


def test_what_is_expected_goes_on_as_the_controls_do() -> None:
    course = course_of(a_watched_fix(), counts(52), POLICY)

    after = [week for week in course if week.week >= CHANGED_ON + timedelta(weeks=3)]
    assert len(course) == 62
    assert {week.observed for week in after} == {1}
    assert all(week.expected is not None and 5.5 < week.expected < 6.5 for week in after)
    assert all(week.lower is not None and week.upper is not None and week.lower < 6 < week.upper for week in after)


def test_with_too_little_past_only_what_came_is_shown() -> None:
    course = course_of(a_watched_fix(), counts(4), POLICY)

    assert [week.expected for week in course] == [None] * 14
    assert [week.observed for week in course] == [6] * 4 + [1] * 10


async def test_a_course_is_drawn_with_the_day_of_the_change_in_words() -> None:
    charts = Charts()

    with_band = await charts.course(course_of(a_watched_fix(), counts(52), POLICY), CHANGED_ON)
    without = await charts.course(course_of(a_watched_fix(), counts(4), POLICY), date(2026, 4, 6))

    assert with_band is not None
    assert without is not None
    assert "change in place" in with_band
    assert "without the change" in with_band
    assert "without the change" not in without
    assert "style=" not in with_band
