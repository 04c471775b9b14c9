# SPDX-License-Identifier: Apache-2.0
"""What people ask of a case, with plain texts: the commands of models/commands.py as a client writes them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from api.shapes import Shape, Text, Word, example
from models.commands import ISSUE_LIMIT, IssueAnswer, IssueNumber, IssueTag
from models.terms import Action, State, Track

_SomeIssues = Field(min_length=1, max_length=ISSUE_LIMIT)


class AcknowledgeAsked(Shape):
    """Write personally: who is looking at it, and what we understood."""

    action: Literal[Action.ACKNOWLEDGE]
    text: Text


class IssueTriaged(Shape):
    """One thing the complaint is about."""

    number: IssueNumber
    service: Word
    category: Word
    words: Text | None = None


class TriageAsked(Shape):
    """Say what it is about, how grave it is, and who deals with it. Whether approval is needed follows from that."""

    model_config = example(
        action="triage",
        issues=[{"number": 1, "service": "benefits", "category": "too_slow"}],
        severity=1,
        track="standard",
        team="general",
        owner="ann",
    )

    action: Literal[Action.TRIAGE]
    issues: Annotated[tuple[IssueTriaged, ...], _SomeIssues]
    office: Word | None = None
    severity: Annotated[int, Field(ge=0, le=3)]
    track: Track | None = None
    """Left out: as the routing table says."""
    team: Word | None = None
    """Left out: as the routing table says."""
    owner: Word | None = None
    vulnerable: Annotated[
        bool | None,
        Field(
            description="Whether the person affected is in vulnerable circumstances; null: not known. "
            "Left out: as it stands, by the triage before or the complainant's own word."
        ),
    ] = None


class AssignAsked(Shape):
    """Give it to another owner or team, or set the day of the next step."""

    action: Literal[Action.ASSIGN]
    team: Word | None = None
    owner: Word | None = None
    follow_up_on: date | None = None


class NoteAsked(Shape):
    """Add a note, or what the complainant adds of their own accord."""

    action: Literal[Action.NOTE]
    text: Text


class RequestInformationAsked(Shape):
    """Ask the complainant one question; the clock stands still meanwhile."""

    action: Literal[Action.REQUEST_INFORMATION]
    text: Text


class RecordInformationAsked(Shape):
    """Record what the complainant answered."""

    action: Literal[Action.RECORD_INFORMATION]
    text: Text


class ProposeAnswerAsked(Shape):
    """Put an answer before another person."""

    action: Literal[Action.PROPOSE_ANSWER]
    text: Text
    issues: Annotated[tuple[IssueAnswer, ...], _SomeIssues]


class ApproveAsked(Shape):
    """Send the proposed answer."""

    action: Literal[Action.APPROVE]


class SendBackAsked(Shape):
    """Return the proposed answer with a reason."""

    action: Literal[Action.SEND_BACK]
    text: Text


class AnswerAsked(Shape):
    """Answer every issue of the complaint."""

    model_config = example(
        action="answer",
        text="We found your form and pay what was due this week. We are sorry.",
        issues=[{"number": 1, "finding": "upheld", "remedies": ["apology", "correction"]}],
    )

    action: Literal[Action.ANSWER]
    text: Text
    issues: Annotated[tuple[IssueAnswer, ...], _SomeIssues]


class TagRootCauseAsked(Shape):
    """Say for one or more issues what was behind them."""

    action: Literal[Action.TAG_ROOT_CAUSE]
    issues: Annotated[tuple[IssueTag, ...], _SomeIssues]


class CloseAsked(Shape):
    """Close the case; the complainant may still ask to look again."""

    action: Literal[Action.CLOSE]


class WithdrawAsked(Shape):
    """The complainant does not wish to go on."""

    action: Literal[Action.WITHDRAW]
    text: Text | None = None


class MarkDuplicateAsked(Shape):
    """The same complaint is dealt with in another case."""

    action: Literal[Action.MARK_DUPLICATE]
    duplicate_of: Annotated[Word, Field(description="The other case's id or reference.")]


class ReopenAsked(Shape):
    """Have it looked at again by another person."""

    action: Literal[Action.REOPEN]
    text: Text
    reviewer: Word | None = None


ActionAsked = Annotated[
    AcknowledgeAsked
    | TriageAsked
    | AssignAsked
    | NoteAsked
    | RequestInformationAsked
    | RecordInformationAsked
    | ProposeAnswerAsked
    | ApproveAsked
    | SendBackAsked
    | AnswerAsked
    | TagRootCauseAsked
    | CloseAsked
    | WithdrawAsked
    | MarkDuplicateAsked
    | ReopenAsked,
    Field(discriminator="action"),
]
ComplainantAsked = Annotated[
    NoteAsked | RecordInformationAsked | WithdrawAsked | ReopenAsked, Field(discriminator="action")
]


class ActionDone(Shape):
    """What an action came to; the same key and request again give the same."""

    case_id: UUID
    sequence: int
    state: State
    at: datetime
