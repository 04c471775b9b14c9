# SPDX-License-Identifier: Apache-2.0
"""Words that people read in more than one place: dates, as letters and receipts say them, and the names of actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from models.terms import Action, State

ACTION_NAMES: Mapping[Action, str] = {
    Action.ACKNOWLEDGE: "Acknowledge in person",
    Action.TRIAGE: "Triage",
    Action.ASSIGN: "Assign, or set the next step",
    Action.NOTE: "Add a note",
    Action.REQUEST_INFORMATION: "Ask the complainant",
    Action.RECORD_INFORMATION: "Record the complainant's reply",
    Action.PROPOSE_ANSWER: "Propose an answer",
    Action.APPROVE: "Approve the answer",
    Action.SEND_BACK: "Send the answer back",
    Action.ANSWER: "Answer",
    Action.TAG_ROOT_CAUSE: "Say what was behind it",
    Action.CLOSE: "Close",
    Action.WITHDRAW: "The complainant withdraws it",
    Action.MARK_DUPLICATE: "It is a duplicate",
    Action.REOPEN: "Look at it again",
}
"""Every action a person may ask for, in the words of the pages; refusals use the same."""

_MONTHS = {
    "en": [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    "es": [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
}


_STANDS = {State.WAITING_FOR_COMPLAINANT: "waiting for the complainant", State.DUPLICATE: "a duplicate"}


def action_in_words(action: Action) -> str:
    """Return an action's name in quotation marks; the process's own by their word."""
    return f"“{ACTION_NAMES.get(action, action.label)}”"


def state_in_words(state: State) -> str:
    """Return how a complaint stands, as it follows "is"."""
    return _STANDS.get(state, state.label.lower())


def listed(words: Sequence[str]) -> str:
    """Return words as a choice, as in one, two or three."""
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def money(cents: int) -> str:
    """Return a sum in dollars."""
    return f"${cents / 100:,.2f}"


def day_in_words(day: date, language: str) -> str:
    """Return a date as people of that language write it, or by ISO 8601 where we do not know how."""
    if language not in _MONTHS:
        return day.isoformat()
    month = _MONTHS[language][day.month - 1]
    return f"{day.day} de {month} de {day.year}" if language == "es" else f"{month} {day.day}, {day.year}"


def english_day(day: date) -> str:
    """Return a date as staff and analysts read it, whatever the agency's letters are in: March 9, 2026."""
    return day_in_words(day, "en")
