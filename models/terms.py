# SPDX-License-Identifier: Apache-2.0
"""The words of the process: stages, states, actions, roles, clocks, findings.

Their values are stored in the record and shown by CHECK constraints: changing one needs a migration.
What leads from where to where stands in models/lifecycle.py.
"""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """The five stages a user sees."""

    INTAKE = "intake"
    TRIAGE = "triage"
    RESOLUTION = "resolution"
    ROOT_CAUSE = "root_cause"
    CLOSED = "closed"

    @property
    def label(self) -> str:
        """The word as people read it."""
        return self.value.replace("_", " ").capitalize()


class State(StrEnum):
    """Where a complaint stands; small on purpose, for it drives the machine."""

    NEW = "new"
    """A receipt is durable and its case is about to be opened; seen for a moment only."""
    RECEIVED = "received"
    IN_TRIAGE = "in_triage"
    IN_RESOLUTION = "in_resolution"
    WAITING_FOR_COMPLAINANT = "waiting_for_complainant"
    AWAITING_APPROVAL = "awaiting_approval"
    ANSWERED = "answered"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"
    DUPLICATE = "duplicate"

    @property
    def stage(self) -> Stage:
        """The stage that a user sees."""
        return _STAGE[self]

    @property
    def is_final(self) -> bool:
        """Whether the case is closed, one way or another."""
        return self.stage is Stage.CLOSED

    @property
    def label(self) -> str:
        """The word as people read it."""
        return self.value.replace("_", " ").capitalize()


_STAGE = {
    State.NEW: Stage.INTAKE,
    State.RECEIVED: Stage.INTAKE,
    State.IN_TRIAGE: Stage.TRIAGE,
    State.IN_RESOLUTION: Stage.RESOLUTION,
    State.WAITING_FOR_COMPLAINANT: Stage.RESOLUTION,
    State.AWAITING_APPROVAL: Stage.RESOLUTION,
    State.ANSWERED: Stage.ROOT_CAUSE,
    State.CLOSED: Stage.CLOSED,
    State.WITHDRAWN: Stage.CLOSED,
    State.DUPLICATE: Stage.CLOSED,
}

OPEN_STATES = frozenset(state for state in State if not state.is_final)


class Action(StrEnum):
    """What may be asked of a complaint."""

    RECEIVE = "receive"
    RECORD_AS_HISTORY = "record_as_history"
    SEND_RECEIPT = "send_receipt"
    ACKNOWLEDGE = "acknowledge"
    TRIAGE = "triage"
    ASSIGN = "assign"
    NOTE = "note"
    REQUEST_INFORMATION = "request_information"
    RECORD_INFORMATION = "record_information"
    PROPOSE_ANSWER = "propose_answer"
    APPROVE = "approve"
    SEND_BACK = "send_back"
    ANSWER = "answer"
    TAG_ROOT_CAUSE = "tag_root_cause"
    CLOSE = "close"
    WITHDRAW = "withdraw"
    MARK_DUPLICATE = "mark_duplicate"
    REOPEN = "reopen"
    WARN_OF_DEADLINE = "warn_of_deadline"
    ESCALATE = "escalate"

    @property
    def label(self) -> str:
        """The word as people read it."""
        return self.value.replace("_", " ").capitalize()


class Role(StrEnum):
    """Who asks."""

    COMPLAINANT = "complainant"
    INTAKE = "intake"
    CASEWORKER = "caseworker"
    SUPERVISOR = "supervisor"
    ANALYST = "analyst"
    LIAISON = "liaison"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    SYSTEM = "system"
    IMPORT = "import"


STAFF_ROLES = frozenset(Role) - {Role.COMPLAINANT, Role.SYSTEM, Role.IMPORT}


class ClockName(StrEnum):
    """The promises with a due date; their lengths stand in policy/service_standards.toml."""

    RECEIPT = "receipt"
    ACKNOWLEDGE = "acknowledge"
    ANSWER = "answer"
    TAG_AND_CLOSE = "tag_and_close"
    REVIEW = "review"


class Track(StrEnum):
    """How thoroughly a complaint is looked into, and so how long its answer may take."""

    FRONTLINE = "frontline"
    STANDARD = "standard"
    COMPLEX = "complex"


class Finding(StrEnum):
    """What the agency found for one issue of a complaint."""

    UPHELD = "upheld"
    PARTLY_UPHELD = "partly_upheld"
    NOT_UPHELD = "not_upheld"
    NOT_DETERMINED = "not_determined"
    WITHDRAWN = "withdrawn"
    NOT_CODED = "not_coded"
    """An imported historical case whose finding nobody coded; left out of every cause count."""


ANSWERED_AS = (Finding.UPHELD, Finding.PARTLY_UPHELD, Finding.NOT_UPHELD, Finding.NOT_DETERMINED)
"""What an answer may say of a point; the others are the process's own."""


class Scope(StrEnum):
    """How many people the failure touches."""

    ONE_PERSON = "one_person"
    GROUP = "group"
    ALL = "all"


class Remedy(StrEnum):
    """What the complainant gets."""

    APOLOGY = "apology"
    EXPLANATION = "explanation"
    CORRECTION = "correction"
    EXPEDITED = "expedited"
    REFUND = "refund"
    OTHER = "other"
    NONE = "none"
