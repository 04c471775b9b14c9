# SPDX-License-Identifier: Apache-2.0
"""The budget of false alarms over the years: worked by hand, and agencies whose truth is known."""

import json

import numpy as np
import pytest

from analytics.arrays import BoolArray, FloatArray, IntArray
from analytics.lifetime import (
    Ledger,
    LifetimeSettings,
    WeekJudged,
    WeekSpent,
    entered,
    false_share_bound,
    judge_week,
    level_of,
    most_discoveries,
)
from analytics.multiplicity import tree_benjamini_hochberg

SETTINGS = LifetimeSettings()
CELLS, FAMILIES = 60, 3
FAMILY_OF = np.repeat(np.arange(FAMILIES), CELLS // FAMILIES)
TESTED = np.full(FAMILIES, CELLS // FAMILIES)
NONE_OPEN = np.zeros(CELLS, dtype=np.bool_)


def judge(ledger: Ledger, week: int, p_values: FloatArray, is_open: BoolArray = NONE_OPEN) -> WeekJudged:
    return judge_week(ledger, week, p_values, FAMILY_OF, TESTED, is_open=is_open, settings=SETTINGS)


def dull(seed: int = 1) -> FloatArray:
    return np.random.default_rng(seed).uniform(0.2, 1.0, CELLS)


def test_the_first_week_takes_its_share_of_the_whole_rate() -> None:
    assert level_of(Ledger(), 1, 100, SETTINGS) == pytest.approx(0.25 * 0.10)


def test_a_week_without_discoveries_has_spent_its_level_and_is_forgiven_by_half_in_the_half_life() -> None:
    ledger = Ledger((WeekSpent(week=10, level=0.02, discoveries=0, most=1),))

    assert false_share_bound(ledger, 10, SETTINGS) == pytest.approx(0.02)
    assert false_share_bound(ledger, 114, SETTINGS) == pytest.approx(0.01)
    assert level_of(ledger, 114, 100, SETTINGS) == pytest.approx(0.25 * (0.10 - 0.01))


def test_discoveries_refill_the_budget_worked_by_hand() -> None:
    # A quiet week at .02, then one at .01 with 7 of at most 8; nearly no time between.
    slow = LifetimeSettings(half_life_weeks=1e9)
    ledger = Ledger((WeekSpent(1, 0.02, 0, 1), WeekSpent(2, 0.01, 7, 8)))

    bound = 0.02 * 1 / (1 + 7) + 0.01 * 8 / (8 + 0)
    assert false_share_bound(ledger, 3, slow) == pytest.approx(bound)
    assert level_of(ledger, 3, 100, slow) == pytest.approx(0.25 * (0.10 - bound) * (100 + 7) / 100)


def test_the_weekly_rate_is_never_exceeded() -> None:
    generous = LifetimeSettings(rate=0.5, weekly_rate=0.05, share_spent=1.0)

    assert level_of(Ledger(), 1, 10, generous) == 0.05


def test_a_strong_failure_is_a_discovery_and_enters_the_ledger() -> None:
    p_values = dull()
    p_values[[4, 30]] = 1e-7

    judged = judge(Ledger(), 5, p_values)

    np.testing.assert_array_equal(np.flatnonzero(judged.is_discovery), [4, 30])
    assert judged.ledger.weeks == (WeekSpent(week=5, level=judged.level, discoveries=2, most=3),)


def test_an_open_signal_is_no_new_discovery_and_does_not_refill() -> None:
    p_values = dull()
    p_values[4] = 1e-7
    is_open = NONE_OPEN.copy()
    is_open[4] = True

    judged = judge(Ledger(), 5, p_values, is_open)

    assert not judged.is_discovery.any()
    assert judged.ledger.weeks[0].discoveries == 0


def test_an_agency_all_of_whose_cells_are_open_is_judged_too() -> None:
    judged = judge(Ledger(), 5, dull(), np.ones(CELLS, dtype=np.bool_))

    assert not judged.is_discovery.any()
    assert judged.ledger.weeks[0].most == 0


@pytest.mark.parametrize("silent", [0, 1])
@pytest.mark.parametrize("seed", range(8))
def test_the_most_discoveries_are_those_of_trying_every_cell(seed: int, silent: int) -> None:
    rng = np.random.default_rng(seed)
    p_values = rng.random(CELLS) ** 6
    level = 0.05

    def discoveries(changed: FloatArray, families: IntArray) -> int:
        return int((tree_benjamini_hochberg(changed, families, TESTED + silent) <= level).sum())

    tried = []
    for cell in range(CELLS):
        changed = p_values.copy()
        changed[cell] = 0.0
        tried.append(discoveries(changed, FAMILY_OF))
    silent_in = range(FAMILIES) if silent else ()
    tried += [discoveries(np.append(p_values, 0.0), np.append(FAMILY_OF, family)) for family in silent_in]

    assert most_discoveries(p_values, FAMILY_OF, TESTED + silent, level) == max(tried)


def test_the_ledger_survives_json() -> None:
    ledger = judge(judge(Ledger(), 5, dull()).ledger, 6, dull(2)).ledger

    assert Ledger.from_json(json.loads(json.dumps(ledger.as_json()))) == ledger


def test_weeks_are_entered_in_order() -> None:
    ledger = judge(Ledger(), 5, dull()).ledger

    with pytest.raises(ValueError, match="Week 4 comes before week 5"):
        judge(ledger, 4, dull())


def test_a_week_that_is_tested_again_spends_again() -> None:
    once = judge(Ledger(), 5, dull())
    twice = judge(once.ledger, 5, dull())

    assert twice.level < once.level
    assert len(twice.ledger.weeks) == 2


@pytest.mark.parametrize("wrong", [{"rate": 0.0}, {"weekly_rate": 1.0}, {"share_spent": 1.5}, {"half_life_weeks": 0.0}])
def test_a_promise_that_means_nothing_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"Rates and shares|half-life"):
        LifetimeSettings(**wrong)


def live(seed: int, weeks: int, failures_per_week: float) -> tuple[float, float, list[Ledger]]:
    """Return, at the end, the weighted share of false discoveries, the share of failures found, and all ledgers."""
    rng = np.random.default_rng(seed)
    ledgers = [Ledger()]
    false = discovered = 0.0
    failures = found = 0
    for week in range(weeks):
        p_values = rng.random(CELLS)
        bad = rng.choice(CELLS, rng.poisson(failures_per_week), replace=False)
        p_values[bad] = 10.0 ** rng.uniform(-9, -4, len(bad))
        judged = judge(ledgers[-1], week, p_values)
        ledgers.append(judged.ledger)
        true = int(judged.is_discovery[bad].sum())
        keep = 0.5 ** (1 / SETTINGS.half_life_weeks)
        false = false * keep + int(judged.is_discovery.sum()) - true
        discovered = discovered * keep + int(judged.is_discovery.sum())
        failures += len(bad)
        found += true
    return false / max(discovered, 1.0), found / max(failures, 1), ledgers


@pytest.mark.parametrize("failures_per_week", [0.0, 0.3])
def test_over_two_years_the_share_of_false_discoveries_stays_below_the_rate(failures_per_week: float) -> None:
    shares = [live(seed, 104, failures_per_week)[0] for seed in range(12)]

    assert np.mean(shares) <= SETTINGS.rate + 2 * np.std(shares) / np.sqrt(len(shares))


def test_the_bound_never_exceeds_the_rate_and_the_budget_never_runs_dry() -> None:
    _, found, ledgers = live(3, 200, 0.1)

    bounds = [false_share_bound(ledger, week, SETTINGS) for week, ledger in enumerate(ledgers)]
    levels = [entry.level for entry in ledgers[-1].weeks]
    assert max(bounds) <= SETTINGS.rate
    assert min(levels) >= 0.1 * SETTINGS.rate * (1 - 0.5 ** (1 / SETTINGS.half_life_weeks))
    assert found >= 0.7


def test_a_test_run_elsewhere_is_entered_as_one_run_here() -> None:
    judged = judge(Ledger(), 5, dull())

    assert entered(Ledger(), 5, judged.level, 0, judged.ledger.weeks[0].most) == judged.ledger
