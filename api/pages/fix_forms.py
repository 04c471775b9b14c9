# SPDX-License-Identifier: Apache-2.0
"""From a form to what is asked of a systemic fix, and from a fix to forms filled in as far as can be known."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from api.middleware import BODY_LIMIT_BYTES
from api.pages.asking import plainly
from api.pages.forms import Faults, Form, Sent
from api.pages.words import Option, Words, counted
from api.planning import Candidate, candidates, countable, is_new_since, judged_from
from api.problems import Problem, faults_of
from api.shapes import FieldFault
from api.shapes_fixes import FIX_TEXT_LIMIT, MOST_PEOPLE, FixActionAsked
from models.fixes.cells import Kinds
from models.fixes.commands import MOST_TRANSITION_WEEKS, CellRef
from models.fixes.fix import Fix
from models.fixes.terms import CauseCategory, EvidenceSource, FixAction, Help, MeasureKind, Occasion, Strength
from models.fixes.watching import LEAST_WEEKS_BEFORE, MOST_YEARS_AHEAD, furthest_ahead, judged_by
from models.policy import Policy
from models.wording import english_day

if TYPE_CHECKING:
    from api.past import Past

WHYS = 5
PEOPLE_FIELD = "people"
PERSON_COLUMNS = ("name", "email", "post", "language", "remedy", "amount", "authority")
FIRST_PERSONS_LINE = 2
"""The line of the first person, below the names of the columns; a row is a line, as a spreadsheet counts."""
PERCENT = 100
_DEFAULT_REDUCTION = 50
TRANSITION_WEEKS = 2
_WEEKS_TO_LOOK = 26
"""How long after a change one looks at the latest where too few complaints come to compute it."""
_CHANGE_IN = timedelta(weeks=4)
_OF_PERSON = re.compile(r"people\.(\d+)(?:\.(\w+))?")
_NO_UTF8 = re.compile("[\udc80-\udcff]")
_ASKED: TypeAdapter[FixActionAsked] = TypeAdapter(FixActionAsked)
_CELL_PARTS = ("measure", "family", "code", "service", "office", "channel")
_STRENGTH_WORDS = {
    Strength.STRONGER: "Stronger: it cannot go wrong that way any more (a system, a form, a rule that forces it)",
    Strength.INTERMEDIATE: "Intermediate: it helps people to do it right (a checklist, a second look, more staff)",
    Strength.WEAKER: "Weaker: it depends on people remembering (training, a reminder, a new instruction)",
}


@dataclass(frozen=True, slots=True)
class Choices:
    """What may be chosen in the forms of a fix."""

    people: tuple[Option, ...]
    categories: tuple[Option, ...]
    sources: tuple[Option, ...]
    kinds: tuple[Option, ...]
    strengths: tuple[Option, ...]
    helps: tuple[Option, ...]
    options: tuple[Option, ...]
    measures: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A plan as it is proposed: cells to tick, and what the year before says of them."""

    targets: tuple[tuple[CellRef, float], ...]
    controls: tuple[Candidate, ...]
    past: Past
    trigger: tuple[date, date] | None
    compared_from: date | None
    """Since when a failure has been there that was hardly there before."""
    planned_on: date
    """When the change is planned: as soon as it can be judged, and not before four weeks."""
    look_on: date | None
    """The day to look on where the past names none; None: the one it names."""
    kinds: Kinds
    is_chosen: bool
    """Whether the signals say what is counted; if not, somebody has to choose."""

    def refs(self) -> dict[str, CellRef]:
        """Return every cell that may be ticked, by how a form spells it."""
        told = [ref for ref, _ in self.targets] + [each.ref for each in self.controls]
        return {spelled(ref): ref for ref in told}


@dataclass(frozen=True, slots=True)
class Told:
    """A form, the fix it is about, and what it was made with."""

    sent: Sent
    fix: Fix
    choices: Choices
    proposal: Proposal | None
    policy: Policy
    today: date


def spelled(ref: CellRef) -> str:
    """Return a cell as a form's field holds it."""
    return "|".join(getattr(ref, part) or "" for part in _CELL_PARTS).removesuffix("|")


def choices_of(fix: Fix, words: Words, texts: Mapping[UUID, str]) -> Choices:
    """Return what may be chosen."""
    return Choices(
        people=words.people,
        categories=tuple(Option(each.value, each.label) for each in CauseCategory),
        sources=tuple(Option(each.value, each.label) for each in EvidenceSource),
        kinds=tuple(Option(each.value, each.label) for each in MeasureKind),
        strengths=tuple(Option(each.value, label) for each, label in _STRENGTH_WORDS.items()),
        helps=(
            Option(Help.NOTIFY.value, "Tell them"),
            Option(Help.REMEDY.value, "Tell them what is put right for them"),
        ),
        options=tuple(Option(str(o.number), f"{o.number}. {_short(texts.get(o.words.id, ''))}") for o in fix.options),
        measures=tuple(
            Option(str(m.number), f"{m.number}. {_short(texts.get(m.words.id, ''))}")
            for m in fix.standing_measures
            if not m.is_done
        ),
    )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHORT else f"{line[: SHORT - 1]}…"


SHORT = 70


def proposal_of(
    fix: Fix,
    kinds: Kinds,
    policy: Policy,
    today: date,
    *,
    trigger: tuple[date, date] | None = None,
    began: date | None = None,
) -> Proposal:
    """Return the plan to propose: what the signals spoke of, beside what is like it and was not changed.

    `trigger`: the weeks that raised the signals; `began`: the Monday on which the earliest of them began.
    """
    if not fix.cells:
        return _unsignalled(kinds, today)
    since, planned_on = None, today + _CHANGE_IN
    if began is not None and is_new_since(fix.cells, kinds, began, today):
        since, planned_on = began, max(planned_on, judged_from(began, trigger))
    beside = candidates(fix.cells, kinds, policy)
    proposed = [each.ref for each in beside if each.is_proposed]
    past = _past_of(fix.cells, proposed, kinds, today, planned_on=planned_on, trigger=trigger, compared_from=since)
    says_when = past.weeks_needed(_DEFAULT_REDUCTION / PERCENT) is not None
    return Proposal(
        targets=_rates(fix.cells, kinds, today, planned_on, trigger, since),
        controls=beside,
        past=past,
        trigger=trigger,
        compared_from=since,
        planned_on=planned_on,
        look_on=None if says_when else judged_by(planned_on, TRANSITION_WEEKS, _WEEKS_TO_LOOK),
        kinds=kinds,
        is_chosen=True,
    )


def _unsignalled(kinds: Kinds, today: date) -> Proposal:
    """Return what may be chosen where no signal says what is counted: the failures that came most often."""
    refs, planned_on = countable(kinds), today + _CHANGE_IN
    rates = _rates(refs, kinds, today, planned_on)
    return Proposal(
        targets=rates,
        controls=tuple(Candidate(ref, rate, is_proposed=False) for ref, rate in rates),
        past=_past_of((), (), kinds, today, planned_on=planned_on),
        trigger=None,
        compared_from=None,
        planned_on=planned_on,
        look_on=None,
        kinds=kinds,
        is_chosen=False,
    )


def _rates(
    refs: Sequence[CellRef],
    kinds: Kinds,
    today: date,
    planned_on: date,
    trigger: tuple[date, date] | None = None,
    since: date | None = None,
) -> tuple[tuple[CellRef, float], ...]:
    def per_week(ref: CellRef) -> float:
        past = _past_of((ref,), (), kinds, today, planned_on=planned_on, trigger=trigger, compared_from=since)
        return past.per_week

    return tuple((ref, per_week(ref)) for ref in refs)


def _past_of(
    targets: Sequence[CellRef],
    controls: Sequence[CellRef],
    kinds: Kinds,
    today: date,
    *,
    planned_on: date,
    trigger: tuple[date, date] | None = None,
    compared_from: date | None = None,
) -> Past:
    from api.past import past_of  # noqa: PLC0415 - loads numerical libraries

    return past_of(targets, controls, kinds, today, planned_on=planned_on, trigger=trigger, compared_from=compared_from)


def plan_form(proposal: Proposal) -> Form:
    """Return the form of a plan, filled in as it is proposed."""
    values: dict[str, str | Sequence[str]] = {
        "targets": tuple(spelled(ref) for ref, _ in proposal.targets) if proposal.is_chosen else (),
        "controls": tuple(spelled(each.ref) for each in proposal.controls if each.is_proposed),
        "reduction": str(_DEFAULT_REDUCTION),
        "change_planned_on": proposal.planned_on.isoformat(),
        "transition_weeks": str(TRANSITION_WEEKS),
    }
    if proposal.trigger is not None:
        values |= {
            "trigger_from": proposal.trigger[0].isoformat(),
            "trigger_until": proposal.trigger[1].isoformat(),
        }
    if proposal.compared_from is not None:
        values["compared_from"] = proposal.compared_from.isoformat()
    if proposal.look_on is not None:
        values["look_on"] = proposal.look_on.isoformat()
    return Form(values, prefix=f"{FixAction.REGISTER.value}-")


def asked_of(action: FixAction, told: Told) -> FixActionAsked:
    """Return what a form asks of a fix; raises Faults with a sentence for each field that is wrong."""
    read = _READERS[action](told)
    told.sent.check()
    try:
        return _ASKED.validate_python({"action": action, **{name: v for name, v in read.items() if v is not None}})
    except ValidationError as wrong:
        raise Faults({"": " ".join(_plainly(fault) for fault in faults_of(wrong.errors()))}) from wrong


def errors_of(problem: Problem) -> dict[str, str]:
    """Return a problem's sentences by the fields of a form; under "" those of a file, with the line each is about."""
    if not problem.errors:
        return {"": problem.detail}
    errors = {fault.field.removeprefix("plan."): _plainly(fault) for fault in problem.errors}
    of_file = [sentence for field, sentence in errors.items() if "." in field]
    of_fields = {field: sentence for field, sentence in errors.items() if "." not in field}
    return of_fields | ({"": " ".join(of_file)} if of_file else {})


def _plainly(fault: FieldFault) -> str:
    """Return a fault's sentence as a form shows it; of a file, with the line it is about."""
    told = plainly(fault)
    if (of_person := _OF_PERSON.search(fault.field)) is not None:
        told = told[:1].lower() + told[1:]
        column = f", {of_person[2].partition('_')[0]}" if of_person[2] else ""
        return f"Line {FIRST_PERSONS_LINE + int(of_person[1])} of the file{column}: {told}"
    return told


def _text(sent: Sent, name: str, missing: str) -> str | None:
    return sent.text(name, missing=missing, limit=FIX_TEXT_LIMIT) or None


def _one_of(sent: Sent, name: str, options: Iterable[Option], missing: str) -> str | None:
    return sent.code(name, {option.value for option in options}, missing=missing)


def _describe(told: Told) -> dict[str, Any]:
    return {
        "title": told.sent.line("title", missing="Give it a name in a line."),
        "statement": _text(told.sent, "statement", "Say what goes wrong, for whom, where and since when."),
    }


def _add_cause(told: Told) -> dict[str, Any]:
    whys = [_text(told.sent, f"why_{n}", "Write at least the first why." if n == 1 else "") for n in range(1, WHYS + 1)]
    return {
        "category": _one_of(told.sent, "category", told.choices.categories, "Choose the branch."),
        "whys": [why for why in whys if why],
    }


def _add_evidence(told: Told) -> dict[str, Any]:
    return {
        "source": _one_of(told.sent, "source", told.choices.sources, "Choose where it comes from."),
        "words": _text(told.sent, "words", "Write what it shows."),
        "people_count": told.sent.number("people_count"),
    }


def _choose_option(told: Told) -> dict[str, Any]:
    return {
        "number": _one_of(told.sent, "number", told.choices.options, "Choose an option."),
        "reason": _text(told.sent, "reason", "Say why this one."),
    }


def _plan_measure(told: Told) -> dict[str, Any]:
    sent = told.sent
    return {
        "number": sent.number("number") or len(told.fix.measures) + 1,
        "words": _text(sent, "words", "Write what is to be done."),
        "kind": _one_of(sent, "kind", told.choices.kinds, "Choose what is changed."),
        "strength": _one_of(sent, "strength", told.choices.strengths, "Choose how strong it is."),
        "owner": _one_of(sent, "owner", told.choices.people, "Choose who does it."),
        "due_on": sent.day("due_on", missing="Say by which day."),
        "document": _text(sent, "document", ""),
        "effective_on": sent.day("effective_on"),
    }


def _numbered_with_reason(told: Told) -> dict[str, Any]:
    return {
        "number": _one_of(told.sent, "number", told.choices.measures, "Choose the measure."),
        "reason": _text(told.sent, "reason", "Give the reason; others will read it."),
    }


def _reason(told: Told) -> dict[str, Any]:
    return {"reason": _text(told.sent, "reason", "Give the reason; others will read it.")}


def _finish_measure(told: Told) -> dict[str, Any]:
    done_on = told.sent.day("done_on", missing="Say on which day it was done.")
    return {
        "number": _one_of(told.sent, "number", told.choices.measures, "Choose the measure."),
        "done_on": done_on,
        "effective_on": told.sent.day("effective_on") or done_on,
        "document": _text(told.sent, "document", ""),
    }


def _put_in_place(told: Told) -> dict[str, Any]:
    return {"changed_on": told.sent.day("changed_on", missing="Say since which day the whole change is in place.")}


def _register(told: Told) -> dict[str, Any]:
    sent, proposal = told.sent, told.proposal
    assert proposal is not None
    offered = proposal.refs()
    targets = _ticked(sent, "targets", offered, "Choose at least one count that is to fall.")
    controls = _ticked(sent, "controls", offered, "")
    percent = sent.number("reduction", missing="Say by how many per cent it is to fall.") or 0
    planned_on = sent.day("change_planned_on", missing="Say when the change is planned.")
    transition = sent.number("transition_weeks", missing="Say how many weeks the change takes to settle.")
    trigger_from, trigger_until = sent.day("trigger_from"), sent.day("trigger_until")
    compared_from, typed_look = sent.day("compared_from"), sent.day("look_on")
    if not 0 < percent < PERCENT:
        sent.errors.setdefault("reduction", "Write a whole number from 1 to 99.")
    if transition is not None and transition > MOST_TRANSITION_WEEKS:
        sent.errors["transition_weeks"] = f"Write a whole number up to {MOST_TRANSITION_WEEKS}."
    if planned_on is not None and planned_on > furthest_ahead(told.today):
        sent.errors["change_planned_on"] = f"Name a day within {MOST_YEARS_AHEAD} years."
    if sent.errors or planned_on is None or transition is None:
        return {}
    trigger = (trigger_from, trigger_until) if trigger_from and trigger_until else None
    past = _past_of(
        targets, controls, proposal.kinds, told.today,
        planned_on=planned_on, trigger=trigger, compared_from=compared_from,
    )  # fmt: skip
    weeks = past.weeks_needed(percent / PERCENT)
    if typed_look is None and weeks is None:
        field, sentence = ("change_planned_on", _too_short(past)) if past.is_too_short else ("look_on", _TOO_QUIET)
        sent.errors[field] = sentence
        return {}
    look = typed_look or judged_by(planned_on, transition, weeks or 0)
    plan = {
        "targets": targets,
        "controls": controls,
        "baseline_rate": round(past.per_week, 3),
        "target_reduction": percent / PERCENT,
        "change_planned_on": planned_on,
        "transition_weeks": transition,
        "trigger_from": trigger_from,
        "trigger_until": trigger_until,
        "compared_from": compared_from,
        "look_on": look,
    }
    return {"plan": plan}


_TOO_QUIET = (
    "With so few complaints a week one would hardly ever know whether it works: choose more counts that are to fall, "
    "or more to compare with; or name the day yourself."
)


def _too_short(past: Past) -> str:
    return (
        f"Only {counted(past.weeks_before, 'weeks')} to compare with would lie before the change, and with fewer than "
        f"{LEAST_WEEKS_BEFORE} nothing can be said of its effect: plan it for a later day; or fill in 'Say at the "
        "latest on' yourself, and its effect may never be known."
    )


def _ticked(sent: Sent, name: str, offered: Mapping[str, CellRef], missing: str) -> list[CellRef]:
    ticked = sent.many(name)
    if not ticked and missing:
        sent.errors[name] = missing
    if any(each not in offered for each in ticked):
        sent.errors[name] = "Choose among those offered."
        return []
    return [offered[each] for each in ticked]


def _list_affected(told: Told) -> dict[str, Any]:
    sent = told.sent
    people = _people_of(sent)
    since = sent.day("since")
    if (people is None) is (since is None) and not sent.errors:
        sent.errors["since"] = "Send a file of people, or say since which day they complained: one of the two."
    listed = f"Everybody who complained of this since {english_day(since)}" if since else "An uploaded list"
    return {
        "help": _one_of(sent, "help", told.choices.helps, "Choose how they are helped."),
        "people": people,
        "since": since,
        "source": _text(sent, "source", "") or listed,
        "words": _text(sent, "words", "Write what they are told."),
        "translations": _translations(told),
    }


def _people_of(sent: Sent) -> list[dict[str, Any]] | None:
    """Return the people of an uploaded table, or None where none was sent; what is wrong names its line."""
    typed = sent.text(PEOPLE_FIELD, limit=BODY_LIMIT_BYTES)
    if not typed:
        return None
    if _NO_UTF8.search(typed):
        sent.errors[PEOPLE_FIELD] = "This file is not in UTF-8; save it as CSV in UTF-8."
        return None
    try:
        table = list(csv.reader(io.StringIO(typed.removeprefix("\ufeff"))))
    except csv.Error:
        sent.errors[PEOPLE_FIELD] = "This file cannot be read as CSV; save it anew, as CSV in UTF-8."
        return None
    columns = table[0] if table else []
    if set(columns) - set(PERSON_COLUMNS) or not {"name", "email", "post"} & set(columns):
        sent.errors[PEOPLE_FIELD] = f"The first line must name columns, of these: {', '.join(PERSON_COLUMNS)}."
        return None
    return _people_in(sent, columns, table[1:])


def _people_in(sent: Sent, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[dict[str, Any]] | None:
    people = []
    for line, row in enumerate(rows, start=FIRST_PERSONS_LINE):
        if row and len(row) != len(columns):
            sent.errors[PEOPLE_FIELD] = f"Line {line} has more or fewer columns than the first line."
            return None
        people.append(_person_of(dict(zip(columns, row, strict=False))))
    while people and not people[-1]:
        people.pop()  # the empty lines that a spreadsheet leaves below its table
    if not people or len(people) > MOST_PEOPLE:
        sent.errors[PEOPLE_FIELD] = f"The file must hold 1 to {MOST_PEOPLE:,} people; send a longer list in several."
        return None
    return people


def _person_of(row: Mapping[str, str]) -> dict[str, Any]:
    """Return what a line tells of a person; of an empty one nothing, which is refused by its line."""
    told = {name: value.strip() for name, value in row.items() if value.strip()}
    if (amount := told.pop("amount", None)) is not None:
        told["amount_cents"] = str(Sent({"amount": (amount,)}).cents("amount") or 0)
    return told


_OCCASIONS = tuple(Option(occasion.value, occasion.label) for occasion in Occasion)


def _approve_words(told: Told) -> dict[str, Any]:
    return {
        "occasion": _one_of(
            told.sent, "occasion", [Option(o.value, o.label) for o in Occasion], "Choose the occasion."
        ),
        "words": _text(told.sent, "words", "Write what they are told."),
        "translations": _translations(told),
    }


def _translations(told: Told) -> list[dict[str, str]] | None:
    """Return the words in the agency's other languages, of those that somebody filled in."""
    others = told.policy.agency.languages[1:]
    typed = {code: _text(told.sent, f"words_{code}", "") for code in others}
    return [{"language": code, "words": words} for code, words in typed.items() if words] or None


def _assign(told: Told) -> dict[str, Any]:
    return {"owner": _one_of(told.sent, "owner", told.choices.people, "Choose the owner.")}


def _words(told: Told) -> dict[str, Any]:
    return {"words": _text(told.sent, "words", "Write a few words.")}


_READERS: dict[FixAction, Callable[[Told], dict[str, Any]]] = {
    FixAction.DESCRIBE: _describe,
    FixAction.ADD_CAUSE: _add_cause,
    FixAction.ADD_EVIDENCE: _add_evidence,
    FixAction.ADD_OPTION: _words,
    FixAction.CHOOSE_OPTION: _choose_option,
    FixAction.PLAN_MEASURE: _plan_measure,
    FixAction.DROP_MEASURE: _numbered_with_reason,
    FixAction.SIGN_OFF: _reason,
    FixAction.REGISTER: _register,
    FixAction.FINISH_MEASURE: _finish_measure,
    FixAction.PUT_IN_PLACE: _put_in_place,
    FixAction.LIST_AFFECTED: _list_affected,
    FixAction.APPROVE_WORDS: _approve_words,
    FixAction.ASSIGN: _assign,
    FixAction.NOTE: _words,
    FixAction.ABANDON: _reason,
}
PAGE_ACTIONS = frozenset(_READERS)
"""What has a form on a fix's page; signals are linked where they are decided on."""
