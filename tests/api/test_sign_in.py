# SPDX-License-Identifier: Apache-2.0
"""Signing in with a real provider: code flow, PKCE, a session; and what goes wrong with it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import text

from api.app import create_app
from api.sign_in import LocalSignIn, OidcSignIn
from models.terms import Role
from run.account_writing import NotHere, seed_accounts, write_accounts
from run.accounts import ACCOUNTS
from run.settings import LOCAL_ISSUER, Settings
from run.sign_in import local_provider, sign_in_for
from tests.api.conftest import NOW, Front
from tests.databases import Database
from tests.given import a_policy

BASE = "http://127.0.0.1:8000"


@pytest.fixture
async def browser(front: Front, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """A browser in front of an installation whose local provider is on."""
    write_accounts(database.owner_url, a_policy().agency)
    with local_provider() as address:
        provider = OidcSignIn(address, LOCAL_ISSUER, "putright", "putright", b"k" * 32)
        app = create_app(dataclasses.replace(front.services, sign_in=provider))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=BASE) as client:
            yield client


async def vouched_for(browser: httpx.AsyncClient, subject: str, going_to: str = "") -> str:
    """Go to the provider and say who one is; return where it sends the browser back to."""
    begun = await browser.get("/sign-in/start", params={"going_to": going_to})
    assert begun.status_code == 302
    query = parse_qs(urlsplit(begun.headers["location"]).query)
    assert query["code_challenge_method"] == ["S256"]
    async with httpx.AsyncClient() as elsewhere:
        answer = await elsewhere.post(begun.headers["location"], data={"sub": subject})
    assert answer.status_code == 302
    return answer.headers["location"]


async def fresh(front: Front) -> None:
    """Bring sessions to the tests' moment; the database's clock is that of the machine."""
    async with front.owner.begin() as connection:
        await connection.execute(text("UPDATE browser_session SET started_at = :at, last_seen_at = :at"), {"at": NOW})


async def test_who_is_vouched_for_goes_on_where_they_were_going(front: Front, browser: httpx.AsyncClient) -> None:
    back = await browser.get(await vouched_for(browser, "ann", "/queue?stage=triage"))
    await fresh(front)

    assert back.status_code == 303
    assert back.headers["location"] == "/queue?stage=triage"
    cookie = next(header for header in back.headers.get_list("set-cookie") if header.startswith("sid="))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert (await browser.get("/api/v1/complaints")).status_code == 200


@pytest.mark.parametrize(
    "address", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
async def test_nobody_is_sent_to_another_site(browser: httpx.AsyncClient, address: str) -> None:
    back = await browser.get(await vouched_for(browser, "ann", address))

    assert back.headers["location"] == "/work"


@pytest.mark.parametrize(
    ("address", "leads_to"),
    [
        ("/queue", "/sign-in/start?going_to=/queue"),
        ("https://evil.example/", "/sign-in/start"),
        ("//evil.example/", "/sign-in/start"),
    ],
)
async def test_the_way_in_leads_on_to_pages_of_this_site_only(
    browser: httpx.AsyncClient, address: str, leads_to: str
) -> None:
    shown = await browser.get("/sign-in", params={"next": address})

    assert f'href="{leads_to}"' in shown.text


async def test_a_stranger_has_no_account(browser: httpx.AsyncClient) -> None:
    back = await browser.get(await vouched_for(browser, "mallory"))

    assert back.status_code == 403
    assert "sid" not in browser.cookies


async def test_an_answer_that_was_not_asked_for_here_is_refused(browser: httpx.AsyncClient) -> None:
    address = await vouched_for(browser, "ann")
    browser.cookies.clear()

    assert (await browser.get(address)).status_code == 403


async def test_a_sign_in_cannot_be_finished_with_anothers_state(browser: httpx.AsyncClient) -> None:
    address = await vouched_for(browser, "ann")
    await browser.get("/sign-in/start")

    assert (await browser.get(address)).status_code == 403


async def test_signing_out_ends_the_session_itself(front: Front, browser: httpx.AsyncClient) -> None:
    await browser.get(await vouched_for(browser, "ann"))
    await fresh(front)
    kept = dict(browser.cookies)

    out = await browser.post("/sign-out", headers={"Sec-Fetch-Site": "same-origin"})
    browser.cookies.update(kept)

    assert out.status_code == 303
    assert (await browser.get("/api/v1/complaints")).status_code == 401


async def test_a_role_is_a_session_of_its_own(front: Front, browser: httpx.AsyncClient) -> None:
    await browser.get(await vouched_for(browser, "sue"))
    await fresh(front)
    assert (await browser.get("/api/v1/workload")).status_code == 200

    changed = await browser.post("/role", data={"role": "caseworker"}, headers={"Sec-Fetch-Site": "same-origin"})
    await fresh(front)

    assert changed.status_code == 303
    assert (await browser.get("/api/v1/workload")).status_code == 403
    refused = await browser.post("/role", data={"role": "auditor"}, headers={"Sec-Fetch-Site": "same-origin"})
    assert refused.status_code == 403
    async with front.owner.connect() as connection:
        left = list(await connection.scalars(text("SELECT role FROM browser_session WHERE ended_at IS NULL")))
    assert left == [Role.CASEWORKER]


def test_demonstration_accounts_are_refused_where_others_could_use_them(database: Database) -> None:
    external = Settings(database_url=database.owner_url)

    with pytest.raises(NotHere):
        seed_accounts(external)


def test_the_provider_that_believes_anybody_stays_off_where_servers_are_external(
    database: Database, tmp_path: Path
) -> None:
    key_file = tmp_path / "master.key"
    key_file.write_text("ab" * 32 + "\n")
    told = Settings(database_url=database.owner_url, master_key_file=key_file).with_embedded_addresses()

    with sign_in_for(told) as provider:
        assert provider is None


@pytest.fixture
async def local(front: Front, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that reaches nothing but this site, by an address of its own, as through a tunnel."""
    write_accounts(database.owner_url, a_policy().agency)
    with local_provider() as address:
        provider = LocalSignIn(address, LOCAL_ISSUER, "putright", "putright", b"k" * 32)
        settings = dataclasses.replace(front.services.settings, signs_anyone_in=True)
        app = create_app(dataclasses.replace(front.services, sign_in=provider, settings=settings))
        tunnel = "http://localhost:9999"
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=tunnel) as client:
            yield client


async def test_where_anybody_may_be_anybody_they_choose_on_our_own_page(local: httpx.AsyncClient) -> None:
    page = await local.get("/sign-in", params={"next": "/queue"})

    assert "anybody who reaches this page can be anybody" in page.text
    assert [account.name for account in ACCOUNTS if f'value="{account.name}"' not in page.text] == []
    assert "Ann Archer</button> <span>Caseworker" in page.text
    assert 'name="going_to" value="/queue"' in page.text
    assert {urlsplit(address).netloc for address in re.findall(r'(?:href|src|action)="([^"]*)"', page.text)} == {""}


async def test_whoever_is_chosen_is_signed_in_without_leaving_the_site(front: Front, local: httpx.AsyncClient) -> None:
    chosen = await local.post("/sign-in/as", data={"subject": "ann", "going_to": "/queue"})
    back = await local.get(chosen.headers["location"])
    await fresh(front)

    assert chosen.status_code == 303
    assert chosen.headers["location"].startswith("/sign-in/callback?")
    assert (back.status_code, back.headers["location"]) == (303, "/queue")
    assert (await local.get("/api/v1/complaints")).status_code == 200


async def test_the_local_way_in_begins_on_our_page_and_leads_to_no_other_site(local: httpx.AsyncClient) -> None:
    begun = await local.get("/sign-in/start", params={"going_to": "/queue"})
    chosen = await local.post("/sign-in/as", data={"subject": "ann", "going_to": "https://evil.example/"})
    back = await local.get(chosen.headers["location"])

    assert begun.headers["location"] == "/sign-in?next=/queue"
    assert back.headers["location"] == "/work"


async def test_a_stranger_has_no_account_with_the_local_provider_either(local: httpx.AsyncClient) -> None:
    chosen = await local.post("/sign-in/as", data={"subject": "mallory"})

    assert (await local.get(chosen.headers["location"])).status_code == 403
    assert "sid" not in local.cookies


async def test_a_closed_account_is_not_offered(front: Front, local: httpx.AsyncClient) -> None:
    async with front.owner.begin() as connection:
        await connection.execute(text("UPDATE staff SET is_active = false WHERE name = 'ann'"))

    page = (await local.get("/sign-in")).text

    assert 'value="ann"' not in page
    assert 'value="ben"' in page


async def test_nobody_chooses_who_they_are_where_a_real_provider_vouches(browser: httpx.AsyncClient) -> None:
    answer = await browser.post("/sign-in/as", data={"subject": "ann"})

    assert answer.status_code == 404
    assert "sid" not in browser.cookies
    assert 'value="ann"' not in (await browser.get("/sign-in")).text


async def test_a_page_without_any_provider_says_what_to_set(front: Front) -> None:
    page = await front.client.get("/sign-in")

    assert "PUTRIGHT_OIDC_ISSUER" in page.text
    assert "PUTRIGHT_HOST" in page.text
