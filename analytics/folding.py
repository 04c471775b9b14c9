# SPDX-License-Identifier: Apache-2.0
"""One failure, one finding: which of the unusual cells tells the story, and which only repeat it.

A failure at one office raises the counts of every cell that contains it. The one that speaks loudest is the story: the
one whose raised rate is most likely, broader ones being diluted and narrower ones holding only a part. It is taken
away, and what would not have been called without it is its member; then the next loudest, as with the secondary
clusters of scan statistics (Zhang, Assuncao & Kulldorff 2010, J. Probab. Stat. 642379). Cells that name a failure come
before all others: a place where several failures rise at once is told by them, and by itself only where none of them
explains it. A kind that is new everywhere is one story, told by the narrowest cell that
holds all of it.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from analytics.arrays import BoolArray
from analytics.cube import Cell, CellCounts
from analytics.dimensions import Overlaps
from analytics.newcomers import new_kinds
from analytics.scores import Scores
from analytics.subset_scan import poisson_score
from analytics.tails import tail_probability

ALIKE_DECIMALS = 9
"""Strengths that differ later than here differ by rounding."""
Folded = dict[int, list[int]]
"""Heads with their members, the head itself left out."""


def by_strength(unusual: Sequence[int], strength: Mapping[int, float], cells: Sequence[Cell]) -> list[int]:
    """Return the cells in the order in which they may tell a story: those of a failure first, the strongest first.

    Of cells equally strong, which hold the same complaints, the one that stands last in the cube, and so names most.
    """
    return sorted(unusual, key=lambda i: (not cells[i].failure, -round(strength[i], ALIKE_DECIMALS), -i))


def fold_in_order(ordered: Sequence[int], is_explained: Callable[[int, list[int]], int | None]) -> Folded:
    """Return the heads among the unusual cells with their members.

    `is_explained` returns which of some heads explains a cell, if they do.
    """
    folded: Folded = {}
    for index in ordered:
        head = is_explained(index, list(folded)) if folded else None
        if head is None:
            folded[index] = []
        else:
            folded[head].append(index)
    return folded


class Folding:
    """The week's unusual cells made into stories, by how loudly they speak and what they share of complaints."""

    def __init__(self, counts: CellCounts, scored: Scores, overlaps: Overlaps) -> None:
        self._counts = counts
        self._scored = scored
        self._overlaps = overlaps
        self._new_kinds = new_kinds(counts, scored.baseline)
        window = scored.scores.window[:, None]
        observed = np.take_along_axis(scored.observed, window, axis=1)[:, 0].astype(np.float64)
        expected = np.take_along_axis(scored.expected, window, axis=1)[:, 0]
        relative_variance = np.take_along_axis(scored.baseline.relative_variance, window, axis=1)[:, 0]
        spread = scored.baseline.dispersion + expected * relative_variance
        self._strength = poisson_score(observed / spread, expected / spread)

    def fold(self, is_selected: BoolArray) -> Folded:
        """Return the heads among the selected cells, with their members."""
        selected = [int(index) for index in np.flatnonzero(is_selected)]
        limit = float(self._scored.scores.p_value[selected].max(initial=0.0))
        cells = self._counts.cells

        def which_explains(index: int, heads: list[int]) -> int | None:
            if cells[index].failure in self._new_kinds:
                return next((head for head in heads if cells[head].failure == cells[index].failure), None)
            return self._which_explains(index, heads, limit)

        return fold_in_order(self._in_order(selected), which_explains)

    def _in_order(self, selected: Sequence[int]) -> list[int]:
        """Return the cells in the order in which they may tell a story.

        A kind that is new is new wherever it is seen: the narrowest cell that holds all of it tells it, before others.
        """
        cells, observed = self._counts.cells, self._scored.observed[:, -1]
        new = [index for index in selected if cells[index].failure in self._new_kinds]
        others = [index for index in selected if cells[index].failure not in self._new_kinds]
        strength = {index: float(self._strength[index]) for index in others}
        return [
            *sorted(new, key=lambda i: (-int(observed[i]), -len(cells[i].named), i)),
            *by_strength(others, strength, cells),
        ]

    def _which_explains(self, index: int, heads: list[int], limit: float) -> int | None:
        """Return the strongest head that overlaps the cell if, but for the heads, it would not have been called.

        What heads within the cell, or across it, hold of it is taken out. A head around it raises what is to be
        expected of it as of all its parts, as uncertainly as the head's own count tells.
        """
        cells, scored = self._counts.cells, self._scored
        touching = [head for head in heads if cells[head].overlaps(cells[index])]
        if not touching:
            return None
        window = int(scored.scores.window[index])
        around = [head for head in touching if cells[index] != cells[head] and cells[head].contains(cells[index])]
        across = [cells[head] for head in touching if head not in around]
        begins = self._counts.first_week + scored.baseline.start
        observed, share = self._overlaps.outside(
            cells[index], across, scored.windows[window], (begins, begins + scored.baseline.baseline_weeks)
        )
        expected, dispersion, variance = scored.expected_and_spread(index, window)
        raised, unsure = 1.0, 0.0
        for head in around:
            ratio = float(scored.observed[head, window] / scored.expected[head, window])
            if ratio > raised:
                raised, unsure = ratio, 1.0 / max(int(scored.observed[head, window]), 1)
        left = np.maximum(expected * share * raised, 1e-9)
        chance = tail_probability(np.array([observed]), left, dispersion, variance + unsure)
        return touching[0] if float(chance[0]) > limit else None
