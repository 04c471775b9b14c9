# SPDX-License-Identifier: Apache-2.0
"""Working time: which days an agency is open, and when a number of days is over.

A business day is a day on which the agency is open. A receipt after closing time or on a closed day counts as
received on the next open day; day 1 is the day after; what is due is due at close of business of the last day.
(The rule of the Freedom of Information Act's clock, 5 USC 552(a)(6), and of the Home Office's case system.)

Everything here is plain data and plain arithmetic: no clock is read, and moments are answered in UTC, because Python
subtracts two times of one local zone as wall clocks and is then an hour wrong when summer time changes.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from models.messages import SHORT_TEXT_LIMIT, Message

if TYPE_CHECKING:
    from collections.abc import Iterator

ONE_DAY = timedelta(days=1)


def _known_time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as problem:
        raise ValueError(f"{name!r} is not a time zone of the IANA list, such as America/Chicago") from problem
    return name


TimeZoneName = Annotated[str, AfterValidator(_known_time_zone)]
DayName = Annotated[str, StringConstraints(min_length=1, max_length=SHORT_TEXT_LIMIT)]


class OutsideCalendar(ValueError):
    """A day was asked for that the calendar knows nothing about; guessing would be wrong and would not show."""


class Unit(StrEnum):
    """What a standard's amount counts."""

    MINUTES = "minutes"
    BUSINESS_DAYS = "business_days"
    CALENDAR_DAYS = "calendar_days"


class Weekday(IntEnum):
    """The days of the week as Python numbers them."""

    MONDAY = 0
    TUESDAY = 1
    WEDNESDAY = 2
    THURSDAY = 3
    FRIDAY = 4
    SATURDAY = 5
    SUNDAY = 6


def _by_name(day: object) -> object:
    """Return a weekday written as a word as its number; anything else is left for pydantic to judge."""
    return Weekday.__members__.get(day.upper(), day) if isinstance(day, str) else day


NamedWeekday = Annotated[Weekday, BeforeValidator(_by_name)]
"""A weekday that a policy file may write as a word, such as monday."""


class OpeningHours(Message):
    """From when to when the agency is open on one day of the week, in its local time."""

    weekday: Weekday
    opens: time
    closes: time

    @model_validator(mode="after")
    def _close_after_opening(self) -> Self:
        if self.opens >= self.closes:
            raise ValueError(f"{self.weekday.name.capitalize()} closes at {self.closes:%H:%M}, before it has opened")
        return self


class ClosedDay(Message):
    """A day on which the agency is closed although its weekday is open."""

    on: date
    name: DayName
    is_holiday: bool
    """A public holiday, as against a closure of the agency's own."""


class DayKind(StrEnum):
    """Why a day of a deadline was counted, or was not."""

    RECEIVED = "received"
    COUNTED = "counted"
    AFTER_CLOSE = "after_close"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"
    CLOSURE = "closure"
    CARRIED_OVER = "carried_over"


_SENTENCES = {
    DayKind.RECEIVED: "Day of receipt; counting begins on the day after.",
    DayKind.COUNTED: "Day {number}.",
    DayKind.AFTER_CLOSE: "Received after closing time, so it counts as received on the next open day.",
    DayKind.WEEKEND: "Not counted: {name}.",
    DayKind.HOLIDAY: "Not counted: {name}, a public holiday.",
    DayKind.CLOSURE: "Not counted: {name}, the agency is closed.",
    DayKind.CARRIED_OVER: "The last day was a closed day, so the time ends on this next open day.",
}


class DayExplained(Message):
    """One day of a deadline: was it counted, as which number, and if not, why not."""

    on: date
    kind: DayKind
    number: int | None = None
    name: str | None = None

    @property
    def counted(self) -> bool:
        """Whether the day used up one of the days promised."""
        return self.number is not None

    @property
    def sentence(self) -> str:
        """The same for a person, in English."""
        return _SENTENCES[self.kind].format(number=self.number, name=self.name)


class WorkingCalendar(Message):
    """When an agency is open, from `first_on` to `last_on`; questions about other days raise OutsideCalendar."""

    time_zone: TimeZoneName
    first_on: date
    last_on: date
    opening_hours: Annotated[tuple[OpeningHours, ...], Field(min_length=1, max_length=7)]
    closed_days: tuple[ClosedDay, ...] = ()

    @model_validator(mode="after")
    def _days_are_told_once(self) -> Self:
        if len({hours.weekday for hours in self.opening_hours}) < len(self.opening_hours):
            raise ValueError("a day of the week has opening hours twice")
        if len({closed.on for closed in self.closed_days}) < len(self.closed_days):
            raise ValueError("a day is closed twice")
        if not self.first_on <= self.last_on:
            raise ValueError("the calendar ends before it begins")
        return self

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @cached_property
    def _hours_of(self) -> dict[int, OpeningHours]:
        return {int(hours.weekday): hours for hours in self.opening_hours}

    @cached_property
    def _closed_on(self) -> dict[date, ClosedDay]:
        return {closed.on: closed for closed in self.closed_days}

    # ---- days -----------------------------------------------------------------------------------------------------

    def local_date(self, at: datetime) -> date:
        """Return the agency's date at a moment; a moment without a time zone raises ValueError."""
        if at.tzinfo is None:
            raise ValueError("A moment without a time zone cannot be placed in a calendar.")
        return at.astimezone(self._zone).date()

    def is_open_on(self, day: date) -> bool:
        """Return whether the agency is open at any time of that day."""
        self._must_cover(day)
        return day.weekday() in self._hours_of and day not in self._closed_on

    def next_open_day(self, after: date) -> date:
        """Return the first open day later than `after`."""
        day = after + ONE_DAY
        while not self.is_open_on(day):
            day += ONE_DAY
        return day

    def last_open_day(self, before: date) -> date:
        """Return the last open day earlier than `before`."""
        day = before - ONE_DAY
        while not self.is_open_on(day):
            day -= ONE_DAY
        return day

    def opening_at(self, day: date) -> datetime:
        """Return the moment an open day begins, in UTC."""
        return self._moment(day, self._hours_of[day.weekday()].opens)

    def closing_at(self, day: date) -> datetime:
        """Return the moment an open day ends, in UTC."""
        return self._moment(day, self._hours_of[day.weekday()].closes)

    def day_of_receipt(self, at: datetime) -> date:
        """Return the open day on which something that came in at a moment counts as received."""
        day = self.local_date(at)
        return day if self.is_open_on(day) and at <= self.closing_at(day) else self.next_open_day(day)

    # ---- lengths --------------------------------------------------------------------------------------------------

    def add_working_days(self, start_at: datetime, days: int) -> datetime:
        """Return the close of business of the `days`-th open day after receipt; 0 is the day of receipt itself."""
        _must_not_be_negative(days)
        day = self.day_of_receipt(start_at)
        for _ in range(days):
            day = self.next_open_day(day)
        return self.closing_at(day)

    def add_calendar_days(self, start_at: datetime, days: int) -> datetime:
        """Return the close of business of the `days`-th day after receipt, or of the next open day if that is closed.

        The day of receipt is the date itself, open or not: this is the clock as the complainant sees it.
        """
        if days < 1:
            raise ValueError("A length in calendar days is at least one day.")
        day = self.local_date(start_at) + days * ONE_DAY
        return self.closing_at(day if self.is_open_on(day) else self.next_open_day(day))

    def due_at(self, start_at: datetime, amount: int, unit: Unit) -> datetime:
        """Return when an amount of minutes, business days or calendar days is over, in UTC."""
        if unit is Unit.MINUTES:
            return (start_at + timedelta(minutes=amount)).astimezone(UTC)
        if unit is Unit.CALENDAR_DAYS:
            return self.add_calendar_days(start_at, amount)
        return self.add_working_days(start_at, amount)

    def working_days_between(self, start_at: datetime, end_at: datetime) -> int:
        """Return how many business days after the day of receipt have begun; negative if the end is the earlier.

        It undoes add_working_days, and adds up: from a to b and from b to c is from a to c.
        """
        if end_at < start_at:
            return -self.working_days_between(end_at, start_at)
        day, last = self.day_of_receipt(start_at), self.day_of_receipt(end_at)
        count = 0
        while day < last:
            day = self.next_open_day(day)
            count += 1
        return count

    def days_between(self, start_at: datetime, end_at: datetime, unit: Unit) -> int:
        """Return the length from one moment to another in whole units, as their due dates count them."""
        if unit is Unit.MINUTES:
            return (end_at - start_at) // timedelta(minutes=1)
        if unit is Unit.CALENDAR_DAYS:
            return (self.local_date(end_at) - self.local_date(start_at)).days
        return self.working_days_between(start_at, end_at)

    def working_days_before(self, due_at: datetime, days: int) -> datetime:
        """Return the opening time of the `days`-th open day before the day something is due; for warnings."""
        _must_not_be_negative(days)
        day = self.day_of_receipt(due_at)
        for _ in range(days):
            day = self.last_open_day(day)
        return self.opening_at(day)

    # ---- reasons --------------------------------------------------------------------------------------------------

    def explain(self, start_at: datetime, days: int, unit: Unit = Unit.BUSINESS_DAYS) -> tuple[DayExplained, ...]:
        """Return every day from receipt to the due date: counted and as which number, or why not."""
        if unit is Unit.MINUTES:
            raise ValueError("A length in minutes has no days to explain.")
        if unit is Unit.CALENDAR_DAYS:
            return tuple(self._explained_calendar_days(start_at, days))
        return tuple(self._explained_working_days(start_at, days))

    def within(self, first_on: date, last_on: date) -> WorkingCalendar:
        """Return the part of the calendar between two days, both included: small enough to travel with a case."""
        first_on, last_on = max(first_on, self.first_on), min(last_on, self.last_on)
        closed = tuple(day for day in self.closed_days if first_on <= day.on <= last_on)
        return WorkingCalendar(
            time_zone=self.time_zone,
            first_on=first_on,
            last_on=last_on,
            opening_hours=self.opening_hours,
            closed_days=closed,
        )

    def _explained_working_days(self, start_at: datetime, days: int) -> Iterator[DayExplained]:
        _must_not_be_negative(days)
        day, received_on = self.local_date(start_at), self.day_of_receipt(start_at)
        while day < received_on:
            yield self._not_counted(day) or DayExplained(on=day, kind=DayKind.AFTER_CLOSE)
            day += ONE_DAY
        yield DayExplained(on=received_on, kind=DayKind.RECEIVED)
        number = 0
        while number < days:
            day += ONE_DAY
            closed = self._not_counted(day)
            number += closed is None
            yield closed or DayExplained(on=day, kind=DayKind.COUNTED, number=number)

    def _explained_calendar_days(self, start_at: datetime, days: int) -> Iterator[DayExplained]:
        day, due_on = self.local_date(start_at), self.local_date(self.add_calendar_days(start_at, days))
        yield DayExplained(on=day, kind=DayKind.RECEIVED)
        for number in range(1, days + 1):
            day += ONE_DAY
            yield DayExplained(on=day, kind=DayKind.COUNTED, number=number)
        while day < due_on:
            day += ONE_DAY
            yield self._not_counted(day) or DayExplained(on=day, kind=DayKind.CARRIED_OVER)

    def _not_counted(self, day: date) -> DayExplained | None:
        """Return why a day is not a business day, or None if it is one."""
        if self.is_open_on(day):
            return None
        if day.weekday() not in self._hours_of:
            return DayExplained(on=day, kind=DayKind.WEEKEND, name=f"a {Weekday(day.weekday()).name.capitalize()}")
        closed = self._closed_on[day]
        return DayExplained(on=day, kind=DayKind.HOLIDAY if closed.is_holiday else DayKind.CLOSURE, name=closed.name)

    def _must_cover(self, day: date) -> None:
        if not self.first_on <= day <= self.last_on:
            raise OutsideCalendar(
                f"The working calendar runs from {self.first_on} to {self.last_on}; {day} is outside."
            )

    def _moment(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self._zone).astimezone(UTC)


def _must_not_be_negative(days: int) -> None:
    if days < 0:
        raise ValueError("A length in working days cannot be negative.")
