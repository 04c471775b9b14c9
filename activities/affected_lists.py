# SPDX-License-Identifier: Apache-2.0
"""Lists of affected people in the record: how one begins with an event of its fix, and how its people are drawn.

A list begins in the transaction that records the event, and waits there for its workflow: nobody is written to before
the event is recorded, and nobody is forgotten after it.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, func, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio.exceptions import ApplicationError

from models.fixes.affected import asked_cells, cells_told_of, list_id_for, told_since
from models.fixes.cells import families_of
from models.fixes.commands import ApproveWords, FixCommand, LinkSignal, ListAffected
from models.fixes.fix import Fix, FixEvent
from models.fixes.story import apply
from models.fixes.terms import FixAction, Help
from models.policy import Policy
from models.tables.affected import affected_list, affected_pending
from models.tables.cases import fault
from models.tables.fixes import fix_event
from models.tables.signals import signal

LIST_IS_MISSING = "affected_list_missing"
"""Fault of a fix: its event names a list that the record does not hold."""
_WAKE = text("SELECT pg_notify('affected', '')")
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended('drawn for ' || :fix_id, 0))")
_DRAW = text("""
    INSERT INTO affected_person (list_id, number, agency, case_id, contact, language)
    SELECT :list_id, row_number() OVER (ORDER BY o_case_id), :agency, o_case_id, o_contact,
           coalesce(o_language, :language)
    FROM complainants_in(CAST(:cells AS jsonb), :since, :until)
    -- Who was told these words already, for another signal, is not told them again.
    WHERE NOT EXISTS (
        SELECT FROM affected_list l JOIN affected_person told ON told.list_id = l.list_id
        WHERE l.fix_id = :fix_id AND l.words_id = :words_id AND l.list_id <> :list_id
          AND person_of(told.contact, told.case_id::text) = person_of(o_contact, o_case_id::text))
""")


async def begin_list(connection: AsyncConnection, fix: Fix, event: FixEvent) -> None:
    """Begin the list that the event names or causes, if it does; `fix` as it stands after the event."""
    command = event.command
    if isinstance(command, ListAffected):
        await _begin_named(connection, fix, command, event.at)
    elif isinstance(command, ApproveWords):
        list_id = list_id_for(fix, command.occasion)
        await _begin_of_occasion(connection, fix, list_id, command, event)
    elif isinstance(command, LinkSignal) and fix.approved:
        approval = await _latest_approval(connection, fix)
        list_id = list_id_for(fix, approval.occasion, command.signal_id)
        await _begin_of_occasion(connection, fix, list_id, approval, event)


async def _begin_named(connection: AsyncConnection, fix: Fix, command: ListAffected, at: datetime) -> None:
    begun = await connection.execute(
        update(affected_list)
        .where(
            affected_list.c.list_id == command.list_id,
            affected_list.c.fix_id == fix.id,
            affected_list.c.help == command.help.value,
            affected_list.c.begun_at.is_(None),
        )
        .values(begun_at=at, words_id=command.words.id, source_id=command.source.id)
    )
    if begun.rowcount:
        await _queue(connection, fix.agency, command.list_id)
        return
    detail = f"The list {command.list_id} that event {fix.sequence} names is not in the record; list the people again."
    row = {"agency": fix.agency, "case_id": fix.id, "kind": LIST_IS_MISSING, "detail": detail}
    marked = upsert(fault).values(row)
    # A mark of one kind stands once on a fix: a second list that is missing is said beside the first.
    beside = fault.c.detail.op("||")(" ").op("||")(marked.excluded.detail)
    await connection.execute(
        marked.on_conflict_do_update(
            index_elements=["agency", "case_id", "kind"],
            index_where=fault.c.cleared_at.is_(None),
            set_={"detail": beside},
            where=func.strpos(fault.c.detail, marked.excluded.detail) == 0,
        )
    )


async def _begin_of_occasion(
    connection: AsyncConnection, fix: Fix, list_id: UUID, approval: ApproveWords, event: FixEvent
) -> None:
    row = {
        "list_id": list_id,
        "agency": fix.agency,
        "fix_id": fix.id,
        "help": Help.NOTIFY.value,
        "occasion": approval.occasion.value,
        "words_id": approval.words.id,
        "people_count": 0,
        "added_by": event.command.actor.name,
        "added_at": event.at,
        "begun_at": event.at,
    }
    await connection.execute(upsert(affected_list).values(row).on_conflict_do_nothing())
    await _queue(connection, fix.agency, list_id)


async def _latest_approval(connection: AsyncConnection, fix: Fix) -> ApproveWords:
    """Return the approval of what people were told last: of the verdict, if that has been told."""
    commands = [event.command for event in await _events(connection, fix.id)]
    return [each for each in commands if isinstance(each, ApproveWords) and each.occasion is fix.approved[-1]][-1]


async def _events(connection: AsyncConnection, fix_id: UUID) -> list[FixEvent]:
    events = select(fix_event.c.canonical).where(fix_event.c.fix_id == fix_id).order_by(fix_event.c.sequence)
    return [FixEvent.model_validate_json(stored) for stored in await connection.scalars(events)]


async def _queue(connection: AsyncConnection, agency: str, list_id: UUID) -> None:
    row = {"list_id": list_id, "agency": agency}
    await connection.execute(upsert(affected_pending).values(row).on_conflict_do_nothing())
    await connection.execute(_WAKE)


async def locked_list(connection: AsyncConnection, list_id: UUID) -> Row[Any] | None:
    """Return the list's row, which nobody else changes until the transaction ends."""
    query = select(affected_list).where(affected_list.c.list_id == list_id).with_for_update()
    return (await connection.execute(query)).one_or_none()


async def as_begun(connection: AsyncConnection, listed: Row[Any]) -> Fix:
    """Return the fix as it stood after the event that began an occasion's list."""
    fix = Fix(id=listed.fix_id)
    for event in await _events(connection, listed.fix_id):
        fix = apply(fix, event)
        if listed.list_id in _lists_begun_by(fix, event.command):
            return fix
    message = f"No event of fix {listed.fix_id} began list {listed.list_id}."
    raise ApplicationError(message, type="NoSuchList", non_retryable=True)


def _lists_begun_by(fix: Fix, command: FixCommand) -> list[UUID]:
    """Return the lists of occasions that a command may have begun; `fix` as it stands after it."""
    if isinstance(command, ApproveWords):
        return [list_id_for(fix, command.occasion)]
    if isinstance(command, LinkSignal):
        return [list_id_for(fix, occasion, command.signal_id) for occasion in fix.approved]
    return []


async def words_command(connection: AsyncConnection, listed: Row[Any]) -> ListAffected | ApproveWords:
    """Return what was asked when the words of a list were given: it names them in every language they are in."""
    query = select(fix_event.c.canonical).where(
        fix_event.c.fix_id == listed.fix_id,
        fix_event.c.action.in_([FixAction.LIST_AFFECTED.value, FixAction.APPROVE_WORDS.value]),
    )
    for stored in await connection.scalars(query):
        command = FixEvent.model_validate_json(stored).command
        if isinstance(command, ListAffected | ApproveWords) and command.words.id == listed.words_id:
            return command
    message = f"No event of fix {listed.fix_id} gave the words of list {listed.list_id}."
    raise ApplicationError(message, type="NoSuchList", non_retryable=True)


async def draw(connection: AsyncConnection, row: Row[Any], fix: Fix, policy: Policy, now: datetime) -> None:
    """Draw the people of an occasion's list: the complainants whose cases led to its fix, until the list began.

    `fix` as it was then: what was planned later led to other letters, if to any.
    """
    assert fix.opened_at is not None
    zone = ZoneInfo(policy.agency.time_zone)
    since = told_since(fix, await _began_weeks(connection, fix), fix.opened_at.astimezone(zone).date())
    values = {
        "list_id": row.list_id,
        "fix_id": row.fix_id,
        "words_id": row.words_id,
        "agency": row.agency,
        "cells": json.dumps(asked_cells(cells_told_of(fix), families_of(policy))),
        "since": since,
        "until": row.begun_at.astimezone(zone).date(),
        "language": policy.agency.languages[0],
    }
    # One list of a fix after the other, so that each sees whom the others tell.
    await connection.execute(_ONE_AT_A_TIME, {"fix_id": str(row.fix_id)})
    people = (await connection.execute(_DRAW, values)).rowcount
    drawn = {"people_count": people, "drawn_at": now, "finished_at": None if people else now}
    await connection.execute(update(affected_list).where(affected_list.c.list_id == row.list_id).values(drawn))


async def _began_weeks(connection: AsyncConnection, fix: Fix) -> list[date]:
    return list(await connection.scalars(select(signal.c.began_week).where(signal.c.id.in_(fix.signals))))
