# SPDX-License-Identifier: Apache-2.0
"""What is proposed for a text, and when nothing is."""

import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analytics.text import suggesting
from analytics.text.features import count_bins
from analytics.text.normalising import words_of
from analytics.text.suggesting import (
    NotASuggester,
    Suggester,
    SuggestionSettings,
    fit_suggester,
    folds_of,
    suggester_from_bytes,
)
from tests.unit.analytics.text.letters import COMMON, TOPICS, labelled

TEXTS, LABELS = labelled(40, seed=1)
HARD_TEXTS, HARD_LABELS = labelled(60, seed=2, on_topic=0.02)


@pytest.fixture(scope="module")
def suggester() -> Suggester:
    return fit_suggester(TEXTS, LABELS)


@pytest.fixture(scope="module")
def unsure() -> Suggester:
    return fit_suggester(HARD_TEXTS, HARD_LABELS)


def test_the_label_a_person_would_give_is_proposed(suggester: Suggester) -> None:
    texts, labels = labelled(25, seed=3)
    suggested = suggester.suggest(texts)

    assert [suggested.best(text)[0][0] for text in range(len(texts))] == labels
    assert not suggested.abstains.any()


def test_the_best_three_are_in_order_and_different(unsure: Suggester) -> None:
    suggested = unsure.suggest(["passport refused late"])
    names, chances = zip(*suggested.best(0), strict=True)

    assert len(set(names)) == 3
    assert names[0] == suggested.labels[suggested.chosen[0]]
    assert chances[1] >= chances[2]


def test_it_abstains_where_the_words_tell_nothing(suggester: Suggester) -> None:
    assert suggester.suggest([" ".join(COMMON), ""]).abstains.all()


def test_it_abstains_where_hardly_a_word_was_learnt_from(suggester: Suggester) -> None:
    nonsense = ["xylophone zebra", "xylophone zebra quartz passport", "passport upload"]
    learnt = ["passport upload scan zebra", "passport scan original zebra quartz xylophone"]
    suggested = suggester.suggest([*nonsense, *learnt])

    assert suggested.abstains.tolist() == [True, True, True, False, False]


def test_no_chance_is_surer_than_the_number_of_texts_allows_even_for_a_text_learnt_from(suggester: Suggester) -> None:
    best = suggester.suggest(TEXTS).chances.max()

    assert suggester.link.doubt == 1 / (len(TEXTS) + 2)
    assert 0.98 < best <= 1 - suggester.link.doubt * 3 / 4


def test_it_abstains_exactly_when_the_set_is_large_or_no_chance_is_good(unsure: Suggester) -> None:
    texts, _ = labelled(50, seed=4, on_topic=0.02)
    suggested = unsure.suggest(texts)
    large = suggested.in_set.sum(axis=1) > 3
    poor = suggested.chances[np.arange(len(texts)), suggested.chosen] < 0.5

    assert 0 < suggested.abstains.sum() < len(texts)
    assert (suggested.abstains == (large | poor)).all()


def test_sets_hold_the_right_label_nine_times_in_ten(unsure: Suggester) -> None:
    texts, labels = labelled(150, seed=5, on_topic=0.02)
    suggested = unsure.suggest(texts)
    truth = [suggested.labels.index(label) for label in labels]

    assert suggested.in_set[np.arange(len(texts)), truth].mean() == pytest.approx(0.9, abs=0.05)


def test_chances_are_learnt_from_texts_held_back(unsure: Suggester) -> None:
    texts, labels = labelled(150, seed=6, on_topic=0.02)
    suggested = unsure.suggest(texts)
    right = np.array([suggested.best(text)[0][0] == label for text, label in enumerate(labels)])

    assert suggested.chances.max(axis=1).mean() == pytest.approx(right.mean(), abs=0.06)


def test_many_texts_are_learnt_from_with_one_in_ten_held_back_for_good() -> None:
    settings = SuggestionSettings(cross_fit_at_most=100)
    texts, labels = labelled(25, seed=3)
    suggested = fit_suggester(TEXTS, LABELS, settings).suggest(texts)

    assert [suggested.best(text)[0][0] for text in range(len(texts))] == labels


def test_the_words_that_speak_for_a_label_are_those_of_its_topic(suggester: Suggester) -> None:
    text = "they said the passport was misplaced and nobody told us"
    speaking = suggester.words_that_speak(text, "lost document", 2)

    assert {said.words for said in speaking} == {"passport", "misplaced"}
    assert all(said.contribution > 0 for said in speaking)
    assert suggester.words_that_speak(text, "late payment", 1)[0].contribution < 0


def test_contributions_of_words_letters_and_level_add_up_to_the_margin(suggester: Suggester) -> None:
    words_only = replace(suggester.settings, families=suggester.settings.families[:1])
    plain = fit_suggester(TEXTS, LABELS, words_only)
    said = plain.words_that_speak(TEXTS[0], LABELS[0], 10_000)
    label = plain.labels.index(LABELS[0])
    margin = sum(one.contribution for one in said) + float(plain.linear.levels[label])

    assert plain.link.steepness > 0
    rows = suggesting._beside([count_bins([words_of(TEXTS[0])], plain.vocabularies[0].family)], plain.vocabularies)
    assert margin == pytest.approx(plain.linear.margins(rows)[0, label], rel=1e-4)


def test_the_same_texts_teach_the_same_twice(suggester: Suggester) -> None:
    assert fit_suggester(TEXTS, LABELS).to_bytes() == suggester.to_bytes()


def test_the_training_hash_names_texts_labels_and_settings(suggester: Suggester) -> None:
    swapped = [LABELS[1], LABELS[0], *LABELS[2:]]
    hashes = {
        suggester.training_hash,
        suggesting.training_hash(TEXTS, swapped, SuggestionSettings()),
        suggesting.training_hash([*TEXTS[:-1], "else"], LABELS, SuggestionSettings()),
        suggesting.training_hash(TEXTS, LABELS, SuggestionSettings(coverage=0.8)),
    }

    assert suggesting.training_hash(TEXTS, LABELS, SuggestionSettings()) == suggester.training_hash
    assert len(hashes) == 3 + (LABELS[0] != LABELS[1])


def test_what_was_stored_proposes_the_same(suggester: Suggester) -> None:
    read = suggester_from_bytes(suggester.to_bytes())

    assert (read.suggest(TEXTS[:9]).chances == suggester.suggest(TEXTS[:9]).chances).all()
    assert read.words_that_speak(TEXTS[0], LABELS[0]) == suggester.words_that_speak(TEXTS[0], LABELS[0])
    assert read.training_hash == suggester.training_hash
    assert read.settings == suggester.settings


def altered(stored: bytes, **changes: Any) -> bytes:
    """Return the stored form with arrays or plain values changed."""
    with np.load(io.BytesIO(stored)) as arrays:
        content = dict(arrays)
    told = json.loads(content["told"].tobytes()) | changes.pop("told", {})
    content |= {"told": np.frombuffer(json.dumps(told).encode(), dtype=np.uint8)} | changes
    into = io.BytesIO()
    np.savez(into, **content)
    return into.getvalue()


def test_what_is_no_stored_suggester_is_refused(suggester: Suggester) -> None:
    stored = suggester.to_bytes()
    objects = io.BytesIO()
    np.savez(objects, told=np.array([{}], dtype=object), allow_pickle=True)

    for wrong in (b"", b"nonsense", stored[: len(stored) // 2], objects.getvalue()):
        with pytest.raises(NotASuggester, match="not a stored suggester"):
            suggester_from_bytes(wrong)
    with pytest.raises(NotASuggester, match="fit again"):
        suggester_from_bytes(altered(stored, told={"method": "another/9"}))
    with pytest.raises(NotASuggester, match="do not fit"):
        suggester_from_bytes(altered(stored, told={"labels": ["only one"]}))


@pytest.mark.parametrize(
    ("texts", "labels"), [([], []), (["a"], ["x"]), (["a", "b", "c"], ["x", "x", "x"]), (["a", "b"], ["x", "y"])]
)
def test_nothing_to_tell_apart_is_refused(texts: list[str], labels: list[str]) -> None:
    with pytest.raises(ValueError, match="at least two labels"):
        fit_suggester(texts, labels)


def test_every_text_needs_its_label() -> None:
    with pytest.raises(ValueError, match="needs its label"):
        fit_suggester(["a", "b"], ["x"])


def test_a_label_of_a_single_text_and_texts_without_words_are_learnt_from_too() -> None:
    fitted = fit_suggester([*TEXTS, "zebra zebra", ""], [*LABELS, "zoo", "nothing said"])

    assert fitted.labels == tuple(sorted([*TOPICS, "nothing said", "zoo"]))
    assert fitted.suggest(["zebra"]).chances.sum() == pytest.approx(1.0)


def test_folds_deal_every_label_out_evenly() -> None:
    labels = np.array([0] * 23 + [1] * 7 + [2] * 2)
    folds = folds_of(labels, 5, seed=3)

    for label in range(3):
        dealt = np.bincount(folds[labels == label], minlength=5)
        assert dealt.max() - dealt.min() <= 1
    assert (folds_of(labels, 5, seed=3) == folds).all()
    assert (folds_of(labels, 5, seed=4) != folds).any()
