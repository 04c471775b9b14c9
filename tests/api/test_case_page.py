# SPDX-License-Identifier: Apache-2.0
"""A case's page: earlier rounds, answers sent back, who may take it, and what may be promised."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from sqlalchemy import text

from models.terms import Role, State
from tests.api.conftest import NOW, Front
from tests.api.test_staff_pages import send, sign_in
from tests.given import a_key

SUM = {"cents": 250_000, "authority": "Benefits Act s. 12"}
GRANTED = {"number": 1, "finding": "upheld", "remedies": ["refund"], "amount": SUM}
STALLED = {
    "kind": "failure",
    "failure": "TIM2",
    "contributing_cause": "CAP",
    "severity": 1,
    "harm": 2,
    "scope": "group",
}


async def named(front: Front, **people: str) -> None:
    """Give accounts the names that colleagues know."""
    async with front.owner.begin() as connection:
        for name, display in people.items():
            await connection.execute(
                text("UPDATE staff SET display_name = :display WHERE name = :name"), {"name": name, "display": display}
            )


async def shown(front: Front, path: str) -> str:
    """Return a page's words, without its marks."""
    page = await front.client.get(path)
    assert page.status_code == 200
    return words(page.text)


def words(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


async def a_proposed_case(front: Front) -> dict[str, Any]:
    taken = await front.case_at(State.IN_RESOLUTION)
    ann = await front.token(Role.CASEWORKER, name="ann")
    proposed = await front.act(
        taken["id"], ann, action="propose_answer", text="You get the sum we kept.", issues=[GRANTED]
    )
    assert proposed.status_code == 200, proposed.text
    return taken


async def a_reopened_case(front: Front) -> dict[str, Any]:
    """Return a case that ann and sue answered, and that is under review."""
    taken = await a_proposed_case(front)
    ann, sue = await front.token(Role.CASEWORKER, name="ann"), await front.token(Role.SUPERVISOR, name="sue")
    for who, asked in (
        (sue, {"action": "approve"}),
        (ann, {"action": "tag_root_cause", "issues": [{"number": 1, "cause": STALLED}]}),
        (ann, {"action": "close"}),
        (sue, {"action": "reopen", "text": "The sum never came."}),
    ):
        done = await front.act(taken["id"], who, **asked)
        assert done.status_code == 200, done.text
    return taken


async def test_a_review_sees_what_the_first_round_found_granted_and_coded_and_who_answered(front: Front) -> None:
    taken = await a_reopened_case(front)
    await sign_in(front, Role.CASEWORKER, "ben")
    await named(front, ann="Ann Archer", sue="Sue Summers")

    page = await shown(front, f"/cases/{taken['id']}")

    issues = page.partition("Second round, now")[2].partition("Story")[0]
    assert "no finding yet" in issues.partition("First round")[0]
    first = issues.partition("First round")[2]
    assert "answered by Ann Archer, Sue Summers" in first
    assert "Justified" in first
    assert "refund" in first.lower()
    assert "$2,500.00 by Benefits Act s. 12" in first
    assert "Stalled, because of: capacity" in first
    assert "You get the sum we kept." in first


async def test_the_story_says_what_each_step_found_and_coded(front: Front) -> None:
    taken = await a_reopened_case(front)
    await sign_in(front, Role.CASEWORKER, "ben")

    story = (await shown(front, f"/cases/{taken['id']}")).partition("Story")[2].partition("What you can do")[0]

    approved = story.partition("Approved the answer")[2].partition("Put an answer before")[0]
    assert "Issue 1: Justified" in approved
    assert "$2,500.00 by Benefits Act s. 12" in approved
    coded = story.partition("Said what was behind it")[2].partition("Approved the answer")[0]
    assert "Issue 1: Stalled, because of: capacity" in coded


async def test_a_case_that_was_never_reopened_shows_one_round(front: Front) -> None:
    taken = await front.case_at(State.CLOSED)
    await sign_in(front, Role.CASEWORKER, "ben")

    assert "round" not in (await shown(front, f"/cases/{taken['id']}")).partition("Issues")[2].partition("Story")[0]


async def test_who_answered_before_is_told_why_the_review_is_not_theirs_and_offered_nothing(front: Front) -> None:
    taken = await a_reopened_case(front)
    await sign_in(front, Role.CASEWORKER, "ann")
    await named(front, ann="Ann Archer")

    page = await front.client.get(f"/cases/{taken['id']}")
    asked_all_the_same = await send(front, f"/cases/{taken['id']}/take", key=a_key())

    assert 'id="take"' not in page.text
    assert "Ann Archer answered this complaint before" in words(page.text)
    assert asked_all_the_same.status_code == 409
    assert "Ann Archer answered this complaint before" in words(asked_all_the_same.text)
    assert "What you can do" in asked_all_the_same.text


async def test_who_answered_is_not_offered_as_reviewer(front: Front) -> None:
    taken = await front.case_at(State.CLOSED)
    await front.token(Role.CASEWORKER, name="ben")
    await sign_in(front, Role.SUPERVISOR, "sue")

    form = form_of((await front.client.get(f"/cases/{taken['id']}")).text, "reopen")

    assert 'value="ben"' in form
    assert 'value="ann"' not in form


async def test_another_person_may_take_the_review(front: Front) -> None:
    taken = await a_reopened_case(front)
    await sign_in(front, Role.CASEWORKER, "ben")

    page = await front.client.get(f"/cases/{taken['id']}")
    done = await send(front, f"/cases/{taken['id']}/take", key=a_key())

    assert 'id="take"' in page.text
    assert done.status_code == 303


def form_of(page: str, action: str) -> str:
    return unescape(page.partition(f'/actions/{action}"')[2].partition("</form>")[0])


@pytest.mark.parametrize("action", ["propose_answer", "answer"])
async def test_an_answer_sent_back_is_not_typed_again(front: Front, action: str) -> None:
    taken = await a_proposed_case(front)
    sue = await front.token(Role.SUPERVISOR, name="sue")
    await front.act(taken["id"], sue, action="send_back", text="Name the month.")
    await sign_in(front, Role.CASEWORKER, "ann")

    form = form_of((await front.client.get(f"/cases/{taken['id']}")).text, action)

    assert "You get the sum we kept.</textarea>" in form
    assert '<option value="upheld" selected>' in form
    assert '<option value="refund" selected>' in form
    assert 'value="2500.00"' in form
    assert 'value="Benefits Act s. 12"' in form


async def test_a_new_round_begins_with_an_empty_form(front: Front) -> None:
    taken = await a_reopened_case(front)
    await sign_in(front, Role.CASEWORKER, "ben")

    form = form_of((await front.client.get(f"/cases/{taken['id']}")).text, "propose_answer")

    assert "You get the sum we kept." not in form


async def test_an_answer_refused_for_its_money_stands_in_the_form_that_proposes_it(front: Front) -> None:
    taken = await front.case_at(State.IN_RESOLUTION)
    await sign_in(front, Role.CASEWORKER, "ann")
    typed = {
        "text": "You get it back.", "finding_1": "upheld", "remedy_1": "refund", "amount_1": "2,500",
        "authority_1": "Benefits Act s. 12",
    }  # fmt: skip

    refused = await send(front, f"/cases/{taken['id']}/actions/answer", key=a_key(), **typed)
    form = form_of(refused.text, "propose_answer")

    assert refused.status_code == 409
    assert "You get it back.</textarea>" in form
    assert '<option value="refund" selected>' in form
    assert 'value="2,500"' in form


async def test_the_next_step_is_never_promised_for_a_day_that_is_over(front: Front) -> None:
    taken = await front.case_at(State.IN_RESOLUTION)
    await sign_in(front, Role.CASEWORKER, "ann")
    path = f"/cases/{taken['id']}/actions/assign"

    over = await send(front, path, key=a_key(), follow_up_on="2026-03-03")
    today = await send(front, path, key=a_key(), follow_up_on="2026-03-04")

    assert (over.status_code, today.status_code) == (422, 303)
    assert "This day is over; name today or a day to come." in over.text


async def test_a_case_opened_from_my_work_leads_back_there(front: Front) -> None:
    taken = await front.case_at(State.IN_RESOLUTION)
    await sign_in(front, Role.CASEWORKER, "ann")
    await send(front, f"/cases/{taken['id']}/take", key=a_key())

    work = await front.client.get("/work")
    address = unescape(re.findall(r'href="(/cases/[^"]*)"', work.text)[0])
    page = (await front.client.get(address)).text

    assert re.search(r'href="/work" aria-current="page"', page)
    assert re.search(r'class="chip" href="/work"', page)


async def test_every_root_cause_stands_in_its_family_with_its_meaning(front: Front) -> None:
    taken = await front.case_at(State.ANSWERED)
    await sign_in(front, Role.CASEWORKER, "ann")

    form = form_of((await front.client.get(f"/cases/{taken['id']}")).text, "tag_root_cause")

    stalled = form.partition('value="TIM2"')[2]
    assert words(stalled).partition("TIM3")[0].count("No action for long, backlog or inactive queue") == 1
    assert "<summary><strong>Timeliness</strong>" in form.partition('value="TIM1"')[0]
    assert form.count('type="radio"') == 46


async def test_a_triage_that_is_changed_begins_with_what_was_decided(front: Front) -> None:
    taken = await front.case_at(State.IN_TRIAGE)
    ann = await front.token(Role.CASEWORKER, name="ann")
    decided = await front.act(
        taken["id"], ann, action="triage", severity=1, track="complex", team="records", owner="ann",
        issues=[{"number": 1, "service": "streets", "category": "needs_repair"}],
    )  # fmt: skip
    assert decided.status_code == 200, decided.text
    await sign_in(front, Role.CASEWORKER, name="ann")

    page = (await front.client.get(f"/cases/{taken['id']}")).text

    chosen = set(re.findall(r'<option value="(\w+)" selected', page[page.index('id="triage-') :]))
    assert {"complex", "records", "streets"} <= chosen


async def test_taking_a_case_and_acting_on_it_keeps_its_place_in_the_list(front: Front) -> None:
    taken = [await front.case_at(State.IN_TRIAGE) for _ in range(3)]
    first, second, third = sorted(taken, key=lambda case: str(case["id"]))
    await sign_in(front, Role.CASEWORKER, "ann")
    page = (await front.client.get(f"/cases/{second['id']}?show=all&channel=web&from=work")).text

    take = unescape(re.findall(r'action="([^"]*/take[^"]*)"', page)[0])
    note = unescape(re.findall(r'action="([^"]*/actions/note[^"]*)"', page)[0])
    took = await send(front, take, key=a_key())
    acted = await send(front, note, key=a_key(), text="Called.")
    after = words((await front.client.get(acted.headers["location"])).text)

    assert (took.status_code, acted.status_code) == (303, 303)
    assert took.headers["location"] == f"/cases/{second['id']}?show=all&channel=web&from=work&done=taken"
    assert "‹ Previous No. 2 in your list Next ›" in after
    assert "Done, and recorded." in after
    assert {first["id"], third["id"]} == set(re.findall(r'href="/cases/([0-9a-f-]{36})\?show=all', page))


async def test_who_answers_the_review_is_not_told_that_it_is_for_another_person(front: Front) -> None:
    taken = await a_reopened_case(front)
    ben = await front.token(Role.CASEWORKER, name="ben")
    found = [{"number": 1, "finding": "not_upheld", "remedies": ["explanation"]}]
    answered = await front.act(taken["id"], ben, action="answer", text="It was paid in March.", issues=found)
    assert answered.status_code == 200, answered.text

    for name in ("ben", "ann"):
        await sign_in(front, Role.CASEWORKER, name)
        assert (
            "answered this complaint before"
            not in (await shown(front, f"/cases/{taken['id']}")).partition("Not now")[0]
        )


async def test_once_every_cause_is_said_the_case_is_to_be_closed_and_what_was_said_can_be_put_right(
    front: Front,
) -> None:
    taken = await a_proposed_case(front)
    ann, sue = await front.token(Role.CASEWORKER, name="ann"), await front.token(Role.SUPERVISOR, name="sue")
    await front.act(taken["id"], sue, action="approve")
    await sign_in(front, Role.CASEWORKER, "ann")

    async def page() -> str:
        return (await front.client.get(f"/cases/{taken['id']}")).text

    before = await page()
    await front.act(taken["id"], ann, action="tag_root_cause", issues=[{"number": 1, "cause": STALLED}])
    coded = await page()

    opened = re.compile(r'<details class="action[^"]*" open>.*?/actions/(\w+)"', re.DOTALL)
    assert [opened.findall(each) for each in (before, coded)] == [["tag_root_cause"], ["close"]]
    form = form_of(coded, "tag_root_cause")
    assert re.search(rf'name="cause_1" value="{STALLED["failure"]}" checked', form)
    for name in ("contributing_cause", "severity", "harm", "scope"):
        assert f'<option value="{STALLED[name]}" selected>' in form


async def test_what_is_missing_of_one_issue_among_several_is_named_with_its_issue(front: Front) -> None:
    taken = await front.case_at(State.IN_TRIAGE)
    ann = await front.token(Role.CASEWORKER, name="ann")
    issues = [{"number": number, "service": "benefits", "category": "too_slow"} for number in (1, 2)]
    await front.act(taken["id"], ann, action="triage", severity=1, issues=issues)
    found = [{"number": number, "finding": "upheld", "remedies": ["apology"]} for number in (1, 2)]
    await sign_in(front, Role.CASEWORKER, "ann")

    answer = await send(front, f"/cases/{taken['id']}/actions/answer", key=a_key(), text="Found.", finding_1="upheld")
    await front.act(taken["id"], ann, action="answer", text="Found.", issues=found)
    tag = await send(front, f"/cases/{taken['id']}/actions/tag_root_cause", key=a_key(), cause_1="N1", cause_2="TIM2")

    assert (answer.status_code, tag.status_code) == (422, 422)
    assert "Issue 2: say what we found." in words(answer.text)
    assert "Issue 2: say why it happened." in words(tag.text)
    assert "Issue 1: say" not in words(tag.text)


async def test_a_triage_that_changes_nothing_is_not_recorded(front: Front) -> None:
    taken = await front.case_at(State.IN_RESOLUTION)
    await sign_in(front, Role.CASEWORKER, "ann")
    form = form_of((await front.client.get(f"/cases/{taken['id']}")).text, "triage")
    chosen = dict(
        re.findall(
            r'<select[^>]* name="(\w+)"[^>]*>(?:(?!</select>).)*?<option value="(\w+)" selected', form, re.DOTALL
        )
    )

    same = await send(front, f"/cases/{taken['id']}/actions/triage", key=a_key(), **chosen)
    other = await send(front, f"/cases/{taken['id']}/actions/triage", key=a_key(), **chosen | {"severity": "2"})

    assert "Nothing was changed, so there is nothing to record." in words(same.text)
    assert (same.status_code, other.status_code) == (422, 303)


@pytest.mark.parametrize(("language", "says_so"), [("es", True), ("en", False)])
async def test_staff_are_told_the_language_the_complainant_chose_where_they_write(
    front: Front, language: str, says_so: bool
) -> None:
    taken = await front.case_at(State.IN_RESOLUTION, language=language)
    await sign_in(front, Role.CASEWORKER, "ann")

    told = await shown(front, f"/cases/{taken['id']}")

    assert ("The complainant chose Español : write in it." in told) == says_so
    assert ("Reads Español" in told) == says_so


BADGE = "Vulnerable circumstances"


async def test_triage_asks_for_the_persons_circumstances_in_the_agencys_words(front: Front) -> None:
    taken = await front.case_at(State.IN_TRIAGE)
    await sign_in(front, Role.CASEWORKER, "ann")

    form = form_of((await front.client.get(f"/cases/{taken['id']}")).text, "triage")

    policy = (await front.services.policies.current("riverbend", front.services.clock())).policy
    counts = policy.severity.vulnerable_circumstances_in("en")
    assert counts
    assert f"Is the person affected in vulnerable circumstances? {counts} Not known (not asked) Yes No" in words(form)


@pytest.mark.parametrize(("answer", "is_shown"), [("yes", True), ("no", False), ("", False)])
async def test_only_who_is_said_to_be_in_vulnerable_circumstances_has_the_badge(
    front: Front, answer: str, *, is_shown: bool
) -> None:
    taken = await front.case_at(State.IN_TRIAGE)
    await sign_in(front, Role.CASEWORKER, "ann")
    triage = {"service_1": "benefits", "category_1": "lost", "severity": "1", "vulnerable": answer}

    done = await send(front, f"/cases/{taken['id']}/actions/triage", key=a_key(), **triage)
    page = (await front.client.get(f"/cases/{taken['id']}")).text
    queue = (await front.client.get("/queue")).text

    assert done.status_code == 303
    assert (f'<span class="chip">{BADGE}</span>' in page) is is_shown
    assert (f'<span class="chip">{BADGE.lower()}</span>' in queue) is is_shown
    assert (f"{BADGE} {answer}" in words(page)) is bool(answer)
    story = re.search(r"Triaged: Low severity, [^:]*, vulnerable circumstances: (yes|no)", words(page))
    assert (story[1] if story else "") == answer


async def test_circumstances_that_turn_out_not_to_be_known_are_unsaid_by_another_triage(front: Front) -> None:
    taken = await front.case_at(State.IN_TRIAGE, vulnerable=True)
    await sign_in(front, Role.CASEWORKER, "ann")
    triage = {"service_1": "benefits", "category_1": "lost", "severity": "1"}
    before = form_of((await front.client.get(f"/cases/{taken['id']}")).text, "triage")

    same = await send(front, f"/cases/{taken['id']}/actions/triage", key=a_key(), **triage, vulnerable="yes")
    unsaid = await send(front, f"/cases/{taken['id']}/actions/triage", key=a_key(), **triage, vulnerable="")
    after = form_of((await front.client.get(f"/cases/{taken['id']}")).text, "triage")

    assert (same.status_code, unsaid.status_code) == (303, 303)
    assert '<option value="yes" selected>' in before
    assert '<option value="yes" selected>' not in after


async def test_on_the_spot_the_same_is_asked_and_what_the_complainant_said_stands_in_the_form(front: Front) -> None:
    leo = await front.token(Role.LIAISON)
    day = {"name": "Day", "place": "Library", "held_on": "2026-03-04", "office": "northgate"}
    keyed = leo | {"Idempotency-Key": a_key()}
    planned = (await front.client.post("/api/v1/problem-solving-days", json=day, headers=keyed)).json()
    taken = await front.open_case(vulnerable=True)
    await sign_in(front, Role.INTAKE, "ivy")
    path = f"/desk/{planned['id']}/spot/{taken['id']}"
    settled = {
        "service": "benefits", "category": "lost", "severity": "1", "finding": "upheld", "remedy": "apology",
        "text": "We found it.", "cause": "N1", "vulnerable": "no",
    }  # fmt: skip

    form = (await front.client.get(path)).text
    done = await send(front, path, key=a_key(), **settled)
    page = await shown(front, f"/cases/{taken['id']}")

    assert '<option value="yes" selected>Yes</option>' in form
    assert done.status_code == 303, done.text
    assert f"{BADGE} no" in page


@pytest.mark.parametrize(
    ("contact", "said"),
    [
        ({"post": "1 Elm Street"}, "written March 4, 2026, 10:30 am, to be printed and posted"),
        ({"post": "1 Elm Street", "email": "jo@example.org"}, "sent March 4, 2026, 10:30 am"),
    ],
)
async def test_a_letter_by_post_is_not_said_to_be_sent_before_anybody_has_posted_it(
    front: Front, contact: dict[str, str], said: str
) -> None:
    taken = await front.open_case(contact=contact)
    async with front.owner.begin() as connection:
        await connection.execute(text("UPDATE outbox SET sent_at = :at"), {"at": NOW})
    await sign_in(front, Role.CASEWORKER, "ann")

    story = (await shown(front, f"/cases/{taken['id']}")).partition("Story")[2]

    assert f"Letter (receipt) to the complainant {said}" in story
    assert ("to be printed and posted" in story) == ("email" not in contact)


@pytest.mark.parametrize("contact", [{"post": "1 Elm Street"}, {"post": "1 Elm Street", "email": "jo@example.org"}])
async def test_the_interface_says_of_a_letter_on_paper_when_it_could_be_posted_and_never_that_it_was_sent(
    front: Front, contact: dict[str, str]
) -> None:
    taken = await front.open_case(contact=contact)
    async with front.owner.begin() as connection:
        await connection.execute(text("UPDATE outbox SET sent_at = :at"), {"at": NOW})
    ann = await front.token(Role.CASEWORKER, name="ann")

    (letter,) = (await front.client.get(f"/api/v1/complaints/{taken['id']}", headers=ann)).json()["letters"]

    assert (letter["sent_at"] is None) == ("email" not in contact)
    assert (letter["ready_to_post_at"] is None) == ("email" in contact)
