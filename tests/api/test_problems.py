# SPDX-License-Identifier: Apache-2.0
"""Every expected error is a problem of its own, and the description tells what the interface does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from api.actions import Busy
from api.app import described
from api.problems import problem_of
from api.reads.database import RecordAway
from models import refusals
from models.refusals import Refused
from models.terms import Role, State
from run.reference import interface_page
from tests.api.conftest import Front

REFUSALS = [kind for kind in vars(refusals).values() if isinstance(kind, type) and issubclass(kind, Refused)]
SNAPSHOT = Path(__file__).resolve().parents[2] / "docs" / "reference" / "openapi.json"


@pytest.mark.parametrize("kind", REFUSALS)
def test_every_refusal_is_a_conflict_with_its_own_type_and_its_sentence(kind: type[Refused]) -> None:
    problem = problem_of(kind("This is why not."))

    assert (problem.status, problem.detail) == (409, "This is why not.")
    assert problem.code == kind("").code


def test_no_two_refusals_share_a_type() -> None:
    assert len({kind("").code for kind in REFUSALS}) == len(REFUSALS) > 10


@pytest.mark.parametrize("error", [Busy("Ask again."), RecordAway(is_of_one_connection=False)])
def test_what_passes_by_itself_says_when_to_ask_again(error: Exception) -> None:
    problem = problem_of(error)

    assert problem.status == 503
    assert int(problem.headers["Retry-After"]) >= 1


def test_an_unexpected_error_is_not_dressed_up() -> None:
    with pytest.raises(ZeroDivisionError):
        problem_of(ZeroDivisionError())


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("PUT", "/api/v1/complaints", 405)])
async def test_what_is_not_there_is_a_problem_too(front: Front, method: str, path: str, status: int) -> None:
    answer = await front.client.request(method, path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_description_in_the_documents_is_current() -> None:
    assert SNAPSHOT.read_text("utf-8") == interface_page(), "run `make reference`"


def test_the_description_has_examples_and_a_sentence_for_every_route() -> None:
    told = described()
    operations = [operation for path in told["paths"].values() for operation in path.values()]

    assert len(operations) > 15
    assert all(operation["description"].endswith(".") for operation in operations)
    bodies = {
        operation["requestBody"]["content"]["application/json"]["schema"].get("$ref", "").rpartition("/")[2]
        for operation in operations
        if "requestBody" in operation
    }
    schemas = told["components"]["schemas"]
    assert [name for name in bodies - {""} if not ("examples" in schemas[name] or _field_examples(schemas[name]))] == []


def _field_examples(schema: dict[str, Any]) -> bool:
    return any("examples" in field for field in schema["properties"].values())


async def test_answers_are_what_the_description_says(front: Front) -> None:
    case = await front.case_at(State.CLOSED)
    sue = await front.token(Role.SUPERVISOR)
    told = described()
    for path in (
        "/api/v1/complaints",
        "/api/v1/complaints/{case_id}",
        "/api/v1/complaints/{case_id}/events",
        "/api/v1/lifecycle",
        "/api/v1/signals",
        "/api/v1/problem-solving-days",
        "/api/v1/workload",
        "/readyz",
    ):
        query = {"sort": "newest"} if path.endswith("complaints") else {}
        answer = await front.client.get(path.format(case_id=case["id"]), headers=sue, params=query)
        schema = told["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema.validate(answer.json(), schema | {"components": told["components"]})


async def test_the_description_is_served(front: Front) -> None:
    answer = await front.client.get("/api/v1/openapi.json")

    assert answer.json() == json.loads(interface_page())


async def test_a_body_that_is_no_text_is_named_as_such(front: Front) -> None:
    headers = {"Content-Type": "application/json"}

    answer = await front.client.post("/api/v1/complaints", content=b'{"narrative": "\xff\xfe"}', headers=headers)

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "body", "sentence": "The body is not JSON in UTF-8."}]


async def test_what_the_guard_refuses_is_a_page_for_a_person(front: Front) -> None:
    front.client.cookies.set("sid", "somebody")
    person, elsewhere = {"Accept": "text/html"}, {"Sec-Fetch-Site": "cross-site"}

    forged = await front.client.post("/sign-out", headers=person | elsewhere)
    long = await front.client.post("/a/riverbend/complain/send", content=b"x" * 1_100_000, headers=person)
    program = await front.client.post("/api/v1/complaints", content=b"{}", headers=elsewhere)

    assert (forged.status_code, long.status_code) == (403, 413)
    assert "<h1>This is for others</h1>" in forged.text
    assert "This request comes from another site" in forged.text
    assert "is not taken" in long.text
    assert program.headers["content-type"] == "application/problem+json"
