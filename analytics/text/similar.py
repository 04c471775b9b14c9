# SPDX-License-Identifier: Apache-2.0
"""The nearest earlier cases: by the cosine between TF-IDF weights of one and two words (Salton & Buckley 1988)."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analytics.arrays import FloatArray, IntArray
from analytics.text.features import WORDS, Rows, Vocabulary, count_bins, vocabulary_from
from analytics.text.normalising import words_of

_WORDS = replace(WORDS, at_least_texts=1, at_most_share=1.0, at_most_features=1_000_000)


@dataclass(frozen=True, slots=True)
class SimilarText:
    """A text by its index, and how alike it is: 1 for the same words, 0 for none in common."""

    index: int
    cosine: float


@dataclass(frozen=True, slots=True)
class SimilarTexts:
    """Texts laid out so that the nearest to any other text are found at once."""

    vocabulary: Vocabulary
    rows: Rows

    def nearest(self, text: str, count: int, *, apart_from: Sequence[int] = ()) -> list[SimilarText]:
        """Return up to `count` texts that have words in common with `text`, the most alike first."""
        asked = self.vocabulary.weigh(count_bins([words_of(text)], self.vocabulary.family)).toarray()[0]
        cosines = np.asarray(self.rows @ asked, dtype=np.float64)
        cosines[list(apart_from)] = 0.0
        order = np.argsort(-cosines, kind="stable")[:count]
        return [SimilarText(int(index), float(cosines[index])) for index in order if cosines[index] > 0]

    def to_bytes(self) -> bytes:
        """Return the stored form: arrays alone."""
        stored = io.BytesIO()
        np.savez(
            stored,
            allow_pickle=False,
            bins=self.vocabulary.bins,
            importance=self.vocabulary.importance,
            weights=self.rows.data,
            columns=self.rows.indices,
            begins=self.rows.indptr,
        )
        return stored.getvalue()


def similar_from_bytes(stored: bytes) -> SimilarTexts:
    """Return the texts stored; nothing in the bytes is run."""
    with np.load(io.BytesIO(stored), allow_pickle=False) as kept:
        vocabulary = Vocabulary(_WORDS, kept["bins"], kept["importance"])
        shape = (len(kept["begins"]) - 1, len(vocabulary.bins))
        return SimilarTexts(vocabulary, Rows((kept["weights"], kept["columns"], kept["begins"]), shape=shape))


def lay_out(texts: Sequence[str]) -> SimilarTexts:
    """Return the texts laid out; the fewer of them use a word, the more it weighs."""
    counted = count_bins([words_of(text) for text in texts], _WORDS)
    vocabulary = vocabulary_from(counted, _WORDS)
    return SimilarTexts(vocabulary, vocabulary.weigh(counted))


def pairwise(laid_out: SimilarTexts, chosen: IntArray) -> FloatArray:
    """Return the cosines between the chosen texts."""
    rows = laid_out.rows[chosen]
    return np.asarray((rows @ rows.T).toarray(), dtype=np.float64)
