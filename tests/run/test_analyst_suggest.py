# SPDX-License-Identifier: Apache-2.0
"""The door for suggestions: two tables in, one out, or one sentence and nothing."""

import csv
from pathlib import Path

import pytest

from run.analyst.suggest import COLUMNS, suggest
from run.analyst.tables import BadTable
from tests.unit.analytics.text.letters import TOPICS, labelled


def write(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as table:
        csv.writer(table).writerows(rows)
    return path


@pytest.fixture
def train(tmp_path: Path) -> Path:
    texts, labels = labelled(30, seed=1)
    rows = [[str(number), label, text] for number, (text, label) in enumerate(zip(texts, labels, strict=True))]
    return write(tmp_path / "train.csv", [["id", "failure", "narrative"], *rows])


def asked(tmp_path: Path, texts: list[str]) -> Path:
    return write(tmp_path / "test.csv", [["narrative", "other"], *([text, "x"] for text in texts)])


def test_every_row_is_answered_in_order(tmp_path: Path, train: Path) -> None:
    texts, labels = labelled(5, seed=2)
    test, out = asked(tmp_path, [*texts, "", 'comma, quote " and\nline']), tmp_path / "pred.csv"
    done = suggest(train, test, text="narrative", label="failure", out=out)
    with out.open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))

    assert tuple(rows[0]) == COLUMNS
    assert [row["row"] for row in rows] == [str(number + 1) for number in range(22)]
    assert [row["label"] for row in rows[:20]] == labels
    assert all(row["label"] == row["top_1"] and 0 < float(row["probability"]) <= 1 for row in rows)
    assert all(len({row["top_1"], row["top_2"], row["top_3"]} & set(TOPICS)) == 3 for row in rows)
    assert [row["abstained"] for row in rows[:21]] == ["false"] * 20 + ["true"]
    assert (done.learnt_from, done.suggested, done.abstained) == (120, 22, sum(r["abstained"] == "true" for r in rows))


def test_the_same_tables_give_the_same_file(tmp_path: Path, train: Path) -> None:
    test = asked(tmp_path, labelled(5, seed=2)[0])
    outs = [tmp_path / "one.csv", tmp_path / "two.csv"]
    for out in outs:
        suggest(train, test, text="narrative", label="failure", out=out)

    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_a_byte_order_mark_is_no_part_of_the_table(tmp_path: Path, train: Path) -> None:
    test = tmp_path / "test.csv"
    test.write_text("narrative\npassport\n", encoding="utf-8-sig")

    assert suggest(train, test, text="narrative", label="failure", out=tmp_path / "pred.csv").suggested == 1


def test_two_labels_leave_the_third_place_empty_and_no_rows_make_a_header(tmp_path: Path) -> None:
    train = write(tmp_path / "train.csv", [["t", "l"], *([f"lost {n}", "a"] for n in range(5)), ["rude clerk", "b"]])
    out = tmp_path / "pred.csv"

    suggest(train, write(tmp_path / "test.csv", [["t"], ["lost"]]), text="t", label="l", out=out)
    assert out.read_text(encoding="utf-8").splitlines()[1].split(",")[5] == ""
    suggest(train, write(tmp_path / "test.csv", [["t"]]), text="t", label="l", out=out)
    assert out.read_text(encoding="utf-8") == ",".join(COLUMNS) + "\n"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "line 1: needs one column .t., has nothing"),
        (b"x,l\na,b\n", "line 1: needs one column .t., has x, l"),
        (b"t,t,l\na,b,c\n", "line 1: needs one column .t."),
        (b"t,l\na,b\nc\n", "line 3: 1 values under 2 columns"),
        (b"t,l\na,b,c\n", "line 2: 3 values under 2 columns"),
        (b"t,l\na,b\n ,c\n", "line 3: no text in .t."),
        (b"t,l\na,b\nc, \n", "line 3: no label in .l."),
        (b"t,l\na,b\n\xff,c\n", "line 3: not UTF-8"),
        (b't,l\na,b\n"c"d,e\n', "line 3: not CSV"),
        (b't,l\na,b\n"c,e\n', "line 3: not CSV"),
        (b"t,l\na,b\nc,b\nd,b\n", "ends too soon.*at least two labels"),
        (b"t,l\n", "ends too soon.*at least two labels"),
    ],
)
def test_a_table_that_cannot_be_used_is_named_by_its_line_and_nothing_is_written(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    train, out = tmp_path / "train.csv", tmp_path / "pred.csv"
    train.write_bytes(content)

    with pytest.raises(BadTable, match=sentence):
        suggest(train, write(tmp_path / "test.csv", [["t"], ["a"]]), text="t", label="l", out=out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["test.csv", "train.csv"]


def test_a_file_that_is_not_there_and_a_folder_that_is_not_there(tmp_path: Path, train: Path) -> None:
    test = asked(tmp_path, ["passport"])

    with pytest.raises(BadTable, match="cannot be read"):
        suggest(tmp_path / "none.csv", test, text="narrative", label="failure", out=tmp_path / "pred.csv")
    with pytest.raises(BadTable, match="cannot be written"):
        suggest(train, test, text="narrative", label="failure", out=tmp_path / "none" / "pred.csv")


def test_what_stood_there_stays_when_the_table_is_bad(tmp_path: Path, train: Path) -> None:
    out = tmp_path / "pred.csv"
    out.write_text("earlier", encoding="utf-8")

    with pytest.raises(BadTable, match="line 1"):
        suggest(train, write(tmp_path / "test.csv", [["wrong"]]), text="narrative", label="failure", out=out)
    assert out.read_text(encoding="utf-8") == "earlier"


def test_nonsense_is_abstained_on_and_what_was_learnt_from_is_no_certainty(tmp_path: Path, train: Path) -> None:
    known, _ = labelled(30, seed=1)
    out = tmp_path / "pred.csv"

    suggest(train, asked(tmp_path, ["xylophone zebra", known[0]]), text="narrative", label="failure", out=out)

    with out.open(encoding="utf-8", newline="") as table:
        nonsense, learnt = csv.DictReader(table)
    assert (nonsense["abstained"], learnt["abstained"]) == ("true", "false")
    assert 0.9 < float(learnt["probability"]) < 1
