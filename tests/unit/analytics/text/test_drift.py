# SPDX-License-Identifier: Apache-2.0
"""Whether tags or words have changed between two periods."""

import numpy as np
import pytest

from analytics.text.drift import _dealt_anew, find_drift
from analytics.text.telling_words import word_use
from tests.unit.analytics.text.letters import TOPICS, labelled, letter

AFTER = np.arange(240) >= 120


def test_nothing_is_found_more_often_than_chance_where_nothing_changed() -> None:
    found_tags, found_words = 0, 0
    for seed in range(12):
        texts, tags = labelled(20, seed)
        drift = find_drift(texts, tags, np.arange(80) >= 40, np.random.default_rng(seed))
        found_tags += bool(drift.changed_tags)
        found_words += drift.is_worded_otherwise

    assert found_tags <= 2
    assert found_words <= 2


def test_a_tag_whose_share_changed_is_named() -> None:
    texts, tags = labelled(60, seed=1)
    tags = ["rude staff" if late and tag == "wrong decision" else tag for late, tag in zip(AFTER, tags, strict=True)]
    drift = find_drift(texts, tags, AFTER, np.random.default_rng(1))

    assert {shift.tag for shift in drift.changed_tags} == {"rude staff", "wrong decision"}
    assert "“Rude" not in drift.sentence
    assert "“rude staff” went from" in drift.sentence
    assert drift.sentence.endswith("Check whether tags, their meaning or the form changed.")


def test_a_tag_that_came_to_mean_something_else_is_seen_in_its_words() -> None:
    texts, tags = labelled(60, seed=2)
    rng = np.random.default_rng(3)
    texts = [
        letter("kiosk scanner froze", rng) if late and tag == "late payment" else text
        for late, tag, text in zip(AFTER, tags, texts, strict=True)
    ]
    drift = find_drift(texts, tags, AFTER, np.random.default_rng(2))

    assert not drift.changed_tags
    assert drift.is_worded_otherwise
    assert {shift.word for shift in drift.words[:3]} == {"kiosk", "scanner", "froze"}
    assert "worded otherwise" in drift.sentence


def test_more_cases_of_a_tag_are_no_change_of_wording() -> None:
    texts, tags = labelled(60, seed=4)
    order = np.argsort([tag == "late payment" for tag in tags], kind="stable")
    texts, tags = [texts[i] for i in order], [tags[i] for i in order]
    after = np.random.default_rng(5).random(240) < np.where(np.arange(240) < 180, 0.3, 0.8)
    drift = find_drift(texts, tags, after, np.random.default_rng(4))

    assert "late payment" in {shift.tag for shift in drift.changed_tags}
    assert not drift.is_worded_otherwise


def test_what_is_as_before_is_said_to_be() -> None:
    texts, tags = labelled(60, seed=6)

    assert find_drift(texts, tags, AFTER, np.random.default_rng(6)).sentence == (
        "Tags and words are used as before, as far as can be told."
    )


def test_texts_without_words_have_not_changed() -> None:
    drift = find_drift([""] * 8, ["a"] * 8, np.arange(8) >= 4, np.random.default_rng(1))

    assert (drift.words, drift.words_p_value) == ((), 1.0)


@pytest.mark.parametrize("after", [np.zeros(8, dtype=bool), np.ones(8, dtype=bool)])
def test_both_periods_need_texts(after: np.ndarray) -> None:
    with pytest.raises(ValueError, match="Both periods"):
        find_drift(["a"] * 8, ["t"] * 8, after, np.random.default_rng(1))


def test_the_same_seed_finds_the_same() -> None:
    texts, tags = labelled(20, seed=7)
    found = [find_drift(texts, tags, np.arange(80) >= 40, np.random.default_rng(9)) for _ in range(2)]

    assert found[0] == found[1]


def test_standard_errors_are_those_of_the_hypergeometric() -> None:
    use = word_use(["lost it", "lost", "it", "x it", "lost", "it"], at_least_texts=2)
    group = np.array([True, True, False, False, False, False])
    errors = use.standard_errors(group[:, None], np.zeros(6, dtype=np.int64))[:, 0]
    spread = np.sqrt(2 * (3 / 6) * (3 / 6) * (4 / 5))

    assert use.words == ("it", "lost")
    assert errors[1] == pytest.approx((2 - 1) / spread)


def test_topics_differ_in_their_own_words() -> None:
    texts, tags = labelled(30, seed=8)
    use = word_use(texts, at_least_texts=3)
    shifts = use.shifts(np.array([tag == "rude staff" for tag in tags]), np.zeros(120, dtype=np.int64), 6)

    assert {shift.word for shift in shifts} <= set(TOPICS["rude staff"].split())


def test_texts_are_dealt_anew_within_their_tag() -> None:
    strata = np.random.default_rng(1).integers(0, 5, 200)
    after = np.random.default_rng(2).random(200) < 0.2 + 0.15 * strata
    dealt = _dealt_anew(after, strata, np.random.default_rng(3))

    assert (dealt != after).any()
    for tag in range(5):
        assert dealt[strata == tag].sum() == after[strata == tag].sum()
