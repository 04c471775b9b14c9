# SPDX-License-Identifier: Apache-2.0
"""What is new, and what is only rare or only new at a place."""

import numpy as np
import pytest

from analytics.arrays import IntArray
from analytics.baseline import Baseline
from analytics.cube import Cell, CellCounts
from analytics.newcomers import has_past, new_kinds, new_since

BASELINE_WEEKS = 104
WEEKS = BASELINE_WEEKS + 27
KIND, AT_LEEDS, BY_PHONE, BY_PHONE_AT_LEEDS = (
    Cell("documents", "lost"),
    Cell("documents", "lost", office="leeds"),
    Cell(further=(("channel", "phone"),)),
    Cell(office="leeds", further=(("channel", "phone"),)),
)


def since(*weeks: int) -> IntArray:
    """Return counts of one a week from a week on, a row for each."""
    return np.array([[int(week >= first) for week in range(WEEKS)] for first in weeks], dtype=np.int64)


def cells(counts: IntArray, *named: Cell) -> CellCounts:
    count = len(named)
    return CellCounts(named, counts, 1_000, np.full(count, -1, dtype=np.int64), np.zeros(count, dtype=np.int64))


def baseline(weeks: int = BASELINE_WEEKS) -> Baseline:
    one = np.ones(1)
    return Baseline(WEEKS - 27 - weeks, weeks, np.ones((1, weeks + 27)), one, one[:, None])


def test_a_kind_is_new_while_nothing_of_it_has_been_learnt_from() -> None:
    for first, is_new in ((BASELINE_WEEKS, True), (BASELINE_WEEKS - 1, False)):
        counts = cells(since(first, first), KIND, AT_LEEDS)

        assert new_kinds(counts, baseline()) == ({"lost"} if is_new else set())
        assert new_since(counts, 0, baseline()) == (1_000 + first if is_new else None)
        assert new_since(counts, 1, baseline()) == (1_000 + first if is_new else None)


def test_a_failure_that_comes_to_another_place_is_nothing_new() -> None:
    counts = cells(since(0, BASELINE_WEEKS), KIND, AT_LEEDS)

    assert new_kinds(counts, baseline()) == set()
    assert new_since(counts, 1, baseline()) is None


def test_one_complaint_long_ago_and_a_kind_is_not_new() -> None:
    counts = since(BASELINE_WEEKS)
    counts[0, 3] = 1

    assert new_since(cells(counts, KIND), 0, baseline()) is None


def test_a_channel_that_is_opened_is_new_and_at_one_office_it_is_only_rare() -> None:
    counts = cells(since(BASELINE_WEEKS, BASELINE_WEEKS), BY_PHONE, BY_PHONE_AT_LEEDS)

    assert new_since(counts, 0, baseline()) == 1_000 + BASELINE_WEEKS
    assert new_since(counts, 1, baseline()) is None


def test_less_than_a_year_tells_nothing_new() -> None:
    assert new_since(cells(since(BASELINE_WEEKS), KIND), 0, baseline(51)) is None


@pytest.mark.parametrize(("first", "expected"), [(0, True), (49, True), (50, False)])
def test_a_past_is_three_complaints_a_year_before_the_baseline_ends(first: int, *, expected: bool) -> None:
    assert has_past(since(first), baseline(), 3).tolist() == [expected]
