# SPDX-License-Identifier: Apache-2.0
"""One failure, one finding: which of the unusual cells tells the story, and which only repeat it.

A failure at one office raises the counts of every cell that contains it. Kept as the head is the narrowest cell that
explains at least four fifths of the broader cell's excess; where no single narrower cell does, the broader cell is the
story and the narrower ones are its members.
"""

from collections.abc import Callable, Sequence

from analytics.cube import Cell

SHARE_THAT_EXPLAINS = 0.8

ExcessWithin = Callable[[int, int], float]
"""The excess of the first cell over the window in which the second was most unusual, in complaints."""


def fold(unusual: Sequence[int], cells: Sequence[Cell], excess_within: ExcessWithin) -> dict[int, list[int]]:
    """Return the heads among the `unusual` cells (indices) with their members, the head itself left out.

    Narrow cells are taken before broad ones, so that each broad cell meets the stories already told within it.
    """
    folded: dict[int, list[int]] = {}
    for index in sorted(unusual, key=lambda i: (cells[i].breadth, cells[i])):
        inside = [head for head in folded if cells[index].contains(cells[head])]
        explained = {head: excess_within(head, index) for head in inside}
        whole = excess_within(index, index)
        if not inside:
            folded[index] = []
            continue
        largest = max(inside, key=lambda head: (explained[head], -head))
        if explained[largest] >= SHARE_THAT_EXPLAINS * whole:
            folded[largest].append(index)
        elif cells[index].failure or sum(explained.values()) < SHARE_THAT_EXPLAINS * whole:
            _absorb(folded, index, inside)
        else:
            # Several failures together explain their family's excess: each is a story of its own.
            folded[largest].append(index)
    _join_overlapping(folded, cells, excess_within)
    return folded


def _absorb(folded: dict[int, list[int]], head: int, others: list[int]) -> None:
    """Make `others` and their members members of `head`."""
    members = folded.setdefault(head, [])
    for other in others:
        members += [other, *folded.pop(other)]


def _join_overlapping(folded: dict[int, list[int]], cells: Sequence[Cell], excess_within: ExcessWithin) -> None:
    """Join heads of the same failure that overlap, such as its service and its office: one failure, one finding."""
    by_excess = sorted(folded, key=lambda head: (-excess_within(head, head), head))
    for position, head in enumerate(by_excess):
        if head not in folded or not cells[head].failure:
            continue
        rivals = [
            other
            for other in by_excess[position + 1 :]
            if other in folded and cells[other].failure == cells[head].failure and cells[other].overlaps(cells[head])
        ]
        _absorb(folded, head, rivals)
