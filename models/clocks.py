# SPDX-License-Identifier: Apache-2.0
"""Clocks: computed, not ticked. A due date is a pure function of the case, its standards and the working calendar.

A clock that waits for the complainant stands still, at most as long as the standard's pause allows; then it goes on by
itself. Beside every pausable clock stands the customer's clock, in calendar days, which never stops.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from models.case import Case, ClockRun, Pause
from models.commands import SYSTEM, Command, Escalate, WarnOfDeadline
from models.messages import Message
from models.standards import Standard, Standards
from models.terms import ClockName
from models.working_time import DayExplained, WorkingCalendar

YEARS_AHEAD = timedelta(days=3 * 366)
DAYS_BEFORE = timedelta(days=40)


class Rules(Message):
    """What a case's clocks are computed by: the standards it was received under, and the calendar around its life."""

    standards: Standards
    calendar: WorkingCalendar


class Clock(Message):
    """One clock as it stands, with what it was computed from."""

    name: ClockName
    standard: Standard
    started_at: datetime
    stopped_at: datetime | None
    due_at: datetime
    warn_at: datetime | None
    paused_days: int
    """In the standard's own unit; a pause that still lasts counts with its longest."""
    paused_since: datetime | None

    @property
    def is_running(self) -> bool:
        """Whether the promise is still to be kept."""
        return self.stopped_at is None

    def is_overdue(self, now: datetime) -> bool:
        """Return whether the promise was (or is being) broken."""
        return (self.stopped_at or now) > self.due_at

    def explain(self, calendar: WorkingCalendar) -> tuple[DayExplained, ...]:
        """Return the way to the due date, day by day."""
        return self.standard.explain(self.started_at, calendar, paused_days=self.paused_days)


class Moment(Message):
    """The next moment at which the process itself has something to say."""

    at: datetime
    command: Command


def rules_for(standards: Standards, calendar: WorkingCalendar, *, around: datetime, until: datetime) -> Rules:
    """Return the rules as small as a workflow's payload should be: without public texts, the calendar cut to size."""
    lean = tuple(s.model_copy(update={"promise": {}, "origin": "policy"}) for s in standards.standards)
    window = calendar.within((around - DAYS_BEFORE).date(), (max(around, until) + YEARS_AHEAD).date())
    return Rules(standards=standards.model_copy(update={"standards": lean}), calendar=window)


def clocks_of(case: Case, rules: Rules) -> tuple[Clock, ...]:
    """Return every clock the case has had, in the order they were started."""
    return tuple(_clock(case, run, rules) for run in case.clocks)


def next_due(case: Case, rules: Rules) -> Clock | None:
    """Return the running clock that is due first, or None when nothing is promised any more."""
    running = [clock for clock in clocks_of(case, rules) if clock.is_running]
    return min(running, key=lambda clock: clock.due_at, default=None)


def next_moment(case: Case, rules: Rules) -> Moment | None:
    """Return the earliest warning or missed deadline that the story has not noted yet.

    An imported case says nothing of moments that had passed before it came here.
    """
    moments = [moment for clock in clocks_of(case, rules) if clock.is_running for moment in _moments(case, clock)]
    if case.receipt.is_imported:
        moments = [moment for moment in moments if moment.at > case.receipt.accepted_at]
    return min(moments, key=lambda moment: moment.at, default=None)


def review_until(case: Case, rules: Rules) -> datetime | None:
    """Return until when the complainant may ask to look again, or None while the case is open or its end unknown."""
    if not case.state.is_final or case.closed_at is None:
        return None
    return case.closed_at + timedelta(days=rules.standards.review_window_calendar_days)


def review_promised_until(case: Case, rules: Rules) -> datetime | None:
    """Return until when at least a review may be asked for, known from the answer on; closing later makes it later."""
    ended_at = case.closed_at or case.answered_at
    return ended_at + timedelta(days=rules.standards.review_window_calendar_days) if ended_at else None


def customer_days(case: Case, now: datetime) -> int:
    """Return the calendar days from receipt to the answer (or now): the customer's clock, which never stops."""
    return max(0, ((case.answered_at or case.closed_at or now) - case.counted_from).days)


def _clock(case: Case, run: ClockRun, rules: Rules) -> Clock:
    standard = rules.standards.of(run.name, case.track)
    pauses = [p for p in case.pauses if p.clock is run.name and p.started_at >= run.started_at]
    paused_days = sum(_paused_days(pause, standard, rules) for pause in pauses)
    due_at = standard.due_at(run.started_at, rules.calendar, paused_days=paused_days)
    return Clock(
        name=run.name,
        standard=standard,
        started_at=run.started_at,
        stopped_at=run.stopped_at,
        due_at=due_at,
        warn_at=standard.warn_at(due_at, rules.calendar),
        paused_days=paused_days,
        paused_since=next((p.started_at for p in pauses if p.ended_at is None), None),
    )


def pause_until(pause_started_at: datetime, rules: Rules) -> datetime:
    """Return when a pause ends by itself."""
    return rules.calendar.add_working_days(pause_started_at, rules.standards.pause.at_most_working_days)


def _paused_days(pause: Pause, standard: Standard, rules: Rules) -> int:
    longest = pause_until(pause.started_at, rules)
    ended_at = min(pause.ended_at or longest, longest)
    return max(0, rules.calendar.days_between(pause.started_at, ended_at, standard.unit))


def _moments(case: Case, clock: Clock) -> list[Moment]:
    if case.has_noted(clock.name, clock.due_at, is_missed=True):
        return []
    key = f"{clock.name}:{clock.due_at:%Y%m%dT%H%M%S}:{case.review_round}"
    missed = Escalate(actor=SYSTEM, key=f"missed:{key}", clock=clock.name, due_at=clock.due_at)
    moments = [Moment(at=clock.due_at, command=missed)]
    is_worth_warning = clock.warn_at is not None and clock.started_at < clock.warn_at < clock.due_at
    if is_worth_warning and not case.has_noted(clock.name, clock.due_at, is_missed=False):
        assert clock.warn_at is not None
        warning = WarnOfDeadline(actor=SYSTEM, key=f"near:{key}", clock=clock.name, due_at=clock.due_at)
        moments.append(Moment(at=clock.warn_at, command=warning))
    return moments
