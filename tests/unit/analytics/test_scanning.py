# SPDX-License-Identifier: Apache-2.0
"""Series judged week by week, from the weeks before alone."""

from dataclasses import replace

import numpy as np
import pytest

from analytics.arrays import IntArray
from analytics.baseline import KnownReasons
from analytics.scanning import Judged, ScanSettings, scan
from tests.unit.analytics.simulated import WEEKS, counts_around

SETTINGS = ScanSettings(windows=(1, 2, 4))


def judged(counts: IntArray, weeks: int = 3, settings: ScanSettings = SETTINGS) -> Judged:
    return scan(counts, first_judged=counts.shape[1] - weeks, first_week=0, settings=settings)


def test_a_sudden_rise_is_an_alarm_and_plain_weeks_are_none() -> None:
    counts = np.full((1, WEEKS), 5, dtype=np.int64)
    counts[0, -1] = 25

    result = judged(counts)

    assert result.alarm[0].tolist() == [False, False, True]
    assert result.p_value[0, -1] < 0.001
    np.testing.assert_allclose(result.expected[0], 5.0, rtol=0.05)


def test_later_weeks_change_nothing() -> None:
    counts = counts_around(np.full(WEEKS, 3.0), 1.5, 5, seed=31)
    changed = counts.copy()
    changed[:, -1] += 40

    before, after = judged(counts), judged(changed)

    np.testing.assert_array_equal(before.p_value[:, :-1], after.p_value[:, :-1])
    np.testing.assert_array_equal(before.threshold[:, :-1], after.threshold[:, :-1])


def test_a_week_is_judged_the_same_wherever_the_judging_begins() -> None:
    counts = counts_around(np.full(400, 2.0), 1.0, 4, seed=32)

    np.testing.assert_array_equal(judged(counts, weeks=1).p_value[:, -1], judged(counts, weeks=6).p_value[:, -1])


def test_the_order_and_company_of_series_change_nothing() -> None:
    counts = counts_around(np.full(WEEKS, 2.0), 2.0, 6, seed=33)
    shuffled = np.array([4, 2, 0, 5, 1, 3])

    together = judged(counts).p_value

    np.testing.assert_allclose(judged(counts[shuffled]).p_value, together[shuffled], rtol=1e-9)
    np.testing.assert_allclose(judged(counts[:1]).p_value, together[:1], rtol=1e-9)


@pytest.mark.parametrize("mean", [0.1, 2.0, 40.0])
def test_more_complaints_in_the_week_are_never_more_likely_by_chance(mean: float) -> None:
    past = counts_around(np.full(WEEKS, mean), 1.3, 1, seed=34)
    counts = np.repeat(past, 30, axis=0)
    counts[:, -1] = np.arange(30) * max(1, int(mean / 10))

    p = judged(counts, weeks=1).p_value[:, -1]

    assert (np.diff(p) <= 1e-9).all()


def test_an_alarm_is_a_count_above_its_threshold() -> None:
    counts = counts_around(np.full(WEEKS, 4.0), 2.0, 200, seed=35)
    counts[:100, -2:] += 6

    result = judged(counts)

    assert result.alarm.any()
    np.testing.assert_array_equal(result.alarm, result.observed > result.threshold)


def test_the_threshold_is_about_where_alarms_begin() -> None:
    past = counts_around(np.full(WEEKS, 6.0), 1.0, 1, seed=36)
    counts = np.repeat(past, 40, axis=0)
    counts[:, -1] = np.arange(40)

    result = judged(counts, weeks=1)

    begins = int(result.alarm[:, -1].argmax())
    assert abs(result.threshold[0, -1] + 1 - begins) <= 1


def test_after_weeks_of_too_many_a_week_of_the_usual_count_goes_on_with_the_alarm_so_its_threshold_is_below() -> None:
    counts = counts_around(np.full(WEEKS, 20.0), 1.0, 1, seed=38)
    counts[0, -3:] = (42, 35, 23)
    fallen_back = counts.copy()
    fallen_back[0, -1] = 12

    result, ended = judged(counts), judged(fallen_back)

    assert result.alarm[0].tolist() == [True, True, True]
    assert result.threshold[0, 0] > result.expected[0, 0]
    assert (result.threshold[0, 1:] < result.expected[0, 1:]).all()
    assert not ended.alarm[0, -1]


def test_chance_alone_alarms_no_more_often_than_it_says() -> None:
    settings = replace(SETTINGS, windows=(1, 2))
    counts = np.concatenate([counts_around(np.full(WEEKS, mean), 1.5, 500, seed=37) for mean in (0.3, 2.0, 10.0)])

    result = judged(counts, weeks=2, settings=settings)

    for rate in (0.01, 0.05):
        assert (result.p_value <= rate).mean() <= 1.3 * rate + 2 * np.sqrt(rate / result.p_value.size)
    assert (result.p_value <= 0.05).mean() >= 0.025


def test_a_week_with_too_little_past_is_not_judged() -> None:
    result = judged(np.full((1, 14), 9, dtype=np.int64), weeks=2)

    assert np.isnan(result.p_value).all()
    assert not result.alarm.any()


def test_more_served_is_no_alarm() -> None:
    volume = np.ones((1, WEEKS))
    volume[0, -2:] = 4.0
    counts = counts_around(np.full(WEEKS, 10.0), 1.0, 1, seed=38)
    counts[0, -2:] = 40

    told = scan(
        counts, first_judged=WEEKS - 2, first_week=0, settings=SETTINGS, known=KnownReasons(log_offset=np.log(volume))
    )

    assert not told.alarm.any()
    assert judged(counts).alarm[0, -1]


@pytest.mark.parametrize("windows", [(), (0, 1), (2, 1), (1, 1), (1, 27)])
def test_windows_that_make_no_sense_are_refused(windows: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="indow"):
        ScanSettings(windows=windows)
