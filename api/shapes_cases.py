# SPDX-License-Identifier: Apache-2.0
"""Cases as they are shown: a line of a list, the whole of one, its story, and the complainant's own view."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from api.shapes import Shape
from models.commands import RootCause
from models.messages import Amount
from models.terms import Action, ClockName, Finding, Remedy, Role, Stage, State, Track

Vulnerable = Annotated[
    bool | None, Field(description="Whether the person affected is in vulnerable circumstances; null: not known.")
]


class CaseLine(Shape):
    """A case in a list."""

    id: UUID
    reference: str
    state: State
    stage: Stage
    is_open: bool
    is_history: bool
    sequence: int
    received_at: datetime | None
    channel: str
    service: str | None
    category: str | None
    office: str | None
    severity: int | None
    vulnerable: Vulnerable
    track: Track
    team: str | None
    owner: str | None
    attention: tuple[str, ...]
    event_id: UUID | None
    follow_up_on: date | None
    due_clock: ClockName | None
    due_at: datetime | None
    is_overdue: bool
    review_round: int
    answered_at: datetime | None
    closed_at: datetime | None
    last_event_at: datetime


class CaseList(Shape):
    """One page of a list."""

    cases: tuple[CaseLine, ...]
    next_cursor: Annotated[str | None, Field(description="Send it as `cursor` for the next page; null at the end.")]


class IssueView(Shape):
    """One thing the complaint is about."""

    number: int
    service: str | None
    category: str | None
    words: str | None
    finding: Finding | None
    remedies: tuple[Remedy, ...]
    amount: Amount | None
    cause: RootCause | None


class ClockView(Shape):
    """A promise with its due date, and the way to it day by day."""

    clock: ClockName
    name: str
    started_at: datetime
    stopped_at: datetime | None
    due_at: datetime
    is_overdue: bool
    paused_since: datetime | None
    paused_days: int
    explanation: tuple[str, ...]


class TextView(Shape):
    """A text of the case; what has been disposed of is not in the list."""

    id: UUID
    kind: str
    body: str
    added_at: datetime


class LetterView(Shape):
    """A letter that the case caused."""

    sequence: int
    letter: str
    recipient: str
    written_at: datetime
    sent_at: Annotated[
        datetime | None, Field(description="When it went out by e-mail; told while the contact is kept.")
    ]
    ready_to_post_at: Annotated[
        datetime | None, Field(description="When it was written on paper, to be printed and posted; by e-mail, never.")
    ]
    failure: str | None


class CaseView(Shape):
    """A case as staff see it."""

    id: UUID
    reference: str
    agency: str
    state: State
    stage: Stage
    phase: Annotated[str, Field(description="How the complainant is told where it stands.")]
    sequence: int
    accepted_at: datetime
    received_at: datetime | None
    channel: str
    language: str
    service: str | None
    category: str | None
    office: str | None
    severity: int | None
    vulnerable: Vulnerable
    track: Track
    team: str | None
    owner: str | None
    attention: tuple[str, ...]
    event_id: UUID | None
    follow_up_on: date | None
    approval_required: bool
    proposed_by: str | None
    answered_by: tuple[str, ...]
    review_round: int
    review_until: datetime | None
    duplicate_of: UUID | None
    acknowledged_at: datetime | None
    answered_at: datetime | None
    closed_at: datetime | None
    is_history: bool
    is_imported: bool
    policy_version: int
    issues: tuple[IssueView, ...]
    clocks: tuple[ClockView, ...]
    customer_days: Annotated[int, Field(description="Calendar days since receipt: the clock that never stops.")]
    offered: Annotated[tuple[Action, ...], Field(description="What you may ask of it now.")]
    refused: Annotated[dict[Action, str], Field(description="What you may not ask of it now, each with the reason.")]
    narrative: str | None
    wanted: str | None
    contact: dict[str, str] | None
    texts: tuple[TextView, ...]
    letters: tuple[LetterView, ...]
    faults: tuple[str, ...]


class EventView(Shape):
    """Something that happened to the case."""

    sequence: int
    at: datetime
    recorded_at: datetime
    action: Action
    actor: str
    role: Role
    source: State
    target: State
    command: Annotated[dict[str, Any], Field(description="What was asked for; texts stand as ids with digests.")]
    text: Annotated[str | None, Field(description="The text that came with it, unless it has been disposed of.")]
    hash: Annotated[str, Field(description="Chains the event to the one before it.")]


class EventList(Shape):
    """The story of a case."""

    case_id: UUID
    reference: str
    events: tuple[EventView, ...]


class StepView(Shape):
    """A step that the sender is told of."""

    at: datetime
    what: str
    text: str | None = None


class PointView(Shape):
    """One point of the answer: what the complaint was about, what was found, and what is done about it."""

    number: int
    service: str | None
    category: str | None
    finding: Finding | None
    remedies: tuple[Remedy, ...]
    amount: Annotated[Amount | None, Field(description="Money that is given, and the rule that allows it.")]


class EarlierAnswerView(Shape):
    """What was answered in a round before the complaint was looked at again."""

    answer: str | None
    points: tuple[PointView, ...]


class TrackedView(Shape):
    """A complaint as its sender sees it."""

    reference: str
    phase: str
    received_at: datetime | None
    service: str | None
    acknowledge_by: datetime | None
    answer_by: datetime | None
    is_late: bool
    question: Annotated[str | None, Field(description="What we ask you, while we wait for your answer.")]
    reply_by: datetime | None
    acknowledged_at: datetime | None
    answered_at: datetime | None
    answer: str | None
    points: tuple[PointView, ...]
    earlier_answers: Annotated[
        tuple[EarlierAnswerView, ...], Field(description="Of the rounds before the complaint was looked at again.")
    ]
    closed_at: datetime | None
    review_until: Annotated[
        datetime | None,
        Field(description="Until when a review may be asked for; before the complaint is closed, at least until then."),
    ]
    offered: tuple[Action, ...]
    narrative: str | None
    steps: tuple[StepView, ...]
