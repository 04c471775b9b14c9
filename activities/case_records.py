# SPDX-License-Identifier: Apache-2.0
"""The record of a case: the one place where its events are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from cachetools import LRUCache
from psycopg.errors import UniqueViolation
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities import read_model
from activities.database import transaction
from activities.interface import Batch, CaseAddress, CaseRecords, Loaded, Recorded
from activities.policies import Policies
from activities.story_records import RecordBehind, event_columns, faults_marked, held_instead
from models.aggregates import cells_of, changes, happened_at, queues_of
from models.case import Case, new_case
from models.clocks import Rules
from models.commands import SYSTEM, Receipt, Receive
from models.events import GENESIS_HASH, Event, chained
from models.outgoing import Outgoing, letters_of
from models.story import apply, fold
from models.tables.cases import case_event
from models.tables.receipts import content, receipt

OPENING_KEY = "receive"
SAFETY = "safety"


KNOWN_CASES = 5_000


@dataclass(frozen=True, slots=True)
class Known:
    """A case as this process last saw it; whoever appends to it checks that the record still ends there."""

    case: Case
    last_hash: bytes
    rules: Rules


_APPEND = text("""
    SELECT append_events(:agency, :case_id, :sequence, :hash, CAST(:events AS jsonb), CAST(:file AS jsonb),
        CAST(:issues AS jsonb), CAST(:tags AS jsonb), CAST(:clocks AS jsonb), CAST(:letters AS jsonb),
        CAST(:cells AS jsonb), CAST(:queues AS jsonb), CAST(:content AS uuid[]))
""")


class DatabaseCaseRecords(CaseRecords):
    """The record in PostgreSQL."""

    def __init__(
        self, engine: AsyncEngine, policies: Policies, *, mail_domain: str, clock: Callable[[], datetime]
    ) -> None:
        self._engine = engine
        self._policies = policies
        self._mail_domain = mail_domain
        self._clock = clock
        self._known: LRUCache[UUID, Known] = LRUCache(KNOWN_CASES)

    @activity.defn(name="load")
    async def load(self, address: CaseAddress) -> Loaded:
        """Return the case folded from its events, or the opening of a bare receipt."""
        async with transaction(self._engine, address.agency) as connection:
            case = await case_from_events(connection, address.case_id)
            opening = None
            if case.sequence == 0:
                opening = await self._opening(connection, case)
                case = case.model_copy(update={"policy_version": opening.policy_version})
            rules = await self._policies.rules(connection, case, self._clock())
            self._known[case.id] = Known(case, await _last_hash(connection, case), rules)
            return Loaded(case=case, rules=rules, opening=opening)

    @activity.defn(name="record")
    async def record(self, batch: Batch) -> Recorded:
        """Append the batch in one transaction, or answer with what the record holds instead."""
        async with faults_marked(self._engine, batch.agency, batch.case_id):
            if await self._append_to_known(batch):
                return Recorded()
            async with transaction(self._engine, batch.agency) as connection:
                return await self._record(connection, batch)

    async def _append_to_known(self, batch: Batch) -> bool:
        """Append in one round trip to a case this process knows, if the record still ends where it thinks."""
        known = self._known.pop(batch.case_id, None)
        if known is None or known.case.sequence != batch.events[0].sequence - 1:
            return False
        async with self._engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            return await self.append(connection, known, batch.events)

    async def _record(self, connection: AsyncConnection, batch: Batch) -> Recorded:
        first = batch.events[0].sequence
        stored = await read_model.stored_case(connection, batch.case_id)
        before, last_hash = stored or (await bare_case(connection, batch.case_id), GENESIS_HASH)
        held = await held_instead(connection, case_event, case_event.c.case_id == batch.case_id, batch.events)
        if held.since or held.earlier:
            return Recorded(held=_events(held.since), earlier=_events(held.earlier))
        if before.sequence != first - 1:
            message = f"The record ends at event {before.sequence}, the workflow goes on from {first - 1}."
            raise RecordBehind(message)
        # Only its first event says which policy a case keeps.
        rules = await self._policies.rules(connection, fold(before, batch.events), self._clock())
        if not await self.append(connection, Known(before, last_hash, rules), batch.events):
            message = f"Case {batch.case_id} was opened by another worker in this moment."
            raise ApplicationError(message, type="OpenedElsewhere")
        return Recorded()

    async def append(self, connection: AsyncConnection, known: Known, events: Sequence[Event]) -> bool:
        """Append lawful events with all that follows from them; False if the record does not end at `known`."""
        case, last_hash = known.case, known.last_hash
        rows, letters, content_ids = [], [], []
        cells: list[dict[str, Any]] = []
        for event in events:
            before, case = case, apply(case, event)
            canonical = event.canonical()
            last_hash = chained(last_hash, canonical)
            rows.append(event_row(case.agency, event, canonical, last_hash))
            letters += [self._letter_row(event, case, letter) for letter in letters_of(event, before, case)]
            content_ids += read_model.content_ids(event)
            cells += read_model.cell_rows(case, changes(cells_of(before), cells_of(case)), happened_at(event, case))
        queues = changes(Counter(queues_of(known.case)), Counter(queues_of(case)))
        parameters = {
            "agency": case.agency,
            "case_id": case.id,
            "sequence": known.case.sequence,
            "hash": known.last_hash,
            "events": read_model.as_json(rows),
            "letters": read_model.as_json(letters),
            "cells": read_model.as_json(cells),
            "queues": read_model.as_json(list(read_model.queue_rows(case, queues))),
            "content": content_ids,
        }
        changed = read_model.changed_rows(known.case, case, known.rules, last_hash)
        try:
            appended = await connection.scalar(_APPEND, parameters | changed.parameters())
        except IntegrityError as problem:
            if not isinstance(problem.orig, UniqueViolation):
                raise
            return False  # two workers opened the case in the same moment; the other one's events stand
        if appended:
            self._known[case.id] = Known(case, last_hash, known.rules)
        return bool(appended)

    def _letter_row(self, event: Event, case: Case, letter: Outgoing) -> dict[str, Any]:
        return {
            "id": letter.id,
            "agency": case.agency,
            "case_id": case.id,
            "sequence": event.sequence,
            "letter": letter.letter.value,
            "recipient": letter.recipient.value,
            "message_id": letter.message_id(self._mail_domain),
            "written_at": event.at,
        }

    async def _opening(self, connection: AsyncConnection, case: Case) -> Receive:
        facts = case.receipt
        version, policy = await self._policies.in_force(connection, facts.agency, case.counted_from)
        route = policy.route(service=facts.service, category=facts.category, office=facts.office)
        words = ""
        if facts.narrative is not None:
            query = select(content.c.body).where(content.c.case_id == case.id, content.c.id == facts.narrative.id)
            words = (await connection.execute(query)).scalar_one_or_none() or ""
        is_alarming = bool(policy.severity.safety_screen.words_in(words))
        return Receive(
            actor=SYSTEM,
            key=OPENING_KEY,
            receipt=facts,
            team=route.team,
            policy_version=version,
            attention=(SAFETY,) if is_alarming else (),
        )


def event_row(agency: str, event: Event, canonical: bytes, event_hash: bytes) -> dict[str, Any]:
    """Return an event's row of `case_event`."""
    return {"case_id": event.case_id} | event_columns(agency, event, canonical, event_hash)


async def bare_case(connection: AsyncConnection, case_id: UUID) -> Case:
    """Return the case of a receipt before its first event."""
    facts = (await connection.execute(select(receipt.c.facts).where(receipt.c.case_id == case_id))).scalar_one_or_none()
    if facts is None:
        message = f"There is no receipt of case {case_id} in this agency."
        raise ApplicationError(message, type="NoSuchCase", non_retryable=True)
    return new_case(Receipt.model_validate_json(facts))


async def _last_hash(connection: AsyncConnection, case: Case) -> bytes:
    if case.sequence == 0:
        return GENESIS_HASH
    query = select(case_event.c.hash).where(case_event.c.case_id == case.id, case_event.c.sequence == case.sequence)
    return bytes((await connection.execute(query)).scalar_one())


async def events_of(connection: AsyncConnection, case_id: UUID) -> list[Event]:
    """Return all events of a case in order."""
    query = select(case_event.c.canonical).where(case_event.c.case_id == case_id).order_by(case_event.c.sequence)
    return list(_events(await connection.scalars(query)))


def _events(stored: Iterable[bytes]) -> tuple[Event, ...]:
    return tuple(Event.model_validate_json(canonical) for canonical in stored)


async def case_from_events(connection: AsyncConnection, case_id: UUID) -> Case:
    """Return the case folded from its receipt and events."""
    return fold(await bare_case(connection, case_id), await events_of(connection, case_id))
