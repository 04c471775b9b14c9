# SPDX-License-Identifier: Apache-2.0
"""The reasons why not, for fixes: guards ask about the person and the fix, checks about what the command holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from models.commands import Actor
from models.fixes.commands import FixCommand
from models.fixes.fix import Fix
from models.fixes.terms import FixAction, Occasion, Strength
from models.fixes.wording import action_in_words
from models.refusals import AlreadyDone, Incomplete, NeedsApproval, Refused, SamePerson
from models.wording import english_day

Guard = Callable[[Fix, Actor], Refused | None]
Check = Callable[[Fix, FixCommand], Refused | None]


def is_worked_out(fix: Fix, actor: Actor) -> Refused | None:
    """Refuse to register what has no statement, cause, chosen option or measure."""
    missing = [
        words
        for is_there, words in (
            (fix.statement is not None, "what goes wrong"),
            (fix.causes, "why it does"),
            (any(option.is_chosen for option in fix.options), "which option was chosen"),
            (fix.standing_measures, "what is to be done"),
        )
        if not is_there
    ]
    return Incomplete(f"Say first {_joined(missing)}.") if missing else None


def weak_plans_are_signed_off(fix: Fix, actor: Actor) -> Refused | None:
    """Refuse to register reminders and training alone, unless a second supervisor answers for them."""
    if fix.is_weak and fix.signed_off_by is None:
        return NeedsApproval(
            "Only weaker measures (training, reminders) are planned, and these seldom last: plan a stronger one, or "
            f"have another supervisor choose {action_in_words(FixAction.SIGN_OFF)}."
        )
    return None


def needs_a_sign_off(fix: Fix, actor: Actor) -> Refused | None:
    """Refuse a sign-off that nothing asks for."""
    if not fix.standing_measures:
        return Incomplete("Plan the measures first; only a plan of weaker ones alone needs to be signed off.")
    return None if fix.is_weak else AlreadyDone("A stronger measure is planned, so nothing needs to be signed off.")


def is_not_the_owner(fix: Fix, actor: Actor) -> Refused | None:
    """Refuse a sign-off by the one who leads the fix."""
    if actor.name in {fix.owner, fix.opened_by}:
        return SamePerson("You lead or opened this fix; another supervisor must sign its plan off.")
    return None


def every_measure_is_done(fix: Fix, actor: Actor) -> Refused | None:
    """Refuse a change that is not whole."""
    open_numbers = [measure.number for measure in fix.standing_measures if not measure.is_done]
    if not open_numbers:
        return None
    is_one = len(open_numbers) == 1
    which = f"Measure {open_numbers[0]} is" if is_one else f"Measures {_joined(map(str, open_numbers))} are"
    return Incomplete(
        f"{which} still to be done: {action_in_words(FixAction.FINISH_MEASURE)} or "
        f"{action_in_words(FixAction.DROP_MEASURE)} comes first."
    )


def signal_is_new_to_it(fix: Fix, command: FixCommand) -> Refused | None:
    """Refuse a signal that is linked already."""
    assert command.action is FixAction.LINK_SIGNAL
    return AlreadyDone("This signal is linked to the fix already.") if command.signal_id in fix.signals else None


def there_is_an_option(fix: Fix, actor: Actor) -> Refused | None:
    """Refuse to choose where nothing can be chosen."""
    return (
        None
        if fix.options
        else Incomplete(f"There is no option yet; {action_in_words(FixAction.ADD_OPTION)} comes first.")
    )


def a_measure_is_to_be_done(fix: Fix, actor: Actor) -> Refused | None:
    """Refuse to finish or drop where nothing is to be done."""
    if any(not measure.is_done for measure in fix.standing_measures):
        return None
    return Incomplete(f"Nothing is left to be done; {action_in_words(FixAction.PLAN_MEASURE)} comes first.")


def option_exists(fix: Fix, command: FixCommand) -> Refused | None:
    """Refuse to choose an option that nobody laid down."""
    assert command.action is FixAction.CHOOSE_OPTION
    return (
        None
        if fix.option(command.number)
        else Incomplete(f"There is no option {command.number}; {action_in_words(FixAction.ADD_OPTION)} comes first.")
    )


def measure_may_be_planned(fix: Fix, command: FixCommand) -> Refused | None:
    """Refuse a number that leaves a gap, and to plan anew what has been done."""
    assert command.action is FixAction.PLAN_MEASURE
    measure = fix.measure(command.number)
    if measure is not None and measure.is_done:
        return AlreadyDone(f"Measure {command.number} has been done; plan a further one.")
    if measure is None and command.number != len(fix.measures) + 1:
        return Incomplete(f"The next measure is number {len(fix.measures) + 1}.")
    return None


def measure_is_open(fix: Fix, command: FixCommand) -> Refused | None:
    """Refuse to finish or drop what is not there, done or dropped."""
    assert command.action in {FixAction.FINISH_MEASURE, FixAction.DROP_MEASURE}
    measure = fix.measure(command.number)
    if measure is None:
        return Incomplete(f"There is no measure {command.number}.")
    if measure.is_dropped or measure.is_done:
        return AlreadyDone(f"Measure {command.number} has been {'dropped' if measure.is_dropped else 'done'} already.")
    return None


def a_measure_is_left(fix: Fix, command: FixCommand) -> Refused | None:
    """Refuse to drop the last measure of a registered plan."""
    assert command.action is FixAction.DROP_MEASURE
    if fix.plan is not None and len(fix.standing_measures) <= 1:
        give_up = action_in_words(FixAction.ABANDON)
        return Incomplete(f"It is the last measure of the plan; choose {give_up} instead, with the reason.")
    return None


def strength_is_kept(fix: Fix, command: FixCommand) -> Refused | None:
    """Refuse to leave weaker measures alone in a plan that was registered without a sign-off."""
    assert command.action in {FixAction.DROP_MEASURE, FixAction.PLAN_MEASURE}
    if fix.plan is None or fix.signed_off_by is not None:
        return None
    left = [m.strength for m in fix.standing_measures if m.number != command.number]
    if command.action is FixAction.PLAN_MEASURE:
        left.append(command.strength)
    if all(strength is Strength.WEAKER for strength in left):
        return NeedsApproval(
            "Only weaker measures would be left of a plan that was registered with a stronger one; plan another "
            f"stronger one first, or choose {action_in_words(FixAction.ABANDON)}."
        )
    return None


def everything_is_in_effect(fix: Fix, command: FixCommand) -> Refused | None:
    """Refuse a day of change on which a measure does not yet take effect, such as a regulation's effective date."""
    assert command.action is FixAction.PUT_IN_PLACE
    late = [(on, m.number) for m in fix.standing_measures if (on := m.effective_on) and on > command.changed_on]
    if not late:
        return None
    last_on, number = max(late)
    day = english_day(last_on)
    return Incomplete(f"Measure {number} takes effect on {day}: the change is not in place before that day.")


def list_is_new(fix: Fix, command: FixCommand) -> Refused | None:
    """Refuse the same list twice."""
    assert command.action is FixAction.LIST_AFFECTED
    if any(affected.list_id == command.list_id for affected in fix.affected):
        return AlreadyDone("This list is being dealt with already.")
    return None


def occasion_has_come(fix: Fix, command: FixCommand) -> Refused | None:
    """Refuse to approve words twice, or of a verdict that has not been found."""
    assert command.action is FixAction.APPROVE_WORDS
    if command.occasion in fix.approved:
        return AlreadyDone("These words have been approved already.")
    if command.occasion is Occasion.JUDGED and fix.effective_on is None and not fix.rounds:
        return Incomplete("There is no verdict yet to tell of.")
    return None


def look_is_later(fix: Fix, command: FixCommand) -> Refused | None:
    """Refuse a second look at the same day, or an earlier one."""
    assert command.action in {
        FixAction.LOOK, FixAction.FIND_EFFECTIVE, FixAction.FIND_NOT_EFFECTIVE, FixAction.RELAPSE
    }  # fmt: skip
    if fix.effect is not None and command.effect.as_of <= fix.effect.as_of:
        return AlreadyDone(f"The effect has been looked at as of {fix.effect.as_of} already.")
    return None


def _joined(words: Iterable[str]) -> str:
    listed = list(words)
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} and {listed[-1]}"
