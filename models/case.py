# SPDX-License-Identifier: Apache-2.0
"""A case as it stands: the fold of its events (models/events.py), and nothing else."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from models.commands import IssueAnswer, Receipt, RootCause
from models.messages import Amount, Code, ContentRef, Message
from models.terms import ClockName, Finding, Remedy, State, Track


class Issue(Message):
    """One thing the complaint is about, what was found, and what was behind it."""

    number: int
    service: Code | None = None
    category: Code | None = None
    words: ContentRef | None = None
    finding: Finding | None = None
    remedies: tuple[Remedy, ...] = ()
    amount: Amount | None = None
    cause: RootCause | None = None
    """The confirmed tag; None until a person has coded it."""

    @property
    def is_answered(self) -> bool:
        """Whether it has a finding."""
        return self.finding is not None

    @property
    def is_coded(self) -> bool:
        """Whether a person has said what was behind it."""
        return self.cause is not None


class Proposal(Message):
    """An answer that waits for another person's approval."""

    by: Code
    text: ContentRef
    issues: tuple[IssueAnswer, ...]


class Pause(Message):
    """A time in which a clock stood still, waiting for the complainant."""

    clock: ClockName
    started_at: datetime
    ended_at: datetime | None = None


class ClockRun(Message):
    """A clock's own times; its due date is computed from them (models/clocks.py)."""

    name: ClockName
    started_at: datetime
    stopped_at: datetime | None = None

    @property
    def is_running(self) -> bool:
        """Whether the promise is still to be kept."""
        return self.stopped_at is None


class Deadline(Message):
    """A moment that was noted: the warning before a due date, or its passing."""

    clock: ClockName
    due_at: datetime
    is_missed: bool


class Case(Message):
    """A case as it stands after event number `sequence`."""

    receipt: Receipt
    state: State = State.NEW
    sequence: int = 0
    policy_version: int = 0
    team: Code | None = None
    owner: Code | None = None
    service: Code | None = None
    category: Code | None = None
    office: Code | None = None
    severity: Annotated[int, Field(ge=0, le=3)] | None = None
    track: Track = Track.STANDARD
    approval_required: bool = False
    vulnerable: bool | None = None
    """Whether the person affected is in vulnerable circumstances; None: not known."""
    attention: tuple[Code, ...] = ()
    issues: tuple[Issue, ...] = ()
    proposal: Proposal | None = None
    answered_by: tuple[Code, ...] = ()
    """Everyone who answered it, in every round: none of them may review it."""
    review_round: int = 0
    duplicate_of: UUID | None = None
    follow_up_on: date | None = None
    clocks: tuple[ClockRun, ...] = ()
    pauses: tuple[Pause, ...] = ()
    deadlines: tuple[Deadline, ...] = ()
    acknowledged_at: datetime | None = None
    answered_at: datetime | None = None
    closed_at: datetime | None = None
    last_event_at: datetime | None = None
    is_history: bool = False

    @property
    def id(self) -> UUID:
        """The case's id, a version 7 UUID of the moment of receipt."""
        return self.receipt.case_id

    @property
    def agency(self) -> str:
        """The agency's slug."""
        return self.receipt.agency

    @property
    def counted_from(self) -> datetime:
        """When the clocks begin: the receipt, or the taking-in where the date of receipt is unknown."""
        return self.receipt.received_at or self.receipt.accepted_at

    @property
    def received_on(self) -> date | None:
        """The agency's date of receipt; None where an import does not say."""
        return self.receipt.received_on

    @property
    def unanswered(self) -> tuple[int, ...]:
        """The numbers of the issues without a finding."""
        return tuple(issue.number for issue in self.issues if not issue.is_answered)

    @property
    def uncoded(self) -> tuple[int, ...]:
        """The numbers of the issues without a root cause."""
        return tuple(issue.number for issue in self.issues if not issue.is_coded)

    @property
    def open_pause(self) -> Pause | None:
        """The pause that lasts, if one does."""
        return next((pause for pause in self.pauses if pause.ended_at is None), None)

    def clock(self, name: ClockName) -> ClockRun | None:
        """Return the last run of the clock, or None if it never started."""
        return next((run for run in reversed(self.clocks) if run.name is name), None)

    def has_noted(self, clock: ClockName, due_at: datetime, *, is_missed: bool) -> bool:
        """Return whether this deadline's warning (or passing) is in the story already."""
        return any(d.clock is clock and d.due_at == due_at and d.is_missed is is_missed for d in self.deadlines)


def new_case(receipt: Receipt) -> Case:
    """Return the case of a bare receipt, before its first event."""
    return Case(receipt=receipt)
