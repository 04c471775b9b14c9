# SPDX-License-Identifier: Apache-2.0
"""What the interface takes and gives: closed to unknown fields, without NUL, within limits.

Texts come in plain; which of them become commands, and how, says api/acting.py.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

TEXT_LIMIT = 50_000
KEY_LIMIT = 100
Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=TEXT_LIMIT, pattern=r"^[^\x00]+$")
]
"""What somebody writes, of any number of lines."""
Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
]
"""One line."""
Word = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[^\x00-\x20\x7f]+$")]
"""A code or the name of an account."""
_ADDRESS = r"[^@\s\x00-\x1f<>(),;:]+"
EMAIL_PATTERN = rf"^{_ADDRESS}@{_ADDRESS}\.{_ADDRESS}$"
Email = Annotated[str, StringConstraints(strip_whitespace=True, max_length=254, pattern=EMAIL_PATTERN)]
Post = Annotated[Text, Field(max_length=1_000)]
"""A postal address, of any number of lines."""
IdempotencyKey = Annotated[
    str,
    Field(
        min_length=1,
        max_length=KEY_LIMIT,
        pattern=r"^[\x21-\x7e]+$",
        description="The same key with the same request is done once and answered alike, however often it is sent.",
        examples=["0b0a8e0c-5f0a-4f39-9a3c-0d6b0f2f4f0e"],
    ),
]


class Shape(BaseModel):
    """A body that comes in or goes out."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FieldFault(Shape):
    """What is wrong with one field."""

    field: str
    sentence: str


class ProblemView(Shape):
    """A problem as RFC 9457 has it."""

    type: str = Field(examples=["/problems/wrong-state"])
    title: str
    status: int
    detail: str = Field(
        examples=["“Close” is for a complaint that is answered; this one is in triage. First comes “Triage”."]
    )
    errors: tuple[FieldFault, ...] = Field(default=(), description="One sentence for each field at fault.")


def example(**values: JsonValue) -> ConfigDict:
    """Return a model's configuration with one example for the documentation."""
    return ConfigDict(frozen=True, extra="forbid", json_schema_extra={"examples": [values]})
