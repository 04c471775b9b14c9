# SPDX-License-Identifier: Apache-2.0
"""Systemic fixes on pages: the list, and one fix with everything a supervisor needs to lead it to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from http import HTTPStatus
from itertools import groupby
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from api.cells import by_kind, name_of_cell
from api.deciding import open_asked
from api.fixes import READERS, WORKERS, opened_fix
from api.fixing import act_on_fix
from api.identity import Given, who
from api.pages.asking import errors_of
from api.pages.charts import Charts, CourseView, CourseWeek
from api.pages.fix_forms import (
    PAGE_ACTIONS,
    WHYS,
    Proposal,
    Told,
    asked_of,
    choices_of,
    plan_form,
    proposal_of,
    spelled,
)
from api.pages.fix_words import ACTIONS, BUTTONS, DONE, OCCASIONS, VERDICTS, draft_of, verdict_words
from api.pages.forms import Faults, Form, sent, sent_with_file
from api.pages.place import Place, place_of
from api.pages.site import DECIDERS, PageRoute, to
from api.pages.words import Option, counted, number
from api.planning import counted_since, look_on
from api.problems import NotFound, Unprocessable
from api.reads.affected import exceptions_of
from api.reads.cells import cells_since
from api.reads.fixes import FixDossier, FixRow, StoredFixEvent, fixes
from api.reads.people import Staff
from api.reads.signals import SignalRow, signal_by_id
from api.services import Services
from api.shapes_fixes import FixAsked, FixView
from api.views_fixes import fix_view, next_step, refs_in, rhythm_of
from api.writes.audit import Looked, note_read
from models.aggregates import Cell
from models.fixes.commands import CellRef, Look
from models.fixes.fix import Fix
from models.fixes.terms import EvidenceSource, FixAction, FixState, Occasion
from models.policy import Policy
from models.refusals import Refused
from models.terms import Role

router = APIRouter(include_in_schema=False, route_class=PageRoute)
_charts = Charts()
FIXES_SHOWN = 50
_UNGUARDED = frozenset({FixAction.NOTE, FixAction.ASSIGN, FixAction.ADD_CAUSE, FixAction.ADD_EVIDENCE})
"""Actions that stay right when somebody else has done something meanwhile."""
_HELPS = {"notify": "told", "remedy": "told what is put right for them"}
_REDUCTIONS = (30, 50, 70)


@dataclass(frozen=True, slots=True)
class FixLine:
    """A fix in the list."""

    href: str
    title: str
    state: str
    owner: str
    next_date: str
    verdict: str
    opened: str


@dataclass(frozen=True, slots=True)
class Offer:
    """An action that may be asked for, with its form."""

    name: str
    label: str
    button: str
    form: Form
    is_next: bool
    is_open: bool


@dataclass(frozen=True, slots=True)
class NotNow:
    """An action that is refused now, with the sentence why."""

    name: str
    label: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch of the cause-and-effect list, with its chains of whys."""

    label: str
    chains: list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Source:
    """What one source has shown, counted apart."""

    label: str
    count: str
    pieces: list[str]


@dataclass(frozen=True, slots=True)
class CellLine:
    """A count that may be ticked in a plan."""

    value: str
    label: str
    per_week: str


@dataclass(frozen=True, slots=True)
class PlanProposal:
    """What the form of a plan shows beside its fields."""

    targets: list[CellLine]
    controls: list[CellLine]
    baseline: str
    looks: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class People:
    """A list of people, with how far it has come."""

    title: str
    progress: str
    words: str
    exceptions: list[str]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the story."""

    at: str
    who: str
    words: str
    texts: list[str]
    is_system: bool


@router.get("/fixes")
async def fix_list(request: Request, services: Given, person: Annotated[Staff, Depends(who(*READERS))]) -> Response:
    """List the fixes: the open ones by their state, then page by page all of them."""
    return await _list(request, services, person, Form())


async def _list(
    request: Request, services: Services, person: Staff, form: Form, *, status: int = HTTPStatus.OK
) -> Response:
    place = await place_of(services, person)
    cursor = request.query_params.get("after") or None
    shows_all = cursor is not None or request.query_params.get("show") == "all"
    async with services.database.of(person.agency) as connection:
        page = await fixes(connection, only_open=not shows_all, cursor=cursor, limit=FIXES_SHOWN)
        asked = {"page": "fixes", "show": "all" if shows_all else "open"}
        await note_read(connection, person.agency, person.actor, Looked.SIGNAL, asked=asked)
    states = [state for state in FixState if any(row.fix.state is state for row in page.rows)]
    groups = [(state.label, [_line(row, place) for row in page.rows if row.fix.state is state]) for state in states]
    return place.page(
        request,
        "fixes",
        "fixes/list.html",
        status=status,
        groups=groups,
        shows_all=shows_all,
        older=f"/fixes?show=all&after={page.next_cursor}" if page.next_cursor else "",
        may_open=person.role in DECIDERS,
        form=form,
    )


def _line(row: FixRow, place: Place) -> FixLine:
    fix = row.fix
    return FixLine(
        href=f"/fixes/{fix.id}",
        title=row.title,
        state=fix.state.label,
        owner=place.words.person(fix.owner),
        next_date=_next_date(fix, place),
        verdict=verdict_words(fix),
        opened=place.times.day(row.opened_at),
    )


def _next_date(fix: Fix, place: Place) -> str:
    if fix.state is FixState.IN_HAND:
        due = [measure.due_on for measure in fix.standing_measures if not measure.is_done]
        return f"measure due {place.times.day(min(due))}" if due else "ready to be put in place"
    if fix.state is FixState.MONITORED and fix.plan is not None:
        return f"known at the latest {place.times.day(fix.plan.look_on)}"
    return ""


@router.post("/fixes")
async def open_fix(request: Request, services: Given, person: Annotated[Staff, Depends(who(*DECIDERS))]) -> Response:
    """Open a fix that no signal asks for; the same form twice opens one."""
    form = await sent(request)
    try:
        title = form.line("title", missing="Give it a name in a line.")
        statement = form.text("statement", limit=20_000)
        form.check()
        fix_id = await open_asked(services, person, FixAsked(title=title, statement=statement or None), key=form.key)
    except (Faults, Unprocessable) as wrong:
        errors = wrong.errors if isinstance(wrong, Faults) else errors_of(wrong)
        return await _list(request, services, person, form.again(errors), status=HTTPStatus.UNPROCESSABLE_ENTITY)
    return to(f"/fixes/{fix_id}?done=fix-opened")


@router.get("/fixes/{fix_id}")
async def fix_page(
    request: Request, fix_id: UUID, services: Given, person: Annotated[Staff, Depends(who(*READERS))]
) -> Response:
    """Show a fix: where it stands, what comes next, and everything that belongs to it."""
    found = await opened_fix(services, person, fix_id)
    return await _page(request, await place_of(services, person), found)


@router.post("/fixes/{fix_id}/actions/{action}")
async def act(
    request: Request,
    fix_id: UUID,
    action: FixAction,
    services: Given,
    person: Annotated[Staff, Depends(who(*WORKERS))],
) -> Response:
    """Ask the fix's workflow to do something; what cannot be done comes back with the form as it was typed."""
    if action not in PAGE_ACTIONS:
        raise NotFound("There is no such action.")
    form = await sent_with_file(request)
    found = await opened_fix(services, person, fix_id)
    place = await place_of(services, person)
    try:
        proposal = await _proposal(found.fix, place) if action is FixAction.REGISTER else None
        choices = choices_of(found.fix, place.words, found.texts)
        told = Told(form, found.fix, choices, proposal, place.policy, place.times.on(place.now))
        asked = asked_of(action, told)
        sequence = None if action in _UNGUARDED else form.number("sequence")
        await act_on_fix(services, person.agency, person.actor, fix_id, asked, key=form.key, expected_sequence=sequence)
    except (Faults, Unprocessable) as wrong:
        errors = wrong.errors if isinstance(wrong, Faults) else errors_of(wrong)
        again = form.again(errors, prefix=f"{action.value}-")
        return await _page(request, place, found, again=(action, again), status=HTTPStatus.UNPROCESSABLE_ENTITY)
    except Refused as reason:
        now_there = await opened_fix(services, person, fix_id)
        again = form.again({"": place.words.sentence(reason)}, prefix=f"{action.value}-")
        return await _page(request, place, now_there, again=(action, again), status=HTTPStatus.CONFLICT)
    return to(f"/fixes/{fix_id}?done=acted")


async def _page(
    request: Request,
    place: Place,
    found: FixDossier,
    *,
    again: tuple[FixAction, Form] | None = None,
    status: int = HTTPStatus.OK,
) -> Response:
    fix, person = found.fix, place.person
    view = fix_view(found, person.actor, place.policy)
    may_register = FixAction.REGISTER in view.offered
    proposal = await _proposal(fix, place) if may_register else None
    offers = _offers(fix, view, place, proposal, again)
    return place.page(
        request,
        "fixes",
        "fixes/fix.html",
        status=status,
        view=view,
        fix=fix,
        href=f"/fixes/{fix.id}",
        next_step=next_step(fix, rhythm_of(place.policy), place.times.day),
        next_offer=next((offer for offer in offers.values() if offer.is_next), None),
        stages=_stages(fix),
        offers=offers,
        refused=_refused(view, place),
        choices=choices_of(fix, place.words, found.texts),
        plan=_plan_proposal(proposal, place) if proposal else None,
        cell_name=lambda ref: name_of_cell(ref, place.policy),
        day=place.times.day,
        number=number,
        branches=_branches(view),
        sources=_sources(view),
        chart=await _chart(fix, place),
        verdicts=VERDICTS,
        occasions=OCCASIONS,
        signals=await _signals(fix, place),
        people=await _people(found, place),
        steps=_steps(found, place),
        whys=range(1, WHYS + 1),
        form=again[1] if again else Form(),
    )


def _stages(fix: Fix) -> list[tuple[str, str]]:
    """Return the stages of a fix, each past, here or to come."""
    order = (FixState.WORKED_OUT, FixState.IN_HAND, FixState.MONITORED, FixState.EFFECTIVE, FixState.CLOSED)
    labels = ("Worked out", "In hand", "In place, watched weekly", "Effective", "Closed")
    here = order.index(fix.state) if fix.state in order else -1
    return [(label, "here" if place == here else "past" if place < here else "") for place, label in enumerate(labels)]


def _offers(
    fix: Fix, view: FixView, place: Place, proposal: Proposal | None, again: tuple[FixAction, Form] | None
) -> dict[str, Offer]:
    upcoming = next_action(view, fix)
    shown = [action for action in view.offered if action in PAGE_ACTIONS]
    typed = again[0] if again else None
    return {
        action.value: Offer(
            name=action.value,
            label=ACTIONS[action],
            button=BUTTONS[action],
            form=again[1] if again and action is typed else _fresh_form(action, view, place, proposal),
            is_next=action is upcoming,
            is_open=action is typed or (typed is None and action is upcoming),
        )
        for action in shown
    }


def next_action(view: FixView, fix: Fix) -> FixAction | None:
    """Return which form is likely wanted next; what may be done at all says the lifecycle."""
    wanted = {
        FixAction.DESCRIBE: view.statement is None,
        FixAction.ADD_CAUSE: not view.causes,
        FixAction.ADD_OPTION: not view.options,
        FixAction.CHOOSE_OPTION: not any(option.is_chosen for option in view.options),
        FixAction.PLAN_MEASURE: not any(not measure.is_dropped for measure in view.measures),
        FixAction.REGISTER: True,
        FixAction.SIGN_OFF: True,
        FixAction.PUT_IN_PLACE: True,
        FixAction.FINISH_MEASURE: True,
        FixAction.APPROVE_WORDS: fix.effective_on is not None and Occasion.JUDGED not in fix.approved,
    }
    return next((action for action, is_wanted in wanted.items() if is_wanted and action in view.offered), None)


def _fresh_form(action: FixAction, view: FixView, place: Place, proposal: Proposal | None) -> Form:
    today = place.times.on(place.now)
    if action is FixAction.REGISTER and proposal is not None:
        return plan_form(proposal, today)
    return Form(_first_values(action, view, today), prefix=f"{action.value}-")


def _first_values(action: FixAction, view: FixView, today: date) -> dict[str, str]:
    """Return what a form is filled in with beforehand."""
    told = {each.occasion for each in view.approved}
    is_judged = view.effective_on is not None or bool(view.rounds)
    occasion = Occasion.JUDGED if is_judged and Occasion.ACCEPTED in told else Occasion.ACCEPTED
    in_effect = max((m.effective_on for m in view.measures if m.effective_on is not None), default=today)
    values: dict[FixAction, dict[str, str]] = {
        FixAction.DESCRIBE: {"title": view.title, "statement": view.statement or ""},
        FixAction.PLAN_MEASURE: {"owner": view.owner or ""},
        FixAction.FINISH_MEASURE: {"done_on": today.isoformat()},
        FixAction.PUT_IN_PLACE: {"changed_on": in_effect.isoformat()},
        FixAction.ASSIGN: {"owner": view.owner or ""},
        FixAction.APPROVE_WORDS: {"occasion": occasion.value, "words": draft_of(view, occasion)},
        FixAction.LIST_AFFECTED: {"words": draft_of(view, Occasion.ACCEPTED)},
    }
    return values.get(action, {})


def _refused(view: FixView, place: Place) -> list[NotNow]:
    return [
        NotNow(action.value, ACTIONS[action], place.words.sentence(Refused(sentence)))
        for action, sentence in view.refused.items()
        if action in PAGE_ACTIONS
    ]


async def _proposal(fix: Fix, place: Place) -> Proposal:
    today = place.times.on(place.now)
    async with place.services.database.of(place.person.agency) as connection:
        counts = await cells_since(connection, counted_since(today))
        rows = [await signal_by_id(connection, signal_id) for signal_id in fix.signals]
    trigger = _trigger([row for row in rows if row is not None])

    def proposal() -> Proposal:
        return proposal_of(fix, by_kind(counts, place.policy), place.policy, today, trigger)

    # A year of counts takes some tenths of a second to add up; others are served meanwhile.
    return await asyncio.to_thread(proposal)


def _trigger(signals: list[SignalRow]) -> tuple[date, date] | None:
    """Return the weeks that raised the signals."""
    if not signals:
        return None
    return min(row.counted_from for row in signals), max(row.counted_before for row in signals) - timedelta(days=1)


def _plan_proposal(proposal: Proposal, place: Place) -> PlanProposal:
    if not proposal.is_chosen:
        return _choice(proposal, place)
    looks = []
    planned_on = place.times.on(place.now) + timedelta(weeks=4)
    for percent in _REDUCTIONS:
        weeks = proposal.past.weeks_needed(percent / 100)
        when = (
            f"after {weeks} weeks, so by {place.times.day(look_on(planned_on, 2, weeks))}"
            if weeks is not None
            else "hardly ever: choose more counts"
        )
        looks.append((f"A fall by {percent} percent", when))

    baseline = f"{number(proposal.past.per_week)} a week over {counted(proposal.past.weeks, 'weeks')}"
    return replace(_choice(proposal, place), baseline=baseline, looks=looks)


def _choice(proposal: Proposal, place: Place) -> PlanProposal:
    """Return what may be ticked, without any of it being proposed."""

    def line(ref: CellRef, per_week: float) -> CellLine:
        return CellLine(spelled(ref), name_of_cell(ref, place.policy), f"{number(per_week)} a week")

    return PlanProposal(
        targets=[line(ref, rate) for ref, rate in proposal.targets],
        controls=[line(each.ref, each.per_week) for each in proposal.controls],
        baseline="",
        looks=[],
    )


def _branches(view: FixView) -> list[Branch]:
    found: dict[str, list[tuple[str, ...]]] = {}
    for cause in view.causes:
        found.setdefault(cause.category.label, []).append(cause.whys)
    return [Branch(label, chains) for label, chains in found.items()]


def _sources(view: FixView) -> list[Source]:
    def told(source: EvidenceSource) -> list[str]:
        return [
            each.words + (f" ({each.people_count:,} people)" if each.people_count is not None else "")
            for each in view.evidence
            if each.source is source
        ]

    return [
        Source(
            each.source.label,
            f"{each.people_count:,} people" if each.people_count is not None else counted(each.pieces, "pieces"),
            told(each.source),
        )
        for each in view.evidence_by_source
    ]


async def _chart(fix: Fix, place: Place) -> CourseView | None:
    if fix.plan is None or fix.changed_on is None or fix.effect is None:
        return None
    async with place.services.database.of(place.person.agency) as connection:
        counts = await cells_since(connection, counted_since(fix.changed_on), fix.effect.as_of)
    # The band takes some tenths of a second to compute; others are served meanwhile.
    course = await asyncio.to_thread(_course_of, fix, counts, place.policy)
    caption = fix.effect.sentences[0] if fix.effect.sentences else VERDICTS[fix.effect.verdict]
    return CourseView(caption, await _charts.course(course, fix.changed_on), tuple(reversed(course)))


def _course_of(fix: Fix, counts: Mapping[Cell, int], policy: Policy) -> tuple[CourseWeek, ...]:
    from api.pages.effect_chart import course_of  # noqa: PLC0415 - loads numerical libraries

    return course_of(fix, counts, policy)


async def _signals(fix: Fix, place: Place) -> list[Option]:
    async with place.services.database.of(place.person.agency) as connection:
        rows = [await signal_by_id(connection, signal_id) for signal_id in fix.signals]
    return [
        Option(
            f"/signals/{row.id}", " · ".join(_parts(row, place)), meaning=f"raised on {place.times.day(row.raised_on)}"
        )
        for row in rows
        if row is not None
    ]


def _parts(row: SignalRow, place: Place) -> list[str]:
    words = place.words
    what = words.term(row.code) or ("" if row.measure == "intake" else words.family(row.family)) or "All complaints"
    return [part for part in (what, words.service(row.service), words.office(row.office)) if part]


async def _people(found: FixDossier, place: Place) -> list[People]:
    shows_names = place.person.role in {Role.SUPERVISOR, Role.CASEWORKER}
    async with place.services.database.of(place.person.agency) as connection:
        failed = await exceptions_of(connection, [each.list_id for each in found.lists]) if shows_names else ()
    return [
        People(
            title=f"{each.people_count:,} people, to be {_HELPS[each.help]}"
            + (f" ({OCCASIONS[Occasion(each.occasion)].lower()})" if each.occasion else ""),
            progress=f"{each.done_count:,} done, {each.exception_count:,} could not be reached"
            + (f"; finished on {place.times.day(each.finished_at)}" if each.finished_at else ""),
            words=found.texts.get(each.words_id, "") if each.words_id else "",
            exceptions=[
                f"No. {one.number}: {' '.join(filter(None, (one.name, one.address))) or 'no name'}: {one.reason}"
                for one in failed
                if one.list_id == each.list_id
            ],
        )
        for each in found.lists
    ]


def _steps(found: FixDossier, place: Place) -> list[Step]:
    """Return the story, the latest first; looks that follow one another are one step, told by the latest of them."""
    steps = []
    for _, alike in groupby(reversed(found.events), key=_alike):
        events = list(alike)
        event, command = events[0].event, events[0].event.command
        is_system = command.actor.role is Role.SYSTEM
        times = f" {len(events)} times" if len(events) > 1 else ""
        found_out = f": {VERDICTS[command.effect.verdict].lower()}" if isinstance(command, Look) else ""
        steps.append(
            Step(
                at=place.times.moment(event.at),
                who="Putright" if is_system else place.words.person(command.actor.name),
                words=f"{DONE[command.action]}{times}{found_out}",
                texts=[body for ref in refs_in(command) if (body := found.text(ref)) is not None],
                is_system=is_system,
            )
        )
    return steps


def _alike(stored: StoredFixEvent) -> str:
    """Return what successive events have in common that are told as one; all but looks are told one by one."""
    return "look" if isinstance(stored.event.command, Look) else str(stored.event.sequence)
