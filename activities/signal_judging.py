# SPDX-License-Identifier: Apache-2.0
"""Judging one measure as of a day: surges, creeps and standing failures, each matter told once.

All is a function of the cells, and of what earlier looks left; nothing here asks the record. Surges and creeps have a
budget of false alarms each. Standing failures are called one by one at EB05: what they promise stands with each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from activities.signal_budget import Before, Matter, as_list, kept_of
from activities.signal_cells import Prepared
from activities.signal_inputs import Measure
from analytics.creeping import Creeping, Crept, find_creeping
from analytics.cube import Cell
from analytics.detection import (
    Detected,
    Finding,
    detect_within_budget,
    finding_about,
    is_more_than_copies,
    is_of_open_matter,
)
from analytics.dimensions import Overlaps
from analytics.lifetime import Ledger, LifetimeSettings, WeekSpent, entered, false_share_bound, level_of
from analytics.scores import DetectionSettings, Scores
from analytics.standing import TRAILING_WEEKS, FailureSeen, OutOfProportion, out_of_proportion
from analytics.tails import threshold_count
from models.messages import sha256

SignalKind = Literal["surge", "creep", "standing"]


@dataclass(frozen=True, slots=True)
class Told:
    """A matter that is to be told: what kind of signal its figures are of, and what else speaks of it."""

    kind: SignalKind
    finding: Finding
    creep: Creeping | None = None
    standing: OutOfProportion | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What one measure came to; `lifetime` is what the run keeps of its budgets, by name of the look."""

    prepared: Prepared
    told: tuple[Told, ...]
    scored: Scores | None
    inputs_hash: str
    lifetime: dict[str, dict[str, Any]]

    @property
    def measure(self) -> Measure:
        """Which measure was judged."""
        return self.prepared.measure

    def false_share_at_most(self, kind: SignalKind) -> float:
        """Return what may be said of the signals of a kind so far."""
        return float(self.lifetime[looks_at(self.measure)[1 if kind == "creep" else 0]]["false_share_at_most"])


def looks_at(measure: Measure) -> tuple[str, str]:
    """Return the names of the looks at a measure that have a budget each: for surges, and for creeps."""
    return measure, f"{measure}/creep"


def judge(prepared: Prepared, before: Mapping[str, Before]) -> Judged:
    """Return what the measure comes to; `before` says what each of its looks continues from."""
    surges, creeps = (before[name] for name in looks_at(prepared.measure))
    found, kept = _surges(prepared, surges)
    if found.scored is None:
        crept: tuple[Creeping, ...] = ()
        of_creeps = _kept(prepared, creeps, level=0.0, charge=None)
    else:
        crept, of_creeps = _creeps(prepared, creeps, [finding.cells for finding in found.findings])
    inputs_hash = sha256(
        prepared.counts_hash.encode(),
        *(json.dumps([one.ledger.as_json(), _listed(one.open_matters)]).encode() for one in (surges, creeps)),
        json.dumps(asdict(_lifetime_of(prepared.settings)), sort_keys=True).encode(),
    ).hex()
    lifetime = dict(zip(looks_at(prepared.measure), (kept, of_creeps), strict=True))
    told = [Told("surge", finding) for finding in found.findings]
    if found.scored is not None:
        told = _with_creeps(prepared, found.scored, told, crept)
        told = _with_standing(prepared, found.scored, told)
    return Judged(prepared, tuple(told), found.scored, inputs_hash, lifetime)


def _listed(matters: Sequence[Matter]) -> list[list[list[str]]]:
    return [[as_list(cell) for cell in matter] for matter in matters]


def _lifetime_of(settings: DetectionSettings) -> LifetimeSettings:
    """Return the promise over the years: the policy's rate holds in the week and over the years."""
    return LifetimeSettings(rate=settings.false_discovery_rate, weekly_rate=settings.false_discovery_rate)


def _level(prepared: Prepared, before: Before) -> float:
    new_cells = prepared.looked_at - int(is_of_open_matter(prepared.cube, before.open_matters).sum())
    lifetime = _lifetime_of(prepared.settings)
    return level_of(before.ledger, prepared.inputs.as_of_week, new_cells, lifetime)


def _kept(prepared: Prepared, before: Before, *, level: float, charge: WeekSpent | None) -> dict[str, Any]:
    """Return what the run keeps of a look; one that repeats another spends nothing more."""
    week = prepared.inputs.as_of_week
    after = before.ledger
    if charge is not None:
        after = entered(after, week, level, charge.discoveries, charge.most)
    return kept_of(
        counts_hash=prepared.counts_hash,
        open_matters=before.open_matters,
        level=level,
        charge=None if charge is None or before.is_repeated else Ledger((charge,)).as_json()[0],
        bound=false_share_bound(after, week, _lifetime_of(prepared.settings)),
    )


def _charge(prepared: Prepared, level: float, new_count: int, tested_count: int) -> WeekSpent | None:
    if not tested_count:
        return None
    return WeekSpent(prepared.inputs.as_of_week, level, new_count, new_count + 1)


def _surges(prepared: Prepared, before: Before) -> tuple[Detected, dict[str, Any]]:
    """Return the sudden ones, and what the run keeps of the look for them."""
    level = _level(prepared, before)
    week = prepared.inputs.as_of_week
    found = detect_within_budget(
        prepared.cube,
        as_of_week=week,
        settings=prepared.settings,
        level=level,
        open_matters=before.open_matters,
        overlaps=Overlaps(prepared.events, week),
        known=prepared.reasons.known,
        letters_of=prepared.letters_of,
    )
    charge = _charge(prepared, level, found.new_count, found.tested_count)
    return found, _kept(prepared, before, level=level, charge=charge)


def _creeps(
    prepared: Prepared, before: Before, surges: Sequence[Matter]
) -> tuple[tuple[Creeping, ...], dict[str, Any]]:
    """Return the slow ones among the cells that no sudden one speaks of, and what the run keeps of the look."""
    level = _level(prepared, before)
    crept: Crept = find_creeping(
        prepared.cube,
        as_of_week=prepared.inputs.as_of_week,
        settings=prepared.settings,
        level=level,
        open_matters=before.open_matters,
        surges=surges,
        known=prepared.reasons.known,
        letters_of=prepared.letters_of,
    )
    charge = _charge(prepared, level, crept.new_count, crept.tested_count)
    return crept.found, _kept(prepared, before, level=level, charge=charge)


def _with_creeps(prepared: Prepared, scored: Scores, told: list[Told], crept: Sequence[Creeping]) -> list[Told]:
    """Return what is told with the slow ones, each a matter of its own or part of one that is told already."""
    for creeping in crept:
        finding = _creeping_finding(prepared, scored, creeping)
        place = _place_of_same(told, finding)
        if place is None:
            told = [*told, Told("creep", finding, creep=creeping)]
        else:
            told[place] = replace(told[place], creep=told[place].creep or creeping)
    return told


def _with_standing(prepared: Prepared, scored: Scores, told: list[Told]) -> list[Told]:
    """Return what is told with the failures that have been out of proportion at an office for a year."""
    if prepared.measure != "cause":
        return told
    cell_of = {
        (cell.office, cell.failure): cell
        for cell in prepared.cube.cells
        if cell.office and cell.failure and not cell.service and "channel" not in cell.named
    }
    for pair in out_of_proportion(_seen(prepared)):
        cell = cell_of.get((pair.office, pair.failure))  # none where there was hardly any of it lately
        if cell is None:
            continue
        finding = _standing_finding(prepared, scored, cell, pair)
        if not _is_more_than_copies(prepared, finding):
            continue
        place = _place_of_same(told, finding)
        if place is None:
            told = [*told, Told("standing", finding, standing=pair)]
        else:
            told[place] = replace(told[place], standing=told[place].standing or pair)
    return told


def _is_more_than_copies(prepared: Prepared, finding: Finding) -> bool:
    return is_more_than_copies(
        finding.observed_count,
        prepared.letters_of(finding.cell, finding.window_weeks),
        np.array([finding.expected_count]),
        np.array([finding.dispersion]),
        np.array([finding.relative_variance]),
        prepared.settings,
    )


def _place_of_same(told: Sequence[Told], finding: Finding) -> int | None:
    return next((place for place, one in enumerate(told) if finding.is_same_matter_as(one.finding.cells)), None)


def _seen(prepared: Prepared) -> list[FailureSeen]:
    everything = Cell()
    return [
        FailureSeen(issue.code, issue.service, issue.channel, issue.office, issue.count)
        for issue in prepared.within(everything, TRAILING_WEEKS)
    ]


def _creeping_finding(prepared: Prepared, scored: Scores, creeping: Creeping) -> Finding:
    """Return what creeps as a finding: its figures are of the weeks the sum has been under way."""
    week = prepared.inputs.as_of_week
    about = finding_about(prepared.cube, scored, creeping.cell, as_of_week=week, settings=prepared.settings)
    spread = (np.array([creeping.dispersion]), np.array([creeping.relative_variance]))
    threshold = threshold_count(
        np.array([creeping.expected]), *spread, false_alarm_rate=prepared.settings.false_alarm_rate
    )
    return replace(
        about,
        members=creeping.members,
        window_weeks=creeping.weeks,
        began_week=week - creeping.weeks + 1,
        observed_count=creeping.observed,
        expected_count=creeping.expected,
        threshold_count=int(threshold[0]),
        p_value=creeping.p_value,
        q_value=creeping.q_value,
        dispersion=creeping.dispersion,
        relative_variance=creeping.relative_variance,
    )


def _standing_finding(prepared: Prepared, scored: Scores, cell: Cell, pair: OutOfProportion) -> Finding:
    """Return what has been out of proportion as a finding: its figures are of the year, against other offices."""
    week = prepared.inputs.as_of_week
    about = finding_about(prepared.cube, scored, cell, as_of_week=week, settings=prepared.settings)
    threshold = threshold_count(
        np.array([pair.expected]), np.ones(1), np.zeros(1), false_alarm_rate=prepared.settings.false_alarm_rate
    )
    return replace(
        about,
        window_weeks=TRAILING_WEEKS,
        began_week=week - TRAILING_WEEKS + 1,
        observed_count=pair.observed,
        expected_count=pair.expected,
        threshold_count=int(threshold[0]),
        p_value=pair.p_value,
        q_value=pair.q_value,
        dispersion=1.0,
        relative_variance=0.0,
    )
