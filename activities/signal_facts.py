# SPDX-License-Identifier: Apache-2.0
"""What a signal's card shows beside its sentences, as plain data for the record: parts, ranking, doubts.

All is a function of the counts, the finding and the policy versions, so that a look recomputed gives the same facts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from analytics.card import Parts, parts_of, rank_findings, where_exactly
from analytics.cube import monday_of, week_of
from analytics.detection import Finding
from models.aggregates import Cell as CountedCell

FEWEST_OFFICES_TO_CHOOSE_FROM = 2
PARTS: dict[str, Callable[[CountedCell], str]] = {
    "by_channel": lambda counted: counted.channel,
    "by_office": lambda counted: counted.office,
    "by_service": lambda counted: counted.service,
}


def facts_of(
    findings: Sequence[Finding],
    totals: Mapping[CountedCell, int],
    families: Mapping[str, str],
    *,
    inputs_hash: str,
    policy_changes: Sequence[datetime],
    zone: ZoneInfo,
) -> list[dict[str, Any]]:
    """Return each finding's facts, in order. `totals` are one measure's counts; `families` those of their codes."""
    ranking = rank_findings(findings)
    seed = int(inputs_hash[:16], 16)
    changed_on = [at.astimezone(zone).date() for at in policy_changes]
    facts = []
    for place, finding in enumerate(findings):
        mine = [(counted, number) for counted, number in totals.items() if _is_in(counted, finding, families)]
        parts = {name: _parts(finding, mine, of) for name, of in PARTS.items()}
        facts.append(
            {
                **{name: _shown(*named_parts) for name, named_parts in parts.items()},
                "where_exactly": None if finding.cell.office else _where_exactly(finding, *parts["by_office"], seed),
                "ranking": {
                    "place": int(np.flatnonzero(ranking.order == place)[0]) + 1,
                    "excess_per_quarter_at_least": float(ranking.excess_per_quarter[place]),
                    "harm": float(ranking.harm[place]),
                    "persistence": float(ranking.persistence[place]),
                    "vulnerability": float(ranking.vulnerability[place]),
                    "priority": float(ranking.priority[place]),
                    "formula": ranking.formula(place),
                },
                "doubts": doubts_of(finding, changed_on),
            }
        )
    return facts


def doubts_of(finding: Finding, changed_on: Sequence[date]) -> list[str]:
    """Return, in sentences, what would make the finding wrong."""
    first_day = monday_of(min(finding.began_week, finding.as_of_week - finding.window_weeks + 1))
    last_day = monday_of(finding.as_of_week + 1)
    return [
        f"The policy changed on {day.day} {day:%B %Y}, within these weeks: a code defined or offered otherwise than "
        "before can look like a failure."
        for day in changed_on
        if first_day <= day < last_day
    ]


def _is_in(counted: CountedCell, finding: Finding, families: Mapping[str, str]) -> bool:
    cell = finding.cell
    return (
        (not cell.failure or counted.code == cell.failure)
        and (not cell.family or families.get(counted.code) == cell.family)
        and (not cell.service or counted.service == cell.service)
        and (not cell.office or counted.office == cell.office)
    )


def _parts(
    finding: Finding, rows: Sequence[tuple[CountedCell, int]], of: Callable[[CountedCell], str]
) -> tuple[list[str], Parts]:
    """Return the names of the finding's parts by number, and their counts."""
    names = sorted({of(counted) for counted, _ in rows})
    number_of = {name: number for number, name in enumerate(names)}
    return names, parts_of(
        finding,
        np.array([number_of[of(counted)] for counted, _ in rows], dtype=np.int64),
        np.array([week_of(counted.week) for counted, _ in rows], dtype=np.int64),
        np.array([number for _, number in rows], dtype=np.int64),
        len(names),
    )


def _shown(names: list[str], parts: Parts) -> list[dict[str, Any]]:
    """Return the parts, the largest excess first."""
    return [
        {"code": names[part], "observed": int(parts.observed[part]), "expected": round(float(parts.expected[part]), 3)}
        for part in parts.shown()
    ]


def _where_exactly(finding: Finding, offices: list[str], parts: Parts, seed: int) -> dict[str, Any] | None:
    """Return the offices that together are least like chance, or nothing where there is none to choose from."""
    if len(offices) < FEWEST_OFFICES_TO_CHOOSE_FROM:
        return None
    subset = where_exactly(finding, parts, seed)
    return {
        "offices": [office for office, is_member in zip(offices, subset.is_member, strict=True) if is_member],
        "observed": subset.observed_count,
        "expected": round(subset.expected_count, 3),
        "p_value": subset.p_value,
    }
