# SPDX-License-Identifier: Apache-2.0
"""Whether each week of each series was unusual, judged from the weeks before it alone.

The prospective look of `detection.detect` without cube, families and folding: each series stands alone, so that adding
another changes nothing. Steps: baseline.py (what was to be expected), tails.py (how unusual).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from analytics.arrays import BoolArray, FloatArray, IntArray
from analytics.baseline import Baseline, BaselineSettings, KnownReasons, baseline_gap_weeks, fit_baseline
from analytics.tails import (
    WindowRule,
    critical_count,
    first_passage_probability,
    leaning_counts,
    smallest_p_over_windows,
)

SERIES_PER_BATCH = 1_000
"""So many series at a time, so that memory stays small however many there are."""
HALVINGS = 12
TYPICAL_WEEKLY_MEAN = 20.0
"""The mean at which a week's threshold is told from the rate of false alarms over all windows."""


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """The numbers a scan depends on.

    `false_alarm_rate`: the chance per series and week that nothing but chance raises an alarm. `floor_count`: fewer
    complaints in a window are never an alarm. `windows` in weeks, from short to long.
    """

    windows: tuple[int, ...] = (1, 2, 4, 8, 13)
    false_alarm_rate: float = 0.01
    floor_count: int = 3
    baseline: BaselineSettings = field(default_factory=BaselineSettings)

    def __post_init__(self) -> None:
        if not self.windows or any(window < 1 for window in self.windows):
            raise ValueError("Windows are whole weeks, and there must be one.")
        if tuple(sorted(set(self.windows))) != self.windows:
            raise ValueError("Windows go from short to long, each once.")
        if self.windows[-1] > self.baseline.gap_weeks:
            raise ValueError(f"A window cannot be longer than the {self.baseline.gap_weeks} weeks not learnt from.")
        if not 0 < self.false_alarm_rate < 1:
            raise ValueError("The rate of false alarms lies between 0 and 1.")


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of every series (rows) and judged week (columns).

    `expected` is that of the week alone. `p_value` is the chance of so unusual a look back over all windows; `alarm`
    says that it is at most the rate of false alarms. `threshold` is the highest count of the week that would have been
    no alarm after the weeks before it. Where there was too little past, `expected`, `threshold` and `p_value` are NaN
    and there is no alarm. `window_weeks` is the window that was the least likely.
    """

    observed: IntArray
    expected: FloatArray
    threshold: FloatArray
    p_value: FloatArray
    alarm: BoolArray
    window_weeks: IntArray


def scan(
    counts: IntArray,
    *,
    first_judged: int,
    first_week: int,
    settings: ScanSettings,
    known: KnownReasons | None = None,
) -> Judged:
    """Judge the columns of `counts` (series by weeks) from `first_judged` to the last, each by earlier columns alone.

    `first_week` numbers the first column and so sets the season. What is known of the columns (exposure, masked weeks,
    holidays) is used up to the week judged.
    """
    known = known or KnownReasons()
    judged_weeks = counts.shape[1] - first_judged
    shape = (len(counts), judged_weeks)
    result = Judged(
        observed=counts[:, first_judged:],
        expected=np.full(shape, np.nan),
        threshold=np.full(shape, np.nan),
        p_value=np.full(shape, np.nan),
        alarm=np.zeros(shape, dtype=np.bool_),
        window_weeks=np.full(shape, settings.windows[0], dtype=np.int64),
    )
    level = _level_of_windows(settings.false_alarm_rate, WindowRule.standard(settings.windows), settings.windows)
    for rows in _batches(len(counts)):
        for column in range(judged_weeks):
            stop = first_judged + column + 1
            start = max(0, stop - weeks_looked_at(settings))
            _judge(
                result,
                rows,
                column,
                counts[rows, start:stop],
                first_week + start,
                level,
                settings,
                _within(known, rows, slice(start, stop)),
            )
    return result


def weeks_looked_at(settings: ScanSettings) -> int:
    """Return how many weeks, the judged one included, are looked at: a year more than the longest baseline needs.

    The year tells a series that has just begun from one that was long silent.
    """
    baseline = settings.baseline
    return baseline.longest_baseline_weeks + baseline.gap_weeks + baseline.year_weeks + 1


def _batches(series_count: int) -> Iterator[slice]:
    for start in range(0, series_count, SERIES_PER_BATCH):
        yield slice(start, min(start + SERIES_PER_BATCH, series_count))


def _within(known: KnownReasons, rows: slice, columns: slice) -> KnownReasons:
    return KnownReasons(
        log_offset=None if known.log_offset is None else known.log_offset[rows, columns],
        masked=None if known.masked is None else known.masked[rows, columns],
        holidays=None if known.holidays is None else known.holidays[columns],
    )


def _judge(
    result: Judged,
    rows: slice,
    column: int,
    counts: IntArray,
    first_week: int,
    level: float,
    settings: ScanSettings,
    known: KnownReasons,
) -> None:
    """Fill in one judged week, the last column of `counts`, of a batch of series."""
    gap_weeks = baseline_gap_weeks(counts.shape[1] - 1, settings.baseline)
    windows = tuple(window for window in settings.windows if window <= gap_weeks)  # never learnt from and judged both
    if not windows:
        return
    alone = np.arange(len(counts), dtype=np.int64)
    baseline = fit_baseline(
        counts,
        np.full(len(counts), -1, dtype=np.int64),
        alone,
        first_week=first_week,
        windows=windows,
        settings=settings.baseline,
        known=known,
    )
    if baseline is None:
        return
    observed = np.column_stack([counts[:, -window:].sum(axis=1) for window in windows])
    expected = np.column_stack([baseline.expected[:, -window:].sum(axis=1) for window in windows])
    rule = WindowRule.standard(windows)
    scores = smallest_p_over_windows(
        observed,
        expected,
        baseline.dispersion,
        baseline.relative_variance,
        floor_count=settings.floor_count,
        rule=rule,
    )
    alarm = scores.p_value <= settings.false_alarm_rate
    weekly = counts[:, -1]
    threshold = _threshold(observed, expected, baseline, rule, level, settings.floor_count)
    result.expected[rows, column] = baseline.expected[:, -1]
    result.p_value[rows, column] = scores.p_value
    result.alarm[rows, column] = alarm
    result.threshold[rows, column] = np.where(alarm, np.minimum(threshold, weekly - 1), np.maximum(threshold, weekly))
    result.window_weeks[rows, column] = np.array(windows)[scores.window]


def _threshold(
    observed: IntArray, expected: FloatArray, baseline: Baseline, rule: WindowRule, level: float, floor_count: int
) -> IntArray:
    """Return how many complaints in the week would just have been no alarm, given the weeks before it.

    A window's critical count less what came before is what the week must bring, and never less than what the shorter
    windows need to lean that way. The level of the single windows is that which gives the rate of false alarms over
    all of them at a typical mean; it differs little elsewhere, and the caller lets the p-value have the last word.
    """
    spread = baseline.dispersion[:, None]
    levels = np.minimum(level * np.array(rule.weights), 1.0)
    critical = np.maximum(critical_count(levels[None, :], expected, spread, baseline.relative_variance), floor_count)
    least = leaning_counts(expected, baseline.dispersion, baseline.relative_variance, rule)
    before = observed - observed[:, :1]
    needed_to_lean = np.maximum.accumulate(least - before, axis=1)
    needed = critical - before
    needed[:, 1:] = np.maximum(needed[:, 1:], needed_to_lean[:, :-1])
    return np.asarray(np.maximum(needed.min(axis=1) - 1, 0), dtype=np.int64)


def _level_of_windows(rate: float, rule: WindowRule, windows: tuple[int, ...]) -> float:
    """Return the chance of a single window (of weight 1) at which all windows together raise false alarms at the rate.

    By halving, for Poisson counts of a typical mean.
    """
    expected = TYPICAL_WEEKLY_MEAN * np.array([windows], dtype=np.float64)
    one, none = np.ones(1), np.zeros(1)
    least = leaning_counts(expected, one, np.zeros(expected.shape), rule)
    low, high = rate / sum(rule.weights), 1.0
    for _ in range(HALVINGS):
        middle = np.sqrt(low * high)
        levels = np.minimum(middle * np.array([rule.weights]), 1.0)
        critical = critical_count(levels, expected, one[:, None], none[:, None])
        is_enough = first_passage_probability(expected, one, none, critical, least)[0] <= rate
        low, high = (middle, high) if is_enough else (low, middle)
    return float(low)
