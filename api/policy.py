# SPDX-License-Identifier: Apache-2.0
"""What an agency publishes of its policy: services, what can be complained about, and its promises."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.identity import Given, open_to_all
from api.problems import Unprocessable, problems
from api.reads.database import RecordAway
from api.reads.people import Staff
from api.reads.policies import Version
from api.shapes import Word
from api.shapes_registers import NamedView, OfficeView, PolicyView, StandardView
from models.policy import Policy
from models.taxonomy import Kind

router = APIRouter(prefix="/policy", tags=["published"])


@router.get("", responses=problems(Unprocessable, RecordAway))
async def show(
    services: Given,
    staff: Annotated[Staff | None, Depends(open_to_all)],
    agency: Annotated[Word | None, Query(description="May be left out where there is only one.")] = None,
) -> PolicyView:
    """Show the published part of the policy in force now."""
    now = services.clock()
    found = await services.policies.agency_named(agency or (staff.agency if staff else None), now)
    version = await services.policies.current(found.slug, now)
    return policy_view(version, version.policy.calendar.local_date(now))


def policy_view(version: Version, today: date) -> PolicyView:
    """Return what everybody may know of a policy."""
    policy: Policy = version.policy
    agency, standards = policy.agency, policy.standards
    return PolicyView(
        agency=agency.slug,
        name=agency.name,
        version=version.number,
        languages=agency.languages,
        contact={"phone": agency.contact.phone, "email": agency.contact.email, "post": agency.contact.post},
        services=tuple(NamedView(id=s.id, name=s.name, covers=s.covers) for s in agency.services),
        offices=tuple(OfficeView(id=o.id, name=o.name) for o in agency.offices),
        categories=tuple(
            NamedView(id=term.code, name={language: term.name_in(language) for language in agency.languages})
            for term in policy.taxonomy.of(Kind.INTAKE, on=today)
        ),
        standards=tuple(
            StandardView(
                id=s.id,
                clock=s.clock,
                track=s.track,
                amount=s.amount,
                unit=s.unit,
                promise={language: s.promise_in(language) for language in s.promise},
            )
            for s in standards.standards
        ),
        review_window_calendar_days=standards.review_window_calendar_days,
        notice=agency.notice,
        external_route=agency.external_route,
    )
