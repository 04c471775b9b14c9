# SPDX-License-Identifier: Apache-2.0
"""Lists of affected people: how a table is read, who is meant by which cells, and which lists make themselves."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

import pytest

from models.fixes.affected import (
    AffectedPerson,
    ListFaults,
    asked_cells,
    cells_told_of,
    list_id_for,
    message_id_for,
    once_each,
    read_people,
    remedy_in_words,
    request_hash_of,
    told_since,
)
from models.fixes.commands import CellRef
from models.fixes.terms import FixAction, FixState, Help, Occasion
from models.terms import Remedy
from tests.given_fixes import CONTROL, TARGET, TO_THE_END, a_fix_at, done

HEADER = "name,email,language,remedy,amount_cents,authority\n"
LANGUAGES = ("en", "es")
FAMILIES = {"HND3": "HND", "HND4": "HND", "TIM1": "TIM"}


def test_a_table_is_read_person_by_person_in_the_agencys_first_language_unless_it_says_another() -> None:
    table = HEADER + "Ada,ada@home.example,,,,\nEva,eva@home.example,es,,,\n"

    people = read_people(table, Help.NOTIFY, LANGUAGES)

    assert [(person.name, person.language) for person in people] == [("Ada", "en"), ("Eva", "es")]


def test_a_spreadsheets_marks_and_line_ends_are_no_matter() -> None:
    assert len(read_people("\ufeff" + HEADER.replace("\n", "\r\n") + "Ada,,,,,\r\n", Help.NOTIFY, LANGUAGES)) == 1


def test_nobody_stands_twice_and_who_has_no_address_stands_for_themselves() -> None:
    table = HEADER + "Ada,ada@home.example,,,,\nAda B.,ADA@home.example,,,,\nBob,,,,,\nBob,,,,,\n"

    assert [person.name for person in read_people(table, Help.NOTIFY, LANGUAGES)] == ["Ada", "Bob", "Bob"]


def test_a_remedy_has_its_amount_with_the_authority() -> None:
    (ada,) = read_people(HEADER + "Ada,ada@home.example,,refund,1250,Act 12\n", Help.REMEDY, LANGUAGES)

    assert ada.remedy is Remedy.REFUND
    assert ada.row() | {"contact": None} == {
        "case_id": None,
        "contact": None,
        "language": "en",
        "remedy": "refund",
        "amount_cents": 1250,
        "authority": "Act 12",
    }


@pytest.mark.parametrize(
    ("row", "help_", "sentence"),
    [
        (",,,,,", Help.NOTIFY, "names 1 to"),
        (",,es,,,", Help.NOTIFY, "a row names somebody"),
        ("Ada,a@b.example,,,,", Help.REMEDY, "gets one; name it"),
        ("Ada,a@b.example,,none,,", Help.REMEDY, "gets one; name it"),
        ("Ada,a@b.example,,refund,,", Help.NOTIFY, "Nobody on this list gets a remedy"),
        ("Ada,a@b.example,fr,,,", Help.NOTIFY, "does not write in 'fr'"),
        ("Ada,a@b.example,,refund,5,", Help.REMEDY, "give amount_cents and authority"),
        ("Ada,a@b.example,,,5,Act", Help.NOTIFY, "an amount belongs to a remedy"),
        ("Ada,a@b.example,,refund,-5,Act", Help.REMEDY, "amount_cents"),
        ("Ada,a@b.example,,gift,,", Help.REMEDY, "remedy"),
        ("Ada,a@b.example", Help.NOTIFY, "Line 2"),
    ],
)
def test_a_row_that_cannot_be_used_is_a_sentence_with_its_line(row: str, help_: Help, sentence: str) -> None:
    with pytest.raises(ListFaults) as found:
        read_people(HEADER + row + "\n", help_, LANGUAGES)

    assert sentence in str(found.value)
    assert "Line " in str(found.value)


def test_a_table_without_its_columns_or_without_people_is_refused() -> None:
    with pytest.raises(ListFaults, match="must name these columns: name, email"):
        read_people("who\nAda\n", Help.NOTIFY, LANGUAGES)
    with pytest.raises(ListFaults, match="names 1 to"):
        read_people(HEADER, Help.NOTIFY, LANGUAGES)


def test_another_list_under_the_same_id_is_another_request() -> None:
    fix_id, people = uuid4(), (AffectedPerson(name="Ada"),)

    assert request_hash_of(fix_id, Help.NOTIFY, people) == request_hash_of(fix_id, Help.NOTIFY, people)
    assert request_hash_of(fix_id, Help.NOTIFY, people) != request_hash_of(fix_id, Help.REMEDY, people)
    assert request_hash_of(fix_id, Help.NOTIFY, people) != request_hash_of(uuid4(), Help.NOTIFY, people)
    assert len(once_each([*people, *people])) == 2


def test_every_letter_of_a_list_has_a_message_id_of_its_own_and_always_the_same() -> None:
    list_id = uuid4()
    ids = [message_id_for(list_id, number, "example.gov") for number in (1, 2)]

    assert len(set(ids)) == 2
    assert ids == [message_id_for(list_id, number, "example.gov") for number in (1, 2)]
    assert ids[0].endswith("@example.gov>")


def test_a_family_is_asked_for_by_its_codes_and_the_rest_by_those_it_is_not() -> None:
    family, other = CellRef(measure="cause", family="HND", office="harbor"), CellRef(measure="cause", family="other")
    intake = CellRef(measure="intake", family="intake", service="benefits")

    assert asked_cells([TARGET, family, other, intake], FAMILIES) == [
        {"measure": "cause", "service": "housing", "office": "harbor", "codes": ["HND3"]},
        {"measure": "cause", "service": None, "office": "harbor", "codes": ["HND3", "HND4"]},
        {"measure": "cause", "service": None, "office": None, "other_than": ["HND3", "HND4", "TIM1"]},
        {"measure": "intake", "service": "benefits", "office": None},
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


def test_no_remedy_is_no_sentence() -> None:
    assert remedy_in_words(None, None, "en") == remedy_in_words("none", None, "en") == ""
