# SPDX-License-Identifier: Apache-2.0
"""What a signal's card shows beside its sentences, as plain data: parts, ranking, doubts, and what is missing.

All is a function of what was read, the findings and the policy, so that a look recomputed gives the same facts; only
the chances of issues that nobody has coded are of now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from activities.signal_budget import as_list
from activities.signal_cells import Prepared
from activities.signal_inputs import Chances, Issues
from activities.signal_judging import Judged, Told
from analytics.card import Parts, parts_of, rank_findings, where_exactly
from analytics.creeping import IN_CONTROL_WEEKS, Creeping
from analytics.cube import monday_of, week_of
from analytics.delays import Waiting, waiting, waiting_by_chances
from analytics.detection import Finding
from analytics.ranking import Ranking
from analytics.standing import TRAILING_WEEKS, OutOfProportion
from models.aggregates import Cell as CountedCell
from models.policy import Policy
from models.surveillance import weight_of_harm
from models.wording import english_day

FEWEST_OFFICES_TO_CHOOSE_FROM = 2
WEEKS_PER_YEAR = 52.0
HARDLY_CONFIRMED = 0.8
"""Below this share of a window that is confirmed the card says so among the doubts."""
PARTS: dict[str, Callable[[CountedCell], str]] = {
    "by_channel": lambda counted: counted.channel,
    "by_office": lambda counted: counted.office,
    "by_service": lambda counted: counted.service,
}


def facts_of(judged: Judged, policy: Policy) -> list[dict[str, Any]]:
    """Return the evidence of everything that is told, in order."""
    zone = ZoneInfo(policy.agency.time_zone)
    changed_on = [at.astimezone(zone).date() for at in judged.prepared.inputs.policy_changes]
    behind = [tuple(judged.prepared.within(one.finding.cell, one.finding.window_weeks)) for one in judged.told]
    harms = [harm_of(issues, policy.surveillance.harm_weights) for issues in behind]
    circumstances = [circumstances_of(issues) for issues in behind]
    usual = _usual_vulnerable_share(judged.prepared)
    ranking = rank_findings(
        [one.finding for one in judged.told],
        harm=[harm for harm, _ in harms],
        vulnerable=[vulnerable for vulnerable, _ in circumstances],
        asked=[known for _, (known, _) in circumstances],
        usual_vulnerable_share=usual,
    )
    seed = int(judged.prepared.counts_hash[:16], 16)
    return [
        {
            "kind": one.kind,
            "cells": [as_list(cell) for cell in one.finding.cells],
            **_counted(issues),
            **_spread(judged.prepared, one.finding, seed),
            **_missing(judged, one.finding),
            "ranking": _ranked(ranking, place, harms[place][1], circumstances[place], usual),
            "creep": None if one.creep is None else _creep(one.creep, judged.prepared.inputs.as_of_week),
            "standing": None if one.standing is None else _standing(one.standing),
            **_doubted(one.finding, changed_on, issues, _share_confirmed(judged, one.finding)),
            "began_week": monday_of(one.finding.began_week).isoformat(),
            "is_new": one.kind == "surge" and one.finding.new_since is not None,
            "recurrence_years": one.finding.recurrence_years if one.kind == "surge" else None,
            "series": _series(one.finding),
            "false_share_at_most": _false_share(judged, one),
        }
        for place, (one, issues) in enumerate(zip(judged.told, behind, strict=True))
    ]


def _false_share(judged: Judged, one: Told) -> float | None:
    """Return what may be said of how many signals like this one are false; None where too little is known."""
    if one.kind == "standing" and one.standing:
        return one.standing.false_share_at_most
    return judged.false_share_at_most(one.kind)


def harm_of(issues: Sequence[Issues], weights: Sequence[float]) -> tuple[float, list[int]]:
    """Return the mean weight of the harm done, of the issues whose harm is known, and how many of all these are.

    Where nothing is known harm weighs 1.
    """
    known = [(weight_of_harm(issue.harm, weights), issue.count) for issue in issues if issue.harm is not None]
    count = sum(number for _, number in known)
    mean = sum(weight * number for weight, number in known) / count if count else 1.0
    return mean, [count, sum(issue.count for issue in issues)]


def circumstances_of(issues: Sequence[Issues]) -> tuple[int, list[int]]:
    """Return how many complaints are of people in vulnerable circumstances; of how many it is known, and how many are.

    Complaints are counted, not issues: one person's circumstances weigh once, however much went wrong.
    """
    known = {issue.case_id: issue.vulnerable for issue in issues if issue.vulnerable is not None}
    return sum(known.values()), [len(known), len({issue.case_id for issue in issues})]


def _usual_vulnerable_share(prepared: Prepared) -> float:
    """Return the share of vulnerable people among all whom the agency asked in the past year; 0 where it asked nobody.

    It is of the complaints that the same measure counts, so that coded ones are held against coded ones.
    """
    everything = [issue for issues in prepared.issues.values() for issue in issues]
    vulnerable, (known, _) = circumstances_of(everything)
    return vulnerable / known if known else 0.0


def _doubted(
    finding: Finding, changed_on: Sequence[date], issues: Sequence[Issues], share_confirmed: float | None
) -> dict[str, list[str]]:
    """Return what would make the finding wrong, and what was looked for and not found."""
    looked_for = {
        "a change of the policy, which says what codes mean and forms offer": doubts_of(finding, changed_on),
        "near-identical letters, as campaigns send them": _letter_doubts(issues),
    }
    if share_confirmed is not None:
        looked_for["too few causes that are confirmed yet"] = _confirmation_doubts(share_confirmed)
    return {
        "doubts": [doubt for doubts in looked_for.values() for doubt in doubts],
        "not_found": [what for what, doubts in looked_for.items() if not doubts],
    }


def doubts_of(finding: Finding, changed_on: Sequence[date]) -> list[str]:
    """Return, in sentences, which changes of the policy would make the finding wrong."""
    first_day = monday_of(min(finding.began_week, finding.as_of_week - finding.window_weeks + 1))
    last_day = monday_of(finding.as_of_week + 1)
    return [
        f"The policy changed on {english_day(day)}, within these weeks: a code defined or offered otherwise than "
        "before can look like a failure."
        for day in changed_on
        if first_day <= day < last_day
    ]


def _letter_doubts(issues: Sequence[Issues]) -> list[str]:
    complaints, letters = (len(ids) for ids in ({i.case_id for i in issues}, {i.letter for i in issues}))
    if letters == complaints:
        return []
    said = (
        f"Of {complaints} complaints, {complaints - letters + 1} or more are near-identical to another: a letter many "
        "people send shows that they care, not that the failure happened as often."
    )
    return [said]


def _confirmation_doubts(share: float) -> list[str]:
    if share >= HARDLY_CONFIRMED:
        return []
    said = (
        f"Only about {share:.0%} of these weeks' causes are confirmed yet; what is expected counts no more than that, "
        "but if coding has become faster or slower, it is off by as much."
    )
    return [said]


def _counted(issues: Sequence[Issues]) -> dict[str, int]:
    complaints, letters = (len(ids) for ids in ({i.case_id for i in issues}, {i.letter for i in issues}))
    return {
        "issues": sum(issue.count for issue in issues),
        "complaints": complaints,
        "clusters": letters,
        "copies": complaints - letters,
    }


def _spread(prepared: Prepared, finding: Finding, seed: int) -> dict[str, Any]:
    """Return how the finding spreads over channels, offices and services, and where exactly it is."""
    mine = [(counted, n) for counted, n in prepared.totals.items() if prepared.is_in(finding.cell, counted)]
    parts = {name: _parts(finding, mine, of) for name, of in PARTS.items()}
    return {
        **{name: _shown(*named_parts) for name, named_parts in parts.items()},
        "where_exactly": None if finding.cell.office else _where_exactly(finding, *parts["by_office"], seed),
    }


def _ranked(
    ranking: Ranking, place: int, harm_known_of: list[int], circumstances: tuple[int, list[int]], usual_share: float
) -> dict[str, Any]:
    vulnerable, vulnerable_known_of = circumstances
    return {
        "place": int(np.flatnonzero(ranking.order == place)[0]) + 1,
        "excess_per_quarter_at_least": float(ranking.excess_per_quarter[place]),
        "harm": float(ranking.harm[place]),
        "harm_known_of": harm_known_of,
        "persistence": float(ranking.persistence[place]),
        "vulnerability": float(ranking.vulnerability[place]),
        "vulnerable": vulnerable,
        "vulnerable_known_of": vulnerable_known_of,
        "usual_vulnerable_share": round(usual_share, 4),
        "priority": float(ranking.priority[place]),
        "formula": ranking.formula(place),
    }


def _missing(judged: Judged, finding: Finding) -> dict[str, Any]:
    """Return what is not among the counts: causes to be confirmed, weeks not learnt from; and whether volume counts."""
    prepared = judged.prepared
    index = prepared.cube.cells.index(finding.cell)
    masked = prepared.reasons.known.masked
    first = prepared.cube.first_week
    weeks = () if masked is None else (first + int(week) for week in np.flatnonzero(masked[index]))
    share = _share_confirmed(judged, finding)
    by_week = prepared.reasons.share
    shown = len(finding.series.weeks)
    told = None
    if share is not None and by_week is not None:
        told = {"share": round(share, 4), "weeks": [round(float(value), 4) for value in by_week[index, -shown:]]}
    return {
        "completeness": told,
        "waiting": _waiting(judged, finding, index),
        "masked_weeks": [monday_of(week).isoformat() for week in weeks],
        "exposure": bool(prepared.reasons.has_exposure[index]),
    }


def _share_confirmed(judged: Judged, finding: Finding) -> float | None:
    """Return how much of the window is confirmed, weeks weighed by what is expected of them; None: all, or unknown."""
    by_week = judged.prepared.reasons.share
    if by_week is None:
        return None
    index = judged.prepared.cube.cells.index(finding.cell)
    window = min(finding.window_weeks, len(finding.series.weeks))
    expected = np.array(finding.series.expected_counts[-window:])
    return float(expected.sum() / (expected / by_week[index, -window:]).sum())


def _waiting(judged: Judged, finding: Finding, index: int) -> dict[str, Any] | None:
    """Return how many of the window's complaints are not confirmed yet, by what is suggested for them, or by delays."""
    prepared = judged.prepared
    if prepared.measure != "cause":
        return None
    since = finding.as_of_week - finding.window_weeks
    chances = [
        chance
        for one in prepared.inputs.chances
        if since < one.week <= finding.as_of_week and (chance := _chance_of(prepared, finding, one)) > 0
    ]
    if chances:
        return _told_waiting(waiting_by_chances(np.minimum(np.array(chances), 1.0)), "text")
    share, variance = prepared.reasons.share, prepared.reasons.share_variance
    if share is None or variance is None:
        return None
    window = min(finding.window_weeks, len(finding.series.weeks))
    expected = waiting(
        np.array(finding.series.observed_counts[-window:], dtype=np.int64),
        np.array(finding.series.expected_counts[-window:]),
        share[index, -window:],
        variance[index, -window:],
        finding.dispersion,
    )
    return _told_waiting(expected, "delay")


def _told_waiting(expected: Waiting, by: str) -> dict[str, Any]:
    return {"expected": round(expected.expected, 2), "low": expected.low, "high": expected.high, "by": by}


def _chance_of(prepared: Prepared, finding: Finding, one: Chances) -> float:
    """Return how likely an issue that nobody has coded belongs to the finding's cell."""
    cell = finding.cell
    region = prepared.region_of(one.office)
    place = {"service": one.service, "office": one.office, "channel": one.channel, "region": region}
    named = {name: code for name, code in cell.named.items() if name in place}
    if any(place[name] != code for name, code in named.items()):
        return 0.0
    return sum(
        chance
        for code, chance in one.by_code.items()
        if code in prepared.families and cell.failure in {"", code} and cell.family in {"", prepared.families[code]}
    )


def _creep(creeping: Creeping, as_of_week: int) -> dict[str, Any]:
    return {
        "excess": round(creeping.excess, 3),
        "threshold": round(creeping.threshold, 3),
        "weeks_under_way": creeping.weeks,
        "since": monday_of(as_of_week - creeping.weeks + 1).isoformat(),
        "in_control_years": IN_CONTROL_WEEKS / WEEKS_PER_YEAR,
        "observed": creeping.observed,
        "expected": round(creeping.expected, 3),
        "p_value": creeping.p_value,
        "sentence": f"It has been rising slowly for {creeping.weeks} weeks: {creeping.observed} came where "
        f"{creeping.expected:.0f} were expected.",
    }


def _standing(pair: OutOfProportion) -> dict[str, Any]:
    return {
        "ebgm": round(pair.ebgm, 4),
        "eb05": round(pair.eb05, 4),
        "eb95": round(pair.eb95, 4),
        "observed": pair.observed,
        "expected": round(pair.expected, 3),
        "weeks": TRAILING_WEEKS,
        "false_share_at_most": pair.false_share_at_most,
        "is_prior_learnt": pair.is_prior_learnt,
        "sentence": f"For a year it has been out of proportion here: {pair.observed} came where the other offices and "
        f"failures would lead one to expect {pair.expected:.0f}, {pair.ebgm:.1f} times as many "
        f"({pair.eb05:.1f} to {pair.eb95:.1f}).",
    }


def _series(finding: Finding) -> dict[str, Any]:
    series = finding.series
    return {
        "weeks": [monday_of(week).isoformat() for week in series.weeks],
        "observed": list(series.observed_counts),
        "expected": [round(value, 3) for value in series.expected_counts],
        "upper_band": list(series.upper_band),
    }


def _parts(
    finding: Finding, rows: Iterable[tuple[CountedCell, int]], of: Callable[[CountedCell], str]
) -> tuple[list[str], Parts]:
    """Return the names of the finding's parts by number, and their counts."""
    sums: dict[tuple[str, int], int] = {}
    for counted, number in rows:
        key = (of(counted), week_of(counted.week))
        sums[key] = sums.get(key, 0) + number
    names = sorted({name for name, _ in sums})
    number_of = {name: number for number, name in enumerate(names)}
    return names, parts_of(
        finding,
        np.array([number_of[name] for name, _ in sums], dtype=np.int64),
        np.array([week for _, week in sums], dtype=np.int64),
        np.array(list(sums.values()), dtype=np.int64),
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
