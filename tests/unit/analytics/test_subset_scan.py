# SPDX-License-Identifier: Apache-2.0
"""Where exactly: against every set tried in turn, and on made-up agencies whose bad offices are known."""

from itertools import combinations

import numpy as np
import pytest

from analytics.arrays import FloatArray, IntArray
from analytics.subset_scan import poisson_score, scan_subsets


def best_of_all_sets(observed: IntArray, expected: FloatArray, spread: FloatArray) -> tuple[float, set[int]]:
    best: tuple[float, set[int]] = (0.0, set())
    for size in range(1, len(observed) + 1):
        for chosen in combinations(range(len(observed)), size):
            members = list(chosen)
            score = poisson_score(
                np.array([(observed / spread)[members].sum()]), np.array([(expected / spread)[members].sum()])
            )[0]
            if score > best[0] + 1e-12:
                best = (float(score), set(chosen))
    return best


def draw(mean: FloatArray, dispersion: float, rng: np.random.Generator) -> IntArray:
    return rng.poisson(mean) if dispersion == 1 else rng.negative_binomial(mean / (dispersion - 1), 1 / dispersion)


def test_the_score_worked_by_hand() -> None:
    # 10 where 4 were expected: 10 ln 2.5 - 6; as many as expected or fewer: nothing.
    np.testing.assert_allclose(poisson_score(np.array([10.0, 4.0, 1.0]), np.full(3, 4.0)), [3.1629, 0, 0], atol=1e-4)


@pytest.mark.parametrize("seed", range(12))
def test_the_best_of_all_sets_is_found_whatever_the_spread(seed: int) -> None:
    rng = np.random.default_rng(seed)
    expected = rng.gamma(1.5, 3.0, 9) + 0.1
    spread = 1.0 + rng.gamma(1.0, 0.7, 9)
    observed = rng.poisson(expected * rng.choice([0.5, 1.0, 2.5], 9))

    found = scan_subsets(observed, expected, spread, replicates=1, rng=rng)

    score, members = best_of_all_sets(observed, expected, spread)
    assert found.score == pytest.approx(score)
    assert set(np.flatnonzero(found.is_member)) == members
    assert found.observed_count == observed[found.is_member].sum()
    assert found.expected_count == pytest.approx(expected[found.is_member].sum())


def test_three_bad_offices_of_thirty_are_named() -> None:
    right, p_values = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        expected = rng.gamma(4.0, 2.0, 30) + 2.0
        bad = rng.choice(30, 3, replace=False)
        mean = expected.copy()
        mean[bad] *= 3.0

        found = scan_subsets(draw(mean, 1.3, rng), expected, np.full(30, 1.3), replicates=199, rng=rng)

        p_values.append(found.p_value)
        named = set(np.flatnonzero(found.is_member))
        right.append(len(named & set(bad)) / len(named | set(bad)))
    assert np.max(p_values) <= 0.05
    assert np.median(p_values) <= 0.01
    assert np.mean(right) >= 0.6  # the share of what was named or bad that was both


@pytest.mark.parametrize(("dispersion", "relative_variance"), [(1.0, 0.0), (2.0, 0.0), (1.2, 0.05)])
def test_where_no_office_is_bad_the_p_value_is_that_of_chance(dispersion: float, relative_variance: float) -> None:
    rng = np.random.default_rng(32)
    expected = rng.gamma(1.0, 4.0, 12) + 0.05
    uncertain = np.full(12, relative_variance)
    p_values = []
    for _ in range(400):
        truth = expected * (rng.gamma(1 / relative_variance, relative_variance, 12) if relative_variance else 1.0)
        found = scan_subsets(
            draw(truth, dispersion, rng),
            expected,
            np.full(12, dispersion),
            relative_variance=uncertain,
            replicates=99,
            rng=rng,
        )
        p_values.append(found.p_value)

    for level in (0.05, 0.2, 0.5):
        assert np.mean(np.array(p_values) <= level) == pytest.approx(level, abs=3 * np.sqrt(level * (1 - level) / 400))


def test_the_same_seed_gives_the_same_chance_and_the_order_of_offices_does_not_matter() -> None:
    observed, expected, dispersion = np.array([9, 2, 3, 0]), np.array([3.0, 2.0, 4.0, 0.5]), np.full(4, 1.1)

    once = scan_subsets(observed, expected, dispersion, rng=np.random.default_rng(7))
    again = scan_subsets(observed, expected, dispersion, rng=np.random.default_rng(7))
    backward = scan_subsets(observed[::-1], expected[::-1], dispersion, rng=np.random.default_rng(8))

    assert once.p_value == again.p_value
    np.testing.assert_array_equal(once.is_member, backward.is_member[::-1])
    assert once.score == pytest.approx(backward.score)
    assert once.p_value == pytest.approx(backward.p_value, abs=0.03)


def test_no_office_above_its_expectation_is_no_finding() -> None:
    found = scan_subsets(np.array([1, 0]), np.array([2.0, 1.0]), np.ones(2), rng=np.random.default_rng(1))

    assert not found.is_member.any()
    assert (found.score, found.p_value, found.observed_count) == (0.0, 1.0, 0)


def test_an_agency_without_offices_is_no_finding() -> None:
    none = np.zeros(0)

    assert scan_subsets(none.astype(np.int64), none, none, rng=np.random.default_rng(1)).p_value == 1.0


def test_an_office_without_an_expectation_is_refused() -> None:
    with pytest.raises(ValueError, match="above nothing"):
        scan_subsets(np.array([1, 1]), np.array([1.0, 0.0]), np.ones(2), rng=np.random.default_rng(1))
