# SPDX-License-Identifier: Apache-2.0
"""What the words told stands beside the forms, taken over by a click and chosen by nobody; and the coding page."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select, text

from activities.database import transaction
from models.tables.cases import case_tag
from models.tables.text import (
    coding_queue,
    text_copy,
    text_drift,
    text_model,
    text_new_failure,
    text_read,
    text_suggestion,
)
from models.terms import Role, State
from tests.api.conftest import NOW, Front
from tests.api.test_case_page import shown
from tests.api.test_staff_pages import send, sign_in
from tests.given import a_key

AGENCY = "riverbend"
WEEK = date(2026, 3, 2)


async def put(front: Front, table: Any, **row: object) -> None:
    """Write what a worker's reading has left."""
    async with transaction(front.worker, AGENCY) as connection:
        await connection.execute(insert(table).values(agency=AGENCY, **row))


async def suggest(
    front: Front, case_id: str, kind: str, codes: tuple[str, ...], *, abstained: bool = False, number: int = 1
) -> None:
    await put(
        front,
        text_suggestion,
        case_id=UUID(case_id),
        number=number,
        kind=kind,
        version=1,
        codes=list(codes),
        chances=[1.0, 0.0004, 0.0001][: len(codes)],
        abstained=abstained,
        words={codes[0]: ["never arrived", "lost"]},
        made_at=NOW,
    )


def checked_radios(page: str, name: str) -> list[str]:
    """Return the values of a name's radio buttons that are chosen."""
    radios = [mark for mark in re.findall(r"<input[^>]*type=\"radio\"[^>]*>", page) if f'name="{name}"' in mark]
    assert radios
    return [re.findall(r'value="([^"]*)"', mark)[0] for mark in radios if " checked" in mark]


async def test_a_suggested_kind_of_problem_is_shown_with_its_words_and_chosen_by_nobody(front: Front) -> None:
    taken = await front.open_case(category=None)
    await suggest(front, taken["id"], "category", ("lost", "too_slow", "not_told"))
    await sign_in(front, Role.CASEWORKER, "ann")

    page = (await front.client.get(f"/cases/{taken['id']}")).text

    assert "99%; the complaint says “never arrived”, “lost”" in await shown(front, f"/cases/{taken['id']}")
    assert checked_radios(page, "pick_category_1") == [""]
    assert 'value="lost" selected' not in page


async def test_one_click_takes_a_suggestion_over_whatever_the_list_shows(front: Front) -> None:
    taken = await front.open_case(category="too_slow")
    await suggest(front, taken["id"], "category", ("lost", "too_slow"))
    await sign_in(front, Role.CASEWORKER, "ann")
    form = {
        "service_1": "benefits",
        "category_1": "too_slow",
        "severity": "1",
        "track": "standard",
        "team": "front_desk",
    }

    done = await send(front, f"/cases/{taken['id']}/actions/triage", key=a_key(), **form, pick_category_1="lost")

    assert done.status_code == 303
    async with transaction(front.worker, AGENCY) as connection:
        assert await connection.scalar(text("SELECT category FROM case_file")) == "lost"


async def test_a_code_that_is_not_offered_cannot_be_taken_over(front: Front) -> None:
    taken = await front.open_case()
    await sign_in(front, Role.CASEWORKER, "ann")
    form = {"service_1": "benefits", "category_1": "too_slow", "severity": "1", "team": "front_desk"}

    done = await send(front, f"/cases/{taken['id']}/actions/triage", key=a_key(), **form, pick_category_1="made_up")

    assert done.status_code == 422
    assert "Choose one of those offered." in done.text


async def test_a_suggested_root_cause_is_given_by_a_person_alone(front: Front) -> None:
    taken = await front.case_at(State.ANSWERED)
    await suggest(front, taken["id"], "failure", ("HND3", "TIM2"))
    await sign_in(front, Role.CASEWORKER, "ann")
    address = f"/cases/{taken['id']}"

    page = (await front.client.get(address)).text
    assert checked_radios(page, "cause_1") == []
    assert "Dropped or lost 99%" in await shown(front, address)
    without = await send(front, f"{address}/actions/tag_root_cause", key=a_key())
    given = await send(
        front, f"{address}/actions/tag_root_cause", key=a_key(), cause_1="HND3", contributing_1="PRO",
        failure_severity_1="2", harm_1="2", scope_1="one_person",
    )  # fmt: skip

    assert (without.status_code, given.status_code) == (422, 303)
    async with transaction(front.worker, AGENCY) as connection:
        assert list(await connection.scalars(select(case_tag.c.failure))) == ["HND3"]


async def test_where_the_words_do_not_tell_the_form_says_so(front: Front) -> None:
    taken = await front.open_case()
    await suggest(front, taken["id"], "category", ("lost",), abstained=True)
    await sign_in(front, Role.CASEWORKER, "ann")

    assert "Not sure: the words do not tell." in await shown(front, f"/cases/{taken['id']}")


async def test_copies_of_the_letter_and_the_nearest_cases_are_linked(front: Front) -> None:
    first, second, third = [await front.open_case() for _ in range(3)]
    answered = await front.case_at(State.CLOSED)
    for copy in (second, third):
        copy_of = {"case_id": UUID(copy["id"]), "of_case_id": UUID(first["id"])}
        await put(front, text_copy, **copy_of, similarity=0.93, found_at=NOW)
    read = {"models": "1/1/1", "issues_hash": "", "read_at": NOW}
    await put(
        front, text_read, case_id=UUID(second["id"]), nearest=[UUID(answered["id"])], cosines=[0.61], **read
    )  # fmt: skip
    await sign_in(front, Role.CASEWORKER, "ann")

    of_a_copy = (await front.client.get(f"/cases/{second['id']}")).text
    of_the_first = await shown(front, f"/cases/{first['id']}")

    assert {f"/cases/{other['id']}" for other in (first, third, answered)} <= set(
        re.findall(r'href="([^"]+)"', of_a_copy)
    )
    assert "2 other complaints came with nearly the same words." in of_the_first
    assert "No process failure: correct as done" in await shown(front, f"/cases/{second['id']}")


async def test_a_program_reads_the_same_and_it_is_noted_who_looked(front: Front) -> None:
    taken = await front.open_case()
    await suggest(front, taken["id"], "category", ("lost", "too_slow"))
    ann = await front.token(Role.CASEWORKER, name="ann")

    told = (await front.client.get(f"/api/v1/complaints/{taken['id']}/suggestions", headers=ann)).json()

    (suggestion,) = told["suggestions"]
    assert (suggestion["kind"], suggestion["abstained"]) == ("category", False)
    assert suggestion["codes"][0] == {
        "code": "lost", "name": "You lost my papers or property", "chance": 1.0, "words": ["never arrived", "lost"]
    }  # fmt: skip
    assert (told["copies"], told["copy_count"], told["nearest"]) == ([], 0, [])
    async with front.owner.connect() as connection:
        assert await connection.scalar(text("SELECT what FROM audit_read ORDER BY id DESC LIMIT 1")) == "case"


async def test_words_of_a_text_that_was_removed_are_told_no_more(front: Front) -> None:
    taken = await front.open_case()
    await suggest(front, taken["id"], "category", ("lost",))
    async with transaction(front.owner, AGENCY) as connection:
        await connection.execute(text("SET LOCAL ROLE putright_disposal"))
        await connection.execute(text(f"DELETE FROM content WHERE case_id = '{taken['id']}'"))
    ann = await front.token(Role.CASEWORKER, name="ann")

    told = await front.client.get(f"/api/v1/complaints/{taken['id']}/suggestions", headers=ann)

    assert told.json()["suggestions"] == []


async def a_week(front: Front) -> list[dict[str, Any]]:
    """Return two cases chosen to be coded, in a week in which a code's use has changed."""
    cases = [await front.case_at(State.ANSWERED), await front.case_at(State.CLOSED)]
    for place, case in enumerate(cases, start=1):
        worth = {"uncertainty": 0.9, "distinctness": 1.0}
        await put(front, coding_queue, week=WEEK, place=place, case_id=UUID(case["id"]), number=1, **worth)
    shares = [{"code": "HND3", "before": 0.12, "after": 0.31, "q": 0.001}]
    counts = {"cases_before": 400, "cases_after": 90, "made_at": NOW}
    await put(front, text_drift, kind="failure", week=WEEK, shares=shares, words=["kiosk"], words_p_value=0.4, **counts)
    await put(front, text_drift, kind="category", week=WEEK, shares=[], words=[], words_p_value=None, **counts)
    members = {"case_ids": [UUID(case["id"]) for case in cases], "letter_count": 5, "expected_count": 0.2}
    await put(front, text_new_failure, week=WEEK, place=1, **members, words=["kiosk", "screen"], made_at=NOW)
    checked = {"checked_cases": 200, "accuracy": 0.71, "calibration_error": 0.04}
    learnt = {"made_for": WEEK + timedelta(days=1), "fitted_at": NOW, "cases": 2_000, "labels": 30}
    await put(front, text_model, kind="failure", version=3, training_hash="x", payload=b"", **learnt, **checked)
    return cases


async def test_the_coding_page_says_what_to_code_what_changed_and_what_may_be_missing(front: Front) -> None:
    first, second = await a_week(front)
    await sign_in(front, Role.SUPERVISOR, "sue")

    page = (await front.client.get("/coding")).text
    words = await shown(front, "/coding")

    assert page.index(f"/cases/{first['id']}") < page.index(f"/cases/{second['id']}")
    assert "1 of 2 are done" in words
    assert "Root causes: “Dropped or lost” went from 12% to 31% of the cases. Check whether the codes" in words
    assert "Kinds of problem: too few coded cases to tell whether they are used as before." in words
    assert "2 cases in four weeks that no code fits, alike in “kiosk”, “screen”" in words
    assert "Of the 200 newest, the older ones would have told 71% rightly at the first guess." in words


async def test_who_may_not_open_cases_sees_their_numbers_without_links(front: Front) -> None:
    first, _ = await a_week(front)
    await sign_in(front, Role.ANALYST, "ada")

    page = (await front.client.get("/coding")).text

    assert first["reference"] in page
    assert "/cases/" not in page


async def test_failures_that_may_need_a_code_are_put_to_supervisors_and_analysts(front: Front) -> None:
    await a_week(front)
    seen = {}
    for role in (Role.CASEWORKER, Role.SUPERVISOR, Role.ANALYST):
        headers = await front.token(role)
        told = (await front.client.get("/api/v1/coding", headers=headers)).json()
        assert [row["place"] for row in told["queue"]] == [1, 2]
        assert {one["kind"]: one["has_changed"] for one in told["drift"]} == {"failure": True, "category": False}
        seen[role] = len(told["new_failures"])

    assert seen == {Role.CASEWORKER: 0, Role.SUPERVISOR: 1, Role.ANALYST: 1}


@pytest.mark.parametrize("role", [Role.INTAKE, Role.LIAISON, Role.AUDITOR, Role.ADMINISTRATOR])
async def test_coding_is_for_those_who_code(front: Front, role: Role) -> None:
    headers = await front.token(role)
    await sign_in(front, role, "somebody")

    assert (await front.client.get("/api/v1/coding", headers=headers)).status_code == 403
    assert (await front.client.get("/coding")).status_code == 403


async def test_that_no_failure_lacks_a_code_is_said_only_after_a_look(front: Front) -> None:
    await sign_in(front, Role.SUPERVISOR, "sue")
    before = await shown(front, "/coding")
    counts = {"cases_before": 400, "cases_after": 90, "made_at": NOW}
    await put(front, text_drift, kind="failure", week=WEEK, shares=[], words=[], words_p_value=None, **counts)

    after = await shown(front, "/coding")

    none = "None: no five complaints of the last four weeks are alike and fit no code."
    assert (before.count("Not looked at yet."), none in before) == (2, False)
    assert ("Not looked at yet." in after, none in after) == (False, True)


async def test_an_empty_queue_says_that_nothing_waits_and_when_it_is_looked_after_again(front: Front) -> None:
    await a_week(front)
    async with front.owner.begin() as connection:
        await connection.execute(text("DELETE FROM coding_queue"))
    await sign_in(front, Role.CASEWORKER, "ann")

    words = await shown(front, "/coding")

    assert "Nothing is chosen for this week so far." in words
    assert "next on March 5, 2026, 2:00 am;" in words


async def test_before_anything_was_read_the_page_says_so(front: Front) -> None:
    await sign_in(front, Role.CASEWORKER, "ann")

    words = await shown(front, "/coding")

    assert "Nothing is chosen yet: the words of complaints are read for the first time" in words
    assert "and after that every night, next on March 5, 2026, 2:00 am." in words
    assert "they begin with fifty coded complaints" in words
