# SPDX-License-Identifier: Apache-2.0
"""One signal: what it says, its chart, what is behind it, what else speaks of it, and the decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError

from api.deciding import attach, decide_on
from api.identity import Given, who
from api.pages.asking import errors_of
from api.pages.charts import CHARTS, ChartView, Week
from api.pages.evidence import grouped
from api.pages.fix_words import verdict_words
from api.pages.forms import Faults, Form, Sent, sent
from api.pages.place import Place, place_of
from api.pages.signal_card import card_of
from api.pages.signal_rank import rank_of
from api.pages.signal_words import (
    DECISIONS,
    DECISIONS_ON_A_TWIN,
    KNOWN_CAUSE,
    MEASURES,
    NEED_MORE,
    NOT_A_PROBLEM,
    OPEN_A_FIX,
    OPEN_A_SECOND,
    SOURCES,
    decision_words,
    kind_of,
    rule_of,
    seen_words,
    sentences_of,
    stands_words,
    state_words,
    title_of,
)
from api.pages.site import ANALYSTS, DECIDERS, PageRoute, to
from api.pages.words import Option, Words, counted, number
from api.pages.words import state_words as words_of_state
from api.problems import NotFound, Unprocessable, faults_of
from api.reads.fixes import FixRow, fix_row, fixes, fixes_of_signals, open_fixes_of
from api.reads.people import Staff
from api.reads.signal_cases import SignalCase, Twins, cases_behind, twins_of
from api.reads.signals import (
    SignalDecision,
    SignalEvidence,
    SignalRow,
    SignalWeek,
    Standing,
    Viewed,
    decisions_of,
    evidence_of,
    signal_by_id,
    standings_of,
    weeks_of,
)
from api.reads.text import Drift, coding
from api.shapes_signals import DecisionAsked, SignalEvidenceAsked
from api.writes.audit import Looked, note_read
from models.refusals import Refused
from models.signals import SignalKind, SignalState
from models.terms import State

router = APIRouter(include_in_schema=False, route_class=PageRoute)
ISSUES_SHOWN = 25
REASON_LIMIT = 4_000
FIXES_OFFERED = 200
EVIDENCE_FORM = "evidence-"


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
class SignalView:
    """One signal with its figures and decisions."""

    id: UUID
    title: str
    kind: str
    measure: str
    since: str
    stands: str
    """By when it is to be decided, or what became of it."""
    is_late: bool
    due_on: str
    sentences: tuple[str, ...]
    became: str
    """What the days have made of it."""
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


@dataclass(frozen=True, slots=True)
class _Read:
    """What the record holds of a signal."""

    row: SignalRow
    standings: Mapping[UUID, Standing]
    """Of the signal and of its twins."""
    weeks: tuple[SignalWeek, ...]
    decided: tuple[SignalDecision, ...]
    evidence: tuple[SignalEvidence, ...]
    twins: tuple[Twins, ...]
    drifts: tuple[Drift, ...]

    @property
    def standing(self) -> Standing:
        """Where the signal itself stands."""
        return self.standings[self.row.id]


@router.get("/signals/{signal_id}")
async def signal_page(
    request: Request, signal_id: UUID, services: Given, person: Annotated[Staff, Depends(who(*ANALYSTS))]
) -> Response:
    """Show one signal: what it says, its chart, the complaints behind it, and the decision."""
    place = await place_of(services, person)
    return await _page(request, place, signal_id)


async def _page(
    request: Request,
    place: Place,
    signal_id: UUID,
    *,
    form: Form | None = None,
    evidence_form: Form | None = None,
    status: int = HTTPStatus.OK,
) -> Response:
    person = place.person
    async with place.services.database.of(person.agency) as connection:
        row = await signal_by_id(connection, signal_id)
        if row is None:
            raise NotFound("There is no such signal.")
        at = Viewed.under(place.policy, place.times.on(place.now))
        twins = await twins_of(connection, row, place.policy, at=at)
        others = [pair.other_than(signal_id).id for pair in twins]
        read = _Read(
            row,
            await standings_of(connection, [signal_id, *others], at),
            await weeks_of(connection, signal_id),
            await decisions_of(connection, signal_id),
            await evidence_of(connection, [signal_id]),
            twins,
            (await coding(connection)).drifts,
        )
        cursor = request.query_params.get("after") or None
        behind = await cases_behind(connection, row, place.policy, cursor=cursor, limit=ISSUES_SHOWN, is_counted=True)
        dealt_with = (await fixes_of_signals(connection, [signal_id])).get(signal_id)
        open_fixes = (await fixes(connection, only_open=True, cursor=None, limit=FIXES_OFFERED)).rows
        fix = await fix_row(connection, dealt_with.fix_id) if dealt_with else None
        of_twin = next(iter((await open_fixes_of(connection, others)).values()), None)
        await note_read(connection, person.agency, person.actor, Looked.SIGNAL, asked={"signal": str(signal_id)})
    return place.page(
        request,
        "signals",
        "staff/signal.html",
        status=status,
        signal=_view(read, place),
        card=card_of(row, read.weeks[0], read.drifts, place) if read.weeks else None,
        rank=rank_of(row, read.weeks[0], [pair.other_than(row.id) for pair in twins], place) if read.weeks else None,
        chart=await _chart(read, place),
        rows=[_behind(case, place) for case in behind.rows],
        older=f"/signals/{signal_id}?after={behind.next_cursor}#behind" if behind.next_cursor else "",
        evidence=grouped(read.evidence, place),
        sources=SOURCES,
        evidence_form=evidence_form or Form(prefix=EVIDENCE_FORM),
        may_decide=person.role in DECIDERS,
        decisions=_possible(fix, of_twin, open_fixes),
        new_fix=(OPEN_A_FIX, OPEN_A_SECOND),
        fix=_fix_link(fix) if fix else None,
        fix_of_twin=_fix_link(of_twin) if of_twin and not _is_dealt_with(fix) else None,
        open_fixes=[Option(str(each.fix.id), each.title) for each in open_fixes],
        form=form or _decision_form(row, fix if _is_dealt_with(fix) else of_twin, place),
    )


def _is_dealt_with(fix: FixRow | None) -> bool:
    return fix is not None and not fix.fix.state.is_final


def _possible(fix: FixRow | None, of_twin: FixRow | None, open_fixes: Sequence[FixRow]) -> list[Option]:
    """Return the answers that can be given: one open fix is enough for a signal, and a link needs one to link to."""
    can = {NOT_A_PROBLEM, NEED_MORE}
    if not _is_dealt_with(fix):
        can |= {OPEN_A_FIX, OPEN_A_SECOND}
    if open_fixes:
        can.add(KNOWN_CAUSE)
    return [option for option in (DECISIONS_ON_A_TWIN if of_twin else DECISIONS) if option.value in can]


def _decision_form(row: SignalRow, fix: FixRow | None, place: Place) -> Form:
    """Return the form with the fix to link to filled in, where one is known: the signal's own, or its twin's."""
    values = {"fix_title": title_of(row, place), "fix_owner": place.person.name}
    return Form(values | {"fix_id": str(fix.fix.id)} if fix else values)


def _fix_link(row: FixRow) -> FixLink:
    fix = row.fix
    return FixLink(f"/fixes/{fix.id}", row.title, verdict_words(fix) or fix.state.label, not fix.state.is_final)


def _view(read: _Read, place: Place) -> SignalView:
    row, standing, times = read.row, read.standing, place.times
    counted_until = row.counted_before - timedelta(days=1)
    return SignalView(
        id=row.id,
        title=title_of(row, place),
        kind=kind_of(row),
        measure=MEASURES[row.measure],
        since=times.day(row.since_week),
        stands=stands_words(row, standing, place),
        is_late=standing.is_late(times.on(place.now)),
        due_on=times.day(standing.due_on) if standing.waits else "",
        sentences=sentences_of(row),
        became=state_words(standing, place.policy, place),
        counted=f"received from {times.day(row.counted_from)} to {times.day(counted_until)}",
        decisions=tuple(_decision(read, number, place) for number in range(len(read.decided))),
        is_decided=bool(read.decided) and not standing.waits,
        twins=tuple(_twin(pair, read, place) for pair in read.twins),
    )


def _decision(read: _Read, place_in_time: int, place: Place) -> DecisionView:
    """Return a decision as the page shows it; what follows is said of the last one alone."""
    decided, times = read.decided[place_in_time], place.times
    label = decision_words(decided.decision, is_known=decided.fix_id is not None)
    return DecisionView(
        label=label + (f" until {times.day(decided.defer_until)}" if decided.defer_until else ""),
        at=times.moment(decided.decided_at),
        by=place.words.person(decided.decided_by),
        reason=decided.reason,
        next=rule_of(decided, read.standing, read.weeks, place) if place_in_time == 0 else "",
    )


def _twin(pair: Twins, read: _Read, place: Place) -> TwinView:
    other = pair.other_than(read.row.id)
    states = {SignalState.TO_DECIDE: "waits for a decision", SignalState.EXPIRED: "expired"}
    return TwinView(
        href=f"/signals/{other.id}",
        title=title_of(other, place),
        measure=MEASURES[other.measure],
        shared=counted(pair.shared, "complaints") if pair.is_all else f"at least {counted(pair.shared, 'complaints')}",
        decision=states.get(read.standings[other.id].state) or decision_words(other.decision).lower(),
    )


async def _chart(read: _Read, place: Place) -> ChartView | None:
    if not read.weeks or not read.weeks[0].evidence.get("series"):
        return None
    row, evidence = read.row, read.weeks[0].evidence
    series: Mapping[str, list[Any]] = evidence["series"]
    columns = (series["weeks"], series["observed"], series["expected"], series["upper_band"])
    told = tuple(Week(*values) for values in zip(*columns, strict=True))
    window = "week" if row.window_weeks == 1 else f"{row.window_weeks} weeks"
    # Whole weeks are judged: the last one may have ended some days before the day of the look.
    ended_on = row.counted_before - timedelta(days=1)
    than = {
        SignalKind.SURGE: f", and more than {row.threshold} is unusual",
        SignalKind.STANDING: ", were it as elsewhere",
        SignalKind.CREEP: "",
    }
    caption = (
        f"{seen_words(row.observed, evidence)} in the {window} to {place.times.day(ended_on)}: "
        f"{number(row.expected)} were expected{than[row.seen_as]}."
    )
    rounded = tuple(
        replace(week, week=place.times.day(date.fromisoformat(week.week)), expected=round(week.expected, 1))
        for week in told
    )
    drawn = await CHARTS.weekly(told, row.since_week.isoformat())
    return ChartView(caption, drawn, tuple(reversed(rounded)))


def _behind(case: SignalCase, place: Place) -> BehindLine:
    words = place.words
    where = (words.service(case.service), words.office(case.office))
    issue = f"issue {case.number} of {case.issues}" if case.issues > 1 else ""
    return BehindLine(
        href=f"/cases/{case.case_id}",
        reference=case.reference,
        title=words.term(case.code),
        place=" · ".join(part for part in (issue, *where) if part),
        because=_because(case, words),
        state=words_of_state(State(case.state)),
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
        again = form.again(errors)
        return await _page(request, place, signal_id, form=again, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    except Refused as reason:
        again = form.again({"": place.words.sentence(reason)})
        return await _page(request, place, signal_id, form=again, status=HTTPStatus.CONFLICT)
    return to(f"/signals/{signal_id}?done=decided")


def _decided(form: Sent) -> DecisionAsked:
    offered = {option.value for option in (*DECISIONS, *DECISIONS_ON_A_TWIN)}
    decision = form.code("decision", offered, missing="Choose what you decide.")
    reason = form.text("reason", missing="Give the reason; others will read it.", limit=REASON_LIMIT)
    is_later, is_known, is_second = decision == NEED_MORE, decision == KNOWN_CAUSE, decision == OPEN_A_SECOND
    is_new = is_second or decision == OPEN_A_FIX
    # Only the fields of the decision that is chosen are shown, and only they are read.
    defer_until = form.day("defer_until", missing="Say on which day to look again.") if is_later else None
    fix_id = form.line("fix_id", missing="Choose the fix that deals with it.") if is_known else None
    title, owner = (form.line("fix_title"), form.line("fix_owner")) if is_new else ("", "")
    form.check()
    told = {
        "decision": OPEN_A_FIX if is_known or is_second else decision,
        "reason": reason,
        "defer_until": defer_until,
        "fix_id": fix_id,
        "fix_title": title or None,
        "fix_owner": owner or None,
        "opens_second_fix": is_second,
    }
    try:
        return DecisionAsked.model_validate(told)
    except ValidationError as wrong:
        raise Faults({fault.field: "Choose one of those offered." for fault in faults_of(wrong.errors())}) from wrong


@router.post("/signals/{signal_id}/evidence")
async def attach_evidence(
    request: Request, signal_id: UUID, services: Given, person: Annotated[Staff, Depends(who(*ANALYSTS))]
) -> Response:
    """Lay something beside the signal that is no complaint; the same form twice does it once."""
    form = await sent(request)
    place = await place_of(services, person)
    try:
        await attach(services, person, signal_id, _attached(form), key=form.key)
    except (Faults, Unprocessable) as wrong:
        errors = wrong.errors if isinstance(wrong, Faults) else errors_of(wrong)
        again = form.again(errors, prefix=EVIDENCE_FORM)
        return await _page(request, place, signal_id, evidence_form=again, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    except Refused as reason:
        again = form.again({"": place.words.sentence(reason)}, prefix=EVIDENCE_FORM)
        return await _page(request, place, signal_id, evidence_form=again, status=HTTPStatus.CONFLICT)
    return to(f"/signals/{signal_id}?done=attached#evidence")


def _attached(form: Sent) -> SignalEvidenceAsked:
    source = form.code("source", {option.value for option in SOURCES}, missing="Say where it comes from.")
    words = form.text("words", missing="Say what it shows.", limit=REASON_LIMIT)
    people_count, gathered_on = form.number("people_count"), form.day("gathered_on")
    form.check()
    told = {"source": source, "words": words, "people_count": people_count, "gathered_on": gathered_on}
    try:
        return SignalEvidenceAsked.model_validate(told)
    except ValidationError as wrong:
        raise Faults({fault.field: "This number is too large." for fault in faults_of(wrong.errors())}) from wrong
