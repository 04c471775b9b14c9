# SPDX-License-Identifier: Apache-2.0
"""Systemic fixes as they come in and go out: the commands of models/fixes/commands.py with plain texts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from api.shapes import Email, Line, Post, Shape, Text, Word, example
from api.shapes_signals import OPENS_SECOND_FIX, SignalEvidenceView
from models.fixes.commands import MOST_CELLS, CellRef, Effect, Number, Plan
from models.fixes.terms import (
    CauseCategory,
    EvidenceSource,
    FixAction,
    FixState,
    Help,
    MeasureKind,
    Occasion,
    Strength,
    Verdict,
)
from models.signals import BesideComplaints
from models.terms import Remedy, Role

FIX_TEXT_LIMIT = 20_000
FixText = Annotated[Text, StringConstraints(max_length=FIX_TEXT_LIMIT)]
Reason = Annotated[Text, StringConstraints(max_length=4_000)]
MOST_PEOPLE = 10_000
"""As many fit into one request; a longer list is sent in several."""


class FixAsked(Shape):
    """Open a fix. With a signal, this is the decision on it too, and the reason says why it is accepted."""

    model_config = example(title="Paper renewals are lost at Northgate", statement="Since the move …", owner="sue")

    title: Line
    statement: FixText | None = None
    owner: Annotated[Word | None, Field(description="Left out: whoever asks.")] = None
    signal_id: UUID | None = None
    reason: Annotated[Reason | None, Field(description="With a signal: why it is accepted.")] = None
    cells: Annotated[
        tuple[CellRef, ...], Field(max_length=MOST_CELLS, description="Without a signal: what is counted of it.")
    ] = ()
    opens_second_fix: Annotated[bool, Field(description=OPENS_SECOND_FIX)] = False

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.signal_id is None) is not (self.reason is None):
            raise ValueError("give a reason with a signal, and only then")
        if self.signal_id is not None and self.cells:
            raise ValueError("a signal brings its cells with it")
        if self.opens_second_fix and self.signal_id is None:
            raise ValueError("there is a second fix of a matter only where a signal names it")
        return self


class DescribeAsked(Shape):
    """Say what goes wrong, for whom, where and since when."""

    action: Literal[FixAction.DESCRIBE]
    title: Line | None = None
    statement: FixText


class LinkSignalAsked(Shape):
    """Take in another signal, whose cause is dealt with here; deciding on the signal can do it in one step."""

    action: Literal[FixAction.LINK_SIGNAL]
    signal_id: UUID


class AddCauseAsked(Shape):
    """Say why it fails: each why answers the one before."""

    model_config = example(
        action="add_cause", category="PRO", whys=["Renewals lie unopened.", "Nobody is named for the morning's post."]
    )

    action: Literal[FixAction.ADD_CAUSE]
    category: CauseCategory
    whys: Annotated[tuple[FixText, ...], Field(min_length=1, max_length=5)]


class AddEvidenceAsked(Shape):
    """Lay down what shows the failure, and how many people the source speaks for where that is known."""

    action: Literal[FixAction.ADD_EVIDENCE]
    source: EvidenceSource
    words: FixText
    people_count: Annotated[int, Field(ge=0, le=100_000_000)] | None = None


class AddOptionAsked(Shape):
    """Lay down something that could be done."""

    action: Literal[FixAction.ADD_OPTION]
    words: FixText


class ChooseOptionAsked(Shape):
    """Decide for one option, with the reason."""

    action: Literal[FixAction.CHOOSE_OPTION]
    number: Number
    reason: FixText


class PlanMeasureAsked(Shape):
    """Plan something to be done, or plan it anew under the same number."""

    action: Literal[FixAction.PLAN_MEASURE]
    number: Number
    words: FixText
    kind: MeasureKind
    strength: Strength
    owner: Word
    due_on: date
    document: FixText | None = None
    effective_on: date | None = None


class DropMeasureAsked(Shape):
    """Leave a planned measure out, with the reason."""

    action: Literal[FixAction.DROP_MEASURE]
    number: Number
    reason: FixText


class SignOffAsked(Shape):
    """Answer for a plan of weaker measures only."""

    action: Literal[FixAction.SIGN_OFF]
    reason: FixText


class RegisterAsked(Shape):
    """Freeze how the effect will be judged, and begin."""

    action: Literal[FixAction.REGISTER]
    plan: Plan


class FinishMeasureAsked(Shape):
    """Say that a measure is done, and from when it takes effect."""

    action: Literal[FixAction.FINISH_MEASURE]
    number: Number
    done_on: date
    effective_on: date
    document: FixText | None = None


class PutInPlaceAsked(Shape):
    """Say that the whole change is in place since that day."""

    action: Literal[FixAction.PUT_IN_PLACE]
    changed_on: date


class PersonAffected(Shape):
    """Somebody to be helped, who need not have complained. One without an address becomes an exception for staff."""

    name: Line | None = None
    email: Email | None = None
    post: Annotated[Post | None, Field(description="Where a letter on paper goes if no e-mail address is given.")] = (
        None
    )
    language: Annotated[Word | None, Field(description="Left out: the agency's first.")] = None
    remedy: Remedy | None = None
    amount_cents: Annotated[int, Field(gt=0, le=100_000_000)] | None = None
    authority: Annotated[
        Annotated[Line, Field(max_length=80)] | None, Field(description="For money: the rule that allows it.")
    ] = None

    @model_validator(mode="after")
    def _is_somebody(self) -> Self:
        if not (self.name or self.email or self.post):
            raise ValueError("name the person, or give an address")
        return self

    @model_validator(mode="after")
    def _money_has_its_authority(self) -> Self:
        if (self.amount_cents is None) is not (self.authority is None):
            raise ValueError("money is granted under an authority; name both or neither")
        return self


class TranslationAsked(Shape):
    """The same words in another of the agency's languages."""

    language: Word
    words: FixText


Translations = Annotated[
    tuple[TranslationAsked, ...] | None,
    Field(
        description="The words in other languages of the agency. Without one its readers are told that they have none."
    ),
]


class ListAffectedAsked(Shape):
    """Have everybody on a list helped, each once: people named here, or everybody who complained of it since a day."""

    action: Literal[FixAction.LIST_AFFECTED]
    help: Help
    people: Annotated[tuple[PersonAffected, ...], Field(min_length=1, max_length=MOST_PEOPLE)] | None = None
    since: Annotated[date | None, Field(description="Everybody who complained of it from this day on.")] = None
    source: Annotated[FixText, Field(description="Where the list comes from.")]
    words: Annotated[FixText, Field(description="What they are told.")]
    translations: Translations = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.people is None) is (self.since is None):
            raise ValueError("name people, or since when they complained")
        addresses = [person.email.lower() for person in self.people or () if person.email]
        if len(set(addresses)) < len(addresses):
            raise ValueError("an address stands there twice; each person is helped once")
        return self


class ApproveWordsAsked(Shape):
    """Approve what complainants and the public are told."""

    action: Literal[FixAction.APPROVE_WORDS]
    occasion: Occasion
    words: FixText
    translations: Translations = None


class AssignFixAsked(Shape):
    """Give the fix to another owner."""

    action: Literal[FixAction.ASSIGN]
    owner: Word


class NoteFixAsked(Shape):
    """Add a note."""

    action: Literal[FixAction.NOTE]
    words: FixText


class AbandonAsked(Shape):
    """Give the fix up, with the reason."""

    action: Literal[FixAction.ABANDON]
    reason: FixText


FixActionAsked = Annotated[
    DescribeAsked
    | LinkSignalAsked
    | AddCauseAsked
    | AddEvidenceAsked
    | AddOptionAsked
    | ChooseOptionAsked
    | PlanMeasureAsked
    | DropMeasureAsked
    | SignOffAsked
    | RegisterAsked
    | FinishMeasureAsked
    | PutInPlaceAsked
    | ListAffectedAsked
    | ApproveWordsAsked
    | AssignFixAsked
    | NoteFixAsked
    | AbandonAsked,
    Field(discriminator="action"),
]


class FixOpened(Shape):
    """A fix that is durable; its workflow begins by itself."""

    fix_id: UUID


class FixActionDone(Shape):
    """What an action came to; the same key and request again give the same."""

    fix_id: UUID
    sequence: int
    state: FixState
    at: datetime


class FixLineView(Shape):
    """A fix in a list."""

    id: UUID
    title: str
    state: FixState
    is_open: bool
    owner: str
    opened_at: datetime
    attempt: int
    changed_on: date | None
    look_on: date | None
    verdict: Verdict | None


class FixList(Shape):
    """One page of fixes, the newest first."""

    fixes: tuple[FixLineView, ...]
    next_cursor: str | None


class CauseView(Shape):
    """Why it fails, on one branch of the cause-and-effect diagram."""

    category: CauseCategory
    whys: tuple[str, ...]


class EvidenceView(Shape):
    """What shows the failure."""

    source: EvidenceSource
    words: str
    people_count: int | None


class EvidenceCount(Shape):
    """What one source has shown so far; sources are never added up."""

    source: EvidenceSource
    pieces: int
    people_count: Annotated[int | None, Field(description="Null where no piece says how many.")]


class SignalEvidenceCount(Shape):
    """What one kind of source beside complaints has shown of the signals; sources are never added up."""

    source: BesideComplaints
    pieces: int
    people_count: Annotated[int | None, Field(description="Null where no piece says how many.")]


class OptionView(Shape):
    """Something that could be done."""

    number: int
    words: str
    is_chosen: bool
    reason: str | None


class MeasureView(Shape):
    """Something that is to be done, or has been."""

    number: int
    words: str
    kind: MeasureKind
    strength: Strength
    owner: str
    due_on: date
    document: str | None
    effective_on: date | None
    done_on: date | None
    is_dropped: bool


class PlanView(Shape):
    """How the effect is judged, with the hash under which it was frozen."""

    plan: Plan
    frozen_hash: str


class RoundView(Shape):
    """An attempt that did not last."""

    plan: PlanView
    measures: tuple[MeasureView, ...]
    changed_on: date
    effect: Effect


class ApprovedView(Shape):
    """What was approved to be told."""

    occasion: Occasion
    words: str
    approved_by: str
    at: datetime


class AffectedView(Shape):
    """A list of people who are helped, each once, and how far it has come."""

    list_id: UUID
    help: Help
    occasion: Annotated[Occasion | None, Field(description="Drawn from the cases when words were approved.")]
    people_count: int
    done_count: int
    exception_count: int
    added_by: str
    added_at: datetime
    finished_at: datetime | None


class FixView(Shape):
    """A fix with all of its texts, and what you may ask of it."""

    id: UUID
    state: FixState
    sequence: int
    attempt: int
    title: str
    statement: str | None
    owner: str | None
    opened_at: datetime
    opened_by: str
    last_event_at: datetime
    signals: tuple[UUID, ...]
    cells: tuple[CellRef, ...]
    causes: tuple[CauseView, ...]
    evidence: tuple[EvidenceView, ...]
    evidence_by_source: tuple[EvidenceCount, ...]
    signal_evidence: Annotated[
        tuple[SignalEvidenceView, ...],
        Field(description="What was attached to the signals that the fix deals with, beside their complaints."),
    ]
    signal_evidence_by_source: tuple[SignalEvidenceCount, ...]
    options: tuple[OptionView, ...]
    measures: tuple[MeasureView, ...]
    is_weak: Annotated[bool, Field(description="Nothing stronger than training and reminders is planned.")]
    signed_off_by: str | None
    plan: PlanView | None
    registered_at: Annotated[datetime | None, Field(description="When the plan was frozen.")]
    is_registered_afterwards: Annotated[bool, Field(description="The plan was frozen after its change was in place.")]
    changed_on: date | None
    effect: Effect | None
    effective_on: date | None
    rounds: tuple[RoundView, ...]
    affected: tuple[AffectedView, ...]
    approved: tuple[ApprovedView, ...]
    offered: tuple[FixAction, ...]
    refused: Annotated[dict[FixAction, str], Field(description="What is yours to ask, and why not now.")]
    next_step: Annotated[str, Field(description="Where it stands and what comes next, in one sentence.")]


class FixEventView(Shape):
    """An event, with the hash that chains it."""

    sequence: int
    at: datetime
    recorded_at: datetime
    action: FixAction
    actor: str
    role: Role
    source: FixState
    target: FixState
    command: dict[str, object]
    texts: Annotated[dict[str, str], Field(description="The command's texts, by their id.")]
    hash: str


class FixEventList(Shape):
    """The story of a fix."""

    fix_id: UUID
    events: tuple[FixEventView, ...]
