# SPDX-License-Identifier: Apache-2.0
"""The caseworker's lists: my work, the queue with its filters and search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.identity import Given, who
from api.pages.forms import Form
from api.pages.lists import (
    ALL,
    CLOSED,
    FILTER_NAMES,
    FROM_WORK,
    LATE,
    ME,
    OPEN,
    SHOWN,
    Line,
    address_with,
    filter_of,
    known,
    lines_of,
)
from api.pages.place import Place, place_of
from api.pages.site import DECIDERS, READERS, WORKERS, PageRoute, on_to
from api.pages.words import Option
from api.reads.cases import CaseRow, Filter, cases, id_of_typed_reference
from api.reads.people import Staff
from api.writes.audit import Looked, note_read
from models.terms import Stage, State

router = APIRouter(include_in_schema=False, route_class=PageRoute)
MINE_SHOWN = 200
NEW_SHOWN = 25
ROWS = 50
_FROM = f"from={FROM_WORK}"


@dataclass(frozen=True, slots=True)
class Group:
    """Some of my work, with its number on a tile."""

    anchor: str
    label: str
    rows: list[Line]
    tone: str = ""
    more: str = ""
    show_owner: bool = False

    @property
    def count(self) -> str:
        """How many there are, as far as is shown."""
        return f"{len(self.rows)}+" if self.more else str(len(self.rows))


@router.get("/work")
async def my_work(request: Request, services: Given, person: Annotated[Staff, Depends(who(*WORKERS))]) -> Response:
    """Show what is mine, what is late first, what waits for my approval, and what is new for my teams."""
    place = await place_of(services, person)
    mine = Filter(owner=person.name, is_open=True)
    approvable = Filter(approvable_by=person.name)
    async with services.database.of(person.agency) as connection:
        own = await cases(connection, mine, cursor=None, limit=MINE_SHOWN, now=place.now)
        to_approve: tuple[CaseRow, ...] = ()
        if person.role in DECIDERS:
            to_approve = (await cases(connection, approvable, cursor=None, limit=NEW_SHOWN, now=place.now)).rows
        fresh = [
            row
            for wanted in _new_for(person)
            for row in (await cases(connection, wanted, cursor=None, limit=NEW_SHOWN, now=place.now)).rows
        ]
        await note_read(connection, person.agency, person.actor, Looked.LIST, asked={"page": "work", **mine.told()})
    groups = _groups(place, own.rows, to_approve, fresh)
    return place.page(request, "work", "staff/work.html", groups=groups, tiles=groups, today=place.times.day(place.now))


def _new_for(person: Staff) -> list[Filter]:
    """Return the lists of what nobody has taken yet: those of my teams, or all where I am in none."""
    teams: Iterable[str | None] = person.teams or (None,)
    return [Filter(is_open=True, is_unowned=True, team=team) for team in teams]


def _groups(
    place: Place, own: Iterable[CaseRow], to_approve: Iterable[CaseRow], fresh: Iterable[CaseRow]
) -> list[Group]:
    """Return my work by what is to be done first; each row stands in one group."""
    today = place.times.on(place.now)
    approve = list(to_approve)
    decided_here = {row.case_id for row in approve}
    late: list[CaseRow] = []
    due_today: list[CaseRow] = []
    waiting: list[CaseRow] = []
    coming: list[CaseRow] = []
    for row in own:
        if row.case_id in decided_here:
            continue
        if row.due_at is not None and row.due_at < place.now:
            late.append(row)
        elif row.due_at is not None and place.times.on(row.due_at) == today:
            due_today.append(row)
        elif row.state in {State.WAITING_FOR_COMPLAINANT, State.AWAITING_APPROVAL}:
            waiting.append(row)
        else:
            coming.append(row)

    def group(anchor: str, label: str, rows: list[CaseRow], *, is_mine: bool = True, **asked: str) -> Group:
        listed_as = address_with({}, **({"owner": ME} if is_mine else {}), **asked)
        lines = lines_of(
            rows, place.words, place.times, place.now, listed_as="&".join(filter(None, (listed_as, _FROM)))
        )
        more = f"/queue?{listed_as}" if not is_mine and len(rows) >= NEW_SHOWN else ""
        return Group(
            anchor, label, lines, "late" if anchor == "late" and rows else "", more=more, show_owner=not is_mine
        )

    approvals = group("approve", "To approve", approve, is_mine=False, state=State.AWAITING_APPROVAL.value)
    return [
        group("late", "Late", late),
        *([approvals] if place.person.role in DECIDERS else []),
        group("today", "Due today", due_today),
        group("waiting", "Waiting for others", waiting),
        group("coming", "Coming up", coming),
        group("new", "New, not taken yet", list(fresh), is_mine=False, state=State.IN_TRIAGE.value),
    ]


@dataclass(frozen=True, slots=True)
class FilterField:
    """One filter, as a list to choose from."""

    name: str
    label: str
    any: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """A way to another view of the list."""

    label: str
    href: str
    is_here: bool


@dataclass(frozen=True, slots=True)
class Chosen:
    """A filter that is set, and the address without it."""

    label: str
    without: str


@router.get("/queue")
async def queue(request: Request, services: Given, person: Annotated[Staff, Depends(who(*READERS))]) -> Response:
    """Show a list by filters, or what a search finds; a complaint's number opens it. Filters stand in the address."""
    place = await place_of(services, person)
    asked = dict.fromkeys(FILTER_NAMES, "") | known({n: request.query_params.get(n, "") for n in FILTER_NAMES})
    wanted = filter_of(asked, person.name)
    cursor = request.query_params.get("after") or None
    async with services.database.of(person.agency) as connection:
        looked = Looked.SEARCH if wanted.words else Looked.LIST
        await note_read(connection, person.agency, person.actor, looked, asked=wanted.told())
        if wanted.words and (meant := await id_of_typed_reference(connection, wanted.words)) is not None:
            return on_to(request, f"/cases/{meant}")
        found = await cases(connection, wanted, cursor=cursor, limit=ROWS, now=place.now)
    listed_as = address_with(asked)
    fields = _fields(place)
    older = f"/queue?{listed_as}&after={found.next_cursor}" if found.next_cursor else ""
    return place.page(
        request,
        "queue",
        "staff/queue.html",
        form=Form(asked),
        searched=asked["q"],
        filters=fields,
        chosen=_chosen(asked, fields),
        views=_views(asked),
        rows=lines_of(found.rows, place.words, place.times, place.now, listed_as=listed_as or "show=open"),
        caption=_caption(asked),
        whose=_whose(asked, place),
        older=older.replace("?&", "?"),
        newer=f"/queue?{listed_as}" if cursor else "",
    )


def _fields(place: Place) -> tuple[FilterField, ...]:
    words = place.words
    people = (Option(ME, "Me"), *words.people)
    return (
        FilterField("show", "Show", "Open, first due first", SHOWN[1:]),
        FilterField("stage", "Stage", "Any stage", tuple(Option(s.value, s.label) for s in Stage)),
        FilterField("team", "Team", "Any team", words.teams),
        FilterField("owner", "Owner", "Anybody", people),
        FilterField("service", "Service", "Any service", words.services),
        FilterField("category", "Kind of problem", "Any kind", words.categories),
        FilterField("office", "Office", "Any office", words.offices),
        FilterField("channel", "Came by", "Any way", words.channels),
        FilterField("severity", "How grave", "Any", words.severities),
    )


def _chosen(asked: Mapping[str, str], fields: tuple[FilterField, ...]) -> list[Chosen]:
    labels = {(field.name, option.value): option.label for field in fields for option in field.options}
    labels |= {("state", state.value): state.label for state in State}
    told = {name: value for name, value in asked.items() if value}
    chosen = [
        Chosen(f"“{value}”" if name == "q" else labels.get((name, value), value), name) for name, value in told.items()
    ]
    return [Chosen(each.label, "/queue?" + address_with(asked, **{each.without: None})) for each in chosen]


def _views(asked: Mapping[str, str]) -> list[Link]:
    views = {
        "All open": {},
        "Mine": {"owner": ME},
        "New": {"state": State.IN_TRIAGE.value},
        "Late": {"show": LATE},
        "To approve": {"state": State.AWAITING_APPROVAL.value},
        "Closed": {"show": CLOSED},
    }
    here = address_with(asked)
    return [Link(label, "/queue?" + address_with(told), address_with(told) == here) for label, told in views.items()]


def _whose(asked: Mapping[str, str], place: Place) -> str:
    """Return whose complaints a list holds."""
    if asked["owner"]:
        return "Your own complaints" if asked["owner"] == ME else f"Complaints of {place.words.person(asked['owner'])}"
    return f"Complaints of the {place.words.team(asked['team'])}" if asked["team"] else "Complaints of all teams"


def _caption(asked: Mapping[str, str]) -> str:
    if asked["q"]:
        return "What was found, the newest first"
    return {
        LATE: "Late, the longest first",
        CLOSED: "Closed, the newest first",
        ALL: "All, the newest first",
    }.get(asked["show"] or OPEN, "Open, first due first")
