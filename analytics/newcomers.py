# SPDX-License-Identifier: Apache-2.0
"""What was not there before: no slow rise, and not a failure of every place it is seen at, but one piece of news.

A kind that is offered, a channel that is opened or an office that is named only since a while rises from nothing. It is
new while no complaint of it has been learnt from; a slow rise it cannot be before it has a past of a year.
"""

import numpy as np

from analytics.arrays import BoolArray, IntArray
from analytics.baseline import Baseline
from analytics.cube import Cell, CellCounts

PAST_WEEKS = 52
"""How long before the end of its baseline something must have been there to have a past; half of a baseline shorter
than two years. And how long a baseline must be to tell what is new."""


def has_past(looked_at: IntArray, baseline: Baseline, floor_count: int) -> BoolArray:
    """Return which cells had complaints enough early in the baseline; all, while there is less than a year of it."""
    if baseline.baseline_weeks < PAST_WEEKS:
        return np.ones(len(looked_at), dtype=np.bool_)
    early = baseline.start + baseline.baseline_weeks - min(PAST_WEEKS, baseline.baseline_weeks // 2)
    return np.asarray(looked_at[:, baseline.start : early].sum(axis=1) >= floor_count, dtype=np.bool_)


def kinds_among(counts: CellCounts, which: BoolArray) -> frozenset[str]:
    """Return the failures whose widest cell is among those marked."""
    return frozenset(
        cell.failure
        for cell, is_marked in zip(counts.cells, which, strict=True)
        if is_marked and cell.failure and cell == Cell(cell.family, cell.failure)
    )


def new_kinds(counts: CellCounts, baseline: Baseline) -> frozenset[str]:
    """Return the failures that nobody anywhere spoke of before the baseline ended."""
    return kinds_among(counts, _is_new(counts.counts, baseline))


def new_since(counts: CellCounts, cell: int, baseline: Baseline) -> int | None:
    """Return the week of the first complaint of what is new about a cell, if anything is.

    That is its failure or, of a cell that names no failure and one thing only, that thing. A failure that comes to
    another place than before is nothing new.
    """
    head = counts.cells[cell]
    alone = Cell(head.family, head.failure) if head.failure else head
    if alone not in counts.cells or (not head.failure and len(head.named) > 1):
        return None
    row = counts.counts[counts.cells.index(alone)]
    is_new = bool(_is_new(row[None, :], baseline)[0])
    return counts.first_week + int(np.argmax(row > 0)) if is_new else None


def _is_new(counts: IntArray, baseline: Baseline) -> BoolArray:
    if baseline.baseline_weeks < PAST_WEEKS:
        return np.zeros(len(counts), dtype=np.bool_)
    before = counts[:, : baseline.start + baseline.baseline_weeks]
    return np.asarray(~before.any(axis=1), dtype=np.bool_)
