# SPDX-License-Identifier: Apache-2.0
"""The nearest earlier cases, and which few cases to tag."""

import numpy as np
import pytest

from analytics.text.coding_queue import coding_queue
from analytics.text.similar import lay_out, pairwise, similar_from_bytes

TEXTS = [
    "the passport was lost in the office",
    "the passport was lost in the post",
    "the rent was paid late in the month",
    "the clerk was rude in the hall",
    "",
    "the rent was late in the month",
]


def test_texts_that_were_stored_give_the_same_nearest() -> None:
    laid_out = lay_out(TEXTS)
    stored = laid_out.to_bytes()

    again = similar_from_bytes(stored)

    assert again.nearest(TEXTS[0], 5) == laid_out.nearest(TEXTS[0], 5)
    assert stored == again.to_bytes()


def test_the_most_alike_come_first_and_those_with_nothing_in_common_not_at_all() -> None:
    nearest = lay_out(TEXTS).nearest("Rent paid late!", 5)

    assert [one.index for one in nearest] == [2, 5]
    assert 1 >= nearest[0].cosine > nearest[1].cosine > 0


def test_a_case_need_not_be_its_own_nearest() -> None:
    laid_out = lay_out(TEXTS)

    assert laid_out.nearest(TEXTS[0], 1)[0].index == 0
    assert laid_out.nearest(TEXTS[0], 1)[0].cosine == pytest.approx(1.0)
    assert laid_out.nearest(TEXTS[0], 1, apart_from=[0])[0].index == 1


def test_a_text_without_words_is_like_nothing() -> None:
    assert lay_out(TEXTS).nearest("", 3) == []
    assert lay_out([]).nearest("rent", 3) == []


def test_cosines_are_those_between_the_rows() -> None:
    cosines = pairwise(lay_out(TEXTS), np.array([0, 1, 3]))

    assert cosines.shape == (3, 3)
    assert cosines == pytest.approx(cosines.T)
    assert cosines[0, 1] > cosines[0, 2]


def test_the_queue_begins_with_the_most_uncertain_case_and_goes_on_with_different_ones() -> None:
    chances = np.array([[0.5, 0.5], [0.52, 0.48], [0.6, 0.4], [0.99, 0.01], [0.7, 0.3], [0.65, 0.35]])
    queued = coding_queue(chances, lay_out(TEXTS), count=3)

    assert [case.index for case in queued] == [0, 2, 4]
    assert queued[0].uncertainty == 1.0
    assert queued[0].distinctness == 1.0


def test_copies_of_one_letter_come_once() -> None:
    copies = ["the rent was paid late"] * 4 + ["a clerk was rude"] * 2 + ["passport lost"]
    queued = coding_queue(np.full((7, 3), 1 / 3), lay_out(copies))

    assert sorted(case.index for case in queued) == [0, 4, 6]


def test_the_queue_holds_at_most_twenty_and_nothing_that_is_certain() -> None:
    distinct = [f"word{chr(97 + i)}{chr(98 + i)} word{chr(97 + i)}{chr(98 + i)}" for i in range(25)]

    assert len(coding_queue(np.full((25, 2), 0.5), lay_out(distinct))) == 20
    assert coding_queue(np.array([[1.0, 0.0]] * 25), lay_out(distinct)) == []
    assert coding_queue(np.zeros((0, 3)), lay_out([])) == []


def test_with_a_single_label_nothing_is_uncertain() -> None:
    assert coding_queue(np.ones((2, 1)), lay_out(["a b", "c d"])) == []
