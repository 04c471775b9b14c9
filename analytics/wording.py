# SPDX-License-Identifier: Apache-2.0
"""A finding in two sentences that a supervisor can read aloud."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from analytics.cube import Cell, monday_of
from analytics.detection import Finding

LONGEST_SAID_YEARS = 1_000
FEWEST_MONTHS_SAID_IN_YEARS = 18
MONTHS_PER_YEAR = 12


@dataclass(frozen=True, slots=True)
class Labels:
    """What people call the codes; a code without a label is said as it is."""

    families: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    services: Mapping[str, str] = field(default_factory=dict)
    offices: Mapping[str, str] = field(default_factory=dict)


def name_of(cell: Cell, labels: Labels) -> str:
    """Return the cell in words, failure first: "Document lost, Housing renewals, Leeds"."""
    what = labels.failures.get(cell.failure, cell.failure) or labels.families.get(cell.family, cell.family)
    named = (
        what or ("" if cell.further else "All complaints"),
        labels.services.get(cell.service, cell.service),
        labels.offices.get(cell.office, cell.office),
        *(f"{dimension} {value}" for dimension, value in cell.further),
    )
    return ", ".join(part for part in named if part)


def sentences(finding: Finding, labels: Labels) -> tuple[str, str]:
    """Return what happened, and how sure we may be."""
    happened = (
        f"{name_of(finding.cell, labels)}: {finding.observed_count} complaints in {_weeks(finding.window_weeks)}, "
        f"where {_expected(finding.expected_count)} expected and more than {finding.threshold_count} is unusual."
    )
    began_on = monday_of(finding.began_week)
    sure = (
        f"It began in the week of {began_on.day} {began_on:%B %Y}; "
        f"chance alone would do this here {_how_often(finding.recurrence_years)}."
    )
    return happened, sure


def _weeks(count: int) -> str:
    return "one week" if count == 1 else f"{count} weeks"


def _expected(count: float) -> str:
    """Return an expectation with its verb; a tenth of a complaint is as fine as anyone needs."""
    if count < 0.1:  # noqa: PLR2004  what would be said as 0.0
        return "fewer than 0.1 were"
    said = f"{count:.1f}" if count < 9.95 else f"{count:.0f}"  # noqa: PLR2004  two figures
    return f"{said} was" if said == "1.0" else f"{said} were"


def _how_often(years: float) -> str:
    """Return "about once in 9 years"; months below a year and a half, and never more than a thousand years."""
    if years > LONGEST_SAID_YEARS:
        return f"less than once in {LONGEST_SAID_YEARS:,} years"
    months = years * MONTHS_PER_YEAR
    if months < FEWEST_MONTHS_SAID_IN_YEARS:
        return f"about once in {max(2, round(months))} months"
    return f"about once in {round(years)} years"
