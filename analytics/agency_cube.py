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
from analytics.places import ELSEWHERE

ABOVE = {"failure": "family", "office": "region"}
NAMES = ("family", "failure", "service", "region", "office", "channel")
MOST_CELLS = 10_000


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


def reasons_for(counts: CellCounts, events: Events, outside: Outside, regions: Mapping[str, str]) -> Reasons:
    """Return what is known of the cells' weeks; `events` are those the cells were built of."""
    share, variance = _shares(counts, outside)
    exposure = _exposure(counts, events, outside.served, regions)
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


def _exposure(
    counts: CellCounts, events: Events, served: Sequence[Served], regions: Mapping[str, str]
) -> FloatArray | None:
    """Return the logarithm of what was served over its mean, cells by weeks; 0, as usual, where it is not known.

    It is known of a cell when every service and office that its complaints came from reports, and of a week when all of
    those did: one missing report would look like a fall, and one report alone would speak for all. Where nobody was
    served there is nothing to hold complaints against.
    """
    inside = [one for one in served if counts.first_week <= one.week <= counts.last_week]
    if not inside:
        return None
    week = np.array([one.week - counts.first_week for one in inside], dtype=np.int64)
    number = np.array([one.count for one in inside], dtype=np.float64)
    reporters = sorted({(one.service, one.office) for one in inside})
    reporter = np.array([reporters.index((one.service, one.office)) for one in inside], dtype=np.int64)
    complained_of = _places_of(events, counts)
    by_place: dict[tuple[str, str, str], FloatArray] = {}
    offset = np.zeros(counts.counts.shape)
    for index, cell in enumerate(counts.cells):
        named = cell.named
        place = named.get("service", ""), named.get("office", ""), named.get("region", "")
        if place not in by_place:
            here = [row for row, of in enumerate(reporters) if _is_in(place, of, regions)]
            told = {reporters[row] for row in here}
            is_known = all(of in told for of in complained_of if _is_in(place, of, regions))
            rows = np.isin(reporter, here) & is_known
            by_place[place] = _log_ratio(week[rows], number[rows], len(here), counts.counts.shape[1])
        offset[index] = by_place[place]
    return offset


def _is_in(place: tuple[str, str, str], of: tuple[str, str], regions: Mapping[str, str]) -> bool:
    """Return whether a service and office are of a place: service, office and region, each empty where it means all."""
    service, office, region = place
    return service in {"", of[0]} and office in {"", of[1]} and region in {"", regions.get(of[1], ELSEWHERE)}


def _places_of(events: Events, counts: CellCounts) -> set[tuple[str, str]]:
    """Return the services and offices that complaints of these weeks are about, where both have been said."""
    seen = events.codes[(events.week >= counts.first_week) & (events.week <= counts.last_week)]
    service, office = NAMES.index("service"), NAMES.index("office")
    places = {
        (events.values[service][row[0]], events.values[office][row[1]])
        for row in np.unique(seen[:, [service, office]], axis=0).tolist()
    }
    return {place for place in places if all(place)}


def _log_ratio(week: IntArray, number: FloatArray, reporter_count: int, weeks: int) -> FloatArray:
    total = np.bincount(week, number, minlength=weeks)
    is_whole = (np.bincount(week, minlength=weeks) == reporter_count) & (total > 0)
    if not is_whole.any():
        return np.zeros(weeks)
    ratio = np.log(np.where(is_whole, total, 1.0) / float(total[is_whole].mean()))
    return np.where(is_whole, ratio, 0.0)


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
