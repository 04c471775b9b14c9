# SPDX-License-Identifier: Apache-2.0
"""Chances that hold, and sets that hold the right label as often as promised."""

import numpy as np
import pytest

from analytics.arrays import FloatArray, IntArray
from analytics.text.calibrating import (
    Link,
    calibration_error,
    handicaps_for,
    label_sets,
    limit_for,
    link_for,
    macro_f1,
)

EVEN = (0.0,) * 6
TRUE = Link(6.0, 1.0, 1.0, (1.5, 0.5, 0.0, 0.0, -0.5, -1.5), doubt=0.0)


def drawn(link: Link, count: int, seed: int) -> tuple[FloatArray, IntArray]:
    """Return margins, and labels drawn with the chances the link gives them."""
    rng = np.random.default_rng(1000 + seed)
    margins = rng.normal(-0.6, 0.5, (count, 6))
    cumulated = link.chances(margins).cumsum(axis=1)
    return margins, (rng.random(count)[:, None] > cumulated).sum(axis=1)


def test_chances_add_up_and_keep_the_order_of_margins() -> None:
    margins = np.random.default_rng(1).normal(size=(50, 4))
    chances = Link(3.0, 0.5, 1.0, (0.0,) * 4, doubt=0.0).chances(margins)

    assert chances.sum(axis=1) == pytest.approx(np.ones(50))
    assert (chances.argsort(axis=1) == margins.argsort(axis=1)).all()


def test_frequent_labels_are_given_their_due() -> None:
    found = link_for(*drawn(TRUE, 6000, 2)).factors

    assert sorted(found, reverse=True) == list(found)
    assert found[0] - found[5] > 2


def test_chances_of_the_link_found_hold_for_new_texts() -> None:
    link = link_for(*drawn(TRUE, 4000, 3))
    margins, labels = drawn(TRUE, 4000, 4)
    chances = link.chances(margins)

    assert calibration_error(chances.max(axis=1), chances.argmax(axis=1) == labels) < 0.03
    for label in range(6):
        assert chances[:, label].mean() == pytest.approx((labels == label).mean(), abs=0.02)


def test_holding_frequent_labels_back_finds_rare_ones() -> None:
    margins, labels = drawn(TRUE, 3000, 5)
    chances = link_for(margins, labels).chances(margins)
    handicaps = np.array(handicaps_for(chances, labels))
    likeliest, chosen = chances.argmax(axis=1), (np.log(chances) - handicaps).argmax(axis=1)

    assert handicaps.argmax() == 0
    assert macro_f1(chosen, labels) > macro_f1(likeliest, labels)


def test_equally_frequent_labels_are_held_back_equally() -> None:
    chances = np.full((4, 2), 0.5)

    assert len(set(handicaps_for(chances, np.array([0, 0, 1, 1])))) == 1


def test_macro_f1_is_the_one_done_by_hand() -> None:
    chosen, labels = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0])

    assert macro_f1(chosen, labels) == pytest.approx((2 * 1 / 4 + 2 * 1 / 3) / 2)


@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_sets_hold_the_right_label_as_often_as_promised_though_the_chances_are_wrong(coverage: float) -> None:
    wrong = Link(20.0, 0.0, 1.0, EVEN, doubt=0.0)
    held = []
    for seed in range(200):
        margins, labels = drawn(TRUE, 400, seed)
        chances = wrong.chances(margins)
        in_set = label_sets(chances[:200], limit_for(chances[200:], labels[200:], coverage))
        held.append(in_set[np.arange(200), labels[:200]].mean())

    assert np.mean(held) == pytest.approx(coverage, abs=0.015)


def test_with_too_few_texts_every_label_is_in_the_set() -> None:
    chances = np.array([[0.7, 0.2, 0.1]])

    assert limit_for(chances, np.array([0]), 0.9) == 0.0
    assert label_sets(chances, 0.0).all()


def test_the_likeliest_label_is_always_in_the_set() -> None:
    assert label_sets(np.array([[0.4, 0.3, 0.3]]), 0.9).tolist() == [[True, False, False]]


def test_the_calibration_error_is_the_one_done_by_hand() -> None:
    confidence = np.array([0.95, 0.95, 0.55, 0.55])
    is_right = np.array([True, False, True, True])

    assert calibration_error(confidence, is_right, bin_count=10) == pytest.approx((0.9 + 0.9) / 4)
