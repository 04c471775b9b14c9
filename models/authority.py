# SPDX-License-Identifier: Apache-2.0
"""What the policy's numbers say of a command.

Whose approval an answer needs, what a desk may settle, until when a review may be asked for: the lifecycle grants
without numbers, so whoever makes a command asks here as well.
"""

from __future__ import annotations

from datetime import datetime

from models.case import Case
from models.clocks import Rules, review_until
from models.commands import Actor, IssueAnswer
from models.refusals import Incomplete, NeedsApproval, OutsideAuthority, Refused, TooLate
from models.severity import Severity
from models.terms import Role
from models.wording import english_day


def needs_approval(severity_level: int, scales: Severity) -> bool:
    """Return whether the answer to a complaint triaged so must be approved by another person."""
    return scales.why_another_person(severity=severity_level, harm=0, remedy_cents=0) is not None


def refusal_of_remedies(issues: tuple[IssueAnswer, ...], scales: Severity) -> Refused | None:
    """Refuse money without its amount and authority, and an amount without a remedy in money."""
    costs_money = {meaning.id for meaning in scales.remedies if meaning.is_money}
    for issue in issues:
        gives_money = not costs_money.isdisjoint(issue.remedies)
        if gives_money and issue.amount is None:
            return Incomplete(f"Issue {issue.number}: say how much money is given, and by what legal authority.")
        if issue.amount is not None and not gives_money:
            return Incomplete(f"Issue {issue.number}: an amount needs a remedy in money beside it.")
    return None


def refusal_of_answer(case: Case, actor: Actor, issues: tuple[IssueAnswer, ...], scales: Severity) -> Refused | None:
    """Refuse a direct answer that needs another person's approval, or is beyond what the desk may settle."""
    severity = case.severity or 0
    cents = sum(issue.amount.cents for issue in issues if issue.amount is not None)
    if (reason := scales.why_another_person(severity=severity, harm=0, remedy_cents=cents)) is not None:
        return NeedsApproval(f"{reason} Propose the answer instead.")
    if actor.role is Role.INTAKE:
        for remedy in {remedy for issue in issues for remedy in issue.remedies}:
            reason = scales.why_not_on_the_spot(severity=severity, remedy=remedy, remedy_cents=cents)
            if reason is not None:
                return OutsideAuthority(reason)
    return None


def refusal_of_review(case: Case, actor: Actor, rules: Rules, at: datetime) -> Refused | None:
    """Refuse a complainant who asks for a review after its time; a supervisor may reopen at any time."""
    until = review_until(case, rules)
    if actor.role is not Role.COMPLAINANT or until is None or at <= until:
        return None
    return TooLate(
        f"A review could be asked for until {english_day(rules.calendar.local_date(until))}; "
        "please send a new complaint."
    )
