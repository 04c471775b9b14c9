# SPDX-License-Identifier: Apache-2.0
"""Problem Solving Days, with the tally of each: out of the queues' totals, never by counting cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from api.reads.paging import Page, cursor_of, day_and_id
from api.reads.queues import TOTALS, totals
from models.commands import Receipt
from models.tables.cases import case_file
from models.tables.registers import problem_solving_day

_ORDER = "days"
FOLLOW_UPS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Day:
    """A Problem Solving Day: where, when, and who is at the desk."""

    id: UUID
    name: str
    place: str
    held_on: date
    office: str | None
    roster: tuple[str, ...]
    made_by: str
    made_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of a day."""

    taken_in: int
    solved_on_the_spot: int

    @property
    def to_follow_up(self) -> int:
        """Complaints that were not settled at the desk."""
        return self.taken_in - self.solved_on_the_spot


@dataclass(frozen=True, slots=True)
class AtTheDesk:
    """A day as its desk sees it: a complaint counts from its receipt on, before its case is opened."""

    tally: Tally
    waiting: tuple[Receipt, ...]
    """Receipts without a case so far, the newest first."""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A case of the day that is still open: who does the next thing, and when."""

    case_id: UUID
    reference: str
    state: str
    owner: str | None
    team: str | None
    follow_up_on: date | None
    due_at: datetime | None


# One statement, so that a receipt whose case is opened at this moment counts once. Receipts are read by acceptance.
_AT_THE_DESK = text(f"""
    WITH counted AS ({TOTALS})
    SELECT coalesce((SELECT total FROM counted WHERE queue = :taken_in), 0) AS taken_in,
           coalesce((SELECT total FROM counted WHERE queue = :solved), 0) AS solved,
           ARRAY(
               SELECT r.facts FROM receipt r
               WHERE r.accepted_at >= :since AND NOT EXISTS (SELECT FROM case_file f WHERE f.case_id = r.case_id)
                 AND convert_from(r.facts, 'UTF8')::jsonb ->> 'event_id' = :day_id
               ORDER BY r.accepted_at DESC
           ) AS waiting
""")  # noqa: S608  only our own constant is put in
_COLUMNS = tuple(problem_solving_day.c[field.name] for field in fields(Day))


async def days(connection: AsyncConnection, *, cursor: str | None, limit: int) -> Page[Day]:
    """Return Problem Solving Days, the latest first; raises BadCursor."""
    held_on, identity = problem_solving_day.c.held_on, problem_solving_day.c.id
    query = select(*_COLUMNS).order_by(held_on.desc(), identity.desc()).limit(limit + 1)
    if cursor is not None:
        query = query.where(tuple_(held_on, identity) < day_and_id(cursor, _ORDER))
    rows = [_day(row) for row in await connection.execute(query)]
    if len(rows) <= limit:
        return Page(tuple(rows))
    last = rows[limit - 1]
    return Page(tuple(rows[:limit]), cursor_of(_ORDER, last.held_on, last.id))


async def day_by_id(connection: AsyncConnection, day_id: UUID) -> Day | None:
    """Return one day, or None if this agency has none of that id."""
    row = (await connection.execute(select(*_COLUMNS).where(problem_solving_day.c.id == day_id))).one_or_none()
    return _day(row) if row else None


async def day_is_there(connection: AsyncConnection, day_id: UUID) -> bool:
    """Return whether this agency has such a day."""
    return await day_by_id(connection, day_id) is not None


async def tallies(connection: AsyncConnection, day_ids: Sequence[UUID]) -> dict[UUID, Tally]:
    """Return what came of these days so far."""
    names = [f"event/{day_id}/{what}" for day_id in day_ids for what in ("taken_in", "solved_on_the_spot")]
    count = await totals(connection, names)
    return {
        day_id: Tally(
            taken_in=count.get(f"event/{day_id}/taken_in", 0),
            solved_on_the_spot=count.get(f"event/{day_id}/solved_on_the_spot", 0),
        )
        for day_id in day_ids
    }


async def at_the_desk(connection: AsyncConnection, day_id: UUID, since: datetime) -> AtTheDesk:
    """Return how a day stands, with what was taken in after `since` and waits for its case."""
    names = [f"event/{day_id}/{what}" for what in ("taken_in", "solved_on_the_spot")]
    asked = {"names": names, "taken_in": names[0], "solved": names[1], "day_id": str(day_id), "since": since}
    row = (await connection.execute(_AT_THE_DESK, asked)).one()
    waiting = tuple(Receipt.model_validate_json(facts) for facts in row.waiting)
    return AtTheDesk(Tally(row.taken_in + len(waiting), row.solved), waiting)


async def follow_ups(connection: AsyncConnection, day_id: UUID) -> tuple[FollowUp, ...]:
    """Return the open cases of a day, the next step that is due first."""
    columns = (case_file.c[field.name] for field in fields(FollowUp))
    query = (
        select(*columns)
        .where(case_file.c.event_id == day_id, case_file.c.is_open)
        .order_by(case_file.c.follow_up_on.nulls_last(), case_file.c.queue_at, case_file.c.case_id)
        .limit(FOLLOW_UPS_SHOWN)
    )
    return tuple(FollowUp(*row) for row in await connection.execute(query))


def _day(row: Row[Any]) -> Day:
    told = row._mapping  # noqa: SLF001  SQLAlchemy's public name for a row as a mapping
    return Day(**{**told, "roster": tuple(row.roster)})
