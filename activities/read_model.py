# SPDX-License-Identifier: Apache-2.0
"""The read model: rows made of a case, nothing else, so that all of it can be made again from the events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from models.aggregates import Cell
from models.case import Case
from models.clocks import Clock, Rules, clocks_of, next_due
from models.commands import NoFailure, ProcessFailure
from models.events import Event
from models.messages import ContentRef
from models.tables.cases import case_file

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""Stands in queue_at where nothing is due, so that a queue has one order and one index."""


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
        "vulnerable": case.vulnerable,
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
            "harm": cell.harm,
            "vulnerable": cell.vulnerable,
            "change": change,
            "happened_at": happened_at,
        }


def queue_rows(case: Case, differences: list[tuple[str, int]]) -> Iterator[dict[str, Any]]:
    """Return rows of `queue_delta`."""
    for queue, change in differences:
        yield {"agency": case.agency, "case_id": case.id, "queue": queue, "change": change}


@dataclass(frozen=True, slots=True)
class CaseRows:
    """A case's rows as `put_case` takes them; a part that is None has not changed."""

    file: dict[str, Any]
    issues: list[dict[str, Any]] | None
    tags: list[dict[str, Any]] | None
    clocks: list[dict[str, Any]] | None

    def parameters(self) -> dict[str, str | None]:
        """Return the parts as parameters of SQL."""
        return {
            "file": as_json(self.file),
            "issues": None if self.issues is None else as_json(self.issues),
            "tags": None if self.tags is None else as_json(self.tags),
            "clocks": None if self.clocks is None else as_json(self.clocks),
        }


def all_rows(case: Case, coded: Case, rules: Rules, last_hash: bytes) -> CaseRows:
    """Return every row of the case; `coded` is the case when its issues last changed, for its tags are of that time."""
    return CaseRows(
        file=file_row(case, rules, last_hash),
        issues=list(issue_rows(case)),
        tags=list(tag_rows(coded)),
        clocks=list(clock_rows(case, clocks_of(case, rules))),
    )


def changed_rows(before: Case, after: Case, rules: Rules, last_hash: bytes) -> CaseRows:
    """Return the rows that differ after an event; the case's own row always does."""
    has_tags = any(issue.cause for issue in (*before.issues, *after.issues))
    same_issues = before.issues == after.issues
    same_clocks = (before.clocks, before.pauses, before.track) == (after.clocks, after.pauses, after.track)
    return CaseRows(
        file=file_row(after, rules, last_hash),
        issues=None if same_issues else list(issue_rows(after)),
        tags=None if same_issues or not has_tags else list(tag_rows(after)),
        clocks=None if same_clocks else list(clock_rows(after, clocks_of(after, rules))),
    )


def as_json(rows: object) -> str:
    """Return rows as the SQL functions read them: bytes in PostgreSQL's hexadecimal spelling."""
    return json.dumps(rows, default=_plain, ensure_ascii=False)


def _plain(value: object) -> str:
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    return value.isoformat() if isinstance(value, date) else str(value)


_PUT_CASES = text("""
    SELECT put_case(one -> 'file', one -> 'issues', one -> 'tags', one -> 'clocks')
    FROM jsonb_array_elements(CAST(:cases AS jsonb)) AS one
""")
_ADD_DELTAS = text("SELECT add_deltas(CAST(:cells AS jsonb), CAST(:queues AS jsonb))")


async def replace_cases(connection: AsyncConnection, cases: list[CaseRows]) -> None:
    """Write all rows of some cases anew, whatever stood there.

    A case's own row is renewed, never deleted: whoever waits for its lock would find no case.
    """
    await connection.execute(_PUT_CASES, {"cases": as_json([asdict(rows) for rows in cases])})


async def write_differences(
    connection: AsyncConnection,
    case: Case,
    cells: list[tuple[Cell, int]],
    queues: list[tuple[str, int]],
    happened_at: datetime,
) -> None:
    """Append deltas that correct what a case adds to the counts."""
    rows = {
        "cells": as_json(list(cell_rows(case, cells, happened_at))),
        "queues": as_json(list(queue_rows(case, queues))),
    }
    await connection.execute(_ADD_DELTAS, rows)


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


async def stored_case(connection: AsyncConnection, case_id: UUID) -> tuple[Case, bytes] | None:
    """Return the case as the read model has it and its last hash, locking the row, or None."""
    query = select(case_file.c.snapshot, case_file.c.last_hash).where(case_file.c.case_id == case_id).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    return (Case.model_validate(row.snapshot), row.last_hash) if row else None
