# SPDX-License-Identifier: Apache-2.0
"""The words of signals: what kind they are of, where they stand, why they wait, what speaks of them beside complaints.

Their values are stored in the record or answered by its function `signal_states` (migrations/sql/0001_h_signals.sql).
"""

from __future__ import annotations

from enum import StrEnum


class SignalKind(StrEnum):
    """What the weekly look saw first of a matter."""

    SURGE = "surge"
    """More than before: a window of weeks holds more than chance explains."""
    STANDING = "standing"
    """Always too many: out of proportion to what other places lead one to expect."""
    CREEP = "creep"
    """A little more every week, for a long time."""


class SignalState(StrEnum):
    """Where a signal stands on a day."""

    TO_DECIDE = "to_decide"
    SNOOZED = "snoozed"
    """Put off to a day to come; then it waits for a decision again by itself."""
    SILENCED = "silenced"
    """Decided to be no problem, as long as its excess does not grow."""
    TAKEN_UP = "taken_up"
    """A fix deals with it."""
    EXPIRED = "expired"
    """The looks have not seen it again for so long that the same failure would be a new signal."""


class Waiting(StrEnum):
    """Why a signal waits for a decision."""

    NEW = "new"
    DAY_HAS_COME = "day_has_come"
    GROWN = "grown"
    FIX_ENDED = "fix_ended"


class BesideComplaints(StrEnum):
    """Where evidence comes from that is no complaint; each is counted apart."""

    EVENT = "event"
    SURVEY = "survey"
    EMPLOYEE_IDEA = "employee_idea"
    OTHER = "other"
