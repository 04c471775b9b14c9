# SPDX-License-Identifier: Apache-2.0
"""What the week's look at coding says in sentences, for pages and programs alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from api.reads.text import Drift, Model, ProposedFailure

SURE = 0.05
"""Words count as changed where chance alone would set them so far apart one time in twenty."""
Name = Callable[[str], str]
"""Says a code in the agency's words."""


def drift_sentence(drift: Drift, name: Name) -> str:
    """Return what a supervisor must know before believing a signal."""
    things = "Kinds of problem" if drift.kind == "category" else "Root causes"
    if drift.words_p_value is None:
        return f"{things}: too few coded cases to tell whether they are used as before."
    said = [
        f"“{name(shift.code)}” went from {shift.before:.0%} to {shift.after:.0%} of the cases" for shift in drift.shares
    ]
    if drift.words_p_value <= SURE:
        said.append(f"cases coded alike are worded otherwise than before (commoner now: {_listed(drift.words)})")
    if not said:
        return f"{things}: used as before, as far as can be told, and cases coded alike are worded alike."
    return f"{things}: {'; '.join(said)}. Check whether the codes, what they mean or the form changed."


def new_failure_sentence(proposed: ProposedFailure) -> str:
    """Return why some cases may need a code of their own."""
    return (
        f"{len(proposed.case_ids)} cases in four weeks that no code fits, alike in {_listed(proposed.words)}; before, "
        f"four weeks brought {proposed.expected_count:.1f} like them. Do they need a code of their own?"
    )


def model_sentence(model: Model) -> str:
    """Return what suggestions are made with, and how often they were right where it could be checked."""
    things = "kind of problem" if model.kind == "category" else "root cause"
    learnt = f"Suggestions of the {things} were learnt from {model.cases:,} coded issues"
    if model.accuracy is None:
        return f"{learnt}; how good they are cannot be told yet."
    return (
        f"{learnt}. Of the {model.checked_cases:,} newest, the older ones would have told "
        f"{model.accuracy:.0%} rightly at the first guess."
    )


def chance_words(chance: float) -> str:
    """Return a chance in per cent; nothing is certain."""
    return f"{min(chance, 0.99):.0%}"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"“{word}”" for word in words)
