# SPDX-License-Identifier: Apache-2.0
"""The lifecycle of a systemic fix: one table of the same kind as the complaint's (models/lifecycle.py).

A supervisor opens a fix for a signal. It is worked out: what goes wrong, why (whys on the branches of a
cause-and-effect diagram), what shows it, what could be done, what will be. Registering freezes how it will be judged.
The measures are carried out; once all are in effect the change is in place, and its effect is looked at every week.
Effective: it is watched, and a relapse opens it again by itself. Not effective: it is worked out again by itself. All
of it is kept.

Workflow, API, pages, docs and tests ask `decide`, `available` and `why_not`; no rule of fixes is spelled anywhere else.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from models.commands import Actor
from models.fixes import guards
from models.fixes.commands import FixCommand
from models.fixes.fix import Fix, FixEvent
from models.fixes.guards import Check, Guard
from models.fixes.terms import FixAction, FixState
from models.fixes.wording import action_in_words, state_in_words
from models.refusals import Refused, Stale, WrongRole, WrongState
from models.terms import Role
from models.wording import listed

_SHAPERS = frozenset({Role.ANALYST, Role.SUPERVISOR})
_DECIDERS = frozenset({Role.SUPERVISOR})
_DOERS = frozenset({Role.CASEWORKER, Role.ANALYST, Role.SUPERVISOR})
_TELLERS = frozenset({Role.SUPERVISOR, Role.LIAISON})
_SYSTEM = frozenset({Role.SYSTEM})
_SHAPED = frozenset({FixState.WORKED_OUT})
_LED = frozenset({FixState.WORKED_OUT, FixState.IN_HAND, FixState.MONITORED, FixState.EFFECTIVE})


@dataclass(frozen=True, slots=True)
class FixTransition:
    """One row of the process. `target` None: the fix stays where it is."""

    action: FixAction
    sources: AbstractSet[FixState]
    target: FixState | None
    roles: AbstractSet[Role]
    guards: tuple[Guard, ...] = ()
    """May this person do it now? Asked for buttons too."""
    checks: tuple[Check, ...] = ()
    """Does the command hold what it must?"""


TRANSITIONS: tuple[FixTransition, ...] = (
    FixTransition(FixAction.OPEN, {FixState.NEW}, FixState.WORKED_OUT, _DECIDERS),
    FixTransition(FixAction.DESCRIBE, _SHAPED, None, _SHAPERS),
    FixTransition(FixAction.LINK_SIGNAL, _LED, None, _DECIDERS, checks=(guards.signal_is_new_to_it,)),
    FixTransition(FixAction.ADD_CAUSE, _SHAPED, None, _SHAPERS),
    FixTransition(FixAction.ADD_EVIDENCE, _LED, None, _SHAPERS | {Role.LIAISON}),
    FixTransition(FixAction.ADD_OPTION, _SHAPED, None, _SHAPERS),
    FixTransition(
        FixAction.CHOOSE_OPTION, _SHAPED, None, _DECIDERS,
        guards=(guards.there_is_an_option,), checks=(guards.option_exists,),
    ),
    FixTransition(
        FixAction.PLAN_MEASURE, {FixState.WORKED_OUT, FixState.IN_HAND}, None, _SHAPERS,
        checks=(guards.measure_may_be_planned, guards.strength_is_kept),
    ),
    FixTransition(
        FixAction.DROP_MEASURE, {FixState.WORKED_OUT, FixState.IN_HAND}, None, _DECIDERS,
        guards=(guards.a_measure_is_to_be_done,),
        checks=(guards.measure_is_open, guards.a_measure_is_left, guards.strength_is_kept),
    ),
    FixTransition(
        FixAction.SIGN_OFF, _SHAPED, None, _DECIDERS,
        guards=(guards.needs_a_sign_off, guards.is_not_the_owner),
    ),
    FixTransition(
        FixAction.REGISTER, _SHAPED, FixState.IN_HAND, _DECIDERS,
        guards=(guards.is_worked_out, guards.weak_plans_are_signed_off),
    ),
    FixTransition(
        FixAction.FINISH_MEASURE, {FixState.IN_HAND}, None, _DOERS,
        guards=(guards.a_measure_is_to_be_done,), checks=(guards.measure_is_open,),
    ),
    FixTransition(
        FixAction.PUT_IN_PLACE, {FixState.IN_HAND}, FixState.MONITORED, _DECIDERS,
        guards=(guards.every_measure_is_done,), checks=(guards.everything_is_in_effect,),
    ),
    FixTransition(
        FixAction.LOOK, {FixState.MONITORED, FixState.EFFECTIVE}, None, _SYSTEM, checks=(guards.look_is_later,)
    ),
    FixTransition(
        FixAction.FIND_EFFECTIVE, {FixState.MONITORED}, FixState.EFFECTIVE, _SYSTEM, checks=(guards.look_is_later,)
    ),
    FixTransition(
        FixAction.FIND_NOT_EFFECTIVE, {FixState.MONITORED}, FixState.WORKED_OUT, _SYSTEM,
        checks=(guards.look_is_later,),
    ),
    FixTransition(
        FixAction.RELAPSE, {FixState.EFFECTIVE}, FixState.WORKED_OUT, _SYSTEM, checks=(guards.look_is_later,)
    ),
    FixTransition(FixAction.END_WATCH, {FixState.EFFECTIVE}, FixState.CLOSED, _SYSTEM),
    FixTransition(FixAction.LIST_AFFECTED, _LED, None, _DECIDERS, checks=(guards.list_is_new,)),
    FixTransition(
        FixAction.APPROVE_WORDS, _LED | {FixState.CLOSED}, None, _TELLERS, checks=(guards.occasion_has_come,)
    ),
    FixTransition(FixAction.ASSIGN, _LED, None, _DECIDERS),
    FixTransition(FixAction.NOTE, set(FixState) - {FixState.NEW}, None, _DOERS | {Role.LIAISON}),
    FixTransition(
        FixAction.ABANDON, {FixState.WORKED_OUT, FixState.IN_HAND, FixState.MONITORED}, FixState.ABANDONED, _DECIDERS
    ),
)  # fmt: skip

_ROWS = {(transition.action, source): transition for transition in TRANSITIONS for source in transition.sources}


def row_of(state: FixState, action: FixAction) -> FixTransition:
    """Return the row of the table, whoever asks."""
    transition = _ROWS.get((action, state))
    if transition is None:
        stands = listed([state_in_words(source) for source in FixState if (action, source) in _ROWS])
        raise WrongState(
            f"{action_in_words(action)} is for a fix that is {stands}; this one is {state_in_words(state)}."
        )
    return transition


def decide(fix: Fix, command: FixCommand, at: datetime) -> FixEvent:
    """Return the event that `command` makes of `fix` at `at`, or raise `Refused` with the sentence why not."""
    if command.expected_sequence not in {None, fix.sequence}:
        raise Stale("The fix has changed since you looked at it; look again, then decide.")
    transition = row_of(fix.state, command.action)
    _refuse_other_roles(transition, command.actor)
    for guard in transition.guards:
        if (refused := guard(fix, command.actor)) is not None:
            raise refused
    for check in transition.checks:
        if (refused := check(fix, command)) is not None:
            raise refused
    return FixEvent(
        fix_id=fix.id, sequence=fix.sequence + 1, at=at, source=fix.state, target=transition.target or fix.state,
        command=command.unconditional(),
    )  # fmt: skip


def why_not(fix: Fix, action: FixAction, actor: Actor) -> Refused | None:
    """Return the reason `actor` may not do this now, or None; page, API and log share the sentence."""
    try:
        transition = row_of(fix.state, action)
        _refuse_other_roles(transition, actor)
    except Refused as refused:
        return refused
    return next((reason for guard in transition.guards if (reason := guard(fix, actor)) is not None), None)


def available(fix: Fix, actor: Actor) -> tuple[FixAction, ...]:
    """Return what `actor` may do now, in the order of the table."""
    return tuple(t.action for t in TRANSITIONS if fix.state in t.sources and why_not(fix, t.action, actor) is None)


def _refuse_other_roles(transition: FixTransition, actor: Actor) -> None:
    if actor.role not in transition.roles:
        roles = listed(sorted(role.value for role in transition.roles))
        raise WrongRole(f"{action_in_words(transition.action)} is for the {roles}; you act as {actor.role}.")
