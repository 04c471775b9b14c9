# SPDX-License-Identifier: Apache-2.0
"""The supervisor's pages: signals with their evidence and decision, and the workload with broken promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError

from api.deciding import decide_on
from api.identity import Given, who
from api.pages.asking import errors_of
from api.pages.charts import Charts, ChartView, Week
from api.pages.fix_words import verdict_words
from api.pages.forms import Faults, Form, Sent, sent
from api.pages.lists import address_with, lines_of
from api.pages.place import Place, place_of
from api.pages.site import ANALYSTS, DECIDERS, LEADERS, PageRoute, to
from api.pages.words import Option, Pair, Words, counted, number, state_words
from api.problems import NotFound, Unprocessable, faults_of
from api.reads.cases import Filter, cases
from api.reads.fixes import FamilyPrecision, FixRow, fix_row, fixes, fixes_of_signals, precision_by_family
from api.reads.paging import LONGEST_PAGE
from api.reads.people import Staff
from api.reads.queues import LATE_COUNTED, Workload, workload_at
from api.reads.signals import (
    SignalCase,
    SignalDecision,
    SignalRow,
    SignalWeek,
    Twins,
    cases_behind,
    decisions_of,
    signal_by_id,
    signals,
    twins_among,
    twins_of,
    weeks_of,
)
from api.shapes_registers import DecisionAsked
from api.writes.audit import Looked, note_read
from models.refusals import Refused
from models.terms import Role, Stage, State

router = APIRouter(include_in_schema=False, route_class=PageRoute)
_charts = Charts()
SIGNALS_SHOWN = 50
CASES_SHOWN = 25
BREACHES_SHOWN = 15
REASON_LIMIT = 4_000
FINEST_SHARE = 0.001
FIXES_OFFERED = 200
OPEN_A_FIX, KNOWN_CAUSE, NOT_A_PROBLEM, NEED_MORE = "accept", "link", "reject", "defer"
DECISIONS = (
    Option(OPEN_A_FIX, "Open a fix: this is a failure of our process, and we mend it"),
    Option(KNOWN_CAUSE, "Known cause: a fix that is open deals with it"),
    Option(NOT_A_PROBLEM, "Not a problem: there is another explanation"),
    Option(NEED_MORE, "Need more: look at it again on a day"),
)
_DECIDED = {"accept": "Taken up by a fix", "reject": "Not a problem", "defer": "Put off"}
_NEXT = {
    "accept": "The fix says who does what, and by when. The weekly look goes on counting here, and shows whether it "
    "worked.",
    "reject": "The weekly look goes on counting; the same failure seen again in the weeks to come stays this signal.",
    "defer": "On that day it stands under “To decide” again.",
}
MEASURES = {"cause": "by root cause, as we coded it", "intake": "by kind of problem, as people told it"}
"""What a signal counts."""


@dataclass(frozen=True, slots=True)
class SignalLine:
    """A signal in the list."""

    id: UUID
    title: str
    sentence: str
    observed: int
    expected: str
    since: str
    decide_by: str
    is_late: bool
    decision: str
    measure: str


@dataclass(frozen=True, slots=True)
class Matter:
    """Signals of one matter; mostly one alone."""

    signals: list[SignalLine]


@dataclass(frozen=True, slots=True)
class SignalGroup:
    """Matters that wait, or are decided."""

    name: str
    label: str
    empty: str
    matters: list[Matter]


@dataclass(frozen=True, slots=True)
class TwinView:
    """Another signal that counts the same complaints."""

    href: str
    title: str
    measure: str
    shared: str
    decision: str


@dataclass(frozen=True, slots=True)
class DecisionView:
    """What was decided, by whom and why."""

    label: str
    at: str
    by: str
    reason: str
    next: str


@dataclass(frozen=True, slots=True)
class FixLink:
    """The fix that deals with a signal."""

    href: str
    title: str
    state: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class PrecisionLine:
    """How often the signals of a family were taken up."""

    label: str
    share: str
    told: str


@dataclass(frozen=True, slots=True)
class SignalView:
    """One signal with its figures and decisions."""

    id: UUID
    title: str
    raised_on: str
    sentences: tuple[str, ...]
    figures: tuple[Pair, ...]
    counted: str
    decisions: tuple[DecisionView, ...]
    is_decided: bool
    twins: tuple[TwinView, ...]


@dataclass(frozen=True, slots=True)
class BehindLine:
    """An issue of a complaint behind a signal."""

    href: str
    reference: str
    title: str
    place: str
    because: str
    state: str
    owner: str
    received: str


@router.get("/signals")
async def signal_list(request: Request, services: Given, person: Annotated[Staff, Depends(who(*ANALYSTS))]) -> Response:
    """Show the signals: all that wait for a decision first, however old, then page by page what was decided."""
    place = await place_of(services, person)
    today = place.times.on(place.now)
    cursor = request.query_params.get("after") or None
    async with services.database.of(person.agency) as connection:
        undecided = await signals(connection, only_undecided=True, today=today, cursor=None, limit=LONGEST_PAGE)
        page = await signals(connection, only_undecided=False, today=today, cursor=cursor, limit=SIGNALS_SHOWN)
        decided = [row for row in page.rows if not row.is_undecided(today)]
        twins = await twins_among(connection, (*undecided.rows, *decided), place.policy.taxonomy)
        precision = await precision_by_family(connection)
        await note_read(connection, person.agency, person.actor, Looked.SIGNAL, asked={"page": "signals"})
    groups = [
        SignalGroup(
            "open", "To decide", "No signal waits for a decision.", _matters(undecided.rows, twins, place, today)
        ),
        SignalGroup("decided", "Decided", "None has been decided yet.", _matters(decided, twins, place, today)),
    ]
    older = f"/signals?after={page.next_cursor}" if page.next_cursor else ""
    return place.page(
        request,
        "signals",
        "staff/signals.html",
        groups=groups,
        older=older,
        precision=[_precision(each, place) for each in precision],
    )


def _precision(each: FamilyPrecision, place: Place) -> PrecisionLine:
    what = place.words.family(each.family) if each.measure == "cause" else "As people told it"
    told = f"{each.accepted} of {counted(each.decided, 'decided signals')}"
    return PrecisionLine(what or "All complaints", f"{each.accepted / each.decided:.0%}", told)


def _matters(rows: Sequence[SignalRow], twins: Sequence[Twins], place: Place, today: date) -> list[Matter]:
    """Return signals with their twins beside them, in the order in which the first of each stands."""
    left = {row.id: row for row in rows}
    matters = []
    while left:
        together = [left.pop(next(iter(left)))]
        for row in together:  # grows: a twin may have another
            others = filter(None, (pair.other(row.id) for pair in twins))
            together += [left.pop(other.id) for other in others if other.id in left]
        matters.append(Matter([_line(row, place, today) for row in together]))
    return matters


def title_of(row: SignalRow, place: Place) -> str:
    """Return what a signal is about, in a line."""
    return " · ".join(_named(row, place))


def _named(row: SignalRow, place: Place) -> tuple[str, ...]:
    words = place.words
    what = words.term(row.code) or ("" if row.measure == "intake" else words.family(row.family)) or "All complaints"
    return tuple(part for part in (what, words.service(row.service), words.office(row.office)) if part)


def sentences_of(row: SignalRow, place: Place) -> tuple[str, ...]:
    """Return what the weekly look said of a signal, below its title: without the title, days as on all pages."""
    name, began = ", ".join(_named(row, place)), row.began_week
    told = (sentence.replace(f"{began.day} {began:%B %Y}", place.times.day(began)) for sentence in row.sentences)
    return tuple(sentence.removeprefix(f"{name}: ") for sentence in told)


def _line(row: SignalRow, place: Place, today: date) -> SignalLine:
    is_undecided = row.is_undecided(today)
    return SignalLine(
        id=row.id,
        title=title_of(row, place),
        sentence=next(iter(sentences_of(row, place)), ""),
        observed=row.observed,
        expected=number(row.expected),
        since=place.times.day(row.began_week),
        decide_by=place.times.day(row.decide_by),
        is_late=is_undecided and row.decide_by < today,
        decision=""
        if is_undecided
        else f"{_DECIDED[row.decision or 'reject']} by {place.words.person(row.decided_by)}",
        measure=MEASURES[row.measure],
    )


@router.get("/signals/{signal_id}")
async def signal_page(
    request: Request, signal_id: UUID, services: Given, person: Annotated[Staff, Depends(who(*ANALYSTS))]
) -> Response:
    """Show one signal: what it says, its chart, the complaints behind it, and the decision."""
    place = await place_of(services, person)
    return await _page(request, place, signal_id, Form())


async def _page(
    request: Request, place: Place, signal_id: UUID, form: Form, *, status: int = HTTPStatus.OK
) -> Response:
    person = place.person
    async with place.services.database.of(person.agency) as connection:
        row = await signal_by_id(connection, signal_id)
        if row is None:
            raise NotFound("There is no such signal.")
        weeks = await weeks_of(connection, signal_id)
        decided = await decisions_of(connection, signal_id)
        cursor = request.query_params.get("after") or None
        taxonomy = place.policy.taxonomy
        behind = await cases_behind(connection, row, taxonomy, cursor=cursor, limit=CASES_SHOWN, is_counted=True)
        twins = await twins_of(connection, row, taxonomy, today=place.times.on(place.now))
        dealt_with = (await fixes_of_signals(connection, [signal_id])).get(signal_id)
        open_fixes = (await fixes(connection, only_open=True, cursor=None, limit=FIXES_OFFERED)).rows
        fix = await fix_row(connection, dealt_with.fix_id) if dealt_with else None
        await note_read(connection, person.agency, person.actor, Looked.SIGNAL, asked={"signal": str(signal_id)})
    return place.page(
        request,
        "signals",
        "staff/signal.html",
        status=status,
        signal=_view(row, decided, twins, place),
        chart=await _chart(row, weeks, place),
        rows=[_behind(case, place) for case in behind.rows],
        older=f"/signals/{signal_id}?after={behind.next_cursor}#behind" if behind.next_cursor else "",
        may_decide=person.role in DECIDERS,
        decisions=[option for option in DECISIONS if option.value in _possible(fix, open_fixes)],
        fix=_fix_link(fix) if fix else None,
        open_fixes=[Option(str(each.fix.id), each.title) for each in open_fixes],
        form=form if form.values else _decision_form(row, fix, place),
    )


def _possible(fix: FixRow | None, open_fixes: Sequence[FixRow]) -> set[str]:
    """Return the answers that can be given: one open fix is enough for a signal, and a link needs one to link to."""
    can = {NOT_A_PROBLEM, NEED_MORE}
    if fix is None or fix.fix.state.is_final:
        can.add(OPEN_A_FIX)
    return can | {KNOWN_CAUSE} if open_fixes else can


def _decision_form(row: SignalRow, fix: FixRow | None, place: Place) -> Form:
    values = {"fix_title": title_of(row, place), "fix_owner": place.person.name}
    return Form(values | {"fix_id": str(fix.fix.id)} if fix else values)


def _fix_link(row: FixRow) -> FixLink:
    fix = row.fix
    return FixLink(f"/fixes/{fix.id}", row.title, verdict_words(fix) or fix.state.label, not fix.state.is_final)


def _view(row: SignalRow, decided: tuple[SignalDecision, ...], twins: tuple[Twins, ...], place: Place) -> SignalView:
    times = place.times
    counted_until = row.counted_before - timedelta(days=1)
    figures = (
        Pair("Seen", f"{row.observed} in {_window(row)}"),
        Pair("Counted from", times.day(row.counted_from)),
        Pair("Counted to", times.day(counted_until)),
        Pair("Expected", number(row.expected)),
        Pair("Unusual from", str(row.threshold + 1)),
        Pair("Since the week of", times.day(row.began_week)),
        Pair("Looked at", times.day(row.as_of)),
        Pair("Chance of a false alarm", _share(row.q_value)),
        Pair("Decide by", times.day(row.decide_by)),
    )
    decisions = tuple(
        DecisionView(
            label=_DECIDED[each.decision] + (f" until {times.day(each.defer_until)}" if each.defer_until else ""),
            at=times.moment(each.decided_at),
            by=place.words.person(each.decided_by),
            reason=each.reason,
            next=_NEXT[each.decision] if index == 0 else "",
        )
        for index, each in enumerate(decided)
    )
    return SignalView(
        id=row.id,
        title=title_of(row, place),
        raised_on=times.day(row.raised_on),
        sentences=sentences_of(row, place),
        figures=figures,
        counted=f"received from {times.day(row.counted_from)} to {times.day(counted_until)}",
        decisions=decisions,
        is_decided=not row.is_undecided(times.on(place.now)),
        twins=tuple(_twin(pair, row, place) for pair in twins),
    )


def _twin(pair: Twins, row: SignalRow, place: Place) -> TwinView:
    other = pair.cause if row.id == pair.intake.id else pair.intake
    is_undecided = other.is_undecided(place.times.on(place.now))
    return TwinView(
        href=f"/signals/{other.id}",
        title=title_of(other, place),
        measure=MEASURES[other.measure],
        shared=counted(pair.shared, "complaints"),
        decision="not decided yet" if is_undecided else _DECIDED[other.decision or "reject"].lower(),
    )


def _window(row: SignalRow) -> str:
    return counted(row.window_weeks, "weeks")


def _share(share: float) -> str:
    """Return a small share as a percentage; finer than a tenth of one says nothing."""
    return f"{share:.1%} of such signals" if share >= FINEST_SHARE else f"under {FINEST_SHARE:.1%} of such signals"


async def _chart(row: SignalRow, weeks: tuple[SignalWeek, ...], place: Place) -> ChartView | None:
    if not weeks:
        return None
    series: dict[str, list[Any]] = weeks[0].evidence["series"]
    columns = (series["weeks"], series["observed"], series["expected"], series["upper_band"])
    told = tuple(Week(*values) for values in zip(*columns, strict=True))
    window = "week" if row.window_weeks == 1 else f"{row.window_weeks} weeks"
    # Whole weeks are judged: the last one may have ended some days before the day of the look.
    ended_on = row.counted_before - timedelta(days=1)
    caption = (
        f"{counted(row.observed, 'complaints')} in the {window} to {place.times.day(ended_on)}: "
        f"{number(row.expected)} were expected, and more than {row.threshold} is unusual."
    )
    rounded = tuple(
        replace(week, week=place.times.day(date.fromisoformat(week.week)), expected=round(week.expected, 1))
        for week in told
    )
    return ChartView(caption, await _charts.weekly(told, row.began_week.isoformat()), tuple(reversed(rounded)))


def _behind(case: SignalCase, place: Place) -> BehindLine:
    words = place.words
    where = (words.service(case.service), words.office(case.office))
    return BehindLine(
        href=f"/cases/{case.case_id}",
        reference=case.reference,
        title=words.term(case.code),
        place=" · ".join(part for part in where if part),
        because=_because(case, words),
        state=state_words(State(case.state)),
        owner=words.person(case.owner) or "nobody",
        received=place.times.day(case.received_on),
    )


def _because(case: SignalCase, words: Words) -> str:
    if case.failure is not None:
        return words.failure(case.failure, case.contributing_cause)
    return words.no_failure(case.no_failure) if case.no_failure is not None else "not coded yet"


@router.post("/signals/{signal_id}/decisions")
async def decide(
    request: Request, signal_id: UUID, services: Given, person: Annotated[Staff, Depends(who(*DECIDERS))]
) -> Response:
    """Record what the supervisor decides, and why; the same form twice decides once."""
    form = await sent(request)
    place = await place_of(services, person)
    try:
        await decide_on(services, person, signal_id, _decided(form), key=form.key)
    except (Faults, Unprocessable) as wrong:
        errors = wrong.errors if isinstance(wrong, Faults) else errors_of(wrong)
        return await _page(request, place, signal_id, form.again(errors), status=HTTPStatus.UNPROCESSABLE_ENTITY)
    except Refused as reason:
        again = form.again({"": place.words.sentence(reason)})
        return await _page(request, place, signal_id, again, status=HTTPStatus.CONFLICT)
    return to(f"/signals/{signal_id}?done=decided")


def _decided(form: Sent) -> DecisionAsked:
    decision = form.code("decision", {option.value for option in DECISIONS}, missing="Choose what you decide.")
    reason = form.text("reason", missing="Give the reason; others will read it.", limit=REASON_LIMIT)
    is_later, is_known, is_new = decision == NEED_MORE, decision == KNOWN_CAUSE, decision == OPEN_A_FIX
    defer_until = form.day("defer_until", missing="Say on which day to look again." if is_later else "")
    fix_id = form.line("fix_id", missing="Choose the fix that deals with it." if is_known else "")
    title, owner = form.line("fix_title"), form.line("fix_owner")
    form.check()
    told = {
        "decision": "accept" if is_known else decision,
        "reason": reason,
        "defer_until": defer_until if is_later else None,
        "fix_id": fix_id if is_known else None,
        "fix_title": (title or None) if is_new else None,
        "fix_owner": (owner or None) if is_new else None,
    }
    try:
        return DecisionAsked.model_validate(told)
    except ValidationError as wrong:
        raise Faults({fault.field: "Choose one of those offered." for fault in faults_of(wrong.errors())}) from wrong


@dataclass(frozen=True, slots=True)
class Tile:
    """A number on the way to a list."""

    label: str
    count: str
    href: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class LoadLine:
    """A team or a person, with how much they have."""

    label: str
    open: int
    late: int
    href: str


@router.get("/workload")
async def workload_page(
    request: Request, services: Given, person: Annotated[Staff, Depends(who(*LEADERS))]
) -> Response:
    """Show how much there is, where it stands, what is late and what waits for approval."""
    place = await place_of(services, person)
    late, approval = Filter(is_overdue=True), Filter(state=State.AWAITING_APPROVAL)
    async with services.database.of(person.agency) as connection:
        load = await workload_at(connection, place.now)
        breaches = (await cases(connection, late, cursor=None, limit=BREACHES_SHOWN, now=place.now)).rows
        approvals = (await cases(connection, approval, cursor=None, limit=CASES_SHOWN, now=place.now)).rows
        await note_read(connection, person.agency, person.actor, Looked.LIST, asked={"page": "workload"})
    return place.page(
        request,
        "workload",
        "staff/workload.html",
        tiles=_tiles(load),
        breaches=lines_of(breaches, place.words, place.times, place.now, listed_as=address_with({}, show="late")),
        approvals=lines_of(
            approvals, place.words, place.times, place.now,
            listed_as=address_with({}, state=State.AWAITING_APPROVAL.value),
        ),
        shows_cases=person.role is Role.SUPERVISOR,
        teams=[
            LoadLine(place.words.team(team), count, load.late_by_team.get(team, 0), f"/queue?team={team}")
            for team, count in sorted(load.by_team.items(), key=lambda item: -item[1])
        ],
        people=[
            LoadLine(place.words.person(name), count, 0, f"/queue?owner={name}")
            for name, count in sorted(load.by_owner.items(), key=lambda item: -item[1])
        ],
    )  # fmt: skip


def _tiles(load: Workload) -> list[Tile]:
    tiles = [
        Tile("open", f"{load.open:,}", "/queue"),
        Tile(
            "late",
            f"{load.late:,}{'+' if load.late >= LATE_COUNTED else ''}",
            "/queue?show=late",
            "late" if load.late else "",
        ),
    ]
    return tiles + [
        Tile(f"in {stage.label.lower()}", f"{load.by_stage.get(stage.value, 0):,}", f"/queue?stage={stage.value}")
        for stage in Stage
        if stage is not Stage.CLOSED
    ]
