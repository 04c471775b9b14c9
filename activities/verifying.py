# SPDX-License-Identifier: Apache-2.0
"""Verifying: walks the whole record of an agency and says what does not hold, in sentences.

Chains, of cases and of systemic fixes, are recomputed from the stored bytes, columns compared with what those bytes
say, texts with their digests, the read model with the last events, anchors with the events they name, totals with each
other. All of it is read in one snapshot, some hundred cases at a time. A text of a case that was removed is counted
apart: that is allowed, and breaks no chain.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.anchoring import FIRST_HASH, AnchorHash, Counts
from activities.chains import chain_breaks, column_breaks, missing_texts, moment_of, read_model_breaks, text_breaks
from activities.folding import queue_totals
from activities.verifying_fixes import fixes_of
from models.messages import canonical

CASES_AT_A_TIME = 300
BREAKS_KEPT = 20
_LAST_ID = UUID(int=2**128 - 1)


@dataclass(slots=True)
class Verdict:
    """What an agency's record came to."""

    agency: str
    receipts: int = 0
    cases: int = 0
    """Receipts that have a first event."""
    events: int = 0
    texts: int = 0
    removed_texts: int = 0
    fixes: int = 0
    anchors: int = 0
    break_count: int = 0
    breaks: list[str] = field(default_factory=list)
    """The first of them, the earliest complaints first."""

    @property
    def waiting(self) -> int:
        """Receipts whose case is not opened yet."""
        return self.receipts - self.cases

    @property
    def holds(self) -> bool:
        """Whether nothing is broken."""
        return self.break_count == 0

    def note(self, sentences: Iterable[str]) -> None:
        """Take in what does not hold."""
        for sentence in sentences:
            self.break_count += 1
            if len(self.breaks) < BREAKS_KEPT:
                self.breaks.append(sentence)


@dataclass(slots=True)
class StoredCase:
    """Everything the record holds of one case."""

    case_id: UUID
    receipt: Row[Any] | None = None
    events: list[Row[Any]] = field(default_factory=list)
    file: Row[Any] | None = None
    texts: dict[str, Row[Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the case is called in sentences."""
        return f"Case {self.receipt.reference if self.receipt else self.case_id}"


async def verify_agency(engine: AsyncEngine, agency: str, on_cases: Callable[[int], None] = lambda _: None) -> Verdict:
    """Verify all that the record holds of an agency; `on_cases` hears of every so many cases done."""
    verdict = Verdict(agency)
    async with _snapshot(engine, agency) as connection:
        async for cases in _pages(connection, agency):
            for case in cases:
                _judge(case, verdict)
            on_cases(len(cases))
        await _judge_fixes(connection, verdict)
        await _judge_anchors(connection, verdict)
        await _judge_counts(connection, verdict)
    return verdict


@asynccontextmanager
async def _snapshot(engine: AsyncEngine, agency: str) -> AsyncIterator[AsyncConnection]:
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        await connection.execute(text("SELECT set_config('putright.agency', :agency, true)"), {"agency": agency})
        yield connection


_UPPER = text("""
    SELECT case_id FROM receipt WHERE agency = :agency AND case_id > :after ORDER BY case_id OFFSET :skip LIMIT 1
""")
_RECEIPTS = text("""
    SELECT case_id, reference, accepted_at, received_at, facts FROM receipt
    WHERE agency = :agency AND case_id > :after AND case_id <= :upto
""")
_EVENTS = text("""
    SELECT case_id, sequence, command_key, request_hash, action, actor, role, state, at, canonical, hash
    FROM case_event WHERE agency = :agency AND case_id > :after AND case_id <= :upto ORDER BY case_id, sequence
""")
_FILES = text("""
    SELECT case_id, sequence, last_hash FROM case_file
    WHERE agency = :agency AND case_id > :after AND case_id <= :upto
""")
_TEXTS = text("""
    SELECT case_id, id, encode(digest, 'hex') AS digest, digest = sha256(salt || convert_to(body, 'UTF8')) AS is_whole
    FROM content WHERE agency = :agency AND case_id > :after AND case_id <= :upto
""")


async def _pages(connection: AsyncConnection, agency: str) -> AsyncIterator[list[StoredCase]]:
    """Yield all cases in the order of their ids: also those of which events stand alone, without a receipt."""
    after, upto = UUID(int=0), UUID(int=0)
    while upto != _LAST_ID:
        where: dict[str, Any] = {"agency": agency, "after": after}
        upper = await connection.scalar(_UPPER, where | {"skip": CASES_AT_A_TIME - 1})
        upto = _LAST_ID if upper is None else upper
        yield await _stored(connection, where | {"upto": upto})
        after = upto


async def _stored(connection: AsyncConnection, where: dict[str, Any]) -> list[StoredCase]:
    cases: dict[UUID, StoredCase] = {}

    async def rows(query: TextClause) -> AsyncIterator[tuple[StoredCase, Row[Any]]]:
        for row in await connection.execute(query, where):
            yield cases.setdefault(row.case_id, StoredCase(row.case_id)), row

    async for case, row in rows(_RECEIPTS):
        case.receipt = row
    async for case, row in rows(_EVENTS):
        case.events.append(row)
    async for case, row in rows(_FILES):
        case.file = row
    async for case, row in rows(_TEXTS):
        case.texts[str(row.id)] = row
    return [cases[case_id] for case_id in sorted(cases)]


def _judge(case: StoredCase, verdict: Verdict) -> None:
    verdict.receipts += case.receipt is not None
    verdict.cases += case.receipt is not None and bool(case.events)
    verdict.events += len(case.events)
    verdict.texts += len(case.texts)
    broken = list(chain_breaks(case.events))
    if not broken:  # what the bytes say is worth comparing only where they are the ones that were written
        told = [json.loads(event.canonical) for event in case.events]
        broken += [*_receipt_breaks(case, told), *column_breaks(case.events, told), *text_breaks(case.texts, told)]
        verdict.removed_texts += missing_texts(case.texts, told)
    broken += read_model_breaks(case.file, case.events)
    verdict.note(f"{case.name}: {sentence}" for sentence in broken)


def _receipt_breaks(case: StoredCase, told: list[Any]) -> Iterator[str]:
    if case.receipt is None:
        yield "there is no receipt, only what came after it."
        return
    facts = json.loads(case.receipt.facts)
    columns = {"case_id": str(case.case_id), "reference": case.receipt.reference}
    moments = {"accepted_at": case.receipt.accepted_at, "received_at": case.receipt.received_at}
    for name, value in columns.items():
        if facts.get(name) != value:
            yield f"the receipt's column {name} says {value}, the receipt itself {facts.get(name)}."
    for name, moment in moments.items():
        if moment_of(facts.get(name)) != moment:
            yield f"the receipt's column {name} says {moment}, the receipt itself {facts.get(name)}."
    if told and canonical(told[0]["command"].get("receipt")) != case.receipt.facts:
        yield "the receipt is not the one that its first event tells of."


async def _judge_fixes(connection: AsyncConnection, verdict: Verdict) -> None:
    async for fix in fixes_of(connection, verdict.agency):
        verdict.fixes += bool(fix.events)
        verdict.events += len(fix.events)
        verdict.texts += len(fix.texts)
        verdict.note(broken := list(fix.breaks()))
        verdict.removed_texts += 0 if broken else fix.removed_texts


_ANCHORS = text(
    "SELECT day, receipt_count, case_count, fix_count, hash FROM anchor WHERE agency = :agency ORDER BY day"
)
_ANCHORED = text("""
    SELECT a.day, a.case_id, a.sequence, a.hash, e.hash AS stored, r.reference
    FROM anchor_case a
    LEFT JOIN case_event e ON e.case_id = a.case_id AND e.sequence = a.sequence AND e.agency = a.agency
    LEFT JOIN receipt r ON r.case_id = a.case_id
    WHERE a.agency = :agency ORDER BY a.day, a.case_id
""")
_ANCHORED_FIXES = text("""
    SELECT a.day, a.fix_id, a.sequence, a.hash, e.hash AS stored
    FROM anchor_fix a LEFT JOIN fix_event e USING (agency, fix_id, sequence)
    WHERE a.agency = :agency ORDER BY a.day, a.fix_id
""")
_RECEIPTS_A_DAY = text("""
    SELECT (r.accepted_at AT TIME ZONE a.time_zone)::date AS day, count(*) AS receipts
    FROM receipt r JOIN agency a ON a.slug = r.agency WHERE r.agency = :agency GROUP BY 1
""")


async def _judge_anchors(connection: AsyncConnection, verdict: Verdict) -> None:
    whose = {"agency": verdict.agency}
    anchors = (await connection.execute(_ANCHORS, whose)).all()
    there = {row.day: row.receipts for row in await connection.execute(_RECEIPTS_A_DAY, whose)}
    verdict.anchors = len(anchors)
    made, previous = {}, FIRST_HASH
    for anchor in anchors:
        counts = Counts(anchor.receipt_count, anchor.case_count, anchor.fix_count)
        made[anchor.day] = AnchorHash(previous, verdict.agency, anchor.day, counts)
        previous = anchor.hash
    async with connection.stream(_ANCHORED, whose) as rows:
        async for row in rows:
            if row.day in made:
                made[row.day].add(row.case_id, row)
            verdict.note(_anchored_breaks(f"Case {row.reference or row.case_id}", row))
    for row in await connection.execute(_ANCHORED_FIXES, whose):
        if row.day in made:
            made[row.day].add(row.fix_id, row)
        verdict.note(_anchored_breaks(f"Fix {row.fix_id}", row))
    for anchor in anchors:
        verdict.note(_anchor_breaks(anchor, made[anchor.day].value(), there.get(anchor.day, 0)))


def _anchored_breaks(name: str, row: Row[Any]) -> Iterator[str]:
    if row.stored is None:
        yield f"{name}: event {row.sequence} is gone; the anchor of {row.day} knows it."
    elif row.stored != row.hash:
        yield f"{name}: event {row.sequence} is another one than the anchor of {row.day} knows."


def _anchor_breaks(anchor: Row[Any], made: bytes, receipts: int) -> Iterator[str]:
    if made != anchor.hash:
        yield f"The anchor of {anchor.day} does not follow from the one before it and what it lists."
    # More receipts than then are no break: an import may have taken in some of that day later.
    if receipts < anchor.receipt_count:
        missing = anchor.receipt_count - receipts
        yield f"Of the {anchor.receipt_count} receipts of {anchor.day}, {missing} are gone."


_WITHOUT_RECEIPT = text("""
    SELECT DISTINCT d.case_id FROM (
        SELECT agency, case_id FROM queue_delta UNION ALL SELECT agency, case_id FROM cell_delta
        UNION ALL SELECT agency, case_id FROM outbox) AS d
    WHERE d.agency = :agency AND NOT EXISTS (SELECT FROM receipt r WHERE r.case_id = d.case_id)
    ORDER BY d.case_id
""")
_MISCOUNTED = text("""
    WITH mark AS (SELECT kind, folded_below FROM fold_mark WHERE agency = :agency),
    counted AS (
        SELECT 'queue ' || queue AS what, sum(change) AS number FROM queue_delta, mark
        WHERE agency = :agency AND kind = 'queue' AND xid < folded_below GROUP BY 1
        UNION ALL
        SELECT concat_ws(' ', 'cell', measure, code, service, office, channel, week), sum(change) FROM cell_delta, mark
        WHERE agency = :agency AND kind = 'cell' AND xid < folded_below GROUP BY 1),
    folded AS (
        SELECT 'queue ' || queue AS what, total AS number FROM queue_total WHERE agency = :agency
        UNION ALL
        SELECT concat_ws(' ', 'cell', measure, code, service, office, channel, week), sum(total) FROM cell_day
        WHERE agency = :agency GROUP BY 1)
    SELECT what, coalesce(counted.number, 0) AS counted, coalesce(folded.number, 0) AS folded
    FROM counted FULL JOIN folded USING (what)
    WHERE coalesce(counted.number, 0) <> coalesce(folded.number, 0) ORDER BY what
""")
_OPEN = text("SELECT count(*) FROM case_file WHERE agency = :agency AND is_open")
_OTHER_SERVER = text("""
    SELECT kind FROM fold_mark WHERE agency = :agency AND folded_below > pg_snapshot_xmax(pg_current_snapshot())
""")


async def _judge_counts(connection: AsyncConnection, verdict: Verdict) -> None:
    whose = {"agency": verdict.agency}
    for row in await connection.execute(_WITHOUT_RECEIPT, whose):
        verdict.note([f"Case {row.case_id}: it is counted or written to, but there is no receipt."])
    for row in await connection.execute(_MISCOUNTED, whose):
        verdict.note([f"The total of {row.what} is {row.folded}, its differences come to {row.counted}."])
    is_open = await connection.scalar(_OPEN, whose)
    counted = (await queue_totals(connection, verdict.agency)).get("open", 0)
    if is_open != counted:
        verdict.note([f"There are {is_open} open cases, counted are {counted}."])
    for row in await connection.execute(_OTHER_SERVER, whose):
        verdict.note([f"The {row.kind} totals come from another server's transactions; restore by a physical backup."])
