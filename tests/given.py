# SPDX-License-Identifier: Apache-2.0
"""Builders: what tests begin with. A case is led to a state by the lawful way, never forged."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from models import lifecycle
from models.case import Case, new_case
from models.commands import (
    SYSTEM,
    Acknowledge,
    Actor,
    Answer,
    Approve,
    Assign,
    Close,
    Command,
    Escalate,
    HistoricalIssue,
    IssueAnswer,
    IssueTag,
    IssueTriage,
    MarkDuplicate,
    Note,
    ProcessFailure,
    ProposeAnswer,
    Receipt,
    Receive,
    RecordAsHistory,
    RecordInformation,
    Reopen,
    RequestInformation,
    SendBack,
    SendReceipt,
    TagRootCause,
    Triage,
    WarnOfDeadline,
    Withdraw,
)
from models.messages import ContentRef
from models.policy import Policy, parse_policy
from models.references import reference_for, uuid7_at
from models.story import apply
from models.terms import Action, ClockName, Finding, Remedy, Role, Scope, State, Track

POLICY_FOLDER = Path(__file__).resolve().parents[1] / "policy"
MONDAY = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
ANN = Actor(name="ann", role=Role.CASEWORKER)
BEN = Actor(name="ben", role=Role.CASEWORKER)
SUE = Actor(name="sue", role=Role.SUPERVISOR)
IVY = Actor(name="ivy", role=Role.INTAKE)
COMPLAINANT = Actor(name="complainant", role=Role.COMPLAINANT)
IMPORTER = Actor(name="import", role=Role.IMPORT)
_keys = itertools.count()


def policy_files(folder: Path = POLICY_FOLDER) -> dict[str, str]:
    """Return the texts of a policy folder."""
    files = [*folder.glob("*.toml"), *folder.glob("*.csv"), *folder.glob("letters/*.md")]
    return {file.relative_to(folder).as_posix(): file.read_text() for file in files}


def a_policy() -> Policy:
    """Return the default agency's policy."""
    return parse_policy(policy_files())


def a_key() -> str:
    """Return an idempotency key nobody has used."""
    return f"key-{next(_keys)}-{uuid4().hex[:8]}"


def a_text() -> ContentRef:
    """Return a reference to a text."""
    return ContentRef(id=uuid4(), digest="ab" * 32)


def a_receipt(
    *, received_at: datetime = MONDAY, agency: str = "riverbend", prefix: str = "RIV", **facts: object
) -> Receipt:
    """Return the facts of a complaint."""
    case_id: UUID = uuid7_at(received_at)
    known: dict[str, object] = {
        "agency": agency,
        "case_id": case_id,
        "reference": reference_for(prefix, case_id),
        "accepted_at": received_at,
        "received_at": received_at,
        "received_on": received_at.date(),
        "channel": "web",
        "service": "benefits",
        "category": "too_slow",
        "narrative": a_text(),
    }
    return Receipt.model_validate(known | facts)


def a_command(action: Action, case: Case, actor: Actor | None = None) -> Command:
    """Return a command that holds all it must, for any action."""
    numbers = [issue.number for issue in case.issues] or [1]
    answers = tuple(IssueAnswer(number=n, finding=Finding.UPHELD, remedies=(Remedy.APOLOGY,)) for n in numbers)
    cause = ProcessFailure(failure="HND3", contributing_cause="PRO", severity=2, harm=2, scope=Scope.ONE_PERSON)
    who: dict[str, Any] = {"actor": actor or default_actor(action), "key": a_key()}
    receipt = case.receipt
    due_at = case.counted_from + timedelta(days=7)
    made: dict[Action, Command] = {
        Action.RECEIVE: Receive(receipt=receipt, team="front_desk", policy_version=1, **who),
        Action.RECORD_AS_HISTORY: RecordAsHistory(
            receipt=receipt, team="front_desk", policy_version=1,
            issues=(HistoricalIssue(service="benefits", category="too_slow"),), **who
        ),
        Action.SEND_RECEIPT: SendReceipt(**who),
        Action.ACKNOWLEDGE: Acknowledge(text=a_text(), **who),
        Action.TRIAGE: Triage(
            issues=(IssueTriage(number=1, service="benefits", category="too_slow"),),
            severity=1, track=Track.STANDARD, team="front_desk", owner="ann", **who,
        ),
        Action.ASSIGN: Assign(owner="ben", **who),
        Action.NOTE: Note(text=a_text(), **who),
        Action.REQUEST_INFORMATION: RequestInformation(text=a_text(), **who),
        Action.RECORD_INFORMATION: RecordInformation(text=a_text(), **who),
        Action.PROPOSE_ANSWER: ProposeAnswer(text=a_text(), issues=answers, **who),
        Action.APPROVE: Approve(**who),
        Action.SEND_BACK: SendBack(text=a_text(), **who),
        Action.ANSWER: Answer(text=a_text(), issues=answers, **who),
        Action.TAG_ROOT_CAUSE: TagRootCause(issues=tuple(IssueTag(number=n, cause=cause) for n in numbers), **who),
        Action.CLOSE: Close(**who),
        Action.WITHDRAW: Withdraw(**who),
        Action.MARK_DUPLICATE: MarkDuplicate(duplicate_of=uuid4(), **who),
        Action.REOPEN: Reopen(text=a_text(), **who),
        Action.WARN_OF_DEADLINE: WarnOfDeadline(clock=ClockName.ANSWER, due_at=due_at, **who),
        Action.ESCALATE: Escalate(clock=ClockName.ANSWER, due_at=due_at, **who),
    }  # fmt: skip
    return made[action]


def default_actor(action: Action) -> Actor:
    """Return somebody who may ask for the action."""
    roles = {role for row in lifecycle.TRANSITIONS if row.action is action for role in row.roles}
    everyone = (ANN, SUE, SYSTEM, COMPLAINANT, IMPORTER)
    return next(actor for actor in everyone if actor.role in roles)


def after(case: Case, *commands: Command, at: datetime | None = None) -> Case:
    """Return the case after these commands, decided and applied one after another."""
    for command in commands:
        moment = at or case.last_event_at or case.counted_from
        case = apply(case, lifecycle.decide(case, command, moment))
    return case


def a_case_at(state: State, **facts: object) -> Case:
    """Return a case in that state, led there by the shortest lawful way."""
    case = new_case(a_receipt(**facts))  # type: ignore[arg-type]
    if state is State.NEW:
        return case
    for row in lifecycle.shortest_path(State.NEW, state, of=lambda row: row.action is not Action.RECORD_AS_HISTORY):
        if row.action is Action.CLOSE:
            case = after(case, a_command(Action.TAG_ROOT_CAUSE, case))
        case = after(case, a_command(row.action, case))
    return case
