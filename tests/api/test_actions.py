# SPDX-License-Identifier: Apache-2.0
"""Cases: looking at them, asking for something, and being told in a sentence why not."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from models.terms import Role, State
from tests.api.conftest import Front
from tests.given import a_key

ISSUES = [{"number": 1, "service": "benefits", "category": "too_slow"}]
TRIAGE: dict[str, Any] = {"action": "triage", "issues": ISSUES, "severity": 1}
ANSWER: dict[str, Any] = {
    "action": "answer",
    "text": "We found it.",
    "issues": [{"number": 1, "finding": "upheld", "remedies": ["apology"]}],
}


def refund(cents: int) -> dict[str, Any]:
    money = {"cents": cents, "authority": "Riverbend Code 4.2"}
    return ANSWER | {"issues": [{"number": 1, "finding": "upheld", "remedies": ["refund"], "amount": money}]}


async def test_a_case_is_shown_with_its_clocks_explained_and_what_may_be_asked(front: Front) -> None:
    taken = await front.open_case(contact={"name": "Jo Doe", "phone": "555-0123"})
    ann = await front.token(Role.CASEWORKER, name="ann")

    told = (await front.client.get(f"/api/v1/complaints/{taken['id']}", headers=ann)).json()

    assert (told["state"], told["stage"], told["phase"]) == ("in_triage", "triage", "We are reading it")
    assert told["narrative"] == "My form was lost."
    assert told["contact"] == {"name": "Jo Doe", "phone": "555-0123"}
    assert "triage" in told["offered"]
    assert told["refused"]["close"] == (
        "“Close” is for a complaint that is answered; this one is in triage. First comes “Triage”."
    )
    answer = next(clock for clock in told["clocks"] if clock["clock"] == "answer")
    assert len(answer["explanation"]) > 10
    assert all(sentence.strip() for sentence in answer["explanation"])


async def test_a_case_goes_from_triage_to_closed(front: Front) -> None:
    taken = await front.case_at(State.CLOSED)
    ann = await front.token(Role.CASEWORKER, name="ann")

    told = (await front.client.get(f"/api/v1/complaints/{taken['id']}/events", headers=ann)).json()

    actions = [event["action"] for event in told["events"]]
    assert actions == ["receive", "send_receipt", "triage", "answer", "tag_root_cause", "close"]
    assert next(event["text"] for event in told["events"] if event["action"] == "answer") == "We found it."


async def test_what_is_refused_is_told_in_the_lifecycles_own_sentence(front: Front) -> None:
    taken = await front.open_case()
    ann = await front.token(Role.CASEWORKER, name="ann")

    answer = await front.act(taken["id"], ann, **ANSWER)

    assert answer.status_code == 409
    assert answer.json() == {
        "type": "/problems/wrong-state",
        "title": "Wrong state",
        "status": 409,
        "detail": "“Answer” is for a complaint that is in resolution; this one is in triage. First comes “Triage”.",
    }


async def test_what_is_refused_leaves_no_text_behind(front: Front) -> None:
    taken = await front.open_case()
    ann = await front.token(Role.CASEWORKER, name="ann")

    await front.act(taken["id"], ann, **ANSWER)

    async with front.owner.connect() as connection:
        kinds = set(await connection.scalars(text("SELECT kind FROM content")))
    assert kinds == {"narrative"}


async def test_the_same_key_is_done_once_and_answered_alike_even_when_the_case_has_moved_on(front: Front) -> None:
    taken = await front.case_at(State.ANSWERED)
    ann = await front.token(Role.CASEWORKER, name="ann")
    key, tag = (
        a_key(),
        {"action": "tag_root_cause", "issues": [{"number": 1, "cause": {"kind": "none", "reason": "N1"}}]},
    )
    first = await front.act(taken["id"], ann, key, **tag)
    await front.act(taken["id"], ann, action="close")

    again = await front.act(taken["id"], ann, key, **tag)

    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()


async def test_the_same_key_with_another_text_is_refused(front: Front) -> None:
    taken = await front.open_case()
    ann = await front.token(Role.CASEWORKER, name="ann")
    key = a_key()
    await front.act(taken["id"], ann, key, action="note", text="One.")

    again = await front.act(taken["id"], ann, key, action="note", text="Two.")

    assert again.status_code == 409
    assert again.json()["type"] == "/problems/key-reused"


async def test_the_same_key_with_another_action_is_refused(front: Front) -> None:
    taken = await front.open_case()
    ann = await front.token(Role.CASEWORKER, name="ann")
    key = a_key()
    await front.act(taken["id"], ann, key, action="note", text="One.")

    again = await front.act(taken["id"], ann, key, action="assign", owner="ann")

    assert again.json()["type"] == "/problems/key-reused"


async def test_a_text_corrected_after_a_refusal_may_come_under_the_same_key(front: Front) -> None:
    taken = await front.case_at(State.IN_RESOLUTION)
    ann = await front.token(Role.CASEWORKER, name="ann")
    key = a_key()
    of_another_issue = [{"number": 2, "finding": "upheld", "remedies": ["apology"]}]

    refused = await front.act(taken["id"], ann, key, **(ANSWER | {"text": "Wrong.", "issues": of_another_issue}))
    async with front.owner.connect() as connection:
        kinds = set(await connection.scalars(text("SELECT kind FROM content")))
    corrected = await front.act(taken["id"], ann, key, **ANSWER)

    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/unknown-issue")
    assert kinds == {"narrative"}
    assert (corrected.status_code, corrected.json().get("state")) == (200, "answered")


async def test_two_people_may_use_the_same_key(front: Front) -> None:
    taken = await front.open_case()
    ann, ben = await front.token(Role.CASEWORKER, name="ann"), await front.token(Role.CASEWORKER, name="ben")
    key = a_key()

    first, second = [await front.act(taken["id"], who, key, action="note", text="Mine.") for who in (ann, ben)]

    assert (first.json()["sequence"], second.json()["sequence"]) == (3, 4)


async def test_nobody_can_take_a_key_of_the_process_itself(front: Front) -> None:
    taken = await front.file()
    ann = await front.token(Role.CASEWORKER, name="ann")

    answer = await front.act(taken["id"], ann, "receive", action="note", text="Before it is opened.")

    assert answer.status_code == 200
    assert answer.json()["sequence"] == 3


async def test_an_asker_who_saw_an_older_case_is_told(front: Front) -> None:
    taken = await front.open_case()
    ann = await front.token(Role.CASEWORKER, name="ann")
    path = f"/api/v1/complaints/{taken['id']}/actions?expected_sequence=1"

    answer = await front.client.post(path, json=TRIAGE, headers=ann | {"Idempotency-Key": a_key()})

    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/stale"


async def test_codes_are_those_of_the_cases_policy(front: Front) -> None:
    taken = await front.open_case()
    ann = await front.token(Role.CASEWORKER, name="ann")
    wrong = {
        "issues": [{"number": 1, "service": "moon", "category": "HND1"}],
        "office": "mars",
        "team": "x",
        "owner": "y",
    }

    answer = await front.act(taken["id"], ann, **(TRIAGE | wrong))

    assert answer.status_code == 422
    fields = [error["field"] for error in answer.json()["errors"]]
    assert fields == ["issues.0.service", "issues.0.category", "office", "team", "owner"]


async def test_the_policy_and_not_the_asker_says_whether_approval_is_needed(front: Front) -> None:
    taken = await front.open_case()
    ann, sue = await front.token(Role.CASEWORKER, name="ann"), await front.token(Role.SUPERVISOR, name="sue")
    assert (await front.act(taken["id"], ann, **TRIAGE, approval_required=False)).status_code == 422
    await front.act(taken["id"], ann, **(TRIAGE | {"severity": 3}))

    assert (await front.act(taken["id"], ann, **ANSWER)).json()["type"] == "/problems/needs-approval"
    assert (await front.act(taken["id"], ann, **(ANSWER | {"action": "propose_answer"}))).status_code == 200
    assert (await front.act(taken["id"], sue, action="approve")).json()["state"] == "answered"


async def test_money_beyond_the_limit_needs_another_person(front: Front) -> None:
    taken = await front.case_at(State.IN_RESOLUTION)
    ann = await front.token(Role.CASEWORKER, name="ann")

    answer = await front.act(taken["id"], ann, **refund(5_001))

    assert answer.json()["type"] == "/problems/needs-approval"
    assert (await front.act(taken["id"], ann, **refund(5_000))).status_code == 200


async def test_money_names_its_amount_and_authority(front: Front) -> None:
    taken = await front.case_at(State.IN_RESOLUTION)
    ann = await front.token(Role.CASEWORKER, name="ann")
    without = ANSWER | {"issues": [{"number": 1, "finding": "upheld", "remedies": ["refund"]}]}

    assert (await front.act(taken["id"], ann, **without)).json()["type"] == "/problems/incomplete"


async def test_the_desk_settles_frontline_complaints_only(front: Front) -> None:
    taken = await front.open_case()
    ivy = await front.token(Role.INTAKE, name="ivy")
    await front.act(taken["id"], ivy, **TRIAGE, track="standard")
    assert (await front.act(taken["id"], ivy, **ANSWER)).json()["type"] == "/problems/outside-authority"
    await front.act(taken["id"], ivy, **TRIAGE, track="frontline")

    assert (await front.act(taken["id"], ivy, **ANSWER)).status_code == 200


async def test_team_and_track_follow_from_the_routing_table_when_left_out(front: Front) -> None:
    taken = await front.case_at(State.IN_RESOLUTION)
    ann = await front.token(Role.CASEWORKER, name="ann")

    told = (await front.client.get(f"/api/v1/complaints/{taken['id']}", headers=ann)).json()

    policy = (await front.services.policies.current("riverbend", front.services.clock())).policy
    route = policy.route(service="benefits", category="too_slow", severity=1)
    assert (told["team"], told["track"]) == (route.team, route.track)


async def vulnerable_of(front: Front, case_id: str) -> list[bool | None]:
    """Return what the case, its line of a list and its row in the read model say of the person's circumstances."""
    ann = await front.token(Role.CASEWORKER, name="ann")
    shown = (await front.client.get(f"/api/v1/complaints/{case_id}", headers=ann)).json()
    (line,) = (await front.client.get("/api/v1/complaints", headers=ann)).json()["cases"]
    async with front.owner.connect() as connection:
        stored = await connection.scalar(text("SELECT vulnerable FROM case_file"))
    return [shown["vulnerable"], line["vulnerable"], stored]


@pytest.mark.parametrize("told", [True, False, None])
async def test_whoever_triages_says_whether_the_person_is_in_vulnerable_circumstances(
    front: Front, *, told: bool | None
) -> None:
    taken = await front.open_case()
    ann = await front.token(Role.CASEWORKER, name="ann")

    done = await front.act(taken["id"], ann, **TRIAGE, vulnerable=told)

    assert done.status_code == 200, done.text
    assert await vulnerable_of(front, taken["id"]) == [told] * 3


async def test_what_the_complainant_said_stands_until_somebody_says_otherwise(front: Front) -> None:
    taken = await front.open_case(vulnerable=True)
    ann = await front.token(Role.CASEWORKER, name="ann")
    seen = [await vulnerable_of(front, taken["id"])]

    for told in ({}, {"vulnerable": False}, {"vulnerable": None}):
        done = await front.act(taken["id"], ann, **TRIAGE, **told)
        assert done.status_code == 200, done.text
        seen.append(await vulnerable_of(front, taken["id"]))

    assert seen == [[True] * 3, [True] * 3, [False] * 3, [None] * 3]


async def test_a_triage_that_says_nothing_of_circumstances_leaves_the_answer_of_the_one_before(front: Front) -> None:
    taken = await front.open_case(vulnerable=True)
    ann = await front.token(Role.CASEWORKER, name="ann")
    seen = []

    for told in ({"vulnerable": False}, {"severity": 2}, {"vulnerable": None}, {"severity": 2}):
        done = await front.act(taken["id"], ann, **(TRIAGE | told))
        assert done.status_code == 200, done.text
        seen.append(await vulnerable_of(front, taken["id"]))

    assert seen == [[False] * 3, [False] * 3, [None] * 3, [None] * 3]


async def test_a_triage_that_says_nothing_of_circumstances_is_answered_alike_once_they_have_been_told(
    front: Front,
) -> None:
    taken = await front.open_case(vulnerable=True)
    ann = await front.token(Role.CASEWORKER, name="ann")
    key = a_key()
    first = await front.act(taken["id"], ann, key, **TRIAGE)
    await front.act(taken["id"], ann, **TRIAGE, vulnerable=False)

    again = await front.act(taken["id"], ann, key, **TRIAGE)
    other = await front.act(taken["id"], ann, key, **TRIAGE, vulnerable=True)

    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert other.json()["type"] == "/problems/key-reused"
    assert await vulnerable_of(front, taken["id"]) == [False] * 3


async def test_a_duplicate_is_named_by_reference_or_id_and_must_be_there(front: Front) -> None:
    first, second = await front.open_case(), await front.open_case()
    ann = await front.token(Role.CASEWORKER, name="ann")

    unknown = await front.act(second["id"], ann, action="mark_duplicate", duplicate_of=str(uuid4()))
    known = await front.act(second["id"], ann, action="mark_duplicate", duplicate_of=first["reference"].lower())

    assert unknown.status_code == 422
    assert known.json()["state"] == "duplicate"


async def test_without_temporal_an_action_says_ask_again_and_the_same_key_then_works(front: Front) -> None:
    taken = await front.open_case()
    ann = await front.token(Role.CASEWORKER, name="ann")
    key = a_key()
    front.actions.is_away = True
    away = await front.act(taken["id"], ann, key, action="note", text="Called back.")
    front.actions.is_away = False

    again = await front.act(taken["id"], ann, key, action="note", text="Called back.")

    assert (away.status_code, again.status_code) == (503, 200)
    assert "retry-after" in away.headers


async def test_the_key_is_asked_for(front: Front) -> None:
    taken = await front.open_case()
    ann = await front.token(Role.CASEWORKER, name="ann")

    answer = await front.client.post(f"/api/v1/complaints/{taken['id']}/actions", json=TRIAGE, headers=ann)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "idempotency-key"


@pytest.mark.parametrize(
    "action", ["receive", "record_as_history", "send_receipt", "warn_of_deadline", "escalate", "moo"]
)
async def test_what_only_the_process_does_cannot_be_asked(front: Front, action: str) -> None:
    taken = await front.open_case()
    ann = await front.token(Role.CASEWORKER, name="ann")

    assert (await front.act(taken["id"], ann, action=action)).status_code == 422


async def test_every_look_at_a_case_is_noted(front: Front) -> None:
    taken = await front.open_case()
    odo = await front.token(Role.AUDITOR, name="odo")
    for path in (f"/{taken['id']}", f"/{taken['id']}/events", "?team=general", "?q=form"):
        await front.client.get(f"/api/v1/complaints{path}", headers=odo)

    async with front.owner.connect() as connection:
        noted = (
            await connection.execute(text("SELECT actor, what, case_id, filter FROM audit_read ORDER BY id"))
        ).all()
    assert [(row.actor, row.what) for row in noted] == [("odo", what) for what in ("case", "events", "list", "search")]
    assert [str(row.case_id) for row in noted[:2]] == [taken["id"]] * 2
    assert noted[2].filter == {"team": "general", "order": "queue"}
    assert noted[3].filter == {"words": "form", "order": "queue"}


async def test_a_follow_up_is_promised_for_a_day_to_come(front: Front) -> None:
    taken = await front.case_at(State.IN_TRIAGE)
    ann = await front.token(Role.CASEWORKER, name="ann")

    over = await front.act(taken["id"], ann, action="assign", owner="ann", follow_up_on="2026-03-03")
    today = await front.act(taken["id"], ann, action="assign", owner="ann", follow_up_on="2026-03-04")

    assert (over.status_code, today.status_code) == (422, 200)
    assert over.json()["errors"] == [
        {"field": "follow_up_on", "sentence": "'follow_up_on': this day is over; name today or a day to come."}
    ]
