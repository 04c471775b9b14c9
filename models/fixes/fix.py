# SPDX-License-Identifier: Apache-2.0
"""A fix as it stands: the fold of its events, and nothing else."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from models.fixes.commands import CellRef, Effect, FixCommand, Plan
from models.fixes.terms import (
    CauseCategory,
    EvidenceSource,
    FixState,
    Help,
    MeasureKind,
    Occasion,
    Strength,
    Verdict,
)
from models.messages import Code, ContentRef, Message, canonical_message


class FixEvent(Message):
    """A granted command: event number `sequence` of its fix."""

    fix_id: UUID
    sequence: int
    at: datetime
    source: FixState
    target: FixState
    command: FixCommand

    def canonical(self) -> bytes:
        """Return the bytes that are stored and chained."""
        return canonical_message(self)


class Cause(Message):
    """Why it fails, on one branch of the cause-and-effect diagram: each why answers the one before."""

    category: CauseCategory
    whys: tuple[ContentRef, ...]


class Evidence(Message):
    """What shows the failure, with its source."""

    source: EvidenceSource
    words: ContentRef
    people_count: int | None = None


class Option(Message):
    """Something that could be done, and why it was chosen if it was."""

    number: int
    words: ContentRef
    reason: ContentRef | None = None

    @property
    def is_chosen(self) -> bool:
        """Whether it was decided for."""
        return self.reason is not None


class Measure(Message):
    """Something that is to be done, or has been."""

    number: int
    words: ContentRef
    kind: MeasureKind
    strength: Strength
    owner: Code
    due_on: date
    document: ContentRef | None = None
    effective_on: date | None = None
    done_on: date | None = None
    is_dropped: bool = False

    @property
    def is_done(self) -> bool:
        """Whether it has been carried out."""
        return self.done_on is not None


class AffectedList(Message):
    """A list of people who are helped, each once."""

    list_id: UUID
    help: Help
    people_count: int


class Round(Message):
    """An attempt that did not last: its plan, what was done, and what was found."""

    plan: Plan
    measures: tuple[Measure, ...]
    changed_on: date
    effect: Effect


class Fix(Message):
    """A fix as it stands after event number `sequence`."""

    id: UUID
    agency: Code = "-"
    state: FixState = FixState.NEW
    sequence: int = 0
    title: ContentRef | None = None
    statement: ContentRef | None = None
    owner: Code | None = None
    opened_at: datetime | None = None
    opened_by: Code | None = None
    signals: tuple[UUID, ...] = ()
    cells: tuple[CellRef, ...] = ()
    """What the signals spoke of; the plan chooses its targets among them or names others."""
    causes: tuple[Cause, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    options: tuple[Option, ...] = ()
    measures: tuple[Measure, ...] = ()
    signed_off_by: Code | None = None
    plan: Plan | None = None
    registered_at: datetime | None = None
    """When the plan was frozen."""
    changed_on: date | None = None
    effect: Effect | None = None
    """The latest look of this attempt."""
    effective_on: date | None = None
    rounds: tuple[Round, ...] = ()
    affected: tuple[AffectedList, ...] = ()
    approved: tuple[Occasion, ...] = ()
    last_event_at: datetime | None = None

    @property
    def standing_measures(self) -> tuple[Measure, ...]:
        """The measures that were not dropped."""
        return tuple(measure for measure in self.measures if not measure.is_dropped)

    @property
    def is_weak(self) -> bool:
        """Whether nothing stronger than reminders and training is planned."""
        return all(measure.strength is Strength.WEAKER for measure in self.standing_measures)

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        return len(self.rounds) + 1

    @property
    def verdict(self) -> Verdict | None:
        """What the last look of this attempt said; None before the first."""
        return self.effect.verdict if self.effect else None

    def measure(self, number: int) -> Measure | None:
        """Return the measure of that number, dropped or not."""
        return next((measure for measure in self.measures if measure.number == number), None)

    def option(self, number: int) -> Option | None:
        """Return the option of that number."""
        return next((option for option in self.options if option.number == number), None)
