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
from api.planning import LEAST_WEEKS_BEFORE
from models.aggregates import monday_of
from models.fixes.cells import Kinds, weekly, without
from models.fixes.commands import CellRef
from models.fixes.watching import DAYS_PER_WEEK

_WEEK = timedelta(days=DAYS_PER_WEEK)


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


def past_of(
    targets: Sequence[CellRef],
    controls: Sequence[CellRef],
    kinds: Kinds,
    today: date,
    *,
    trigger: tuple[date, date] | None = None,
    compared_from: date | None = None,
) -> Past:
    """Return what the last year's whole weeks say, or those since a day, without those that raised the signal."""
    target, beside = weekly(kinds, targets), weekly(without(kinds, targets), controls)
    last = monday_of(today) - _WEEK
    first = min((*target, *beside, last)) if compared_from is None else monday_of(compared_from)
    weeks = [first + number * _WEEK for number in range((last - first).days // DAYS_PER_WEEK + 1)]
    kept = [week for week in weeks if trigger is None or not (week <= trigger[1] and week + _WEEK > trigger[0])]
    if not kept:
        return Past(0.0, 0.0, 0, 1.0)
    rows = np.array([[series[week] for week in kept] for series in (target, beside)], dtype=np.float64)
    per_week, controls_per_week = (float(rate) for rate in rows.mean(axis=1))
    return Past(per_week, controls_per_week, len(kept), _dispersion(rows))


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
