# SPDX-License-Identifier: Apache-2.0
"""What the words of a complaint told, as the case's page shows it: beside the forms, never in them unasked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from api.coding_words import chance_words
from api.pages.words import Times, Words, counted, state_words
from api.reads.text import OtherCase, Suggested, TextsOfCase
from models.case import Case
from models.taxonomy import Kind
from models.terms import State

SHOWN = 3
LEAST_CHANCE = 0.05
"""Beside the first, codes less likely than this help nobody."""


@dataclass(frozen=True, slots=True)
class SuggestedOption:
    """A code one may take over, with how likely it is and the words that speak for it."""

    value: str
    label: str
    chance: str
    because: str


@dataclass(frozen=True, slots=True)
class SuggestedView:
    """What an issue may be; `is_unsure`: say so, and propose nothing by order."""

    is_unsure: bool
    options: tuple[SuggestedOption, ...]


@dataclass(frozen=True, slots=True)
class OtherView:
    """A link to another case."""

    href: str
    reference: str
    title: str
    state: str
    received: str
    causes: str


@dataclass(frozen=True, slots=True)
class TextsView:
    """Suggestions by issue, and other cases."""

    categories: dict[int, SuggestedView]
    failures: dict[int, SuggestedView]
    copies_told: str
    copies: tuple[OtherView, ...]
    nearest: tuple[OtherView, ...]


def texts_view(found: TextsOfCase, case: Case, words: Words, times: Times) -> TextsView:
    """Return what is shown of a case's texts; what is no longer offered by the policy is left out."""
    numbers = [issue.number for issue in case.issues] or [1]
    may_be = {
        "category": {option.value: option.label for option in words.categories},
        "failure": {option.value: option.label for option in words.causes},
    }
    by_kind = {
        kind: {number: view for number in numbers if (view := _view(found.suggested, kind, number, labels))}
        for kind, labels in may_be.items()
    }
    told = ""
    if found.copy_count:
        told = f"{counted(found.copy_count, 'other complaints')} came with nearly the same words."
    return TextsView(
        categories=by_kind["category"],
        failures=by_kind["failure"],
        copies_told=told,
        copies=tuple(_other(one, words, times) for one in found.copies),
        nearest=tuple(_other(one, words, times) for one in found.nearest),
    )


def _view(suggested: Iterable[Suggested], kind: str, number: int, labels: dict[str, str]) -> SuggestedView | None:
    found = next((one for one in suggested if one.kind == kind and one.number == number), None)
    if found is None:
        return None
    options = tuple(
        SuggestedOption(
            each.code, labels[each.code], chance_words(each.chance), ", ".join(f"“{word}”" for word in each.words)
        )
        for place, each in enumerate(found.codes[:SHOWN])
        if each.code in labels and (place == 0 or each.chance >= LEAST_CHANCE)
    )
    return SuggestedView(found.abstained, options)


def _other(one: OtherCase, words: Words, times: Times) -> OtherView:
    received: datetime | None = one.received_at
    return OtherView(
        href=f"/cases/{one.case_id}",
        reference=one.reference,
        title=words.title(one.service, one.category),
        state=state_words(State(one.state)),
        received=times.day(received),
        causes=", ".join(_cause(code, words) for code in one.codes),
    )


def _cause(code: str, words: Words) -> str:
    term = words.policy.taxonomy.by_code.get(code)
    if term is not None and term.kind is Kind.NON_FAILURE:
        return words.no_failure(code)
    return words.failure(code, None)
