# SPDX-License-Identifier: Apache-2.0
"""Copies of one letter, found among many: a campaign counts as one voice beside its number of senders.

Two texts are near-duplicates when their sets of runs of five words have a Jaccard index of at least 0.7 (Broder 1997,
Compression and Complexity of Sequences 21), names, dates and amounts folded. Candidates come from 125 least hashes in
25 bands of 5: two texts of index J meet in at least one band with chance 1 - (1 - J^5)^25, which is .99 at 0.7
(Leskovec, Rajaraman & Ullman 2014, Mining of Massive Datasets, ch. 3). Every candidate pair is then measured exactly.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.arrays import IntArray
from analytics.text.ngrams import HashArray, batches, mixed
from analytics.text.normalising import words_of

RUN_OF_WORDS = 5
BANDS, HASHES_PER_BAND = 25, 5
_SEED = 128


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """Clusters of texts by their indices, each in rising order, the clusters by their first text.

    `links` are the pairs that were measured and found alike; a cluster holds together by links, and two of its texts
    may differ more.
    """

    clusters: tuple[tuple[int, ...], ...]
    links: tuple[tuple[int, int], ...]

    def cluster_numbers(self, text_count: int) -> IntArray:
        """Return a number per text, equal for texts of one cluster: its first text."""
        numbers = np.arange(text_count)
        for cluster in self.clusters:
            numbers[list(cluster)] = cluster[0]
        return numbers


def find_near_duplicates(texts: Sequence[str], *, least_jaccard: float = 0.7) -> NearDuplicates:
    """Return which texts are copies of which; texts without a word are copies of nothing."""
    sets = word_run_sets(texts)
    forest = _Forest(len(texts))
    links: list[tuple[int, int]] = []
    distinct: list[int] = []
    for copies in _groups({index: members.tobytes() for index, members in enumerate(sets) if len(members)}):
        distinct.append(copies[0])
        for copy in copies[1:]:
            forest.join(copies[0], copy)
            links.append((copies[0], copy))
    measured: set[tuple[int, int]] = set()
    keys = band_keys([sets[index] for index in distinct])
    for band in range(keys.shape[1]):
        for group in _groups({text: int(keys[place, band]) for place, text in enumerate(distinct)}):
            for pair in _pairs_apart(group, forest, measured):
                if jaccard(sets[pair[0]], sets[pair[1]]) >= least_jaccard:
                    forest.join(*pair)
                    links.append(pair)
    return NearDuplicates(forest.clusters(), tuple(sorted(links)))


def word_run_sets(texts: Sequence[str]) -> list[HashArray]:
    """Return each text's set of runs of five words as sorted hashes; a shorter text is one run of its own."""
    sets: list[HashArray] = []
    for batch in batches([words_of(text) for text in texts]):
        starts, ends, text_of = batch.word_runs(RUN_OF_WORDS)
        hashes = batch.hashes(starts, ends)
        bounds = np.searchsorted(text_of, np.arange(batch.text_count + 1))
        word_bounds = np.searchsorted(batch.text_of, np.arange(batch.text_count + 1))
        for text in range(batch.text_count):
            runs = hashes[bounds[text] : bounds[text + 1]]
            first, beyond = word_bounds[text], word_bounds[text + 1]
            if not len(runs) and beyond > first:
                runs = batch.hashes(batch.starts[first : first + 1], batch.ends[beyond - 1 : beyond])
            sets.append(np.unique(runs))
    return sets


def jaccard(one: HashArray, other: HashArray) -> float:
    """Return how much two sets of hashes have in common, over what they have together; 0 for two empty sets."""
    in_common = len(np.intersect1d(one, other, assume_unique=True))
    together = len(one) + len(other) - in_common
    return in_common / together if together else 0.0


def band_keys(sets: Sequence[HashArray]) -> HashArray:
    """Return sets by bands: texts with the same key in a band had the same least hashes there. No set may be empty."""
    keys = np.zeros((len(sets), BANDS), dtype=np.uint64)
    if not sets:
        return keys
    hashes = np.concatenate(sets)
    begins = np.cumsum([0, *(len(members) for members in sets[:-1])])
    drawn = np.random.default_rng(_SEED).integers(0, 1 << 63, size=(BANDS, HASHES_PER_BAND, 2), dtype=np.uint64)
    for band in range(BANDS):
        for factor, shift in drawn[band]:
            least = np.minimum.reduceat(hashes * (factor * np.uint64(2) + np.uint64(1)) + shift, begins)
            keys[:, band] = mixed(keys[:, band] + mixed(least))
    return keys


def _groups(key_of: dict[int, object]) -> list[list[int]]:
    """Return the indices that share a key, the lone ones as groups of one."""
    groups: defaultdict[object, list[int]] = defaultdict(list)
    for index, key in key_of.items():
        groups[key].append(index)
    return list(groups.values())


def _pairs_apart(group: list[int], forest: "_Forest", measured: set[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of a group not in one cluster yet and not measured before; note them as measured."""
    for place, one in enumerate(group):
        for other in group[place + 1 :]:
            if (one, other) not in measured and forest.root(one) != forest.root(other):
                measured.add((one, other))
                yield one, other


class _Forest:
    """Which texts hang together (union-find: Tarjan 1975, J. ACM 22:215)."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def root(self, index: int) -> int:
        while self._parent[index] != index:
            self._parent[index] = self._parent[self._parent[index]]
            index = self._parent[index]
        return index

    def join(self, one: int, other: int) -> None:
        lower, higher = sorted((self.root(one), self.root(other)))
        self._parent[higher] = lower

    def clusters(self) -> tuple[tuple[int, ...], ...]:
        members: defaultdict[int, list[int]] = defaultdict(list)
        for index in range(len(self._parent)):
            members[self.root(index)].append(index)
        return tuple(tuple(cluster) for _, cluster in sorted(members.items()) if len(cluster) > 1)
