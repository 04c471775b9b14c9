# SPDX-License-Identifier: Apache-2.0
"""The complaints behind signals: those that one counts, and pairs of signals that count the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import product
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Executable,
    Integer,
    Select,
    TextClause,
    Uuid,
    bindparam,
    column,
    literal,
    select,
    text,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics.places import ELSEWHERE
from api.reads.fixes import fixes_of_signals
from api.reads.paging import LONGEST_PAGE, BadCursor, Page, cursor_of, keys_of
from api.reads.signals import SignalRow, Viewed, signals
from models.aggregates import EVENT_CHANNEL, NOT_STATED
from models.policy import Policy
from models.signals import SignalState
from models.taxonomy import Kind, Taxonomy

SIGNALS_COMPARED = 20
ISSUES_COMPARED = 500
_CASES_ORDER = "signal-cases"
_ISSUES = "(SELECT count(*) FROM case_issue every WHERE every.case_id = f.case_id)"
_AMONG = "(CAST(:codes AS text[]) IS NULL OR {code} = ANY (:codes)) AND NOT coalesce({code} = ANY (:other_than), false)"
_CATEGORY = f"coalesce(i.category, '{NOT_STATED}')"
# The issues of the signal's cell from where it began to where it was last seen: by confirmed tag …
_TAGGED = text(f"""
    SELECT t.case_id, t.number, t.received_on, t.failure AS code, t.contributing_cause, t.severity, t.harm,
           t.service, t.office, f.reference, f.state, f.owner, t.failure, t.no_failure, {_ISSUES} AS issues
    FROM case_tag t JOIN case_file f USING (case_id)
    WHERE t.failure IS NOT NULL AND t.channel <> '{EVENT_CHANNEL}' AND {_AMONG.format(code="t.failure")}
      AND (CAST(:service AS text) IS NULL OR t.service = :service)
      AND (CAST(:office AS text) IS NULL OR t.office = :office)
      AND (CAST(:of_region AS text[]) IS NULL OR t.office = ANY (:of_region))
      AND (CAST(:but_of AS text[]) IS NULL OR t.office <> ALL (:but_of))
      AND (CAST(:channel AS text) IS NULL OR t.channel = :channel)
      AND t.received_on >= :first_on AND t.received_on < :before_on
      AND (CAST(:day AS date) IS NULL OR t.received_on < :day OR (t.received_on = :day AND t.case_id <= :id
           AND (t.case_id < :id OR t.number > :number)))
    ORDER BY t.received_on DESC, t.case_id DESC, t.number LIMIT :limit
""")  # noqa: S608  only our own constant is put in
# … or by what they came in with. sort_at narrows by index; the day of receipt, in the agency's zone, decides.
_COME_IN = text(f"""
    SELECT f.case_id, i.number, CAST(f.snapshot #>> '{{receipt,received_on}}' AS date) AS received_on,
           {_CATEGORY} AS code, t.contributing_cause, t.severity, t.harm,
           coalesce(i.service, f.service) AS service, f.office, f.reference, f.state, f.owner, t.failure, t.no_failure,
           {_ISSUES} AS issues
    FROM case_file f JOIN case_issue i USING (case_id)
    LEFT JOIN case_tag t ON t.case_id = i.case_id AND t.number = i.number
    WHERE f.sort_at >= CAST(:first_on AS date) - 1 AND f.sort_at < CAST(:before_on AS date) + 1
      AND {_AMONG.format(code=_CATEGORY)} AND f.state <> 'duplicate' AND f.channel <> '{EVENT_CHANNEL}'
      AND (CAST(:service AS text) IS NULL OR coalesce(i.service, f.service) = :service)
      AND (CAST(:office AS text) IS NULL OR f.office = :office)
      AND (CAST(:of_region AS text[]) IS NULL OR f.office = ANY (:of_region))
      AND (CAST(:but_of AS text[]) IS NULL OR f.office <> ALL (:but_of))
      AND (CAST(:channel AS text) IS NULL OR f.channel = :channel)
      AND CAST(f.snapshot #>> '{{receipt,received_on}}' AS date) >= :first_on
      AND CAST(f.snapshot #>> '{{receipt,received_on}}' AS date) < :before_on
      AND (CAST(:day AS date) IS NULL OR CAST(f.snapshot #>> '{{receipt,received_on}}' AS date) < :day
           OR (CAST(f.snapshot #>> '{{receipt,received_on}}' AS date) = :day AND f.case_id <= :id
               AND (f.case_id < :id OR i.number > :number)))
    ORDER BY received_on DESC, f.case_id DESC, i.number LIMIT :limit
""")  # noqa: S608  only our own constant is put in


@dataclass(frozen=True, slots=True)
class Twins:
    """Two signals of one matter."""

    cause: SignalRow
    intake: SignalRow
    shared: int
    """How many complaints both count."""
    is_all: bool
    """Whether every issue of both was looked at; else they share at least so many."""

    def other_than(self, signal_id: UUID) -> SignalRow:
        """Return the one that a signal is not."""
        return self.cause if signal_id == self.intake.id else self.intake


@dataclass(frozen=True, slots=True)
class SignalCase:
    """An issue of a complaint behind a signal."""

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
    issues: int
    """How many issues the complaint has in all."""


async def cases_behind(
    connection: AsyncConnection,
    signal: SignalRow,
    policy: Policy,
    *,
    cursor: str | None,
    limit: int,
    is_counted: bool = False,
) -> Page[SignalCase]:
    """Return the issues of cases in a signal's cell, the newest first; raises BadCursor.

    They are those since it began, or with `is_counted` those of the weeks that `observed` is counted over.
    """
    rows = [
        SignalCase(*row)
        for row in await connection.execute(*_asked(signal, policy, cursor, limit, is_counted=is_counted))
    ]
    if len(rows) <= limit:
        return Page(tuple(rows))
    last = rows[limit - 1]
    return Page(tuple(rows[:limit]), cursor_of(_CASES_ORDER, last.received_on, last.case_id, str(last.number)))


def _asked(
    signal: SignalRow, policy: Policy, cursor: str | None, limit: int, *, is_counted: bool
) -> tuple[TextClause, dict[str, Any]]:
    """Return the query for a page of the issues behind a signal and one more, and what it is asked with."""
    day, identity, number = _place(cursor)
    codes, other_than = _codes(signal, policy.taxonomy)
    of_region, but_of = _offices_of(signal.region, policy)
    asked = {
        "codes": codes,
        "other_than": other_than,
        "service": signal.service,
        "office": signal.office,
        "of_region": of_region,
        "but_of": but_of,
        "channel": signal.channel,
        "first_on": signal.counted_from if is_counted else signal.began_week,
        "before_on": signal.counted_before if is_counted else signal.as_of + timedelta(days=1),
        "day": day,
        "id": identity,
        "number": number,
        "limit": limit + 1,
    }
    return _COME_IN if signal.measure == "intake" else _TAGGED, asked


async def twins_among(connection: AsyncConnection, rows: Sequence[SignalRow], policy: Policy) -> tuple[Twins, ...]:
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
    counted = await _counted(connection, list({row.id: row for pair in pairs for row in pair}.values()), policy)
    found = []
    for cause, intake in pairs:
        (one, is_all_of_one), (other, is_all_of_other) = counted[cause.id], counted[intake.id]
        shared = one & other
        if shared and 2 * len(shared) >= min(len(one), len(other)):
            is_all = is_all_of_one and is_all_of_other
            found.append(Twins(cause, intake, len({case_id for case_id, _ in shared}), is_all))
    return tuple(found)


async def twins_of(connection: AsyncConnection, row: SignalRow, policy: Policy, *, at: Viewed) -> tuple[Twins, ...]:
    """Return the twins of one signal, among the latest of the other measure that have not expired.

    Those that a fix has dealt with come first: whether one is open for the same matter must not be overlooked.
    """
    not_over = set(SignalState) - {SignalState.EXPIRED}
    page = await signals(connection, at, states=not_over, cursor=None, limit=LONGEST_PAGE)
    others = [other for other in page.rows if other.measure != row.measure]
    dealt_with = await fixes_of_signals(connection, [other.id for other in others])
    with_fix_first = sorted(others, key=lambda other: other.id not in dealt_with)
    return await twins_among(connection, (row, *with_fix_first), policy)


def _may_meet(one: SignalRow, other: SignalRow) -> bool:
    """Return whether two signals are of places and weeks that have something in common."""
    places = ((one.service, other.service), (one.office, other.office), (one.channel, other.channel))
    return (
        all(a is None or b is None or a == b for a, b in places)
        and one.counted_from < other.counted_before
        and other.counted_from < one.counted_before
    )


async def _counted(
    connection: AsyncConnection, rows: Sequence[SignalRow], policy: Policy
) -> dict[UUID, tuple[frozenset[tuple[UUID, int]], bool]]:
    """Return the newest issues that each signal counts, and whether these are all; one query for them all."""
    if not rows:
        return {}
    issues: dict[UUID, list[tuple[UUID, int]]] = {row.id: [] for row in rows}
    of_them_all: Executable = union_all(*(_of_one(row, policy) for row in rows))
    for signal_id, case_id, number in await connection.execute(of_them_all):
        issues[signal_id].append((case_id, number))
    most = ISSUES_COMPARED
    return {signal_id: (frozenset(each[:most]), len(each) <= most) for signal_id, each in issues.items()}


def _of_one(row: SignalRow, policy: Policy) -> Select[tuple[UUID, UUID, int]]:
    query, asked = _asked(row, policy, None, ISSUES_COMPARED, is_counted=True)
    # Unique, so that the same names may stand in one query for each signal.
    told = query.bindparams(*(bindparam(name, value, unique=True) for name, value in asked.items()))
    issue = told.columns(column("case_id", Uuid), column("number", Integer)).subquery()
    return select(literal(row.id, Uuid), issue.c.case_id, issue.c.number)


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


def _offices_of(region: str | None, policy: Policy) -> tuple[list[str] | None, list[str] | None]:
    """Return the offices of a region (None: any), and those that are none of it: elsewhere is where no policy knows."""
    if region is None:
        return None, None
    offices = policy.agency.offices
    if region == ELSEWHERE:
        return None, [office.id for office in offices]
    return [office.id for office in offices if office.region == region], None
