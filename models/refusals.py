# SPDX-License-Identifier: Apache-2.0
"""Refusals: one sentence with three readers (the API's problem, the greyed button, the log)."""

from __future__ import annotations


class Refused(Exception):
    """A request that the rules do not allow; its text is one sentence for a person."""

    @property
    def code(self) -> str:
        """The kind of refusal, stable for clients: such as `wrong-state`."""
        name = type(self).__name__
        return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")


class WrongState(Refused):
    """The complaint does not stand where this action begins."""


class WrongRole(Refused):
    """The action belongs to other people."""


class SamePerson(Refused):
    """The policy asks for another person."""


class NeedsApproval(Refused):
    """The answer must be approved by another person first."""


class OutsideAuthority(Refused):
    """The matter is beyond what this person may settle."""


class UnansweredIssue(Refused):
    """An issue of the complaint has no finding."""


class UntaggedIssue(Refused):
    """An issue of the complaint has no root cause and no stated reason why there is none."""


class UnknownIssue(Refused):
    """The complaint has no issue of that number, or it is named twice."""


class PauseSpent(Refused):
    """The clock of this complaint has been paused as often as the standard allows."""


class NoSuchOffices(Refused):
    """The signal is of offices that a fix cannot count."""


class TooLate(Refused):
    """The time in which this could be asked is over."""


class AlreadyDone(Refused):
    """What is asked has been done."""


class SameMatter(Refused):
    """An open fix deals with the same matter, and nobody said that a second one is meant."""


class Incomplete(Refused):
    """The command lacks something that this action needs."""


class Disposed(Refused):
    """The complaint's records have been destroyed, as the retention schedule says."""


class KeyReused(Refused):
    """The idempotency key has been used for another request."""


class Stale(Refused):
    """The complaint has changed since the asker looked at it."""
