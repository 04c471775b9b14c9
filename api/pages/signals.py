# SPDX-License-Identifier: Apache-2.0
"""The list of signals: what waits for a decision, what weighs most first; what is put off; what was decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from api.identity import Given, who
from api.pages.place import Place, place_of
from api.pages.signal_words import MEASURES, kind_of, sentences_of, stands_words, title_of
from api.pages.site import ANALYSTS, PageRoute
from api.pages.words import counted
from api.reads.fixes import FamilyPrecision, precision_by_family
from api.reads.paging import LONGEST_PAGE
from api.reads.people import Staff
from api.reads.signal_cases import Twins, twins_among
from api.reads.signals import SignalRow, Standing, Viewed, signals, standings_of
from api.writes.audit import Looked, note_read
from models.signals import SignalState

router = APIRouter(include_in_schema=False, route_class=PageRoute)
SIGNALS_SHOWN = 50
FEWEST_TO_JUDGE_BY = 5
"""Of fewer decided signals a share says more about luck than about the looks."""
_DECIDED = (SignalState.TAKEN_UP, SignalState.SILENCED, SignalState.EXPIRED)


@dataclass(frozen=True, slots=True)
class SignalLine:
    """A signal in the list."""

    id: UUID
    title: str
    sentence: str
    kind: str
    measure: str
    since: str
    stands: str
    """What was decided, or by when it is to be."""
    is_open: bool
    is_late: bool


@dataclass(frozen=True, slots=True)
class Matter:
    """Signals of one matter; mostly one alone."""

    signals: list[SignalLine]


@dataclass(frozen=True, slots=True)
class SignalGroup:
    """Matters that wait, are put off, or are decided."""

    name: str
    label: str
    about: str
    empty: str
    matters: list[Matter]


@dataclass(frozen=True, slots=True)
class PrecisionLine:
    """How often the signals of a family were taken up."""

    label: str
    share: str
    told: str


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the lines of a page are made with."""

    twins: Sequence[Twins]
    standings: Mapping[UUID, Standing]
    place: Place


@router.get("/signals")
async def signal_list(request: Request, services: Given, person: Annotated[Staff, Depends(who(*ANALYSTS))]) -> Response:
    """Show the signals: all that wait or are put off, however old, then page by page what was decided."""
    place = await place_of(services, person)
    at = Viewed.under(place.policy, place.times.on(place.now))
    cursor = request.query_params.get("after") or None
    async with services.database.of(person.agency) as connection:
        waiting = (await signals(connection, at, states={SignalState.TO_DECIDE}, cursor=None, limit=LONGEST_PAGE)).rows
        put_off = (await signals(connection, at, states={SignalState.SNOOZED}, cursor=None, limit=LONGEST_PAGE)).rows
        page = await signals(connection, at, states=_DECIDED, cursor=cursor, limit=SIGNALS_SHOWN)
        every = (*waiting, *put_off, *page.rows)
        shown = _Shown(
            await twins_among(connection, waiting, place.policy),
            await standings_of(connection, [row.id for row in every], at),
            place,
        )
        precision = await precision_by_family(connection)
        await note_read(connection, person.agency, person.actor, Looked.SIGNAL, asked={"page": "signals"})
    return place.page(
        request,
        "signals",
        "staff/signals.html",
        groups=_groups(waiting, put_off, page.rows, shown),
        older=f"/signals?after={page.next_cursor}" if page.next_cursor else "",
        precision=[_precision(each, place) for each in precision],
        fewest=FEWEST_TO_JUDGE_BY,
    )


def _groups(
    waiting: Sequence[SignalRow], put_off: Sequence[SignalRow], decided: Sequence[SignalRow], shown: _Shown
) -> list[SignalGroup]:
    weightiest_first = sorted(waiting, key=lambda row: -(row.priority or 0))
    groups = [
        SignalGroup(
            "open",
            "To decide",
            "What weighs most comes first: how many more than expected, how much harm, for how long, to how many in "
            "vulnerable circumstances.",
            "No signal waits for a decision.",
            _matters(weightiest_first, shown),
        ),
        SignalGroup("put-off", "Put off", "Each comes back by itself on its day.", "", _matters(put_off, shown)),
        SignalGroup("decided", "Decided or over", "", "None has been decided yet.", _matters(decided, shown)),
    ]
    return [group for group in groups if group.matters or group.empty]


def _matters(rows: Sequence[SignalRow], shown: _Shown) -> list[Matter]:
    """Return signals with their twins beside them, in the order in which the first of each stands."""
    left = {row.id: row for row in rows}
    matters = []
    while left:
        together = [left.pop(next(iter(left)))]
        for row in together:  # grows: a twin may have another
            others = [pair.other_than(row.id) for pair in shown.twins if row in (pair.cause, pair.intake)]
            together += [left.pop(other.id) for other in others if other.id in left]
        matters.append(Matter([_line(row, shown) for row in together]))
    return matters


def _line(row: SignalRow, shown: _Shown) -> SignalLine:
    place, standing = shown.place, shown.standings[row.id]
    return SignalLine(
        id=row.id,
        title=title_of(row, place),
        sentence=next(iter(sentences_of(row)), ""),
        kind=kind_of(row),
        measure=MEASURES[row.measure],
        since=place.times.day(row.since_week),
        stands=stands_words(row, standing, place),
        is_open=standing.waits,
        is_late=standing.is_late(place.times.on(place.now)),
    )


def _precision(each: FamilyPrecision, place: Place) -> PrecisionLine:
    what = place.words.family(each.family) if each.measure == "cause" else "As people told it"
    told = f"{each.accepted} of {counted(each.decided, 'decided signals')}"
    share = f"{each.accepted / each.decided:.0%}" if each.decided >= FEWEST_TO_JUDGE_BY else "too few to say"
    return PrecisionLine(what or "All complaints", share, told)
