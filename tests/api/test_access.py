# SPDX-License-Identifier: Apache-2.0
"""Who may call what: every route says so, and nobody reaches into another agency."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from sqlalchemy import text

from api.identity import Public, Who
from api.reads.people import hash_of
from api.writes.sessions import start_session
from models.terms import STAFF_ROLES, Role, State
from tests.api.conftest import NOW, Front
from tests.given import a_key

BODIES: dict[str, Any] = {
    "/api/v1/complaints/{case_id}/actions": {"action": "note", "text": "A note."},
    "/api/v1/signals/{signal_id}/decisions": {"decision": "reject", "reason": "Not so."},
    "/api/v1/signals/runs": {},
    "/api/v1/fixes": {"title": "Lost renewals"},
    "/api/v1/fixes/{fix_id}/actions": {"action": "note", "words": "A note."},
    "/api/v1/problem-solving-days": {"name": "Day", "place": "Library", "held_on": "2026-04-01"},
}


def doors(dependant: Dependant) -> Iterator[Who | Public]:
    """Return the dependencies that say for whom a route is."""
    for inner in dependant.dependencies:
        if isinstance(inner.call, Who | Public):
            yield inner.call
        yield from doors(inner)


def routes(app: FastAPI) -> list[RouteContext]:
    return [found for found in iter_route_contexts(app.routes) if isinstance(found.route, APIRoute)]


async def test_every_route_says_for_whom_it_is(front: Front) -> None:
    silent = [route.path for route in routes(front.app) if len(list(doors(route.dependant))) != 1]

    assert len(routes(front.app)) > 20
    assert silent == []


async def test_nothing_is_mounted_past_the_doors(front: Front) -> None:
    others = [found.path for found in iter_route_contexts(front.app.routes) if not isinstance(found.route, APIRoute)]

    assert others == []


async def test_each_interface_route_lets_its_own_roles_in_and_nobody_else(front: Front) -> None:
    case = await front.case_at(State.IN_RESOLUTION)
    tokens = {role: await front.token(role) for role in sorted(STAFF_ROLES)}
    walked = 0
    for route in routes(front.app):
        template = route.path or ""
        if not template.startswith("/api/"):
            continue
        (door,) = doors(route.dependant)
        if isinstance(door, Public):
            continue
        path = template.format(case_id=case["id"], signal_id=uuid4(), day_id=uuid4(), fix_id=uuid4())
        (method,) = route.methods or set()
        for role, token in tokens.items():
            keyed = token | {"Idempotency-Key": a_key()}
            answer = await front.client.request(method, path, headers=keyed, json=BODIES.get(template))
            assert (answer.status_code == 403) == (role not in door.roles), (method, path, role, answer.text)
            assert answer.status_code not in {401, 500}, (method, path, role, answer.text)
            walked += 1
        assert (await front.client.request(method, path, json=BODIES.get(template))).status_code == 401
    assert walked > 60


@pytest.mark.parametrize("role", sorted(STAFF_ROLES))
async def test_another_agencys_case_is_as_if_absent(front: Front, role: Role) -> None:
    case = await front.case_at(State.IN_RESOLUTION)
    stranger = await front.token(role, agency="lakeside")

    theirs = f"/api/v1/complaints/{case['id']}"
    absent = f"/api/v1/complaints/{uuid4()}"
    for path in ("", "/events"):
        seen, unseen = [await front.client.get(f"{where}{path}", headers=stranger) for where in (theirs, absent)]
        assert seen.status_code in {403, 404}
        assert seen.json() == unseen.json()
    acted = await front.act(case["id"], stranger, action="note", text="I should not be here.")
    assert acted.status_code in {403, 404}
    for query in ("", "?sort=newest", "?q=form", f"?q={case['reference']}"):
        listed = await front.client.get(f"/api/v1/complaints{query}", headers=stranger)
        assert listed.status_code == 403 or listed.json()["cases"] == []


async def test_a_case_of_another_agency_is_no_duplicate_and_no_person_of_it_an_owner(front: Front) -> None:
    case, other = await front.open_case(), await front.file(agency="lakeside")
    ann = await front.token(Role.CASEWORKER, name="ann")
    await front.token(Role.CASEWORKER, name="zoe", agency="lakeside")

    assert (await front.act(case["id"], ann, action="mark_duplicate", duplicate_of=other["id"])).status_code == 422
    assert (await front.act(case["id"], ann, action="assign", owner="zoe")).status_code == 422


@pytest.mark.parametrize("change", ["expires_at = now() - interval '9 years'", "revoked_at = now()"])
async def test_a_token_that_is_over_is_refused(front: Front, change: str) -> None:
    ann = await front.token(Role.CASEWORKER, name="ann")
    async with front.owner.begin() as connection:
        await connection.execute(text(f"UPDATE token SET {change}"))

    answer = await front.client.get("/api/v1/complaints", headers=ann)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_person_who_has_left_is_refused(front: Front) -> None:
    ann = await front.token(Role.CASEWORKER, name="ann")
    async with front.owner.begin() as connection:
        await connection.execute(text("UPDATE staff SET is_active = false"))

    assert (await front.client.get("/api/v1/complaints", headers=ann)).status_code == 401


async def test_a_wrong_token_is_refused_on_public_routes_too(front: Front) -> None:
    answer = await front.client.post("/api/v1/complaints", json={}, headers={"Authorization": "Bearer nonsense"})

    assert answer.status_code == 401


async def a_session(front: Front) -> dict[str, str]:
    await front.token(Role.CASEWORKER, name="ann")
    return {"sid": await start_session(front.services.database, "riverbend", "ann", Role.CASEWORKER)}


async def sessions_moved(front: Front, minutes: int) -> None:
    """Have every session begun and last used that long before the tests' moment."""
    async with front.owner.begin() as connection:
        at = NOW - timedelta(minutes=minutes)
        await connection.execute(text("UPDATE browser_session SET started_at = :at, last_seen_at = :at"), {"at": at})


async def test_a_session_signs_in_and_only_its_hash_is_stored(front: Front) -> None:
    cookies = await a_session(front)
    await sessions_moved(front, 5)
    front.client.cookies.update(cookies)

    assert (await front.client.get("/api/v1/complaints")).status_code == 200
    async with front.owner.connect() as connection:
        (stored,) = await connection.scalars(text("SELECT hash FROM browser_session"))
    assert bytes(stored) == hash_of(cookies["sid"])


async def test_a_session_that_rested_too_long_is_over(front: Front) -> None:
    front.client.cookies.update(await a_session(front))
    await sessions_moved(front, 61)

    assert (await front.client.get("/api/v1/complaints")).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 201),
        ({"Sec-Fetch-Site": "none"}, 201),
        ({"Origin": "http://127.0.0.1:8000"}, 201),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
    ],
)
async def test_other_sites_cannot_act_in_a_signed_in_persons_name(
    front: Front, headers: dict[str, str], status: int
) -> None:
    front.client.cookies.update(await a_session(front))
    await sessions_moved(front, 5)

    answer = await front.client.post(
        "/api/v1/complaints", json={"narrative": "By phone.", "channel": "phone"}, headers=headers
    )

    assert answer.status_code == status


async def test_the_public_is_limited_by_address_and_staff_are_not(front: Front) -> None:
    front.app.state.limits = type(front.app.state.limits)("2/minute", "100/minute")
    ivy = await front.token(Role.INTAKE)
    complaint = {"agency": "riverbend", "narrative": "Something."}

    answers = [await front.client.post("/api/v1/complaints", json=complaint) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60
    assert (await front.client.post("/api/v1/complaints", json=complaint, headers=ivy)).status_code == 201
    assert (await front.client.get("/api/v1/lifecycle")).status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/lifecycle", "/api/v1/complaints"])
async def test_who_guesses_tokens_is_limited_before_the_record_is_asked(front: Front, path: str) -> None:
    front.app.state.limits = type(front.app.state.limits)("2/minute", "100/minute")
    ann = await front.token(Role.CASEWORKER, name="ann")
    await front.client.get(path, headers=ann)

    guesses = [await front.client.get(path, headers={"Authorization": f"Bearer no-{guess}"}) for guess in range(3)]

    assert [answer.status_code for answer in guesses] == [401, 401, 429]
    assert 1 <= int(guesses[2].headers["retry-after"]) <= 60
    assert (await front.client.get(path, headers=ann)).status_code == 200
    assert (await front.client.get("/api/v1/lifecycle")).status_code == 200


@pytest.mark.parametrize("page", ["receipt", "track/view"])
async def test_secrets_cannot_be_tried_without_limit_by_a_cookie(front: Front, page: str) -> None:
    taken = await front.file()
    front.app.state.limits = type(front.app.state.limits)("2/minute", "100/minute")
    front.client.cookies.set("complaint", f"{taken['reference']}.AAAA-AAAA-AAAA")

    answers = [await front.client.get(f"/a/riverbend/{page}") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [303, 303, 429]


async def test_all_together_are_limited_too(front: Front) -> None:
    front.app.state.limits = type(front.app.state.limits)("100/minute", "1/minute")
    complaint = {"agency": "riverbend", "narrative": "Something."}

    answers = [await front.client.post("/api/v1/complaints", json=complaint) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 429]


async def test_answers_carry_the_headers_browsers_heed(front: Front) -> None:
    for path in ("/api/v1/lifecycle", "/api/v1/complaints", "/healthz", "/nowhere"):
        headers = (await front.client.get(path)).headers
        assert headers["content-security-policy"].startswith("default-src 'self';")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
