# SPDX-License-Identifier: Apache-2.0
"""The weekly look on the record: what is flagged, what is the same signal, and what a past day gives."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.database import transaction
from activities.folding import fold_deltas
from activities.interface import RootCauseLook, RootCauseOutcome, RootCauseRun
from activities.policies import Policies
from activities.root_causes import DatabaseRootCauses
from analytics.lifetime import Ledger, LifetimeSettings, level_of
from models.aggregates import EVENT_CHANNEL
from tests.counts import (
    AGENCY,
    FAILURES,
    OFFICES,
    PAST_WEEKS,
    PLANTED,
    SERVICES,
    SUNDAY,
    USUAL_PER_WEEK,
    case_of,
    count,
    planted,
    usual,
)

ZONE = ZoneInfo("America/Chicago")
ASKED_AT = datetime(2026, 6, 1, tzinfo=UTC)


async def look(engine: AsyncEngine, as_of: date | None = SUNDAY, agency: str = AGENCY) -> RootCauseOutcome:
    """Look as a worker does that has just been started."""
    run = RootCauseRun(agency=agency, as_of=as_of)
    return await DatabaseRootCauses(engine, Policies()).flag_recurring_failures(
        RootCauseLook(run=run, asked_at=ASKED_AT)
    )


async def rows(engine: AsyncEngine, query: str, agency: str = AGENCY) -> list[dict[str, Any]]:
    async with transaction(engine, agency) as connection:
        return [dict(row) for row in (await connection.execute(text(query))).mappings()]


async def kept(engine: AsyncEngine) -> list[list[dict[str, Any]]]:
    """Return all that looks have left in the record."""
    tables = {"signal": "id", "signal_week": "signal_id, as_of", "signal_run": "as_of, inputs_hash"}
    return [await rows(engine, f"SELECT * FROM {table} ORDER BY {order}") for table, order in tables.items()]


async def budgets(engine: AsyncEngine, look_at: str = "cause") -> list[dict[str, Any]]:
    """Return what the runs keep of one budget, in the order of the days and of the looks of a day."""
    runs = await rows(engine, "SELECT settings FROM signal_run ORDER BY as_of, ran_at")
    return [run["settings"]["lifetime"][look_at] for run in runs]


async def weeks_of(engine: AsyncEngine, signal_id: UUID) -> list[date]:
    found = await rows(engine, f"SELECT as_of FROM signal_week WHERE signal_id = '{signal_id}' ORDER BY as_of")
    return [row["as_of"] for row in found]


@pytest.fixture
async def troubled(worker_engine: AsyncEngine) -> AsyncEngine:
    """The record of an agency in which documents are lost three to four times as often as usual, in one place."""
    await count(worker_engine, [*usual(), *planted()])
    return worker_engine


async def test_a_failure_that_has_tripled_is_flagged_with_all_its_evidence(troubled: AsyncEngine) -> None:
    outcome = await look(troubled)

    (signal,) = await rows(troubled, "SELECT * FROM signal")
    (week,) = await rows(troubled, "SELECT * FROM signal_week")
    truth = [one for one in (*usual(), *planted()) if (one.code, one.service, one.office) == PLANTED]
    window_begins = SUNDAY - timedelta(weeks=week["window_weeks"])
    assert outcome.raised == (signal["id"],)
    assert outcome.seen_again == ()
    assert (signal["measure"], signal["family"], signal["raised_on"]) == ("cause", "HND", SUNDAY)
    assert (signal["code"], signal["service"], signal["office"]) == PLANTED
    assert signal["began_week"] == SUNDAY - timedelta(days=27)
    assert signal["decide_by"] == date(2026, 3, 16)
    assert week["observed"] == sum(one.change for one in truth if one.week > window_begins)
    assert week["expected"] == pytest.approx(USUAL_PER_WEEK * week["window_weeks"], rel=0.3)
    assert week["expected"] < week["threshold"] < week["observed"]
    assert week["p_value"] < 0.01
    assert week["q_value"] <= 0.10
    assert week["sentences"][0] == outcome.sentences[0]
    behind = {case_of(one) for one in truth if one.week > window_begins}
    assert week["evidence"]["issues"] == week["observed"] > week["evidence"]["complaints"] == len(behind)
    counted = f"{week['observed']} issues in {len(behind)} complaints in {week['window_weeks']} weeks"
    assert counted in outcome.sentences[0]
    assert f"more than {week['threshold']} is unusual" in week["sentences"][0]
    assert "It began in the week of February 2, 2026" in week["sentences"][1]


async def test_the_evidence_is_what_chart_and_list_are_drawn_from(troubled: AsyncEngine) -> None:
    await look(troubled)

    (week,) = await rows(troubled, "SELECT evidence FROM signal_week")
    evidence = week["evidence"]
    by_week: dict[str, int] = {}
    for one in (*usual(), *planted()):
        if (one.code, one.service, one.office) == PLANTED:
            by_week[one.week.isoformat()] = by_week.get(one.week.isoformat(), 0) + one.change
    series = evidence["series"]
    assert evidence["cells"][0] == ["HND", *PLANTED, "south", ""]
    assert evidence["began_week"] == "2026-02-02"
    assert series["weeks"][-1] == "2026-02-23"
    assert series["observed"] == [by_week.get(monday, 0) for monday in series["weeks"]]
    assert len(series["expected"]) == len(series["upper_band"]) == len(series["weeks"])


async def test_where_nothing_is_wrong_nothing_is_flagged(worker_engine: AsyncEngine) -> None:
    await count(worker_engine, usual())

    outcome = await look(worker_engine)

    assert (outcome.raised, outcome.seen_again, outcome.sentences) == ((), (), ())
    (run,) = await rows(worker_engine, "SELECT * FROM signal_run")
    assert (run["as_of"], run["inputs_hash"], run["cells"]) == (SUNDAY, outcome.inputs_hash, outcome.cells)
    assert run["settings"]["windows"] == [1, 2, 4, 8, 13]
    assert outcome.cells > len(FAILURES) * len(SERVICES) * len(OFFICES)


async def test_what_a_problem_solving_day_brought_is_no_outbreak(worker_engine: AsyncEngine) -> None:
    brought = [replace(one, channel=EVENT_CHANNEL) for one in planted()]
    await count(worker_engine, [*usual(), *brought])

    outcome = await look(worker_engine)

    assert outcome.raised == ()


async def test_an_agency_without_complaints_is_looked_at_in_peace(worker_engine: AsyncEngine) -> None:
    assert (await look(worker_engine)).raised == ()


async def test_the_same_failure_in_later_weeks_is_the_same_signal(troubled: AsyncEngine) -> None:
    (signal_id,) = (await look(troubled)).raised
    await count(troubled, [*usual(weeks=PAST_WEEKS + 2)[len(usual()) :], *planted(weeks=(0, 1))])
    sundays = [SUNDAY + timedelta(weeks=week) for week in range(3)]

    later = [await look(troubled, sunday) for sunday in sundays[1:]]

    assert [outcome.raised for outcome in later] == [(), ()]
    assert [outcome.seen_again for outcome in later] == [(signal_id,), (signal_id,)]
    assert await weeks_of(troubled, signal_id) == sundays
    assert await rows(troubled, "SELECT id, raised_on FROM signal") == [{"id": signal_id, "raised_on": SUNDAY}]


A_FIX = """
    WITH fix AS (
        INSERT INTO fix_file (fix_id, agency, state, is_open, sequence, last_hash, title_id, owner, opened_at, attempt,
                              last_event_at, snapshot)
        SELECT id, agency, 'in_hand', true, 1, '', id, 'sue', '2026-03-02 12:00Z', 1, '2026-03-02 12:00Z',
               jsonb_build_object('id', id, 'agency', agency)
        FROM signal RETURNING fix_id, agency)
    INSERT INTO fix_signal (fix_id, signal_id, agency) SELECT fix_id, fix_id, agency FROM fix
"""
AN_ENDED_FIX = A_FIX.replace("'in_hand', true", "'closed', false")
PUT_OFF = """
    INSERT INTO signal_decision (id, signal_id, agency, decision, reason, defer_until, decided_by, decided_at,
                                 command_key, request_hash)
    SELECT id, id, agency, 'defer', 'So.', '2026-05-20', 'sue', '2026-03-02 12:00Z', 'key', '' FROM signal
"""


@pytest.mark.parametrize(
    ("dealt_with", "is_the_same"), [(A_FIX, True), (PUT_OFF, True), (AN_ENDED_FIX, False), ("SELECT", False)]
)
async def test_what_has_not_expired_is_the_same_signal_after_however_long(
    troubled: AsyncEngine, dealt_with: str, *, is_the_same: bool
) -> None:
    (signal_id,) = (await look(troubled)).raised
    async with transaction(troubled, AGENCY) as connection:
        await connection.execute(text(dealt_with))
    await count(troubled, [*usual(weeks=PAST_WEEKS + 14)[len(usual()) :], *planted(weeks=(12, 13))])
    later_on = SUNDAY + timedelta(weeks=14)

    later = await look(troubled, later_on)
    before = await kept(troubled)
    again = await look(troubled, later_on)

    assert later.seen_again == ((signal_id,) if is_the_same else ())
    assert len(later.raised) == (0 if is_the_same else 1)
    assert await kept(troubled) == before
    assert again.inputs_hash == later.inputs_hash


async def test_the_same_look_again_changes_nothing(troubled: AsyncEngine) -> None:
    first = await look(troubled)
    before = await kept(troubled)

    again = await look(troubled)

    assert (again.inputs_hash, again.cells, again.sentences) == (first.inputs_hash, first.cells, first.sentences)
    assert (again.raised, again.seen_again) == ((), first.raised)
    assert await kept(troubled) == before


async def test_a_past_day_gives_what_was_known_then_and_the_same_later(troubled: AsyncEngine) -> None:
    first = await look(troubled)
    before = await kept(troubled)
    late = datetime.combine(SUNDAY + timedelta(days=1), time(0, 30), ZONE)
    corrections = [replace(one, change=-one.change, happened_at=late) for one in planted()]
    coded_later = [replace(one, code="TIM2", change=9, happened_at=late) for one in planted()]
    await count(troubled, [*corrections, *coded_later])

    again = await look(troubled)

    assert (again.inputs_hash, again.sentences) == (first.inputs_hash, first.sentences)
    assert await kept(troubled) == before
    next_day = await look(troubled, SUNDAY + timedelta(days=1))
    assert next_day.inputs_hash != first.inputs_hash
    assert any("Stalled" in sentence for sentence in next_day.sentences)
    assert not any("Dropped or lost" in sentence for sentence in next_day.sentences)


async def test_a_day_ends_at_midnight_where_the_agency_is(troubled: AsyncEngine) -> None:
    before = await look(troubled)
    last_minute = datetime.combine(SUNDAY, time(23, 59), ZONE)
    assert last_minute.astimezone(UTC).date() > SUNDAY

    await count(troubled, [replace(planted()[-1], happened_at=last_minute + timedelta(minutes=1))])
    assert (await look(troubled)).inputs_hash == before.inputs_hash
    await count(troubled, [replace(planted()[-1], happened_at=last_minute)])
    assert (await look(troubled)).inputs_hash != before.inputs_hash


async def test_without_a_day_it_is_the_day_before_where_the_agency_is(troubled: AsyncEngine) -> None:
    after_midnight_utc = datetime(2026, 3, 3, 2, tzinfo=UTC)
    asked = RootCauseLook(run=RootCauseRun(agency=AGENCY), asked_at=after_midnight_utc)

    outcome = await DatabaseRootCauses(troubled, Policies()).flag_recurring_failures(asked)

    assert outcome.as_of == SUNDAY


async def test_a_week_that_is_not_over_is_not_judged(troubled: AsyncEngine) -> None:
    await count(troubled, [replace(one, change=50) for one in planted(weeks=(0,), code="INF2")])

    outcome = await look(troubled, SUNDAY + timedelta(days=6))

    assert not any("Missing or unclear" in sentence for sentence in outcome.sentences)
    assert outcome.inputs_hash == (await look(troubled)).inputs_hash


async def test_a_past_day_looked_at_after_a_later_one_raises_no_second_signal(troubled: AsyncEngine) -> None:
    await count(troubled, [replace(one, case="x") for one in planted()])
    (signal_id,) = (await look(troubled)).raised
    a_week_before = SUNDAY - timedelta(weeks=1)

    past = await look(troubled, a_week_before)

    assert (past.raised, past.seen_again) == ((), (signal_id,))
    assert await weeks_of(troubled, signal_id) == [a_week_before, SUNDAY]


async def test_what_people_confirmed_and_what_complaints_say_are_judged_apart(worker_engine: AsyncEngine) -> None:
    await count(worker_engine, [*usual(), *usual("intake", ("too_slow", "rude")), *planted()])
    causes = await look(worker_engine)
    await count(worker_engine, planted(measure="intake", code="too_slow"))

    both = await look(worker_engine)

    found = await rows(worker_engine, "SELECT measure, code, family, service, office FROM signal ORDER BY measure")
    place = {"service": "benefits", "office": "harbor"}
    assert found == [
        {"measure": "cause", "code": "HND3", "family": "HND", **place},
        {"measure": "intake", "code": "too_slow", "family": "intake", **place},
    ]
    assert both.seen_again == causes.raised
    assert len(both.raised) == 1


async def test_another_agencys_counts_are_not_seen(worker_engine: AsyncEngine) -> None:
    await count(worker_engine, usual())
    alone = await look(worker_engine)
    await count(worker_engine, [*usual(), *planted()], agency="lakeside")

    beside = await look(worker_engine)
    theirs = await look(worker_engine, agency="lakeside")

    assert beside == alone
    assert len(theirs.raised) == 1
    assert await rows(worker_engine, "SELECT * FROM signal") == []
    assert [row["id"] for row in await rows(worker_engine, "SELECT id FROM signal", "lakeside")] == list(theirs.raised)


async def test_folding_in_between_changes_nothing(troubled: AsyncEngine) -> None:
    first = await look(troubled)
    before = await kept(troubled)
    assert await fold_deltas(troubled, AGENCY, "cell")
    await count(troubled, planted(weeks=(0,)))

    half_folded = await look(troubled)
    await fold_deltas(troubled, AGENCY, "cell")
    folded = await look(troubled)

    assert half_folded.inputs_hash == folded.inputs_hash == first.inputs_hash
    assert await kept(troubled) == before


async def test_a_failure_of_one_channel_or_region_is_told_by_its_name(worker_engine: AsyncEngine) -> None:
    by_phone = [replace(one, channel="phone") for one in usual()]
    everywhere = [
        replace(one, channel="phone", service=service, office=office, case=one.case + "x")
        for one in planted(weeks=(-2, -1))
        for service in SERVICES
        for office in OFFICES
    ]
    await count(worker_engine, [*usual(), *by_phone, *everywhere])

    (signal_id,) = (await look(worker_engine)).raised

    (signal,) = await rows(worker_engine, "SELECT * FROM signal")
    (week,) = await rows(worker_engine, "SELECT * FROM signal_week")
    assert signal["id"] == signal_id
    named = {name: signal[name] for name in ("code", "service", "region", "office", "channel")}
    assert named == {"code": "HND3", "service": None, "region": None, "office": None, "channel": "phone"}
    assert week["evidence"]["cells"][0] == ["HND", "HND3", "", "", "", "phone"]
    assert [part["code"] for part in week["evidence"]["by_channel"]] == ["phone"]
    assert "channel " in week["sentences"][0]


async def test_what_came_and_was_taken_back_is_as_if_it_had_never_been(troubled: AsyncEngine) -> None:
    first = await look(troubled)
    wrong = replace(planted()[0], code="HND5")
    await count(troubled, [wrong, replace(wrong, change=-wrong.change)])

    assert (await look(troubled)).inputs_hash == first.inputs_hash


async def test_tags_that_were_withdrawn_are_counted_no_more(troubled: AsyncEngine) -> None:
    await look(troubled)
    (before,) = await rows(troubled, "SELECT observed FROM signal_week")

    await count(troubled, [replace(planted()[-1], change=-2)])
    outcome = await look(troubled)
    (after,) = await rows(troubled, "SELECT observed FROM signal_week")
    await count(troubled, [replace(one, change=-2) for one in planted()[:-1]])

    assert len(outcome.seen_again) == 1
    assert after["observed"] == before["observed"] - 2
    assert (await look(troubled)).sentences == ()


async def test_the_card_says_how_it_spreads_and_how_pressing_it_is(troubled: AsyncEngine) -> None:
    by_phone = [replace(one, channel="phone") for one in planted(weeks=(-1, -2))]
    await count(troubled, by_phone)

    await look(troubled)

    (week,) = await rows(troubled, "SELECT observed, expected, evidence FROM signal_week")
    evidence = week["evidence"]
    assert {part["code"] for part in evidence["by_channel"]} == {"web", "phone"}
    for name in ("by_channel", "by_office", "by_service"):
        assert sum(part["observed"] for part in evidence[name]) == week["observed"]
        assert sum(part["expected"] for part in evidence[name]) == pytest.approx(week["expected"], rel=0.1)
    assert [part["code"] for part in evidence["by_office"]] == [PLANTED[2]]
    assert evidence["where_exactly"] is None
    ranking = evidence["ranking"]
    factors = [ranking[name] for name in ("excess_per_quarter_at_least", "harm", "persistence", "vulnerability")]
    assert ranking["priority"] == pytest.approx(factors[0] * factors[1] * factors[2] * factors[3])
    assert ranking["place"] == 1
    assert ranking["vulnerability"] == 1.0
    assert ranking["vulnerable_known_of"] == [0, evidence["complaints"]]
    assert "more than expected in a quarter" in ranking["formula"]
    assert evidence["doubts"] == []
    assert 0 < evidence["false_share_at_most"] <= 0.10


async def test_a_failure_that_hits_vulnerable_people_weighs_more_and_the_card_says_of_how_many_it_is_known(
    worker_engine: AsyncEngine,
) -> None:
    asked = [replace(one, vulnerable=number % 4 == 0) for number, one in enumerate(usual())]
    await count(worker_engine, [*asked, *(replace(one, vulnerable=True) for one in planted())])

    await look(worker_engine)

    (week,) = await rows(worker_engine, "SELECT evidence FROM signal_week")
    ranking = week["evidence"]["ranking"]
    assert 1.5 < ranking["vulnerability"] < 2
    assert ranking["vulnerable_known_of"] == [week["evidence"]["complaints"]] * 2
    assert "nobody was asked" not in ranking["formula"]


async def test_a_failure_at_every_office_names_the_offices_behind_it(worker_engine: AsyncEngine) -> None:
    everywhere = [replace(one, office=office) for one in planted() for office in OFFICES]
    await count(worker_engine, [*usual(), *everywhere])

    await look(worker_engine)

    (week,) = await rows(worker_engine, "SELECT evidence FROM signal_week")
    where = week["evidence"]["where_exactly"]
    assert sorted(where["offices"]) == sorted(OFFICES)
    assert where["p_value"] <= 0.01
    assert where["observed"] > where["expected"]


async def test_every_week_spends_from_the_budget_and_what_is_open_does_not_refill_it(troubled: AsyncEngine) -> None:
    await look(troubled)
    await count(troubled, [*usual(weeks=PAST_WEEKS + 1)[len(usual()) :], *planted(weeks=(0,))])

    await look(troubled, SUNDAY + timedelta(weeks=1))

    first, second = await budgets(troubled)
    assert first["open"] == []
    assert ["HND", *PLANTED, "south", ""] in second["open"][0]
    assert [budget["charge"][2] for budget in (first, second)] == [1, 0]
    assert 0 < second["false_share_at_most"] <= 0.10


async def test_a_look_of_the_same_day_spends_again_once_the_counts_have_changed_and_not_before(
    troubled: AsyncEngine,
) -> None:
    await look(troubled)
    await look(troubled)
    await count(troubled, planted(code="INF2"))

    later = await look(troubled)
    await look(troubled, SUNDAY + timedelta(weeks=1))

    first, second, next_week = await budgets(troubled)
    assert len(later.raised) == 1
    assert [budget["charge"][2] for budget in (first, second)] == [1, 1]
    assert first["level"] > second["level"]  # what the first look spent is gone …
    assert second["open"]
    assert next_week["level"] != first["level"]
    assert next_week["false_share_at_most"] > second["false_share_at_most"] > first["false_share_at_most"]


async def test_a_past_day_looked_at_late_is_paid_for_by_the_looks_after_it(troubled: AsyncEngine) -> None:
    await look(troubled, SUNDAY - timedelta(weeks=6))
    before = await budgets(troubled)
    await look(troubled, SUNDAY - timedelta(weeks=8))

    await look(troubled)

    past, first, last = await budgets(troubled)
    assert [first] == before
    paid_by = [Ledger.from_json(charges) for charges in ([first["charge"]], [past["charge"], first["charge"]])]
    cells = (await rows(troubled, "SELECT cells FROM signal_run ORDER BY as_of DESC LIMIT 1"))[0]["cells"]
    alone, both = (level_of(ledger, first["charge"][0] + 6, cells, LifetimeSettings()) for ledger in paid_by)
    assert last["level"] == pytest.approx(both)
    assert last["level"] < alone


async def test_a_look_repeated_after_later_and_earlier_ones_gives_the_same(troubled: AsyncEngine) -> None:
    first = await look(troubled)
    (before,) = await rows(troubled, "SELECT * FROM signal_week")
    await look(troubled, SUNDAY + timedelta(weeks=1))
    await look(troubled, SUNDAY - timedelta(weeks=2))

    again = await look(troubled)

    assert again.inputs_hash == first.inputs_hash
    assert before in await rows(troubled, "SELECT * FROM signal_week")
