# SPDX-License-Identifier: Apache-2.0
"""What holds for any counts whatever."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.agency_cube import ABOVE, build_agency_cube, events_of
from analytics.cube import Cell, WeeklyRow
from analytics.detection import Finding, detect
from analytics.dimensions import Events, Overlaps, build_any_cube
from analytics.multiplicity import benjamini_hochberg, tree_benjamini_hochberg
from analytics.scores import DetectionSettings, score_cells
from analytics.tails import critical_count, smallest_p_over_windows, tail_probability
from analytics.wording import Labels, sentences

FAMILIES = {"lost": "documents", "wrong_form": "documents", "late": "delay"}
REGIONS = {"leeds": "north", "york": "north", "hull": "south"}
LAST_WEEK = 99

rows = st.builds(
    WeeklyRow,
    week=st.integers(0, LAST_WEEK),
    failure=st.sampled_from(sorted(FAMILIES)),
    service=st.sampled_from(["housing", "pensions"]),
    office=st.sampled_from(sorted(REGIONS)),
    count=st.integers(0, 60),
    channel=st.sampled_from(["web", "post"]),
)
probabilities = st.floats(1e-12, 1.0)
means = st.floats(1e-4, 2_000.0)
dispersions = st.floats(1.0, 20.0)
relative_variances = st.floats(0.0, 2.0)


@given(means, dispersions, relative_variances, st.floats(1e-9, 0.5))
def test_the_critical_count_is_the_smallest_that_is_rare_enough(
    mean: float, dispersion: float, relative_variance: float, level: float
) -> None:
    m, d, v = np.array([mean]), np.array([dispersion]), np.array([relative_variance])

    critical = critical_count(np.array([level]), m, d, v)

    assert tail_probability(critical, m, d, v)[0] <= level
    assert tail_probability(critical - 1, m, d, v)[0] > level


@settings(deadline=None)
@given(st.lists(st.tuples(means, dispersions, relative_variances, st.integers(0, 3_000)), min_size=1, max_size=8))
def test_looking_at_more_windows_never_makes_a_cell_less_likely_than_its_least_likely_window(
    cells: list[tuple[float, float, float, int]],
) -> None:
    mean, dispersion, variance, count = (np.array(values) for values in zip(*cells, strict=True))
    observed = np.column_stack([count, count + count // 2])
    scores = smallest_p_over_windows(
        observed, np.column_stack([mean, 2 * mean]), dispersion, np.column_stack([variance, variance]), floor_count=3
    )

    assert ((scores.p_value > 0) & (scores.p_value <= 1)).all()
    assert (scores.p_value >= scores.p_by_window.min(axis=1)).all()


@given(st.lists(probabilities, min_size=1, max_size=40), st.integers(0, 30))
def test_q_values_keep_the_order_of_the_p_values_and_never_lie_below_them(values: list[float], silent: int) -> None:
    p_values = np.array(values)
    q_values = benjamini_hochberg(p_values, tested_count=len(values) + silent)

    assert (q_values >= p_values * (1 - 1e-12)).all()
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(q_values[order]) >= 0).all()


@given(st.lists(st.tuples(probabilities, st.integers(0, 4)), min_size=1, max_size=40), st.floats(0.001, 0.9))
def test_a_q_value_selects_what_the_two_step_procedure_selects(cells: list[tuple[float, int]], rate: float) -> None:
    p_values = np.array([p for p, _ in cells])
    families = np.array([family for _, family in cells], dtype=np.int64)
    tested = np.bincount(families, minlength=5) + 1
    within = np.ones(len(cells))
    for family in range(5):
        within[families == family] = benjamini_hochberg(p_values[families == family], tested_count=int(tested[family]))
    simes = np.array([within[families == family].min(initial=1.0) for family in range(5)])
    selected_families = benjamini_hochberg(simes) <= rate
    selected = selected_families[families] & (within <= rate * selected_families.sum() / 5)

    by_q = tree_benjamini_hochberg(p_values, families, tested) <= rate

    # Where a cell stands exactly on the line, rounding may fall either way.
    on_the_line = np.isclose(within * 5, rate * selected_families.sum(), rtol=1e-9)
    np.testing.assert_array_equal(by_q[~on_the_line], selected[~on_the_line])


def events(given_rows: list[WeeklyRow]) -> Events:
    return events_of(given_rows, FAMILIES, REGIONS)


def found(given_rows: list[WeeklyRow]) -> tuple[Finding, ...]:
    those = events(given_rows)
    counts = build_agency_cube(those, first_week=0, as_of_week=LAST_WEEK)
    return detect(counts, as_of_week=LAST_WEEK, settings=DetectionSettings(), overlaps=Overlaps(those, LAST_WEEK))


@settings(deadline=None, max_examples=40)
@given(st.lists(rows, max_size=60))
def test_every_level_of_the_cube_holds_every_complaint(given_rows: list[WeeklyRow]) -> None:
    counts = build_any_cube(events(given_rows), first_week=0, as_of_week=LAST_WEEK, least_recent_count=0, above=ABOVE)

    for level in set(counts.levels.tolist()):
        assert counts.counts[counts.levels == level].sum() == sum(row.count for row in given_rows)


@settings(deadline=None, max_examples=40)
@given(st.lists(rows | st.builds(replace, rows, office=st.just(""), channel=st.just("")), max_size=60))
def test_every_cell_holds_the_complaints_within_it_and_no_others(given_rows: list[WeeklyRow]) -> None:
    counts = build_agency_cube(events(given_rows), first_week=0, as_of_week=LAST_WEEK)

    for cell, of_cell in zip(counts.cells, counts.counts, strict=True):
        inside = [row for row in given_rows if cell.contains(leaf_of(row))]
        summed = np.bincount([row.week for row in inside], [row.count for row in inside], minlength=LAST_WEEK + 1)
        np.testing.assert_array_equal(of_cell, summed)


def leaf_of(row: WeeklyRow) -> Cell:
    """Return the cell that names all that has been said of a row."""
    further = (("channel", row.channel), ("region", REGIONS.get(row.office, "")))
    return Cell(FAMILIES[row.failure], row.failure, row.service, row.office, further)


@settings(deadline=None, max_examples=25)
@given(st.lists(rows, min_size=1, max_size=120))
def test_any_counts_give_the_same_sound_findings_in_any_order_of_rows(given_rows: list[WeeklyRow]) -> None:
    shuffled = sorted(given_rows, key=lambda row: (row.count, row.office, row.week, row.failure, row.service))

    findings = found(given_rows)

    assert findings == found(shuffled)
    for finding in findings:
        assert finding.observed_count >= 3
        assert finding.observed_count > finding.threshold_count
        assert finding.began_week <= LAST_WEEK
        assert all(sentence.endswith(".") for sentence in sentences(finding, Labels()))
    heads_and_members = [cell for finding in findings for cell in finding.cells]
    assert len(set(heads_and_members)) == len(heads_and_members)


@settings(deadline=None, max_examples=25)
@given(st.lists(rows, min_size=1, max_size=60))
def test_one_complaint_more_in_the_latest_week_never_makes_a_cell_less_unusual(given_rows: list[WeeklyRow]) -> None:
    row = WeeklyRow(LAST_WEEK, "lost", "housing", "leeds", 5, "web")
    more = replace(row, count=1)
    before, after = (
        build_agency_cube(events(some), first_week=0, as_of_week=LAST_WEEK)
        for some in ([*given_rows, row], [*given_rows, row, more])
    )
    scored_before, scored_after = (
        score_cells(counts, as_of_week=LAST_WEEK, settings=DetectionSettings()) for counts in (before, after)
    )

    assert scored_before is not None
    assert scored_after is not None
    assert before.cells == after.cells
    assert (scored_after.scores.p_value <= scored_before.scores.p_value * (1 + 1e-6)).all()
