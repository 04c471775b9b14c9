# SPDX-License-Identifier: Apache-2.0
"""Whatever is sent, the interface answers as its description says: never by a fault of ours, never undescribed."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import described
from models.terms import Role, State
from tests.api.conftest import Front

BASE_URL = "http://127.0.0.1:8000"
EXAMPLES = 20
"""For each operation and kind of request; more of them, or another seed, look further."""
ANSWER_WITHIN_SECONDS = 60
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
LAWFUL, UNLAWFUL = GenerationMode.POSITIVE, GenerationMode.NEGATIVE


@cache
def interface() -> schemathesis.BaseSchema:
    """Return the interface as it describes itself."""
    return schemathesis.openapi.from_dict(described())


def operations() -> list[tuple[str, str, GenerationMode]]:
    """Return every operation with each kind of request: where nothing is asked for, nothing can be unlawful."""
    return [
        (path, method, kind)
        for path, methods in described()["paths"].items()
        for method, told in methods.items()
        for kind in ([LAWFUL, UNLAWFUL] if told.keys() & {"parameters", "requestBody"} else [LAWFUL])
    ]


class Asker:
    """Sends requests from Hypothesis' thread to the application in the test's loop."""

    def __init__(self, front: Front, known: dict[str, str], people: dict[str, dict[str, str]]) -> None:
        self._client = front.client
        self._loop = asyncio.get_running_loop()
        self.known = known
        """Ids that exist, by the name of the path's parameter."""
        self.people = people
        """Headers of somebody in each role, and of nobody."""

    def ask(self, case: Case[Any], who: str, *, of_known: bool) -> httpx.Response:
        """Send the request as somebody; to what exists, or to whatever id was made up."""
        if of_known:
            case.path_parameters.update({name: self.known[name] for name in case.path_parameters if name in self.known})
        told = requests.Request(**case.as_transport_kwargs(base_url=BASE_URL)).prepare()
        assert told.body is None or isinstance(told.body, str | bytes)
        headers = {name: str(value) for name, value in told.headers.items() if name != "Content-Length"}
        headers |= self.people[who]
        request = self._client.build_request(str(told.method), str(told.url), headers=headers, content=told.body)
        answering = asyncio.run_coroutine_threadsafe(self._client.send(request), self._loop)
        return answering.result(ANSWER_WITHIN_SECONDS)


@pytest.fixture
async def asker(front: Front) -> Asker:
    case = await front.case_at(State.IN_RESOLUTION)
    roles = (Role.CASEWORKER, Role.SUPERVISOR, Role.ANALYST, Role.AUDITOR)
    people = {role.value: await front.token(role) for role in roles} | {"nobody": {}}
    day = {"name": "A day", "place": "Library", "held_on": "2026-04-01"}
    keyed = people[Role.SUPERVISOR.value] | {"Idempotency-Key": "the-day"}
    made = await front.client.post("/api/v1/problem-solving-days", json=day, headers=keyed)
    opened = await front.client.post("/api/v1/fixes", json={"title": "Lost renewals"}, headers=keyed)
    known = {"case_id": case["id"], "day_id": made.json()["id"], "fix_id": opened.json()["fix_id"]}
    return Asker(front, known, people)


@pytest.mark.parametrize(("path", "method", "kind"), operations())
async def test_every_answer_is_one_that_the_description_knows(
    asker: Asker, path: str, method: str, kind: GenerationMode
) -> None:
    requests_like_it = interface()[path][method].as_strategy(generation_mode=kind)

    @seed(20260302)
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=requests_like_it, who=st.sampled_from(sorted(asker.people)), of_known=st.booleans())
    def answers_as_described(case: Case[Any], who: str, *, of_known: bool) -> None:
        answer = asker.ask(case, who, of_known=of_known)
        case.validate_response(answer, checks=CHECKS)

    await asyncio.to_thread(answers_as_described)
