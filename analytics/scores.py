# SPDX-License-Identifier: Apache-2.0
"""How unusual every cell of the cube is in one week: what came against what was to be expected."""

from dataclasses import dataclass, field, replace

import numpy as np

from analytics.arrays import FloatArray, IntArray
from analytics.baseline import NOTHING_KNOWN, Baseline, BaselineSettings, KnownReasons, baseline_gap_weeks, fit_baseline
from analytics.cube import CellCounts
from analytics.multiplicity import tree_benjamini_hochberg
from analytics.tails import WindowScores, smallest_p_over_windows


@dataclass(frozen=True, slots=True)
class DetectionSettings:
    """The numbers a run depends on.

    `false_discovery_rate`: of the cells called unusual in a week, the share that may be chance. `false_alarm_rate`: the
    chance per cell and week that nothing but chance calls it unusual; also sets thresholds and the chart's upper band.
    `floor_count`: fewer complaints are never a finding, nor fewer than `floor_letters` different letters. Lengths in
    weeks.
    """

    windows: tuple[int, ...] = (1, 2, 4, 8, 13)
    false_discovery_rate: float = 0.10
    false_alarm_rate: float = 0.01
    floor_count: int = 3
    floor_letters: int = 1
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
class Scores:
    """Every cell in the week looked at: counts cells by windows, p and q per cell, and the baseline they stand on."""

    windows: tuple[int, ...]
    observed: IntArray
    expected: FloatArray
    scores: WindowScores
    q_values: FloatArray
    baseline: Baseline
    families: IntArray
    tested_counts: IntArray

    def expected_and_spread(self, cell: int, window: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the expectation, dispersion and relative variance of one cell and window, as arrays of one."""
        return (
            self.expected[cell, window : window + 1],
            self.baseline.dispersion[cell : cell + 1],
            self.baseline.relative_variance[cell, window : window + 1],
        )


def score_cells(
    counts: CellCounts, *, as_of_week: int, settings: DetectionSettings, known: KnownReasons = NOTHING_KNOWN
) -> Scores | None:
    """Return how unusual every cell is in the week, or nothing while the history is too short.

    All windows are alike: a rule by which the short ones must lean first would silence causes, the latest of which are
    hardly confirmed yet, and that an outbreak rings on in the long ones does no harm where a matter is one signal.
    """
    looked_at = history(counts, as_of_week)
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
        known=known,
    )
    if baseline is None:
        return None
    baseline = _less_certain(baseline, known, windows)
    observed = np.column_stack([looked_at[:, -window:].sum(axis=1) for window in windows])
    expected = np.column_stack([baseline.expected[:, -window:].sum(axis=1) for window in windows])
    scores = smallest_p_over_windows(
        observed,
        expected,
        baseline.dispersion,
        baseline.relative_variance,
        floor_count=settings.floor_count,
    )
    families, tested_counts = tested_families(counts)
    q_values = tree_benjamini_hochberg(scores.p_value, families, tested_counts)
    return Scores(windows, observed, expected, scores, q_values, baseline, families, tested_counts)


def _less_certain(baseline: Baseline, known: KnownReasons, windows: tuple[int, ...]) -> Baseline:
    """Return the baseline with the offset's own uncertainty in each window, the weeks of a window erring together."""
    if known.offset_variance is None:
        return baseline
    error = np.sqrt(known.offset_variance[:, baseline.start : baseline.start + baseline.expected.shape[1]])
    added = []
    for window in windows:
        mean = baseline.expected[:, -window:]
        added.append(((mean * error[:, -window:]).sum(axis=1) / mean.sum(axis=1)) ** 2)
    return replace(baseline, relative_variance=np.minimum(baseline.relative_variance + np.column_stack(added), 1.0))


def history(counts: CellCounts, as_of_week: int) -> IntArray:
    """Return the counts up to and including the week."""
    if not counts.first_week <= as_of_week <= counts.last_week:
        raise ValueError(f"Week {as_of_week} lies outside the counts, {counts.first_week} to {counts.last_week}.")
    return counts.counts[:, : as_of_week - counts.first_week + 1]


def tested_families(counts: CellCounts) -> tuple[IntArray, IntArray]:
    """Return each cell's family as a number, and per family how many cells were looked at, silent ones included."""
    silent = dict(counts.silent_counts)
    named = [cell.branch for cell in counts.cells]
    names = sorted({*named, *silent})
    number = {name: index for index, name in enumerate(names)}
    families = np.array([number[name] for name in named], dtype=np.int64)
    tested = np.bincount(families, minlength=len(names)) + np.array([silent.get(name, 0) for name in names])
    return families, tested.astype(np.int64)
