# SPDX-License-Identifier: Apache-2.0
"""The sums behind the texts, on plain values in and out, so that they can be done in a thread or in another process.

Loaded by whoever needs a sum, never at a start: it brings the libraries for arrays with it.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np

from analytics.arrays import BoolArray, FloatArray
from analytics.text.calibrating import calibration_error
from analytics.text.coding_queue import coding_queue
from analytics.text.drift import find_drift
from analytics.text.near_duplicates import band_keys, jaccard, word_run_sets
from analytics.text.new_failures import find_new_failures
from analytics.text.ngrams import HashArray
from analytics.text.normalising import ADDRESS, AMOUNT, DATE, NAME, NUMBER
from analytics.text.similar import SimilarTexts, lay_out, similar_from_bytes
from analytics.text.suggesting import Suggester, SuggestionSettings, fit_suggester, suggester_from_bytes, training_hash

CHECKED_AT_MOST, CHECKED_SHARE, CHECKED_FROM_AT_MOST = 1_000, 0.1, 10_000
"""How well a model does is judged on the newest cases, learnt from the older ones just before them."""
CODES_KEPT, CODES_SHOWN, WORDS_SHOWN, WEIGHED = 10, 3, 4, 40
NEAREST = 5
LEAST_COSINE = 0.15
"""Cases less alike share no more than common words."""
LEAST_JACCARD = 0.7
LEAST_RUNS = 8
"""A letter has at least so many runs of five words: two people who write "too slow" have not copied each other."""
LEAST_FOR_DRIFT = 30
DRIFT_SEED = 5
_MARKS = {AMOUNT: "(amount)", DATE: "(date)", NAME: "(name)", NUMBER: "(number)", ADDRESS: "(address)"}
_APART = 0x9E3779B97F4A7C15


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model and how well it does; `accuracy` is None where there were too few cases to tell."""

    payload: bytes
    training_hash: str
    cases: int
    labels: int
    checked_cases: int = 0
    accuracy: float | None = None
    calibration_error: float | None = None


@dataclass(frozen=True, slots=True)
class Proposed:
    """The likeliest codes of one text, the one chosen first; `words` those that speak for the first few."""

    codes: tuple[str, ...]
    chances: tuple[float, ...]
    abstained: bool
    words: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Letter:
    """A text as copies are found: the keys that its copies are likely to share. No keys: too short to be a letter."""

    case_id: UUID
    text: str
    keys: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Drifted:
    """What changed between two periods; `shares` holds the tags whose share has changed."""

    shares: list[dict[str, str | float]]
    words: list[str]
    words_p_value: float


@dataclass(frozen=True, slots=True)
class Queued:
    """A case to be coded first, by its place in what was given."""

    index: int
    uncertainty: float
    distinctness: float


@dataclass(frozen=True, slots=True)
class NewFailure:
    """Cases, by their place in what was given, that may need a tag of their own."""

    members: tuple[int, ...]
    letter_count: int
    expected_count: float
    words: list[str]


def fitted(texts: Sequence[str], codes: Sequence[str], known_hash: str = "") -> Fitted | None:
    """Return what texts and the codes people gave them, two codes or more, teach, the oldest first.

    None where that is nothing but what the model of `known_hash` has learnt.
    """
    if training_hash(texts, codes, SuggestionSettings()) == known_hash:
        return None
    suggester = fit_suggester(texts, codes)
    model = Fitted(suggester.to_bytes(), suggester.training_hash, cases=len(texts), labels=len(suggester.labels))
    checked = _checked(texts, codes)
    if checked is None:
        return model
    right, sure = checked
    error = calibration_error(sure, right)
    return replace(model, checked_cases=len(right), accuracy=float(right.mean()), calibration_error=error)


def _checked(texts: Sequence[str], codes: Sequence[str]) -> tuple[BoolArray, FloatArray] | None:
    """Return, for the newest cases, whether the older ones teach the right code, and with what chance."""
    newest = min(CHECKED_AT_MOST, int(len(texts) * CHECKED_SHARE))
    split = len(texts) - newest
    first = max(0, split - CHECKED_FROM_AT_MOST)
    try:
        earlier = fit_suggester(texts[first:split], codes[first:split])
    except ValueError:
        return None
    judged = earlier.suggest(texts[split:])
    right = np.array([judged.labels[one] for one in judged.chosen]) == np.array(codes[split:])
    return right, judged.chances[np.arange(newest), judged.chosen]


def suggester_of(payload: bytes) -> Suggester:
    """Return a stored suggester; raises NotASuggester for another version's."""
    return suggester_from_bytes(payload)


def proposed(suggester: Suggester, texts: Sequence[str], may_be: frozenset[str]) -> list[Proposed]:
    """Return what is proposed for each text, among the codes that may be given."""
    suggested = suggester.suggest(texts)
    return [_proposed(suggester, text, suggested.best(place, len(suggested.labels)), may_be, abstained=bool(unsure))
            for place, (text, unsure) in enumerate(zip(texts, suggested.abstains, strict=True))]  # fmt: skip


def _proposed(
    suggester: Suggester, text: str, best: Sequence[tuple[str, float]], may_be: frozenset[str], *, abstained: bool
) -> Proposed:
    kept = [(code, chance) for code, chance in best if code in may_be][:CODES_KEPT]
    words = {code: _speaking_for(suggester, text, code) for code, _ in kept[:CODES_SHOWN]}
    is_offered = bool(kept) and kept[0] == best[0]
    codes, chances = tuple(code for code, _ in kept), tuple(chance for _, chance in kept)
    return Proposed(codes, chances, abstained or not is_offered, words)


def _speaking_for(suggester: Suggester, text: str, code: str) -> list[str]:
    """Return the runs of words that speak most for the code, of those that others wrote too: no rare name is shown."""
    found = suggester.words_that_speak(text, code, WEIGHED)
    return [_in_words(one.words) for one in found if one.contribution > 0 and one.is_shared][:WORDS_SHOWN]


def _in_words(run: str) -> str:
    """Return a run of words for people to read: marks stand for what was folded into them."""
    return " ".join(_MARKS.get(word, word) for word in run.split())


def laid_out(texts: Sequence[str], case_ids: Sequence[str], known_hash: str = "") -> Fitted | None:
    """Return the cases laid out so that the nearest to any text are found; None where no others are."""
    digest = hashlib.sha256()
    for case_id, text in zip(case_ids, texts, strict=True):
        digest.update(json.dumps([case_id, text]).encode() + b"\n")
    if digest.hexdigest() == known_hash:
        return None
    stored = io.BytesIO()
    ids = np.frombuffer(b"".join(UUID(case_id).bytes for case_id in case_ids), dtype=np.uint8)
    np.savez(stored, allow_pickle=False, ids=ids, texts=np.frombuffer(lay_out(texts).to_bytes(), dtype=np.uint8))
    return Fitted(stored.getvalue(), digest.hexdigest(), cases=len(texts), labels=0)


@dataclass(frozen=True, slots=True)
class Likeness:
    """Cases laid out, to be asked for the nearest."""

    case_ids: tuple[UUID, ...]
    texts: SimilarTexts

    def nearest(self, case_id: UUID, text: str) -> list[tuple[UUID, float]]:
        """Return the few cases most alike to a case's text, itself left out."""
        apart = [place for place, known in enumerate(self.case_ids) if known == case_id]
        found = self.texts.nearest(text, NEAREST, apart_from=apart)
        return [(self.case_ids[one.index], one.cosine) for one in found if one.cosine >= LEAST_COSINE]


def likeness_of(payload: bytes) -> Likeness:
    """Return stored cases that are laid out."""
    with np.load(io.BytesIO(payload), allow_pickle=False) as kept:
        ids, texts = kept["ids"].tobytes(), kept["texts"].tobytes()
    case_ids = tuple(UUID(bytes=ids[place : place + 16]) for place in range(0, len(ids), 16))
    return Likeness(case_ids, similar_from_bytes(texts))


def letters(cases: Sequence[tuple[UUID, str]]) -> list[Letter]:
    """Return each case's text with its keys; a key says its band too."""
    sets = word_run_sets([text for _, text in cases])
    with_words = [place for place, members in enumerate(sets) if len(members) >= LEAST_RUNS]
    keys = band_keys([sets[place] for place in with_words])
    told = {place: _keys_of(row) for row, place in zip(keys, with_words, strict=True)}
    return [Letter(case_id, text, told.get(place, ())) for place, (case_id, text) in enumerate(cases)]


def _keys_of(bands: HashArray) -> tuple[int, ...]:
    """Return whole numbers with a sign, as PostgreSQL has them; equal ones of different bands are moved apart."""
    moved = bands + np.arange(len(bands), dtype=np.uint64) * np.uint64(_APART)
    return tuple(int(key) for key in moved.view(np.int64))


def likenesses(text: str, others: Sequence[str]) -> list[float]:
    """Return the exact Jaccard index of a text's runs of words with each other text's."""
    own, *sets = word_run_sets([text, *others])
    return [jaccard(own, one) for one in sets]


def drifted(texts: Sequence[str], codes: Sequence[str], is_after: Sequence[bool]) -> Drifted | None:
    """Return what changed between the earlier and the later texts; None where either has too few."""
    after = np.array(is_after, dtype=np.bool_)
    if int(after.sum()) < LEAST_FOR_DRIFT or int((~after).sum()) < LEAST_FOR_DRIFT:
        return None
    found = find_drift(texts, codes, after, np.random.default_rng(DRIFT_SEED))
    shares: list[dict[str, str | float]] = [
        {"code": shift.tag, "before": shift.share_before, "after": shift.share_after, "q": shift.q_value}
        for shift in found.changed_tags
    ]
    return Drifted(shares, [shift.word for shift in found.words], found.words_p_value)


def queued(texts: Sequence[str], chances: Sequence[Sequence[float]]) -> list[Queued]:
    """Return which cases a person should code first; `chances` holds each case's best ones, none where unknown."""
    two = np.array([sorted([*found, 0.0, 0.0], reverse=True)[:2] if found else [0.5, 0.5] for found in chances])
    best = coding_queue(two.reshape(-1, 2), lay_out(texts)) if len(texts) else []
    return [Queued(one.index, one.uncertainty, one.distinctness) for one in best]


def new_failures(
    texts: Sequence[str], days: Sequence[int], abstains: Sequence[bool], as_of_day: int
) -> list[NewFailure]:
    """Return groups of recent cases that no code fits; days are whole numbers."""
    found = find_new_failures(
        texts, np.array(days, dtype=np.int64), np.array(abstains, dtype=np.bool_), as_of_day=as_of_day
    )
    return [NewFailure(one.members, one.letter_count, one.expected_count, list(one.words)) for one in found]
