# SPDX-License-Identifier: Apache-2.0
"""The reasons why not: guards ask about the person and the case, checks about what the command holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from models.case import Case
from models.commands import Actor, Command
from models.refusals import (
    AlreadyDone,
    Incomplete,
    NeedsApproval,
    OutsideAuthority,
    PauseSpent,
    Refused,
    SamePerson,
    UnansweredIssue,
    UnknownIssue,
    UntaggedIssue,
)
from models.terms import Action, ClockName, Role, Track

Guard = Callable[[Case, Actor], Refused | None]
Check = Callable[[Case, Command], Refused | None]
PAUSES_ALLOWED = 1
"""One pause for each answering clock: reference FOIA tolling, 5 USC 552(a)(6)(A)(ii)(I)."""


def not_acknowledged_yet(case: Case, actor: Actor) -> Refused | None:
    """Refuse a second personal acknowledgement."""
    return None if case.acknowledged_at is None else AlreadyDone("The complaint has been acknowledged personally.")


def pause_is_left(case: Case, actor: Actor) -> Refused | None:
    """Refuse a second pause of the clock that runs now."""
    clock = ClockName.REVIEW if case.review_round else ClockName.ANSWER
    if sum(pause.clock is clock for pause in case.pauses) < PAUSES_ALLOWED:
        return None
    return PauseSpent(
        "The complainant has been asked once already, and the clock pauses only once. Telephone, and note the reply."
    )


def has_not_answered_before(case: Case, actor: Actor) -> Refused | None:
    """Refuse a review by one who answered in an earlier round."""
    if case.review_round and actor.name in case.answered_by:
        return SamePerson("You answered this complaint before; its review is for a different person.")
    return None


def is_not_the_proposer(case: Case, actor: Actor) -> Refused | None:
    """Refuse approval of one's own answer."""
    if case.proposal is not None and case.proposal.by == actor.name:
        return SamePerson("You proposed this answer; another person must approve it or send it back.")
    return None


def no_approval_is_required(case: Case, actor: Actor) -> Refused | None:
    """Refuse a direct answer where the policy asks for four eyes."""
    if case.approval_required:
        return NeedsApproval("This answer must be approved by another person; choose “Propose an answer” instead.")
    return None


def is_within_authority(case: Case, actor: Actor) -> Refused | None:
    """Refuse the intake desk what is not for the front line."""
    if actor.role is Role.INTAKE and case.track is not Track.FRONTLINE:
        return OutsideAuthority("The intake desk settles frontline complaints only; this one is for a caseworker.")
    return None


def every_issue_is_answered(case: Case, actor: Actor) -> Refused | None:
    """Refuse closing while an issue has no finding."""
    if case.unanswered:
        return UnansweredIssue(f"{_issues(case.unanswered)} without a finding; the answer gives one to each.")
    return None


def every_issue_is_coded(case: Case, actor: Actor) -> Refused | None:
    """Refuse closing while an issue has no root cause."""
    if case.uncoded:
        return UntaggedIssue(
            f"{_issues(case.uncoded)} without a root cause; “Say what was behind it” comes first, or why nothing was."
        )
    return None


def every_issue_is_answered_once(case: Case, command: Command) -> Refused | None:
    """Refuse an answer that leaves an issue out, or speaks of one that is not there."""
    assert command.action in {Action.ANSWER, Action.PROPOSE_ANSWER}
    numbers = [issue.number for issue in command.issues]
    if (wrong := _not_issues_of(case, numbers)) is not None:
        return wrong
    left_out = tuple(issue.number for issue in case.issues if issue.number not in numbers)
    return (
        UnansweredIssue(f"{_issues(left_out)} without a finding; an answer speaks to every issue.")
        if left_out
        else None
    )


def tagged_issues_exist(case: Case, command: Command) -> Refused | None:
    """Refuse a tag for an issue that is not there."""
    assert command.action is Action.TAG_ROOT_CAUSE
    return _not_issues_of(case, [issue.number for issue in command.issues])


def issues_are_numbered_in_order(case: Case, command: Command) -> Refused | None:
    """Refuse a triage whose issues are not numbered 1, 2, 3 and so on."""
    assert command.action is Action.TRIAGE
    if [issue.number for issue in command.issues] == list(range(1, len(command.issues) + 1)):
        return None
    return UnknownIssue("Number the issues 1, 2, 3 and so on, each once.")


def names_a_team_or_an_owner(case: Case, command: Command) -> Refused | None:
    """Refuse an assignment to nobody."""
    assert command.action is Action.ASSIGN
    if command.team or command.owner or command.follow_up_on:
        return None
    return Incomplete("Say to whom (a team, an owner, or both), or on which day the next step is due.")


def owner_is_not_an_earlier_answerer(case: Case, command: Command) -> Refused | None:
    """Refuse to give a review to one who answered before."""
    assert command.action in {Action.ASSIGN, Action.TRIAGE}
    if case.review_round and command.owner in case.answered_by:
        return SamePerson(f"{command.owner} answered this complaint before; its review is for a different person.")
    return None


def reviewer_is_another_person(case: Case, command: Command) -> Refused | None:
    """Refuse a review by one who answered before."""
    assert command.action is Action.REOPEN
    if command.reviewer is not None and command.reviewer in case.answered_by:
        return SamePerson(
            f"{command.reviewer} answered this complaint before; choose a different person for the review."
        )
    return None


def is_not_its_own_duplicate(case: Case, command: Command) -> Refused | None:
    """Refuse to call a case a duplicate of itself."""
    assert command.action is Action.MARK_DUPLICATE
    return (
        UnknownIssue("A complaint cannot be its own duplicate; name the other case.")
        if command.duplicate_of == case.id
        else None
    )


def deadline_is_not_noted(case: Case, command: Command) -> Refused | None:
    """Refuse to note one deadline twice."""
    assert command.action in {Action.WARN_OF_DEADLINE, Action.ESCALATE}
    is_missed = command.action is Action.ESCALATE
    if case.has_noted(command.clock, command.due_at, is_missed=is_missed):
        return AlreadyDone("This deadline has been noted already.")
    return None


def _not_issues_of(case: Case, numbers: list[int]) -> Refused | None:
    there = {issue.number for issue in case.issues}
    if twice := [number for number, count in Counter(numbers).items() if count > 1]:
        return UnknownIssue(f"{_issues(twice)} named twice; speak of each issue once.")
    if missing := [number for number in numbers if number not in there]:
        return UnknownIssue(f"{_issues(missing)} not in this complaint, which has {len(there)}.")
    return None


def _issues(numbers: Iterable[int]) -> str:
    listed = [str(number) for number in numbers]
    return f"Issue {listed[0]} is" if len(listed) == 1 else f"Issues {', '.join(listed)} are"
