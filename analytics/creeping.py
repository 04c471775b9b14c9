# SPDX-License-Identifier: Apache-2.0
"""Which cells of the cube creep: the slow rise that no window shows, summed against a baseline frozen a year before.

The sums are those of creep.py, their chances a bound that holds with the baseline's own error; which of them are
discoveries is decided by the same tree as for surges (multiplicity.py), at a level of a budget of their own
(lifetime.py), among the cells that no surge and no open signal speaks of already.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analytics.arrays import BoolArray, FloatArray, IntArray
from analytics.baseline import NOTHING_KNOWN, Baseline, KnownReasons, baseline_gap_weeks, fit_baseline
from analytics.creep import chance_though_uncertain, guarded, sums, threshold_for, weeks_under_way
from analytics.cube import Cell, CellCounts
from analytics.detection import LettersOf, is_more_than_copies, is_of_open_matter
from analytics.folding import Folded, by_strength, fold_in_order
from analytics.multiplicity import focused, tree_benjamini_hochberg
from analytics.newcomers import has_past, kinds_among
from analytics.scores import DetectionSettings, tested_families

SUMMED_WEEKS = 52
RATE_RATIO = 1.5
IN_CONTROL_WEEKS = 1_040.0
"""A cell's own threshold is passed by chance once in so many weeks: twenty years."""
FEWEST_WEEKS = 14
"""A rise of no more weeks than the longest window's is for the windows to find."""


@dataclass(frozen=True, slots=True)
class Creeping:
    """A cell that creeps: its sum in complaints beyond what is tolerated, the threshold of the cell alone, the rest.

    `observed` and `expected` are of the `weeks` that the sum has been under way; `by_week` the expectation of the last
    `SUMMED_WEEKS`. `members` tell the same story.
    """

    cell: Cell
    members: tuple[Cell, ...]
    excess: float
    threshold: float
    weeks: int
    observed: int
    expected: float
    by_week: tuple[float, ...]
    dispersion: float
    relative_variance: float
    p_value: float
    q_value: float


@dataclass(frozen=True, slots=True)
class Crept:
    """The creeping cells, how many of them are new, and the number of cells tested for new ones."""

    found: tuple[Creeping, ...]
    new_count: int
    tested_count: int


@dataclass(frozen=True, slots=True)
class _Sums:
    """Every cell's sum: counts and expectations of the summed weeks, S at the end, since when, and its chance.

    `has_past`: whether the cell had been there long enough before these weeks for its baseline to say anything.
    """

    observed: IntArray
    expected: FloatArray
    baseline: Baseline
    excess: FloatArray
    weeks: IntArray
    p_value: FloatArray
    has_past: BoolArray


def find_creeping(
    counts: CellCounts,
    *,
    as_of_week: int,
    settings: DetectionSettings,
    level: float,
    open_matters: Sequence[tuple[Cell, ...]],
    surges: Sequence[tuple[Cell, ...]],
    known: KnownReasons = NOTHING_KNOWN,
    letters_of: LettersOf | None = None,
) -> Crept:
    """Return the creeping cells when the false discovery rate among new ones is to be `level`.

    Cells of `open_matters` are not tested, but seen again while unusual at the settings' own rate; those of `surges`,
    this week's, are neither. Without two years of past there is nothing to sum against.
    """
    summed = _sums(counts, as_of_week, settings, known)
    if summed is None:
        return Crept((), 0, 0)
    is_surge, is_open = (is_of_open_matter(counts, matters) for matters in (surges, open_matters))
    is_tested = ~(is_surge | is_open)
    families, tested = tested_families(counts)
    may = _may(counts, summed, settings, letters_of) & ~is_surge
    strength = {int(i): -float(np.log(max(summed.p_value[i], 1e-300))) for i in np.flatnonzero(may)}

    def fold(is_selected: BoolArray) -> Folded:
        chosen = [int(index) for index in np.flatnonzero(is_selected)]
        ordered = by_strength(chosen, strength, counts.cells)
        return fold_in_order(ordered, lambda index, heads: _overlapped(counts.cells, index, heads))

    in_test = tested - np.bincount(families[~is_tested], minlength=len(tested))
    q_values = np.ones(len(summed.p_value))
    q_values[is_tested] = tree_benjamini_hochberg(summed.p_value[is_tested], families[is_tested], in_test)
    is_new = focused(
        np.asarray((q_values <= level) & may, dtype=np.bool_),
        summed.p_value,
        lambda selected: len(fold(selected)),
        rate=level,
        tested_count=max(int(in_test.sum()), 1),
    )
    of_all = tree_benjamini_hochberg(summed.p_value, families, tested)
    is_again = is_open & may & (of_all <= settings.false_discovery_rate)
    heads = fold(np.asarray(is_new | is_again, dtype=np.bool_))
    return Crept(
        tuple(_creeping(counts, summed, head, members, float(of_all[head])) for head, members in heads.items()),
        sum(not is_open[head] for head in heads),
        int(in_test.sum()),
    )


def _sums(counts: CellCounts, as_of_week: int, settings: DetectionSettings, known: KnownReasons) -> _Sums | None:
    looked_at = counts.counts[:, : as_of_week - counts.first_week + 1]
    frozen = replace(settings.baseline, gap_weeks=SUMMED_WEEKS)
    if baseline_gap_weeks(looked_at.shape[1] - 1, frozen) < SUMMED_WEEKS:
        return None
    baseline = fit_baseline(
        looked_at,
        counts.parents,
        counts.levels,
        first_week=counts.first_week,
        windows=(SUMMED_WEEKS,),
        settings=frozen,
        known=known,
    )
    if baseline is None:
        return None
    observed, expected = looked_at[:, -SUMMED_WEEKS:], baseline.expected[:, -SUMMED_WEEKS:]
    excess = sums(observed, guarded(expected, baseline.relative_variance[:, 0]), baseline.dispersion, RATE_RATIO)
    chance = chance_though_uncertain(
        observed, expected, baseline.dispersion, baseline.relative_variance[:, 0], RATE_RATIO
    )
    return _Sums(
        observed,
        expected,
        baseline,
        excess[:, -1],
        weeks_under_way(excess),
        chance,
        has_past(looked_at, baseline, settings.floor_count),
    )


def _may(counts: CellCounts, summed: _Sums, settings: DetectionSettings, letters_of: LettersOf | None) -> BoolArray:
    """Return which cells may be called: with a past, improbable, long under way, and with enough complaints."""
    is_improbable = (summed.p_value <= settings.false_alarm_rate) & (summed.weeks >= FEWEST_WEEKS)
    may = np.asarray(is_improbable & summed.has_past, dtype=np.bool_)
    new_kinds = kinds_among(counts, ~summed.has_past)
    for cell in np.flatnonzero(may):
        if _rises_by_new_kinds(counts, summed, int(cell), new_kinds, settings):
            may[cell] = False
            continue
        weeks, one = int(summed.weeks[cell]), slice(cell, cell + 1)
        observed = int(summed.observed[cell, -weeks:].sum())
        told = letters_of(counts.cells[cell], weeks) if letters_of else (observed, 0)
        may[cell] = observed >= settings.floor_count and is_more_than_copies(
            observed,
            told,
            summed.expected[one, -weeks:].sum(axis=1),
            summed.baseline.dispersion[one],
            summed.baseline.relative_variance[one, 0],
            settings,
        )
    return may


def _rises_by_new_kinds(
    counts: CellCounts, summed: _Sums, cell: int, new_kinds: frozenset[str], settings: DetectionSettings
) -> bool:
    """Return whether a cell of all failures creeps only by kinds that nobody anywhere spoke of a year before."""
    whole = counts.cells[cell]
    if whole.failure:
        return False
    of_new_kinds = [
        index for index, part in enumerate(counts.cells) if part.failure in new_kinds and _is_kind_within(part, whole)
    ]
    if not of_new_kinds:
        return False
    one = slice(cell, cell + 1)
    chance = chance_though_uncertain(
        summed.observed[one] - summed.observed[of_new_kinds].sum(axis=0),
        summed.expected[one],
        summed.baseline.dispersion[one],
        summed.baseline.relative_variance[one, 0],
        RATE_RATIO,
    )
    return bool(chance[0] > settings.false_alarm_rate)


def _is_kind_within(part: Cell, whole: Cell) -> bool:
    """Return whether a cell is one failure of all that another counts, narrower by nothing else."""
    return whole.contains(part) and part.named == whole.named | {"family": part.family, "failure": part.failure}


def _overlapped(cells: Sequence[Cell], index: int, heads: list[int]) -> int | None:
    return next((head for head in heads if cells[head].overlaps(cells[index])), None)


def _creeping(counts: CellCounts, summed: _Sums, head: int, members: list[int], q_value: float) -> Creeping:
    weeks = int(summed.weeks[head])
    one = slice(head, head + 1)
    threshold = threshold_for(
        guarded(summed.expected[one], summed.baseline.relative_variance[one, 0]).mean(axis=1),
        summed.baseline.dispersion[one],
        rate_ratio=RATE_RATIO,
        in_control_weeks=IN_CONTROL_WEEKS,
    )
    return Creeping(
        cell=counts.cells[head],
        members=tuple(sorted(counts.cells[member] for member in members)),
        excess=float(summed.excess[head]),
        threshold=float(threshold[0]),
        weeks=weeks,
        observed=int(summed.observed[head, -weeks:].sum()),
        expected=float(summed.expected[head, -weeks:].sum()),
        by_week=tuple(float(value) for value in summed.expected[head]),
        dispersion=float(summed.baseline.dispersion[head]),
        relative_variance=float(summed.baseline.relative_variance[head, 0]),
        p_value=float(summed.p_value[head]),
        q_value=q_value,
    )
