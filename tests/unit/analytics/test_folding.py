# SPDX-License-Identifier: Apache-2.0
"""Which unusual cell tells the story."""

from analytics.cube import Cell
from analytics.folding import fold

EVERYTHING = Cell()
FAMILY = Cell("documents")
FAILURE = Cell("documents", "lost")
OTHER_FAILURE = Cell("documents", "wrong_form")
IN_HOUSING = Cell("documents", "lost", "housing")
AT_LEEDS = Cell("documents", "lost", office="leeds")
AT_YORK = Cell("documents", "lost", office="york")
HOUSING_LEEDS = Cell("documents", "lost", "housing", "leeds")


class Excesses:
    """Evidence that is written down; four fifths explain the whole."""

    def __init__(self, excesses: list[float]) -> None:
        self._excesses = excesses

    def excess(self, cell: int, window_of: int) -> float:
        return self._excesses[cell]

    def explains(self, excess: float, of: int) -> bool:
        return excess >= 0.8 * self._excesses[of]


def folded(excess: dict[Cell, float], usual: dict[Cell, float] | None = None) -> dict[Cell, set[Cell]]:
    cells = [*excess, *(usual or {})]
    index_of = {cell: index for index, cell in enumerate(cells)}
    evidence = Excesses([*excess.values(), *(usual or {}).values()])
    heads = fold(range(len(excess)), cells, index_of, evidence)
    return {cells[head]: {cells[member] for member in members} for head, members in heads.items()}


def test_the_narrowest_cell_that_explains_the_excess_tells_the_story() -> None:
    assert folded({EVERYTHING: 11, FAMILY: 10, FAILURE: 10, IN_HOUSING: 10, AT_LEEDS: 9, HOUSING_LEEDS: 9}) == {
        HOUSING_LEEDS: {EVERYTHING, FAMILY, FAILURE, IN_HOUSING, AT_LEEDS}
    }


def test_a_failure_at_every_office_is_told_once_for_all_of_them() -> None:
    assert folded({FAMILY: 20, FAILURE: 20, AT_LEEDS: 9, AT_YORK: 11}) == {FAILURE: {FAMILY, AT_LEEDS, AT_YORK}}


def test_two_failures_that_raise_their_family_are_two_stories() -> None:
    heads = folded({FAMILY: 20, FAILURE: 11, OTHER_FAILURE: 9})

    assert heads == {FAILURE: {FAMILY}, OTHER_FAILURE: set()}


def test_a_family_that_rose_beyond_its_unusual_failures_is_the_story() -> None:
    assert folded({FAMILY: 40, FAILURE: 11, OTHER_FAILURE: 9}) == {FAMILY: {FAILURE, OTHER_FAILURE}}


def test_a_service_and_an_office_that_overlap_in_one_failure_are_one_story() -> None:
    assert folded({IN_HOUSING: 10, AT_LEEDS: 8}) == {IN_HOUSING: {AT_LEEDS}}


def test_two_offices_alone_are_two_stories() -> None:
    assert folded({AT_LEEDS: 8, AT_YORK: 9}) == {AT_LEEDS: set(), AT_YORK: set()}


def test_a_family_at_one_office_joins_the_failure_that_raised_it_there() -> None:
    family_at_leeds = Cell("documents", office="leeds")

    assert folded({FAILURE: 20, family_at_leeds: 7}, usual={AT_LEEDS: 6}) == {FAILURE: {family_at_leeds}}
    assert folded({FAILURE: 20, family_at_leeds: 7}, usual={AT_LEEDS: 2}) == {FAILURE: set(), family_at_leeds: set()}


def test_nothing_unusual_is_no_story() -> None:
    assert folded({}) == {}
