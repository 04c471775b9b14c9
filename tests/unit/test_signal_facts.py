# SPDX-License-Identifier: Apache-2.0
"""What would make a finding wrong, told on its card."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from activities.signal_facts import doubts_of
from analytics.cube import Cell, monday_of, week_of
from analytics.detection import Finding, WeeklySeries

LAST_WEEK = week_of(date(2026, 5, 25))


def a_finding() -> Finding:
    return Finding(
        cell=Cell("documents", "lost"),
        members=(),
        as_of_week=LAST_WEEK,
        window_weeks=4,
        began_week=LAST_WEEK - 5,
        observed_count=20,
        expected_count=5.0,
        threshold_count=11,
        p_value=1e-6,
        q_value=1e-4,
        series=WeeklySeries((LAST_WEEK,), (20,), (5.0,), (11,)),
    )


def test_a_policy_that_changed_since_it_began_is_a_doubt() -> None:
    (doubt,) = doubts_of(a_finding(), [date(2026, 5, 4)])

    assert doubt.startswith("The policy changed on May 4, 2026, within these weeks")


@pytest.mark.parametrize("day", [monday_of(LAST_WEEK - 5) - timedelta(days=1), monday_of(LAST_WEEK + 1)])
def test_a_policy_that_changed_before_or_after_is_none(day: date) -> None:
    assert doubts_of(a_finding(), [day]) == []
