# SPDX-License-Identifier: Apache-2.0
"""Every delta is counted once, however many fold and however late it commits."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.database import transaction
from activities.folding import Kind, cell_totals, fold_deltas, queue_totals
from models.aggregates import Cell, cells_of, queues_of
from models.case import Case
from models.terms import Action
from tests.given import MONDAY, a_command, a_receipt
from tests.letters import lived, opened
from tests.record import Record, accepted

KINDS: tuple[Kind, Kind] = ("cell", "queue")


async def fold_all(engine: AsyncEngine) -> None:
    for kind in KINDS:
        await fold_deltas(engine, "riverbend", kind)


async def counted(engine: AsyncEngine) -> tuple[dict[Cell, int], dict[str, int]]:
    async with transaction(engine, "riverbend") as connection:
        return await cell_totals(connection, "riverbend"), await queue_totals(connection, "riverbend")


async def folded(engine: AsyncEngine, table: str) -> int:
    async with transaction(engine, "riverbend") as connection:
        return int((await connection.execute(text(f"SELECT coalesce(sum(total), 0) FROM {table}"))).scalar_one())


async def some_cases(record: Record, engine: AsyncEngine) -> list[Case]:
    cases = [await opened(engine, await accepted(record)) for _ in range(3)]
    return [await lived(engine, case, a_command(Action.TRIAGE, case)) for case in cases]


def expected(cases: list[Case]) -> tuple[dict[Cell, int], dict[str, int]]:
    cells: dict[Cell, int] = {}
    queues: dict[str, int] = {}
    for case in cases:
        for cell, number in cells_of(case).items():
            summed = replace(cell, harm=None)
            cells[summed] = cells.get(summed, 0) + number
        for queue in queues_of(case):
            queues[queue] = queues.get(queue, 0) + 1
    return cells, queues


async def test_counts_are_the_same_before_and_after_folding(record: Record, worker_engine: AsyncEngine) -> None:
    cases = await some_cases(record, worker_engine)
    before = await counted(worker_engine)
    await fold_all(worker_engine)
    cases.append(await opened(worker_engine, await accepted(record)))

    assert before == expected(cases[:3])
    assert await folded(worker_engine, "queue_total") > 0
    assert await counted(worker_engine) == expected(cases)
    await fold_all(worker_engine)
    assert await counted(worker_engine) == expected(cases)


async def test_the_api_counts_queues_by_the_same_view_and_sees_its_own_agency_alone(
    record: Record, worker_engine: AsyncEngine, api_engine: AsyncEngine
) -> None:
    cases = await some_cases(record, worker_engine)
    await fold_all(worker_engine)
    cases.append(await opened(worker_engine, await accepted(record)))
    await opened(worker_engine, await accepted(record, agency="lakeside", prefix="LAK"))

    async with api_engine.begin() as connection:
        await connection.execute(text("SELECT set_config('putright.agency', 'riverbend', true)"))
        numbers = await connection.execute(text("SELECT queue, sum(number) AS total FROM queue_number GROUP BY queue"))
        seen = {row.queue: row.total for row in numbers if row.total}

    assert seen == expected(cases)[1]


async def test_many_who_fold_at_once_count_each_delta_once(record: Record, worker_engine: AsyncEngine) -> None:
    cases = await some_cases(record, worker_engine)
    await asyncio.gather(*(fold_all(worker_engine) for _ in range(6)))
    cases += await some_cases(record, worker_engine)

    await asyncio.gather(*(fold_all(worker_engine) for _ in range(6)))

    assert await folded(worker_engine, "queue_total") == sum(expected(cases)[1].values())
    assert await counted(worker_engine) == expected(cases)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_delta_that_commits_late_is_counted_once(
    record: Record, worker_engine: AsyncEngine, kind: Kind
) -> None:
    case = a_receipt()
    insert = {
        "queue": "INSERT INTO queue_delta (agency, case_id, queue, change) VALUES ('riverbend', :id, 'open', 1)",
        "cell": "INSERT INTO cell_delta (agency, case_id, measure, code, service, office, channel, week, change,"
        " happened_at) VALUES ('riverbend', :id, 'intake', 'delay', '', '', 'web', '2026-03-02', 1, now())",
    }[kind]
    totals = {"queue": queue_totals, "cell": cell_totals}[kind]
    async with transaction(worker_engine, "riverbend") as late:
        await late.execute(text(insert), {"id": case.case_id})
        async with transaction(worker_engine, "riverbend") as early:
            await early.execute(text(insert), {"id": case.case_id})
        await fold_deltas(worker_engine, "riverbend", kind)
        async with transaction(worker_engine, "riverbend") as reader:
            assert list((await totals(reader, "riverbend")).values()) == [1]  # type: ignore[operator]

    for _ in range(2):
        async with transaction(worker_engine, "riverbend") as reader:
            assert list((await totals(reader, "riverbend")).values()) == [2]  # type: ignore[operator]
        await fold_deltas(worker_engine, "riverbend", kind)


async def test_cells_can_be_summed_as_of_a_past_day(record: Record, worker_engine: AsyncEngine) -> None:
    await some_cases(record, worker_engine)
    day = MONDAY.date()

    for _ in range(2):
        async with transaction(worker_engine, "riverbend") as connection:
            assert await cell_totals(connection, "riverbend", day - timedelta(days=1)) == {}
            assert sum((await cell_totals(connection, "riverbend", day)).values()) == 3
        await fold_all(worker_engine)


async def test_another_agency_is_not_counted(record: Record, worker_engine: AsyncEngine) -> None:
    await some_cases(record, worker_engine)
    await fold_all(worker_engine)

    async with transaction(worker_engine, "lakeside") as connection:
        assert await queue_totals(connection, "lakeside") == {}
        assert await queue_totals(connection, "riverbend") == {}
