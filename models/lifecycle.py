# SPDX-License-Identifier: Apache-2.0
"""The lifecycle of a complaint: one table, read it first.

A complaint is received and a receipt sent at once (Intake). Somebody triages it: what it is about, how grave, who
deals with it (Triage). It is looked into; a question to the complainant pauses the answer's clock; an answer
may need another person's approval; it speaks to every issue (Resolution). For every issue somebody says which process
failure was behind it, or why none was (Root cause). Then it is closed. Closed cases can be reopened for review by a
different person. It may be withdrawn, or turn out to be a duplicate, on the way.

The steps are those of ISO 10002:2018 clause 7. Workflow, API, buttons, docs and tests ask `decide`, `available` and
`why_not`; no rule of the process is spelled anywhere else. The words stand in models/terms.py, what an action carries
in models/commands.py, what it does to the case in models/story.py, guards in models/guards.py.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from models import guards
from models.case import Case
from models.commands import Actor, Command
from models.events import Event
from models.guards import Check, Guard
from models.refusals import Refused, Stale, WrongRole, WrongState
from models.terms import OPEN_STATES, Action, ClockName, Role, State
from models.wording import action_in_words, listed, state_in_words

_DESK = frozenset({Role.INTAKE, Role.CASEWORKER, Role.SUPERVISOR})
_WORKERS = frozenset({Role.CASEWORKER, Role.SUPERVISOR})
_SYSTEM = frozenset({Role.SYSTEM})
_WORKED = frozenset({State.IN_TRIAGE, State.IN_RESOLUTION, State.WAITING_FOR_COMPLAINANT, State.AWAITING_APPROVAL})
_ANSWERING = frozenset({ClockName.ACKNOWLEDGE, ClockName.ANSWER, ClockName.REVIEW})
_ALL_CLOCKS = frozenset(ClockName)


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the process. `target` None: the complaint stays where it is."""

    action: Action
    sources: AbstractSet[State]
    target: State | None
    roles: AbstractSet[Role]
    iso_10002: str
    guards: tuple[Guard, ...] = ()
    """May this person do it now? Asked for buttons too."""
    checks: tuple[Check, ...] = ()
    """Does the command hold what it must?"""
    starts: AbstractSet[ClockName] = frozenset()
    stops: AbstractSet[ClockName] = frozenset()
    pauses: AbstractSet[ClockName] = frozenset()
    resumes: AbstractSet[ClockName] = frozenset()


TRANSITIONS: tuple[Transition, ...] = (
    Transition(
        Action.RECEIVE, {State.NEW}, State.RECEIVED, _SYSTEM, "7.2 Receipt",
        starts={ClockName.RECEIPT, ClockName.ACKNOWLEDGE, ClockName.ANSWER},
    ),
    Transition(Action.RECORD_AS_HISTORY, {State.NEW}, State.CLOSED, {Role.IMPORT}, "7.2 Receipt"),
    Transition(
        Action.SEND_RECEIPT, {State.RECEIVED}, State.IN_TRIAGE, _SYSTEM, "7.4 Acknowledgement",
        stops={ClockName.RECEIPT},
    ),
    Transition(
        Action.ACKNOWLEDGE, _WORKED | {State.ANSWERED}, None, _DESK, "7.4 Acknowledgement",
        guards=(guards.not_acknowledged_yet,), stops={ClockName.ACKNOWLEDGE},
    ),
    Transition(
        Action.TRIAGE, {State.IN_TRIAGE, State.IN_RESOLUTION}, State.IN_RESOLUTION, _DESK, "7.5 Initial assessment",
        checks=(guards.issues_are_numbered_in_order, guards.owner_is_not_an_earlier_answerer),
    ),
    Transition(
        Action.ASSIGN, _WORKED | {State.ANSWERED}, None, _DESK, "7.3 Tracking",
        checks=(guards.names_a_team_or_an_owner, guards.owner_is_not_an_earlier_answerer),
    ),
    Transition(Action.NOTE, set(State) - {State.NEW}, None, _DESK | {Role.COMPLAINANT, Role.LIAISON}, "7.3 Tracking"),
    Transition(
        Action.REQUEST_INFORMATION, {State.IN_RESOLUTION}, State.WAITING_FOR_COMPLAINANT, _DESK, "7.6 Investigation",
        guards=(guards.pause_is_left,), pauses={ClockName.ANSWER, ClockName.REVIEW},
    ),
    Transition(
        Action.RECORD_INFORMATION, {State.WAITING_FOR_COMPLAINANT}, State.IN_RESOLUTION, _DESK | {Role.COMPLAINANT},
        "7.6 Investigation", resumes={ClockName.ANSWER, ClockName.REVIEW},
    ),
    Transition(
        Action.PROPOSE_ANSWER, {State.IN_RESOLUTION}, State.AWAITING_APPROVAL, _DESK, "7.7 Response",
        guards=(guards.has_not_answered_before,), checks=(guards.every_issue_is_answered_once,),
    ),
    Transition(
        Action.APPROVE, {State.AWAITING_APPROVAL}, State.ANSWERED, {Role.SUPERVISOR}, "7.8 Communicating the decision",
        guards=(guards.is_not_the_proposer, guards.has_not_answered_before),
        stops=_ANSWERING, starts={ClockName.TAG_AND_CLOSE},
    ),
    Transition(
        Action.SEND_BACK, {State.AWAITING_APPROVAL}, State.IN_RESOLUTION, {Role.SUPERVISOR}, "7.7 Response",
        guards=(guards.is_not_the_proposer,),
    ),
    Transition(
        Action.ANSWER, {State.IN_RESOLUTION}, State.ANSWERED, _DESK, "7.8 Communicating the decision",
        guards=(guards.no_approval_is_required, guards.is_within_authority, guards.has_not_answered_before),
        checks=(guards.every_issue_is_answered_once,),
        stops=_ANSWERING, starts={ClockName.TAG_AND_CLOSE},
    ),
    Transition(
        Action.TAG_ROOT_CAUSE, {State.ANSWERED}, None, _DESK, "8.2 Analysis and evaluation",
        guards=(guards.is_within_authority,), checks=(guards.tagged_issues_exist,),
    ),
    Transition(
        Action.CLOSE, {State.ANSWERED}, State.CLOSED, _DESK, "7.9 Closing the complaint",
        guards=(guards.every_issue_is_answered, guards.every_issue_is_coded, guards.is_within_authority),
        stops=_ALL_CLOCKS,
    ),
    Transition(
        Action.WITHDRAW, (OPEN_STATES - {State.NEW, State.ANSWERED}), State.WITHDRAWN, _DESK | {Role.COMPLAINANT},
        "7.9 Closing the complaint", stops=_ALL_CLOCKS,
    ),
    Transition(
        Action.MARK_DUPLICATE, {State.IN_TRIAGE, State.IN_RESOLUTION}, State.DUPLICATE, _DESK,
        "7.9 Closing the complaint", checks=(guards.is_not_its_own_duplicate,), stops=_ALL_CLOCKS,
    ),
    Transition(
        Action.REOPEN, {State.CLOSED, State.WITHDRAWN, State.DUPLICATE}, State.IN_RESOLUTION,
        {Role.COMPLAINANT, Role.SUPERVISOR}, "7.9 Closing the complaint",
        checks=(guards.reviewer_is_another_person,), starts={ClockName.REVIEW},
    ),
    Transition(
        Action.WARN_OF_DEADLINE, OPEN_STATES - {State.NEW}, None, _SYSTEM, "7.3 Tracking",
        checks=(guards.deadline_is_not_noted,),
    ),
    Transition(
        Action.ESCALATE, OPEN_STATES - {State.NEW}, None, _SYSTEM, "7.3 Tracking",
        checks=(guards.deadline_is_not_noted,),
    ),
)  # fmt: skip

_ROWS = {(transition.action, source): transition for transition in TRANSITIONS for source in transition.sources}


def row_of(state: State, action: Action) -> Transition:
    """Return the row of the table, whoever asks."""
    transition = _ROWS.get((action, state))
    if transition is None:
        raise WrongState(_why_not_from(state, action))
    return transition


def _why_not_from(state: State, action: Action) -> str:
    """Return in a sentence where an action begins, where the complaint stands, and what comes first."""
    begins = [source for source in State if (action, source) in _ROWS]
    stands = listed([state_in_words(source) for source in begins])
    said = f"{action_in_words(action)} is for a complaint that is {stands}; this one is {state_in_words(state)}."
    first = _comes_first(state, begins)
    return f"{said} First comes {action_in_words(first)}." if first else said


def _comes_first(state: State, goals: list[State]) -> Action | None:
    """Return the first thing people do on the shortest way, if one leads there without the complaint being ended."""
    ways = []
    for goal in goals:
        with contextlib.suppress(LookupError):
            ways.append(shortest_path(state, goal, of=_leads_on))
    shortest = min(ways, key=len, default=())
    return shortest[0].action if shortest else None


def _leads_on(transition: Transition) -> bool:
    is_by_people = not transition.roles <= {Role.SYSTEM, Role.IMPORT}
    return is_by_people and not (transition.target is not None and transition.target.is_final)


def transition_of(state: State, action: Action, role: Role) -> Transition:
    """Return the one transition `action` makes from `state`, or raise the reason why not."""
    transition = row_of(state, action)
    if role not in transition.roles:
        raise WrongRole(f"{action_in_words(action)} is for the {_listed(transition.roles)}; you act as {role}.")
    return transition


def _listed(roles: AbstractSet[Role]) -> str:
    return listed(sorted(role.value for role in roles))


def decide(case: Case, command: Command, at: datetime) -> Event:
    """Return the event that `command` makes of `case` at `at`, or raise `Refused` with the sentence why not."""
    if (stale := why_stale(case, command.expected_sequence)) is not None:
        raise stale
    transition = transition_of(case.state, command.action, command.actor.role)
    for guard in transition.guards:
        if (refused := guard(case, command.actor)) is not None:
            raise refused
    for check in transition.checks:
        if (refused := check(case, command)) is not None:
            raise refused
    return Event(
        case_id=case.id, sequence=case.sequence + 1, at=at, source=case.state,
        target=transition.target or case.state, command=command.unconditional(),
    )  # fmt: skip


def why_stale(case: Case, expected_sequence: int | None) -> Stale | None:
    """Return why a case is no longer what the asker saw; None where it is, or where they do not mind."""
    if expected_sequence is None or expected_sequence == case.sequence:
        return None
    return Stale(
        f"The complaint has changed since you looked at it (event {case.sequence}, you saw {expected_sequence}); "
        "look again, then decide."
    )


def why_not(case: Case, action: Action, actor: Actor) -> Refused | None:
    """Return the reason `actor` may not do this now, or None; page, API and log share the sentence."""
    try:
        transition = transition_of(case.state, action, actor.role)
    except Refused as refused:
        return refused
    return next((reason for guard in transition.guards if (reason := guard(case, actor)) is not None), None)


def available(case: Case, actor: Actor) -> tuple[Action, ...]:
    """Return what `actor` may do now, in the order of the table."""
    return tuple(t.action for t in TRANSITIONS if case.state in t.sources and why_not(case, t.action, actor) is None)


def refused(case: Case, actor: Actor) -> dict[Action, Refused]:
    """Return the actions of this role that begin where the case stands or that people ask for, each with why not."""
    asked_for = (t.action for t in TRANSITIONS if actor.role in t.roles)
    return {action: reason for action in asked_for if (reason := why_not(case, action, actor)) is not None}


def shortest_path(
    start: State, goal: State, *, of: Callable[[Transition], bool] = lambda _: True
) -> tuple[Transition, ...]:
    """Return the fewest transitions that lead from `start` to `goal`, by rows that satisfy `of`."""
    todo: deque[tuple[State, tuple[Transition, ...]]] = deque([(start, ())])
    seen = {start}
    while todo:
        state, path = todo.popleft()
        if state is goal:
            return path
        for transition in TRANSITIONS:
            target = transition.target or state
            if state in transition.sources and target not in seen and of(transition):
                seen.add(target)
                todo.append((target, (*path, transition)))
    raise LookupError(f"No lawful path leads from {start} to {goal}.")


_PHASES = {
    State.NEW: "We have it",
    State.RECEIVED: "We have it",
    State.IN_TRIAGE: "We are reading it",
    State.IN_RESOLUTION: "We are looking into it",
    State.WAITING_FOR_COMPLAINANT: "We have a question for you",
    State.AWAITING_APPROVAL: "We are checking our answer",
    State.ANSWERED: "We have answered",
    State.CLOSED: "We have answered",
    State.WITHDRAWN: "You withdrew it",
    State.DUPLICATE: "It is dealt with under your other complaint",
}


def phase_of(state: State) -> str:
    """Return the few words in which a complainant is told where the complaint stands."""
    return _PHASES[state]
