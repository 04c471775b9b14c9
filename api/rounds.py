# SPDX-License-Identifier: Apache-2.0
"""The rounds of a case that a review reopened: what was found in each, and what was answered."""

from __future__ import annotations

from dataclasses import dataclass

from api.reads.cases import Dossier
from models.case import Case, new_case
from models.commands import Answer, Approve, Reopen
from models.messages import ContentRef
from models.story import apply


@dataclass(frozen=True, slots=True)
class Round:
    """A round as it stood when the case was opened again."""

    case: Case
    answered_by: tuple[str, ...]
    """Who answered in this round: whoever proposed it first, then who approved it."""
    answer: ContentRef | None


def answered_before(dossier: Dossier) -> tuple[Round, ...]:
    """Return the rounds before the present one in which the complainant got an answer."""
    return tuple(before for before in earlier_rounds(dossier) if before.answer is not None)


def earlier_rounds(dossier: Dossier) -> tuple[Round, ...]:
    """Return the rounds before the present one, the first first: the case keeps what was found in its events only."""
    rounds: list[Round] = []
    if not dossier.case.review_round:
        return ()
    case = new_case(dossier.case.receipt)
    answer: ContentRef | None = None
    before: tuple[str, ...] = ()
    for stored in dossier.events:
        match stored.event.command:
            case Answer() as given:
                answer = given.text
            case Approve():
                answer = case.proposal.text if case.proposal else None
            case Reopen():
                by = tuple(name for name in case.answered_by if name not in before)
                rounds.append(Round(case, by, answer))
                answer, before = None, case.answered_by
        case = apply(case, stored.event)
    return tuple(rounds)
