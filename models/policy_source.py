# SPDX-License-Identifier: Apache-2.0
"""Reading policy files: text in, checked objects out, and every fault kept with its file and line."""

from __future__ import annotations

import csv
import re
import textwrap
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

Path = tuple[str | int, ...]
"""Where a value stands in a TOML file: the names of tables and keys, and numbers in lists."""
Model = TypeVar("Model", bound=BaseModel)

_AT_LINE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_COMMENT = "#"
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """Something wrong in a policy file, as a sentence for its owner."""

    file: str
    line: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.sentence}"


@dataclass(slots=True)
class Faults:
    """The faults found so far; the same one said twice counts once."""

    found: set[Fault] = field(default_factory=set)

    def add(self, file: str, line: int, sentence: str) -> None:
        """Keep a fault."""
        self.found.add(Fault(file, line, sentence))

    def in_file(self, file: str) -> bool:
        """Return whether a file has a fault so far."""
        return any(fault.file == file for fault in self.found)

    def in_order(self) -> tuple[Fault, ...]:
        """Return them by file and line."""
        return tuple(sorted(self.found))


@dataclass(frozen=True, slots=True)
class TomlSource:
    """A parsed TOML file that still knows its lines."""

    name: str
    data: dict[str, Any]
    lines: dict[Path, int]

    def line_of(self, *path: str | int) -> int:
        """Return the line of a value, or of the nearest table around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


@dataclass(frozen=True, slots=True)
class Row(Generic[Model]):
    """One row of a CSV file and the line it stands on."""

    line: int
    value: Model


def read_toml(name: str, text: str, faults: Faults) -> TomlSource | None:
    """Return a TOML file with the line of each of its values, or None and a fault if it is not TOML."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        where = _AT_LINE.search(str(problem))
        line = int(where[1]) if where and where[1] else len(text.splitlines()) or 1
        faults.add(name, line, f"This is not TOML: {_AT_LINE.sub('', str(problem))}.")
        return None
    return TomlSource(name, data, dict(_toml_lines(text)))


def model_from(source: TomlSource, model: type[Model], faults: Faults) -> Model | None:
    """Return the file as an object, or None and a fault for each value that does not fit."""
    try:
        return model.model_validate(source.data)
    except ValidationError as problem:
        for error in problem.errors():
            faults.add(source.name, source.line_of(*error["loc"]), _sentence(error))
        return None


def read_csv(name: str, text: str, model: type[Model], faults: Faults) -> tuple[Row[Model], ...]:
    """Return the rows of a CSV file that fit; lines that begin with # are comments, and empty cells are left out."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if _says_something(line)]
    if not lines:
        faults.add(name, 1, "The file has no header.")
        return ()
    header_line, header = lines[0][0], _cells(lines[0][1])
    columns = list(model.model_fields)
    if header is None or sorted(header) != sorted(columns):
        faults.add(name, header_line, f"The header must name these columns: {', '.join(columns)}.")
        return ()
    rows = (
        _row(name, number, dict(_pairs(name, number, line, header, faults)), model, faults)
        for number, line in lines[1:]
    )
    return tuple(row for row in rows if row is not None)


def _pairs(name: str, number: int, line: str, header: list[str], faults: Faults) -> Iterator[tuple[str, str]]:
    cells = _cells(line)
    if cells is None or len(cells) != len(header):
        found = "quotes that do not close" if cells is None else f"{len(cells)} cells"
        faults.add(name, number, f"The row must have {len(header)} cells; it has {found}.")
        return
    yield from ((column, cell.strip()) for column, cell in zip(header, cells, strict=True) if cell.strip())


def _row(name: str, number: int, cells: dict[str, str], model: type[Model], faults: Faults) -> Row[Model] | None:
    if not cells:
        return None
    try:
        return Row(number, model.model_validate(cells))
    except ValidationError as problem:
        for error in problem.errors():
            faults.add(name, number, _sentence(error))
        return None


def _says_something(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith(_COMMENT)


def _cells(line: str) -> list[str] | None:
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error:
        return None


def _sentence(error: ErrorDetails) -> str:
    """Return pydantic's finding as a sentence that the owner of a file can act on."""
    where = ".".join(str(part) for part in error["loc"] if isinstance(part, str)) or "This table"
    if error["type"] == "missing":
        return f"`{where}` is missing."
    if error["type"] == "extra_forbidden":
        return f"`{where}` is not known here; is it a slip of the pen?"
    if error["type"] == "value_error":
        return f"`{where}`: {error['ctx']['error']}."
    said = textwrap.shorten(repr(error["input"]), _SHOWN_CHARACTERS, placeholder="…")
    return f"`{where}` is {said}: {error['msg'][0].lower()}{error['msg'][1:]}."


# ---- lines of TOML values: the standard library's reader gives none ------------------------------------------------


def _toml_lines(text: str) -> Iterator[tuple[Path, int]]:
    """Yield the path of every value of a valid TOML text, with the line its statement begins on."""
    table: Path = ()
    sizes: dict[Path, int] = {}
    for number, statement in _statements(text):
        parsed = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            table = _table_path(statement, parsed, sizes)
            yield table, number
        else:
            yield from ((table + path, number) for path in _paths(parsed))


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield each header and each `key = value` with its first line; a value may run over several lines."""
    begun: list[str] = []
    first = 1
    for number, line in enumerate(text.splitlines(), start=1):
        if not begun and not _says_something(line):
            continue
        first = first if begun else number
        begun.append(line)
        statement = "\n".join(begun)
        if _is_whole(statement):
            yield first, statement
            begun = []


def _is_whole(statement: str) -> bool:
    try:
        tomllib.loads(statement)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _table_path(statement: str, parsed: dict[str, Any], sizes: dict[Path, int]) -> Path:
    """Return the path a header opens; in a list of tables it is the newest of the list."""
    names = [part for part in max(_paths(parsed), key=len) if isinstance(part, str)]
    is_list = statement.lstrip().startswith("[[")
    path: Path = ()
    for position, name in enumerate(names, start=1):
        path += (name,)
        if is_list and position == len(names):
            sizes[path] = sizes.get(path, -1) + 1
        if path in sizes:
            path += (sizes[path],)
    return path


def _paths(value: object, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from _paths(child, (*path, key))
