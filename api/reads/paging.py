# SPDX-License-Identifier: Apache-2.0
"""Pages by keyset: a cursor says after which row to go on, so that no page costs more than the first."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Generic, TypeVar
from uuid import UUID

T = TypeVar("T")
DEFAULT_LIMIT = 50
LONGEST_PAGE = 200


class BadCursor(ValueError):
    """A cursor that this list did not give out."""

    def __init__(self) -> None:
        super().__init__("This cursor does not belong to this list; begin again without one.")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows, and the cursor of what comes after them; None at the end."""

    rows: tuple[T, ...]
    next_cursor: str | None = None


def cursor_of(order: str, *keys: datetime | date | UUID | str) -> str:
    """Return the cursor of a row: the list's order, and the row's keys in it."""
    told = [order, *(key.isoformat() if isinstance(key, date) else str(key) for key in keys)]
    return base64.urlsafe_b64encode(json.dumps(told, separators=(",", ":")).encode()).decode().rstrip("=")


def keys_of(cursor: str, order: str, count: int) -> list[str]:
    """Return the keys that a cursor of this order holds; raises BadCursor."""
    try:
        told = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError) as problem:
        raise BadCursor from problem
    keys = [key for key in told if isinstance(key, str)] if isinstance(told, list) else []
    if len(keys) != count + 1 or keys[0] != order:
        raise BadCursor
    return keys[1:]


def moment_and_id(cursor: str, order: str) -> tuple[datetime, UUID]:
    """Return the keys of a list that is ordered by a moment, then by id."""
    moment, identity = keys_of(cursor, order, 2)
    try:
        return datetime.fromisoformat(moment), UUID(identity)
    except ValueError as problem:
        raise BadCursor from problem


def day_and_id(cursor: str, order: str) -> tuple[date, UUID]:
    """Return the keys of a list that is ordered by a day, then by id."""
    day, identity = keys_of(cursor, order, 2)
    try:
        return date.fromisoformat(day), UUID(identity)
    except ValueError as problem:
        raise BadCursor from problem
