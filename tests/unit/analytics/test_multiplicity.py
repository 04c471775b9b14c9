# SPDX-License-Identifier: Apache-2.0
"""False discovery rates, against examples worked by hand and simulation."""

import numpy as np
import pytest

from analytics.arrays import BoolArray
from analytics.multiplicity import benjamini_hochberg, focused, tree_benjamini_hochberg


def test_the_example_of_benjamini_and_hochberg_selects_their_four() -> None:
    # The fifteen p-values of their paper's section 3.2; at a rate of 0.05 the first four are selected.
    small = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
    p_values = np.array([*small, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0])

    assert (benjamini_hochberg(p_values) <= 0.05).sum() == 4


def test_q_values_worked_by_hand() -> None:
    # In order: 0.01 * 4/1, 0.03 * 4/2 (but not above the next), 0.04 * 4/3, 0.5 * 4/4.
    q_values = benjamini_hochberg(np.array([0.5, 0.01, 0.04, 0.03]))

    np.testing.assert_allclose(q_values, [0.5, 0.04, 0.16 / 3, 0.16 / 3])


def test_cells_looked_at_in_silence_count() -> None:
    np.testing.assert_allclose(benjamini_hochberg(np.array([0.01, 0.02]), tested_count=10), [0.1, 0.1])


def test_more_p_values_than_tests_is_refused() -> None:
    with pytest.raises(ValueError, match="more p-values than tests"):
        benjamini_hochberg(np.array([0.1, 0.2]), tested_count=1)


def test_one_family_is_the_plain_procedure() -> None:
    p_values = np.array([0.5, 0.01, 0.04, 0.03])

    tree = tree_benjamini_hochberg(p_values, np.zeros(4, dtype=np.int64), np.array([4]))

    np.testing.assert_allclose(tree, benjamini_hochberg(p_values))


def test_two_families_worked_by_hand() -> None:
    # Family 0: q within 0.002, 0.04; family 1: 0.6, 0.9. Simes 0.002 and 0.6, over families 0.004 and 0.6.
    # With one family selected, a cell of it pays its q * 2/1: 0.004 and 0.08. With both selected (rate ≥ 0.6) it pays
    # 0.6 at least.
    q_values = tree_benjamini_hochberg(np.array([0.001, 0.04, 0.3, 0.9]), np.array([0, 0, 1, 1]), np.array([2, 2]))

    np.testing.assert_allclose(q_values, [0.004, 0.08, 0.6, 0.9])


def test_false_discoveries_stay_below_the_rate_in_families_of_which_few_hold_anything() -> None:
    rng = np.random.default_rng(5)
    families = np.repeat(np.arange(20), 50)
    shares = []
    for _ in range(200):
        p_values = rng.random(1_000)
        p_values[:100] = rng.random(100) * 1e-3  # two families all real
        p_values[100:110] = rng.random(10) * 1e-4  # and a part of a third
        selected = tree_benjamini_hochberg(p_values, families, np.full(20, 50)) <= 0.10
        shares.append(selected[110:].sum() / max(selected.sum(), 1))

    assert np.mean(shares) <= 0.10


def test_where_nothing_is_wrong_hardly_a_week_in_ten_finds_anything() -> None:
    rng = np.random.default_rng(6)
    families = np.repeat(np.arange(20), 50)
    found = [
        bool((tree_benjamini_hochberg(rng.random(1_000), families, np.full(20, 50)) <= 0.10).any()) for _ in range(500)
    ]

    assert 0.06 <= np.mean(found) <= 0.14


def test_findings_set_the_limit_not_the_cells_that_repeat_them() -> None:
    # Nine cells tell one story; of two cells by chance one has a small p-value. One finding of a hundred tests allows
    # 0.001, three allow 0.003, two 0.002.
    p_values = np.array([1e-9] * 9 + [0.0025, 0.0015])
    story = np.array([0] * 9 + [1, 2])

    def findings_among(selected: BoolArray) -> int:
        return len(np.unique(story[selected]))

    all_unusual = np.ones(11, dtype=np.bool_)
    kept = focused(all_unusual, p_values, findings_among, rate=0.10, tested_count=100)
    fewer = focused(np.arange(11) != 10, p_values, findings_among, rate=0.10, tested_count=100)

    assert kept.all()  # 0.0025 is within the limit of three findings
    np.testing.assert_array_equal(np.flatnonzero(fewer), np.arange(9))  # but not within that of two


def test_false_findings_stay_below_the_rate_however_many_cells_tell_each_true_story() -> None:
    rng = np.random.default_rng(9)
    story = np.concatenate([np.repeat(np.arange(5), 40), np.arange(5, 805)])  # five true stories, 800 cells of chance
    shares: list[float] = []
    plain_shares: list[float] = []
    for _ in range(200):
        p_values = np.concatenate([rng.random(200) * 1e-5, rng.random(800)])
        unusual = benjamini_hochberg(p_values) <= 0.10

        kept = focused(unusual, p_values, lambda s: len(np.unique(story[s])), rate=0.10, tested_count=1_000)

        for selected, into in ((unusual, plain_shares), (kept, shares)):
            stories = np.unique(story[selected])
            into.append((stories >= 5).sum() / max(len(stories), 1))
    assert np.mean(plain_shares) >= 0.5
    assert np.mean(shares) <= 0.10


def test_nothing_unusual_remains_nothing() -> None:
    none = np.zeros(3, dtype=np.bool_)

    assert not focused(none, np.ones(3), lambda selected: int(selected.sum()), rate=0.1, tested_count=3).any()
