# SPDX-License-Identifier: Apache-2.0
"""What workflows may ask for: names and shapes only. Keeping a promise twice is harmless."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from temporalio import activity

from models.case import Case
from models.clocks import Rules
from models.commands import Receive
from models.events import Event
from models.fixes.commands import Effect, Open
from models.fixes.fix import Fix, FixEvent
from models.fixes.watching import Rhythm
from models.messages import Code, Message

WORKFLOW_TYPE_COMPLAINT = "complaint"
WORKFLOW_TYPE_ROOT_CAUSE = "root-cause"
WORKFLOW_TYPE_FIX = "systemic-fix"
WORKFLOW_TYPE_AFFECTED = "help-affected"
WORKFLOW_TYPE_TEXTS = "texts"


class CaseAddress(Message):
    """Which case: all that a complaint's workflow is started with."""

    agency: Code
    case_id: UUID


class Loaded(Message):
    """A case as the record has it."""

    case: Case
    rules: Rules
    opening: Receive | None = None
    """How to open the case of a bare receipt."""


class Batch(Message):
    """The next events of a case, as decided by its workflow."""

    agency: Code
    case_id: UUID
    events: tuple[Event, ...]


class Recorded(Message):
    """What the record answers. With nothing in it, the batch was appended as it was sent."""

    held: tuple[Event, ...] = ()
    """Everything the record already held from the batch's first sequence on: the truth, to be adopted."""
    earlier: tuple[Event, ...] = ()
    """Events before that which carry one of the batch's keys: those commands have their answer."""

    @property
    def was_appended(self) -> bool:
        """Whether the record took the batch as it was sent."""
        return not self.held and not self.earlier


class CaseRecords(ABC):
    """The record of one case."""

    @activity.defn(name="load")
    @abstractmethod
    async def load(self, address: CaseAddress) -> Loaded:
        """Return the case folded from its events, or the opening of a bare receipt."""

    @activity.defn(name="record")
    @abstractmethod
    async def record(self, batch: Batch) -> Recorded:
        """Append the batch in one transaction, or answer with what the record holds instead."""


class RootCauseRun(Message):
    """One look for recurring failures: an agency's cells as they were at the end of a day."""

    agency: Code
    as_of: date | None = None
    """None: the day before the run was asked for, in the agency's time zone."""


class RootCauseLook(Message):
    """The same, with the moment it was asked for, so that a repeated try looks at the same day."""

    run: RootCauseRun
    asked_at: datetime


class RootCauseOutcome(Message):
    """What a run found."""

    agency: Code
    as_of: date
    cells: int
    """How many places and failures were looked at."""
    raised: tuple[UUID, ...] = ()
    """Signals seen for the first time."""
    seen_again: tuple[UUID, ...] = ()
    sentences: tuple[str, ...] = ()
    """What each signal says, in the order of the two before."""
    inputs_hash: str


class RootCauses(ABC):
    """The weekly look for recurring process failures."""

    @activity.defn(name="flag_recurring_failures")
    @abstractmethod
    async def flag_recurring_failures(self, look: RootCauseLook) -> RootCauseOutcome:
        """Judge every cell of the agency as of a day and store the signals; the same inputs give the same answer."""


class FixAddress(Message):
    """Which systemic fix: all that its workflow is started with."""

    agency: Code
    fix_id: UUID


class LoadedFix(Message):
    """A fix as the record has it."""

    fix: Fix
    rhythm: Rhythm
    opening: Open | None = None
    """What opens a fix that has no event yet."""


class FixBatch(Message):
    """The next events of a fix, as decided by its workflow."""

    agency: Code
    fix_id: UUID
    events: tuple[FixEvent, ...]


class FixRecorded(Message):
    """What the record answers. With nothing in it, the batch was appended as it was sent."""

    held: tuple[FixEvent, ...] = ()
    """Everything the record already held from the batch's first sequence on: the truth, to be adopted."""
    earlier: tuple[FixEvent, ...] = ()
    """Events before that which carry one of the batch's keys: those commands have their answer."""

    @property
    def was_appended(self) -> bool:
        """Whether the record took the batch as it was sent."""
        return not self.held and not self.earlier


class EffectLook(Message):
    """A look at the effect of a fix as of the end of a day."""

    agency: Code
    fix: Fix
    as_of: date


class FixRecords(ABC):
    """The record of one systemic fix, and the look at its effect."""

    @activity.defn(name="load_fix")
    @abstractmethod
    async def load_fix(self, address: FixAddress) -> LoadedFix:
        """Return the fix folded from its events, or what opens it."""

    @activity.defn(name="record_fix")
    @abstractmethod
    async def record_fix(self, batch: FixBatch) -> FixRecorded:
        """Append the batch in one transaction, or answer with what the record holds instead."""

    @activity.defn(name="look_at_effect")
    @abstractmethod
    async def look_at_effect(self, look: EffectLook) -> Effect:
        """Return what the weekly counts say of the change so far; the same counts give the same answer."""


class AffectedAddress(Message):
    """Which list of affected people: all that its workflow is started with."""

    agency: Code
    list_id: UUID


class AffectedProgress(Message):
    """How far a list has come."""

    people: int
    done: int = 0
    exceptions: int = 0
    """People who could not be helped, with the reason on the list, for staff to deal with."""

    @property
    def waiting(self) -> int:
        """How many have no result yet."""
        return self.people - self.done - self.exceptions


class Affected(ABC):
    """The help for the people on a list, for each of them once."""

    @activity.defn(name="draw_list")
    @abstractmethod
    async def draw_list(self, address: AffectedAddress) -> AffectedProgress:
        """See to it that the list has its people; one that is drawn stays as it is."""

    @activity.defn(name="help_some")
    @abstractmethod
    async def help_some(self, address: AffectedAddress) -> AffectedProgress:
        """Help some of those who wait, each result noted by itself; what fails for now is left for another time."""


class TextRun(Message):
    """A night's reading of an agency's complaints: learning anew, reading what is open, and the weekly look."""

    agency: Code


class TextLearning(Message):
    """What is to be learnt, and the moment it was asked for, so that a repeated try learns for the same day."""

    agency: Code
    kind: Literal["category", "failure", "likeness"]
    asked_at: datetime


class TextLearnt(Message):
    """What there is to suggest with."""

    version: int
    """0: too few cases have been coded to learn from."""
    is_new: bool


class TextLook(Message):
    """Reading on a day, with the moment it was asked for."""

    agency: Code
    asked_at: datetime


class TextsLookedAt(Message):
    """What the weekly look at texts came to."""

    queued: int
    changed: int
    """How many of the two kinds of codes are used otherwise than before."""
    new_failures: int


class Texts(ABC):
    """What the words of complaints tell."""

    @activity.defn(name="learn_texts")
    @abstractmethod
    async def learn_texts(self, learning: TextLearning) -> TextLearnt:
        """Learn from what people have coded, once a day; what has taught nothing new leaves all as it is."""

    @activity.defn(name="read_texts")
    @abstractmethod
    async def read_texts(self, look: TextLook) -> int:
        """Read every case that the newest models have not read, and return how many."""

    @activity.defn(name="look_at_texts")
    @abstractmethod
    async def look_at_texts(self, look: TextLook) -> TextsLookedAt:
        """Choose what to code first, see what has changed and what is new, once a week."""
