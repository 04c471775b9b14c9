# SPDX-License-Identifier: Apache-2.0
"""Labels proposed for texts, learnt from labelled texts: the body of `putright suggest`.

Both tables are CSV in UTF-8 with a header. Every row of the one to learn from has a text and a label; the other needs
the column of texts alone, and an empty text is answered with an abstention. PRED.csv has a line per row of the second
table, in its order: `row` (from 1), `label` (the likeliest), its `probability`, `top_1`, `top_2`, `top_3` (the
likeliest first; empty where there are fewer labels) and `abstained` (true: propose nothing, a person should look).
"""

import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from analytics.text.normalising import words_of
from analytics.text.suggesting import fit_suggester
from run.analyst.tables import BadTable

COLUMNS = ("row", "label", "probability", "top_1", "top_2", "top_3", "abstained")


@dataclass(frozen=True, slots=True)
class SuggestDone:
    """How many texts were learnt from, how many were suggested for, and on how many of those it abstained."""

    learnt_from: int
    suggested: int
    abstained: int
    training_hash: str


def suggest(train: Path, test: Path, *, text: str, label: str, out: Path) -> SuggestDone:
    """Learn from `train`, write what is proposed for `test` to `out`; raise `BadTable` and write nothing on a fault."""
    texts: list[str] = []
    labels: list[str] = []
    for line, (one_text, one_label) in _rows(train, (text, label)):
        if not words_of(one_text):
            raise BadTable(f"{train.name}, line {line}: no text in “{text}”. Fill it in or leave the row out.")
        if not one_label.strip():
            raise BadTable(f"{train.name}, line {line}: no label in “{label}”. Fill it in or leave the row out.")
        texts.append(one_text)
        labels.append(one_label.strip())
    asked = [one_text for _, (one_text,) in _rows(test, (text,))]
    try:
        suggester = fit_suggester(texts, labels)
    except ValueError as fault:
        raise BadTable(f"{train.name}, line {len(texts) + 1}: the table ends too soon. {fault}") from fault
    suggested = suggester.suggest(asked)
    abstained = [bool(unsure) or not words_of(one) for unsure, one in zip(suggested.abstains, asked, strict=True)]
    lines = [list(COLUMNS)]
    for row, unsure in enumerate(abstained):
        best = suggested.best(row)
        three = [name for name, _ in best] + [""] * (3 - len(best))
        lines.append([str(row + 1), best[0][0], f"{best[0][1]:.6f}", *three, "true" if unsure else "false"])
    _write_whole(out, lines)
    return SuggestDone(len(texts), len(asked), sum(abstained), suggester.training_hash)


def _rows(path: Path, wanted: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """Yield the line on which each row ends, and its values in the wanted columns."""
    reader = csv.reader(io.StringIO(_decoded(path), newline=""), strict=True)
    try:
        header = next(reader, [])
        places = [_place(path, header, name) for name in wanted]
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise BadTable(
                    f"{path.name}, line {reader.line_num}: {len(row)} values under {len(header)} columns. "
                    "Put values that hold commas or line breaks in quotes."
                )
            yield reader.line_num, [row[place] for place in places]
    except csv.Error as fault:
        raise BadTable(f"{path.name}, line {reader.line_num}: not CSV ({fault}). Mend the quotes.") from fault


def _decoded(path: Path) -> str:
    """Return the file's text; a byte order mark is no part of it."""
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise BadTable(f"{path} cannot be read ({fault.strerror}). Give the path of a CSV file.") from fault
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = content.count(b"\n", 0, fault.start) + 1
        raise BadTable(f"{path.name}, line {line}: not UTF-8. Save the table as CSV in UTF-8.") from fault


def _place(path: Path, header: list[str], name: str) -> int:
    """Return where the column stands."""
    if header.count(name) != 1:
        has = ", ".join(header) or "nothing"
        raise BadTable(f"{path.name}, line 1: needs one column “{name}”, has {has}.")
    return header.index(name)


def _write_whole(out: Path, lines: list[list[str]]) -> None:
    """Write the table beside its place and move it there, so that nobody meets half of it."""
    beside = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with beside.open("x", encoding="utf-8", newline="") as table:
            csv.writer(table, lineterminator="\n").writerows(lines)
        beside.replace(out)
    except OSError as fault:
        raise BadTable(f"{out} cannot be written ({fault.strerror}). Give a path in a folder that exists.") from fault
    finally:
        beside.unlink(missing_ok=True)
