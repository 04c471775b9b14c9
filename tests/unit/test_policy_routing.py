# SPDX-License-Identifier: Apache-2.0
"""Routing: the first row that fits wins, every row can win, every complaint lands."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.routing import AXES, NowhereToGo, RoutingRule, first_fit, homeless, unreachable
from models.terms import Track
from tests.unit.policy_texts import default_policy


def rule(
    service: str = "*", category: str = "*", severity: str = "*", office: str = "*", team: str = "t"
) -> RoutingRule:
    return RoutingRule(
        service=service,
        category=category,
        severity=severity,
        office=office,
        team=team,
        track=Track.STANDARD,
        because="Because",
    )


def test_the_first_row_that_fits_wins() -> None:
    rules = [rule(severity="high", team="rapid"), rule(service="streets", team="streets"), rule(team="desk")]

    assert first_fit(rules, service="streets", severity="high").team == "rapid"
    assert first_fit(rules, service="streets", severity="low").team == "streets"
    assert first_fit(rules, service="unheard_of").team == "desk"


def test_what_is_not_known_fits_only_a_star() -> None:
    with pytest.raises(NowhereToGo):
        first_fit([rule(service="streets")])


def test_a_row_below_one_that_fits_more_can_never_win() -> None:
    assert unreachable([rule(service="streets"), rule(service="streets", office="north"), rule()]) == {1: 0}


def test_a_row_can_be_taken_away_by_several_rows_together() -> None:
    # What is not stated still reaches the second row; the third finds nothing left.
    rules = [rule(service="streets"), rule(office="north"), rule(service="streets", office="north"), rule()]
    together = [rule(service="a", office="n"), rule(service="a"), rule(office="n"), rule(), rule(category="c")]

    assert unreachable(rules) == {2: 0}
    assert unreachable(together) == {4: 3}
    assert unreachable([rule(service="a", office="n"), rule(service="*", office="*")]) == {}


def test_a_complaint_that_no_row_fits_is_shown() -> None:
    assert homeless([rule(service="streets"), rule(office="north")]) == {
        "service": "",
        "category": "",
        "severity": "",
        "office": "",
    }
    assert homeless([]) is not None
    assert homeless([rule(service="streets"), rule()]) is None


words = st.sampled_from(["*", "a", "b"])
tables = st.lists(st.builds(rule, words, words, words, words), max_size=7)


@given(tables)
def test_reachable_and_homeless_agree_with_trying_every_complaint(rules: list[RoutingRule]) -> None:
    complaints = [dict(zip(AXES, values, strict=True)) for values in itertools.product(["a", "b", ""], repeat=4)]
    winners = [next((i for i, each in enumerate(rules) if each.fits(complaint)), None) for complaint in complaints]

    assert set(unreachable(rules)) == set(range(len(rules))) - set(winners)
    assert (homeless(rules) is None) == (None not in winners)


def test_the_policy_routes_by_the_level_of_severity() -> None:
    policy = default_policy()

    assert policy.route(service="streets", severity=1).team == "streets"
    assert policy.route(service="streets", severity=3).team == "rapid_response"
    assert policy.route(service="streets", severity=3).track is Track.COMPLEX
    assert policy.route().team == "front_desk"
    with pytest.raises(KeyError):
        policy.route(severity=9)
