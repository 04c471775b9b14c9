# SPDX-License-Identifier: Apache-2.0
"""Weekly counts of complaints per cell: what a cell is, what is counted, and in which weeks.

A cell names some dimensions and sums over the others; a family of failures stands in for its failures. Cells are made
by dimensions.py, those of an agency by agency_cube.py. Weeks are whole numbers and begin on Mondays: `week_of` and
`monday_of` translate.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np

from analytics.arrays import IntArray

DAYS_PER_WEEK = 7
EVERYTHING = "(everything)"
"""The key and branch of the one cell that names nothing: all complaints of the agency."""


@dataclass(frozen=True, slots=True)
class WeeklyRow:
    """So many complaints of one process failure, service, office and channel in one week (see `week_of`).

    What nobody has said of a complaint is empty.
    """

    week: int
    failure: str
    service: str
    office: str
    count: int
    channel: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """What a count is about; an empty field means "all of them". A cell that names a failure also names its family.

    `further` holds dimensions of other names with their values, in the order of the names.
    """

    family: str = ""
    failure: str = ""
    service: str = ""
    office: str = ""
    further: tuple[tuple[str, str], ...] = ()

    @property
    def named(self) -> dict[str, str]:
        """What the cell names: dimension to value."""
        own = {"family": self.family, "failure": self.failure, "service": self.service, "office": self.office}
        return {field: code for field, code in own.items() if code} | dict(self.further)

    @property
    def key(self) -> str:
        """A stable name for the record: two runs that speak of the same cell use the same key."""
        return ";".join(f"{field}={code}" for field, code in self.named.items()) or EVERYTHING

    @property
    def branch(self) -> str:
        """Among which cells this one is selected first: those of its family, else those that name the same."""
        return self.family or " × ".join(self.named) or EVERYTHING

    def contains(self, other: "Cell") -> bool:
        """Whether every complaint of `other` is also one of ours."""
        theirs = other.named
        return all(theirs.get(name) == code for name, code in self.named.items())

    def overlaps(self, other: "Cell") -> bool:
        """Whether one complaint could belong to both cells."""
        theirs = other.named
        return all(theirs.get(name, code) == code for name, code in self.named.items())


@dataclass(frozen=True, slots=True)
class CellCounts:
    """Weekly counts per cell, a cell's parent always before it.

    `counts` is cells by weeks, the first column being `first_week`. `parents` holds each cell's parent as an index, or
    -1. `levels` groups cells of the same kind, among which dispersion is shared. `silent_counts` says, per `branch`,
    how many further cells had complaints lately, but too few to be judged: they were looked at all the same.
    """

    cells: tuple[Cell, ...]
    counts: IntArray
    first_week: int
    parents: IntArray
    levels: IntArray
    silent_counts: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        cell_count = len(self.cells)
        if self.counts.ndim != 2 or self.counts.shape[0] != cell_count:  # noqa: PLR2004  two dimensions
            raise ValueError("Counts must be cells by weeks.")
        if self.parents.shape != (cell_count,) or self.levels.shape != (cell_count,):
            raise ValueError("Every cell needs a parent (or -1) and a level.")
        if (self.parents >= np.arange(cell_count)).any() or (self.parents < -1).any():
            raise ValueError("A cell's parent must stand before it.")
        if (self.counts < 0).any():
            raise ValueError("A count cannot be negative.")

    @property
    def last_week(self) -> int:
        """The week of the last column."""
        return self.first_week + int(self.counts.shape[1]) - 1


def week_of(day: date) -> int:
    """Return the number of the week, Monday to Sunday, that `day` lies in."""
    return (day.toordinal() - 1) // DAYS_PER_WEEK


def monday_of(week: int) -> date:
    """Return the Monday on which `week` begins."""
    return date.fromordinal(week * DAYS_PER_WEEK + 1)
