# SPDX-License-Identifier: Apache-2.0
"""What the words of complaints told, as it goes out."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from api.shapes import Shape


class SuggestedCodeView(Shape):
    """A code an issue may have. Nobody has given it yet."""

    code: str
    name: str
    chance: Annotated[float, Field(ge=0, le=1, description="How often such a suggestion is right.")]
    words: Annotated[tuple[str, ...], Field(description="The complaint's words that speak for it.")]


class SuggestionView(Shape):
    """What one issue may be coded as, the one chosen first."""

    number: int
    kind: Annotated[str, Field(description="`category`: the kind of problem; `failure`: the root cause.")]
    abstained: Annotated[bool, Field(description="Too unsure to propose anything: a person should look.")]
    version: int
    made_at: datetime
    codes: tuple[SuggestedCodeView, ...]


class OtherCaseView(Shape):
    """Another complaint of the agency."""

    id: UUID
    reference: str
    state: str
    likeness: Annotated[float | None, Field(description="Cosine of the words; none for copies of one letter.")]
    codes: Annotated[tuple[str, ...], Field(description="Root causes that people confirmed.")]


class TextsView(Shape):
    """What the words of a complaint told."""

    suggestions: tuple[SuggestionView, ...]
    copies: Annotated[tuple[OtherCaseView, ...], Field(description="The first complaints with a near-identical text.")]
    copy_count: int
    nearest: Annotated[tuple[OtherCaseView, ...], Field(description="Answered complaints most alike.")]


class ToCodeView(Shape):
    """An issue to be coded this week, because suggestions learn most from it."""

    place: int
    id: UUID
    reference: str
    number: int
    state: str
    is_coded: bool
    uncertainty: float
    distinctness: float


class DriftView(Shape):
    """Whether codes or words are used otherwise than before."""

    kind: str
    week: date
    has_changed: bool
    sentence: str


class NewFailureView(Shape):
    """Recent complaints that no code fits."""

    sentence: str
    ids: tuple[UUID, ...]
    references: tuple[str, ...]
    letter_count: Annotated[int, Field(description="Copies of one letter counted once.")]
    expected_count: float
    words: tuple[str, ...]


class ModelView(Shape):
    """What suggestions are made with."""

    kind: str
    version: int
    made_for: date
    cases: int
    labels: int
    checked_cases: int
    accuracy: float | None
    calibration_error: float | None


class CodingView(Shape):
    """The week's look at coding."""

    week: date | None
    queue: tuple[ToCodeView, ...]
    drift: tuple[DriftView, ...]
    new_failures: tuple[NewFailureView, ...]
    models: tuple[ModelView, ...]
