# SPDX-License-Identifier: Apache-2.0
"""Signals, Problem Solving Days, workload, policy and health as they come in and go out."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from api.shapes import Line, Shape, Text, Word, example
from models.terms import Action, ClockName, Role, Stage, State, Track

Reason = Annotated[Text, StringConstraints(max_length=4_000)]


class SignalView(Shape):
    """A recurring failure as it was last seen, and what was decided last."""

    id: UUID
    measure: Annotated[Literal["cause", "intake"], Field(description="Confirmed causes, or what people came in with.")]
    code: str | None
    family: str | None
    service: str | None
    office: str | None
    began_week: date
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
    is_undecided: bool
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


class SignalCaseView(Shape):
    """An issue of a case behind a signal."""

    case_id: UUID
    number: int
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


class SignalDetail(Shape):
    """A signal with its evidence, its decisions, and one page of the cases behind it."""

    signal: SignalView
    weeks: tuple[SignalWeekView, ...]
    decisions: tuple[DecisionView, ...]
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

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.decision == "defer") != (self.defer_until is not None):
            raise ValueError("say until when you defer, and only then give a day")
        new_fix = self.fix_title is not None or self.fix_owner is not None
        if self.decision != "accept" and (new_fix or self.fix_id is not None):
            raise ValueError("name a fix only with accept")
        if new_fix and self.fix_id is not None:
            raise ValueError("name the fix that is there, or what a new one is called, not both")
        return self


class RunAsked(Shape):
    """Look for recurring failures now, as things stood at the end of a day."""

    model_config = example(as_of="2026-03-01")

    as_of: Annotated[date | None, Field(description="Left out: yesterday, by the agency's calendar.")] = None


class RunStarted(Shape):
    """The look has begun; its signals appear in the list when it is done."""

    as_of: date
    workflow_id: str


class DayAsked(Shape):
    """A Problem Solving Day to be held."""

    model_config = example(
        name="Northgate Problem Solving Day",
        place="Northgate Library, Main Hall",
        held_on="2026-04-18",
        office="northgate",
        roster=["ivy", "ann"],
    )

    name: Line
    place: Line
    held_on: date
    office: Word | None = None
    roster: Annotated[tuple[Word, ...], Field(max_length=200)] = ()


class DayView(Shape):
    """A Problem Solving Day with its tally."""

    id: UUID
    name: str
    place: str
    held_on: date
    office: str | None
    roster: tuple[str, ...]
    made_by: str
    closed_at: datetime | None
    taken_in: int
    solved_on_the_spot: int
    to_follow_up: int


class DayList(Shape):
    """One page of days, the latest first."""

    days: tuple[DayView, ...]
    next_cursor: str | None


class FollowUpView(Shape):
    """An open case of the day: who does the next thing, and when."""

    case_id: UUID
    reference: str
    state: State
    owner: str | None
    team: str | None
    follow_up_on: date | None
    due_at: datetime | None


class DayDetail(Shape):
    """A day with its open cases."""

    day: DayView
    follow_ups: tuple[FollowUpView, ...]


class WorkloadView(Shape):
    """How many open cases there are, where they stand, who has them, and how many are late."""

    open: int
    late: int
    by_stage: dict[Stage, int]
    by_team: dict[str, int]
    late_by_team: dict[str, int]
    by_owner: dict[str, int]


class NamedView(Shape):
    """A code with its name in every language."""

    id: str
    name: dict[str, str]
    covers: dict[str, str] = Field(default_factory=dict)


class OfficeView(Shape):
    """A place where the agency serves people."""

    id: str
    name: str


class StandardView(Shape):
    """A promise, in the words the public reads."""

    id: str
    clock: ClockName
    track: Track | None
    amount: int
    unit: str
    promise: dict[str, str]


class PolicyView(Shape):
    """What an agency publishes: who it is, what can be complained about, and what it promises."""

    agency: str
    name: str
    version: int
    languages: tuple[str, ...]
    contact: dict[str, str]
    services: tuple[NamedView, ...]
    offices: tuple[OfficeView, ...]
    categories: tuple[NamedView, ...]
    standards: tuple[StandardView, ...]
    review_window_calendar_days: int
    notice: dict[str, str]
    external_route: dict[str, str]


class TransitionView(Shape):
    """One row of the process."""

    action: Action
    sources: tuple[State, ...]
    target: Annotated[State | None, Field(description="Null: the complaint stays where it is.")]
    roles: tuple[Role, ...]
    iso_10002: str
    starts: tuple[ClockName, ...]
    stops: tuple[ClockName, ...]
    pauses: tuple[ClockName, ...]
    resumes: tuple[ClockName, ...]


class StateView(Shape):
    """A state, its stage, and how complainants are told of it."""

    state: State
    stage: Stage
    phase: str


class LifecycleView(Shape):
    """The whole process."""

    states: tuple[StateView, ...]
    transitions: tuple[TransitionView, ...]


class HealthView(Shape):
    """The process is alive."""

    status: Literal["alive"] = "alive"


class ReadyView(Shape):
    """What can be done now: complaints are taken in whenever the record is there; actions need Temporal as well."""

    record: bool
    temporal: bool
    takes_complaints: bool
    takes_actions: bool
    wrong_master_key: Annotated[
        int, Field(description="How many cases cannot be opened, for the installation's master key is another one.")
    ]
