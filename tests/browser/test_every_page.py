# SPDX-License-Identifier: Apache-2.0
"""What must hold on every page there is. The list comes from the routes, so that a new page cannot escape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

from api.pages import assets
from api.pages.router import PARTS
from models.terms import Role
from tests.browser.conftest import Checked, SignedIn
from tests.browser.story import Told

NARROWEST = 320
NOT_PAGES = {"/a/{slug}/complain/send"}
"""It only leads back to the form."""
_REACH = """() => [...document.querySelectorAll('body *')]
  .filter(e => !e.closest('.scroller, svg, .stack thead') && e.getClientRects().length)
  .map(e => e.getBoundingClientRect().right)
  .reduce((a, b) => Math.max(a, b), document.documentElement.scrollWidth)"""


def page_routes() -> set[str]:
    routes = [route for part in PARTS if part is not assets for route in part.router.routes]
    return {route.path for route in routes if "GET" in route.methods} - NOT_PAGES


@dataclass(frozen=True)
class Visit:
    """How a page is reached: as whom, and where exactly."""

    address: Callable[[Told], str]
    by: tuple[str, Role] | None = None
    tracks: Callable[[Told], dict[str, str]] | None = None


ANN, SUE = ("ann", Role.CASEWORKER), ("sue", Role.SUPERVISOR)
VISITS: dict[str, list[Visit]] = {
    "/": [Visit(lambda _: "/")],
    "/a/{slug}": [Visit(lambda _: "/a/riverbend")],
    "/a/{slug}/complain": [
        Visit(lambda _: "/a/riverbend/complain"),
        Visit(lambda _: "/a/riverbend/complain?lang=es"),
    ],
    "/a/{slug}/receipt": [Visit(lambda _: "/a/riverbend/receipt", tracks=lambda told: told.open)],
    "/a/{slug}/track": [Visit(lambda _: "/a/riverbend/track")],
    "/a/{slug}/track/view": [
        Visit(lambda _: "/a/riverbend/track/view", tracks=lambda told: told.open),
        Visit(lambda _: "/a/riverbend/track/view", tracks=lambda told: told.waiting),
        Visit(lambda _: "/a/riverbend/track/view", tracks=lambda told: told.answered),
        Visit(lambda _: "/a/riverbend/track/view?lang=es", tracks=lambda told: told.answered),
    ],
    "/sign-in": [Visit(lambda _: "/sign-in")],
    "/work": [Visit(lambda _: "/work", ANN)],
    "/queue": [
        Visit(lambda _: "/queue", ANN),
        Visit(lambda _: "/queue?q=papers", ANN),
        Visit(lambda _: "/queue?team=streets&show=closed", ANN),
    ],
    "/cases/{case_id}": [
        Visit(lambda told: f"/cases/{told.open['id']}?show=open", ANN),
        Visit(lambda told: f"/cases/{told.answered['id']}", ANN),
        Visit(lambda told: f"/cases/{told.receipts[3]['id']}", ANN),
        Visit(lambda told: f"/cases/{told.receipts[4]['id']}", SUE),
    ],
    "/desk": [Visit(lambda _: "/desk", ANN)],
    "/desk/new": [Visit(lambda _: "/desk/new", SUE)],
    "/desk/{day_id}": [Visit(lambda told: f"/desk/{told.day_id}?taken={told.walk_in['id']}", ANN)],
    "/desk/{day_id}/spot/{case_id}": [Visit(lambda told: f"/desk/{told.day_id}/spot/{told.walk_in['id']}", ANN)],
    "/signals": [Visit(lambda _: "/signals", SUE)],
    "/signals/{signal_id}": [Visit(lambda told: f"/signals/{told.signal_id}", SUE)],
    "/fixes": [Visit(lambda _: "/fixes", SUE), Visit(lambda _: "/fixes?show=all", ("amy", Role.ANALYST))],
    "/fixes/{fix_id}": [
        Visit(lambda told: f"/fixes/{told.planned_fix}", SUE),
        Visit(lambda told: f"/fixes/{told.judged_fix}", SUE),
        Visit(lambda told: f"/fixes/{told.judged_fix}", ANN),
    ],
    "/a/{slug}/you-said": [Visit(lambda _: "/a/riverbend/you-said")],
    "/admin": [Visit(lambda _: "/admin", ("adm", Role.ADMINISTRATOR))],
    "/audit": [
        Visit(lambda _: "/audit", ("odo", Role.AUDITOR)),
        Visit(lambda told: f"/audit?case={told.open['reference']}", ("odo", Role.AUDITOR)),
    ],
    "/coding": [Visit(lambda _: "/coding", SUE)],
    "/workload": [Visit(lambda _: "/workload", SUE)],
}  # fmt: skip
ALL = [
    pytest.param(visit, id=f"{route}-{index}") for route, visits in VISITS.items() for index, visit in enumerate(visits)
]


def test_every_route_that_shows_a_page_is_visited() -> None:
    assert set(VISITS) == page_routes()


@pytest.fixture
def visited(
    request: pytest.FixtureRequest,
    told: Told,
    signed_in: SignedIn,
    tracking: Callable[..., Page],
    visitor: Callable[..., BrowserContext],
) -> Iterator[Page]:
    visit: Visit = request.param
    if visit.by is not None:
        page = signed_in(*visit.by)
    elif visit.tracks is not None:
        page = tracking(visit.tracks(told))
    else:
        page = visitor().new_page()
    spoken: list[ConsoleMessage] = []
    page.on("console", lambda message: spoken.append(message))  # noqa: PLW0108 - the driver marks what it is given
    response = page.goto(visit.address(told))
    assert response is not None
    assert response.ok
    yield page
    assert not [message.text for message in spoken if message.type in {"error", "warning"}]


@pytest.mark.parametrize("visited", ALL, indirect=True)
def test_a_page_is_accessible_and_well_formed(visited: Page, accessible: Checked) -> None:
    accessible(visited)
    assert " | " in visited.title()
    assert visited.locator("html").get_attribute("lang") == ("es" if "lang=es" in visited.url else "en")
    expect(visited.locator("h1")).to_have_count(1)
    assert visited.locator("[style], script:not([src])").count() == 0

    for shut in visited.locator("details:not([open]) > summary").all():
        if shut.is_visible():
            shut.click()
    accessible(visited)


@pytest.mark.parametrize("visited", ALL, indirect=True)
def test_a_page_fits_a_narrow_phone(visited: Page) -> None:
    visited.set_viewport_size({"width": NARROWEST, "height": 700})

    assert visited.evaluate(_REACH) <= NARROWEST


def test_the_accessibility_check_finds_what_is_planted(
    visitor: Callable[..., BrowserContext], accessible: Checked
) -> None:
    page = visitor().new_page()
    page.goto("/")
    page.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=\"/static/icon.svg\"><input>')"
    )

    with pytest.raises(AssertionError, match=r"(?s)image-alt.*label"):
        accessible(page)
