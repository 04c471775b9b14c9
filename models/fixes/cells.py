# SPDX-License-Identifier: Apache-2.0
"""Weekly counts as fixes name them: of which family a code is, what a count is called, and how counts are added up.

A complaint that several references name counts once; a count that a reference names is left to no other one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date

from models.aggregates import EVENT_CHANNEL, UNKNOWN, Cell
from models.fixes.commands import CellRef
from models.policy import Policy
from models.taxonomy import Kind

INTAKE_FAMILY = "intake"
"""The one family of intake categories, as signals name it."""
OTHER_FAMILY = "other"
"""The family of causes that the policy does not know."""
Kinds = Mapping[CellRef, Mapping[date, int]]
"""Weekly counts by what is counted."""


def families_of(policy: Policy) -> dict[str, str]:
    """Return the family of every process failure that the policy knows, retired ones included."""
    return {term.code: term.family for term in policy.taxonomy.of(Kind.FAILURE) if term.family}


def family_of(measure: str, code: str, families: Mapping[str, str]) -> str:
    """Return the family of a code, as signals name it; also of codes that the policy does not know."""
    return INTAKE_FAMILY if measure == "intake" else families.get(code, OTHER_FAMILY)


def name_of_cell(ref: CellRef, policy: Policy, *, region: str | None = None) -> str:
    """Return a count in the words of staff: "Dropped or lost, Benefit payments, Harbor"; `region`: of its offices."""
    language = policy.agency.languages[0]
    terms = policy.taxonomy.by_code
    services = {service.id: service.name[language] for service in policy.agency.services}
    offices = {office.id: office.name for office in policy.agency.offices}
    channels = {channel.id: channel.name[language] for channel in policy.agency.channels}
    what = ref.code or (ref.family if ref.measure == "cause" else None)
    parts = (
        (terms[what].name_in(language) if what in terms else what) if what else "All complaints",
        services.get(ref.service, ref.service) if ref.service else "",
        offices.get(ref.office, ref.office) if ref.office else "",
        f"Region {region}" if region else "",
        channels.get(ref.channel, ref.channel) if ref.channel else "",
    )
    return ", ".join(part for part in parts if part)


def names_a_channel(refs: Iterable[CellRef]) -> bool:
    """Return whether any of the references counts the complaints of one channel alone."""
    return any(ref.channel is not None for ref in refs)


def by_kind(totals: Mapping[Cell, int], policy: Policy, *, by_channel: bool = False) -> Kinds:
    """Return the weekly counts by what is counted; channels are added up, unless a reference names one.

    There are far fewer kinds than cells, so that asking what a reference counts stays cheap. What Problem Solving Days
    brought is left out, as in the weekly looks: a day before or after a change would pass for its effect.
    """
    families = families_of(policy)
    kinds: dict[CellRef, Counter[date]] = {}
    refs: dict[tuple[str, ...], CellRef] = {}
    for cell, number in totals.items():
        if cell.channel == EVENT_CHANNEL:
            continue
        channel = cell.channel if by_channel else None
        place = (cell.measure, cell.code, cell.service, cell.office, channel or UNKNOWN)
        if place not in refs:
            # Not validated: of the aggregate's own words some are empty, where nobody has said a service or an office.
            refs[place] = CellRef.model_construct(
                measure=cell.measure,
                family=family_of(cell.measure, cell.code, families),
                code=cell.code,
                service=cell.service,
                office=cell.office,
                channel=channel,
            )
        kinds.setdefault(refs[place], Counter())[cell.week] += number
    return kinds


def weekly(kinds: Kinds, refs: Iterable[CellRef]) -> Counter[date]:
    """Return how many complaints came in each week that any of the references counts, each complaint once."""
    wanted = tuple(refs)
    counts: Counter[date] = Counter()
    for kind, weeks in kinds.items():
        if any(ref.contains(kind) for ref in wanted):
            counts.update(weeks)
    return counts


def without(kinds: Kinds, refs: Iterable[CellRef]) -> Kinds:
    """Return the counts that none of the references counts."""
    unwanted = tuple(refs)
    return {kind: weeks for kind, weeks in kinds.items() if not any(ref.contains(kind) for ref in unwanted)}
