# SPDX-License-Identifier: Apache-2.0
"""Parsing a policy: what it holds, and every way in which it can be wrong."""

from __future__ import annotations

from datetime import date

import pytest

from models.letters import LetterKind
from models.policy import POLICY_FILES, Policy, PolicyFaults, parse_policy
from tests.unit.policy_texts import default_policy, default_texts, faults_of, line_with, spoiled

ANSWER_EN = "letters/answer.en.md"


def test_the_default_policy_has_no_fault() -> None:
    assert faults_of(default_texts()) == []


def test_a_policy_survives_storage_as_json_with_the_same_hash() -> None:
    policy = default_policy()

    stored = Policy.model_validate_json(policy.model_dump_json())

    assert stored == policy
    assert stored.content_hash == policy.content_hash
    assert len(policy.content_hash) == 64


def test_comments_and_line_ends_make_no_new_version_and_a_changed_number_does() -> None:
    texts = default_texts()
    commented = {name: f"# a new comment\n{text}" for name, text in texts.items() if "letters/" not in name}
    saved_elsewhere = {name: "\ufeff" + text.replace("\n", "\r\n") for name, text in (texts | commented).items()}

    assert parse_policy(saved_elsewhere).content_hash == parse_policy(texts).content_hash
    changed = spoiled("surveillance.toml", "floor_count = 3", "floor_count = 4")
    assert parse_policy(changed).content_hash != parse_policy(texts).content_hash


def test_a_policy_takes_effect_on_the_day_its_standards_name() -> None:
    changed = spoiled("service_standards.toml", "effective_on = 2012-01-01", "effective_on = 2027-02-01")

    assert parse_policy(changed).effective_on == date(2027, 2, 1)


# file, what stands there, what a slip of the pen makes of it, what the fault says
SLIPS = [
    ("agency.toml", 'slug = "riverbend"', 'slug = "River bend"', "`slug` is 'River bend'"),
    ("agency.toml", 'reference_prefix = "RIV"', 'reference_prefix = "R-V"', "`reference_prefix` is 'R-V'"),
    ("agency.toml", 'time_zone = "America/Chicago"', 'time_zone = "America/Chikago"', "not a time zone"),
    ("agency.toml", 'phone = "555-0100"', 'fone = "555-0100"', "`contact.fone` is not known here"),
    ("agency.toml", 'id = "mill_park"', 'id = "northgate"', "'northgate' stands in `offices` twice"),
    ("agency.toml", "is_central = true", "is_central = false", "Exactly one office is the central one"),
    ("agency.toml", 'es = "Vivienda" }', 'fr = "Logement" }', "`name` is missing in the language 'es'"),
    ("agency.toml", 'named = "Dear {name},"', 'named = "Dear friend,"', "must say {name}"),
    ("agency.toml", 'languages = ["en", "es"]', 'languages = ["en", "es", "en"]', "A language is named twice"),
    ("agency.toml", 'languages = ["en", "es"]', 'languages = ["en", "es"', "This is not TOML"),
    ("service_standards.toml", "effective_on = 2012-01-01", "effective_on = 2009-12-31", "does not cover this day"),
    ("service_standards.toml", "effective_on = 2012-01-01", 'effective_on = "soon"', "`effective_on` is 'soon'"),
    ("service_standards.toml", "amount = 3\n", "amount = three\n", "This is not TOML"),
    ("service_standards.toml", "amount = 3\n", 'amount = "three"\n', "`standards.amount` is 'three'"),
    ("service_standards.toml", "amount = 3\n", "amount = 0\n", "would warn before the time has begun"),
    ("service_standards.toml", 'clock = "review"', 'clock = "revue"', "`standards.clock` is 'revue'"),
    ("service_standards.toml", 'track = "complex"', 'track = "frontline"', "Another standard already drives"),
    ("service_standards.toml", 'track = "complex"', 'track = "standard"', "No standard drives the clock 'answer' on"),
    ("service_standards.toml", 'track = "complex"', "", "names its track"),
    ("service_standards.toml", 'id = "acknowledge"', 'id = "receipt"', "'receipt' stands in `standards` twice"),
    ("service_standards.toml", "answer it within {amount} days", "answer it within 30 days", "must say {amount}"),
    ("working_calendar.toml", 'friday = ["08:30", "17:00"]', 'friday = ["17:00", "08:30"]', "Friday closes before"),
    ("working_calendar.toml", 'friday = ["08:30"', 'fryday = ["08:30"', "'fryday' is not a day of the week"),
    ("working_calendar.toml", 'country = "US"', 'country = "Riverbend"', "does not know 'Riverbend'"),
    ("working_calendar.toml", "leave_out = []", 'leave_out = ["Complaint Day"]', "no public holiday named"),
    ("working_calendar.toml", "on = 2025-11-28", "on = 2025-11-27", "a public holiday already (Thanksgiving Day)"),
    ("working_calendar.toml", "on = 2025-11-28", "on = 2025-11-29", "a day of the week that is never open"),
    ("working_calendar.toml", "on = 2025-11-28", "on = 2045-11-28", "outside the years of the calendar"),
    ("working_calendar.toml", "on = 2027-11-26", "on = 2026-11-27", "closed twice"),
    ("taxonomy.csv", "failure,ACC2,ACC", "failure,ACC1,ACC", "ACC1 stands on line"),
    ("taxonomy.csv", "failure,ACC2,ACC", "failure,ACC2,TIM", "must begin with the code of a family"),
    ("taxonomy.csv", "failure,ACC2,ACC", "failing,ACC2,ACC", "`kind` is 'failing'"),
    ("taxonomy.csv", 'premises or process not accessible, or an adjustment not made",HU,', 'x",,', "needs a driver"),
    ("taxonomy.csv", "non_failure,N1,,", "non_failure,N1,ACC,", "Only failures have a family"),
    ("taxonomy.csv", "intake,lost,,", "intake,LOST,,", "small letters"),
    ("taxonomy.csv", "You lost my papers or property,Perdieron mis papeles o pertenencias", "Lost,", "Spanish name"),
    ("taxonomy.csv", "cause,CAP,,Capacity", "cause,CAP,Capacity", "must have 8 cells; it has 7"),
    ("taxonomy.csv", '"Demand foreseeable; staff', 'Demand" foreseeable; "staff', "cells"),
    ("taxonomy.csv", "kind,code,family", "kind,kode,family", "header must name these columns"),
    ("severity.toml", "level = 5", "level = 6", "counts 0, 1, 2"),
    ("severity.toml", 'id = "group"', 'id = "one_person"', "'one_person' stands in `scopes` twice"),
    ("severity.toml", 'id = "expedited"', 'id = "apology"', "does not say what 'expedited' means"),
    ("severity.toml", "severity_at_least = 3", "severity_at_least = 7", "not one of the levels"),
    ("severity.toml", "severity_at_most = 2", "severity_at_most = 3", "cannot be settled on the spot"),
    ("severity.toml", "remedy_cents_over = 5_000", "remedy_cents_over = 0", "cannot be granted on the spot"),
    ("routing.csv", "parking,wrong_decision,*,*,payments", "parken,wrong_decision,*,*,payments", "no service 'parken'"),
    ("routing.csv", "parking,wrong_decision,", "parking,wrong_number,", "no category 'wrong_number'"),
    ("routing.csv", "*,*,high,*", "*,*,severe,*", "no severity 'severe'"),
    ("routing.csv", "permits,too_slow,*,central,", "permits,too_slow,*,moon,", "no office 'moon'"),
    ("routing.csv", "*,*,*,*,front_desk,", "*,*,*,*,*,", "`team` is '*'"),
    ("routing.csv", "*,website,*,*,front_desk,", "*,website,*,*,web_team,", "no team 'web_team'"),
    ("routing.csv", "*,website,*,*,front_desk,frontline", "*,website,*,*,front_desk,fast", "`track` is 'fast'"),
    ("routing.csv", "*,website,*,*,", "*,unsafe,low,*,", "can never win: line 8 comes first"),
    ("routing.csv", "*,*,*,*,front_desk,", "*,*,*,central,front_desk,", "No row fits a complaint with"),
    ("retention.toml", 'id = "attachments"', 'id = "case_files"', "'case_files' stands in `items` twice"),
    ("retention.toml", "keep_months = 60", "keep_months = 0", "`items.keep_months` is 0"),
    ("surveillance.toml", "alpha = 0.01", "alpha = 1", "`alpha` is 1"),
    ("surveillance.toml", "left_out_weeks = 26", "left_out_weeks = 4", "at least the longest window"),
    ("surveillance.toml", "baseline_weeks = 260", "baseline_weeks = 20", "no baseline is left"),
    ("surveillance.toml", "[1, 2, 4, 8, 13]", "[13, 8, 4, 2, 1]", "shortest first"),
    ("surveillance.toml", 'run_weekday = "monday"', 'run_weekday = "mondag"', "`run_weekday` is 'mondag'"),
    (ANSWER_EN, "{answer}", "{anser}", "{anser} is not something the letter 'answer' can say"),
    (ANSWER_EN, "{answer}", "", "must say {answer}"),
    (ANSWER_EN, "{answer}", "{answer} {Answer}", "A brace stands alone"),
    (ANSWER_EN, "# Our answer", "Our answer", "A letter is a heading"),
]


@pytest.mark.parametrize(("file", "old", "new", "says"), SLIPS, ids=[f"{slip[0]}: {slip[3]}" for slip in SLIPS])
def test_every_slip_of_the_pen_is_named(file: str, old: str, new: str, says: str) -> None:
    faults = faults_of(spoiled(file, old, new))

    assert [sentence for named, _, sentence in faults if named == file and says in sentence], faults


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("agency.toml", 'id = "mill_park"', 'id = "northgate"'),
        ("agency.toml", 'post = "Complaints Office, 1 River Street, Riverbend"', "post = 1"),
        ("service_standards.toml", "at_most_working_days = 10", "at_most_working_days = -1"),
        ("working_calendar.toml", "on = 2027-11-26", "on = 2026-11-27"),
        ("severity.toml", "remedy_cents_at_most = 5_000", "remedy_cents_at_most = 5_001"),
        ("taxonomy.csv", "failure,TIM3,TIM", "failure,TIM3,TOM"),
        ("routing.csv", "*,website,*,*,front_desk,", "*,website,*,*,web_team,"),
        (ANSWER_EN, "{answer}", "{answer} {unknown}"),
    ],
)
def test_a_fault_names_its_line(file: str, old: str, new: str) -> None:
    texts = spoiled(file, old, new)
    expected = line_with(default_texts()[file], old)

    assert [(named, line) for named, line, _ in faults_of(texts)] == [(file, expected)]


def test_a_fault_in_a_list_over_several_lines_names_the_line_its_key_stands_on() -> None:
    texts = spoiled("severity.toml", '"emergency room", "newborn", "retaliation",', '"emergency room", 7,')

    assert [line for _, line, _ in faults_of(texts)] == [line_with(texts["severity.toml"], "en = [")]


def test_something_missing_names_the_line_of_its_table() -> None:
    texts = spoiled("service_standards.toml", 'name = "Personal acknowledgement"\n', "")
    table = line_with(texts["service_standards.toml"], 'id = "acknowledge"') - 1

    assert faults_of(texts) == [("service_standards.toml", table, "`standards.name` is missing.")]


def test_a_syntax_error_names_its_line() -> None:
    texts = spoiled("severity.toml", "level = 5", "level = ")

    assert [(file, line) for file, line, _ in faults_of(texts)] == [
        ("severity.toml", line_with(texts["severity.toml"], 'id = "catastrophic"') - 1)
    ]


def test_all_faults_of_all_files_come_at_once_in_order() -> None:
    one_in_each = {slip[0]: slip for slip in SLIPS if slip[0] != "agency.toml" or "slug" in slip[1]}
    texts = default_texts()
    for file, old, new, _ in one_in_each.values():
        texts[file] = texts[file].replace(old, new)

    faults = faults_of(texts)

    assert {file for file, _, _ in faults} == {*POLICY_FILES, ANSWER_EN}
    assert faults == sorted(faults)
    assert len(faults) == len(set(faults))


def test_the_text_of_all_faults_is_one_line_each_with_file_and_line() -> None:
    with pytest.raises(PolicyFaults) as caught:
        parse_policy(spoiled("agency.toml", 'slug = "riverbend"', 'slug = "River bend"'))

    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"agency.toml:{line_with(default_texts()['agency.toml'], 'slug =')}: `slug` is")


@pytest.mark.parametrize("missing", [*POLICY_FILES, ANSWER_EN])
def test_a_missing_file_is_named(missing: str) -> None:
    texts = default_texts()
    del texts[missing]

    assert missing in {file for file, _, sentence in faults_of(texts) if "missing" in sentence}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("rooting.csv", "no part of a policy"),
        ("letters/apology.en.md", "an occasion that exists"),
        ("letters/answer.fr.md", "does not write in 'fr'"),
        ("letters/answer.txt", "an occasion that exists"),
    ],
)
def test_a_file_too_many_is_named(name: str, says: str) -> None:
    ((file, line, sentence),) = faults_of(default_texts() | {name: "# Apology\n\nWe are sorry."})

    assert (file, line) == (name, 1)
    assert says in sentence


def test_an_empty_folder_names_every_file() -> None:
    assert {file for file, _, _ in faults_of({})} == set(POLICY_FILES)


@pytest.mark.parametrize("name", POLICY_FILES)
def test_an_empty_file_is_a_fault_and_not_an_accident(name: str) -> None:
    assert name in {file for file, _, _ in faults_of(default_texts() | {name: ""})}


def test_a_retired_code_stays_readable_and_is_no_longer_offered_nor_routed() -> None:
    texts = spoiled("taxonomy.csv", '"Errors, pages down, things that would not send",,', '"Errors",,2026-07-01')
    texts["routing.csv"] = texts["routing.csv"].replace("*,website,*,*", "*,cannot_reach,*,*")

    taxonomy = parse_policy(texts).taxonomy

    website = taxonomy.by_code["website"]
    assert website in taxonomy.of(website.kind)
    assert website in taxonomy.of(website.kind, on=date(2026, 6, 30))
    assert website not in taxonomy.of(website.kind, on=date(2026, 7, 1))
    still_routed = texts | {"routing.csv": default_texts()["routing.csv"]}
    assert any("no category 'website'" in sentence for _, _, sentence in faults_of(still_routed))


def test_a_letter_comes_in_the_language_asked_for_or_else_in_the_agencys_first() -> None:
    policy = default_policy()

    assert policy.letter(LetterKind.RECEIPT, "es").language == "es"
    assert policy.letter(LetterKind.RECEIPT, "fr").language == "en"
    assert policy.letter(LetterKind.RECEIPT).language == "en"
    assert policy.letter(LetterKind.ESCALATION, "es").language == "en"


def test_a_letter_begins_with_the_name_where_there_is_one() -> None:
    agency = default_policy().agency

    assert agency.greeting_for("Ana {reference} Díaz", "es") == "Estimado/a Ana {reference} Díaz:"
    assert agency.greeting_for(None, "en") == "Hello,"
