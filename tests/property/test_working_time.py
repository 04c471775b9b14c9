# SPDX-License-Identifier: Apache-2.0
"""Working time for any moment and any length; NumPy's business days, written by others, are the second opinion."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.holiday_calendar import CalendarRules, Closure, HolidayRules, calendar_for
from models.working_time import Unit, Weekday, WorkingCalendar

OPEN: dict[Weekday, tuple[time, time]] = {
    day: (time(8, 30), time(17)) for day in Weekday if day not in {Weekday.WEDNESDAY, Weekday.SUNDAY}
}
RULES = CalendarRules(
    first_year=2023,
    last_year=2032,
    opening_hours=OPEN,
    holidays=HolidayRules(country="US"),
    closures=(Closure(on=date(2027, 3, 1), name="Storm"),),
)
CALENDARS = [calendar_for(RULES, zone) for zone in ("America/Chicago", "Pacific/Auckland", "Asia/Kathmandu", "UTC")]
SECOND_OPINION = np.busdaycalendar(
    weekmask=[day in OPEN for day in Weekday],
    holidays=[np.datetime64(closed.on) for closed in CALENDARS[0].closed_days],
)

calendars = st.sampled_from(CALENDARS)
moments = st.datetimes(min_value=datetime(2025, 1, 1), max_value=datetime(2029, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
days = st.integers(min_value=0, max_value=130)


@given(calendar=calendars, start_at=moments, length=days)
def test_due_dates_agree_with_numpy(calendar: WorkingCalendar, start_at: datetime, length: int) -> None:
    local_at = start_at.astimezone(ZoneInfo(calendar.time_zone))
    is_late = local_at.time() > time(17) and np.is_busday(np.datetime64(local_at.date()), busdaycal=SECOND_OPINION)
    first = np.busday_offset(local_at.date(), int(is_late), roll="forward", busdaycal=SECOND_OPINION)
    due_on = np.busday_offset(first, length, roll="forward", busdaycal=SECOND_OPINION).item()

    due_at = calendar.add_working_days(start_at, length)

    assert calendar.local_date(due_at) == due_on
    assert due_at.astimezone(ZoneInfo(calendar.time_zone)).time() == time(17)
    assert due_at >= start_at


@given(calendar=calendars, start_at=moments, length=days)
def test_counting_back_gives_the_days_promised(calendar: WorkingCalendar, start_at: datetime, length: int) -> None:
    assert calendar.working_days_between(start_at, calendar.add_working_days(start_at, length)) == length


@given(calendar=calendars, some=st.tuples(moments, moments, moments), unit=st.sampled_from([*Unit][1:]))
def test_lengths_add_up(calendar: WorkingCalendar, some: tuple[datetime, datetime, datetime], unit: Unit) -> None:
    start_at, middle_at, end_at = some

    there = calendar.days_between(start_at, middle_at, unit) + calendar.days_between(middle_at, end_at, unit)

    assert there == calendar.days_between(start_at, end_at, unit)


@given(calendar=calendars, pair=st.tuples(moments, moments), length=days)
def test_who_comes_first_is_due_first(calendar: WorkingCalendar, pair: tuple[datetime, datetime], length: int) -> None:
    earlier_at, later_at = sorted(pair)

    assert calendar.add_working_days(earlier_at, length) <= calendar.add_working_days(later_at, length)


@given(calendar=calendars, start_at=moments, length=days, unit=st.sampled_from([*Unit][1:]))
def test_the_explanation_ends_on_the_due_date_and_leaves_out_no_day(
    calendar: WorkingCalendar, start_at: datetime, length: int, unit: Unit
) -> None:
    length = max(length, 1)

    story = calendar.explain(start_at, length, unit)

    assert story[-1].on == calendar.local_date(calendar.due_at(start_at, length, unit))
    assert [day.number for day in story if day.counted] == list(range(1, length + 1))
    assert [day.on.toordinal() for day in story] == list(range(story[0].on.toordinal(), story[-1].on.toordinal() + 1))
    assert story[0].on == calendar.local_date(start_at)


@given(calendar=calendars, start_at=moments, length=st.integers(1, 130), before=st.integers(0, 5))
def test_a_warning_comes_on_an_open_day_that_many_days_before(
    calendar: WorkingCalendar, start_at: datetime, length: int, before: int
) -> None:
    due_at = calendar.add_working_days(start_at, length)

    warn_at = calendar.working_days_before(due_at, before)

    assert calendar.working_days_between(warn_at, due_at) == before
    assert calendar.is_open_on(calendar.local_date(warn_at))
