# SPDX-License-Identifier: Apache-2.0
"""The words complaints are coded with: what people say went wrong, what the agency found, and why it happened.

Five things are kept apart: the issue in the complainant's words (intake category), the process failure found, its
contributing cause, how bad and how wide it was (models/severity.py), and the finding (models/terms.py).
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

from pydantic import StringConstraints

from models.agency import Line
from models.messages import Message

if TYPE_CHECKING:
    from collections.abc import Mapping

TaxonomyCode = Annotated[str, StringConstraints(pattern=r"^([A-Z]{1,4}[0-9]{0,2}|[a-z][a-z0-9_]{0,39})$")]


class Kind(StrEnum):
    """What a row of policy/taxonomy.csv is."""

    FAMILY = "family"
    FAILURE = "failure"
    NON_FAILURE = "non_failure"
    CAUSE = "cause"
    INTAKE = "intake"


class Driver(StrEnum):
    """What of a good service was missing: the drivers of OMB Circular A-11 section 280."""

    EFFECTIVENESS = "EF"
    EASE = "EA"
    EFFICIENCY = "EC"
    TRANSPARENCY = "TR"
    HUMANITY = "HU"
    EMPLOYEE = "EM"


class Term(Message):
    """One code, in the agency's words."""

    kind: Kind
    code: TaxonomyCode
    family: TaxonomyCode | None = None
    name: Line
    name_es: Line | None = None
    definition: Line
    driver: Driver | None = None
    retired_on: date | None = None
    """From this day on the code is no longer given; cases that have it keep it."""

    def name_in(self, language: str) -> str:
        """Return the name in a language; words only staff read have no other than English."""
        return self.name_es or self.name if language == "es" else self.name


class Taxonomy(Message):
    """All codes of an agency, retired ones included."""

    terms: tuple[Term, ...]

    @cached_property
    def by_code(self) -> Mapping[str, Term]:
        """Every term by its code; retired ones stay readable."""
        return {term.code: term for term in self.terms}

    def of(self, kind: Kind, *, on: date | None = None) -> tuple[Term, ...]:
        """Return the terms of a kind that may be given on a day, or all of them."""
        return tuple(
            term
            for term in self.terms
            if term.kind is kind and (on is None or term.retired_on is None or on < term.retired_on)
        )
