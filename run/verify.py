# SPDX-License-Identifier: Apache-2.0
"""The body of `putright verify`: walks the whole record and says the first link that is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy.ext.asyncio import AsyncEngine

from activities.database import agencies
from activities.verifying import Verdict, verify_agency
from run.composition import engine_for
from run.settings import Settings

CONNECTIONS = 2


async def verify_record(
    settings: Settings, *, agency: str, say: Callable[[str], object], on_cases: Callable[[int], None] = lambda _: None
) -> bool:
    """Verify one agency's record, or every agency's; say what was found, and return whether all of it holds.

    `on_cases` hears of every so many cases done.
    """
    engine = engine_for(settings.worker_database_url, connections=CONNECTIONS)
    try:
        verdicts = await verdicts_of(engine, agency, on_cases)
    finally:
        await engine.dispose()
    for verdict in verdicts:
        for sentence in sentences_of(verdict):
            say(sentence)
    if not verdicts:
        say(f"There is no agency {agency}." if agency else "There is no agency.")
    return bool(verdicts) and all(verdict.holds for verdict in verdicts)


async def verdicts_of(
    engine: AsyncEngine, agency: str, on_cases: Callable[[int], None] = lambda _: None
) -> list[Verdict]:
    """Return the verdict on each agency asked for; an empty slug asks for all."""
    return [await verify_agency(engine, slug, on_cases) for slug in await agencies(engine) if agency in {"", slug}]


def sentences_of(verdict: Verdict) -> Iterator[str]:
    """Yield what there is to say of an agency's record."""
    yield (
        f"{verdict.agency}: {verdict.receipts} receipts = {verdict.cases} cases + {verdict.waiting} not opened yet; "
        f"{verdict.events} events, {verdict.texts} texts ({verdict.removed_texts} removed), {verdict.fixes} fixes, "
        f"{verdict.anchors} anchors."
    )
    if verdict.holds:
        yield f"{verdict.agency}: every chain, anchor and total holds."
        return
    yield f"{verdict.agency}: the first broken link: {verdict.breaks[0]}"
    yield from (f"{verdict.agency}: {sentence}" for sentence in verdict.breaks[1:])
    if (more := verdict.break_count - len(verdict.breaks)) > 0:
        yield f"{verdict.agency}: and {more} more."
