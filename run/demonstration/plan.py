# SPDX-License-Identifier: Apache-2.0
"""Who complains of what, and when: three years of days, each with its season, its weekday and its chances.

The same seed and the same day give the same plan, complaint by complaint.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from random import Random
from typing import Final
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from models.references import uuid7_at
from models.working_time import WorkingCalendar
from run.demo import RATE, YEARS
from run.demonstration.themes import PLANTINGS, THEMES, Theme
from run.demonstration.words import SPANISH_SHARE, Person, a_narrative, a_person, a_wish

DAYS_PER_WEEK: Final = 7
_WEEKDAYS: Final = (1.30, 1.18, 1.12, 1.08, 1.00, 0.42, 0.34)
_HOURS: Final = (1, 1, 0, 0, 0, 1, 2, 5, 9, 14, 15, 13, 10, 12, 12, 11, 9, 7, 5, 5, 5, 4, 3, 2)
"""Complaints by the hour of the day, in the agency's time zone."""
_OFFICES: Final = {
    "central": 10, "online": 20, "northgate": 13, "mill_park": 10, "eastside": 15, "harbor": 12, "southfield": 11,
    "westbrook": 9,
}  # fmt: skip
_CHANNELS: Final = {"web": 42, "phone": 26, "email": 16, "letter": 5, "in_person": 11}
_DAY_OFFICES: Final = ("harbor", "eastside", "northgate", "westbrook", "southfield", "mill_park")
_NAMESPACE: Final = UUID("b1f0c6de-52a1-5d6e-9d7c-0d1f3a6f2c11")


class Fate(Enum):
    """How a complaint goes."""

    ANSWERED = "answered"
    REVIEWED = "reviewed"
    """Answered, and looked at again by another person."""
    WITHDRAWN = "withdrawn"
    DUPLICATE = "duplicate"
    ON_THE_SPOT = "on_the_spot"


@dataclass(frozen=True, slots=True)
class ProblemSolvingDay:
    """A day on which people bring their problems to one place."""

    id: UUID
    held_on: date
    office: str
    is_over: bool


@dataclass(frozen=True, slots=True)
class Planned:
    """A complaint that will come in."""

    number: int
    case_id: UUID
    received_at: datetime
    theme: Theme
    second: Theme | None
    """Another thing the same complaint is about."""
    office: str
    channel: str
    language: str
    person: Person
    narrative: str
    wanted: str
    fate: Fate
    event_id: UUID | None = None
    duplicate_of: UUID | None = None
    is_planted: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """What a plan is made for."""

    seed: int
    today: date
    calendar: WorkingCalendar
    office_names: dict[str, str]
    years: int = YEARS
    rate: float = RATE
    """How many times the themes' weights come in."""

    @property
    def name(self) -> str:
        """What tells this story from another; it stands in the key of every complaint."""
        return f"{self.seed}:{self.today}:{self.years}:{self.rate}"

    @property
    def zone(self) -> ZoneInfo:
        """The agency's time zone."""
        return ZoneInfo(self.calendar.time_zone)

    @property
    def until(self) -> datetime:
        """How far the story is told: the close of the last open day before today, so that nothing lies ahead."""
        return self.calendar.closing_at(self.calendar.last_open_day(self.today))


def problem_solving_days(setting: Setting) -> tuple[ProblemSolvingDay, ...]:
    """Return the days held: one a quarter, one on the last open day, and today's, which begins empty."""
    last_open = setting.calendar.last_open_day(setting.today)
    held = [last_open - timedelta(days=91 * n) for n in range(setting.years * 4)]
    days = [setting.calendar.last_open_day(day + timedelta(days=1)) for day in reversed(held)]
    offices = [_DAY_OFFICES[n % len(_DAY_OFFICES)] for n in range(len(days) + 1)]
    return tuple(
        ProblemSolvingDay(uuid5(_NAMESPACE, f"{setting.name}/{day}"), day, office, is_over=day < setting.today)
        for day, office in zip([*days, setting.today], offices, strict=True)
    )


def plan(setting: Setting) -> tuple[Planned, ...]:
    """Return everything that comes in until the story ends, in order of receipt."""
    chance = Random(f"demonstration/{setting.name}")  # noqa: S311 - a story, not a secret
    coming = sorted(_coming(setting, chance), key=lambda one: (one[0], one[1].english))
    planned: list[Planned] = []
    for number, (received_at, theme, day) in enumerate(coming):
        if received_at <= setting.until:
            planned.append(_planned(setting, chance, number, received_at, theme, day))
    return tuple(_with_duplicates(planned))


_Coming = tuple[datetime, Theme, ProblemSolvingDay | None]


def _coming(setting: Setting, chance: Random) -> Iterator[_Coming]:
    length = 365 * setting.years
    first = setting.today - timedelta(days=length)
    for offset in range(length):
        day = first + timedelta(days=offset)
        growth = 0.94 + 0.12 * offset / length
        for theme in THEMES:
            a_day = setting.rate * growth * theme.weight / DAYS_PER_WEEK
            expected = a_day * theme.months[day.month - 1] * _WEEKDAYS[day.weekday()]
            for _ in range(_poisson(chance, expected)):
                yield _some_time(setting, chance, day), theme, None
        for planting in PLANTINGS:
            a_day = planting.theme.weight / DAYS_PER_WEEK
            for _ in range(_poisson(chance, planting.share((setting.today - day).days) * a_day)):
                yield _some_time(setting, chance, day), planting.theme, None
    for day_held in problem_solving_days(setting)[:-1]:
        yield from _brought_along(setting, chance, day_held)


def _brought_along(setting: Setting, chance: Random, day: ProblemSolvingDay) -> Iterator[_Coming]:
    opens_at = setting.calendar.opening_at(day.held_on)
    for _ in range(chance.randint(16, 28)):
        minutes = chance.randint(20, 400)
        yield opens_at + timedelta(minutes=minutes, seconds=chance.randint(0, 59)), chance.choice(THEMES), day


def _poisson(chance: Random, expected: float) -> int:
    """Return a Poisson number by Knuth's method, which is quick for small means."""
    limit, count, product = math.exp(-expected), 0, chance.random()
    while product > limit:
        count += 1
        product *= chance.random()
    return count


def _some_time(setting: Setting, chance: Random, day: date) -> datetime:
    (hour,) = chance.choices(range(24), _HOURS)
    local = datetime.combine(day, time(hour, chance.randrange(60), chance.randrange(60)), setting.zone)
    return local.astimezone(UTC)


def _planned(
    setting: Setting, chance: Random, number: int, received_at: datetime, theme: Theme, day: ProblemSolvingDay | None
) -> Planned:
    planting = next((one for one in PLANTINGS if one.theme is theme), None)
    office = planting.office if planting else day.office if day else _drawn(chance, _OFFICES)
    language = "es" if chance.random() < SPANISH_SHARE else "en"
    randomness = hashlib.sha256(f"{setting.name}/{number}".encode()).digest()[:10]
    others = [other for other in THEMES if other.service == theme.service and other is not theme]
    has_second = day is None and chance.random() < 0.11  # noqa: PLR2004 - a share
    return Planned(
        number=number,
        case_id=uuid7_at(received_at, randomness),
        received_at=received_at,
        theme=theme,
        second=chance.choice(others) if has_second else None,
        office=office,
        channel="event" if day else _drawn(chance, _CHANNELS),
        language=language,
        person=a_person(chance),
        narrative=a_narrative(chance, theme, setting.office_names[office], language),
        wanted=a_wish(chance, language),
        fate=_fate(chance, theme, day),
        event_id=day.id if day else None,
        is_planted=planting is not None,
    )


def _fate(chance: Random, theme: Theme, day: ProblemSolvingDay | None) -> Fate:
    drawn = chance.random()
    if day is not None:
        return Fate.ON_THE_SPOT if drawn < 0.7 and theme.severity == 1 else Fate.ANSWERED  # noqa: PLR2004 - a share
    shares = ((0.03, Fate.WITHDRAWN), (0.055, Fate.DUPLICATE), (0.09, Fate.REVIEWED))
    return next((fate for share, fate in shares if drawn < share), Fate.ANSWERED)


def _with_duplicates(planned: Sequence[Planned]) -> Iterator[Planned]:
    """Say of each duplicate which complaint it repeats: the last of the same kind; without one it is none."""
    last: dict[tuple[str, str, str], UUID] = {}
    for one in planned:
        kind = (one.theme.service, one.theme.category, one.office)
        if one.fate is not Fate.DUPLICATE:
            last[kind] = one.case_id
            yield one
        elif kind in last:
            yield replace(one, duplicate_of=last[kind])
        else:
            yield replace(one, fate=Fate.ANSWERED)


def _drawn(chance: Random, weights: dict[str, int]) -> str:
    return chance.choices(list(weights), list(weights.values()))[0]
