# SPDX-License-Identifier: Apache-2.0
"""What the words of complaints told: suggestions and copies of one complaint, and the week's look at coding."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from api.coding_words import SURE, drift_sentence, new_failure_sentence
from api.identity import Given, who
from api.problems import Forbidden, NotFound, NotSignedIn, Unprocessable, problems
from api.reads.cases import case_by_id
from api.reads.database import RecordAway
from api.reads.people import Staff
from api.reads.text import Drift, OtherCase, Suggested, coding, texts_of_case
from api.shapes_texts import (
    CodingView,
    DriftView,
    ModelView,
    NewFailureView,
    OtherCaseView,
    SuggestedCodeView,
    SuggestionView,
    TextsView,
    ToCodeView,
)
from api.writes.audit import Looked, note_read
from models.taxonomy import Taxonomy
from models.terms import Role

READERS = (Role.INTAKE, Role.CASEWORKER, Role.SUPERVISOR, Role.AUDITOR)
CODERS = (Role.CASEWORKER, Role.SUPERVISOR, Role.ANALYST)
DECIDERS = frozenset({Role.SUPERVISOR, Role.ANALYST})
router = APIRouter(tags=["root causes"])


@router.get(
    "/complaints/{case_id}/suggestions", responses=problems(NotSignedIn, Forbidden, NotFound, Unprocessable, RecordAway)
)
async def suggestions(case_id: UUID, services: Given, staff: Annotated[Staff, Depends(who(*READERS))]) -> TextsView:
    """Show what a complaint may be coded as, which others came with the same letter, and which are alike."""
    now = services.clock()
    taxonomy = (await services.policies.current(staff.agency, now)).policy.taxonomy
    async with services.database.of(staff.agency) as connection:
        if await case_by_id(connection, case_id) is None:
            raise NotFound("There is no such complaint.")
        found = await texts_of_case(connection, case_id)
        await note_read(connection, staff.agency, staff.actor, Looked.CASE, case_id=case_id)
    return TextsView(
        suggestions=tuple(_suggestion(one, taxonomy) for one in found.suggested),
        copies=tuple(_other(one) for one in found.copies),
        copy_count=found.copy_count,
        nearest=tuple(_other(one) for one in found.nearest),
    )


@router.get("/coding", responses=problems(NotSignedIn, Forbidden, RecordAway))
async def week(services: Given, staff: Annotated[Staff, Depends(who(*CODERS))]) -> CodingView:
    """Show what to code first this week, whether codes are used as before, and failures that may need a code."""
    taxonomy = (await services.policies.current(staff.agency, services.clock())).policy.taxonomy
    async with services.database.of(staff.agency) as connection:
        found = await coding(connection)
        await note_read(connection, staff.agency, staff.actor, Looked.LIST, asked={"page": "coding"})
    proposed = found.new_failures if staff.role in DECIDERS else ()
    return CodingView(
        week=found.queue[0].week if found.queue else None,
        queue=tuple(
            ToCodeView(
                place=one.place,
                id=one.case_id,
                reference=one.reference,
                number=one.number,
                state=one.state,
                is_coded=one.is_coded,
                uncertainty=one.uncertainty,
                distinctness=one.distinctness,
            )
            for one in found.queue
        ),
        drift=tuple(_drift(one, taxonomy) for one in found.drifts),
        new_failures=tuple(
            NewFailureView(
                sentence=new_failure_sentence(one),
                ids=one.case_ids,
                references=one.references,
                letter_count=one.letter_count,
                expected_count=one.expected_count,
                words=one.words,
            )
            for one in proposed
        ),
        models=tuple(ModelView.model_validate(one, from_attributes=True) for one in found.models),
    )


def _name(code: str, taxonomy: Taxonomy) -> str:
    term = taxonomy.by_code.get(code)
    return term.name if term else code


def _suggestion(one: Suggested, taxonomy: Taxonomy) -> SuggestionView:
    return SuggestionView(
        number=one.number,
        kind=one.kind,
        abstained=one.abstained,
        version=one.version,
        made_at=one.made_at,
        codes=tuple(
            SuggestedCodeView(code=each.code, name=_name(each.code, taxonomy), chance=each.chance, words=each.words)
            for each in one.codes[:3]
        ),
    )


def _other(one: OtherCase) -> OtherCaseView:
    return OtherCaseView(id=one.case_id, reference=one.reference, state=one.state, likeness=one.cosine, codes=one.codes)


def _drift(one: Drift, taxonomy: Taxonomy) -> DriftView:
    return DriftView(
        kind=one.kind,
        week=one.week,
        has_changed=bool(one.shares) or (one.words_p_value is not None and one.words_p_value <= SURE),
        sentence=drift_sentence(one, lambda code: _name(code, taxonomy)),
    )
