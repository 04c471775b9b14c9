# SPDX-License-Identifier: Apache-2.0
"""What a look comes to, from made-up inputs: which matters, of which kind, and what their cards say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import numpy as np
import pytest

from activities.folding import ConfirmedOn
from activities.signal_budget import Before, as_list, cell_of
from activities.signal_cells import prepare
from activities.signal_facts import circumstances_of, facts_of, harm_of
from activities.signal_inputs import Chances, Inputs, Issues, Measure
from activities.signal_judging import Judged, judge, looks_at
from activities.signal_store import labels_of, said_of
from analytics.agency_cube import LeftOut, Served
from analytics.cube import Cell, monday_of, week_of
from analytics.lifetime import Ledger
from models.aggregates import Cell as CountedCell
from models.policy import Policy
from run.policy_folder import read_policy

POLICY: Policy = read_policy(Path(__file__).parents[2] / "policy")
SUNDAY = date(2026, 3, 1)
LAST_WEEK = week_of(SUNDAY)
WEEKS = 170
FIRST_WEEK = LAST_WEEK - WEEKS + 1
FAILURES = ("HND3", "HND4", "TIM2", "INF2")
OFFICES = ("harbor", "northgate", "eastside", "westbrook")
CASES = UUID(int=7)


def issue(code: str, office: str, week: int, number: int, **other: Any) -> Issues:
    """Return one issue, of a case of its own unless told otherwise."""
    case = uuid5(CASES, f"{code}/{office}/{week}/{number}/{sorted(other.items(), key=str)}")
    usual: dict[str, Any] = {
        "letter": case,
        "measure": "cause",
        "service": "benefits",
        "channel": "web",
        "harm": 1,
        "vulnerable": None,
        "count": 1,
    }
    usual |= {"case_id": case, "code": code, "office": office, "week": week}
    return Issues(**(usual | other))


def years(mean: float = 1.5, codes: Sequence[str] = FAILURES, offices: Sequence[str] = OFFICES) -> list[Issues]:
    """Return years in which nothing is wrong."""
    chance = np.random.default_rng(5)
    return [
        issue(code, office, week, number)
        for code in codes
        for office in offices
        for week in range(FIRST_WEEK, LAST_WEEK + 1)
        for number in range(int(chance.poisson(mean)))
    ]


def extra(
    per_week: int, weeks: Iterable[int], code: str = "HND3", office: str = "harbor", **other: Any
) -> list[Issues]:
    """Return issues on top, in weeks counted from the last one, which is 0."""
    return [issue(code, office, LAST_WEEK + week, 100 + n, **other) for week in weeks for n in range(per_week)]


def inputs_of(issues: Sequence[Issues], **other: Any) -> Inputs:
    totals: Counter[CountedCell] = Counter()
    for one in issues:
        measure: Measure = "cause"
        totals[CountedCell(measure, one.code, one.service, one.office, one.channel, monday_of(one.week))] += one.count
    known: dict[str, Any] = {"confirmed": (), "served": (), "left_out": (), "chances": (), "policy_changes": ()}
    known |= {"as_of": SUNDAY, "totals": dict(totals), "issues": tuple(issues)}
    return Inputs(**(known | other))


def looked(issues: Sequence[Issues], **other: Any) -> Judged:
    prepared = prepare("cause", inputs_of(issues, **other), POLICY)
    return judge(prepared, dict.fromkeys(looks_at("cause"), Before(Ledger(), ())))


def cards(judged: Judged) -> list[dict[str, Any]]:
    return facts_of(judged, POLICY)


def test_one_letter_sent_by_many_is_no_signal_and_different_letters_are() -> None:
    campaign = extra(8, range(-1, 1), letter=UUID(int=99))
    others = extra(9, (-1,), channel="post")

    assert looked([*years(0.2), *campaign]).told == ()
    (card,) = cards(looked([*years(0.2), *campaign, *others]))
    assert card["cells"][0][1] == "HND3"
    assert card["copies"] == 15
    assert card["clusters"] == card["complaints"] - 15
    assert "16 or more are near-identical" in card["doubts"][0]


def test_what_would_make_a_signal_wrong_is_told_and_else_that_it_was_looked_for() -> None:
    one_letter, different = extra(8, range(-1, 1), letter=UUID(int=99)), extra(9, (-1,), channel="post")

    (doubted,) = cards(looked([*years(0.2), *one_letter, *different]))
    (clean,) = cards(looked([*years(), *extra(9, range(-3, 1))]))

    letters, policy = "near-identical letters, as campaigns", "a change of the policy"
    assert [doubt for doubt in doubted["doubts"] if "near-identical" in doubt]
    assert not [what for what in doubted["not_found"] if what.startswith(letters)]
    assert clean["doubts"] == []
    assert [what for what in clean["not_found"] if what.startswith((letters, policy))] == clean["not_found"]
    assert len(clean["not_found"]) == 2


def test_of_two_like_signals_the_one_that_did_more_harm_comes_first() -> None:
    mild = extra(6, range(-3, 1), "HND3", "harbor", harm=1)
    grave = extra(6, range(-3, 1), "TIM2", "northgate", harm=4)

    judged = looked([*years(), *mild, *grave])

    card = {told.finding.cell.failure: card for told, card in zip(judged.told, cards(judged), strict=True)}
    assert card["TIM2"]["ranking"]["place"] == 1
    assert card["TIM2"]["ranking"]["harm"] > 2 > card["HND3"]["ranking"]["harm"] == 1.0
    assert "× harm" in card["TIM2"]["ranking"]["formula"]


def test_of_two_like_signals_the_one_that_hits_vulnerable_people_comes_first() -> None:
    few = extra(6, range(-3, 1), "HND3", "harbor", vulnerable=False)
    many = extra(6, range(-3, 1), "TIM2", "northgate", vulnerable=True)

    judged = looked([*years(), *few, *many])

    card = {told.finding.cell.failure: card["ranking"] for told, card in zip(judged.told, cards(judged), strict=True)}
    assert card["TIM2"]["place"] == 1
    assert card["TIM2"]["vulnerability"] > 1.5 > card["HND3"]["vulnerability"] > 1
    assert card["TIM2"]["vulnerable_known_of"][0] == 24
    assert card["TIM2"]["vulnerable_known_of"][1] >= 24


def test_where_nobody_was_asked_of_a_matter_the_usual_share_of_the_agency_stands() -> None:
    asked = [replace(one, vulnerable=number % 5 == 0) for number, one in enumerate(years())]

    (card,) = cards(looked([*asked, *extra(9, range(-3, 1), office="central")]))

    assert card["ranking"]["vulnerable_known_of"][0] == 0
    assert card["ranking"]["vulnerability"] == pytest.approx(1.2, abs=0.03)
    assert "(nobody was asked: the usual share)" in card["ranking"]["formula"]


def test_where_nobody_was_ever_asked_vulnerable_people_weigh_nothing_and_the_formula_says_so() -> None:
    (card,) = cards(looked([*years(), *extra(9, range(-3, 1))]))

    assert card["ranking"]["vulnerability"] == 1.0
    assert card["ranking"]["vulnerable_known_of"][0] == 0
    assert "× vulnerable people 1 (nobody was asked) =" in card["ranking"]["formula"]


def test_what_is_known_of_circumstances_is_part_of_what_a_look_was_made_of() -> None:
    issues = years()

    told = [replace(issues[0], vulnerable=True), *issues[1:]]

    assert looked(told).inputs_hash != looked(issues).inputs_hash


def test_circumstances_are_counted_by_complaint_and_not_by_issue() -> None:
    one = issue("HND3", "harbor", LAST_WEEK, 1, vulnerable=True)
    other, unknown = (issue("HND3", "harbor", LAST_WEEK, n, vulnerable=told) for n, told in ((2, False), (3, None)))

    assert circumstances_of([one, replace(one, code="TIM2"), other, unknown]) == (1, [2, 3])
    assert circumstances_of([unknown]) == (0, [0, 1])


def test_harm_is_the_mean_weight_of_what_is_known_and_one_without() -> None:
    one, other, unknown = (issue("HND3", "harbor", LAST_WEEK, n, harm=harm) for n, harm in enumerate((0, 9, None)))

    assert harm_of([one, other, unknown], (1.0, 2.0, 7.0)) == (4.0, [2, 3])
    assert harm_of([unknown], (5.0,)) == (1.0, [0, 1])


def test_a_slow_rise_that_no_window_shows_is_a_creep() -> None:
    chance = np.random.default_rng(8)
    rise = [one for week in range(-50, 1) for one in extra(int(chance.poisson(1.1)), (week,))]

    judged = looked([*years(), *rise])

    (told,) = judged.told
    (card,) = cards(judged)
    said = said_of(told, labels_of(POLICY), card["complaints"])
    assert (told.kind, told.finding.cell.failure, told.finding.cell.office) == ("creep", "HND3", "harbor")
    assert card["creep"]["weeks_under_way"] == told.finding.window_weeks > 26
    assert card["creep"]["excess"] > card["creep"]["threshold"]
    assert card["recurrence_years"] is None
    assert "a slow rise" in said[0]
    assert "once in 20 years" in said[1]
    assert judged.lifetime["cause/creep"]["charge"][2] == 1
    assert judged.lifetime["cause"]["charge"][2] == 0


def new_kind(weeks: int, mean: float = 1.0) -> list[Issues]:
    """Return a failure of a known family that nobody could name before, at every office and by every channel."""
    chance = np.random.default_rng(3)
    return [
        one
        for week in range(-weeks, 1)
        for channel in ("web", "phone", "letter")
        for office in OFFICES
        for one in extra(int(chance.poisson(mean)), (week,), "HND1", office, channel=channel)
    ]


def years_by_every_channel() -> list[Issues]:
    return [
        replace(one, channel=channel, case_id=uuid5(one.case_id, channel), letter=uuid5(one.case_id, channel))
        for channel in ("web", "phone", "letter")
        for one in years(0.5)
    ]


@pytest.mark.parametrize("weeks", [36, 45, 60])
def test_what_has_no_past_of_a_year_is_no_slow_rise_nor_makes_one_of_what_it_is_part_of(weeks: int) -> None:
    assert looked([*years_by_every_channel(), *new_kind(weeks)]).told == ()


def test_an_office_where_many_rare_failures_rise_slowly_is_a_slow_rise() -> None:
    rare = [f"X{number}" for number in range(30)]  # hardly any had come to the office when the baseline was frozen
    chance = np.random.default_rng(4)
    rise = [
        one
        for week in range(-50, 1)
        for failure in chance.choice(rare, int(chance.poisson(0.6 + (week + 50) / 14)), replace=False)
        for one in extra(1, (week,), str(failure), "harbor")
    ]
    lately = [one for one in (*years(0.06, rare, OFFICES), *rise) if one.week > LAST_WEEK - 130]

    (told,) = looked(lately).told

    assert (told.kind, told.finding.cell.office, told.finding.cell.failure) == ("creep", "harbor", "")


def test_a_burst_of_a_kind_that_has_been_there_for_a_while_names_its_place_and_is_not_new() -> None:
    burst = extra(12, range(-2, 1), "HND1", "harbor", channel="web")

    judged = looked([*years_by_every_channel(), *new_kind(50), *burst])

    (told,) = judged.told
    assert told.finding.cell.office == "harbor"
    assert not cards(judged)[0]["is_new"]


def test_a_kind_that_is_new_is_one_signal_wherever_it_is_seen_and_told_as_new() -> None:
    judged = looked([*years_by_every_channel(), *new_kind(10)])

    (told,) = judged.told
    (card,) = cards(judged)
    said = said_of(told, labels_of(POLICY), card["complaints"])
    assert (told.kind, told.finding.cell) == ("surge", Cell("HND", "HND1"))
    assert card["is_new"]
    assert said[1].startswith("It is new: none came before the week of December 15, 2025")


def many_kinds() -> list[Issues]:
    """Return years of an agency with many failures and offices, in which nothing is wrong."""
    return years(0.15, [f"X{number}" for number in range(10)] + ["INF2", "HND3"], [*OFFICES, "one", "two", "three"])


def always() -> list[Issues]:
    return [one for week in range(-WEEKS + 1, 1) for one in extra(1 + week % 2, (week,), "INF2", "westbrook")]


def test_what_was_always_bad_is_standing_and_found_by_no_other_look() -> None:

    judged = looked([*many_kinds(), *always()])

    (told,) = judged.told
    (card,) = cards(judged)
    said = said_of(told, labels_of(POLICY), card["complaints"])
    assert (told.kind, told.finding.cell.failure, told.finding.cell.office) == ("standing", "INF2", "westbrook")
    assert card["standing"]["eb05"] >= 2.0
    assert told.standing is not None
    assert not told.standing.is_prior_learnt  # of so few pairs nothing can be learnt, and no rate is told
    assert card["false_share_at_most"] is card["standing"]["false_share_at_most"] is None
    assert replace(told.standing, is_prior_learnt=True).false_share_at_most == 0.05
    assert told.finding.observed_count == card["issues"] == card["standing"]["observed"]
    assert "out of proportion" in said[1]
    assert "too little is known" in said[1]


def test_a_sudden_rise_of_what_was_always_bad_is_one_signal_that_says_both() -> None:
    sudden = extra(9, range(-2, 1), "INF2", "westbrook")

    judged = looked([*many_kinds(), *always(), *sudden])

    (told,) = judged.told
    assert told.kind == "surge"
    assert told.standing is not None
    assert "out of proportion" in cards(judged)[0]["standing"]["sentence"]


def delayed(issues: Sequence[Issues], mean_weeks: float, since: int) -> tuple[list[Issues], list[ConfirmedOn]]:
    """Return what of the issues is confirmed by now where it takes some weeks, since a week, and when it was."""
    chance = np.random.default_rng(9)
    kept, confirmed = [], []
    for one in issues:
        delay = int(chance.geometric(1 / (mean_weeks + 1))) - 1 if one.week >= since else 0
        if one.week + delay <= LAST_WEEK:
            kept.append(one)
            on = monday_of(one.week + delay) + timedelta(days=3)
            confirmed.append(ConfirmedOn(one.channel, monday_of(one.week), on, one.count))
    return kept, confirmed


def test_the_lack_of_confirmed_causes_is_expected_and_what_is_to_come_stands_beside() -> None:
    issues, confirmed = delayed([*years(), *extra(9, range(-5, 1))], 4.0, LAST_WEEK - 79)

    told, blind = looked(issues, confirmed=confirmed), looked(issues)

    (card,) = cards(told)
    assert card["cells"][0][:2] == ["HND", "HND3"]
    assert 0.2 < card["completeness"]["share"] < 0.9
    assert card["completeness"]["weeks"][-1] < card["completeness"]["weeks"][0]
    assert card["waiting"]["by"] == "delay"
    assert card["waiting"]["low"] < card["waiting"]["expected"] < card["waiting"]["high"]
    assert told.told[0].finding.observed_count == card["issues"]  # never inflated
    assert told.told[0].finding.p_value < min((one.finding.p_value for one in blind.told), default=1.0)


def test_where_texts_say_what_uncoded_issues_are_their_chances_are_summed() -> None:
    here = Chances({"HND3": 0.5, "TIM2": 0.5}, "benefits", "harbor", "web", LAST_WEEK)
    elsewhere = replace(here, office="northgate")
    before = replace(here, week=LAST_WEEK - 60)

    (card,) = cards(looked([*years(), *extra(9, range(-3, 1))], chances=[here, here, elsewhere, before]))

    assert card["waiting"] == {"expected": 1.0, "low": 0, "high": 2, "by": "text"}


def test_weeks_in_which_a_fix_was_watched_are_not_learnt_from() -> None:
    fewer = [one for one in years() if one.code != "HND3" or one.week < LAST_WEEK - 100 or one.week > LAST_WEEK - 27]
    fixed = ("cause", LeftOut(Cell(failure="HND3"), LAST_WEEK - 100, LAST_WEEK - 27))
    again = extra(1, range(-12, 1))

    told, untold = looked([*fewer, *again], left_out=[fixed]), looked([*fewer, *again])

    assert any(one.finding.cell.failure == "HND3" for one in untold.told)
    assert not any(one.finding.cell.failure == "HND3" for one in told.told)
    assert "2024-04-08" in _masked(fewer + extra(9, range(-3, 1)), fixed)


def _masked(issues: list[Issues], fixed: tuple[str, LeftOut]) -> list[str]:
    return [week for card in cards(looked(issues, left_out=[fixed])) for week in card["masked_weeks"]]


@pytest.mark.parametrize("is_told", [True, False])
def test_twice_as_many_people_served_explain_twice_as_many_complaints(*, is_told: bool) -> None:
    busy = [
        issue(code, "harbor", LAST_WEEK + week, 200 + n) for code in FAILURES for week in range(-7, 1) for n in range(2)
    ]
    served = [
        Served(week, "benefits", office, 200.0 if office == "harbor" and week > LAST_WEEK - 8 else 100.0)
        for office in OFFICES
        for week in range(FIRST_WEEK, LAST_WEEK + 1)
    ]

    judged = looked([*years(), *busy], served=served if is_told else [])

    assert (judged.told == ()) is is_told


def test_a_cell_is_kept_with_all_it_names() -> None:
    cell = Cell("HND", "HND3", "benefits", "harbor", (("channel", "web"), ("region", "south")))

    assert as_list(cell) == ["HND", "HND3", "benefits", "harbor", "south", "web"]
    assert cell_of(as_list(cell)) == cell
    assert cell_of(["HND", "HND3", "", ""]) == Cell("HND", "HND3")
