# SPDX-License-Identifier: Apache-2.0
"""Complaints in a file, signals in another: what is found, and what is said of a file that cannot be used."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from run.analyst.cube_scan import cube_scan
from run.analyst.tables import BadTable

AS_OF = date(2026, 5, 31)
WEEKS = 150
PRODUCTS, OFFICES = ("card", "loan", "savings"), ("hull", "leeds", "york")


def complaints(*, planted: bool) -> list[list[object]]:
    """Return rows by product and office; when planted, loans at Leeds come four times as often for six weeks."""
    rng = np.random.default_rng(5)
    rows: list[list[object]] = []
    for week in range(WEEKS):
        monday = AS_OF - timedelta(days=6) - timedelta(weeks=WEEKS - 1 - week)
        for product in PRODUCTS:
            for office in OFFICES:
                is_raised = planted and week >= WEEKS - 6 and (product, office) == ("loan", "leeds")
                for _ in range(rng.poisson(8.0 if is_raised else 2.0)):
                    day = monday + timedelta(days=int(rng.integers(7)))
                    rows.append([f"C-{len(rows)}", day, product, office, "south" if office == "hull" else "north"])
    return rows


def written(
    path: Path, rows: Iterable[Iterable[object]], heading: str = "id,received_on,product,office,region"
) -> Path:
    with path.open("w", encoding="utf-8", newline="") as lines:
        lines.write(heading + "\n")
        csv.writer(lines).writerows(rows)
    return path


def scanned(tmp_path: Path, rows: Iterable[Iterable[object]], as_of: date = AS_OF) -> tuple[str, dict[str, Any]]:
    out = tmp_path / "signals.json"
    said = cube_scan(written(tmp_path / "events.csv", rows), out, as_of=as_of)
    document: dict[str, Any] = json.loads(out.read_text("utf-8"))
    return said, document


def test_a_planted_failure_is_the_one_signal_with_all_it_rests_on(tmp_path: Path) -> None:
    rows = complaints(planted=True)

    said, document = scanned(tmp_path, rows)

    (signal,) = document["signals"]
    window = AS_OF - timedelta(weeks=signal["window_weeks"])
    matching = [row for row in rows if (row[2], row[3]) == ("loan", "leeds") and row[1] > window]  # type: ignore[operator]
    assert said.startswith(f"{len(rows):,} complaints, ")
    assert "cells looked at: one signal. " in said
    assert signal["cell"] == {"office": "leeds", "product": "loan", "region": "north"}
    assert signal["observed"] == len(matching) > signal["threshold"] > signal["expected"]
    assert signal["expected"] == pytest.approx(2.0 * signal["window_weeks"], rel=0.4)
    assert signal["p_value"] <= 0.01
    assert abs((date.fromisoformat(signal["began_week"]) - (AS_OF - timedelta(days=41))).days) <= 7
    assert len(signal["series"]["weeks"]) == len(signal["series"]["observed"]) == 104
    assert "product loan" in signal["sentences"][0]
    assert signal["by"] == {}
    assert document["stands_above"] == {"office": "region"}
    assert document["columns_left_out"] == ["id"]


def test_where_nothing_is_wrong_there_is_no_signal(tmp_path: Path) -> None:
    said, document = scanned(tmp_path, complaints(planted=False))

    assert document["signals"] == []
    assert document["has_enough_past"]
    assert "cells looked at: 0 signals. " in said


def test_the_order_of_rows_and_later_complaints_change_nothing(tmp_path: Path) -> None:
    rows = complaints(planted=True)
    later = [["X", AS_OF + timedelta(days=day), "loan", "york", "north"] for day in range(1, 7)] * 9

    again = scanned(tmp_path, [*later, *reversed(rows)])

    assert again[1] == scanned(tmp_path, rows)[1]


@pytest.mark.parametrize("days", [0, 1, 6])
def test_a_week_that_is_not_over_is_not_read_and_it_is_said_which_was_judged_last(tmp_path: Path, days: int) -> None:
    rows = complaints(planted=True)
    half_a_week = [["X", AS_OF + timedelta(days=1), "loan", "york", "north"]] * 90

    said, document = scanned(tmp_path, [*rows, *half_a_week], as_of=AS_OF + timedelta(days=days))

    assert document["signals"] == scanned(tmp_path, rows)[1]["signals"]
    assert (document["last_week_begins"], document["last_week_ends"]) == ("2026-05-25", "2026-05-31")
    assert "The last week judged is that of May 25, 2026 to May 31, 2026" in said
    assert ("was not read" in said) is (days > 0)


def test_a_short_past_is_said_to_be_too_short(tmp_path: Path) -> None:
    rows = [row for row in complaints(planted=True) if row[1] > AS_OF - timedelta(weeks=8)]  # type: ignore[operator]

    said, document = scanned(tmp_path, rows)

    assert document["has_enough_past"] is False
    assert "There is too little past to judge by." in said


@pytest.mark.parametrize(
    ("heading", "row", "sentence"),
    [
        ("received_on,office", "2026-02-30,leeds", "line 2: '2026-02-30' is not a day"),
        ("received_on,office", "20260203,leeds", "line 2: '20260203' is not a day"),
        ("received_on,office", "2026-02-03,a,b", "line 2: 3 fields where the first line has 2"),
        ("received_on,office", "2027-02-03,leeds", "No complaint was received by"),
        ("received_on,office", "2025-02-03,leeds", "no window that ends on May 31, 2026 reaches back to it"),
        ("day,office", "2026-02-03,leeds", "there is no column received_on"),
        ("received_on", "2026-02-03", "0 columns can serve as dimensions"),
        ("received_on,,office", "2026-02-03,1,leeds", "column 2 has no name"),
        ("received_on,office,office", "2026-02-03,leeds,leeds", "the column office is there twice"),
        ("received_on,week", "2026-02-03,5", "may not be called line or week"),
        ("received_on,office", "", "there is no row"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_sentence_and_nothing_is_written(
    tmp_path: Path, heading: str, row: str, sentence: str
) -> None:
    events = tmp_path / "events.csv"
    events.write_text(f"{heading}\n{row}\n", "utf-8")

    with pytest.raises(BadTable) as problem:
        cube_scan(events, tmp_path / "signals.json", as_of=AS_OF)

    assert sentence in str(problem.value)
    assert list(tmp_path.iterdir()) == [events]
