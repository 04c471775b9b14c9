# SPDX-License-Identifier: Apache-2.0
"""A case as the caseworker's page shows it: made of the record's dossier, the policy's words and the clocks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from api.pages.forms import as_chosen
from api.pages.languages import NAMES
from api.pages.rounds import proposed_before, round_label
from api.pages.words import CLOCKS, DONE, FINDINGS, Due, Pair, Times, Words, counted, state_words
from api.reads.cases import Dossier
from api.reads.people import Staff
from api.rounds import Round, earlier_rounds
from api.shapes_cases import LetterView
from api.views import contact_of, letters_of
from models import lifecycle
from models.case import Case, Issue
from models.clocks import Clock, Rules, clocks_of, customer_days, next_due
from models.commands import (
    Answer,
    Approve,
    Assign,
    IssueAnswer,
    NoFailure,
    ProcessFailure,
    ProposeAnswer,
    TagRootCause,
    Triage,
)
from models.events import Event
from models.messages import Amount, ContentRef
from models.refusals import Refused
from models.terms import Action, Remedy, Role, Stage, State
from models.wording import money


@dataclass(frozen=True, slots=True)
class StageView:
    """One of the five stages, and whether the case has passed it."""

    label: str
    is_past: bool
    is_here: bool


@dataclass(frozen=True, slots=True)
class IssueView:
    """One thing the complaint is about."""

    number: int
    title: str
    finding: str
    remedies: str
    cause: str


@dataclass(frozen=True, slots=True)
class RoundView:
    """What an earlier round came to."""

    label: str
    ended: str
    by: str
    answer: str | None
    issues: tuple[IssueView, ...]


@dataclass(frozen=True, slots=True)
class DayView:
    """One day of a clock."""

    on: str
    sentence: str


@dataclass(frozen=True, slots=True)
class ClockView:
    """A promise, how it stands, and the way to its due date."""

    label: str
    words: str
    chip: str
    tone: str
    origin: str
    days: tuple[DayView, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One event of the story."""

    at: str
    who: str
    by: str
    words: str
    found: tuple[str, ...]
    """What was found, proposed or coded in this step, issue by issue."""
    text: str | None
    letter: str


@dataclass(frozen=True, slots=True)
class ProposalView:
    """An answer that waits for approval."""

    by: str
    text: str
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CaseView:
    """Everything the page of a case shows."""

    case_id: UUID
    href: str
    reference: str
    title: str
    state: str
    due: Due
    is_open: bool
    severity: str
    attention: bool
    is_vulnerable: bool
    round_label: str
    answered_by: tuple[str, ...]
    """The accounts of all who answered it, in every round: none of them may review it."""
    sequence: int
    can_take: bool
    why_not_take: str
    may_approve: bool
    stages: tuple[StageView, ...]
    narrative: str | None
    wanted: str | None
    other_language: str
    """What the complainant's language is called, where it is not the agency's first."""
    facts: tuple[Pair, ...]
    proposal: ProposalView | None
    issues: tuple[IssueView, ...]
    earlier: tuple[RoundView, ...]
    steps: tuple[Step, ...]
    clocks: tuple[ClockView, ...]
    customer_days: str


def case_view(dossier: Dossier, rules: Rules, words: Words, times: Times, person: Staff, now: datetime) -> CaseView:
    """Return the case as a person of the agency sees it."""
    case = dossier.case
    why_not_take = _why_not_take(case, person, now)
    return CaseView(
        case_id=case.id,
        href=f"/cases/{case.id}",
        reference=case.receipt.reference,
        title=words.title(case.service or case.receipt.service, case.category or case.receipt.category),
        state=state_words(case.state),
        due=_due(case, rules, times, now),
        is_open=not case.state.is_final,
        severity=words.severity(case.severity),
        attention=bool(case.attention) and not case.state.is_final,
        is_vulnerable=bool(case.vulnerable),
        round_label=round_label(case.review_round) if case.review_round else "",
        answered_by=case.answered_by,
        sequence=case.sequence,
        can_take=why_not_take is None and case.owner != person.name,
        why_not_take=words.sentence(why_not_take) if why_not_take and _is_barred(dossier, person) else "",
        may_approve=lifecycle.why_not(case, Action.APPROVE, person.actor) is None,
        stages=_stages(case),
        narrative=dossier.text(case.receipt.narrative),
        wanted=dossier.text(case.receipt.wanted),
        other_language=_other_language(case, words),
        facts=_facts(dossier, words, times),
        proposal=_proposal(dossier, words),
        issues=tuple(_issue(issue, words) for issue in case.issues),
        earlier=tuple(_round(each, dossier, words, times) for each in earlier_rounds(dossier)),
        steps=tuple(_step(stored.event, dossier, words, times) for stored in reversed(dossier.events)),
        clocks=tuple(_clock(clock, rules, times, now) for clock in _in_order(clocks_of(case, rules))),
        customer_days=_customer_days(case, now),
    )


def _why_not_take(case: Case, person: Staff, now: datetime) -> Refused | None:
    """Return why the case cannot become this person's, or None."""
    asked = Assign(actor=person.actor, key="take", owner=person.name)
    try:
        lifecycle.decide(case, asked, now)
    except Refused as reason:
        return reason
    return None


def _is_barred(dossier: Dossier, person: Staff) -> bool:
    """Return whether the round that runs is for somebody else, because this person answered in an earlier one."""
    case = dossier.case
    if case.state.is_final or case.answered_at is not None:
        return False
    return any(person.name in each.answered_by for each in earlier_rounds(dossier))


def _due(case: Case, rules: Rules, times: Times, now: datetime) -> Due:
    """Return when the next promise is due, or how and when the case ended."""
    if case.state.is_final:
        return Due(f"{state_words(case.state)} {times.day(case.closed_at)}".strip(), "done")
    clock = next_due(case, rules)
    is_waiting = case.state is State.WAITING_FOR_COMPLAINANT
    return times.due(clock.due_at if clock else None, now, is_waiting=is_waiting)


def _stages(case: Case) -> tuple[StageView, ...]:
    order = list(Stage)
    here = order.index(case.state.stage)
    is_over = case.state.is_final
    return tuple(
        StageView(stage.label, is_past=index < here or is_over, is_here=index == here)
        for index, stage in enumerate(order)
    )


def _facts(dossier: Dossier, words: Words, times: Times) -> tuple[Pair, ...]:
    case, contact = dossier.case, contact_of(dossier) or {}
    facts = [
        Pair("Received", times.moment(case.receipt.received_at) or "date not known"),
        Pair("By", words.channel(case.receipt.channel)),
        Pair("Office", words.office(case.office)),
        Pair("Owner", words.person(case.owner) or "nobody yet"),
        Pair("Team", words.team(case.team)),
        Pair("Track", case.track.value.capitalize() if case.severity is not None else ""),
        Pair("Vulnerable circumstances", as_chosen(case.vulnerable)),
        Pair("Next step on", times.day(case.follow_up_on)),
        Pair("Reads", _other_language(case, words)),
        Pair("Complainant", contact.get("name", "" if contact else "anonymous")),
        Pair("E-mail", contact.get("email", "")),
        Pair("Telephone", contact.get("phone", "")),
        Pair("Address", contact.get("post", "")),
    ]
    return tuple(fact for fact in facts if fact.value)


def _other_language(case: Case, words: Words) -> str:
    chosen, first = case.receipt.language, words.policy.agency.languages[0]
    return "" if chosen == first else NAMES.get(chosen, chosen)


def _proposal(dossier: Dossier, words: Words) -> ProposalView | None:
    proposal = dossier.case.proposal
    if proposal is None:
        return None
    findings = tuple(_answered(answer, words) for answer in proposal.issues)
    return ProposalView(words.person(proposal.by), dossier.text(proposal.text) or "", findings)


def _answered(answer: IssueAnswer, words: Words) -> str:
    done = _remedies(answer.remedies, words) + _granted(answer.amount)
    return f"Issue {answer.number}: {FINDINGS[answer.finding]}; {done}"


def _granted(amount: Amount | None) -> str:
    return f", {money(amount.cents)} by {amount.authority}" if amount else ""


def _remedies(remedies: tuple[Remedy, ...], words: Words) -> str:
    names = {meaning.id: meaning.name for meaning in words.policy.severity.remedies}
    return ", ".join(names.get(remedy, remedy.value).lower() for remedy in remedies)


def _issue(issue: Issue, words: Words) -> IssueView:
    return IssueView(
        number=issue.number,
        title=words.title(issue.service, issue.category),
        finding=FINDINGS[issue.finding] if issue.finding else "",
        remedies=_remedies(issue.remedies, words) + _granted(issue.amount),
        cause=_cause(issue.cause, words) if issue.cause else "",
    )


def _cause(cause: ProcessFailure | NoFailure, words: Words) -> str:
    if isinstance(cause, NoFailure):
        return words.no_failure(cause.reason)
    return words.failure(cause.failure, cause.contributing_cause)


def _round(ended: Round, dossier: Dossier, words: Words, times: Times) -> RoundView:
    case = ended.case
    return RoundView(
        label=round_label(case.review_round),
        ended=f"{state_words(case.state)} {times.day(case.closed_at)}".strip(),
        by=", ".join(words.person(name) for name in ended.answered_by),
        answer=dossier.text(ended.answer),
        issues=tuple(_issue(issue, words) for issue in case.issues),
    )


def _in_order(clocks: tuple[Clock, ...]) -> list[Clock]:
    """Return the clocks with those that run first, what is due first before the others."""
    return sorted(clocks, key=lambda clock: (not clock.is_running, clock.due_at))


def _clock(clock: Clock, rules: Rules, times: Times, now: datetime) -> ClockView:
    days = tuple(DayView(times.weekday(day.on), day.sentence) for day in clock.explain(rules.calendar))
    due = f"Due {times.moment(clock.due_at)}"
    if clock.stopped_at is not None:
        chip, tone = ("missed", "late") if clock.is_overdue(now) else ("kept", "done")
        due += f"; done {times.moment(clock.stopped_at)}"
    elif clock.paused_since is not None:
        chip, tone = "stands still", "soon"
        due += f" at the latest; standing still since {times.moment(clock.paused_since)}"
    else:
        near = times.due(clock.due_at, now)
        chip, tone = near.words, near.tone
    if clock.paused_days:
        waited = counted(clock.paused_days, "days")
        due += f" ({waited} of waiting for the complainant not counted)"
    promised = f"{clock.standard.name}: {counted(clock.standard.amount, clock.standard.unit.value.replace('_', ' '))}."
    return ClockView(CLOCKS[clock.name], f"{due}.", chip, tone, promised, days)


def _customer_days(case: Case, now: datetime) -> str:
    days = customer_days(case, now)
    told = counted(days, "days") if days else "less than a day"
    return f"{told} from receipt to answer" if case.answered_at else f"{told} so far"


def _step(event: Event, dossier: Dossier, words: Words, times: Times) -> Step:
    command = event.command
    role = command.actor.role
    by = {Role.SYSTEM: "system", Role.COMPLAINANT: "complainant", Role.IMPORT: "system"}.get(role, "staff")
    if command.action is Action.ESCALATE:
        by = "missed"
    ref: ContentRef | None = getattr(command, "text", None)
    return Step(
        at=times.moment(event.at),
        who={"system": "Putright", "complainant": "The complainant", "missed": "Putright"}.get(
            by, words.person(command.actor.name)
        ),
        by=by,
        words=_said(event, words, times),
        found=_found(event, dossier, words),
        text=dossier.text(ref),
        letter="; ".join(_letter(each, times) for each in letters_of(dossier) if each.sequence == event.sequence),
    )


def _said(event: Event, words: Words, times: Times) -> str:
    """Return what happened in a sentence."""
    match event.command:
        case Triage() as triage:
            owner = f", owner {words.person(triage.owner)}" if triage.owner else ""
            known = as_chosen(triage.vulnerable)
            circumstances = f", vulnerable circumstances: {known}" if known else ""
            return (
                f"Triaged: {words.severity(triage.severity)} severity, {words.team(triage.team)}{owner}{circumstances}"
            )
        case Assign() as given:
            told = [words.team(given.team), words.person(given.owner)]
            if given.follow_up_on:
                told.append(f"next step on {times.day(given.follow_up_on)}")
            return "Assigned: " + ", ".join(word for word in told if word)
        case command:
            clock = getattr(command, "clock", None)
            return f"{DONE[command.action]}: {CLOCKS[clock].lower()}" if clock else DONE[command.action]


def _found(event: Event, dossier: Dossier, words: Words) -> tuple[str, ...]:
    match event.command:
        case Answer() | ProposeAnswer() as given:
            return tuple(_answered(answer, words) for answer in given.issues)
        case Approve():
            proposed = proposed_before(dossier, event.sequence)
            return tuple(_answered(answer, words) for answer in proposed.issues) if proposed else ()
        case TagRootCause() as tagged:
            return tuple(f"Issue {tag.number}: {_cause(tag.cause, words)}" for tag in tagged.issues)
        case _:
            return ()


def _letter(letter: LetterView, times: Times) -> str:
    to_whom = letter.recipient
    name = letter.letter.replace("_", " ")
    if letter.ready_to_post_at:
        ready = times.moment(letter.ready_to_post_at)
        return f"Letter ({name}) to the {to_whom} written {ready}, to be printed and posted"
    if letter.sent_at:
        return f"Letter ({name}) to the {to_whom} sent {times.moment(letter.sent_at)}"
    if letter.failure:
        return f"Letter ({name}) to the {to_whom} could not be sent: {letter.failure}"
    return f"Letter ({name}) to the {to_whom} waits to be sent"
