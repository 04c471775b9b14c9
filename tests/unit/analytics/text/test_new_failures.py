# SPDX-License-Identifier: Apache-2.0
"""Failures nobody has a tag for yet."""

import numpy as np

from analytics.arrays import BoolArray, IntArray
from analytics.text.new_failures import find_new_failures
from tests.unit.analytics.text.letters import NEW_TOPIC, labelled, letter

AS_OF = 400


def agency(seed: int, planted: list[str], planted_from: int = AS_OF - 27) -> tuple[list[str], IntArray, BoolArray]:
    """Return 400 cases of known topics over 400 days, one in eight abstained on, and the planted, all so.

    The planted come one a day from `planted_from`.
    """
    texts, _ = labelled(100, seed)
    abstains = np.random.default_rng(seed).random(400) < 0.125
    days = np.concatenate([np.arange(1, 401), planted_from + np.arange(len(planted)) % 28])
    return texts + planted, days, np.concatenate([abstains, np.ones(len(planted), dtype=np.bool_)])


def new_letters(count: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [letter(NEW_TOPIC, rng) for _ in range(count)]


def test_cases_that_no_tag_fits_and_that_are_alike_are_proposed_together() -> None:
    found = find_new_failures(*agency(1, new_letters(9, 1)), as_of_day=AS_OF)

    assert len(found) == 1
    assert set(found[0].members) <= set(range(400, 409))
    assert found[0].letter_count == len(found[0].members) >= 7
    assert found[0].expected_count < 0.2
    assert set(found[0].words) <= set(NEW_TOPIC.split())
    assert found[0].sentence.startswith(f"{len(found[0].members)} cases in four weeks that no tag fits, alike in “")


def test_nothing_is_proposed_where_nothing_is_new() -> None:
    proposed = [find_new_failures(*agency(seed, []), as_of_day=AS_OF) for seed in range(4)]

    assert sum(map(bool, proposed)) <= 1


def test_copies_of_one_letter_are_one_voice() -> None:
    four, fifth = new_letters(4, 2), new_letters(1, 3)

    assert find_new_failures(*agency(2, four + four[:1] * 6), as_of_day=AS_OF) == []
    assert len(find_new_failures(*agency(2, four + fifth), as_of_day=AS_OF)) == 1


def test_what_has_always_come_is_not_new() -> None:
    texts, days, abstains = agency(3, new_letters(8, 4))
    texts = texts + new_letters(104, 5)
    days = np.concatenate([days, np.arange(1, 365, 3.5).astype(np.int64)])
    abstains = np.concatenate([abstains, np.ones(104, dtype=np.bool_)])

    assert find_new_failures(texts, days, abstains, as_of_day=AS_OF) == []


def test_cases_a_tag_fits_are_left_alone() -> None:
    texts, days, abstains = agency(4, new_letters(9, 6))
    abstains[400:] = False

    assert find_new_failures(texts, days, abstains, as_of_day=AS_OF) == []


def test_what_comes_later_is_not_known_yet() -> None:
    texts, days, abstains = agency(5, new_letters(9, 7), planted_from=AS_OF + 1)

    assert find_new_failures(texts, days, abstains, as_of_day=AS_OF) == []
    assert len(find_new_failures(texts, days, abstains, as_of_day=AS_OF + 28)) == 1


def test_without_a_past_nothing_is_called_new() -> None:
    texts = new_letters(20, 8)

    assert find_new_failures(texts, np.arange(20), np.ones(20, dtype=np.bool_), as_of_day=19) == []
    assert find_new_failures([], np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_), as_of_day=1) == []
