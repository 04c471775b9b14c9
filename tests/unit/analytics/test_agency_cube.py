# SPDX-License-Identifier: Apache-2.0
"""The agency's own cells, and what is known of their weeks."""

import numpy as np
import pytest

from analytics.agency_cube import LeftOut, Outside, Served, build_agency_cube, events_of, reasons_for
from analytics.cube import EVERYTHING, Cell, CellCounts, WeeklyRow

FAMILIES = {"lost": "documents", "late": "delay"}
REGIONS = {"leeds": "north", "york": "north", "hull": "south"}
ROWS = [
    WeeklyRow(10, "lost", "housing", "leeds", 3, "web"),
    WeeklyRow(11, "lost", "housing", "leeds", 4, "post"),
    WeeklyRow(12, "late", "housing", "hull", 5, "web"),
    WeeklyRow(12, "late", "pensions", "york", 6, "web"),
    WeeklyRow(12, "late", "pensions", "", 7, "web"),
    WeeklyRow(12, "late", "pensions", "moon", 8, "web"),
]
EVENTS = events_of(ROWS, FAMILIES, REGIONS)


PLAIN = [
    WeeklyRow(10, "lost", "housing", "leeds", 3),
    WeeklyRow(11, "lost", "housing", "leeds", 1),
    WeeklyRow(11, "lost", "pensions", "leeds", 4),
    WeeklyRow(12, "late", "housing", "york", 5),
    WeeklyRow(12, "late", "housing", "hull", 1),
]
"""Of one region, and nobody has said by which channel they came."""


def cube(rows: list[WeeklyRow], regions: dict[str, str], as_of_week: int = 12) -> CellCounts:
    return build_agency_cube(events_of(rows, FAMILIES, regions), first_week=10, as_of_week=as_of_week)


def plain_cube(*more: WeeklyRow, as_of_week: int = 12) -> CellCounts:
    return cube([*PLAIN, *more], {}, as_of_week)


def counts_of(counts: CellCounts, cell: Cell) -> list[int]:
    return [int(count) for count in counts.counts[counts.cells.index(cell)]]


def test_an_office_names_its_region_and_what_nobody_has_said_makes_no_cell() -> None:
    counts = cube(ROWS, REGIONS)

    assert counts_of(counts, Cell()) == [3, 4, 26]
    assert counts_of(counts, Cell(further=(("region", "north"),))) == [3, 4, 6]
    assert counts_of(counts, Cell(office="moon", further=(("region", "elsewhere"),))) == [0, 0, 8]
    assert counts_of(counts, Cell("documents", "lost", further=(("channel", "post"),))) == [0, 4, 0]
    assert not any("" in cell.named.values() for cell in counts.cells)
    assert max(len(set(cell.named) - {"family", "region"}) for cell in counts.cells) == 3


def test_every_roll_up_is_the_sum_of_its_parts() -> None:
    counts = plain_cube()

    assert counts_of(counts, Cell()) == [3, 5, 6]
    assert counts_of(counts, Cell(office="leeds")) == [3, 5, 0]
    assert counts_of(counts, Cell(family="documents")) == [3, 5, 0]
    assert counts_of(counts, Cell(family="documents", failure="lost", office="leeds")) == [3, 5, 0]
    assert counts_of(counts, Cell("documents", "lost", "housing")) == [3, 1, 0]
    assert counts_of(counts, Cell("documents", "lost", "pensions", "leeds")) == [0, 4, 0]


def test_cells_with_too_few_complaints_are_counted_but_not_judged() -> None:
    counts = plain_cube()

    assert not any(cell.office == "hull" for cell in counts.cells)
    # At that office: the family and the failure, each alone and by service; all complaints, and by service.
    assert dict(counts.silent_counts) == {"delay": 4, "office": 1, "service × office": 1}


def test_later_weeks_are_as_if_they_had_not_been() -> None:
    counts = plain_cube(as_of_week=11)

    assert counts.last_week == 11
    assert EVERYTHING not in dict(counts.silent_counts)
    assert not any(cell.failure == "late" for cell in counts.cells)


def test_corrections_are_summed_like_other_rows() -> None:
    counts = plain_cube(WeeklyRow(11, "lost", "pensions", "leeds", -1))

    assert counts_of(counts, Cell("documents", "lost", "pensions", "leeds")) == [0, 3, 0]


def test_no_complaint_at_all_is_an_empty_cube() -> None:
    assert cube([], {}).cells == ()


def test_where_there_is_one_region_no_cell_names_it() -> None:
    counts = cube(ROWS[:4], dict.fromkeys(REGIONS, "here"))

    assert Cell("documents", "lost", office="leeds") in counts.cells
    assert not any("region" in cell.named for cell in counts.cells)


@pytest.mark.parametrize(("rows", "regions"), [(ROWS, REGIONS), (PLAIN, {})])
def test_every_parent_stands_before_its_child_and_contains_it(rows: list[WeeklyRow], regions: dict[str, str]) -> None:
    counts = cube(rows, regions)

    for index, parent in enumerate(counts.parents):
        assert parent < index
        assert parent == -1 or counts.cells[parent].contains(counts.cells[index])
    assert counts.cells[0] == Cell()
    assert (counts.parents == -1).sum() == 1


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (WeeklyRow(10, "lost", "housing", "leeds", -4, "web"), "less than nothing"),
        (WeeklyRow(10, "rude", "housing", "leeds", 1, "web"), "'rude' has no family"),
        (WeeklyRow(9, "lost", "housing", "leeds", 1, "web"), "before the first week"),
    ],
)
def test_a_row_without_a_place_is_refused(row: WeeklyRow, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        cube([*ROWS, row], REGIONS)


def test_served_and_weeks_left_out_are_those_of_the_cell_itself() -> None:
    counts = cube(ROWS, REGIONS)
    served = [Served(10, "housing", "leeds", 50.0), Served(11, "housing", "leeds", 150.0), Served(12, "x", "hull", 9.0)]
    fixed = LeftOut(Cell("documents"), 11, 40)

    reasons = reasons_for(counts, EVENTS, Outside(served=served, left_out=[fixed]), REGIONS)

    offset, masked = reasons.known.log_offset, reasons.known.masked
    assert offset is not None
    assert masked is not None
    leeds = counts.cells.index(Cell(office="leeds", further=(("region", "north"),)))
    np.testing.assert_allclose(np.exp(offset[leeds]), [0.5, 1.5, 1.0])
    york = counts.cells.index(Cell(office="york", further=(("region", "north"),)))
    assert not reasons.has_exposure[york]
    assert masked[counts.cells.index(Cell("documents", "lost"))].tolist() == [False, True, True]
    assert not masked[counts.cells.index(Cell("delay", "late"))].any()
    assert not masked[0].any()


def expected_ratio(served: list[Served], cell: Cell) -> list[float]:
    """Return what a cell's expectation is multiplied by, week by week, of housing in two offices of one region."""
    rows = [WeeklyRow(week, "lost", "housing", office, 5, "web") for week in (10, 11, 12) for office in ("a", "b")]
    rows += [WeeklyRow(10, "lost", "pensions", office, 5, "web") for office in ("a", "c")]
    events = events_of(rows, FAMILIES, {"a": "one", "b": "one", "c": "two"})
    counts = build_agency_cube(events, first_week=10, as_of_week=12)
    offset = reasons_for(counts, events, Outside(served=served), {"a": "one", "b": "one", "c": "two"}).known.log_offset
    assert offset is not None
    return [round(float(ratio), 3) for ratio in np.exp(offset[counts.cells.index(cell)])]


def test_a_week_counts_only_when_all_who_report_have_reported() -> None:
    served = [Served(week, "housing", "a", number) for week, number in ((10, 50.0), (11, 150.0), (12, 100.0))]
    served += [Served(week, "housing", "b", number) for week, number in ((10, 50.0), (11, 150.0))]

    assert expected_ratio(served, Cell(service="housing")) == [0.5, 1.5, 1.0]
    assert expected_ratio(served, Cell(service="housing", office="a", further=(("region", "one"),))) == [0.5, 1.5, 1.0]


def test_what_is_wider_than_those_who_report_is_held_against_no_report() -> None:
    served = [Served(week, "housing", "a", number) for week, number in ((10, 50.0), (11, 150.0), (12, 100.0))]

    for wider in (Cell(), Cell(service="housing"), Cell(office="a", further=(("region", "one"),))):
        assert expected_ratio(served, wider) == [1.0, 1.0, 1.0]


def test_a_week_in_which_nobody_was_served_is_a_usual_one() -> None:
    served = [Served(week, "housing", "a", number) for week, number in ((10, 0.0), (11, 150.0), (12, 50.0))]

    of_a = Cell(service="housing", office="a", further=(("region", "one"),))
    assert expected_ratio(served, of_a) == [1.0, 1.5, 0.5]


def test_with_nothing_known_nothing_is_said() -> None:
    reasons = reasons_for(cube(ROWS, REGIONS), EVENTS, Outside(closed_days=np.zeros(3)), REGIONS)

    assert (reasons.known.log_offset, reasons.known.masked, reasons.known.holidays, reasons.share) == (None,) * 4
