# SPDX-License-Identifier: Apache-2.0
"""How signals are said on pages: what they are about, of what kind they are, what was decided and what that means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.pages.place import Place
from api.pages.words import Option, counted, number
from api.reads.signals import SignalDecision, SignalRow, SignalWeek, Standing
from models.policy import Policy
from models.signals import BesideComplaints, SignalKind, SignalState, Waiting

OPEN_A_FIX, KNOWN_CAUSE, NOT_A_PROBLEM, NEED_MORE = "accept", "link", "reject", "defer"
OPEN_A_SECOND = "second"
DECISIONS = (
    Option(OPEN_A_FIX, "Open a fix: this is a failure of our process, and we mend it"),
    Option(KNOWN_CAUSE, "Known cause: a fix that is open deals with it"),
    Option(NOT_A_PROBLEM, "Not a problem: there is another explanation"),
    Option(NEED_MORE, "Need more: look at it again on a day"),
)
DECISIONS_ON_A_TWIN = (
    *DECISIONS[1:],
    Option(OPEN_A_SECOND, "Open a second fix: the one that is open for the same matter does not deal with this"),
)
"""What can be decided where an open fix deals with the signal's twin: to link to it comes first."""
MEASURES: Mapping[str, str] = {
    "cause": "by root cause, as we coded it",
    "intake": "by kind of problem, as people told it",
}
"""What a signal counts."""
KINDS: Mapping[SignalKind, str] = {
    SignalKind.SURGE: "more than before",
    SignalKind.STANDING: "always too many",
    SignalKind.CREEP: "a little more every week",
}
SOURCES = (
    Option(BesideComplaints.EVENT.value, "Said at an event or in a conversation"),
    Option(BesideComplaints.SURVEY.value, "Found by a survey"),
    Option(BesideComplaints.EMPLOYEE_IDEA.value, "An employee's observation or idea"),
    Option(BesideComplaints.OTHER.value, "From elsewhere"),
)
_DECIDED = {"accept": "Taken up by a fix", "reject": "Not a problem", "defer": "Put off"}
_WAITING: Mapping[Waiting, str] = {
    Waiting.NEW: "",
    Waiting.DAY_HAS_COME: "put off until now",
    Waiting.GROWN: "come back, for it has grown",
    Waiting.FIX_ENDED: "come back, for its fix has ended",
}


def kind_of(row: SignalRow) -> str:
    """Return how a signal was last seen, in a few words."""
    return "new" if row.is_new else KINDS[row.seen_as]


def title_of(row: SignalRow, place: Place) -> str:
    """Return what a signal is about, in a line."""
    words = place.words
    what = words.term(row.code) or ("" if row.measure == "intake" else words.family(row.family)) or "All complaints"
    region = f"Region {row.region}" if row.region else ""
    channel = words.channel(row.channel)
    named = (what, words.service(row.service), words.office(row.office), region, channel)
    return " · ".join(part for part in named if part)


def sentences_of(row: SignalRow) -> tuple[str, ...]:
    """Return what the weekly look said of a signal, below its title: without the title."""
    if not row.sentences:
        return ()
    happened, *rest = row.sentences
    # The look names the place in words of its own, such as region and channel; the title has said it.
    return happened.partition(": ")[2] or happened, *rest


def seen_words(observed: int, evidence: Mapping[str, Any]) -> str:
    """Return how much was seen: complaints, or where one complaint holds several such issues, issues in complaints."""
    complaints = evidence.get("complaints")
    if complaints is None:
        return counted(observed, "issues")
    if complaints == observed:
        return counted(observed, "complaints")
    return f"{counted(observed, 'issues')} in {counted(complaints, 'complaints')}"


def decision_words(decision: str | None, *, is_known: bool = False) -> str:
    """Return a decision in a few words; what nobody decided on and does not wait was taken in by a fix."""
    return "Known cause" if is_known else _DECIDED[decision or "accept"]


def waiting_words(standing: Standing) -> str:
    """Return why a signal waits for a decision again; nothing where it is new."""
    return _WAITING[standing.why] if standing.why else ""


def stands_words(row: SignalRow, standing: Standing, place: Place) -> str:
    """Return where a signal stands, in a line: by when it is to be decided, or what became of it."""
    day = place.times.day
    match standing.state:
        case SignalState.TO_DECIDE:
            because = waiting_words(standing)
            due = f"decide by {day(standing.due_on)}"
            return f"{because}: {due}" if because else due
        case SignalState.SNOOZED:
            return f"put off until {day(row.defer_until)} by {place.words.person(row.decided_by)}"
        case SignalState.EXPIRED:
            return f"expired on {day(standing.expired_on)}: not seen since {day(standing.last_seen_on)}"
        case _:
            by = f" by {place.words.person(row.decided_by)}" if row.decided_by else ""
            return f"{decision_words(row.decision)}{by}"


def state_words(standing: Standing, policy: Policy, place: Place) -> str:
    """Return what the days have made of a signal, where its decision alone does not tell."""
    told = policy.surveillance
    match standing.state, standing.why:
        case SignalState.EXPIRED, _:
            return (
                f"It expired on {place.times.day(standing.expired_on)}: the weekly looks of "
                f"{counted(told.expires_after_weeks, 'weeks')} have not seen it again. Should the same failure come "
                "back, it is a new signal."
            )
        case _, Waiting.GROWN:
            times = number(told.returns_when_excess_grows)
            return f"It has come back: a look after the decision found at least {times} times the excess of before."
        case _, Waiting.FIX_ENDED:
            return "It has come back: the fix that dealt with it has ended, and it was seen again since."
        case _, Waiting.DAY_HAS_COME:
            return "It has come back: this is the day it was put off to."
    return ""


def rule_of(decided: SignalDecision, standing: Standing, weeks: tuple[SignalWeek, ...], place: Place) -> str:
    """Return what follows from the decision that stands, as a rule a person can hold us to."""
    told = place.policy.surveillance
    weeks_words = counted(told.expires_after_weeks, "weeks")
    expires = f"Not seen again in the looks of {weeks_words}, it expires."
    if standing.waits or standing.state is SignalState.EXPIRED:
        return ""
    if decided.decision == "defer":
        return "On that day it stands under “To decide” again, by itself."
    if decided.decision == "accept" and decided.fix_id is None:
        return (
            "The fix says who does what, and by when. The weekly look goes on counting here, and shows whether it "
            "worked."
        )
    decided_on = place.times.on(decided.decided_at)
    known = next((week for week in weeks if week.as_of <= decided_on), None)
    now = f", which was {number(known.excess_per_week)} more a week than expected" if known else ""
    return (
        "The weekly look goes on counting. It stays away from your list as long as its excess does not grow: should a "
        f"look find {number(told.returns_when_excess_grows)} times the excess of this decision{now}, it stands under "
        f"“To decide” again. {expires}"
    )
