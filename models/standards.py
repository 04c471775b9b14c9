# SPDX-License-Identifier: Apache-2.0
"""Service standards: what the agency promises, how long each promise may take, and where the number comes from.

Light on purpose: a case carries the standards it was received under, and workflows compute with them.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from models.messages import Code, Message
from models.terms import ClockName, Track
from models.working_time import DayExplained, Unit, WorkingCalendar

Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000)]
Days = Annotated[int, Field(ge=0, le=366)]
AMOUNT = "{amount}"


class Standard(Message):
    """One promise with a clock: how long, in what unit, and the sentence the public reads."""

    id: Code
    clock: ClockName
    track: Track | None = None
    """Only the answer's length differs by track."""
    name: Sentence
    amount: Annotated[int, Field(ge=0, le=1_000)]
    unit: Unit
    warn_before_working_days: Days = 0
    """How many open days before the due day its owner is warned; 0 warns nobody."""
    promise: dict[str, Sentence]
    """By language; {amount} stands where the number goes, so that the text can never promise another one."""
    origin: Sentence

    @model_validator(mode="after")
    def _only_the_answer_has_tracks(self) -> Self:
        if (self.clock is ClockName.ANSWER) != (self.track is not None):
            raise ValueError("the standard for an answer names its track, and no other standard has one")
        if self.unit is Unit.CALENDAR_DAYS and self.amount < 1:
            raise ValueError("a length in calendar days is at least one day")
        return self

    @model_validator(mode="after")
    def _the_promise_says_the_number(self) -> Self:
        if any(AMOUNT not in sentence for sentence in self.promise.values()):
            raise ValueError(f"the promise must say {AMOUNT} where the number goes, so that text and clock agree")
        return self

    def promise_in(self, language: str) -> str:
        """Return the promise as the public reads it; a language the policy lacks raises KeyError."""
        return self.promise[language].replace(AMOUNT, str(self.amount))

    def due_at(self, start_at: datetime, calendar: WorkingCalendar, *, paused_days: int = 0) -> datetime:
        """Return when the promise is due; the days paused are in the standard's own unit."""
        return calendar.due_at(start_at, self.amount + paused_days, self.unit)

    def warn_at(self, due_at: datetime, calendar: WorkingCalendar) -> datetime | None:
        """Return when to warn the owner of a due date, or None if the standard warns nobody."""
        if self.warn_before_working_days == 0:
            return None
        return calendar.working_days_before(due_at, self.warn_before_working_days)

    def explain(
        self, start_at: datetime, calendar: WorkingCalendar, *, paused_days: int = 0
    ) -> tuple[DayExplained, ...]:
        """Return the way to the due date day by day; nothing for a standard in minutes."""
        if self.unit is Unit.MINUTES:
            return ()
        return calendar.explain(start_at, self.amount + paused_days, self.unit)


class Pause(Message):
    """How the answer's clock may stand still while the complainant is asked for information."""

    at_most_working_days: Days


class Standards(Message):
    """All promises of an agency, in force from one day on."""

    effective_on: date
    pause: Pause
    review_window_calendar_days: Annotated[int, Field(ge=1, le=3_660)]
    """How long after closing the complainant may ask for a review, by one click."""
    progress_every_working_days: Annotated[int, Field(ge=1, le=366)]
    standards: Annotated[tuple[Standard, ...], Field(min_length=1)]

    def of(self, clock: ClockName, track: Track | None = None) -> Standard:
        """Return the standard that drives a clock; before triage has chosen a track, an answer is a standard one."""
        wanted = (track or Track.STANDARD) if clock is ClockName.ANSWER else None
        return next(standard for standard in self.standards if standard.clock is clock and standard.track is wanted)
