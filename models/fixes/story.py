# SPDX-License-Identifier: Apache-2.0
"""What each event makes of a fix: `apply` one, `fold` many. It grants nothing; `lifecycle.decide` did."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from models.fixes import commands as asked
from models.fixes.fix import AffectedList, Cause, Evidence, Fix, FixEvent, Measure, Option, Round
from models.fixes.terms import FixAction, Occasion

Changes = dict[str, Any]


def apply(fix: Fix, event: FixEvent) -> Fix:
    """Return the fix after the event, which must be the next one of its story."""
    if event.sequence != fix.sequence + 1 or event.source is not fix.state:
        message = f"event {event.sequence} from {event.source} does not follow event {fix.sequence}, {fix.state}"
        raise ValueError(message)
    effect = _EFFECTS.get(event.command.action)
    changes = effect(fix, event) if effect else {}
    return fix.model_copy(
        update=changes | {"state": event.target, "sequence": event.sequence, "last_event_at": event.at}
    )


def fold(fix: Fix, events: Iterable[FixEvent]) -> Fix:
    """Return the fix after all the events, in order."""
    for event in events:
        fix = apply(fix, event)
    return fix


def _open(fix: Fix, event: FixEvent) -> Changes:
    command = event.command
    assert isinstance(command, asked.Open)
    return {
        "agency": command.agency,
        "title": command.title,
        "statement": command.statement,
        "owner": command.owner,
        "opened_at": event.at,
        "opened_by": command.actor.name,
        "signals": () if command.signal_id is None else (command.signal_id,),
        "cells": command.cells,
    }


def _describe(fix: Fix, event: FixEvent) -> Changes:
    command = event.command
    assert isinstance(command, asked.Describe)
    return {"statement": command.statement, "title": command.title or fix.title}


def _link_signal(fix: Fix, event: FixEvent) -> Changes:
    command = event.command
    assert isinstance(command, asked.LinkSignal)
    cells = (*fix.cells, *(cell for cell in command.cells if cell not in fix.cells))
    return {"signals": (*fix.signals, command.signal_id), "cells": cells}


def _add_cause(fix: Fix, event: FixEvent) -> Changes:
    command = event.command
    assert isinstance(command, asked.AddCause)
    return {"causes": (*fix.causes, Cause(category=command.category, whys=command.whys))}


def _add_evidence(fix: Fix, event: FixEvent) -> Changes:
    command = event.command
    assert isinstance(command, asked.AddEvidence)
    added = Evidence(source=command.source, words=command.words, people_count=command.people_count)
    return {"evidence": (*fix.evidence, added)}


def _add_option(fix: Fix, event: FixEvent) -> Changes:
    command = event.command
    assert isinstance(command, asked.AddOption)
    return {"options": (*fix.options, Option(number=len(fix.options) + 1, words=command.words))}


def _choose_option(fix: Fix, event: FixEvent) -> Changes:
    command = event.command
    assert isinstance(command, asked.ChooseOption)
    return {
        "options": tuple(
            option.model_copy(update={"reason": command.reason if option.number == command.number else None})
            for option in fix.options
        )
    }


def _plan_measure(fix: Fix, event: FixEvent) -> Changes:
    command = event.command
    assert isinstance(command, asked.PlanMeasure)
    planned = Measure(
        number=command.number,
        words=command.words,
        kind=command.kind,
        strength=command.strength,
        owner=command.owner,
        due_on=command.due_on,
        document=command.document,
        effective_on=command.effective_on,
    )
    kept = tuple(measure for measure in fix.measures if measure.number != command.number)
    changes: Changes = {"measures": tuple(sorted((*kept, planned), key=_number))}
    # Whoever signed a plan off answered for that plan, not for another one.
    return changes if fix.plan is not None else changes | {"signed_off_by": None}


def _drop_measure(fix: Fix, event: FixEvent) -> Changes:
    command = event.command
    assert isinstance(command, asked.DropMeasure)
    return {"measures": _changed(fix, command.number, is_dropped=True)}


def _finish_measure(fix: Fix, event: FixEvent) -> Changes:
    command = event.command
    assert isinstance(command, asked.FinishMeasure)
    told: Changes = {"done_on": command.done_on, "effective_on": command.effective_on}
    if command.document is not None:
        told["document"] = command.document
    return {"measures": _changed(fix, command.number, **told)}


def _changed(fix: Fix, number: int, **changes: object) -> tuple[Measure, ...]:
    return tuple(m.model_copy(update=changes) if m.number == number else m for m in fix.measures)


def _number(measure: Measure) -> int:
    return measure.number


def _sign_off(fix: Fix, event: FixEvent) -> Changes:
    return {"signed_off_by": event.command.actor.name}


def _register(fix: Fix, event: FixEvent) -> Changes:
    command = event.command
    assert isinstance(command, asked.Register)
    return {"plan": command.plan, "registered_at": event.at, "effect": None, "changed_on": None, "effective_on": None}


def _put_in_place(fix: Fix, event: FixEvent) -> Changes:
    command = event.command
    assert isinstance(command, asked.PutInPlace)
    return {"changed_on": command.changed_on}


def _looked(fix: Fix, event: FixEvent, *, is_found_effective: bool = False) -> Changes:
    command = event.command
    assert isinstance(command, asked.Look | asked.FindEffective)
    changes: Changes = {"effect": command.effect}
    if is_found_effective:
        changes |= {"effective_on": command.effect.as_of, "approved": _until_the_next_verdict(fix)}
    return changes


def _opened_again(fix: Fix, event: FixEvent) -> Changes:
    """Put the attempt into the story: what is known of the failure stays, what to do is planned anew."""
    command = event.command
    assert isinstance(command, asked.FindNotEffective | asked.Relapse)
    assert fix.plan is not None
    assert fix.changed_on is not None
    ended = Round(plan=fix.plan, measures=fix.measures, changed_on=fix.changed_on, effect=command.effect)
    return {
        "rounds": (*fix.rounds, ended),
        "plan": None,
        "registered_at": None,
        "changed_on": None,
        "effect": None,
        "effective_on": None,
        "signed_off_by": None,
        "options": tuple(option.model_copy(update={"reason": None}) for option in fix.options),
        "measures": (),
        "approved": _until_the_next_verdict(fix),
    }


def _until_the_next_verdict(fix: Fix) -> tuple[Occasion, ...]:
    """Return what stays approved: what was told of one verdict is told, and the next one needs its own words."""
    return tuple(occasion for occasion in fix.approved if occasion is Occasion.ACCEPTED)


def _list_affected(fix: Fix, event: FixEvent) -> Changes:
    command = event.command
    assert isinstance(command, asked.ListAffected)
    listed = AffectedList(list_id=command.list_id, help=command.help, people_count=command.people_count)
    return {"affected": (*fix.affected, listed)}


def _approve_words(fix: Fix, event: FixEvent) -> Changes:
    command = event.command
    assert isinstance(command, asked.ApproveWords)
    return {"approved": (*fix.approved, command.occasion)}


def _assign(fix: Fix, event: FixEvent) -> Changes:
    command = event.command
    assert isinstance(command, asked.Assign)
    return {"owner": command.owner}


_EFFECTS: dict[FixAction, Callable[[Fix, FixEvent], Changes]] = {
    FixAction.OPEN: _open,
    FixAction.DESCRIBE: _describe,
    FixAction.LINK_SIGNAL: _link_signal,
    FixAction.ADD_CAUSE: _add_cause,
    FixAction.ADD_EVIDENCE: _add_evidence,
    FixAction.ADD_OPTION: _add_option,
    FixAction.CHOOSE_OPTION: _choose_option,
    FixAction.PLAN_MEASURE: _plan_measure,
    FixAction.DROP_MEASURE: _drop_measure,
    FixAction.FINISH_MEASURE: _finish_measure,
    FixAction.SIGN_OFF: _sign_off,
    FixAction.REGISTER: _register,
    FixAction.PUT_IN_PLACE: _put_in_place,
    FixAction.LOOK: _looked,
    FixAction.FIND_EFFECTIVE: partial(_looked, is_found_effective=True),
    FixAction.FIND_NOT_EFFECTIVE: _opened_again,
    FixAction.RELAPSE: _opened_again,
    FixAction.LIST_AFFECTED: _list_affected,
    FixAction.APPROVE_WORDS: _approve_words,
    FixAction.ASSIGN: _assign,
}
