# SPDX-License-Identifier: Apache-2.0
"""The record of a case: the one place where its events are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities import read_model
from activities.database import transaction
from activities.interface import Batch, CaseAddress, CaseRecords, Loaded, Recorded
from activities.policies import Policies
from models.aggregates import cells_of, changes, queues_of
from models.case import Case, new_case
from models.commands import SYSTEM, Receipt, Receive
from models.events import GENESIS_HASH, Event, chained
from models.outgoing import Outgoing, letters_of
from models.story import apply, fold
from models.tables.cases import case_event, fault
from models.tables.receipts import content, receipt

OPENING_KEY = "receive"
SAFETY = "safety"


class DatabaseCaseRecords(CaseRecords):
    """The record in PostgreSQL."""

    def __init__(
        self, engine: AsyncEngine, policies: Policies, *, mail_domain: str, clock: Callable[[], datetime]
    ) -> None:
        self._engine = engine
        self._policies = policies
        self._mail_domain = mail_domain
        self._clock = clock

    @activity.defn(name="load")
    async def load(self, address: CaseAddress) -> Loaded:
        """Return the case folded from its events, or the opening of a bare receipt."""
        async with transaction(self._engine, address.agency) as connection:
            case = await case_from_events(connection, address.case_id)
            opening = None
            if case.sequence == 0:
                opening = await self._opening(connection, case)
                case = case.model_copy(update={"policy_version": opening.policy_version})
            return Loaded(
                case=case, rules=await self._policies.rules(connection, case, self._clock()), opening=opening
            )

    @activity.defn(name="record")
    async def record(self, batch: Batch) -> Recorded:
        """Append the batch in one transaction, or answer with what the record holds instead."""
        try:
            async with transaction(self._engine, batch.agency) as connection:
                return await self._record(connection, batch)
        except KeyOfAnotherRequest as problem:
            await self._mark(batch, "key_reused", str(problem))
            raise ApplicationError(str(problem), type="KeyReused", non_retryable=True) from problem
        except RecordBehind as problem:
            await self._mark(batch, "record_behind", str(problem))
            raise ApplicationError(str(problem), type="RecordBehind", non_retryable=True) from problem

    async def _record(self, connection: AsyncConnection, batch: Batch) -> Recorded:
        first = batch.events[0].sequence
        stored = await read_model.stored_case(connection, batch.case_id)
        before, last_hash = stored or (await bare_case(connection, batch.case_id), GENESIS_HASH)
        if (answer := await _held(connection, batch)) is not None:
            return answer
        if before.sequence != first - 1:
            message = f"The record ends at event {before.sequence}, the workflow goes on from {first - 1}."
            raise RecordBehind(message)
        await self.append(connection, before, batch.events, last_hash)
        return Recorded()

    async def append(
        self, connection: AsyncConnection, before: Case, events: Sequence[Event], last_hash: bytes
    ) -> Case:
        """Append lawful events to a case whose row is locked; write its rows, letters, deltas and words."""
        case, rows, letters, ids = before, [], [], []
        for event in events:
            last = case
            case = apply(case, event)
            canonical = event.canonical()
            last_hash = chained(last_hash, canonical)
            rows.append(event_row(before.agency, event, canonical, last_hash))
            letters += [self._letter_row(event, case, letter) for letter in letters_of(event, case)]
            ids += read_model.content_ids(event)
            await read_model.write_differences(
                connection,
                case,
                changes(cells_of(last), cells_of(case)),
                changes(Counter(queues_of(last)), Counter(queues_of(case))),
                event.at,
            )
        await connection.execute(insert(case_event), rows)
        rules = await self._policies.rules(connection, case, self._clock())
        await read_model.write_case(connection, before, case, rules, last_hash)
        await read_model.write_letters(connection, letters)
        await read_model.add_words(connection, case, ids)
        return case

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

    async def _mark(self, batch: Batch, kind: str, detail: str) -> None:
        async with transaction(self._engine, batch.agency) as connection:
            row = {"agency": batch.agency, "case_id": batch.case_id, "kind": kind, "detail": detail}
            await connection.execute(upsert(fault).values(row).on_conflict_do_nothing())


class KeyOfAnotherRequest(Exception):
    """A command key has been recorded with another request."""


class RecordBehind(Exception):
    """The workflow knows events that the record does not hold, which cannot come about by crashes."""


def event_row(agency: str, event: Event, canonical: bytes, event_hash: bytes) -> dict[str, Any]:
    """Return an event's row of `case_event`."""
    command = event.command
    return {
        "case_id": event.case_id,
        "sequence": event.sequence,
        "agency": agency,
        "command_key": command.key,
        "request_hash": command.request_hash,
        "action": command.action.value,
        "actor": command.actor.name,
        "role": command.actor.role.value,
        "state": event.target.value,
        "at": event.at,
        "canonical": canonical,
        "hash": event_hash,
    }


async def bare_case(connection: AsyncConnection, case_id: UUID) -> Case:
    """Return the case of a receipt before its first event."""
    facts = (await connection.execute(select(receipt.c.facts).where(receipt.c.case_id == case_id))).scalar_one_or_none()
    if facts is None:
        message = f"There is no receipt of case {case_id} in this agency."
        raise ApplicationError(message, type="NoSuchCase", non_retryable=True)
    return new_case(Receipt.model_validate_json(facts))


async def events_of(connection: AsyncConnection, case_id: UUID) -> list[Event]:
    """Return all events of a case in order."""
    query = select(case_event.c.canonical).where(case_event.c.case_id == case_id).order_by(case_event.c.sequence)
    return [Event.model_validate_json(canonical) for canonical in await connection.scalars(query)]


async def case_from_events(connection: AsyncConnection, case_id: UUID) -> Case:
    """Return the case folded from its receipt and events."""
    return fold(await bare_case(connection, case_id), await events_of(connection, case_id))


async def _held(connection: AsyncConnection, batch: Batch) -> Recorded | None:
    """Return what the record holds instead of the batch, or None if the batch can be appended."""
    first = batch.events[0].sequence
    asked = {event.command.key: event.command.request_hash for event in batch.events}
    query = (
        select(case_event.c.sequence, case_event.c.command_key, case_event.c.request_hash, case_event.c.canonical)
        .where(
            case_event.c.case_id == batch.case_id,
            or_(case_event.c.sequence >= first, case_event.c.command_key.in_(list(asked))),
        )
        .order_by(case_event.c.sequence)
    )
    rows = (await connection.execute(query)).all()
    if not rows:
        return None
    for row in rows:
        if asked.get(row.command_key, row.request_hash) != row.request_hash:
            message = f"The key {row.command_key} belongs to event {row.sequence} and was sent with another request."
            raise KeyOfAnotherRequest(message)
    return Recorded(
        held=tuple(_event(row) for row in rows if row.sequence >= first),
        earlier=tuple(_event(row) for row in rows if row.sequence < first),
    )


def _event(row: Row[Any]) -> Event:
    return Event.model_validate_json(row.canonical)
