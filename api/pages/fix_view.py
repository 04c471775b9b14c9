# SPDX-License-Identifier: Apache-2.0
"""A fix as its page shows it: stages, causes, evidence, course, signals, the people on its lists, and its story."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from api.pages.charts import CHARTS, CourseView, CourseWeek
from api.pages.evidence import people_beside
from api.pages.fix_words import DONE, OCCASIONS, VERDICTS
from api.pages.place import Place
from api.pages.signal_words import title_of
from api.pages.words import Option, counted
from api.planning import counted_since
from api.reads.affected import AffectedException, exceptions_of
from api.reads.cells import cells_since
from api.reads.fixes import FixDossier, StoredFixEvent
from api.reads.signals import signal_by_id
from api.shapes_fixes import FixView
from api.views_fixes import refs_in
from models.aggregates import Cell
from models.fixes.cells import names_a_channel
from models.fixes.commands import Look
from models.fixes.fix import Fix
from models.fixes.terms import EvidenceSource, FixState, Occasion
from models.policy import Policy
from models.terms import Role

_HELPS = {"notify": "told", "remedy": "told what is put right for them"}


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
class Unreached:
    """Somebody on a list who could not be helped."""

    told: str
    href: str
    """Their complaint; "" of somebody who need not have complained."""


@dataclass(frozen=True, slots=True)
class People:
    """A list of people, with how far it has come."""

    title: str
    progress: str
    words: str
    exceptions: list[Unreached]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the story."""

    at: str
    who: str
    words: str
    texts: list[str]
    is_system: bool


def stages_of(fix: Fix) -> list[tuple[str, str]]:
    """Return the stages of a fix, each past, here or to come."""
    order = (FixState.WORKED_OUT, FixState.IN_HAND, FixState.MONITORED, FixState.EFFECTIVE, FixState.CLOSED)
    here = order.index(fix.state) if fix.state in order else -1
    return [
        (state.label, "here" if place == here else "past" if place < here else "") for place, state in enumerate(order)
    ]


def branches_of(view: FixView) -> list[Branch]:
    """Return the causes by the branches of the diagram."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for cause in view.causes:
        found.setdefault(cause.category.label, []).append(cause.whys)
    return [Branch(label, chains) for label, chains in found.items()]


def sources_of(view: FixView) -> list[Source]:
    """Return the evidence, each source counted apart."""

    def told(source: EvidenceSource) -> list[str]:
        mine = [each for each in view.evidence if each.source is source]
        people = [people_beside(each.words, each.people_count) for each in mine]
        return [each.words + (f" ({count})" if count else "") for each, count in zip(mine, people, strict=True)]

    return [
        Source(
            each.source.label,
            f"{each.people_count:,} people" if each.people_count is not None else counted(each.pieces, "pieces"),
            told(each.source),
        )
        for each in view.evidence_by_source
    ]


async def chart_of(fix: Fix, place: Place) -> CourseView | None:
    """Return the course of what the plan counts, once it has been looked at."""
    if fix.plan is None or fix.changed_on is None or fix.effect is None:
        return None
    by_channel = names_a_channel((*fix.plan.targets, *fix.plan.controls))
    async with place.services.database.of(place.person.agency) as connection:
        since = counted_since(fix.changed_on)
        counts = await cells_since(connection, since, fix.effect.as_of, by_channel=by_channel)
    # The band takes some tenths of a second to compute; others are served meanwhile.
    course = await asyncio.to_thread(_course_of, fix, counts, place.policy)
    caption = fix.effect.sentences[0] if fix.effect.sentences else VERDICTS[fix.effect.verdict]
    return CourseView(caption, await CHARTS.course(course, fix.changed_on), tuple(reversed(course)))


def _course_of(fix: Fix, counts: Mapping[Cell, int], policy: Policy) -> tuple[CourseWeek, ...]:
    from api.pages.effect_chart import course_of  # noqa: PLC0415 - loads numerical libraries

    return course_of(fix, counts, policy)


async def signals_of(fix: Fix, place: Place) -> list[Option]:
    """Return the signals that the fix deals with, as links."""
    async with place.services.database.of(place.person.agency) as connection:
        rows = [await signal_by_id(connection, signal_id) for signal_id in fix.signals]
    return [
        Option(f"/signals/{row.id}", title_of(row, place), meaning=f"raised on {place.times.day(row.raised_on)}")
        for row in rows
        if row is not None
    ]


async def people_of(found: FixDossier, place: Place) -> list[People]:
    """Return the lists of people; whom they could not help is for those who may see names."""
    shows_names = place.person.role in {Role.SUPERVISOR, Role.CASEWORKER}
    async with place.services.database.of(place.person.agency) as connection:
        failed = await exceptions_of(connection, [each.list_id for each in found.lists]) if shows_names else ()
    return [
        People(
            title=f"{each.people_count:,} people, to be {_HELPS[each.help]}"
            + (f" ({OCCASIONS[Occasion(each.occasion)].lower()})" if each.occasion else ""),
            progress=f"{each.done_count:,} done, "
            + (f"{each.posted_count:,} of them by letters to be printed and posted, " if each.posted_count else "")
            + f"{each.exception_count:,} could not be reached"
            + (f"; finished on {place.times.day(each.finished_at)}" if each.finished_at else ""),
            words=found.texts.get(each.words_id, "") if each.words_id else "",
            exceptions=[_unreached(one) for one in failed if one.list_id == each.list_id],
        )
        for each in found.lists
    ]


def _unreached(one: AffectedException) -> Unreached:
    who = " ".join(filter(None, (one.name, one.address))) or "no name"
    return Unreached(f"No. {one.number}: {who}: {one.reason}", f"/cases/{one.case_id}" if one.case_id else "")


def steps_of(found: FixDossier, place: Place) -> list[Step]:
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
