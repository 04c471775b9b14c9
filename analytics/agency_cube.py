# SPDX-License-Identifier: Apache-2.0
"""The agency's own cells: process failure ▸ family, service, office ▸ region and channel, one to three of them at once.

The cells are those of dimensions.py; here stand what is above what (a failure's family, an office's region), and what
is known from outside about a cell's weeks: how much of them is confirmed, how many people were served, which are not to
be learnt from, on how many days the agency was closed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.arrays import BoolArray, FloatArray, IntArray
from analytics.baseline import KnownReasons
from analytics.cube import Cell, CellCounts, WeeklyRow
from analytics.delays import MOST_WEEKS, Completeness
from analytics.dimensions import Events, build_any_cube

ABOVE = {"failure": "family", "office": "region"}
NAMES = ("family", "failure", "service", "region", "office", "channel")
ELSEWHERE = "elsewhere"
"""The region of offices that are in none."""
MOST_CELLS = 10_000
LEAST_SERVED = 0.5
"""Stands for nobody served, of whom no logarithm could be taken."""


def events_of(rows: Iterable[WeeklyRow], families: Mapping[str, str], regions: Mapping[str, str]) -> Events:
    """Return the rows as events, those of one kind and week summed: rows may be deltas.

    Raises ValueError for a failure without a family, and for a kind and week that sum to less than nothing.
    """
    sums: dict[tuple[int, str, str, str, str], int] = {}
    for row in rows:
        kind = (row.week, row.failure, row.service, row.office, row.channel)
        sums[kind] = sums.get(kind, 0) + row.count
    if any(count < 0 for count in sums.values()):
        raise ValueError("The rows of some cell and week sum to less than nothing.")
    if unknown := sorted({failure for _, failure, *_ in sums if not families.get(failure)}):
        raise ValueError(f"The failure {unknown[0]!r} has no family.")
    kinds = sorted(kind for kind, count in sums.items() if count)
    columns = [
        [families[failure] for _, failure, *_ in kinds],
        [failure for _, failure, *_ in kinds],
        [service for _, _, service, _, _ in kinds],
        [regions.get(office, ELSEWHERE) if office else "" for _, _, _, office, _ in kinds],
        [office for _, _, _, office, _ in kinds],
        [channel for _, _, _, _, channel in kinds],
    ]
    values = [sorted(set(column)) for column in columns]
    codes = [
        [place[code] for code in column]
        for column, place in zip(columns, ({v: i for i, v in enumerate(known)} for known in values), strict=True)
    ]
    return Events(
        names=NAMES,
        values=tuple(tuple(known) for known in values),
        codes=np.array(codes, dtype=np.int64).reshape(len(NAMES), len(kinds)).T,
        week=np.array([week for week, *_ in kinds], dtype=np.int64),
        count=np.array([sums[kind] for kind in kinds], dtype=np.int64),
    )


def build_agency_cube(events: Events, *, first_week: int, as_of_week: int) -> CellCounts:
    """Return the agency's cells from `first_week` to `as_of_week`; as for `build_any_cube`.

    Where all offices are in one region, no cell names it.
    """
    regions = set(events.values[NAMES.index("region")]) - {""}
    above = {low: high for low, high in ABOVE.items() if high != "region" or len(regions) > 1}
    return build_any_cube(events, first_week=first_week, as_of_week=as_of_week, most_cells=MOST_CELLS, above=above)


@dataclass(frozen=True, slots=True)
class Served:
    """So many people served by one service at one office in one week."""

    week: int
    service: str
    office: str
    count: float


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A cell whose weeks, from the first to the last, are not usual ones: a fix was being brought in or watched."""

    cell: Cell
    first_week: int
    last_week: int


@dataclass(frozen=True, slots=True)
class Outside:
    """What is known beside the counts.

    `completeness` has a row for each of `channels` and one for all; `age_days` is how many days the last week has been
    over. `closed_days` are working days without work, from the first week to the one looked at.
    """

    completeness: Completeness | None = None
    channels: tuple[str, ...] = ()
    age_days: int = 0
    served: Sequence[Served] = ()
    left_out: Sequence[LeftOut] = ()
    closed_days: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class Reasons:
    """What the baseline is to know, and per cell by weeks the share confirmed and its variance, and what was served."""

    known: KnownReasons
    share: FloatArray | None
    share_variance: FloatArray | None
    has_exposure: BoolArray


def reasons_for(counts: CellCounts, outside: Outside, regions: Mapping[str, str]) -> Reasons:
    """Return what is known of the cells' weeks."""
    share, variance = _shares(counts, outside)
    exposure = _exposure(counts, outside.served, regions)
    has_exposure = np.zeros(len(counts.cells), dtype=np.bool_) if exposure is None else (exposure != 0).any(axis=1)
    parts = [part for part in (None if share is None else np.log(share), exposure) if part is not None]
    holidays = None
    if outside.closed_days is not None and outside.closed_days.any():
        holidays = outside.closed_days[:, None]
    known = KnownReasons(
        log_offset=sum(parts[1:], parts[0]) if parts else None,
        offset_variance=variance,
        masked=_masked(counts, outside.left_out),
        holidays=holidays,
    )
    return Reasons(known, share, variance, np.asarray(has_exposure, dtype=np.bool_))


def _shares(counts: CellCounts, outside: Outside) -> tuple[FloatArray | None, FloatArray | None]:
    """Return how much of each cell's weeks is confirmed, and its variance; a cell of all channels mixes them all."""
    if outside.completeness is None:
        return None, None
    weeks = counts.counts.shape[1]
    ages = np.minimum(np.arange(weeks)[::-1] + outside.age_days / 7.0, MOST_WEEKS)
    row_of = {channel: row for row, channel in enumerate(outside.channels)}
    rows = [row_of.get(cell.named.get("channel", ""), len(outside.channels)) for cell in counts.cells]
    told = [outside.completeness.at(row, ages) for row in range(len(outside.channels) + 1)]
    return np.array([told[row][0] for row in rows]), np.array([told[row][1] for row in rows])


def _exposure(counts: CellCounts, served: Sequence[Served], regions: Mapping[str, str]) -> FloatArray | None:
    """Return the logarithm of what was served over its mean, cells by weeks; 0, as usual, in weeks nobody counted."""
    inside = [one for one in served if counts.first_week <= one.week <= counts.last_week]
    if not inside:
        return None
    week = np.array([one.week - counts.first_week for one in inside], dtype=np.int64)
    number = np.array([one.count for one in inside], dtype=np.float64)
    columns = {
        "service": np.array([one.service for one in inside]),
        "office": np.array([one.office for one in inside]),
        "region": np.array([regions.get(one.office, ELSEWHERE) for one in inside]),
    }
    by_place: dict[tuple[str, ...], FloatArray] = {}
    offset = np.zeros(counts.counts.shape)
    for index, cell in enumerate(counts.cells):
        place = tuple(cell.named.get(name, "") for name in columns)
        if place not in by_place:
            is_here = np.ones(len(inside), dtype=np.bool_)
            for name, code in zip(columns, place, strict=True):
                is_here &= (columns[name] == code) if code else True
            by_place[place] = _log_ratio(week[is_here], number[is_here], counts.counts.shape[1])
        offset[index] = by_place[place]
    return offset


def _log_ratio(week: IntArray, number: FloatArray, weeks: int) -> FloatArray:
    total = np.bincount(week, number, minlength=weeks)
    is_counted = np.bincount(week, minlength=weeks) > 0
    if not is_counted.any():
        return np.zeros(weeks)
    ratio = np.maximum(total, LEAST_SERVED) / max(float(total[is_counted].mean()), LEAST_SERVED)
    return np.where(is_counted, np.log(ratio), 0.0)


def _masked(counts: CellCounts, left_out: Sequence[LeftOut]) -> BoolArray | None:
    """Return which weeks of which cells are left out: those of cells within the one named, not of wider ones."""
    if not left_out:
        return None
    masked = np.zeros(counts.counts.shape, dtype=np.bool_)
    for one in left_out:
        first, last = one.first_week - counts.first_week, one.last_week - counts.first_week
        for index, cell in enumerate(counts.cells):
            if one.cell.contains(cell):
                masked[index, max(first, 0) : max(last + 1, 0)] = True
    return masked
