# SPDX-License-Identifier: Apache-2.0
"""What a weekly look stored beside a signal's figures, in words: where, what stands beside the count, rank, doubts.

Weeks that were stored before a fact was looked at lack it; then nothing is said of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from api.coding_words import SURE, drift_sentence
from api.pages.place import Place
from api.pages.signal_words import seen_words
from api.pages.words import Pair, counted, number
from api.reads.signals import SignalRow, SignalWeek
from api.reads.text import Drift
from models.signals import SignalKind

PARTS_SHOWN = 6
FINEST_SHARE = 0.001
NO_DRIFT = "codes that are used otherwise than before"
SURE_ENOUGH = 0.05
"""A subset of offices that chance alone would single out more often is not named."""


@dataclass(frozen=True, slots=True)
class PartLine:
    """One part of what was counted."""

    label: str
    observed: int
    expected: str


@dataclass(frozen=True, slots=True)
class PartTable:
    """What was counted, part by part."""

    label: str
    rows: list[PartLine]


@dataclass(frozen=True, slots=True)
class Card:
    """Everything the page of a signal says beside its sentences and its chart."""

    figures: list[Pair]
    also: list[str]
    """What else the look found of the same matter."""
    beside: list[str]
    """What stands beside the count, and is no part of it."""
    where: str
    parts: list[PartTable]
    doubts: list[str]
    not_found: list[str]
    """What else would make it wrong, and was looked for."""


def card_of(row: SignalRow, week: SignalWeek, drifts: Iterable[Drift], place: Place) -> Card:
    """Return the card of a week; `drifts` are what the week's look at coding says of the codes."""
    told = week.evidence
    kind = row.seen_as
    mine = _drifts_of(row, drifts)
    drifted = [drift_sentence(drift, place.words.term) for drift in mine if _is_drifting(drift)]
    return Card(
        figures=_figures(row, week, kind, place),
        also=[told[other.value]["sentence"] for other in SignalKind if other is not kind and told.get(other.value)],
        beside=_beside(told, place),
        where=_where(told, place),
        parts=_parts(told, place),
        doubts=[*told.get("doubts", ()), *drifted],
        not_found=[*told.get("not_found", ()), *([NO_DRIFT] if mine and not drifted else [])],
    )


def _drifts_of(row: SignalRow, drifts: Iterable[Drift]) -> list[Drift]:
    """Return what is known of whether the codes that the signal counts are used as before."""
    kind = "failure" if row.measure == "cause" else "category"
    return [drift for drift in drifts if drift.kind == kind and drift.words_p_value is not None]


def _is_drifting(drift: Drift) -> bool:
    return bool(drift.shares) or (drift.words_p_value or 0) <= SURE


def _figures(row: SignalRow, week: SignalWeek, kind: SignalKind, place: Place) -> list[Pair]:
    day = place.times.day
    seen = f"{seen_words(row.observed, week.evidence)} in {counted(row.window_weeks, 'weeks')}"
    figures = [Pair("Seen", seen), *_KIND_FIGURES[kind](row, week, place)]
    return [
        *figures,
        Pair("Since the week of", day(row.since_week)),
        Pair("Raised on", day(row.raised_on)),
        Pair("Looked at", day(row.as_of)),
    ]


def _of_surge(row: SignalRow, week: SignalWeek, _place: Place) -> list[Pair]:
    figures = [
        Pair("Expected", number(row.expected)),
        Pair("Unusual from", str(row.threshold + 1)),
        Pair("Chance of a false alarm", _share(row.q_value)),
    ]
    bound = week.evidence.get("false_share_at_most")
    return figures if bound is None else [*figures, Pair("False among all so far", f"at most {bound:.0%} expected")]


def _of_standing(row: SignalRow, week: SignalWeek, _place: Place) -> list[Pair]:
    told = week.evidence.get("standing") or {}
    figures = [Pair("Expected, were it as elsewhere", number(told.get("expected", row.expected)))]
    if told:
        figures.append(
            Pair("Times as often", f"{told['ebgm']:.1f} (90 % sure: {told['eb05']:.1f} to {told['eb95']:.1f})")
        )
        bound = told["false_share_at_most"]
        said = "too little is known to say" if bound is None else f"at most {bound:.0%} expected"
        figures.append(Pair("False among such signals", said))
    return figures


def _of_creep(row: SignalRow, week: SignalWeek, _place: Place) -> list[Pair]:
    told = week.evidence.get("creep") or {}
    figures = [Pair("Expected", number(row.expected))]
    if not told:
        return figures
    figures.append(Pair("Creeping for", counted(told["weeks_under_way"], "weeks")))
    if told["excess"] > told["threshold"]:  # called by its chance among all cells, it may be less
        often = f"about once in {counted(round(told['in_control_years']), 'years')}"
        figures += [
            Pair("Beyond what is tolerated", f"{number(told['excess'])}; unusual above {number(told['threshold'])}"),
            Pair("Chance alone", often),
        ]
    return figures


_KIND_FIGURES: Mapping[SignalKind, Callable[[SignalRow, SignalWeek, Place], list[Pair]]] = {
    SignalKind.SURGE: _of_surge,
    SignalKind.STANDING: _of_standing,
    SignalKind.CREEP: _of_creep,
}


def _share(share: float) -> str:
    """Return a small share as a percentage; finer than a tenth of one says nothing."""
    return f"{share:.1%} of such signals" if share >= FINEST_SHARE else f"under {FINEST_SHARE:.1%} of such signals"


def _beside(told: Mapping[str, Any], place: Place) -> list[str]:
    said = [
        _letters(told),
        _waiting(told.get("waiting")),
        _completeness(told.get("completeness")),
        "What is expected follows the number of people served." if told.get("exposure") else "",
        _masked(told.get("masked_weeks") or [], place),
    ]
    return [sentence for sentence in said if sentence]


def _letters(told: Mapping[str, Any]) -> str:
    complaints, letters = told.get("complaints"), told.get("clusters")
    if complaints is None or letters is None or letters >= complaints:
        return ""
    copies = complaints - letters
    return (
        f"{counted(copies, 'near-identical letters')}: the {counted(complaints, 'complaints')} are "
        f"{counted(letters, 'different letters')}."
    )


def _waiting(told: Mapping[str, Any] | None) -> str:
    if not told or round(told["expected"], 1) == 0:
        return ""
    return (
        f"Not counted: about {number(told['expected'])} more ({told['low']} to {told['high']}) are expected among the "
        "complaints of these weeks whose root cause nobody has confirmed yet."
    )


def _completeness(told: Mapping[str, Any] | None) -> str:
    if not told or told["share"] >= 1 - FINEST_SHARE:
        return ""
    return (
        f"About {told['share']:.0%} of the root causes of these weeks are confirmed already; what is expected is the "
        "same share."
    )


def _masked(weeks: list[str], place: Place) -> str:
    if not weeks:
        return ""
    first, last = (place.times.day(date.fromisoformat(week)) for week in (min(weeks), max(weeks)))
    return (
        f"{counted(len(weeks), 'weeks')} between {first} and {last} were not learned from: a fix was being brought in."
    )


def _where(told: Mapping[str, Any], place: Place) -> str:
    found = told.get("where_exactly")
    if not found or not found["offices"] or found["p_value"] > SURE_ENOUGH:
        return ""
    offices = [place.words.office(office) or "no office named" for office in found["offices"]]
    named = offices[0] if len(offices) == 1 else f"{', '.join(offices[:-1])} and {offices[-1]}"
    return f"Most of all at {named}: {found['observed']} seen, {number(found['expected'])} expected."


def _parts(told: Mapping[str, Any], place: Place) -> list[PartTable]:
    words = place.words
    named: tuple[tuple[str, str, Callable[[str], str]], ...] = (
        ("by_office", "By office", words.office),
        ("by_service", "By service", words.service),
        ("by_channel", "By channel", words.channel),
    )
    tables = []
    for key, label, name in named:
        rows = [
            PartLine(name(part["code"]) or "not stated", part["observed"], number(part["expected"]))
            for part in told.get(key, ())[:PARTS_SHOWN]
        ]
        if len(rows) > 1:
            tables.append(PartTable(label, rows))
    return tables
