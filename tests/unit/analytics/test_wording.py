# SPDX-License-Identifier: Apache-2.0
"""The two sentences a supervisor reads."""

from dataclasses import replace
from datetime import date

import pytest

from analytics.cube import Cell, week_of
from analytics.detection import Finding, WeeklySeries
from analytics.wording import Labels, creep_sentences, name_of, sentences, standing_sentences

LABELS = Labels(
    families={"documents": "Documents"},
    failures={"lost": "Document lost"},
    services={"housing": "Housing renewals"},
    offices={"leeds": "Leeds"},
    day=lambda day: f"{day:%B} {day.day}, {day.year}",
)
FINDING = Finding(
    cell=Cell("documents", "lost", "housing", "leeds"),
    members=(),
    as_of_week=week_of(date(2026, 11, 16)),
    window_weeks=4,
    began_week=week_of(date(2026, 10, 26)),
    observed_count=14,
    expected_count=4.12,
    threshold_count=9,
    p_value=1 / (9 * 52.1775),
    q_value=0.04,
    series=WeeklySeries((), (), (), ()),
)


def test_a_finding_is_said_in_two_sentences() -> None:
    assert sentences(replace(FINDING, cell=Cell("documents", "lost", office="leeds")), LABELS) == (
        "Document lost, Leeds: 14 complaints in 4 weeks, where 4.1 were expected and more than 9 is unusual.",
        "It began in the week of October 26, 2026; chance alone would do this here about once in 9 years.",
    )


@pytest.mark.parametrize(
    ("p_value", "said"),
    [
        (1e-12, "less than once in 1,000 years."),
        (1 / 52.1775, "about once in 12 months."),
        (1 / (1.4 * 52.1775), "about once in 17 months."),
        (0.01, "about once in 2 years."),
        (1.0, "about once in 2 months."),
    ],
)
def test_rarity_is_said_in_years_or_months(p_value: float, said: str) -> None:
    assert sentences(replace(FINDING, p_value=p_value), LABELS)[1].endswith(said)


@pytest.mark.parametrize(
    ("expected", "said"),
    [(0.02, "fewer than 0.1 were expected"), (1.02, "1.0 was expected"), (9.96, "10 were expected"), (57.4, "57 were")],
)
def test_expectations_are_said_to_two_figures(expected: float, said: str) -> None:
    assert f"where {said}" in sentences(replace(FINDING, expected_count=expected), LABELS)[0]


def test_of_what_is_new_is_said_since_when_and_nothing_of_chance() -> None:
    said = sentences(replace(FINDING, new_since=week_of(date(2026, 10, 19))), LABELS)[1]

    assert said.startswith("It is new: none came before the week of October 19, 2026;")
    assert "chance" not in said


def test_one_week_is_said_as_one() -> None:
    assert "14 complaints in one week," in sentences(replace(FINDING, window_weeks=1), LABELS)[0]


def test_the_threshold_of_a_slow_rise_is_said_only_where_it_has_passed_it() -> None:
    below, above = (
        creep_sentences(FINDING, LABELS, None, excess=excess, threshold=14.0, years=20.0)[1] for excess in (9.0, 15.0)
    )

    assert below == "It has been under way for 4 weeks, since the week of October 26, 2026."
    assert "sums to 15, and chance alone passes 14 about once in 20 years" in above


def test_how_often_standing_signals_are_false_is_said_only_where_it_was_learnt() -> None:
    learnt, fixed = (
        standing_sentences(FINDING, LABELS, None, ratio=3.0, low=2.1, high=4.2, is_prior_learnt=is_prior_learnt)[1]
        for is_prior_learnt in (True, False)
    )

    assert "at most one in twenty" in learnt
    assert fixed.endswith("too little is known yet to say how often such signals are false.")


def test_a_cell_is_named_by_what_it_is_about() -> None:
    assert name_of(FINDING.cell, LABELS) == "Document lost, Housing renewals, Leeds"
    assert name_of(Cell(), LABELS) == "All complaints"
    assert name_of(Cell("documents", office="leeds"), LABELS) == "Documents, Leeds"
    assert name_of(Cell("documents", "never_labelled"), LABELS) == "never_labelled"
