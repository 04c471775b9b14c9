# SPDX-License-Identifier: Apache-2.0
"""What people do all day, as they do it: with and without script, by mouse and by keyboard, and by mistake twice."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from models.terms import Role
from tests.browser.conftest import Checked, SignedIn
from tests.browser.product import Product
from tests.browser.story import ANSWER, CONTACT, UPHELD, Desk, Told

Visitor = Callable[..., BrowserContext]
Tracking = Callable[..., Page]
SCREEN = {"width": 1280, "height": 800}
LOST = "My form was lost between two offices."


def taken_in(product: Product, **facts: str) -> dict[str, str]:
    with Desk(product, "ann") as ann:
        return ann.file(narrative=LOST, channel="phone", contact=CONTACT, **facts)


def form_of(page: Page, action: str) -> Locator:
    """Return the form of an action, opened."""
    asked = f"/actions/{action}"
    form = page.locator(f"form[action$='{asked}'], form[action*='{asked}?']")  # the list one came from may follow
    box = page.locator("details.action", has=form)
    if box.get_attribute("open") is None:
        box.locator("summary").first.click()
    return box


def choose_cause(box: Locator, code: str) -> None:
    """Open the family of a root cause, and choose it."""
    family = box.locator(".families details", has=box.page.locator(f"input[value='{code}']"))
    family.locator("summary").click()
    family.locator(f"label[for$='-{code}']").click()


def file_a_complaint(page: Page) -> tuple[str, str]:
    """File one by the public's form; return number and secret."""
    page.goto("/")
    page.get_by_role("main").get_by_role("link", name="Make a complaint").click()
    page.get_by_label("What went wrong?").fill(LOST)
    page.get_by_label("Service").select_option("benefits")
    page.get_by_label("Your name").fill("Jo Rivers")
    page.get_by_role("button", name="Send my complaint").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("We have your complaint")
    return page.locator("#reference").inner_text(), page.locator("#secret").inner_text()


def test_a_complaint_is_filed_and_tracked_without_script(visitor: Visitor, told: Told) -> None:
    page = visitor(has_script=False).new_page()
    seen: list[str] = []
    page.on("framenavigated", lambda frame: seen.append(frame.url))

    reference, secret = file_a_complaint(page)
    page.context.clear_cookies()
    page.goto("/a/riverbend/track")
    page.get_by_label("Your number").fill(reference.lower().replace("-", " "))
    page.get_by_label("Your secret code").fill(secret)
    page.get_by_role("button", name="Show me").click()

    expect(page.get_by_text(reference)).to_be_visible()
    expect(page.get_by_text("Who acts next")).to_be_visible()
    assert not [url for url in seen if secret in url or reference in url]


def test_a_wrong_code_opens_nothing(visitor: Visitor, told: Told) -> None:
    page = visitor().new_page()
    page.goto("/a/riverbend/track")
    page.get_by_label("Your number").fill(told.open["reference"])
    page.get_by_label("Your secret code").fill(told.waiting["secret"])
    page.get_by_role("button", name="Show me").click()

    expect(page.locator("#errors")).to_contain_text("do not belong together")
    page.goto("/a/riverbend/track/view")
    expect(page).to_have_url(re.compile("/track$"))


def test_a_form_sent_twice_is_one_complaint(visitor: Visitor, told: Told) -> None:
    page = visitor(has_script=False).new_page()
    page.goto("/a/riverbend/complain")
    page.get_by_label("What went wrong?").fill(LOST)
    page.get_by_role("button", name="Send my complaint").click()
    first = page.locator("#reference").inner_text()
    page.go_back()
    page.get_by_role("button", name="Send my complaint").click()

    assert page.locator("#reference").inner_text() == first


def test_what_is_wrong_is_said_first_and_at_the_field(visitor: Visitor, told: Told) -> None:
    page = visitor().new_page()
    page.goto("/a/riverbend/complain")
    page.get_by_label("E-mail").fill("nowhere")
    page.get_by_role("button", name="Send my complaint").click()

    expect(page.locator("#errors")).to_be_focused()
    assert page.title().startswith("Error: ")
    page.locator("#errors").get_by_role("link", name="Tell us what went wrong.").click()
    expect(page.get_by_label("What went wrong?")).to_be_focused()
    expect(page.get_by_label("E-mail")).to_have_value("nowhere")


def test_a_complainant_answers_a_question_without_script(product: Product, tracking: Tracking, told: Told) -> None:
    taken = taken_in(product)
    with Desk(product, "ann") as ann:
        ann.triage(taken["id"], "benefits", "lost", severity=1, owner="ann")
        ann.act(taken["id"], "request_information", text="Which office did you write to?")
    page = tracking(taken, has_script=False)
    page.goto("/a/riverbend/track/view")
    expect(page.get_by_text("Which office did you write to?").first).to_be_visible()
    page.get_by_label("Your answer").fill("To the one at Harbor Street.")
    page.get_by_role("button", name="Send my answer").click()

    expect(page.get_by_role("status")).to_contain_text("Thank you")
    expect(page.get_by_role("heading", level=1)).to_have_text("We are looking into it")
    expect(page.get_by_text("To the one at Harbor Street.")).to_be_visible()


def test_a_case_goes_from_triage_to_closed_without_script(product: Product, signed_in: SignedIn, told: Told) -> None:
    taken = taken_in(product, service="benefits", category="lost")
    page = signed_in("ann", Role.CASEWORKER, has_script=False)
    page.goto(f"/cases/{taken['id']}")
    page.get_by_role("button", name="Take it").click()
    expect(page.get_by_role("status")).to_contain_text("You have taken this case")

    triage = form_of(page, "triage")
    triage.get_by_label("How grave").select_option("1")
    triage.get_by_role("button").click()
    answer = form_of(page, "answer")
    answer.get_by_label("Our answer").fill(ANSWER)
    answer.get_by_label("We found it").select_option("upheld")
    answer.get_by_label("Remedy").select_option("apology")
    answer.get_by_role("button").click()
    tag = form_of(page, "tag_root_cause")
    choose_cause(tag, "HND3")
    tag.get_by_label("Why it happened").select_option("PRO")
    tag.get_by_label("Harm to the person").select_option("2")
    tag.get_by_role("button").click()
    form_of(page, "close").get_by_role("button").click()

    expect(page.locator(".head")).to_contain_text("Closed")
    expect(page.locator("#issues + ol")).to_contain_text("Dropped or lost")


def test_what_cannot_be_done_now_says_why(product: Product, signed_in: SignedIn, told: Told) -> None:
    page = signed_in("ann", Role.CASEWORKER)
    page.goto(f"/cases/{told.open['id']}")
    page.get_by_text("Not now, and why").click()

    close = page.get_by_role("button", name="Close", exact=True)
    expect(close).to_be_disabled()
    expect(page.locator("#why-close")).to_contain_text("is for a complaint that is answered")


def test_a_form_that_misses_something_comes_back_as_it_was_typed(signed_in: SignedIn, told: Told) -> None:
    page = signed_in("ann", Role.CASEWORKER)
    page.goto(f"/cases/{told.open['id']}")
    answer = form_of(page, "answer")
    answer.get_by_label("Our answer").fill(ANSWER)
    answer.get_by_role("button").click()

    expect(page.locator("#errors")).to_contain_text("Say what we found.")
    expect(page.get_by_label("Our answer").first).to_have_value(ANSWER)


def test_somebody_elses_change_meanwhile_is_told_and_nothing_is_lost(
    product: Product, signed_in: SignedIn, told: Told
) -> None:
    taken = taken_in(product, service="benefits", category="lost")
    page = signed_in("ben", Role.CASEWORKER)
    page.goto(f"/cases/{taken['id']}")
    with Desk(product, "ann") as ann:
        ann.act(taken["id"], "note", text="The complainant called again.")
    triage = form_of(page, "triage")
    triage.get_by_label("How grave").select_option("2")
    triage.get_by_role("button").click()

    expect(page.locator("#errors")).to_contain_text("has changed since you looked at it")
    expect(form_of(page, "triage").get_by_label("How grave")).to_have_value("2")
    form_of(page, "triage").get_by_role("button").click()
    expect(page.get_by_role("status")).to_contain_text("Done")


def test_the_queue_is_walked_by_keyboard(signed_in: SignedIn, told: Told) -> None:
    page = signed_in("ann", Role.CASEWORKER)
    page.goto("/queue")
    page.keyboard.press("j")
    page.keyboard.press("j")
    second = page.locator("[data-row] a").nth(1)
    expect(second).to_be_focused()
    title = second.inner_text().splitlines()[0]
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    page.keyboard.press("]")
    expect(page.get_by_text("No. 3 in your list")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("w")
    expect(page).to_have_url(re.compile("/work$"))


def test_single_keys_can_be_switched_off(signed_in: SignedIn, told: Told) -> None:
    page = signed_in("ann", Role.CASEWORKER)
    page.goto("/queue")
    page.get_by_role("button", name="Keyboard shortcuts").click()
    page.get_by_text("Switch single-key shortcuts off").click()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("j")

    expect(page.locator("[data-here]")).to_have_count(0)


def test_a_filter_stands_in_the_address(signed_in: SignedIn, told: Told) -> None:
    page = signed_in("ann", Role.CASEWORKER)
    page.goto("/queue")
    page.get_by_label("Service").select_option("streets")

    expect(page.locator("[data-row]")).to_have_count(1)
    expect(page).to_have_url(re.compile("service=streets"))
    page.reload()
    expect(page.locator("[data-row]")).to_have_count(1)


def test_a_search_finds_words_and_a_reference_opens_its_case(signed_in: SignedIn, told: Told) -> None:
    page = signed_in("ann", Role.CASEWORKER)
    reference = told.receipts[4]["reference"]

    def search(words: str) -> None:
        page.goto("/work")
        page.keyboard.press("/")
        page.keyboard.type(words)
        page.keyboard.press("Enter")

    search("dashboard")
    expect(page.locator("[data-row]")).to_have_count(1)
    search(reference)
    expect(page).to_have_url(re.compile("/cases/"))
    expect(page.get_by_role("main")).to_contain_text(reference)


def test_a_walk_in_is_taken_in_and_solved_on_the_spot(product: Product, signed_in: SignedIn, told: Told) -> None:
    day = signed_in("leo", Role.LIAISON)
    day.goto("/desk/new")
    day.get_by_label("Name").fill("Saturday at the Harbor")
    day.get_by_label("Place").fill("Pier 4")
    day.get_by_label("Date").fill(datetime.now(UTC).date().isoformat())
    day.get_by_text("Ivy Ingram").last.click()
    day.get_by_role("button", name="Plan this day").click()
    page = signed_in("ivy", Role.INTAKE)
    page.goto(day.url.partition("?")[0])
    page.get_by_label("What went wrong?").fill("The sticker for my parking permit never came.")
    page.get_by_label("Service").select_option("parking")
    page.get_by_label("Kind of problem").select_option("too_slow")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Give the person these two")).to_be_visible()
    expect(page.get_by_label("What went wrong?")).to_have_value("")
    expect(page.get_by_label("What went wrong?")).to_be_focused()

    page.get_by_role("link", name="Resolve on the spot").click()
    page.get_by_label("We found it").select_option("upheld")
    page.get_by_label("Remedy", exact=True).select_option("correction")
    page.get_by_label("Our answer").fill("You have your sticker now. We are sorry that it was not sent.")
    choose_cause(page.get_by_role("main"), "HND3")
    page.get_by_label("Why it happened").select_option("PRO")
    page.get_by_role("button", name="Answer and close").click()

    expect(page.get_by_role("status")).to_contain_text("Solved on the spot")
    tally = page.locator(".tally")
    expect(tally).to_have_text(re.compile(r"Taken in\s*1\s*Solved on the spot\s*1\s*To follow up\s*0"))


def test_what_is_beyond_the_desks_authority_is_refused_before_anything_is_recorded(
    product: Product, signed_in: SignedIn, told: Told
) -> None:
    page = signed_in("ivy", Role.INTAKE)
    page.goto(f"/desk/{told.day_id}/spot/{told.walk_in['id']}")
    page.get_by_label("We found it").select_option("upheld")
    page.get_by_label("Remedy", exact=True).select_option("refund")
    page.get_by_label("Amount in dollars").fill("500")
    page.get_by_label("Legal authority").fill("Code 12-3")
    page.get_by_label("Our answer").fill("You get 500 dollars.")
    choose_cause(page.get_by_role("main"), "N1")
    page.get_by_role("button", name="Answer and close").click()
    expect(page.locator("#errors")).to_contain_text("is not granted on the spot")

    page.get_by_text("It needs more: set a follow-up").click()
    page.get_by_label("Who does the next thing").select_option("ben")
    page.get_by_label("By when").fill((datetime.now(UTC).date() + timedelta(days=3)).isoformat())
    page.get_by_role("button", name="Set the follow-up").click()
    expect(page.locator("[data-row]").first).to_contain_text("Ben Brook")
    expect(page.locator("[data-row]").first).to_contain_text("In triage")


def test_a_supervisor_approves_what_another_proposed(product: Product, signed_in: SignedIn, told: Told) -> None:
    taken = taken_in(product)
    with Desk(product, "ann") as ann:
        ann.triage(taken["id"], "benefits", "lost", severity=3, owner="ann")
        ann.act(taken["id"], "propose_answer", text=ANSWER, issues=UPHELD)
    page = signed_in("sue", Role.SUPERVISOR)
    page.goto("/workload")
    approvals = page.get_by_role("table", name="Answers that wait for approval")
    approvals.locator(f"a[href*='{taken['id']}']").click()
    expect(page.get_by_role("region", name="Answer proposed by Ann Archer")).to_contain_text(ANSWER)
    form_of(page, "approve").get_by_role("button").click()

    expect(page.get_by_role("status")).to_contain_text("Done")
    expect(page.locator(".head")).to_contain_text("Answered")


def test_a_root_cause_is_chosen_by_keyboard_without_script(product: Product, signed_in: SignedIn, told: Told) -> None:
    taken = taken_in(product)
    with Desk(product, "ann") as ann:
        ann.triage(taken["id"], "benefits", "lost", severity=1, owner="ann")
        ann.act(taken["id"], "answer", text=ANSWER, issues=UPHELD)
    page = signed_in("ann", Role.CASEWORKER, has_script=False)
    page.goto(f"/cases/{taken['id']}")
    tag = form_of(page, "tag_root_cause")
    family = tag.locator(".families details", has=page.get_by_text("Hand-off"))
    family.locator("summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")

    bounced = family.get_by_role("radio", name="Bounced HND2", exact=True)
    expect(bounced).to_be_checked()
    expect(bounced).to_have_accessible_description(re.compile("no owner"))


def test_what_makes_a_signal_doubtful_and_what_it_weighs_are_read_on_the_first_screen(
    signed_in: SignedIn, told: Told
) -> None:
    page = signed_in("sue", Role.SUPERVISOR)
    page.set_viewport_size(SCREEN)  # type: ignore[arg-type]  # a size
    page.goto(f"/signals/{told.signal_id}")

    cards = [page.get_by_role("region", name=name) for name in ("What would make this wrong", "What it weighs")]
    tables = [page.get_by_text(f"By {part}, the largest excess first") for part in ("office", "channel")]
    for seen in (*cards, *tables, page.get_by_role("link", name=re.compile("Decide by"))):
        box = seen.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= SCREEN["height"]


@pytest.mark.parametrize("has_script", [True, False])
def test_only_the_fields_of_the_decision_that_is_chosen_are_shown(
    signed_in: SignedIn, told: Told, accessible: Checked, *, has_script: bool
) -> None:
    page = signed_in("sue", Role.SUPERVISOR, has_script=has_script)
    page.goto(f"/signals/{told.signal_id}#decide")
    name, day = page.get_by_label("Name of the fix"), page.get_by_label("Look again on")
    expect(page.get_by_label("Reason")).to_be_visible()
    expect(name).to_be_hidden()
    expect(day).to_be_hidden()

    page.get_by_role("radio", name="Open a fix").focus()
    page.keyboard.press("Space")
    expect(name).to_be_visible()
    expect(day).to_be_hidden()
    page.keyboard.press("Tab")
    expect(name).to_be_focused()

    page.get_by_text("Need more: look at it again").click()
    expect(name).to_be_hidden()
    expect(day).to_be_visible()
    if has_script:
        accessible(page)


def test_a_signal_is_decided_with_a_reason(signed_in: SignedIn, told: Told) -> None:
    page = signed_in("sue", Role.SUPERVISOR)
    page.goto("/signals")
    page.get_by_role("link", name="Stalled · Public records · Central Office").click()
    expect(page.locator("figure svg")).to_be_visible()
    page.get_by_role("button", name="Decide").click()
    expect(page.locator("#errors")).to_contain_text("Give the reason")
    page.get_by_text("Open a fix: this is a failure").click()
    page.get_by_label("Reason").fill("The desk is empty on Mondays; a second clerk starts next week.")
    page.get_by_role("button", name="Decide").click()

    expect(page.get_by_role("status")).to_contain_text("Your decision is recorded")
    expect(page.get_by_role("region", name="Decided")).to_contain_text("Taken up by a fix")
    page.get_by_role("link", name="Stalled · Public records · Central Office").click()
    expect(page.locator("#next")).to_contain_text("Say first what goes wrong")


def test_a_worked_out_fix_is_registered_as_it_is_proposed_without_script(signed_in: SignedIn, told: Told) -> None:
    page = signed_in("sue", Role.SUPERVISOR, has_script=False)
    page.goto("/fixes")
    page.get_by_role("link", name="Forms are lost at Eastside").click()
    plan = page.locator("#do-register")
    expect(plan.get_by_role("checkbox").first).to_be_checked()
    plan.get_by_label("To fall by (per cent)").fill("0")
    plan.get_by_role("button", name="Freeze and begin").click()
    expect(page.locator("#errors")).to_contain_text("Write a whole number from 1 to 99.")
    page.locator("#do-register").get_by_label("To fall by (per cent)").fill("50")
    page.locator("#do-register").get_by_role("button", name="Freeze and begin").click()

    expect(page.get_by_role("status")).to_contain_text("Done, and recorded")
    expect(page.locator(".mark").first).to_have_text(re.compile("^[0-9a-f]{64}$"))
    expect(page.locator("#next")).to_contain_text("Measure 1 is still to be done")


def test_strangers_are_asked_to_sign_in_and_others_are_told_whose_it_is(
    visitor: Visitor, signed_in: SignedIn, told: Told
) -> None:
    stranger = visitor().new_page()
    stranger.goto(f"/cases/{told.open['id']}")
    expect(stranger).to_have_url(re.compile("/sign-in"))

    analyst = signed_in("amy", Role.ANALYST)
    response = analyst.goto("/queue")
    assert response is not None
    assert response.status == 403
    expect(analyst.get_by_role("heading", level=1)).to_have_text("This is for others")


def test_a_role_is_changed_and_left(signed_in: SignedIn, told: Told) -> None:
    page = signed_in("sue", Role.SUPERVISOR)
    page.goto("/workload")
    page.get_by_text("Sue Summers").first.click()
    page.get_by_role("button", name="Caseworker").click()
    expect(page).to_have_url(re.compile("/work$"))
    expect(page.get_by_role("link", name="Signals")).to_have_count(0)
    page.get_by_text("Sue Summers").first.click()
    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_role("status")).to_contain_text("You are signed out")
    page.goto("/work")
    expect(page).to_have_url(re.compile("/sign-in"))
