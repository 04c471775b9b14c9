# SPDX-License-Identifier: Apache-2.0
"""Correspondence: letters leave the outbox at least once, always under the same Message-ID.

A letter is repeated only where a process died between handing it over and noting that. What is known to be hopeless
(no address, an address the server refuses, a text that was removed) is noted on its row and not tried for ever. One
whose words the policy lacks is not hopeless: its case is marked, and it leaves when the policy has them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, ScalarSelect, Update, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.case_records import bare_case, events_of
from activities.database import transaction
from activities.letter_values import Links, Told, day_at, filled_letter, text_ref
from activities.mail import (
    DONE_WITHIN_SECONDS,
    GIVE_UP_AFTER_ATTEMPTS,
    Mail,
    Mailer,
    NotDeliveredYet,
    Undeliverable,
)
from activities.pending import Claimed, PendingQueue
from activities.policies import Policies
from models.case import Case
from models.letters import Letter, LetterKind, MissingValues
from models.messages import ContentRef
from models.outgoing import Recipient
from models.references import secret_for
from models.story import fold
from models.tables.cases import fault, outbox, outbox_pending
from models.tables.receipts import content, receipt
from models.tables.registers import staff
from models.terms import Role
from models.working_time import OutsideCalendar

IN_FLIGHT = 8
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(hours=1)
UNDELIVERABLE = "letter_undeliverable"
WAITS = "letter_waits"
"""Faults of a case: a letter was given up, or cannot be written until somebody mends the policy."""
NO_ADDRESS = "No address is known."
_log = logging.getLogger(__name__)


class CannotBeWrittenYet(Exception):
    """Something that the letter says cannot be looked up; whoever keeps the policy can mend that."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one letter: neither sent nor hopeless means later."""

    is_sent: bool = False
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a letter goes to."""

    addresses: tuple[str, ...]
    name: str = ""
    post: str = ""
    """The postal address of whoever has no e-mail address."""


class Correspondence:
    """Empties the outbox."""

    def __init__(
        self,
        engine: AsyncEngine,
        policies: Policies,
        mailer: Mailer,
        *,
        mail_from: str,
        links: Links,
        secrets_key: bytes,
        clock: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._policies = policies
        self._mailer = mailer
        self._mail_from = mail_from
        self._links = links
        self._secrets_key = secrets_key
        self._clock = clock
        self._queue = PendingQueue(engine, "outbox_pending")

    async def send_some(self) -> int:
        """Send some waiting letters; return how many were taken up."""
        claimed = await self._queue.claim(IN_FLIGHT, self._clock())
        outcomes = await asyncio.gather(*(self._sent(item) for item in claimed), return_exceptions=True)
        for item, outcome in zip(claimed, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                await self._try_later(item, outcome)
        return len(claimed)

    async def _sent(self, item: Claimed) -> None:
        async with asyncio.timeout(DONE_WITHIN_SECONDS):
            try:
                mail = await self._mail(item)
                if mail is not None:
                    await self._mailer.send(mail)
                outcome = Outcome(is_sent=mail is not None)
            except Undeliverable as problem:
                outcome = Outcome(failure=str(problem))
        await self._note(item, outcome)

    async def _try_later(self, item: Claimed, problem: BaseException) -> None:
        """Put a letter back, each time for longer; after some days give it up, so that a person learns of it."""
        reason = str(problem) if isinstance(problem, NotDeliveredYet | CannotBeWrittenYet) else type(problem).__name__
        _log.warning("letter %s is not sent yet (%s)", item.id, reason)
        if item.attempts >= GIVE_UP_AFTER_ATTEMPTS:
            await self._note(item, Outcome(failure=f"Given up after {item.attempts} attempts: {reason}"))
            return
        if isinstance(problem, CannotBeWrittenYet):
            async with transaction(self._engine, item.agency) as connection:
                await _mark(connection, item, WAITS, reason)
        wait = min(FIRST_WAIT * 2 ** min(item.attempts - 1, 10), LONGEST_WAIT)
        await self._queue.put_back([item.id], self._clock() + wait)

    async def _note(self, item: Claimed, outcome: Outcome) -> None:
        """Note what became of the letter and strike it off, together."""
        row = outbox.c.id == item.id
        async with transaction(self._engine, item.agency) as connection:
            if outcome.is_sent:
                await connection.execute(update(outbox).where(row).values(sent_at=self._clock()))
            elif outcome.failure is not None:
                await connection.execute(update(outbox).where(row).values(failure=outcome.failure))
                if outcome.failure != NO_ADDRESS:
                    await _mark(connection, item, UNDELIVERABLE, outcome.failure)
            # Another letter of the case that still waits says so again at its next try.
            await connection.execute(_waiting(item).values(cleared_at=func.now()))
            await connection.execute(delete(outbox_pending).where(outbox_pending.c.id == item.id))

    async def _mail(self, item: Claimed) -> Mail | None:
        """Return the letter, or None if nothing is left to send; raises Undeliverable."""
        async with transaction(self._engine, item.agency) as connection:
            row = (await connection.execute(select(outbox).where(outbox.c.id == item.id))).one_or_none()
            if row is None or row.sent_at is not None or row.failure is not None:
                return None
            told, person = await self._told(connection, row)
            words = await self._words(connection, told, LetterKind(row.letter))
        try:
            letter = filled_letter(words, told, self._links)
        except MissingValues as problem:
            raise Undeliverable(str(problem)) from problem
        except OutsideCalendar as problem:
            raise CannotBeWrittenYet(str(problem)) from problem
        return Mail(
            message_id=row.message_id,
            sender=self._mail_from,
            sender_name=told.policy.agency.name,
            reply_to=told.policy.agency.contact.email,
            recipients=person.addresses,
            post=f"{person.name}\n{person.post}" if person.post else "",
            subject=letter.subject,
            body=letter.body,
            language=words.language,
            written_at=row.written_at,
            written_on=day_at(told.policy.agency, row.written_at),
        )

    async def _words(self, connection: AsyncConnection, told: Told, kind: LetterKind) -> Letter:
        """Return the agency's words as the case's policy has them; an older one that lacks them, as today's has."""
        language = told.case.receipt.language
        with contextlib.suppress(LookupError):
            return told.policy.letter(kind, language)
        _, today = await self._policies.in_force(connection, told.case.agency, self._clock())
        try:
            return today.letter(kind, language)
        except LookupError as problem:
            raise CannotBeWrittenYet(str(problem)) from problem

    async def _told(self, connection: AsyncConnection, row: Row[Any]) -> tuple[Told, Person]:
        story = tuple(event for event in await events_of(connection, row.case_id) if event.sequence <= row.sequence)
        case = fold(await bare_case(connection, row.case_id), story)
        complainant = await _complainant(connection, case)
        people = {person.name: person for person in await connection.execute(_STAFF)}
        told = Told(
            case=case,
            events=story,
            rules=await self._policies.rules(connection, case, self._clock()),
            policy=await self._policies.version(connection, case.agency, case.policy_version),
            texts=await _texts(connection, case.id, text_ref(story)),
            names={name: person.display_name for name, person in people.items()},
            complainant=complainant.name,
            other_reference=await _reference(connection, case.duplicate_of),
            secret=secret_for(case.id, self._secrets_key),
        )
        to = Recipient(row.recipient)
        person = complainant if to is Recipient.COMPLAINANT else _colleagues(to, case, people)
        if not person.addresses and not person.post:
            raise Undeliverable(NO_ADDRESS)
        return told, person


_STAFF = select(staff).where(staff.c.is_active)


async def _complainant(connection: AsyncConnection, case: Case) -> Person:
    ref = case.receipt.contact
    texts = await _texts(connection, case.id, ref)
    if ref is None or ref.id not in texts:
        return Person(addresses=())
    known = json.loads(texts[ref.id])
    address = known.get("email") or ""
    # A name goes into the text in one line, whatever was typed.
    return Person(
        addresses=(address,) if address else (),
        name=" ".join((known.get("name") or "").split()),
        post="" if address else (known.get("post") or "").strip(),
    )


def _colleagues(to: Recipient, case: Case, people: dict[str, Row[Any]]) -> Person:
    """Return the owner; where nobody owns the case, and for supervisors, the supervisors of its team (else all)."""
    owner = people.get(case.owner or "")
    if to is Recipient.OWNER and owner is not None:
        return Person(addresses=(owner.email,) if owner.email else ())
    supervisors = [person for person in people.values() if Role.SUPERVISOR in person.roles and person.email]
    of_team = [person for person in supervisors if case.team in person.teams]
    return Person(addresses=tuple(sorted(person.email for person in of_team or supervisors)))


async def _texts(connection: AsyncConnection, case_id: UUID, ref: ContentRef | None) -> dict[UUID, str]:
    if ref is None:
        return {}
    query = select(content.c.id, content.c.body).where(content.c.case_id == case_id, content.c.id == ref.id)
    return {row.id: row.body for row in await connection.execute(query)}


async def _reference(connection: AsyncConnection, case_id: UUID | None) -> str:
    if case_id is None:
        return ""
    query = select(receipt.c.reference).where(receipt.c.case_id == case_id)
    return str((await connection.execute(query)).scalar_one_or_none() or "")


async def _mark(connection: AsyncConnection, item: Claimed, kind: str, detail: str) -> None:
    row = {"agency": item.agency, "case_id": _case_of(item), "kind": kind, "detail": detail}
    await connection.execute(upsert(fault).values(row).on_conflict_do_nothing())


def _waiting(item: Claimed) -> Update:
    return update(fault).where(fault.c.case_id == _case_of(item), fault.c.kind == WAITS, fault.c.cleared_at.is_(None))


def _case_of(item: Claimed) -> ScalarSelect[UUID]:
    return select(outbox.c.case_id).where(outbox.c.id == item.id).scalar_subquery()
