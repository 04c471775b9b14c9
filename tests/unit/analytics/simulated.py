# SPDX-License-Identifier: Apache-2.0
"""Made-up agencies whose truth is known, for the tests of the sums."""

import numpy as np

from analytics.arrays import FloatArray, IntArray
from analytics.cube import Cell, CellCounts, WeeklyRow, build_cube
from analytics.detection import DetectionSettings

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


FAMILIES = {"lost": "documents", "wrong_form": "documents", "late": "delay", "unanswered": "delay", "rude": "courtesy"}
SERVICES = ("housing", "pensions")
OFFICES = ("leeds", "york", "hull")


class Agency:
    """Five failures at two services and three offices, the same mean in each, with whatever is planted in them."""

    def __init__(self, mean_per_cell: float, seed: int, weeks: int = WEEKS) -> None:
        rng = np.random.default_rng(seed)
        self.weeks = weeks
        self.counts = {
            (failure, service, office): rng.poisson(mean_per_cell, weeks)
            for failure in FAMILIES
            for service in SERVICES
            for office in OFFICES
        }
        self._mean = mean_per_cell
        self._rng = rng

    def plant(self, extra_times: float, since: int, failure: str, service: str = "", office: str = "") -> None:
        """Add `extra_times` the usual number to every matching cell since a week."""
        for key, counts in self.counts.items():
            if key[0] == failure and service in {"", key[1]} and office in {"", key[2]}:
                counts[since:] += self._rng.poisson(extra_times * self._mean, self.weeks - since)

    def cube(self, as_of_week: int | None = None) -> CellCounts:
        rows = [
            WeeklyRow(week, *key, int(count))
            for key, counts in self.counts.items()
            for week, count in enumerate(counts)
            if count
        ]
        return build_cube(rows, FAMILIES, first_week=0, as_of_week=self.weeks - 1 if as_of_week is None else as_of_week)
