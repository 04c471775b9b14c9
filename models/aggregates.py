# SPDX-License-Identifier: Apache-2.0
"""Counts as differences, so that nothing is ever counted by scanning.

What a case adds to queues and weekly cells is a function of the case; an event's deltas are what it adds after,
less what it added before.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, TypeVar

from models.case import Case, ClockRun
from models.commands import ProcessFailure
from models.events import Event
from models.terms import Action, State

T = TypeVar("T")
ON_THE_SPOT = timedelta(hours=12)
"""An answer within this time of receipt was given on the same day, at the desk."""
NOT_STATED = "not_stated"
"""The code of complaints whose kind nobody has said; they count for their service and office all the same."""
EVENT_CHANNEL = "event"
"""The channel of what is taken in at a Problem Solving Day. The day brought these complaints, not a failure: what is
looked at week by week leaves them out; the day's themes are evidence beside it."""
UNKNOWN = ""
"""Stands in a cell for a service or office nobody has said."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A weekly count: complaints with a cause or an intake category, by service, office and channel."""

    measure: Literal["cause", "intake"]
    code: str
    service: str
    office: str
    channel: str
    week: date
    """The Monday of the week of receipt, in the agency's time zone."""
    harm: int | None = None
    """How much harm the failure did, of a cause; None in sums over all."""
    vulnerable: bool | None = None
    """Whether the person affected is in vulnerable circumstances; None where not known, and in sums over all."""


def happened_at(event: Event, case: Case) -> datetime:
    """Return when an event's counts changed: at receipt for what an import brings, so that past weeks can be seen."""
    is_brought = event.command.action is Action.RECORD_AS_HISTORY or (
        case.receipt.is_imported and event.command.action is Action.RECEIVE
    )
    return case.counted_from if is_brought else event.at


def monday_of(day: date) -> date:
    """Return the Monday of the day's week."""
    return day - timedelta(days=day.weekday())


def queues_of(case: Case) -> frozenset[str]:
    """Return the names of the queues the case stands in."""
    if case.state is State.NEW:
        return frozenset()
    queues = set()
    if not case.state.is_final:
        queues |= {"open", f"stage/{case.state.stage}"}
        if case.team:
            queues.add(f"team/{case.team}/open")
        if case.owner:
            queues.add(f"owner/{case.owner}/open")
        if any(run.is_running and _is_late(case, run) for run in case.clocks):
            queues.add("late")
            if case.team:
                queues.add(f"team/{case.team}/late")
    if (event_id := case.receipt.event_id) is not None:
        queues.add(f"event/{event_id}/taken_in")
        if case.answered_at is not None and case.answered_at - case.counted_from <= ON_THE_SPOT:
            queues.add(f"event/{event_id}/solved_on_the_spot")
    return frozenset(queues)


def cells_of(case: Case) -> Counter[Cell]:
    """Return what the case adds to the weekly cells; nothing where the date of receipt is unknown."""
    if case.received_on is None or case.state in {State.NEW, State.DUPLICATE}:
        return Counter()
    week, channel = monday_of(case.received_on), case.receipt.channel
    cells: Counter[Cell] = Counter()
    for issue in case.issues:
        service = issue.service or case.service or UNKNOWN
        office = case.office or UNKNOWN
        category = issue.category or NOT_STATED
        cells[Cell("intake", category, service, office, channel, week, vulnerable=case.vulnerable)] += 1
        if isinstance(issue.cause, ProcessFailure):
            failure, harm = issue.cause.failure, issue.cause.harm
            cells[Cell("cause", failure, service, office, channel, week, harm, case.vulnerable)] += 1
    return cells


def _is_late(case: Case, run: ClockRun) -> bool:
    # What an earlier run of the clock missed was due before this one began.
    return any(d.clock is run.name and d.is_missed and d.due_at >= run.started_at for d in case.deadlines)


def changes(before: Counter[T], after: Counter[T]) -> list[tuple[T, int]]:
    """Return what changed, as (what, +n or -n)."""
    differences = Counter(after)
    differences.subtract(before)
    return [(what, difference) for what, difference in differences.items() if difference]
