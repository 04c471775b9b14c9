# SPDX-License-Identifier: Apache-2.0
"""Rows taken in a second, as live cases and as history (python -m benchmarks.imports [--data FILE --map MAP]).

All of `putright up` runs on this machine. Rounds alternate, each on rows that no round had before, made up here or the
next ones of a file. History is done when the import is: its rows are closed cases in the record. Live rows are
done when the relay has started a workflow for each; how fast the import alone was stands beside.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import itertools
import random
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.product import Product, running
from run.embedded.temporary import temporary_folder
from run.import_files import open_rows
from run.importing import Totals, import_file

ROUNDS = 3
HISTORY_ROWS = 4_000
LIVE_ROWS = 200
GOAL = 20
SERVICES, CATEGORIES = ("benefits", "permits", "housing", "records"), ("lost", "too_slow", "not_told", "wrong_decision")
WORDS = (
    "form",
    "office",
    "letter",
    "twice",
    "renewal",
    "nobody",
    "called",
    "waited",
    "week",
    "payment",
    "clerk",
    "street",
)
MAP = """
source = "benchmark"
required = ["received"]
[id]
column = "id"
[received]
column = "received"
[closed]
column = "closed"
[service]
column = "service"
[category]
column = "category"
[narrative]
column = "narrative"
[contact]
name = "name"
email = "email"
"""
COLUMNS = ("id", "received", "closed", "service", "category", "narrative", "name", "email")


def made_up(now: datetime) -> Iterator[list[str]]:
    """Yield rows without end, each with a kilobyte of text; received within the last year, closed a week later."""
    chance = random.Random(11)
    for number in itertools.count(1):
        received_at = now - timedelta(minutes=chance.randrange(20_000, 500_000))
        text = " ".join(chance.choices(WORDS, k=170))
        yield [
            f"B{number}", received_at.isoformat(), (received_at + timedelta(days=7)).isoformat(),
            chance.choice(SERVICES), chance.choice(CATEGORIES), text, "Pat Doe", "pat@example.org",
        ]  # fmt: skip


def rows_of(data: Path | None) -> tuple[list[str], Iterator[list[str]]]:
    """Return columns and rows of the file, or made-up ones."""
    if data is None:
        return list(COLUMNS), made_up(datetime.now(UTC))
    with open_rows(data) as file:
        cells = [row.cells for row in file.rows() if not row.fault]
    columns = list(dict.fromkeys(name for row in cells for name in row))
    return columns, ([str(row.get(name) or "") for name in columns] for row in cells)


def _file(folder: Path, name: str, columns: list[str], rows: Iterator[list[str]], count: int) -> Path:
    path = folder / f"{name}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(itertools.islice(rows, count))
    return path


def taken_in(product: Product, file: Path, column_map: str, *, as_history: bool) -> tuple[Totals, float]:
    """Import a file; return what became of its rows, and the seconds."""
    began = time.perf_counter()
    totals = asyncio.run(import_file(product.settings, file, column_map, as_history=as_history))
    return totals, time.perf_counter() - began


def until_opened(product: Product) -> None:
    """Wait until every receipt has its workflow and its case."""
    while product.count("SELECT count(*) FROM receipt_pending"):
        time.sleep(0.1)
    while product.count(
        "SELECT count(*) FROM receipt r WHERE NOT EXISTS (SELECT FROM case_file f WHERE f.case_id = r.case_id)"
    ):
        time.sleep(0.1)


def live(product: Product, file: Path, column_map: str) -> float:
    """Take rows in as live cases; print and return how many a second, until all are open."""
    began = time.perf_counter()
    totals, accepted = taken_in(product, file, column_map, as_history=False)
    until_opened(product)
    rate = totals.live / (time.perf_counter() - began)
    print(f"  live:    {totals.live:6,} rows, {rate:8.1f}/s until opened, {totals.live / accepted:8.1f}/s accepted")
    return rate


def history(product: Product, file: Path, column_map: str) -> float:
    """Take rows in as history; print and return how many a second. Rows still open become live ones, afterwards."""
    totals, took = taken_in(product, file, column_map, as_history=True)
    rate = (totals.as_history + totals.live) / took
    print(f"  history: {totals.as_history:6,} rows, {rate:8.1f}/s", end="")
    print(f" ({totals.live} still open, {totals.rejected} rejected)" if totals.live or totals.rejected else "")
    until_opened(product)
    return rate


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Rows a second as live cases and as history.")
    parser.add_argument("--data", type=Path, help="a file to take rows from; default: made-up rows")
    parser.add_argument("--map", default="cfpb", help="the column map of that file")
    asked = parser.parse_args()
    columns, rows = rows_of(asked.data)
    with temporary_folder() as folder, running() as product:
        own_map = folder / "map.toml"
        own_map.write_text(MAP, "utf-8")
        column_map = asked.map if asked.data else str(own_map)
        # The first of each kind is for warming up: connections, partitions, plans.
        live(product, _file(folder, "warm-live", columns, rows, 50), column_map)
        history(product, _file(folder, "warm-history", columns, rows, 500), column_map)
        ratios = []
        for number in range(1, ROUNDS + 1):
            print(f"round {number}")
            slow = live(product, _file(folder, f"live-{number}", columns, rows, LIVE_ROWS), column_map)
            fast = history(product, _file(folder, f"history-{number}", columns, rows, HISTORY_ROWS), column_map)
            ratios.append(fast / slow)
        told = ", ".join(f"{ratio:.0f}" for ratio in ratios)
        print(f"history is {statistics.median(ratios):.0f} times as fast as live (median of {told}; goal {GOAL})")
        print("resident memory:", *product.memory(), sep="\n")


if __name__ == "__main__":
    main()
