# SPDX-License-Identifier: Apache-2.0
"""Files of complaints are taken in once, whatever happens on the way, and every row is accounted for."""

from __future__ import annotations

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.interface import CaseAddress
from models.events import GENESIS_HASH, chained
from models.references import moment_of
from models.terms import Action, Finding, State
from run.importing import ImportImpossible, Totals, import_file
from run.settings import Settings
from tests.databases import Database
from tests.given import BEN, SUE, a_command, a_policy
from tests.letters import lived
from tests.record import records_of

MAP = """
source = "old"
required = ["received"]
[id]
column = "No"
[received]
column = "In"
[closed]
column = "Out"
[service]
column = "About"
[office]
column = "Place"
[narrative]
column = "Text"
[outcome]
column = "Result"
still_open = ["Pending"]
[vulnerable]
column = "Tags"
yes = ["Older"]
[contact]
name = "Who"
email = "Mail"
post = "Street"
"""
Row = Mapping[str, Any]


def a_row(number: int, **cells: object) -> Row:
    told = {
        "No": f"case {number}", "In": "2015-03-02", "Out": "2015-04-01", "About": "benefits", "Place": "Harbor",
        "Text": f"My form number {number} was lost.", "Result": "Closed with relief", "Who": "Ada Egan",
        "Mail": "ada@mail.example",
    }  # fmt: skip
    return told | cells


class Desk:
    """Somebody who imports."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.rejects = folder / "rejects.csv"
        self.map = folder / "map.toml"
        self.map.write_text(MAP)
        self.settings = Settings(
            home=folder,
            worker_database_url=database.worker_url,
            temporal_address="127.0.0.1:1",
            master_key_file=folder / "master.key",
        )
        self.settings.make_master_key()

    def a_file(self, rows: Sequence[Row], name: str = "cases.csv") -> Path:
        path = self.folder / name
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return path

    async def takes(
        self, file: Path, *, as_history: bool = True, agency: str = "riverbend", limit: int | None = None
    ) -> Totals:
        return await import_file(
            self.settings, file, str(self.map), agency=agency, as_history=as_history, rejects=self.rejects, limit=limit
        )

    def starts_and_is_killed(self, file: Path, kind: str) -> int:
        """Import in a process of its own, killed when it has written something; return how many rows are durable."""
        environment = os.environ | {
            "PUTRIGHT_WORKER_DATABASE_URL": self.settings.worker_database_url,
            "PUTRIGHT_TEMPORAL_ADDRESS": self.settings.temporal_address,
            "PUTRIGHT_MASTER_KEY_FILE": str(self.settings.master_key_file),
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        }
        command = [sys.executable, "-c", IMPORTING, str(file), str(self.map), kind, str(self.rejects)]
        importing = subprocess.Popen(command, env=environment)
        while self.asks("SELECT count(*) FROM receipt") == [(0,)]:
            assert importing.poll() is None
            time.sleep(0.02)
        importing.send_signal(signal.SIGKILL)
        importing.wait()
        ((durable,),) = self.asks("SELECT count(*) FROM receipt")
        return int(durable)

    def asks(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database.dsn()) as connection:
            return connection.execute(query).fetchall()

    def rejected(self) -> list[tuple[int, str]]:
        with self.rejects.open(newline="", encoding="utf-8") as file:
            return [(int(row["row"]), row["reason"]) for row in csv.DictReader(file)]

    def chains_that_verify(self) -> int:
        """Walk every chain; return how many there are."""
        rows = self.asks("SELECT case_id, canonical, hash FROM case_event ORDER BY case_id, sequence")
        last: dict[Any, bytes] = {}
        for case_id, canonical, stored in rows:
            last[case_id] = chained(last.get(case_id, GENESIS_HASH), canonical)
            assert last[case_id] == stored
        return len(last)


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    return Desk(database, tmp_path)


async def test_settled_rows_become_history(desk: Desk, worker_engine: AsyncEngine) -> None:
    totals = await desk.takes(desk.a_file([a_row(1), a_row(2, Out="", Place="")]))

    assert totals.lines()[0].startswith("2 rows read = 2 taken in as history + 0 taken in live")
    assert not desk.rejects.exists()
    assert desk.chains_that_verify() == 2
    (first,), (second,) = desk.asks("SELECT case_id FROM receipt ORDER BY idempotency_key")
    case = (await records_of(worker_engine).load(CaseAddress(agency="riverbend", case_id=first))).case
    assert (case.state, case.is_history, case.receipt.is_imported) == (State.CLOSED, True, True)
    assert case.received_on == date(2015, 3, 2)
    assert case.closed_at == datetime(2015, 4, 1, 5, 0, tzinfo=UTC)
    assert [issue.finding for issue in case.issues] == [Finding.NOT_CODED]
    assert (case.service, case.office, case.receipt.source) == ("benefits", "harbor", "old")
    unknown = (await records_of(worker_engine).load(CaseAddress(agency="riverbend", case_id=second))).case
    assert (unknown.closed_at, unknown.office) == (None, None)
    assert desk.asks("SELECT count(*) FROM receipt_pending") == [(0,)]
    assert desk.asks("SELECT count(*) FROM cell_delta WHERE measure = 'cause'") == [(0,)]


@pytest.mark.parametrize("as_history", [True, False])
async def test_what_a_row_says_of_the_persons_circumstances_comes_along_and_stays_open_where_it_says_nothing(
    desk: Desk, worker_engine: AsyncEngine, *, as_history: bool
) -> None:
    received = "2026-03-02"
    rows = [a_row(n, Tags=tags, In=received, Out="2026-04-01") for n, tags in ((1, "Older"), (2, ""), (3, "Veteran"))]
    await desk.takes(desk.a_file(rows), as_history=as_history)

    ids = [case_id for (case_id,) in desk.asks("SELECT case_id FROM receipt ORDER BY idempotency_key")]
    records = records_of(worker_engine)
    told = [await records.load(CaseAddress(agency="riverbend", case_id=case_id)) for case_id in ids]

    assert [one.case.receipt.vulnerable for one in told] == [True, None, None]
    if as_history:
        assert [one.case.vulnerable for one in told] == [True, None, None]
        counted = "SELECT vulnerable, sum(change)::integer FROM cell_delta GROUP BY 1 ORDER BY 1"
        assert desk.asks(counted) == [(True, 1), (None, 2)]


async def test_history_that_is_reopened_stands_in_the_queue_of_the_team_its_kind_is_routed_to(
    desk: Desk, worker_engine: AsyncEngine
) -> None:
    rows = [a_row(1, About="records"), a_row(2, About="", Place="")]
    await desk.takes(desk.a_file(rows))
    routed = [a_policy().route(service="records", office="harbor").team, a_policy().route().team]

    for (case_id,) in desk.asks("SELECT case_id FROM receipt ORDER BY idempotency_key"):
        case = (await records_of(worker_engine).load(CaseAddress(agency="riverbend", case_id=case_id))).case
        case = await lived(worker_engine, case, a_command(Action.REOPEN, case, SUE))
        # Nobody here answered it before, so everybody may look at it again.
        case = await lived(worker_engine, case, a_command(Action.ASSIGN, case, SUE))
        await lived(worker_engine, case, a_command(Action.ANSWER, case, BEN))

    assert len(set(routed)) == 2
    files = desk.asks("SELECT team, is_open, owner, due_clock, state FROM case_file")
    assert {team for team, *_ in files} == set(routed)
    assert {tuple(rest) for _, *rest in files} == {(True, "ben", "tag_and_close", "answered")}
    open_now = desk.asks("SELECT queue, sum(change) FROM queue_delta WHERE queue LIKE 'team/%' GROUP BY 1 ORDER BY 1")
    assert open_now == [(f"team/{team}/open", 1) for team in sorted(routed)]


async def test_live_rows_wait_for_their_workflow_at_their_own_date(desk: Desk, worker_engine: AsyncEngine) -> None:
    totals = await desk.takes(desk.a_file([a_row(1)]), as_history=False)

    ((case_id,),) = desk.asks("SELECT case_id FROM receipt_pending")
    assert (totals.live, totals.as_history) == (1, 0)
    assert moment_of(case_id) == datetime(2015, 3, 2, 6, 0, tzinfo=UTC)
    loaded = await records_of(worker_engine).load(CaseAddress(agency="riverbend", case_id=case_id))
    assert loaded.opening is not None
    assert loaded.opening.receipt.is_imported
    assert loaded.opening.receipt.can_be_written_to
    assert desk.asks("SELECT DISTINCT tableoid::regclass::text FROM content") == [("content_2015_03",)]


@pytest.mark.parametrize("as_history", [True, False])
async def test_who_was_imported_with_a_postal_address_alone_can_be_written_to_and_history_causes_no_letter(
    desk: Desk, worker_engine: AsyncEngine, *, as_history: bool
) -> None:
    rows = [
        a_row(1, Mail="", Street="1 Elm Street, Riverbend"),
        a_row(2, Street="2 Elm Street, Riverbend"),
        a_row(3, Mail="", Street=""),
    ]

    totals = await desk.takes(desk.a_file(rows), as_history=as_history)

    assert (totals.as_history, totals.live) == ((3, 0) if as_history else (0, 3))
    cases = [case_id for (case_id,) in desk.asks("SELECT case_id FROM receipt ORDER BY idempotency_key")]
    loaded = [await records_of(worker_engine).load(CaseAddress(agency="riverbend", case_id=case)) for case in cases]
    receipts = [each.opening.receipt if each.opening else each.case.receipt for each in loaded]
    assert [receipt.can_be_written_to for receipt in receipts] == [True, True, False]
    assert desk.asks("SELECT * FROM outbox") == []


@pytest.mark.parametrize("as_history", [True, False])
async def test_the_same_file_again_changes_nothing(desk: Desk, *, as_history: bool) -> None:
    file = desk.a_file([a_row(n) for n in range(7)])
    await desk.takes(file, as_history=as_history)
    before = desk.asks("SELECT case_id, facts, xmin::text FROM receipt ORDER BY 1")

    again = await desk.takes(file, as_history=as_history)
    moved = await desk.takes(desk.a_file([a_row(n) for n in range(8)], "longer.csv"), as_history=as_history)

    assert (again.read, again.already_there) == (7, 7)
    assert (moved.read, moved.already_there, moved.as_history + moved.live) == (8, 7, 1)
    assert set(before) < set(desk.asks("SELECT case_id, facts, xmin::text FROM receipt"))


@pytest.mark.parametrize("as_history", [True, False])
async def test_rows_taken_in_before_their_map_read_circumstances_are_there_already_and_stay_as_they_are(
    desk: Desk, *, as_history: bool
) -> None:
    file = desk.a_file([a_row(1, Tags="Older"), a_row(2, Tags="")])
    desk.map.write_text(MAP.replace('[vulnerable]\ncolumn = "Tags"\nyes = ["Older"]\n', ""))
    await desk.takes(file, as_history=as_history)
    before = desk.asks("SELECT case_id, facts FROM receipt ORDER BY 1")
    desk.map.write_text(MAP)

    again = await desk.takes(file, as_history=as_history)

    assert (again.already_there, again.rejected) == (2, 0)
    assert desk.asks("SELECT case_id, facts FROM receipt ORDER BY 1") == before


async def test_a_file_without_ids_is_known_by_itself_and_the_rows_number(desk: Desk) -> None:
    rows = [{"In": "2015-03-02", "Text": "The same words."}, {"In": "2015-03-02", "Text": "The same words."}]
    file = desk.a_file(rows)

    first = await desk.takes(file)
    again = await desk.takes(file)

    assert (first.as_history, again.already_there) == (2, 2)


async def test_rows_that_say_they_are_open_are_taken_in_live(desk: Desk) -> None:
    totals = await desk.takes(desk.a_file([a_row(1), a_row(2, Result="Pending")]))

    assert (totals.as_history, totals.live) == (1, 1)
    assert desk.asks("SELECT count(*) FROM case_file WHERE is_history") == [(1,)]


async def test_bad_rows_go_to_the_rejects_with_a_sentence_and_the_rest_is_taken_in(desk: Desk) -> None:
    rows = [a_row(1), a_row(2, In="2999-01-01"), a_row(3, In=""), a_row(4), a_row(4, Text="Other words.")]
    file = desk.a_file(rows)
    with file.open("ab") as raw:
        raw.write(b"case 6,2015-03-02\r\n")
        raw.write(b"case 7,2015-03-02,,benefits,Harbor,not \xff UTF-8,,,\r\n")
        raw.write(b"case 8,2015-03-02,,benefits,Harbor,not a \x00 text,,,\r\n")

    totals = await desk.takes(file)

    assert (totals.read, totals.as_history, totals.rejected) == (8, 2, 6)
    assert desk.rejected() == [
        (2, "The date 2999-01-01 in 'In' is in the future."),
        (3, "The column 'In' is empty, and the map requires it."),
        (5, "A row with this id was taken in before and said something else; what is recorded stays."),
        (6, "The row has 2 cells and the header 9."),
        (7, "The column 'Text' holds bytes that are not UTF-8."),
        (8, "The column 'Text' holds a NUL character, which no text has."),
    ]
    assert (await desk.takes(file)).rejected == 6
    assert len(desk.rejected()) == 6


async def test_the_totals_add_up_for_a_file_of_several_batches(desk: Desk) -> None:
    rows = [a_row(n, In="" if n % 7 == 0 else "2015-03-02") for n in range(1_300)]

    totals = await desk.takes(desk.a_file(rows))

    assert totals.read == 1_300 == totals.as_history + totals.rejected
    assert desk.asks("SELECT count(*) FROM receipt") == [(totals.as_history,)]
    assert [number for number, _ in desk.rejected()] == [n + 1 for n in range(1_300) if n % 7 == 0]


async def test_a_live_row_from_before_the_calendar_is_rejected_and_history_is_not(desk: Desk) -> None:
    file = desk.a_file([a_row(1, In="1999-05-03", Out="")])

    live = await desk.takes(file, as_history=False)
    reasons = desk.rejected()
    history = await desk.takes(file)

    assert (live.rejected, history.as_history) == (1, 1)
    assert reasons[0][1].startswith("The working calendar runs from 2010-01-01")


async def test_json_lines_parquet_and_gzip_bring_the_same_complaints(desk: Desk) -> None:
    rows = [a_row(1), a_row(2)]
    plain = desk.a_file(rows)
    zipped = desk.folder / "cases.csv.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    lines = desk.folder / "cases.jsonl"
    lines.write_text("\n".join(json.dumps(row) for row in rows))
    parquet = desk.folder / "cases.parquet"
    pl.DataFrame(rows).with_columns(pl.col("In").str.to_date()).write_parquet(parquet)

    assert (await desk.takes(plain)).as_history == 2
    for other in (zipped, lines, parquet):
        totals = await desk.takes(other)
        assert (totals.read, totals.already_there) == (2, 2)


async def test_a_line_that_is_not_json_is_rejected(desk: Desk) -> None:
    file = desk.folder / "cases.jsonl"
    file.write_text(json.dumps(a_row(1)) + "\n{broken\n[1]\n")

    totals = await desk.takes(file)

    assert (totals.as_history, totals.rejected) == (1, 2)
    assert desk.rejected()[1] == (3, "The line is no JSON object.")


async def test_only_the_first_rows_are_taken_where_a_limit_is_set(desk: Desk) -> None:
    file = desk.a_file([a_row(n) for n in range(5)])

    assert (await desk.takes(file, limit=3)).as_history == 3
    assert (await desk.takes(file)).lines()[0].startswith("5 rows read = 2 taken in as history + 0 taken in live + 3")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("cases.csv", b"Colour,Taste\r\nred,sweet\r\n", "none of the columns"),
        ("cases.csv", b"No,Text\r\n1,words\r\n", "lacks the column In"),
        ("cases.csv", b"", "has no header row"),
        ("cases.csv", b"No,No\r\n", "names a column twice"),
        ("cases.csv", b'No,In,Text\r\n1,2015-03-02,"' + b"x" * 1_100_000, "quotation mark never closed"),
        ("cases.csv.gz", gzip.compress(b"No,In,Text\r\n" + os.urandom(5_000))[:-900], "compressed data end or break"),
        ("cases.xlsx", b"", "an import reads .csv"),
        ("cases.parquet", b"not parquet", "no readable Parquet file"),
    ],
)
async def test_a_file_that_cannot_be_read_is_refused_with_a_sentence(
    desk: Desk, name: str, content: bytes, said: str
) -> None:
    file = desk.folder / name
    file.write_bytes(content)

    with pytest.raises(ImportImpossible, match=said):
        await desk.takes(file)


async def test_the_agency_must_be_named_where_there_are_several(desk: Desk) -> None:
    file = desk.a_file([a_row(1)])

    with pytest.raises(ImportImpossible, match=r"Name the agency with --agency\. The record has: lakeside, riverbend"):
        await desk.takes(file, agency="")
    with pytest.raises(ImportImpossible, match="There is no agency elsewhere"):
        await desk.takes(file, agency="elsewhere")


async def test_an_unknown_map_is_refused_with_those_that_are_known(desk: Desk) -> None:
    with pytest.raises(ImportImpossible, match="built-in: cfpb, nyc311"):
        await import_file(desk.settings, desk.a_file([a_row(1)]), "no-such-map")


IMPORTING = """
import asyncio, sys
from pathlib import Path
from run.importing import import_file
from run.settings import Settings
asyncio.run(import_file(
    Settings.load(["worker_database_url"]), Path(sys.argv[1]), sys.argv[2], agency="riverbend",
    as_history=sys.argv[3] == "history", rejects=Path(sys.argv[4]),
))
"""


@pytest.mark.parametrize("kind", ["history", "live"])
async def test_an_import_killed_on_the_way_goes_on_where_it_was(desk: Desk, kind: str) -> None:
    rows = [a_row(n, In="" if n % 100 == 0 else f"2015-{n % 12 + 1:02d}-02", Out="") for n in range(4_000)]
    file = desk.a_file(rows)
    durable = desk.starts_and_is_killed(file, kind)

    totals = await desk.takes(file, as_history=kind == "history")

    assert 0 < durable < 3_960
    assert (totals.read, totals.rejected) == (4_000, 40)
    assert totals.already_there >= durable - 500
    assert totals.as_history + totals.live + totals.already_there == 3_960
    assert desk.asks("SELECT count(*), count(DISTINCT idempotency_key) FROM receipt") == [(3_960, 3_960)]
    assert len(desk.rejected()) == 40
    left = {"history": "case_file", "live": "receipt_pending"}[kind]
    assert desk.asks(f"SELECT count(*) FROM {left}") == [(3_960,)]
    assert desk.chains_that_verify() == (3_960 if kind == "history" else 0)


async def test_what_is_durable_is_not_asked_for_again(desk: Desk) -> None:
    file = desk.a_file([a_row(n) for n in range(600)])
    await desk.takes(file)

    assert desk.asks("SELECT rows_done FROM import_progress") == [(600,)]
