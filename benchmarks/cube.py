# SPDX-License-Identifier: Apache-2.0
"""How long one weekly look takes, and what it finds among cells of many dimensions; all made up, no data needed.

`python -m benchmarks.cube [--cells 5000] [--weeks 260] [--cubes 60] [--seed 1]`. Three measures:

- an agency of about 5,000 cells and 260 weeks, by failure in its family, service, office in its region and channel: the
  whole look is timed, from the rows to the findings and their ranking (roll-ups, baselines, scores, slow rises, false
  alarms, folding); the time is that of the machine, and of what else runs there;
- complaints by product, issue, office in its region and channel, three failures planted in each cube: one of a product
  and issue, one of an issue at an office, one of a product by a channel. A finding is false when nothing planted
  overlaps it, and right when it bears the planted one's own name;
- a like agency, five of whose kinds rise slowly to three times the usual over forty weeks: how many of the slow rises
  called hold none of them.

Ends with 1 when a goal is missed.
"""

import argparse
import resource
import sys
import time

import numpy as np

from analytics.agency_cube import build_agency_cube, events_of
from analytics.arrays import IntArray
from analytics.card import rank_findings
from analytics.creeping import find_creeping
from analytics.cube import Cell, WeeklyRow
from analytics.detection import detect
from analytics.dimensions import Events, Overlaps, build_any_cube
from analytics.scores import DetectionSettings

SETTINGS = DetectionSettings()
GOAL_SECONDS, GOAL_MB = 30.0, 1_000.0
FAMILIES, SERVICES, OFFICES = 8, 6, 12
CHANNELS = ("phone", "post", "web")
CELLS_PER_FAILURE = 188
CELLS_BESIDE_FAILURES = 1_800
MEAN_LOG, MEAN_SPREAD = np.log(0.3), 1.0
SPIKED_TIMES, SPIKED_WEEKS = 4.0, 6
KB_PER_MB = 1_024

CREEP_FAILURES, CREEP_MEAN_LOG = 12, np.log(0.8)
CREEPS, CREEP_WEEKS, CREEP_TIMES = 5, 40, 3.0

SIZES = (8, 10, 12, 3)
"""Products, issues, offices, channels."""
REGIONS = 3
PER_WEEK = 150.0
GOAL_FDR = 0.12


def main() -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description="Time and memory of one weekly look.")
    parser.add_argument("--cells", type=int, default=5_000)
    parser.add_argument("--weeks", type=int, default=260)
    parser.add_argument("--cubes", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    told = parser.parse_args()
    met = measure_speed(told.cells, told.weeks, told.seed)
    met &= measure_findings(told.cubes, told.weeks, told.seed)
    met &= measure_creeps(max(told.cubes // 5, 2), told.weeks, told.seed)
    return 0 if met else 1


def measure_speed(cells: int, weeks: int, seed: int) -> bool:
    """Measure time and memory of one look; return whether the goals are met."""
    rows, families = agency(cells, weeks, seed)
    started, busy = time.perf_counter(), time.process_time()
    offices = [f"o{office:02d}" for office in range(OFFICES)]
    events = events_of(rows, families, {office: _region(office) for office in offices})
    cube = build_agency_cube(events, first_week=0, as_of_week=weeks - 1)
    built = time.perf_counter()
    findings = detect(cube, as_of_week=weeks - 1, settings=SETTINGS, overlaps=Overlaps(events, weeks - 1))
    told = [finding.cells for finding in findings]
    find_creeping(cube, as_of_week=weeks - 1, settings=SETTINGS, level=0.1, open_matters=(), surges=told)
    rank_findings(findings)
    taken, worked = time.perf_counter() - started, time.process_time() - busy
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KB_PER_MB
    print(f"{len(rows):,} rows, {len(cube.cells):,} cells judged, {weeks} weeks, {len(findings)} findings")
    print(f"{'rolled up':24s} {built - started:8.1f} s")
    met = taken <= GOAL_SECONDS and memory <= GOAL_MB
    print(f"{'whole look':24s} {taken:8.1f} s    goal {GOAL_SECONDS:.0f} s    (of the processor {worked:.1f} s)")
    print(f"{'memory at most':24s} {memory:8.0f} MB   goal {GOAL_MB:,.0f} MB  {'met' if met else 'MISSED'}")
    return met


def measure_findings(cubes: int, weeks: int, seed: int) -> bool:
    """Measure false findings and what became of the planted failures; return whether the goal is met."""
    false_shares, null_findings = [], []
    called = {"by its own name": 0, "as a part or a whole of it": 0, "not": 0}
    for number in range(cubes):
        rng = np.random.default_rng([seed, number])
        events, planted = complaints(weeks, rng, is_troubled=True)
        heads = heads_of(events, weeks)
        false_shares.append(sum(not any(p.overlaps(h) for p in planted) for h in heads) / max(len(heads), 1))
        for one in planted:
            if any(one.named == head.named for head in heads):
                called["by its own name"] += 1
            elif any(one.contains(head) or head.contains(one) for head in heads):
                called["as a part or a whole of it"] += 1
            else:
                called["not"] += 1
        null_findings.append(len(heads_of(complaints(weeks, rng, is_troubled=False)[0], weeks)))
    mean = float(np.mean(false_shares))
    half = 1.96 * float(np.std(false_shares, ddof=1)) / cubes**0.5
    met = mean <= GOAL_FDR
    said = "met" if met else "MISSED"
    print(f"any dimensions, {cubes} cubes: false findings {mean:.3f} ± {half:.3f}  goal {GOAL_FDR:g}: {said}")
    print(f"   nothing wrong: findings a week {np.mean(null_findings):.3f}")
    print("   planted called " + ", ".join(f"{what}: {n / (3 * cubes):.2f}" for what, n in called.items()))
    return met


def measure_creeps(cubes: int, weeks: int, seed: int) -> bool:
    """Measure the share of false ones among the slow rises called; return whether the goal is met."""
    called = false = null = 0
    for number in range(cubes):
        rng = np.random.default_rng([seed, 2, number])
        leaves = [
            (f"F{f}", f"s{s}", f"o{o:02d}")
            for f in range(CREEP_FAILURES)
            for s in range(SERVICES)
            for o in range(OFFICES)
        ]
        season = np.exp(0.2 * np.cos(2 * np.pi * np.arange(weeks) / 52.18))
        mean = rng.lognormal(CREEP_MEAN_LOG, 0.8, (len(leaves), 1)) * season
        null += len(_crept(leaves, rng.poisson(mean), weeks))
        chosen = rng.choice(len(leaves), CREEPS, replace=False)
        mean[chosen, -CREEP_WEEKS:] *= np.linspace(1.0, CREEP_TIMES, CREEP_WEEKS)
        rising = [_cell(leaves[leaf]) for leaf in chosen]
        found = _crept(leaves, rng.poisson(mean), weeks)
        called += len(found)
        false += sum(not any(cell.overlaps(one) for one in rising) for cell in found)
    share = false / max(called, 1)
    met = share <= GOAL_FDR
    print(
        f"slow rises, {cubes} cubes: {called} called of {cubes * CREEPS}, false {share:.3f}  goal {GOAL_FDR:g}: ",
        end="",
    )
    print("met" if met else "MISSED")
    print(f"   nothing wrong: slow rises called {null / cubes:.3f} a week")
    return met


def _cell(leaf: tuple[str, str, str]) -> Cell:
    failure, service, office = leaf
    return Cell(f"family-{int(failure[1:]) % FAMILIES}", failure, service, office, (("region", _region(office)),))


def _region(office: str) -> str:
    return f"r{int(office[1:]) % REGIONS}"


def _crept(leaves: list[tuple[str, str, str]], counts: IntArray, weeks: int) -> list[Cell]:
    """Return the cells that creep in the last week."""
    rows = [
        WeeklyRow(int(week), *leaves[int(leaf)], int(counts[leaf, week]))
        for leaf, week in zip(*np.nonzero(counts), strict=True)
    ]
    families = {f"F{number}": f"family-{number % FAMILIES}" for number in range(CREEP_FAILURES)}
    events = events_of(rows, families, {office: _region(office) for _, _, office in leaves})
    cube = build_agency_cube(events, first_week=0, as_of_week=weeks - 1)
    level = SETTINGS.false_discovery_rate
    crept = find_creeping(cube, as_of_week=weeks - 1, settings=SETTINGS, level=level, open_matters=(), surges=())
    return [creeping.cell for creeping in crept.found]


def heads_of(events: Events, weeks: int) -> list[Cell]:
    """Return the cells the findings are told by."""
    cube = build_any_cube(events, first_week=0, as_of_week=weeks - 1)
    found = detect(cube, as_of_week=weeks - 1, settings=SETTINGS, overlaps=Overlaps(events, weeks - 1))
    return [finding.cell for finding in found]


def complaints(weeks: int, rng: np.random.Generator, *, is_troubled: bool) -> tuple[Events, list[Cell]]:
    """Return complaints by five dimensions, and what is planted in them."""
    shares = [rng.dirichlet(np.full(size, 2.0)) for size in SIZES]
    leaf = np.stack(np.meshgrid(*(np.arange(size) for size in SIZES), indexing="ij"), axis=-1).reshape(-1, len(SIZES))
    usual = PER_WEEK * np.prod([share[leaf[:, d]] for d, share in enumerate(shares)], axis=0)
    season = np.exp(0.2 * np.cos(2 * np.pi * np.arange(weeks) / 52.18))
    mean = usual[:, None] * season
    names = ("product", "issue", "office", "channel")
    planted = []
    for pair in ((0, 1), (1, 2), (0, 3)) if is_troubled else ():
        values = {d: int(rng.integers(SIZES[d])) for d in pair}
        inside = np.all([leaf[:, d] == value for d, value in values.items()], axis=0)
        mean[inside, -SPIKED_WEEKS:] *= SPIKED_TIMES
        named = {names[d]: str(value) for d, value in values.items()}
        if 2 in values:  # the office names its region
            named["region"] = str(values[2] % REGIONS)
        planted.append(Cell(further=tuple(sorted(named.items()))))
    counts = rng.poisson(mean)
    which, week = np.nonzero(counts)
    codes = np.column_stack([leaf, leaf[:, 2] % REGIONS])[which]
    values_of = tuple(tuple(str(code) for code in range(size)) for size in (*SIZES, REGIONS))
    return Events((*names, "region"), values_of, codes, week, counts[which, week]), planted


def agency(cells: int, weeks: int, seed: int) -> tuple[list[WeeklyRow], dict[str, str]]:
    """Return rows of an agency with about so many cells that can be judged, one failure raised at its first office."""
    rng = np.random.default_rng(seed)
    failures = [f"F{number}" for number in range(max((cells - CELLS_BESIDE_FAILURES) // CELLS_PER_FAILURE, 1))]
    rows = []
    for number, failure in enumerate(failures):
        for service in range(SERVICES):
            for office in range(OFFICES):
                mean = np.full(weeks, rng.lognormal(MEAN_LOG, MEAN_SPREAD))
                if number == 0 and office == 0:
                    mean[-SPIKED_WEEKS:] *= SPIKED_TIMES
                counts = rng.poisson(mean)
                channel = rng.integers(len(CHANNELS), size=weeks)
                rows += [
                    WeeklyRow(
                        week, failure, f"s{service}", f"o{office:02d}", int(counts[week]), CHANNELS[channel[week]]
                    )
                    for week in np.flatnonzero(counts).tolist()
                ]
    return rows, {failure: f"family-{number % FAMILIES}" for number, failure in enumerate(failures)}


if __name__ == "__main__":
    sys.exit(main())
