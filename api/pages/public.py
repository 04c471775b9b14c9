# SPDX-License-Identifier: Apache-2.0
"""The complainant's pages: tell us, get a receipt. No account, no script. What comes after is in tracking.py."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.filing import PUBLIC_CHANNEL, file_complaint
from api.identity import Given, forgive, open_to_all, public
from api.pages.asking import errors_of
from api.pages.filing_form import category_options, filed_of, service_options
from api.pages.forms import NO, YES, Faults, Form, sent
from api.pages.front import Front, front_of, other_languages
from api.pages.languages import ASKED, NAMES, read_in, remember, spoken, tongue_of
from api.pages.site import PageRoute, page, to
from api.pages.visiting import visit, visited
from api.pages.words import Option
from api.problems import Unprocessable
from api.reads.policies import AgencyRow
from api.services import Services
from models.terms import ClockName

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/")
async def root(request: Request, services: Given, _: Annotated[object, Depends(open_to_all)]) -> Response:
    """Show the agency, or the choice where there are several."""
    agencies = await services.policies.agencies(services.clock())
    if len(agencies) == 1:
        return await start(request, agencies[0].slug, services, _)
    return _choice(request, services, agencies)


def _choice(request: Request, services: Services, agencies: tuple[AgencyRow, ...]) -> Response:
    tongue = tongue_of(read_in(request, spoken()))
    others = other_languages(request, spoken(), tongue.code)
    told = {"agencies": agencies, "other_languages": others}
    response = page(request, "public/agencies.html", told, tongue=tongue)
    if tongue.code == request.query_params.get(ASKED):
        remember(response, tongue.code, is_https=services.settings.is_https)
    return response


@router.get("/a/{slug}")
async def start(request: Request, slug: str, services: Given, _: Annotated[object, Depends(open_to_all)]) -> Response:
    """Show what we promise, and the two ways on."""
    front = await front_of(request, services, slug)
    shown = [s for s in front.policy.standards.standards if s.clock is not ClockName.RECEIPT]
    promises = [standard.promise_in(front.language) for standard in shown]
    return front.page(request, "start", "public/start.html", promises=promises)


@router.get("/a/{slug}/complain")
async def complaint_form(
    request: Request, slug: str, services: Given, _: Annotated[object, Depends(open_to_all)]
) -> Response:
    """Show the form of a complaint."""
    front = await front_of(request, services, slug)
    response = _complaint_form(request, front, Form({"language": front.language}))
    # Nothing personal stands in it yet. Kept, it has the same key when somebody goes back and sends it again; so it is
    # sent to another address, for browsers forget a page to whose own address something was posted.
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _complaint_form(request: Request, front: Front, form: Form, status: int = HTTPStatus.OK) -> Response:
    agency, language = front.policy.agency, front.language
    return front.page(
        request,
        "complain",
        "public/complain.html",
        status=status,
        form=form,
        services=service_options(front.policy, language),
        categories=category_options(front.policy, language),
        offices=[Option(office.id, office.name) for office in agency.offices],
        languages=[Option(code, NAMES.get(code, code)) for code in agency.languages],
        yes_or_no=(Option(YES, front.say("Yes")), Option(NO, front.say("No"))),
        vulnerable_circumstances=front.policy.severity.vulnerable_circumstances_in(language),
    )


@router.get("/a/{slug}/complain/send")
async def complaint_form_again(
    request: Request, slug: str, services: Given, _: Annotated[object, Depends(open_to_all)]
) -> Response:
    """Lead back to the form whoever comes here by the address alone."""
    return to(f"{(await front_of(request, services, slug)).home}/complain")


@router.post("/a/{slug}/complain/send")
async def complain(request: Request, slug: str, services: Given, _: Annotated[object, Depends(public)]) -> Response:
    """Take a complaint in; the same form sent twice is one complaint."""
    front = await front_of(request, services, slug)
    form = await sent(request, front.tongue)
    try:
        filed = filed_of(form, front.policy, agency=front.slug, channel=PUBLIC_CHANNEL)
        taken = await file_complaint(services, filed, staff=None, key=form.key)
    except (Faults, Unprocessable) as wrong:
        await forgive(request)
        errors = wrong.errors if isinstance(wrong, Faults) else _no_longer_offered(wrong, front)
        return _complaint_form(request, front, form.again(errors), HTTPStatus.UNPROCESSABLE_ENTITY)
    response = visit(to(f"{front.home}/receipt"), front, taken.receipt.reference, taken.secret)
    if filed.language is not None:
        # Whoever wants our letters in a language reads the receipt in it as well.
        remember(response, filed.language, is_https=services.settings.is_https)
    return response


def _no_longer_offered(wrong: Unprocessable, front: Front) -> dict[str, str]:
    """Return what is wrong beside its field: the form holds what the policy offered when it was opened."""
    return dict.fromkeys(errors_of(wrong), front.say("Choose one of those offered."))


@router.get("/a/{slug}/receipt")
async def receipt(request: Request, slug: str, services: Given, _: Annotated[object, Depends(public)]) -> Response:
    """Show the receipt of the complaint just sent: number, secret, next dates; made to be printed."""
    front = await front_of(request, services, slug)
    visitor = await visited(request, front)
    if visitor is None:
        return to(f"{front.home}/track")
    case = visitor.opened.case
    version = await services.policies.of_case(case, front.now)
    acknowledge_by, answer_by = version.next_dates(case.counted_from)
    return front.page(
        request,
        "complain",
        "public/receipt.html",
        reference=case.receipt.reference,
        secret=visitor.secret,
        acknowledge_by=front.times.day(acknowledge_by),
        answer_by=front.times.day(answer_by),
        gets_letters=case.receipt.can_be_written_to,
        can_be_called=case.receipt.contact is not None,
    )
