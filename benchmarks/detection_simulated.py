# SPDX-License-Identifier: Apache-2.0
"""The weekly detection on series made here: where its constants come from, and whether its rate is the real one.

`python -m benchmarks.detection_simulated [--seed N] [--replicates N]`. No data are needed, and none of the stored ones
are looked at. Series after Noufaily et al. (2013): 624 weeks, log-linear mean with trend and harmonics, negative
binomial; four past outbreaks of 2, 3, 5 or 10 standard deviations; the last 49 weeks judged, with one outbreak of 1 to
10. Two sets of scenarios: the published 42, and 48 with parameters drawn at random. Printed with and without the past
outbreaks, which is what a real agency cannot choose, and for a rise that stays: a share of those found in 13 weeks.
"""

import argparse
import sys
import time
from dataclasses import dataclass

import numpy as np

from analytics.arrays import FloatArray, IntArray
from analytics.scanning import ScanSettings, scan
from benchmarks.detection import (
    ALPHA,
    FIRST_JUDGED_WEEK,
    LAST_WEEK,
    Scenarios,
    measure,
    print_calibration,
    print_row,
    settings_of,
)

PAST_SIZES = (2, 3, 5, 10)
FIRST_PAST_WEEK = 313
PUBLISHED = (
    (0.1, 1.5, 0.0025, 0.6, 0.6),
    (-2.0, 2.0, 0.005, 0.1, 0.3),
    (1.5, 1.0, 0.003, 0.2, -0.4),
    (0.5, 5.0, 0.002, 0.5, 0.5),
    (2.5, 3.0, 0.001, 1.0, 0.1),
    (3.75, 1.1, 0.001, 0.1, -0.1),
    (5.0, 1.2, 0.0001, 0.05, 0.01),
)
RISES = ((0.1, 4.0), (0.3, 2.5), (1.0, 2.0), (3.0, 1.5), (10.0, 1.25))
RISE_SERIES = 150


@dataclass(frozen=True, slots=True)
class Scenario:
    """The parameters of Noufaily et al.: log level, variance over mean, weekly trend, harmonics."""

    theta: float
    dispersion: float
    trend: float
    cosine: float
    sine: float
    harmonics: int

    def mean(self) -> FloatArray:
        """Return the mean of each week."""
        week = np.arange(1, LAST_WEEK + 1)
        log_mean = self.theta + self.trend * week
        for harmonic in range(1, self.harmonics + 1):
            phase = 2 * np.pi * harmonic * week / 52
            log_mean = log_mean + self.cosine * np.cos(phase) + self.sine * np.sin(phase)
        return np.asarray(np.exp(log_mean), dtype=np.float64)


def main() -> int:
    """Print the tables; return the exit code."""
    parser = argparse.ArgumentParser(description="Detection on simulated series.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replicates", type=int, default=20)
    asked = parser.parse_args()
    for name, scenarios in (("published", published()), ("random", drawn(48, asked.seed))):
        print(f"{name + ' parameters, own seed ' + str(asked.seed):50s}   FPR    POD   POD1    PPV     F1")
        made, clean = simulated(scenarios, asked.replicates, asked.seed)
        for windows in (ScanSettings().windows, (1,)):
            _print_measured(made, clean, windows)
    print_rises(asked.seed)
    return 0


def published() -> list[Scenario]:
    """Return the 42 scenarios."""
    return [
        Scenario(theta, dispersion, trend * has_trend, cosine, sine, harmonics)
        for theta, dispersion, trend, cosine, sine in PUBLISHED
        for has_trend in (0, 1)
        for harmonics in (0, 1, 2)
    ]


def drawn(count: int, seed: int) -> list[Scenario]:
    """Return scenarios whose parameters are drawn at random."""
    rng = np.random.default_rng([seed, 1])
    return [
        Scenario(
            theta=(theta := rng.uniform(-2, 5)),
            dispersion=float(rng.choice([1, 1.1, 1.3, 1.5, 2, 3, 5])),
            trend=(index // 3 % 2) * rng.uniform(0.0001, 0.005) * min(1.0, (6 - theta) / 6),
            cosine=rng.uniform(-1, 1) * rng.uniform(0, 1),
            sine=rng.uniform(-0.6, 0.6) * rng.uniform(0, 1),
            harmonics=index % 3,
        )
        for index in range(count)
    ]


def simulated(scenarios: list[Scenario], replicates: int, seed: int) -> tuple[Scenarios, IntArray]:
    """Return the series with their outbreaks, and the same series without the past ones."""
    rng = np.random.default_rng([seed, 2])
    clean = np.array([_counts(rng, scenario) for scenario in scenarios for _ in range(replicates)])
    quiet, outbreak = clean.copy(), np.zeros_like(clean)
    for row in range(len(clean)):
        scenario = scenarios[row // replicates]
        deviation = np.sqrt(scenario.dispersion * scenario.mean())
        for week in rng.integers(FIRST_PAST_WEEK, FIRST_JUDGED_WEEK - 2, len(PAST_SIZES)):
            _strike(rng, quiet[row, : FIRST_JUDGED_WEEK - 1], week, rng.choice(PAST_SIZES) * deviation[week - 1])
        week = int(rng.integers(FIRST_JUDGED_WEEK, LAST_WEEK + 1))
        _strike(rng, outbreak[row], week, rng.integers(1, 11) * deviation[week - 1])
    return Scenarios(quiet, outbreak, np.repeat(np.arange(len(scenarios)), replicates)), clean


def _counts(rng: np.random.Generator, scenario: Scenario) -> IntArray:
    mean = scenario.mean()
    if scenario.dispersion == 1.0:
        return rng.poisson(mean)
    return rng.negative_binomial(mean / (scenario.dispersion - 1.0), 1.0 / scenario.dispersion)


def _strike(rng: np.random.Generator, counts: IntArray, week: int, mean_size: float) -> None:
    """Add an outbreak that begins in a week, its cases spread log-normally over the weeks after."""
    delays = np.floor(np.exp(rng.normal(0.0, 0.5, rng.poisson(mean_size)))).astype(np.int64)
    np.add.at(counts, np.minimum(week + delays, len(counts)) - 1, 1)


def _print_measured(made: Scenarios, clean: IntArray, windows: tuple[int, ...]) -> None:
    started = time.perf_counter()
    quiet, struck, untouched = (
        scan(counts, first_judged=FIRST_JUDGED_WEEK - 1, first_week=1, settings=settings_of(windows)).p_value
        for counts in (made.quiet, made.quiet + made.outbreak, clean)
    )
    print(f"    (windows {windows}, {time.perf_counter() - started:.0f} s)")
    print_row(f"ours, alpha {ALPHA}", measure(quiet <= ALPHA, struck <= ALPHA, made.cases))
    print_calibration(quiet, made)
    print("    without past outbreaks:")
    print_calibration(untouched, made)


def print_rises(seed: int) -> None:
    """Print how many rises that stay are found in 13 weeks: what the long windows are for."""
    rng = np.random.default_rng([seed, 3])
    rises = ", ".join(f"{mean:g} times {factor:g}" for mean, factor in RISES)
    print(f"rises that stay ({rises}), found in 13 weeks:")
    weeks = 320
    means = np.repeat([mean for mean, _ in RISES], RISE_SERIES)[:, None] * np.ones((1, weeks))
    means[:, -13:] *= np.repeat([factor for _, factor in RISES], RISE_SERIES)[:, None]
    counts = rng.negative_binomial(means / 0.3, 1.0 / 1.3)
    for windows in ((1,), (1, 2), ScanSettings().windows):
        result = scan(counts, first_judged=weeks - 13, first_week=1, settings=settings_of(windows))
        shares = (result.p_value <= ALPHA).any(axis=1).reshape(len(RISES), RISE_SERIES).mean(axis=1)
        print(f"    windows {windows}: " + ", ".join(f"{share:.2f}" for share in shares))


if __name__ == "__main__":
    sys.exit(main())
