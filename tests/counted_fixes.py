# SPDX-License-Identifier: Apache-2.0
"""Weekly cells around a change for tests, from a fixed seed: a target, its control, and what the change did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta

import numpy as np

from models.aggregates import Cell
from models.fixes.commands import CellRef, PutInPlace, Register
from models.fixes.fix import Fix
from models.fixes.terms import FixAction, FixState
from tests.given import SUE, a_key
from tests.given_fixes import CHANGED_ON, CONTROL, TARGET, a_fix_at, a_plan, after, done

WEEKS_BEFORE = 80
TARGET_PER_WEEK = 8.0
CONTROL_PER_WEEK = 30.0
Reduction = Callable[[int], float]
"""The share of complaints that the change takes away in each week after it."""


def a_monitored_fix(**plan: object) -> Fix:
    """Return a fix whose change is in place since CHANGED_ON."""
    fix = a_fix_at(FixState.WORKED_OUT)
    fix = after(fix, Register(actor=SUE, key=a_key(), plan=a_plan(**plan)))
    fix = done(fix, FixAction.FINISH_MEASURE)
    return after(fix, PutInPlace(actor=SUE, key=a_key(), changed_on=CHANGED_ON))


def cells(
    weeks_after: int,
    reduction: Reduction = lambda _: 0.0,
    *,
    weeks_before: int = WEEKS_BEFORE,
    target: CellRef = TARGET,
    control: CellRef = CONTROL,
    changed_on: date = CHANGED_ON,
) -> Counter[Cell]:
    """Return the cells of these weeks; the weeks after are counted from the change."""
    chance = np.random.default_rng(7)
    counted: Counter[Cell] = Counter()
    for week in range(-weeks_before, weeks_after):
        kept = 1.0 - (reduction(week) if week >= 0 else 0.0)
        monday = changed_on + timedelta(weeks=week)
        for ref, rate in ((target, TARGET_PER_WEEK * kept), (control, CONTROL_PER_WEEK)):
            for channel in ("web", "phone"):
                if number := int(chance.poisson(rate / 2)):
                    counted[a_cell(ref, monday, channel)] += number
    return counted


def a_cell(ref: CellRef, week: date, channel: str = "web") -> Cell:
    """Return the weekly cell that a reference to one code in one place names."""
    assert ref.code
    return Cell(ref.measure, ref.code, ref.service or "", ref.office or "", channel, week)


def sunday_after(weeks: int) -> date:
    """Return the last day of so many weeks after the change."""
    return CHANGED_ON + timedelta(weeks=weeks, days=-1)
