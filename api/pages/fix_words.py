# SPDX-License-Identifier: Apache-2.0
"""How systemic fixes are said on pages: what can be done, what was done, and what people are told of it."""

from __future__ import annotations

from collections.abc import Mapping

from api.pages.languages import Tongue
from api.pages.words import counted
from api.shapes_fixes import FixView
from api.views_fixes import last_attempt
from models.fixes.fix import Fix
from models.fixes.terms import FixAction, FixState, Occasion, Verdict
from models.fixes.watching import LEAST_WEEKS_BEFORE, weeks_to_compare_with
from models.fixes.wording import ACTION_NAMES

ACTIONS: Mapping[FixAction, str] = ACTION_NAMES
"""Every action that has a form or a reason why not, as a heading."""

BUTTONS: Mapping[FixAction, str] = {
    FixAction.DESCRIBE: "Set this",
    FixAction.ADD_CAUSE: "Add this cause",
    FixAction.ADD_EVIDENCE: "Add this evidence",
    FixAction.ADD_OPTION: "Add this option",
    FixAction.CHOOSE_OPTION: "Choose this option",
    FixAction.PLAN_MEASURE: "Plan this measure",
    FixAction.DROP_MEASURE: "Drop the measure",
    FixAction.SIGN_OFF: "Sign off",
    FixAction.REGISTER: "Freeze and begin",
    FixAction.FINISH_MEASURE: "It is done",
    FixAction.PUT_IN_PLACE: "It is in place",
    FixAction.LIST_AFFECTED: "Help these people",
    FixAction.APPROVE_WORDS: "Approve and tell",
    FixAction.ASSIGN: "Assign",
    FixAction.NOTE: "Add the note",
    FixAction.ABANDON: "Give it up",
}

DONE: Mapping[FixAction, str] = {
    FixAction.OPEN: "Opened the fix",
    FixAction.DESCRIBE: "Said what goes wrong",
    FixAction.LINK_SIGNAL: "Linked a signal",
    FixAction.ADD_CAUSE: "Said why it goes wrong",
    FixAction.ADD_EVIDENCE: "Added evidence",
    FixAction.ADD_OPTION: "Added an option",
    FixAction.CHOOSE_OPTION: "Chose an option",
    FixAction.PLAN_MEASURE: "Planned a measure",
    FixAction.DROP_MEASURE: "Dropped a measure",
    FixAction.SIGN_OFF: "Signed the plan off",
    FixAction.REGISTER: "Registered the plan; how it is judged was frozen",
    FixAction.FINISH_MEASURE: "Said that a measure is done",
    FixAction.PUT_IN_PLACE: "Said that the change is in place",
    FixAction.LOOK: "The effect was looked at",
    FixAction.FIND_EFFECTIVE: "The change was found to work",
    FixAction.FIND_NOT_EFFECTIVE: "The change was found not to work; the fix is worked out again",
    FixAction.RELAPSE: "The failure came back; the fix is worked out again",
    FixAction.END_WATCH: "It went on working; the watch has ended",
    FixAction.LIST_AFFECTED: "Listed people to be helped",
    FixAction.APPROVE_WORDS: "Approved what people are told",
    FixAction.ASSIGN: "Gave it to another owner",
    FixAction.NOTE: "Note",
    FixAction.ABANDON: "Gave the fix up",
}

VERDICTS: Mapping[Verdict, str] = {
    Verdict.EFFECTIVE: "It works",
    Verdict.NOT_EFFECTIVE: "It does not work",
    Verdict.NOT_YET_KNOWN: "Not yet known",
}
OCCASIONS: Mapping[Occasion, str] = {
    Occasion.ACCEPTED: "At the start: we have taken it up",
    Occasion.JUDGED: "At the verdict: what came of it",
}


def verdict_words(fix: Fix) -> str:
    """Return what is known of a fix's effect, in a few words; nothing before the first look."""
    if fix.verdict is None:
        return "" if fix.state.is_final else last_attempt(fix)
    return VERDICTS[fix.verdict]


def outcome_of(fix: Fix, tongue: Tongue) -> str:
    """Return what came of a fix, as the public reads it."""
    match fix.state:
        case FixState.EFFECTIVE | FixState.CLOSED:
            return _works(fix, tongue)
        case FixState.MONITORED:
            return tongue.say("The change is in place. We look every week at whether it works.")
        case FixState.ABANDONED:
            return tongue.say("We gave this up.")
        case _ if fix.rounds:
            return tongue.say("Our first change did not work, so we are looking for another one.")
        case _:
            return tongue.say("We are working on it.")


def _works(fix: Fix, tongue: Tongue) -> str:
    """Return that a fix works, and by how much complaints fell where that is known."""
    if fix.effect is None or fix.effect.rate_ratio >= 1:
        return tongue.say("It works.")
    percent = round(100 * (1 - fix.effect.rate_ratio))
    return tongue.say("It works: there are %(percent)s percent fewer such complaints.", percent=percent)


def cannot_be_judged(fix: Fix) -> str:
    """Return why the effect of a change that is in place will not be known; "" where it may be."""
    if fix.plan is None or fix.changed_on is None:
        return ""
    weeks = weeks_to_compare_with(fix.plan, fix.changed_on)
    if weeks is None or weeks >= LEAST_WEEKS_BEFORE:
        return ""
    return (
        f"Only {counted(weeks, 'weeks')} to compare with lie before it, and with fewer than {LEAST_WEEKS_BEFORE} "
        "nothing can be said of its effect."
    )


def draft_of(fix: FixView, occasion: Occasion) -> str:
    """Return words to begin with: what people said, what was done, and what came of it."""
    said = fix.statement or fix.title
    if occasion is Occasion.ACCEPTED:
        chosen = next((option.words for option in fix.options if option.is_chosen), "")
        will = f"This is what we will do: {chosen}" if chosen else "We are looking for the cause, and will mend it."
        return f"You said: {said}\n\nYou were right, and we have taken it up. {will}"
    measures = [measure.words for measure in fix.measures if measure.done_on is not None and not measure.is_dropped]
    done = "\n".join(f"- {words}" for words in measures)
    effect = fix.effect or (fix.rounds[-1].effect if fix.rounds else None)
    found = " ".join(effect.sentences[:2]) if effect else ""
    return f"You said: {said}\n\nWe did:\n{done}\n\nWhat came of it: {found}"
