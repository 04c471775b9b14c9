# SPDX-License-Identifier: Apache-2.0
"""Building a working calendar: opening hours, the public holidays of a country, and the agency's own closures."""

from __future__ import annotations

from datetime import date, time
from typing import Annotated

from pydantic import Field, field_validator

from models.agency import Line
from models.messages import Message
from models.working_time import ClosedDay, OpeningHours, Weekday, WorkingCalendar

Year = Annotated[int, Field(ge=1970, le=2100)]


class UnknownHolidays(ValueError):
    """The list of public holidays does not know the country, its part, or a holiday that is to be left out."""


class HolidayRules(Message):
    """Whose public holidays count."""

    country: Line
    subdivision: Line | None = None
    leave_out: tuple[Line, ...] = ()
    """Holidays on which the agency works all the same, by their English names."""


class Closure(Message):
    """A day the agency itself decided to close."""

    on: date
    name: Line


class CalendarRules(Message):
    """What policy/working_calendar.toml says."""

    first_year: Year
    last_year: Year
    opening_hours: Annotated[dict[Weekday, tuple[time, time]], Field(min_length=1)]
    holidays: HolidayRules
    closures: tuple[Closure, ...] = ()

    @field_validator("opening_hours", mode="before")
    @classmethod
    def _weekdays_are_words(cls, hours: object) -> object:
        if not isinstance(hours, dict):
            return hours
        unknown = [day for day in hours if isinstance(day, str) and day.upper() not in Weekday.__members__]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is not a day of the week")
        return {Weekday[day.upper()] if isinstance(day, str) else day: span for day, span in hours.items()}


def public_holidays(rules: CalendarRules) -> dict[date, str]:
    """Return the public holidays of the years covered, with their English names; raises UnknownHolidays."""
    # Imported here, for the list is heavy and the workflows that compute with calendars never need it.
    import holidays  # noqa: PLC0415

    wanted = rules.holidays
    years = range(rules.first_year, rules.last_year + 1)
    try:
        named = dict(
            holidays.country_holidays(wanted.country, subdiv=wanted.subdivision, years=years, language="en_US")
        )
    except NotImplementedError as problem:
        raise UnknownHolidays(f"The list of public holidays does not know {wanted.country!r} or its part.") from problem
    left_out = {name: {on for on, full in named.items() if full.startswith(name)} for name in wanted.leave_out}
    for name, days in left_out.items():
        if not days:
            raise UnknownHolidays(f"There is no public holiday named {name!r} to leave out.")
    gone = set().union(*left_out.values())
    covered = set(years)
    return {on: name for on, name in sorted(named.items()) if on not in gone and on.year in covered}


def calendar_for(rules: CalendarRules, time_zone: str) -> WorkingCalendar:
    """Return the calendar that follows from the rules; a rule without sense raises ValueError.

    A holiday on a weekday that is closed anyway changes nothing and is left out, which keeps the calendar small.
    """
    hours = tuple(
        OpeningHours(weekday=day, opens=opens, closes=closes)
        for day, (opens, closes) in sorted(rules.opening_hours.items())
    )
    weekdays = {int(day) for day in rules.opening_hours}
    closed = [
        ClosedDay(on=on, name=name, is_holiday=True)
        for on, name in public_holidays(rules).items()
        if on.weekday() in weekdays
    ]
    closed += [ClosedDay(on=closure.on, name=closure.name, is_holiday=False) for closure in rules.closures]
    return WorkingCalendar(
        time_zone=time_zone,
        first_on=date(rules.first_year, 1, 1),
        last_on=date(rules.last_year, 12, 31),
        opening_hours=hours,
        closed_days=tuple(sorted(closed, key=lambda day: day.on)),
    )
