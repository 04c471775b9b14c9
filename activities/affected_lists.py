# SPDX-License-Identifier: Apache-2.0
"""Lists of affected people in the record: how one begins with an event of its fix, and how its people are drawn.

A list begins in the transaction that records the event, and waits there for its workflow: nobody is written to before
the event is recorded, and nobody is forgotten after it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from models.fixes.affected import asked_cells, cells_told_of, list_id_for, told_since
from models.fixes.commands import ApproveWords, ListAffected
from models.fixes.fix import Fix, FixEvent
from models.fixes.terms import Help
from models.tables.affected import affected_list, affected_pending
from models.tables.cases import fault
from models.tables.fixes import fix_file
from models.tables.signals import signal

LIST_IS_MISSING = "affected_list_missing"
"""Fault of a fix: its event names a list that the record does not hold."""
_WAKE = text("SELECT pg_notify('affected', '')")
_DRAW = text("""
    INSERT INTO affected_person (list_id, number, agency, case_id, contact, language)
    SELECT :list_id, row_number() OVER (ORDER BY o_case_id), :agency, o_case_id, o_contact, o_language
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
    await connection.execute(upsert(fault).values(row).on_conflict_do_nothing())


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


async def draw(
    connection: AsyncConnection, row: Row[Any], families: Mapping[str, str], zone: ZoneInfo, now: datetime
) -> None:
    """Draw the people of an occasion's list: the complainants whose cases led to its fix, until it was approved."""
    snapshot = select(fix_file.c.snapshot).where(fix_file.c.fix_id == row.fix_id)
    fix = Fix.model_validate((await connection.execute(snapshot)).scalar_one())
    assert fix.opened_at is not None
    since = told_since(fix, await _began_weeks(connection, fix), fix.opened_at.astimezone(zone).date())
    values = {
        "list_id": row.list_id,
        "agency": row.agency,
        "cells": json.dumps(asked_cells(cells_told_of(fix), families)),
        "since": since,
        "until": row.begun_at.astimezone(zone).date(),
    }
    people = (await connection.execute(_DRAW, values)).rowcount
    drawn = {"people_count": people, "drawn_at": now, "finished_at": None if people else now}
    await connection.execute(update(affected_list).where(affected_list.c.list_id == row.list_id).values(drawn))


async def _began_weeks(connection: AsyncConnection, fix: Fix) -> list[date]:
    return list(await connection.scalars(select(signal.c.began_week).where(signal.c.id.in_(fix.signals))))
