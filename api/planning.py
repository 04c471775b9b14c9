# SPDX-License-Identifier: Apache-2.0
"""A plan proposed out of the weekly counts: what can be counted, controls to compare with, and when one looks.

Pure: counts come in, a proposal goes out. What the past says of them is summed in past.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from models.aggregates import monday_of
from models.fixes.cells import Kinds, weekly
from models.fixes.commands import CellRef
from models.fixes.watching import DAYS_PER_WEEK, LEAST_WEEKS_BEFORE, raised_the_signal
from models.policy import Policy
from models.taxonomy import Kind

WEEKS_BEFORE = 52
HARDLY_THERE = 0.1
"""What came less often than this share of what comes now was hardly there."""
CONTROLS_PROPOSED = 8
CONTROLS_OFFERED = 24
CONTROLS_WANTED = 4
"""How many times the target's complaints its controls should bring: so many as in the power table."""
QUARTER_WEEKS = 13
FAILURES_OFFERED = 12
_WEEK = timedelta(days=DAYS_PER_WEEK)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A count that the target may be compared with."""

    ref: CellRef
    per_week: float
    is_proposed: bool


def counted_since(day: date) -> date:
    """Return the Monday of a year before, from which the past of that day is looked at."""
    return monday_of(day) - WEEKS_BEFORE * _WEEK


def countable(kinds: Kinds) -> tuple[CellRef, ...]:
    """Return the failures that came most often in the whole agency: what a fix without a signal may be judged by."""
    totals: Counter[str] = Counter()
    for kind, weeks in kinds.items():
        if kind.measure == "cause" and kind.code:
            totals[kind.code] += sum(weeks.values())
    return tuple(CellRef(measure="cause", code=code) for code, _ in totals.most_common(FAILURES_OFFERED))


def candidates(targets: Sequence[CellRef], kinds: Kinds, policy: Policy) -> tuple[Candidate, ...]:
    """Return what targets may be compared with; what shares complaints with a target is no control.

    The proposed ones come first, the largest of them at the head.

    Near ones are proposed: the same failure at other offices, and other failures at the same office. Where these bring
    too few complaints to compare with, other failures of the same service at all offices are proposed too.
    """
    near, wide = (_sized(targets, refs, kinds) for refs in _possible(targets, policy))
    wide = {ref: size for ref, size in wide.items() if size > sum(near[one] for one in near if ref.contains(one))}
    offered = near | wide
    proposed = set(list(near)[:CONTROLS_PROPOSED])
    wanted = CONTROLS_WANTED * _lately(targets, kinds)
    for ref in wide:
        if sum(offered[each] for each in proposed) >= wanted:
            break
        proposed = {each for each in proposed if not ref.contains(each)} | {ref}
    by_size = sorted(offered.items(), key=lambda item: (item[0] not in proposed, *_size(item)))
    return tuple(Candidate(ref, per_week, ref in proposed) for ref, per_week in by_size[:CONTROLS_OFFERED])


def _sized(targets: Sequence[CellRef], refs: Sequence[CellRef], kinds: Kinds) -> dict[CellRef, float]:
    """Return those that share nothing with a target and were counted, a week, the largest first."""
    found = {
        ref: sum(weekly(kinds, (ref,)).values()) / WEEKS_BEFORE
        for ref in dict.fromkeys(refs)
        if not any(target.contains(ref) or ref.contains(target) for target in targets)
    }
    return dict(sorted(((ref, size) for ref, size in found.items() if size), key=_size))


def _size(item: tuple[CellRef, float]) -> tuple[float, str]:
    return -item[1], item[0].model_dump_json()


def _lately(targets: Sequence[CellRef], kinds: Kinds) -> float:
    """Return what targets brought a week in the last quarter that was counted: what is new was hardly there before."""
    last = max((week for weeks in kinds.values() for week in weeks), default=date.max)
    counts = weekly(kinds, targets)
    return sum(number for week, number in counts.items() if week > last - QUARTER_WEEKS * _WEEK) / QUARTER_WEEKS


def is_new_since(targets: Sequence[CellRef], kinds: Kinds, began: date, today: date) -> bool:
    """Return whether what the targets count was hardly there in the year before `began`, a Monday."""
    counts, this_week = weekly(kinds, targets), monday_of(today)
    weeks_before, weeks_since = (began - counted_since(today)) // _WEEK, (this_week - began) // _WEEK
    if weeks_before <= 0 or weeks_since <= 0:
        return False
    rate_before = sum(number for week, number in counts.items() if week < began) / weeks_before
    rate_since = sum(number for week, number in counts.items() if began <= week < this_week) / weeks_since
    return rate_before < HARDLY_THERE * rate_since


def judged_from(began: date, trigger: tuple[date, date] | None) -> date:
    """Return the first Monday that has weeks enough before it, since a Monday and without those of the signal.

    A change in a failure that began then can be judged from that day on.
    """
    week, left = began, 0
    while left < LEAST_WEEKS_BEFORE:
        left += not raised_the_signal(week, trigger)
        week += _WEEK
    return week


def _possible(targets: Sequence[CellRef], policy: Policy) -> tuple[list[CellRef], list[CellRef]]:
    """Return what is near the targets and what is wider, to be looked at as controls."""
    offices = [office.id for office in policy.agency.offices]
    families = [term.code for term in policy.taxonomy.of(Kind.FAMILY)]
    categories = [term.code for term in policy.taxonomy.of(Kind.INTAKE)]
    near: list[CellRef] = []
    wide: list[CellRef] = []
    for target in targets:
        if target.measure == "cause":
            others = [{"family": family, "code": None} for family in families if family != target.family]
        else:
            others = [{"code": code} for code in categories if code != target.code] if target.code else []
        near += [target.model_copy(update=other) for other in others]
        if target.office is not None:
            near += [target.model_copy(update={"office": office}) for office in offices if office != target.office]
            wide += [target.model_copy(update=other | {"office": None}) for other in others]
    return near, wide
