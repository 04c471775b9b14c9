# SPDX-License-Identifier: Apache-2.0
"""A plan proposed out of the weekly counts: controls to compare with, the rate before, and when one will know.

Pure: counts come in, a proposal goes out. The look day is that of the power table (analytics/effect_power.py).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from analytics.effect import Comparison, dispersion_before
from analytics.effect_checks import Study, compare
from analytics.effect_power import weeks_needed
from api.cells import Kinds, weekly, without
from models.aggregates import monday_of
from models.fixes.commands import CellRef
from models.fixes.watching import DAYS_PER_WEEK, first_changed_week
from models.policy import Policy
from models.taxonomy import Kind

WEEKS_BEFORE = 52
LEAST_WEEKS_BEFORE = 12
CONTROLS_PROPOSED = 8
CONTROLS_OFFERED = 24
FAILURES_OFFERED = 12
_WEEK = timedelta(days=DAYS_PER_WEEK)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A count that the target may be compared with."""

    ref: CellRef
    per_week: float
    is_proposed: bool


@dataclass(frozen=True, slots=True)
class Past:
    """What the year before says of targets beside their controls."""

    per_week: float
    controls_per_week: float
    weeks: int
    dispersion: float

    def weeks_needed(self, reduction: float) -> int | None:
        """Return how many weeks after the change show a true reduction of that share; None: hardly ever."""
        if not self.per_week or not self.weeks:
            return None
        ratio = self.controls_per_week / self.per_week if self.controls_per_week else math.inf
        return weeks_needed(
            self.per_week, reduction, dispersion=self.dispersion, controls_ratio=ratio, weeks_before=self.weeks
        )


def counted_since(today: date) -> date:
    """Return the Monday from which counts are looked at."""
    return monday_of(today) - WEEKS_BEFORE * _WEEK


def countable(kinds: Kinds) -> tuple[CellRef, ...]:
    """Return the failures that came most often in the whole agency: what a fix without a signal may be judged by."""
    totals: Counter[str] = Counter()
    for kind, weeks in kinds.items():
        if kind.measure == "cause" and kind.code:
            totals[kind.code] += sum(weeks.values())
    return tuple(CellRef(measure="cause", code=code) for code, _ in totals.most_common(FAILURES_OFFERED))


def candidates(targets: Sequence[CellRef], kinds: Kinds, policy: Policy) -> tuple[Candidate, ...]:
    """Return what targets may be compared with, the largest first; what shares complaints with a target is no control.

    That is the same failure at other offices, and other failures at the same office.
    """
    found: dict[CellRef, float] = {}
    for ref in _possible(targets, policy):
        if any(target.contains(ref) or ref.contains(target) for target in targets):
            continue
        per_week = sum(weekly(kinds, (ref,)).values()) / WEEKS_BEFORE
        if per_week:
            found.setdefault(ref, per_week)
    by_size = sorted(found.items(), key=lambda item: (-item[1], item[0].model_dump_json()))
    return tuple(
        Candidate(ref, per_week, is_proposed=place < CONTROLS_PROPOSED)
        for place, (ref, per_week) in enumerate(by_size[:CONTROLS_OFFERED])
    )


def past_of(
    targets: Sequence[CellRef],
    controls: Sequence[CellRef],
    kinds: Kinds,
    today: date,
    *,
    trigger: tuple[date, date] | None = None,
) -> Past:
    """Return what the last year's whole weeks say, without those that raised the signal."""
    target, beside = weekly(kinds, targets), weekly(without(kinds, targets), controls)
    last = monday_of(today) - _WEEK
    first = min((*target, *beside, last))
    weeks = [first + number * _WEEK for number in range((last - first).days // DAYS_PER_WEEK + 1)]
    kept = [week for week in weeks if trigger is None or not (week <= trigger[1] and week + _WEEK > trigger[0])]
    if not kept:
        return Past(0.0, 0.0, 0, 1.0)
    rows = np.array([[series[week] for week in kept] for series in (target, beside)], dtype=np.float64)
    per_week, controls_per_week = (float(rate) for rate in rows.mean(axis=1))
    return Past(per_week, controls_per_week, len(kept), _dispersion(rows))


def look_on(change_planned_on: date, transition_weeks: int, weeks: int) -> date:
    """Return the day on which so many weeks after the change are complete."""
    return first_changed_week(change_planned_on, transition_weeks) + weeks * _WEEK


def _dispersion(rows: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    weeks = rows.shape[1]
    if weeks < LEAST_WEEKS_BEFORE or not rows[0].any():
        return 1.0
    study = Study(
        rows, np.ones_like(rows), 0, (1,) if rows[1].any() else (),
        np.ones(weeks, dtype=np.bool_), np.zeros(weeks, dtype=np.bool_),
    )  # fmt: skip
    comparison: Comparison = compare(study, study.target, study.controls)
    return float(dispersion_before(comparison)[0])


def _possible(targets: Sequence[CellRef], policy: Policy) -> list[CellRef]:
    offices = [office.id for office in policy.agency.offices]
    families = [term.code for term in policy.taxonomy.of(Kind.FAMILY)]
    categories = [term.code for term in policy.taxonomy.of(Kind.INTAKE)]
    found: list[CellRef] = []
    for target in targets:
        if target.office is not None:
            found += [target.model_copy(update={"office": office}) for office in offices if office != target.office]
        if target.measure == "cause":
            others = [{"family": family, "code": None} for family in families if family != target.family]
        else:
            others = [{"code": code} for code in categories if code != target.code] if target.code else []
        found += [target.model_copy(update=other) for other in others]
    return found
