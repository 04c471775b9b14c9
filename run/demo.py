# SPDX-License-Identifier: Apache-2.0
"""`putright demo load`: the demonstration agency, loaded once; done again it only finds that all is there.

What it takes to tell the story is imported only where it is to be told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import create_engine, select, text

from models.tables.registers import import_progress
from run.settings import Settings

AGENCY: Final = "riverbend"
KEY: Final = "demo:"
"""What the keys of everything in the story begin with."""
YEARS: Final = 3
RATE: Final = 1.25
"""So many times the themes' weights, three years make some thirteen thousand complaints."""


class NoDemonstration(Exception):
    """The demonstration cannot be loaded here; its text says why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which demonstration is asked for; one that was begun goes on as it was begun."""

    seed: int
    today: date | None = None
    """Where the story ends; by default the day on which it is loaded."""
    years: int = YEARS
    rate: float = RATE
    """How many times the themes' weights come in."""


async def load_demo(
    settings: Settings, asked: Asked, *, now: datetime, say: Callable[[str], object] = lambda _: None
) -> tuple[str, ...]:
    """Load the demonstration, unless it is there, and say in sentences what was done; `say` hears how far it is.

    Raises NoDemonstration where the policy is another.
    """
    if (held := _held(settings)) is not None:
        return (held,)
    from run.demonstration.loading import load  # noqa: PLC0415 - the whole product, to tell the story by its rules

    return await load(settings, asked, now=now, say=say)


def _held(settings: Settings) -> str | None:
    """Return the sentence on a demonstration that is there to its end, or None."""
    query = select(import_progress.c.source, import_progress.c.rows_done).where(
        import_progress.c.agency == AGENCY, import_progress.c.source.startswith(KEY, autoescape=True)
    )
    engine = create_engine(settings.worker_database_url)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT set_config('putright.agency', :agency, true)"), {"agency": AGENCY})
            found = connection.execute(query.limit(1)).one_or_none()
    finally:
        engine.dispose()
    if found is None:
        return None
    day = found.source.split(":")[2]
    return f"The demonstration of {day} is there already, {found.rows_done:,} complaints; nothing was changed."
