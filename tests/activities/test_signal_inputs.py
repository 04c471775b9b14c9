# SPDX-License-Identifier: Apache-2.0
"""What the look reads of the record, as it was at the end of a day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.database import transaction
from activities.exposure import Served, record_exposure
from activities.folding import fold_deltas
from activities.signal_inputs import Inputs, inputs_of
from analytics.cube import Cell, week_of
from models.policy import Policy
from run.exposure import BadExposure, read_exposure
from run.policy_folder import read_policy
from tests.counts import AGENCY, PLANTED, SUNDAY, case_of, count, planted
from tests.fix_record import an_opening, lived_fix, opened_fix
from tests.given_fixes import TARGET, TO_THE_END, WORKED_OUT
from tests.record import Record

POLICY: Policy = read_policy(Path(__file__).parents[2] / "policy")
OPENED_AT = datetime(2026, 3, 2, 15, tzinfo=UTC)
MONDAY = SUNDAY - timedelta(days=6)


async def read(engine: AsyncEngine, as_of: date = SUNDAY, today: date | None = None) -> Inputs:
    async with transaction(engine, AGENCY) as connection:
        return await inputs_of(connection, AGENCY, as_of, [], today=today or as_of + timedelta(days=1))


async def run(engine: AsyncEngine, statement: str, **told: Any) -> None:
    async with transaction(engine, AGENCY) as connection:
        await connection.execute(text(statement), told)


async def test_issues_are_read_with_their_case_harm_and_letter_as_known_on_the_day(worker_engine: AsyncEngine) -> None:
    one, copy, *_ = (replace(told, harm=3) for told in planted(weeks=(-1,)))
    await count(worker_engine, [one, copy, replace(one, change=-1)])
    copied = "INSERT INTO text_copy VALUES (:case, 'riverbend', :of, 0.9, :found_at)"
    found_at = datetime(2026, 3, 2, 3, tzinfo=UTC)  # still Sunday evening where the agency is
    await run(worker_engine, copied, case=case_of(copy), of=case_of(one), found_at=found_at)

    known = {issue.case_id: issue for issue in (await read(worker_engine)).issues}
    before = {issue.case_id: issue for issue in (await read(worker_engine, SUNDAY - timedelta(days=1))).issues}

    first, second = known[case_of(one)], known[case_of(copy)]
    assert (first.count, first.harm, first.code, first.office) == (one.change - 1, 3, PLANTED[0], PLANTED[2])
    assert first.letter == second.letter == case_of(one)
    assert before[case_of(copy)].letter == case_of(copy)


async def test_what_is_known_of_circumstances_is_read_as_it_was_known_on_the_day(worker_engine: AsyncEngine) -> None:
    told, unasked, *_ = planted(weeks=(-1,))
    at_triage = datetime(2026, 3, 1, 18, tzinfo=UTC)
    moved = [
        replace(told, change=-told.change, happened_at=at_triage),
        replace(told, vulnerable=True, happened_at=at_triage),
    ]
    await count(worker_engine, [told, unasked, *moved])

    known = {issue.case_id: issue for issue in (await read(worker_engine)).issues}
    before = {issue.case_id: issue for issue in (await read(worker_engine, SUNDAY - timedelta(days=1))).issues}

    assert (known[case_of(told)].vulnerable, known[case_of(told)].count) == (True, told.change)
    assert known[case_of(unasked)].vulnerable is None
    assert before[case_of(told)].vulnerable is None


async def test_when_causes_were_confirmed_is_the_same_folded_or_not(worker_engine: AsyncEngine) -> None:
    late = [replace(one, happened_at=datetime(2026, 2, 27, 18, tzinfo=UTC)) for one in planted(weeks=(-3, -1))]
    await count(worker_engine, late)
    unfolded = (await read(worker_engine)).confirmed
    await fold_deltas(worker_engine, AGENCY, "cell")

    folded = (await read(worker_engine)).confirmed

    assert folded == unfolded
    assert {(row.week, row.on) for row in folded} == {
        (MONDAY - timedelta(weeks=2), date(2026, 2, 27)),
        (MONDAY, date(2026, 2, 27)),
    }
    assert (await read(worker_engine, date(2026, 2, 26))).confirmed == []


async def test_people_served_are_told_once_and_a_correction_stands_beside(worker_engine: AsyncEngine) -> None:
    told = [Served("benefits", "harbor", MONDAY - timedelta(weeks=week), 100 + week) for week in range(3)]
    today = datetime.now(UTC).date() + timedelta(days=1)

    new = [await record_exposure(worker_engine, AGENCY, told) for _ in range(2)]
    corrected = await record_exposure(worker_engine, AGENCY, [replace(told[0], served=7), *told[1:]])

    assert [*new, corrected] == [3, 0, 1]
    assert {one.week: one.count for one in (await read(worker_engine, today)).served} == {
        week_of(MONDAY): 7.0,
        week_of(MONDAY) - 1: 101.0,
        week_of(MONDAY) - 2: 102.0,
    }
    assert (await read(worker_engine, SUNDAY)).served == []  # not known then


async def test_chances_are_of_issues_nobody_has_coded(worker_engine: AsyncEngine) -> None:
    suggested = """
        INSERT INTO case_file SELECT (jsonb_populate_record(NULL::case_file, jsonb_build_object(
            'case_id', CAST(:id AS text), 'agency', 'riverbend', 'reference', CAST(:id AS text),
            'state', CAST(:state AS text), 'stage', 'intake', 'is_open', true, 'is_history', false, 'sequence', 1,
            'last_hash', '', 'channel', 'web', 'sort_at', '2026-02-25T12:00:00Z',
            'service', 'benefits', 'office', 'harbor', 'track', 'standard',
            'attention', '[]'::jsonb, 'queue_at', '2026-03-05T12:00:00Z', 'review_round', 0,
            'last_event_at', '2026-02-25T12:00:00Z', 'policy_version', 1, 'snapshot', '{}'::jsonb))).*
    """
    chances = """
        INSERT INTO text_suggestion (case_id, number, kind, agency, version, codes, chances, abstained, words, made_at)
        VALUES (CAST(:id AS uuid), 1, 'failure', 'riverbend', 1, '{HND3,TIM2}', '{0.7,0.2}', false, '{}',
                '2026-02-26T12:00:00Z')
    """
    tagged = """
        INSERT INTO case_tag (case_id, number, agency, failure, channel, tagged_at)
        VALUES (CAST(:id AS uuid), 1, 'riverbend', 'HND3', 'web', '2026-02-27T12:00:00Z')
    """
    for number, state in ((1, "received"), (2, "received"), (3, "withdrawn")):
        await run(worker_engine, suggested, id=str(UUID(int=number)), state=state)
        await run(worker_engine, chances, id=str(UUID(int=number)))
    await run(worker_engine, tagged, id=str(UUID(int=2)))

    (one,) = (await read(worker_engine)).chances

    assert one.by_code == {"HND3": 0.7, "TIM2": 0.2}
    assert (one.service, one.office, one.channel, one.week) == ("benefits", "harbor", "web", week_of(MONDAY))
    assert (await read(worker_engine, date(2026, 2, 25))).chances == []
    assert (await read(worker_engine, today=SUNDAY + timedelta(days=7))).chances != []  # the week is not over yet
    assert (await read(worker_engine, today=SUNDAY + timedelta(days=8))).chances == []  # a past week: nobody knows


async def test_a_fix_in_place_is_left_out_until_it_is_judged(record: Record, worker_engine: AsyncEngine) -> None:
    fix = await opened_fix(worker_engine, await an_opening(record, opened_at=OPENED_AT))
    fix = await lived_fix(worker_engine, fix, *WORKED_OUT, *TO_THE_END[:3])
    assert fix.changed_on is not None
    assert fix.last_event_at is not None
    in_place, days = week_of(fix.changed_on), timedelta(weeks=3)

    watched = (await read(worker_engine, fix.last_event_at.date() + days)).left_out
    before = (await read(worker_engine, fix.last_event_at.date() - timedelta(days=2))).left_out
    fix = await lived_fix(worker_engine, fix, TO_THE_END[3])
    assert fix.last_event_at is not None
    judged = (await read(worker_engine, fix.last_event_at.date() + 10 * days)).left_out

    cell = Cell(TARGET.family or "", TARGET.code or "", service=TARGET.service or "", office=TARGET.office or "")
    assert [(measure, one.cell, one.first_week) for measure, one in watched] == [("cause", cell, in_place)]
    assert watched[0][1].last_week == week_of(fix.last_event_at.date() + days)
    assert judged[0][1].last_week == week_of(fix.last_event_at.date())
    assert before == []


def a_file(folder: Path, *lines: str) -> Path:
    file = folder / "served.csv"
    file.write_text("\n".join(("service,office,week,served", *lines)) + "\n", "utf-8")
    return file


def test_a_file_of_people_served_is_read_whole(tmp_path: Path) -> None:
    file = a_file(tmp_path, "benefits,harbor,2026-02-23,120", " benefits , central ,2026-02-23,0")

    assert read_exposure(file, POLICY) == [
        Served("benefits", "harbor", MONDAY, 120),
        Served("benefits", "central", MONDAY, 0),
    ]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("beneffits,harbor,2026-02-23,1", "no service 'beneffits'"),
        ("benefits,moon,2026-02-23,1", "no office 'moon'"),
        ("benefits,harbor,2026-02-25,1", "its Monday, 2026-02-23"),
        ("benefits,harbor,soon,1", "'soon' is no date"),
        ("benefits,harbor,2026-02-23,-1", "no whole number"),
        ("benefits,harbor,2026-02-23,1.5", "no whole number"),
        ("benefits,harbor,2026-02-23," + "9" * 6_000, "no whole number"),
        ("benefits,harbor,2026-02-23", "4 fields"),
        ("benefits,harbor,2026-03-02,5", "stand in an earlier line"),
    ],
)
def test_every_bad_row_is_named_by_its_line_and_nothing_is_taken(tmp_path: Path, line: str, fault: str) -> None:
    file = a_file(tmp_path, "benefits,harbor,2026-03-02,5", line)

    with pytest.raises(BadExposure, match="1 bad row") as refused:
        read_exposure(file, POLICY)

    assert "ine 3: " in refused.value.faults[0]
    assert fault in refused.value.faults[0]


def test_a_file_with_other_columns_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.csv"
    file.write_text("service,place,week,served\n", "utf-8")

    with pytest.raises(BadExposure, match="service,office,week,served"):
        read_exposure(file, POLICY)
