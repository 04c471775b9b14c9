# SPDX-License-Identifier: Apache-2.0
"""What a plan is proposed from: controls that share nothing with the target, the year before, when one will know."""

from __future__ import annotations

from datetime import date, timedelta

from analytics.effect import EffectSettings
from analytics.effect_power import weeks_needed
from api.past import past_of
from api.planning import candidates, countable, is_new_since, judged_from
from models.aggregates import Cell
from models.fixes.cells import by_kind, name_of_cell, weekly
from models.fixes.commands import CellRef
from models.fixes.watching import LEAST_WEEKS_BEFORE, LEAST_WEEKS_TO_REFUTE
from tests.given import a_policy

POLICY = a_policy()
TODAY = date(2026, 3, 4)
LAST_WEEK = date(2026, 2, 23)
TARGET = CellRef(measure="cause", family="HND", code="HND3", service="benefits", office="northgate")


def counts(*told: tuple[str, str, int], weeks: int = 52) -> dict[Cell, int]:
    """Return weekly counts of failures at offices, for benefits by web and by telephone."""
    return {
        Cell("cause", code, "benefits", office, channel, LAST_WEEK - timedelta(weeks=back)): number
        for code, office, number in told
        for channel in ("web", "phone")
        for back in range(weeks)
    }


KINDS = by_kind(counts(("HND3", "northgate", 2), ("HND3", "harbor", 5), ("TIM2", "northgate", 3)), POLICY)


def test_controls_are_the_same_failure_elsewhere_and_other_failures_in_the_same_place() -> None:
    found = candidates((TARGET,), KINDS, POLICY)

    assert [(each.ref.family, each.ref.code, each.ref.office, each.per_week) for each in found] == [
        ("HND", "HND3", "harbor", 10.0),
        ("TIM", None, "northgate", 6.0),
    ]
    assert all(each.is_proposed for each in found)


def test_where_what_is_near_brings_too_little_to_compare_with_the_service_at_all_offices_is_proposed() -> None:
    seldom = ("HND3", "northgate", 4), ("HND3", "harbor", 1), ("TIM2", "northgate", 1)
    kinds = by_kind(counts(*seldom, ("TIM2", "harbor", 20)), POLICY)
    enough = by_kind(counts(*seldom[:2], ("TIM2", "northgate", 16), ("TIM2", "harbor", 20)), POLICY)

    proposed, plenty = (
        [(ref.code or ref.family, ref.office) for ref in (each.ref for each in found if each.is_proposed)]
        for found in (candidates((TARGET,), kinds, POLICY), candidates((TARGET,), enough, POLICY))
    )

    assert proposed == [("TIM", None), ("HND3", "harbor")]
    assert plenty == [("TIM", "northgate"), ("HND3", "harbor")]


def test_what_shares_complaints_with_another_target_is_no_control() -> None:
    found = candidates((TARGET, TARGET.model_copy(update={"office": "harbor"})), KINDS, POLICY)

    assert [each.ref.office for each in found] == ["northgate"]


def test_the_rate_before_leaves_the_weeks_out_that_raised_the_signal() -> None:
    high = {Cell("cause", "HND3", "benefits", "northgate", "web", LAST_WEEK): 80}
    kinds = by_kind(counts(("HND3", "northgate", 2)) | high, POLICY)

    with_it = past_of((TARGET,), (), kinds, TODAY, planned_on=TODAY)
    without_it = past_of(
        (TARGET,), (), kinds, TODAY, planned_on=TODAY, trigger=(LAST_WEEK, LAST_WEEK + timedelta(days=6))
    )

    assert with_it.per_week > 4
    assert (without_it.per_week, without_it.weeks) == (4.0, 51)


def test_a_failure_that_was_hardly_there_before_is_compared_with_the_weeks_since_it_began() -> None:
    began, trigger = LAST_WEEK - timedelta(weeks=19), (LAST_WEEK - timedelta(weeks=3), LAST_WEEK + timedelta(days=6))
    brand_new = by_kind(counts(("HND3", "northgate", 5), weeks=20), POLICY)

    assert is_new_since((TARGET,), brand_new, began, TODAY)
    assert not is_new_since((TARGET,), KINDS, began, TODAY)
    past = past_of((TARGET,), (), brand_new, TODAY, planned_on=TODAY, trigger=trigger, compared_from=began)
    assert (past.per_week, past.weeks, past.weeks_before) == (10.0, 16, 16)


def test_a_failure_of_the_last_weeks_can_be_judged_once_six_weeks_that_did_not_raise_its_signal_lie_before() -> None:
    began, raised_until = LAST_WEEK - timedelta(weeks=3), LAST_WEEK - timedelta(days=1)
    trigger = (began, raised_until)
    brand_new = by_kind(counts(("HND3", "northgate", 5), weeks=4), POLICY)

    soonest = judged_from(began, trigger)
    in_time, too_soon = (
        past_of((TARGET,), (), brand_new, TODAY, planned_on=day, trigger=trigger, compared_from=began)
        for day in (soonest, soonest - timedelta(days=1))
    )

    assert soonest == began + timedelta(weeks=3 + 6)
    assert (in_time.per_week, in_time.weeks, in_time.weeks_before, too_soon.weeks_before) == (10.0, 4, 6, 5)
    assert in_time.weeks_needed(0.7) is not None
    assert too_soon.weeks_needed(0.7) is None
    assert too_soon.is_too_short


def test_as_few_weeks_are_asked_for_as_the_verdict_asks_for() -> None:
    assert EffectSettings().least_weeks_before == LEAST_WEEKS_BEFORE
    assert EffectSettings().least_weeks_to_refute == LEAST_WEEKS_TO_REFUTE


def test_the_look_day_is_that_of_the_power_table_and_none_by_which_nobody_could_say_that_it_does_not_work() -> None:
    past = past_of((TARGET,), [candidates((TARGET,), KINDS, POLICY)[0].ref], KINDS, TODAY, planned_on=TODAY)

    weeks = past.weeks_needed(0.5)

    assert weeks == weeks_needed(4.0, 0.5, dispersion=past.dispersion, controls_ratio=2.5, weeks_before=52)
    assert past.weeks_needed(0.95) == LEAST_WEEKS_TO_REFUTE
    assert past_of((TARGET,), (), {}, TODAY, planned_on=TODAY).weeks_needed(0.5) is None


def test_a_complaint_counts_once_though_two_references_count_it() -> None:
    wider = TARGET.model_copy(update={"code": None, "office": None})

    assert weekly(KINDS, (TARGET, wider))[LAST_WEEK] == 2 * (2 + 5)


def test_a_reference_to_a_channel_counts_that_channel_alone() -> None:
    kinds = by_kind(counts(("HND3", "northgate", 2)), POLICY, by_channel=True)
    by_phone = TARGET.model_copy(update={"channel": "phone"})

    assert weekly(kinds, (by_phone,))[LAST_WEEK] == 2
    assert weekly(kinds, (TARGET,))[LAST_WEEK] == 4
    assert TARGET.contains(by_phone)
    assert not by_phone.contains(TARGET)


def test_without_a_signal_the_commonest_failures_are_offered() -> None:
    assert [ref.code for ref in countable(KINDS)] == ["HND3", "TIM2"]


def test_a_count_is_said_in_the_agencys_words() -> None:
    assert name_of_cell(TARGET, POLICY) == "Dropped or lost, Benefit payments, Northgate Service Center"
    everything = CellRef(measure="intake", family="intake", office="harbor")
    assert name_of_cell(everything, POLICY) == "All complaints, Harbor Service Center"
    by_phone = CellRef(measure="intake", family="intake", channel="phone")
    assert name_of_cell(by_phone, POLICY, region="north") == "All complaints, Region north, Telephone"
