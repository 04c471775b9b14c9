# SPDX-License-Identifier: Apache-2.0
"""The nightly reading through Temporal: every night at two, where the agency is."""

from __future__ import annotations

from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import ScheduleActionStartWorkflow, ScheduleOverlapPolicy

from activities.database import transaction
from activities.interface import TextRun
from activities.text_apart import SumDied
from run import schedules
from run.schedules import keep_schedules, texts_id
from run.settings import Settings
from run.worker import learn_first, read_texts
from tests.given import a_policy
from tests.live import Desk, work_of
from tests.texts import AGENCY, told, write
from workflows.text import TextWorkflow

ZONE = ZoneInfo(a_policy().agency.time_zone)


@pytest.fixture
def settings(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a worker, whose schedules are its own on a server that tests share."""
    for name in ("root_cause_id", "texts_id"):
        monkeypatch.setattr(schedules, name, lambda agency, name=name: f"{name}/{agency}/{desk.task_queue}")
    return Settings(task_queue=desk.task_queue)


async def counted(engine: AsyncEngine, table: str) -> int:
    async with transaction(engine, AGENCY) as connection:
        return int(await connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


async def test_a_night_learns_reads_and_looks_at_the_week(desk: Desk, worker_engine: AsyncEngine) -> None:
    await write(worker_engine, [*told(15, seed=1), *told(1, seed=2, is_coded=False)])

    looked = await desk.client.execute_workflow(
        TextWorkflow.run, TextRun(agency=AGENCY), id=f"texts/{uuid4()}", task_queue=desk.task_queue
    )

    assert await counted(worker_engine, "text_model") == 3
    assert await counted(worker_engine, "text_suggestion") == 8
    assert await counted(worker_engine, "text_drift") == 2
    assert (looked.changed, looked.new_failures) == (0, 0)


async def test_every_agency_has_its_night_at_two_where_it_is(
    desk: Desk, worker_engine: AsyncEngine, settings: Settings
) -> None:
    await keep_schedules(desk.client, worker_engine, settings)

    description = await desk.client.get_schedule_handle(schedules.texts_id(AGENCY)).describe()

    upcoming = [at.astimezone(ZONE) for at in description.info.next_action_times]
    assert upcoming
    assert {(at.hour, at.minute) for at in upcoming} == {(2, 0)}
    assert len({at.date() for at in upcoming}) == len(upcoming)
    assert description.schedule.policy.overlap is ScheduleOverlapPolicy.SKIP
    assert isinstance(description.schedule.action, ScheduleActionStartWorkflow)
    (run,) = await desk.client.data_converter.decode(description.schedule.action.args, [TextRun])
    assert run == TextRun(agency=AGENCY)


async def test_an_agency_that_has_never_learnt_does_not_wait_for_the_night(worker_engine: AsyncEngine) -> None:
    texts = work_of(worker_engine).texts
    await learn_first(worker_engine, texts)
    assert await counted(worker_engine, "text_model") == 0
    await write(worker_engine, [*told(15, seed=1), *told(1, seed=2, is_coded=False)])

    await learn_first(worker_engine, texts)
    before = await counted(worker_engine, "text_suggestion")
    await write(worker_engine, told(2, seed=3))
    await learn_first(worker_engine, texts)

    assert before == 8
    assert await counted(worker_engine, "text_model") == 3


async def test_learning_and_reading_that_fail_for_one_agency_go_on_with_the_others(
    worker_engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    texts, done = work_of(worker_engine).texts, []

    async def fails_once(agency: str, _: object) -> None:
        done.append(agency)
        if len(done) == 1:
            raise SumDied("words of a complaint")

    for work, name in ((learn_first(worker_engine, texts), "first_night"), (read_texts(worker_engine, texts), "")):
        done.clear()
        caplog.clear()
        monkeypatch.setattr(texts if name else texts.reader, name or "read_lately", fails_once)
        await work
        assert sorted(done) == ["lakeside", AGENCY]
        assert f"failed for {done[0]} (SumDied), going on" in caplog.text
        assert "words of a complaint" not in caplog.text


async def test_a_record_that_is_away_is_left_to_whoever_waits_for_it(
    worker_engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = work_of(worker_engine).texts

    async def away(*_: object) -> None:
        raise OperationalError("SELECT", {}, OSError("away"))

    monkeypatch.setattr(texts, "first_night", away)
    with pytest.raises(OperationalError):
        await learn_first(worker_engine, texts)


def test_schedules_are_named_after_their_agency() -> None:
    assert texts_id(AGENCY) == "texts/riverbend"
