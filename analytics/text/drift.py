# SPDX-License-Identifier: Apache-2.0
"""Whether tags or words have changed between two periods: a change of tags, or of what they mean, fakes an outbreak.

Shares of tags: Fisher's exact test for each, false discoveries held to `RATE` (multiplicity.py). Words: are the texts
of one and the same tag worded otherwise than before? The statistic is the mean over words of the squared standard
errors between the periods, tag by tag; its chance is found by dealing the texts of each tag to the periods anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analytics.arrays import BoolArray, IntArray
from analytics.multiplicity import benjamini_hochberg
from analytics.text.telling_words import WordShift, word_use

RATE = 0.05
SHUFFLES = 199
_AT_LEAST_TEXTS = 5
_WORDS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class ShareShift:
    """A tag's share of the texts before and after, and the rate of false discoveries at which it counts as changed."""

    tag: str
    share_before: float
    share_after: float
    q_value: float


@dataclass(frozen=True, slots=True)
class Drift:
    """What has changed. `tags` holds every tag, the surest change first; `words` those that became commoner.

    `words_p_value`: how often chance alone would set the words of the same tags so far apart.
    """

    tags: tuple[ShareShift, ...]
    words: tuple[WordShift, ...]
    words_p_value: float

    @property
    def changed_tags(self) -> tuple[ShareShift, ...]:
        """The tags whose share has changed by more than chance."""
        return tuple(shift for shift in self.tags if shift.q_value <= RATE)

    @property
    def is_worded_otherwise(self) -> bool:
        """Whether the same tags are worded otherwise by more than chance."""
        return self.words_p_value <= RATE

    @property
    def sentence(self) -> str:
        """What a supervisor must know before believing a signal."""
        said = [
            f"“{shift.tag}” went from {shift.share_before:.0%} to {shift.share_after:.0%} of the cases"
            for shift in self.changed_tags
        ]
        if self.is_worded_otherwise:
            commoner = ", ".join(f"“{shift.word}”" for shift in self.words)
            said.append(f"cases with the same tag are worded otherwise than before (commoner now: {commoner})")
        if not said:
            return "Tags and words are used as before, as far as can be told."
        told = "; ".join(said)
        return f"{told[0].upper()}{told[1:]}. Check whether tags, their meaning or the form changed."


def find_drift(texts: Sequence[str], tags: Sequence[str], is_after: BoolArray, rng: np.random.Generator) -> Drift:
    """Return what changed between the texts of the earlier and of the later period (`is_after`)."""
    if not is_after.any() or is_after.all():
        raise ValueError("Both periods need texts.")
    names = sorted(set(tags))
    number_of = {name: number for number, name in enumerate(names)}
    strata = np.array([number_of[tag] for tag in tags], dtype=np.int64)
    use = word_use(texts, at_least_texts=_AT_LEAST_TEXTS)
    dealt = np.column_stack([is_after, *(_dealt_anew(is_after, strata, rng) for _ in range(SHUFFLES))])
    apart = (use.standard_errors(dealt, strata) ** 2).mean(axis=0) if use.words else np.zeros(SHUFFLES + 1)
    p_value = float((apart >= apart[0]).mean())
    return Drift(_share_shifts(strata, names, is_after), tuple(use.shifts(is_after, strata, _WORDS_SHOWN)), p_value)


def _dealt_anew(is_after: BoolArray, strata: IntArray, rng: np.random.Generator) -> BoolArray:
    """Return the periods shuffled within each stratum."""
    order = np.lexsort((rng.random(len(strata)), strata))
    dealt = np.empty_like(is_after)
    dealt[np.argsort(strata, kind="stable")] = is_after[order]
    return dealt


def _share_shifts(strata: IntArray, names: Sequence[str], is_after: BoolArray) -> tuple[ShareShift, ...]:
    after = np.bincount(strata[is_after], minlength=len(names))
    before = np.bincount(strata[~is_after], minlength=len(names))
    p_values = [
        stats.fisher_exact([[one, after.sum() - one], [other, before.sum() - other]]).pvalue
        for one, other in zip(after, before, strict=True)
    ]
    q_values = benjamini_hochberg(np.array(p_values, dtype=np.float64))
    shifts = [
        ShareShift(name, float(before[tag] / before.sum()), float(after[tag] / after.sum()), float(q_values[tag]))
        for tag, name in enumerate(names)
    ]
    return tuple(sorted(shifts, key=lambda shift: (shift.q_value, shift.tag)))
