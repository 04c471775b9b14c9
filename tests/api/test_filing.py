# SPDX-License-Identifier: Apache-2.0
"""Filing a complaint: durable, once per key, checked in sentences."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text

from models.references import is_secret
from models.terms import Role
from tests.api.conftest import NOW, SECRETS_KEY, Front
from tests.databases import Database
from tests.given import a_key

PATH = "/api/v1/complaints"
COMPLAINT = {"agency": "riverbend", "narrative": "My form was lost between two offices."}


async def rows(front: Front, query: str, **values: object) -> list[Any]:
    async with front.owner.connect() as connection:
        return list((await connection.execute(text(query), values)).all())


async def test_a_complaint_is_answered_with_reference_secret_receipt_and_dates(front: Front) -> None:
    answer = await front.client.post(PATH, json=COMPLAINT)

    told = answer.json()
    assert answer.status_code == 201
    assert told["reference"].startswith("RIV-")
    assert is_secret(told["secret"], UUID(told["id"]), SECRETS_KEY)
    assert told["reference"] in told["receipt"]
    assert told["next"]["acknowledge_by"] < told["next"]["answer_by"]


async def test_the_same_key_and_complaint_give_the_same_answer_and_one_receipt(front: Front) -> None:
    headers = {"Idempotency-Key": a_key()}

    answers = [await front.client.post(PATH, json=COMPLAINT, headers=headers) for _ in range(3)]

    assert len({answer.text for answer in answers}) == 1
    assert len(await rows(front, "SELECT FROM receipt")) == 1


async def test_the_same_key_sent_at_once_many_times_makes_one_receipt(front: Front) -> None:
    headers = {"Idempotency-Key": a_key()}

    answers = await asyncio.gather(*(front.client.post(PATH, json=COMPLAINT, headers=headers) for _ in range(8)))

    assert len({answer.text for answer in answers}) == 1
    assert len(await rows(front, "SELECT FROM receipt")) == 1


@pytest.mark.parametrize("told", [{"vulnerable": True}, {"vulnerable": False}, {"vulnerable": None}, {}])
async def test_the_complainant_may_say_whether_they_are_in_vulnerable_circumstances(
    front: Front, told: dict[str, bool | None]
) -> None:
    taken = await front.open_case(**told)
    ann = await front.token(Role.CASEWORKER, name="ann")

    shown = (await front.client.get(f"{PATH}/{taken['id']}", headers=ann)).json()

    assert shown["vulnerable"] is told.get("vulnerable")


async def test_the_public_form_asks_in_the_readers_language_and_nobody_has_to_answer(front: Front) -> None:
    home = "/a/riverbend/complain"
    policy = (await front.services.policies.current("riverbend", front.services.clock())).policy
    form = (await front.client.get(f"{home}?lang=es")).text
    answers = {
        answer: await front.client.post(
            f"{home}/send", data={"narrative": f"Se perdió {answer}.", "key": a_key(), "vulnerable": answer}
        )
        for answer in ("yes", "no", "", "perhaps")
    }

    assert policy.severity.vulnerable_circumstances_in("es") in form
    assert [answer.status_code for answer in answers.values()] == [303, 303, 303, 422]
    stored = await rows(front, "SELECT facts FROM receipt ORDER BY accepted_at, case_id")
    told = [json.loads(bytes(row.facts)).get("vulnerable") for row in stored]
    assert sorted(told, key=str) == [False, None, True]


async def test_the_same_key_with_another_complaint_is_refused(front: Front) -> None:
    headers = {"Idempotency-Key": a_key()}
    await front.client.post(PATH, json=COMPLAINT, headers=headers)

    answer = await front.client.post(PATH, json=COMPLAINT | {"narrative": "Something else."}, headers=headers)

    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/key-reused"


async def test_without_a_key_two_people_who_write_the_same_are_both_heard(front: Front) -> None:
    first, second = [await front.client.post(PATH, json=COMPLAINT) for _ in range(2)]

    assert first.json()["id"] != second.json()["id"]


async def test_a_staff_key_is_not_the_publics_key(front: Front) -> None:
    headers = {"Idempotency-Key": a_key()}
    ivy = await front.token(Role.INTAKE)

    public = await front.client.post(PATH, json=COMPLAINT, headers=headers)
    desk = await front.client.post(
        PATH, json=COMPLAINT | {"narrative": "By phone.", "channel": "phone"}, headers=headers | ivy
    )

    assert (public.status_code, desk.status_code) == (201, 201)


async def test_personal_fields_stand_in_content_and_nowhere_else(front: Front) -> None:
    contact = {"name": "Jo Doe", "email": "jo@example.org"}
    taken = await front.file(contact=contact)

    stored = await rows(front, "SELECT kind, body FROM content WHERE case_id = :id", id=taken["id"])
    assert {row.kind for row in stored} == {"narrative", "contact"}
    assert json.loads(next(row.body for row in stored if row.kind == "contact")) == contact
    (facts,) = await rows(front, "SELECT facts FROM receipt WHERE case_id = :id", id=taken["id"])
    assert b"Jo" not in facts.facts
    assert b"form" not in facts.facts


async def test_every_fault_is_named_at_once_in_a_sentence(front: Front) -> None:
    answer = await front.client.post(
        PATH, json={"agency": "riverbend", "narrative": "x", "service": "moon", "office": "mars", "category": "HND1"}
    )

    told = answer.json()
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["field"] for error in told["errors"]] == ["service", "category", "office"]
    assert told["errors"][0]["sentence"].startswith(
        "'service': 'moon' is not among the services of this agency: benefits, "
    )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"narrative": "a\u0000b"}, "narrative"),
        ({"narrative": " "}, "narrative"),
        ({"narrative": "x" * 50_001}, "narrative"),
        ({"colour": "red"}, "colour"),
        ({"contact": {"email": "jo@example.org\r\nBcc: all@example.org"}}, "contact.email"),
        ({"contact": {"name": "Jo\nDoe"}}, "contact.name"),
        ({"channel": "phone"}, "channel"),
        ({"language": "xx"}, "language"),
        ({"event_id": "01930c1e-8f6a-7c1d-9b57-3f0a5d2e7c11"}, "event_id"),
        ({"agency": "elsewhere"}, "agency"),
        ({"narrative": None}, "narrative"),
    ],
)
async def test_what_cannot_be_taken_is_refused_by_field(front: Front, fields: dict[str, Any], field: str) -> None:
    answer = await front.client.post(PATH, json=COMPLAINT | fields)

    assert answer.status_code == 422
    assert field in [error["field"] for error in answer.json()["errors"]]


async def test_the_agency_must_be_named_where_there_are_several(front: Front) -> None:
    answer = await front.client.post(PATH, json={"narrative": "Something."})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "agency"


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000])
async def test_what_is_not_a_complaint_at_all_is_a_problem_too(front: Front, body: bytes) -> None:
    answer = await front.client.post(PATH, content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"


async def test_lone_halves_of_characters_are_refused(front: Front) -> None:
    body = b'{"agency": "riverbend", "narrative": "\\ud800"}'

    answer = await front.client.post(PATH, content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 422


@pytest.mark.parametrize("says_its_length", [True, False])
async def test_a_body_beyond_the_limit_is_not_taken(front: Front, says_its_length: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 100_000

    content = b" " * 2_000_000 if says_its_length else pieces()
    answer = await front.client.post(PATH, content=content, headers={"Content-Type": "application/json"})

    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_record_that_is_away_says_ask_again(front: Front, database: Database) -> None:
    await front.file()
    with psycopg.connect(database.server.dsn(database="postgres"), autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{database.name}" ALLOW_CONNECTIONS false')
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database.name])
        try:
            answer = await front.client.post(PATH, json=COMPLAINT)
        finally:
            admin.execute(f'ALTER DATABASE "{database.name}" ALLOW_CONNECTIONS true')

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_connection_that_died_unnoticed_costs_no_complaint(front: Front) -> None:
    await front.file()
    admin = front.owner.execution_options(isolation_level="AUTOCOMMIT")
    async with admin.connect() as connection:
        await connection.execute(
            text("""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE datname = current_database() AND usename = 'putright_api'""")
        )

    assert (await front.client.post(PATH, json=COMPLAINT)).status_code == 201


async def test_a_complaint_taken_in_at_an_event_is_counted_there(front: Front) -> None:
    leo = await front.token(Role.LIAISON)
    day = {"name": "Day", "place": "Library", "held_on": "2026-03-04", "office": "northgate"}
    keyed = leo | {"Idempotency-Key": a_key()}
    planned = (await front.client.post("/api/v1/problem-solving-days", json=day, headers=keyed)).json()

    body = COMPLAINT | {"channel": "event", "event_id": planned["id"]}
    taken = await front.client.post(PATH, json=body, headers=leo)
    await front.actions.opened("riverbend", UUID(taken.json()["id"]))

    told = (await front.client.get(f"/api/v1/problem-solving-days/{planned['id']}", headers=leo)).json()
    assert told["day"]["taken_in"] == 1
    assert told["day"]["to_follow_up"] == 1
    assert [case["case_id"] for case in told["follow_ups"]] == [taken.json()["id"]]


async def test_the_day_of_receipt_is_that_of_the_agencys_clock(front: Front) -> None:
    taken = await front.file()

    (row,) = await rows(front, "SELECT received_at, facts FROM receipt WHERE case_id = :id", id=taken["id"])
    assert row.received_at == NOW
    assert json.loads(bytes(row.facts))["received_on"] == "2026-03-04"
