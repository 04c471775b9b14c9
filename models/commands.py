# SPDX-License-Identifier: Apache-2.0
"""What may be asked of a case: one frozen message for each action, told apart by `action`.

Every command names its actor and carries the key under which it is done once. Free text comes as `ContentRef`;
codes (services, teams, failures) are checked against the policy where the command is made, not here.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, TypeAdapter

from models.messages import Amount, Code, ContentRef, Key, Message, canonical_message, sha256
from models.terms import Action, ClockName, Finding, Remedy, Role, Scope, Track

ISSUE_LIMIT = 20
IssueNumber = Annotated[int, Field(ge=1, le=ISSUE_LIMIT)]


class Actor(Message):
    """Who asks: the account's name and the role it acts in."""

    name: Code
    role: Role


SYSTEM = Actor(name="putright", role=Role.SYSTEM)


class Asked(Message):
    """What every command carries."""

    actor: Actor
    key: Key
    expected_sequence: int | None = None
    """The last event that the asker saw: a condition of being done, no part of what is done, hashed or recorded."""

    @property
    def request_hash(self) -> bytes:
        """SHA-256 of the whole request: the same key with another hash is another request."""
        return sha256(canonical_message(self.unconditional()))

    def unconditional(self) -> Self:
        """Return the command as events hold it."""
        return self if self.expected_sequence is None else self.model_copy(update={"expected_sequence": None})


class Receipt(Message):
    """What is known of a complaint when it is accepted; nothing personal, which stands in `content`."""

    agency: Code
    case_id: UUID
    reference: Code
    accepted_at: datetime
    """When the record took it in."""
    received_at: datetime | None
    """When the agency received it; None where an import does not say."""
    received_on: date | None
    """The same as a date in the agency's time zone."""
    channel: Code
    service: Code | None = None
    category: Code | None = None
    office: Code | None = None
    language: Code = "en"
    event_id: UUID | None = None
    """The Problem Solving Day at which it was taken in."""
    narrative: ContentRef | None = None
    wanted: ContentRef | None = None
    contact: ContentRef | None = None
    """Absent where the complainant stays anonymous."""
    can_be_written_to: bool = False
    is_imported: bool = False
    source: Code | None = None
    """Name of the import's source."""
    vulnerable: bool | None = None
    """Whether the sender says that the person affected is in vulnerable circumstances; None where nothing was said."""


class Receive(Asked):
    """Open the case of a receipt."""

    action: Literal[Action.RECEIVE] = Action.RECEIVE
    receipt: Receipt
    team: Code
    policy_version: int
    attention: tuple[Code, ...] = ()
    """Why somebody should look today, such as words that tell of danger."""


class HistoricalIssue(Message):
    """One issue of a complaint that was dealt with before it came here."""

    service: Code | None = None
    category: Code | None = None


class RecordAsHistory(Asked):
    """Record a complaint that another system has closed; nobody coded its findings."""

    action: Literal[Action.RECORD_AS_HISTORY] = Action.RECORD_AS_HISTORY
    receipt: Receipt
    team: Code
    """Who would have had it: reopened, it lands with them."""
    policy_version: int
    issues: Annotated[tuple[HistoricalIssue, ...], Field(min_length=1, max_length=ISSUE_LIMIT)]
    closed_at: datetime | None = None
    """When it was closed; None where the source does not say."""
    outcome: Code | None = None
    """The source's own word for how it ended."""


class SendReceipt(Asked):
    """Tell the complainant at once that we have it, with the reference and the next dates."""

    action: Literal[Action.SEND_RECEIPT] = Action.SEND_RECEIPT


class Acknowledge(Asked):
    """Write personally: who is looking at it, and what we understood."""

    action: Literal[Action.ACKNOWLEDGE] = Action.ACKNOWLEDGE
    text: ContentRef


class IssueTriage(Message):
    """One thing the complaint is about."""

    number: IssueNumber
    service: Code
    category: Code
    words: ContentRef | None = None


class Triage(Asked):
    """Say what it is about, how grave it is, and who deals with it."""

    action: Literal[Action.TRIAGE] = Action.TRIAGE
    issues: Annotated[tuple[IssueTriage, ...], Field(min_length=1, max_length=ISSUE_LIMIT)]
    office: Code | None = None
    severity: Annotated[int, Field(ge=0, le=3)]
    track: Track
    team: Code
    owner: Code | None = None
    approval_required: bool = False
    """Whether the policy asks for another person's approval of the answer; set from severity.toml, not by the asker."""
    vulnerable: bool | None = None
    """Whether the person affected is in vulnerable circumstances; None: not known. Of which kind is nobody's business
    here: nothing is decided by it, so nothing of it is kept."""
    vulnerable_stands: Literal[True] | None = None
    """Whether the asker leaves that as the case has it, and says nothing of it. Not filled in when it is asked: a
    repeated request must make the same command whatever the case has by then."""


class Assign(Asked):
    """Give it to another owner or team, or set the day of the next step."""

    action: Literal[Action.ASSIGN] = Action.ASSIGN
    team: Code | None = None
    owner: Code | None = None
    follow_up_on: date | None = None
    """The day on which the owner does the next thing, as promised to the complainant."""


class Note(Asked):
    """Add a note, or what the complainant adds of their own accord."""

    action: Literal[Action.NOTE] = Action.NOTE
    text: ContentRef


class RequestInformation(Asked):
    """Ask the complainant one stated question; the clock stands still meanwhile."""

    action: Literal[Action.REQUEST_INFORMATION] = Action.REQUEST_INFORMATION
    text: ContentRef


class RecordInformation(Asked):
    """Record what the complainant answered."""

    action: Literal[Action.RECORD_INFORMATION] = Action.RECORD_INFORMATION
    text: ContentRef


class IssueAnswer(Message):
    """What we found for one issue, and what we do about it."""

    number: IssueNumber
    finding: Literal[Finding.UPHELD, Finding.PARTLY_UPHELD, Finding.NOT_UPHELD, Finding.NOT_DETERMINED]
    remedies: Annotated[tuple[Remedy, ...], Field(min_length=1, max_length=5)]
    amount: Amount | None = None


class ProposeAnswer(Asked):
    """Put an answer before another person."""

    action: Literal[Action.PROPOSE_ANSWER] = Action.PROPOSE_ANSWER
    text: ContentRef
    issues: Annotated[tuple[IssueAnswer, ...], Field(min_length=1, max_length=ISSUE_LIMIT)]


class Approve(Asked):
    """Send the proposed answer."""

    action: Literal[Action.APPROVE] = Action.APPROVE


class SendBack(Asked):
    """Return the proposed answer with a reason."""

    action: Literal[Action.SEND_BACK] = Action.SEND_BACK
    text: ContentRef


class Answer(Asked):
    """Answer every issue of the complaint."""

    action: Literal[Action.ANSWER] = Action.ANSWER
    text: ContentRef
    issues: Annotated[tuple[IssueAnswer, ...], Field(min_length=1, max_length=ISSUE_LIMIT)]


class ProcessFailure(Message):
    """What failed in the process, and why."""

    kind: Literal["failure"] = "failure"
    failure: Code
    contributing_cause: Code
    severity: Annotated[int, Field(ge=1, le=3)]
    harm: Annotated[int, Field(ge=0, le=5)]
    scope: Scope


class NoFailure(Message):
    """Why no process failure is behind this issue (one of the six non-failures)."""

    kind: Literal["none"] = "none"
    reason: Code


RootCause = Annotated[ProcessFailure | NoFailure, Field(discriminator="kind")]


class IssueTag(Message):
    """The root cause of one issue."""

    number: IssueNumber
    cause: RootCause


class TagRootCause(Asked):
    """Say for one or more issues what was behind them."""

    action: Literal[Action.TAG_ROOT_CAUSE] = Action.TAG_ROOT_CAUSE
    issues: Annotated[tuple[IssueTag, ...], Field(min_length=1, max_length=ISSUE_LIMIT)]


class Close(Asked):
    """Close the case; the complainant may still ask to look again."""

    action: Literal[Action.CLOSE] = Action.CLOSE


class Withdraw(Asked):
    """The complainant does not wish to go on."""

    action: Literal[Action.WITHDRAW] = Action.WITHDRAW
    text: ContentRef | None = None


class MarkDuplicate(Asked):
    """The same complaint is dealt with in another case."""

    action: Literal[Action.MARK_DUPLICATE] = Action.MARK_DUPLICATE
    duplicate_of: UUID


class Reopen(Asked):
    """Have it looked at again by another person."""

    action: Literal[Action.REOPEN] = Action.REOPEN
    text: ContentRef
    reviewer: Code | None = None
    """Who looks at it again; may be chosen later, never one who answered before."""


class WarnOfDeadline(Asked):
    """Tell the owner that a due date is near."""

    action: Literal[Action.WARN_OF_DEADLINE] = Action.WARN_OF_DEADLINE
    clock: ClockName
    due_at: datetime


class Escalate(Asked):
    """Tell the supervisor that a due date has been missed."""

    action: Literal[Action.ESCALATE] = Action.ESCALATE
    clock: ClockName
    due_at: datetime


Command = Annotated[
    Receive
    | RecordAsHistory
    | SendReceipt
    | Acknowledge
    | Triage
    | Assign
    | Note
    | RequestInformation
    | RecordInformation
    | ProposeAnswer
    | Approve
    | SendBack
    | Answer
    | TagRootCause
    | Close
    | Withdraw
    | MarkDuplicate
    | Reopen
    | WarnOfDeadline
    | Escalate,
    Field(discriminator="action"),
]
COMMAND: TypeAdapter[Command] = TypeAdapter(Command)
