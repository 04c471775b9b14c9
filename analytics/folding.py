# SPDX-License-Identifier: Apache-2.0
"""One failure, one finding: which of the unusual cells tells the story, and which only repeat it.

A failure at one office raises the counts of every cell that contains it. Kept as the head is the narrowest cell that
explains the broader cell's excess; where no single narrower cell does, the broader cell is the story and the narrower
ones are its members (`fold`, for failures in families).

Of cells of any dimensions the one that speaks loudest is the story (`by_strength`, `fold_in_order`): the one whose
raised rate is most likely, broader ones being diluted and narrower ones holding only a part. It is taken away, and what
would not have been called without it is its member; then the next loudest, as with the secondary clusters of scan
statistics (Zhang, Assuncao & Kulldorff 2010, J. Probab. Stat. 642379). Cells that name a failure come before all
others: a place where several failures rise at once is told by them, and by itself only where none of them explains it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from analytics.cube import Cell


class Evidence(Protocol):
    """What folding asks about cells, by index; excesses are in complaints."""

    def excess(self, cell: int, window_of: int) -> float:
        """Return the excess of `cell` over the window in which `window_of` was most unusual."""
        ...

    def explains(self, excess: float, of: int) -> bool:
        """Whether an excess found elsewhere leaves too little of the excess of `of` to be a story of its own."""
        ...


ALIKE_DECIMALS = 9
"""Strengths that differ later than here differ by rounding."""
Folded = dict[int, list[int]]
"""Heads with their members, the head itself left out."""


def fold(unusual: Sequence[int], cells: Sequence[Cell], index_of: Mapping[Cell, int], evidence: Evidence) -> Folded:
    """Return the heads among the `unusual` cells (indices) with their members; `index_of` finds any cell of the cube.

    Narrow cells are taken before broad ones, so that each broad cell meets the stories already told within it.
    """
    folded: Folded = {}
    for index in sorted(unusual, key=lambda i: (cells[i].breadth, cells[i])):
        inside = {head: evidence.excess(head, index) for head in folded if cells[index].contains(cells[head])}
        if not inside:
            folded[index] = []
            continue
        largest = max(inside, key=lambda head: (inside[head], -head))
        if evidence.explains(inside[largest], index):
            folded[largest].append(index)
        elif cells[index].failure or not evidence.explains(sum(inside.values()), index):
            _absorb(folded, index, list(inside))
        else:
            # Several failures together explain their family's excess: each is a story of its own.
            folded[largest].append(index)
    _join_overlapping(folded, cells, index_of, evidence)
    return folded


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


def _absorb(folded: Folded, head: int, others: list[int]) -> None:
    """Make `others` and their members members of `head`."""
    members = folded.setdefault(head, [])
    for other in others:
        members += [other, *folded.pop(other)]


def _join_overlapping(folded: Folded, cells: Sequence[Cell], index_of: Mapping[Cell, int], evidence: Evidence) -> None:
    """Join heads that overlap without one containing the other, such as a failure and its family at one office.

    The head with the larger excess takes the other in when both name the same failure, or when what they have in common
    explains the other.
    """
    by_excess = sorted(folded, key=lambda head: (-evidence.excess(head, head), head))
    for position, head in enumerate(by_excess):
        if head not in folded:
            continue
        rivals = []
        for other in by_excess[position + 1 :]:
            if other not in folded or not cells[head].overlaps(cells[other]):
                continue
            common = index_of.get(cells[head].meet(cells[other]))
            is_same_failure = bool(cells[head].failure) and cells[head].failure == cells[other].failure
            if is_same_failure or (common is not None and evidence.explains(evidence.excess(common, other), other)):
                rivals.append(other)
        _absorb(folded, head, rivals)
