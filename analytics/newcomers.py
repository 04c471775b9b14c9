# SPDX-License-Identifier: Apache-2.0
"""What was not there before: cells without a past that their baseline could tell anything of.

A kind that is offered, a channel that is opened or an office that is named only since a while rises from nothing. That
is no slow rise, and not a failure of every place it is seen at: it is one piece of news, told once.
"""

import numpy as np

from analytics.arrays import BoolArray, IntArray
from analytics.baseline import Baseline
from analytics.cube import Cell, CellCounts

PAST_WEEKS = 52
"""How long before the end of its baseline something must have been there; half of a baseline shorter than two years."""


def has_past(looked_at: IntArray, baseline: Baseline, floor_count: int) -> BoolArray:
    """Return which cells had complaints enough early in the baseline; all, while there is less than a year of it."""
    if baseline.baseline_weeks < PAST_WEEKS:
        return np.ones(len(looked_at), dtype=np.bool_)
    early = looked_at[:, baseline.start : _early_until(baseline)]
    return np.asarray(early.sum(axis=1) >= floor_count, dtype=np.bool_)


def new_since(observed: IntArray, baseline: Baseline) -> int | None:
    """Return the column of a cell's first complaint where it is new; None where it is not, or nobody could know."""
    first = int(np.argmax(observed > 0))
    is_known = baseline.baseline_weeks >= PAST_WEEKS and bool(observed[first])
    return first if is_known and first >= _early_until(baseline) else None


def _early_until(baseline: Baseline) -> int:
    return baseline.start + baseline.baseline_weeks - min(PAST_WEEKS, baseline.baseline_weeks // 2)


def new_kinds(counts: CellCounts, baseline: Baseline, floor_count: int) -> frozenset[str]:
    """Return the failures that nobody anywhere spoke of a year before the baseline ended."""
    known = has_past(counts.counts, baseline, floor_count)
    widest = {cell.failure: index for index, cell in enumerate(counts.cells) if cell == Cell(cell.family, cell.failure)}
    return frozenset(failure for failure, index in widest.items() if failure and not known[index])
