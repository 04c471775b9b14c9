# SPDX-License-Identifier: Apache-2.0
"""Which process failures recur more than chance explains, in one week, over all cells of the cube.

`detect` is the entry. It is a pure function of the counts, the week and the settings: run again on the same inputs
(`hash_of_inputs`), it gives the same findings. Steps: baseline.py (what was to be expected), tails.py (how unusual),
multiplicity.py (false alarms held in check), folding.py (one failure, one finding).
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field

import numpy as np

from analytics.arrays import FloatArray, IntArray
from analytics.baseline import WEEKS_PER_YEAR, Baseline, BaselineSettings, baseline_gap_weeks, fit_baseline
from analytics.cube import EVERYTHING, Cell, CellCounts
from analytics.folding import fold
from analytics.multiplicity import tree_benjamini_hochberg
from analytics.tails import WindowScores, smallest_p_over_windows, tail_probability, threshold_count

METHOD = "harmonic-nb/1"
"""Changed whenever the same inputs may give another answer; part of the inputs' hash."""
SHARE_THAT_EXPLAINS = 0.8
"""A narrower cell that holds this share of a broader cell's excess explains it."""


@dataclass(frozen=True, slots=True)
class DetectionSettings:
    """The numbers a run depends on.

    `false_discovery_rate`: of the cells called unusual in a week, the share that may be chance. `false_alarm_rate`: the
    chance per cell and week that nothing but chance calls it unusual; also sets thresholds and the chart's upper band.
    `floor_count`: fewer complaints are never a finding. Lengths in weeks.
    """

    windows: tuple[int, ...] = (1, 2, 4, 8, 13)
    false_discovery_rate: float = 0.10
    false_alarm_rate: float = 0.01
    floor_count: int = 3
    chart_weeks: int = 104
    baseline: BaselineSettings = field(default_factory=BaselineSettings)

    def __post_init__(self) -> None:
        if not self.windows or any(window < 1 for window in self.windows):
            raise ValueError("Windows are whole weeks, and there must be one.")
        if tuple(sorted(set(self.windows))) != self.windows:
            raise ValueError("Windows go from short to long, each once.")
        if not (0 < self.false_discovery_rate < 1 and 0 < self.false_alarm_rate < 1):
            raise ValueError("Rates lie between 0 and 1.")


@dataclass(frozen=True, slots=True)
class WeeklySeries:
    """A cell's chart: what came, what was expected, and the highest count of a single week that is not unusual."""

    weeks: tuple[int, ...]
    observed_counts: tuple[int, ...]
    expected_counts: tuple[float, ...]
    upper_band: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """A failure that recurs more than chance explains, told by its head `cell`; `members` repeat the same story.

    Counts are those of the `window_weeks` weeks up to and including `as_of_week`. `p_value` is the chance of so unusual
    a cell in a week in which nothing is wrong, all windows considered; `q_value` is the rate of false discoveries at
    which the cell is just called unusual. `threshold_count` is the highest count in that window that is not unusual.
    """

    cell: Cell
    members: tuple[Cell, ...]
    as_of_week: int
    window_weeks: int
    began_week: int
    observed_count: int
    expected_count: float
    threshold_count: int
    p_value: float
    q_value: float
    series: WeeklySeries

    @property
    def excess_count(self) -> float:
        """How many complaints more than expected."""
        return self.observed_count - self.expected_count

    @property
    def recurrence_years(self) -> float:
        """Chance alone would do this to this one cell about once in so many years, looked at every week."""
        return 1.0 / (self.p_value * WEEKS_PER_YEAR)

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The head and its members."""
        return (self.cell, *self.members)

    def is_same_matter_as(self, others: tuple[Cell, ...]) -> bool:
        """Whether this is the finding, perhaps of another week, whose head and members were `others`.

        So it is when a head of one is a cell of the other, or both speak of overlapping cells of the same failure.
        """
        head = others[0]
        is_same_failure = bool(self.cell.failure) and self.cell.failure == head.failure and self.cell.overlaps(head)
        return is_same_failure or head in self.cells or self.cell in others


@dataclass(frozen=True, slots=True)
class Scores:
    """Every cell in the week looked at: counts cells by windows, p and q per cell, and the baseline they stand on."""

    windows: tuple[int, ...]
    observed: IntArray
    expected: FloatArray
    scores: WindowScores
    q_values: FloatArray
    baseline: Baseline

    def expected_and_spread(self, cell: int, window: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the expectation, dispersion and relative variance of one cell and window, as arrays of one."""
        return (
            self.expected[cell, window : window + 1],
            self.baseline.dispersion[cell : cell + 1],
            self.baseline.relative_variance[cell, window : window + 1],
        )


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What folding asks, answered from the scores."""

    scored: Scores
    false_alarm_rate: float

    def excess(self, cell: int, window_of: int) -> float:
        window = self.scored.scores.window[window_of]
        return float(self.scored.observed[cell, window] - self.scored.expected[cell, window])

    def explains(self, excess: float, of: int) -> bool:
        """Whether the excess is most of the cell's own, or the cell without it would be nothing unusual."""
        if excess >= SHARE_THAT_EXPLAINS * self.excess(of, of):
            return True
        window = int(self.scored.scores.window[of])
        remaining = np.ceil(self.scored.observed[of, window : window + 1] - excess)
        return bool(
            tail_probability(remaining, *self.scored.expected_and_spread(of, window))[0] > self.false_alarm_rate
        )


def detect(counts: CellCounts, *, as_of_week: int, settings: DetectionSettings) -> tuple[Finding, ...]:
    """Return the findings of the week, the least likely first; none while the history is too short to judge by.

    Weeks after `as_of_week` are not looked at. Raises ValueError when the week lies outside the counts.
    """
    looked_at = _history(counts, as_of_week)
    scored = score_cells(counts, as_of_week=as_of_week, settings=settings)
    if scored is None:
        return ()
    p_values = scored.scores.p_value
    is_unusual = (scored.q_values <= settings.false_discovery_rate) & (p_values <= settings.false_alarm_rate)
    unusual = [int(index) for index in np.flatnonzero(is_unusual)]
    heads = fold(
        unusual,
        counts.cells,
        {cell: index for index, cell in enumerate(counts.cells)},
        _Evidence(scored, settings.false_alarm_rate),
    )
    findings = [
        _finding(counts, looked_at, scored, head, members, as_of_week, settings) for head, members in heads.items()
    ]
    return tuple(sorted(findings, key=lambda finding: (finding.p_value, -finding.excess_count, finding.cell)))


def score_cells(counts: CellCounts, *, as_of_week: int, settings: DetectionSettings) -> Scores | None:
    """Return how unusual every cell is in the week, or nothing while the history is too short."""
    looked_at = _history(counts, as_of_week)
    gap_weeks = baseline_gap_weeks(looked_at.shape[1] - 1, settings.baseline)
    windows = tuple(window for window in settings.windows if window <= gap_weeks)  # never learnt from and judged both
    if not windows:
        return None
    baseline = fit_baseline(
        looked_at,
        counts.parents,
        counts.levels,
        first_week=counts.first_week,
        windows=windows,
        settings=settings.baseline,
    )
    if baseline is None:
        return None
    observed = np.column_stack([looked_at[:, -window:].sum(axis=1) for window in windows])
    expected = np.column_stack([baseline.expected[:, -window:].sum(axis=1) for window in windows])
    scores = smallest_p_over_windows(
        observed, expected, baseline.dispersion, baseline.relative_variance, floor_count=settings.floor_count
    )
    families, tested_counts = _families(counts)
    q_values = tree_benjamini_hochberg(scores.p_value, families, tested_counts)
    return Scores(windows, observed, expected, scores, q_values, baseline)


def hash_of_inputs(counts: CellCounts, *, as_of_week: int, settings: DetectionSettings) -> str:
    """Return the SHA-256 (hex) of all that `detect` looks at: method, settings, week, cells and counts up to it."""
    looked_at = _history(counts, as_of_week)
    head = {
        "method": METHOD,
        "as_of_week": as_of_week,
        "first_week": counts.first_week,
        "settings": asdict(settings),
        "cells": [[cell.family, cell.failure, cell.service, cell.office] for cell in counts.cells],
        "silent_counts": counts.silent_counts,
        "shape": looked_at.shape,
    }
    digest = hashlib.sha256(json.dumps(head, sort_keys=True, separators=(",", ":")).encode())
    for array in (looked_at, counts.parents, counts.levels):
        digest.update(np.ascontiguousarray(array, dtype="<i8").tobytes())
    return digest.hexdigest()


def _history(counts: CellCounts, as_of_week: int) -> IntArray:
    """Return the counts up to and including the week."""
    if not counts.first_week <= as_of_week <= counts.last_week:
        raise ValueError(f"Week {as_of_week} lies outside the counts, {counts.first_week} to {counts.last_week}.")
    return counts.counts[:, : as_of_week - counts.first_week + 1]


def _families(counts: CellCounts) -> tuple[IntArray, IntArray]:
    """Return each cell's family as a number, and per family how many cells were looked at, silent ones included."""
    silent = dict(counts.silent_counts)
    named = [cell.family or EVERYTHING for cell in counts.cells]
    names = sorted({*named, *silent})
    number = {name: index for index, name in enumerate(names)}
    families = np.array([number[name] for name in named], dtype=np.int64)
    tested = np.bincount(families, minlength=len(names)) + np.array([silent.get(name, 0) for name in names])
    return families, tested.astype(np.int64)


def _finding(
    counts: CellCounts,
    looked_at: IntArray,
    scored: Scores,
    head: int,
    members: list[int],
    as_of_week: int,
    settings: DetectionSettings,
) -> Finding:
    """Return the finding told by cell `head`."""
    window = int(scored.scores.window[head])
    threshold = threshold_count(*scored.expected_and_spread(head, window), false_alarm_rate=settings.false_alarm_rate)
    return Finding(
        cell=counts.cells[head],
        members=tuple(sorted(counts.cells[member] for member in members)),
        as_of_week=as_of_week,
        window_weeks=scored.windows[window],
        began_week=as_of_week - _weeks_under_way(looked_at[head], scored.baseline, head, scored.windows[window]) + 1,
        observed_count=int(scored.observed[head, window]),
        expected_count=float(scored.expected[head, window]),
        threshold_count=int(threshold[0]),
        p_value=float(scored.scores.p_value[head]),
        q_value=float(scored.q_values[head]),
        series=_series(looked_at, scored.baseline, head, as_of_week, settings),
    )


def _weeks_under_way(observed: IntArray, baseline: Baseline, cell: int, least_weeks: int) -> int:
    """Return for how many weeks, this one included, the excess has lasted; it may be shorter or longer than the window.

    The start is the one that makes a raised rate since then most likely: the largest expectation-based Poisson
    likelihood ratio O log(O/E) + E - O (Kulldorff 1997; Neill 2009, Int. J. Forecasting 25:498), among the
    weeks not learnt from (or, in a short history, at least those of the window); never a week without an excess.
    """
    candidates = max(baseline.expected.shape[1] - baseline.baseline_weeks, least_weeks)
    weekly_observed = observed[-candidates:][::-1].astype(np.float64)
    weekly_expected = baseline.expected[cell, -candidates:][::-1]
    so_far = np.cumsum(weekly_observed)
    expected_so_far = np.cumsum(weekly_expected)
    ratio = so_far * np.log(np.maximum(so_far, 1e-9) / expected_so_far) + expected_so_far - so_far
    may_start = (so_far > expected_so_far) & (weekly_observed > weekly_expected)
    return int(np.argmax(np.where(may_start, ratio, -1.0))) + 1


def _series(
    looked_at: IntArray, baseline: Baseline, cell: int, as_of_week: int, settings: DetectionSettings
) -> WeeklySeries:
    """Return the cell's last weeks with their expectation and upper band, the latest week last."""
    length = min(settings.chart_weeks, baseline.expected.shape[1])
    expected = baseline.expected[cell, -length:]
    band = threshold_count(
        expected,
        baseline.dispersion[cell : cell + 1],
        baseline.relative_variance[cell, :1],
        false_alarm_rate=settings.false_alarm_rate,
    )
    return WeeklySeries(
        weeks=tuple(range(as_of_week - length + 1, as_of_week + 1)),
        observed_counts=tuple(int(count) for count in looked_at[cell, -length:]),
        expected_counts=tuple(float(count) for count in expected),
        upper_band=tuple(int(count) for count in band),
    )
