# SPDX-License-Identifier: Apache-2.0
"""Cells over any dimensions whatever: which dimension stands above which, and all roll-ups of one to three of them.

Of two dimensions A stands above B when each value of B comes with one value of A only (a region with its offices): a
cell that names B then names A too, and no cell is counted twice under two names. All else is left to the data: every
set of up to three dimensions, none above another, is a level, and each of its cells with enough complaints is judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from analytics.arrays import BoolArray, FloatArray, IntArray
from analytics.cube import Cell, CellCounts

MOST_DIMENSIONS_IN_A_CELL = 3
OWN_FIELDS = ("family", "failure", "service", "office")
"""Dimensions for which a cell has a field of its own."""


@dataclass(frozen=True)
class Events:
    """Complaints by any dimensions: so many (`count`) of these codes (rows by dimensions) in that week.

    `names` are the dimensions', `values` what each code of a dimension stands for; an empty value is one that nobody
    has said, and no cell names it. Rows may repeat.
    """

    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    codes: IntArray
    week: IntArray
    count: IntArray
    _rows_of: dict[Cell, IntArray] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.codes.shape != (len(self.week), len(self.names)) or len(self.count) != len(self.week):
            raise ValueError("Every row needs a code for each dimension, a week and a count.")
        if (self.count < 0).any():
            raise ValueError("A count cannot be negative.")

    def rows_of(self, cell: Cell) -> IntArray:
        """Return the rows that belong to the cell, in order."""
        if cell not in self._rows_of:
            inside = np.ones(len(self.week), dtype=np.bool_)
            for name, value in cell.named.items():
                dimension = self.names.index(name)
                inside &= self.codes[:, dimension] == self.values[dimension].index(value)
            self._rows_of[cell] = np.flatnonzero(inside)
        return self._rows_of[cell]


def nesting(events: Events) -> dict[str, str]:
    """Return the dimension that stands next above each dimension that has one.

    Of several that stand above, the one with the most values is the next; of two that only rename each other's values,
    the one named first stands above.
    """
    used = [len(np.unique(events.codes[:, dimension])) for dimension in range(len(events.names))]
    above: dict[str, str] = {}
    for low, low_name in enumerate(events.names):
        candidates = [
            high
            for high in range(len(events.names))
            if high != low
            and (used[high], high) < (used[low], low)
            and used[high] > 1
            and _is_settled_by(events.codes[:, low], events.codes[:, high])
        ]
        if candidates:
            above[low_name] = events.names[max(candidates, key=lambda high: (used[high], high))]
    return above


def _is_settled_by(low: IntArray, high: IntArray) -> bool:
    """Return whether each value of `low` comes with one value of `high` only."""
    least = np.full(int(low.max(initial=0)) + 1, np.iinfo(np.int64).max)
    most = np.full(len(least), -1)
    np.minimum.at(least, low, high)
    np.maximum.at(most, low, high)
    return bool((least[low] == most[low]).all())


def levels_of(names: Sequence[str], above: Mapping[str, str]) -> list[tuple[tuple[str, ...], int]]:
    """Return every level (the dimensions it turns on, none above another) with its parent level's place, or -1.

    Parents come before children: a level's last dimension gives way to the one above it, or is left open.
    """
    levels: list[tuple[str, ...]] = [()]
    for size in range(1, MOST_DIMENSIONS_IN_A_CELL + 1):
        levels += [
            chosen
            for chosen in combinations(names, size)
            if not any(high in _all_above(low, above) for low in chosen for high in chosen)
        ]
    depth = {level: len(_closure(level, above)) for level in levels}
    levels.sort(key=lambda level: (depth[level], len(level)))
    place = {frozenset(level): index for index, level in enumerate(levels)}
    return [(level, place[_parent_level(level, above)] if level else -1) for level in levels]


def _all_above(name: str, above: Mapping[str, str]) -> set[str]:
    found: set[str] = set()
    while (name := above.get(name, "")) and name not in found:
        found.add(name)
    return found


def _closure(level: Sequence[str], above: Mapping[str, str]) -> set[str]:
    """Return the level's dimensions and all that stand above them."""
    return set(level).union(*(_all_above(name, above) for name in level))


def _parent_level(level: tuple[str, ...], above: Mapping[str, str]) -> frozenset[str]:
    kept = set(level[:-1])
    if (higher := above.get(level[-1])) and higher not in _closure(tuple(kept), above):
        kept = {name for name in kept if name not in _all_above(higher, above)} | {higher}
    return frozenset(kept)


def build_any_cube(
    events: Events,
    *,
    first_week: int,
    as_of_week: int,
    least_recent_count: int = 3,
    recent_weeks: int = 26,
    most_cells: int = 20_000,
    above: Mapping[str, str] | None = None,
) -> CellCounts:
    """Sum the events into cells of up to three dimensions and their roll-ups, from `first_week` to `as_of_week`.

    `above` says which dimension stands next above another; left out, the events themselves do (`nesting`).
    Kept are the cells with at least `least_recent_count` complaints in the last `recent_weeks`; where these are more
    than `most_cells`, as many more complaints are asked of a cell as it takes. Silent are those with fewer, but some. A
    dimension of one value says nothing and makes no cells.
    Raises ValueError for an event before `first_week`.
    """
    if (events.week < first_week).any():
        raise ValueError(f"An event lies before the first week, {first_week}.")
    above = nesting(events) if above is None else above
    telling = [name for d, name in enumerate(events.names) if len(np.unique(events.codes[:, d])) > 1]
    telling_above = {low: high for low, high in above.items() if high in telling}
    levels = [
        _Level.of(events, chosen, parent, above, as_of_week, recent_weeks)
        for chosen, parent in levels_of(telling, telling_above)
    ]
    recent = np.concatenate([level.recent for level in levels])
    least = least_recent_count
    while (recent >= least).sum() > most_cells:
        least += 1
    return _cube_of(events, levels, least, first_week, as_of_week)


@dataclass(frozen=True, slots=True)
class _Level:
    """One level: which of its cells each row is in, and each cell's name, parent (by its place there) and lately."""

    chosen: tuple[str, ...]
    parent: int
    cell_of: IntArray
    a_row: IntArray
    recent: IntArray
    all_named: tuple[int, ...]

    @classmethod
    def of(
        cls,
        events: Events,
        chosen: tuple[str, ...],
        parent: int,
        above: Mapping[str, str],
        as_of_week: int,
        recent_weeks: int,
    ) -> "_Level":
        joined = np.zeros(len(events.week), dtype=np.int64)
        for name in chosen:  # joined and numbered anew by turns, so that no product of sizes overflows
            codes = events.codes[:, events.names.index(name)]
            _, joined = np.unique(joined * (int(codes.max(initial=0)) + 1) + codes, return_inverse=True)
        _, a_row = np.unique(joined, return_index=True)
        named = tuple(sorted(events.names.index(name) for name in _closure(chosen, above) if name in events.names))
        is_recent = (events.week <= as_of_week) & (events.week > as_of_week - recent_weeks)
        for dimension in named:
            is_said = np.array([bool(value) for value in events.values[dimension]])
            is_recent &= is_said[events.codes[:, dimension]]
        recent = np.bincount(joined[is_recent], events.count[is_recent], minlength=len(a_row)).astype(np.int64)
        return cls(chosen, parent, joined, a_row, recent, named)

    def cell(self, events: Events, row: int) -> Cell:
        """Return the name of the cell that a row is in."""
        named = {events.names[d]: events.values[d][events.codes[row, d]] for d in self.all_named}
        own = {name: named.pop(name) for name in OWN_FIELDS if name in named}
        return Cell(**own, further=tuple(sorted(named.items())))


def _cube_of(events: Events, levels: Sequence[_Level], least: int, first_week: int, as_of_week: int) -> CellCounts:
    """Return the cells with at least so many complaints lately."""
    cells: list[Cell] = []
    tables: list[IntArray] = []
    parents: list[IntArray] = []
    numbers: list[IntArray] = []
    place_of: list[IntArray] = []  # per level: each cell's place in the cube, or -1
    silent: dict[str, int] = {}
    is_past = events.week <= as_of_week
    week_count = as_of_week - first_week + 1
    for number, level in enumerate(levels):
        loud = np.flatnonzero(level.recent >= least)
        places = np.full(len(level.recent), -1, dtype=np.int64)
        places[loud] = len(cells) + np.arange(len(loud))
        place_of.append(places)
        if quiet := int(((level.recent > 0) & (level.recent < least)).sum()):
            branch = level.cell(events, int(level.a_row[0])).branch
            silent[branch] = silent.get(branch, 0) + quiet
        rank = places[level.cell_of] - len(cells)
        counted = is_past & (rank >= 0)
        table = np.bincount(
            rank[counted] * week_count + events.week[counted] - first_week,
            events.count[counted],
            minlength=len(loud) * week_count,
        )
        tables.append(table.astype(np.int64).reshape(len(loud), week_count))
        in_parent = -np.ones(len(loud), dtype=np.int64)
        if level.parent >= 0:
            in_parent = place_of[level.parent][levels[level.parent].cell_of[level.a_row[loud]]]
        parents.append(in_parent)
        numbers.append(np.full(len(loud), number, dtype=np.int64))
        cells += [level.cell(events, int(row)) for row in level.a_row[loud]]
    return CellCounts(
        cells=tuple(cells),
        counts=np.concatenate(tables),
        first_week=first_week,
        parents=np.concatenate(parents),
        levels=np.concatenate(numbers),
        silent_counts=tuple(sorted(silent.items())),
    )


@dataclass(frozen=True, slots=True)
class Overlaps:
    """How much of one cell lies within others: what folding asks of the events themselves."""

    events: Events
    as_of_week: int

    def outside(
        self, cell: Cell, others: Sequence[Cell], window: int, past_weeks: tuple[int, int]
    ) -> tuple[int, float]:
        """Return the cell's complaints of the last `window` weeks outside all others, and its past's share there.

        `past_weeks` are the first week of the past and the one after its last. Without a past all of it is outside.
        """
        rows = self.events.rows_of(cell)
        is_outside: BoolArray = np.ones(len(rows), dtype=np.bool_)
        for other in others:
            is_outside &= ~np.isin(rows, self.events.rows_of(other), assume_unique=True)
        week, count = self.events.week[rows], self.events.count[rows]
        lately = (week > self.as_of_week - window) & (week <= self.as_of_week)
        before = (week >= past_weeks[0]) & (week < past_weeks[1])
        past: FloatArray = np.array([count[before & is_outside].sum(), count[before].sum()], dtype=np.float64)
        return int(count[lately & is_outside].sum()), float(past[0] / past[1]) if past[1] else 1.0
