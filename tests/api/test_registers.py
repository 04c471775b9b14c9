# SPDX-License-Identifier: Apache-2.0
"""Signals and decisions, Problem Solving Days, the workload, what is published, and health."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from models.terms import Role, State
from tests.api.conftest import NOW, Front
from tests.given import a_key, a_policy

FAILURE = {
    "kind": "failure", "failure": "HND3", "contributing_cause": "PRO", "severity": 2, "harm": 1, "scope": "one_person",
}  # fmt: skip

SERIES = {"weeks": ["2026-02-16", "2026-02-23"], "observed": [1, 9], "expected": [1.5, 1.5], "upper_band": [5, 5]}

EVIDENCE = {"series": SERIES}


async def a_signal(front: Front, agency: str = "riverbend", **changed: object) -> UUID:
    """Write a signal as the weekly look writes it."""
    told = {
        "id": uuid4(), "agency": agency, "measure": "cause", "code": "HND3", "family": "HND", "service": "benefits",
        "office": None, "began_week": date(2026, 2, 23), "raised_on": date(2026, 3, 3), "decide_by": date(2026, 3, 17),
    } | changed  # fmt: skip
    names = ", ".join(told)
    async with front.owner.begin() as connection:
        await connection.execute(
            text(f"INSERT INTO signal ({names}) VALUES ({', '.join(':' + name for name in told)})"), told
        )
        for as_of, observed in ((date(2026, 2, 28), 5), (date(2026, 3, 7), 9)):
            await connection.execute(
                text("""
                    INSERT INTO signal_week VALUES (:id, :as_of, :agency, 'hash', :observed, 1.5, 5, 0.001, 0.01, 4,
                                                    ARRAY['It happened.', 'We are sure.'], CAST(:evidence AS jsonb))
                """),
                {
                    "id": told["id"], "as_of": as_of, "agency": agency, "observed": observed,
                    "evidence": json.dumps(EVIDENCE | {"issues": observed, "complaints": observed}),
                },
            )  # fmt: skip
    assert isinstance(told["id"], UUID)
    return told["id"]


async def decide(
    front: Front, signal_id: UUID, headers: dict[str, str], key: str | None = None, **asked: object
) -> Any:
    keyed = headers | {"Idempotency-Key": key or a_key()}
    return await front.client.post(f"/api/v1/signals/{signal_id}/decisions", json=asked, headers=keyed)


async def test_a_signal_is_shown_as_it_was_last_seen_with_its_weeks(front: Front) -> None:
    signal_id = await a_signal(front)
    amy = await front.token(Role.ANALYST)

    listed = (await front.client.get("/api/v1/signals", headers=amy)).json()["signals"]
    told = (await front.client.get(f"/api/v1/signals/{signal_id}", headers=amy)).json()

    assert [(s["id"], s["observed"], s["as_of"]) for s in listed] == [(str(signal_id), 9, "2026-03-07")]
    assert [week["observed"] for week in told["weeks"]] == [9, 5]
    assert told["signal"]["sentences"] == ["It happened.", "We are sure."]


async def test_the_cases_behind_a_signal_are_those_of_its_cell(front: Front) -> None:
    signal_id = await a_signal(front)
    amy, ann = await front.token(Role.ANALYST), await front.token(Role.CASEWORKER, name="ann")
    behind = []
    for failure in ("HND3", "HND3", "HND1"):
        case = await front.case_at(State.ANSWERED)
        tag = [{"number": 1, "cause": FAILURE | {"failure": failure}}]
        assert (await front.act(case["id"], ann, action="tag_root_cause", issues=tag)).status_code == 200
        behind += [case["reference"]] if failure == "HND3" else []

    pages = []
    cursor = None
    while True:
        query = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        told = (await front.client.get(f"/api/v1/signals/{signal_id}", params=query, headers=amy)).json()
        pages += [case["reference"] for case in told["cases"]]
        if (cursor := told["next_cursor"]) is None:
            break

    assert sorted(pages) == sorted(behind)


async def test_the_cases_behind_an_intake_signal_are_those_that_came_in_so(front: Front) -> None:
    signal_id = await a_signal(front, measure="intake", code="too_slow", family="intake")
    whole = await a_signal(front, measure="intake", code=None, family="intake", service=None)
    amy, taken = await front.token(Role.ANALYST), await front.open_case()
    other = await front.open_case(category="lost")

    told = (await front.client.get(f"/api/v1/signals/{signal_id}", headers=amy)).json()
    all_told = (await front.client.get(f"/api/v1/signals/{whole}", headers=amy)).json()

    assert [case["reference"] for case in told["cases"]] == [taken["reference"]]
    assert {case["reference"] for case in all_told["cases"]} == {taken["reference"], other["reference"]}


async def test_the_cases_behind_a_signal_of_a_region_and_channel_are_those_of_its_offices(front: Front) -> None:
    told = {"measure": "intake", "code": "too_slow", "family": "intake"}
    here = await a_signal(front, "riverbend", **told, region="north", channel="phone")
    elsewhere = await a_signal(front, "riverbend", **told, region="elsewhere")
    taken = await front.open_case(office="northgate")
    await front.open_case(office="harbor")
    async with front.owner.begin() as connection:
        await connection.execute(
            text("UPDATE case_file SET channel = 'phone' WHERE case_id = :id"), {"id": UUID(taken["id"])}
        )
    amy = await front.token(Role.ANALYST)

    north = (await front.client.get(f"/api/v1/signals/{here}", headers=amy)).json()
    unknown = (await front.client.get(f"/api/v1/signals/{elsewhere}", headers=amy)).json()

    assert [case["reference"] for case in north["cases"]] == [taken["reference"]]
    assert unknown["cases"] == []


async def test_a_decision_is_made_once_per_key_with_a_reason(front: Front) -> None:
    signal_id = await a_signal(front)
    sue, key = await front.token(Role.SUPERVISOR, name="sue"), a_key()

    first = await decide(front, signal_id, sue, key, decision="accept", reason="The move in August.")
    again = await decide(front, signal_id, sue, key, decision="accept", reason="The move in August.")
    other = await decide(front, signal_id, sue, key, decision="reject", reason="The move in August.")

    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 409)
    assert first.json() == again.json()
    assert (first.json()["decision"], first.json()["decided_by"]) == ("accept", "sue")
    undecided = await front.client.get("/api/v1/signals?undecided=true", headers=sue)
    assert undecided.json()["signals"] == []


async def test_a_decision_repeated_when_the_failure_is_called_otherwise_is_the_first_one(front: Front) -> None:
    signal_id = await a_signal(front)
    sue, key = await front.token(Role.SUPERVISOR, name="sue"), a_key()
    first = await decide(front, signal_id, sue, key, decision="accept", reason="The move in August.")
    tomorrow = NOW + timedelta(days=1)
    policy = a_policy()
    renamed = [service.model_copy(update={"name": {"en": "Aid", "es": "Ayuda"}}) for service in policy.agency.services]
    document = policy.model_copy(
        update={"agency": policy.agency.model_copy(update={"services": tuple(renamed)})}
    ).model_dump_json()
    async with front.owner.begin() as connection:
        await connection.execute(
            text("INSERT INTO policy_version VALUES ('riverbend', 2, 'renamed', :at, CAST(:document AS jsonb))"),
            {"at": tomorrow, "document": document},
        )

    front.app.state.services = replace(front.services, clock=lambda: tomorrow)
    again = await decide(front, signal_id, sue, key, decision="accept", reason="The move in August.")

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json()["fix_id"] == first.json()["fix_id"]


@pytest.mark.parametrize(
    "asked",
    [
        {"decision": "accept"},
        {"decision": "accept", "reason": " "},
        {"decision": "defer", "reason": "Later."},
        {"decision": "defer", "reason": "Later.", "defer_until": "2026-03-04"},
        {"decision": "reject", "reason": "No.", "defer_until": "2026-04-01"},
        {"decision": "shrug", "reason": "No."},
    ],
)
async def test_a_decision_that_is_none_is_refused(front: Front, asked: dict[str, Any]) -> None:
    signal_id, sue = await a_signal(front), await front.token(Role.SUPERVISOR)

    assert (await decide(front, signal_id, sue, **asked)).status_code == 422


async def test_a_signal_is_put_off_no_longer_than_the_policy_lets_and_comes_back(front: Front) -> None:
    signal_id, sue = await a_signal(front), await front.token(Role.SUPERVISOR, name="sue")

    too_long = await decide(front, signal_id, sue, decision="defer", reason="Later.", defer_until="2026-04-02")
    put_off = await decide(front, signal_id, sue, decision="defer", reason="Later.", defer_until="2026-04-01")
    waiting = (await front.client.get("/api/v1/signals?undecided=true", headers=sue)).json()["signals"]

    assert (too_long.status_code, put_off.status_code, waiting) == (422, 201, [])
    assert too_long.json()["errors"][0]["sentence"] == (
        "'defer_until': a signal is put off for 20 business days at most; name a day up to April 1, 2026."
    )
    assert (put_off.json()["state"], put_off.json()["due_on"]) == ("snoozed", "2026-04-01")


async def test_evidence_beside_complaints_is_attached_once_per_key(front: Front) -> None:
    signal_id, key = await a_signal(front), a_key()
    amy = await front.token(Role.ANALYST, name="amy") | {"Idempotency-Key": key}
    path = f"/api/v1/signals/{signal_id}/evidence"
    told = {"source": "survey", "words": "One in nine waited.", "people_count": 90, "gathered_on": "2026-02-01"}

    first = await front.client.post(path, json=told, headers=amy)
    again = await front.client.post(path, json=told, headers=amy)
    other = await front.client.post(path, json=told | {"words": "Others waited."}, headers=amy)
    to_come = await front.client.post(path, json=told | {"gathered_on": "2026-03-05"}, headers=amy)
    shown = (await front.client.get(f"/api/v1/signals/{signal_id}", headers=amy)).json()

    assert (first.status_code, again.status_code, other.status_code, to_come.status_code) == (201, 201, 409, 422)
    assert shown["evidence"] == first.json()["evidence"] == again.json()["evidence"]
    assert [(e["source"], e["people_count"], e["added_by"]) for e in shown["evidence"]] == [("survey", 90, "amy")]


async def test_a_signal_of_another_agency_is_as_if_absent(front: Front) -> None:
    signal_id = await a_signal(front, agency="lakeside")
    sue = await front.token(Role.SUPERVISOR)

    assert (await front.client.get(f"/api/v1/signals/{signal_id}", headers=sue)).status_code == 404
    assert (await front.client.get("/api/v1/signals", headers=sue)).json()["signals"] == []
    assert (await decide(front, signal_id, sue, decision="reject", reason="No.")).status_code == 404


async def test_a_look_can_be_asked_for_now_and_for_a_past_day(front: Front) -> None:
    amy = await front.token(Role.ANALYST)

    now = await front.client.post("/api/v1/signals/runs", json={}, headers=amy)
    past = await front.client.post("/api/v1/signals/runs", json={"as_of": "2025-12-31"}, headers=amy)
    future = await front.client.post("/api/v1/signals/runs", json={"as_of": "2026-12-31"}, headers=amy)

    assert (now.status_code, past.status_code, future.status_code) == (202, 202, 422)
    assert front.conductor.asked == [("riverbend", date(2026, 3, 3)), ("riverbend", date(2025, 12, 31))]


async def test_a_day_is_planned_once_per_key(front: Front) -> None:
    leo = await front.token(Role.LIAISON, name="leo")
    day = {
        "name": "Northgate Day",
        "place": "Library",
        "held_on": "2026-04-18",
        "office": "northgate",
        "roster": ["leo"],
    }
    keyed = leo | {"Idempotency-Key": a_key()}
    path = "/api/v1/problem-solving-days"

    first = await front.client.post(path, json=day, headers=keyed)
    again = await front.client.post(path, json=day, headers=keyed)
    other = await front.client.post(path, json=day | {"place": "Hall"}, headers=keyed)
    wrong = await front.client.post(
        path, json=day | {"office": "x", "roster": ["y"]}, headers=leo | {"Idempotency-Key": a_key()}
    )

    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 409)
    assert first.json() == again.json()
    assert [error["field"] for error in wrong.json()["errors"]] == ["office", "roster.0"]
    listed = (await front.client.get(path, headers=leo)).json()["days"]
    assert [day["name"] for day in listed] == ["Northgate Day"]


async def test_the_workload_is_the_sum_of_the_queues_folded_or_not(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR)
    await front.case_at(State.IN_TRIAGE)
    await front.case_at(State.IN_RESOLUTION)
    await front.case_at(State.CLOSED)
    before = (await front.client.get("/api/v1/workload", headers=sue)).json()
    async with front.owner.begin() as connection:
        await connection.execute(
            text("INSERT INTO queue_total SELECT agency, queue, sum(change) FROM queue_delta GROUP BY 1, 2")
        )
        await connection.execute(text("INSERT INTO fold_mark VALUES ('riverbend', 'queue', pg_current_xact_id())"))

    after = (await front.client.get("/api/v1/workload", headers=sue)).json()

    assert before == after
    assert before["open"] == sum(before["by_team"].values()) == 2
    assert before["by_stage"] == {"resolution": 1, "triage": 1}


async def test_the_process_is_published(front: Front) -> None:
    told = (await front.client.get("/api/v1/lifecycle")).json()

    assert {state["state"] for state in told["states"]} == set(State)
    assert any(row["action"] == "triage" and "caseworker" in row["roles"] for row in told["transitions"])


async def test_an_agencys_promises_are_published_with_their_numbers(front: Front) -> None:
    told = (await front.client.get("/api/v1/policy?agency=riverbend")).json()

    assert {"benefits", "permits"} <= {service["id"] for service in told["services"]}
    assert all(str(standard["amount"]) in standard["promise"]["en"] for standard in told["standards"])
    assert (await front.client.get("/api/v1/policy")).status_code == 422


async def test_readiness_tells_record_and_temporal_apart(front: Front) -> None:
    front.conductor.is_up = False

    told = await front.client.get("/readyz")

    assert told.status_code == 200
    assert told.json() == {
        "record": True, "temporal": False, "takes_complaints": True, "takes_actions": False, "wrong_master_key": 0,
    }  # fmt: skip
    assert (await front.client.get("/healthz")).json() == {"status": "alive"}


async def test_readiness_counts_cases_that_a_wrong_master_key_shuts_out(front: Front) -> None:
    cases = [await front.open_case() for _ in range(3)]
    async with front.owner.begin() as connection:
        for case, kind in zip(cases, ("wrong_master_key", "wrong_master_key", "key_reused"), strict=True):
            await connection.execute(
                text("INSERT INTO fault (agency, case_id, kind, detail) VALUES ('riverbend', :id, :kind, 'So.')"),
                {"id": case["id"], "kind": kind},
            )
        await connection.execute(
            text("UPDATE fault SET cleared_at = now() WHERE case_id = :id"), {"id": cases[0]["id"]}
        )

    assert (await front.client.get("/readyz")).json()["wrong_master_key"] == 1


async def test_looking_at_a_days_follow_ups_or_at_the_signals_is_noted(front: Front) -> None:
    leo, amy = await front.token(Role.LIAISON, name="leo"), await front.token(Role.ANALYST, name="amy")
    day = {"name": "Northgate Day", "place": "Library", "held_on": "2026-04-18"}
    keyed = leo | {"Idempotency-Key": a_key()}
    planned = (await front.client.post("/api/v1/problem-solving-days", json=day, headers=keyed)).json()

    await front.client.get(f"/api/v1/problem-solving-days/{planned['id']}", headers=leo)
    await front.client.get("/api/v1/signals?undecided=true", headers=amy)

    async with front.owner.connect() as connection:
        noted = (await connection.execute(text("SELECT actor, what, filter FROM audit_read ORDER BY id"))).all()
    assert [tuple(row) for row in noted] == [
        ("leo", "list", {"follow_ups_of": planned["id"]}),
        ("amy", "signal", {"only_undecided": True}),
    ]
