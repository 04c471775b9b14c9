# SPDX-License-Identifier: Apache-2.0
"""How each complaint is dealt with: by the lifecycle's own rules, at working hours, by people with work to do.

A life is a series of commands with their moments. Between any two of them the process itself has its say, just as the
workflow would have had it: warnings before a due date, escalation after it. The story ends today, in mid-life for some.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, Final, Literal

from models import lifecycle
from models.case import Case, new_case
from models.clocks import Moment, Rules, next_moment
from models.commands import (
    SYSTEM,
    Acknowledge,
    Actor,
    Answer,
    Approve,
    Assign,
    Close,
    Command,
    IssueAnswer,
    IssueTag,
    IssueTriage,
    MarkDuplicate,
    NoFailure,
    Note,
    ProcessFailure,
    ProposeAnswer,
    Receive,
    RecordInformation,
    Reopen,
    RequestInformation,
    RootCause,
    SendBack,
    SendReceipt,
    TagRootCause,
    Triage,
    Withdraw,
)
from models.events import Event
from models.messages import Amount, ContentRef
from models.policy import Policy
from models.receiving import Intake, Text, text_of
from models.routing import RoutingRule
from models.story import apply
from models.terms import Finding, Remedy, Role, Scope, Track
from models.working_time import WorkingCalendar
from run.demonstration import words
from run.demonstration.plan import Fate, Planned
from run.demonstration.themes import Theme

ANN: Final = Actor(name="ann", role=Role.CASEWORKER)
BEN: Final = Actor(name="ben", role=Role.CASEWORKER)
CARA: Final = Actor(name="cara", role=Role.CASEWORKER)
DAN: Final = Actor(name="dan", role=Role.CASEWORKER)
IVY: Final = Actor(name="ivy", role=Role.INTAKE)
SUE: Final = Actor(name="sue", role=Role.SUPERVISOR)
COMPLAINANT: Final = Actor(name="complainant", role=Role.COMPLAINANT)
TEAMS: Final = {
    "front_desk": (ANN, CARA),
    "payments": (BEN, DAN),
    "permits_and_housing": (ANN, CARA),
    "records": (DAN,),
    "streets": (BEN, CARA),
    "rapid_response": (ANN, BEN),
}
OPENING_KEY: Final = "receive"
RECEIPT_KEY: Final = "send-receipt"
"""The keys that the workflow gives its own two first commands."""
SAFETY: Final = "safety"
_MEDIAN_WORKING_DAYS: Final = {Track.FRONTLINE: 2.4, Track.STANDARD: 8.5, Track.COMPLEX: 24.0}
_SPREAD: Final = 0.46
"""Standard deviation of the logarithm of the days an answer takes."""
Found = Literal[Finding.UPHELD, Finding.PARTLY_UPHELD, Finding.NOT_UPHELD, Finding.NOT_DETERMINED]
_KNOWN_BY_NOW: Final = 0.45
"""A failure that comes again and again is found sooner: the days it takes, as a share."""
_FINDINGS: Final[dict[Found, int]] = {
    Finding.UPHELD: 56,
    Finding.PARTLY_UPHELD: 20,
    Finding.NOT_UPHELD: 17,
    Finding.NOT_DETERMINED: 7,
}
_PLANTED_FINDINGS: Final[dict[Found, int]] = {Finding.UPHELD: 90, Finding.NOT_DETERMINED: 10}
_OTHER_FAILURES: Final = (
    ("TIM4", "PRO"), ("INF2", "DAT"), ("HND4", "TEC"), ("DES2", "POL"), ("CMP1", "PRO"), ("ACU1", "DAT"),
    ("ACC1", "TEC"),
)  # fmt: skip
_ASKED: Final = 0.7
"""How often whoever triages knows whether the person is in vulnerable circumstances, and says so."""
_VULNERABLE: Final = {"benefits": 0.38, "housing": 0.33}
_VULNERABLE_ELSEWHERE: Final = 0.14
"""How many of those are, by service: money for food and a home is what they come for."""
_LEGAL_AUTHORITY: Final = "Riverbend Code 4-12"
Step = tuple[datetime, Command]


class Diary:
    """The open days between two days, found quickly."""

    def __init__(self, calendar: WorkingCalendar, first: date, last: date) -> None:
        self._opens: list[datetime] = []
        self._closes: list[datetime] = []
        day = first
        while day < last:
            day = calendar.next_open_day(day)
            self._opens.append(calendar.opening_at(day))
            self._closes.append(calendar.closing_at(day))

    def later(self, after: datetime, working_days: float, chance: Random) -> datetime:
        """Return a moment in working hours, about so many working days after another; less than one may be today."""
        index = bisect_right(self._closes, after)
        whole = round(working_days)
        if whole == 0:
            begins = max(after, self._opens[index])
            return begins + (self._closes[index] - begins) * chance.uniform(0.02, 0.9)
        index = min(index + whole, len(self._opens) - 1)
        return self._opens[index] + (self._closes[index] - self._opens[index]) * chance.uniform(0.03, 0.95)


@dataclass(frozen=True, slots=True)
class World:
    """What a life happens in."""

    policy: Policy
    policy_version: int
    rules: Rules
    diary: Diary
    until: datetime


class Life:
    """One complaint's life, up to today."""

    def __init__(self, planned: Planned, intake: Intake, world: World) -> None:
        self.case = new_case(intake.receipt)
        self.events: list[Event] = []
        self.texts: list[Text] = []
        self._planned = planned
        self._world = world
        self._chance = Random(f"life/{planned.case_id}")  # noqa: S311 - a story, not a secret
        self._unsaid: list[Text] = []
        self._moment: Moment | None = None
        self._moment_of: Case | None = None

    def live(self) -> None:
        """Live the life until it ends, or today comes."""
        for at, command in self._steps():
            self._let_the_process_speak(min(at, self._world.until))
            if at > self._world.until:
                return
            self._do(command, at)
            self.texts += self._unsaid
            self._unsaid.clear()
        self._let_the_process_speak(self._world.until)

    def _do(self, command: Command, at: datetime) -> None:
        event = lifecycle.decide(self.case, command, max(at, self.case.last_event_at or at))
        self.case = apply(self.case, event)
        self.events.append(event)

    def _let_the_process_speak(self, until: datetime) -> None:
        while (moment := self._next_moment()) is not None and moment.at <= until:
            self._do(moment.command, moment.at)

    def _next_moment(self) -> Moment | None:
        """Return the next moment, computed anew only when something it hangs on has changed."""
        if self._moment_of is None or not _has_same_clocks(self._moment_of, self.case):
            self._moment = next_moment(self.case, self._world.rules)
            self._moment_of = self.case
        return self._moment

    # ---- the ways a life can go ------------------------------------------------------------------------------------

    def _steps(self) -> Iterator[Step]:
        planned = self._planned
        at = planned.received_at
        yield at + timedelta(seconds=1), self._opening()
        yield at + timedelta(seconds=2), SendReceipt(actor=SYSTEM, key=RECEIPT_KEY)
        if planned.fate is Fate.ON_THE_SPOT:
            yield from self._on_the_spot(at)
            return
        owner = self._chance.choice(TEAMS[self._route().team])
        at = self._later(at, self._chance.choices((0, 1, 2, 4), (45, 35, 17, 3))[0])
        if planned.fate is Fate.DUPLICATE and planned.duplicate_of is not None:
            yield at, MarkDuplicate(**self._by(owner), duplicate_of=planned.duplicate_of)
            return
        yield at, self._triage(owner)
        at = self._later(at, self._chance.choices((0, 1, 3), (60, 36, 4))[0])
        yield (
            at,
            Acknowledge(
                **self._by(owner), text=self._say("acknowledgement", words.acknowledgement(owner.name, planned.theme))
            ),
        )
        if planned.fate is Fate.WITHDRAWN:
            yield self._later(at, self._chance.randint(0, 4)), Withdraw(**self._by(COMPLAINANT))
            return
        at = yield from self._looked_into(at, owner)
        yield from self._answered(at, owner)
        if planned.fate is Fate.REVIEWED and not self.case.approval_required and SUE.name not in self.case.answered_by:
            yield from self._reviewed(owner)

    def _looked_into(self, at: datetime, owner: Actor) -> Generator[Step, None, datetime]:
        """Look into it: notes, perhaps a question to the complainant; return when there is an answer."""
        chance, theme = self._chance, self._planned.theme
        days = _MEDIAN_WORKING_DAYS[self.case.track] * chance.lognormvariate(0, _SPREAD)
        if self._planned.is_planted:
            days *= _KNOWN_BY_NOW
        if self._planned.event_id is not None:
            follow_up_on = self._world.policy.calendar.local_date(self._later(at, 3))
            yield at + timedelta(minutes=5), Assign(**self._by(owner), owner=owner.name, follow_up_on=follow_up_on)
        if chance.random() < 0.3:  # noqa: PLR2004 - a share
            yield (
                self._later(at, days * 0.3),
                Note(**self._by(owner), text=self._say("note", words.a_note(chance, self._office_name))),
            )
        if chance.random() < 0.12:  # noqa: PLR2004 - a share
            asked_at = self._later(at, days * 0.4)
            yield asked_at, RequestInformation(**self._by(owner), text=self._say("question", words.question(theme)))
            if chance.random() < 0.85:  # noqa: PLR2004 - a share
                at = asked_at + timedelta(days=chance.lognormvariate(1.2, 0.6))
                yield at, RecordInformation(**self._by(COMPLAINANT), text=self._say("information", words.reply(chance)))
            else:
                at = self._later(asked_at, 11)
                yield at, RecordInformation(**self._by(owner), text=self._say("information", words.NO_REPLY))
            days *= 0.6
        return self._later(at, days)

    def _answered(self, at: datetime, owner: Actor) -> Iterator[Step]:
        """Answer, with another person's approval where it must be; then code the cause, and close."""
        # A review grants no money here: there is one supervisor, who may not approve the same case twice.
        answers = self._answers(with_money=self.case.review_round == 0)
        text = self._say("answer", words.answer(self._planned.theme, answers[0].finding))
        if self._needs_approval(answers):
            yield at, ProposeAnswer(**self._by(owner), text=text, issues=answers)
            if self._chance.random() < 0.1:  # noqa: PLR2004 - a share
                at = self._later(at, 1)
                yield (
                    at,
                    SendBack(
                        **self._by(SUE),
                        text=self._say("reason", "Please say also what we do so that it does not happen again."),
                    ),
                )
                at = self._later(at, 1)
                again = self._say(
                    "answer", words.answer(self._planned.theme, answers[0].finding) + " We have told the office."
                )
                yield at, ProposeAnswer(**self._by(owner), text=again, issues=answers)
            at = self._later(at, self._chance.choices((0, 1, 3), (40, 50, 10))[0])
            yield at, Approve(**self._by(SUE))
        else:
            yield at, Answer(**self._by(owner), text=text, issues=answers)
        at = self._later(at, self._chance.choices((0, 1, 3, 7), (50, 30, 16, 4))[0])
        yield at, self._tag(owner, answers)
        yield at + timedelta(minutes=self._chance.randint(1, 25)), Close(**self._by(owner))

    def _reviewed(self, owner: Actor) -> Iterator[Step]:
        """Look again, by another person, because the complainant is not satisfied."""
        closed_at = self.case.closed_at or self.case.counted_from
        reviewer = next(a for a in (BEN, ANN, CARA) if a.name != owner.name)
        at = closed_at + timedelta(days=self._chance.uniform(2, 45))
        yield (
            at,
            Reopen(
                **self._by(COMPLAINANT),
                text=self._say("review", "I am not satisfied. You did not speak to what I wrote."),
            ),
        )
        at = self._later(at, 1)
        yield at, Assign(**self._by(SUE), owner=reviewer.name)
        yield from self._answered(self._later(at, 9 * self._chance.lognormvariate(0, _SPREAD)), reviewer)

    def _on_the_spot(self, at: datetime) -> Iterator[Step]:
        """At a Problem Solving Day: taken in, settled and coded at one table."""
        desk = self._chance.choice((IVY, ANN, BEN))
        minutes = sorted(self._chance.sample(range(3, 30), 4))
        yield at + timedelta(minutes=minutes[0]), self._triage(desk, track=Track.FRONTLINE)
        answers = self._answers(with_money=False)
        text = self._say("answer", words.answer(self._planned.theme, answers[0].finding))
        yield at + timedelta(minutes=minutes[1]), Answer(**self._by(desk), text=text, issues=answers)
        yield at + timedelta(minutes=minutes[2]), self._tag(desk, answers)
        yield at + timedelta(minutes=minutes[3]), Close(**self._by(desk))

    # ---- what is said and found ------------------------------------------------------------------------------------

    def _opening(self) -> Receive:
        """Return the opening as the record would have made it."""
        is_alarming = bool(self._world.policy.severity.safety_screen.words_in(self._planned.narrative))
        return Receive(
            actor=SYSTEM,
            key=OPENING_KEY,
            receipt=self.case.receipt,
            team=self._route().team,
            policy_version=self._world.policy_version,
            attention=(SAFETY,) if is_alarming else (),
        )

    def _route(self, severity: int | None = None) -> RoutingRule:
        theme = self._planned.theme
        return self._world.policy.route(
            service=theme.service, category=theme.category, severity=severity, office=self._planned.office
        )

    def _triage(self, owner: Actor, track: Track | None = None) -> Triage:
        theme, second = self._planned.theme, self._planned.second
        severity = max(1, min(3, theme.severity + self._chance.choices((-1, 0, 1), (12, 82, 6))[0]))
        if track is Track.FRONTLINE:
            severity = 1
        route = self._route(severity)
        issues = [IssueTriage(number=1, service=theme.service, category=theme.category)]
        if second is not None:
            issues.append(IssueTriage(number=2, service=second.service, category=second.category))
        scales = self._world.policy.severity
        return Triage(
            **self._by(owner),
            issues=tuple(issues),
            office=self._planned.office,
            severity=severity,
            track=track or route.track,
            team=route.team,
            owner=owner.name,
            approval_required=scales.why_another_person(severity=severity, harm=0, remedy_cents=0) is not None,
            vulnerable=self._circumstances(),
        )

    def _circumstances(self) -> bool | None:
        """Return what is said at triage of the person's circumstances; None where nobody asked."""
        # A chance of its own: drawn from the life's, it would change everything that is drawn after it.
        chance = Random(f"circumstances/{self._planned.case_id}")  # noqa: S311 - a story, not a secret
        is_known = chance.random() < _ASKED
        share = _VULNERABLE.get(self._planned.theme.service, _VULNERABLE_ELSEWHERE)
        return chance.random() < share if is_known else None

    def _answers(self, *, with_money: bool) -> tuple[IssueAnswer, ...]:
        themes = [self._planned.theme, self._planned.second]
        return tuple(
            self._found(number, theme, with_money=with_money)
            for number, theme in enumerate((theme for theme in themes if theme), start=1)
        )

    def _found(self, number: int, theme: Theme, *, with_money: bool) -> IssueAnswer:
        chance = self._chance
        weights = _PLANTED_FINDINGS if self._planned.is_planted and number == 1 else _FINDINGS
        (finding,) = chance.choices(list(weights), list(weights.values()))
        if finding not in {Finding.UPHELD, Finding.PARTLY_UPHELD}:
            return IssueAnswer(number=number, finding=finding, remedies=(Remedy.EXPLANATION,))
        if with_money and theme.is_money and chance.random() < 0.6:  # noqa: PLR2004 - a share
            amount = Amount(cents=chance.randint(900, 9_000), authority=_LEGAL_AUTHORITY)
            return IssueAnswer(number=number, finding=finding, remedies=(Remedy.APOLOGY, Remedy.REFUND), amount=amount)
        remedy = chance.choice((Remedy.CORRECTION, Remedy.CORRECTION, Remedy.EXPEDITED, Remedy.EXPLANATION))
        return IssueAnswer(number=number, finding=finding, remedies=(Remedy.APOLOGY, remedy))

    def _needs_approval(self, answers: tuple[IssueAnswer, ...]) -> bool:
        cents = sum(answer.amount.cents for answer in answers if answer.amount)
        why = self._world.policy.severity.why_another_person(severity=0, harm=0, remedy_cents=cents)
        return self.case.approval_required or why is not None

    def _tag(self, owner: Actor, answers: tuple[IssueAnswer, ...]) -> TagRootCause:
        themes = [theme for theme in (self._planned.theme, self._planned.second) if theme]
        tags = (
            IssueTag(number=answer.number, cause=self._cause(theme, answer.finding))
            for answer, theme in zip(answers, themes, strict=True)
        )
        return TagRootCause(**self._by(owner), issues=tuple(tags))

    def _cause(self, theme: Theme, finding: str) -> RootCause:
        chance = self._chance
        if finding == Finding.NOT_UPHELD:
            return NoFailure(reason=chance.choices(("N1", "N3", "N5"), (86, 8, 6))[0])
        if finding == Finding.NOT_DETERMINED:
            return NoFailure(reason="N2")
        failure, cause = theme.failure, theme.cause
        if not self._planned.is_planted and chance.random() < 0.2:  # noqa: PLR2004 - a share
            failure, cause = chance.choice(_OTHER_FAILURES)
        severity = max(1, min(3, theme.severity + chance.choices((-1, 0, 1), (15, 77, 8))[0]))
        scope = chance.choices((Scope.ONE_PERSON, Scope.GROUP, Scope.ALL), (82, 15, 3))[0]
        harm = max(0, min(3, severity + chance.choice((-1, 0, 0))))
        return ProcessFailure(failure=failure, contributing_cause=cause, severity=severity, harm=harm, scope=scope)

    # ---- small helps ------------------------------------------------------------------------------------------------

    @property
    def _office_name(self) -> str:
        offices = self._world.policy.agency.offices
        return next(office.name for office in offices if office.id == self._planned.office)

    def _later(self, at: datetime, working_days: float) -> datetime:
        return self._world.diary.later(at, working_days, self._chance)

    def _by(self, actor: Actor) -> dict[str, Any]:
        return {"actor": actor, "key": f"step-{self.case.sequence + 1}"}

    def _say(self, kind: str, body: str) -> ContentRef:
        text = text_of(self.case.id, f"step-{self.case.sequence + 1}", kind, body)
        self._unsaid.append(text)
        return text.ref


def _has_same_clocks(earlier: Case, later: Case) -> bool:
    return (
        earlier.clocks == later.clocks
        and earlier.pauses == later.pauses
        and earlier.deadlines == later.deadlines
        and earlier.track is later.track
    )
