# SPDX-License-Identifier: Apache-2.0
"""Lists of affected people: who is meant by which cells, and which lists make themselves."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

import pytest

from models.fixes.affected import (
    AffectedPerson,
    asked_cells,
    cells_told_of,
    complainant_listed,
    list_id_for,
    message_id_for,
    remedy_in_words,
    told_in,
    told_since,
)
from models.fixes.commands import CellRef
from models.fixes.terms import FixAction, FixState, Occasion
from models.import_map import CONTACT_LIMIT
from models.messages import Amount
from models.terms import Remedy
from tests.given_fixes import CONTROL, TARGET, TO_THE_END, a_fix_at, done

FAMILIES = {"HND3": "HND", "HND4": "HND", "TIM1": "TIM"}


def test_the_row_of_a_person_holds_amount_and_authority_apart() -> None:
    case_id = uuid4()
    money = Amount(cents=1250, authority="Act 12")

    ada = AffectedPerson(name="Ada", language="en", case_id=case_id, remedy=Remedy.REFUND, amount=money)

    assert ada.row() == {
        "case_id": str(case_id),
        "contact": {"name": "Ada", "email": ""},
        "language": "en",
        "remedy": "refund",
        "amount_cents": 1250,
        "authority": "Act 12",
    }


def test_a_complainant_is_listed_whatever_an_import_keeps_of_them_and_no_address_is_cut_into_another() -> None:
    address = "a" * (CONTACT_LIMIT - len("@home.example")) + "@home.example"
    contact = {"name": "Ada \r\n" * 80, "email": address, "phone": "555\n0100", "post": "1 Elm Street\nRiverbend"}

    ada = complainant_listed(contact, "en", uuid4())

    assert ada.name.startswith("Ada Ada Ada")
    assert len(ada.name) <= 200
    assert (ada.email, ada.phone, ada.post) == (address, "555 0100", "1 Elm Street\nRiverbend")
    assert complainant_listed({}, "en", uuid4()).row()["contact"] == {"name": "", "email": ""}


def test_every_letter_of_a_list_has_a_message_id_of_its_own_and_always_the_same() -> None:
    list_id = uuid4()
    ids = [message_id_for(list_id, number, "example.gov") for number in (1, 2)]

    assert len(set(ids)) == 2
    assert ids == [message_id_for(list_id, number, "example.gov") for number in (1, 2)]
    assert ids[0].endswith("@example.gov>")


def test_a_family_is_asked_for_by_its_codes_and_the_rest_by_those_it_is_not() -> None:
    family, other = CellRef(measure="cause", family="HND", office="harbor"), CellRef(measure="cause", family="other")
    intake = CellRef(measure="intake", family="intake", service="benefits", channel="phone")
    everywhere = {"service": None, "office": None, "channel": None}

    assert asked_cells([TARGET, family, other, intake], FAMILIES) == [
        everywhere | {"measure": "cause", "service": "housing", "office": "harbor", "codes": ["HND3"]},
        everywhere | {"measure": "cause", "office": "harbor", "codes": ["HND3", "HND4"]},
        everywhere | {"measure": "cause", "other_than": ["HND3", "HND4", "TIM1"]},
        everywhere | {"measure": "intake", "service": "benefits", "channel": "phone"},
    ]


def test_those_told_of_a_fix_are_of_its_signals_cells_and_its_plans_targets() -> None:
    fix = a_fix_at(FixState.IN_HAND)
    linked = fix.model_copy(update={"cells": (CONTROL,)})

    assert cells_told_of(linked) == (CONTROL, TARGET)
    assert cells_told_of(fix) == (TARGET,)


def test_complaints_led_to_a_fix_since_its_earliest_signal_began_or_for_half_a_year() -> None:
    fix = a_fix_at(FixState.WORKED_OUT)
    opened_on = date(2026, 3, 4)

    assert told_since(fix, [date(2026, 2, 2), date(2026, 1, 5)], opened_on) == date(2026, 1, 5)
    assert told_since(fix, [], opened_on) == date(2025, 9, 1)


def test_each_verdict_has_a_list_of_its_own_and_the_acceptance_has_one_for_good() -> None:
    failed = done(a_fix_at(FixState.MONITORED), FixAction.FIND_NOT_EFFECTIVE)
    worked = done(failed, FixAction.ADD_OPTION, FixAction.CHOOSE_OPTION, FixAction.PLAN_MEASURE, *TO_THE_END)

    assert list_id_for(failed, Occasion.ACCEPTED) == list_id_for(worked, Occasion.ACCEPTED)
    assert list_id_for(failed, Occasion.JUDGED) != list_id_for(worked, Occasion.JUDGED)
    assert list_id_for(failed, Occasion.JUDGED) != list_id_for(failed, Occasion.ACCEPTED)


@pytest.mark.parametrize("remedy", [remedy for remedy in Remedy if remedy is not Remedy.NONE])
@pytest.mark.parametrize("language", ["en", "es", "vi"])
def test_every_remedy_has_words_in_every_language_we_know(remedy: Remedy, language: str) -> None:
    assert remedy_in_words(remedy.value, 100_050, language).endswith("($1,000.50).")


@pytest.mark.parametrize(
    ("language", "reader", "said"),
    [
        ("en", "es", "Lo que sigue está en inglés."),
        ("es", "en", "What follows is in Spanish."),
        ("vi", "es", "Lo que sigue está en otro idioma."),
        ("vi", "en", "What follows is in another language."),
        ("es", "vi", "What follows is in Spanish."),
    ],
)
def test_what_language_words_are_in_is_said_to_every_reader(language: str, reader: str, said: str) -> None:
    assert told_in(language, reader) == said


def test_no_remedy_is_no_sentence() -> None:
    assert remedy_in_words(None, None, "en") == remedy_in_words("none", None, "en") == ""
