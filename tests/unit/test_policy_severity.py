# SPDX-License-Identifier: Apache-2.0
"""Severity: danger words, and what one person may decide alone."""

from __future__ import annotations

import pytest

from models.terms import Remedy
from tests.unit.policy_texts import default_policy, faults_of, spoiled

SEVERITY = default_policy().severity


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("We have had NO  HEAT since Monday, and I smell gas.", ("no heat", "smell gas")),
        ("Hay una fuga de gas y mi recien nacido duerme aqui", ("fuga de gas", "recien nacido")),
        ("no heat, no heat, no heat", ("no heat",)),
        ("It has begun: the gunnery museum abused nobody", ("abused",)),
        ("I waited too long for my permit.", ()),
        ("", ()),
    ],
)
def test_danger_words_are_found_whole_in_any_spelling_of_capitals_accents_and_spaces(
    text: str, words: tuple[str, ...]
) -> None:
    assert SEVERITY.safety_screen.words_in(text) == words


@pytest.mark.parametrize(
    ("severity", "harm", "cents", "why"),
    [
        (2, 3, 5_000, None),
        (3, 0, 0, "severity 3"),
        (0, 4, 0, "harm 4"),
        (0, 0, 5_001, "money"),
    ],
)
def test_serious_matters_and_money_need_another_person(severity: int, harm: int, cents: int, why: str | None) -> None:
    said = SEVERITY.why_another_person(severity=severity, harm=harm, remedy_cents=cents)

    assert said is None if why is None else why in str(said)


@pytest.mark.parametrize(
    ("severity", "remedy", "cents", "why"),
    [
        (2, Remedy.REFUND, 5_000, None),
        (3, Remedy.APOLOGY, 0, "severity 3"),
        (1, Remedy.REFUND, 5_001, "More than $50.00"),
    ],
)
def test_the_desk_settles_small_matters_at_once(severity: int, remedy: Remedy, cents: int, why: str | None) -> None:
    said = SEVERITY.why_not_on_the_spot(severity=severity, remedy=remedy, remedy_cents=cents)

    assert said is None if why is None else why in str(said)


def test_a_remedy_that_is_not_listed_is_not_given_on_the_spot() -> None:
    fewer = SEVERITY.on_the_spot.model_copy(update={"remedies": (Remedy.APOLOGY,)})

    said = SEVERITY.model_copy(update={"on_the_spot": fewer}).why_not_on_the_spot(
        severity=0, remedy=Remedy.REFUND, remedy_cents=1
    )

    assert said == "The remedy 'refund' is beyond what may be settled on the spot."


def test_severity_is_a_word_in_routing_rows() -> None:
    assert [SEVERITY.level_id(level) for level in (None, 0, 3)] == [None, "none", "high"]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            'es = "Por ejemplo: edad avanzada, una discapacidad, una enfermedad, poco inglés, peligro, o dinero que no alcanza."',  # noqa: E501 - a line of the file
            "",
            "`vulnerable_circumstances` is missing in the language 'es'.",
        ),
        (', es = "Usted tenía razón." }', " }", "`told` is missing in the language 'es'."),
        (', es = "Le pedimos disculpas por ello." }', " }", "`told` is missing in the language 'es'."),
        ("{amount}. The rule", "money. The rule", "Who gets money is told {amount} and {authority}."),
        ('id = "not_determined"', 'id = "withdrawn"', "`findings` does not say how 'not_determined' is told."),
    ],
)
def test_what_a_complainant_could_not_be_told_is_a_fault(old: str, new: str, sentence: str) -> None:
    [(file, _, said)] = faults_of(spoiled("severity.toml", old, new))

    assert (file, said) == ("severity.toml", sentence)
