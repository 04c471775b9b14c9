# SPDX-License-Identifier: Apache-2.0
"""Staff's pages do what the interface does: the same rules, the same keys, the same refusals."""

from __future__ import annotations

from datetime import date, timedelta

import httpx
import pytest
from sqlalchemy import text

from api.pages.signals import SIGNALS_SHOWN
from api.writes.sessions import start_session
from models.terms import Role
from tests.api.conftest import NOW, Front
from tests.api.test_registers import a_signal
from tests.given import a_key

OWN_FORM = {"Sec-Fetch-Site": "same-origin"}


async def sign_in(front: Front, role: Role, name: str) -> None:
    """Have the client's browser session be that of somebody in the role."""
    await front.token(role, name=name)
    front.client.cookies.set("sid", await start_session(front.services.database, "riverbend", name, role))
    async with front.owner.begin() as connection:
        await connection.execute(text("UPDATE browser_session SET started_at = :at, last_seen_at = :at"), {"at": NOW})


async def send(front: Front, path: str, **values: str) -> httpx.Response:
    return await front.client.post(path, data=values, headers=OWN_FORM)


async def test_a_signal_that_waits_is_shown_however_many_newer_ones_are_decided(front: Front) -> None:
    waiting = await a_signal(front, raised_on=date(2026, 1, 6))
    sue = await front.token(Role.SUPERVISOR, name="sue")
    for number in range(SIGNALS_SHOWN):
        newer = await a_signal(front, raised_on=date(2026, 1, 7) + timedelta(days=number % 7))
        keyed = sue | {"Idempotency-Key": a_key()}
        decision = {"decision": "reject", "reason": "A holiday."}
        await front.client.post(f"/api/v1/signals/{newer}/decisions", json=decision, headers=keyed)
    await sign_in(front, Role.SUPERVISOR, "sue")

    shown = await front.client.get("/signals")

    assert shown.status_code == 200
    assert shown.text.count("data-row") == SIGNALS_SHOWN + 1
    assert f"/signals/{waiting}" in shown.text


async def test_a_decision_by_page_and_by_interface_is_one_under_one_key(front: Front) -> None:
    signal_id, key = await a_signal(front), a_key()
    sue = await front.token(Role.SUPERVISOR, name="sue")
    await sign_in(front, Role.SUPERVISOR, "sue")

    by_page = await send(front, f"/signals/{signal_id}/decisions", key=key, decision="accept", reason="The move.")
    by_interface = await front.client.post(
        f"/api/v1/signals/{signal_id}/decisions",
        json={"decision": "accept", "reason": "The move."},
        headers=sue | {"Idempotency-Key": key},
    )

    assert (by_page.status_code, by_interface.status_code) == (303, 201)
    async with front.owner.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM signal_decision")) == 1


@pytest.mark.parametrize("day", ["", "2026-03-04"])
async def test_a_signal_is_put_off_to_a_day_to_come(front: Front, day: str) -> None:
    signal_id = await a_signal(front)
    await sign_in(front, Role.SUPERVISOR, "sue")
    told = {"key": a_key(), "decision": "defer", "reason": "After the move."}

    refused = await send(front, f"/signals/{signal_id}/decisions", **told, defer_until=day)
    taken = await send(front, f"/signals/{signal_id}/decisions", **told, defer_until="2026-03-05")

    assert (refused.status_code, taken.status_code) == (422, 303)
    assert "After the move." in refused.text
    assert "defer_until&#39;:" not in refused.text


async def test_a_form_sent_again_with_something_else_in_it_is_told_so_without_a_programs_words(front: Front) -> None:
    signal_id = await a_signal(front)
    await sign_in(front, Role.SUPERVISOR, "sue")
    told = {"key": a_key(), "decision": "reject"}
    await send(front, f"/signals/{signal_id}/decisions", **told, reason="A holiday.")

    again = await send(front, f"/signals/{signal_id}/decisions", **told, reason="The move.")

    assert again.status_code == 409
    assert "This form has been sent before with something else in it" in again.text
    assert "Idempotency-Key" not in again.text


async def test_a_day_planned_by_page_and_by_interface_is_one_under_one_key(front: Front) -> None:
    leo, key = await front.token(Role.LIAISON, name="leo"), a_key()
    await sign_in(front, Role.LIAISON, "leo")
    day = {"name": "Northgate Day", "place": "Library", "held_on": "2026-04-18"}

    by_page = await send(front, "/desk/new", key=key, **day)
    by_interface = await front.client.post(
        "/api/v1/problem-solving-days", json=day, headers=leo | {"Idempotency-Key": key}
    )

    assert (by_page.status_code, by_interface.status_code) == (303, 201)
    assert by_page.headers["location"] == f"/desk/{by_interface.json()['id']}?done=planned"


async def test_a_day_whose_name_cannot_be_stored_is_sent_back(front: Front) -> None:
    await sign_in(front, Role.LIAISON, "leo")

    refused = await send(front, "/desk/new", key=a_key(), name="A\x01day", place="Library", held_on="2026-04-18")

    assert refused.status_code == 422
    assert "This holds signs that cannot stand here" in refused.text
