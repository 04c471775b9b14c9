# SPDX-License-Identifier: Apache-2.0
"""How well fixes are judged: made-up fixes whose truth is known, looked at every week.

`python -m benchmarks.effect [--data DIR] [--fixes 2000]`. The fixes are simulated here, so that they need no data: 52
weeks before, controls with four times the volume, negative-binomial counts with dispersion φ. With
`DIR/fix_verification_power` (by default where BENCHMARK_DATA points) the power table is held against the stored one;
without, that is said, and the exit code is 2. 1 means that a goal is missed.

"Called effective" is the product's own rule (analytics/effect.py). Beside it stands the rule with which the evidence
would have to be against a ratio of 0.8 or more instead of 0.9.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analytics.always_valid import e_values
from analytics.arrays import FloatArray
from analytics.effect import Comparison, Course, EffectSettings, Verdict, follow
from analytics.effect_checks import Study, assess
from analytics.effect_power import weeks_needed

WEEKS_BEFORE = 52
TWO_YEARS = 104
HALF_A_YEAR = 26
CONTROLS_RATIO = 4
NULLS_ALLOWED = 0.05
FOUND_AT_LEAST = 0.80
STRICTER_NULL = 0.8
PER_BATCH = 250
PLACEBO_FIXES = 60
SEED = 20_261_122


@dataclass(frozen=True, slots=True)
class Measured:
    """Shares of fixes: called effective by our rule and by the stricter one, and called relapsed; median weeks."""

    effective: float
    stricter: float
    relapsed: float
    weeks: float


def main() -> int:
    """Print the tables; return the exit code."""
    parser = argparse.ArgumentParser(description="Verdicts on fixes whose truth is known.")
    parser.add_argument("--data", type=Path, default=os.environ.get("BENCHMARK_DATA"))
    parser.add_argument("--fixes", type=int, default=2_000, help="simulated fixes per line")
    asked = parser.parse_args()
    is_missed = simulate(asked.fixes)
    is_missed |= shorten(asked.fixes)
    wander(asked.fixes // 4)
    is_missed |= try_placebos()
    code = compare_power_table(None if asked.data is None else Path(asked.data))
    return 1 if is_missed or code == 1 else code


def simulate(fixes: int) -> bool:
    """Print the table of simulated fixes, and return whether a goal is missed."""
    print(f"{fixes} fixes a line, weekly looks, {WEEKS_BEFORE} weeks before, controls {CONTROLS_RATIO}x")
    print("per week   φ  ratio  weeks   effective  goal     e against 0.8   relapsed  median week    took")
    is_missed = False
    for rate, dispersion, ratio, weeks in (
        *((5.0, dispersion, 1.0, TWO_YEARS) for dispersion in (1.0, 1.2, 2.0)),
        *((rate, 1.2, 1.0, TWO_YEARS) for rate in (1.0, 20.0)),
        *((5.0, dispersion, 0.9, TWO_YEARS) for dispersion in (1.2, 2.0)),
        *((5.0, dispersion, 0.8, TWO_YEARS) for dispersion in (1.2, 2.0)),
        *((5.0, dispersion, 0.5, HALF_A_YEAR) for dispersion in (1.0, 1.2, 2.0)),
        *((5.0, 1.2, ratio, HALF_A_YEAR) for ratio in (0.3, 0.7)),
        *((rate, 1.2, 0.5, HALF_A_YEAR) for rate in (2.0, 10.0)),
        (5.0, 1.2, 0.5, TWO_YEARS),
    ):
        started = time.perf_counter()
        measured = measure(fixes, rate, dispersion, ratio, weeks)
        goal = _goal(rate, dispersion, ratio, weeks)
        is_held = True
        if goal:
            is_held = measured.effective <= NULLS_ALLOWED if ratio >= 1.0 else measured.effective >= FOUND_AT_LEAST
        is_missed |= not is_held
        print(
            f"{rate:8.0f} {dispersion:3.1f} {ratio:6.1f} {weeks:6d} {measured.effective:11.4f}  {goal:8s} "
            f"{measured.stricter:13.4f} {measured.relapsed:10.4f} {measured.weeks:12.0f} "
            f"{time.perf_counter() - started:6.0f} s{'' if is_held else '  MISSED'}",
            flush=True,
        )
    return is_missed


def shorten(fixes: int) -> bool:
    """Print what few weeks before the change do, and return whether fixes that change nothing are called effective."""
    is_missed = False
    for weeks_before in (EffectSettings().least_weeks_before, 8, 12, 26):
        nulls = [measure(fixes, 5.0, phi, 1.0, TWO_YEARS, weeks_before=weeks_before).effective for phi in (1.2, 2.0)]
        halved = measure(fixes, 5.0, 1.2, 0.5, HALF_A_YEAR, weeks_before=weeks_before).effective
        is_held = max(nulls) <= NULLS_ALLOWED
        is_missed |= not is_held
        print(
            f"{weeks_before} weeks before, 5 per week: no effect, called effective in two years "
            f"{nulls[0]:.4f} (φ 1.2), {nulls[1]:.4f} (φ 2), goal <= {NULLS_ALLOWED:.2f}; "
            f"halved, within half a year {halved:.4f} (reported){'' if is_held else '  MISSED'}",
            flush=True,
        )
    return is_missed


def _goal(rate: float, dispersion: float, ratio: float, weeks: int) -> str:
    """Return what is to be held; lines without a goal are reported."""
    if rate != 5.0 or dispersion not in {1.2, 2.0}:
        return ""
    if ratio == 1.0:
        return f"<= {NULLS_ALLOWED:.2f}"
    return f">= {FOUND_AT_LEAST:.2f}" if (ratio, dispersion, weeks) == (0.5, 1.2, HALF_A_YEAR) else ""


def measure(
    fixes: int, rate: float, dispersion: float, ratio: float, weeks: int, *, weeks_before: int = WEEKS_BEFORE
) -> Measured:
    """Return what becomes of simulated fixes."""
    settings = EffectSettings()
    rng = np.random.default_rng([SEED, round(10 * rate), round(10 * dispersion), round(100 * ratio), weeks])
    courses = []
    stricter = []
    for start in range(0, fixes, PER_BATCH):
        batch = min(PER_BATCH, fixes - start)
        course = follow(simulated(rng, batch, rate, dispersion, ratio, weeks, weeks_before=weeks_before), settings)
        courses.append(course)
        stricter.append(_stricter(course, settings))
    success = np.concatenate([course.success for course in courses])
    relapse = np.concatenate([course.relapse for course in courses])
    called = success >= 0
    return Measured(
        effective=float(called.mean()),
        stricter=float(np.concatenate(stricter).mean()),
        relapsed=float((relapse >= 0).mean()),
        weeks=float(np.median(success[called]) + 1) if called.any() else float("nan"),
    )


def _stricter(course: Course, settings: EffectSettings) -> FloatArray:
    """Return which fixes have evidence of 20 against a ratio of 0.8 or more, at any look."""
    evidence = e_values(course.totals, null_ratio=STRICTER_NULL, hoped_ratio=settings.hoped_ratio)
    return np.asarray((evidence >= settings.evidence_needed).any(axis=1), dtype=np.float64)


def simulated(
    rng: np.random.Generator,
    fixes: int,
    rate: float,
    dispersion: float,
    ratio: float,
    weeks: int,
    *,
    weeks_before: int = WEEKS_BEFORE,
) -> Comparison:
    """Return fixes after whose change the target goes on at `ratio` times its rate."""
    mean = np.full(weeks_before + weeks, rate)
    controls = counts(rng, CONTROLS_RATIO * mean, dispersion, fixes)
    mean[weeks_before:] *= ratio
    is_before = np.broadcast_to(np.arange(len(mean)) < weeks_before, controls.shape)
    return Comparison(counts(rng, mean, dispersion, fixes), controls, is_before, ~is_before)


def counts(rng: np.random.Generator, mean: FloatArray, dispersion: float, rows: int) -> FloatArray:
    """Return negative-binomial counts, rows by weeks."""
    shape = (rows, len(mean))
    if dispersion == 1.0:
        return rng.poisson(mean, shape).astype(np.float64)
    return rng.negative_binomial(mean / (dispersion - 1.0), 1.0 / dispersion, shape).astype(np.float64)


def wander(fixes: int) -> None:
    """Print how often fixes that change nothing are called effective if the target goes its own way: a limit."""
    for spread, correlation in ((0.3, 0.5), (0.3, 0.8), (0.3, 0.9)):
        rng = np.random.default_rng([SEED, round(100 * correlation)])
        quiet = simulated(rng, fixes, 5.0, 1.2, 1.0, TWO_YEARS)
        logs = np.zeros(quiet.target.shape)
        logs[:, 0] = rng.normal(0.0, spread, fixes)
        for week in range(1, WEEKS_BEFORE + TWO_YEARS):
            fresh = rng.normal(0.0, spread * np.sqrt(1.0 - correlation**2), fixes)
            logs[:, week] = correlation * logs[:, week - 1] + fresh
        mean = 5.0 * np.exp(logs - spread**2 / 2)
        target = rng.negative_binomial(mean / 0.2, 1 / 1.2).astype(np.float64)
        course = follow(Comparison(target, quiet.controls, quiet.is_before, quiet.is_after), EffectSettings())
        print(
            f"no effect, but the target wanders by {spread:.0%} with a weekly correlation of {correlation}: "
            f"{float((course.success >= 0).mean()):.4f} called effective in two years (reported)",
            flush=True,
        )


def try_placebos() -> bool:
    """Print how many changes that never were seem to work, and return whether they are too many.

    The fixes they belong to halve the target; how many of them get through the whole verdict is said beside.
    """
    is_missed = False
    for dispersion in (1.2, 2.0):
        rng = np.random.default_rng([SEED, round(10 * dispersion)])
        tried = worked = failed = effective = 0
        for _ in range(PLACEBO_FIXES):
            mean = np.full(WEEKS_BEFORE + HALF_A_YEAR, 5.0)
            controls = counts(rng, mean, dispersion, CONTROLS_RATIO)
            mean[WEEKS_BEFORE:] *= 0.5
            series = np.concatenate([counts(rng, mean, dispersion, 1), controls])
            is_before = np.arange(series.shape[1]) < WEEKS_BEFORE
            study = Study(series, np.ones_like(series), 0, tuple(range(1, 1 + CONTROLS_RATIO)), is_before, ~is_before)
            effect, checks = assess(study, study.controls, EffectSettings())
            found = checks.placebo
            effective += effect.verdict is Verdict.EFFECTIVE
            tried, worked, failed = tried + found.tried, worked + found.worked, failed + (not found.is_passed)
        is_held = worked <= NULLS_ALLOWED * tried
        is_missed |= not is_held
        print(
            f"placebos, 5 per week, φ {dispersion}: {worked} of {tried:,} seem to work ({worked / tried:.4f}; "
            f"goal <= {NULLS_ALLOWED:.2f}); {failed} of {PLACEBO_FIXES} fixes fail them, and "
            f"{effective} of these, halved, are effective after half a year by the whole verdict"
            f"{'' if is_held else '  MISSED'}",
            flush=True,
        )
    return is_missed


def compare_power_table(folder: Path | None) -> int:
    """Print where the power table differs from the stored one; return 2 without it, 1 if it differs."""
    stored = None if folder is None else folder / "fix_verification_power" / "weeks_needed.csv"
    if stored is None or not stored.is_file():
        print("The stored power table is absent: give --data or set BENCHMARK_DATA to the folder that holds")
        print("fix_verification_power. It was not compared.")
        return 2
    with stored.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    differ = 0
    for row in rows:
        weeks = weeks_needed(
            float(row["complaints_per_week"]),
            float(row["true_reduction"]),
            dispersion=float(row["phi"]),
            controls_ratio=CONTROLS_RATIO,
            weeks_before=WEEKS_BEFORE,
        )
        wanted = row["weeks_after_fix_for_90pct_power"]
        if weeks != (int(float(wanted)) if wanted else None):
            differ += 1
            print(f"power table, {row}: {weeks} here")
    print(f"power table: {len(rows) - differ} of {len(rows)} lines as stored")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
