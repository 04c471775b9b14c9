# SPDX-License-Identifier: Apache-2.0
"""What letters say: the value of every name that the agency's words may use, out of a case, its policy and its people.

A letter tells how the case stood after the event that caused it, so that it reads the same however often it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from models.agency import Agency
from models.case import Case
from models.clocks import Rules, clocks_of, pause_until, review_promised_until
from models.commands import (
    Acknowledge,
    Answer,
    Approve,
    Escalate,
    ProposeAnswer,
    Reopen,
    RequestInformation,
    WarnOfDeadline,
)
from models.events import Event
from models.letters import Filled, Letter
from models.messages import ContentRef
from models.points import points_in_letter, points_of
from models.policy import Policy
from models.terms import STAFF_ROLES, ClockName
from models.wording import day_in_words

_ANSWERING = (ClockName.REVIEW, ClockName.ANSWER)


@dataclass(frozen=True, slots=True)
class Links:
    """Where the agency's pages are."""

    public_url: str

    def track(self, agency: str) -> str:
        """Return where a complainant sees how the complaint stands; reference and secret never stand in an address."""
        return f"{self.public_url}/a/{agency}/track"

    def case(self, case_id: UUID) -> str:
        """Return where staff see the case."""
        return f"{self.public_url}/cases/{case_id}"

    def signal(self, signal_id: UUID) -> str:
        """Return where staff see a signal."""
        return f"{self.public_url}/signals/{signal_id}"

    def fix(self, fix_id: UUID) -> str:
        """Return where staff see a systemic fix."""
        return f"{self.public_url}/fixes/{fix_id}"


@dataclass(frozen=True, slots=True)
class Told:
    """What a letter is filled in from."""

    case: Case
    """As it stood after the event."""
    events: tuple[Event, ...]
    """The story so far; the last one is the event that causes the letter."""
    rules: Rules
    policy: Policy
    texts: Mapping[UUID, str]
    names: Mapping[str, str]
    """Display names of the agency's staff."""
    complainant: str
    """The complainant's name; empty where it is not known."""
    other_reference: str
    """The reference of the case that this one is a duplicate of."""
    secret: str = field(repr=False)
    """What the complainant shows beside the reference; it stands in letters alone, never in the record or a log."""

    @property
    def event(self) -> Event:
        """The event that causes the letter."""
        return self.events[-1]


def filled_letter(letter: Letter, told: Told, links: Links) -> Filled:
    """Return the letter ready to send; raises MissingValues."""
    return letter.in_plain_text().filled(_values(told, letter.language, links))


def day_at(agency: Agency, moment: datetime) -> date:
    """Return the day it is in the agency's zone at a moment."""
    return moment.astimezone(ZoneInfo(agency.time_zone)).date()


def always_there(agency: Agency, addressee: str, received_at: datetime, language: str) -> dict[str, str]:
    """Return what any letter may say (`ALWAYS_THERE` in models/letters.py).

    An addressee whose name nobody knows is empty.
    """
    return {
        "greeting": agency.greeting_for(addressee or None, language),
        "agency_name": agency.name,
        "agency_phone": agency.contact.phone,
        "agency_email": agency.contact.email,
        "received_on": day_in_words(day_at(agency, received_at), language),
    }


def _values(told: Told, language: str, links: Links) -> dict[str, str]:
    agency, case = told.policy.agency, told.case
    return (
        always_there(agency, told.complainant, case.counted_from, language)
        | {
            "notice": agency.notice[language],
            "external_route": agency.external_route[language],
            "reference": case.receipt.reference,
            "other_reference": told.other_reference,
            "secret": told.secret,
            "track_url": links.track(agency.slug),
            "case_url": links.case(case.id),
            "contact_name": _contact(told),
            "contact_phone": agency.contact.phone,
            "points": points_in_letter(points_of(case.issues, told.policy, language)),
            "owner_name": told.names.get(case.owner or "", case.owner or _team(told)),
        }
        | _texts(told)
        | _dates(told, language)
    )


def _texts(told: Told) -> dict[str, str]:
    named = {Acknowledge: "issues", RequestInformation: "question", Answer: "answer", Approve: "answer"}
    name, ref = named.get(type(told.event.command)), text_ref(told.events)
    # A text that was removed meanwhile leaves its name without a value, so that no letter goes out with a hole in it.
    return {name: told.texts[ref.id]} if name and ref and ref.id in told.texts else {}


def text_ref(events: tuple[Event, ...]) -> ContentRef | None:
    """Return the text that the last event's letter carries, if any; an approval sends the text that was proposed."""
    command = events[-1].command
    if isinstance(command, Approve):
        return _proposals(events)[-1].text
    return command.text if isinstance(command, Acknowledge | RequestInformation | Answer) else None


def _proposals(events: tuple[Event, ...]) -> list[ProposeAnswer]:
    return [event.command for event in events if isinstance(event.command, ProposeAnswer)]


def _dates(told: Told, language: str) -> dict[str, str]:
    case, rules, command = told.case, told.rules, told.event.command

    def words(moment: datetime) -> str:
        return day_in_words(day_at(told.policy.agency, moment), language)

    due = {clock.name: clock.due_at for clock in clocks_of(case, rules)}
    asked_at = max((pause.started_at for pause in case.pauses), default=None)
    review_until = review_promised_until(case, rules)
    dates = {
        "acknowledge_by": words(due[ClockName.ACKNOWLEDGE]) if ClockName.ACKNOWLEDGE in due else None,
        "answer_by": next((words(due[name]) for name in _ANSWERING if name in due), None),
        "reply_by": words(pause_until(asked_at, rules)) if asked_at else None,
        "review_until": words(review_until) if review_until else None,
    }
    if isinstance(command, WarnOfDeadline | Escalate):
        standard = told.policy.standards.of(command.clock, case.track)
        dates |= {"clock": standard.name, "due_by": words(command.due_at)}
    return {name: text for name, text in dates.items() if text is not None}


def _contact(told: Told) -> str:
    """Return whom the complainant can ask for: who wrote, else who owns the case, else its team.

    An answer is signed by the owner, whom the complainant knows, also where somebody else approved it. A review is led
    by its reviewer; whoever ordered it may have had a part in the answer, and is not named.
    """
    command, owner = told.event.command, told.case.owner
    writer = command.actor.name if command.actor.role in STAFF_ROLES else None
    if isinstance(command, Approve):
        writer = _proposals(told.events)[-1].actor.name
    if isinstance(command, Reopen):
        writer = None
    named = (owner or writer) if isinstance(command, Answer | Approve) else (writer or owner)
    return told.names.get(named or "", named or _team(told))


def _team(told: Told) -> str:
    teams = {team.id: team.name for team in told.policy.agency.teams}
    return teams.get(told.case.team or "", told.policy.agency.name)
