# SPDX-License-Identifier: Apache-2.0
"""What may be asked of a fix on its page: each action with its form, what is refused and why, a plan to propose."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from api.pages.fix_forms import (
    PAGE_ACTIONS,
    PERCENT,
    TRANSITION_WEEKS,
    Proposal,
    plan_form,
    proposal_of,
    spelled,
)
from api.pages.fix_words import ACTIONS, BUTTONS, draft_of
from api.pages.forms import Form, NotNow, Offer
from api.pages.place import Place
from api.pages.words import counted, number
from api.planning import counted_since, judged_from
from api.reads.cells import cells_since
from api.reads.signals import began_and_raised
from api.shapes_fixes import FixView
from models.fixes.cells import by_kind, name_of_cell, names_a_channel
from models.fixes.commands import CellRef
from models.fixes.fix import Fix
from models.fixes.terms import FixAction, Occasion
from models.fixes.watching import LEAST_WEEKS_BEFORE, judged_by
from models.refusals import Refused

_REDUCTIONS = (30, 50, 70)


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
    novelty: str
    """What it means for the plan that the failure is new; "" of every other."""
    looks: list[tuple[str, str]]


def offers_of(
    fix: Fix, view: FixView, place: Place, proposal: Proposal | None, again: tuple[FixAction, Form] | None
) -> dict[str, Offer]:
    """Return the actions that may be asked for, each with its form, by name."""
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
    if action is FixAction.REGISTER and proposal is not None:
        return plan_form(proposal)
    return Form(_first_values(action, view, place), prefix=f"{action.value}-")


def _first_values(action: FixAction, view: FixView, place: Place) -> dict[str, str]:
    """Return what a form is filled in with beforehand."""
    told = {each.occasion for each in view.approved}
    is_judged = view.effective_on is not None or bool(view.rounds)
    occasion = Occasion.JUDGED if is_judged and Occasion.ACCEPTED in told else Occasion.ACCEPTED
    today = place.times.on(place.now)
    in_effect = max((m.effective_on for m in view.measures if m.effective_on is not None), default=today)
    registered_on = place.times.on(view.registered_at) if view.registered_at else in_effect
    values: dict[FixAction, dict[str, str]] = {
        FixAction.DESCRIBE: {"title": view.title, "statement": view.statement or ""},
        FixAction.PLAN_MEASURE: {"owner": view.owner or ""},
        FixAction.FINISH_MEASURE: {"done_on": today.isoformat()},
        FixAction.PUT_IN_PLACE: {"changed_on": max(in_effect, registered_on).isoformat()},
        FixAction.ASSIGN: {"owner": view.owner or ""},
        FixAction.APPROVE_WORDS: {"occasion": occasion.value, "words": draft_of(view, occasion)},
        FixAction.LIST_AFFECTED: {"words": view.approved[-1].words if view.approved else ""},
    }
    return values.get(action, {})


def refused_now(view: FixView, place: Place) -> list[NotNow]:
    """Return the actions that are refused now, each with its reason."""
    return [
        NotNow(action.value, ACTIONS[action], place.words.sentence(Refused(sentence)))
        for action, sentence in view.refused.items()
        if action in PAGE_ACTIONS
    ]


async def proposal_for(fix: Fix, place: Place) -> Proposal:
    """Return the plan to propose, out of the last year's counts."""
    today, by_channel = place.times.on(place.now), names_a_channel(fix.cells)
    async with place.services.database.of(place.person.agency) as connection:
        counts = await cells_since(connection, counted_since(today), by_channel=by_channel)
        raised = await began_and_raised(connection, fix.signals)
    trigger, began = (raised.by, raised.began_week) if raised else (None, None)

    def proposal() -> Proposal:
        kinds = by_kind(counts, place.policy, by_channel=by_channel)
        return proposal_of(fix, kinds, place.policy, today, trigger=trigger, began=began)

    # A year of counts takes some tenths of a second to add up; others are served meanwhile.
    return await asyncio.to_thread(proposal)


def plan_proposal(proposal: Proposal, place: Place) -> PlanProposal:
    """Return what the form of a plan shows beside its fields."""
    if not proposal.is_chosen:
        return _choice(proposal, place)
    past = proposal.past
    counted_over = counted(past.weeks, "weeks")
    if past.holds_trigger:
        counted_over += ", those that raised the signal among them, for hardly any other is there yet"
    return replace(
        _choice(proposal, place),
        baseline=f"{number(past.per_week)} a week over {counted_over}",
        novelty=_novelty(proposal, place),
        looks=[(f"A fall by {percent} percent", _known(percent, proposal, place)) for percent in _REDUCTIONS],
    )


def _known(percent: int, proposal: Proposal, place: Place) -> str:
    """Return when a fall by that many per cent is known, with the change as it is proposed."""
    if proposal.past.is_too_short:
        return f"never: fewer than {LEAST_WEEKS_BEFORE} weeks to compare with lie before the change"
    weeks = proposal.past.weeks_needed(percent / PERCENT)
    if weeks is None:
        return "hardly ever: choose more counts"
    return f"after {weeks} weeks, so by {place.times.day(judged_by(proposal.planned_on, TRANSITION_WEEKS, weeks))}"


def _novelty(proposal: Proposal, place: Place) -> str:
    if proposal.compared_from is None:
        return ""
    said = (
        f"This was hardly there before the week of {place.times.day(proposal.compared_from)}, so only the weeks since "
        "then tell what comes without a change."
    )
    soonest = judged_from(proposal.compared_from, proposal.trigger)
    if soonest <= place.times.on(place.now):
        return said
    return (
        f"{said} A change on {place.times.day(soonest)} or later can be judged; one before that day leaves fewer than "
        f"{LEAST_WEEKS_BEFORE} weeks to compare with."
    )


def _choice(proposal: Proposal, place: Place) -> PlanProposal:
    """Return what may be ticked, without any of it being proposed."""

    def line(ref: CellRef, per_week: float) -> CellLine:
        return CellLine(spelled(ref), name_of_cell(ref, place.policy), f"{number(per_week)} a week")

    return PlanProposal(
        targets=[line(ref, rate) for ref, rate in proposal.targets],
        controls=[line(each.ref, each.per_week) for each in proposal.controls],
        baseline="",
        novelty="",
        looks=[],
    )
