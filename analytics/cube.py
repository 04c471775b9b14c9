# SPDX-License-Identifier: Apache-2.0
"""Weekly counts of complaints per cell: process failure by service by office, and every roll-up of them.

A cell names some of the three dimensions and sums over the others; a family of failures stands in for its failures.
Cells over any other dimensions are made by dimensions.py. Weeks are whole numbers and begin on Mondays: `week_of` and
`monday_of` translate.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from analytics.arrays import IntArray

DAYS_PER_WEEK = 7
EVERYTHING = "(everything)"
"""The family of the one cell that names no failure: all complaints of the agency."""


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

    @property
    def breadth(self) -> int:
        """How little is named: the narrower the cell, the lower; 0 for a failure of a service at an office."""
        return 4 - len(self.named)

    def contains(self, other: "Cell") -> bool:
        """Whether every complaint of `other` is also one of ours."""
        theirs = other.named
        return all(theirs.get(name) == code for name, code in self.named.items())

    def overlaps(self, other: "Cell") -> bool:
        """Whether one complaint could belong to both cells."""
        theirs = other.named
        return all(theirs.get(name, code) == code for name, code in self.named.items())

    def meet(self, other: "Cell") -> "Cell":
        """Return the cell of what belongs to both; meaningful only where they overlap."""
        return Cell(
            family=self.family or other.family,
            failure=self.failure or other.failure,
            service=self.service or other.service,
            office=self.office or other.office,
            further=tuple(sorted({*self.further, *other.further})),
        )


Fields = tuple[str, ...]

LEVELS: tuple[tuple[Fields, Fields | None], ...] = (
    ((), None),
    (("family",), ()),
    (("family", "service"), ("family",)),
    (("family", "office"), ("family",)),
    (("family", "failure"), ("family",)),
    (("family", "failure", "service"), ("family", "failure")),
    (("family", "failure", "office"), ("family", "failure")),
    (("family", "failure", "service", "office"), ("family", "failure", "service")),
)
"""Every level of the cube with the level its parents stand on; parents come before children."""


@dataclass(frozen=True, slots=True)
class CellCounts:
    """Weekly counts per cell, a cell's parent always before it.

    `counts` is cells by weeks, the first column being `first_week`. `parents` holds each cell's parent as an index, or
    -1. `levels` groups cells of the same kind, among which dispersion is shared. `silent_counts` says, per `branch`,
    how many further cells ever had a complaint but too few lately to be judged: they were looked at all the same.
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


def build_cube(
    rows: Iterable[WeeklyRow],
    families: Mapping[str, str],
    *,
    first_week: int,
    as_of_week: int,
    least_recent_count: int = 3,
    recent_weeks: int = 26,
) -> CellCounts:
    """Sum `rows` into cells and their roll-ups, from `first_week` to `as_of_week` inclusive; later rows are ignored.

    Kept are the cells with at least `least_recent_count` complaints in the last `recent_weeks`, and everything above
    them; how many were left out is kept per family. Rows may repeat a key (deltas, also negative) and are summed.
    Raises ValueError for a row before `first_week`, a failure without a family, or a sum below zero.
    """
    kept = [row for row in rows if row.week <= as_of_week]
    week_count = as_of_week - first_week + 1
    if week_count < 1:
        raise ValueError("The week to look at lies before the first week.")
    _refuse_bad_rows(kept, families, first_week)
    leaves = sorted({(families[row.failure], row.failure, row.service, row.office) for row in kept})
    position = {leaf: index for index, leaf in enumerate(leaves)}
    leaf_counts = np.zeros((len(leaves), week_count), dtype=np.int64)
    if kept:
        leaf_rows = [position[families[row.failure], row.failure, row.service, row.office] for row in kept]
        np.add.at(leaf_counts, (leaf_rows, [row.week - first_week for row in kept]), [row.count for row in kept])
    if (leaf_counts < 0).any():
        raise ValueError("The rows of some cell and week sum to less than nothing.")
    return _roll_up(leaves, leaf_counts, first_week, least_recent_count, recent_weeks)


def _refuse_bad_rows(rows: list[WeeklyRow], families: Mapping[str, str], first_week: int) -> None:
    """Raise ValueError for the first row that has no place in the cube."""
    for row in rows:
        if row.week < first_week:
            raise ValueError(f"Week {row.week} lies before the first week, {first_week}.")
        if not families.get(row.failure):
            raise ValueError(f"The failure {row.failure!r} has no family.")


def _roll_up(
    leaves: list[tuple[str, str, str, str]],
    leaf_counts: IntArray,
    first_week: int,
    least_recent_count: int,
    recent_weeks: int,
) -> CellCounts:
    """Return the leaves' sums at every level, parents first, with the cells too quiet to judge counted and dropped."""
    cells: list[Cell] = []
    tables: list[IntArray] = [np.zeros((0, leaf_counts.shape[1]), dtype=np.int64)]
    parents: list[int] = []
    levels: list[int] = []
    index_of: dict[Cell, int] = {}
    silent: dict[str, int] = {}
    for level, (fields, parent_fields) in enumerate(LEVELS):
        level_cells, table = _sum_level(leaves, leaf_counts, fields)
        loud = table[:, -recent_weeks:].sum(axis=1) >= least_recent_count
        for cell, is_loud in zip(level_cells, loud, strict=True):
            if not is_loud:
                silent[cell.branch] = silent.get(cell.branch, 0) + 1
                continue
            index_of[cell] = len(cells)
            cells.append(cell)
            parents.append(-1 if parent_fields is None else index_of[_project(cell, parent_fields)])
            levels.append(level)
        tables.append(table[loud])
    return CellCounts(
        cells=tuple(cells),
        counts=np.concatenate(tables),
        first_week=first_week,
        parents=np.array(parents, dtype=np.int64),
        levels=np.array(levels, dtype=np.int64),
        silent_counts=tuple(sorted(silent.items())),
    )


def _sum_level(
    leaves: list[tuple[str, str, str, str]], leaf_counts: IntArray, fields: Fields
) -> tuple[list[Cell], IntArray]:
    """Return the cells of one level in order, and their weekly counts."""
    projected = [_project(Cell(*leaf), fields) for leaf in leaves]
    level_cells = sorted(set(projected))
    position = {cell: index for index, cell in enumerate(level_cells)}
    table = np.zeros((len(level_cells), leaf_counts.shape[1]), dtype=np.int64)
    np.add.at(table, [position[cell] for cell in projected], leaf_counts)
    return level_cells, table


def _project(cell: Cell, fields: Fields) -> Cell:
    """Return the cell with only `fields` named."""
    return Cell(
        family=cell.family if "family" in fields else "",
        failure=cell.failure if "failure" in fields else "",
        service=cell.service if "service" in fields else "",
        office=cell.office if "office" in fields else "",
    )
