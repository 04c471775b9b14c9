# SPDX-License-Identifier: Apache-2.0
"""The shape every message shares: frozen, and closed to unknown fields."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

SHORT_TEXT_LIMIT = 200
Code = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[^\x00\r\n]+$")]
"""A word out of the policy's lists: a service, an office, a failure code. Never free text."""
Key = Annotated[str, StringConstraints(min_length=1, max_length=SHORT_TEXT_LIMIT, pattern=r"^[\x21-\x7e]+$")]
"""An idempotency key: printable, without spaces."""


class Message(BaseModel):
    """A value that travels: immutable, and a typing error in a field's name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ContentRef(Message):
    """A free text or personal field, kept apart in `content`: only its id and salted digest travel."""

    id: UUID
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Amount(Message):
    """A sum of money granted, in cents, with the legal authority for it."""

    cents: Annotated[int, Field(gt=0, le=100_000_000)]
    authority: Code


def canonical(value: object) -> bytes:
    """Return the one JSON spelling of a value of plain types: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def canonical_message(message: BaseModel) -> bytes:
    """Return the one JSON spelling of a message; absent fields are left out, so a new one changes nothing."""
    return canonical(message.model_dump(mode="json", exclude_none=True))


def sha256(*parts: bytes) -> bytes:
    """Return the SHA-256 of the parts set one after another."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()
