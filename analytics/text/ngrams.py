# SPDX-License-Identifier: Apache-2.0
"""Runs of words and of letters, found and counted by arithmetic on whole batches of texts instead of letter by letter.

Every feature of a text is a stretch of its words joined by blanks: one or two words, or three to five signs within a
word (its bordering blanks count as signs, as in "char_wb" of scikit-learn). A stretch's number is a polynomial hash,
taken as the difference of two running sums (Karp & Rabin 1987, IBM J. Res. Dev. 31:249) modulo 2^64, then mixed
(splitmix64: Steele, Lea & Flood 2014, OOPSLA) and cut to `BIN_BITS` bits: features are bins, and two stretches seldom
share one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.arrays import IntArray

HashArray = npt.NDArray[np.uint64]

BIN_BITS = 22
BIN_COUNT = 1 << BIN_BITS
_BATCH_SIGNS = 1_000_000
_BLANK = ord(" ")
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)
_GOLDEN, _FIRST_MIX, _SECOND_MIX = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts laid end to end as " word word ", with running sums that give the hash of any stretch in two steps.

    `starts` and `ends` bound every word (end exclusive); `text_of` is the text, by its place in the batch, of every
    word and `sign_text` of every sign.
    """

    signs: npt.NDArray[np.uint32]
    sums: HashArray
    inverse_powers: HashArray
    starts: IntArray
    ends: IntArray
    text_of: IntArray
    text_count: int

    def hashes(self, starts: IntArray, ends: IntArray) -> HashArray:
        """Return the mixed 64-bit numbers of the stretches from `starts` up to `ends`."""
        raw = (self.sums[ends] - self.sums[starts]) * self.inverse_powers[starts]
        return mixed(raw + (ends - starts).astype(np.uint64) * np.uint64(_GOLDEN))

    def word_runs(self, length: int) -> tuple[IntArray, IntArray, IntArray]:
        """Return start, end and text of every run of `length` words within one text."""
        if len(self.starts) < length:
            nothing = np.zeros(0, dtype=np.int64)
            return nothing, nothing, nothing
        last = len(self.starts) - length + 1
        within = self.text_of[:last] == self.text_of[length - 1 :]
        return self.starts[:last][within], self.ends[length - 1 :][within], self.text_of[:last][within]

    def letter_runs(self, length: int) -> tuple[IntArray, IntArray, IntArray]:
        """Return start, end and text of every run of `length` signs that lies within a word and its two blanks."""
        reach = self.ends - self.starts + 2 - length + 1  # how many such runs each word has
        reach = np.maximum(reach, 0)
        text = np.repeat(self.text_of, reach)
        before = np.cumsum(reach) - reach
        starts = np.repeat(self.starts - 1 - before, reach) + np.arange(len(text))
        return starts, starts + length, text


def mixed(raw: HashArray) -> HashArray:
    """Return numbers in which every bit depends on every bit of `raw`."""
    number = (raw ^ (raw >> np.uint64(30))) * np.uint64(_FIRST_MIX)
    number = (number ^ (number >> np.uint64(27))) * np.uint64(_SECOND_MIX)
    return number ^ (number >> np.uint64(31))


def powers(base: int, count: int) -> HashArray:
    """Return base^0, base^1, … modulo 2^64."""
    factors = np.full(count, base, dtype=np.uint64)
    factors[:1] = 1
    return np.multiply.accumulate(factors)


def batches(texts: Sequence[Sequence[str]]) -> Iterator[Batch]:
    """Yield the texts, given as words, in batches of about a million signs, in order."""
    begin, signs = 0, 0
    for index, words in enumerate(texts):
        signs += sum(map(len, words)) + len(words) + 1
        if signs >= _BATCH_SIGNS:
            yield batch_of(texts[begin : index + 1])
            begin, signs = index + 1, 0
    if begin < len(texts):
        yield batch_of(texts[begin:])


def batch_of(texts: Sequence[Sequence[str]]) -> Batch:
    """Return the texts, given as words, laid end to end."""
    joined = "".join(f" {' '.join(words)} " for words in texts)
    signs = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    sums = np.zeros(len(signs) + 1, dtype=np.uint64)
    np.cumsum((signs.astype(np.uint64) + np.uint64(1)) * powers(_BASE, len(signs)), out=sums[1:])
    blank = signs == _BLANK
    starts = np.flatnonzero(blank[:-1] & ~blank[1:]) + 1
    ends = np.flatnonzero(~blank[:-1] & blank[1:]) + 1
    text_of = np.repeat(np.arange(len(texts)), [len(words) for words in texts])
    return Batch(signs, sums, powers(_INVERSE, len(signs) + 1), starts, ends, text_of, len(texts))
