# SPDX-License-Identifier: Apache-2.0
"""What has happened: an event is a granted command with its time and its place in the story.

Its canonical bytes are stored and chained by hash; what it makes of the case is models/story.py.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from models.commands import Command
from models.messages import Message, canonical_message, sha256
from models.terms import State

GENESIS_HASH = bytes(32)
"""What stands before the first event of every case."""


class Event(Message):
    """A granted command: event number `sequence` of its case."""

    case_id: UUID
    sequence: int
    at: datetime
    source: State
    target: State
    command: Command

    def canonical(self) -> bytes:
        """Return the bytes that are stored and chained."""
        return canonical_message(self)


def chained(previous_hash: bytes, canonical: bytes) -> bytes:
    """Return the hash of an event: SHA-256 of the hash before it and its own canonical bytes."""
    return sha256(previous_hash, canonical)
