# SPDX-License-Identifier: Apache-2.0
"""`putright import`: a file of complaints becomes receipts, and then live cases or history. Run again, it goes on."""

from __future__ import annotations

import asyncio
import csv
import itertools
import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TextIO
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.imports import (
    ACCEPTED_AT_ONCE,
    ImportingAgency,
    Imports,
    NumberedRow,
    Origin,
    Outcome,
    importing_agencies,
)
from api.writes.receipts import accept
from models.import_map import ImportMap, MapFaults, Place, RowRejected, read_map, row_of
from models.messages import canonical_message, sha256
from models.receiving import Intake
from run.composition import engine_for, now, secrets_of
from run.import_files import RawRow, RowFile, Unreadable, open_rows, sha256_of
from run.settings import Settings

MAPS_FOLDER = Path(__file__).resolve().parent / "import_maps"
BATCH_ROWS = 500
BATCHES_AT_ONCE = 3
"""While one batch is being written, the next is read and a third waits; memory is bounded by them."""
_PROGRESS_COLUMNS = (
    SpinnerColumn(),
    TextColumn("{task.description}"),
    BarColumn(),
    TaskProgressColumn(),
    TimeRemainingColumn(),
)


class ImportImpossible(Exception):
    """The import cannot begin, or cannot go on; its text says what to do."""


@dataclass(slots=True)
class Totals:
    """What became of every row that was read."""

    read: int = 0
    as_history: int = 0
    live: int = 0
    already_there: int = 0
    rejected: int = 0
    rejects: Path | None = None
    """Where the rejected rows are."""

    def add(self, outcome: Outcome) -> None:
        """Add what became of a batch."""
        self.as_history += outcome.as_history
        self.live += outcome.live
        self.already_there += outcome.already_there
        self.rejected += len(outcome.rejected)

    def lines(self) -> tuple[str, ...]:
        """Return the totals as sentences; they add up."""
        sums = (
            f"{self.read:,} rows read = {self.as_history:,} taken in as history + {self.live:,} taken in live"
            f" + {self.already_there:,} already there + {self.rejected:,} rejected."
        )
        if not self.rejected:
            return (sums,)
        return (sums, f"The rejected rows are in {self.rejects}, each with its reason.")


@dataclass(frozen=True, slots=True)
class Asked:
    """What an import is told."""

    file: Path
    import_map: ImportMap
    rejects: Path
    agency: str = ""
    """Empty: the only one there is."""
    as_history: bool = False
    limit: int | None = None
    """Read no more rows than this."""


Moved = Callable[[int, int, "Totals"], None]
"""Hears how far an import is: position in the file, its size, the totals so far."""


@dataclass(slots=True)
class _Batch:
    """Some rows one after another: those to be taken in, and those that cannot be."""

    last: int = 0
    good: list[NumberedRow] = field(default_factory=list)
    bad: list[tuple[int, str]] = field(default_factory=list)
    cells: dict[int, dict[str, Any]] = field(default_factory=dict)


class Rejects:
    """The file of rejected rows: its number, the reason, and the row as it was. No rejects, no file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        self.path.unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, rejected: list[tuple[int, str]], cells: dict[int, dict[str, Any]]) -> None:
        """Write down rows with their reasons."""
        if self._file is None and rejected:
            self._file = _opened(self.path)
            csv.writer(self._file).writerow(["row", "reason", "original"])
        if self._file is not None:
            rows = ((number, reason, json.dumps(cells[number], default=str)) for number, reason in sorted(rejected))
            csv.writer(self._file).writerows(rows)
            self._file.flush()


def _opened(path: Path) -> TextIO:
    try:
        return path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
    except OSError as problem:
        raise ImportImpossible(
            f"Rejected rows cannot be written to {path} ({problem.strerror}); name another file with --rejects."
        ) from problem


def load_map(name: str) -> ImportMap:
    """Return a built-in map by its name, or one from a TOML file; raises ImportImpossible."""
    built_in = {path.stem: path for path in MAPS_FOLDER.glob("*.toml")}
    path = built_in.get(name) or Path(name)
    try:
        return read_map(path.name, path.read_text("utf-8"))
    except OSError as problem:
        known = ", ".join(sorted(built_in))
        raise ImportImpossible(
            f"There is no column map {name}: name a TOML file, or one of the built-in: {known}."
        ) from problem
    except MapFaults as problem:
        raise ImportImpossible(str(problem)) from problem


async def import_file(
    settings: Settings,
    file: Path,
    column_map: str,
    *,
    agency: str = "",
    as_history: bool = False,
    rejects: Path | None = None,
    limit: int | None = None,
    console: Console | None = None,
) -> Totals:
    """Take in every row of the file that is new, showing on the console how far it is; return what became of the rows.

    Raises ImportImpossible; what was taken in until then is durable, and running it again goes on from there.
    """
    asked = Asked(
        file=file,
        import_map=load_map(column_map),
        rejects=rejects or file.with_name(f"{file.name}.rejects.csv"),
        agency=agency,
        as_history=as_history,
        limit=limit,
    )
    with Progress(*_PROGRESS_COLUMNS, console=console, disable=console is None) as progress:
        bar = progress.add_task(file.name, total=None)

        def moved(position: int, size: int, totals: Totals) -> None:
            told = f"{file.name}: {totals.read:,} rows, {totals.rejected:,} rejected"
            progress.update(bar, completed=position, total=size, description=told)

        return await _import(settings, asked, moved)


async def _import(settings: Settings, asked: Asked, moved: Moved) -> Totals:
    secrets = secrets_of(settings)
    engine = engine_for(settings.worker_database_url, connections=ACCEPTED_AT_ONCE + BATCHES_AT_ONCE)
    try:
        agency = await _agency(engine, asked.agency)
        file_sha256 = await asyncio.to_thread(sha256_of, asked.file)
        map_sha256 = sha256(canonical_message(asked.import_map))
        origin = Origin(asked.import_map.source, asked.import_map.language, file_sha256, map_sha256)
        imports = Imports(engine, _accepting(engine), agency, origin, secrets.case_keys, as_history=asked.as_history)
        place = Place(agency.time_zone, now().astimezone(ZoneInfo(agency.time_zone)).date())
        with open_rows(asked.file) as rows, Rejects(asked.rejects) as rejected:
            _some_column_is_there(rows, asked.import_map, asked.file)
            run = _Run(imports, rejected, await imports.rows_done())
            return await run.all(rows, _batches(rows, asked, place), moved)
    except Unreadable as problem:
        raise ImportImpossible(str(problem)) from problem
    except OperationalError as problem:
        raise ImportImpossible("The record cannot be reached. Start it, and run the same import again.") from problem
    finally:
        await engine.dispose()


class _Run:
    """An import under way."""

    def __init__(self, imports: Imports, rejects: Rejects, rows_done: int) -> None:
        self._imports = imports
        self._rejects = rejects
        self._rows_done = rows_done
        self._is_clean = True
        self.totals = Totals(rejects=rejects.path)

    async def all(self, rows: RowFile, batches: Iterator[_Batch], moved: Moved) -> Totals:
        """Take in batch after batch, some at once, and settle them in their order."""
        under_way: deque[tuple[_Batch, asyncio.Task[Outcome]]] = deque()
        try:
            for batch in batches:
                under_way.append((batch, asyncio.create_task(self._take_in(batch))))
                if len(under_way) == BATCHES_AT_ONCE:
                    await self._settle(*under_way.popleft())
                moved(rows.position(), rows.size, self.totals)
            while under_way:
                await self._settle(*under_way.popleft())
                moved(rows.size, rows.size, self.totals)
            return self.totals
        finally:
            for _, task in under_way:
                task.cancel()
            await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)

    async def _take_in(self, batch: _Batch) -> Outcome:
        if batch.last <= self._rows_done:
            return Outcome(already_there=len(batch.good))
        return await self._imports.take_in(batch.good, now())

    async def _settle(self, batch: _Batch, task: asyncio.Task[Outcome]) -> None:
        outcome = await task
        # Rows that contradict the record are found by asking it, so the shortcut ends before the first of them.
        self._is_clean = self._is_clean and not outcome.rejected
        outcome.rejected += batch.bad
        self._rejects.write(outcome.rejected, batch.cells)
        self.totals.read += len(batch.cells)
        self.totals.add(outcome)
        if self._is_clean and batch.last > self._rows_done:
            await self._imports.note_progress(batch.last)


def _batches(rows: RowFile, asked: Asked, place: Place) -> Iterator[_Batch]:
    raws = itertools.islice(rows.rows(), asked.limit)
    while some := list(itertools.islice(raws, BATCH_ROWS)):
        batch = _Batch(last=some[-1].number)
        for raw in some:
            batch.cells[raw.number] = raw.cells
            _sort_in(raw, batch, asked.import_map, place)
        yield batch


def _sort_in(raw: RawRow, batch: _Batch, import_map: ImportMap, place: Place) -> None:
    if raw.fault:
        batch.bad.append((raw.number, raw.fault))
        return
    try:
        batch.good.append(NumberedRow(raw.number, row_of(import_map, raw.cells, place)))
    except RowRejected as rejected:
        batch.bad.append((raw.number, str(rejected)))


def _some_column_is_there(rows: RowFile, import_map: ImportMap, file: Path) -> None:
    if rows.columns is None:
        return
    named = import_map.columns
    if not set(named.values()) & set(rows.columns):
        raise ImportImpossible(f"{file.name} has none of the columns that the map names; is it the right map?")
    if lost := [named[part] for part in import_map.required if named[part] not in rows.columns]:
        raise ImportImpossible(f"{file.name} lacks the column {', '.join(lost)}, which the map requires.")


def _accepting(engine: AsyncEngine) -> Callable[[Intake], Any]:
    async def accepted(intake: Intake) -> bool:
        return (await accept(engine, intake)).is_new

    return accepted


async def _agency(engine: AsyncEngine, slug: str) -> ImportingAgency:
    agencies = await importing_agencies(engine)
    fitting = [agency for agency in agencies if slug in {"", agency.slug}]
    if len(fitting) == 1:
        return fitting[0]
    known = ", ".join(agency.slug for agency in agencies) or "none yet; run `putright migrate`"
    asked = f"There is no agency {slug}." if slug else "Name the agency with --agency."
    raise ImportImpossible(f"{asked} The record has: {known}.")
