# SPDX-License-Identifier: Apache-2.0
"""A column map turns a row into a complaint, leaves unknown what is not said, and refuses with a sentence."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from models.import_map import ImportMap, MapFaults, Place, RowRejected, read_map, row_of, slug
from run.importing import MAPS_FOLDER, load_map

HERE = Place("America/Chicago", date(2026, 11, 20))
EVERYTHING = """
source = "old-system"
absent = ["-"]
required = ["received"]

[id]
column = "No"
[received]
column = "In"
formats = ["iso", "%m/%d/%Y"]
[closed]
column = "Out"
[service]
column = "About"
values = { "Food & heat" = "benefits" }
[category]
column = "Reason"
[office]
column = "Place"
[channel]
column = "Via"
[narrative]
column = "Text"
[outcome]
column = "Result"
still_open = ["Pending"]
[vulnerable]
column = "Tags"
yes = ["Older", "Older, Disabled"]
no = ["Neither"]
[contact]
name = "Who"
email = "Mail"
"""


def the_map() -> ImportMap:
    return read_map("map.toml", EVERYTHING)


def a_row(**cells: object) -> dict[str, object]:
    return {"No": "17", "In": "2026-03-02", "Text": "Nobody answers.", **cells}


def test_what_a_row_does_not_say_stays_unknown() -> None:
    row = row_of(the_map(), {"In": "2026-03-02"}, HERE)

    assert row.source_id is None
    assert (row.service, row.category, row.office, row.closed_at, row.outcome) == (None, None, None, None, None)
    assert row.contact == {}
    assert row.contact_json == ""
    assert row.channel == "letter"


def test_a_date_without_a_time_begins_its_day_in_the_agencys_zone() -> None:
    row = row_of(the_map(), a_row(), HERE)

    assert row.received_at == datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
    assert row.received_on == date(2026, 3, 2)


@pytest.mark.parametrize(
    "told",
    ["2026-03-02T23:30:00-06:00", "2026-03-03T05:30:00Z", datetime(2026, 3, 3, 5, 30, tzinfo=UTC)],
)
def test_a_moment_keeps_its_own_zone_and_falls_on_the_agencys_date(told: object) -> None:
    row = row_of(the_map(), a_row(In=told), HERE)

    assert row.received_at == datetime(2026, 3, 3, 5, 30, tzinfo=UTC)
    assert row.received_on == date(2026, 3, 2)


@pytest.mark.parametrize("told", ["03/02/2026", date(2026, 3, 2), "2026-03-02"])
def test_a_date_may_come_in_any_form_the_map_names(told: object) -> None:
    assert row_of(the_map(), a_row(In=told), HERE).received_on == date(2026, 3, 2)


def test_words_become_codes_by_the_map_or_by_their_spelling() -> None:
    row = row_of(the_map(), a_row(About="Food & heat", Reason="It's too slow!", Place="Köln (Süd)"), HERE)

    assert (row.service, row.category, row.office) == ("benefits", "it_s_too_slow", "köln_süd")


def test_a_word_for_nothing_is_nothing() -> None:
    assert row_of(the_map(), a_row(About="-", Who="-"), HERE).service is None


def test_a_code_is_never_longer_than_codes_may_be() -> None:
    assert len(slug("word " * 100)) <= 80


def test_an_outcome_that_says_open_keeps_the_row_out_of_history() -> None:
    assert row_of(the_map(), a_row(Result="Pending"), HERE).is_open
    assert not row_of(the_map(), a_row(Result="Closed with relief"), HERE).is_open


@pytest.mark.parametrize(
    ("told", "vulnerable"),
    [("Older", True), ("Older, Disabled", True), ("Neither", False), ("", None), ("-", None), ("Veteran", None)],
)
def test_only_words_that_the_map_names_say_whether_somebody_is_in_vulnerable_circumstances(
    told: str, *, vulnerable: bool | None
) -> None:
    assert row_of(the_map(), a_row(Tags=told), HERE).vulnerable is vulnerable


@pytest.mark.parametrize(
    ("tags", "vulnerable"),
    [
        ("Older American", True),
        ("Servicemember", True),
        ("Older American, Servicemember", True),
        ("", None),
        ("None", None),
    ],
)
def test_a_consumer_complaint_without_a_tag_says_nothing_of_the_person(tags: str, *, vulnerable: bool | None) -> None:
    row = {"Date received": "2024-03-04", "Tags": tags}

    assert row_of(load_map("cfpb"), row, HERE).vulnerable is vulnerable


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ({"In": ""}, "The column 'In' is empty, and the map requires it."),
        ({"In": "2026-11-21"}, "The date 2026-11-21 in 'In' is in the future."),
        ({"In": "1899-12-31"}, "The date 1899-12-31 in 'In' is before 1970-01-01, which cannot be kept."),
        ({"In": "soon"}, "'soon' in 'In' is no date in the form iso or %m/%d/%Y."),
        ({"Out": "2026-02-01"}, "It was closed on 2026-02-01, before it was received on 2026-03-02."),
        ({"Text": "a\x00b"}, "The column 'Text' holds a NUL character, which no text has."),
        ({"Text": "a\udcffb"}, "The column 'Text' holds bytes that are not UTF-8."),
        ({"Text": "x" * 50_001}, "The text in 'Text' has 50,001 characters; at most 50,000 are taken."),
        ({"Text": ["a", "b"]}, "The column 'Text' holds a list or an object instead of one value."),
        ({"Who": "x" * 501}, "The column 'Who' has more than 500 characters."),
    ],
)
def test_what_cannot_be_taken_is_refused_with_a_sentence(cells: dict[str, object], sentence: str) -> None:
    with pytest.raises(RowRejected) as rejected:
        row_of(the_map(), a_row(**cells), HERE)

    assert str(rejected.value) == sentence


def test_a_text_of_the_greatest_length_is_taken() -> None:
    assert len(row_of(the_map(), a_row(Text="x" * 50_000), HERE).narrative) == 50_000


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('source = "x"\n', "The map names no column."),
        ('source = "x"\nrequired = ["id"]\n[received]\ncolumn = "In"\n', "does not say in which column"),
        ('source = "x"\n[recieved]\ncolumn = "In"\n', "recieved"),
        ('source = "Not A Name"\n[id]\ncolumn = "No"\n', "source"),
        ("source = \n", "map.toml:1"),
    ],
)
def test_a_map_with_a_fault_is_refused_with_its_line(toml: str, said: str) -> None:
    with pytest.raises(MapFaults) as faults:
        read_map("map.toml", toml)

    assert said in str(faults.value)


@pytest.mark.parametrize("path", sorted(MAPS_FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_every_built_in_map_can_be_read(path: object) -> None:
    assert read_map(path.name, path.read_text("utf-8")).columns  # type: ignore[attr-defined]
