# SPDX-License-Identifier: Apache-2.0
"""Signals of recurring failures: each with what it says now, the decision on it, its weeks, and the cases behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.reads.paging import LONGEST_PAGE, BadCursor, Page, cursor_of, day_and_id, keys_of
from models.aggregates import NOT_STATED, monday_of
from models.taxonomy import Kind, Taxonomy

SIGNALS_COMPARED = 40
ISSUES_COMPARED = 500
_ORDER = "signals"
_CASES_ORDER = "signal-cases"
_FIELDS = """
    s.id, s.measure, s.code, s.family, s.service, s.office, s.began_week, s.raised_on, s.decide_by,
    w.as_of, w.observed, w.expected, w.threshold, w.p_value, w.q_value, w.window_weeks, w.sentences,
    d.decision, d.reason, d.defer_until, d.decided_by, d.decided_at
"""
_NOW = """
    FROM signal s
    JOIN LATERAL (SELECT * FROM signal_week w WHERE w.signal_id = s.id ORDER BY w.as_of DESC LIMIT 1) w ON true
    LEFT JOIN LATERAL (
        SELECT * FROM signal_decision d WHERE d.signal_id = s.id ORDER BY d.decided_at DESC, d.id DESC LIMIT 1
    ) d ON true
"""
_LIST = text(f"""
    SELECT {_FIELDS} {_NOW}
    WHERE (NOT :only_undecided OR d.decision IS NULL OR (d.decision = 'defer' AND d.defer_until <= :today))
      AND (CAST(:day AS date) IS NULL OR s.raised_on < :day OR (s.raised_on = :day AND s.id > :id))
    ORDER BY s.raised_on DESC, s.id LIMIT :limit
""")
_ONE = text(f"SELECT {_FIELDS} {_NOW} WHERE s.id = :id")
_WEEKS = text("""
    SELECT as_of, observed, expected, threshold, p_value, q_value, window_weeks, sentences, evidence
    FROM signal_week WHERE signal_id = :id ORDER BY as_of DESC LIMIT 60
""")
_DECISIONS = text("""
    SELECT decision, reason, defer_until, decided_by, decided_at
    FROM signal_decision WHERE signal_id = :id ORDER BY decided_at DESC, id DESC LIMIT 60
""")
_AMONG = "(CAST(:codes AS text[]) IS NULL OR {code} = ANY (:codes)) AND NOT coalesce({code} = ANY (:other_than), false)"
_CATEGORY = f"coalesce(i.category, '{NOT_STATED}')"
# The cases of the signal's cell from where it began to where it was last seen: by confirmed tag …
_TAGGED = text(f"""
    SELECT t.case_id, t.number, t.received_on, t.failure AS code, t.contributing_cause, t.severity, t.harm,
           t.service, t.office, f.reference, f.state, f.owner, t.failure, t.no_failure
    FROM case_tag t JOIN case_file f USING (case_id)
    WHERE t.failure IS NOT NULL AND {_AMONG.format(code="t.failure")}
      AND (CAST(:service AS text) IS NULL OR t.service = :service)
      AND (CAST(:office AS text) IS NULL OR t.office = :office)
      AND t.received_on >= :first_on AND t.received_on < :before_on
      AND (CAST(:day AS date) IS NULL OR t.received_on < :day OR (t.received_on = :day AND t.case_id <= :id
           AND (t.case_id < :id OR t.number > :number)))
    ORDER BY t.received_on DESC, t.case_id DESC, t.number LIMIT :limit
""")  # noqa: S608  only our own constant is put in
# … or by what they came in with. sort_at narrows by index; the day of receipt, in the agency's zone, decides.
_COME_IN = text(f"""
    SELECT f.case_id, i.number, CAST(f.snapshot #>> '{{receipt,received_on}}' AS date) AS received_on,
           {_CATEGORY} AS code, t.contributing_cause, t.severity, t.harm,
           coalesce(i.service, f.service) AS service, f.office, f.reference, f.state, f.owner, t.failure, t.no_failure
    FROM case_file f JOIN case_issue i USING (case_id)
    LEFT JOIN case_tag t ON t.case_id = i.case_id AND t.number = i.number
    WHERE f.sort_at >= CAST(:first_on AS date) - 1 AND f.sort_at < CAST(:before_on AS date) + 1
      AND {_AMONG.format(code=_CATEGORY)} AND f.state <> 'duplicate'
      AND (CAST(:service AS text) IS NULL OR coalesce(i.service, f.service) = :service)
      AND (CAST(:office AS text) IS NULL OR f.office = :office)
      AND CAST(f.snapshot #>> '{{receipt,received_on}}' AS date) >= :first_on
      AND CAST(f.snapshot #>> '{{receipt,received_on}}' AS date) < :before_on
      AND (CAST(:day AS date) IS NULL OR CAST(f.snapshot #>> '{{receipt,received_on}}' AS date) < :day
           OR (CAST(f.snapshot #>> '{{receipt,received_on}}' AS date) = :day AND f.case_id <= :id
               AND (f.case_id < :id OR i.number > :number)))
    ORDER BY received_on DESC, f.case_id DESC, i.number LIMIT :limit
""")  # noqa: S608  only our own constant is put in


@dataclass(frozen=True, slots=True)
class SignalRow:
    """A signal with what it says now and what was decided last."""

    id: UUID
    measure: str
    code: str | None
    family: str | None
    service: str | None
    office: str | None
    began_week: date
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

    def is_undecided(self, today: date) -> bool:
        """Return whether it waits for a decision: nobody has decided, or the time of deferring is over."""
        return self.decision is None or (self.defer_until is not None and self.defer_until <= today)


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


@dataclass(frozen=True, slots=True)
class SignalDecision:
    """What somebody decided, and why."""

    decision: str
    reason: str
    defer_until: date | None
    decided_by: str
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Twins:
    """Two signals of one matter."""

    cause: SignalRow
    intake: SignalRow
    shared: int
    """How many issues both count."""

    def other(self, signal_id: UUID) -> SignalRow | None:
        """Return the twin of a signal, or None where it is neither."""
        return {self.cause.id: self.intake, self.intake.id: self.cause}.get(signal_id)


@dataclass(frozen=True, slots=True)
class SignalCase:
    """A case behind a signal."""

    case_id: UUID
    number: int
    received_on: date
    code: str
    contributing_cause: str | None
    severity: int | None
    harm: int | None
    service: str | None
    office: str | None
    reference: str
    state: str
    owner: str | None
    failure: str | None
    """The process failure it was coded with, however the signal counts it."""
    no_failure: str | None
    """Or why there was none; neither: not coded yet."""


async def signals(
    connection: AsyncConnection, *, only_undecided: bool, today: date, cursor: str | None, limit: int
) -> Page[SignalRow]:
    """Return signals, the newest first; raises BadCursor."""
    day, identity = day_and_id(cursor, _ORDER) if cursor else (None, None)
    asked = {"only_undecided": only_undecided, "today": today, "day": day, "id": identity, "limit": limit + 1}
    rows = [_signal(row) for row in await connection.execute(_LIST, asked)]
    if len(rows) <= limit:
        return Page(tuple(rows))
    last = rows[limit - 1]
    return Page(tuple(rows[:limit]), cursor_of(_ORDER, last.raised_on, last.id))


async def signal_by_id(connection: AsyncConnection, signal_id: UUID) -> SignalRow | None:
    """Return one signal, or None if this agency has none of that id."""
    row = (await connection.execute(_ONE, {"id": signal_id})).one_or_none()
    return _signal(row) if row else None


async def weeks_of(connection: AsyncConnection, signal_id: UUID) -> tuple[SignalWeek, ...]:
    """Return what the runs found of a signal, the latest first; its evidence holds the series for a chart."""
    rows = await connection.execute(_WEEKS, {"id": signal_id})
    return tuple(SignalWeek(**{**row._mapping, "sentences": tuple(row.sentences)}) for row in rows)  # noqa: SLF001  public name


async def decisions_of(connection: AsyncConnection, signal_id: UUID) -> tuple[SignalDecision, ...]:
    """Return the decisions on a signal, the latest first."""
    return tuple(SignalDecision(*row) for row in await connection.execute(_DECISIONS, {"id": signal_id}))


async def cases_behind(
    connection: AsyncConnection,
    signal: SignalRow,
    taxonomy: Taxonomy,
    *,
    cursor: str | None,
    limit: int,
    is_counted: bool = False,
) -> Page[SignalCase]:
    """Return the issues of cases in a signal's cell, the newest first; raises BadCursor.

    They are those since it began, or with `is_counted` those of the weeks that `observed` is counted over.
    """
    day, identity, number = _place(cursor)
    codes, other_than = _codes(signal, taxonomy)
    asked = {
        "codes": codes,
        "other_than": other_than,
        "service": signal.service,
        "office": signal.office,
        "first_on": signal.counted_from if is_counted else signal.began_week,
        "before_on": signal.counted_before if is_counted else signal.as_of + timedelta(days=1),
        "day": day,
        "id": identity,
        "number": number,
        "limit": limit + 1,
    }
    query = _COME_IN if signal.measure == "intake" else _TAGGED
    rows = [SignalCase(*row) for row in await connection.execute(query, asked)]
    if len(rows) <= limit:
        return Page(tuple(rows))
    last = rows[limit - 1]
    return Page(tuple(rows[:limit]), cursor_of(_CASES_ORDER, last.received_on, last.case_id, str(last.number)))


async def twins_among(connection: AsyncConnection, rows: Sequence[SignalRow], taxonomy: Taxonomy) -> tuple[Twins, ...]:
    """Return the pairs of signals that count the same complaints: as people told them, and as we coded them.

    Two signals are twins where at least half of what the smaller one counts is counted by the other. Only the first
    SIGNALS_COMPARED of the rows are looked at, and of each only its newest ISSUES_COMPARED issues.
    """
    compared = rows[:SIGNALS_COMPARED]
    pairs = [
        (cause, intake)
        for cause, intake in product(compared, compared)
        if (cause.measure, intake.measure) == ("cause", "intake") and _may_meet(cause, intake)
    ]
    paired = {row.id: row for pair in pairs for row in pair}
    counted = {row.id: await _counted(connection, row, taxonomy) for row in paired.values()}
    found = []
    for cause, intake in pairs:
        one, other = counted[cause.id], counted[intake.id]
        shared = len(one & other)
        if shared and 2 * shared >= min(len(one), len(other)):
            found.append(Twins(cause, intake, shared))
    return tuple(found)


async def twins_of(
    connection: AsyncConnection, row: SignalRow, taxonomy: Taxonomy, *, today: date
) -> tuple[Twins, ...]:
    """Return the twins of one signal, among the latest of the other measure."""
    page = await signals(connection, only_undecided=False, today=today, cursor=None, limit=LONGEST_PAGE)
    others = [other for other in page.rows if other.measure != row.measure]
    return await twins_among(connection, (row, *others), taxonomy)


def _may_meet(one: SignalRow, other: SignalRow) -> bool:
    """Return whether two signals are of places and weeks that have something in common."""
    places = ((one.service, other.service), (one.office, other.office))
    return (
        all(a is None or b is None or a == b for a, b in places)
        and one.counted_from < other.counted_before
        and other.counted_from < one.counted_before
    )


async def _counted(connection: AsyncConnection, row: SignalRow, taxonomy: Taxonomy) -> frozenset[tuple[UUID, int]]:
    page = await cases_behind(connection, row, taxonomy, cursor=None, limit=ISSUES_COMPARED, is_counted=True)
    return frozenset((issue.case_id, issue.number) for issue in page.rows)


def _place(cursor: str | None) -> tuple[date | None, UUID | None, int | None]:
    if cursor is None:
        return None, None, None
    day, identity, number = keys_of(cursor, _CASES_ORDER, 3)
    try:
        return date.fromisoformat(day), UUID(identity), int(number)
    except ValueError as problem:
        raise BadCursor from problem


def _codes(signal: SignalRow, taxonomy: Taxonomy) -> tuple[list[str] | None, list[str] | None]:
    """Return the codes a signal is about (None: any), and those it is not about.

    A signal without a code is about a whole family: of failures, those that no policy knows, or all complaints.
    """
    if signal.code is not None:
        return [signal.code], None
    if signal.measure == "intake" or signal.family is None:
        return None, None
    failures = taxonomy.of(Kind.FAILURE)
    members = [term.code for term in failures if term.family == signal.family]
    return (members, None) if members else (None, [term.code for term in failures])


def _signal(row: Row[Any]) -> SignalRow:
    told = {field.name: getattr(row, field.name) for field in fields(SignalRow)}
    return SignalRow(**{**told, "sentences": tuple(row.sentences)})
