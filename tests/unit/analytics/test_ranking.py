# SPDX-License-Identifier: Apache-2.0
"""Which finding first: factors worked by hand, the bound against simulation, and what must raise a priority."""

from typing import Any

import numpy as np
import pytest

from analytics.ranking import Ranking, excess_at_least, rank

ONE: dict[str, Any] = {
    "observed": np.array([20]),
    "expected": np.array([5.0]),
    "dispersion": np.array([1.0]),
    "relative_variance": np.array([0.0]),
    "window_weeks": np.array([4]),
    "weeks_under_way": np.array([13]),
    "harm": np.array([3.0]),
    "vulnerable": np.array([4]),
    "asked": np.array([10]),
    "usual_vulnerable_share": 0.2,
}


def ranked(**changed: Any) -> Ranking:
    return rank(**(ONE | changed))


def test_every_factor_and_the_formula_worked_by_hand() -> None:
    # Chi-square table: half of χ²(40) at 5 % is 13.2547, so at least 8.2547 beyond 5 in four weeks, 26.83 in thirteen.
    found = ranked()

    assert found.excess_per_quarter[0] == pytest.approx((13.2547 - 5) * 13 / 4, abs=1e-3)
    assert found.persistence[0] == pytest.approx(1.25)
    assert found.vulnerability[0] == pytest.approx(1 + (4 + 2) / 20)
    assert found.priority[0] == pytest.approx(26.8277 * 3 * 1.25 * 1.3, abs=0.01)
    assert found.formula(0) == (
        "At least 27 more than expected in a quarter × harm 3 × lasting 1.25 × vulnerable people 1.3 = 131"
    )


def test_small_values_are_said_with_two_figures() -> None:
    found = ranked(observed=np.array([9]), window_weeks=np.array([13]), harm=np.array([1.0]))

    assert found.formula(0).startswith("At least ")
    assert found.excess_per_quarter[0] == 0.0  # half of χ²(18) at 5 % is 4.70, below the 5 expected
    assert found.formula(0).endswith("= 0")


def test_the_bound_of_an_uncertain_expectation_worked_by_hand() -> None:
    # 30 came, 10 expected within a fifth: half of χ²(60) at 5 % is 21.594, χ²(50) at 95 % over 50 times 10 is 13.501.
    least = excess_at_least(np.array([30]), np.array([10.0]), np.ones(1), np.array([0.04]))

    assert least[0] == pytest.approx(20 - np.hypot(30 - 21.594, 13.501 - 10), abs=1e-3)


@pytest.mark.parametrize(("dispersion", "relative_variance"), [(1.0, 0.0), (1.8, 0.0), (1.0, 0.04), (1.5, 0.1)])
def test_the_true_excess_is_hardly_ever_below_the_bound(dispersion: float, relative_variance: float) -> None:
    rng = np.random.default_rng(4)
    cells, true_expected, true_rate = 20_000, 12.0, 30.0
    extra = dispersion - 1.0
    counts = rng.negative_binomial(true_rate / extra, 1 / dispersion, cells) if extra else rng.poisson(true_rate, cells)
    estimate = np.full(cells, true_expected)
    if relative_variance:
        estimate = true_expected * rng.gamma(1 / relative_variance, relative_variance, cells)

    least = excess_at_least(counts, estimate, np.full(cells, dispersion), np.full(cells, relative_variance))

    assert 0.02 <= (least > true_rate - true_expected).mean() <= 0.065


@pytest.mark.parametrize(
    "changed",
    [
        {"observed": np.array([21])},
        {"expected": np.array([4.0])},
        {"harm": np.array([4.0])},
        {"weeks_under_way": np.array([14])},
        {"vulnerable": np.array([5])},
        {"window_weeks": np.array([2])},
    ],
)
def test_what_is_worse_ranks_higher(changed: dict[str, Any]) -> None:
    assert ranked(**changed).priority[0] > ranked().priority[0]


@pytest.mark.parametrize("changed", [{"dispersion": np.array([2.0])}, {"relative_variance": np.array([0.1])}])
def test_what_is_less_sure_ranks_lower(changed: dict[str, Any]) -> None:
    assert ranked(**changed).priority[0] < ranked().priority[0]


def test_persistence_counts_for_a_year_and_no_longer() -> None:
    assert ranked(weeks_under_way=np.array([52])).persistence[0] == 2.0
    assert ranked(weeks_under_way=np.array([520])).persistence[0] == 2.0


def test_where_nobody_was_asked_the_usual_share_stands() -> None:
    assert ranked(vulnerable=np.array([0]), asked=np.array([0])).vulnerability[0] == pytest.approx(1.2)


def test_the_formula_says_so_where_nobody_was_asked() -> None:
    nobody = {"vulnerable": np.array([0]), "asked": np.array([0])}

    assert "× vulnerable people 1.2 (nobody was asked: the usual share) =" in ranked(**nobody).formula(0)
    assert "× vulnerable people 1 (nobody was asked) =" in ranked(**nobody, usual_vulnerable_share=0.0).formula(0)
    assert "asked" not in ranked().formula(0)


def test_the_order_goes_from_the_most_pressing_and_keeps_ties() -> None:
    four = {name: np.repeat(value, 4) for name, value in ONE.items() if name != "usual_vulnerable_share"}
    found = rank(**(four | {"harm": np.array([1.0, 5.0, 1.0, 2.0])}), usual_vulnerable_share=0.2)

    np.testing.assert_array_equal(found.order, [1, 3, 0, 2])


def test_no_count_and_no_finding_are_no_trouble() -> None:
    none = np.zeros(1)
    assert excess_at_least(none.astype(np.int64), np.array([2.0]), np.ones(1), none)[0] == -2.0
    empty = {name: value[:0] for name, value in ONE.items() if name != "usual_vulnerable_share"}
    assert len(rank(**empty, usual_vulnerable_share=0.2).order) == 0


@pytest.mark.parametrize(
    "wrong", [{"harm": np.array([-1.0])}, {"vulnerable": np.array([11])}, {"usual_vulnerable_share": 1.1}]
)
def test_factors_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"harm weight|Of those asked"):
        ranked(**wrong)
