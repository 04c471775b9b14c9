# SPDX-License-Identifier: Apache-2.0
"""Which process failures recur more than chance explains, in one week, over all cells of the cube.

`detect` is the entry. It is a pure function of the counts, the week and the settings: run again on the same inputs
(`hash_of_inputs`), it gives the same findings. Steps: baseline.py (what was to be expected), scores.py and tails.py
(how unusual), multiplicity.py (false alarms held in check), folding.py (one failure, one finding), and across weeks
lifetime.py.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from analytics.arrays import BoolArray, FloatArray, IntArray
from analytics.baseline import NOTHING_KNOWN, WEEKS_PER_YEAR, Baseline, KnownReasons
from analytics.cube import Cell, CellCounts
from analytics.dimensions import Overlaps
from analytics.folding import Folding
from analytics.multiplicity import focused, tree_benjamini_hochberg
from analytics.newcomers import new_since
from analytics.scores import DetectionSettings, Scores, history, score_cells
from analytics.tails import tail_probability, threshold_count

METHOD = "harmonic-nb/5"
"""Changed whenever the same inputs may give another answer; part of the inputs' hash."""
LettersOf = Callable[[Cell, int], tuple[int, int]]
"""How many different letters are behind a cell's last so many weeks, and how many complaints only copy one of them."""


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
    `dispersion` is the variance of a weekly count over its mean, `relative_variance` that of the expectation;
    `past_weeks` are the first week that was learnt from and the one after the last. `new_since` is the week in which
    what was not there before came first.
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
    dispersion: float = 1.0
    relative_variance: float = 0.0
    past_weeks: tuple[int, int] = (0, 0)
    new_since: int | None = None

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


def detect(
    counts: CellCounts, *, as_of_week: int, settings: DetectionSettings, overlaps: Overlaps
) -> tuple[Finding, ...]:
    """Return the findings of the week, the least likely first; none while the history is too short to judge by.

    Weeks after `as_of_week` are not looked at. `overlaps` are those of the events the cells were built of. Raises
    ValueError when the week lies outside the counts.
    """
    return detect_within_budget(
        counts, as_of_week=as_of_week, settings=settings, level=settings.false_discovery_rate, overlaps=overlaps
    ).findings


@dataclass(frozen=True, slots=True)
class Detected:
    """The findings, how many of them are new, the number of cells tested for new ones, and all they were found in."""

    findings: tuple[Finding, ...]
    new_count: int
    tested_count: int
    scored: Scores | None = None


def detect_within_budget(
    counts: CellCounts,
    *,
    as_of_week: int,
    settings: DetectionSettings,
    level: float,
    overlaps: Overlaps,
    open_matters: Sequence[tuple[Cell, ...]] = (),
    known: KnownReasons = NOTHING_KNOWN,
    letters_of: LettersOf | None = None,
) -> Detected:
    """Return the findings when the false discovery rate among new ones is to be `level`.

    Cells of `open_matters` (head and members of signals still open) are not tested: they are seen again while unusual
    at the settings' own rate, and are no discovery. `known` has a row for each cell. An unusual cell that is
    nothing unusual once near-copies count as one letter, or has too few different letters, is nothing, though tested.
    """
    looked_at = history(counts, as_of_week)
    is_open = is_of_open_matter(counts, open_matters)
    scored = score_cells(counts, as_of_week=as_of_week, settings=settings, known=known)
    if scored is None:
        return Detected((), 0, 0)
    folding = Folding(counts, scored, overlaps)
    p_values = scored.scores.p_value
    may = _may(counts, scored, settings, letters_of)
    is_new = _new(scored, is_open, level, settings, folding, may)
    is_unusual = (scored.q_values <= settings.false_discovery_rate) & (p_values <= settings.false_alarm_rate) & may
    heads = folding.fold(np.asarray(is_new | (is_open & is_unusual), dtype=np.bool_))
    findings = [
        _finding(counts, looked_at, scored, head, members, as_of_week, settings) for head, members in heads.items()
    ]
    return Detected(
        tuple(sorted(findings, key=lambda finding: (finding.p_value, -finding.excess_count, finding.cell))),
        sum(not any(finding.is_same_matter_as(matter) for matter in open_matters) for finding in findings),
        int(scored.tested_counts.sum() - is_open.sum()),
        scored,
    )


def finding_about(
    counts: CellCounts, scored: Scores, cell: Cell, *, as_of_week: int, settings: DetectionSettings
) -> Finding:
    """Return what is to be said of any cell of the cube, whether it was called or not."""
    index = counts.cells.index(cell)
    return _finding(counts, history(counts, as_of_week), scored, index, [], as_of_week, settings)


def is_of_open_matter(counts: CellCounts, open_matters: Sequence[tuple[Cell, ...]]) -> BoolArray:
    """Return which cells speak of a matter that is open: its head and members, and what overlaps it of its failure."""
    known = {cell for matter in open_matters for cell in matter}
    heads = [matter[0] for matter in open_matters]
    return np.array(
        [
            cell in known
            or any(cell.failure and cell.failure == head.failure and cell.overlaps(head) for head in heads)
            for cell in counts.cells
        ],
        dtype=np.bool_,
    )


def _may(counts: CellCounts, scored: Scores, settings: DetectionSettings, letters_of: LettersOf | None) -> BoolArray:
    """Return which cells may be findings; only those are asked that chance does not explain."""
    may = np.asarray(scored.scores.p_value <= settings.false_alarm_rate, dtype=np.bool_)
    for cell in np.flatnonzero(may) if letters_of is not None else ():
        window = int(scored.scores.window[cell])
        told = letters_of(counts.cells[cell], scored.windows[window]) if letters_of else (0, 0)
        may[cell] = is_more_than_copies(
            int(scored.observed[cell, window]), told, *scored.expected_and_spread(int(cell), window), settings
        )
    return may


def is_more_than_copies(
    observed: int,
    letters: tuple[int, int],
    expected: FloatArray,
    dispersion: FloatArray,
    relative_variance: FloatArray,
    settings: DetectionSettings,
) -> bool:
    """Return whether a count is unusual without its near-copies, and of enough different letters (see `LettersOf`)."""
    different, copies = letters
    if different < settings.floor_letters:
        return False
    chance = tail_probability(np.array([observed - copies]), expected, dispersion, relative_variance)
    return not copies or bool(chance[0] <= settings.false_alarm_rate)


def _new(
    scored: Scores, is_open: BoolArray, level: float, settings: DetectionSettings, folding: Folding, may: BoolArray
) -> BoolArray:
    """Return which cells are discoveries at the level: by the tree of families, and the rate held among findings."""
    tested = ~is_open
    counts = scored.tested_counts - np.bincount(scored.families[is_open], minlength=len(scored.tested_counts))
    p_values = scored.scores.p_value
    q_values = np.ones(len(p_values))
    q_values[tested] = tree_benjamini_hochberg(p_values[tested], scored.families[tested], counts)
    is_unusual = np.asarray((q_values <= level) & (p_values <= settings.false_alarm_rate) & may, dtype=np.bool_)
    return focused(
        is_unusual,
        p_values,
        lambda selected: len(folding.fold(selected)),
        rate=level,
        tested_count=max(int(counts.sum()), 1),
    )


def hash_of_inputs(
    counts: CellCounts, *, as_of_week: int, settings: DetectionSettings, known: KnownReasons = NOTHING_KNOWN
) -> str:
    """Return the SHA-256 (hex) of all that `detect` looks at: method, settings, week, cells and counts up to it."""
    looked_at = history(counts, as_of_week)
    head = {
        "method": METHOD,
        "as_of_week": as_of_week,
        "first_week": counts.first_week,
        "settings": asdict(settings),
        "cells": [cell.key for cell in counts.cells],
        "silent_counts": counts.silent_counts,
        "shape": looked_at.shape,
    }
    digest = hashlib.sha256(json.dumps(head, sort_keys=True, separators=(",", ":")).encode())
    for array in (looked_at, counts.parents, counts.levels):
        digest.update(np.ascontiguousarray(array, dtype="<i8").tobytes())
    for reason in (known.log_offset, known.offset_variance, known.masked, known.holidays):
        digest.update(
            b""
            if reason is None
            else np.ascontiguousarray(np.round(reason.astype(np.float64), 9), dtype="<f8").tobytes()
        )
    return digest.hexdigest()


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
    begins = counts.first_week + scored.baseline.start
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
        dispersion=float(scored.baseline.dispersion[head]),
        relative_variance=float(scored.baseline.relative_variance[head, window]),
        past_weeks=(begins, begins + scored.baseline.baseline_weeks),
        new_since=new_since(counts, head, scored.baseline),
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
