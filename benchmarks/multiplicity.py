# SPDX-License-Identifier: Apache-2.0
"""How many of the flags are false: made-up agencies whose truth is known, judged by the weekly detection as it stands.

`python -m benchmarks.multiplicity [--cubes 200] [--seed 1] [--parts cubes null]`. Needs no data. Measures:

- the share of false ones among the cells called unusual in a week at q = .10, mean over cubes with its 95 % interval:
  once for 2,000 cells that have nothing to do with each other, exactly one in ten of them spiked, once for a cube of
  about 2,000 nested cells with failures spiked at one office and everywhere; a cell is truly raised when it holds a
  spiked leaf. Beside it the share of false findings, cells folded;
- signals raised within four weeks by a cube in which nothing is wrong;
- over two years the share of false signals with and without the budget of analytics/lifetime.py, recent weeks
  weighing more, windows overlapping from week to week as they do; expectations known, so that this is the budget alone.

Ends with 1 when a goal is missed.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analytics.agency_cube import build_agency_cube, events_of
from analytics.arrays import BoolArray, FloatArray, IntArray
from analytics.cube import Cell, CellCounts, WeeklyRow
from analytics.detection import Finding, detect
from analytics.dimensions import Events, Overlaps
from analytics.lifetime import Ledger, LifetimeSettings, judge_week
from analytics.multiplicity import tree_benjamini_hochberg
from analytics.scores import DetectionSettings, score_cells
from analytics.tails import smallest_p_over_windows

SETTINGS = DetectionSettings()
WEEKS = 5 * 52 + 27
SPIKED_WEEKS = 8
SPIKED_TIMES = 3.0
MEAN_LOG, MEAN_SPREAD = np.log(0.8), 0.8
DISPERSION = 1.2
SEASON = 0.3
GOAL_FDR = 0.12
GOAL_NULL_SIGNALS = 1.0
NULL_WEEKS = 4

STRANGERS, STRANGER_FAMILIES, STRANGERS_SPIKED = 2_000, 20, 200
FAMILIES, FAILURES_PER_FAMILY, SERVICES, OFFICES, REGIONS = 7, 6, 4, 8, 3
SPIKED_EVERYWHERE, SPIKED_AT_ONE_OFFICE = 3, 4

AGENCIES, AGENCY_CELLS, AGENCY_FAMILIES, AGENCY_WEEKS = 30, 400, 8, 104
OUTBREAKS_PER_WEEK = 0.25
CLOSED_AFTER_WEEKS = 13


def main() -> int:
    """Print the tables; return the exit code."""
    parser = argparse.ArgumentParser(description="False alarms over many cells and weeks.")
    parser.add_argument("--cubes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parts: dict[str, Callable[[int, int], bool]] = {
        "strangers": measure_strangers,
        "cubes": measure_cubes,
        "null": measure_null,
        "lifetime": lambda _, seed: measure_lifetime(seed),
    }
    parser.add_argument("--parts", nargs="+", choices=tuple(parts), default=tuple(parts), help="all, left out")
    told = parser.parse_args()
    print(f"{'measure':62s} {'mean':>7s}  95 % interval    goal")
    met = [parts[part](told.cubes, told.seed) for part in told.parts]
    return 0 if all(met) else 1


def print_row(name: str, values: FloatArray, goal: float | None) -> bool:
    """Print a mean with its interval and return whether it holds the goal."""
    mean = float(values.mean())
    half = 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    met = goal is None or mean <= goal
    said = "" if goal is None else f"<= {goal:g}: {'met' if met else 'MISSED'}"
    print(f"{name:62s} {mean:7.3f}  {mean - half:6.3f} to {mean + half:5.3f}  {said}", flush=True)
    return met


def draw(mean: FloatArray, rng: np.random.Generator) -> IntArray:
    """Return counts around these weekly means."""
    return rng.negative_binomial(mean / (DISPERSION - 1.0), 1.0 / DISPERSION).astype(np.int64)


def usual_means(cells: int, rng: np.random.Generator) -> FloatArray:
    """Return cells by weeks: levels from a tenth to several a week, one season, some years of drift."""
    weeks = np.arange(WEEKS)
    season = SEASON * np.cos(2 * np.pi * weeks / 52.18 + rng.uniform(0, 2 * np.pi))
    drift = rng.normal(0.0, 0.05, (cells, 1)) * (weeks - WEEKS / 2) / 52
    return np.asarray(rng.lognormal(MEAN_LOG, MEAN_SPREAD, (cells, 1)) * np.exp(season + drift), dtype=np.float64)


def spike(mean: FloatArray, which: BoolArray) -> FloatArray:
    """Return the means with some cells multiplied in the last weeks."""
    spiked = mean.copy()
    spiked[which, -SPIKED_WEEKS:] *= SPIKED_TIMES
    return spiked


def false_share(is_called: BoolArray, is_raised: BoolArray) -> float:
    """Return which share of the called was not raised; 0 of nothing."""
    return float((is_called & ~is_raised).sum() / max(int(is_called.sum()), 1))


def measure_strangers(cubes: int, seed: int) -> bool:
    """Measure cells that have nothing to do with each other."""
    started = time.perf_counter()
    shares, powers = [], []
    for number in range(cubes):
        rng = np.random.default_rng([seed, 1, number])
        is_raised = np.zeros(STRANGERS, dtype=np.bool_)
        is_raised[rng.choice(STRANGERS, STRANGERS_SPIKED, replace=False)] = True
        counts = draw(spike(usual_means(STRANGERS, rng), is_raised), rng)
        scored = score_cells(strangers(counts), as_of_week=WEEKS - 1, settings=SETTINGS)
        assert scored is not None
        is_called = np.asarray(scored.q_values <= SETTINGS.false_discovery_rate, dtype=np.bool_)
        shares.append(false_share(is_called, is_raised))
        powers.append(float(is_called[is_raised].mean()))
    met = print_row("2,000 strangers, 10 % spiked: false cells", np.array(shares), GOAL_FDR)
    print_row("   spiked cells called", np.array(powers), None)
    print(f"   {cubes} cubes in {time.perf_counter() - started:.0f} s")
    return met


def strangers(counts: IntArray) -> CellCounts:
    """Return cells without parents, in families."""
    family = np.arange(len(counts)) % STRANGER_FAMILIES
    return CellCounts(
        cells=tuple(Cell(family=f"family-{family[i]:02d}", failure=f"failure-{i}") for i in range(len(counts))),
        counts=counts,
        first_week=0,
        parents=np.full(len(counts), -1, dtype=np.int64),
        levels=np.zeros(len(counts), dtype=np.int64),
    )


@dataclass(frozen=True, slots=True)
class Agency:
    """A made-up agency: its leaves' codes, and which of them are spiked."""

    leaves: tuple[tuple[str, str, str], ...]
    is_spiked: BoolArray

    def events(self, counts: IntArray, as_of_week: int) -> Events:
        """Return the leaves' counts up to a week."""
        rows = [
            WeeklyRow(int(week), *self.leaves[int(leaf)], int(counts[leaf, week]))
            for leaf, week in zip(*np.nonzero(counts[:, : as_of_week + 1]), strict=True)
        ]
        families = {failure: failure[:2] for failure, _, _ in self.leaves}
        return events_of(rows, families, {office: region_of(office) for _, _, office in self.leaves})

    def is_raised(self, cells: tuple[Cell, ...]) -> BoolArray:
        """Return which cells hold a spiked leaf."""
        spiked = [leaf for leaf, is_spiked in zip(self.leaves, self.is_spiked, strict=True) if is_spiked]
        columns = {
            "family": np.array([failure[:2] for failure, _, _ in spiked]),
            "failure": np.array([failure for failure, _, _ in spiked]),
            "service": np.array([service for _, service, _ in spiked]),
            "region": np.array([region_of(office) for _, _, office in spiked]),
            "office": np.array([office for _, _, office in spiked]),
        }
        is_raised = np.zeros(len(cells), dtype=np.bool_)
        for index, cell in enumerate(cells):
            inside = np.ones(len(spiked), dtype=np.bool_)
            for name, codes in columns.items():
                if value := cell.named.get(name):
                    inside &= codes == value
            is_raised[index] = inside.any()
        return is_raised


def region_of(office: str) -> str:
    """Return the region that an office lies in."""
    return f"r{int(office[1:]) % REGIONS}"


def findings_in(cube: CellCounts, events: Events) -> tuple[Finding, ...]:
    """Return the findings of the cube's last week."""
    week = cube.last_week
    return detect(cube, as_of_week=week, settings=SETTINGS, overlaps=Overlaps(events, week))


def agency_of(rng: np.random.Generator | None) -> Agency:
    """Return an agency with failures spiked at chance, or none without a generator."""
    failures = [f"F{family}-{number}" for family in range(FAMILIES) for number in range(FAILURES_PER_FAMILY)]
    leaves = tuple((f, f"s{s}", f"o{o}") for f in failures for s in range(SERVICES) for o in range(OFFICES))
    if rng is None:
        return Agency(leaves, np.zeros(len(leaves), dtype=np.bool_))
    chosen = rng.choice(failures, SPIKED_EVERYWHERE + SPIKED_AT_ONE_OFFICE, replace=False)
    office_of = {str(failure): f"o{rng.integers(OFFICES)}" for failure in chosen[SPIKED_EVERYWHERE:]}
    everywhere = {str(failure) for failure in chosen[:SPIKED_EVERYWHERE]}
    return Agency(leaves, np.array([f in everywhere or office_of.get(f) == o for f, _, o in leaves], dtype=np.bool_))


def measure_cubes(cubes: int, seed: int) -> bool:
    """Measure nested cells, and the findings they fold into."""
    started = time.perf_counter()
    shares, finding_shares, raised_shares = [], [], []
    for number in range(cubes):
        rng = np.random.default_rng([seed, 2, number])
        agency = agency_of(rng)
        counts = draw(spike(usual_means(len(agency.leaves), rng), agency.is_spiked), rng)
        events = agency.events(counts, WEEKS - 1)
        cube = build_agency_cube(events, first_week=0, as_of_week=WEEKS - 1)
        is_raised = agency.is_raised(cube.cells)
        scored = score_cells(cube, as_of_week=WEEKS - 1, settings=SETTINGS)
        assert scored is not None
        is_called = np.asarray(scored.q_values <= SETTINGS.false_discovery_rate, dtype=np.bool_)
        shares.append(false_share(is_called, is_raised))
        heads = tuple(finding.cell for finding in findings_in(cube, events))
        finding_shares.append(false_share(np.ones(len(heads), dtype=np.bool_), agency.is_raised(heads)))
        raised_shares.append(float(is_raised.mean()))
    met = print_row("nested cube: false cells", np.array(shares), GOAL_FDR)
    met &= print_row("nested cube: false findings after folding", np.array(finding_shares), GOAL_FDR)
    print_row("   share of cells truly raised", np.array(raised_shares), None)
    print(f"   {cubes} cubes in {time.perf_counter() - started:.0f} s")
    return met


def measure_null(cubes: int, seed: int) -> bool:
    """Measure how many signals four weeks raise where nothing is wrong; one seen again is the same signal."""
    started = time.perf_counter()
    raised = []
    agency = agency_of(None)
    for number in range(cubes):
        rng = np.random.default_rng([seed, 3, number])
        counts = draw(usual_means(len(agency.leaves), rng), rng)
        known: list[Finding] = []
        for week in range(WEEKS - NULL_WEEKS, WEEKS):
            events = agency.events(counts, week)
            for finding in findings_in(build_agency_cube(events, first_week=0, as_of_week=week), events):
                if not any(finding.is_same_matter_as(old.cells) for old in known):
                    known.append(finding)
        raised.append(len(known))
    met = print_row("nothing wrong: signals in 4 weeks", np.array(raised, dtype=np.float64), GOAL_NULL_SIGNALS)
    print(f"   {cubes} cubes in {time.perf_counter() - started:.0f} s")
    return met


def measure_lifetime(seed: int) -> bool:
    """Measure the share of false signals over two years, with the budget and without."""
    started = time.perf_counter()
    settings = LifetimeSettings()
    met = True
    for outbreaks_per_week in (OUTBREAKS_PER_WEEK, 0.0):
        lives = [
            _Life(np.random.default_rng([seed, 4, number]), outbreaks_per_week).lived(settings)
            for number in range(AGENCIES)
        ]
        with_budget, without, found_with, found_without = np.array(lives).T
        print(f"two years, {outbreaks_per_week:g} outbreaks a week:")
        met &= print_row("   false signals, lifetime budget", with_budget, settings.rate + (GOAL_FDR - 0.10))
        print_row("   false signals, weekly rate alone", without, None)
        if outbreaks_per_week:
            print_row("   outbreaks found, lifetime budget", found_with, None)
            print_row("   outbreaks found, weekly rate alone", found_without, None)
    print(f"   {2 * AGENCIES} agencies in {time.perf_counter() - started:.0f} s")
    return met


class _Life:
    """Two years of one agency: its counts, its outbreaks, and the p-values of every week."""

    def __init__(self, rng: np.random.Generator, outbreaks_per_week: float) -> None:
        longest = max(SETTINGS.windows)
        weeks = AGENCY_WEEKS + longest
        usual = np.repeat(rng.lognormal(MEAN_LOG, MEAN_SPREAD, (AGENCY_CELLS, 1)), weeks, axis=1)
        mean = usual.copy()
        self.starts: list[tuple[int, int]] = []
        for week in range(longest, weeks - SPIKED_WEEKS):
            for cell in rng.choice(AGENCY_CELLS, rng.poisson(outbreaks_per_week), replace=False):
                mean[cell, week : week + SPIKED_WEEKS] = SPIKED_TIMES * usual[cell, week : week + SPIKED_WEEKS]
                self.starts.append((int(cell), week))
        counts = draw(mean, rng)
        self.families = np.arange(AGENCY_CELLS, dtype=np.int64) % AGENCY_FAMILIES
        self.tested = np.bincount(self.families).astype(np.int64)
        raised = np.pad(np.cumsum(mean > usual, axis=1), ((0, 0), (1, 0)))
        self.is_raised = raised[:, longest + 1 :] > raised[:, 1:-longest]  # some week of the longest window was
        self.p_values = np.column_stack([_p_values(counts[:, :week], usual) for week in range(longest + 1, weeks + 1)])
        self.first_week = longest

    def lived(self, settings: LifetimeSettings) -> tuple[float, float, float, float]:
        """Return the weighted share of false signals with and without budget, and the share of outbreaks found."""
        budget = self._signals(settings, has_budget=True)
        plain = self._signals(settings, has_budget=False)
        return self._false(budget, settings), self._false(plain, settings), self._found(budget), self._found(plain)

    def _signals(self, settings: LifetimeSettings, *, has_budget: bool) -> BoolArray:
        """Return cells by weeks: a signal raised. A cell stays open for a quarter, then may be raised anew."""
        ledger = Ledger()
        raised = np.zeros(self.p_values.shape, dtype=np.bool_)
        for week in range(self.p_values.shape[1]):
            since = max(week - CLOSED_AFTER_WEEKS, 0)
            is_open = np.asarray(raised[:, since:week].any(axis=1), dtype=np.bool_)
            p_values = self.p_values[:, week]
            if has_budget:
                judged = judge_week(
                    ledger, week, p_values, self.families, self.tested, is_open=is_open, settings=settings
                )
                ledger, raised[:, week] = judged.ledger, judged.is_discovery
            else:
                q_values = tree_benjamini_hochberg(np.where(is_open, 1.0, p_values), self.families, self.tested)
                raised[:, week] = q_values <= settings.weekly_rate
        return raised

    def _false(self, signals: BoolArray, settings: LifetimeSettings) -> float:
        weights = 0.5 ** (np.arange(signals.shape[1])[::-1] / settings.half_life_weeks)
        false = (signals & ~self.is_raised).sum(axis=0) @ weights
        return float(false / max(float(signals.sum(axis=0) @ weights), 1.0))

    def _found(self, signals: BoolArray) -> float:
        last = max(SETTINGS.windows)
        found = [
            signals[cell, start - self.first_week : start - self.first_week + SPIKED_WEEKS + last].any()
            for cell, start in self.starts
        ]
        return float(np.mean(found)) if found else 1.0


def _p_values(counts: IntArray, usual: FloatArray) -> FloatArray:
    """Return each cell's p-value in the last week, its expectation known."""
    observed = np.column_stack([counts[:, -window:].sum(axis=1) for window in SETTINGS.windows])
    expected = usual[:, :1] * np.array(SETTINGS.windows)
    cells = len(counts)
    return smallest_p_over_windows(
        observed,
        expected,
        np.full(cells, DISPERSION),
        np.zeros((cells, len(SETTINGS.windows))),
        floor_count=SETTINGS.floor_count,
    ).p_value


if __name__ == "__main__":
    sys.exit(main())
