# SPDX-License-Identifier: Apache-2.0
"""Cells, their roll-ups and parents."""

from datetime import date, timedelta

import numpy as np
import pytest

from analytics.cube import EVERYTHING, Cell, CellCounts, WeeklyRow, build_cube, monday_of, week_of

FAMILIES = {"lost": "documents", "late": "delay"}
ROWS = [
    WeeklyRow(10, "lost", "housing", "leeds", 3),
    WeeklyRow(11, "lost", "housing", "leeds", 1),
    WeeklyRow(11, "lost", "pensions", "leeds", 4),
    WeeklyRow(12, "late", "housing", "york", 5),
    WeeklyRow(12, "late", "housing", "hull", 1),
]


def cube(as_of_week: int = 12) -> CellCounts:
    return build_cube(ROWS, FAMILIES, first_week=10, as_of_week=as_of_week)


def counts_of(counts: CellCounts, cell: Cell) -> list[int]:
    return [int(count) for count in counts.counts[counts.cells.index(cell)]]


def test_every_roll_up_is_the_sum_of_its_parts() -> None:
    counts = cube()

    assert counts_of(counts, Cell()) == [3, 5, 6]
    assert counts_of(counts, Cell(family="documents")) == [3, 5, 0]
    assert counts_of(counts, Cell(family="documents", failure="lost", office="leeds")) == [3, 5, 0]
    assert counts_of(counts, Cell("documents", "lost", "housing")) == [3, 1, 0]
    assert counts_of(counts, Cell("documents", "lost", "pensions", "leeds")) == [0, 4, 0]


def test_every_parent_stands_before_its_child_and_contains_it() -> None:
    counts = cube()

    for index, parent in enumerate(counts.parents):
        assert parent < index
        assert counts.cells[parent].contains(counts.cells[index]) or parent == -1
    assert counts.cells[0] == Cell()
    assert (counts.parents == -1).sum() == 1


def test_cells_with_too_few_complaints_are_counted_but_not_judged() -> None:
    counts = cube()

    assert not any(cell.office == "hull" for cell in counts.cells)
    assert dict(counts.silent_counts) == {"delay": 3}  # family, failure, and failure by service, at that office


def test_later_weeks_are_as_if_they_had_not_been() -> None:
    counts = cube(as_of_week=11)

    assert counts.last_week == 11
    assert EVERYTHING not in dict(counts.silent_counts)
    assert not any(cell.failure == "late" for cell in counts.cells)


def test_corrections_are_summed_like_other_rows() -> None:
    rows = [*ROWS, WeeklyRow(11, "lost", "pensions", "leeds", -1)]

    counts = build_cube(rows, FAMILIES, first_week=10, as_of_week=12)

    assert counts_of(counts, Cell("documents", "lost", "pensions", "leeds")) == [0, 3, 0]


def test_no_complaint_at_all_is_an_empty_cube() -> None:
    assert build_cube([], FAMILIES, first_week=10, as_of_week=12).cells == ()


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (WeeklyRow(9, "lost", "housing", "leeds", 1), "before the first week"),
        (WeeklyRow(10, "unheard_of", "housing", "leeds", 1), "has no family"),
        (WeeklyRow(12, "lost", "housing", "leeds", -1), "less than nothing"),
    ],
)
def test_a_row_without_a_place_is_refused(row: WeeklyRow, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        build_cube([*ROWS, row], FAMILIES, first_week=10, as_of_week=12)


def test_counts_that_contradict_themselves_are_refused() -> None:
    two = np.zeros(2, dtype=np.int64)
    cells = (Cell(), Cell(family="delay"))
    with pytest.raises(ValueError, match="cells by weeks"):
        CellCounts(cells, np.zeros((1, 5), dtype=np.int64), 0, two - 1, two)
    with pytest.raises(ValueError, match="must stand before it"):
        CellCounts(cells, np.zeros((2, 5), dtype=np.int64), 0, two + 1, two)
    with pytest.raises(ValueError, match="cannot be negative"):
        CellCounts(cells, np.full((2, 5), -1, dtype=np.int64), 0, two - 1, two)
    with pytest.raises(ValueError, match="a parent"):
        CellCounts(cells, np.zeros((2, 5), dtype=np.int64), 0, two[:1], two)


def test_a_week_runs_from_monday_to_sunday() -> None:
    monday = date(2026, 11, 16)
    week = week_of(monday)

    assert monday_of(week) == monday
    assert week_of(monday + timedelta(days=6)) == week
    assert week_of(monday + timedelta(days=7)) == week + 1


def test_a_cell_is_known_by_what_it_names() -> None:
    assert Cell().key == EVERYTHING
    assert Cell("documents", "lost", office="leeds").key == "family=documents;failure=lost;office=leeds"


def test_cells_overlap_when_one_complaint_can_belong_to_both() -> None:
    at_leeds = Cell("documents", "lost", office="leeds")
    in_housing = Cell("documents", "lost", service="housing")

    assert at_leeds.overlaps(in_housing)
    assert not at_leeds.contains(in_housing)
    assert not at_leeds.overlaps(Cell("documents", "lost", office="york"))
    assert Cell("documents").contains(at_leeds)
