# SPDX-License-Identifier: Apache-2.0
"""Administrators see to the ways in, auditors to who looked; each to their own agency's, and every change is told."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from api.pages.site import first_page_of
from api.reads.audit import reads
from api.reads.people import hash_of
from api.writes.sessions import start_session
from models.terms import STAFF_ROLES, Role
from tests.api.conftest import NOW, Front

OWN_FORM = {"Sec-Fetch-Site": "same-origin"}
AS_BROWSER = {"Accept": "text/html,application/xhtml+xml"}
OWN_PAGES = {
    ("GET", "/admin"): Role.ADMINISTRATOR,
    ("POST", "/admin/accounts"): Role.ADMINISTRATOR,
    ("POST", "/admin/accounts/ann/close"): Role.ADMINISTRATOR,
    ("POST", f"/admin/tokens/{'0' * 64}/revoke"): Role.ADMINISTRATOR,
    ("GET", "/audit"): Role.AUDITOR,
}


async def sign_in(front: Front, role: Role, name: str, agency: str = "riverbend") -> None:
    """Have the client's browser session be that of somebody in the role."""
    await front.token(role, name=name, agency=agency)
    front.client.cookies.set("sid", await start_session(front.services.database, agency, name, role))
    async with front.owner.begin() as connection:
        await connection.execute(text("UPDATE browser_session SET started_at = :at, last_seen_at = :at"), {"at": NOW})


async def send(front: Front, path: str, **values: Any) -> httpx.Response:
    return await front.client.post(path, data=values, headers=OWN_FORM)


async def changes(front: Front) -> list[tuple[str, str, str, str]]:
    async with front.owner.connect() as connection:
        rows = await connection.execute(
            text("SELECT agency, actor, what_changed, name FROM account_change ORDER BY id")
        )
        return [tuple(row) for row in rows]


@pytest.mark.parametrize("role", sorted(STAFF_ROLES))
async def test_every_role_begins_on_a_page_of_its_own_with_name_menu_and_way_out(front: Front, role: Role) -> None:
    await sign_in(front, role, "jo")

    page = await front.client.get(first_page_of(role))

    assert page.status_code == 200
    assert first_page_of(role) != "/"
    assert "<summary>jo</summary>" in page.text
    assert 'action="/sign-out"' in page.text
    assert f'href="{first_page_of(role)}" aria-current="page"' in page.text


@pytest.mark.parametrize("role", sorted(STAFF_ROLES))
@pytest.mark.parametrize(("method", "path"), OWN_PAGES)
async def test_these_pages_are_for_their_own_role_and_nobody_else(
    front: Front, method: str, path: str, role: Role
) -> None:
    await sign_in(front, role, "jo")

    answer = await front.client.request(method, path, headers=OWN_FORM | AS_BROWSER)

    assert (answer.status_code == 403) == (role is not OWN_PAGES[method, path])
    assert answer.status_code != 500


async def test_who_is_not_signed_in_is_asked_to(front: Front) -> None:
    answers = [await front.client.get(path) for path in ("/admin", "/audit")]

    assert [answer.headers["location"] for answer in answers] == ["/sign-in?next=/admin", "/sign-in?next=/audit"]


async def test_an_account_is_added_closed_and_opened_and_each_change_is_told(front: Front) -> None:
    await sign_in(front, Role.ADMINISTRATOR, "adm")
    ann = await front.token(Role.CASEWORKER, name="ann")

    added = await send(front, "/admin/accounts", name="j.doe", display_name="Jo Doe", roles=["intake", "liaison"])
    closed = await send(front, "/admin/accounts/ann/close")
    front.app.state.known_tokens.clear()
    shut_out = await front.client.get("/api/v1/complaints", headers=ann)
    opened = await send(front, "/admin/accounts/ann/open")
    front.app.state.known_tokens.clear()

    assert [answer.status_code for answer in (added, closed, opened)] == [303, 303, 303]
    assert shut_out.status_code == 401
    assert (await front.client.get("/api/v1/complaints", headers=ann)).status_code == 200
    assert await changes(front) == [
        ("riverbend", "adm", "added", "j.doe"),
        ("riverbend", "adm", "closed", "ann"),
        ("riverbend", "adm", "opened", "ann"),
    ]
    page = (await front.client.get("/admin")).text
    assert "adm added the account Jo Doe as Intake desk, Liaison" in page


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"name": "J Doe"}, "Use small letters"),
        ({"name": "ann"}, "There is an account ann already."),
        ({"name": "complainant"}, "The record calls others complainant; choose another name."),
        ({"name": "putright"}, "The record calls others putright; choose another name."),
        ({"display_name": ""}, "Write the person&#39;s name."),
        ({"roles": []}, "Choose at least one role."),
        ({"roles": ["system"]}, "Choose at least one role."),
    ],
)
async def test_an_account_that_cannot_be_is_refused_beside_its_field(
    front: Front, wrong: dict[str, Any], sentence: str
) -> None:
    await sign_in(front, Role.ADMINISTRATOR, "adm")
    await front.token(Role.CASEWORKER, name="ann")

    answer = await send(
        front, "/admin/accounts", **({"name": "j.doe", "display_name": "Jo Doe", "roles": ["intake"]} | wrong)
    )

    assert answer.status_code == 422
    assert sentence in answer.text
    assert await changes(front) == []


async def test_nobody_closes_their_own_account(front: Front) -> None:
    await sign_in(front, Role.ADMINISTRATOR, "adm")

    answer = await send(front, "/admin/accounts/adm/close")

    assert answer.status_code == 409
    assert "another administrator can" in answer.text
    assert (await front.client.get("/admin")).status_code == 200


async def test_a_token_shows_when_it_was_used_and_stops_when_it_is_revoked(front: Front) -> None:
    await sign_in(front, Role.ADMINISTRATOR, "adm")
    ann = await front.token(Role.CASEWORKER, name="ann")
    mark = hash_of(ann["Authorization"].removeprefix("Bearer ")).hex()
    unused = (await front.client.get("/admin")).text
    await front.client.get("/api/v1/complaints", headers=ann)

    used = (await front.client.get("/admin")).text
    revoked = await send(front, f"/admin/tokens/{mark}/revoke")
    again = await send(front, f"/admin/tokens/{mark}/revoke")
    front.app.state.known_tokens.clear()

    assert unused.count(">never<") == used.count(">never<") + 1
    assert (revoked.status_code, again.status_code) == (303, 404)
    assert (await front.client.get("/api/v1/complaints", headers=ann)).status_code == 401
    assert await changes(front) == [("riverbend", "adm", "token_revoked", "ann")]
    assert ann["Authorization"].removeprefix("Bearer ") not in used


async def test_administrators_neither_see_nor_change_another_agencys_ways_in(front: Front) -> None:
    zoe = await front.token(Role.CASEWORKER, name="zoe", agency="lakeside")
    mark = hash_of(zoe["Authorization"].removeprefix("Bearer ")).hex()
    await sign_in(front, Role.ADMINISTRATOR, "adm")

    page = (await front.client.get("/admin")).text
    closed = await send(front, "/admin/accounts/zoe/close")
    revoked = await send(front, f"/admin/tokens/{mark}/revoke")

    assert "zoe" not in page
    assert mark[:8] not in page
    assert (closed.status_code, revoked.status_code) == (404, 404)
    assert (await front.client.get("/api/v1/complaints", headers=zoe)).status_code == 200


async def test_the_page_says_what_can_be_done_now(front: Front) -> None:
    await front.file()
    await sign_in(front, Role.ADMINISTRATOR, "adm")
    front.conductor.is_up = False

    page = (await front.client.get("/admin")).text

    assert "does not answer: complaints are taken in, actions wait" in page
    assert "1 of the newest 1,000 wait to be opened" in page


async def test_the_audit_is_read_by_case_and_by_person_of_the_own_agency(front: Front) -> None:
    case, other = await front.open_case(), await front.open_case()
    ann, ben = await front.token(Role.CASEWORKER, name="ann"), await front.token(Role.CASEWORKER, name="ben")
    zoe = await front.token(Role.CASEWORKER, name="zoe", agency="lakeside")
    for who, seen in ((ann, case), (ann, other), (ben, case)):
        await front.client.get(f"/api/v1/complaints/{seen['id']}", headers=who)
    await front.client.get("/api/v1/complaints", headers=zoe)
    await sign_in(front, Role.AUDITOR, "odo")

    async def shown(**query: str) -> list[tuple[str, str]]:
        page = await front.client.get("/audit", params=query)
        assert page.status_code == 200
        rows = re.findall(r'data-label="Who">(\w+).*?data-label="Complaint">(.*?)</td>', page.text, re.DOTALL)
        return [(who, re.sub("<.*?>", "", what)) for who, what in rows]

    assert await shown() == [("ben", case["reference"]), ("ann", other["reference"]), ("ann", case["reference"])]
    assert await shown(case=case["reference"]) == [("ben", case["reference"]), ("ann", case["reference"])]
    assert await shown(case=case["id"], person="ann") == [("ann", case["reference"])]
    assert await shown(case=str(uuid4())) == []
    assert await shown(person="a\x00b") == []
    page = await front.client.get("/audit", params={"case": "RIV-0000-0000-0000"})
    assert "There is no complaint with this number here." in page.text


async def test_the_audit_goes_on_by_keyset_without_a_gap(front: Front) -> None:
    async with front.owner.begin() as connection:
        await connection.execute(
            text("""
                INSERT INTO audit_read (agency, at, actor, role, what)
                SELECT 'riverbend', :at + (n / 3) * interval '1 second', 'p' || n, 'caseworker', 'list'
                FROM generate_series(1, 20) n
            """),
            {"at": NOW - timedelta(days=1)},
        )
    seen: list[str] = []
    cursor = None
    async with front.services.database.of("riverbend") as connection:
        while True:
            page = await reads(connection, case_id=None, actor=None, cursor=cursor, limit=7)
            seen += [row.actor for row in page.rows]
            if (cursor := page.next_cursor) is None:
                break

    assert seen == [f"p{n}" for n in range(20, 0, -1)]


async def test_a_cursor_of_another_list_is_refused_on_the_page_too(front: Front) -> None:
    await sign_in(front, Role.AUDITOR, "odo")

    answer = await front.client.get("/audit", params={"after": "bm9uc2Vuc2U"})

    assert answer.status_code == 422


async def test_the_wrong_secret_of_a_complaint_leaves_a_row_and_nothing_personal(front: Front) -> None:
    taken = await front.file()
    wrong = {"reference": taken["reference"], "secret": "AAAA-AAAA-AAAA"}
    by_interface = await front.client.post("/api/v1/track", json=wrong)
    by_page = await front.client.post("/a/riverbend/track", data=wrong)

    async with front.owner.connect() as connection:
        rows = (await connection.execute(text("SELECT actor, what, case_id::text, filter FROM audit_read"))).all()

    assert (by_interface.status_code, by_page.status_code) == (404, 422)
    assert [tuple(row) for row in rows] == [("complainant", "track", taken["id"], {"refused": "wrong secret"})] * 2
    await sign_in(front, Role.AUDITOR, "odo")
    assert (await front.client.get("/audit")).text.count("showed a wrong code") == 2
