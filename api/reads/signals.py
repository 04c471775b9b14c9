# SPDX-License-Identifier: Apache-2.0
"""Signals of recurring failures: each with what it says now, where it stands, its decisions, weeks and evidence."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.reads.paging import Page, cursor_of, day_and_id
from models.aggregates import monday_of
from models.policy import Policy
from models.signals import BesideComplaints, SignalKind, SignalState, Waiting
from models.tables.signals import signal_evidence

_ORDER = "signals"
_FIELDS = """
    s.id, s.measure, s.kind, place.code, place.family, place.service, place.office, place.region, place.channel,
    s.began_week, s.raised_on, s.decide_by,
    w.as_of, w.observed, w.expected, w.threshold, w.p_value, w.q_value, w.window_weeks, w.sentences,
    coalesce(w.evidence ->> 'kind', s.kind) AS seen_as,
    coalesce(CAST(w.evidence ->> 'began_week' AS date), s.began_week) AS since_week,
    CAST(w.evidence #>> '{ranking,priority}' AS double precision) AS priority,
    coalesce(CAST(w.evidence ->> 'is_new' AS boolean), false) AS is_new,
    d.decision, d.reason, d.defer_until, d.decided_by, d.decided_at
"""
_NOW = """
    FROM signal s
    JOIN LATERAL (SELECT * FROM signal_week w WHERE w.signal_id = s.id ORDER BY w.as_of DESC LIMIT 1) w ON true
    -- Where a matter is seen best may change from look to look. All that is said of a signal is of one cell, the one
    -- that its latest sentences and figures are of: family, failure, service, office, region, channel.
    CROSS JOIN LATERAL (SELECT w.evidence #> '{cells,0}' AS cell) head
    JOIN LATERAL (
        SELECT s.family, s.code, s.service, s.office, s.region, s.channel WHERE head.cell IS NULL
        UNION ALL
        SELECT nullif(cell ->> 0, ''), nullif(cell ->> 1, ''), nullif(cell ->> 2, ''), nullif(cell ->> 3, ''),
               CASE WHEN cell ->> 3 = '' THEN nullif(cell ->> 4, '') END, nullif(cell ->> 5, '')
        WHERE head.cell IS NOT NULL
    ) place ON true
    LEFT JOIN LATERAL (
        SELECT * FROM signal_decision d WHERE d.signal_id = s.id ORDER BY d.decided_at DESC, d.id DESC LIMIT 1
    ) d ON true
"""
_LIST = text(f"""
    SELECT {_FIELDS} {_NOW} JOIN signal_states(:on, :expires_after_weeks, :grown) AS st ON st.signal_id = s.id
    WHERE (CAST(:states AS text[]) IS NULL OR st.state = ANY (:states))
      AND (CAST(:day AS date) IS NULL OR s.raised_on < :day OR (s.raised_on = :day AND s.id > :id))
    ORDER BY s.raised_on DESC, s.id LIMIT :limit
""")
_ONE = text(f"SELECT {_FIELDS} {_NOW} WHERE s.id = :id")
_RAISED = text("""
    SELECT (SELECT min(began_week) FROM signal WHERE id = ANY (:signals)) AS began_week,
           date_trunc('week', w.as_of + 1)::date - 7 * w.window_weeks AS first_day,
           date_trunc('week', w.as_of + 1)::date - 1 AS last_day
    FROM signal s
    JOIN agency a ON a.slug = s.agency
    LEFT JOIN LATERAL (
        SELECT max((d.decided_at AT TIME ZONE a.time_zone)::date) AS day FROM signal_decision d
        WHERE d.signal_id = s.id AND d.decision IN ('reject', 'defer')
    ) AS left_alone ON true
    JOIN LATERAL (
        SELECT * FROM signal_week w WHERE w.signal_id = s.id
        ORDER BY w.as_of > left_alone.day DESC NULLS LAST, w.as_of LIMIT 1
    ) AS w ON true
    WHERE s.id = :opened_by
""")
_STANDINGS = text("""
    SELECT signal_id, state, why, due_on, last_seen_on, expired_on
    FROM signal_states(:on, :expires_after_weeks, :grown) WHERE signal_id = ANY (:signals)
""")
_WEEKS = text("""
    SELECT as_of, observed, expected, threshold, p_value, q_value, window_weeks, sentences, evidence
    FROM signal_week WHERE signal_id = :id ORDER BY as_of DESC LIMIT 60
""")
_DECISIONS = text("""
    SELECT decision, reason, defer_until, decided_by, decided_at, fix_id
    FROM signal_decision WHERE signal_id = :id ORDER BY decided_at DESC, id DESC LIMIT 60
""")


@dataclass(frozen=True, slots=True)
class Viewed:
    """The day on which signals are looked at, and the policy's numbers for what has become of them by then."""

    on: date
    expires_after_weeks: int
    grown: float

    @classmethod
    def under(cls, policy: Policy, on: date) -> Viewed:
        """Return the day under a policy."""
        told = policy.surveillance
        return cls(on, told.expires_after_weeks, told.returns_when_excess_grows)


@dataclass(frozen=True, slots=True)
class SignalRow:
    """A signal with what it says now and what was decided last."""

    id: UUID
    measure: str
    kind: SignalKind
    """What it was first seen as."""
    code: str | None
    family: str | None
    service: str | None
    office: str | None
    region: str | None
    channel: str | None
    began_week: date
    """Since when it was unusual, as the look saw it that raised it."""
    since_week: date
    """The same as the latest look sees it, whose figures and sentences are shown with it."""
    raised_on: date
    decide_by: date
    as_of: date
    observed: int
    expected: float
    threshold: int
    p_value: float
    q_value: float
    window_weeks: int
    sentences: tuple[str, ...]
    seen_as: SignalKind
    """What it was last seen as; its figures are of that kind."""
    priority: float | None
    """By what signals are ranked; unknown of those last seen before there was a ranking."""
    is_new: bool
    """Whether nothing of it came before: it is offered or named only since, or never failed until now."""
    decision: str | None
    reason: str | None
    defer_until: date | None
    decided_by: str | None
    decided_at: datetime | None

    @property
    def counted_before(self) -> date:
        """The day after the last whole week that was judged."""
        return monday_of(self.as_of + timedelta(days=1))

    @property
    def counted_from(self) -> date:
        """The first day of the weeks that `observed` is counted over."""
        return self.counted_before - timedelta(weeks=self.window_weeks)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a signal stands on a day."""

    state: SignalState
    why: Waiting | None
    """Why it waits for a decision; None where it does not."""
    due_on: date | None
    """When the decision is due, or the day it was put off to."""
    last_seen_on: date
    expired_on: date | None

    @property
    def waits(self) -> bool:
        """Whether somebody has to decide on it."""
        return self.state is SignalState.TO_DECIDE

    def is_late(self, on: date) -> bool:
        """Return whether the decision is overdue."""
        return self.waits and self.due_on is not None and self.due_on < on


@dataclass(frozen=True, slots=True)
class SignalWeek:
    """What one run found."""

    as_of: date
    observed: int
    expected: float
    threshold: int
    p_value: float
    q_value: float
    window_weeks: int
    sentences: tuple[str, ...]
    evidence: dict[str, Any]

    @property
    def excess_per_week(self) -> float:
        """How much more was seen than expected, for each week it was counted over."""
        return (self.observed - self.expected) / self.window_weeks


@dataclass(frozen=True, slots=True)
class SignalDecision:
    """What somebody decided, and why."""

    decision: str
    reason: str
    defer_until: date | None
    decided_by: str
    decided_at: datetime
    fix_id: UUID | None
    """The fix that was there already, where its cause was known."""


@dataclass(frozen=True, slots=True)
class SignalEvidence:
    """What somebody attached to a signal that is no complaint."""

    id: UUID
    source: BesideComplaints
    words: str
    people_count: int | None
    """For how many people it speaks, where that is known."""
    gathered_on: date | None
    added_by: str
    added_at: datetime


async def signals(
    connection: AsyncConnection,
    at: Viewed,
    *,
    states: Collection[SignalState] | None = None,
    cursor: str | None,
    limit: int,
) -> Page[SignalRow]:
    """Return signals, of these states if any are named, the newest first; raises BadCursor."""
    day, identity = day_and_id(cursor, _ORDER) if cursor else (None, None)
    wanted = None if states is None else [state.value for state in states]
    asked = {**_asked(at), "states": wanted, "day": day, "id": identity, "limit": limit + 1}
    rows = [_signal(row) for row in await connection.execute(_LIST, asked)]
    if len(rows) <= limit:
        return Page(tuple(rows))
    last = rows[limit - 1]
    return Page(tuple(rows[:limit]), cursor_of(_ORDER, last.raised_on, last.id))


async def signal_by_id(connection: AsyncConnection, signal_id: UUID) -> SignalRow | None:
    """Return one signal, or None if this agency has none of that id."""
    row = (await connection.execute(_ONE, {"id": signal_id})).one_or_none()
    return _signal(row) if row else None


@dataclass(frozen=True, slots=True)
class Raised:
    """When what signals speak of began, a Monday, and the days, first to last, of the weeks that led to a fix."""

    began_week: date
    by: tuple[date, date]


async def began_and_raised(connection: AsyncConnection, signal_ids: Sequence[UUID]) -> Raised | None:
    """Return it of a fix's signals, the one that opened it first; None of none.

    The weeks that led to a fix are those of the look that raised the signal that opened it, or that brought it back
    after somebody had left it alone. What came later was not chosen for being high, nor what linked signals count.
    """
    if not signal_ids:
        return None
    asked = {"signals": list(signal_ids), "opened_by": signal_ids[0]}
    row = (await connection.execute(_RAISED, asked)).one_or_none()
    return None if row is None else Raised(row.began_week, (row.first_day, row.last_day))


async def standings_of(connection: AsyncConnection, signal_ids: Iterable[UUID], at: Viewed) -> dict[UUID, Standing]:
    """Return where signals stand on a day."""
    rows = await connection.execute(_STANDINGS, {**_asked(at), "signals": list(signal_ids)})
    return {
        row.signal_id: Standing(
            SignalState(row.state), Waiting(row.why) if row.why else None, row.due_on, row.last_seen_on, row.expired_on
        )
        for row in rows
    }


async def weeks_of(connection: AsyncConnection, signal_id: UUID) -> tuple[SignalWeek, ...]:
    """Return what the runs found of a signal, the latest first; its evidence holds the series for a chart."""
    rows = await connection.execute(_WEEKS, {"id": signal_id})
    return tuple(SignalWeek(**{**row._mapping, "sentences": tuple(row.sentences)}) for row in rows)  # noqa: SLF001  public name


async def decisions_of(connection: AsyncConnection, signal_id: UUID) -> tuple[SignalDecision, ...]:
    """Return the decisions on a signal, the latest first."""
    return tuple(SignalDecision(*row) for row in await connection.execute(_DECISIONS, {"id": signal_id}))


async def evidence_of(connection: AsyncConnection, signal_ids: Iterable[UUID]) -> tuple[SignalEvidence, ...]:
    """Return what was attached to signals beside their complaints, in the order in which it came."""
    told = signal_evidence.c
    query = (
        select(told.id, told.source, told.words, told.people_count, told.gathered_on, told.added_by, told.added_at)
        .where(told.signal_id.in_(list(signal_ids)))
        .order_by(told.added_at, told.id)
    )
    return tuple(
        SignalEvidence(row.id, BesideComplaints(row.source), *row[2:]) for row in await connection.execute(query)
    )


def _asked(at: Viewed) -> dict[str, object]:
    return {field.name: getattr(at, field.name) for field in fields(Viewed)}


def _signal(row: Row[Any]) -> SignalRow:
    told = {field.name: getattr(row, field.name) for field in fields(SignalRow)}
    words = {"kind": SignalKind(row.kind), "seen_as": SignalKind(row.seen_as), "sentences": tuple(row.sentences)}
    return SignalRow(**(told | words))
