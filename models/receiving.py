# SPDX-License-Identifier: Apache-2.0
"""Making a receipt: from what was sent to what the record takes in, in one step and without I/O."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID, uuid5

from models.case_keys import new_key, wrapped
from models.commands import Receipt
from models.messages import ContentRef, canonical, canonical_message, sha256
from models.references import reference_for, uuid7_at

SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Text:
    """A free text or personal field, as `content` stores it."""

    id: UUID
    kind: str
    body: str
    salt: bytes

    @property
    def digest(self) -> bytes:
        """SHA-256 of salt and text: only this enters the hash chain."""
        return sha256(self.salt, self.body.encode())

    @property
    def ref(self) -> ContentRef:
        """The text as commands refer to it."""
        return ContentRef(id=self.id, digest=self.digest.hex())


def text_of(case_id: UUID, key: str, kind: str, body: str, salt: bytes | None = None) -> Text:
    """Return a text under the id that case, key and kind give it, so that a repeated request finds it again."""
    return Text(uuid5(case_id, f"{key}/{kind}"), kind, body, os.urandom(SALT_BYTES) if salt is None else salt)


@dataclass(frozen=True, slots=True)
class Submission:
    """A complaint as it was sent, checked already."""

    agency: str
    prefix: str
    key: str
    narrative: str
    channel: str
    received_at: datetime | None
    received_on: date | None
    wanted: str = ""
    contact: str = ""
    """Canonical JSON of name, e-mail, telephone and address; empty: anonymous."""
    can_be_written_to: bool = False
    service: str | None = None
    category: str | None = None
    office: str | None = None
    language: str = "en"
    event_id: UUID | None = None
    is_imported: bool = False
    source: str | None = None
    vulnerable: bool | None = None
    """Whether the sender says that the person affected is in vulnerable circumstances."""

    @property
    def request_hash(self) -> bytes:
        """SHA-256 of all that was sent; the moment of a complaint received now is not part of the request."""
        sent = {
            "narrative": self.narrative,
            "channel": self.channel,
            "wanted": self.wanted,
            "contact": self.contact,
            "service": self.service,
            "category": self.category,
            "office": self.office,
            "language": self.language,
            "event": str(self.event_id),
            "received_on": str(self.received_on) if self.is_imported else "",
        }
        # Left out where nothing is said: a request from before this was asked keeps its hash. Of an imported row too:
        # its map may read the column only since the row was taken in, and the row is the same.
        if self.vulnerable is not None and not self.is_imported:
            sent["vulnerable"] = str(self.vulnerable)
        return sha256(canonical(sent))


@dataclass(frozen=True, slots=True)
class Intake:
    """Everything that is written when a complaint is accepted."""

    receipt: Receipt
    key: str
    request_hash: bytes
    wrapped_key: bytes
    texts: tuple[Text, ...]

    @property
    def facts(self) -> bytes:
        """The receipt as it is stored."""
        return canonical_message(self.receipt)


def intake_of(
    submission: Submission, accepted_at: datetime, wrapping_key: bytes, case_id: UUID | None = None
) -> Intake:
    """Return what the record takes in; the case's id carries the date of receipt."""
    case_id = case_id or uuid7_at(submission.received_at or accepted_at)
    texts = {
        kind: text_of(case_id, submission.key, kind, body)
        for kind, body in (
            ("narrative", submission.narrative),
            ("wanted", submission.wanted),
            ("contact", submission.contact),
        )
        if body
    }
    refs = {kind: text.ref for kind, text in texts.items()}
    receipt = Receipt(
        agency=submission.agency,
        case_id=case_id,
        reference=reference_for(submission.prefix, case_id),
        accepted_at=accepted_at,
        received_at=submission.received_at,
        received_on=submission.received_on,
        channel=submission.channel,
        service=submission.service,
        category=submission.category,
        office=submission.office,
        language=submission.language,
        event_id=submission.event_id,
        can_be_written_to=submission.can_be_written_to,
        is_imported=submission.is_imported,
        source=submission.source,
        vulnerable=submission.vulnerable,
        **refs,
    )
    return Intake(
        receipt=receipt,
        key=submission.key,
        request_hash=submission.request_hash,
        wrapped_key=wrapped(new_key(), case_id, wrapping_key),
        texts=tuple(texts.values()),
    )
