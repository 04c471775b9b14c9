# SPDX-License-Identifier: Apache-2.0
"""Texts as rows of weighted features: TF-IDF of word runs beside TF-IDF of letter runs.

Within a family (words, letters) a feature weighs (1 + ln count) × its importance, and a text's weights have length 1.
Importance is rarity, 1 + ln((1 + n) / (1 + texts with it)) (Salton & Buckley 1988, Inf. Process. Manag. 24:513), times,
where labels are known, how much the feature tells about them: a floor plus the root of the relative entropy between the
labels of its texts and the labels of all (supervised term weighting: Debole & Sebastiani 2003, ACM SAC 784).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from analytics.arrays import FloatArray, IntArray
from analytics.text.ngrams import BIN_BITS, BIN_COUNT, Batch, batches

Rows: TypeAlias = sparse.csr_array
Weights = npt.NDArray[np.float32]
_SHIFT = np.uint64(64 - BIN_BITS)


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of features: runs of words or of letters, of these lengths.

    `at_least_texts` and `at_most_share` of the texts must hold a feature that is kept; at most `at_most_features` are.
    """

    of_words: bool
    lengths: tuple[int, ...]
    at_least_texts: int
    at_most_share: float
    at_most_features: int

    def stretches(self, batch: Batch) -> tuple[IntArray, IntArray, IntArray]:
        """Return start, end and text of every run in the batch."""
        runs = [batch.word_runs(length) if self.of_words else batch.letter_runs(length) for length in self.lengths]
        starts, ends, texts = (np.concatenate(parts) for parts in zip(*runs, strict=True))
        return starts, ends, texts


WORDS = Family(of_words=True, lengths=(1, 2), at_least_texts=2, at_most_share=0.9, at_most_features=100_000)
LETTERS = Family(of_words=False, lengths=(3, 4, 5), at_least_texts=3, at_most_share=0.9, at_most_features=50_000)
TELLING_PRIOR = 5.0
"""Texts labelled like all texts, added to each feature's own."""
TELLING_FLOOR = 0.5
"""What a feature that tells nothing about the labels still weighs, beside one whose relative entropy is 1 nat."""


def bins_of(batch: Batch, starts: IntArray, ends: IntArray) -> IntArray:
    """Return the bin of every stretch."""
    return (batch.hashes(starts, ends) >> _SHIFT).astype(np.int64)


def count_bins(texts: Sequence[Sequence[str]], family: Family) -> Rows:
    """Return texts (given as words) by bins: how often each feature of the family occurs."""
    columns: list[npt.NDArray[np.int32]] = []
    counts: list[Weights] = []
    lengths = [np.zeros(1, dtype=np.int64)]
    for batch in batches(texts):
        starts, ends, text = family.stretches(batch)
        keys, times = np.unique((text << BIN_BITS) | bins_of(batch, starts, ends), return_counts=True)
        columns.append((keys & (BIN_COUNT - 1)).astype(np.int32))
        counts.append(times.astype(np.float32))
        lengths.append(np.bincount(keys >> BIN_BITS, minlength=batch.text_count))
    indptr = np.cumsum(np.concatenate(lengths))
    none = [np.zeros(0, dtype=np.int32)]
    return Rows(
        (np.concatenate(counts or none).astype(np.float32), np.concatenate(columns or none), indptr),
        shape=(len(texts), BIN_COUNT),
    )


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The features of one family that were kept, as bins in rising order, with their importance."""

    family: Family
    bins: IntArray
    importance: Weights

    def columns_of(self, bins: IntArray) -> IntArray:
        """Return the column of every bin, -1 where the feature was not kept."""
        if not len(self.bins):
            return np.full(len(bins), -1, dtype=np.int64)
        place = np.minimum(np.searchsorted(self.bins, bins), len(self.bins) - 1)
        return np.where(self.bins[place] == bins, place, -1)

    def known_words(self, texts: Sequence[Sequence[str]]) -> tuple[IntArray, IntArray]:
        """Return, per text (given as words), how many different words it has that were kept, and how many in all."""
        known, in_all = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
        for batch in batches(texts):
            starts, ends, text = batch.word_runs(1)
            keys = np.unique((text << BIN_BITS) | bins_of(batch, starts, ends))
            is_kept = self.columns_of(keys & (BIN_COUNT - 1)) >= 0
            known.append(np.bincount(keys[is_kept] >> BIN_BITS, minlength=batch.text_count))
            in_all.append(np.bincount(keys >> BIN_BITS, minlength=batch.text_count))
        return np.concatenate(known), np.concatenate(in_all)

    def weigh(self, counted: Rows) -> Rows:
        """Return texts by kept features; each text's weights have length 1, or are none."""
        text_count = counted.shape[0]
        columns, texts, kept = _kept(counted, self.bins)
        weights = (1.0 + np.log(counted.data[kept])) * self.importance[columns]
        length = np.sqrt(np.bincount(texts, weights=weights.astype(np.float64) ** 2, minlength=text_count))
        weights /= np.maximum(length, np.finfo(np.float32).tiny)[texts].astype(np.float32)
        indptr = np.concatenate([[0], np.cumsum(np.bincount(texts, minlength=text_count))])
        return Rows((weights.astype(np.float32), columns, indptr), shape=(text_count, len(self.bins)))


def vocabulary_from(
    counted: Rows, family: Family, *, labels: IntArray | None = None, label_count: int = 0
) -> Vocabulary:
    """Return the features worth keeping in the texts counted; `labels`, where known, are numbered from 0."""
    text_count = counted.shape[0]
    texts_with = np.bincount(counted.indices, minlength=BIN_COUNT)
    bins = np.flatnonzero((texts_with >= family.at_least_texts) & (texts_with <= family.at_most_share * text_count))
    importance = 1.0 + np.log((1 + text_count) / (1 + texts_with[bins]))
    if labels is None:
        telling = texts_with[bins].astype(np.float64)
    else:
        divergence = _divergence(counted, bins, labels, label_count)
        importance *= TELLING_FLOOR + np.sqrt(divergence)
        telling = texts_with[bins] * divergence
    if len(bins) > family.at_most_features:
        most_telling = np.sort(np.argsort(-telling, kind="stable")[: family.at_most_features])
        bins, importance = bins[most_telling], importance[most_telling]
    return Vocabulary(family, bins.astype(np.int64), importance.astype(np.float32))


def _kept(counted: Rows, bins: IntArray) -> tuple[npt.NDArray[np.int32], IntArray, npt.NDArray[np.bool_]]:
    """Return column and text of every entry whose bin was kept, and which entries those are."""
    lookup = np.full(BIN_COUNT, -1, dtype=np.int32)
    lookup[bins] = np.arange(len(bins), dtype=np.int32)
    columns = lookup[counted.indices]
    kept = columns >= 0
    texts = np.repeat(np.arange(counted.shape[0]), np.diff(counted.indptr))
    return columns[kept], texts[kept], kept


def _divergence(counted: Rows, bins: IntArray, labels: IntArray, label_count: int) -> FloatArray:
    """Return, per feature, the relative entropy of its texts' labels to all labels, in nats.

    `TELLING_PRIOR` texts labelled like all texts are added to a feature's own, lest a rare feature seem to tell much.
    """
    columns, texts, _ = _kept(counted, bins)
    together = np.bincount(columns.astype(np.int64) * label_count + labels[texts], minlength=len(bins) * label_count)
    of_feature = together.reshape(len(bins), label_count)
    of_all = np.bincount(labels, minlength=label_count) / len(labels)
    share = (of_feature + TELLING_PRIOR * of_all) / (of_feature.sum(axis=1, keepdims=True) + TELLING_PRIOR)
    ratio = np.divide(share, of_all, out=np.ones_like(share), where=share > 0)
    return np.asarray(np.maximum((share * np.log(ratio)).sum(axis=1), 0.0))
