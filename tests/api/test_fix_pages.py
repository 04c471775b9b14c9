# SPDX-License-Identifier: Apache-2.0
"""Fixes on pages: led from a signal to its verdict by forms alone, refused in the lifecycle's own words."""

from __future__ import annotations

import json
import re
import threading
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from api.pages.fix_forms import Told, asked_of
from api.shapes_fixes import FixActionAsked
from models.commands import SYSTEM
from models.fixes.commands import FindEffective
from models.fixes.terms import FixAction, Verdict
from models.terms import Role, State
from tests.api.conftest import NOW, Front
from tests.api.test_case_page import words
from tests.api.test_fixes import IN_PLACE, MEASURE, WORKED_OUT, a_fix, act_on, done, found_not_effective, shown
from tests.api.test_registers import a_signal
from tests.api.test_staff_pages import send, sign_in
from tests.given import a_key, a_policy
from tests.given_fixes import an_effect
from tests.record import a_submission, take_in

MONDAY = date(2026, 2, 23)
"""The last whole week before the tests' moment."""


async def weekly_counts(front: Front, office: str, per_week: int, weeks: int = 52, channel: str = "web") -> None:
    """Write what the aggregates hold of a year of lost papers at an office."""
    async with front.owner.begin() as connection:
        for back in range(weeks):
            week = MONDAY - timedelta(weeks=back)
            await connection.execute(
                text("""
                    INSERT INTO cell_day (agency, measure, code, service, office, channel, week, happened_on, total)
                    VALUES ('riverbend', 'cause', 'HND3', 'benefits', :office, :channel, :week, :week, :total)
                """),
                {"office": office, "channel": channel, "week": week, "total": per_week},
            )


async def page_of(front: Front, fix_id: str) -> str:
    page = await front.client.get(f"/fixes/{fix_id}")
    assert page.status_code == 200, page.text
    return page.text


async def by_form(front: Front, fix_id: str, action: str, **fields: Any) -> httpx.Response:
    return await send(front, f"/fixes/{fix_id}/actions/{action}", key=a_key(), **fields)


async def found_effective(front: Front, fix_id: str) -> None:
    """Have the weekly look find that the change works."""
    effect = an_effect(Verdict.EFFECTIVE)
    command = FindEffective(actor=SYSTEM, key=a_key(), effect=effect)
    await front.actions.act_on_fix("riverbend", UUID(fix_id), command)


async def test_a_signal_becomes_a_fix_that_forms_alone_lead_to_the_watch(front: Front) -> None:
    await weekly_counts(front, "northgate", 5)
    await weekly_counts(front, "harbor", 20)
    signal_id = await a_signal(front, office="northgate")
    await sign_in(front, Role.SUPERVISOR, "sue")

    decided = await send(
        front, f"/signals/{signal_id}/decisions", key=a_key(), decision="accept", reason="The move.",
        fix_title="The post at Northgate", fix_owner="sue",
    )  # fmt: skip
    signal_page = (await front.client.get(f"/signals/{signal_id}")).text
    (fix_id,) = set(re.findall(r'href="/fixes/([0-9a-f-]{36})"', signal_page))
    steps: list[tuple[str, dict[str, Any]]] = [
        ("describe", {"title": "The post at Northgate", "statement": "Renewals are lost since the move."}),
        ("add_cause", {"category": "PRO", "why_1": "They lie unopened.", "why_2": "Nobody is named for it."}),
        ("add_evidence", {"source": "employee_idea", "words": "A colleague saw the pile.", "people_count": "1"}),
        ("add_evidence", {"source": "employee_idea", "words": "20 people said so.", "people_count": "20"}),
        ("add_option", {"words": "Name somebody."}),
        ("choose_option", {"number": "1", "reason": "It can start on Monday."}),
        ("plan_measure", {name: str(value) for name, value in MEASURE.items() if name != "number"}),
    ]
    for action, fields in steps:
        answer = await by_form(front, fix_id, action, **fields)
        assert answer.status_code == 303, (action, words(answer.text))
    ready = await page_of(front, fix_id)
    target, control = "cause|HND|HND3|benefits|northgate", "cause|HND|HND3|benefits|harbor"
    registered = await by_form(
        front, fix_id, "register", targets=target, controls=control, reduction="50", change_planned_on="2026-03-04",
        transition_weeks="2",
    )  # fmt: skip
    assert registered.status_code == 303, words(registered.text)
    await by_form(front, fix_id, "finish_measure", number="1", done_on="2026-03-01")
    await by_form(front, fix_id, "put_in_place", changed_on="2026-03-04")

    assert decided.status_code == 303
    assert "Dealt with by the fix" in words(signal_page)
    assert f'value="{control}" checked' in ready
    assert "5 a week over 48 weeks" in words(ready)
    fix = await shown(front, fix_id, await front.token(Role.SUPERVISOR, name="sue"))
    assert fix["state"] == "monitored"
    assert fix["plan"]["plan"]["baseline_rate"] == 5.0
    assert date(2026, 3, 30) < date.fromisoformat(fix["plan"]["plan"]["look_on"]) < date(2026, 8, 1)
    watched = await page_of(front, fix_id)
    assert "A colleague saw the pile. (1 person)" in words(watched)
    assert "20 people said so. (" not in words(watched)
    assert fix["plan"]["frozen_hash"] in watched
    assert "nothing is known of its effect yet" in watched


async def test_the_page_says_what_lacks_and_opens_the_form_for_it(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    fix_id = await a_fix(front, sue)
    await sign_in(front, Role.SUPERVISOR, "sue")

    fresh = await page_of(front, fix_id)
    await done(front, fix_id, sue, WORKED_OUT[0])
    described = await page_of(front, fix_id)

    assert "Say first what goes wrong, why it does, which option was chosen and what is to be done." in words(fresh)
    assert re.search(r'id="do-describe" open', fresh)
    assert re.search(r'id="do-add_cause" open', described)
    assert 'action="/fixes/' in fresh
    assert "/actions/register" not in fresh
    assert 'id="why-register"' in fresh


async def test_what_is_wrong_comes_back_beside_its_field_with_what_was_typed(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    fix_id = await a_fix(front, sue)
    await sign_in(front, Role.SUPERVISOR, "sue")

    answer = await by_form(front, fix_id, "plan_measure", words="Open the post by nine.", owner="nobody")

    assert answer.status_code == 422
    assert "Open the post by nine." in answer.text
    told = words(answer.text)
    for sentence in ("Choose how strong it is.", "Choose one of those offered.", "Say by which day."):
        assert sentence in told


async def test_a_fix_without_a_signal_is_judged_by_a_failure_that_somebody_chooses(front: Front) -> None:
    await weekly_counts(front, "northgate", 5)
    await sign_in(front, Role.SUPERVISOR, "sue")
    opened = await send(front, "/fixes", key=a_key(), title="The post", statement="Forms are lost.")
    fix_id = opened.headers["location"].partition("?")[0].rpartition("/")[2]
    await done(front, fix_id, await front.token(Role.SUPERVISOR, name="sue"), *WORKED_OUT)

    page = await page_of(front, fix_id)
    typed = {"reduction": "50", "change_planned_on": "2026-04-06", "transition_weeks": "2"}
    nothing = await by_form(front, fix_id, "register", **typed)
    both = await by_form(front, fix_id, "register", **typed, targets="cause||HND3||", controls="cause||HND3||")
    chosen = await by_form(front, fix_id, "register", **typed, targets="cause||HND3||")

    assert 'value="cause||HND3||">' in page
    assert "Choose at least one count that is to fall." in words(nothing.text)
    assert "A control must not share complaints with a target" in words(both.text)
    assert chosen.status_code == 303, words(chosen.text)


async def test_too_few_complaints_to_judge_by_are_told_before_anything_is_frozen(front: Front) -> None:
    await weekly_counts(front, "northgate", 1, weeks=3)
    sue = await front.token(Role.SUPERVISOR, name="sue")
    cell = {"measure": "cause", "family": "HND", "code": "HND3", "service": "benefits", "office": "northgate"}
    fix_id = await a_fix(front, sue, cells=[cell])
    await done(front, fix_id, sue, *WORKED_OUT)
    await sign_in(front, Role.SUPERVISOR, "sue")
    typed = {
        "targets": "cause|HND|HND3|benefits|northgate", "reduction": "20", "change_planned_on": "2026-04-06",
        "transition_weeks": "2",
    }  # fmt: skip

    ready = await page_of(front, fix_id)
    refused = await by_form(front, fix_id, "register", **typed)
    backwards = await by_form(front, fix_id, "register", **typed, look_on="2026-04-01")
    by_hand = await by_form(front, fix_id, "register", **typed, look_on="2026-12-07")

    assert "one would hardly ever know whether it works" in words(refused.text)
    assert "the day to look on must come after the change" in words(backwards.text).lower()
    assert by_hand.status_code == 303
    # As the form is filled in, it registers: half a year after the weeks of transition, though it warns.
    assert re.search(r'name="look_on"[^>]*value="2026-10-19"', ready)
    assert "hardly ever: choose more counts" in words(ready)


async def test_what_is_not_answered_in_time_says_how_to_send_the_same_again(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    fix_id = await a_fix(front, sue)
    await sign_in(front, Role.SUPERVISOR, "sue")
    front.actions.is_away = True

    answer = await by_form(front, fix_id, "note", words="The move is over.")

    assert answer.status_code == 503
    assert "reload this page" in words(answer.text)
    assert "same key" not in words(answer.text)


async def test_a_stale_page_is_refused_with_the_sentence(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    fix_id = await a_fix(front, sue)
    await sign_in(front, Role.SUPERVISOR, "sue")
    await done(front, fix_id, sue, {"action": "note", "words": "Meanwhile."})

    answer = await by_form(front, fix_id, "add_option", words="Do it.", sequence="1")

    assert answer.status_code == 409
    assert "The fix has changed since you looked at it" in words(answer.text)


async def test_a_verdict_shows_its_chart_and_sentences_and_rounds_stay(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    fix_id = await a_fix(front, sue)
    await weekly_counts(front, "northgate", 5)
    await weekly_counts(front, "harbor", 20)
    await sign_in(front, Role.SUPERVISOR, "sue")
    await done(front, fix_id, sue, *WORKED_OUT, *IN_PLACE)
    await found_not_effective(front, fix_id)

    again = await page_of(front, fix_id)
    await done(front, fix_id, sue, *WORKED_OUT[6:], *IN_PLACE)
    await found_effective(front, fix_id)
    works = await page_of(front, fix_id)
    listed = words((await front.client.get("/fixes")).text)

    assert "Attempt 1: it does not work" in words(again)
    assert "The last attempt did not work" in words(again)
    assert "Does it work? It works" in words(works)
    assert "<svg" in works
    assert "Complaints week by week, the latest week first" in works
    assert "It works" in listed
    assert "watched until May 3, 2027" in listed


async def test_people_of_a_file_are_listed_once_and_a_wrong_line_is_named(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    fix_id = await a_fix(front, sue)
    await sign_in(front, Role.SUPERVISOR, "sue")

    async def uploaded(table: str, encoding: str = "utf-8") -> httpx.Response:
        return await front.client.post(
            f"/fixes/{fix_id}/actions/list_affected",
            data={"key": a_key(), "help": "remedy", "words": "We lost your form, and pay what it cost you."},
            files={"people": ("people.csv", table.encode(encoding), "text/csv")},
            headers={"Sec-Fetch-Site": "same-origin"},
        )

    good = await uploaded(
        "name,email,post,language,remedy,amount,authority\n"
        'Jo Rivers,jo@example.org,,es,refund,25.50,Rule 7\nMo Lane,,"1 Elm Street\nRiverbend",,apology,,\n,,,,,,\n'
    )
    short = await uploaded("name,email\nJo Rivers\n")
    odd = await uploaded("name,colour\nJo,green\n")
    wrong = await uploaded('email,amount,authority,post\njo@example.org,1,Rule 7,"1 Elm St\nHere"\nnobody,no,Rule 7,\n')
    foreign = await uploaded("name,email\nJosé,jo@example.org\n", "latin-1")
    twice = await uploaded("email\njo@example.org\nJO@example.org\n")
    below = await uploaded("name,email\n\nJo,jo@example.org\n,\n")
    torn = await uploaded("name,email\rJo,jo@example.org")
    nothing = await uploaded("name,remedy\nJo,apology\nMo,\nEd,none\n")
    nobody = await uploaded("name,email,remedy\n,,apology\n")
    unwritten = await uploaded("name,language,remedy\nJo,fr,apology\n")

    assert good.status_code == 303, words(good.text)
    page = words(await page_of(front, fix_id))
    assert "2 people, to be told what is put right for them" in page
    assert "Line 2 has more or fewer columns" in words(short.text)
    assert "The first line must name columns" in words(odd.text)
    assert "An address stands there twice" in words(twice.text)
    assert "Line 3 of the file, email: this is not an e-mail address." in words(wrong.text)
    assert "Line 3 of the file, amount: this must be more than 0." in words(wrong.text)
    assert "Line 2 of the file: name the person, or give an address." in words(below.text)
    assert "This file cannot be read as CSV" in words(torn.text)
    assert "This file is not in UTF-8" in words(foreign.text)
    assert "Line 3 of the file, remedy: everybody on a list of remedies gets one; name it." in words(nothing.text)
    assert "Line 2 of the file: name the person, or give an address." in words(nobody.text)
    assert "'fr' is not among the languages of this agency" in words(unwritten.text)
    async with front.owner.begin() as connection:
        query = text("SELECT contact, language, amount_cents, authority FROM affected_person ORDER BY number")
        rows = (await connection.execute(query)).all()
    assert [tuple(row) for row in rows] == [
        ({"name": "Jo Rivers", "email": "jo@example.org"}, "es", 2550, "Rule 7"),
        ({"name": "Mo Lane", "email": "", "post": "1 Elm Street\nRiverbend"}, "en", None, None),
    ]


async def test_everybody_who_complained_of_it_is_found_by_the_cases(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    contact = {"name": "Jo Rivers", "email": "jo@example.org"}
    for _ in range(2):
        await front.open_case(contact=contact)
    await front.open_case(contact={"name": "Mo Lane", "email": "mo@example.org"}, category="lost")
    fix_id = await a_fix(front, sue, cells=[{"measure": "intake", "family": "intake", "code": "too_slow"}])
    told = {"action": "list_affected", "help": "notify", "source": "All of them", "words": "We are mending it."}
    key = a_key()

    first = await act_on(front, fix_id, sue, key, **told, since="2026-01-01")
    again = await act_on(front, fix_id, sue, key, **told, since="2026-01-01")
    nobody = await act_on(front, fix_id, sue, **told, since="2026-03-05")

    assert first.status_code == 200, first.text
    assert again.json() == first.json()
    assert (await shown(front, fix_id, sue))["affected"][0]["people_count"] == 1
    assert (nobody.status_code, nobody.json()["errors"][0]["field"]) == (422, "since")


async def test_where_a_list_comes_from_is_said_with_the_day_as_on_all_pages(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    await front.open_case(contact={"name": "Jo Rivers", "email": "jo@example.org"})
    fix_id = await a_fix(front, sue, cells=[{"measure": "intake", "family": "intake", "code": "too_slow"}])
    await sign_in(front, Role.SUPERVISOR, "sue")

    listed = await by_form(front, fix_id, "list_affected", help="notify", since="2026-01-01", words="We mend it.")

    assert listed.status_code == 303, words(listed.text)
    assert "Everybody who complained of this since January 1, 2026" in words(await page_of(front, fix_id))


async def test_one_odd_contact_of_an_import_breaks_no_list(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    await front.open_case(contact={"name": "Jo Rivers", "email": "jo@example.org"})
    odd = {"name": "Mo\nLane " * 50, "phone": "555 0100\n555 0101", "email": "mo@example.org\nmo@example.net"}
    imported = a_submission(contact=json.dumps(odd), language="old_words", is_imported=True, source="old")
    taken = await take_in(front.worker, imported)
    await front.actions.opened("riverbend", taken.receipt.case_id)
    fix_id = await a_fix(front, sue, cells=[{"measure": "intake", "family": "intake", "code": "too_slow"}])
    told = {"action": "list_affected", "help": "notify", "source": "All of them", "words": "We are mending it."}

    answer = await act_on(front, fix_id, sue, **told, since="2026-01-01")

    assert answer.status_code == 200, answer.text
    async with front.owner.begin() as connection:
        query = text("SELECT contact, language FROM affected_person ORDER BY number")
        _, (contact, language) = (await connection.execute(query)).all()
    assert contact["name"].startswith("Mo Lane Mo Lane")
    assert (contact["email"], contact["phone"]) == ("mo@example.org mo@example.net", "555 0100 555 0101")
    assert language == "en"


async def test_whom_a_list_could_not_help_stands_there_with_the_complaint(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    taken = await front.case_at(State.IN_RESOLUTION)
    fix_id = await a_fix(front, sue, cells=[{"measure": "intake", "family": "intake", "code": "too_slow"}])
    told = {"action": "list_affected", "help": "notify", "source": "Everybody", "words": "We were wrong."}
    await done(front, fix_id, sue, told | {"since": "2026-03-01"})
    async with front.owner.begin() as connection:
        reason = {"reason": "No way to reach this person is known."}
        await connection.execute(
            text("UPDATE affected_person SET result = 'exception', reason = :reason, done_at = now()"), reason
        )
    await sign_in(front, Role.SUPERVISOR, "sue")

    page = await page_of(front, fix_id)

    assert re.search(rf'No way to reach this person is known. <a href="/cases/{taken["id"]}">', page)


async def test_approved_words_stand_on_the_public_page_with_what_came_of_it(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    fix_id = await a_fix(front, sue)
    await done(front, fix_id, sue, *WORKED_OUT, *IN_PLACE)
    await sign_in(front, Role.SUPERVISOR, "sue")
    before = await front.client.get("/a/riverbend/you-said")

    draft = await page_of(front, fix_id)
    approved = await by_form(front, fix_id, "approve_words", occasion="accepted", words="You said <b>lost</b>.")
    await found_effective(front, fix_id)
    after = await front.client.get("/a/riverbend/you-said")
    elsewhere = await front.client.get("/a/lakeside/you-said")

    assert "There is nothing to tell yet." in before.text
    assert "You said: Paper renewals are lost at Northgate" in words(draft)
    assert approved.status_code == 303, words(approved.text)
    assert "You said &lt;b&gt;lost&lt;/b&gt;." in after.text
    assert "It works: there are 50 percent fewer such complaints." in words(after.text)
    assert "There is nothing to tell yet." in elsewhere.text


async def test_words_stand_in_the_readers_language_and_where_they_do_not_the_page_says_so(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    fix_id = await a_fix(front, sue)
    await done(front, fix_id, sue, *WORKED_OUT, *IN_PLACE)
    await sign_in(front, Role.SUPERVISOR, "sue")
    told = {"occasion": "accepted", "words": "We look into it.", "words_es": "Lo estamos revisando."}
    assert (await by_form(front, fix_id, "approve_words", **told)).status_code == 303
    await found_effective(front, fix_id)
    assert (await by_form(front, fix_id, "approve_words", occasion="judged", words="It works.")).status_code == 303

    page = (await front.client.get("/a/riverbend/you-said", headers={"Accept-Language": "es"})).text

    assert '<p class="said ours" lang="es">Lo estamos revisando.</p>' in page
    assert '<p class="said ours" lang="en">It works.</p>' in page
    assert page.count("Lo que sigue está en inglés.") == 1
    assert "We look into it." not in page


async def test_words_are_in_the_agencys_first_language_also_where_that_is_not_english(front: Front) -> None:
    policy = a_policy()
    agency = policy.agency.model_copy(update={"languages": ("es", "en")})
    document = policy.model_copy(update={"agency": agency}).model_dump_json()
    async with front.owner.begin() as connection:
        await connection.execute(
            text("INSERT INTO policy_version VALUES ('riverbend', 2, 'es first', :at, CAST(:document AS jsonb))"),
            {"at": NOW - timedelta(minutes=1), "document": document},
        )
    sue = await front.token(Role.SUPERVISOR, name="sue")
    fix_id = await a_fix(front, sue)
    await done(front, fix_id, sue, *WORKED_OUT, *IN_PLACE)
    asked = {"action": "approve_words", "occasion": "accepted", "words": "Lo estamos revisando."}
    await done(front, fix_id, sue, asked)

    spanish, english = [
        (await front.client.get("/a/riverbend/you-said", headers={"Accept-Language": code})).text
        for code in ("es", "en")
    ]

    approved = '<p class="said ours" lang="es">Lo estamos revisando.</p>'
    assert approved in spanish
    assert "Lo que sigue" not in spanish
    assert f'<p class="soft small">What follows is in Spanish.</p>{approved}' in english


@pytest.mark.parametrize(
    ("role", "sees", "misses"),
    [
        (Role.CASEWORKER, "do-note", "do-describe"),
        (Role.ANALYST, "do-describe", "do-choose_option"),
        (Role.LIAISON, "do-add_evidence", "do-describe"),
        (Role.AUDITOR, "story", "do-note"),
    ],
)
async def test_each_role_finds_its_own_forms(front: Front, role: Role, sees: str, misses: str) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    fix_id = await a_fix(front, sue)
    await done(front, fix_id, sue, {"action": "add_option", "words": "Do it."})
    await sign_in(front, role, "somebody")

    page = await page_of(front, fix_id)

    assert f'id="{sees}"' in page
    assert f'id="{misses}"' not in page


async def test_a_plan_for_one_channel_is_proposed_from_that_channels_counts(front: Front) -> None:
    await weekly_counts(front, "northgate", 5)
    await weekly_counts(front, "northgate", 9, channel="phone")
    signal_id = await a_signal(front, office="northgate", channel="phone")
    sue = await front.token(Role.SUPERVISOR, name="sue")
    fix_id = await a_fix(front, sue, signal_id=str(signal_id), reason="The move.")
    await done(front, fix_id, sue, *WORKED_OUT)
    await sign_in(front, Role.SUPERVISOR, "sue")

    page = await page_of(front, fix_id)

    assert 'value="cause|HND|HND3|benefits|northgate|phone" checked' in page
    assert "Dropped or lost, Benefit payments, Northgate Service Center, Telephone" in words(page)
    assert "9 a week over 48 weeks" in words(page)
    assert "Dropped or lost · Benefit payments · Northgate Service Center · Telephone" in words(page)


async def test_a_plan_is_added_up_beside_the_loop_that_serves_others(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    sue = await front.token(Role.SUPERVISOR, name="sue")
    fix_id = await a_fix(front, sue)
    await sign_in(front, Role.SUPERVISOR, "sue")
    read_in = []

    def reading(action: FixAction, told: Told) -> FixActionAsked:
        read_in.append(threading.current_thread())
        return asked_of(action, told)

    monkeypatch.setattr("api.pages.fixes.asked_of", reading)
    await by_form(front, fix_id, "register")

    assert read_in
    assert threading.main_thread() not in read_in


async def test_what_is_wrong_with_a_plan_s_days_is_told_beside_its_field(front: Front) -> None:
    await weekly_counts(front, "northgate", 5)
    sue = await front.token(Role.SUPERVISOR, name="sue")
    fix_id = await a_fix(front, sue)
    await done(front, fix_id, sue, *WORKED_OUT)
    await sign_in(front, Role.SUPERVISOR, "sue")
    typed = {"targets": "cause||HND3||", "reduction": "50", "transition_weeks": "2"}

    early = await by_form(front, fix_id, "register", **typed, change_planned_on="2026-03-09", look_on="2026-03-23")
    never = await by_form(front, fix_id, "register", **typed, change_planned_on="9999-12-30")
    long = await by_form(
        front, fix_id, "register", **typed | {"transition_weeks": "999"}, change_planned_on="2026-04-06"
    )

    assert "Say at the latest on: Before 8 whole weeks after the change has settled" in words(early.text)
    assert "Change planned on: Name a day within 10 years." in words(never.text)
    assert "Weeks to settle: Write a whole number up to 26." in words(long.text)


async def test_the_plan_of_a_brand_new_failure_proposes_the_weeks_since_it_began_and_freezes_them(front: Front) -> None:
    await weekly_counts(front, "northgate", 5, weeks=20)
    await weekly_counts(front, "harbor", 20)
    signal_id = await a_signal(front, office="northgate", began_week=date(2025, 10, 13))
    sue = await front.token(Role.SUPERVISOR, name="sue")
    fix_id = await a_fix(front, sue, signal_id=str(signal_id), reason="The move.")
    await done(front, fix_id, sue, *WORKED_OUT)
    await sign_in(front, Role.SUPERVISOR, "sue")

    ready = await page_of(front, fix_id)
    typed = {
        "targets": "cause|HND|HND3|benefits|northgate", "controls": "cause|HND|HND3|benefits|harbor", "reduction": "50",
        "change_planned_on": "2026-03-09", "transition_weeks": "2",
    }  # fmt: skip
    too_soon = await by_form(front, fix_id, "register", **typed, compared_from="2026-02-02")
    registered = await by_form(front, fix_id, "register", **typed, compared_from="2025-10-13")
    fix = await shown(front, fix_id, sue)

    assert "Change planned on: Only 5 weeks to compare with would lie before the change" in words(too_soon.text)
    assert registered.status_code == 303, words(registered.text)
    assert re.search(r'name="compared_from"[^>]*value="2025-10-13"', ready)
    # The weeks that raised it are those of its first look; what came after was not picked for being high.
    assert re.search(r'name="trigger_until"[^>]*value="2026-02-22"', ready)
    assert "only the weeks since then tell what comes without a change" in words(ready)
    assert "5 a week over 16 weeks" in words(ready)
    assert (fix["plan"]["plan"]["compared_from"], fix["plan"]["plan"]["baseline_rate"]) == ("2025-10-13", 5.0)
    assert "With the weeks since October 13, 2025" in words(await page_of(front, fix_id))
