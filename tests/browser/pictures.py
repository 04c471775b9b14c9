# SPDX-License-Identifier: Apache-2.0
"""The pictures of the documentation, taken of the running product: `python -m tests.browser.pictures`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from models.terms import Role
from run.embedded.temporary import temporary_folder
from tests.browser.product import Product, running_product
from tests.browser.story import Told, live_through
from tests.servers import embedded_postgres, temporal_dev_server

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
WIDE, PHONE = {"width": 1200, "height": 800}, {"width": 390, "height": 844}


def take(browser: Browser, product: Product, told: Told) -> None:
    """Take every picture anew."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    sid = {"ann": product.session("ann", Role.CASEWORKER), "sue": product.session("sue", Role.SUPERVISOR)}
    pictures = (
        ("start", "/", "", WIDE),
        ("complain-on-a-phone", "/a/riverbend/complain", "", PHONE),
        ("track", "/a/riverbend/track/view", "waiting", WIDE),
        ("my-work", "/work", "ann", WIDE),
        ("queue", "/queue", "ann", WIDE),
        ("case", f"/cases/{told.open['id']}?show=open", "ann", WIDE),
        ("desk", f"/desk/{told.day_id}?taken={told.walk_in['id']}", "ann", WIDE),
        ("signal", f"/signals/{told.signal_id}", "sue", WIDE),
        ("fix", f"/fixes/{told.judged_fix}", "sue", WIDE),
        ("fix-planned", f"/fixes/{told.planned_fix}", "sue", WIDE),
        ("you-said", "/a/riverbend/you-said", "", WIDE),
        ("workload", "/workload", "sue", WIDE),
    )
    for name, address, who, size in pictures:
        context = browser.new_context(base_url=product.base_url, viewport=size)  # type: ignore[arg-type]  # a size
        if who in sid:
            context.add_cookies([{"name": "sid", "value": sid[who], "url": product.base_url}])
        elif who:
            shown = f"{told.waiting['reference']}.{told.waiting['secret']}"
            context.add_cookies([{"name": "complaint", "value": shown, "url": f"{product.base_url}/a/riverbend/"}])
        page = context.new_page()
        page.goto(address)
        page.screenshot(path=IMAGES / f"{name}.png", full_page=True)
        context.close()


def main() -> None:
    """Start the product, let something happen in it, and take the pictures."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with (
        embedded_postgres(durable=False) as postgres,
        temporal_dev_server() as temporal,
        temporary_folder() as home,
        running_product(postgres, temporal, home) as product,
        sync_playwright() as playwright,
    ):
        told = live_through(product)
        browser = playwright.chromium.launch(executable_path=program)
        take(browser, product, told)
        browser.close()


if __name__ == "__main__":
    main()
