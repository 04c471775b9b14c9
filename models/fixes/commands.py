# SPDX-License-Identifier: Apache-2.0
"""What may be asked of a fix: one frozen message for each action, told apart by `action`.

As with complaints, every command names its actor and carries the key under which it is done once; free text comes as
`ContentRef`, and codes are checked against the policy where the command is made.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, TypeAdapter, model_validator

from models.commands import Asked
from models.fixes.terms import (
    CauseCategory,
    EvidenceSource,
    FixAction,
    Help,
    MeasureKind,
    Occasion,
    Strength,
    Verdict,
)
from models.messages import Code, ContentRef, Message, canonical_message, sha256

MOST_CELLS = 50
MOST_MEASURES = 50
MOST_TRANSITION_WEEKS = 26
MOST_SENTENCES = 200
Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1)]
Number = Annotated[int, Field(ge=1, le=MOST_MEASURES)]


class CellRef(Message):
    """A weekly count by what it is about; a field left out means all of them."""

    measure: Literal["cause", "intake"]
    family: Code | None = None
    code: Code | None = None
    service: Code | None = None
    office: Code | None = None
    channel: Code | None = None

    def contains(self, other: CellRef) -> bool:
        """Return whether every complaint counted in `other` is counted here too."""
        return self.measure == other.measure and all(
            mine is None or mine == theirs
            for mine, theirs in (
                (self.family, other.family),
                (self.code, other.code),
                (self.service, other.service),
                (self.office, other.office),
                (self.channel, other.channel),
            )
        )


class Open(Asked):
    """Open a fix for a process failure that recurs."""

    action: Literal[FixAction.OPEN] = FixAction.OPEN
    fix_id: UUID
    agency: Code
    title: ContentRef
    statement: ContentRef | None = None
    owner: Code
    signal_id: UUID | None = None
    cells: Annotated[tuple[CellRef, ...], Field(max_length=MOST_CELLS)] = ()


class Describe(Asked):
    """Say anew what goes wrong, for whom, where and since when."""

    action: Literal[FixAction.DESCRIBE] = FixAction.DESCRIBE
    title: ContentRef | None = None
    statement: ContentRef


class LinkSignal(Asked):
    """Take in another signal: its cause is known and dealt with here."""

    action: Literal[FixAction.LINK_SIGNAL] = FixAction.LINK_SIGNAL
    signal_id: UUID
    cells: Annotated[tuple[CellRef, ...], Field(max_length=MOST_CELLS)] = ()


class AddCause(Asked):
    """Say why it fails: a chain of whys (at most five) on one branch of the cause-and-effect diagram."""

    action: Literal[FixAction.ADD_CAUSE] = FixAction.ADD_CAUSE
    category: CauseCategory
    whys: Annotated[tuple[ContentRef, ...], Field(min_length=1, max_length=5)]


class AddEvidence(Asked):
    """Lay down what shows the failure; `people_count` is how many people the source speaks for, where known."""

    action: Literal[FixAction.ADD_EVIDENCE] = FixAction.ADD_EVIDENCE
    source: EvidenceSource
    words: ContentRef
    people_count: Annotated[int, Field(ge=0, le=100_000_000)] | None = None


class AddOption(Asked):
    """Lay down something that could be done."""

    action: Literal[FixAction.ADD_OPTION] = FixAction.ADD_OPTION
    words: ContentRef


class ChooseOption(Asked):
    """Decide for one option, with the reason; the others stay in the story."""

    action: Literal[FixAction.CHOOSE_OPTION] = FixAction.CHOOSE_OPTION
    number: Number
    reason: ContentRef


class PlanMeasure(Asked):
    """Plan something to be done, or plan it anew under the same number."""

    action: Literal[FixAction.PLAN_MEASURE] = FixAction.PLAN_MEASURE
    number: Number
    words: ContentRef
    kind: MeasureKind
    strength: Strength
    owner: Code
    due_on: date
    document: ContentRef | None = None
    effective_on: date | None = None
    """When a rule takes effect, where it is known beforehand."""


class DropMeasure(Asked):
    """Leave a planned measure out, with the reason."""

    action: Literal[FixAction.DROP_MEASURE] = FixAction.DROP_MEASURE
    number: Number
    reason: ContentRef


class SignOff(Asked):
    """Answer for a plan of weaker measures only: reminders and training alone seldom last."""

    action: Literal[FixAction.SIGN_OFF] = FixAction.SIGN_OFF
    reason: ContentRef


class Plan(Message):
    """How the effect will be judged, laid down before the change; frozen and hashed when it is registered.

    `trigger_from`/`trigger_until` are the weeks that raised the signal: left out of the time before, for they were
    picked because they were high. `compared_from`, of a failure that was hardly there before that day, leaves out all
    weeks before its own: they say nothing of what the change is up against. Rates are complaints a week;
    `target_reduction` is a share of the rate before.
    """

    targets: Annotated[tuple[CellRef, ...], Field(min_length=1, max_length=MOST_CELLS)]
    controls: Annotated[tuple[CellRef, ...], Field(max_length=MOST_CELLS)]
    baseline_rate: Rate
    target_reduction: Share = 0.5
    change_planned_on: date
    transition_weeks: Annotated[int, Field(ge=0, le=MOST_TRANSITION_WEEKS)] = 2
    trigger_from: date | None = None
    trigger_until: date | None = None
    compared_from: date | None = None
    look_on: date
    """The day on which it is said at the latest whether the change works, from the power table."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if any(
            target.contains(control) or control.contains(target) for target in self.targets for control in self.controls
        ):
            raise ValueError("a control must not share complaints with a target")
        if (self.trigger_from is None) is not (self.trigger_until is None):
            raise ValueError("name both ends of the weeks that raised the signal, or neither")
        if self.trigger_from is not None and self.trigger_until is not None and self.trigger_from > self.trigger_until:
            raise ValueError("the weeks that raised the signal end before they begin")
        if self.compared_from is not None and self.compared_from >= self.change_planned_on:
            raise ValueError("what came before is compared from a day before the change")
        if self.look_on <= self.change_planned_on:
            raise ValueError("the day to look on must come after the change")
        return self

    @property
    def trigger(self) -> tuple[date, date] | None:
        """The first and the last day that raised the signal."""
        both = self.trigger_from, self.trigger_until
        return None if both[0] is None or both[1] is None else (both[0], both[1])

    @property
    def frozen_hash(self) -> str:
        """SHA-256 (hex) of the plan's one spelling; shown beside the verdict, so that nobody can move the goal."""
        return sha256(canonical_message(self)).hex()


class Register(Asked):
    """Freeze the plan and begin."""

    action: Literal[FixAction.REGISTER] = FixAction.REGISTER
    plan: Plan


class FinishMeasure(Asked):
    """Say that a measure is done, and from when it takes effect."""

    action: Literal[FixAction.FINISH_MEASURE] = FixAction.FINISH_MEASURE
    number: Number
    done_on: date
    effective_on: date
    document: ContentRef | None = None


class PutInPlace(Asked):
    """Say that the whole change is in place since that day; from then on its effect is looked at."""

    action: Literal[FixAction.PUT_IN_PLACE] = FixAction.PUT_IN_PLACE
    changed_on: date


class Effect(Message):
    """One look at the effect, as analytics/ computed it; counts are of the weeks since the change."""

    as_of: date
    verdict: Verdict
    observed: Annotated[int, Field(ge=0)]
    expected: Rate
    """What would have come without the change."""
    rate_ratio: Rate
    rate_ratio_low: Rate
    rate_ratio_high: Rate
    """The ends of the 90 % interval."""
    probability_reduced: Rate
    e_value: Rate
    """Evidence that the change works, safe to look at every week; 20 is enough."""
    weeks_still_needed: Annotated[int, Field(ge=0)] | None = None
    has_relapsed: bool = False
    """Whether the failure has come back since the change was found to work."""
    sentences: Annotated[tuple[str, ...], Field(max_length=MOST_SENTENCES)]
    inputs_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Look(Asked):
    """Note a weekly look that decides nothing yet, or one that still finds the change working."""

    action: Literal[FixAction.LOOK] = FixAction.LOOK
    effect: Effect


class FindEffective(Asked):
    """The change works."""

    action: Literal[FixAction.FIND_EFFECTIVE] = FixAction.FIND_EFFECTIVE
    effect: Effect


class FindNotEffective(Asked):
    """The change does not work: the fix is worked out again."""

    action: Literal[FixAction.FIND_NOT_EFFECTIVE] = FixAction.FIND_NOT_EFFECTIVE
    effect: Effect


class Relapse(Asked):
    """The failure has come back: the fix is worked out again."""

    action: Literal[FixAction.RELAPSE] = FixAction.RELAPSE
    effect: Effect


class EndWatch(Asked):
    """It went on working for as long as it was to be watched."""

    action: Literal[FixAction.END_WATCH] = FixAction.END_WATCH


class Translation(Message):
    """The same words in another of the agency's languages."""

    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
    words: ContentRef


class ListAffected(Asked):
    """Have everybody on a list helped, each once, also those who did not complain; the list itself stands apart."""

    action: Literal[FixAction.LIST_AFFECTED] = FixAction.LIST_AFFECTED
    list_id: UUID
    help: Help
    people_count: Annotated[int, Field(ge=1, le=1_000_000)]
    source: ContentRef
    """The query or the file the list comes from."""
    words: ContentRef
    """What they are told."""
    translations: tuple[Translation, ...] | None = None


class ApproveWords(Asked):
    """Approve what complainants and the public are told, which was drafted for this occasion."""

    action: Literal[FixAction.APPROVE_WORDS] = FixAction.APPROVE_WORDS
    occasion: Occasion
    words: ContentRef
    translations: tuple[Translation, ...] | None = None


class Assign(Asked):
    """Give the fix to another owner."""

    action: Literal[FixAction.ASSIGN] = FixAction.ASSIGN
    owner: Code


class Note(Asked):
    """Add a note."""

    action: Literal[FixAction.NOTE] = FixAction.NOTE
    words: ContentRef


class Abandon(Asked):
    """Give the fix up, with the reason."""

    action: Literal[FixAction.ABANDON] = FixAction.ABANDON
    reason: ContentRef


FixCommand = Annotated[
    Open
    | Describe
    | LinkSignal
    | AddCause
    | AddEvidence
    | AddOption
    | ChooseOption
    | PlanMeasure
    | DropMeasure
    | SignOff
    | Register
    | FinishMeasure
    | PutInPlace
    | Look
    | FindEffective
    | FindNotEffective
    | Relapse
    | EndWatch
    | ListAffected
    | ApproveWords
    | Assign
    | Note
    | Abandon,
    Field(discriminator="action"),
]
FIX_COMMAND: TypeAdapter[FixCommand] = TypeAdapter(FixCommand)
