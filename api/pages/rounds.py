# SPDX-License-Identifier: Apache-2.0
"""What was said of a case before: what its rounds are called, and the answer that was proposed last."""

from __future__ import annotations

from api.pages.words import money_typed
from api.reads.cases import Dossier
from models.commands import Answer, Approve, ProposeAnswer, Reopen

_ORDINALS = ("First", "Second", "Third", "Fourth", "Fifth")


def round_label(number: int) -> str:
    """Return the name of a round; number 0 is the one before any review."""
    return f"{_ORDINALS[number] if number < len(_ORDINALS) else f'No. {number + 1}:'} round"


def proposed_before(dossier: Dossier, sequence: int) -> ProposeAnswer | None:
    """Return the answer that was proposed last before an event, or None."""
    commands = (stored.event.command for stored in reversed(dossier.events) if stored.event.sequence < sequence)
    return next((command for command in commands if isinstance(command, ProposeAnswer)), None)


def sent_back(dossier: Dossier) -> dict[str, str]:
    """Return an answer that was proposed in this round and sent back, as the fields of its form; empty without one."""
    for stored in reversed(dossier.events):
        match stored.event.command:
            case ProposeAnswer() as proposed if dossier.case.proposal is None:
                return _fields(proposed, dossier)
            case Answer() | Approve() | ProposeAnswer() | Reopen():
                return {}
    return {}


def _fields(proposed: ProposeAnswer, dossier: Dossier) -> dict[str, str]:
    fields = {"text": dossier.text(proposed.text) or ""}
    for answer in proposed.issues:
        fields |= {f"finding_{answer.number}": answer.finding.value, f"remedy_{answer.number}": answer.remedies[0]}
        if answer.amount is not None:
            fields[f"amount_{answer.number}"] = money_typed(answer.amount.cents)
            fields[f"authority_{answer.number}"] = answer.amount.authority
    return fields
