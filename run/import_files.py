# SPDX-License-Identifier: Apache-2.0
"""Reading files of rows, one row at a time: CSV, JSON Lines (each also gzipped) and Parquet.

A row that cannot be read is handed on with the reason; a file that cannot be read any further raises Unreadable.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, cast

import polars as pl

CELL_LIMIT = 1_000_000
"""Characters; a longer cell is most likely a quotation mark that was never closed."""
PARQUET_ROWS_AT_ONCE = 5_000
_BLOCK = 1 << 20
FORMATS = ".csv, .tsv, .jsonl, .ndjson (each also with .gz) or .parquet"


class Unreadable(Exception):
    """A file that cannot be read (any further); its text says why."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row of the file; numbers begin with 1 after the header."""

    number: int
    cells: dict[str, Any]
    fault: str = ""
    """Why the row cannot be used; empty: it can."""


class RowFile(Protocol):
    """An open file of rows."""

    columns: list[str] | None
    """The columns it has; None where every row has its own."""
    size: int

    def rows(self) -> Iterator[RawRow]:
        """Yield its rows in order."""
        ...

    def position(self) -> int:
        """Return how much of `size` has been read."""
        ...


def sha256_of(path: Path) -> bytes:
    """Return the SHA-256 of a file; raises Unreadable."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as problem:
        raise Unreadable(f"{path} cannot be read: {problem.strerror}.") from problem
    return digest.digest()


@contextlib.contextmanager
def open_rows(path: Path) -> Iterator[RowFile]:
    """Open a file of rows by its name's ending; raises Unreadable."""
    kind = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if kind == ".parquet":
        yield _Parquet(path)
        return
    if kind not in {".csv", ".tsv", ".jsonl", ".ndjson"}:
        raise Unreadable(f"{path.name}: an import reads {FORMATS}.")
    with path.open("rb") as raw:
        stream: IO[bytes] = _unzipped(raw) if path.suffix == ".gz" else raw
        # Bytes that are not UTF-8 come through as surrogates, so that one bad row does not stop the file.
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        if kind in {".csv", ".tsv"}:
            yield _Csv(text, raw, path, "," if kind == ".csv" else "\t")
        else:
            yield _JsonLines(text, raw, path)


def _unzipped(raw: IO[bytes]) -> IO[bytes]:
    """Return the bytes inside; whoever opened the file closes it."""
    return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))


class _Streamed:
    """A file read from front to back."""

    def __init__(self, raw: IO[bytes], path: Path) -> None:
        self._raw = raw
        self.path = path
        self.size = path.stat().st_size

    def position(self) -> int:
        """Return the bytes read."""
        return self._raw.tell()

    @contextlib.contextmanager
    def _faults_named(self, number: int) -> Iterator[None]:
        try:
            yield
        except csv.Error as problem:
            raise Unreadable(
                f"{self.path.name}: row {number} cannot be read ({problem}); is a quotation mark never closed?"
            ) from problem
        except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
            raise Unreadable(f"{self.path.name}: the compressed data end or break after row {number - 1}.") from problem


class _Csv(_Streamed):
    def __init__(self, text: io.TextIOWrapper, raw: IO[bytes], path: Path, delimiter: str) -> None:
        super().__init__(raw, path)
        csv.field_size_limit(CELL_LIMIT)
        self._reader = csv.reader(text, delimiter=delimiter)
        with self._faults_named(1):
            header = next(self._reader, [])
        self.columns: list[str] | None = [name.strip() for name in header]
        if not any(self.columns):
            raise Unreadable(f"{path.name} has no header row.")
        if len(set(self.columns)) < len(self.columns):
            raise Unreadable(f"{path.name} names a column twice.")

    def rows(self) -> Iterator[RawRow]:
        """Yield its rows; empty lines are none."""
        header = self.columns or []
        number = 0
        while True:
            with self._faults_named(number + 1):
                values = next(self._reader, None)
            if values is None:
                return
            if not values:
                continue
            number += 1
            fault = ""
            if len(values) != len(header):
                fault = f"The row has {len(values)} cells and the header {len(header)}."
            yield RawRow(number, dict(zip(header, values, strict=False)), fault)


class _JsonLines(_Streamed):
    def __init__(self, text: io.TextIOWrapper, raw: IO[bytes], path: Path) -> None:
        super().__init__(raw, path)
        self._text = text
        self.columns: list[str] | None = None

    def rows(self) -> Iterator[RawRow]:
        """Yield its rows, one line each; empty lines are none."""
        number = 0
        while True:
            with self._faults_named(number + 1):
                line = self._text.readline(CELL_LIMIT)
            if not line:
                return
            if not line.strip():
                continue
            number += 1
            if len(line) == CELL_LIMIT and not line.endswith("\n"):
                raise Unreadable(f"{self.path.name}: line {number} has more than {CELL_LIMIT:,} characters.")
            yield _json_row(number, line)


def _json_row(number: int, line: str) -> RawRow:
    try:
        cells = json.loads(line)
    except ValueError as problem:
        return RawRow(number, {"line": line}, f"The line is not JSON: {problem}.")
    if not isinstance(cells, dict):
        return RawRow(number, {"line": line}, "The line is no JSON object.")
    return RawRow(number, cells)


class _Parquet:
    def __init__(self, path: Path) -> None:
        self._frame = pl.scan_parquet(path)
        self._read = 0
        try:
            self.columns: list[str] | None = self._frame.collect_schema().names()
            self.size = int(self._frame.select(pl.len()).collect().item())
        except (pl.exceptions.PolarsError, OSError) as problem:
            raise Unreadable(f"{path.name} is no readable Parquet file.") from problem

    def rows(self) -> Iterator[RawRow]:
        """Yield its rows, some thousand in memory at once."""
        for start in range(0, self.size, PARQUET_ROWS_AT_ONCE):
            part = self._frame.slice(start, PARQUET_ROWS_AT_ONCE).collect()
            for number, cells in enumerate(part.iter_rows(named=True), start=start + 1):
                self._read = number
                yield RawRow(number, cells)

    def position(self) -> int:
        """Return the rows read."""
        return self._read
