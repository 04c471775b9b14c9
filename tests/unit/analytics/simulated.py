# SPDX-License-Identifier: Apache-2.0
"""Made-up agencies whose truth is known, for the tests of the sums."""

import numpy as np

from analytics.agency_cube import build_agency_cube, events_of
from analytics.arrays import FloatArray, IntArray
from analytics.cube import Cell, CellCounts, WeeklyRow
from analytics.detection import Finding, detect
from analytics.dimensions import Events, Overlaps
from analytics.scores import DetectionSettings

WEEKS = 5 * 52 + 27
LAST_WEEK = WEEKS - 1
SETTINGS = DetectionSettings()


def counts_around(mean: FloatArray, dispersion: float, cell_count: int, seed: int) -> IntArray:
    """Return cells by weeks of counts with these weekly means and variance over mean."""
    rng = np.random.default_rng(seed)
    shape = (cell_count, len(mean))
    if dispersion == 1.0:
        return rng.poisson(mean, shape)
    return rng.negative_binomial(mean / (dispersion - 1.0), 1.0 / dispersion, shape)


def strangers(counts: IntArray) -> CellCounts:
    """Return cells that have nothing to do with each other but their kind."""
    return CellCounts(
        cells=tuple(Cell(family="delay", failure=f"failure-{index}") for index in range(len(counts))),
        counts=counts,
        first_week=0,
        parents=np.full(len(counts), -1, dtype=np.int64),
        levels=np.zeros(len(counts), dtype=np.int64),
    )


def found_among_strangers(counts: CellCounts, week: int) -> tuple[Finding, ...]:
    """Return the week's findings; the events behind strangers are their counts."""
    cell, column = np.nonzero(counts.counts)
    failures = tuple(stranger.failure for stranger in counts.cells)
    events = Events(
        names=("family", "failure"),
        values=(("delay",), failures),
        codes=np.column_stack([np.zeros_like(cell), cell]),
        week=column + counts.first_week,
        count=counts.counts[cell, column],
    )
    return detect(counts, as_of_week=week, settings=SETTINGS, overlaps=Overlaps(events, week))


FAMILIES = {"lost": "documents", "wrong_form": "documents", "late": "delay", "unanswered": "delay", "rude": "courtesy"}
SERVICES = ("housing", "pensions")
OFFICES = ("leeds", "york", "hull")


class Agency:
    """Five failures at two services and some offices, the same mean in each, with whatever is planted in them."""

    def __init__(self, mean_per_cell: float, seed: int, weeks: int = WEEKS, offices: tuple[str, ...] = OFFICES) -> None:
        rng = np.random.default_rng(seed)
        self.weeks = weeks
        self._regions = dict.fromkeys(offices, "north")
        self.counts = {
            (failure, service, office): rng.poisson(mean_per_cell, weeks)
            for failure in FAMILIES
            for service in SERVICES
            for office in offices
        }
        self._mean = mean_per_cell
        self._rng = rng

    def plant(self, extra_times: float, since: int, failure: str, service: str = "", office: str = "") -> None:
        """Add `extra_times` the usual number to every matching cell since a week."""
        for key, counts in self.counts.items():
            if key[0] == failure and service in {"", key[1]} and office in {"", key[2]}:
                counts[since:] += self._rng.poisson(extra_times * self._mean, self.weeks - since)

    def events(self) -> Events:
        rows = [
            WeeklyRow(week, *key, int(count))
            for key, counts in self.counts.items()
            for week, count in enumerate(counts)
            if count
        ]
        return events_of(rows, FAMILIES, self._regions)

    def cube(self) -> CellCounts:
        return build_agency_cube(self.events(), first_week=0, as_of_week=self.weeks - 1)

    def found(self, week: int | None = None, settings: DetectionSettings = SETTINGS) -> tuple[Finding, ...]:
        """Return the findings of a week, of the last one unless told otherwise."""
        week = self.weeks - 1 if week is None else week
        events = self.events()
        counts = build_agency_cube(events, first_week=0, as_of_week=week)
        return detect(counts, as_of_week=week, settings=settings, overlaps=Overlaps(events, week))
