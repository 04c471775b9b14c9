# SPDX-License-Identifier: Apache-2.0
"""The words of a systemic fix: states, actions, kinds and strengths of measures, sources of evidence, verdicts.

Their values are stored in the record and held by CHECK constraints: changing one needs a migration.
"""

from __future__ import annotations

from enum import StrEnum


class _Word(StrEnum):
    @property
    def label(self) -> str:
        """The word as people read it."""
        return self.value.replace("_", " ").capitalize()


class FixState(_Word):
    """Where a fix stands."""

    NEW = "new"
    """Before its first event."""
    WORKED_OUT = "worked_out"
    """Statement, causes, evidence, options and measures are being put together."""
    IN_HAND = "in_hand"
    """The plan is registered and frozen; the measures are being carried out."""
    MONITORED = "monitored"
    """The change is in place; its effect is looked at every week."""
    EFFECTIVE = "effective"
    """It worked; a relapse opens it again."""
    CLOSED = "closed"
    """It worked, and went on working while it was watched."""
    ABANDONED = "abandoned"

    @property
    def label(self) -> str:
        """The word as people read it."""
        told = {FixState.WORKED_OUT: "Being worked out", FixState.MONITORED: "In place, watched weekly"}
        return told.get(self) or self.value.replace("_", " ").capitalize()

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens to it."""
        return self in {FixState.CLOSED, FixState.ABANDONED}


class FixAction(_Word):
    """What may be asked of a fix."""

    OPEN = "open"
    DESCRIBE = "describe"
    LINK_SIGNAL = "link_signal"
    ADD_CAUSE = "add_cause"
    ADD_EVIDENCE = "add_evidence"
    ADD_OPTION = "add_option"
    CHOOSE_OPTION = "choose_option"
    PLAN_MEASURE = "plan_measure"
    DROP_MEASURE = "drop_measure"
    SIGN_OFF = "sign_off"
    REGISTER = "register"
    FINISH_MEASURE = "finish_measure"
    PUT_IN_PLACE = "put_in_place"
    LOOK = "look"
    FIND_EFFECTIVE = "find_effective"
    FIND_NOT_EFFECTIVE = "find_not_effective"
    RELAPSE = "relapse"
    END_WATCH = "end_watch"
    LIST_AFFECTED = "list_affected"
    APPROVE_WORDS = "approve_words"
    ASSIGN = "assign"
    NOTE = "note"
    ABANDON = "abandon"


class Strength(_Word):
    """How far a measure depends on people remembering it (VA National Center for Patient Safety, action hierarchy)."""

    WEAKER = "weaker"
    INTERMEDIATE = "intermediate"
    STRONGER = "stronger"


class MeasureKind(_Word):
    """What is changed: the kinds that the 1995 memorandum names, action 4, with forms, systems and staffing."""

    PROCEDURE = "procedure"
    REGULATION = "regulation"
    GUIDANCE = "guidance"
    FORM = "form"
    TRAINING = "training"
    SYSTEM = "system"
    STAFFING = "staffing"


class CauseCategory(_Word):
    """The branches of the cause-and-effect diagram (Ishikawa), as services have them; codes of policy/taxonomy.csv."""

    PEOPLE = "PEO"
    POLICY = "POL"
    PROCESS = "PRO"
    TECHNOLOGY = "TEC"
    INFORMATION = "INF"
    CAPACITY = "CAP"
    PARTNER = "PAR"

    @property
    def label(self) -> str:
        """The word as people read it."""
        return self.name.capitalize()


class EvidenceSource(_Word):
    """Where evidence comes from; each is counted apart."""

    COMPLAINTS = "complaints"
    CONVERSATION = "conversation"
    SURVEY = "survey"
    EMPLOYEE_IDEA = "employee_idea"
    OTHER = "other"


class Verdict(_Word):
    """What a look at the effect says."""

    EFFECTIVE = "effective"
    NOT_EFFECTIVE = "not_effective"
    NOT_YET_KNOWN = "not_yet_known"


class Occasion(_Word):
    """When complainants and the public are told about a fix."""

    ACCEPTED = "accepted"
    JUDGED = "judged"


class Help(_Word):
    """What is done for each person on a list of those affected."""

    NOTIFY = "notify"
    REMEDY = "remedy"
