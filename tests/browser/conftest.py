# SPDX-License-Identifier: Apache-2.0
"""A browser before the running product; signed in as whoever a test asks for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from models.terms import Role
from run.embedded.temporary import temporary_folder
from tests.browser.product import Product, running_product
from tests.browser.story import Told, live_through
from tests.servers import PostgresServer, temporal_dev_server

AXE = Path(__file__).parents[1] / "vendor" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "section508", "best-practice"]
"""Named one by one: without wcag22aa axe leaves out the size of targets."""
SignedIn = Callable[..., Page]
Checked = Callable[[Page], None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder: its driver keeps an event loop, so it runs in a process of its own."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    return {**browser_type_launch_args, **({"executable_path": found} if found else {})}


@pytest.fixture(scope="session")
def product(postgres_server: PostgresServer) -> Iterator[Product]:
    with (
        temporal_dev_server() as temporal,
        temporary_folder() as home,
        running_product(postgres_server, temporal, home) as running,
    ):
        yield running


@pytest.fixture(scope="session")
def base_url(product: Product) -> str:
    return product.base_url


@pytest.fixture(scope="session")
def told(product: Product) -> Told:
    return live_through(product)


@pytest.fixture
def visitor(browser: Browser, base_url: str) -> Iterator[Callable[..., BrowserContext]]:
    """Make browser contexts, each a person's own, closed afterwards."""
    opened: list[BrowserContext] = []

    def new(*, has_script: bool = True) -> BrowserContext:
        context = browser.new_context(base_url=base_url, java_script_enabled=has_script)
        opened.append(context)
        return context

    yield new
    for context in opened:
        context.close()


@pytest.fixture
def signed_in(product: Product, visitor: Callable[..., BrowserContext]) -> SignedIn:
    """Open a page as somebody in a role."""

    def page_of(name: str, role: Role, *, has_script: bool = True) -> Page:
        context = visitor(has_script=has_script)
        context.add_cookies([{"name": "sid", "value": product.session(name, role), "url": product.base_url}])
        return context.new_page()

    return page_of


@pytest.fixture
def tracking(product: Product, visitor: Callable[..., BrowserContext]) -> Callable[..., Page]:
    """Open a page as somebody who has shown reference and secret."""

    def page_of(receipt: dict[str, str], *, has_script: bool = True) -> Page:
        context = visitor(has_script=has_script)
        value = f"{receipt['reference']}.{receipt['secret']}"
        context.add_cookies([{"name": "complaint", "value": value, "url": f"{product.base_url}/a/riverbend/"}])
        return context.new_page()

    return page_of


@pytest.fixture(scope="session")
def accessible() -> Checked:
    """Fail with every rule of the accessibility checker that a page breaks."""
    script = AXE.read_text("utf-8")

    def check(page: Page) -> None:
        page.evaluate(script)
        found = page.evaluate(
            "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})", TAGS
        )
        broken = [f"{v['id']}: {v['help']} {[node['target'] for node in v['nodes']]}" for v in found["violations"]]
        assert not broken, "\n".join(broken)

    return check
