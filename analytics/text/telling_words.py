# SPDX-License-Identifier: Apache-2.0
"""Which words one group of texts uses more often than another, and by how many standard errors.

Texts are compared within strata (those of one label with each other), as Mantel & Haenszel do (1959, J. Natl. Cancer
Inst. 22:719): given how many texts of a stratum use the word, how many of them are in the group is hypergeometric.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from analytics.arrays import BoolArray, FloatArray, IntArray
from analytics.text.features import Rows
from analytics.text.normalising import words_of


@dataclass(frozen=True, slots=True)
class WordShift:
    """A word, the shares of texts that use it outside and inside the group, and the difference in standard errors."""

    word: str
    share_outside: float
    share_inside: float
    standard_errors: float


@dataclass(frozen=True, slots=True)
class WordUse:
    """Which texts use which words: texts by words, 1 or nothing."""

    words: tuple[str, ...]
    used: Rows

    def standard_errors(self, groups: BoolArray, strata: IntArray) -> FloatArray:
        """Return words by groups (`groups` is texts by groups): how much commoner the word is inside each group.

        Every group must have as many texts of each stratum as the first has.
        """
        expected = np.zeros(len(self.words))
        variance = np.zeros(len(self.words))
        for stratum in np.unique(strata):
            here = strata == stratum
            texts, inside = int(here.sum()), int(groups[here, 0].sum())
            with_word = np.asarray(self.used[here].sum(axis=0), dtype=np.float64).ravel()
            expected += with_word * inside / texts
            if texts > 1:
                variance += with_word * (texts - with_word) * inside * (texts - inside) / (texts**2 * (texts - 1))
        observed = np.asarray(self.used.T @ groups.astype(np.float32), dtype=np.float64)
        spread = np.sqrt(variance)[:, None]
        return np.divide(observed - expected[:, None], spread, out=np.zeros_like(observed), where=spread > 0)

    def shifts(self, group: BoolArray, strata: IntArray, count: int) -> list[WordShift]:
        """Return the `count` words most over-used inside the group, the most striking first."""
        errors = self.standard_errors(group[:, None], strata)[:, 0]
        inside = np.asarray(self.used[group].mean(axis=0)).ravel()
        outside = np.asarray(self.used[~group].mean(axis=0)).ravel()
        order = np.argsort(-errors, kind="stable")[:count]
        return [
            WordShift(self.words[word], float(outside[word]), float(inside[word]), float(errors[word]))
            for word in order
            if errors[word] > 0
        ]


def word_use(texts: Sequence[str], *, at_least_texts: int) -> WordUse:
    """Return which words (not marks) the texts use, of those that enough texts use."""
    sets = [{word for word in words_of(text) if word.isalpha()} for text in texts]
    texts_with = Counter(word for words in sets for word in words)
    kept = tuple(sorted(word for word, count in texts_with.items() if count >= at_least_texts))
    column = {word: place for place, word in enumerate(kept)}
    columns = [sorted(column[word] for word in words if word in column) for words in sets]
    indptr = np.cumsum([0, *map(len, columns)])
    flat = np.array([place for places in columns for place in places], dtype=np.int32)
    return WordUse(
        kept, sparse.csr_array((np.ones(len(flat), dtype=np.float32), flat, indptr), (len(texts), len(kept)))
    )
