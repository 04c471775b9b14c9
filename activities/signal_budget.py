# SPDX-License-Identifier: Apache-2.0
"""What earlier looks left: the ledgers of false alarms, and the matters that are open.

One rule. Every look that tests spends from the budget, and every later one, of the same day or week or of another, has
its spending in its ledger. Only a look whose counts were judged on that day already spends nothing: it takes the ledger
and the open matters that the first one had, and so gives the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics.cube import Cell
from analytics.lifetime import Ledger
from models.tables.signals import signal, signal_run, signal_week

Matter = tuple[Cell, ...]
_OWN = ("family", "failure", "service", "office")


@dataclass(frozen=True, slots=True)
class Before:
    """Where the earlier looks left one kind of look: what was spent, and the cells of each open matter, head first.

    `is_repeated`: the same counts were judged on that day already, so that nothing more is spent.
    """

    ledger: Ledger
    open_matters: tuple[Matter, ...]
    is_repeated: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """A signal of the last weeks, with the cells it spoke of when it was last seen."""

    id: UUID
    cells: Matter


async def before(
    connection: AsyncConnection, agency: str, look: str, *, counts_hash: str, as_of: date, expires_after: timedelta
) -> Before:
    """Return what a look of that name on that day continues from.

    `look` names a measure and how it is looked at; what a run kept of it stands in the run's settings.
    """
    kept = signal_run.c.settings["lifetime"][look]
    query = (
        select(
            signal_run.c.as_of,
            kept["charge"].label("charge"),
            kept["counts"].astext.label("counts"),
            kept["open"].label("open"),
        )
        .where(signal_run.c.agency == agency, signal_run.c.as_of <= as_of)
        .order_by(signal_run.c.ran_at, signal_run.c.as_of)
    )
    runs = (await connection.execute(query)).all()
    repeated = next((place for place, run in enumerate(runs) if (run.as_of, run.counts) == (as_of, counts_hash)), None)
    charges = [run.charge for run in runs[:repeated] if run.charge]
    ledger = Ledger.from_json(sorted(charges, key=lambda charge: charge[0]))
    if repeated is not None:
        matters = tuple(tuple(cell_of(told) for told in matter) for matter in runs[repeated].open)
        return Before(ledger, matters, is_repeated=True)
    measure = look.partition("/")[0]
    known = await known_signals(connection, agency, measure, as_of - expires_after, as_of)
    return Before(ledger, tuple(old.cells for old in known))


async def known_signals(
    connection: AsyncConnection, agency: str, measure: str, first_day: date, last_day: date
) -> list[Known]:
    """Return the signals seen from one day to another, the oldest first, each as it was last seen in that time."""
    query = (
        select(signal.c.id, signal_week.c.evidence["cells"].label("cells"))
        .ext(distinct_on(signal.c.raised_on, signal.c.id))
        .join(signal_week, signal_week.c.signal_id == signal.c.id)
        .where(
            signal.c.agency == agency,
            signal.c.measure == measure,
            signal_week.c.as_of.between(first_day, last_day),
        )
        .order_by(signal.c.raised_on, signal.c.id, signal_week.c.as_of.desc())
    )
    return [Known(row.id, tuple(cell_of(cell) for cell in row.cells)) for row in await connection.execute(query)]


def as_list(cell: Cell) -> list[str]:
    """Return a cell as the record keeps it: family, failure, service, office, region, channel; empty means all."""
    named = cell.named
    return [named.get(name, "") for name in (*_OWN, "region", "channel")]


def cell_of(told: list[str]) -> Cell:
    """Return the cell that `as_list` gave; a list of four names neither region nor channel."""
    family, failure, service, office, *rest = told
    further = dict(zip(("region", "channel"), rest, strict=False))
    return Cell(family, failure, service, office, tuple(sorted((name, code) for name, code in further.items() if code)))


def kept_of(
    *, counts_hash: str, open_matters: tuple[Matter, ...], level: float, charge: list[float] | None, bound: float
) -> dict[str, Any]:
    """Return what a run keeps of one look: what `before` asks for, and what may be said of the signals so far."""
    return {
        "counts": counts_hash,
        "open": [[as_list(cell) for cell in matter] for matter in open_matters],
        "level": level,
        "charge": charge,
        "false_share_at_most": bound,
    }
