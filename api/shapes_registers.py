# SPDX-License-Identifier: Apache-2.0
"""Problem Solving Days, workload, policy and health as they come in and go out."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from api.shapes import Line, Shape, Word, example
from models.terms import Action, ClockName, Role, Stage, State, Track


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
    late_by_owner: dict[str, int]


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
