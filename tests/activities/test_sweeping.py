# SPDX-License-Identifier: Apache-2.0
"""What fell between record and conductor is found again, and nothing else is touched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from activities import sweeping
from activities.sweeping import Sweep, Swept, is_running
from models.terms import Action
from run.codec import CaseKeys, data_converter
from run.relay import Relay
from tests.given import a_command
from tests.letters import lived, opened
from tests.live import OTHER_KEY, Desk, client_of
from tests.record import WRAPPING_KEY, Record, accepted
from tests.servers import TemporalServer

OTHER_WRAPPING_KEY = b"x" * 32
LATER = datetime.now(UTC) + timedelta(minutes=5)


def sweep_of(desk: Desk, now: datetime = LATER) -> Sweep:
    return Sweep(desk.worker_engine, desk.client, wrapping_key=WRAPPING_KEY, clock=lambda: now)


async def relay_all(desk: Desk, client: Client) -> None:
    """Start the workflows of everything that is queued."""
    relay = Relay(client, desk.worker_engine, task_queue=desk.task_queue, in_flight=16, clock=lambda: datetime.now(UTC))
    while await relay.relay_some():
        pass


async def rows(engine: AsyncEngine, query: str) -> list[tuple[object, ...]]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(query))]


async def strike_all(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM receipt_pending"))


@pytest.mark.parametrize("at_a_time", [1, 200])
async def test_everything_lost_with_temporals_store_is_queued_and_started_again(
    desk: Desk, record: Record, owner_engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch, at_a_time: int
) -> None:
    monkeypatch.setattr(sweeping, "RECEIPTS_AT_A_TIME", at_a_time)
    monkeypatch.setattr(sweeping, "CASES_AT_A_TIME", at_a_time)
    bare = [await accepted(record) for _ in range(3)]
    open_ones = [await opened(desk.worker_engine, await accepted(record)) for _ in range(2)]
    other_agency = await accepted(record, agency="lakeside", prefix="LAK")
    await strike_all(owner_engine)

    swept = await sweep_of(desk).sweep()

    assert (swept.receipts_without_case, swept.cases_without_workflow) == (4, 2)
    waiting = await rows(owner_engine, "SELECT case_id, agency FROM receipt_pending")
    lost = {(address.case_id, address.agency) for address in (*bare, other_agency)}
    assert set(waiting) == lost | {(case.id, case.agency) for case in open_ones}
    await relay_all(desk, desk.client)
    assert all([await is_running(desk.client, case.id) for case in open_ones])


async def test_what_is_as_it_should_be_is_left_alone(desk: Desk, record: Record, owner_engine: AsyncEngine) -> None:
    await desk.a_case()
    closed = await opened(desk.worker_engine, await accepted(record))
    await lived(desk.worker_engine, closed, a_command(Action.WITHDRAW, closed))
    await strike_all(owner_engine)
    await sweep_of(desk).sweep()

    assert await sweep_of(desk).sweep() == Swept()
    assert await rows(owner_engine, "SELECT case_id FROM receipt_pending") == []


async def test_a_receipt_of_this_moment_is_on_its_way_and_not_lost(
    desk: Desk, record: Record, owner_engine: AsyncEngine
) -> None:
    await accepted(record, received_at=LATER)
    await strike_all(owner_engine)

    assert (await sweep_of(desk).sweep()).receipts_without_case == 0


async def test_the_workflow_of_a_case_whose_key_is_destroyed_is_ended_and_not_started_again(
    desk: Desk, record: Record, owner_engine: AsyncEngine, temporal_server: TemporalServer
) -> None:
    live = await desk.a_case()
    bare = await accepted(record)
    await strike_all(owner_engine)
    async with owner_engine.begin() as connection:
        await connection.execute(text("UPDATE case_key SET wrapped = NULL, destroyed_at = now()"))
    # Another process, which has never known the key.
    other = await client_of(temporal_server, desk.worker_engine)

    swept = await Sweep(desk.worker_engine, other, wrapping_key=WRAPPING_KEY, clock=lambda: LATER).sweep()

    assert swept.workflows_ended == 1
    assert not await is_running(desk.client, live.address.case_id)
    assert (swept.receipts_without_case, swept.cases_without_workflow) == (0, 0)
    assert not await is_running(desk.client, bare.case_id)
    assert (await sweep_of(desk).sweep()).cases_without_workflow == 0


async def test_a_case_whose_key_does_not_open_is_marked_and_left_alone_until_it_does(
    desk: Desk, record: Record, owner_engine: AsyncEngine, temporal_server: TemporalServer
) -> None:
    bare = await accepted(record)
    opened_case = await opened(desk.worker_engine, await accepted(record))
    keys = CaseKeys(desk.worker_engine, OTHER_WRAPPING_KEY, OTHER_KEY)
    wrong = await Client.connect(
        temporal_server.address, namespace=temporal_server.namespace, data_converter=data_converter(keys)
    )
    mistaken = Sweep(desk.worker_engine, wrong, wrapping_key=OTHER_WRAPPING_KEY, clock=lambda: LATER)
    faults = "SELECT case_id, kind, cleared_at IS NULL FROM fault"
    await relay_all(desk, wrong)

    first, second = await mistaken.sweep(), await mistaken.sweep()

    assert (first.keys_that_do_not_open, second.keys_that_do_not_open) == (2, 2)
    assert (second.receipts_without_case, second.cases_without_workflow) == (0, 0)
    assert await rows(owner_engine, "SELECT case_id FROM receipt_pending") == []
    marked = await rows(owner_engine, faults)
    assert set(marked) == {(case_id, "wrong_master_key", True) for case_id in (bare.case_id, opened_case.id)}

    healed = await sweep_of(desk).sweep()
    await relay_all(desk, desk.client)

    assert healed.keys_that_do_not_open == 0
    assert (healed.receipts_without_case, healed.cases_without_workflow) == (1, 1)
    assert [is_open for *_, is_open in await rows(owner_engine, faults)] == [False, False]
    assert all([await is_running(desk.client, case_id) for case_id in (bare.case_id, opened_case.id)])


async def test_the_sweep_marks_an_open_case_that_lives_under_another_master_key(
    desk: Desk, owner_engine: AsyncEngine
) -> None:
    live = await desk.a_case()
    mistaken = Sweep(desk.worker_engine, desk.client, wrapping_key=OTHER_WRAPPING_KEY, clock=lambda: LATER)

    assert (await mistaken.sweep()).keys_that_do_not_open == 1
    assert await rows(owner_engine, "SELECT case_id, kind FROM fault") == [(live.address.case_id, "wrong_master_key")]


async def test_partitions_are_made_months_ahead(desk: Desk, owner_engine: AsyncEngine) -> None:
    years_later = datetime(2041, 11, 15, tzinfo=UTC)

    swept = await sweep_of(desk, years_later).sweep()

    assert swept.partitions_made == 8
    partitions = await rows(owner_engine, "SELECT to_regclass('case_event_2042_02') IS NOT NULL")
    assert partitions == [(True,)]


async def test_claims_of_a_clock_that_went_wrong_are_cleared_and_others_kept(
    desk: Desk, record: Record, owner_engine: AsyncEngine
) -> None:
    await accepted(record)
    kept = await accepted(record)
    async with owner_engine.begin() as connection:
        await connection.execute(
            text("UPDATE receipt_pending SET claimed_until = CASE WHEN case_id = :kept THEN :soon ELSE :never END"),
            {"kept": kept.case_id, "soon": LATER + timedelta(minutes=30), "never": LATER + timedelta(days=400)},
        )

    swept = await sweep_of(desk).sweep()

    assert swept.claims_cleared == 1
    claims = await rows(owner_engine, "SELECT claimed_until FROM receipt_pending ORDER BY claimed_until")
    assert claims == [(LATER,), (LATER + timedelta(minutes=30),)]
