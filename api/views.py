# SPDX-License-Identifier: Apache-2.0
"""Cases in the shapes in which they are shown; nothing is decided here."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from api.reads.cases import CaseRow, Dossier, Letter, StoredEvent
from api.reads.policies import next_dates
from api.rounds import answered_before
from api.shapes_cases import (
    CaseLine,
    CaseView,
    ClockView,
    EarlierAnswerView,
    EventList,
    EventView,
    IssueView,
    LetterView,
    PointView,
    StepView,
    TextView,
    TrackedView,
)
from models import lifecycle
from models.authority import refusal_of_review
from models.case import Case
from models.clocks import (
    Clock,
    Rules,
    clocks_of,
    customer_days,
    pause_until,
    review_promised_until,
    review_until,
)
from models.commands import Actor, Approve, ProposeAnswer
from models.contacts import goes_by_post
from models.messages import ContentRef
from models.outgoing import Recipient
from models.policy import Policy
from models.refusals import Refused
from models.terms import Action, ClockName, Role, State

_NOT_TOLD = {Action.WARN_OF_DEADLINE, Action.ESCALATE, Action.TAG_ROOT_CAUSE, Action.PROPOSE_ANSWER, Action.SEND_BACK}
_COMPLAINANTS_OWN = {Action.NOTE, Action.RECORD_INFORMATION, Action.WITHDRAW, Action.REOPEN}
_STEPS = {
    Action.RECEIVE: "We received your complaint",
    Action.RECORD_AS_HISTORY: "We received your complaint",
    Action.SEND_RECEIPT: "We sent you a receipt",
    Action.ACKNOWLEDGE: "We wrote to you",
    Action.TRIAGE: "Someone read it and gave it to the right team",
    Action.ASSIGN: "A person is looking after it",
    Action.NOTE: "You added something",
    Action.REQUEST_INFORMATION: "We asked you a question",
    Action.RECORD_INFORMATION: "We have your reply",
    Action.ANSWER: "We answered",
    Action.APPROVE: "We answered",
    Action.CLOSE: "We closed it",
    Action.WITHDRAW: "You withdrew it",
    Action.MARK_DUPLICATE: "It is dealt with under another complaint",
    Action.REOPEN: "It is being looked at again",
}
_STEPS_WITHOUT_LETTERS = {
    Action.SEND_RECEIPT: "We made out your receipt",
    Action.ACKNOWLEDGE: "A person has it in hand",
}
"""The same where no letter can be sent: nothing is said to have gone out that has not."""
_STEPS_ON_PAPER = {
    Action.SEND_RECEIPT: "We wrote your receipt, to be sent by post",
    Action.ACKNOWLEDGE: "We wrote you a letter, to be sent by post",
}
"""The same for whoever gets paper, which people print and post after it is written."""
_WITH_THEIR_TEXT = {Action.ACKNOWLEDGE, Action.REQUEST_INFORMATION, Action.ANSWER} | _COMPLAINANTS_OWN


def line_view(row: CaseRow, now: datetime) -> CaseLine:
    """Return a row of a list as it is shown."""
    told = {name: getattr(row, name) for name in CaseLine.model_fields if name not in {"id", "is_overdue"}}
    return CaseLine(id=row.case_id, is_overdue=row.is_open and row.queue_at < now, **told)


def case_view(dossier: Dossier, rules: Rules, actor: Actor, now: datetime) -> CaseView:
    """Return a case as staff see it."""
    case, receipt = dossier.case, dossier.case.receipt
    same = {name: getattr(case, name) for name in _SAME_IN_CASE} | {
        name: getattr(receipt, name) for name in _SAME_IN_RECEIPT
    }
    return CaseView(
        **same,
        id=case.id,
        stage=case.state.stage,
        phase=lifecycle.phase_of(case.state),
        proposed_by=case.proposal.by if case.proposal else None,
        review_until=review_until(case, rules),
        issues=tuple(_issue(dossier, number) for number in range(len(case.issues))),
        clocks=tuple(clock_view(clock, rules, now) for clock in clocks_of(case, rules)),
        customer_days=customer_days(case, now),
        offered=offered(case, actor, rules, now),
        refused={action: str(reason) for action, reason in refused(case, actor, rules, now).items()},
        narrative=dossier.text(receipt.narrative),
        wanted=dossier.text(receipt.wanted),
        contact=contact_of(dossier),
        texts=tuple(
            TextView(id=text_id, kind=text.kind, body=text.body, added_at=text.added_at)
            for text_id, text in dossier.texts.items()
            if text.kind != "contact"
        ),
        letters=letters_of(dossier),
        faults=dossier.faults,
    )


_SAME_IN_CASE = (
    "agency", "state", "sequence", "service", "category", "office", "severity", "vulnerable", "track", "team", "owner",
    "attention", "follow_up_on", "approval_required", "answered_by", "review_round", "duplicate_of", "acknowledged_at",
    "answered_at", "closed_at", "is_history", "policy_version",
)  # fmt: skip
_SAME_IN_RECEIPT = ("reference", "accepted_at", "received_at", "channel", "language", "event_id", "is_imported")


def clock_view(clock: Clock, rules: Rules, now: datetime) -> ClockView:
    """Return a clock with the way to its due date, day by day."""
    return ClockView(
        clock=clock.name,
        name=clock.standard.name,
        started_at=clock.started_at,
        stopped_at=clock.stopped_at,
        due_at=clock.due_at,
        is_overdue=clock.is_overdue(now),
        paused_since=clock.paused_since,
        paused_days=clock.paused_days,
        explanation=tuple(day.sentence for day in clock.explain(rules.calendar)),
    )


def offered(case: Case, actor: Actor, rules: Rules, now: datetime) -> tuple[Action, ...]:
    """Return what the actor may ask of the case now."""
    late = refusal_of_review(case, actor, rules, now)
    return tuple(a for a in lifecycle.available(case, actor) if a is not Action.REOPEN or late is None)


def refused(case: Case, actor: Actor, rules: Rules, now: datetime) -> dict[Action, Refused]:
    """Return what the actor may not ask of the case now, each with the reason."""
    reasons = lifecycle.refused(case, actor)
    late = refusal_of_review(case, actor, rules, now)
    return reasons if late is None or Action.REOPEN in reasons else reasons | {Action.REOPEN: late}


def contact_of(dossier: Dossier) -> dict[str, str] | None:
    """Return how the complainant can be reached, or None: anonymous, or disposed of."""
    body = dossier.text(dossier.case.receipt.contact)
    return None if body is None else {str(name): str(value) for name, value in json.loads(body).items()}


def letters_of(dossier: Dossier) -> tuple[LetterView, ...]:
    """Return the letters of the case: of one on paper we know when it could be posted, of no more."""
    reads_paper = _reads_paper(dossier)
    return tuple(
        _letter(letter, is_on_paper=reads_paper and letter.recipient == Recipient.COMPLAINANT)
        for letter in dossier.letters
    )


def _letter(letter: Letter, *, is_on_paper: bool) -> LetterView:
    return LetterView(
        sequence=letter.sequence,
        letter=letter.letter,
        recipient=letter.recipient,
        written_at=letter.written_at,
        sent_at=None if is_on_paper else letter.sent_at,
        ready_to_post_at=letter.sent_at if is_on_paper else None,
        failure=letter.failure,
    )


def _reads_paper(dossier: Dossier) -> bool:
    # A contact never changes; once it is disposed of, what was to be posted has long been posted.
    return goes_by_post(contact_of(dossier) or {})


def event_list(dossier: Dossier) -> EventList:
    """Return the story of a case."""
    return EventList(
        case_id=dossier.case.id,
        reference=dossier.case.receipt.reference,
        events=tuple(_event(stored, dossier) for stored in dossier.events),
    )


def tracked_view(dossier: Dossier, rules: Rules, policy: Policy, actor: Actor, now: datetime) -> TrackedView:
    """Return a complaint as its sender sees it; before its case is opened it is received all the same."""
    case = dossier.case
    clocks = {clock.name: clock for clock in clocks_of(case, rules)}
    acknowledge, answer = (
        clocks.get(ClockName.ACKNOWLEDGE),
        clocks.get(ClockName.REVIEW) or clocks.get(ClockName.ANSWER),
    )
    due = (acknowledge.due_at if acknowledge else None, answer.due_at if answer else None)
    acknowledge_by, answer_by = next_dates(policy, case.counted_from) if case.state is State.NEW else due
    is_waiting = case.state is State.WAITING_FOR_COMPLAINANT
    return TrackedView(
        reference=case.receipt.reference,
        phase=lifecycle.phase_of(case.state),
        received_at=case.receipt.received_at,
        service=case.service or case.receipt.service,
        acknowledge_by=None if case.acknowledged_at else acknowledge_by,
        answer_by=None if case.answered_at or case.state.is_final else answer_by,
        is_late=bool(answer and answer.is_running and answer.is_overdue(now)),
        question=_last_text(dossier, Action.REQUEST_INFORMATION) if is_waiting else None,
        reply_by=pause_until(case.open_pause.started_at, rules) if case.open_pause else None,
        acknowledged_at=case.acknowledged_at,
        answered_at=case.answered_at,
        answer=_answer_text(dossier) if case.answered_at else None,
        points=_points(case) if case.answered_at else (),
        earlier_answers=tuple(
            EarlierAnswerView(answer=dossier.text(before.answer), points=_points(before.case))
            for before in answered_before(dossier)
        ),
        closed_at=case.closed_at,
        review_until=review_promised_until(case, rules),
        offered=offered(case, actor, rules, now),
        narrative=dossier.text(case.receipt.narrative),
        steps=tuple(_steps(dossier)),
    )


def _points(case: Case) -> tuple[PointView, ...]:
    return tuple(PointView(**{name: getattr(issue, name) for name in PointView.model_fields}) for issue in case.issues)


def _issue(dossier: Dossier, number: int) -> IssueView:
    issue = dossier.case.issues[number]
    told = {name: getattr(issue, name) for name in IssueView.model_fields if name != "words"}
    return IssueView(**told, words=dossier.text(issue.words))


def _event(stored: StoredEvent, dossier: Dossier) -> EventView:
    event, command = stored.event, stored.event.command
    told: dict[str, Any] = command.model_dump(mode="json", exclude_none=True, exclude={"actor", "key", "action"})
    return EventView(
        sequence=event.sequence,
        at=event.at,
        recorded_at=stored.recorded_at,
        action=command.action,
        actor=command.actor.name,
        role=command.actor.role,
        source=event.source,
        target=event.target,
        command=told,
        text=dossier.text(_ref(command)),
        hash=stored.hash.hex(),
    )


def _ref(command: object) -> ContentRef | None:
    ref = getattr(command, "text", None)
    return ref if isinstance(ref, ContentRef) else None


def _last_text(dossier: Dossier, action: Action) -> str | None:
    commands = [stored.event.command for stored in dossier.events if stored.event.command.action is action]
    return dossier.text(_ref(commands[-1])) if commands else None


def _answer_text(dossier: Dossier) -> str | None:
    """Return the answer as it was given, or as it was proposed and approved."""
    return _last_text(dossier, _how_answered(dossier))


def _how_answered(dossier: Dossier) -> Action:
    ways = [s.event.command.action for s in dossier.events if s.event.command.action in {Action.ANSWER, Action.APPROVE}]
    return Action.PROPOSE_ANSWER if ways and ways[-1] is Action.APPROVE else Action.ANSWER


def _steps(dossier: Dossier) -> list[StepView]:
    """Return the steps the sender is told of: nothing internal, no names of staff, and staff's notes least of all."""
    steps, by_their_way = [], _steps_by_way(dossier)
    for stored in dossier.events:
        command = stored.event.command
        is_theirs = command.actor.role is Role.COMPLAINANT
        if command.action in _NOT_TOLD or (command.action is Action.NOTE and not is_theirs):
            continue
        text = None
        if command.action in _WITH_THEIR_TEXT and (is_theirs or command.action not in _COMPLAINANTS_OWN):
            text = dossier.text(_ref(command))
        if isinstance(command, Approve):
            text = _proposed_before(dossier, stored.event.sequence)
        words = by_their_way.get(command.action, _STEPS[command.action])
        steps.append(StepView(at=stored.event.at, what=words, text=text))
    return steps


def _steps_by_way(dossier: Dossier) -> dict[Action, str]:
    """Return what is said otherwise of some steps, by the way in which our words reach the sender."""
    if not dossier.case.receipt.can_be_written_to:
        return _STEPS_WITHOUT_LETTERS
    return _STEPS_ON_PAPER if _reads_paper(dossier) else {}


def _proposed_before(dossier: Dossier, sequence: int) -> str | None:
    proposals = [s.event.command for s in dossier.events if s.event.sequence < sequence]
    last = [command for command in proposals if isinstance(command, ProposeAnswer)]
    return dossier.text(last[-1].text) if last else None
