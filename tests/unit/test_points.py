# SPDX-License-Identifier: Apache-2.0
"""An answer point by point, in the policy's words."""

from __future__ import annotations

from models.case import Issue
from models.messages import Amount
from models.points import points_in_letter, points_of
from models.terms import Finding, Remedy
from tests.unit.policy_texts import default_policy

POLICY = default_policy()


def told(issue: Issue, language: str = "en") -> list[tuple[str, str]]:
    return [(point.title, point.sentences) for point in points_of([issue], POLICY, language)]


def test_a_point_is_named_and_says_what_was_found_and_everything_that_is_done() -> None:
    amount = Amount(cents=4_000, authority="Rule {amount} 3")
    issue = Issue(
        number=1,
        service="records",
        category="too_slow",
        finding=Finding.PARTLY_UPHELD,
        remedies=(Remedy.APOLOGY, Remedy.REFUND),
        amount=amount,
    )

    [(title, sentences)] = told(issue)

    assert title == "Public records: It took too long"
    assert sentences == (
        "You were right in part. We apologize for it. "
        "You get, or need not pay, $40.00. The rule that allows it: Rule {amount} 3."
    )
    assert told(issue, "es")[0][0] == "Registros públicos: Tardó demasiado"
    assert told(issue, "fr") == told(issue)


def test_a_remedy_that_is_none_says_nothing_and_codes_the_policy_has_lost_stand_as_they_are() -> None:
    issue = Issue(
        number=1, service="ferries", category="sunk", finding=Finding.NOT_UPHELD, remedies=(Remedy.NONE,), amount=None
    )

    assert told(issue) == [("ferries: sunk", "We found no mistake of ours.")]


def test_what_nobody_answered_is_no_point() -> None:
    assert told(Issue(number=1, service="records", category="too_slow")) == []
    assert told(Issue(number=1, finding=Finding.WITHDRAWN)) == []
    assert points_in_letter(()) == ""
