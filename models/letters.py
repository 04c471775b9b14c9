# SPDX-License-Identifier: Apache-2.0
"""Letters: which there are, what each must say, and how one is filled in.

The words are the agency's (policy/letters/); what a letter must not lack is fixed here, because it is a duty: every
letter about a case names a person and a telephone number, and every answer tells the way to a review.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from models.messages import Message

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")


class LetterKind(StrEnum):
    """The occasions on which the agency writes."""

    RECEIPT = "receipt"
    RECEIPT_SHOWN = "receipt_shown"
    """Never sent: what somebody without an address to write to is shown."""
    ACKNOWLEDGEMENT = "acknowledgement"
    INFORMATION_REQUEST = "information_request"
    PROGRESS = "progress"
    """The date by which the answer was promised is another now."""
    LATE = "late"
    """The answer is not there by the day it was promised for."""
    ANSWER = "answer"
    CLOSED = "closed"
    REOPENED = "reopened"
    WITHDRAWN = "withdrawn"
    DUPLICATE = "duplicate"
    DEADLINE_WARNING = "deadline_warning"
    ESCALATION = "escalation"
    AFFECTED = "affected"
    """To everybody whom a failure affected: what was found, what is done about it, what they get."""
    SIGNAL_OVERDUE = "signal_overdue"
    FIX_ALERT = "fix_alert"

    @property
    def is_for_staff(self) -> bool:
        """Whether only staff read it, so that it stands in the agency's first language alone."""
        return self in _FOR_STAFF


_FOR_STAFF = frozenset(
    {LetterKind.DEADLINE_WARNING, LetterKind.ESCALATION, LetterKind.SIGNAL_OVERDUE, LetterKind.FIX_ALERT}
)
_CONTACT = {"contact_name", "contact_phone"}
_CASE = {"reference", "track_url"}
MUST_SAY: Final[Mapping[LetterKind, frozenset[str]]] = {
    # The first letter that somebody gets tells the way to track; an imported complaint has no receipt.
    LetterKind.RECEIPT: frozenset({*_CASE, "secret", "received_on", "acknowledge_by", "answer_by"}),
    LetterKind.RECEIPT_SHOWN: frozenset({*_CASE, "secret", "received_on", "acknowledge_by", "answer_by"}),
    LetterKind.ACKNOWLEDGEMENT: frozenset({*_CASE, "secret", *_CONTACT, "issues", "answer_by"}),
    LetterKind.INFORMATION_REQUEST: frozenset({*_CASE, *_CONTACT, "question", "reply_by"}),
    LetterKind.PROGRESS: frozenset({*_CASE, *_CONTACT, "answer_by", "external_route"}),
    LetterKind.LATE: frozenset({*_CASE, *_CONTACT, "due_by", "external_route"}),
    LetterKind.ANSWER: frozenset({*_CASE, *_CONTACT, "answer", "points", "review_until", "external_route", "notice"}),
    LetterKind.CLOSED: frozenset({*_CASE, *_CONTACT, "review_until", "external_route"}),
    LetterKind.REOPENED: frozenset({*_CASE, *_CONTACT, "answer_by"}),
    LetterKind.WITHDRAWN: frozenset({*_CASE, *_CONTACT}),
    LetterKind.DUPLICATE: frozenset({*_CASE, *_CONTACT, "other_reference"}),
    LetterKind.DEADLINE_WARNING: frozenset({"reference", "clock", "due_by", "case_url"}),
    LetterKind.ESCALATION: frozenset({"reference", "clock", "due_by", "owner_name", "case_url"}),
    LetterKind.AFFECTED: frozenset({*_CONTACT, "words", "remedy"}),
    LetterKind.SIGNAL_OVERDUE: frozenset({"executive_title", "signal", "due_by", "signal_url"}),
    LetterKind.FIX_ALERT: frozenset({"executive_title", "fix", "finding", "owner_name", "fix_url"}),
}
ALWAYS_THERE: Final = frozenset({"greeting", "agency_name", "agency_phone", "agency_email", "received_on"})
"""What any letter may also say; whoever fills in a letter always gives these."""


class MissingValues(ValueError):
    """A letter was to be filled in without something it says."""


class Filled(Message):
    """A letter ready to send: a subject of one line and a body in Markdown.

    Values stand in the body as they were given. Whoever turns it into HTML escapes it first.
    """

    subject: str
    body: str


class Letter(Message):
    """The words for one occasion in one language."""

    kind: LetterKind
    language: str
    subject: str
    body: str

    @property
    def placeholders(self) -> frozenset[str]:
        """The names that stand in braces."""
        return frozenset(PLACEHOLDER.findall(self.subject + self.body))

    def in_plain_text(self) -> Letter:
        """Return the letter as mail sends it: without Markdown's emphasis, which would only be noise there.

        Taken out before it is filled in, so that what people wrote stays as they wrote it.
        """
        return self.model_copy(update={"body": self.body.replace("**", "")})

    def filled(self, values: Mapping[str, str]) -> Filled:
        """Return the letter with every {name} replaced once; a name without a value raises MissingValues."""
        if missing := sorted(self.placeholders - values.keys()):
            raise MissingValues(f"The letter '{self.kind}' ({self.language}) lacks {', '.join(missing)}.")
        subject, body = (PLACEHOLDER.sub(lambda name: values[name[1]], text) for text in (self.subject, self.body))
        # A value with a line break must not become a header of the mail.
        return Filled(subject=" ".join(subject.split()), body=body)


def letter_of(letters: tuple[Letter, ...], kind: LetterKind, language: str) -> Letter:
    """Return the letter for an occasion and a language; one the policy lacks raises LookupError."""
    for letter in letters:
        if letter.kind is kind and letter.language == language:
            return letter
    raise LookupError(f"The policy has no letter '{kind}' in '{language}'.")
