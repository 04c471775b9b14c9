# SPDX-License-Identifier: Apache-2.0
"""The complainant's side: reference and secret open one's own complaint, and nothing else does."""

from __future__ import annotations

from typing import Any

import httpx
from sqlalchemy import text

from models.terms import Role, State
from tests.api.conftest import Front
from tests.api.test_case_page import words
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


async def test_every_point_of_the_answer_is_told_with_what_is_given_for_it(front: Front) -> None:
    taken = await front.case_at(State.IN_RESOLUTION)
    ann = await front.token(Role.CASEWORKER, name="ann")
    amount = {"cents": 2_550, "authority": "Rule 12(b)"}
    issues = [{"number": 1, "finding": "upheld", "remedies": ["refund", "apology"], "amount": amount}]
    before = (await track(front, taken)).json()["points"]
    await front.act(taken["id"], ann, action="answer", text="We pay it back.", issues=issues)

    [point] = (await track(front, taken)).json()["points"]

    assert before == []
    assert point == {"service": "benefits", "category": "too_slow"} | issues[0]


async def test_what_was_answered_before_is_told_after_a_reopening(front: Front) -> None:
    taken = await front.case_at(State.CLOSED)
    first = (await track(front, taken)).json()
    await ask(front, taken, action="reopen", text="You mistake me for somebody else.")

    again = (await track(front, taken)).json()

    assert first["earlier_answers"] == []
    assert (again["answer"], again["points"]) == (None, [])
    assert again["earlier_answers"] == [{"answer": first["answer"], "points": first["points"]}]


async def test_the_page_keeps_the_points_of_the_first_answer_after_a_reopening(front: Front) -> None:
    taken = await front.case_at(State.CLOSED)
    await ask(front, taken, action="reopen", text="You mistake me for somebody else.")

    front.client.cookies.set("complaint", f"{taken['reference']}.{taken['secret']}")
    page = words((await front.client.get("/a/riverbend/track/view")).text)

    before = page.partition("Our answer before we looked at it again")[2].partition("What has happened")[0]
    assert "Point by point" in before
    assert "Benefit payments: " in before


async def test_until_when_a_review_may_be_asked_for_is_told_from_the_answer_on(front: Front) -> None:
    asked, answered, closed = [
        (await track(front, await front.case_at(state))).json()["review_until"]
        for state in (State.IN_RESOLUTION, State.ANSWERED, State.CLOSED)
    ]

    assert asked is None
    assert answered is not None
    assert closed >= answered


async def test_one_look_at_ones_complaint_is_one_row_of_the_audit(front: Front) -> None:
    taken = await front.file()
    shown = {"reference": taken["reference"], "secret": taken["secret"]}
    looks = text("SELECT count(*) FROM audit_read WHERE what = 'track'")

    async def seen_after(answer: httpx.Response) -> tuple[int, int]:
        async with front.owner.connect() as connection:
            return answer.status_code, (await connection.execute(looks)).scalar_one()

    assert await seen_after(await front.client.post("/a/riverbend/track", data=shown)) == (303, 0)
    assert await seen_after(await front.client.get("/a/riverbend/track/view")) == (200, 1)
    note = {"action": "note", "note": "One more thing."}
    assert await seen_after(await front.client.post("/a/riverbend/track/act", data=note)) == (303, 1)
    assert await seen_after(await front.client.post("/a/riverbend/track/act", data=note | {"note": ""})) == (422, 2)


async def test_whoever_gets_paper_reads_that_it_was_written_for_the_post_in_their_language(front: Front) -> None:
    taken = await front.open_case(contact={"name": "Bo Lee", "post": "1 Elm Street"})
    ann = await front.token(Role.CASEWORKER, name="ann")
    assert (await front.act(taken["id"], ann, a_key(), action="acknowledge", text="We look into it.")).is_success

    steps = [step["what"] for step in (await track(front, taken)).json()["steps"]]
    front.client.cookies.set("complaint", f"{taken['reference']}.{taken['secret']}")
    page = (await front.client.get("/a/riverbend/track/view", headers={"Accept-Language": "es"})).text

    assert "We wrote your receipt, to be sent by post" in steps
    assert "We wrote you a letter, to be sent by post" in steps
    assert "Escribimos su comprobante, para enviárselo por correo postal" in page
    assert "Le enviamos un comprobante" not in page
