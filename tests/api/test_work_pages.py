# SPDX-License-Identifier: Apache-2.0
"""My work, the queue, the workload and the desk: what they show, and that their numbers are those of their lists."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from models.terms import Role, State
from tests.api.conftest import NOW, Front
from tests.api.test_case_page import a_proposed_case, words
from tests.api.test_staff_pages import send, sign_in
from tests.given import a_key, a_policy


async def a_day(front: Front) -> str:
    """Return the address of a Problem Solving Day's desk."""
    await sign_in(front, Role.LIAISON, "leo")
    planned = await send(front, "/desk/new", key=a_key(), name="Library Day", place="Library", held_on="2026-03-04")
    return planned.headers["location"].partition("?")[0]


def tally_of(page: str) -> list[int]:
    return [int(number) for number in re.findall(r"<dd>(\d+)</dd>", page.partition('class="tally"')[2])][:3]


async def test_the_desk_counts_and_lists_a_person_before_the_case_is_opened_and_once_after(front: Front) -> None:
    desk = await a_day(front)
    await sign_in(front, Role.INTAKE, "ivy")

    taken = await send(front, desk, key=a_key(), narrative="The sticker never came.", language="en")
    at_once = (await front.client.get(taken.headers["location"])).text
    await front.actions.opened("riverbend", UUID(taken.headers["location"].partition("taken=")[2]))
    opened = (await front.client.get(taken.headers["location"])).text

    assert tally_of(at_once) == tally_of(opened) == [1, 0, 1]
    assert at_once.count("data-row") == opened.count("data-row") == 1


@pytest.mark.parametrize(("answer", "stored"), [("yes", True), ("no", False), ("", None)])
async def test_the_desk_asks_about_vulnerable_circumstances_and_what_is_said_stands_when_the_case_is_resolved(
    front: Front, answer: str, stored: bool | None
) -> None:
    desk = await a_day(front)
    await sign_in(front, Role.CASEWORKER, "ann")
    form = words((await front.client.get(desk)).text)

    taken = await send(front, desk, key=a_key(), narrative="The sticker never came.", vulnerable=answer)

    counts = a_policy().severity.vulnerable_circumstances_in("en")
    assert f"Is the person affected in vulnerable circumstances? {counts} Not known (not asked) Yes No" in form
    case_id = taken.headers["location"].partition("taken=")[2]
    spot = (await front.client.get(f"{desk}/spot/{case_id}")).text
    chosen = re.findall(r'value="(\w*)" selected', spot.partition('id="vulnerable"')[2].partition("</select>")[0])
    assert chosen == ([answer] if answer else [])
    async with front.owner.connect() as connection:
        facts = json.loads((await connection.execute(text("SELECT facts FROM receipt"))).scalar_one())
    assert facts.get("vulnerable") is stored


async def test_who_may_not_open_cases_is_led_to_none_from_the_desk(front: Front) -> None:
    desk = await a_day(front)
    await sign_in(front, Role.INTAKE, "ivy")
    taken = await send(front, desk, key=a_key(), narrative="The sticker never came.", language="en")
    await front.actions.opened("riverbend", UUID(taken.headers["location"].partition("taken=")[2]))
    at_intake = (await front.client.get(desk)).text
    await sign_in(front, Role.LIAISON, "leo")

    page = (await front.client.get(desk)).text

    assert 'href="/cases/' in at_intake
    assert page.count("data-row") == 1
    assert 'href="/cases/' not in page


async def test_a_receipt_of_another_day_is_not_counted(front: Front) -> None:
    desk, other = await a_day(front), await a_day(front)
    await sign_in(front, Role.INTAKE, "ivy")

    await send(front, other, key=a_key(), narrative="The sticker never came.", language="en")

    assert tally_of((await front.client.get(desk)).text) == [0, 0, 0]


async def test_a_follow_up_is_never_promised_for_a_day_that_is_over(front: Front) -> None:
    desk = await a_day(front)
    await sign_in(front, Role.INTAKE, "ivy")
    taken = await send(front, desk, key=a_key(), narrative="The sticker never came.", language="en")
    case_id = taken.headers["location"].partition("taken=")[2]
    await front.actions.opened("riverbend", UUID(case_id))
    path = f"{desk}/spot/{case_id}/follow-up"

    over = await send(front, path, key=a_key(), owner="ivy", follow_up_on="2026-03-03")
    to_come = await send(front, path, key=a_key(), owner="ivy", follow_up_on="2026-03-05")

    assert (over.status_code, to_come.status_code) == (422, 303)
    assert "This day is over; name today or a day to come." in over.text


async def test_my_work_of_a_supervisor_holds_the_answers_that_wait_for_approval(front: Front) -> None:
    taken = await a_proposed_case(front)
    await sign_in(front, Role.SUPERVISOR, "sue")

    page = (await front.client.get("/work")).text

    group = page.partition('id="approve"')[2].partition("</section>")[0]
    assert taken["reference"] in group
    assert "<b>1</b><span>To approve</span>" in page


async def test_nobody_is_shown_their_own_answer_to_approve(front: Front) -> None:
    taken = await front.case_at(State.IN_RESOLUTION)
    sue = await front.token(Role.SUPERVISOR, name="sue")
    upheld = [{"number": 1, "finding": "upheld", "remedies": ["apology"]}]
    await front.act(taken["id"], sue, action="propose_answer", text="We are sorry.", issues=upheld)
    await sign_in(front, Role.SUPERVISOR, "sue")

    assert 'id="approve"' not in (await front.client.get("/work")).text


async def test_a_caseworker_has_nothing_to_approve(front: Front) -> None:
    await a_proposed_case(front)
    await sign_in(front, Role.CASEWORKER, "ben")

    assert "To approve" not in (await front.client.get("/work")).text


async def test_the_decision_is_the_loudest_button_where_an_answer_waits_for_it(front: Front) -> None:
    taken = await a_proposed_case(front)
    await sign_in(front, Role.SUPERVISOR, "sue")

    page = (await front.client.get(f"/cases/{taken['id']}")).text

    assert '<a class="usa-button" href="#do">Decide on the answer</a>' in page
    assert '<button class="usa-button usa-button--outline" id="take">' in page


async def overdue(front: Front, count: int) -> None:
    """Bring cases past their due dates without anybody having noted it, as imports do."""
    for _ in range(count):
        await make_late(front, (await front.open_case())["id"])


async def make_late(front: Front, case_id: str) -> None:
    async with front.owner.begin() as connection:
        await connection.execute(
            text("UPDATE case_file SET queue_at = :at, due_at = :at WHERE case_id = :id"),
            {"at": NOW - timedelta(days=3), "id": UUID(case_id)},
        )


async def test_what_is_late_is_counted_as_it_is_listed_though_nobody_has_noted_it(front: Front) -> None:
    anns = await front.case_at(State.IN_TRIAGE)
    ann = await front.token(Role.CASEWORKER, name="ann")
    assert (await front.act(anns["id"], ann, action="assign", owner="ann")).status_code == 200
    await make_late(front, anns["id"])
    await overdue(front, 2)
    await front.open_case()
    await sign_in(front, Role.SUPERVISOR, "sue")

    workload = (await front.client.get("/workload")).text
    listed = (await front.client.get("/queue?show=late")).text

    assert "<b>3</b><span>late</span>" in workload
    assert listed.count("data-row") == 3
    assert re.search(r'<a href="/queue\?team=.*</a></th><td class="number">4</td><td class="number">3</td>', workload)
    assert '<a href="/queue?owner=ann">ann</a></th><td class="number">1</td><td class="number">1</td>' in workload


@pytest.mark.parametrize("query", ["show=zzz", "state=moo", "stage=x"])
async def test_a_choice_that_there_is_not_is_no_filter(front: Front, query: str) -> None:
    await front.open_case()
    await sign_in(front, Role.CASEWORKER, "ann")

    page = (await front.client.get(f"/queue?{query}")).text

    assert "Chosen filters" not in page
    assert page.count("data-row") == 1


@pytest.mark.parametrize("with_prefix", [True, False])
async def test_a_complaints_number_opens_it_typed_without_dashes_or_the_agencys_letters_too(
    front: Front, *, with_prefix: bool
) -> None:
    taken = await front.open_case()
    await front.open_case()
    await sign_in(front, Role.CASEWORKER, "ann")
    typed = taken["reference"] if with_prefix else taken["reference"].partition("-")[2]

    exact = await front.client.get("/queue", params={"q": typed})
    plain = await front.client.get("/queue", params={"q": typed.replace("-", "").lower()})
    # A part of a page was asked for: the browser is told to go on, or it would put the case into the list.
    in_part = await front.client.get("/queue", params={"q": typed}, headers={"HX-Request": "true"})
    other = await front.client.get("/queue", params={"q": f"{typed}X"})

    address = f"/cases/{taken['id']}"
    assert [(answer.status_code, answer.headers.get("location")) for answer in (exact, plain)] == [(303, address)] * 2
    assert (in_part.status_code, in_part.headers["hx-redirect"]) == (200, address)
    assert (other.status_code, other.text.count("data-row")) == (200, 0)


async def test_a_number_of_another_agency_opens_nothing(front: Front) -> None:
    elsewhere = await front.file(agency="lakeside")
    await sign_in(front, Role.CASEWORKER, "ann")

    page = await front.client.get("/queue", params={"q": elsewhere["reference"]})

    assert (page.status_code, page.text.count("data-row")) == (200, 0)


async def test_a_list_says_whose_complaints_it_holds(front: Front) -> None:
    await sign_in(front, Role.CASEWORKER, "ann")

    assert "Complaints of all teams" in (await front.client.get("/queue")).text
    assert "Your own complaints" in (await front.client.get("/queue?owner=me")).text
    assert "Complaints of the " in words((await front.client.get("/queue?team=general")).text)


async def test_days_are_written_in_one_form(front: Front) -> None:
    taken = await front.open_case()
    await sign_in(front, Role.CASEWORKER, "ann")

    page = words((await front.client.get(f"/cases/{taken['id']}")).text)

    assert "March 4, 2026" in page
    assert not re.search(r"\b(Mon|Tue|Wed|Thu|Fri), |\bMar \d|\d{4}-\d\d-\d\d", page)
    assert "1 minute." in page
