# SPDX-License-Identifier: Apache-2.0
"""Why a signal stands where it stands in the list: each factor of its weight, and what that factor is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.pages.place import Place
from api.pages.signal_words import MEASURES, seen_words, title_of
from api.pages.words import counted, number
from api.reads.signals import SignalRow, SignalWeek
from models.surveillance import weight_of_harm


@dataclass(frozen=True, slots=True)
class Factor:
    """One of the numbers that are multiplied."""

    label: str
    value: str
    made_of: str


@dataclass(frozen=True, slots=True)
class Outweighing:
    """The signal of the same matter that came first."""

    href: str
    title: str
    measure: str


@dataclass(frozen=True, slots=True)
class Rank:
    """Why a signal stands where it stands in the list."""

    came: str
    first: Outweighing | None
    """The twin that came before it; None where it is itself the first of its matter."""
    factors: list[Factor]
    formula: str


def rank_of(row: SignalRow, week: SignalWeek, twins: Sequence[SignalRow], place: Place) -> Rank | None:
    """Return the rank that the week's look gave a signal; None of a week before there was a ranking."""
    ranking = week.evidence.get("ranking")
    if not ranking:
        return None
    first = max((row, *twins), key=_weight)
    came = "first" if ranking["place"] == 1 else f"number {ranking['place']}"
    return Rank(
        came=f"It came {came} among the findings of its look, {MEASURES[row.measure]}.",
        first=None if first is row else _outweighing(first, place),
        factors=[
            _excess(row, week, ranking),
            _harm(ranking, place),
            _lasting(row, ranking),
            _vulnerable(ranking),
        ],
        formula=ranking["formula"],
    )


def _weight(row: SignalRow) -> tuple[float, bool]:
    """Return what the first of a matter is told by; of two that weigh the same it is the one we coded."""
    return row.priority or 0.0, row.measure == "cause"


def _outweighing(row: SignalRow, place: Place) -> Outweighing:
    return Outweighing(f"/signals/{row.id}", title_of(row, place), MEASURES[row.measure])


def _excess(row: SignalRow, week: SignalWeek, ranking: Mapping[str, Any]) -> Factor:
    return Factor(
        "More than expected, at least",
        f"{number(ranking['excess_per_quarter_at_least'])} in a quarter",
        f"{seen_words(row.observed, week.evidence)} came in {counted(row.window_weeks, 'weeks')}, where "
        f"{number(row.expected)} were expected. It is 95 percent sure that a quarter at this pace brings at least so "
        "many more than expected.",
    )


def _harm(ranking: Mapping[str, Any], place: Place) -> Factor:
    weights = place.policy.surveillance.harm_weights
    levels = ", ".join(
        f"{harm.name.lower()} {weight_of_harm(harm.level, weights):g}" for harm in place.policy.severity.harms
    )
    mean = "The mean weight of the harm that was coded"
    if known_of := ranking.get("harm_known_of"):
        known, of = known_of
        mean += f", known of {known} of {counted(of, 'issues')}" + ("" if known else ": so it counts 1")
    return Factor("Harm", f"× {ranking['harm']:.2f}", f"{mean}. The policy's weights are: {levels}.")


def _lasting(row: SignalRow, ranking: Mapping[str, Any]) -> Factor:
    weeks = (row.counted_before - row.since_week).days // 7
    return Factor(
        "Lasting",
        f"× {ranking['persistence']:.2f}",
        "1 for what has just begun, rising to 2 for what has gone on for a year; this has gone on for "
        f"{counted(weeks, 'weeks')}.",
    )


def _vulnerable(ranking: Mapping[str, Any]) -> Factor:
    return Factor("Vulnerable people", f"× {ranking['vulnerability']:.2f}", _circumstances(ranking))


def _circumstances(ranking: Mapping[str, Any]) -> str:
    said = "1 and the share of people in vulnerable circumstances, drawn towards the agency's usual share"
    if "usual_vulnerable_share" in ranking:
        said += f" of {ranking['usual_vulnerable_share']:.0%}"
    if known_of := ranking.get("vulnerable_known_of"):
        known, of = known_of
        said += f". It is known of {known} of {counted(of, 'complaints')}"
        said += f", and {ranking['vulnerable']} of these are" if known and "vulnerable" in ranking else ""
    return f"{said}."
