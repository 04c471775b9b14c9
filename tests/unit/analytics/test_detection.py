# SPDX-License-Identifier: Apache-2.0
"""The weekly detection as a whole, on agencies whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from analytics.baseline import WEEKS_PER_YEAR
from analytics.cube import Cell
from analytics.detection import detect, hash_of_inputs
from analytics.dimensions import Overlaps
from analytics.scores import DetectionSettings, score_cells
from tests.unit.analytics.simulated import (
    LAST_WEEK,
    SETTINGS,
    WEEKS,
    Agency,
    counts_around,
    found_among_strangers,
    strangers,
)

LOST_AT_LEEDS = Cell("documents", "lost", "housing", "leeds")
LOST_AT_LEEDS_KEY = ("lost", "housing", "leeds")


@pytest.mark.parametrize(
    ("mean", "dispersion"), [(0.2, 1.0), (0.2, 1.5), (1.0, 1.0), (1.0, 2.0), (5.0, 1.0), (5.0, 3.0), (20.0, 1.2)]
)
def test_chance_alone_alarms_about_as_often_as_the_rate_says(mean: float, dispersion: float) -> None:
    counts = strangers(counts_around(np.full(WEEKS, mean), dispersion, 4_000, seed=11))

    scored = score_cells(counts, as_of_week=LAST_WEEK, settings=SETTINGS)

    assert scored is not None
    for rate in (0.05, 0.01):
        chance_error = 2 * np.sqrt(rate / 4_000)
        assert 0.6 * rate - chance_error <= (scored.scores.p_value <= rate).mean() <= 1.1 * rate + chance_error


def test_small_cells_judged_by_their_parents_do_not_alarm_more_often() -> None:
    share_of_alarms = []
    for seed in range(12):
        scored = score_cells(Agency(0.15, seed).cube(), as_of_week=LAST_WEEK, settings=SETTINGS)
        assert scored is not None
        share_of_alarms.append((scored.scores.p_value <= 0.05).mean())

    assert 0.02 <= np.mean(share_of_alarms) <= 0.065


def test_where_nothing_is_wrong_nothing_is_found() -> None:
    found = sum(len(Agency(0.5, seed).found()) for seed in range(20))

    assert found <= 3  # the false discovery rate allows a false finding in one such week of ten


@pytest.mark.parametrize(
    ("mean", "extra_times", "weeks"), [(0.2, 9.0, 8), (1.0, 2.0, 8), (5.0, 2.0, 3), (20.0, 2.0, 1)]
)
def test_a_cell_that_multiplies_is_found_within_weeks_and_by_name(mean: float, extra_times: float, weeks: int) -> None:
    since = LAST_WEEK - 12
    agency = Agency(mean, seed=3)
    agency.plant(extra_times, since, *LOST_AT_LEEDS_KEY)

    weeks_to_find = next(
        (
            week - since + 1
            for week in range(since, LAST_WEEK + 1)
            if any(finding.cell == LOST_AT_LEEDS for finding in agency.found(week))
        ),
        None,
    )

    assert weeks_to_find is not None
    assert weeks_to_find <= weeks


def test_the_same_failure_in_parent_and_child_is_one_finding() -> None:
    agency = Agency(1.0, seed=2)
    agency.plant(6.0, LAST_WEEK - 5, *LOST_AT_LEEDS_KEY)

    (finding,) = agency.found()

    assert finding.cell == LOST_AT_LEEDS
    assert Cell("documents", "lost", office="leeds") in finding.members
    assert all(member.contains(finding.cell) for member in finding.members)


def test_a_failure_at_every_office_is_one_finding_about_the_failure() -> None:
    agency = Agency(1.0, seed=5)
    agency.plant(2.0, LAST_WEEK - 5, "lost")

    (finding,) = agency.found()

    assert finding.cell == Cell("documents", "lost")


def test_two_failures_are_two_findings() -> None:
    agency = Agency(1.0, seed=6)
    agency.plant(4.0, LAST_WEEK - 5, "lost", office="leeds")
    agency.plant(4.0, LAST_WEEK - 5, "late", office="york")

    findings = agency.found()

    assert {finding.cell.failure for finding in findings} == {"lost", "late"}
    assert len(findings) == 2


def test_the_season_is_not_an_alarm() -> None:
    peak = LAST_WEEK
    wave = np.exp(0.8 * np.cos(2 * np.pi * (np.arange(WEEKS) - peak) / WEEKS_PER_YEAR))
    counts = strangers(counts_around(8.0 * wave, 1.3, 500, seed=7))

    assert found_among_strangers(counts, peak) == ()


def test_a_finding_gives_the_sums_it_rests_on() -> None:
    since = LAST_WEEK - 5
    agency = Agency(1.0, seed=2)
    agency.plant(6.0, since, *LOST_AT_LEEDS_KEY)

    (finding,) = agency.found()

    counts = agency.counts[LOST_AT_LEEDS_KEY]
    assert finding.observed_count == counts[-finding.window_weeks :].sum()
    assert finding.expected_count == pytest.approx(finding.window_weeks, rel=0.3)
    assert finding.observed_count > finding.threshold_count > finding.expected_count
    assert finding.excess_count == finding.observed_count - finding.expected_count
    assert abs(finding.began_week - since) <= 2
    assert finding.p_value <= finding.q_value <= SETTINGS.false_discovery_rate
    assert finding.recurrence_years == pytest.approx(1 / (finding.p_value * 52.18), rel=1e-3)
    assert finding.series.weeks[-1] == LAST_WEEK
    assert list(finding.series.observed_counts) == counts[-SETTINGS.chart_weeks :].tolist()
    lengths = {len(finding.series.expected_counts), len(finding.series.upper_band), len(finding.series.weeks)}
    assert lengths == {SETTINGS.chart_weeks}


def test_fewer_than_three_complaints_are_never_a_finding() -> None:
    agency = Agency(0.0, seed=0)
    agency.counts["late", "housing", "york"][:] = 1
    agency.counts["lost", "housing", "leeds"][-1] = 2

    assert not any(finding.cell.failure == "lost" for finding in agency.found())


def test_a_new_failure_that_comes_in_numbers_is_found() -> None:
    agency = Agency(0.5, seed=8)
    for key, counts in agency.counts.items():
        if key[0] == "rude":
            counts[:] = 0
    agency.counts["rude", "housing", "hull"][-2:] = 4

    (finding,) = agency.found()

    assert finding.cell == Cell("courtesy", "rude", "housing", "hull")
    assert Cell("courtesy", "rude") in finding.members


def test_later_weeks_change_nothing() -> None:
    agency = Agency(1.0, seed=2)
    agency.plant(6.0, LAST_WEEK - 9, *LOST_AT_LEEDS_KEY)
    counts, events = agency.cube(), agency.events()
    changed = replace(counts, counts=counts.counts.copy())
    changed.counts[:, -4:] *= 7
    changed_events = replace(events, count=np.where(events.week > LAST_WEEK - 4, events.count * 7, events.count))
    week = LAST_WEEK - 4

    found, found_in_changed = (
        detect(some, as_of_week=week, settings=SETTINGS, overlaps=Overlaps(behind, week))
        for some, behind in ((counts, events), (changed, changed_events))
    )

    assert found
    assert found_in_changed == found
    assert hash_of_inputs(changed, as_of_week=week, settings=SETTINGS) == hash_of_inputs(
        counts, as_of_week=week, settings=SETTINGS
    )


def test_whatever_the_answer_rests_on_is_in_the_hash() -> None:
    counts = Agency(1.0, seed=2).cube()
    other = replace(counts, counts=counts.counts.copy())
    other.counts[3, 7] += 1
    hashes = {
        hash_of_inputs(counts, as_of_week=LAST_WEEK, settings=SETTINGS),
        hash_of_inputs(counts, as_of_week=LAST_WEEK - 1, settings=SETTINGS),
        hash_of_inputs(counts, as_of_week=LAST_WEEK, settings=DetectionSettings(floor_count=4)),
        hash_of_inputs(other, as_of_week=LAST_WEEK, settings=SETTINGS),
        hash_of_inputs(replace(counts, silent_counts=(("x", 1),)), as_of_week=LAST_WEEK, settings=SETTINGS),
    }

    assert len(hashes) == 5


@pytest.mark.parametrize("weeks", [1, 3, 10, 16, 20, 40, 70])
def test_a_short_history_is_judged_with_care_or_not_at_all(weeks: int) -> None:
    counts = strangers(counts_around(np.full(weeks, 5.0), 1.0, 200, seed=9))

    assert found_among_strangers(counts, weeks - 1) == ()


def test_no_week_is_both_learnt_from_and_judged() -> None:
    counts = strangers(counts_around(np.full(20, 5.0), 1.0, 5, seed=9))

    scored = score_cells(counts, as_of_week=19, settings=SETTINGS)

    assert scored is not None
    assert scored.windows == (1, 2, 4)


def test_cells_looked_at_in_silence_make_the_others_less_certain() -> None:
    agency = Agency(1.0, seed=2)
    agency.plant(6.0, LAST_WEEK - 5, *LOST_AT_LEEDS_KEY)
    counts = agency.cube()

    few, many = (
        score_cells(replace(counts, silent_counts=silent), as_of_week=LAST_WEEK, settings=SETTINGS)
        for silent in ((), (("documents", 1_000),))
    )

    assert few is not None
    assert many is not None
    assert many.q_values.min() > few.q_values.min()


def test_however_many_false_discoveries_are_allowed_no_cell_is_called_unusual_that_chance_often_gives() -> None:
    settings = DetectionSettings(false_discovery_rate=0.95)

    findings = [finding for seed in range(4) for finding in Agency(1.0, seed).found(settings=settings)]

    assert findings
    assert all(finding.p_value <= settings.false_alarm_rate for finding in findings)


def test_a_quiet_time_before_is_not_when_it_began() -> None:
    counts = np.full((1, WEEKS), 10, dtype=np.int64)
    counts[0, -26:] = 0
    counts[0, -25] = 11
    counts[0, -2:] = 30

    (finding,) = found_among_strangers(strangers(counts), LAST_WEEK)

    assert finding.began_week == LAST_WEEK - 1


def test_an_outbreak_in_the_first_year_of_an_agency_is_found() -> None:
    agency = Agency(1.0, seed=10, weeks=40)
    agency.plant(6.0, 37, *LOST_AT_LEEDS_KEY)

    findings = agency.found()

    assert [finding.cell for finding in findings] == [LOST_AT_LEEDS]


def test_an_empty_cube_has_no_findings() -> None:
    agency = Agency(0.0, seed=0)

    assert agency.found() == ()


def test_a_week_outside_the_counts_is_refused() -> None:
    agency = Agency(1.0, seed=2)
    later = Overlaps(agency.events(), LAST_WEEK + 1)

    with pytest.raises(ValueError, match="outside the counts"):
        detect(agency.cube(), as_of_week=LAST_WEEK + 1, settings=SETTINGS, overlaps=later)


@pytest.mark.parametrize(
    "bad",
    [{"windows": ()}, {"windows": (0, 1)}, {"windows": (2, 1)}, {"windows": (1, 1)}, {"false_discovery_rate": 1.0}],
)
def test_settings_without_sense_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"Windows|Rates"):
        DetectionSettings(**bad)  # type: ignore[arg-type]


def test_next_weeks_finding_is_known_as_the_same_matter() -> None:
    agency = Agency(1.0, seed=2)
    agency.plant(6.0, LAST_WEEK - 9, *LOST_AT_LEEDS_KEY)
    (earlier,) = agency.found(LAST_WEEK - 4)
    (later,) = agency.found()

    assert later.is_same_matter_as(earlier.cells)
    assert not later.is_same_matter_as((Cell("delay", "late"),))
    assert not later.is_same_matter_as((Cell("documents", "lost", office="york"),))
