# SPDX-License-Identifier: Apache-2.0
"""How well weekly detection finds outbreaks, beside R's methods on the same weeks and the goals set beforehand.

`python -m benchmarks.detection [--data DIR]` (by default where BENCHMARK_DATA points; without the data it says so and
ends with 2). All weeks are judged by `analytics.scanning.scan`, the function behind `putright scan`, which sees the
series as an agency would: the outbreaks too, and nothing later than the week it judges.

First the 42 scenarios of Noufaily et al. (2013), `DIR/noufaily42_reference`: 840 series of 624 weeks, the last 49
judged, one outbreak of random size. FPR, false alarms per week without a current outbreak; POD, outbreaks with an alarm
between their first and last case; POD1, those with one in their first week; PPV and F1 over the weeks of the series
with an outbreak. Then the 14 labelled series of SurvStat@RKI, `DIR/outbreak_series`, their four years written twice and
the second time judged (as the vignette of R's surveillance does). Last the time that made-up series take.
"""

import argparse
import csv
import gzip
import os
import resource
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from analytics.arrays import BoolArray, FloatArray, IntArray
from analytics.baseline import BaselineSettings
from analytics.scanning import ScanSettings, scan

FIRST_JUDGED_WEEK = 576
LAST_WEEK = 624
ALPHA = 0.008
"""Fixed before anything was measured; so are the default windows."""
FARRINGTON_RATE = 0.0083
"""The weekly false positive rate of R's improved Farrington on these weeks."""
ORIGINAL_FARRINGTON_ALPHA = 0.033
"""The nominal rate at which we are compared with the original Farrington, whose real one is 0.0327."""
FARRINGTON_FLOOR = 5
FARRINGTON_FLOOR_WEEKS = 4
DRAWS = 2_000
LABELLED = ("k1", "m1", "m2", "m3", "m4", "m5", "n1", "n2", "q1_nrwh", "q2", "s1", "s2", "s3", "h1_nrwrp")
LABELLED_WEEKS = 209
MANY_SERIES = 100_000
R_SECONDS_PER_FIT = 0.025


@dataclass(frozen=True, slots=True)
class Scenarios:
    """Series by weeks without a current outbreak, the cases of the current outbreak, and each series' scenario."""

    quiet: IntArray
    outbreak: IntArray
    scenario: IntArray

    @property
    def cases(self) -> IntArray:
        """The current outbreak's cases in the judged weeks."""
        return self.outbreak[:, FIRST_JUDGED_WEEK - 1 :]


@dataclass(frozen=True, slots=True)
class Measures:
    """What alarms are worth; all rates."""

    false_positive: float
    detected: float
    detected_in_first_week: float
    precision: float
    f1: float


def main() -> int:
    """Print the tables; return the exit code."""
    parser = argparse.ArgumentParser(description="Detection on simulated and real outbreaks.")
    parser.add_argument("--data", type=Path, default=os.environ.get("BENCHMARK_DATA"))
    parser.add_argument("--series", type=int, default=MANY_SERIES, help="made-up series for the time, 0 for none")
    asked = parser.parse_args()
    if asked.data is None or not (Path(asked.data) / "noufaily42_reference").is_dir():
        print("The reference data are absent: give --data or set BENCHMARK_DATA to the folder that holds")
        print("noufaily42_reference and outbreak_series. Nothing was measured.")
        return 2
    measure_scenarios(Path(asked.data) / "noufaily42_reference")
    measure_labelled(Path(asked.data))
    if asked.series:
        measure_time(asked.series)
    return 0


def measure_scenarios(folder: Path) -> None:
    """Print the table of the 42 scenarios."""
    scenarios = read_scenarios(folder)
    print(f"{'42 scenarios':50s}   FPR    POD   POD1    PPV     F1")
    for row in _rows(folder / "other_methods_random_k.csv"):
        measured = Measures(*(float(row[name]) for name in ("FPR", "POD", "POD_1week", "PPV", "F1")))
        print_row(f"{row['method']} (R surveillance 1.20.3)", measured)
    farrington = farrington_alarms(folder, scenarios)
    print_row("Farrington_improved, recomputed from its thresholds", measure(*farrington, scenarios.cases))
    print("goal at .008, default windows                      .0083  .5800           .7300  .5100")
    quiet, struck = p_values(scenarios, ScanSettings().windows)
    print_row(f"ours, default windows, alpha {ALPHA}", measure(quiet <= ALPHA, struck <= ALPHA, scenarios.cases))
    _print_matched(quiet, struck, scenarios, FARRINGTON_RATE)
    print_calibration(quiet, scenarios)
    print_difference(struck <= ALPHA, farrington[1], scenarios.cases)
    alpha = ORIGINAL_FARRINGTON_ALPHA
    print_row(f"ours, default windows, alpha {alpha}", measure(quiet <= alpha, struck <= alpha, scenarios.cases))
    print("    goal: POD .70 at FPR at most .033")
    quiet, struck = p_values(scenarios, (1,))
    print_row(f"ours, windows 1, alpha {ALPHA}", measure(quiet <= ALPHA, struck <= ALPHA, scenarios.cases))
    _print_matched(quiet, struck, scenarios, FARRINGTON_RATE)
    print("    goal: POD1 .45 at FPR at most .0083")
    print_calibration(quiet, scenarios)


def _print_matched(quiet: FloatArray, struck: FloatArray, scenarios: Scenarios, rate: float) -> None:
    """Print what would be measured at a given real rate, found on the same quiet weeks: for comparison only."""
    matched = float(np.quantile(quiet, rate))
    at_matched = measure(quiet <= matched, struck <= matched, scenarios.cases)
    print_row(f"    (at alpha {matched:.4f}, which nobody can know before)", at_matched)


def print_calibration(quiet: FloatArray, scenarios: Scenarios) -> None:
    """Print real over nominal rates of false alarms."""
    for rate in (ALPHA, 0.01):
        by_scenario = [float((quiet[scenarios.scenario == s] <= rate).mean()) for s in np.unique(scenarios.scenario)]
        mean, worst = np.mean(by_scenario) / rate, max(by_scenario) / rate
        print(f"    real over nominal at {rate}: mean {mean:.2f} (goal .8-1.1), worst scenario {worst:.2f} (goal 1.5)")


def print_difference(ours: BoolArray, farringtons: BoolArray, cases: IntArray) -> None:
    """Print the paired difference of POD, with a bootstrap interval over outbreaks (seeded)."""
    difference = found(ours, cases).astype(np.float64) - found(farringtons, cases)
    rng = np.random.default_rng(20_130_330)
    draws = difference[rng.integers(0, len(difference), (DRAWS, len(difference)))].mean(axis=1)
    low, high = np.quantile(draws, (0.025, 0.975))
    print(
        f"    POD less improved Farrington's on the same weeks: {difference.mean():.4f}, 95 % {low:.4f} to {high:.4f}"
    )


def read_scenarios(folder: Path) -> Scenarios:
    """Return the stored series, ordered by replicate and scenario."""
    rows = _rows(folder / "series20.csv.gz")
    keys = sorted({(int(row["rep"]), int(row["scenario"])) for row in rows})
    position = {key: index for index, key in enumerate(keys)}
    quiet = np.zeros((len(keys), LAST_WEEK), dtype=np.int64)
    for row in rows:
        series = position[int(row["rep"]), int(row["scenario"])]
        quiet[series, int(row["week"]) - 1] = int(row["baseline"]) + int(row["past_outbreak"])
    outbreak = np.zeros_like(quiet)
    for row in _rows(folder / "random_k_outbreaks.csv.gz"):
        series = position[int(row["rep"]), int(row["scenario"])]
        outbreak[series, int(row["week"]) - 1] = int(row["current_outbreak"])
    return Scenarios(quiet, outbreak, np.array([scenario for _, scenario in keys]))


def farrington_alarms(folder: Path, scenarios: Scenarios) -> tuple[BoolArray, BoolArray]:
    """Return improved Farrington's alarms on the quiet and on the struck weeks, from its stored thresholds.

    As R does: a count above the threshold, and at least five in four weeks.
    """
    keys = {(row // 42 + 1, int(scenario)): row for row, scenario in enumerate(scenarios.scenario)}
    threshold = np.full(scenarios.cases.shape, np.inf)
    for row in _rows(folder / "r_surveillance_farrington_thresholds.csv.gz"):
        if row["method"] == "improved" and row["upperbound"] not in {"", "NA"}:
            series = keys[int(row["rep"]), int(row["scenario"])]
            threshold[series, int(row["week"]) - FIRST_JUDGED_WEEK] = float(row["upperbound"])
    quiet, struck = (_above(counts, threshold) for counts in (scenarios.quiet, scenarios.quiet + scenarios.outbreak))
    return quiet, struck


def _above(counts: IntArray, threshold: FloatArray) -> BoolArray:
    weeks = threshold.shape[1]
    lately = np.stack([counts[:, -weeks - ago : counts.shape[1] - ago] for ago in range(FARRINGTON_FLOOR_WEEKS)])
    return np.asarray((counts[:, -weeks:] > threshold) & (lately.sum(axis=0) >= FARRINGTON_FLOOR), dtype=np.bool_)


def _rows(path: Path) -> list[dict[str, str]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def settings_of(windows: tuple[int, ...]) -> ScanSettings:
    """Return the settings of `putright scan` for numbered weeks, of which a year has 52."""
    return ScanSettings(
        windows=windows, false_alarm_rate=ALPHA, baseline=replace(BaselineSettings(), season_weeks=52.0)
    )


def p_values(scenarios: Scenarios, windows: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """Return the p-values of every series and judged week, without and with the current outbreak."""
    started = time.perf_counter()
    quiet, struck = (
        scan(counts, first_judged=FIRST_JUDGED_WEEK - 1, first_week=1, settings=settings_of(windows)).p_value
        for counts in (scenarios.quiet, scenarios.quiet + scenarios.outbreak)
    )
    took = time.perf_counter() - started
    print(f"    (windows {windows}: {took:.0f} s, {1000 * took / quiet.size / 2:.2f} ms per fit and week)")
    return quiet, struck


def measure(quiet_alarms: BoolArray, alarms: BoolArray, cases: IntArray) -> Measures:
    """Return what the alarms are worth."""
    struck = cases.any(axis=1)
    first, last = _extent(cases[struck])
    weeks = np.arange(cases.shape[1])
    during = (weeks >= first[:, None]) & (weeks <= last[:, None])
    sounded = alarms[struck]
    true_positives = int((sounded & during).sum())
    return Measures(
        false_positive=float(quiet_alarms.mean()),
        detected=float(found(alarms, cases).mean()),
        detected_in_first_week=float(sounded[np.arange(len(sounded)), first].mean()),
        precision=true_positives / int(sounded.sum()),
        f1=2 * true_positives / int(sounded.sum() + during.sum()),
    )


def found(alarms: BoolArray, cases: IntArray) -> BoolArray:
    """Return, per series with an outbreak, whether there was an alarm between its first and last case."""
    struck = cases.any(axis=1)
    first, last = _extent(cases[struck])
    weeks = np.arange(cases.shape[1])
    during = (weeks >= first[:, None]) & (weeks <= last[:, None])
    return np.asarray((alarms[struck] & during).any(axis=1), dtype=np.bool_)


def _extent(cases: IntArray) -> tuple[IntArray, IntArray]:
    first = (cases > 0).argmax(axis=1)
    last = cases.shape[1] - 1 - (cases[:, ::-1] > 0).argmax(axis=1)
    return first, last


def measure_labelled(folder: Path) -> None:
    """Print the table of the 14 labelled series."""
    paths = [folder / "outbreak_series" / f"{name}.csv" for name in LABELLED]
    if not all(path.is_file() for path in paths):
        print("The labelled series (outbreak_series) are absent; they were not measured.")
        return
    tables = [_rows(path) for path in paths]
    once = np.array([[int(row["observed"]) for row in rows] for rows in tables], dtype=np.int64)
    sick = np.array([[row["state"] in {"1", "TRUE"} for row in rows] for rows in tables])
    print(f"{'14 labelled series':50s}   sens   spec  found  lag (weeks)")
    print(f"{'farringtonFlexible improved (R), alpha .01':50s}   .376   .969  13")
    print(f"{'bayes(4,0,2) (R), best of the vignette':50s}   .537   .926             1.93")
    print(f"{'goal':50s}   .48    .968  13")
    judged = scan(
        np.concatenate([once, once], axis=1),
        first_judged=once.shape[1],
        first_week=1,
        settings=settings_of(ScanSettings().windows),
    )
    for alpha in (ALPHA, 0.01, 0.02, 0.05):
        _print_labelled(f"ours, default windows, alpha {alpha}", judged.p_value <= alpha, sick)
    rate = float(np.quantile(judged.p_value[~sick], 1 - 0.968))
    _print_labelled(f"    (alpha {rate:.4f}, specificity .968)", judged.p_value < rate, sick)


def _print_labelled(name: str, alarm: BoolArray, sick: BoolArray) -> None:
    lags = [
        int(alarm[series, start:stop].argmax()) if alarm[series, start:stop].any() else None
        for series, start, stop in longest_outbreaks(sick)
    ]
    caught = [lag for lag in lags if lag is not None]
    sensitivity, specificity = alarm[sick].mean(), 1 - alarm[~sick].mean()
    print(f"{name:50s}  {sensitivity:.3f}  {specificity:.3f}  {len(caught)} of {len(lags)}  {np.mean(caught):.2f}")


def longest_outbreaks(sick: BoolArray) -> list[tuple[int, int, int]]:
    """Return series, first week and week after the last of each series' outbreak, from its first to its last week."""
    first, last = _extent(sick.astype(np.int64))
    return [(int(series), int(first[series]), int(last[series]) + 1) for series in np.flatnonzero(sick.any(axis=1))]


def measure_time(series_count: int) -> None:
    """Print the time that one week of many made-up series takes, and the memory held at most."""
    rng = np.random.default_rng(3)
    mean = rng.lognormal(0.5, 1.0, (series_count, 1))
    counts = rng.poisson(mean, (series_count, 300)).astype(np.int64)
    started, worked = time.perf_counter(), time.process_time()
    scan(counts, first_judged=299, first_week=1, settings=ScanSettings())
    took, worked = time.perf_counter() - started, time.process_time() - worked
    per_fit = worked / series_count
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{series_count:,} series, one week: {took:.1f} s, {worked:.1f} s of them at work (goal 60 for 100,000),")
    print(f"    {1000 * per_fit:.3f} ms at work per fit, {R_SECONDS_PER_FIT / per_fit:.0f} times as fast as R's 25 ms")
    print(f"    (goal 50); the whole benchmark held {memory:.2f} GB at most")


def print_row(name: str, measured: Measures) -> None:
    """Print one line of the table."""
    print(
        f"{name:50s} {measured.false_positive:.4f} {measured.detected:.4f} {measured.detected_in_first_week:.4f} "
        f"{measured.precision:.4f} {measured.f1:.4f}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
