# SPDX-License-Identifier: Apache-2.0
"""Signals, decisions on them and evidence beside them, as they come in and go out."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from api.shapes import Line, Shape, Text, Word, example
from models.signals import BesideComplaints, SignalKind, SignalState, Waiting
from models.terms import State

Reason = Annotated[Text, StringConstraints(max_length=4_000)]
OPENS_SECOND_FIX = (
    "For a new fix: open it although an open fix deals with the same matter, seen in the other measure. Without it "
    "such a request is refused as `same-matter`; the signal's `twins` name that fix."
)


class SignalView(Shape):
    """A recurring failure as it was last seen, and what was decided last."""

    id: UUID
    measure: Annotated[Literal["cause", "intake"], Field(description="Confirmed causes, or what people came in with.")]
    kind: Annotated[
        SignalKind,
        Field(description="First seen as more than before, as always too many, or as a little more every week."),
    ]
    code: str | None
    family: str | None
    service: str | None
    office: str | None
    region: str | None
    channel: str | None
    began_week: Annotated[date, Field(description="Since when it was unusual, as the look saw it that raised it.")]
    since_week: Annotated[date, Field(description="The same as the latest look sees it, like the figures.")]
    raised_on: date
    decide_by: date
    as_of: date
    observed: int
    expected: float
    threshold: int
    p_value: float
    q_value: float
    window_weeks: int
    sentences: tuple[str, ...]
    seen_as: Annotated[SignalKind, Field(description="What the last look saw it as; the figures are of that kind.")]
    priority: Annotated[
        float | None, Field(description="What signals are ranked by; `evidence.ranking` has its parts.")
    ]
    is_new: Annotated[bool, Field(description="Whether none of it had come before, in a year or more.")]
    state: SignalState
    is_undecided: Annotated[bool, Field(description="Whether it waits for a decision: its state is `to_decide`.")]
    waits_because: Waiting | None
    due_on: Annotated[date | None, Field(description="When the decision is due, or the day it was put off to.")]
    last_seen_on: Annotated[date, Field(description="The day of the last look that found it.")]
    expired_on: date | None
    decision: str | None
    reason: str | None
    defer_until: date | None
    decided_by: str | None
    decided_at: datetime | None
    fix_id: Annotated[UUID | None, Field(description="The fix that deals with it: an open one, else the latest.")]


class PrecisionView(Shape):
    """How many of a family's decided signals were accepted; those put off are not decided."""

    measure: Literal["cause", "intake"]
    family: str | None
    accepted: int
    decided: int


class SignalList(Shape):
    """One page of signals, the newest first, and how past decisions fell."""

    signals: tuple[SignalView, ...]
    precision: tuple[PrecisionView, ...]
    next_cursor: str | None


class SignalWeekView(Shape):
    """What one run found; `evidence` holds the weekly series with what was expected."""

    as_of: date
    observed: int
    expected: float
    threshold: int
    p_value: float
    q_value: float
    window_weeks: int
    sentences: tuple[str, ...]
    evidence: dict[str, Any]


class DecisionView(Shape):
    """What was decided on a signal, and why."""

    decision: str
    reason: str
    defer_until: date | None
    decided_by: str
    decided_at: datetime
    fix_id: Annotated[UUID | None, Field(description="The fix that was there already, where its cause was known.")]


class SignalEvidenceAsked(Shape):
    """Attach what speaks of the failure beside complaints; it is counted apart, and never altered."""

    model_config = example(source="event", words="Eleven people at the library said it.", people_count=11)

    source: BesideComplaints
    words: Reason
    people_count: Annotated[
        int | None, Field(ge=0, le=100_000_000, description="For how many people it speaks, where that is known.")
    ] = None
    gathered_on: date | None = None


class SignalEvidenceView(Shape):
    """What was attached to a signal."""

    id: UUID
    source: BesideComplaints
    words: str
    people_count: int | None
    gathered_on: date | None
    added_by: str
    added_at: datetime


class SignalEvidenceList(Shape):
    """All that was attached to a signal, in the order in which it came."""

    evidence: tuple[SignalEvidenceView, ...]


class SignalCaseView(Shape):
    """An issue of a case behind a signal."""

    case_id: UUID
    number: int
    issues: Annotated[int, Field(description="How many issues the complaint has in all.")]
    reference: str
    received_on: date
    code: str
    contributing_cause: str | None
    severity: int | None
    harm: int | None
    service: str | None
    office: str | None
    state: State
    owner: str | None


class TwinView(Shape):
    """Another signal of the same matter: it counts the same complaints by the other measure."""

    signal_id: UUID
    shared_complaints: Annotated[int, Field(description="How many complaints both count; at least so many.")]
    fix_id: Annotated[UUID | None, Field(description="The open fix that deals with it.")]


class SignalDetail(Shape):
    """A signal with its weeks, its decisions, what else speaks of it, and one page of the cases behind it."""

    signal: SignalView
    twins: tuple[TwinView, ...]
    weeks: tuple[SignalWeekView, ...]
    decisions: tuple[DecisionView, ...]
    evidence: tuple[SignalEvidenceView, ...]
    cases: tuple[SignalCaseView, ...]
    next_cursor: str | None


class DecisionAsked(Shape):
    """Accept the signal, reject it, or look again later; always with a reason.

    What is accepted is dealt with by a systemic fix: a new one is opened, or the signal is linked to `fix_id`.
    """

    model_config = example(decision="accept", reason="Northgate has lost paper renewals since the move in August.")

    decision: Literal["accept", "reject", "defer"]
    reason: Reason
    defer_until: date | None = None
    fix_id: Annotated[
        UUID | None, Field(description="With accept: the fix that deals with it already. Left out, a fix is opened.")
    ] = None
    fix_title: Annotated[
        Line | None, Field(description="With accept, for a new fix; left out: what the signal is about.")
    ] = None
    fix_owner: Annotated[Word | None, Field(description="With accept, for a new fix; left out: whoever asks.")] = None
    opens_second_fix: Annotated[bool, Field(description=OPENS_SECOND_FIX)] = False

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.decision == "defer") != (self.defer_until is not None):
            raise ValueError("say until when you defer, and only then give a day")
        new_fix = self.fix_title is not None or self.fix_owner is not None
        if self.decision != "accept" and (new_fix or self.fix_id is not None):
            raise ValueError("name a fix only with accept")
        if new_fix and self.fix_id is not None:
            raise ValueError("name the fix that is there, or what a new one is called, not both")
        if self.opens_second_fix and (self.decision != "accept" or self.fix_id is not None):
            raise ValueError("a second fix is opened only with accept, and without the fix that is there")
        return self


class RunAsked(Shape):
    """Look for recurring failures now, as things stood at the end of a day."""

    model_config = example(as_of="2026-03-01")

    as_of: Annotated[date | None, Field(description="Left out: yesterday, by the agency's calendar.")] = None


class RunStarted(Shape):
    """The look has begun; its signals appear in the list when it is done."""

    as_of: date
    workflow_id: str
