# SPDX-License-Identifier: Apache-2.0
"""Which letters an event causes. The outbox holds one row for each; what it says is filled in when it leaves."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from uuid import UUID, uuid5

from models.case import Case
from models.commands import Escalate, Triage
from models.events import Event
from models.letters import LetterKind
from models.messages import Message
from models.terms import Action, ClockName

_NAMESPACE = UUID("6f4bd1a2-3b0e-5b0a-9d26-7f9f5b9f4b0c")


class Recipient(StrEnum):
    """To whom a letter goes; who that is, is looked up when it leaves."""

    COMPLAINANT = "complainant"
    OWNER = "owner"
    SUPERVISORS = "supervisors"


class Outgoing(Message):
    """A letter to be sent once."""

    id: UUID
    letter: LetterKind
    recipient: Recipient

    def message_id(self, domain: str) -> str:
        """Return the Message-ID header, the same however often it is sent (RFC 5322 §3.6.4)."""
        return f"<{self.id}@{domain}>"


_ANSWERING = (ClockName.ANSWER, ClockName.REVIEW)
_CAUSES = {
    Action.SEND_RECEIPT: (LetterKind.RECEIPT, Recipient.COMPLAINANT),
    Action.ACKNOWLEDGE: (LetterKind.ACKNOWLEDGEMENT, Recipient.COMPLAINANT),
    Action.REQUEST_INFORMATION: (LetterKind.INFORMATION_REQUEST, Recipient.COMPLAINANT),
    Action.ANSWER: (LetterKind.ANSWER, Recipient.COMPLAINANT),
    Action.APPROVE: (LetterKind.ANSWER, Recipient.COMPLAINANT),
    Action.WITHDRAW: (LetterKind.WITHDRAWN, Recipient.COMPLAINANT),
    Action.MARK_DUPLICATE: (LetterKind.DUPLICATE, Recipient.COMPLAINANT),
    Action.REOPEN: (LetterKind.REOPENED, Recipient.COMPLAINANT),
    Action.WARN_OF_DEADLINE: (LetterKind.DEADLINE_WARNING, Recipient.OWNER),
    Action.ESCALATE: (LetterKind.ESCALATION, Recipient.SUPERVISORS),
}


def letters_of(event: Event, before: Case, after: Case) -> tuple[Outgoing, ...]:
    """Return the letters that `event` causes, given the case before and after it.

    Who left no address gets none (they track with reference and secret); an import sends no receipt.
    """
    receipt = after.receipt
    return tuple(
        Outgoing(id=_id_of(event, letter), letter=letter, recipient=recipient)
        for letter, recipient in _caused_by(event, before, after)
        if (recipient is not Recipient.COMPLAINANT or receipt.can_be_written_to)
        and not (letter is LetterKind.RECEIPT and receipt.is_imported)
    )


def _caused_by(event: Event, before: Case, after: Case) -> Iterator[tuple[LetterKind, Recipient]]:
    """Yield what is written because of an event, and to whom: what was promised, and that it will be kept otherwise."""
    command = event.command
    if command.action in _CAUSES:
        yield _CAUSES[command.action]
    # Who was never told of a date, as an import tells nobody, is not told that it is over.
    was_promised = not after.receipt.is_imported or after.acknowledged_at is not None
    if isinstance(command, Escalate) and command.clock in _ANSWERING and was_promised:
        yield LetterKind.LATE, Recipient.COMPLAINANT
    # A review is due on a day of its own, whatever the track.
    is_in_review = before.review_round > 0
    has_another_track = before.acknowledged_at is not None and before.track is not after.track
    if isinstance(command, Triage) and has_another_track and not is_in_review:
        yield LetterKind.PROGRESS, Recipient.COMPLAINANT


def _id_of(event: Event, letter: LetterKind) -> UUID:
    """Return the id of a letter; the second one of an event has its kind in it."""
    place = f"{event.case_id}/{event.sequence}"
    return uuid5(_NAMESPACE, f"{place}/{letter}" if letter is LetterKind.LATE else place)
