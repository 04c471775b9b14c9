# SPDX-License-Identifier: Apache-2.0
"""Working time: business days, due dates and their reasons."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from models.holiday_calendar import CalendarRules, Closure, HolidayRules, UnknownHolidays, calendar_for
from models.working_time import (
    ClosedDay,
    DayKind,
    OpeningHours,
    OutsideCalendar,
    Unit,
    Weekday,
    WorkingCalendar,
)

CHICAGO = ZoneInfo("America/Chicago")
WEEK = {day: (time(8, 30), time(17)) for day in list(Weekday)[:5]}
RULES = CalendarRules(
    first_year=2025,
    last_year=2028,
    opening_hours=WEEK,
    holidays=HolidayRules(country="US"),
    closures=(Closure(on=date(2026, 11, 27), name="Day after Thanksgiving"),),
)
CALENDAR = calendar_for(RULES, "America/Chicago")


def local(year: int, month: int, day: int, hour: int = 12, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=CHICAGO)


def due_on(moment_at: datetime) -> date:
    return moment_at.astimezone(CHICAGO).date()


def test_day_one_is_the_day_after_receipt_and_the_last_day_ends_at_close_of_business() -> None:
    due_at = CALENDAR.add_working_days(local(2026, 3, 2, 9), 3)

    assert due_at == local(2026, 3, 5, 17)


def test_no_days_at_all_means_the_close_of_the_day_of_receipt() -> None:
    assert CALENDAR.add_working_days(local(2026, 3, 2, 9), 0) == local(2026, 3, 2, 17)


@pytest.mark.parametrize(
    ("received_at", "counts_on"),
    [
        (local(2026, 3, 6, 6), date(2026, 3, 6)),
        (local(2026, 3, 6, 17, 0), date(2026, 3, 6)),
        (local(2026, 3, 6, 17, 1), date(2026, 3, 9)),
        (local(2026, 3, 7, 10), date(2026, 3, 9)),
        (local(2026, 11, 26, 10), date(2026, 11, 30)),
    ],
    ids=["before opening", "at closing time", "a minute later", "a Saturday", "Thanksgiving"],
)
def test_what_comes_in_after_closing_time_or_on_a_closed_day_counts_on_the_next_open_day(
    received_at: datetime, counts_on: date
) -> None:
    assert CALENDAR.day_of_receipt(received_at) == counts_on


def test_the_day_of_receipt_is_the_agencys_day_not_the_day_in_utc() -> None:
    # Half past eleven at night in London is half past five in the afternoon in Chicago, after closing time.
    assert CALENDAR.day_of_receipt(datetime(2026, 3, 5, 22, 30, tzinfo=UTC)) == date(2026, 3, 5)
    assert CALENDAR.day_of_receipt(datetime(2026, 3, 5, 23, 30, tzinfo=UTC)) == date(2026, 3, 6)


def test_holidays_and_closures_are_not_counted() -> None:
    # Wednesday; then Thanksgiving, the day after, and a weekend.
    assert due_on(CALENDAR.add_working_days(local(2026, 11, 25), 1)) == date(2026, 11, 30)


@pytest.mark.parametrize(
    ("received_at", "due"),
    [(local(2026, 3, 6), local(2026, 3, 9, 17)), (local(2026, 10, 30), local(2026, 11, 2, 17))],
    ids=["clocks go forward", "clocks go back"],
)
def test_close_of_business_stays_at_five_when_the_clocks_change(received_at: datetime, due: datetime) -> None:
    due_at = CALENDAR.add_working_days(received_at, 1)

    assert due_at == due
    assert due_at.astimezone(CHICAGO).time() == time(17)
    assert due_at.tzinfo is UTC


def test_calendar_days_count_every_day_and_move_off_a_closed_last_day() -> None:
    received_at = local(2026, 3, 2)

    assert CALENDAR.add_calendar_days(received_at, 4) == local(2026, 3, 6, 17)
    assert CALENDAR.add_calendar_days(received_at, 5) == local(2026, 3, 9, 17)


def test_minutes_are_minutes() -> None:
    assert CALENDAR.due_at(local(2026, 3, 7), 1, Unit.MINUTES) == local(2026, 3, 7, 12, 1)


def test_lengths_are_counted_back_as_they_were_promised() -> None:
    start_at = local(2026, 11, 20, 16)

    assert CALENDAR.days_between(start_at, local(2026, 12, 1, 9), Unit.BUSINESS_DAYS) == 5
    assert CALENDAR.days_between(start_at, local(2026, 12, 1, 9), Unit.CALENDAR_DAYS) == 11
    assert CALENDAR.days_between(start_at, start_at + timedelta(minutes=7, seconds=59), Unit.MINUTES) == 7
    assert CALENDAR.working_days_between(local(2026, 12, 1, 9), start_at) == -5


def test_a_minute_after_close_of_business_of_the_last_day_is_a_day_too_late() -> None:
    start_at = local(2026, 3, 2)
    due_at = CALENDAR.add_working_days(start_at, 3)

    assert CALENDAR.working_days_between(start_at, due_at) == 3
    assert CALENDAR.working_days_between(start_at, due_at + timedelta(minutes=1)) == 4


def test_a_warning_comes_at_opening_time_some_open_days_before() -> None:
    due_at = CALENDAR.add_working_days(local(2026, 11, 20), 5)
    assert due_on(due_at) == date(2026, 12, 1)

    assert CALENDAR.working_days_before(due_at, 1) == local(2026, 11, 30, 8, 30)
    assert CALENDAR.working_days_before(due_at, 2) == local(2026, 11, 25, 8, 30)


def test_every_day_of_a_due_date_is_explained() -> None:
    story = CALENDAR.explain(local(2026, 11, 24, 18), 2)

    assert [(day.on.day, day.kind, day.number) for day in story] == [
        (24, DayKind.AFTER_CLOSE, None),
        (25, DayKind.RECEIVED, None),
        (26, DayKind.HOLIDAY, None),
        (27, DayKind.CLOSURE, None),
        (28, DayKind.WEEKEND, None),
        (29, DayKind.WEEKEND, None),
        (30, DayKind.COUNTED, 1),
        (1, DayKind.COUNTED, 2),
    ]
    assert story[2].sentence == "Not counted: Thanksgiving Day, a public holiday."
    assert story[3].sentence == "Not counted: Day after Thanksgiving, the agency is closed."
    assert story[4].sentence == "Not counted: a Saturday."
    assert story[-1].sentence == "Day 2."


def test_a_last_calendar_day_on_a_weekend_is_explained_up_to_the_open_day() -> None:
    story = CALENDAR.explain(local(2026, 3, 2), 5, Unit.CALENDAR_DAYS)

    assert [day.kind for day in story[-3:]] == [DayKind.COUNTED, DayKind.WEEKEND, DayKind.CARRIED_OVER]
    assert story[-1].on == date(2026, 3, 9)
    assert [day.number for day in story if day.counted] == [1, 2, 3, 4, 5]


def test_a_length_in_minutes_has_no_days_to_explain() -> None:
    with pytest.raises(ValueError, match="no days"):
        CALENDAR.explain(local(2026, 3, 2), 1, Unit.MINUTES)


def test_a_day_the_calendar_does_not_cover_is_refused_not_guessed() -> None:
    with pytest.raises(OutsideCalendar, match="2025-01-01 to 2028-12-31"):
        CALENDAR.add_working_days(local(2028, 12, 27), 10)
    with pytest.raises(OutsideCalendar):
        CALENDAR.add_working_days(local(2024, 12, 31, 10), 1)


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        CALENDAR.add_working_days(local(2026, 3, 2).replace(tzinfo=None), 1)


@pytest.mark.parametrize("days", [-1, -20])
def test_negative_lengths_are_refused(days: int) -> None:
    with pytest.raises(ValueError, match="negative"):
        CALENDAR.add_working_days(local(2026, 3, 2), days)
    with pytest.raises(ValueError, match="negative"):
        CALENDAR.explain(local(2026, 3, 2), days)
    with pytest.raises(ValueError, match="at least one day"):
        CALENDAR.add_calendar_days(local(2026, 3, 2), days)


def test_the_part_of_a_calendar_that_travels_with_a_case_answers_the_same() -> None:
    part = CALENDAR.within(date(2026, 11, 11), date(2026, 12, 25))

    assert [closed.on.day for closed in part.closed_days] == [11, 26, 27, 25]
    assert part.explain(local(2026, 11, 24, 18), 8) == CALENDAR.explain(local(2026, 11, 24, 18), 8)
    with pytest.raises(OutsideCalendar):
        part.add_working_days(local(2026, 12, 23), 3)


def test_a_calendar_survives_the_journey_as_json() -> None:
    CALENDAR.add_working_days(local(2026, 3, 2), 3)  # what it remembers for speed must not travel

    assert WorkingCalendar.model_validate_json(CALENDAR.model_dump_json()) == CALENDAR


@pytest.mark.parametrize(
    "change",
    [
        {"time_zone": "America/Riverbend"},
        {"time_zone": "../../etc/passwd"},
        {"opening_hours": ()},
        {"opening_hours": (OpeningHours(weekday=Weekday.MONDAY, opens=time(8), closes=time(9)),) * 2},
        {"closed_days": (ClosedDay(on=date(2026, 3, 3), name="Storm", is_holiday=False),) * 2},
        {"last_on": date(2024, 1, 1)},
    ],
)
def test_a_calendar_without_sense_cannot_be_made(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WorkingCalendar.model_validate(dict(CALENDAR) | change)


def test_closing_before_opening_cannot_be_said() -> None:
    with pytest.raises(ValidationError, match="before it has opened"):
        OpeningHours(weekday=Weekday.FRIDAY, opens=time(17), closes=time(8))


def test_the_holidays_are_those_the_office_of_personnel_management_publishes_for_2026() -> None:
    published = [(1, 1), (1, 19), (2, 16), (5, 25), (6, 19), (7, 3), (9, 7), (10, 12), (11, 11), (11, 26), (12, 25)]

    holidays = [day.on for day in CALENDAR.closed_days if day.is_holiday and day.on.year == 2026]

    assert holidays == [date(2026, month, day) for month, day in published]


def test_a_holiday_on_a_saturday_is_observed_the_friday_before_even_in_the_year_before() -> None:
    # 1 January 2028 is a Saturday.
    assert not CALENDAR.is_open_on(date(2027, 12, 31))


def test_holidays_on_which_the_agency_works_are_left_out() -> None:
    working = RULES.model_copy(update={"holidays": HolidayRules(country="US", leave_out=("Columbus Day",))})

    assert calendar_for(working, "America/Chicago").is_open_on(date(2026, 10, 12))
    assert not CALENDAR.is_open_on(date(2026, 10, 12))


@pytest.mark.parametrize(
    "holidays",
    [
        HolidayRules(country="Riverbend"),
        HolidayRules(country="US", subdivision="Riverbend"),
        HolidayRules(country="US", leave_out=("Complaint Day",)),
    ],
)
def test_unknown_holidays_are_refused(holidays: HolidayRules) -> None:
    with pytest.raises(UnknownHolidays):
        calendar_for(RULES.model_copy(update={"holidays": holidays}), "America/Chicago")
