# SPDX-License-Identifier: Apache-2.0
"""From a form to what is asked of a case, and from a case to forms that are filled in as far as can be known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from api.pages.forms import Form, Sent, as_chosen
from api.pages.words import Option, Words
from api.problems import Problem
from api.shapes import FieldFault
from api.shapes_actions import (
    AcknowledgeAsked,
    ActionAsked,
    AnswerAsked,
    ApproveAsked,
    AssignAsked,
    CloseAsked,
    IssueTriaged,
    MarkDuplicateAsked,
    NoteAsked,
    ProposeAnswerAsked,
    RecordInformationAsked,
    ReopenAsked,
    RequestInformationAsked,
    SendBackAsked,
    TagRootCauseAsked,
    TriageAsked,
    WithdrawAsked,
)
from models.case import Case
from models.commands import IssueAnswer, IssueTag, NoFailure, ProcessFailure, RootCause
from models.messages import Amount
from models.taxonomy import Kind
from models.terms import Action, Finding, Remedy, Scope, State, Track

EXTRA_ISSUES = 1
"""Empty issues a triage form offers beyond those there are; saved, it offers the next."""
_NEXT: dict[State, tuple[Action, ...]] = {
    State.IN_TRIAGE: (Action.TRIAGE,),
    State.IN_RESOLUTION: (Action.ACKNOWLEDGE, Action.ANSWER, Action.PROPOSE_ANSWER),
    State.WAITING_FOR_COMPLAINANT: (Action.RECORD_INFORMATION,),
    State.AWAITING_APPROVAL: (Action.APPROVE, Action.SEND_BACK),
    State.ANSWERED: (Action.TAG_ROOT_CAUSE, Action.CLOSE),
}
"""What is likely to come next, shown first; what may be done at all says models/lifecycle.py."""


def next_actions(case: Case) -> tuple[Action, ...]:
    """Return what is likely to come next; once every cause is said, the case can be closed."""
    if case.state is State.ANSWERED and all(issue.is_coded for issue in case.issues):
        return (Action.CLOSE,)
    return _NEXT.get(case.state, ())


@dataclass(frozen=True, slots=True)
class Told:
    """A form, the case it is about, and the words it was made with."""

    sent: Sent
    case: Case
    words: Words


def _codes(options: tuple[Option, ...]) -> frozenset[str]:
    return frozenset(option.value for option in options)


def asked_of(action: Action, sent: Sent, case: Case, words: Words) -> ActionAsked:
    """Return what a form asks of a case; raises Faults with a sentence for each field that is wrong."""
    asked = _READERS[action](Told(sent, case, words))
    sent.check()
    assert asked is not None
    return asked


def _text(sent: Sent, missing: str) -> str:
    return sent.text("text", missing=missing)


def _acknowledge(told: Told) -> ActionAsked | None:
    text = _text(told.sent, "Write what you understood.")
    return AcknowledgeAsked(action=Action.ACKNOWLEDGE, text=text) if text else None


def _note(told: Told) -> ActionAsked | None:
    text = _text(told.sent, "Write the note.")
    return NoteAsked(action=Action.NOTE, text=text) if text else None


def _request(told: Told) -> ActionAsked | None:
    text = _text(told.sent, "Write the question.")
    return RequestInformationAsked(action=Action.REQUEST_INFORMATION, text=text) if text else None


def _record(told: Told) -> ActionAsked | None:
    text = _text(told.sent, "Write what the complainant answered.")
    return RecordInformationAsked(action=Action.RECORD_INFORMATION, text=text) if text else None


def _send_back(told: Told) -> ActionAsked | None:
    text = _text(told.sent, "Say what should change.")
    return SendBackAsked(action=Action.SEND_BACK, text=text) if text else None


def _triage(told: Told) -> ActionAsked | None:
    issues = [
        IssueTriaged(number=number, service=service, category=category)
        for number in issue_numbers(told.case)
        for service, category in [_issue(told.sent, number, told.words, is_first=number == 1)]
        if service and category
    ]
    severity = told.sent.code("severity", _codes(told.words.severities), missing="Say how grave it is.")
    track = told.sent.code("track", _codes(told.words.tracks))
    team = told.sent.code("team", _codes(told.words.teams))
    owner = told.sent.code("owner", _codes(told.words.people))
    office = told.sent.code("office", _codes(told.words.offices))
    vulnerable = told.sent.yes_or_no("vulnerable")
    if told.sent.errors or severity is None:
        return None
    asked = TriageAsked(
        action=Action.TRIAGE,
        issues=tuple(issue.model_copy(update={"number": number}) for number, issue in enumerate(issues, start=1)),
        severity=int(severity),
        track=Track(track) if track else None,
        team=team,
        owner=owner,
        office=office,
        vulnerable=vulnerable,
    )
    if _is_triaged(told.case) and _stands(told.case, asked):
        told.sent.errors[""] = "Nothing was changed, so there is nothing to record."
    return asked


def _stands(case: Case, asked: TriageAsked) -> bool:
    """Return whether all that a triage says is decided already."""
    issues = [(issue.service, issue.category) for issue in asked.issues]
    return (
        issues == [(issue.service, issue.category) for issue in case.issues]
        and (asked.severity, asked.owner, asked.office) == (case.severity, case.owner, case.office)
        and asked.vulnerable is case.vulnerable
        and asked.track in {None, case.track}
        and asked.team in {None, case.team}
    )


def _issue(sent: Sent, number: int, words: Words, *, is_first: bool) -> tuple[str | None, str | None]:
    service = sent.code(f"service_{number}", _codes(words.services), missing="Choose the service." if is_first else "")
    # A suggestion that was taken over counts, whatever the list shows: it was clicked on, the list may be filled in.
    category = sent.code(f"pick_category_{number}", _codes(words.categories)) or sent.code(
        f"category_{number}", _codes(words.categories), missing="Choose the kind of problem." if is_first else ""
    )
    if not is_first and bool(service) != bool(category):
        missing = f"category_{number}" if service else f"service_{number}"
        sent.errors[missing] = f"Issue {number} needs both a service and a kind of problem, or neither."
    return service, category


def issue_numbers(case: Case) -> tuple[int, ...]:
    """Return the numbers of the issues a triage form offers."""
    return tuple(range(1, max(1, len(case.issues)) + 1 + EXTRA_ISSUES))


def _assign(told: Told) -> ActionAsked | None:
    return AssignAsked(
        action=Action.ASSIGN,
        team=told.sent.code("team", _codes(told.words.teams)),
        owner=told.sent.code("owner", _codes(told.words.people)),
        follow_up_on=told.sent.day("follow_up_on"),
    )


def _propose(told: Told) -> ActionAsked | None:
    text, issues = _answered(told)
    return ProposeAnswerAsked(action=Action.PROPOSE_ANSWER, text=text, issues=issues) if not told.sent.errors else None


def _answer(told: Told) -> ActionAsked | None:
    text, issues = _answered(told)
    return AnswerAsked(action=Action.ANSWER, text=text, issues=issues) if not told.sent.errors else None


def _answered(told: Told) -> tuple[str, tuple[IssueAnswer, ...]]:
    text = _text(told.sent, "Write the answer.")
    found = [answer_of(told.sent, issue.number, told.words, told.case) for issue in told.case.issues]
    return text, tuple(answer for answer in found if answer is not None)


def answer_of(sent: Sent, number: int, words: Words, case: Case | None = None) -> IssueAnswer | None:
    """Return what was found for one issue of a case, or for its only one; faults are gathered in `sent`."""
    suffix = f"_{number}" if case else ""

    def of(sentence: str) -> str:
        return _of_issue(number, case, sentence)

    finding = sent.code(f"finding{suffix}", _codes(words.findings), missing=of("Say what we found."))
    remedy = sent.code(f"remedy{suffix}", _codes(words.remedies), missing=of("Choose a remedy, or none."))
    cents = sent.cents(f"amount{suffix}")
    authority = sent.line(f"authority{suffix}", missing=of("Name the rule that allows the money.") if cents else "")
    if finding is None or remedy is None or (cents and not authority):
        return None
    return IssueAnswer.model_validate(
        {
            "number": number,
            "finding": Finding(finding),
            "remedies": (Remedy(remedy),),
            "amount": Amount(cents=cents, authority=authority[:80]) if cents else None,
        }
    )


def _of_issue(number: int, case: Case | None, sentence: str) -> str:
    """Return a sentence that names its issue, where the case has several: the summary of errors stands apart."""
    if case is None or not case.issues[1:]:
        return sentence
    return f"Issue {number}: {sentence[:1].lower()}{sentence[1:]}"


def _tag(told: Told) -> ActionAsked | None:
    tags = [(issue.number, cause_of(told.sent, issue.number, told.words, told.case)) for issue in told.case.issues]
    issues = tuple(IssueTag(number=number, cause=cause) for number, cause in tags if cause is not None)
    return TagRootCauseAsked(action=Action.TAG_ROOT_CAUSE, issues=issues) if not told.sent.errors else None


def cause_of(
    sent: Sent, number: int, words: Words, case: Case | None = None, *, severity: int | None = None
) -> ProcessFailure | NoFailure | None:
    """Return the root cause of one issue of a case, or of its only one; a failure needs its why, harm and scope.

    How grave it was is asked for unless `severity` says it.
    """
    suffix = f"_{number}" if case else ""

    def chosen(name: str, options: tuple[Option, ...], missing: str) -> str | None:
        return sent.code(f"{name}{suffix}", _codes(options), missing=_of_issue(number, case, missing))

    code = chosen("cause", words.causes, "Say what was behind it, or why no failure was.")
    if code is None:
        return None
    if words.policy.taxonomy.by_code[code].kind is Kind.NON_FAILURE:
        return NoFailure(reason=code)
    because = chosen("contributing", words.contributing, "Say why it happened.")
    harm = chosen("harm", words.harms, "Say what harm it did.")
    scope = chosen("scope", words.scopes, "Say how many it touches.")
    if severity is None:
        grave = chosen("failure_severity", words.failure_severities, "Say how grave it was.")
        severity = int(grave) if grave else None
    if because is None or harm is None or scope is None or severity is None:
        return None
    return ProcessFailure(
        failure=code, contributing_cause=because, severity=severity, harm=int(harm), scope=Scope(scope)
    )


def _withdraw(told: Told) -> ActionAsked | None:
    return WithdrawAsked(action=Action.WITHDRAW, text=told.sent.text("text") or None)


def _duplicate(told: Told) -> ActionAsked | None:
    other = told.sent.line("duplicate_of", missing="Name the other complaint by its number.").replace(" ", "")[:80]
    return MarkDuplicateAsked(action=Action.MARK_DUPLICATE, duplicate_of=other) if other else None


def _reopen(told: Told) -> ActionAsked | None:
    text = _text(told.sent, "Say why it should be looked at again.")
    reviewer = told.sent.code("reviewer", _codes(told.words.people))
    return ReopenAsked(action=Action.REOPEN, text=text, reviewer=reviewer) if text else None


_READERS: dict[Action, Callable[[Told], ActionAsked | None]] = {
    Action.ACKNOWLEDGE: _acknowledge,
    Action.TRIAGE: _triage,
    Action.ASSIGN: _assign,
    Action.NOTE: _note,
    Action.REQUEST_INFORMATION: _request,
    Action.RECORD_INFORMATION: _record,
    Action.PROPOSE_ANSWER: _propose,
    Action.APPROVE: lambda _told: ApproveAsked(action=Action.APPROVE),
    Action.SEND_BACK: _send_back,
    Action.ANSWER: _answer,
    Action.TAG_ROOT_CAUSE: _tag,
    Action.CLOSE: lambda _told: CloseAsked(action=Action.CLOSE),
    Action.WITHDRAW: _withdraw,
    Action.MARK_DUPLICATE: _duplicate,
    Action.REOPEN: _reopen,
}
PAGE_ACTIONS = frozenset(_READERS)
"""Every action that a form can ask for."""


def errors_of(problem: Problem) -> dict[str, str]:
    """Return a problem's sentences by the fields of a form; what belongs to no field stands under ""."""
    if not problem.errors:
        return {"": problem.detail}
    return {"" if "." in fault.field else fault.field: plainly(fault) for fault in problem.errors}


def plainly(fault: FieldFault) -> str:
    """Return a fault's sentence without the name of the interface's field, which no form shows."""
    told = fault.sentence.removeprefix(f"'{fault.field}': ")
    return told[:1].upper() + told[1:]


def empty_form(action: Action, case: Case, words: Words, me: str) -> Form:
    """Return the form of an action, filled in as far as the case and the policy tell."""
    prefix = f"{action.value}-"
    if action is Action.TRIAGE:
        return _triage_as_it_stands(case, prefix) if _is_triaged(case) else _suggested_triage(case, words, me, prefix)
    if action is Action.TAG_ROOT_CAUSE:
        values = {
            f"{name}_{issue.number}": value
            for issue in case.issues
            for name, value in _cause_as_it_stands(issue.cause, case).items()
        }
        return Form(values, prefix=prefix)
    return Form(prefix=prefix)


def _cause_as_it_stands(cause: RootCause | None, case: Case) -> dict[str, str]:
    """Return what was said of an issue, to be changed where it is wrong, or what is mostly said where nothing was."""
    if isinstance(cause, ProcessFailure):
        return {
            "cause": cause.failure,
            "contributing": cause.contributing_cause,
            "failure_severity": str(cause.severity),
            "harm": str(cause.harm),
            "scope": cause.scope.value,
        }
    said = {"cause": cause.reason} if isinstance(cause, NoFailure) else {}
    grave = {"failure_severity": str(case.severity)} if case.severity else {}
    return said | grave | {"scope": Scope.ONE_PERSON.value}


def _is_triaged(case: Case) -> bool:
    return case.severity is not None


def _triage_as_it_stands(case: Case, prefix: str) -> Form:
    """Return what was decided, to be changed where it is wrong; suggestions would undo it unasked."""
    values = {
        "office": case.office or "",
        "severity": str(case.severity),
        "track": case.track.value,
        "team": case.team or "",
        "owner": case.owner or "",
        "vulnerable": as_chosen(case.vulnerable),
    }
    for issue in case.issues:
        values |= {f"service_{issue.number}": issue.service or "", f"category_{issue.number}": issue.category or ""}
    return Form(values, prefix=prefix, numbers=issue_numbers(case))


def _suggested_triage(case: Case, words: Words, me: str, prefix: str) -> Form:
    policy = words.policy
    first = case.issues[0] if case.issues else None
    service = (first.service if first else None) or case.receipt.service
    category = (first.category if first else None) or case.receipt.category
    severity = policy.severity.safety_screen.severity if case.attention else None
    route = policy.route(service=service, category=category, severity=severity, office=case.office)
    values = {
        "office": case.office or "",
        "severity": "" if severity is None else str(severity),
        "track": route.track.value,
        "team": route.team,
        "owner": case.owner or me,
        "vulnerable": as_chosen(case.vulnerable),
        "service_1": service or "",
        "category_1": category or "",
    }
    for issue in case.issues[1:]:
        values |= {f"service_{issue.number}": issue.service or "", f"category_{issue.number}": issue.category or ""}
    return Form(values, prefix=prefix, numbers=issue_numbers(case), because=route.because)
