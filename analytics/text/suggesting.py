# SPDX-License-Identifier: Apache-2.0
"""Labels to propose for a text: how sure, which else it may be, the words that speak for it, and when to say nothing.

`fit_suggester` learns from texts that people labelled (features.py, learning.py) and from part of them, held back,
how far to trust itself (calibrating.py). A suggestion abstains when the set of labels that holds the right one nine
times in ten has more than three, when its best chance is below one half, or when the text says hardly a word that was
learnt from. It never tags: a person does.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from analytics.arrays import BoolArray, FloatArray, IntArray
from analytics.text.calibrating import Link, handicaps_for, label_sets, limit_for, link_for
from analytics.text.features import LETTERS, WORDS, Family, Rows, Vocabulary, bins_of, count_bins, vocabulary_from
from analytics.text.learning import LearningSettings, Linear, learn, learn_from_many
from analytics.text.ngrams import BIN_COUNT, batch_of
from analytics.text.normalising import words_of

METHOD = "hinge-word-letter/3"
"""Changed whenever the same texts may give other suggestions; part of the training hash and of the stored form."""
SHARED_BY = 5
"""A run of words that fewer texts have may tell of a person."""
_ONE_IN = 10
"""One text in so many is held back for good where there are many."""


@dataclass(frozen=True, slots=True)
class SuggestionSettings:
    """The numbers suggestions depend on.

    `coverage`: how often the set of labels must hold the right one. A suggestion abstains when the set has more than
    `set_at_most` labels, its best chance is below `chance_at_least`, or the text has fewer than `known_at_least`
    different known words, or fewer than `known_share_at_least` of its different words are known. Up to
    `cross_fit_at_most` texts every text is held back once in `fold_count` rounds and the weights are then learnt from
    all; beyond it one text in ten is held back for good. `seed` decides which.
    """

    coverage: float = 0.9
    set_at_most: int = 3
    chance_at_least: float = 0.5
    known_at_least: int = 3
    known_share_at_least: float = 0.5
    fold_count: int = 3
    cross_fit_at_most: int = 20_000
    seed: int = 1
    families: tuple[Family, ...] = (WORDS, LETTERS)
    learning: LearningSettings = field(default_factory=LearningSettings)


@dataclass(frozen=True, slots=True)
class SpeakingWords:
    """A run of words, and what it adds to (or takes from) a label's margin; `is_shared`: others wrote it too."""

    words: str
    contribution: float
    is_shared: bool


@dataclass(frozen=True, slots=True)
class Suggestions:
    """For each text: the chance of every label (texts by labels), the label chosen, its set, and whether it abstains.

    The label chosen is the likeliest, but for rare labels, which are chosen a little sooner (`handicaps_for`).
    """

    labels: tuple[str, ...]
    chances: FloatArray
    chosen: IntArray
    in_set: BoolArray
    abstains: BoolArray

    def best(self, text: int, count: int = 3) -> list[tuple[str, float]]:
        """Return labels of a text with their chances: the one chosen, then the likeliest first."""
        worth = self.chances[text].copy()
        worth[self.chosen[text]] = np.inf
        order = np.argsort(-worth, kind="stable")[:count]
        return [(self.labels[label], float(self.chances[text, label])) for label in order]


@dataclass(frozen=True, slots=True)
class Suggester:
    """What was learnt; `training_hash` names the texts, labels and settings it was learnt from.

    `is_shared` tells, for each vocabulary, which features at least `SHARED_BY` of the texts have.
    """

    labels: tuple[str, ...]
    vocabularies: tuple[Vocabulary, ...]
    is_shared: tuple[BoolArray, ...]
    linear: Linear
    link: Link
    handicaps: tuple[float, ...]
    limit: float
    settings: SuggestionSettings
    training_hash: str

    def suggest(self, texts: Sequence[str]) -> Suggestions:
        """Return what to propose for each text."""
        words = [words_of(text) for text in texts]
        counted = [count_bins(words, vocabulary.family) for vocabulary in self.vocabularies]
        chances = self.link.chances(self.linear.margins(_beside(counted, self.vocabularies)))
        chosen = (np.log(chances) - np.array(self.handicaps)).argmax(axis=1)
        in_set = label_sets(chances, self.limit)
        own = chances[np.arange(len(chosen)), chosen]
        unsure = (in_set.sum(axis=1) > self.settings.set_at_most) | (own < self.settings.chance_at_least)
        return Suggestions(self.labels, chances, chosen, in_set, np.asarray(unsure | self._is_strange(words)))

    def _is_strange(self, texts: Sequence[Sequence[str]]) -> BoolArray:
        """Return which texts, given as words, say too little that was learnt from for chances to mean anything."""
        strange = np.zeros(len(texts), dtype=np.bool_)
        for vocabulary in self.vocabularies:
            if vocabulary.family.of_words:
                known, all_words = vocabulary.known_words(texts)
                strange |= known < np.maximum(
                    self.settings.known_at_least, self.settings.known_share_at_least * all_words
                )
        return strange

    def words_that_speak(self, text: str, label: str, count: int = 6) -> list[SpeakingWords]:
        """Return the runs of words that weigh most in the margin of `label`, for or against, weightiest first."""
        words = words_of(text)
        column = self.labels.index(label)
        found: dict[str, SpeakingWords] = {}
        offset = 0
        for vocabulary, is_shared in zip(self.vocabularies, self.is_shared, strict=True):
            if vocabulary.family.of_words:
                weights = vocabulary.weigh(count_bins([words], vocabulary.family)).toarray()[0]
                added = weights * self.linear.weights[offset : offset + len(weights), column]
                found |= {
                    run: SpeakingWords(run, float(added[place]), bool(is_shared[place]))
                    for run, place in _runs(words, vocabulary)
                    if added[place]
                }
            offset += len(vocabulary.bins)
        return sorted(found.values(), key=lambda one: (-abs(one.contribution), one.words))[:count]

    def to_bytes(self) -> bytes:
        """Return the stored form: arrays and plain values, the same bytes for the same suggester."""
        told = {
            "method": METHOD,
            "labels": self.labels,
            "link": asdict(self.link),
            "handicaps": self.handicaps,
            "limit": self.limit,
            "settings": asdict(self.settings),
            "training_hash": self.training_hash,
        }
        arrays: dict[str, npt.NDArray[Any]] = {"weights": self.linear.weights, "levels": self.linear.levels}
        for number, vocabulary in enumerate(self.vocabularies):
            arrays[f"bins_{number}"] = vocabulary.bins
            arrays[f"importance_{number}"] = vocabulary.importance
            arrays[f"shared_{number}"] = self.is_shared[number]
        arrays["told"] = np.frombuffer(json.dumps(told, ensure_ascii=False).encode(), dtype=np.uint8)
        stored = io.BytesIO()
        np.savez(stored, allow_pickle=False, **arrays)
        return stored.getvalue()


class NotASuggester(ValueError):
    """Stored bytes that this version cannot read: fit again."""


def suggester_from_bytes(stored: bytes) -> Suggester:
    """Return the suggester stored; nothing in it is run. Raise `NotASuggester` if the form is another's."""
    try:
        with np.load(io.BytesIO(stored), allow_pickle=False) as kept:
            arrays = dict(kept)
        told = json.loads(arrays["told"].tobytes().decode())
        method = told["method"]
        suggester = _suggester_from(told, arrays) if method == METHOD else None
    except (KeyError, TypeError, ValueError, OSError, EOFError, zipfile.BadZipFile) as fault:
        raise NotASuggester("These bytes are not a stored suggester: fit again.") from fault
    if suggester is None:
        raise NotASuggester(f"The stored form is {method}, not {METHOD}: fit again.")
    lengths = [len(one.bins) for one in suggester.vocabularies]
    shape = (sum(lengths), len(suggester.labels))
    if suggester.linear.weights.shape != shape or [len(one) for one in suggester.is_shared] != lengths:
        raise NotASuggester("The stored weights do not fit the stored features: fit again.")
    return suggester


def _suggester_from(told: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> Suggester:
    """Return the suggester from its plain values and arrays."""
    settings = _settings_from(told["settings"])
    return Suggester(
        labels=tuple(told["labels"]),
        vocabularies=tuple(
            Vocabulary(family, arrays[f"bins_{number}"], arrays[f"importance_{number}"])
            for number, family in enumerate(settings.families)
        ),
        is_shared=tuple(arrays[f"shared_{number}"] for number in range(len(settings.families))),
        linear=Linear(arrays["weights"], arrays["levels"]),
        link=Link(**{**told["link"], "factors": tuple(told["link"]["factors"])}),
        handicaps=tuple(told["handicaps"]),
        limit=float(told["limit"]),
        settings=settings,
        training_hash=told["training_hash"],
    )


def fit_suggester(texts: Sequence[str], labels: Sequence[str], settings: SuggestionSettings | None = None) -> Suggester:
    """Return what the texts and their labels teach; raise ValueError when there is nothing to tell apart."""
    settings = settings or SuggestionSettings()
    names = tuple(sorted(set(labels)))
    if len(texts) != len(labels):
        raise ValueError("Every text needs its label.")
    if len(names) < 2 or len(texts) < settings.fold_count:  # noqa: PLR2004 - two labels are the fewest to choose from
        raise ValueError(f"To learn takes at least two labels and {settings.fold_count} texts.")
    number_of = {name: number for number, name in enumerate(names)}
    labelled = np.array([number_of[label] for label in labels], dtype=np.int64)
    material = _Material.of(texts, labelled, len(names), settings)
    if len(texts) <= settings.cross_fit_at_most:
        margins = material.cross_fitted_margins()
        vocabularies, linear = material.learn_from(np.ones(len(texts), dtype=np.bool_))
        judged = labelled
    else:
        held = folds_of(labelled, _ONE_IN, settings.seed) == 0
        vocabularies, linear = material.learn_from(~held)
        margins, judged = material.margins_of(held, vocabularies, linear), labelled[held]
    link = link_for(margins, judged)
    chances = link.chances(margins)
    handicaps, limit = handicaps_for(chances, judged), limit_for(chances, judged, settings.coverage)
    digest = training_hash(texts, labels, settings)
    shared = material.shared(vocabularies)
    return Suggester(names, vocabularies, shared, linear, link, handicaps, limit, settings, digest)


def folds_of(labels: IntArray, fold_count: int, seed: int) -> IntArray:
    """Return the fold of each text, every label dealt out evenly over the folds."""
    order = np.random.default_rng(seed).permutation(len(labels))
    dealt = order[np.argsort(labels[order], kind="stable")]
    folds = np.empty(len(labels), dtype=np.int64)
    folds[dealt] = np.arange(len(labels)) % fold_count
    return folds


def training_hash(texts: Sequence[str], labels: Sequence[str], settings: SuggestionSettings) -> str:
    """Return the name of what a suggester is learnt from: method, settings, and every text with its label, in order."""
    digest = hashlib.sha256(json.dumps([METHOD, asdict(settings)], sort_keys=True).encode())
    for text, label in zip(texts, labels, strict=True):
        digest.update(json.dumps([text, label]).encode() + b"\n")
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _Material:
    """Labelled texts, their features counted once."""

    counted: list[Rows]
    labels: IntArray
    label_count: int
    settings: SuggestionSettings

    @classmethod
    def of(cls, texts: Sequence[str], labels: IntArray, label_count: int, settings: SuggestionSettings) -> "_Material":
        words = [words_of(text) for text in texts]
        return cls([count_bins(words, family) for family in settings.families], labels, label_count, settings)

    def learn_from(self, chosen: BoolArray) -> tuple[tuple[Vocabulary, ...], Linear]:
        """Return what the chosen texts teach."""
        labels = self.labels[chosen]
        counted = [rows[chosen] for rows in self.counted]
        vocabularies = tuple(
            vocabulary_from(rows, family, labels=labels, label_count=self.label_count)
            for rows, family in zip(counted, self.settings.families, strict=True)
        )
        rows = _beside(counted, vocabularies)
        search = learn if len(self.labels) <= self.settings.cross_fit_at_most else learn_from_many
        return vocabularies, search(rows, labels, self.label_count, self.settings.learning)

    def shared(self, vocabularies: Sequence[Vocabulary]) -> tuple[BoolArray, ...]:
        """Return, for each vocabulary, which of its features enough of the texts have."""
        return tuple(
            np.asarray(np.bincount(rows.indices, minlength=BIN_COUNT)[vocabulary.bins] >= SHARED_BY)
            for rows, vocabulary in zip(self.counted, vocabularies, strict=True)
        )

    def margins_of(self, chosen: BoolArray, vocabularies: tuple[Vocabulary, ...], linear: Linear) -> FloatArray:
        """Return the margins of the chosen texts."""
        return linear.margins(_beside([rows[chosen] for rows in self.counted], vocabularies))

    def cross_fitted_margins(self) -> FloatArray:
        """Return the margins of all texts, each under weights it had no part in."""
        margins = np.zeros((len(self.labels), self.label_count))
        folds = folds_of(self.labels, self.settings.fold_count, self.settings.seed)
        for fold in range(self.settings.fold_count):
            held = folds == fold
            margins[held] = self.margins_of(held, *self.learn_from(~held))
        return margins


def _beside(counted: Sequence[Rows], vocabularies: Sequence[Vocabulary]) -> Rows:
    """Return the families' weighted features beside each other."""
    weighed = [vocabulary.weigh(rows) for vocabulary, rows in zip(vocabularies, counted, strict=True)]
    return Rows(sparse.hstack(weighed, format="csr", dtype=np.float32))


def _runs(words: Sequence[str], vocabulary: Vocabulary) -> list[tuple[str, int]]:
    """Return every run of words of one text that the vocabulary knows, with its column."""
    batch = batch_of([words])
    starts, ends, _ = vocabulary.family.stretches(batch)
    laid_out = f" {' '.join(words)} "
    columns = vocabulary.columns_of(bins_of(batch, starts, ends))
    return [
        (laid_out[start:end], int(column))
        for start, end, column in zip(starts, ends, columns, strict=True)
        if column >= 0
    ]


def _settings_from(told: dict[str, Any]) -> SuggestionSettings:
    """Return the settings from their stored form."""
    families = tuple(Family(**{**family, "lengths": tuple(family["lengths"])}) for family in told["families"])
    return SuggestionSettings(**{**told, "families": families, "learning": LearningSettings(**told["learning"])})
