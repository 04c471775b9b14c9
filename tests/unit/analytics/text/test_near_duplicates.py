# SPDX-License-Identifier: Apache-2.0
"""Copies of one letter among many."""

import numpy as np
import pytest

from analytics.text.near_duplicates import band_keys, find_near_duplicates, jaccard, word_run_sets
from analytics.text.normalising import words_of

LETTER = (
    "I am writing because my renewal was refused although every paper was sent in time and nobody can tell me why "
    "so I ask you to look at it again and to answer in writing within the time that the law gives you to do so"
)


def made_up(words: int, rng: np.random.Generator) -> list[str]:
    return [f"w{chr(97 + int(n) % 26)}{chr(97 + int(n) // 26 % 26)}x" for n in rng.integers(0, 676, words)]


def edited(words: list[str], edits: int, rng: np.random.Generator) -> list[str]:
    changed = list(words)
    for _ in range(edits):
        place = int(rng.integers(len(changed)))
        match int(rng.integers(3)):
            case 0:
                del changed[place]
            case 1:
                changed.insert(place, "added")
            case _:
                changed[place] = "other"
    return changed


def runs(words: list[str]) -> set[tuple[str, ...]]:
    return {tuple(words[place : place + 5]) for place in range(len(words) - 4)}


def alike(one: str, other: str) -> float:
    a, b = runs(words_of(one)), runs(words_of(other))
    return len(a & b) / len(a | b)


def test_copies_that_differ_in_names_dates_and_amounts_are_one_cluster() -> None:
    texts = [
        f"XXXX here. On 01/02/2026 you took $40.00. {LETTER}",
        "Something else altogether, which has nothing to do with it at all.",
        f"XXXX XXXX here. On 11/12/2026 you took $1,900.55. {LETTER}",
        f"XXXX here. On 01/02/2026 you took $40.00. {LETTER.upper()}!",
    ]
    found = find_near_duplicates(texts)

    assert found.clusters == ((0, 2, 3),)
    assert found.cluster_numbers(4).tolist() == [0, 1, 0, 0]


def test_short_and_empty_texts() -> None:
    found = find_near_duplicates(["", "no reply", "No reply!", "", "no answer", "---"])

    assert found.clusters == ((1, 2),)
    assert find_near_duplicates([]).clusters == ()


def test_planted_copies_are_found_and_nothing_else() -> None:
    rng = np.random.default_rng(5)
    texts: list[str] = []
    for _ in range(60):
        original = made_up(100, rng)
        texts += [" ".join(original)] + [" ".join(edited(original, edits, rng)) for edits in (1, 2, 3, 5)]
    found = find_near_duplicates(texts)
    numbers = found.cluster_numbers(len(texts))
    pairs = [(5 * i + a, 5 * i + b) for i in range(60) for a in range(5) for b in range(a + 1, 5)]
    for least, recall in ((0.8, 0.98), (0.7, 0.90)):
        due = [pair for pair in pairs if alike(texts[pair[0]], texts[pair[1]]) >= least]
        together = [numbers[one] == numbers[other] for one, other in due]
        assert len(due) > 100
        assert np.mean(together) >= recall

    assert all(alike(texts[one], texts[other]) >= 0.7 for one, other in found.links)


def test_exactly_as_alike_as_asked_is_alike_enough() -> None:
    one = " ".join(f"a{chr(97 + i)}" for i in range(24))  # 20 runs of five words
    other = one + " zz"  # the same and one more: 20/21

    assert find_near_duplicates([one, other], least_jaccard=20 / 21).clusters == ((0, 1),)
    assert find_near_duplicates([one, other], least_jaccard=20 / 21 + 1e-9).clusters == ()


def test_two_copies_of_one_copy_hang_together() -> None:
    words = made_up(60, np.random.default_rng(6))
    chain = [" ".join(words), " ".join(words[8:] + ["nn"] * 8), " ".join(words[16:] + ["nn"] * 16)]

    assert alike(chain[0], chain[2]) < 0.7 <= min(alike(chain[0], chain[1]), alike(chain[1], chain[2]))
    assert find_near_duplicates(chain).clusters == ((0, 1, 2),)


@pytest.mark.parametrize("kept", [95, 70, 40])
def test_least_hashes_agree_as_often_as_the_texts_are_alike(kept: int) -> None:
    rng = np.random.default_rng(kept)
    agree, truth = [], []
    for _ in range(60):
        words = made_up(300, rng)
        one, other = word_run_sets([" ".join(words), " ".join(words[: 3 * kept] + made_up(300 - 3 * kept, rng))])
        keys = band_keys([one, other])
        agree.append((keys[0] == keys[1]).mean())
        truth.append(jaccard(one, other) ** 5)

    assert np.mean(agree) == pytest.approx(np.mean(truth), abs=0.04)


def test_the_jaccard_index() -> None:
    one, other = np.array([1, 2, 3], dtype=np.uint64), np.array([2, 3, 4], dtype=np.uint64)

    assert jaccard(one, other) == 0.5
    assert jaccard(one[:0], other[:0]) == 0.0
