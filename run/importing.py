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
from typing import Annotated, Any, TextIO
from zoneinfo import ZoneInfo

import typer
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
from run.settings import Settings, SettingsFaults

MAPS_FOLDER = Path(__file__).resolve().parent / "import_maps"
BATCH_ROWS = 500
BATCHES_AT_ONCE = 3
"""While one batch is being written, the next is read and a third waits; memory is bounded by them."""
SOME_REJECTED = 1
NOT_POSSIBLE = 2
"""Exit codes; 0 is: every row is in the record."""


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

    def add(self, outcome: Outcome) -> None:
        """Add what became of a batch."""
        self.as_history += outcome.as_history
        self.live += outcome.live
        self.already_there += outcome.already_there
        self.rejected += len(outcome.rejected)

    @property
    def sentence(self) -> str:
        """The totals, which add up."""
        return (
            f"{self.read:,} rows read = {self.as_history:,} taken in as history + {self.live:,} taken in live"
            f" + {self.already_there:,} already there + {self.rejected:,} rejected."
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """What an import is told."""

    file: Path
    import_map: ImportMap
    rejects: Path
    agency: str = ""
    """Empty: the only one there is."""
    as_history: bool = False


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
        self._path = path
        self._file: TextIO | None = None

    def __enter__(self) -> Rejects:
        self._path.unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, rejected: list[tuple[int, str]], cells: dict[int, dict[str, Any]]) -> None:
        """Write down rows with their reasons."""
        if self._file is None and rejected:
            self._file = self._path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
            csv.writer(self._file).writerow(["row", "reason", "original"])
        if self._file is not None:
            rows = ((number, reason, json.dumps(cells[number], default=str)) for number, reason in sorted(rejected))
            csv.writer(self._file).writerows(rows)
            self._file.flush()


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


async def import_file(settings: Settings, asked: Asked, moved: Callable[[int, int, Totals], None]) -> Totals:
    """Take in every row of the file that is new; `moved` hears how far it is (position, size, totals so far).

    Raises ImportImpossible; what was taken in until then is durable, and running it again goes on from there.
    """
    secrets = secrets_of(settings)
    engine = engine_for(settings.worker_database_url, connections=ACCEPTED_AT_ONCE + BATCHES_AT_ONCE)
    try:
        agency = await _agency(engine, asked.agency)
        file_sha256 = await asyncio.to_thread(sha256_of, asked.file)
        map_sha256 = sha256(canonical_message(asked.import_map))
        origin = Origin(asked.import_map.source, asked.import_map.language, file_sha256, map_sha256)
        imports = Imports(engine, _accepting(engine), agency, origin, secrets.case_keys, as_history=asked.as_history)
        place = Place(agency.time_zone, now().astimezone(ZoneInfo(agency.time_zone)).date())
        with open_rows(asked.file) as rows, Rejects(asked.rejects) as rejects:
            _some_column_is_there(rows, asked.import_map, asked.file)
            run = _Run(imports, rejects, await imports.rows_done())
            await run.all(rows, _batches(rows, asked.import_map, place), moved)
        return run.totals
    except Unreadable as problem:
        raise ImportImpossible(str(problem)) from problem
    except (OperationalError, OSError) as problem:
        raise ImportImpossible(
            f"The record cannot be reached ({type(problem).__name__}). Start it, and run the same import again."
        ) from problem
    finally:
        await engine.dispose()


class _Run:
    """An import under way."""

    def __init__(self, imports: Imports, rejects: Rejects, rows_done: int) -> None:
        self._imports = imports
        self._rejects = rejects
        self._rows_done = rows_done
        self._is_clean = True
        self.totals = Totals()

    async def all(self, rows: RowFile, batches: Iterator[_Batch], moved: Callable[[int, int, Totals], None]) -> None:
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


def _batches(rows: RowFile, import_map: ImportMap, place: Place) -> Iterator[_Batch]:
    raws = rows.rows()
    while some := list(itertools.islice(raws, BATCH_ROWS)):
        batch = _Batch(last=some[-1].number)
        for raw in some:
            batch.cells[raw.number] = raw.cells
            _sort_in(raw, batch, import_map, place)
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


def import_command(
    file: Annotated[
        Path, typer.Argument(help="CSV, JSON Lines (each also .gz) or Parquet.", exists=True, dir_okay=False)
    ],
    column_map: Annotated[str, typer.Option("--map", help="A built-in column map (cfpb), or the path of a TOML file.")],
    *,
    as_history: Annotated[
        bool, typer.Option("--as-history", help="Record rows that are settled as history, without a live case.")
    ] = False,
    agency: Annotated[str, typer.Option(help="The agency's slug; not needed where there is only one.")] = "",
    rejects: Annotated[
        Path | None, typer.Option(help="Where rejected rows go; FILE.rejects.csv in this folder unless given.")
    ] = None,
) -> None:
    """Take in complaints from a file. Run again after a crash, it goes on; run twice, it changes nothing.

    Exit code 0: every row is in the record; 1: some were rejected, with reasons in the rejects file; 2: not possible.
    """
    console = Console(stderr=True)
    rejects_file = rejects or Path(f"{file.name}.rejects.csv")
    try:
        settings = Settings.load(["worker_database_url"])
        asked = Asked(file, load_map(column_map), rejects_file, agency, as_history)
        totals = asyncio.run(_import_visibly(settings, asked, console))
    except (ImportImpossible, SettingsFaults) as problem:
        console.print(str(problem), style="red", markup=False, highlight=False)
        raise typer.Exit(NOT_POSSIBLE) from problem
    typer.echo(totals.sentence)
    if totals.rejected:
        typer.echo(f"The rejected rows are in {rejects_file}, each with its reason.")
        raise typer.Exit(SOME_REJECTED)


async def _import_visibly(settings: Settings, asked: Asked, console: Console) -> Totals:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(asked.file.name, total=None)

        def moved(position: int, size: int, totals: Totals) -> None:
            told = f"{totals.read:,} rows, {totals.rejected:,} rejected"
            progress.update(bar, completed=position, total=size, description=told)

        return await import_file(settings, asked, moved)
