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

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics.cube import Cell
from analytics.lifetime import Ledger
from models.tables.signals import signal_run

Matter = tuple[Cell, ...]
_OWN = ("family", "failure", "service", "office")
# Which have not expired is the rule of `signal_states` (migrations/sql/0001_h_signals.sql), as of the day of the look.
_KNOWN = text("""
    SELECT s.id, seen.cells
    FROM signal s
    JOIN agency a ON a.slug = s.agency
    JOIN LATERAL (
        SELECT w.as_of, w.evidence -> 'cells' AS cells FROM signal_week w
        WHERE w.signal_id = s.id AND w.as_of <= :last_day ORDER BY w.as_of DESC LIMIT 1) AS seen ON true
    LEFT JOIN LATERAL (
        SELECT d.decision, d.defer_until FROM signal_decision d
        WHERE d.signal_id = s.id AND (d.decided_at AT TIME ZONE a.time_zone)::date <= :as_of
        ORDER BY d.decided_at DESC, d.id DESC LIMIT 1) AS made ON true
    LEFT JOIN LATERAL (
        SELECT bool_or((f.opened_at AT TIME ZONE a.time_zone)::date <= :as_of
                       AND (f.is_open OR (f.last_event_at AT TIME ZONE a.time_zone)::date > :as_of)) AS was_open
        FROM fix_signal l JOIN fix_file f USING (fix_id) WHERE l.signal_id = s.id) AS fix ON true
    WHERE s.agency = :agency AND s.measure = :measure
      AND (seen.as_of >= :first_day
           OR (made.decision = 'defer' AND made.defer_until >= :first_day)
           OR coalesce(fix.was_open, made.decision = 'accept'))
    ORDER BY s.raised_on, s.id
""")


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
    """A signal that has not expired, with the cells it spoke of when it was last seen."""

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
    known = await known_signals(connection, agency, measure, as_of=as_of, expires_after=expires_after, last_day=as_of)
    return Before(ledger, tuple(old.cells for old in known))


async def known_signals(
    connection: AsyncConnection, agency: str, measure: str, *, as_of: date, expires_after: timedelta, last_day: date
) -> list[Known]:
    """Return the signals that have not expired on a day, the oldest first, each as it was last seen up to `last_day`.

    These are the ones seen within `expires_after` before the day, or after it (a past day is looked at), those put off
    to a day within it or to come, and those that a fix dealt with on the day.
    """
    asked = {
        "agency": agency,
        "measure": measure,
        "as_of": as_of,
        "first_day": as_of - expires_after,
        "last_day": last_day,
    }
    rows = await connection.execute(_KNOWN, asked)
    return [Known(row.id, tuple(cell_of(cell) for cell in row.cells)) for row in rows]


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
