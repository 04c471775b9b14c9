# SPDX-License-Identifier: Apache-2.0
"""Which unusual cell tells the story, on agencies whose truth is known."""

from analytics.cube import Cell
from analytics.folding import by_strength, fold_in_order
from tests.unit.analytics.simulated import LAST_WEEK, Agency

SINCE = LAST_WEEK - 5
FAMILY = Cell("documents")
FAILURE = Cell("documents", "lost")
OTHER_FAILURE = Cell("documents", "wrong_form")
AT_LEEDS = Cell("documents", "lost", office="leeds")
AT_YORK = Cell("documents", "lost", office="york")
MANY_OFFICES = ("leeds", "york", "hull", "kent", "bath", "ely", "ripon", "truro")


def stories(agency: Agency) -> dict[Cell, set[Cell]]:
    return {finding.cell: set(finding.members) for finding in agency.found()}


def test_cells_of_a_failure_come_first_and_of_the_equally_strong_the_one_that_names_most() -> None:
    cells = [Cell(), FAMILY, FAILURE, AT_LEEDS, AT_YORK]
    strength = {0: 9.0, 1: 8.0, 2: 5.0, 3: 5.0 + 1e-12, 4: 7.0}

    assert by_strength(range(5), strength, cells) == [4, 3, 2, 0, 1]


def test_what_an_earlier_story_explains_becomes_its_member() -> None:
    explained_by = {1: 0, 2: None, 3: 2, 4: 0}

    assert fold_in_order(range(5), lambda index, heads: explained_by[index]) == {0: [1, 4], 2: [3]}


def test_a_failure_at_every_office_is_told_once_for_all_of_them() -> None:
    agency = Agency(1.0, seed=5)
    agency.plant(3.0, SINCE, "lost")

    assert stories(agency)[FAILURE] >= {FAMILY, AT_LEEDS, AT_YORK}


def test_two_failures_that_raise_their_family_are_two_stories() -> None:
    agency = Agency(1.0, seed=6)
    agency.plant(3.0, SINCE, "lost")
    agency.plant(2.0, SINCE, "wrong_form")

    told = stories(agency)

    assert set(told) == {FAILURE, OTHER_FAILURE}
    assert FAMILY in told[FAILURE]


def test_a_place_where_all_rises_a_little_tells_the_story_itself() -> None:
    agency = Agency(1.0, seed=5)
    for (_, _, office), counts in agency.counts.items():
        if office == "leeds":
            counts[-13:] = [1, 1, 1, 1, 1, 1, 1, 2, 1, 2, 2, 2, 2]  # of each failure too little to be called

    assert list(stories(agency)) == [Cell(office="leeds")]


def test_a_service_and_an_office_that_overlap_in_one_failure_are_one_story() -> None:
    agency = Agency(1.0, seed=2)
    agency.plant(4.0, SINCE, "lost", service="housing")

    assert AT_LEEDS in stories(agency)[Cell("documents", "lost", "housing")]


def test_two_offices_of_many_are_two_stories() -> None:
    agency = Agency(1.0, seed=6, offices=MANY_OFFICES)
    agency.plant(4.0, SINCE, "lost", office="leeds")
    agency.plant(4.0, SINCE, "lost", office="york")

    assert set(stories(agency)) == {AT_LEEDS, AT_YORK}


def test_a_family_at_one_office_joins_the_failure_that_raised_it_there_and_no_other() -> None:
    at_leeds = Cell("documents", office="leeds")
    agency = Agency(1.0, seed=6)
    agency.plant(3.0, SINCE, "lost")

    assert at_leeds in stories(agency)[FAILURE]

    agency = Agency(1.0, seed=6, offices=MANY_OFFICES)
    agency.plant(4.0, SINCE, "lost", office="york")
    agency.plant(4.0, SINCE, "wrong_form", office="leeds")

    told = stories(agency)

    assert at_leeds in told[Cell("documents", "wrong_form", office="leeds")]
    assert at_leeds not in told[AT_YORK]
