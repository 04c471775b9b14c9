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
from models.fixes.commands import ApproveWords, ListAffected
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
_DRAW = text("""
    INSERT INTO affected_person (list_id, number, agency, case_id, contact, language)
    SELECT :list_id, row_number() OVER (ORDER BY o_case_id), :agency, o_case_id, o_contact,
           coalesce(o_language, :language)
    FROM complainants_in(CAST(:cells AS jsonb), :since, :until)
""")


async def begin_list(connection: AsyncConnection, fix: Fix, event: FixEvent) -> None:
    """Begin the list that the event names or causes, if it does; `fix` as it stands after the event."""
    command = event.command
    if isinstance(command, ListAffected):
        await _begin_named(connection, fix, command, event.at)
    elif isinstance(command, ApproveWords):
        await _begin_of_occasion(connection, fix, command, event.at)


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


async def _begin_of_occasion(connection: AsyncConnection, fix: Fix, command: ApproveWords, at: datetime) -> None:
    list_id = list_id_for(fix, command.occasion)
    row = {
        "list_id": list_id,
        "agency": fix.agency,
        "fix_id": fix.id,
        "help": Help.NOTIFY.value,
        "occasion": command.occasion.value,
        "words_id": command.words.id,
        "people_count": 0,
        "added_by": command.actor.name,
        "added_at": at,
        "begun_at": at,
    }
    await connection.execute(upsert(affected_list).values(row).on_conflict_do_nothing())
    await _queue(connection, fix.agency, list_id)


async def _queue(connection: AsyncConnection, agency: str, list_id: UUID) -> None:
    row = {"list_id": list_id, "agency": agency}
    await connection.execute(upsert(affected_pending).values(row).on_conflict_do_nothing())
    await connection.execute(_WAKE)


async def locked_list(connection: AsyncConnection, list_id: UUID) -> Row[Any] | None:
    """Return the list's row, which nobody else changes until the transaction ends."""
    query = select(affected_list).where(affected_list.c.list_id == list_id).with_for_update()
    return (await connection.execute(query)).one_or_none()


async def as_approved(connection: AsyncConnection, listed: Row[Any]) -> Fix:
    """Return the fix as it stood when the words were approved that began an occasion's list."""
    events = select(fix_event.c.canonical).where(fix_event.c.fix_id == listed.fix_id).order_by(fix_event.c.sequence)
    fix = Fix(id=listed.fix_id)
    for stored in await connection.scalars(events):
        event = FixEvent.model_validate_json(stored)
        fix = apply(fix, event)
        if isinstance(event.command, ApproveWords) and event.command.words.id == listed.words_id:
            return fix
    message = f"No event of fix {listed.fix_id} approved the words of list {listed.list_id}."
    raise ApplicationError(message, type="NoSuchList", non_retryable=True)


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
    """Draw the people of an occasion's list: the complainants whose cases led to its fix, until it was approved.

    `fix` as it was when the words were approved: what was planned later led to other letters, if to any.
    """
    assert fix.opened_at is not None
    zone = ZoneInfo(policy.agency.time_zone)
    since = told_since(fix, await _began_weeks(connection, fix), fix.opened_at.astimezone(zone).date())
    values = {
        "list_id": row.list_id,
        "agency": row.agency,
        "cells": json.dumps(asked_cells(cells_told_of(fix), families_of(policy))),
        "since": since,
        "until": row.begun_at.astimezone(zone).date(),
        "language": policy.agency.languages[0],
    }
    people = (await connection.execute(_DRAW, values)).rowcount
    drawn = {"people_count": people, "drawn_at": now, "finished_at": None if people else now}
    await connection.execute(update(affected_list).where(affected_list.c.list_id == row.list_id).values(drawn))


async def _began_weeks(connection: AsyncConnection, fix: Fix) -> list[date]:
    return list(await connection.scalars(select(signal.c.began_week).where(signal.c.id.in_(fix.signals))))
