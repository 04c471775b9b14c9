# SPDX-License-Identifier: Apache-2.0
"""What goes wrong is told in words that people understand: as a page to a person, as JSON to a program."""

from __future__ import annotations

from itertools import product
from typing import Any

import httpx
import pytest

from api.pages.words import ACTIONS
from models import lifecycle
from models.lifecycle import TRANSITIONS
from models.refusals import WrongState
from models.terms import Action, Role, State
from models.wording import ACTION_NAMES
from tests.api.conftest import Front
from tests.given import a_key

AS_BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PATH = "/api/v1/complaints"


async def sentences(answer: httpx.Response) -> list[tuple[str, str]]:
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    return [(fault["field"], fault["sentence"]) for fault in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("[1]", ("body", "'body': this must be an object with named fields, written in braces.")),
        ("", ("body", "The request has no body; send a JSON object.")),
        ('{"narrative": }', ("body", "The body is not JSON: expecting value, at character 15.")),
        ('{"narrative": " "}', ("narrative", "'narrative': this is empty.")),
        ('{"narrative": 7}', ("narrative", "'narrative': this must be a text.")),
        ('{"narrative": "x", "colour": 1}', ("colour", "'colour' is not a field of this request.")),
        (
            '{"narrative": "x", "contact": {"email": "jo at home"}}',
            ("contact.email", "'contact.email': this is not an e-mail address."),
        ),
        ('{"narrative": "x", "event_id": "zz"}', ("event_id", "'event_id': this is not an id.")),
    ],
)
async def test_a_body_that_is_wrong_is_told_without_the_words_of_programmers(
    front: Front, body: str, told: tuple[str, str]
) -> None:
    answer = await front.client.post(PATH, content=body, headers={"Content-Type": "application/json"})

    assert await sentences(answer) == [told]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"action": "explode"}, "'action': 'explode' is none of acknowledge, triage, assign, note, "),
        ({}, "'action' is missing."),
        ({"action": "assign", "follow_up_on": "soon"}, "this must be a day, such as 2026-03-09."),
        ({"action": "triage", "issues": {}, "severity": 1}, "this must be a list, written in square brackets."),
        ({"action": "triage", "issues": [], "severity": 9}, "this must be 3 or less."),
    ],
)
async def test_an_action_that_is_wrong_is_told_with_what_there_is(
    front: Front, asked: dict[str, Any], told: str
) -> None:
    case = await front.open_case()
    ann = await front.token(Role.CASEWORKER, name="ann")

    answer = await front.client.post(f"{PATH}/{case['id']}/actions", json=asked, headers=ann | {"Idempotency-Key": "k"})

    assert told in answer.json()["detail"]
    assert "<Action" not in answer.text


async def test_a_code_that_is_not_there_is_answered_with_those_that_are(front: Front) -> None:
    answer = await front.client.post(PATH, json={"agency": "riverbend", "narrative": "x", "category": "broken"})

    ((field, sentence),) = await sentences(answer)
    known = (await front.client.get("/api/v1/policy", params={"agency": "riverbend"})).json()["categories"]
    assert field == "category"
    assert all(each["id"] in sentence for each in known)


@pytest.mark.parametrize("path", [PATH, "/api/v1/signals", "/api/v1/policy", "/api/v1/lifecycle"])
async def test_a_query_that_nobody_knows_is_refused_and_not_passed_over(front: Front, path: str) -> None:
    sue = await front.token(Role.SUPERVISOR)

    answer = await front.client.get(path, params={"statee": "closed", "agency": "riverbend"}, headers=sue)

    assert answer.json()["type"] == "/problems/unknown-query"
    assert "'statee' is not a query of this address" in answer.json()["detail"]


async def test_queries_that_are_known_pass(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR)

    for query in ("?open=true&limit=5", "?state=closed&sort=newest", "?q=form"):
        assert (await front.client.get(PATH + query, headers=sue)).status_code == 200


@pytest.mark.parametrize("path", ["/nope", "/cases/zzz", "/a/nowhere", "/signals/zzz", "/desk/zzz", "/sign-out"])
async def test_a_person_at_a_wrong_address_sees_a_page_that_says_so(front: Front, path: str) -> None:
    ann = await front.token(Role.SUPERVISOR, name="ann")

    answer = await front.client.get(path, headers=ann | AS_BROWSER)

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "<h1>This page does not exist</h1>" in answer.text
    assert "uuid" not in answer.text.lower()


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html"])
async def test_a_program_is_answered_in_json_whatever_it_says_it_takes(front: Front, accept: str) -> None:
    answer = await front.client.get("/api/v1/nope", headers={"Accept": accept})

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_problem_of_somebody_signed_in_keeps_their_name_menu_and_way_out(front: Front) -> None:
    adm = await front.token(Role.ADMINISTRATOR, name="adm")

    answer = await front.client.get("/work", headers=adm | AS_BROWSER)

    assert answer.status_code == 403
    assert "<summary>adm</summary>" in answer.text
    assert 'href="/admin"' in answer.text
    assert 'action="/sign-out"' in answer.text


async def test_the_picture_that_browsers_ask_for_is_there(front: Front) -> None:
    answer = await front.client.get("/favicon.ico")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")


async def test_what_is_refused_for_its_words_does_not_count_against_the_limit(front: Front) -> None:
    front.app.state.limits = type(front.app.state.limits)("2/minute", "3/minute")
    typo = {"agency": "riverbend", "narrative": "x", "service": "moon"}
    good = {"agency": "riverbend", "narrative": "x"}

    typos = [(await front.client.post(PATH, json=typo)).status_code for _ in range(5)]
    blank = [(await front.client.post("/a/riverbend/complain/send", data={})).status_code for _ in range(5)]
    taken = [(await front.client.post(PATH, json=good)).status_code for _ in range(3)]

    assert set(typos) == set(blank) == {422}
    assert taken == [201, 201, 429]


@pytest.mark.parametrize("path", ["/api/v1/track", "/a/riverbend/track"])
async def test_a_wrong_secret_counts(front: Front, path: str) -> None:
    taken = await front.file()
    front.app.state.limits = type(front.app.state.limits)("2/minute", "100/minute")
    wrong = {"reference": taken["reference"], "secret": "AAAA-AAAA-AAAA"}
    told = {"json": wrong} if path.startswith("/api/") else {"data": wrong}

    answers = [(await front.client.post(path, **told)).status_code for _ in range(3)]  # type: ignore[arg-type]

    assert answers[2] == 429


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("1/minute", "At most 1 request in a minute from one address is taken here."),
        ("2/5minute", "At most 2 requests in 5 minutes from one address are taken here."),
        ("2/hour", "At most 2 requests in an hour from one address are taken here."),
    ],
)
async def test_a_limit_is_said_in_words(front: Front, limit: str, said: str) -> None:
    front.app.state.limits = type(front.app.state.limits)(limit, "100/minute")
    good = {"agency": "riverbend", "narrative": "x"}

    answers = [await front.client.post(PATH, json=good) for _ in range(3)]

    assert answers[2].json()["detail"].startswith(said)


def test_pages_and_refusals_call_an_action_by_the_same_words() -> None:
    assert ACTIONS == ACTION_NAMES


@pytest.mark.parametrize(("state", "action"), list(product(State, ACTION_NAMES)))
def test_a_refusal_by_state_names_the_button_and_a_first_step_that_is_possible(state: State, action: Action) -> None:
    if any(row.action is action and state in row.sources for row in TRANSITIONS):
        assert lifecycle.row_of(state, action).action is action
        return

    with pytest.raises(WrongState) as refused:
        lifecycle.row_of(state, action)

    said, _, first = str(refused.value).partition(" First comes ")
    assert said.startswith(f"“{ACTION_NAMES[action]}” is for a complaint that is ")
    if first:
        (step,) = (each for each, name in ACTION_NAMES.items() if first == f"“{name}”.")
        assert lifecycle.row_of(state, step).target is not None


def test_a_refusal_says_what_comes_first() -> None:
    with pytest.raises(WrongState, match="First comes “Ask the complainant”"):
        lifecycle.row_of(State.IN_RESOLUTION, Action.RECORD_INFORMATION)


async def test_a_complainant_is_told_what_may_be_done_and_not_what_may_not(front: Front) -> None:
    taken = await front.open_case()

    told = (await front.client.post("/api/v1/track", json={k: taken[k] for k in ("reference", "secret")})).json()

    assert "withdraw" in told["offered"]
    assert "refused" not in told


@pytest.mark.parametrize(
    ("contact", "gets_letters"),
    [(None, False), ({"phone": "555 0100"}, False), ({"email": "jo@example.org"}, True), ({"post": "1 Main St"}, True)],
)
async def test_nothing_is_promised_by_letter_to_somebody_who_gave_no_address(
    front: Front, contact: dict[str, str] | None, gets_letters: bool
) -> None:
    taken = await front.open_case(contact=contact)
    shown = {key: taken[key] for key in ("reference", "secret")}
    ann = await front.token(Role.CASEWORKER, name="ann")
    done = await front.act(taken["id"], ann, a_key(), action="acknowledge", text="We look into it.")
    assert done.status_code == 200

    steps = [step["what"] for step in (await front.client.post("/api/v1/track", json=shown)).json()["steps"]]
    front.client.cookies.set("complaint", f"{taken['reference']}.{taken['secret']}")
    pages = [(await front.client.get(f"/a/riverbend/{page}")).text for page in ("receipt", "track/view")]

    assert ("We made out your receipt" in steps) == ("A person has it in hand" in steps) != gets_letters
    assert ("a person will write to you" in taken["receipt"]) == gets_letters
    assert ("no address to write to" in taken["receipt"]) != gets_letters
    assert all(("no address to write to" in page) != gets_letters for page in pages)
    assert ("A person writes to you" in pages[0]) == gets_letters
