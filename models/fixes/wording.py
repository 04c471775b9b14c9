# SPDX-License-Identifier: Apache-2.0
"""What may be asked of a fix, in the words of the pages; refusals use the same."""

from __future__ import annotations

from collections.abc import Mapping

from models.fixes.terms import FixAction, FixState

ACTION_NAMES: Mapping[FixAction, str] = {
    FixAction.OPEN: "Open a fix",
    FixAction.DESCRIBE: "Say what goes wrong",
    FixAction.LINK_SIGNAL: "Link a signal",
    FixAction.ADD_CAUSE: "Say why it goes wrong",
    FixAction.ADD_EVIDENCE: "Add evidence",
    FixAction.ADD_OPTION: "Add an option",
    FixAction.CHOOSE_OPTION: "Choose an option",
    FixAction.PLAN_MEASURE: "Plan a measure",
    FixAction.DROP_MEASURE: "Drop a measure",
    FixAction.SIGN_OFF: "Sign the plan off",
    FixAction.REGISTER: "Register the plan, and begin",
    FixAction.FINISH_MEASURE: "A measure is done",
    FixAction.PUT_IN_PLACE: "The change is in place",
    FixAction.LIST_AFFECTED: "Help people who were affected",
    FixAction.APPROVE_WORDS: "Approve what people are told",
    FixAction.ASSIGN: "Give it to another owner",
    FixAction.NOTE: "Add a note",
    FixAction.ABANDON: "Give the fix up",
}
"""Every action a person may ask for; the rest are the process's own."""


def action_in_words(action: FixAction) -> str:
    """Return an action's name in quotation marks; the process's own by their word."""
    return f"“{ACTION_NAMES.get(action, action.label)}”"


def state_in_words(state: FixState) -> str:
    """Return how a fix stands, as it follows "is"."""
    return state.label.lower()
