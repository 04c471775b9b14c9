# SPDX-License-Identifier: Apache-2.0
"""Pairs in, how far each is out of proportion out: the body of `putright disproportionality`.

PAIRS.csv has the columns `a` and `b`, and may have `stratum` and `id`. Each row says that a report names the pair. Rows
with the same `id` are one report, counted once in every total however many pairs it names; without the column each row
is a report of its own. EBGM.csv has one row per pair that occurs, the most out of proportion (by `eb05`) first.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from analytics.arrays import IntArray
from analytics.disproportionality import Disproportion, disproportionality
from run.analyst.tables import BadTable, WrongOption, check_heading, whole_or_not

NEEDED = ("a", "b")
OPTIONAL = ("stratum", "id")
OUT_COLUMNS = ("a", "b", "n", "expected", "ebgm", "eb05", "eb95")
SIGNAL_EB05 = 2.0
SIGNAL_COUNT = 3


def disproportionality_of(pairs: Path, out: Path) -> str:
    """Write the ratios of the pairs in one file to another, and return in a sentence what came of it.

    Raises BadTable, in which case nothing is written.
    """
    codes = _read(pairs)
    found = disproportionality(
        codes["a"].numbers(), codes["b"].numbers(), stratum=_given(codes, "stratum"), report=_given(codes, "id")
    )
    _write(out, found, codes["a"].names(), codes["b"].names())
    signals = int(((found.eb05 >= SIGNAL_EB05) & (found.pairs.count >= SIGNAL_COUNT)).sum())
    how = "" if found.prior.is_learnt else " There are too few pairs to learn from: they are judged by a fixed prior."
    return (
        f"{len(found.eb05):,} pairs, of which {signals:,} with {SIGNAL_COUNT} reports or more are out of proportion "
        f"(EB05 at least {SIGNAL_EB05:g}).{how}"
    )


class _Codes:
    """The values of one column, each kind of value numbered as it first comes."""

    def __init__(self) -> None:
        self._number_of: dict[str, int] = {}
        self._numbers: list[int] = []

    def add(self, value: str) -> int:
        number = self._number_of.setdefault(value, len(self._number_of))
        self._numbers.append(number)
        return number

    def numbers(self) -> IntArray:
        return np.array(self._numbers, dtype=np.int64)

    def names(self) -> list[str]:
        return list(self._number_of)


def _given(codes: dict[str, _Codes], column: str) -> IntArray | None:
    return codes[column].numbers() if column in codes else None


def _read(path: Path) -> dict[str, _Codes]:
    """Return the file's columns as codes, or raise BadTable for the first line that cannot be used."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            return _codes_of(path, _rows(path, lines))
    except OSError as problem:
        raise BadTable(f"{path} cannot be read: {problem.strerror}.") from problem
    except UnicodeDecodeError as problem:
        raise BadTable(f"{path} is not in UTF-8; save it as CSV in UTF-8.") from problem


def _rows(path: Path, lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not blank with the number of the line it ends on."""
    reader = csv.reader(lines, strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as problem:
        raise BadTable(f"{path}, line {reader.line_num}: this is not CSV ({problem}).") from problem


def _codes_of(path: Path, rows: Iterator[tuple[int, list[str]]]) -> dict[str, _Codes]:
    line, heading = next(rows, (1, []))
    columns = [name.strip() for name in heading]
    check_heading(f"{path}, line {line}", columns, NEEDED, OPTIONAL)
    codes = {name: _Codes() for name in columns}
    stratum_of: dict[int, int] = {}
    for line, row in rows:
        if len(row) != len(columns):
            raise BadTable(f"{path}, line {line}: the heading has {len(columns)} fields and this row {len(row)}.")
        number: dict[str, int] = {}
        for name, value in zip(columns, row, strict=True):
            told = value.strip()
            if not told:
                raise BadTable(f"{path}, line {line}: {name} is empty; give a value or leave the row out.")
            number[name] = codes[name].add(told)
        if "id" in number and stratum_of.setdefault(number["id"], number.get("stratum", 0)) != number.get("stratum", 0):
            raise BadTable(
                f"{path}, line {line}: an earlier row puts this report into another stratum; it belongs to one."
            )
    if not codes["a"].names():
        raise BadTable(f"{path} holds no pairs below its heading; give a row for each.")
    return codes


def _write(out: Path, found: Disproportion, a_names: list[str], b_names: list[str]) -> None:
    """Write the result beside its place and move it there, so that there is never half a file."""
    order = np.lexsort((found.pairs.second, found.pairs.first, -found.ebgm, -found.eb05))
    pairs = found.pairs
    columns = (
        [a_names[code] for code in pairs.first[order]],
        [b_names[code] for code in pairs.second[order]],
        pairs.count[order].tolist(),
        *(np.round(values[order], 6).tolist() for values in (pairs.expected, found.ebgm, found.eb05, found.eb95)),
    )
    try:
        with whole_or_not(out) as lines:
            writer = csv.writer(lines)
            writer.writerow(OUT_COLUMNS)
            writer.writerows(zip(*columns, strict=True))
    except OSError as problem:
        raise WrongOption(f"{out} cannot be written: {problem.strerror}.") from problem
