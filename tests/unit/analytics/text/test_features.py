# SPDX-License-Identifier: Apache-2.0
"""Runs of words and letters, counted by arithmetic, against the same counted one by one."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from analytics.text.features import LETTERS, WORDS, count_bins, vocabulary_from
from analytics.text.ngrams import BIN_BITS, Batch, batch_of, batches

TEXTS = [["we", "lost", "it"], [], ["a"], ["lost", "it", "lost", "it", "straße"], ["東京", "は"]]
LAID_OUT = [f" {' '.join(words)} " for words in TEXTS]


def runs_by_hand(words: list[str], lengths: tuple[int, ...]) -> Counter[str]:
    return Counter(
        " ".join(words[place : place + length]) for length in lengths for place in range(len(words) - length + 1)
    )


def letters_by_hand(words: list[str], lengths: tuple[int, ...]) -> Counter[str]:
    padded = [f" {word} " for word in words]
    return Counter(
        word[place : place + length] for word in padded for length in lengths for place in range(len(word) - length + 1)
    )


def found_runs(batch: Batch, runs: tuple[np.ndarray, np.ndarray, np.ndarray], text: int) -> Counter[str]:
    everything = "".join(LAID_OUT)
    return Counter(everything[start:end] for start, end, of in zip(*runs, strict=True) if of == text)


@pytest.mark.parametrize("length", [1, 2, 3, 6])
def test_runs_of_words_are_those_found_one_by_one(length: int) -> None:
    batch = batch_of(TEXTS)

    for text, words in enumerate(TEXTS):
        assert found_runs(batch, batch.word_runs(length), text) == runs_by_hand(words, (length,))


@pytest.mark.parametrize("length", [3, 4, 5])
def test_runs_of_letters_lie_within_a_word_and_its_blanks(length: int) -> None:
    batch = batch_of(TEXTS)

    for text, words in enumerate(TEXTS):
        assert found_runs(batch, batch.letter_runs(length), text) == letters_by_hand(words, (length,))


def test_the_same_stretch_has_the_same_number_wherever_it_stands_and_no_other_has_it() -> None:
    batch = batch_of(TEXTS)
    starts, ends, _ = (np.concatenate(parts) for parts in zip(batch.word_runs(1), batch.letter_runs(4), strict=True))
    everything = "".join(LAID_OUT)
    stretches = [everything[start:end] for start, end in zip(starts, ends, strict=True)]
    numbers = batch.hashes(starts, ends)

    assert len({*zip(stretches, numbers.tolist(), strict=True)}) == len({*stretches}) == len({*numbers.tolist()})


def test_counts_do_not_depend_on_how_texts_are_batched(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = count_bins(TEXTS, WORDS)
    monkeypatch.setattr("analytics.text.ngrams._BATCH_SIGNS", 5)

    assert len(list(batches(TEXTS))) > 1
    assert (count_bins(TEXTS, WORDS) != at_once).nnz == 0


def test_nothing_to_count_is_no_fault() -> None:
    assert count_bins([], WORDS).shape == (0, 1 << BIN_BITS)
    assert count_bins([[], []], LETTERS).nnz == 0
    assert vocabulary_from(count_bins([[]], WORDS), WORDS).weigh(count_bins([["a"]], WORDS)).shape == (1, 0)


def test_weights_are_those_of_the_formula() -> None:
    family = replace(WORDS, lengths=(1,), at_least_texts=1, at_most_share=1.0)
    counted = count_bins([["a", "b", "b"], ["a"]], family)
    weights = vocabulary_from(counted, family).weigh(counted).toarray()
    common, rare = 1.0, (1 + np.log(2)) * (1 + np.log(3 / 2))

    assert sorted(weights[0]) == pytest.approx(np.array([common, rare]) / np.hypot(common, rare), rel=1e-6)
    assert sorted(weights[1]) == pytest.approx([0.0, 1.0])


def test_a_word_of_one_label_weighs_more_than_an_equally_rare_word_of_both() -> None:
    family = replace(WORDS, lengths=(1,), at_least_texts=1, at_most_share=1.0)
    texts = [["telling", "dull"], ["telling"], ["dull"], ["other"]]
    vocabulary = vocabulary_from(
        count_bins(texts, family), family, labels=np.array([0, 0, 1, 1], dtype=np.int64), label_count=2
    )
    columns = vocabulary.columns_of(np.array([count_bins([[word]], family).indices[0] for word in ("telling", "dull")]))
    telling, dull = vocabulary.importance[columns]

    assert telling > dull > 0


def test_where_there_are_too_many_features_those_that_tell_most_stay() -> None:
    family = replace(WORDS, lengths=(1,), at_least_texts=1, at_most_share=1.0, at_most_features=1)
    texts = [["telling", "dull"], ["telling"], ["dull"], ["other"]]
    vocabulary = vocabulary_from(
        count_bins(texts, family), family, labels=np.array([0, 0, 1, 1], dtype=np.int64), label_count=2
    )

    assert vocabulary.bins.tolist() == count_bins([["telling"]], family).indices.tolist()
