# SPDX-License-Identifier: Apache-2.0
"""Always bad: how closely pairs are judged as by R's openEBGM, and what that and the slow-creep sum are worth.

`python -m benchmarks.disproportionality [--data DIR]`. FDA's CAERS reports of 2012 and openEBGM's table of 17,189 pairs
of product and event lie in `DIR/openebgm_caers` (by default where BENCHMARK_DATA points). The reports go through the
same door as an analyst's (`putright disproportionality`), and its file is compared with the table line by line; without
them it says so, shows the rest and ends with 2. The rest needs no data: made-up tables whose truth is known, a table of
a million reports for the speed, and the creep's run length and delay. Ends with 1 when a goal is missed.
"""

import argparse
import csv
import gzip
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from analytics.arrays import FloatArray, IntArray
from analytics.creep import creep
from analytics.disproportionality import (
    FEWEST_PAIRS_TO_LEARN_FROM,
    Prior,
    count_pairs,
    disproportionality,
    learn_prior,
)
from run.analyst.disproportionality import disproportionality_of

PUBLISHED_PRIOR = Prior(3.25379356, 0.39988854, 2.02612692, 1.90807970, 0.06534557)
GOAL_DIFFERENCE = 0.01
SIGNAL_EB05, SIGNAL_COUNT = 2.0, 3
COMPARED = {"expected": "E", "ebgm": "EBGM", "eb05": "QUANT_05", "eb95": "QUANT_95"}
MADE_UP_REPORTS = 1_000_000
MADE_UP_TABLES = 100
MADE_UP_SIZES = ((4, 6, 150), (8, 10, 400), (8, 10, 3_000), (12, 15, 800), (20, 20, 8_000), (60, 30, 4_000))
MUCH_TOO_FREQUENT = 3.0
CREEP_WEEKS = 520.0
CREEP_SERIES = 400
CREEP_CASES = ((0.1, 1.0), (0.5, 1.2), (2.0, 1.2), (2.0, 2.0), (10.0, 1.5), (30.0, 2.0))

Table = dict[tuple[str, str], dict[str, str]]


def main() -> int:
    """Print the tables; return the exit code."""
    parser = argparse.ArgumentParser(description="Disproportionality beside openEBGM; made-up tables; the slow creep.")
    parser.add_argument("--data", type=Path, default=os.environ.get("BENCHMARK_DATA"))
    folder: Path | None = parser.parse_args().data
    with tempfile.TemporaryDirectory() as scratch:
        outcome = _measure_reference(folder, Path(scratch))
        _print_made_up()
        _print_speed(Path(scratch))
    _print_creep()
    return outcome


def _measure_reference(folder: Path | None, scratch: Path) -> int:
    """Print the comparison with openEBGM; return the exit code."""
    if folder is None or not (Path(folder) / "openebgm_caers").is_dir():
        print("The reference data are absent: give --data or set BENCHMARK_DATA to the folder that holds")
        print("openebgm_caers. Nothing was compared with openEBGM.")
        return 2
    reference = Path(folder) / "openebgm_caers"
    reports = _rows(reference / "caers.csv.gz")
    ours = _through_the_door(reports, scratch)
    met = _compare(ours, {(row["var1"], row["var2"]): row for row in _rows(reference / "golden_ebgm_full.csv.gz")})
    _print_priors(reports)
    return 0 if met else 1


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _through_the_door(reports: list[dict[str, str]], scratch: Path) -> Table:
    """Return the door's rows by pair."""
    with (scratch / "pairs.csv").open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("id", "a", "b"))
        writer.writerows((row["id"], row["var1"], row["var2"]) for row in reports)
    started = time.perf_counter()
    print(disproportionality_of(scratch / "pairs.csv", scratch / "ebgm.csv"))
    print(f"{len(reports):,} rows of reports in {time.perf_counter() - started:.1f} s, files read and written")
    with (scratch / "ebgm.csv").open(encoding="utf-8", newline="") as lines:
        return {(row["a"], row["b"]): row for row in csv.DictReader(lines)}


def _compare(ours: Table, golden: Table) -> bool:
    """Print the largest differences and whether the same pairs are called; return whether every goal is met."""
    is_same_pairs = ours.keys() == golden.keys()
    print(f"\n{'measure':42s} {'openEBGM':>10s} {'ours':>10s}  goal")
    print(f"{'pairs':42s} {len(golden):10,} {len(ours):10,}  the same pairs: {_said(is_same_pairs)}")
    met = is_same_pairs
    common = sorted(ours.keys() & golden.keys())
    same_counts = all(float(golden[pair]["N"]) == float(ours[pair]["n"]) for pair in common)
    print(f"{'counts of reports':42s} {'':10s} {'':10s}  the same: {_said(same_counts)}")
    for name, golden_name in COMPARED.items():
        difference = max(abs(float(golden[pair][golden_name]) - float(ours[pair][name])) for pair in common)
        is_near = difference <= GOAL_DIFFERENCE
        print(
            f"{'largest difference of ' + name:42s} {'':10s} {difference:10.5f}  <= {GOAL_DIFFERENCE}: {_said(is_near)}"
        )
        met &= is_near
    theirs = {pair for pair in golden if float(golden[pair]["QUANT_05"]) >= SIGNAL_EB05}
    called = {pair for pair in ours if float(ours[pair]["eb05"]) >= SIGNAL_EB05}
    is_same = theirs == called
    print(f"{'pairs with EB05 >= 2':42s} {len(theirs):10d} {len(called):10d}  the same pairs: {_said(is_same)}")
    return met and same_counts and is_same


def _said(met: bool) -> str:  # noqa: FBT001  a word for a fact
    return "met" if met else "MISSED"


def _print_priors(reports: list[dict[str, str]]) -> None:
    """Print the published prior beside ours."""
    codes = [np.unique([row[name] for row in reports], return_inverse=True)[1] for name in ("var1", "var2", "id")]
    pairs = count_pairs(codes[0], codes[1], report=codes[2])
    prior = learn_prior(pairs.count, pairs.expected)
    for name in ("shape1", "rate1", "shape2", "rate2", "mixing"):
        print(f"{'prior: ' + name:42s} {getattr(PUBLISHED_PRIOR, name):10.5f} {getattr(prior, name):10.5f}")


def _print_made_up() -> None:
    """Print what the flags are worth where one pair in twenty is two to six times too frequent."""
    columns = ("pairs", "prior", "flags", "true < 2", "true < 1.5", "found of >= 3", "true < EB05", "true > EB95")
    print(f"\n{f'made-up tables, {MADE_UP_TABLES} each':26s}", *(f"{name:>13s}" for name in columns))
    for offices, failures, reports in MADE_UP_SIZES:
        rng = np.random.default_rng([2, offices, failures, reports])
        parts = [_made_up(offices, failures, reports, rng) for _ in range(MADE_UP_TABLES)]
        truth, eb05, eb95 = (np.concatenate([part[i] for part in parts]) for i in range(3))
        count = np.concatenate([part[3] for part in parts])
        prior = "learnt" if len(truth) / MADE_UP_TABLES >= FEWEST_PAIRS_TO_LEARN_FROM else "fixed"
        called = (eb05 >= SIGNAL_EB05) & (count >= SIGNAL_COUNT)
        found = called[(truth >= MUCH_TOO_FREQUENT) & (count >= SIGNAL_COUNT)].mean()
        cells = (
            f"{len(truth) / MADE_UP_TABLES:.0f}",
            prior,
            f"{called.sum() / MADE_UP_TABLES:.2f}",
            *(f"{share:.3f}" for share in ((truth[called] < 2).mean(), (truth[called] < 1.5).mean(), found)),
            *(f"{share:.3f}" for share in ((truth < eb05).mean(), (truth > eb95).mean())),
        )
        print(f"{f'{offices} x {failures}, {reports:,} reports':26s}", *(f"{cell:>13s}" for cell in cells), flush=True)


def _made_up(
    offices: int, failures: int, reports: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray, IntArray]:
    """Return true ratios, EB05, EB95 and counts of the pairs that occur in a table of unequal offices and failures."""
    sizes = np.outer(rng.dirichlet(np.full(offices, 1.5)), rng.dirichlet(np.full(failures, 1.0)))
    ratio = rng.gamma(30.0, 1 / 30.0, sizes.shape)
    is_bad = rng.random(sizes.shape) < 1 / 20
    ratio[is_bad] = rng.uniform(2.0, 6.0, int(is_bad.sum()))
    mean = reports * sizes * ratio
    truth = mean / (np.outer(mean.sum(axis=1), mean.sum(axis=0)) / mean.sum())
    first, second = np.indices(mean.shape)
    counts = rng.poisson(mean).ravel()
    found = disproportionality(np.repeat(first.ravel(), counts), np.repeat(second.ravel(), counts))
    return truth[found.pairs.first, found.pairs.second], found.eb05, found.eb95, found.pairs.count


def _print_speed(scratch: Path) -> None:
    """Print how long a made-up table takes: offices and failures of very unequal size, six strata."""
    rng = np.random.default_rng(1)
    offices, failures = rng.zipf(1.3, MADE_UP_REPORTS) % 20_000, rng.zipf(1.2, MADE_UP_REPORTS) % 3_000
    rows = zip(offices.tolist(), failures.tolist(), rng.integers(0, 6, MADE_UP_REPORTS).tolist(), strict=True)
    with (scratch / "many.csv").open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([("a", "b", "stratum"), *rows])
    started = time.perf_counter()
    said = disproportionality_of(scratch / "many.csv", scratch / "many_ebgm.csv")
    print(f"\n{MADE_UP_REPORTS:,} made-up reports in {time.perf_counter() - started:.1f} s: {said}")


def _print_creep() -> None:
    """Print how long the creep's sum takes to a false alarm where ten years were asked, and to a true one."""
    print(f"\n{'creep: mean, variance/mean':28s} {'weeks to a false alarm':>24s}   median weeks until a rise is found")
    print(f"{'':28s} {f'asked {CREEP_WEEKS:,.0f}':>24s}      x 1.5 at once   + 1 % a week")
    for mean, dispersion in CREEP_CASES:
        rng = np.random.default_rng([3, int(100 * mean), int(100 * dispersion)])
        weeks = int(2 * CREEP_WEEKS)
        usual = np.full((CREEP_SERIES, weeks), mean)
        first = _first_alarm(usual, usual, dispersion, rng)
        false = np.minimum(first, weeks).sum() / max(int((first < weeks).sum()), 1)
        rise = 1.0 + 0.01 * np.arange(weeks)
        jump, slow = (_first_alarm(usual * times, usual, dispersion, rng) for times in (1.5, rise[None, :]))
        print(
            f"{f'{mean:g} a week, {dispersion:g}':28s} {false:24,.0f} {np.median(jump):18.0f} {np.median(slow):14.0f}",
            flush=True,
        )
    rng = np.random.default_rng(4)
    cells, weeks = 5_000, 260
    means = np.broadcast_to(10.0 ** rng.uniform(-1.5, 1.5, (cells, 1)), (cells, weeks))
    counts = rng.poisson(means).astype(np.int64)
    started = time.perf_counter()
    creep(counts, means, 1.0 + rng.gamma(2.0, 0.2, cells))
    print(f"{cells:,} cells of {weeks} weeks in {time.perf_counter() - started:.1f} s, thresholds included")


def _first_alarm(mean: FloatArray, expected: FloatArray, dispersion: float, rng: np.random.Generator) -> IntArray:
    """Return the weeks to the first alarm, per series; all weeks where there is none."""
    counts = rng.poisson(mean) if dispersion == 1 else rng.negative_binomial(mean / (dispersion - 1), 1 / dispersion)
    spread = np.full(len(counts), dispersion)
    is_alarm = creep(counts.astype(np.int64), expected, spread, in_control_weeks=CREEP_WEEKS).is_alarm
    first = np.where(is_alarm.any(axis=1), is_alarm.argmax(axis=1) + 1, is_alarm.shape[1])
    return np.asarray(first, dtype=np.int64)


if __name__ == "__main__":
    sys.exit(main())
