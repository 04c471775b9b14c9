# SPDX-License-Identifier: Apache-2.0
"""The door `putright scan`: tables in, tables out, and a sentence with the line for what cannot be used."""

import csv
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from run.analyst.scan import scan_counts
from run.analyst.tables import BadTable

WEEKS = 130


@pytest.fixture
def counts() -> list[tuple[str, str, str]]:
    rng = np.random.default_rng(41)
    quiet = [("quiet", str(week), str(count)) for week, count in enumerate(rng.poisson(4.0, WEEKS), 1)]
    loud = [("loud", str(week), str(count)) for week, count in enumerate(rng.poisson(4.0, WEEKS), 1)]
    loud[-1] = ("loud", str(WEEKS), "30")
    return quiet + loud


def written(folder: Path, rows: Sequence[tuple[str, ...]], header: str = "series,period,count") -> Path:
    path = folder / "counts.csv"
    path.write_text(header + "\n" + "\n".join(",".join(row) for row in rows) + "\n", encoding="utf-8")
    return path


def flags(folder: Path, rows: Sequence[tuple[str, ...]], first: str, last: str) -> list[dict[str, str]]:
    out = folder / "flags.csv"
    scan_counts(written(folder, rows), out, first=first, last=last)
    with out.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_each_series_and_period_of_the_range_has_a_row(tmp_path: Path, counts: list[tuple[str, str, str]]) -> None:
    found = flags(tmp_path, counts, "129", "130")

    assert list(found[0]) == ["series", "period", "observed", "expected", "threshold", "p_value", "alarm"]
    assert [(row["series"], row["period"]) for row in found] == [
        ("quiet", "129"),
        ("quiet", "130"),
        ("loud", "129"),
        ("loud", "130"),
    ]
    assert [row["series"] for row in found if row["alarm"] == "1"] == ["loud"]
    assert found[-1]["observed"] == "30"
    assert float(found[-1]["p_value"]) < 0.001
    assert 2.5 < float(found[-1]["expected"]) < 6.0


def test_the_closing_line_tells_weeks_from_series(tmp_path: Path, counts: list[tuple[str, str, str]]) -> None:
    path, out = written(tmp_path, [*counts, ("new", "130", "1")]), tmp_path / "flags.csv"

    said = scan_counts(path, out, first="129", last="130")

    assert said == (
        "4 weeks judged in 3 series: 1 week with an alarm, in 1 series. 1 week could not be judged for want of a past."
    )
    assert "no alarm" in scan_counts(path, out, first="120", last="120")


def test_the_order_of_rows_does_not_matter(tmp_path: Path, counts: list[tuple[str, str, str]]) -> None:
    sorted_by_week = sorted(counts, key=lambda row: int(row[1]))  # quiet still comes first

    assert flags(tmp_path, sorted_by_week, "125", "130") == flags(tmp_path, counts, "125", "130")


def test_dates_are_weeks_too(tmp_path: Path, counts: list[tuple[str, str, str]]) -> None:
    begin = date(2023, 3, 1)  # a Wednesday
    dated = [(series, str(begin + timedelta(weeks=int(week) - 1)), count) for series, week, count in counts]

    found = flags(tmp_path, dated, "2025-08-20", "2025-08-20")

    assert [(row["period"], row["alarm"]) for row in found] == [("2025-08-20", "0"), ("2025-08-20", "1")]


def test_series_of_different_age_are_judged_as_if_alone(tmp_path: Path, counts: list[tuple[str, str, str]]) -> None:
    younger = [row for row in counts if row[0] == "loud" or int(row[1]) > 40]

    alone = flags(tmp_path, [row for row in younger if row[0] == "quiet"], "128", "130")

    assert [row for row in flags(tmp_path, younger, "128", "130") if row["series"] == "quiet"] == alone


def test_a_series_too_young_to_be_judged_has_empty_fields(tmp_path: Path) -> None:
    rows = [("new", str(week), "3") for week in range(1, 11)]

    assert flags(tmp_path, rows, "10", "10") == [
        {"series": "new", "period": "10", "observed": "3", "expected": "", "threshold": "", "p_value": "", "alarm": "0"}
    ]


@pytest.mark.parametrize(
    ("line", "row", "sentence"),
    [
        (2, ("quiet", "2023-W01", "1"), "line 2: the period '2023-W01' should be a whole number"),
        (5, ("quiet", "4", "-1"), "line 5: '-1' is no count"),
        (5, ("quiet", "4", "2.5"), "line 5: '2.5' is no count"),
        (5, ("quiet", "4", ""), "line 5: '' is no count"),
        (5, ("quiet", "week4", "1"), "line 5: the period 'week4'"),
        (5, ("quiet", "2", "1"), "line 5: series 'quiet' has the period 2 twice"),
        (5, ("", "4", "1"), "line 5: the series has no name"),
        (5, ("quiet", "4", "1", "x"), "line 5: 4 fields"),
        (5, (), "line 6: series 'quiet' goes from 3 to 5"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_by_its_line(
    tmp_path: Path, counts: list[tuple[str, str, str]], line: int, row: tuple[str, ...], sentence: str
) -> None:
    rows: list[tuple[str, ...]] = [*counts]
    rows[line - 2] = row
    out = tmp_path / "flags.csv"

    with pytest.raises(BadTable) as refused:
        scan_counts(written(tmp_path, rows), out, first="129", last="130")

    assert f".csv, {sentence}" in str(refused.value)
    assert not out.exists()


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("series,week,count", "line 1: there is no column period"),
        ("series,period,count,colour", "line 1: the column 'colour' is unknown"),
        ("series,period,count,count", "line 1: the column count is there twice"),
    ],
)
def test_columns_must_be_those_we_know(tmp_path: Path, header: str, sentence: str) -> None:
    with pytest.raises(BadTable) as refused:
        scan_counts(written(tmp_path, [("a", "1", "1")], header), tmp_path / "out.csv", first="1", last="1")

    assert f".csv, {sentence}" in str(refused.value)


def test_exposure_must_be_positive(tmp_path: Path) -> None:
    path = written(tmp_path, [("a", "1", "1", "5"), ("a", "2", "1", "0")], "series,period,count,exposure")

    with pytest.raises(BadTable, match=r"line 3: the exposure '0' must be a number above 0\."):
        scan_counts(path, tmp_path / "out.csv", first="1", last="2")


@pytest.mark.parametrize(
    ("first", "last", "sentence"),
    [("9", "3", "ends before it begins"), ("2024-01-01", "2024-02-01", "whole number"), ("500", "600", "No series")],
)
def test_a_range_that_makes_no_sense_is_refused(
    tmp_path: Path, counts: list[tuple[str, str, str]], first: str, last: str, sentence: str
) -> None:
    with pytest.raises(BadTable, match=sentence):
        scan_counts(written(tmp_path, [*counts]), tmp_path / "out.csv", first=first, last=last)


def test_what_stood_there_before_stays_when_nothing_can_be_said(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("old", encoding="utf-8")

    with pytest.raises(BadTable):
        scan_counts(tmp_path / "absent.csv", out, first="1", last="2")

    assert out.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("row", [("quiet", "131"), ("quiet", "131", "4", "9")])
def test_a_row_with_too_few_or_too_many_fields_is_named_by_its_line(
    tmp_path: Path, counts: list[tuple[str, str, str]], row: tuple[str, ...]
) -> None:
    with pytest.raises(BadTable, match=r"line 262: \d fields where the first line has 3"):
        flags(tmp_path, [*counts, row], "131", "131")
