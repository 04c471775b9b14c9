# SPDX-License-Identifier: Apache-2.0
"""When the effect of a change is looked at, and what a look leads to: pure functions of the fix.

Weeks are the agency's own, Monday to Sunday. A change takes effect for the counts with the first whole week after the
day it was in place and its weeks of transition.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field

from models.aggregates import monday_of
from models.commands import SYSTEM
from models.fixes.commands import Effect, EndWatch, FindEffective, FindNotEffective, FixCommand, Look, Plan, Relapse
from models.fixes.fix import Fix
from models.fixes.terms import FixState, Verdict
from models.messages import Message
from models.working_time import TimeZoneName, WorkingCalendar

DAYS_PER_WEEK = 7
LEAST_WEEKS_BEFORE = 6
"""With fewer weeks before a change nothing is said of its effect (analytics/effect.py)."""
LEAST_WEEKS_TO_REFUTE = 8
"""Before so many weeks after a change nobody says that it does not work (analytics/effect.py)."""
MOST_YEARS_AHEAD = 10
END_OF_WATCH_KEY = "end-watch"


class Rhythm(Message):
    """When an agency looks: on Mondays from that hour on, and for how many weeks it watches a change that works."""

    time_zone: TimeZoneName
    hour: Annotated[int, Field(ge=0, le=23)] = 6
    watch_weeks: Annotated[int, Field(ge=1, le=520)] = 52


class LookDue(Message):
    """The next look: at the weeks up to and including the Sunday `as_of`, to be made from `at` on."""

    as_of: date
    at: datetime


def monday_on_or_after(day: date) -> date:
    """Return the first Monday that is not before the day."""
    return day + timedelta(days=-day.weekday() % DAYS_PER_WEEK)


def compared_since(plan: Plan, earliest: date) -> date:
    """Return the Monday from which on weeks are compared: `earliest`, or that of the plan's own first day if later."""
    return earliest if plan.compared_from is None else max(earliest, monday_of(plan.compared_from))


def raised_the_signal(week: date, trigger: tuple[date, date] | None) -> bool:
    """Return whether the week of that Monday holds one of the days, first to last, that raised the signal."""
    return trigger is not None and trigger[0] - timedelta(days=DAYS_PER_WEEK) < week <= trigger[1]


def first_changed_week(changed_on: date, transition_weeks: int) -> date:
    """Return the Monday from which weeks count as after the change."""
    return monday_on_or_after(changed_on) + timedelta(weeks=transition_weeks)


def judged_by(changed_on: date, transition_weeks: int, weeks: int) -> date:
    """Return the day on which so many weeks after the change are complete."""
    return first_changed_week(changed_on, transition_weeks) + timedelta(weeks=weeks)


def weeks_to_compare_with(plan: Plan, changed_on: date) -> int | None:
    """Return how many weeks since a new failure began lie before a change; None of a failure that is not new."""
    if plan.compared_from is None:
        return None
    first = monday_of(plan.compared_from)
    weeks = (monday_of(changed_on) - first).days // DAYS_PER_WEEK
    return sum(not raised_the_signal(first + timedelta(weeks=week), plan.trigger) for week in range(weeks))


def furthest_ahead(today: date) -> date:
    """Return the last day on which a change may be planned."""
    return today + timedelta(days=366 * MOST_YEARS_AHEAD)


def is_registered_afterwards(fix: Fix, calendar: WorkingCalendar) -> bool:
    """Return whether the plan was frozen after its change was in place, so that its goal could be chosen to fit."""
    at, changed_on = fix.registered_at, fix.changed_on
    return at is not None and changed_on is not None and changed_on < calendar.local_date(at)


def next_look(fix: Fix, rhythm: Rhythm) -> LookDue | None:
    """Return the next look at the effect, or nothing where none is due: nothing is in place, or the fix has ended."""
    if fix.state not in {FixState.MONITORED, FixState.EFFECTIVE} or fix.plan is None or fix.changed_on is None:
        return None
    first = first_changed_week(fix.changed_on, fix.plan.transition_weeks) + timedelta(days=DAYS_PER_WEEK - 1)
    as_of = first if fix.effect is None else fix.effect.as_of + timedelta(days=DAYS_PER_WEEK)
    return LookDue(as_of=as_of, at=_on(as_of + timedelta(days=1), rhythm))


def watch_ends_at(fix: Fix, rhythm: Rhythm) -> datetime | None:
    """Return when a change that works need not be watched any longer."""
    if fix.state is not FixState.EFFECTIVE or fix.effective_on is None:
        return None
    return _on(fix.effective_on + timedelta(weeks=rhythm.watch_weeks), rhythm)


def command_after(fix: Fix, effect: Effect) -> FixCommand:
    """Return what a look at the effect leads to."""
    key = f"look/{fix.attempt}/{effect.as_of}/{effect.inputs_hash[:16]}"
    if fix.state is FixState.EFFECTIVE:
        kind: type[Look | Relapse | FindEffective | FindNotEffective] = Relapse if effect.has_relapsed else Look
    elif effect.verdict is Verdict.EFFECTIVE:
        kind = FindEffective
    else:
        kind = FindNotEffective if effect.verdict is Verdict.NOT_EFFECTIVE else Look
    return kind(actor=SYSTEM, key=key, effect=effect)


def end_of_watch(fix: Fix) -> EndWatch:
    """Return the command that ends the watch of this attempt."""
    return EndWatch(actor=SYSTEM, key=f"{END_OF_WATCH_KEY}/{fix.attempt}")


def _on(day: date, rhythm: Rhythm) -> datetime:
    return datetime.combine(day, time(rhythm.hour), ZoneInfo(rhythm.time_zone))
