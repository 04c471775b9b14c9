# SPDX-License-Identifier: Apache-2.0
"""Failures nobody has a tag for yet: recent cases that no tag fits, that are like each other and unlike the past.

Cases of the last four weeks on which suggestions abstain are grouped by average linkage (Sokal & Michener 1958) of the
cosine of their words. Alike is what only one in two hundred pairs of older cases reaches. A group is proposed when it
has five distinct letters (copies of one count once) and older cases like it were so few that chance alone would seldom
bring as many in four weeks (Poisson).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.cluster import hierarchy
from scipy.spatial import distance

from analytics.arrays import BoolArray, IntArray
from analytics.text.near_duplicates import find_near_duplicates
from analytics.text.similar import SimilarTexts, lay_out, pairwise
from analytics.text.telling_words import word_use

WINDOW_DAYS = 28
LEAST_LETTERS = 5
ALIKE_QUANTILE = 0.995
SELDOM = 0.01
_LOOKED_AT = 4000
"""The latest so many abstained cases are grouped: their pairs must fit in memory."""
_COMPARED = 500
_LEAST_OLDER = 50
_WORDS_SHOWN = 6


@dataclass(frozen=True, slots=True)
class ProposedFailure:
    """Cases, by index, that may need a tag of their own; `words` tell them from all others.

    `letter_count` counts copies of one letter once; `expected_count` is how many cases like these four weeks bring.
    """

    members: tuple[int, ...]
    letter_count: int
    expected_count: float
    words: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What a supervisor reads."""
        named = ", ".join(f"“{word}”" for word in self.words)
        return (
            f"{len(self.members)} cases in four weeks that no tag fits, alike in {named}; "
            f"before, four weeks brought {self.expected_count:.1f} like them. Do they need a tag of their own?"
        )


def find_new_failures(
    texts: Sequence[str], received_days: IntArray, abstains: BoolArray, *, as_of_day: int
) -> list[ProposedFailure]:
    """Return the groups worth a look, the largest first; days are whole numbers, cases after `as_of_day` unknown.

    Without `_LEAST_OLDER` older cases nothing is proposed, for nothing is known of what is usual.
    """
    is_recent = (received_days > as_of_day - WINDOW_DAYS) & (received_days <= as_of_day)
    older = np.flatnonzero(received_days <= as_of_day - WINDOW_DAYS)
    recent = np.flatnonzero(is_recent & abstains)
    recent = recent[np.argsort(received_days[recent], kind="stable")][-_LOOKED_AT:]
    if len(older) < _LEAST_OLDER or len(recent) < LEAST_LETTERS:
        return []
    known = np.sort(np.concatenate([older, np.flatnonzero(is_recent)]))
    laid_out = lay_out([texts[index] for index in known])
    recent_places, older_places = np.searchsorted(known, recent), np.searchsorted(known, older)
    alike = _usual_likeness(laid_out, older_places)
    spans = (as_of_day - WINDOW_DAYS - int(received_days[older].min()) + 1) / WINDOW_DAYS
    proposed = []
    for group in _groups_alike(laid_out, recent_places, alike):
        members = np.sort(recent[group])
        letters = len(members) - _copies([texts[index] for index in members])
        like_it = _older_like(laid_out, recent_places[group], older_places, alike)
        expected = (like_it + 0.5) / max(spans, 1.0)
        if letters >= LEAST_LETTERS and stats.poisson.sf(letters - 1, expected) <= SELDOM:
            words = _words(texts, known, members)
            proposed.append(ProposedFailure(tuple(int(index) for index in members), letters, expected, words))
    return sorted(proposed, key=lambda failure: (-len(failure.members), failure.members))


def _usual_likeness(laid_out: SimilarTexts, older: IntArray) -> float:
    """Return the cosine that only one in two hundred pairs of older cases reaches, of the latest ones."""
    cosines = pairwise(laid_out, older[-_COMPARED:])
    return float(np.quantile(cosines[np.triu_indices(len(cosines), 1)], ALIKE_QUANTILE))


def _groups_alike(laid_out: SimilarTexts, places: IntArray, alike: float) -> list[IntArray]:
    """Return groups, as positions in `places`, whose members are on average at least so alike."""
    apart = np.clip(1.0 - pairwise(laid_out, places), 0.0, None)
    np.fill_diagonal(apart, 0.0)
    tree = hierarchy.linkage(distance.squareform(apart, checks=False), method="average")
    numbers = hierarchy.fcluster(tree, 1.0 - alike, criterion="distance")
    groups = [np.flatnonzero(numbers == number) for number in np.unique(numbers)]
    return [group for group in groups if len(group) >= LEAST_LETTERS]


def _copies(texts: Sequence[str]) -> int:
    """Return how many of the texts only repeat another."""
    return sum(len(cluster) - 1 for cluster in find_near_duplicates(texts).clusters)


def _older_like(laid_out: SimilarTexts, group: IntArray, older: IntArray, alike: float) -> int:
    """Return how many older cases are, on average over the group's members, as alike as the members must be."""
    centre = np.asarray(laid_out.rows[group].mean(axis=0)).ravel()
    return int((laid_out.rows[older] @ centre >= alike).sum())


def _words(texts: Sequence[str], known: IntArray, members: IntArray) -> tuple[str, ...]:
    """Return the words that tell the members from all other cases."""
    use = word_use([texts[index] for index in known], at_least_texts=LEAST_LETTERS)
    shifts = use.shifts(np.isin(known, members), np.zeros(len(known), dtype=np.int64), _WORDS_SHOWN)
    return tuple(shift.word for shift in shifts)
