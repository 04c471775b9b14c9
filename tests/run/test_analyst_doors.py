# SPDX-License-Identifier: Apache-2.0
"""How the doors for analysts end: 1 for a table that cannot be used, 2 for an option, and a sentence either way."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from run.analyst.commands import WRONG_DATA, WRONG_USE, add_doors

app = typer.Typer()
add_doors(app)


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    """Return three series over the weeks 1 to 60."""
    rows = [f"{series},{week},{3 + week % 3}" for series in ("a", "b", "c") for week in range(1, 61)]
    path = tmp_path / "counts.csv"
    path.write_text("\n".join(["series,period,count", *rows]) + "\n", encoding="utf-8")
    return path


def asked(door: str, counts: Path, *options: str, out: str = "out") -> tuple[int, str]:
    """Return how a door ends, and what it says in one line."""
    done = CliRunner().invoke(app, [door, str(counts), *options, "--out", str(counts.parent / out)])
    return done.exit_code, " ".join(done.output.split())


@pytest.mark.parametrize(
    "options",
    [
        ("scan", "--from", "50", "--to", "40"),
        ("scan", "--from", "50", "--to", "2026-01-05"),
        ("scan", "--from", "50", "--to", "60", "--alpha", "2"),
        ("scan", "--from", "50", "--to", "60", "--windows", "1,x"),
        ("scan", "--from", "50", "--to", "60", "--windows", "4,2"),
        ("scan", "--from", "70", "--to", "80"),
        ("effect", "--target", "nope", "--controls", "b", "--changed-on", "40"),
        ("effect", "--target", "a", "--controls", "a", "--changed-on", "40"),
        ("effect", "--target", "a", "--controls", "b", "--changed-on", "2026-01-05"),
        ("effect", "--target", "a", "--controls", "b", "--changed-on", "40", "--target-reduction", "5"),
        ("cube-scan", "--as-of", "soon"),
    ],
    ids=" ".join,
)
def test_an_option_that_cannot_be_used_ends_with_2(counts: Path, options: tuple[str, ...]) -> None:
    code, said = asked(options[0], counts, *options[1:])

    assert code == WRONG_USE, said
    assert said.endswith(".")
    assert not counts.with_name("out").exists()


@pytest.mark.parametrize("door", ["scan", "effect"])
def test_a_place_that_cannot_be_written_ends_with_2(counts: Path, door: str) -> None:
    options = {"scan": ("--from", "60", "--to", "60"), "effect": ("--target", "a", "--changed-on", "40")}[door]
    controls = ("--controls", "b") if door == "effect" else ()

    code, said = asked(door, counts, *options, *controls, out="no/such/folder")

    assert (code, "cannot be written" in said) == (WRONG_USE, True)


def test_a_table_that_cannot_be_used_ends_with_1_and_names_file_and_line(counts: Path) -> None:
    counts.write_text(counts.read_text("utf-8").replace("a,2,5", "a,2,many"), encoding="utf-8")

    ends = [
        asked("scan", counts, "--from", "60", "--to", "60"),
        asked("effect", counts, "--target", "a", "--controls", "b", "--changed-on", "40"),
        asked("disproportionality", counts),
    ]

    assert [code for code, _ in ends] == [WRONG_DATA] * 3
    assert [f"{counts}, line {line}:" in said for line, (_, said) in zip((3, 3, 1), ends, strict=True)] == [True] * 3


def test_what_a_range_asks_for_and_the_table_does_not_have_is_told(counts: Path) -> None:
    _, within = asked("scan", counts, "--from", "59", "--to", "60")
    code, beyond = asked("scan", counts, "--from", "59", "--to", "200")

    assert code == 0
    assert "is not there" not in within
    assert "The table ends with 60: what you asked for after it is not there." in beyond


def test_a_change_far_beyond_the_table_is_a_slip_of_the_hand_and_one_in_the_next_week_is_not(counts: Path) -> None:
    far = asked("effect", counts, "--target", "a", "--controls", "b", "--changed-on", "500")
    soon = asked("effect", counts, "--target", "a", "--controls", "b", "--changed-on", "61")

    assert far[0] == WRONG_USE
    assert "lies beyond the table, which ends with week 60" in far[1]
    assert soon[0] == 0, soon[1]


def columns_of(out: Path) -> set[str]:
    """Return the columns of a table, or the fields of an object and of its signals."""
    told = out.read_text("utf-8")
    if not told.startswith("{"):
        return set(told.partition("\n")[0].strip().split(","))
    fields = json.loads(told)
    return {*fields, *(name for signal in fields.get("signals", ()) for name in signal)}


@pytest.mark.parametrize(
    ("door", "table", "options"),
    [
        ("scan", "counts.csv", ("--from", "60", "--to", "60")),
        ("effect", "counts.csv", ("--target", "a", "--controls", "b", "--changed-on", "40")),
        ("disproportionality", "pairs.csv", ()),
        ("cube-scan", "events.csv", ("--as-of", "2026-05-31")),
        ("suggest", "texts.csv", ("--text", "text", "--label", "label")),
    ],
)
def test_a_door_s_help_names_everything_that_its_result_holds(
    counts: Path, door: str, table: str, options: tuple[str, ...]
) -> None:
    read, out = counts.parent / table, counts.parent / "out"
    days = [date(2024, 6, 3) + timedelta(days=day) for day in range(728)]
    surge = [f"{date(2026, 5, 25 + day % 7)},north" for day in range(40)]
    rows = {
        "pairs.csv": ["a,b", *("x,y" for _ in range(5)), "x,z", "w,z"],
        "events.csv": ["received_on,office", *(f"{day},{('north', 'south')[day.day % 2]}" for day in days), *surge],
        "texts.csv": ["text,label", *(f"{word} is lost,{word}" for word in ("form", "key") for _ in range(30))],
    }
    if table in rows:
        read.write_text("\n".join(rows[table]) + "\n", encoding="utf-8")
    asked_for = ("--train", str(read), "--test", str(read)) if door == "suggest" else (str(read),)

    done = CliRunner().invoke(app, [door, *asked_for, *options, "--out", str(out)])
    help_ = CliRunner().invoke(app, [door, "--help"], env={"COLUMNS": "200"}).output

    assert done.exit_code == 0, done.output
    named = set(re.findall(r"\w+", help_.partition("Out comes")[2].partition("Arguments")[0]))
    assert columns_of(out) <= named
    assert door != "cube-scan" or "q_value" in columns_of(out), "a signal was found"


def test_no_door_writes_over_what_it_reads(counts: Path) -> None:
    before = counts.read_bytes()

    code, said = asked("scan", counts, "--from", "50", "--to", "60", out=counts.name)

    assert code == WRONG_USE
    assert "counts.csv is read; name another file to write." in said.replace("/ ", "/")
    assert counts.read_bytes() == before
