# SPDX-License-Identifier: Apache-2.0
"""The week's look at texts: what to code first, whether codes or words are used otherwise, and failures without a code.

Each is stored once for a week, which begins on Monday; a look repeated leaves what the first one found.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.text_rows import CODED, CodedText, coded_texts
from models.tables.text import coding_queue, text_drift, text_new_failure

Apart: TypeAlias = Callable[..., Awaitable[Any]]
LATE_WEEKS, EARLIER_WEEKS = 8, 26
"""The last eight weeks are compared with the half year before them."""
COMPARED_AT_MOST = 5_000
QUEUED_FROM = 1_000

_DONE = text("""
    SELECT EXISTS (SELECT FROM text_drift WHERE agency = :agency AND week = :week) AS is_compared,
           EXISTS (SELECT FROM coding_queue WHERE agency = :agency AND week = :week) AS is_queued
""")
_UNCODED = text("""
    SELECT i.case_id, i.number, s.chances, c.body
    FROM case_file f
    JOIN case_issue i ON i.case_id = f.case_id
    LEFT JOIN text_suggestion s ON s.case_id = i.case_id AND s.number = i.number AND s.kind = 'failure'
    JOIN content c ON c.case_id = f.case_id AND c.id = (f.snapshot #>> '{receipt,narrative,id}')::uuid
    WHERE f.agency = :agency AND f.state = 'answered' AND f.sort_at >= :since  -- a cause can be said once answered
      AND NOT EXISTS (SELECT FROM case_tag t WHERE t.case_id = i.case_id AND t.number = i.number)
    ORDER BY f.sort_at DESC, i.case_id, i.number LIMIT :limit
""")
_RECENT = text("""
    SELECT * FROM (
        SELECT f.case_id, f.sort_at, c.body,
               coalesce((SELECT bool_and(s.abstained) FROM text_suggestion s
                         WHERE s.case_id = f.case_id AND s.kind = 'failure'
                           AND NOT EXISTS (SELECT FROM case_tag t
                                           WHERE t.case_id = s.case_id AND t.number = s.number)), false) AS abstains
        FROM case_file f
        JOIN content c ON c.case_id = f.case_id AND c.id = (f.snapshot #>> '{receipt,narrative,id}')::uuid
        WHERE f.agency = :agency AND f.sort_at >= :since AND f.sort_at <= :now
          AND f.state NOT IN ('withdrawn', 'duplicate')
        ORDER BY f.sort_at DESC, f.case_id LIMIT :limit
    ) AS newest ORDER BY sort_at, case_id
""")


@dataclass(frozen=True, slots=True)
class Done:
    """What stands for a week: the comparison with earlier weeks, and the queue."""

    is_compared: bool
    is_queued: bool


@dataclass(frozen=True, slots=True)
class Week:
    """What the week's look goes by."""

    codings: Mapping[str, Sequence[CodedText]]
    uncoded: Sequence[Any]
    recent: Sequence[Any]


async def done(connection: AsyncConnection, agency: str, week: date) -> Done:
    """Return what stands for a week already; a queue with nobody in it is tried again the next night."""
    row = (await connection.execute(_DONE, {"agency": agency, "week": week})).one()
    return Done(row.is_compared, row.is_queued)


async def gathered(connection: AsyncConnection, agency: str, now: datetime) -> Week:
    """Return what is needed to look at a week."""
    since = now - timedelta(weeks=LATE_WEEKS + EARLIER_WEEKS)
    asked = {"agency": agency, "since": since}
    return Week(
        {k: await coded_texts(connection, agency, k, since=since, limit=COMPARED_AT_MOST) for k in CODED},
        (await connection.execute(_UNCODED, {**asked, "limit": QUEUED_FROM})).all(),
        (await connection.execute(_RECENT, {**asked, "now": now, "limit": COMPARED_AT_MOST})).all(),
    )


async def rows_of(
    apart: Apart, agency: str, week: date, stands: Done, seen: Week, now: datetime
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows of the drift, of the queue and of new failures, as far as none stand."""
    queue = [] if stands.is_queued else await _queue(apart, agency, week, seen.uncoded)
    if stands.is_compared:
        return [], queue, []
    drifts = [await _drift(apart, agency, kind, week, seen.codings[kind], now) for kind in CODED]
    return drifts, queue, await _new(apart, agency, week, seen.recent, now)


async def store(
    connection: AsyncConnection,
    drifts: Sequence[dict[str, Any]],
    queue: Sequence[dict[str, Any]],
    new: Sequence[dict[str, Any]],
) -> None:
    """Store all of it, where nothing stands for the week."""
    for table, rows in ((text_drift, drifts), (coding_queue, queue), (text_new_failure, new)):
        if rows:
            await connection.execute(upsert(table).on_conflict_do_nothing(), list(rows))


async def _drift(
    apart: Apart, agency: str, kind: str, week: date, coded: Sequence[CodedText], now: datetime
) -> dict[str, Any]:
    from activities.text_sums import drifted  # noqa: PLC0415 - a worker starts without the sums

    late = now - timedelta(weeks=LATE_WEEKS)
    is_after = [one.received_at >= late for one in coded]
    found = await apart(drifted, [one.words for one in coded], [one.code for one in coded], is_after)
    return {
        "agency": agency,
        "kind": kind,
        "week": week,
        "cases_before": len(coded) - sum(is_after),
        "cases_after": sum(is_after),
        "shares": found.shares if found else [],
        "words": found.words if found else [],
        "words_p_value": found.words_p_value if found else None,
        "made_at": now,
    }


async def _queue(apart: Apart, agency: str, week: date, uncoded: Sequence[Any]) -> list[dict[str, Any]]:
    from activities.text_sums import queued  # noqa: PLC0415 - a worker starts without the sums

    found = await apart(queued, [one.body for one in uncoded], [list(one.chances or ()) for one in uncoded])
    return [
        {
            "agency": agency,
            "week": week,
            "place": place,
            "case_id": uncoded[one.index].case_id,
            "number": uncoded[one.index].number,
            "uncertainty": one.uncertainty,
            "distinctness": one.distinctness,
        }
        for place, one in enumerate(found, start=1)
    ]


async def _new(apart: Apart, agency: str, week: date, recent: Sequence[Any], now: datetime) -> list[dict[str, Any]]:
    from activities.text_sums import new_failures  # noqa: PLC0415 - a worker starts without the sums

    days = [one.sort_at.toordinal() for one in recent]
    abstains = [bool(one.abstains) for one in recent]
    found = await apart(new_failures, [one.body for one in recent], days, abstains, now.toordinal())
    case_ids: list[UUID] = [one.case_id for one in recent]
    return [
        {
            "agency": agency,
            "week": week,
            "place": place,
            "case_ids": [case_ids[member] for member in told.pop("members")],
            "made_at": now,
            **told,
        }
        for place, told in enumerate((asdict(one) for one in found), start=1)
    ]
