# SPDX-License-Identifier: Apache-2.0
"""Cells, their counts and weeks."""

from datetime import date, timedelta

import numpy as np
import pytest

from analytics.cube import EVERYTHING, Cell, CellCounts, monday_of, week_of


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
