# SPDX-License-Identifier: Apache-2.0
"""The read model: rows made of a case, nothing else, so that all of it can be made again from the events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Table, delete, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from models.aggregates import Cell
from models.case import Case
from models.clocks import Clock, Rules, clocks_of, next_due
from models.commands import NoFailure, ProcessFailure
from models.events import Event
from models.messages import ContentRef
from models.tables.aggregates import cell_delta, queue_delta
from models.tables.cases import case_clock, case_file, case_issue, case_tag, outbox, outbox_pending

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""Stands in queue_at where nothing is due, so that a queue has one order and one index."""
_NOT_UPDATED = {"case_id", "agency", "reference"}


def file_row(case: Case, rules: Rules, last_hash: bytes) -> dict[str, Any]:
    """Return the case's row of `case_file`."""
    due = None if case.state.is_final else next_due(case, rules)
    return {
        "case_id": case.id,
        "agency": case.agency,
        "reference": case.receipt.reference,
        "state": case.state.value,
        "stage": case.state.stage.value,
        "is_open": not case.state.is_final,
        "is_history": case.is_history,
        "sequence": case.sequence,
        "last_hash": last_hash,
        "received_at": case.receipt.received_at,
        "sort_at": case.counted_from,
        "channel": case.receipt.channel,
        "service": case.service,
        "category": case.category,
        "office": case.office,
        "severity": case.severity,
        "track": case.track.value,
        "team": case.team,
        "owner": case.owner,
        "attention": list(case.attention),
        "event_id": case.receipt.event_id,
        "follow_up_on": case.follow_up_on,
        "due_clock": due.name.value if due else None,
        "due_at": due.due_at if due else None,
        "queue_at": due.due_at if due else NEVER,
        "review_round": case.review_round,
        "answered_at": case.answered_at,
        "closed_at": case.closed_at,
        "last_event_at": case.last_event_at,
        "policy_version": case.policy_version,
        "snapshot": case.model_dump(mode="json", exclude_none=True),
    }


def issue_rows(case: Case) -> Iterator[dict[str, Any]]:
    """Return the case's rows of `case_issue`."""
    for issue in case.issues:
        yield {
            "case_id": case.id,
            "number": issue.number,
            "agency": case.agency,
            "service": issue.service,
            "category": issue.category,
            "finding": issue.finding.value if issue.finding else None,
            "remedies": [remedy.value for remedy in issue.remedies],
        }


def tag_rows(case: Case) -> Iterator[dict[str, Any]]:
    """Return the case's rows of `case_tag`: one for each coded issue."""
    for issue in case.issues:
        if issue.cause is None:
            continue
        failure = issue.cause if isinstance(issue.cause, ProcessFailure) else None
        yield {
            "case_id": case.id,
            "number": issue.number,
            "agency": case.agency,
            "failure": failure.failure if failure else None,
            "no_failure": issue.cause.reason if isinstance(issue.cause, NoFailure) else None,
            "contributing_cause": failure.contributing_cause if failure else None,
            "severity": failure.severity if failure else None,
            "harm": failure.harm if failure else None,
            "scope": failure.scope.value if failure else None,
            "service": issue.service or case.service,
            "office": case.office,
            "channel": case.receipt.channel,
            "received_on": case.received_on,
            "tagged_at": case.last_event_at,
        }


def clock_rows(case: Case, clocks: tuple[Clock, ...]) -> Iterator[dict[str, Any]]:
    """Return the case's rows of `case_clock`."""
    for run, clock in enumerate(clocks):
        yield {
            "case_id": case.id,
            "run": run,
            "clock": clock.name.value,
            "agency": case.agency,
            "started_at": clock.started_at,
            "stopped_at": clock.stopped_at,
            "due_at": clock.due_at,
            "is_paused": clock.paused_since is not None,
        }


def cell_rows(case: Case, differences: list[tuple[Cell, int]], happened_at: datetime) -> Iterator[dict[str, Any]]:
    """Return rows of `cell_delta`."""
    for cell, change in differences:
        yield {
            "agency": case.agency,
            "case_id": case.id,
            "measure": cell.measure,
            "code": cell.code,
            "service": cell.service,
            "office": cell.office,
            "channel": cell.channel,
            "week": cell.week,
            "change": change,
            "happened_at": happened_at,
        }


async def write_case(connection: AsyncConnection, before: Case, after: Case, rules: Rules, last_hash: bytes) -> None:
    """Write what changed of the case's rows."""
    row = file_row(after, rules, last_hash)
    statement = upsert(case_file).values(row)
    renewed = {name: statement.excluded[name] for name in row if name not in _NOT_UPDATED}
    await connection.execute(statement.on_conflict_do_update(index_elements=["case_id"], set_=renewed))
    if before.issues != after.issues:
        await _replace(connection, case_issue, after.id, list(issue_rows(after)), had_some=bool(before.issues))
    had_tags = any(issue.cause for issue in before.issues)
    has_tags = any(issue.cause for issue in after.issues)
    if before.issues != after.issues and (had_tags or has_tags):
        await _replace(connection, case_tag, after.id, list(tag_rows(after)), had_some=had_tags)
    clocks = clocks_of(after, rules)
    if before.sequence == 0 or clocks != clocks_of(before, rules):
        await _replace(connection, case_clock, after.id, list(clock_rows(after, clocks)), had_some=bool(before.clocks))


async def replace_case(connection: AsyncConnection, case: Case, rules: Rules, last_hash: bytes) -> None:
    """Write every row of the case anew, whatever stood there."""
    await connection.execute(delete(case_file).where(case_file.c.case_id == case.id))
    await connection.execute(insert(case_file), [file_row(case, rules, last_hash)])
    await _replace(connection, case_issue, case.id, list(issue_rows(case)), had_some=True)
    await _replace(connection, case_tag, case.id, list(tag_rows(case)), had_some=True)
    await _replace(connection, case_clock, case.id, list(clock_rows(case, clocks_of(case, rules))), had_some=True)


async def write_differences(
    connection: AsyncConnection,
    case: Case,
    cells: list[tuple[Cell, int]],
    queues: list[tuple[str, int]],
    happened_at: datetime,
) -> None:
    """Append the deltas of an event, or of a correction."""
    if cells:
        await connection.execute(insert(cell_delta), list(cell_rows(case, cells, happened_at)))
    if queues:
        rows = [{"agency": case.agency, "case_id": case.id, "queue": q, "change": n} for q, n in queues]
        await connection.execute(insert(queue_delta), rows)


async def write_letters(connection: AsyncConnection, rows: list[dict[str, Any]]) -> None:
    """Put letters into the outbox and wake whoever sends them."""
    if rows:
        await connection.execute(insert(outbox), rows)
        await connection.execute(insert(outbox_pending), [{"id": r["id"], "agency": r["agency"]} for r in rows])
        await connection.execute(text("SELECT pg_notify('outbox', '')"))


_ADD_WORDS = text("""
    INSERT INTO case_search (case_id, agency, sort_at, words)
    SELECT :case_id, :agency, :sort_at,
           to_tsvector('simple', :reference) || coalesce(words_of(array_agg(body)), ''::tsvector)
    FROM content WHERE case_id = :case_id AND id = ANY (:ids)
    ON CONFLICT (case_id) DO UPDATE SET words = case_search.words || excluded.words
""")


async def add_words(connection: AsyncConnection, case: Case, ids: list[UUID]) -> None:
    """Make the texts with these ids findable."""
    if ids or case.sequence == 1:
        await connection.execute(
            _ADD_WORDS,
            {
                "case_id": case.id,
                "agency": case.agency,
                "sort_at": case.counted_from,
                "reference": case.receipt.reference,
                "ids": ids,
            },
        )


def content_ids(event: Event) -> list[UUID]:
    """Return the ids of all texts that an event's command refers to."""
    return list(_refs(event.command))


def _refs(value: object) -> Iterator[UUID]:
    if isinstance(value, ContentRef):
        yield value.id
    elif isinstance(value, tuple):
        for item in value:
            yield from _refs(item)
    elif hasattr(type(value), "model_fields"):
        for name in type(value).model_fields:  # type: ignore[attr-defined]  # checked in the line above
            yield from _refs(getattr(value, name))


async def _replace(
    connection: AsyncConnection, table: Table, case_id: UUID, rows: list[dict[str, Any]], *, had_some: bool
) -> None:
    if had_some:
        await connection.execute(delete(table).where(table.c.case_id == case_id))
    if rows:
        await connection.execute(insert(table), rows)


async def stored_case(connection: AsyncConnection, case_id: UUID) -> tuple[Case, bytes] | None:
    """Return the case as the read model has it and its last hash, locking the row, or None."""
    query = select(case_file.c.snapshot, case_file.c.last_hash).where(case_file.c.case_id == case_id).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    return (Case.model_validate(row.snapshot), row.last_hash) if row else None
