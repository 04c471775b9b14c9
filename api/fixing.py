# SPDX-License-Identifier: Apache-2.0
"""From what somebody asks of a systemic fix to its answer; the twin of api/acting.py, under the same rules.

What the read model refuses never reaches Temporal; what it grants is decided again by the fix's workflow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID, uuid5

from api.acting import key_for
from api.codes import CodeCheck
from api.problems import NotFound
from api.reads.affected import complainants
from api.reads.answers import is_recorded_of_fix
from api.reads.fixes import fix_by_id
from api.reads.people import Staff, colleagues
from api.reads.signals import SignalRow, signal_by_id
from api.services import Services
from api.shapes_fixes import (
    ApproveWordsAsked,
    AssignFixAsked,
    FinishMeasureAsked,
    FixActionAsked,
    FixAsked,
    LinkSignalAsked,
    ListAffectedAsked,
    PersonAffected,
    PlanMeasureAsked,
    PutInPlaceAsked,
    RegisterAsked,
    TranslationAsked,
)
from api.writes.affected import ListPut, put_list
from api.writes.fixes import put_fix_texts
from models.commands import Actor
from models.fixes import lifecycle
from models.fixes.affected import AffectedPerson
from models.fixes.cells import name_of_cell
from models.fixes.commands import FIX_COMMAND, MOST_CELLS, CellRef, FixCommand, Open, Plan
from models.fixes.fix import Fix
from models.fixes.terms import Help
from models.fixes.watching import LEAST_WEEKS_TO_REFUTE, MOST_YEARS_AHEAD, furthest_ahead, judged_by
from models.messages import Amount, ContentRef, canonical, sha256
from models.policy import Policy
from models.receiving import Text, text_of
from models.references import uuid7_at
from models.refusals import NoSuchOffices
from models.taxonomy import Kind
from models.terms import Remedy
from models.wording import english_day
from workflows.systemic_fix import FixAnswer

_TEXTS = ("title", "statement", "words", "reason", "document")
"""Fields that hold a text wherever they occur; each is stored under its own name. The whys are numbered besides."""
_WHY = "why-"
_WORDS_IN = "words-"
SOURCE = "source"
"""Where a list of people comes from; evidence has a source too, which is no text."""
_KNOWN_BEFORE = frozenset({"intake", "other"})
"""Families that signals name and the taxonomy does not list: intake categories, and causes the policy lacks."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A fix to be opened, ready to be written."""

    command: Open
    texts: tuple[Text, ...]
    request_hash: bytes


@dataclass(frozen=True, slots=True)
class _Standing:
    """Where a fix stands when something is asked of it."""

    fix: Fix
    is_recorded: bool
    people: frozenset[str]
    cells: tuple[CellRef, ...]
    """What the signal to be linked counts, if that is what is asked."""
    affected: Sequence[AffectedPerson]
    """Who is to be helped, if that is what is asked."""
    people_count: int


def list_id_of(fix_id: UUID, command_key: str) -> UUID:
    """Return the id of the list of people that a command names: one for each key."""
    return uuid5(fix_id, f"{command_key}/people")


async def act_on_fix(
    services: Services,
    agency: str,
    actor: Actor,
    fix_id: UUID,
    asked: FixActionAsked,
    *,
    key: str,
    expected_sequence: int | None = None,
) -> FixAnswer:
    """Have something done to a fix, once per key; raises NotFound, Unprocessable, Refused, Busy or RecordAway."""
    command_key = key_for(actor, key)
    now = services.clock()
    standing = await _standing(services, agency, fix_id, asked, command_key)
    texts = _texts(fix_id, command_key, asked)
    condition = {"expected_sequence": expected_sequence}
    if not standing.is_recorded:
        # Before a text is stored: a text that is corrected after a refusal may come under the same key.
        as_they_stand = _command(asked, actor, command_key, {told.kind: told.ref for told in texts}, standing)
        lifecycle.decide(standing.fix, as_they_stand.model_copy(update=condition), now)
        policy = (await services.policies.current(agency, now)).policy
        _check(asked, policy, standing, policy.calendar.local_date(now))
    if isinstance(asked, ListAffectedAsked):
        told = asked.model_dump(mode="json", exclude={"source", "words", "translations"})
        put = ListPut(
            list_id=list_id_of(fix_id, command_key),
            fix_id=fix_id,
            help=asked.help.value,
            request_hash=sha256(canonical([told, actor.name])),
            added_by=actor.name,
            people=[person.row() for person in standing.affected],
        )
        # What stands under the key may be another day's answer to the same question: it was promised first.
        standing = replace(standing, people_count=await put_list(services.database, agency, put, now))
    refs = await put_fix_texts(services.database, agency, fix_id, texts)
    command = _command(asked, actor, command_key, refs, standing)
    # What stands here may change before the workflow decides; it looks again.
    return await services.actions.act_on_fix(agency, fix_id, command.model_copy(update=condition))


async def opening_of(
    services: Services, staff: Staff, asked: FixAsked, signal: SignalRow | None, *, key: str
) -> Opening:
    """Return the fix that somebody asks to open; raises Unprocessable for codes that nobody knows."""
    now = services.clock()
    policy = (await services.policies.current(staff.agency, now)).policy
    async with services.database.of(staff.agency) as connection:
        people = frozenset(person.name for person in await colleagues(connection))
    check = CodeCheck(policy, policy.calendar.local_date(now))
    _check_person(check, "owner", asked.owner, people)
    _check_cells(check, "cells", asked.cells, policy)
    check.done()
    fix_id, command_key = uuid7_at(now), key_for(staff.actor, key)
    # What only a signal's fix can say is no part of this hash: a request from before it was asked keeps its own.
    told = asked.model_dump(mode="json", exclude={"reason", "opens_second_fix"})
    texts = [text_of(fix_id, command_key, name, body) for name in ("title", "statement") if (body := told.get(name))]
    refs = {text.kind: text.ref for text in texts}
    command = Open(
        actor=staff.actor,
        key=command_key,
        fix_id=fix_id,
        agency=staff.agency,
        title=refs["title"],
        statement=refs.get("statement"),
        owner=asked.owner or staff.name,
        signal_id=asked.signal_id,
        cells=asked.cells if signal is None else cells_of(signal, policy),
    )
    return Opening(command, tuple(texts), sha256(canonical([told, staff.name])))


def cells_of(signal: SignalRow, policy: Policy) -> tuple[CellRef, ...]:
    """Return the weekly counts that a signal speaks of, one for each office of its region; raises NoSuchOffices.

    A fix never counts more than its signal: the people it writes to are drawn from these counts.
    """
    cell = _cell_of(signal)
    if signal.region is None or signal.office is not None:
        return (cell,)
    offices = [office.id for office in policy.agency.offices if office.region == signal.region]
    if not offices:
        raise NoSuchOffices(
            "This signal is of offices that your policy does not name, so no fix can tell whose complaints they are. "
            "Have the offices named in the policy; a later signal then names them."
        )
    if len(offices) > MOST_CELLS:
        raise NoSuchOffices(f"This signal is of {len(offices)} offices; a fix counts {MOST_CELLS} at most.")
    return tuple(cell.model_copy(update={"office": office}) for office in offices)


def name_of_signal(signal: SignalRow, policy: Policy) -> str:
    """Return what a signal is about in a line: what its fix is called that nobody has given a title."""
    return name_of_cell(_cell_of(signal), policy, region=signal.region)


def _cell_of(signal: SignalRow) -> CellRef:
    """Return the weekly count of a signal, in all the offices of its region or of the agency where it names none."""
    return CellRef.model_validate({name: getattr(signal, name) for name in CellRef.model_fields})


async def _standing(
    services: Services, agency: str, fix_id: UUID, asked: FixActionAsked, command_key: str
) -> _Standing:
    now = services.clock()
    policy = (await services.policies.current(agency, now)).policy
    async with services.database.of(agency) as connection:
        fix = await fix_by_id(connection, fix_id)
        if fix is None:
            raise NotFound("There is no such fix.")
        names_people = isinstance(asked, AssignFixAsked | PlanMeasureAsked)
        people = await colleagues(connection) if names_people else []
        cells: tuple[CellRef, ...] = ()
        if isinstance(asked, LinkSignalAsked):
            signal = await signal_by_id(connection, asked.signal_id)
            if signal is None:
                raise NotFound("There is no such signal.")
            cells = cells_of(signal, policy)
        affected: Sequence[AffectedPerson] = ()
        if isinstance(asked, ListAffectedAsked):
            affected = [_person(person, policy.agency.languages[0]) for person in asked.people or ()]
            if asked.since is not None:
                today = policy.calendar.local_date(now)
                affected = await complainants(connection, fix.cells, policy, since=asked.since, until=today)
        return _Standing(
            affected=affected,
            people_count=max(1, len(affected)),
            fix=fix,
            is_recorded=await is_recorded_of_fix(connection, fix_id, command_key),
            people=frozenset(person.name for person in people),
            cells=cells,
        )


def _check(asked: FixActionAsked, policy: Policy, standing: _Standing, today: date) -> None:
    check = CodeCheck(policy, today)
    if isinstance(asked, ListAffectedAsked | ApproveWordsAsked):
        _check_translations(check, asked.translations or (), policy)
    match asked:
        case AssignFixAsked() | PlanMeasureAsked():
            _check_person(check, "owner", asked.owner, standing.people)
        case RegisterAsked(plan=plan):
            _check_days(check, plan, today)
            _check_cells(check, "plan.targets", plan.targets, policy)
            _check_cells(check, "plan.controls", plan.controls, policy)
        case ListAffectedAsked() if not standing.affected:
            check.refuse("since", "'since': nobody complained of this since that day.")
        case ListAffectedAsked(people=people):
            for number, person in enumerate(people or ()):
                check.language(f"people.{number}.language", person.language)
                _check_remedy(check, f"people.{number}.remedy", person.remedy, asked.help)
        case FinishMeasureAsked():
            _check_is_over(check, "done_on", asked.done_on, today)
        case PutInPlaceAsked():
            _check_is_over(check, "changed_on", asked.changed_on, today)
    check.done()


def _person(person: PersonAffected, language: str) -> AffectedPerson:
    """Return somebody as the list has them; who has no language is written to in the agency's first."""
    amount = None
    if person.amount_cents is not None and person.authority is not None:
        amount = Amount(cents=person.amount_cents, authority=person.authority)
    return AffectedPerson(
        name=person.name or "",
        email=person.email or "",
        post=person.post or "",
        language=person.language or language,
        remedy=person.remedy,
        amount=amount,
    )


def _check_translations(check: CodeCheck, translations: Sequence[TranslationAsked], policy: Policy) -> None:
    """Name languages that nobody reads here, the one the words are in, and one that is given twice."""
    taken = {policy.agency.languages[0]}
    for number, each in enumerate(translations):
        field = f"translations.{number}.language"
        check.language(field, each.language)
        if each.language in taken:
            check.refuse(field, f"'{field}': the words are there in '{each.language}' already.")
        taken.add(each.language)


def _check_remedy(check: CodeCheck, field: str, remedy: Remedy | None, help_: Help) -> None:
    if help_ is Help.REMEDY and remedy in {None, Remedy.NONE}:
        check.refuse(field, f"'{field}': everybody on a list of remedies gets one; name it.")
    if help_ is Help.NOTIFY and remedy is not None:
        check.refuse(field, f"'{field}': who is only told gets no remedy; make it a list of remedies.")


def _check_person(check: CodeCheck, field: str, name: str | None, people: frozenset[str]) -> None:
    if name is not None and name not in people:
        check.refuse(field, f"'{field}': '{name}' is not among the people here.")


def _check_is_over(check: CodeCheck, field: str, day: date, today: date) -> None:
    if day > today:
        check.refuse(field, f"'{field}': this day has not come yet.")


def _check_days(check: CodeCheck, plan: Plan, today: date) -> None:
    """Name a change that is too far off, and an answer before anybody could say that it does not work."""
    planned_on = plan.change_planned_on
    if planned_on > furthest_ahead(today):
        check.refuse("plan.change_planned_on", f"'plan.change_planned_on': name a day within {MOST_YEARS_AHEAD} years.")
    elif plan.look_on < (earliest := judged_by(planned_on, plan.transition_weeks, LEAST_WEEKS_TO_REFUTE)):
        check.refuse(
            "plan.look_on",
            f"'plan.look_on': before {LEAST_WEEKS_TO_REFUTE} whole weeks after the change has settled nobody can say "
            f"that it does not work; name {english_day(earliest)} or a later day.",
        )


def _check_cells(check: CodeCheck, field: str, cells: Iterable[CellRef], policy: Policy) -> None:
    families = {term.code for term in policy.taxonomy.of(Kind.FAMILY)} | _KNOWN_BEFORE
    for number, cell in enumerate(cells):
        place = f"{field}.{number}"
        check.service(f"{place}.service", cell.service)
        check.office(f"{place}.office", cell.office)
        check.channel(f"{place}.channel", cell.channel)
        if cell.family is not None and cell.family not in families:
            check.refuse(f"{place}.family", f"'{place}.family': there is no family '{cell.family}'.")
        if cell.code is not None and cell.code not in policy.taxonomy.by_code:
            check.refuse(f"{place}.code", f"'{place}.code': there is no code '{cell.code}'.")


def _texts(fix_id: UUID, key: str, asked: FixActionAsked) -> list[Text]:
    bodies: dict[str, str] = {name: body for name in _TEXTS if (body := getattr(asked, name, None)) is not None}
    bodies |= {f"{_WHY}{number}": body for number, body in enumerate(getattr(asked, "whys", ()), start=1)}
    if isinstance(asked, ListAffectedAsked):
        bodies[SOURCE] = asked.source
    bodies |= {f"{_WORDS_IN}{each.language}": each.words for each in getattr(asked, "translations", None) or ()}
    return [text_of(fix_id, key, kind, body) for kind, body in bodies.items()]


def _command(
    asked: FixActionAsked, actor: Actor, key: str, refs: Mapping[str, ContentRef], standing: _Standing
) -> FixCommand:
    told: dict[str, Any] = asked.model_dump(mode="json", exclude_none=True) | {"actor": actor, "key": key}
    told |= {name: ref for name, ref in refs.items() if name in _TEXTS}
    if isinstance(asked, ListAffectedAsked):
        del told["since" if asked.people is None else "people"]
        told |= {"list_id": list_id_of(standing.fix.id, key), "people_count": standing.people_count}
        told["source"] = refs[SOURCE]
    if "whys" in told:
        told["whys"] = [ref for name, ref in refs.items() if name.startswith(_WHY)]
    if "translations" in told:
        spoken = [each["language"] for each in told["translations"]]
        told["translations"] = [{"language": code, "words": refs[f"{_WORDS_IN}{code}"]} for code in spoken]
    if standing.cells:
        told["cells"] = list(standing.cells)
    return FIX_COMMAND.validate_python(told)
