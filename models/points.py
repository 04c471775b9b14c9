# SPDX-License-Identifier: Apache-2.0
"""An answer point by point, as the complainant reads it: what each point is, what was found, what is done about it.

Letters and pages tell the same, in the policy's words; the free text of the answer stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.case import Issue
from models.messages import Amount
from models.wording import money

if TYPE_CHECKING:
    from models.policy import Policy

_INDENT = "   "


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a complaint, answered."""

    number: int
    title: str
    found: str
    remedies: tuple[str, ...]

    @property
    def sentences(self) -> str:
        """What was found and what is done, one sentence after another."""
        return " ".join((self.found, *self.remedies))


def points_of(issues: Iterable[Issue], policy: Policy, language: str) -> tuple[Point, ...]:
    """Return the points that have a finding the policy has words for, in that language or else the agency's first."""
    language = policy.agency.language_for(language)
    findings = {meaning.id: meaning.told[language] for meaning in policy.severity.findings}
    return tuple(
        Point(
            number=issue.number,
            title=_title(issue, policy, language),
            found=findings[issue.finding],
            remedies=_remedies(issue, policy, language),
        )
        for issue in issues
        if issue.finding in findings
    )


def points_in_letter(points: Iterable[Point]) -> str:
    """Return the points as a letter of plain text lists them."""
    return "\n".join(f"{point.number}. {point.title}\n{_INDENT}{point.sentences}" for point in points)


def _title(issue: Issue, policy: Policy, language: str) -> str:
    """Return what the point is about: the service, and what kind of problem it was; as codes where the policy ends."""
    services = {service.id: service.name[language] for service in policy.agency.services}
    term = policy.taxonomy.by_code.get(issue.category or "")
    category = term.name_in(language) if term else issue.category
    told = [services.get(issue.service or "", issue.service), category]
    return ": ".join(word for word in told if word)


def _remedies(issue: Issue, policy: Policy, language: str) -> tuple[str, ...]:
    """Return what is done about a point; a remedy that is none says nothing."""
    meanings = {meaning.id: meaning for meaning in policy.severity.remedies}
    told = [meanings[remedy] for remedy in issue.remedies if remedy in meanings]
    return tuple(_with_sum(meaning.told, language, issue.amount) for meaning in told if meaning.told)


def _with_sum(told: Mapping[str, str], language: str, amount: Amount | None) -> str:
    words = told[language]
    if amount is None:
        return words
    # The sum first: an authority that somebody typed with braces stays as typed.
    return words.replace("{amount}", money(amount.cents)).replace("{authority}", amount.authority)
