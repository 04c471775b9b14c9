# SPDX-License-Identifier: Apache-2.0
"""Imports: rows of another system become receipts, and then live cases or history.

A row's identity is its receipt key: the source's own id, or without one the file's SHA-256 and the row's number. The
key decides what is new, so an import may be killed and run again as often as one likes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.database import transaction
from activities.history import HistoryWriter, Story
from activities.policies import Policies, in_force_at
from models import lifecycle
from models.case import new_case
from models.commands import Actor, HistoricalIssue, RecordAsHistory
from models.contacts import can_be_written_to
from models.import_map import ImportedRow
from models.messages import SHORT_TEXT_LIMIT, sha256
from models.policy import Policy
from models.receiving import Intake, Submission, intake_of
from models.refusals import KeyReused
from models.tables.receipts import agency as agency_table
from models.tables.registers import import_progress
from models.terms import Role

IMPORTER = Actor(name="import", role=Role.IMPORT)
HISTORY_KEY = "record-as-history"
ACCEPTED_AT_ONCE = 8
"""Live rows in flight: more would only wait for the same disk."""
TAKEN_IN_BEFORE = "A row with this id was taken in before and said something else; what is recorded stays."

Accept = Callable[[Intake], Awaitable[bool]]
"""Takes a receipt in as every channel does; answers whether it is new."""


@dataclass(frozen=True, slots=True)
class ImportingAgency:
    """For whom rows are taken in."""

    slug: str
    prefix: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where rows come from."""

    source: str
    language: str
    file_sha256: bytes
    map_sha256: bytes

    @property
    def identity(self) -> bytes:
        """What progress is noted under: the same file read by another map is another import."""
        return sha256(self.file_sha256, self.map_sha256)

    def key(self, number: int, row: ImportedRow) -> str:
        """Return the row's receipt key."""
        if row.source_id is None:
            return f"import:{self.source}:{self.file_sha256.hex()}:{number}"
        key = f"import:{self.source}:{quote(row.source_id, safe='')}"
        return key if len(key) <= SHORT_TEXT_LIMIT else f"import:{self.source}:{sha256(row.source_id.encode()).hex()}"


@dataclass(frozen=True, slots=True)
class NumberedRow:
    """A row of the file; numbers begin with 1 after the header."""

    number: int
    row: ImportedRow


@dataclass(slots=True)
class Outcome:
    """What became of some rows; the four counts add up to the rows."""

    as_history: int = 0
    live: int = 0
    already_there: int = 0
    rejected: list[tuple[int, str]] = field(default_factory=list)
    """Row number and reason."""


@dataclass(frozen=True, slots=True)
class _Keyed:
    number: int
    row: ImportedRow
    submission: Submission


class Imports:
    """Takes rows in, for one agency and one file."""

    def __init__(
        self, engine: AsyncEngine, accept: Accept, agency: ImportingAgency, origin: Origin, wrapping_key: bytes,
        *, as_history: bool,
    ) -> None:  # fmt: skip
        self._engine = engine
        self._accept = accept
        self._agency = agency
        self._origin = origin
        self._wrapping_key = wrapping_key
        self._as_history = as_history
        self._policies = Policies()
        self._writer = HistoryWriter(engine, self._policies)
        self._versions: list[tuple[datetime, int]] = []
        self._policy_of: dict[int, Policy] = {}
        self._room = asyncio.Semaphore(ACCEPTED_AT_ONCE)

    async def rows_done(self) -> int:
        """Return up to which row everything is durable from an earlier run; 0 for a file never seen."""
        async with transaction(self._engine, self._agency.slug) as connection:
            query = select(import_progress.c.rows_done).where(*self._own_progress())
            return (await connection.execute(query)).scalar_one_or_none() or 0

    async def note_progress(self, rows_done: int) -> None:
        """Note that every row up to this one is durable."""
        row = {
            "agency": self._agency.slug,
            "source": self._origin.source,
            "file_sha256": self._origin.identity,
            "rows_done": rows_done,
        }
        statement = upsert(import_progress).values(row)
        further = {"rows_done": func.greatest(import_progress.c.rows_done, rows_done), "changed_at": func.now()}
        async with transaction(self._engine, self._agency.slug) as connection:
            await connection.execute(
                statement.on_conflict_do_update(index_elements=["agency", "source", "file_sha256"], set_=further)
            )

    async def take_in(self, rows: Sequence[NumberedRow], now: datetime) -> Outcome:
        """Take in the rows that are new; say of each what became of it."""
        outcome = Outcome()
        keyed = self._unlike_each_other([self._keyed(numbered) for numbered in rows], outcome)
        held = await self._writer.held(self._agency.slug, [item.submission.key for item in keyed])
        new = [item for item in keyed if not self._is_held(item, held, outcome)]
        history = [item for item in new if self._as_history and not item.row.is_open]
        live = [item for item in new if not (self._as_history and not item.row.is_open)]
        await self._write_history(history, outcome, now)
        await self._accept_live(live, outcome, now)
        return outcome

    def _keyed(self, numbered: NumberedRow) -> _Keyed:
        row, origin = numbered.row, self._origin
        submission = Submission(
            agency=self._agency.slug,
            prefix=self._agency.prefix,
            key=origin.key(numbered.number, row),
            narrative=row.narrative,
            channel=row.channel,
            received_at=row.received_at,
            received_on=row.received_on,
            wanted=row.wanted,
            contact=row.contact_json,
            can_be_written_to=can_be_written_to(row.contact),
            service=row.service,
            category=row.category,
            office=row.office,
            language=origin.language,
            is_imported=True,
            source=origin.source,
            vulnerable=row.vulnerable,
        )
        return _Keyed(numbered.number, row, submission)

    def _unlike_each_other(self, keyed: Sequence[_Keyed], outcome: Outcome) -> list[_Keyed]:
        """Keep the first row of each key; a batch may hold the same complaint twice."""
        first: dict[str, _Keyed] = {}
        for item in keyed:
            earlier = first.setdefault(item.submission.key, item)
            if earlier is not item:
                self._is_held(item, {item.submission.key: earlier.submission.request_hash}, outcome)
        return list(first.values())

    def _is_held(self, item: _Keyed, held: dict[str, bytes], outcome: Outcome) -> bool:
        """Return whether the record has the row, and count it: as already there, or as refused if it says otherwise."""
        request_hash = held.get(item.submission.key)
        if request_hash is None:
            return False
        if request_hash == item.submission.request_hash:
            outcome.already_there += 1
        else:
            outcome.rejected.append((item.number, TAKEN_IN_BEFORE))
        return True

    async def _write_history(self, items: Sequence[_Keyed], outcome: Outcome, now: datetime) -> None:
        if not items:
            return
        versions = await self._known_versions()
        stories = [self._story(item, versions, now) for item in items]
        written = await self._writer.write(self._agency.slug, stories, now)
        outcome.as_history += len(written.new)
        for item in items:
            self._is_held(item, written.held, outcome)

    def _story(self, item: _Keyed, versions: list[tuple[datetime, int]], now: datetime) -> Story:
        intake = intake_of(item.submission, now, self._wrapping_key)
        row, receipt = item.row, intake.receipt
        version = in_force_at(versions, receipt.received_at or receipt.accepted_at)
        route = self._policy_of[version].route(service=row.service, category=row.category, office=row.office)
        command = RecordAsHistory(
            actor=IMPORTER,
            key=HISTORY_KEY,
            receipt=receipt,
            team=route.team,
            policy_version=version,
            issues=(HistoricalIssue(service=row.service, category=row.category),),
            closed_at=row.closed_at,
            outcome=row.outcome,
        )
        return Story(intake, (lifecycle.decide(new_case(receipt), command, now),))

    async def _accept_live(self, items: Sequence[_Keyed], outcome: Outcome, now: datetime) -> None:
        if not items:
            return
        versions = await self._known_versions()
        covered = [item for item in items if self._is_covered(item, versions, outcome)]
        await self._writer.make_months(item.submission.received_at or now for item in covered)
        await asyncio.gather(*(self._accept_one(item, outcome, now) for item in covered))

    async def _accept_one(self, item: _Keyed, outcome: Outcome, now: datetime) -> None:
        async with self._room:
            try:
                is_new = await self._accept(intake_of(item.submission, now, self._wrapping_key))
            except KeyReused:
                outcome.rejected.append((item.number, TAKEN_IN_BEFORE))
                return
        outcome.live += is_new
        outcome.already_there += not is_new

    def _is_covered(self, item: _Keyed, versions: list[tuple[datetime, int]], outcome: Outcome) -> bool:
        """Return whether the working calendar knows the day of receipt, without which no clock can be computed."""
        received_at, received_on = item.submission.received_at, item.submission.received_on
        if received_at is None or received_on is None:
            return True
        calendar = self._policy_of[in_force_at(versions, received_at)].calendar
        if calendar.first_on <= received_on <= calendar.last_on:
            return True
        reason = f"The working calendar runs from {calendar.first_on} to {calendar.last_on} and has no {received_on}."
        outcome.rejected.append((item.number, reason))
        return False

    async def _known_versions(self) -> list[tuple[datetime, int]]:
        if not self._versions:
            async with transaction(self._engine, self._agency.slug) as connection:
                versions = await self._policies.versions(connection, self._agency.slug)
                for _, number in versions:
                    self._policy_of[number] = await self._policies.version(connection, self._agency.slug, number)
            self._versions = versions
        return self._versions

    def _own_progress(self) -> tuple[Any, ...]:
        table = import_progress.c
        return (
            table.agency == self._agency.slug,
            table.source == self._origin.source,
            table.file_sha256 == self._origin.identity,
        )


async def importing_agencies(engine: AsyncEngine) -> list[ImportingAgency]:
    """Return every agency that rows may be taken in for."""
    table = agency_table.c
    async with engine.connect() as connection:
        rows = await connection.execute(select(table.slug, table.prefix, table.time_zone).order_by(table.slug))
        return [ImportingAgency(row.slug, row.prefix, row.time_zone) for row in rows]
