# SPDX-License-Identifier: Apache-2.0
"""What the doors for analysts share: reading tables, saying what is wrong with one, writing results whole or not."""

import csv
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import polars as pl

LINE_OF_FIRST_ROW = 2


class BadTable(ValueError):
    """A table that cannot be used: one sentence that names the line and what to do."""


class WrongOption(BadTable):
    """An option that cannot be used, by itself or with this table; the table is not at fault."""


def read_table(path: Path, needed: tuple[str, ...], optional: tuple[str, ...] = ()) -> pl.DataFrame:
    """Return the columns of a CSV file in UTF-8 as text, and its `line` numbers.

    Raises BadTable if the file cannot be read, a column is missing or unknown, or a row has not as many fields as the
    first line.
    """
    header = _header(path)
    check_heading(f"{path}, line 1", header, needed, optional)
    # polars fills a short row up without a word.
    if (fault := _first_uneven_line(path, len(header))) is not None:
        raise BadTable(fault)
    try:
        table = pl.read_csv(path, infer_schema=False)
    except pl.exceptions.PolarsError as problem:
        sentence = f"{path} cannot be taken apart as CSV; save it anew with commas between the fields."
        raise BadTable(sentence) from problem
    table = table.with_row_index("line", offset=LINE_OF_FIRST_ROW)
    table = table.filter(~pl.all_horizontal(pl.col(header).is_null()))  # empty lines say nothing
    if table.is_empty():
        raise BadTable(f"{path}, line 1: there is no row under it; give at least one.")
    return table.with_columns(pl.col(header).fill_null(""))


def check_heading(where: str, names: list[str], needed: tuple[str, ...], optional: tuple[str, ...]) -> None:
    """Raise BadTable if a column is missing, unknown or there twice."""
    for name in needed:
        if name not in names:
            raise BadTable(f"{where}: there is no column {name}; the columns are {_listed(needed, optional)}.")
    for name in names:
        if name not in {*needed, *optional}:
            raise BadTable(f"{where}: the column {name!r} is unknown; the columns are {_listed(needed, optional)}.")
        if names.count(name) > 1:
            raise BadTable(f"{where}: the column {name} is there twice; keep one.")


def first_bad_line(table: pl.DataFrame, is_bad: pl.Expr) -> dict[str, str] | None:
    """Return the first row for which the expression holds, its line among its values, or nothing."""
    bad = table.filter(is_bad).sort("line").head(1)
    return None if bad.is_empty() else {name: str(value) for name, value in bad.row(0, named=True).items()}


@contextmanager
def whole_or_not(path: Path) -> Iterator[TextIO]:
    """Open a file that takes its name only once all is written; an error leaves what was there before."""
    try:
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as problem:
        raise WrongOption(f"{path} cannot be written: {problem.strerror}.") from problem
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
            yield out
        Path(beside).chmod(0o644)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def _header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            header = next(csv.reader(lines), None)
    except OSError as problem:
        raise BadTable(f"{path} cannot be read: {problem.strerror}.") from problem
    except UnicodeDecodeError as problem:
        raise BadTable(f"{path} is not in UTF-8; save it as CSV in UTF-8.") from problem
    if not header:
        raise BadTable(f"{path} is empty; its first line must name the columns.")
    return header


def _listed(needed: tuple[str, ...], optional: tuple[str, ...]) -> str:
    return ", ".join([*needed, *(f"{name} (may be left out)" for name in optional)])


def _first_uneven_line(path: Path, width: int) -> str | None:
    """Return what is wrong with the first line that has not as many fields as the heading, or nothing."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, strict=True)
            for row in reader:
                if row and len(row) != width:
                    return (
                        f"{path}, line {reader.line_num}: {len(row)} fields where the first line has {width}; mend it."
                    )
    except UnicodeDecodeError:
        return f"{path} is not in UTF-8; save it as CSV in UTF-8."
    except csv.Error as problem:
        return f"{path}, line {reader.line_num}: it cannot be taken apart ({problem}); mend its quotes."
    return None
