# SPDX-License-Identifier: Apache-2.0
"""The complainant's side: reference and secret open one's own complaint, and nothing else does."""

from __future__ import annotations

from typing import Any

import httpx

from models.terms import Role, State
from tests.api.conftest import Front
from tests.given import a_key


async def track(front: Front, taken: dict[str, Any], **changed: str) -> httpx.Response:
    shown = {"reference": taken["reference"], "secret": taken["secret"]} | changed
    return await front.client.post("/api/v1/track", json=shown)


async def ask(front: Front, taken: dict[str, Any], **asked: object) -> httpx.Response:
    body = {"reference": taken["reference"], "secret": taken["secret"], "asked": asked}
    return await front.client.post("/api/v1/track/actions", json=body, headers={"Idempotency-Key": a_key()})


async def test_a_complaint_is_received_also_before_its_workflow_has_begun(front: Front) -> None:
    taken = await front.file()

    told = (await track(front, taken)).json()

    assert told["phase"] == "We have it"
    assert (told["acknowledge_by"], told["answer_by"]) == (taken["next"]["acknowledge_by"], taken["next"]["answer_by"])


async def test_reference_and_secret_may_be_typed_as_people_type(front: Front) -> None:
    taken = await front.open_case()

    sloppy = await track(
        front, taken, reference=taken["reference"].lower().replace("-", " "), secret=taken["secret"].lower()
    )

    assert sloppy.json()["phase"] == "We are reading it"


async def test_a_wrong_secret_and_an_unknown_reference_are_answered_alike(front: Front) -> None:
    taken, other = await front.file(), await front.file()

    wrong = await track(front, taken, secret=other["secret"])
    unknown = await track(front, taken, reference="RIV-0000-0000-0000")
    nonsense = await track(front, taken, reference="nothing")

    assert (wrong.status_code, unknown.status_code, nonsense.status_code) == (404, 404, 404)
    assert wrong.json() == unknown.json() == nonsense.json()


async def test_a_question_is_shown_and_can_be_answered(front: Front) -> None:
    taken = await front.case_at(State.IN_RESOLUTION)
    ann = await front.token(Role.CASEWORKER, name="ann")
    await front.act(taken["id"], ann, action="request_information", text="Which office took the form?")

    asked = (await track(front, taken)).json()
    done = await ask(front, taken, action="record_information", text="Northgate.")

    assert asked["question"] == "Which office took the form?"
    assert "record_information" in asked["offered"]
    assert done.json()["state"] == "in_resolution"
    assert (await track(front, taken)).json()["question"] is None


async def test_the_answer_is_shown_and_notes_of_staff_are_not(front: Front) -> None:
    taken = await front.case_at(State.ANSWERED)
    ann = await front.token(Role.CASEWORKER, name="ann")
    await front.act(taken["id"], ann, action="note", text="A difficult person.")

    answer = await track(front, taken)

    assert answer.json()["answer"] == "We found it."
    assert "difficult" not in answer.text
    assert "ann" not in {word.strip('",:') for word in answer.text.split()}


async def test_a_proposed_answer_is_shown_when_it_is_approved_and_not_before(front: Front) -> None:
    taken = await front.case_at(State.IN_RESOLUTION)
    ann, sue = await front.token(Role.CASEWORKER, name="ann"), await front.token(Role.SUPERVISOR, name="sue")
    issues = [{"number": 1, "finding": "upheld", "remedies": ["apology"]}]
    await front.act(taken["id"], ann, action="propose_answer", text="We propose.", issues=issues)

    before = await track(front, taken)
    await front.act(taken["id"], sue, action="approve")

    assert "We propose." not in before.text
    assert (await track(front, taken)).json()["answer"] == "We propose."


async def test_a_complainant_can_add_withdraw_and_ask_to_look_again(front: Front) -> None:
    taken = await front.open_case()

    assert (await ask(front, taken, action="note", text="One more thing.")).status_code == 200
    assert (await ask(front, taken, action="withdraw")).json()["state"] == "withdrawn"
    assert (await ask(front, taken, action="reopen", text="I changed my mind.")).json()["state"] == "in_resolution"


async def test_a_complainant_cannot_do_what_staff_do(front: Front) -> None:
    taken = await front.open_case()

    assert (await ask(front, taken, action="close")).status_code == 422
    assert (await ask(front, taken, action="triage")).status_code == 422


async def test_the_secret_never_comes_from_the_record(front: Front) -> None:
    taken = await front.file()

    assert taken["secret"].replace("-", "") not in str(await track(front, taken))
