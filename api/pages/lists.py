# SPDX-License-Identifier: Apache-2.0
"""Lists of complaints: what one line shows, and how filters stand in the address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from api.pages.words import Due, Option, Times, Words, state_words
from api.reads.cases import CaseRow, Filter, Order
from models.aggregates import ON_THE_SPOT
from models.commands import Receipt
from models.terms import Stage, State

FILTER_NAMES = (
    "q",
    "show",
    "stage",
    "state",
    "team",
    "owner",
    "service",
    "category",
    "office",
    "channel",
    "severity",
    "event",
)
ME = "me"
FROM_WORK = "work"
"""Stands as `from` in the address of a case that was opened from My work."""
OPEN, LATE, CLOSED, ALL = "open", "late", "closed", "all"
SHOWN = (
    Option(OPEN, "Open, first due first"),
    Option(LATE, "Late"),
    Option(CLOSED, "Closed"),
    Option(ALL, "All, newest first"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One complaint in a list."""

    case_id: UUID
    href: str
    reference: str
    title: str
    place: str
    state: str
    due: Due
    owner: str
    team: str
    received: str
    attention: bool
    is_vulnerable: bool
    """Said to be; where nobody knows, nothing is shown."""
    review_round: int
    is_open: bool
    is_answered: bool
    follow_up_on: str
    is_solved: bool


def line_of(row: CaseRow, words: Words, times: Times, now: datetime, *, listed_as: str = "") -> Line:
    """Return a row as a list shows it; `listed_as` keeps the list's filter on the way into the case."""
    due = (
        Due("closed", "done")
        if not row.is_open
        else times.due(row.due_at, now, is_waiting=row.state is State.WAITING_FOR_COMPLAINANT)
    )
    return Line(
        case_id=row.case_id,
        href=f"/cases/{row.case_id}" + (f"?{listed_as}" if listed_as else ""),
        reference=row.reference,
        title=words.title(row.service, row.category),
        place=words.office(row.office),
        state=state_words(row.state),
        due=due,
        owner=words.person(row.owner),
        team=words.team(row.team),
        received=times.day(row.received_at) or "not known",
        # Once triaged, somebody has looked, and the severity says how soon it is due.
        attention=row.is_open and bool(row.attention) and row.severity is None,
        is_vulnerable=bool(row.vulnerable),
        review_round=row.review_round,
        is_open=row.is_open,
        is_answered=row.answered_at is not None,
        follow_up_on=times.day(row.follow_up_on),
        is_solved=_is_solved_on_the_spot(row),
    )


def line_of_receipt(receipt: Receipt, words: Words, times: Times, now: datetime) -> Line:
    """Return a complaint whose case is about to be opened as a list shows it."""
    return Line(
        case_id=receipt.case_id,
        href=f"/cases/{receipt.case_id}",
        reference=receipt.reference,
        title=words.title(receipt.service, receipt.category),
        place=words.office(receipt.office),
        state=state_words(State.NEW),
        due=times.due(None, now),
        owner="",
        team="",
        received=times.day(receipt.received_at),
        attention=False,
        is_vulnerable=bool(receipt.vulnerable),
        review_round=0,
        is_open=True,
        is_answered=False,
        follow_up_on="",
        is_solved=False,
    )


def _is_solved_on_the_spot(row: CaseRow) -> bool:
    return row.answered_at is not None and row.answered_at - row.sort_at <= ON_THE_SPOT


def lines_of(rows: Iterable[CaseRow], words: Words, times: Times, now: datetime, *, listed_as: str = "") -> list[Line]:
    """Return rows as a list shows them."""
    return [line_of(row, words, times, now, listed_as=listed_as) for row in rows]


def filter_of(asked: Mapping[str, str], me: str) -> Filter:
    """Return the filter that an address asks for; what it does not understand it leaves out."""
    shown = asked.get("show") or OPEN
    told = {name: asked.get(name) or None for name in FILTER_NAMES}
    owner = me if told["owner"] == ME else told["owner"]
    severity = told["severity"]
    return Filter(
        state=State(told["state"]) if told["state"] in set(State) else None,
        stage=Stage(told["stage"]) if told["stage"] in set(Stage) else None,
        team=told["team"],
        owner=owner,
        service=told["service"],
        category=told["category"],
        office=told["office"],
        channel=told["channel"],
        severity=int(severity) if severity and severity.isdecimal() else None,
        event_id=_uuid(told["event"]),
        is_overdue=True if shown == LATE else None,
        is_open={OPEN: True, LATE: True, CLOSED: False}.get(shown) if not told["q"] or asked.get("show") else None,
        words=_plain(told["q"]),
        order=Order.NEWEST if shown in {CLOSED, ALL} or told["q"] else Order.QUEUE,
    )


def known(asked: Mapping[str, str]) -> dict[str, str]:
    """Return what an address asks for, without the choices that there are not."""
    choices: dict[str, set[str]] = {"show": {o.value for o in SHOWN}, "stage": set(Stage), "state": set(State)}
    return {name: value for name, value in asked.items() if name not in choices or value in choices[name]}


def address_with(asked: Mapping[str, str], **changed: str | None) -> str:
    """Return the filters as they stand in an address, some of them changed; None takes one away."""
    told = {name: asked[name] for name in FILTER_NAMES if asked.get(name)}
    kept = {name: value for name, value in (told | changed).items() if value}
    return urlencode(kept)


def _plain(text: str | None) -> str | None:
    return text.replace("\x00", " ").strip()[:200] or None if text else None


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
