# SPDX-License-Identifier: Apache-2.0
"""A finding in two sentences that a supervisor can read aloud."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from analytics.cube import Cell, monday_of
from analytics.detection import Finding

LONGEST_SAID_YEARS = 1_000
FEWEST_MONTHS_SAID_IN_YEARS = 18
MONTHS_PER_YEAR = 12


@dataclass(frozen=True, slots=True)
class Labels:
    """What people call the codes, and how they say a day; a code without a label is said as it is."""

    families: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    services: Mapping[str, str] = field(default_factory=dict)
    offices: Mapping[str, str] = field(default_factory=dict)
    further: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By the name of any other dimension."""
    day: Callable[[date], str] = date.isoformat
    """How a day is said."""


def name_of(cell: Cell, labels: Labels) -> str:
    """Return the cell in words, failure first: "Document lost, Housing renewals, Leeds".

    An office is not said to be in its region as well.
    """
    what = labels.failures.get(cell.failure, cell.failure) or labels.families.get(cell.family, cell.family)
    said = [(name, value) for name, value in cell.further if not (cell.office and name == "region")]
    is_named = bool(cell.service or cell.office or said)
    named = (
        what or ("" if is_named else "All complaints"),
        labels.services.get(cell.service, cell.service),
        labels.offices.get(cell.office, cell.office),
        *(f"{name} {labels.further.get(name, {}).get(value, value)}" for name, value in said),
    )
    return ", ".join(part for part in named if part)


def sentences(finding: Finding, labels: Labels, complaints: int | None = None) -> tuple[str, str]:
    """Return what happened, and how sure we may be.

    What the finding counts are complaints; where a complaint may count more than once, `complaints` says how many.
    """
    happened = (
        f"{name_of(finding.cell, labels)}: {_counted(finding, complaints)} in {_weeks(finding.window_weeks)}, "
        f"where {_expected(finding.expected_count)} expected and more than {finding.threshold_count} is unusual."
    )
    if finding.new_since is not None:
        # Chance says nothing of what was not there: it is offered or named since, or it never failed before.
        return happened, (
            f"It is new: none came before {_week_of(labels, finding.new_since)}; what is offered, opened or named only "
            "since then begins like this too."
        )
    began = _week_of(labels, finding.began_week)
    return happened, f"It began in {began}; chance alone would do this here {_how_often(finding.recurrence_years)}."


def creep_sentences(
    finding: Finding, labels: Labels, complaints: int | None, *, excess: float, threshold: float, years: float
) -> tuple[str, str]:
    """Return what rises slowly, and how sure we may be; `threshold` is passed by chance once in so many years.

    A rise is called by its chance among all cells, and may be so before it passes its cell's own threshold: then only
    how long it has been under way is said.
    """
    happened = (
        f"{name_of(finding.cell, labels)}: {_counted(finding, complaints)} in {_weeks(finding.window_weeks)}, "
        f"where {_expected(finding.expected_count)} expected: a slow rise that no single week shows."
    )
    if excess <= threshold:
        return (
            happened,
            f"It has been under way for {_weeks(finding.window_weeks)}, since {_week_of(labels, finding.began_week)}.",
        )
    sure = (
        f"It has been under way since {_week_of(labels, finding.began_week)}; what has come beyond the expected and a "
        f"margin sums to {excess:.0f}, and chance alone passes {threshold:.0f} about once in {years:.0f} years."
    )
    return happened, sure


def standing_sentences(
    finding: Finding,
    labels: Labels,
    complaints: int | None,
    *,
    ratio: float,
    low: float,
    high: float,
    is_prior_learnt: bool,
) -> tuple[str, str]:
    """Return what has been out of proportion for a year, and how sure we may be.

    How often such signals are false can be said only where `is_prior_learnt`.
    """
    happened = (
        f"{name_of(finding.cell, labels)}: {_counted(finding, complaints)} in a year, where "
        f"{_expected(finding.expected_count)} to be expected from the other offices and failures."
    )
    false = (
        "of signals of this kind at most one in twenty is expected to lie below twice."
        if is_prior_learnt
        else "too little is known yet to say how often such signals are false."
    )
    return happened, (
        f"It is out of proportion, about {ratio:.1f} times ({low:.1f} to {high:.1f}), and need not be new; {false}"
    )


def _counted(finding: Finding, complaints: int | None) -> str:
    if complaints is None or complaints == finding.observed_count:
        return f"{finding.observed_count} complaints"
    return f"{finding.observed_count} issues in {complaints} complaints"


def _week_of(labels: Labels, week: int) -> str:
    return f"the week of {labels.day(monday_of(week))}"


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
