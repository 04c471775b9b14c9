# SPDX-License-Identifier: Apache-2.0
"""A signal's page: its numbers agree, its complaints show what was behind them, and twins tell of each other."""

from __future__ import annotations

import re
from datetime import date
from typing import Any
from uuid import UUID

from models.terms import Role, State
from tests.api.conftest import Front
from tests.api.test_case_page import words
from tests.api.test_registers import FAILURE, a_signal
from tests.api.test_staff_pages import send, sign_in
from tests.given import a_key

NEXT_LOOK = date(2026, 3, 8)
"""A Sunday: the week of the complaints is whole."""


async def coded(front: Front, cause: dict[str, Any]) -> dict[str, Any]:
    """Return a closed case with that root cause."""
    taken = await front.case_at(State.ANSWERED)
    ann = await front.token(Role.CASEWORKER, name="ann")
    tagged = await front.act(taken["id"], ann, action="tag_root_cause", issues=[{"number": 1, "cause": cause}])
    assert tagged.status_code == 200, tagged.text
    return taken


async def whole_week(front: Front, **changed: str) -> UUID:
    """Return a signal that was looked at when the week of the test's complaints was over."""
    signal_id = await a_signal(front, **changed)
    async with front.owner.begin() as connection:
        await connection.exec_driver_sql(f"UPDATE signal_week SET as_of = '{NEXT_LOOK}' WHERE as_of = '2026-03-07'")
    return signal_id


async def page_of(front: Front, signal_id: UUID) -> str:
    await sign_in(front, Role.SUPERVISOR, "sue")
    page = await front.client.get(f"/signals/{signal_id}")
    assert page.status_code == 200
    return page.text


async def test_complaints_of_a_kind_show_the_root_cause_they_were_coded_with(front: Front) -> None:
    lost = await coded(front, FAILURE)
    unclear = await coded(front, {"kind": "none", "reason": "N2"})
    fresh = await front.open_case()
    signal_id = await whole_week(front, measure="intake", code="too_slow", family="intake")

    rows = (await page_of(front, signal_id)).partition('id="behind"')[2].split("data-row")

    def row(case: dict[str, Any]) -> str:
        return words(next(row for row in rows if case["reference"] in row))

    assert "HND3 Dropped or lost, because of: " in row(lost)
    assert "No process failure: cannot be determined" in row(unclear)
    assert "not coded yet" in row(fresh)


async def test_the_list_holds_the_weeks_that_are_counted_and_says_so(front: Front) -> None:
    await coded(front, FAILURE)
    signal_id = await a_signal(front, began_week=date(2026, 3, 9))

    before = await page_of(front, signal_id)
    async with front.owner.begin() as connection:
        await connection.exec_driver_sql("UPDATE signal_week SET as_of = '2026-03-15' WHERE as_of = '2026-03-07'")
    after = await page_of(front, signal_id)

    assert "received from February 2, 2026 to March 1, 2026" in words(before)
    assert "9 complaints in the 4 weeks to March 1, 2026" in words(before)
    assert before.count("data-row") == 0
    assert "received from February 16, 2026 to March 15, 2026" in words(after)
    assert after.count("data-row") == 1


async def test_twins_tell_of_each_other_and_stand_together(front: Front) -> None:
    await coded(front, FAILURE)
    cause = await whole_week(front)
    intake = await whole_week(front, measure="intake", code="too_slow", family="intake")
    apart = await whole_week(front, measure="intake", code="lost", family="intake")

    by_cause, by_kind, alone = [await page_of(front, signal_id) for signal_id in (cause, intake, apart)]
    listed = (await front.client.get("/signals")).text

    assert f'href="/signals/{intake}"' in by_cause
    assert "1 complaint counted here is counted in" in words(by_cause)
    assert f'href="/signals/{cause}"' in by_kind
    assert "One matter" not in alone
    matter = listed.partition('class="matter"')[2].partition("</div>")[0]
    assert f"/signals/{cause}" in matter
    assert f"/signals/{intake}" in matter
    assert f"/signals/{apart}" not in matter


async def test_signals_that_share_few_complaints_are_no_twins(front: Front) -> None:
    await coded(front, FAILURE)
    for reason in ("HND1", "HND1"):
        await coded(front, FAILURE | {"failure": reason})
    cause = await whole_week(front)
    for category in ("lost", "lost"):
        await front.open_case(category=category)
    other = await whole_week(front, measure="intake", code="lost", family="intake")

    assert "One matter" not in await page_of(front, cause)
    assert "One matter" not in await page_of(front, other)


async def test_a_decided_signal_shows_its_decision_first_and_what_comes_next(front: Front) -> None:
    signal_id = await a_signal(front)
    await sign_in(front, Role.SUPERVISOR, "sue")
    await send(front, f"/signals/{signal_id}/decisions", key=a_key(), decision="accept", reason="The move.")

    page = await page_of(front, signal_id)

    assert page.index('id="decided"') < page.index("It happened.")
    assert "The fix says who does what, and by when." in page
    assert "Dealt with by the fix" in page
    again = page.partition("Decide again</summary>")[2]
    assert "supersedes the one that stands" in again
    assert re.search(r'<details class="action"><summary id="decide">', page)


async def test_a_summary_does_not_repeat_the_title(front: Front) -> None:
    signal_id = await a_signal(front, service=None)
    async with front.owner.begin() as connection:
        await connection.exec_driver_sql(
            "UPDATE signal_week SET sentences = ARRAY['Dropped or lost: 9 complaints in 4 weeks.', "
            "'It began in the week of 23 February 2026; that is seldom.']"
        )

    page = words(await page_of(front, signal_id))

    assert " 9 complaints in 4 weeks." in page
    assert "Dropped or lost:" not in page
    assert "It began in the week of February 23, 2026" in page


async def test_one_open_fix_is_enough_for_a_signal_and_another_signal_can_be_linked_to_it(front: Front) -> None:
    first, second = await a_signal(front), await a_signal(front, code="HND1")
    await sign_in(front, Role.SUPERVISOR, "sue")
    fresh = await page_of(front, first)
    await send(front, f"/signals/{first}/decisions", key=a_key(), decision="accept", reason="The move.")
    taken_up, other = await page_of(front, first), await page_of(front, second)
    fix_id = re.findall(r'href="/fixes/([0-9a-f-]{36})"', taken_up)[0]

    unsaid = await send(front, f"/signals/{second}/decisions", key=a_key(), decision="link", reason="The same.")
    told = {"key": a_key(), "decision": "link", "reason": "The same."}
    linked = await send(front, f"/signals/{second}/decisions", **told, fix_id=fix_id)
    again = await send(front, f"/signals/{first}/decisions", key=a_key(), decision="accept", reason="Once more.")

    assert 'id="decision-accept"' in fresh
    assert 'id="decision-link"' not in fresh
    assert 'id="decision-accept"' not in taken_up
    assert f'<option value="{fix_id}"' in other
    assert (unsaid.status_code, linked.status_code, again.status_code) == (422, 303, 409)
    assert "Choose the fix that deals with it." in words(unsaid.text)
    assert "An open fix deals with this signal already" in words(again.text)
    assert f'href="/fixes/{fix_id}"' in await page_of(front, second)


async def test_the_list_shows_how_often_signals_were_right(front: Front) -> None:
    await sign_in(front, Role.SUPERVISOR, "sue")
    for code, decision in (("HND1", "accept"), ("HND2", "reject"), ("HND3", "reject")):
        signal_id = await a_signal(front, code=code)
        await send(front, f"/signals/{signal_id}/decisions", key=a_key(), decision=decision, reason="So.")

    listed = words((await front.client.get("/signals")).text)

    assert "33% 1 of 3 decided signals" in listed
