# SPDX-License-Identifier: Apache-2.0
"""Rebuilding: the read model made again from the events, case by case, under the row lock that `record` takes.

What is right is left alone, so that a rebuild where nothing is wrong changes nothing and can run under load. Counts are
put right by further differences, never by changing old ones.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Table, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities import read_model
from activities.database import transaction
from activities.policies import Policies
from models.aggregates import Cell, cells_of, changes, queues_of
from models.case import Case, new_case
from models.commands import Receipt
from models.events import Event
from models.story import apply
from models.tables.cases import case_clock, case_event, case_file, case_issue, case_tag

CASES_AT_A_TIME = 100
"""Their rows are locked together for some tenths of a second."""
UNREADABLE_KEPT = 20
Link = tuple[bytes, bytes]
"""A stored event: its canonical bytes and its hash."""


@dataclass(slots=True)
class Rebuilt:
    """What rebuilding an agency came to."""

    agency: str
    cases: int = 0
    waiting: int = 0
    """Receipts whose case is not opened yet."""
    rows_repaired: int = 0
    """Cases of which some row was wrong or missing."""
    counts_corrected: int = 0
    words_repaired: int = 0
    unreadable: list[str] = field(default_factory=list)
    """Cases whose events do not tell a story; `verify` says more."""


@dataclass(frozen=True, slots=True)
class Retold:
    """A case as its events tell it."""

    case: Case
    coded: Case
    """The case when its issues last changed."""
    last_hash: bytes
    texts: tuple[UUID, ...]
    """Every text that its events refer to."""


@dataclass(slots=True)
class Stored:
    """What the record holds of some cases beside their events."""

    rows: dict[Table, dict[UUID, list[dict[str, Any]]]]
    cells: dict[UUID, Counter[Cell]]
    queues: dict[UUID, Counter[str]]


async def rebuild_agency(
    engine: AsyncEngine,
    policies: Policies,
    agency: str,
    *,
    clock: Callable[[], datetime],
    on_cases: Callable[[int], None] = lambda _: None,
) -> Rebuilt:
    """Rebuild the read model of every case of the agency; `on_cases` hears of every so many receipts done."""
    rebuilt = Rebuilt(agency)
    after = UUID(int=0)
    while True:
        async with transaction(engine, agency) as connection:
            page = {"agency": agency, "after": after, "limit": CASES_AT_A_TIME}
            receipts = (await connection.execute(_RECEIPTS, page)).all()
            if not receipts:
                return rebuilt
            await _rebuild(connection, policies, receipts, clock(), rebuilt)
        after = receipts[-1].case_id
        on_cases(len(receipts))


_RECEIPTS = text("""
    SELECT case_id, reference, facts FROM receipt
    WHERE agency = :agency AND case_id > :after ORDER BY case_id LIMIT :limit
""")


async def _rebuild(
    connection: AsyncConnection, policies: Policies, receipts: Iterable[Row[Any]], now: datetime, rebuilt: Rebuilt
) -> None:
    by_id = {row.case_id: row for row in receipts}
    locked = await _locked(connection, list(by_id))
    told = _retold(by_id, await _events(connection, list(by_id)), rebuilt)
    right = {
        case_id: read_model.all_rows(
            one.case, one.coded, await policies.rules(connection, one.case, now), one.last_hash
        )
        for case_id, one in told.items()
    }
    missing = told.keys() - locked
    # A row that is there after all was written by `record`, which has opened the case in this very moment.
    for case_id in missing - await _taken(connection, [right[case_id].file for case_id in missing]):
        del told[case_id]
    stored = await _stored(connection, list(told))
    wrong = [case_id for case_id in told if case_id in missing or not _are_right(right[case_id], stored, case_id)]
    await read_model.replace_cases(connection, [right[case_id] for case_id in wrong])
    rebuilt.cases += len(told)
    rebuilt.rows_repaired += len(wrong)
    for one in told.values():
        rebuilt.counts_corrected += await _correct_counts(connection, one, stored)
    rebuilt.words_repaired += await _repair_words(connection, list(told.values()))


async def _locked(connection: AsyncConnection, case_ids: list[UUID]) -> set[UUID]:
    """Lock the cases' rows, always in the order of their ids, and return whose there are."""
    query = select(case_file.c.case_id).where(case_file.c.case_id.in_(case_ids)).order_by(case_file.c.case_id)
    return set(await connection.scalars(query.with_for_update()))


async def _events(connection: AsyncConnection, case_ids: list[UUID]) -> dict[UUID, list[Link]]:
    query = (
        select(case_event.c.case_id, case_event.c.canonical, case_event.c.hash)
        .where(case_event.c.case_id.in_(case_ids))
        .order_by(case_event.c.case_id, case_event.c.sequence)
    )
    events: dict[UUID, list[Link]] = defaultdict(list)
    for row in await connection.execute(query):
        events[row.case_id].append((row.canonical, row.hash))
    return events


def _retold(receipts: dict[UUID, Row[Any]], events: dict[UUID, list[Link]], rebuilt: Rebuilt) -> dict[UUID, Retold]:
    told = {}
    for case_id, row in receipts.items():
        if not events[case_id]:
            rebuilt.waiting += 1
            continue
        try:
            told[case_id] = retold(new_case(Receipt.model_validate_json(row.facts)), events[case_id])
        except ValueError:
            if len(rebuilt.unreadable) < UNREADABLE_KEPT:
                rebuilt.unreadable.append(f"Case {row.reference} cannot be told from its events; run putright verify.")
    return told


def retold(case: Case, rows: Iterable[Link]) -> Retold:
    """Return the case that its stored events (bytes and hash) tell; raises ValueError where they tell none."""
    coded, texts, last_hash = case, [], b""
    for canonical, event_hash in rows:
        event = Event.model_validate_json(canonical)
        before, case = case, apply(case, event)
        coded = case if case.issues != before.issues else coded
        texts += read_model.content_ids(event)
        last_hash = event_hash
    return Retold(case, coded, last_hash, tuple(texts))


_TAKE = text("""
    INSERT INTO case_file SELECT * FROM jsonb_populate_recordset(NULL::case_file, CAST(:files AS jsonb))
    ON CONFLICT DO NOTHING RETURNING case_id
""")


async def _taken(connection: AsyncConnection, files: list[dict[str, Any]]) -> set[UUID]:
    """Write missing rows of cases, and so lock them; return whose were missing indeed."""
    return set(await connection.scalars(_TAKE, {"files": read_model.as_json(files)})) if files else set()


_CELLS = text("""
    SELECT case_id, measure, code, service, office, channel, week, harm, vulnerable, sum(change)::integer AS total
    FROM cell_delta WHERE case_id = ANY (:ids) GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
""")
_QUEUES = text("""
    SELECT case_id, queue, sum(change)::integer AS total FROM queue_delta WHERE case_id = ANY (:ids) GROUP BY 1, 2
""")


async def _stored(connection: AsyncConnection, case_ids: list[UUID]) -> Stored:
    stored = Stored({}, defaultdict(Counter), defaultdict(Counter))
    for table in (case_file, case_issue, case_tag, case_clock):
        stored.rows[table] = defaultdict(list)
        query = select(table).where(table.c.case_id.in_(case_ids)).order_by(*table.primary_key)
        for found in (await connection.execute(query)).mappings():
            stored.rows[table][found["case_id"]].append(dict(found))
    for row in await connection.execute(_CELLS, {"ids": case_ids}):
        cell = Cell(row.measure, row.code, row.service, row.office, row.channel, row.week, row.harm, row.vulnerable)
        stored.cells[row.case_id][cell] = row.total
    for row in await connection.execute(_QUEUES, {"ids": case_ids}):
        stored.queues[row.case_id][row.queue] = row.total
    return stored


def _are_right(right: read_model.CaseRows, stored: Stored, case_id: UUID) -> bool:
    expected = {case_file: [right.file], case_issue: right.issues, case_tag: right.tags, case_clock: right.clocks}
    there = {table: _comparable(rows[case_id]) for table, rows in stored.rows.items()}
    return there == {table: _comparable(rows or []) for table, rows in expected.items()}


def _comparable(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    # A tag recorded together with later events bears the time of the last of them: nothing worth a repair.
    return [{name: value for name, value in row.items() if name != "tagged_at"} for row in rows]


async def _correct_counts(connection: AsyncConnection, one: Retold, stored: Stored) -> bool:
    """Append what is between the case's differences so far and what they should come to; return whether anything is."""
    case = one.case
    assert case.last_event_at is not None
    cells = changes(stored.cells[case.id], cells_of(case))
    queues = changes(stored.queues[case.id], Counter(queues_of(case)))
    if not cells and not queues:
        return False
    # As models.aggregates.happened_at: what an import brought counts from its receipt on.
    corrected_at = case.counted_from if case.receipt.is_imported else case.last_event_at
    await read_model.write_differences(connection, case, cells, queues, corrected_at)
    return True


_WORDS = text("""
    WITH of_case AS (
        SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:sort_ats AS timestamptz[]), CAST(:references AS text[]))
            AS c (case_id, sort_at, reference)),
    referred AS (
        SELECT * FROM unnest(CAST(:owners AS uuid[]), CAST(:texts AS uuid[])) AS t (case_id, id)),
    made AS (
        SELECT c.case_id, c.sort_at, c.reference, array_agg(t.id) AS texts, to_tsvector('simple', c.reference)
               || coalesce(words_of(array_agg(t.body) FILTER (WHERE t.body IS NOT NULL)), ''::tsvector) AS words
        FROM of_case c LEFT JOIN referred r USING (case_id)
        LEFT JOIN content t ON t.case_id = r.case_id AND t.id = r.id
        GROUP BY c.case_id, c.sort_at, c.reference)
    SELECT put_words(m.case_id, :agency, m.sort_at, m.reference, m.texts, true)
    FROM made m LEFT JOIN case_search s USING (case_id)
    WHERE s.case_id IS NULL OR tsvector_to_array(s.words) <> tsvector_to_array(m.words)
""")


async def _repair_words(connection: AsyncConnection, told: list[Retold]) -> int:
    """Make every text of these cases findable again, and no others; return whose words were wrong."""
    if not told:
        return 0
    of_texts = [(one.case.id, text_id) for one in told for text_id in one.texts]
    values = {
        "agency": told[0].case.agency,
        "ids": [one.case.id for one in told],
        "sort_ats": [one.case.counted_from for one in told],
        "references": [one.case.receipt.reference for one in told],
        "owners": [case_id for case_id, _ in of_texts],
        "texts": [text_id for _, text_id in of_texts],
    }
    return len((await connection.execute(_WORDS, values)).all())
