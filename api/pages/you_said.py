# SPDX-License-Identifier: Apache-2.0
"""“You said, we did”: what the agency has approved to be told of its fixes, and what came of each, for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.identity import Given, open_to_all
from api.pages.fix_words import outcome_of
from api.pages.front import Front, front_of
from api.pages.site import PageRoute
from api.reads.fixes import ApprovedWords, approved_words
from models.fixes.affected import told_in
from models.fixes.terms import Occasion

router = APIRouter(include_in_schema=False, route_class=PageRoute)
WORDS_SHOWN = 200
"""What was approved longer ago is no longer shown; an agency approves a few dozen a year."""


@dataclass(frozen=True, slots=True)
class Said:
    """What was told at one occasion."""

    words: str
    language: str
    """Of the words; another than the reader's where nobody has put them into that."""
    told_in: str
    """What language they are in, if that is not the reader's."""
    on: str
    is_verdict: bool


@dataclass(frozen=True, slots=True)
class Matter:
    """A fix as the public reads it: the words told of it, the latest first, and what came of it."""

    outcome: str
    said: list[Said]


@router.get("/a/{slug}/you-said")
async def you_said(
    request: Request, slug: str, services: Given, _: Annotated[object, Depends(open_to_all)]
) -> Response:
    """Show what people said and what was done about it, in the words that were approved."""
    front = await front_of(request, services, slug)
    async with services.database.of(front.slug) as connection:
        approved = await approved_words(connection, limit=WORDS_SHOWN)
    by_fix: dict[object, list[ApprovedWords]] = {}
    for each in approved:
        by_fix.setdefault(each.fix.id, []).append(each)
    matters = [
        Matter(outcome_of(told[0].fix, front.tongue), [_said(each, front) for each in told]) for told in by_fix.values()
    ]
    return front.page(request, "you-said", "public/you_said.html", matters=matters)


def _said(each: ApprovedWords, front: Front) -> Said:
    """Return words in the reader's language, or as they were approved, in the agency's first."""
    first = front.policy.agency.languages[0]
    is_verdict, on = each.occasion is Occasion.JUDGED, front.times.day(each.at)
    if front.language == first:
        return Said(each.words, first, "", on, is_verdict=is_verdict)
    if (translated := each.translations.get(front.language)) is not None:
        return Said(translated, front.language, "", on, is_verdict=is_verdict)
    return Said(each.words, first, told_in(first, front.language), on, is_verdict=is_verdict)
