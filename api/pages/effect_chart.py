# SPDX-License-Identifier: Apache-2.0
"""The weekly course of a fix: what came, and what would have come without the change, for the chart and its table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta

import numpy as np

from analytics.effect import EffectSettings, judge
from analytics.effect_checks import Study, compare
from api.pages.charts import CourseWeek
from api.planning import counted_since
from models.aggregates import Cell, monday_of
from models.fixes.cells import by_kind, names_a_channel, weekly, without
from models.fixes.fix import Fix
from models.fixes.watching import DAYS_PER_WEEK, compared_since, first_changed_week, raised_the_signal
from models.policy import Policy

_WEEK = timedelta(days=DAYS_PER_WEEK)


def course_of(fix: Fix, counts: Mapping[Cell, int], policy: Policy) -> tuple[CourseWeek, ...]:
    """Return the weeks from a year before the change to the last look, as they were known at that look."""
    assert fix.plan is not None
    assert fix.changed_on is not None
    assert fix.effect is not None
    kinds = by_kind(counts, policy, by_channel=names_a_channel((*fix.plan.targets, *fix.plan.controls)))
    target = weekly(kinds, fix.plan.targets)
    beside = weekly(without(kinds, fix.plan.targets), fix.plan.controls)
    last = monday_of(fix.effect.as_of)
    since = compared_since(fix.plan, counted_since(fix.changed_on))
    first = min((week for week in (*target, *beside) if week >= since), default=last)
    weeks = [first + number * _WEEK for number in range((last - first).days // DAYS_PER_WEEK + 1)]
    rows = np.array([[series[week] for week in weeks] for series in (target, beside)], dtype=np.float64)
    study = Study(
        rows, np.ones_like(rows), 0, (1,) if fix.plan.controls else (),
        np.array([week + _WEEK <= fix.changed_on and not raised_the_signal(week, fix.plan.trigger) for week in weeks]),
        np.array([week >= first_changed_week(fix.changed_on, fix.plan.transition_weeks) for week in weeks]),
    )  # fmt: skip
    settings = EffectSettings(target_reduction=fix.plan.target_reduction)
    comparison = compare(study, study.target, study.controls)
    try:
        chart = judge(comparison, settings, controls_ratio=None if study.controls else math.inf).chart
    except ValueError:
        # Too little past to expect anything from; what came is shown all the same.
        return tuple(CourseWeek(week, target[week], None, None, None) for week in weeks)
    return tuple(
        CourseWeek(week, target[week], round(float(expected), 1), int(lower), int(upper))
        for week, expected, lower, upper in zip(weeks, chart.expected, chart.lower, chart.upper, strict=True)
    )
