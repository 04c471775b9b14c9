# SPDX-License-Identifier: Apache-2.0
"""How moments, days, money and codes are said on pages, in the agency's zone and words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from api.pages.forms import NO, YES
from api.pages.languages import NAMES
from api.reads.people import Colleague
from models.aggregates import NOT_STATED
from models.policy import Policy
from models.refusals import KeyReused, Refused
from models.taxonomy import Kind, Taxonomy, Term
from models.terms import ANSWERED_AS, Action, ClockName, Finding, Role, State, Track
from models.wording import ACTION_NAMES, day_in_words, money

SOON = timedelta(days=3)
NOON = 12


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a list."""

    value: str
    label: str
    group: str = ""
    meaning: str = ""
    """What the choice means, in a sentence."""


@dataclass(frozen=True, slots=True)
class Family:
    """Choices that belong together."""

    name: str
    meaning: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """A fact with its name."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Due:
    """When something is due, in a word; never by colour alone."""

    words: str
    tone: str


@dataclass(frozen=True, slots=True)
class Times:
    """Moments as the agency's clock shows them."""

    zone: ZoneInfo
    language: str = "en"

    def on(self, at: datetime) -> date:
        """Return the agency's date at a moment."""
        return at.astimezone(self.zone).date()

    def day(self, when: datetime | date | None) -> str:
        """Return a day, as in March 9, 2026; nothing for None."""
        if when is None:
            return ""
        on = self.on(when) if isinstance(when, datetime) else when
        return day_in_words(on, self.language)

    def weekday(self, when: datetime | date) -> str:
        """Return a day with its weekday, as in Monday, March 9, 2026."""
        on = self.on(when) if isinstance(when, datetime) else when
        return f"{on:%A}, {self.day(on)}"

    def moment(self, at: datetime | None) -> str:
        """Return a moment, as in March 9, 2026, 4:05 pm; nothing for None."""
        if at is None:
            return ""
        local = at.astimezone(self.zone)
        if self.language != "en":
            return f"{self.day(local.date())}, {local:%H:%M}"
        half = "am" if local.hour < NOON else "pm"
        return f"{self.day(local.date())}, {local.hour % NOON or NOON}:{local:%M} {half}"

    def due(self, due_at: datetime | None, now: datetime, *, is_waiting: bool = False) -> Due:
        """Return how near a due date is."""
        if due_at is None:
            return Due("nothing due", "none")
        on, today = self.on(due_at), self.on(now)
        if due_at < now:
            return Due(f"late since {self.day(on)}", "late")
        waiting = "waiting, " if is_waiting else ""
        if on == today:
            return Due(f"{waiting}due today", "today")
        if on == today + timedelta(days=1):
            return Due(f"{waiting}due tomorrow", "soon")
        return Due(f"{waiting}due {self.day(on)}", "soon" if due_at - now <= SOON else "none")


def times_of(zone: str, language: str = "en") -> Times:
    """Return the times of a zone of the IANA list, in the words of a language."""
    return Times(ZoneInfo(zone), language)


def money_typed(cents: int) -> str:
    """Return a sum as it is typed into a form."""
    return f"{cents // 100}.{cents % 100:02d}"


def counted(amount: int, things: str) -> str:
    """Return an amount with what it counts, named in the plural: 1 minute, 2 business days."""
    return f"{amount} {things.removesuffix('s') if amount == 1 else things}"


def number(value: float) -> str:
    """Return a computed count with one digit, without it where it says nothing."""
    return f"{value:,.1f}".removesuffix(".0")


ROLES: Mapping[Role, str] = {
    Role.INTAKE: "Intake desk",
    Role.CASEWORKER: "Caseworker",
    Role.SUPERVISOR: "Supervisor",
    Role.ANALYST: "Analyst",
    Role.LIAISON: "Liaison",
    Role.ADMINISTRATOR: "Administrator",
    Role.AUDITOR: "Auditor",
}

CLOCKS: Mapping[ClockName, str] = {
    ClockName.RECEIPT: "Automatic receipt",
    ClockName.ACKNOWLEDGE: "Personal acknowledgement",
    ClockName.ANSWER: "Answer",
    ClockName.TAG_AND_CLOSE: "Root cause and closing",
    ClockName.REVIEW: "Review",
}

ACTIONS: Mapping[Action, str] = ACTION_NAMES
"""Every action a person of the agency may ask for, as a heading."""

BUTTONS: Mapping[Action, str] = {
    Action.ACKNOWLEDGE: "Send the acknowledgement",
    Action.TRIAGE: "Set this triage",
    Action.ASSIGN: "Assign",
    Action.NOTE: "Add the note",
    Action.REQUEST_INFORMATION: "Ask the complainant",
    Action.RECORD_INFORMATION: "Record the reply",
    Action.PROPOSE_ANSWER: "Put before a supervisor",
    Action.APPROVE: "Approve and send",
    Action.SEND_BACK: "Send back",
    Action.ANSWER: "Send the answer",
    Action.TAG_ROOT_CAUSE: "Set the root cause",
    Action.CLOSE: "Close the case",
    Action.WITHDRAW: "Record the withdrawal",
    Action.MARK_DUPLICATE: "Mark as duplicate",
    Action.REOPEN: "Open for review",
}
"""The same with the words on the button."""

FINDINGS: Mapping[Finding, str] = {
    Finding.UPHELD: "Justified",
    Finding.PARTLY_UPHELD: "Partly justified",
    Finding.NOT_UPHELD: "Not justified",
    Finding.NOT_DETERMINED: "Could not be found out",
    Finding.WITHDRAWN: "Withdrawn",
    Finding.NOT_CODED: "Not coded",
}

DONE: Mapping[Action, str] = {
    Action.RECEIVE: "Received",
    Action.RECORD_AS_HISTORY: "Recorded as history from another system",
    Action.SEND_RECEIPT: "Receipt made out, with number and next dates",
    Action.ACKNOWLEDGE: "Acknowledged in person",
    Action.TRIAGE: "Triaged",
    Action.ASSIGN: "Assigned",
    Action.NOTE: "Note",
    Action.REQUEST_INFORMATION: "Asked the complainant; the clock stands still",
    Action.RECORD_INFORMATION: "The complainant replied; the clock goes on",
    Action.PROPOSE_ANSWER: "Put an answer before another person",
    Action.APPROVE: "Approved the answer; it was sent",
    Action.SEND_BACK: "Sent the proposed answer back",
    Action.ANSWER: "Answered",
    Action.TAG_ROOT_CAUSE: "Said what was behind it",
    Action.CLOSE: "Closed",
    Action.WITHDRAW: "Withdrawn",
    Action.MARK_DUPLICATE: "Marked as a duplicate",
    Action.REOPEN: "Opened for review",
    Action.WARN_OF_DEADLINE: "A due date is near",
    Action.ESCALATE: "A due date was missed; the supervisors were told",
}


def state_words(state: State) -> str:
    """Return a state as lists show it."""
    return state.label


class Words:
    """The choices a policy gives, in the language of staff."""

    def __init__(self, policy: Policy, people: Iterable[Colleague], today: date) -> None:
        self.policy = policy
        language = policy.agency.languages[0]
        agency, taxonomy, scales = policy.agency, policy.taxonomy, policy.severity
        self.services = tuple(Option(s.id, s.name[language]) for s in agency.services)
        self.categories = tuple(Option(t.code, t.name) for t in taxonomy.of(Kind.INTAKE, on=today))
        self.offices = tuple(Option(o.id, o.name) for o in agency.offices)
        self.teams = tuple(Option(t.id, t.name) for t in agency.teams)
        self.channels = tuple(Option(c.id, c.name[language]) for c in agency.channels)
        self.languages = tuple(Option(code, NAMES.get(code, code)) for code in agency.languages)
        self.people = tuple(Option(p.name, p.display_name) for p in people if set(p.roles) & WORKERS)
        self.severities = tuple(Option(str(v.level), v.name, meaning=v.definition) for v in scales.levels)
        self.failure_severities = tuple(Option(str(v.level), v.name) for v in scales.levels if v.level)
        self.spot_severities = tuple(
            Option(str(v.level), v.name) for v in scales.levels if 0 < v.level <= scales.on_the_spot.severity_at_most
        )
        self.tracks = tuple(Option(t.value, f"{t.value.capitalize()} ({_length(policy, t)})") for t in Track)
        self.findings = tuple(Option(f.value, FINDINGS[f]) for f in ANSWERED_AS)
        self.remedies = tuple(Option(r.id.value, r.name) for r in scales.remedies)
        self.spot_remedies = tuple(
            Option(r.id.value, r.name) for r in scales.remedies if r.id in scales.on_the_spot.remedies
        )
        self.alone_up_to = money(scales.approval.remedy_cents_over)
        """More money than this is granted only with another person's approval."""
        self.harms = tuple(Option(str(h.level), h.name, meaning=h.definition) for h in scales.harms)
        self.scopes = tuple(Option(s.id.value, s.name, meaning=s.definition) for s in scales.scopes)
        self.contributing = tuple(
            Option(t.code, t.name, meaning=t.definition) for t in taxonomy.of(Kind.CAUSE, on=today)
        )
        self.cause_families = _families(taxonomy, today)
        self.causes = tuple(option for family in self.cause_families for option in family.options)
        self.yes_or_no = (Option(YES, "Yes"), Option(NO, "No"))
        self.vulnerable_circumstances = scales.vulnerable_circumstances_in(language)
        self._services = _labels(self.services)
        self._offices = _labels(self.offices)
        self._teams = _labels(self.teams)
        self._channels = _labels(self.channels)
        self._terms = {term.code: term.name for term in taxonomy.terms} | {NOT_STATED: "Kind not stated"}
        self._families = {term.code: term.name for term in taxonomy.of(Kind.FAMILY)}
        self._people = {person.name: person.display_name for person in people}

    def term(self, code: str | None) -> str:
        """Return the name of a code of the taxonomy; here as below, one the policy lacks stands as it is."""
        return self._terms.get(code, code) if code else ""

    def family(self, code: str | None) -> str:
        """Return the name of a family of failures; those of failures that the policy does not know are others."""
        return self._families.get(code, "Other failures") if code else ""

    def service(self, code: str | None) -> str:
        """Return the name of a service."""
        return self._services.get(code, code) if code else ""

    def office(self, code: str | None) -> str:
        """Return the name of an office."""
        return self._offices.get(code, code) if code else ""

    def team(self, code: str | None) -> str:
        """Return the name of a team."""
        return self._teams.get(code, code) if code else ""

    def channel(self, code: str | None) -> str:
        """Return the name of a channel."""
        return self._channels.get(code, code) if code else ""

    def person(self, name: str | None) -> str:
        """Return a person's name as colleagues know it."""
        return self._people.get(name, name) if name else ""

    def failure(self, code: str, because: str | None) -> str:
        """Return a process failure with its contributing cause."""
        told = self.term(code)
        return f"{told}, because of: {self.term(because).lower()}" if because else told

    def no_failure(self, reason: str) -> str:
        """Return why no process failure was behind an issue."""
        return f"No process failure: {self.term(reason).lower()}"

    def sentence(self, reason: Refused) -> str:
        """Return a refusal's sentence; where it begins with an account, as rules know people, pages say the name."""
        if isinstance(reason, KeyReused):
            return (
                "This form has been sent before with something else in it, and was not sent again. Load the page anew "
                "to see what came of it."
            )
        account, _, rest = str(reason).partition(" ")
        return f"{self._people[account]} {rest}" if account in self._people else str(reason)

    def severity(self, level: int | None) -> str:
        """Return the name of a severity."""
        return next((v.name for v in self.policy.severity.levels if v.level == level), "") if level is not None else ""

    def title(self, service: str | None, category: str | None) -> str:
        """Return what a complaint is about, in a line."""
        told = [self.term(category), self.service(service)]
        return " · ".join(word for word in told if word) or "Not yet triaged"


def _families(taxonomy: Taxonomy, today: date) -> tuple[Family, ...]:
    """Return what may be behind an issue: the failures by family, then the reasons why none was."""
    failures = taxonomy.of(Kind.FAILURE, on=today)
    families = [
        Family(family.name, family.definition, tuple(_cause(term) for term in failures if term.family == family.code))
        for family in taxonomy.of(Kind.FAMILY)
    ]
    none = tuple(_cause(term) for term in taxonomy.of(Kind.NON_FAILURE, on=today))
    families.append(Family("No process failure", "We looked, and no failure of ours was behind it", none))
    return tuple(family for family in families if family.options)


def _cause(term: Term) -> Option:
    return Option(term.code, term.name, meaning=term.definition)


def _labels(options: Iterable[Option]) -> dict[str, str]:
    return {option.value: option.label for option in options}


WORKERS = frozenset({Role.INTAKE, Role.CASEWORKER, Role.SUPERVISOR})


def _length(policy: Policy, track: Track) -> str:
    standard = policy.standards.of(ClockName.ANSWER, track)
    return counted(standard.amount, standard.unit.value.replace("_", " "))
