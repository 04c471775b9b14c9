# SPDX-License-Identifier: Apache-2.0
"""Retention: how long each kind of record is kept, from when, and by what authority."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from models.agency import Id, Line
from models.messages import Message


class KeptFrom(StrEnum):
    """The moment from which the time of keeping runs."""

    CLOSED = "closed"
    CREATED = "created"
    SUPERSEDED = "superseded"


class RetentionItem(Message):
    """One kind of record and how long it is kept."""

    id: Id
    name: Line
    covers: Line
    keep_months: Annotated[int, Field(ge=1, le=1_200)]
    kept_from: KeptFrom
    authority: Line


class Retention(Message):
    """The agency's retention schedule. A legal hold on a case stops every item of it."""

    disposal_needs_people: Annotated[int, Field(ge=1, le=5)]
    items: Annotated[tuple[RetentionItem, ...], Field(min_length=1)]
