# SPDX-License-Identifier: Apache-2.0
"""What each event makes of the case: `apply` one, `fold` many. It grants nothing; `lifecycle.decide` did."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from models import lifecycle
from models.case import Case, ClockRun, Deadline, Issue, Pause, Proposal
from models.commands import (
    Answer,
    Assign,
    Command,
    Escalate,
    IssueAnswer,
    MarkDuplicate,
    NoFailure,
    ProposeAnswer,
    Receive,
    RecordAsHistory,
    Reopen,
    TagRootCause,
    Triage,
    WarnOfDeadline,
)
from models.events import Event
from models.terms import Action, Finding

WITHDRAWN_REASON = "N6"
DUPLICATE_REASON = "N4"
"""The two of the taxonomy's non-failures (policy/taxonomy.csv) that the process itself gives."""

Changes = dict[str, Any]


def apply(case: Case, event: Event) -> Case:
    """Return the case after the event, which must be the next one of its story."""
    if event.sequence != case.sequence + 1 or event.source is not case.state:
        message = f"event {event.sequence} from {event.source} does not follow event {case.sequence}, {case.state}"
        raise ValueError(message)
    effect = _EFFECTS.get(event.command.action)
    changes = effect(case, event.command, event.at) if effect else {}
    changes |= _clock_changes(case, event, changes.get("receipt_at", event.at))
    changes.pop("receipt_at", None)
    return case.model_copy(
        update=changes | {"state": event.target, "sequence": event.sequence, "last_event_at": event.at}
    )


def fold(case: Case, events: Iterable[Event]) -> Case:
    """Return the case after all the events, in order."""
    for event in events:
        case = apply(case, event)
    return case


def _clock_changes(case: Case, event: Event, started_at: datetime) -> Changes:
    row = lifecycle.row_of(event.source, event.command.action)
    clocks = tuple(
        run.model_copy(update={"stopped_at": event.at}) if run.is_running and run.name in row.stops else run
        for run in case.clocks
    ) + tuple(ClockRun(name=name, started_at=started_at) for name in sorted(row.starts))
    going_on = row.resumes | row.stops
    pauses = tuple(
        p.model_copy(update={"ended_at": event.at}) if p.ended_at is None and p.clock in going_on else p
        for p in case.pauses
    )
    pauses += tuple(
        Pause(clock=run.name, started_at=event.at) for run in clocks if run.is_running and run.name in row.pauses
    )
    return {"clocks": clocks, "pauses": pauses}


def _receive(case: Case, command: Command, at: datetime) -> Changes:
    assert isinstance(command, Receive)
    receipt = command.receipt
    issue = Issue(number=1, service=receipt.service, category=receipt.category, words=receipt.narrative)
    return {
        "receipt": receipt,
        "policy_version": command.policy_version,
        "team": command.team,
        "attention": command.attention,
        "service": receipt.service,
        "category": receipt.category,
        "office": receipt.office,
        "vulnerable": receipt.vulnerable,
        "issues": (issue,),
        "receipt_at": case.counted_from,
    }


def _record_as_history(case: Case, command: Command, at: datetime) -> Changes:
    assert isinstance(command, RecordAsHistory)
    receipt = command.receipt
    return {
        "receipt": receipt,
        "policy_version": command.policy_version,
        "team": command.team,
        "service": receipt.service,
        "category": receipt.category,
        "office": receipt.office,
        "vulnerable": receipt.vulnerable,
        "issues": tuple(
            Issue(number=number, service=issue.service, category=issue.category, finding=Finding.NOT_CODED)
            for number, issue in enumerate(command.issues, start=1)
        ),
        "closed_at": command.closed_at,
        "is_history": True,
    }


def _acknowledge(case: Case, command: Command, at: datetime) -> Changes:
    return {"acknowledged_at": at}


def _triage(case: Case, command: Command, at: datetime) -> Changes:
    assert isinstance(command, Triage)
    first = command.issues[0]
    words = {issue.number: issue.words for issue in case.issues}
    return {
        "issues": tuple(
            Issue(number=i.number, service=i.service, category=i.category, words=i.words or words.get(i.number))
            for i in command.issues
        ),
        "service": first.service,
        "category": first.category,
        "office": command.office or case.office,
        "severity": command.severity,
        "track": command.track,
        "team": command.team,
        "owner": _owner_in(case, command.team, command.owner),
        "approval_required": command.approval_required,
        # As it is said now, if it is: what turns out not to be known after all is unsaid.
        "vulnerable": case.vulnerable if command.vulnerable_stands else command.vulnerable,
    }


def _assign(case: Case, command: Command, at: datetime) -> Changes:
    assert isinstance(command, Assign)
    team = command.team or case.team
    return {
        "team": team,
        "owner": _owner_in(case, team, command.owner),
        "follow_up_on": command.follow_up_on or case.follow_up_on,
    }


def _owner_in(case: Case, team: str | None, owner: str | None) -> str | None:
    """Return who has the case in that team: whoever is named, else the owner if the team stays the same."""
    return owner or (case.owner if team == case.team else None)


def _propose(case: Case, command: Command, at: datetime) -> Changes:
    assert isinstance(command, ProposeAnswer)
    return {"proposal": Proposal(by=command.actor.name, text=command.text, issues=command.issues)}


def _answered(case: Case, answers: tuple[IssueAnswer, ...], by: tuple[str, ...], at: datetime) -> Changes:
    found = {answer.number: answer for answer in answers}
    return {
        "issues": tuple(
            issue.model_copy(
                update={
                    "finding": found[issue.number].finding,
                    "remedies": found[issue.number].remedies,
                    "amount": found[issue.number].amount,
                }
            )
            for issue in case.issues
        ),
        "answered_at": at,
        "answered_by": (*case.answered_by, *(name for name in by if name not in case.answered_by)),
        "proposal": None,
    }


def _answer(case: Case, command: Command, at: datetime) -> Changes:
    assert isinstance(command, Answer)
    return _answered(case, command.issues, (command.actor.name,), at)


def _approve(case: Case, command: Command, at: datetime) -> Changes:
    assert case.proposal is not None
    return _answered(case, case.proposal.issues, (case.proposal.by, command.actor.name), at)


def _send_back(case: Case, command: Command, at: datetime) -> Changes:
    return {"proposal": None}


def _tag(case: Case, command: Command, at: datetime) -> Changes:
    assert isinstance(command, TagRootCause)
    causes = {tag.number: tag.cause for tag in command.issues}
    return {"issues": tuple(i.model_copy(update={"cause": causes.get(i.number, i.cause)}) for i in case.issues)}


def _close(case: Case, command: Command, at: datetime) -> Changes:
    return {"closed_at": at}


def _ended(case: Case, finding: Finding, reason: str, at: datetime) -> Changes:
    return {
        "issues": tuple(
            issue.model_copy(update={"finding": issue.finding or finding, "cause": NoFailure(reason=reason)})
            for issue in case.issues
        ),
        "proposal": None,
        "closed_at": at,
    }


def _withdraw(case: Case, command: Command, at: datetime) -> Changes:
    return _ended(case, Finding.WITHDRAWN, WITHDRAWN_REASON, at)


def _mark_duplicate(case: Case, command: Command, at: datetime) -> Changes:
    assert isinstance(command, MarkDuplicate)
    return _ended(case, Finding.NOT_DETERMINED, DUPLICATE_REASON, at) | {"duplicate_of": command.duplicate_of}


def _reopen(case: Case, command: Command, at: datetime) -> Changes:
    assert isinstance(command, Reopen)
    return {
        # A review answers and codes every issue afresh; the first answers stay in the events.
        "issues": tuple(
            Issue(number=i.number, service=i.service, category=i.category, words=i.words) for i in case.issues
        ),
        "review_round": case.review_round + 1,
        "owner": command.reviewer,
        "duplicate_of": None,
        "answered_at": None,
        "closed_at": None,
    }


def _deadline(case: Case, command: Command, at: datetime) -> Changes:
    assert isinstance(command, WarnOfDeadline | Escalate)
    noted = Deadline(clock=command.clock, due_at=command.due_at, is_missed=isinstance(command, Escalate))
    return {"deadlines": (*case.deadlines, noted)}


_EFFECTS: dict[Action, Callable[[Case, Command, datetime], Changes]] = {
    Action.RECEIVE: _receive,
    Action.RECORD_AS_HISTORY: _record_as_history,
    Action.ACKNOWLEDGE: _acknowledge,
    Action.TRIAGE: _triage,
    Action.ASSIGN: _assign,
    Action.PROPOSE_ANSWER: _propose,
    Action.ANSWER: _answer,
    Action.APPROVE: _approve,
    Action.SEND_BACK: _send_back,
    Action.TAG_ROOT_CAUSE: _tag,
    Action.CLOSE: _close,
    Action.WITHDRAW: _withdraw,
    Action.MARK_DUPLICATE: _mark_duplicate,
    Action.REOPEN: _reopen,
    Action.WARN_OF_DEADLINE: _deadline,
    Action.ESCALATE: _deadline,
}
"""Actions not named here change only the state and the clocks."""
