# SPDX-License-Identifier: Apache-2.0
"""An import of history, live and faulty rows, killed again and again: run once more, every row is there once."""

from __future__ import annotations

import csv
import random
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from run.settings import PROJECT_FOLDER
from tests.chaos.product import Product, running_product

pytestmark = pytest.mark.chaos
ROWS = 2_000
KILLS = 3
SEED = 311
WRITTEN_WITHIN_SECONDS = 120
WRONG_DATA = 1
Row = dict[str, str]


def a_row(number: int, rng: random.Random) -> tuple[str, Row]:
    """Return what is to become of a row, and the row as New York's export has it."""
    day = f"{rng.randint(1, 12):02d}/{rng.randint(1, 28):02d}/{rng.randint(2012, 2025)} 09:15:00 AM"
    row = {
        "Unique Key": str(50_000_000 + number), "Created Date": day, "Closed Date": day, "Complaint Type": "Rodent",
        "Descriptor": "Rat Sighting", "Borough": "BRONX", "Open Data Channel Type": "PHONE", "Status": "Closed",
    }  # fmt: skip
    fate = rng.choices(["history", "live", "future", "undated", "early"], [70, 20, 4, 4, 2])[0]
    told = {
        "history": {},
        "live": {"Closed Date": "", "Status": "In Progress"},
        "future": {"Created Date": "01/01/2999 09:15:00 AM"},
        "undated": {"Created Date": ""},
        "early": {"Created Date": "05/03/1999 09:15:00 AM", "Closed Date": "", "Status": "Open"},
    }[fate]
    return (fate if fate in {"history", "live"} else "rejected"), row | told


def a_file(path: Path, rng: random.Random) -> Counter[str]:
    """Write the file; return how many rows are to become what. Some rows come twice, some with other words."""
    fates: Counter[str] = Counter()
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(a_row(0, rng)[1]))
        writer.writeheader()
        for number in range(ROWS):
            fate, row = a_row(number, rng)
            fates[fate] += 1
            writer.writerow(row)
            if number % 50 == 0 and fate != "rejected":
                writer.writerow(row)
                writer.writerow(row | {"Borough": "QUEENS"})
                fates.update(["already there", "rejected"])
    return fates


def importing(product: Product, file: Path, rejects: Path) -> subprocess.Popen[str]:
    """Start `putright import`."""
    command = [sys.executable, "-m", "run.cli", "import", str(file), "--map", "nyc311", "--as-history"]
    return subprocess.Popen(
        [*command, "--agency", "riverbend", "--rejects", str(rejects)],
        cwd=PROJECT_FOLDER, env=product.environment | {"COLUMNS": "200"}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def kill_when_written(product: Product, process: subprocess.Popen[str], receipts: int) -> None:
    """Kill the import as soon as the record holds so many receipts, wherever it is then."""
    until = time.monotonic() + WRITTEN_WITHIN_SECONDS
    while product.rows("SELECT count(*) FROM receipt") < [(receipts,)]:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until
        time.sleep(0.01)
    process.kill()
    process.communicate()


def until_all_are_open(product: Product) -> None:
    """Wait until every receipt has its case, opened by its workflow where it is live."""
    until = time.monotonic() + WRITTEN_WITHIN_SECONDS
    opened = "SELECT count(*) = (SELECT count(*) FROM receipt) FROM case_file WHERE state IN ('in_triage', 'closed')"
    while product.rows(opened) != [(True,)]:
        assert time.monotonic() < until, product.rows("SELECT state, count(*) FROM case_file GROUP BY state")
        time.sleep(0.5)


def test_an_import_killed_three_times_takes_every_row_in_once(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    file, rejects = tmp_path / "requests.csv", tmp_path / "rejects.csv"
    fates = a_file(file, rng)
    complaints = fates["history"] + fates["live"]
    with running_product() as product:
        for receipts in sorted(rng.randint(1, complaints * 3 // 4) for _ in range(KILLS)):
            kill_when_written(product, importing(product, file, rejects), receipts)
        last = importing(product, file, rejects)
        said = last.communicate()[0]
        until_all_are_open(product)

        assert last.returncode == WRONG_DATA, said
        totals = re.search(r"([\d,]+) rows read = ([\d,]+) .*? \+ ([\d,]+) .*? \+ ([\d,]+) .*? \+ ([\d,]+) rej", said)
        assert totals is not None, said
        read, as_history, live, already_there, rejected = (int(n.replace(",", "")) for n in totals.groups())
        assert read == fates.total() == as_history + live + already_there + rejected
        assert rejected == fates["rejected"]
        with rejects.open(newline="", encoding="utf-8") as refused:
            assert len(list(csv.DictReader(refused))) == fates["rejected"]
        assert product.rows("SELECT count(*), count(DISTINCT idempotency_key) FROM receipt") == [(complaints,) * 2]
        files = product.rows("SELECT is_history, state, count(*) FROM case_file GROUP BY 1, 2 ORDER BY 1")
        assert files == [(False, "in_triage", fates["live"]), (True, "closed", fates["history"])]
        assert product.rows("SELECT count(*) FROM case_event WHERE action = 'receive'") == [(fates["live"],)]
        verified = subprocess.run(
            [sys.executable, "-m", "run.cli", "verify"], cwd=PROJECT_FOLDER, env=product.environment, check=False,
            capture_output=True, text=True,
        )  # fmt: skip
        assert verified.returncode == 0, verified.stdout + verified.stderr
