# SPDX-License-Identifier: Apache-2.0
"""One failure, one finding: which of the unusual cells tells the story, and which only repeat it.

A failure at one office raises the counts of every cell that contains it. The one that speaks loudest is the story: the
one whose raised rate is most likely, broader ones being diluted and narrower ones holding only a part. It is taken
away, and what would not have been called without it is its member; then the next loudest, as with the secondary
clusters of scan statistics (Zhang, Assuncao & Kulldorff 2010, J. Probab. Stat. 642379). Cells that name a failure come
before all others: a place where several failures rise at once is told by them, and by itself only where none of them
explains it.
"""

from collections.abc import Callable, Mapping, Sequence

from analytics.cube import Cell

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
