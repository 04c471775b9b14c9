# SPDX-License-Identifier: Apache-2.0
"""One systemic fix on its page, with everything a supervisor needs to lead it to its end."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from api.fixes import READERS, WORKERS, opened_fix
from api.fixing import act_on_fix
from api.identity import Given, who
from api.pages.evidence import grouped
from api.pages.fix_forms import (
    PAGE_ACTIONS,
    WHYS,
    Told,
    asked_of,
    choices_of,
    errors_of,
)
from api.pages.fix_offers import offers_of, plan_proposal, proposal_for, refused_now
from api.pages.fix_view import branches_of, chart_of, people_of, signals_of, sources_of, stages_of, steps_of
from api.pages.fix_words import OCCASIONS, VERDICTS, cannot_be_judged
from api.pages.forms import Faults, Form, sent_with_file
from api.pages.place import Place, place_of
from api.pages.site import PageRoute, to
from api.pages.words import number
from api.problems import NotFound, Unprocessable
from api.reads.fixes import FixDossier
from api.reads.people import Staff
from api.views_fixes import fix_view, next_step, rhythm_of
from models.fixes.cells import name_of_cell
from models.fixes.terms import FixAction
from models.refusals import Refused

router = APIRouter(include_in_schema=False, route_class=PageRoute)
_UNGUARDED = frozenset({FixAction.NOTE, FixAction.ASSIGN, FixAction.ADD_CAUSE, FixAction.ADD_EVIDENCE})
"""Actions that stay right when somebody else has done something meanwhile."""


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
        proposal = await proposal_for(found.fix, place) if action is FixAction.REGISTER else None
        choices = choices_of(found.fix, place.words, found.texts)
        told = Told(form, found.fix, choices, proposal, place.policy, place.times.on(place.now))
        # A plan adds up a year of counts; others are served meanwhile.
        asked = await asyncio.to_thread(asked_of, action, told)
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
    proposal = await proposal_for(fix, place) if may_register else None
    offers = offers_of(fix, view, place, proposal, again)
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
        stages=stages_of(fix),
        offers=offers,
        refused=refused_now(view, place),
        choices=choices_of(fix, place.words, found.texts),
        plan=plan_proposal(proposal, place) if proposal else None,
        cell_name=lambda ref: name_of_cell(ref, place.policy),
        day=place.times.day,
        cannot_be_judged=cannot_be_judged(fix),
        today=place.times.on(place.now),
        number=number,
        branches=branches_of(view),
        sources=sources_of(view),
        beside=grouped(found.beside, place),
        chart=await chart_of(fix, place),
        verdicts=VERDICTS,
        occasions=OCCASIONS,
        signals=await signals_of(fix, place),
        people=await people_of(found, place),
        steps=steps_of(found, place),
        whys=range(1, WHYS + 1),
        form=again[1] if again else Form(),
    )
