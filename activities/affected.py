# SPDX-License-Identifier: Apache-2.0
"""Helping those whom a failure affected: one letter each, under a Message-ID made of list and number.

A person's row is locked while the letter is handed over and noted in the same transaction, so that of two workers only
one writes; one that dies in between leaves the row without a result, and the same Message-ID goes out again. Who has
no e-mail address gets a letter by post. No address at all, or one that is refused, is an exception with its reason, for
staff to deal with; what fails for now is tried again.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.affected_lists import as_begun, draw, locked_list, words_command
from activities.database import transaction
from activities.interface import Affected, AffectedAddress, AffectedProgress
from activities.letter_values import always_there, day_at
from activities.mail import (
    DONE_WITHIN_SECONDS,
    GIVE_UP_AFTER_ATTEMPTS,
    Mail,
    Mailer,
    NotDeliveredYet,
    Undeliverable,
)
from activities.policies import Policies
from models.fixes.affected import message_id_for, remedy_in_words, told_in
from models.letters import LetterKind, MissingValues
from models.policy import Policy
from models.tables.affected import affected_list, affected_person
from models.tables.fixes import fix_file, fix_text
from models.tables.registers import staff

PEOPLE_AT_A_TIME = 100
LETTERS_AT_ONCE = 8
NO_ADDRESS = "No way to reach this person is known."
BY_TELEPHONE = "Only a telephone number is known; call this person."
_BLANK_LINES = re.compile(r"\n{3,}")
_log = logging.getLogger(__name__)


class UnknownRemedy(Exception):
    """The list promises somebody what the agency has no words for."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What all letters of a list have in common."""

    listed: Row[Any]
    words: str
    translations: Mapping[str, str]
    """The same words by language; the words themselves are in the agency's first."""
    owner: str
    policy: Policy


class DatabaseAffected(Affected):
    """Lists in PostgreSQL, letters by a mailer."""

    def __init__(
        self,
        engine: AsyncEngine,
        policies: Policies,
        mailer: Mailer,
        *,
        mail_from: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._policies = policies
        self._mailer = mailer
        self._mail_from = mail_from
        self._clock = clock

    @activity.defn(name="draw_list")
    async def draw_list(self, address: AffectedAddress) -> AffectedProgress:
        """See to it that the list has its people; one that is drawn stays as it is."""
        async with transaction(self._engine, address.agency) as connection:
            row = await locked_list(connection, address.list_id)
            if row is None or row.begun_at is None:
                message = f"No list {address.list_id} has begun in this agency."
                raise ApplicationError(message, type="NoSuchList", non_retryable=True)
            if row.drawn_at is None:
                _, policy = await self._policies.in_force(connection, address.agency, row.begun_at)
                await draw(connection, row, await as_begun(connection, row), policy, self._clock())
            return await _progress(connection, address)

    @activity.defn(name="help_some")
    async def help_some(self, address: AffectedAddress) -> AffectedProgress:
        """Help some of those who wait, each result noted by itself; what fails for now is left for another time."""
        async with transaction(self._engine, address.agency) as connection:
            frame = await self._frame(connection, address)
            numbers = await _waiting(connection, address)
        turns = asyncio.Semaphore(LETTERS_AT_ONCE)

        async def help_in_turn(number: int) -> None:
            async with turns:
                await self._help(address, frame, number)
                if activity.in_activity():
                    activity.heartbeat()  # so that a worker which dies is missed soon

        # All come to their end before a failure is told: one that went on alone could be cut off after handing over.
        ended = await asyncio.gather(*(help_in_turn(number) for number in numbers), return_exceptions=True)
        if failures := [outcome for outcome in ended if isinstance(outcome, BaseException)]:
            raise failures[0]
        async with transaction(self._engine, address.agency) as connection:
            return await self._finished(connection, address)

    async def _help(self, address: AffectedAddress, frame: Frame, number: int) -> None:
        """Help one person and note the result, while nobody else can."""
        async with transaction(self._engine, address.agency) as connection:
            person = await _locked_person(connection, address, number)
            if person is None:
                return  # another worker helps, or has helped
            message_id = message_id_for(address.list_id, number, self._mail_from.partition("@")[2])
            try:
                mail = self._mail(frame, person, message_id)
                async with asyncio.timeout(DONE_WITHIN_SECONDS):
                    await self._mailer.send(mail)
            except (Undeliverable, UnknownRemedy) as problem:
                await self._note(connection, person, {"result": "exception", "reason": str(problem)})
            except (LookupError, MissingValues) as problem:
                # Words that the policy lacks: whoever keeps it can mend that, for everybody on the list.
                await self._try_later(connection, person, NotDeliveredYet(f"The letter lacks words: {problem}"))
            except (NotDeliveredYet, TimeoutError) as problem:
                await self._try_later(connection, person, problem)
            else:
                await self._note(
                    connection, person, {"result": "done", "message_id": message_id}, by_post=bool(mail.post)
                )

    async def _try_later(self, connection: AsyncConnection, person: Row[Any], problem: Exception) -> None:
        said = str(problem) if isinstance(problem, NotDeliveredYet) else type(problem).__name__
        _log.warning("person %d of list %s is not written to yet (%s)", person.number, person.list_id, said)
        attempts = person.attempts + 1
        if attempts >= GIVE_UP_AFTER_ATTEMPTS:
            reason = f"Given up after {attempts} attempts: {said}"
            await self._note(connection, person, {"result": "exception", "reason": reason})
            return
        await connection.execute(update(affected_person).where(*_is(person)).values(attempts=attempts))

    async def _note(
        self, connection: AsyncConnection, person: Row[Any], result: dict[str, str], *, by_post: bool = False
    ) -> None:
        values: dict[str, Any] = {"done_at": self._clock(), "attempts": person.attempts + 1, **result}
        await connection.execute(update(affected_person).where(*_is(person)).values(values))
        columns = affected_list.c
        counts = [columns.done_count if result["result"] == "done" else columns.exception_count]
        counts += [columns.posted_count] if by_post else []
        counted = update(affected_list).where(columns.list_id == person.list_id)
        await connection.execute(counted.values({count: count + 1 for count in counts}))

    async def _finished(self, connection: AsyncConnection, address: AffectedAddress) -> AffectedProgress:
        """Note the end of a list in which everybody has a result, and return how far it has come."""
        progress = await _progress(connection, address)
        if not progress.waiting:
            ended = update(affected_list).where(
                affected_list.c.list_id == address.list_id, affected_list.c.finished_at.is_(None)
            )
            await connection.execute(ended.values(finished_at=self._clock()))
        return progress

    async def _frame(self, connection: AsyncConnection, address: AffectedAddress) -> Frame:
        listed = (
            await connection.execute(select(affected_list).where(affected_list.c.list_id == address.list_id))
        ).one()
        command = await words_command(connection, listed)
        spoken = {each.words.id: each.language for each in (command.translations or ())}
        texts = {
            row.id: row.body for row in await connection.execute(_texts(listed.fix_id, [listed.words_id, *spoken]))
        }
        owner = (
            select(fix_file.c.owner, staff.c.display_name)
            .outerjoin(staff, (staff.c.agency == fix_file.c.agency) & (staff.c.name == fix_file.c.owner))
            .where(fix_file.c.fix_id == listed.fix_id)
        )
        led_by = (await connection.execute(owner)).one()
        _, policy = await self._policies.in_force(connection, address.agency, self._clock())
        translations = {language: texts[id_] for id_, language in spoken.items() if id_ in texts}
        return Frame(listed, texts[listed.words_id], translations, led_by.display_name or led_by.owner, policy)

    def _mail(self, frame: Frame, person: Row[Any], message_id: str) -> Mail:
        """Return the person's letter, by mail or else by post; raises Undeliverable where there is no address."""
        contact = person.contact or {}
        email, post = ((contact.get(way) or "").strip() for way in ("email", "post"))
        if not email and not post:
            raise Undeliverable(BY_TELEPHONE if contact.get("phone") else NO_ADDRESS)
        name = " ".join((contact.get("name") or "").split())
        agency = frame.policy.agency
        language = agency.language_for(person.language)
        letter = frame.policy.letter(LetterKind.AFFECTED, language)
        filled = letter.in_plain_text().filled(
            always_there(agency, name, frame.listed.begun_at, language)
            | {
                "contact_name": frame.owner,
                "contact_phone": agency.contact.phone,
                "words": _words(frame, language),
                "remedy": _remedy(person, language),
            }
        )
        return Mail(
            message_id=message_id,
            sender=self._mail_from,
            sender_name=agency.name,
            reply_to=agency.contact.email,
            recipients=(email,) if email else (),
            post="" if email else f"{name}\n{post}",
            subject=filled.subject,
            body=_BLANK_LINES.sub("\n\n", filled.body),
            language=language,
            written_at=frame.listed.begun_at,
            written_on=day_at(agency, frame.listed.begun_at),
        )


def _texts(fix_id: UUID, ids: Sequence[UUID]) -> Select[Any]:
    return select(fix_text.c.id, fix_text.c.body).where(fix_text.c.fix_id == fix_id, fix_text.c.id.in_(ids))


def _words(frame: Frame, language: str) -> str:
    """Return the words in a language; where nobody has put them into it, it is said in it what language they are in."""
    first = frame.policy.agency.languages[0]
    if language == first:
        return frame.words
    return frame.translations.get(language) or f"{told_in(first, language)}\n\n{frame.words}"


def _remedy(person: Row[Any], language: str) -> str:
    try:
        return remedy_in_words(person.remedy, person.amount_cents, language)
    except ValueError as problem:
        raise UnknownRemedy("The remedy is not one of the agency's words; help this person by hand.") from problem


async def _waiting(connection: AsyncConnection, address: AffectedAddress) -> list[int]:
    """Return who is next: those first who were tried least often."""
    query = (
        select(affected_person.c.number)
        .where(affected_person.c.list_id == address.list_id, affected_person.c.result.is_(None))
        .order_by(affected_person.c.attempts, affected_person.c.number)
        .limit(PEOPLE_AT_A_TIME)
    )
    return list(await connection.scalars(query))


async def _locked_person(connection: AsyncConnection, address: AffectedAddress, number: int) -> Row[Any] | None:
    query = (
        select(affected_person)
        .where(
            affected_person.c.list_id == address.list_id,
            affected_person.c.number == number,
            affected_person.c.result.is_(None),
        )
        .with_for_update(skip_locked=True)
    )
    return (await connection.execute(query)).one_or_none()


async def _progress(connection: AsyncConnection, address: AffectedAddress) -> AffectedProgress:
    query = select(
        affected_list.c.people_count.label("people"),
        affected_list.c.done_count.label("done"),
        affected_list.c.exception_count.label("exceptions"),
    ).where(affected_list.c.list_id == address.list_id)
    return AffectedProgress.model_validate(dict((await connection.execute(query)).mappings().one()))


def _is(person: Row[Any]) -> tuple[Any, ...]:
    return (affected_person.c.list_id == person.list_id, affected_person.c.number == person.number)
