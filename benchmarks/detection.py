# SPDX-License-Identifier: Apache-2.0
"""How well the weekly detection finds outbreaks: the 42 scenarios of Noufaily et al. (2013), beside R's Farrington.

`python -m benchmarks.detection [--data DIR]`. The series, the injected outbreaks and what R made of them lie in
`DIR/noufaily42_reference` (by default where BENCHMARK_DATA points); without them it says so and ends with 2.
840 series of 624 weeks, the last 49 judged each from its own past, 41,160 weeks in all; one outbreak of random size.

Measures: FPR, false alarms per week without a current outbreak; POD, outbreaks with an alarm between their first and
last case; POD1, those with one in their first week; PPV and F1 over the weeks of the series with an outbreak.
"""

import argparse
import csv
import gzip
import os
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from analytics.arrays import BoolArray, FloatArray, IntArray
from analytics.baseline import Baseline, BaselineSettings, fit_baseline
from analytics.detection import DetectionSettings
from analytics.tails import smallest_p_over_windows

FIRST_JUDGED_WEEK = 576
LAST_WEEK = 624
NOMINAL_RATE = 0.008
FARRINGTON_RATE = 0.0083
"""The weekly false positive rate of R's improved Farrington on these weeks."""


@dataclass(frozen=True, slots=True)
class Scenarios:
    """Series by weeks without a current outbreak, the cases of the current outbreak, and each series' scenario."""

    quiet: IntArray
    outbreak: IntArray
    scenario: IntArray


@dataclass(frozen=True, slots=True)
class Measures:
    """What alarms are worth; all rates."""

    false_positive: float
    detected: float
    detected_in_first_week: float
    precision: float
    f1: float


def main() -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description="Detection on the 42 Noufaily scenarios.")
    parser.add_argument("--data", type=Path, default=os.environ.get("BENCHMARK_DATA"))
    folder: Path | None = parser.parse_args().data
    if folder is None or not (Path(folder) / "noufaily42_reference").is_dir():
        print("The reference data are absent: give --data or set BENCHMARK_DATA to the folder that holds")
        print("noufaily42_reference. Nothing was measured.")
        return 2
    reference = Path(folder) / "noufaily42_reference"
    scenarios = read_scenarios(reference)
    print(f"{'method':58s}   FPR    POD   POD1    PPV     F1")
    for row in _rows(reference / "other_methods_random_k.csv"):
        measured = Measures(*(float(row[name]) for name in ("FPR", "POD", "POD_1week", "PPV", "F1")))
        print_row(f"{row['method']} (R surveillance 1.20.3)", measured)
    for windows in ((1,), (1, 2), DetectionSettings().windows):
        measure_windows(scenarios, windows)
    return 0


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


def _rows(path: Path) -> list[dict[str, str]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def measure_windows(scenarios: Scenarios, windows: tuple[int, ...]) -> None:
    """Print the measures at the nominal rate, and at Farrington's real rate (found on the same quiet weeks)."""
    started = time.perf_counter()
    baselines = fit_baselines(scenarios.quiet, windows)
    quiet = p_values(scenarios.quiet, baselines, windows)
    struck = p_values(scenarios.quiet + scenarios.outbreak, baselines, windows)
    took = time.perf_counter() - started
    said = ",".join(str(window) for window in windows)
    at_nominal = measure(quiet < NOMINAL_RATE, struck < NOMINAL_RATE, scenarios.outbreak)
    print_row(f"ours, windows {said}, nominal {NOMINAL_RATE} ({took:.0f} s)", at_nominal)
    matched = float(np.quantile(quiet, FARRINGTON_RATE))
    at_matched = measure(quiet < matched, struck < matched, scenarios.outbreak)
    print_row(f"ours, windows {said}, false positives as Farrington's", at_matched)
    for rate in (NOMINAL_RATE, 0.01):
        by_scenario = [float((quiet[scenarios.scenario == s] < rate).mean()) for s in np.unique(scenarios.scenario)]
        mean, worst = np.mean(by_scenario) / rate, max(by_scenario) / rate
        print(f"    real over nominal at {rate}: mean {mean:.2f}, worst scenario {worst:.2f}")


def fit_baselines(quiet: IntArray, windows: tuple[int, ...]) -> list[Baseline]:
    """Return one baseline per judged week, each learnt from earlier weeks alone."""
    settings = replace(BaselineSettings(), season_weeks=52.0)  # the scenarios' year has 52 weeks
    none = np.full(len(quiet), -1, dtype=np.int64)
    each_alone = np.arange(len(quiet), dtype=np.int64)  # series of different scenarios share no dispersion
    baselines = []
    for week in range(FIRST_JUDGED_WEEK, LAST_WEEK + 1):
        fitted = fit_baseline(quiet[:, :week], none, each_alone, first_week=1, windows=windows, settings=settings)
        assert fitted is not None
        baselines.append(fitted)
    return baselines


def p_values(counts: IntArray, baselines: list[Baseline], windows: tuple[int, ...]) -> FloatArray:
    """Return the p-value of every series and judged week."""
    columns = []
    for week, baseline in enumerate(baselines, FIRST_JUDGED_WEEK):
        observed = np.column_stack([counts[:, week - window : week].sum(axis=1) for window in windows])
        expected = np.column_stack([baseline.expected[:, -window:].sum(axis=1) for window in windows])
        floor = DetectionSettings().floor_count
        scores = smallest_p_over_windows(
            observed, expected, baseline.dispersion, baseline.relative_variance, floor_count=floor
        )
        columns.append(scores.p_value)
    return np.column_stack(columns)


def measure(quiet_alarms: BoolArray, alarms: BoolArray, outbreak: IntArray) -> Measures:
    """Return what the alarms are worth."""
    cases = outbreak[:, FIRST_JUDGED_WEEK - 1 :]
    struck = cases.any(axis=1)
    alarms, cases = alarms[struck], cases[struck]
    first = (cases > 0).argmax(axis=1)
    last = cases.shape[1] - 1 - (cases[:, ::-1] > 0).argmax(axis=1)
    weeks = np.arange(cases.shape[1])
    during = (weeks >= first[:, None]) & (weeks <= last[:, None])
    true_positives = int((alarms & during).sum())
    return Measures(
        false_positive=float(quiet_alarms.mean()),
        detected=float((alarms & during).any(axis=1).mean()),
        detected_in_first_week=float(alarms[np.arange(len(alarms)), first].mean()),
        precision=true_positives / int(alarms.sum()),
        f1=2 * true_positives / int(alarms.sum() + during.sum()),
    )


def print_row(name: str, measured: Measures) -> None:
    """Print one line of the table."""
    print(
        f"{name:58s} {measured.false_positive:.4f} {measured.detected:.4f} {measured.detected_in_first_week:.4f} "
        f"{measured.precision:.4f} {measured.f1:.4f}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
