# SPDX-License-Identifier: Apache-2.0
"""False alarms held in check for as long as one looks: a budget that every week spends from and discoveries refill.

Holding each week's false discovery rate says nothing about the years: many quiet weeks with one false alarm in ten of
them, and few true ones between, make most alarms false. BatchBH (Zrnic, Jiang, Ramdas & Jordan 2020, "The power of
batching in multiple hypothesis testing", AISTATS) sets the level α of each week's test so that

    Σ over weeks s of  α_s R⁺_s / (R⁺_s + other weeks' discoveries)  ≤  the lifetime rate,

where R⁺_s is the most discoveries the week could have made had one more p-value been 0; that sum bounds the expected
share of false ones among all discoveries so far. A week may spend a part of what is left of the rate.

Weeks long past count less, in both sums (the decaying-memory rate of Ramdas, Yang, Wainwright & Jordan 2017, NIPS,
"Online control of the false discovery rate with decaying memory", carried over to batches): an old alarm is forgiven
in time, and a quiet year does not starve the next. The bound holds by the paper's argument, each week's terms weighted.

The week's test is the tree of multiplicity.py, for which the bound is not proven; `benchmarks.multiplicity` shows it by
simulation. Only cells without an open signal are tested: what is known is no discovery, and would refill the budget.
All is pure: a ledger in, a ledger out.
"""

from dataclasses import dataclass

import numpy as np

from analytics.arrays import BoolArray, FloatArray, IntArray
from analytics.multiplicity import tree_benjamini_hochberg


@dataclass(frozen=True, slots=True)
class LifetimeSettings:
    """The promise: of all signals, at most the share `rate` is expected to be chance, recent ones weighing more.

    `weekly_rate`: no week's own rate is ever higher. `share_spent`: of what is left of the rate, a week takes this
    share, the rest being kept for the weeks to come. `half_life_weeks`: after so long a week weighs half.
    """

    rate: float = 0.10
    weekly_rate: float = 0.10
    share_spent: float = 0.25
    half_life_weeks: float = 104.0

    def __post_init__(self) -> None:
        if not (0 < self.rate < 1 and 0 < self.weekly_rate < 1 and 0 < self.share_spent <= 1):
            raise ValueError("Rates and shares lie between 0 and 1.")
        if self.half_life_weeks <= 0:
            raise ValueError("A half-life is longer than nothing.")


@dataclass(frozen=True, slots=True)
class WeekSpent:
    """One test's entry: its week, the level it was made at, its discoveries, and the most there could have been (R⁺).

    A week that is tested again, its counts having changed, is a test of its own and spends again.
    """

    week: int
    level: float
    discoveries: int
    most: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """All tests so far, in the order of their weeks; the whole state."""

    weeks: tuple[WeekSpent, ...] = ()

    def as_json(self) -> list[list[float]]:
        """Return the ledger as plain lists."""
        return [[entry.week, entry.level, entry.discoveries, entry.most] for entry in self.weeks]

    @classmethod
    def from_json(cls, entries: list[list[float]]) -> "Ledger":
        """Return the ledger that `as_json` gave."""
        return cls(tuple(WeekSpent(int(week), level, int(found), int(most)) for week, level, found, most in entries))


@dataclass(frozen=True, slots=True)
class WeekJudged:
    """Which cells are discoveries, the level they were judged at, and the ledger with the week entered."""

    is_discovery: BoolArray
    level: float
    ledger: Ledger


def judge_week(
    ledger: Ledger,
    week: int,
    p_values: FloatArray,
    families: IntArray,
    tested_counts: IntArray,
    *,
    is_open: BoolArray,
    settings: LifetimeSettings,
) -> WeekJudged:
    """Test the week's cells at the level the budget allows and enter it.

    The cells are as for `tree_benjamini_hochberg`; those of open signals (`is_open`) are left out of the test and are
    never discoveries. Raises ValueError for a week before the ledger's last.
    """
    tested = ~is_open
    counts = tested_counts - np.bincount(families[is_open], minlength=len(tested_counts))
    level = level_of(ledger, week, int(counts.sum()), settings)
    is_discovery = np.zeros(len(p_values), dtype=np.bool_)
    is_discovery[tested] = tree_benjamini_hochberg(p_values[tested], families[tested], counts) <= level
    most = most_discoveries(p_values[tested], families[tested], counts, level)
    return WeekJudged(is_discovery, level, entered(ledger, week, level, int(is_discovery.sum()), most))


def entered(ledger: Ledger, week: int, level: float, discoveries: int, most: int) -> Ledger:
    """Return the ledger with a week's test entered: one run elsewhere, at the level that `level_of` gave.

    Where discoveries are findings that cells fold into, `most` is one more than there are: a cell with p = 0 that folds
    into none of them.
    """
    return Ledger((*ledger.weeks, WeekSpent(week, level, discoveries, most)))


def level_of(ledger: Ledger, week: int, tested_count: int, settings: LifetimeSettings) -> float:
    """Return the false discovery rate at which a week with so many tests may be judged.

    However many of them are discoveries, the week's own term in the sum is then at most what is taken from the budget.
    """
    if ledger.weeks and week < ledger.weeks[-1].week:
        raise ValueError(f"Week {week} comes before week {ledger.weeks[-1].week}.")
    left = max(settings.rate - false_share_bound(ledger, week, settings), 0.0)
    discovered = float(_weights(ledger, week, settings) @ _column(ledger, "discoveries"))
    tests = max(tested_count, 1)
    return min(settings.share_spent * left * (tests + discovered) / tests, settings.weekly_rate)


def false_share_bound(ledger: Ledger, week: int, settings: LifetimeSettings) -> float:
    """Return the bound on the expected share of false discoveries among all up to the week, weighted; never above rate.

    This is what the screen may state of the signals so far.
    """
    weights = _weights(ledger, week, settings)
    weighted = weights * _column(ledger, "discoveries")
    most = weights * _column(ledger, "most")
    others = weighted.sum() - weighted
    return float((_column(ledger, "level") * most / np.maximum(most + others, 1.0)).sum())


def most_discoveries(p_values: FloatArray, families: IntArray, tested_counts: IntArray, level: float) -> int:
    """Return how many discoveries there would be at most if one tested cell's p-value were 0.

    Most come of changing the largest p-value of a family (or one of its silent cells), so that each family is tried.
    """
    most = 0
    for family in np.flatnonzero(tested_counts):
        members = np.flatnonzero(families == family)
        if len(members) < tested_counts[family]:
            changed, where = np.append(p_values, 0.0), np.append(families, family)
        else:
            changed, where = p_values.copy(), families
            changed[members[np.argmax(p_values[members])]] = 0.0
        most = max(most, int((tree_benjamini_hochberg(changed, where, tested_counts) <= level).sum()))
    return most


def _weights(ledger: Ledger, week: int, settings: LifetimeSettings) -> FloatArray:
    """Return how much each week in the ledger still counts at `week`."""
    age = week - _column(ledger, "week")
    return np.asarray(0.5 ** (age / settings.half_life_weeks), dtype=np.float64)


def _column(ledger: Ledger, name: str) -> FloatArray:
    return np.array([getattr(entry, name) for entry in ledger.weeks], dtype=np.float64)
