# SPDX-License-Identifier: Apache-2.0
"""Which letters an event causes. The outbox holds one row for each; what it says is filled in when it leaves."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID, uuid5

from models.case import Case
from models.events import Event
from models.letters import LetterKind
from models.messages import Message
from models.terms import Action

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


def letters_of(event: Event, after: Case) -> tuple[Outgoing, ...]:
    """Return the letters that `event` causes, given the case after it.

    Who left no address gets none (they track with reference and secret); an import sends no receipt.
    """
    cause = _CAUSES.get(event.command.action)
    if cause is None:
        return ()
    letter, recipient = cause
    if recipient is Recipient.COMPLAINANT and not after.receipt.can_be_written_to:
        return ()
    if letter is LetterKind.RECEIPT and after.receipt.is_imported:
        return ()
    return (Outgoing(id=uuid5(_NAMESPACE, f"{event.case_id}/{event.sequence}"), letter=letter, recipient=recipient),)
