# SPDX-License-Identifier: Apache-2.0
"""Systemic fixes through the interface: opened from a signal or without one, worked out, judged, and never twice."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from api.views_fixes import last_attempt
from models.commands import SYSTEM
from models.fixes.commands import FindNotEffective, Plan, Relapse
from models.fixes.terms import FixAction, FixState, Verdict
from models.messages import canonical, sha256
from models.terms import Role
from tests.api.conftest import Front
from tests.api.test_registers import a_signal, decide
from tests.given import a_key
from tests.given_fixes import CHANGED_ON, a_fix_at, after, an_effect
from tests.given_fixes import done as fix_after

CELL = {"measure": "cause", "family": "HND", "code": "HND3", "service": "benefits"}
PLAN = {
    "targets": [CELL | {"office": "northgate"}],
    "controls": [CELL | {"office": "harbor"}],
    "baseline_rate": 5.0,
    "target_reduction": 0.5,
    "change_planned_on": "2026-03-04",
    "look_on": "2026-08-03",
}
MEASURE = {
    "number": 1,
    "words": "The post is opened by nine.",
    "kind": "procedure",
    "strength": "intermediate",
    "owner": "sue",
    "due_on": "2026-03-04",
}
WORKED_OUT: list[dict[str, Any]] = [
    {"action": "describe", "statement": "Paper renewals are lost at Northgate since the move."},
    {"action": "add_cause", "category": "PRO", "whys": ["Renewals lie unopened.", "Nobody is named for the post."]},
    {"action": "add_evidence", "source": "conversation", "words": "Three people said so.", "people_count": 3},
    {"action": "add_evidence", "source": "conversation", "words": "So did the desk."},
    {"action": "add_option", "words": "Name somebody for the post."},
    {"action": "add_option", "words": "Take renewals on line only."},
    {"action": "choose_option", "number": 1, "reason": "Not everybody is on line."},
    {"action": "plan_measure"} | MEASURE,
]
IN_PLACE: list[dict[str, Any]] = [
    {"action": "register", "plan": PLAN},
    {"action": "finish_measure", "number": 1, "done_on": "2026-03-01", "effective_on": "2026-03-04"},
    {"action": "put_in_place", "changed_on": "2026-03-04"},
]


async def open_fix(front: Front, headers: dict[str, str], key: str | None = None, **asked: Any) -> httpx.Response:
    body = {"title": "Lost renewals"} | asked
    return await front.client.post("/api/v1/fixes", json=body, headers=headers | {"Idempotency-Key": key or a_key()})


async def a_fix(front: Front, headers: dict[str, str], **asked: Any) -> str:
    opened = await open_fix(front, headers, **asked)
    assert opened.status_code == 201, opened.text
    return str(opened.json()["fix_id"])


async def act_on(
    front: Front, fix_id: str, headers: dict[str, str], key: str | None = None, query: str = "", **asked: Any
) -> httpx.Response:
    keyed = headers | {"Idempotency-Key": key or a_key()}
    return await front.client.post(f"/api/v1/fixes/{fix_id}/actions{query}", json=asked, headers=keyed)


async def done(front: Front, fix_id: str, headers: dict[str, str], *steps: dict[str, Any]) -> dict[str, Any]:
    """Have all of it done, and return the fix."""
    for asked in steps:
        answer = await act_on(front, fix_id, headers, **asked)
        assert answer.status_code == 200, (asked, answer.text)
    return await shown(front, fix_id, headers)


async def shown(front: Front, fix_id: str, headers: dict[str, str]) -> dict[str, Any]:
    answer = await front.client.get(f"/api/v1/fixes/{fix_id}", headers=headers)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_what_came_back_did_not_last_and_what_never_worked_did_not_work() -> None:
    later = CHANGED_ON + timedelta(weeks=20)
    came_back = an_effect(Verdict.NOT_EFFECTIVE, as_of=later).model_copy(update={"has_relapsed": True})
    relapse = Relapse(actor=SYSTEM, key=a_key(), effect=came_back)

    assert last_attempt(after(a_fix_at(FixState.EFFECTIVE), relapse)) == "The last attempt did not last"
    failed = fix_after(a_fix_at(FixState.MONITORED), FixAction.FIND_NOT_EFFECTIVE)
    assert last_attempt(failed) == "The last attempt did not work"
    assert last_attempt(a_fix_at(FixState.MONITORED)) == ""


async def fixes_of(front: Front, headers: dict[str, str]) -> list[str]:
    listed = await front.client.get("/api/v1/fixes", headers=headers)
    return [fix["id"] for fix in listed.json()["fixes"]]


async def found_not_effective(front: Front, fix_id: str) -> None:
    """Have the weekly look find that the change does not work."""
    effect = an_effect(Verdict.NOT_EFFECTIVE)
    command = FindNotEffective(actor=SYSTEM, key=a_key(), effect=effect)
    await front.actions.act_on_fix("riverbend", UUID(fix_id), command)


async def test_a_fix_is_worked_out_registered_and_put_in_place(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    fix_id = await a_fix(front, sue, statement="At first.")

    fresh = await shown(front, fix_id, sue)
    ready = await done(front, fix_id, sue, *WORKED_OUT)
    watched = await done(front, fix_id, sue, *IN_PLACE)

    assert (fresh["state"], fresh["owner"], fresh["title"]) == ("worked_out", "sue", "Lost renewals")
    assert fresh["next_step"] == ("Say first why it does, which option was chosen and what is to be done.")
    assert "register" not in fresh["offered"]
    assert fresh["refused"]["register"] == fresh["next_step"]
    assert "put_in_place" in fresh["refused"]
    assert "look" not in fresh["refused"]
    assert ready["next_step"].startswith("It is worked out: register the plan")
    assert ready["causes"][0]["whys"] == ["Renewals lie unopened.", "Nobody is named for the post."]
    assert ready["evidence_by_source"] == [{"source": "conversation", "pieces": 2, "people_count": 3}]
    assert [(o["is_chosen"], o["reason"]) for o in ready["options"]] == [
        (True, "Not everybody is on line."), (False, None),
    ]  # fmt: skip
    assert watched["state"] == "monitored"
    assert watched["plan"]["frozen_hash"] == Plan.model_validate(PLAN).frozen_hash
    assert watched["next_step"].startswith("The change is in place; nothing is known of its effect yet.")
    assert watched["measures"][0]["done_on"] == "2026-03-01"


async def test_a_round_that_did_not_last_stays_in_view(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    fix_id = await a_fix(front, sue)
    await done(front, fix_id, sue, *WORKED_OUT, *IN_PLACE)

    await found_not_effective(front, fix_id)
    again = await shown(front, fix_id, sue)
    events = (await front.client.get(f"/api/v1/fixes/{fix_id}/events", headers=sue)).json()["events"]

    assert (again["state"], again["attempt"], again["plan"]) == ("worked_out", 2, None)
    assert again["rounds"][0]["effect"]["sentences"] == ["It works."]
    assert again["rounds"][0]["plan"]["frozen_hash"] == Plan.model_validate(PLAN).frozen_hash
    assert again["next_step"].startswith("The last attempt did not work, so it is worked out again.")
    assert events[-1]["actor"] == "putright"
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert "Renewals lie unopened." in events[2]["texts"].values()
    assert len({event["hash"] for event in events}) == len(events)


async def test_a_fix_is_opened_once_per_key_also_while_temporal_is_away(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    front.actions.is_away = True
    key = a_key()

    first, again = [await open_fix(front, sue, key) for _ in range(2)]
    other = await open_fix(front, sue, key, title="Another")
    listed = (await front.client.get("/api/v1/fixes?open=true", headers=sue)).json()["fixes"]
    seen = await shown(front, first.json()["fix_id"], sue)

    assert (first.status_code, again.json()) == (201, first.json())
    assert (other.status_code, other.json()["type"]) == (409, "/problems/key-reused")
    assert [fix["id"] for fix in listed] == [first.json()["fix_id"]]
    assert seen["state"] == "worked_out"
    assert "describe" in seen["offered"]
    busy = await act_on(front, seen["id"], sue, action="note", words="Soon.")
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "3")


async def test_a_fix_asked_for_before_an_upgrade_is_the_same_when_it_is_asked_for_after_it(front: Front) -> None:
    sue, key = await front.token(Role.SUPERVISOR, name="sue"), a_key()
    first = await open_fix(front, sue, key, statement="Since the move.")
    as_it_was: dict[str, Any] = {
        "title": "Lost renewals",
        "statement": "Since the move.",
        "owner": None,
        "signal_id": None,
        "cells": [],
    }
    async with front.owner.begin() as connection:
        (stored,) = await connection.scalars(text("SELECT request_hash FROM fix_opening"))

    again = await open_fix(front, sue, key, statement="Since the move.", opens_second_fix=False)

    assert bytes(stored) == sha256(canonical([as_it_was, "sue"]))
    assert (first.status_code, again.json()) == (201, first.json())


async def test_an_action_is_done_once_per_key_and_a_refusal_leaves_no_text(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    fix_id, key = await a_fix(front, sue), a_key()

    refused = await act_on(front, fix_id, sue, key, action="choose_option", number=1, reason="It is good.")
    await done(front, fix_id, sue, {"action": "add_option", "words": "Do it."})
    first = await act_on(front, fix_id, sue, key, action="choose_option", number=1, reason="It is better.")
    again = await act_on(front, fix_id, sue, key, action="choose_option", number=1, reason="It is better.")
    other = await act_on(front, fix_id, sue, key, action="choose_option", number=1, reason="It is best.")

    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        "There is no option yet; “Add an option” comes first.",
    )
    assert first.status_code == 200
    assert again.json() == first.json()
    assert (other.status_code, other.json()["type"]) == (409, "/problems/key-reused")


async def test_who_saw_an_older_state_is_told_so(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    fix_id = await a_fix(front, sue)

    fresh = await act_on(front, fix_id, sue, query="?expected_sequence=1", action="note", words="A note.")
    stale = await act_on(front, fix_id, sue, query="?expected_sequence=1", action="note", words="Another.")

    assert fresh.status_code == 200
    assert (stale.status_code, stale.json()["type"]) == (409, "/problems/stale")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"action": "assign", "owner": "nobody"}, "owner"),
        ({"action": "plan_measure"} | MEASURE | {"owner": "nobody"}, "owner"),
        ({"action": "note", "words": "n" * 20_001}, "note.words"),
        ({"action": "add_cause", "category": "PRO", "whys": []}, "add_cause.whys"),
        ({"action": "look"}, "action"),
    ],
)
async def test_what_cannot_be_is_named_by_its_field(front: Front, asked: dict[str, Any], field: str) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")

    answer = await act_on(front, await a_fix(front, sue), sue, **asked)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_a_plan_names_what_is_counted_here(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    fix_id = await a_fix(front, sue)
    await done(front, fix_id, sue, *WORKED_OUT)
    targets = [{"measure": "cause", "code": "XYZ9", "family": "XYZ", "service": "moon", "office": "moon"}]

    answer = await act_on(front, fix_id, sue, action="register", plan=PLAN | {"targets": targets})

    fields = {error["field"] for error in answer.json()["errors"]}
    assert fields == {f"plan.targets.0.{name}" for name in ("service", "office", "family", "code")}


async def test_a_day_to_come_has_not_been(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    fix_id = await a_fix(front, sue)
    await done(front, fix_id, sue, *WORKED_OUT, IN_PLACE[0])

    finished = await act_on(
        front, fix_id, sue, action="finish_measure", number=1, done_on="2026-03-05", effective_on="2026-03-05"
    )

    assert finished.status_code == 422
    assert "has not come yet" in finished.json()["detail"]


async def test_a_plan_promises_no_answer_too_early_and_looks_no_ten_years_ahead(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    fix_id = await a_fix(front, sue)
    await done(front, fix_id, sue, *WORKED_OUT)

    def register(**told: str) -> Awaitable[httpx.Response]:
        return act_on(front, fix_id, sue, action="register", plan=PLAN | told)

    never = await register(change_planned_on="9999-12-30", look_on="9999-12-31")
    # Settled with the week of March 23, two weeks after the first whole one.
    too_early = await register(look_on="2026-05-17")
    soonest = await register(look_on="2026-05-18")

    for answer, field in ((never, "plan.change_planned_on"), (too_early, "plan.look_on")):
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert "name May 18, 2026 or a later day" in too_early.json()["detail"]
    assert soonest.status_code == 200


async def test_a_plan_that_was_frozen_after_its_change_says_so(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    before, afterwards = await a_fix(front, sue), await a_fix(front, sue)
    for fix_id, changed_on in ((before, "2026-03-04"), (afterwards, "2026-03-03")):
        finished = IN_PLACE[1] | {"effective_on": "2026-03-02"}
        await done(front, fix_id, sue, *WORKED_OUT, IN_PLACE[0], finished, IN_PLACE[2] | {"changed_on": changed_on})

    told = [(await shown(front, fix_id, sue))["is_registered_afterwards"] for fix_id in (before, afterwards)]

    assert told == [False, True]


async def test_a_caseworker_finishes_a_measure_and_decides_nothing(front: Front) -> None:
    sue, ann = await front.token(Role.SUPERVISOR, name="sue"), await front.token(Role.CASEWORKER, name="ann")
    fix_id = await a_fix(front, sue)
    await done(front, fix_id, sue, *WORKED_OUT, IN_PLACE[0])

    before = await shown(front, fix_id, ann)
    finished = await act_on(front, fix_id, ann, **IN_PLACE[1])
    placed = await act_on(front, fix_id, ann, **IN_PLACE[2])

    assert finished.status_code == 200
    assert (placed.status_code, placed.json()["type"]) == (409, "/problems/wrong-role")
    assert before["offered"] == ["finish_measure", "note"]
    after_it = await shown(front, fix_id, ann)
    assert after_it["offered"] == ["note"]
    assert after_it["refused"]["finish_measure"] == "Nothing is left to be done; “Plan a measure” comes first."


async def test_accepting_a_signal_opens_the_fix_that_deals_with_it_once(front: Front) -> None:
    signal_id = await a_signal(front)
    sue, key = await front.token(Role.SUPERVISOR, name="sue"), a_key()

    first = await decide(front, signal_id, sue, key, decision="accept", reason="The move in August.")
    again = await decide(front, signal_id, sue, key, decision="accept", reason="The move in August.")
    another = await decide(front, signal_id, sue, decision="accept", reason="I say so too.")

    fix_id = first.json()["fix_id"]
    fix = await shown(front, fix_id, sue)
    assert (first.status_code, again.json()["fix_id"]) == (201, fix_id)
    assert fix["signals"] == [str(signal_id)]
    assert fix["title"].startswith("Dropped or lost")
    assert (fix["cells"][0]["measure"], fix["cells"][0]["code"]) == ("cause", "HND3")
    assert (another.status_code, another.json()["type"]) == (409, "/problems/already-done")
    assert len((await front.client.get("/api/v1/fixes", headers=sue)).json()["fixes"]) == 1
    async with front.owner.begin() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM signal_decision")) == 1


async def test_a_fix_opened_for_a_signal_is_the_decision_on_it(front: Front) -> None:
    signal_id = await a_signal(front)
    sue = await front.token(Role.SUPERVISOR, name="sue")

    fix_id = await a_fix(front, sue, signal_id=str(signal_id), reason="The move.", title="The post at Northgate")
    signal = (await front.client.get(f"/api/v1/signals/{signal_id}", headers=sue)).json()["signal"]

    assert (signal["decision"], signal["reason"], signal["fix_id"]) == ("accept", "The move.", fix_id)
    assert (await shown(front, fix_id, sue))["title"] == "The post at Northgate"


async def test_a_known_cause_is_linked_to_the_fix_that_is_there(front: Front) -> None:
    first, second = await a_signal(front), await a_signal(front, code="HND1")
    sue, key = await front.token(Role.SUPERVISOR, name="sue"), a_key()
    fix_id = (await decide(front, first, sue, decision="accept", reason="The move.")).json()["fix_id"]

    told = {"decision": "accept", "reason": "The same move.", "fix_id": fix_id}
    linked = [await decide(front, second, sue, key, **told) for _ in range(2)]
    nowhere = await decide(front, second, sue, decision="accept", reason="Which?", fix_id=str(uuid4()))

    assert [answer.status_code for answer in linked] == [201, 201]
    assert linked[0].json()["fix_id"] == fix_id
    fix = await shown(front, fix_id, sue)
    assert fix["signals"] == [str(first), str(second)]
    assert [cell["code"] for cell in fix["cells"]] == ["HND3", "HND1"]
    assert (nowhere.status_code, nowhere.json()["errors"][0]["field"]) == (422, "fix_id")


async def test_a_key_of_another_decision_links_nothing(front: Front) -> None:
    signal_id, key = await a_signal(front), a_key()
    sue = await front.token(Role.SUPERVISOR, name="sue")
    fix_id = await a_fix(front, sue)
    await decide(front, signal_id, sue, key, decision="reject", reason="A holiday.")

    answer = await decide(front, signal_id, sue, key, decision="accept", reason="The move.", fix_id=fix_id)

    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/key-reused")
    assert (await shown(front, fix_id, sue))["signals"] == []


async def test_while_temporal_is_away_a_link_is_no_decision_yet(front: Front) -> None:
    first, second = await a_signal(front), await a_signal(front, code="HND1")
    sue = await front.token(Role.SUPERVISOR, name="sue")
    fix_id = (await decide(front, first, sue, decision="accept", reason="The move.")).json()["fix_id"]
    front.actions.is_away = True

    answer = await decide(front, second, sue, decision="accept", reason="The same.", fix_id=fix_id)

    assert answer.status_code == 503
    detail = (await front.client.get(f"/api/v1/signals/{second}", headers=sue)).json()
    assert detail["decisions"] == []


async def test_lists_go_on_by_cursor_and_narrow_by_state(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    ids = [await a_fix(front, sue, title=f"No. {number}") for number in range(3)]
    await done(front, ids[0], sue, {"action": "abandon", "reason": "It went away."})

    first = (await front.client.get("/api/v1/fixes?limit=2", headers=sue)).json()
    rest = (await front.client.get(f"/api/v1/fixes?limit=2&cursor={first['next_cursor']}", headers=sue)).json()
    still_open = (await front.client.get("/api/v1/fixes?open=true", headers=sue)).json()["fixes"]
    given_up = (await front.client.get("/api/v1/fixes?state=abandoned", headers=sue)).json()["fixes"]

    assert sorted(fix["id"] for fix in first["fixes"] + rest["fixes"]) == sorted(ids)
    assert rest["next_cursor"] is None
    assert {fix["id"] for fix in still_open} == set(ids[1:])
    assert [fix["id"] for fix in given_up] == ids[:1]


@pytest.mark.parametrize("path", ["", "/events"])
async def test_another_agencys_fix_is_as_if_absent(front: Front, path: str) -> None:
    sue, stranger = await front.token(Role.SUPERVISOR), await front.token(Role.SUPERVISOR, agency="lakeside")
    fix_id = await a_fix(front, sue)

    theirs, absent = [
        await front.client.get(f"/api/v1/fixes/{each}{path}", headers=stranger) for each in (fix_id, uuid4())
    ]
    acted = await act_on(front, fix_id, stranger, action="note", words="I should not be here.")

    assert theirs.status_code == absent.status_code == acted.status_code == 404
    assert theirs.json() == absent.json()
    assert (await front.client.get("/api/v1/fixes", headers=stranger)).json()["fixes"] == []


async def test_reading_a_fix_is_noted(front: Front) -> None:
    sue, odo = await front.token(Role.SUPERVISOR, name="sue"), await front.token(Role.AUDITOR, name="odo")
    fix_id = await a_fix(front, sue)

    await shown(front, fix_id, odo)
    await front.client.get("/api/v1/fixes", headers=odo)

    async with front.owner.begin() as connection:
        query = text("SELECT what, filter FROM audit_read WHERE actor = 'odo' ORDER BY id")
        noted = [tuple(row) for row in await connection.execute(query)]
    assert noted == [("fix", {"fix": fix_id}), ("fix", {"fixes": "all"})]


async def test_past_signals_tell_how_often_each_family_was_right(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    for code, decision in (("HND1", "accept"), ("HND2", "reject"), ("HND3", "defer")):
        day = {"defer_until": "2026-04-01"} if decision == "defer" else {}
        await decide(front, await a_signal(front, code=code), sue, decision=decision, reason="So it is.", **day)

    precision = (await front.client.get("/api/v1/signals", headers=sue)).json()["precision"]

    assert precision == [{"measure": "cause", "family": "HND", "accepted": 1, "decided": 2}]


async def test_a_fix_counts_no_more_than_its_signal_the_offices_of_its_region_and_its_channel(front: Front) -> None:
    north = await a_signal(front, region="north")
    by_phone = await a_signal(front, channel="phone", office="harbor")
    sue = await front.token(Role.SUPERVISOR, name="sue")
    accepted = await decide(front, north, sue, decision="accept", reason="The move.")
    (fix_id,) = await fixes_of(front, sue)
    linked = await act_on(front, fix_id, sue, action="link_signal", signal_id=str(by_phone))

    fix = await shown(front, fix_id, sue)

    assert (accepted.status_code, linked.status_code) == (201, 200)
    assert fix["title"] == "Dropped or lost, Benefit payments, Region north"
    assert [(cell["office"], cell["channel"]) for cell in fix["cells"]] == [
        ("northgate", None), ("mill_park", None), ("harbor", "phone"),
    ]  # fmt: skip


async def test_a_signal_of_offices_that_the_policy_does_not_name_leads_to_no_fix(front: Front) -> None:
    elsewhere = await a_signal(front, region="elsewhere")
    sue = await front.token(Role.SUPERVISOR, name="sue")
    fix_id = await a_fix(front, sue)

    accepted = await decide(front, elsewhere, sue, decision="accept", reason="The move.")
    linked = await act_on(front, fix_id, sue, action="link_signal", signal_id=str(elsewhere))

    assert (accepted.status_code, linked.status_code) == (409, 409)
    assert "offices that your policy does not name" in accepted.json()["detail"]
    assert await fixes_of(front, sue) == [fix_id]


async def test_a_fix_shows_what_was_attached_to_its_signals_counted_apart(front: Front) -> None:
    signal_id = await a_signal(front)
    sue = await front.token(Role.SUPERVISOR, name="sue")
    for told in ({"words": "One in nine waited.", "people_count": 90}, {"words": "So it was last year."}):
        keyed = sue | {"Idempotency-Key": a_key()}
        body = {"source": "survey"} | told
        await front.client.post(f"/api/v1/signals/{signal_id}/evidence", json=body, headers=keyed)
    fix_id = await a_fix(front, sue, signal_id=str(signal_id), reason="The move.")

    fix = await shown(front, fix_id, sue)

    assert {each["words"] for each in fix["signal_evidence"]} == {"One in nine waited.", "So it was last year."}
    assert fix["signal_evidence_by_source"] == [{"source": "survey", "pieces": 2, "people_count": 90}]
    assert fix["evidence_by_source"] == []
