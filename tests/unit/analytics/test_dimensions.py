# SPDX-License-Identifier: Apache-2.0
"""Cells over any dimensions: which stands above which, their sums, and where a planted failure is found."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.card import parts_of, rank_findings, where_exactly
from analytics.cube import Cell, CellCounts
from analytics.detection import Finding, detect
from analytics.dimensions import Events, Overlaps, build_any_cube, levels_of, nesting
from analytics.scores import DetectionSettings

WEEKS = 5 * 52 + 27
LAST_WEEK = WEEKS - 1
SETTINGS = DetectionSettings()
PRODUCTS = ("card", "loan", "mortgage", "savings")
OFFICES = ("hull", "kent", "leeds", "york")
REGIONS = ("north", "south")
REGION_OF = np.array([0, 1, 0, 1])
CHANNELS = ("phone", "post", "web")


def cell(**named: str) -> Cell:
    return Cell(office=named.pop("office", ""), further=tuple(sorted(named.items())))


def made_up(
    seed: int, planted: dict[str, str] | None = None, *, mean: float = 1.0, times: float = 1.0, since: int = LAST_WEEK
) -> Events:
    """Return complaints by product, office in its region and channel, `planted` ones raised since a week."""
    rng = np.random.default_rng(seed)
    named = {"product": PRODUCTS, "office": OFFICES, "channel": CHANNELS}
    product, office, channel, week = (
        axis.ravel() for axis in np.meshgrid(*(np.arange(size) for size in (4, 4, 3, WEEKS)), indexing="ij")
    )
    rate = np.full(len(week), mean)
    is_raised = week >= since
    for (name, values), codes in zip(named.items(), (product, office, channel), strict=True):
        if planted and name in planted:
            is_raised &= codes == values.index(planted[name])
    rate[is_raised] *= times
    return Events(
        names=("product", "office", "region", "channel"),
        values=(PRODUCTS, OFFICES, REGIONS, CHANNELS),
        codes=np.column_stack([product, office, REGION_OF[office], channel]),
        week=week,
        count=rng.poisson(rate),
    )


def found(events: Events) -> tuple[Finding, ...]:
    cube = build_any_cube(events, first_week=0, as_of_week=LAST_WEEK)
    return detect(cube, as_of_week=LAST_WEEK, settings=SETTINGS, overlaps=Overlaps(events, LAST_WEEK))


def counts_of(counts: CellCounts, which: Cell) -> list[int]:
    return [int(count) for count in counts.counts[counts.cells.index(which)]]


def test_a_region_is_seen_to_stand_above_its_offices() -> None:
    assert nesting(made_up(1)) == {"office": "region"}


def test_of_two_dimensions_that_rename_each_other_the_first_stands_above() -> None:
    two = np.array([[0, 1], [1, 0], [2, 2]])
    events = Events(
        ("code", "name"), (("a", "b", "c"), ("x", "y", "z")), two, np.zeros(3, np.int64), np.ones(3, np.int64)
    )

    assert nesting(events) == {"name": "code"}


def test_levels_name_up_to_three_dimensions_none_above_another_and_parents_come_first() -> None:
    levels = levels_of(("product", "office", "region", "channel"), {"office": "region"})

    names = [level for level, _ in levels]
    assert len(names) == len(set(names)) == 1 + 4 + 5 + 2
    assert ("office", "region") not in names
    assert all(parent < place for place, (_, parent) in enumerate(levels))
    parent_of = {level: names[parent] for level, parent in levels if parent >= 0}
    assert parent_of["product", "office"] == ("product", "region")
    assert parent_of["product", "region"] == ("product",)


def test_cells_are_the_sums_of_their_events_and_parents_contain_them() -> None:
    events = made_up(2)
    cube = build_any_cube(events, first_week=0, as_of_week=LAST_WEEK)

    at_leeds = (events.codes[:, 1] == 2) & (events.codes[:, 3] == 1)
    expected = np.bincount(events.week[at_leeds], events.count[at_leeds], minlength=WEEKS)
    assert counts_of(cube, cell(office="leeds", region="north", channel="post")) == expected.tolist()
    assert counts_of(cube, Cell()) == np.bincount(events.week, events.count).tolist()
    for index, parent in enumerate(cube.parents):
        assert parent == -1 or cube.cells[parent].contains(cube.cells[index])
    assert (cube.parents == -1).sum() == 1
    assert len(set(cube.cells)) == len(cube.cells)


def test_where_there_are_too_many_cells_more_is_asked_of_each() -> None:
    events = made_up(3)
    all_cells = build_any_cube(events, first_week=0, as_of_week=LAST_WEEK)

    fewer = build_any_cube(events, first_week=0, as_of_week=LAST_WEEK, most_cells=40)

    assert len(fewer.cells) <= 40 < len(all_cells.cells)
    assert len(fewer.cells) + sum(count for _, count in fewer.silent_counts) == len(all_cells.cells)


def test_a_dimension_of_one_value_makes_no_cells() -> None:
    events = made_up(4)
    one = Events(
        (*events.names, "agency"),
        (*events.values, ("us",)),
        np.column_stack([events.codes, np.zeros(len(events.week), np.int64)]),
        events.week,
        events.count,
    )

    cube = build_any_cube(one, first_week=0, as_of_week=LAST_WEEK)

    assert cube.cells == build_any_cube(events, first_week=0, as_of_week=LAST_WEEK).cells


@pytest.mark.parametrize(
    "planted",
    [
        {"product": "loan", "office": "kent"},
        {"product": "card"},
        {"product": "savings", "office": "leeds", "channel": "web"},
    ],
)
def test_a_planted_failure_is_one_finding_under_its_own_name(planted: dict[str, str]) -> None:
    (finding,) = found(made_up(5, planted, times=4.0, since=LAST_WEEK - 5))

    region = {"region": REGIONS[REGION_OF[OFFICES.index(planted["office"])]]} if "office" in planted else {}
    assert finding.cell.named == planted | region
    assert all(member.overlaps(finding.cell) for member in finding.members)


def test_where_nothing_is_wrong_nothing_is_found() -> None:
    assert sum(len(found(made_up(seed, mean=0.5))) for seed in range(20, 26)) <= 1


def test_the_card_says_which_parts_hold_the_excess() -> None:
    events = made_up(6, {"product": "loan"}, times=3.0, since=LAST_WEEK - 5)
    (finding,) = found(events)
    rows = events.rows_of(finding.cell)

    by_office = parts_of(finding, events.codes[rows, 1], events.week[rows], events.count[rows], 4)

    assert by_office.observed.sum() == finding.observed_count
    assert by_office.expected.sum() == pytest.approx(finding.expected_count)
    assert by_office.expected == pytest.approx(np.full(4, finding.expected_count / 4), rel=0.1)
    where = where_exactly(finding, by_office, seed=1)
    assert where.is_member.all()
    assert where.p_value == 0.001


def test_findings_are_ranked_by_the_excess_they_have_at_least() -> None:
    findings = found(made_up(7, {"product": "loan", "office": "kent"}, times=4.0, since=LAST_WEEK - 5))
    once = rank_findings(findings)

    twice = rank_findings(findings, harm=[2.0])

    assert 0 < once.excess_per_quarter[0] < 13 / findings[0].window_weeks * findings[0].excess_count
    assert twice.priority[0] == 2 * once.priority[0]


@pytest.mark.parametrize(("week", "count", "sentence"), [(-1, 1, "before the first week"), (0, -1, "negative")])
def test_events_without_a_place_are_refused(week: int, count: int, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        build_any_cube(
            Events(("a",), (("x",),), np.zeros((1, 1), np.int64), np.array([week]), np.array([count])),
            first_week=0,
            as_of_week=3,
        )
