# SPDX-License-Identifier: Apache-2.0
"""Whole lives at once: cases that were lived elsewhere, or long ago, written as the live record would hold them.

A story is a receipt with its lawful events. It leaves the same rows that living it would have left, but for two things:
no letter is sent, and of the differences that queues and cells went through, a queue gets only what is left of them.
A batch is one transaction; a receipt's key says whether its story is there already, so that doing it again is harmless.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from psycopg.errors import LockNotAvailable
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from activities import read_model
from activities.case_records import event_row
from activities.database import transaction
from activities.loading import Loading, Values, driver_of
from activities.policies import Policies
from models.aggregates import cells_of, changes, happened_at, queues_of
from models.case import Case, new_case
from models.clocks import Rules, clocks_of
from models.events import GENESIS_HASH, Event, chained
from models.receiving import Intake, Text
from models.references import moment_of
from models.story import apply
from models.tables.aggregates import cell_delta, queue_delta
from models.tables.cases import case_clock, case_event, case_file, case_issue, case_tag
from models.tables.receipts import case_key, content, receipt, receipt_pending


@dataclass(frozen=True, slots=True)
class Story:
    """A case and all that happened to it."""

    intake: Intake
    events: tuple[Event, ...] = ()
    """As `lifecycle.decide` granted them, in order."""
    texts: tuple[Text, ...] = ()
    """What the events refer to, beside the texts of the receipt."""
    goes_on: bool = False
    """Whether a workflow is to take the case over."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a batch."""

    new: frozenset[UUID]
    """Cases written now."""
    held: dict[str, bytes] = field(default_factory=dict)
    """Keys that the record held already, with the request hash it holds."""


class IdTaken(Exception):
    """A case id or reference that another receipt has: with random ids it does not happen."""


_RECEIPT = Loading(
    receipt,
    ("case_id", "agency", "idempotency_key", "request_hash", "reference", "accepted_at", "received_at", "facts"),
)
_KEY = Loading(case_key, ("case_id", "wrapped"))
_PENDING = Loading(receipt_pending, ("case_id", "agency"))
_CONTENT = Loading(content, ("case_id", "id", "agency", "kind", "body", "salt", "digest"))
_EVENT = Loading(case_event, [column.name for column in case_event.c if column.name != "recorded_at"])
_FILE = Loading(case_file, [column.name for column in case_file.c])
_ISSUE = Loading(case_issue, [column.name for column in case_issue.c])
_TAG = Loading(case_tag, [column.name for column in case_tag.c])
_CLOCK = Loading(case_clock, [column.name for column in case_clock.c])
_CELL = Loading(cell_delta, [column.name for column in cell_delta.c if column.name not in {"id", "recorded_at", "xid"}])
_QUEUE = Loading(queue_delta, ("agency", "case_id", "queue", "change"))
_OF_CASES = (_KEY, _PENDING, _CONTENT, _EVENT, _FILE, _ISSUE, _TAG, _CLOCK, _CELL, _QUEUE)
"""Everything but the receipt, which goes first and says which cases are new."""

# The same words that the SQL function put_words puts together event by event.
_ADD_WORDS = """
    INSERT INTO case_search (case_id, agency, sort_at, words)
    SELECT f.case_id, f.agency, f.sort_at, to_tsvector('simple', f.reference) || coalesce(w.words, ''::tsvector)
    FROM pg_temp.loading_case_file f
    LEFT JOIN (SELECT case_id, words_of(array_agg(body)) AS words FROM pg_temp.loading_content GROUP BY case_id) w
    USING (case_id)
"""
_WAKE = "SELECT pg_notify('receipt', '')"
MONTH_TRIES = 30
MONTH_PAUSE_SECONDS = 0.5
"""With the lock's four seconds some two minutes: longer than any reader of ours holds a table."""


class HistoryWriter:
    """Writes stories in bulk."""

    def __init__(self, engine: AsyncEngine, policies: Policies) -> None:
        self._engine = engine
        self._policies = policies
        self._months: set[date] = set()

    async def held(self, agency: str, keys: Iterable[str]) -> dict[str, bytes]:
        """Return which of these receipt keys the record holds, with their request hashes."""
        async with transaction(self._engine, agency) as connection:
            query = select(receipt.c.idempotency_key, receipt.c.request_hash).where(
                receipt.c.agency == agency, receipt.c.idempotency_key == func.any(list(keys))
            )
            return {row.idempotency_key: row.request_hash for row in await connection.execute(query)}

    async def make_months(self, moments: Iterable[datetime]) -> None:
        """Make the partitions that cases of these moments belong to, so that they need not be moved there later."""
        missing = {moment.date().replace(day=1) for moment in moments} - self._months
        for month in sorted(missing):
            await self._make_month(month)
            self._months.add(month)

    async def _make_month(self, month: date) -> None:
        """Make a month's partitions; where readers are in the way again and again, for making never queues for long."""
        for attempt in range(MONTH_TRIES):
            try:
                async with self._engine.begin() as connection:
                    await connection.execute(text("SELECT make_partitions(:month, :month)"), {"month": month})
            except DBAPIError as problem:
                if not isinstance(problem.orig, LockNotAvailable) or attempt == MONTH_TRIES - 1:
                    raise
                await asyncio.sleep(MONTH_PAUSE_SECONDS)
            else:
                return

    async def write(self, agency: str, stories: Sequence[Story], now: datetime) -> Written:
        """Write the stories whose receipt keys are new, in one transaction. `now` decides how far calendars reach."""
        await self.make_months(moment_of(story.intake.receipt.case_id) for story in stories)
        async with transaction(self._engine, agency) as connection:
            driver = await driver_of(connection)
            await _RECEIPT.wait(driver, map(_receipt_values, stories))
            new = await _RECEIPT.take_over_new(driver, "case_id")
            fresh = [story for story in stories if story.intake.receipt.case_id in new]
            rows = _Rows()
            for story in fresh:
                lived = _lived(story)
                rows.add(story, lived, await self._policies.rules(connection, lived.case, now))
            for loading in _OF_CASES:
                await loading.load(driver, rows.of[loading])
            if any(story.events for story in fresh):
                await driver.execute(_ADD_WORDS)
            if any(story.goes_on for story in fresh):
                await driver.execute(_WAKE)
        keys = [story.intake.key for story in stories if story.intake.receipt.case_id not in new]
        held = await self.held(agency, keys) if keys else {}
        if lost := set(keys) - held.keys():
            message = f"Another case has the id or the reference meant for {min(lost)}."
            raise IdTaken(message)
        return Written(frozenset(new), held)


@dataclass(frozen=True, slots=True)
class _Lived:
    """A story told to its end."""

    case: Case
    coded: Case
    """The case when its issues last changed, which is when its tags were written."""
    last_hash: bytes
    events: list[dict[str, Any]]
    cells: list[dict[str, Any]]


def _lived(story: Story) -> _Lived:
    """Tell the story: apply every event, chain it, and note what it changed in the weekly cells."""
    case = coded = new_case(story.intake.receipt)
    last_hash = GENESIS_HASH
    events: list[dict[str, Any]] = []
    cells: list[dict[str, Any]] = []
    for event in story.events:
        before, case = case, apply(case, event)
        coded = case if case.issues != before.issues else coded
        canonical = event.canonical()
        last_hash = chained(last_hash, canonical)
        events.append(event_row(case.agency, event, canonical, last_hash))
        differences = changes(cells_of(before), cells_of(case))
        cells += read_model.cell_rows(case, differences, happened_at(event, case))
    return _Lived(case, coded, last_hash, events, cells)


class _Rows:
    """The rows of a batch, by the way they go."""

    def __init__(self) -> None:
        self.of: defaultdict[Loading, list[Values]] = defaultdict(list)

    def add(self, story: Story, lived: _Lived, rules: Rules) -> None:
        """Add all rows of a story but its receipt's."""
        intake, case = story.intake, lived.case
        facts = intake.receipt
        self.of[_KEY].append((facts.case_id, intake.wrapped_key))
        if story.goes_on:
            self.of[_PENDING].append((facts.case_id, facts.agency))
        self.of[_CONTENT] += (
            (facts.case_id, t.id, facts.agency, t.kind, t.body, t.salt, t.digest) for t in (*intake.texts, *story.texts)
        )
        if story.events:
            self._add(_EVENT, lived.events)
            self._add(_FILE, [_file_row(case, rules, lived.last_hash)])
            self._add(_ISSUE, read_model.issue_rows(case))
            self._add(_TAG, read_model.tag_rows(lived.coded))
            self._add(_CLOCK, read_model.clock_rows(case, clocks_of(case, rules)))
            self._add(_CELL, lived.cells)
            self.of[_QUEUE] += (
                (case.agency, case.id, queue, change) for queue, change in changes(Counter(), Counter(queues_of(case)))
            )

    def _add(self, loading: Loading, rows: Iterable[dict[str, Any]]) -> None:
        self.of[loading] += ([row[name] for name in loading.columns] for row in rows)


def _file_row(case: Case, rules: Rules, last_hash: bytes) -> dict[str, Any]:
    row = read_model.file_row(case, rules, last_hash)
    return row | {"snapshot": json.dumps(row["snapshot"], ensure_ascii=False)}


def _receipt_values(story: Story) -> Values:
    intake = story.intake
    facts = intake.receipt
    return (
        facts.case_id, facts.agency, intake.key, intake.request_hash, facts.reference,
        facts.accepted_at, facts.received_at, intake.facts,
    )  # fmt: skip
