# SPDX-License-Identifier: Apache-2.0
"""What the year before says of the cells of a plan, and how soon a change in them will show. Pure.

It stands apart from planning.py because its sums load numerical libraries, which the API does only when it is asked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from analytics.effect import Comparison, dispersion_before
from analytics.effect_checks import Study, compare
from analytics.effect_power import weeks_needed
from models.aggregates import monday_of
from models.fixes.cells import Kinds, weekly, without
from models.fixes.commands import CellRef
from models.fixes.watching import DAYS_PER_WEEK, LEAST_WEEKS_BEFORE, LEAST_WEEKS_TO_REFUTE, raised_the_signal

_WEEK = timedelta(days=DAYS_PER_WEEK)
_DISPERSION_UNKNOWN = 1.2
"""What is taken where too few weeks tell it; that of the power table (docs/analytics/effect.md)."""


@dataclass(frozen=True, slots=True)
class Past:
    """What the weeks before a change say of targets beside their controls."""

    per_week: float
    controls_per_week: float
    weeks: int
    """Whole weeks that the rates are of."""
    weeks_before: int
    """Weeks that the change will be compared with, those still to come among them."""
    dispersion: float
    holds_trigger: bool = False
    """Whether the weeks that raised the signal are in the rates, for hardly any other is there."""

    @property
    def is_too_short(self) -> bool:
        """Whether nothing could be said of the effect, for too few weeks lie before the change."""
        return self.weeks_before < LEAST_WEEKS_BEFORE

    def weeks_needed(self, reduction: float) -> int | None:
        """Return by how many weeks after the change it is known whether that share went away; None: hardly ever."""
        if not self.per_week or self.is_too_short:
            return None
        ratio = self.controls_per_week / self.per_week if self.controls_per_week else math.inf
        needed = weeks_needed(
            self.per_week, reduction, dispersion=self.dispersion, controls_ratio=ratio, weeks_before=self.weeks_before
        )
        return None if needed is None else max(needed, LEAST_WEEKS_TO_REFUTE)


def past_of(
    targets: Sequence[CellRef],
    controls: Sequence[CellRef],
    kinds: Kinds,
    today: date,
    *,
    planned_on: date,
    trigger: tuple[date, date] | None = None,
    compared_from: date | None = None,
) -> Past:
    """Return what the last year's whole weeks say, or those since a day, without those that raised the signal.

    Of a failure so new that too few weeks are left, those that raised its signal are in the rates, though they flatter
    a change: nothing else is known of it yet. They are not among the weeks that the change will be compared with.
    """
    target, beside = weekly(kinds, targets), weekly(without(kinds, targets), controls)
    this_week = monday_of(today)
    first = min((*target, *beside, this_week - _WEEK)) if compared_from is None else monday_of(compared_from)
    weeks = [first + number * _WEEK for number in range((this_week - first) // _WEEK)]
    kept = [week for week in weeks if not raised_the_signal(week, trigger)]
    before = len(kept) + max((monday_of(planned_on) - this_week) // _WEEK, 0)
    holds_trigger = compared_from is not None and len(kept) < min(len(weeks), LEAST_WEEKS_BEFORE)
    counted = weeks if holds_trigger else kept
    if not counted:
        return Past(0.0, 0.0, 0, before, 1.0)
    rows = np.array([[series[week] for week in counted] for series in (target, beside)], dtype=np.float64)
    per_week, controls_per_week = (float(rate) for rate in rows.mean(axis=1))
    return Past(per_week, controls_per_week, len(counted), before, _dispersion(rows), holds_trigger)


def _dispersion(rows: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    weeks = rows.shape[1]
    if weeks < LEAST_WEEKS_BEFORE or not rows[0].any():
        return _DISPERSION_UNKNOWN
    study = Study(
        rows, np.ones_like(rows), 0, (1,) if rows[1].any() else (),
        np.ones(weeks, dtype=np.bool_), np.zeros(weeks, dtype=np.bool_),
    )  # fmt: skip
    comparison: Comparison = compare(study, study.target, study.controls)
    return float(dispersion_before(comparison)[0])
