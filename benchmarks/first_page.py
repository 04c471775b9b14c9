# SPDX-License-Identifier: Apache-2.0
"""How soon a page is there: the server's answer, and the first paint in Chromium (python -m benchmarks.first_page).

All of `putright up --demo` runs on this machine: 11,000 made-up cases. Every visit is a first one: a browser without a
cache. The first visit of all, after which the server is warm, is told apart.
"""

from __future__ import annotations

import secrets
import shutil
import statistics
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg

from api.reads.people import hash_of
from benchmarks.product import Product, running
from models.terms import Role

VISITS = 9
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


@dataclass(frozen=True, slots=True)
class Target:
    """A page and who looks at it; nobody: the public."""

    name: str
    path: str
    session: str = ""


def a_session(product: Product, name: str, role: Role) -> str:
    """Return the secret of a browser session, as signing in begins one."""
    secret = secrets.token_urlsafe(32)
    with psycopg.connect(product.dsn) as connection:
        connection.execute(
            "INSERT INTO browser_session (hash, agency, name, role) VALUES (%s, 'riverbend', %s, %s)",
            (hash_of(secret), name, role.value),
        )
    return secret


def targets(product: Product) -> Iterator[Target]:
    """Yield the pages that people see first, or most."""
    ann, sue = a_session(product, "ann", Role.CASEWORKER), a_session(product, "sue", Role.SUPERVISOR)
    case_id = product.text("SELECT case_id FROM case_file WHERE is_open AND owner IS NOT NULL ORDER BY 1 LIMIT 1")
    signal_id = product.text("SELECT id FROM signal ORDER BY id LIMIT 1")
    yield Target("home", "/")
    yield Target("work", "/work", ann)
    yield Target("queue", "/queue", ann)
    yield Target("case", f"/cases/{case_id}", ann)
    yield Target("signal", f"/signals/{signal_id}", sue)


def answer_ms(product: Product, target: Target) -> float:
    """Return how long the server takes for the whole page."""
    headers = {"Cookie": f"sid={target.session}"} if target.session else {}
    request = urllib.request.Request(product.settings.public_url + target.path, headers=headers)  # noqa: S310 - our own address
    began = time.perf_counter()
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
        answer.read()
        assert answer.url.endswith(target.path), f"{target.path} led to {answer.url}"
    return 1000 * (time.perf_counter() - began)


def told(took: list[float]) -> str:
    """Return the first time, and the median and the longest of the others, in milliseconds."""
    return f"first {took[0]:5.0f} ms, then p50 {statistics.median(took[1:]):4.0f} ms, longest {max(took[1:]):4.0f} ms"


def paint(product: Product, pages: list[Target]) -> None:
    """Visit each page in Chromium, and print."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    try:
        from playwright.sync_api import Error, sync_playwright  # noqa: PLC0415 - not everybody who measures has it
    except ImportError:
        print("Playwright is not installed, so nothing is painted.")
        return
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=program)
        except Error:
            print("There is no Chromium here, so nothing is painted.")
            return
        for target in pages:
            took = []
            for _ in range(VISITS):
                context = browser.new_context(base_url=product.settings.public_url)
                if target.session:
                    cookie = {"name": "sid", "value": target.session, "url": product.settings.public_url}
                    context.add_cookies([cookie])  # type: ignore[list-item]  # a cookie
                page = context.new_page()
                page.goto(target.path)
                page.wait_for_function(PAINTED)
                took.append(float(page.evaluate(PAINTED)))
                context.close()
            print(f"  {target.name:<7} first contentful paint: {told(took)}")
        browser.close()


def main() -> None:
    """Measure and print."""
    with running(demo=True) as product:
        pages = list(targets(product))
        for target in pages:
            took = [answer_ms(product, target) for _ in range(VISITS)]
            print(f"  {target.name:<7} answer of the server:   {told(took)}")
        paint(product, pages)
        print("resident memory:", *product.memory(), sep="\n")


if __name__ == "__main__":
    main()
