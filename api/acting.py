# SPDX-License-Identifier: Apache-2.0
"""From what somebody asks of a case to its answer: checked on the read model, texts put away, decided by the workflow.

Pages and the JSON interface both come through here. What the read model refuses never reaches Temporal; what it grants
is decided again by the workflow, which alone knows the present.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel

from api.codes import CodeCheck
from api.problems import NotFound
from api.reads.answers import is_recorded
from api.reads.cases import case_by_id, id_of_reference
from api.reads.people import colleagues
from api.services import Services
from api.shapes_actions import (
    ActionAsked,
    AnswerAsked,
    AssignAsked,
    MarkDuplicateAsked,
    ProposeAnswerAsked,
    ReopenAsked,
    TagRootCauseAsked,
    TriageAsked,
)
from api.writes.texts import put_texts
from models import lifecycle
from models.authority import needs_approval, refusal_of_answer, refusal_of_remedies, refusal_of_review
from models.case import Case
from models.clocks import Rules
from models.commands import COMMAND, Actor, Command, ProcessFailure
from models.messages import ContentRef
from models.policy import Policy
from models.receiving import Text, text_of
from models.refusals import Refused
from models.taxonomy import Kind
from models.terms import Action, Role, State
from workflows.complaint import Answer

TAKERS = frozenset({Role.INTAKE, Role.CASEWORKER, Role.SUPERVISOR})
"""Whom a case can be given to."""
_OPENING = frozenset({State.NEW, State.RECEIVED})
_TEXT_KIND = {
    Action.ACKNOWLEDGE: "acknowledgement",
    Action.NOTE: "note",
    Action.REQUEST_INFORMATION: "question",
    Action.RECORD_INFORMATION: "information",
    Action.PROPOSE_ANSWER: "answer",
    Action.ANSWER: "answer",
    Action.SEND_BACK: "reason",
    Action.WITHDRAW: "withdrawal",
    Action.REOPEN: "review",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a case stands when something is asked of it."""

    case: Case
    is_recorded: bool
    """Whether the record holds the key already: then the first answer is given, whatever stands now."""
    takers: frozenset[str]
    other_case_id: UUID | None
    """The case that this one is said to be a duplicate of, if there is one."""


def key_for(actor: Actor, key: str) -> str:
    """Return the command's key: nobody's key can be taken for another person's, or for the process's own."""
    return f"{actor.name}:{key}"


async def act(
    services: Services,
    agency: str,
    actor: Actor,
    case_id: UUID,
    asked: ActionAsked,
    *,
    key: str,
    expected_sequence: int | None = None,
) -> Answer:
    """Have something done to a case, once per key; raises NotFound, Unprocessable, Refused, Busy or RecordAway."""
    command_key = key_for(actor, key)
    now = services.clock()
    standing = await _standing(services, agency, case_id, asked, command_key)
    case = standing.case
    policy = (await services.policies.of_case(case, now)).policy
    if not standing.is_recorded:
        if (stale := lifecycle.why_stale(case, expected_sequence)) is not None:
            raise stale
        rules = await services.policies.rules(case, now)
        _refuse_what_is_refused(case, actor, asked, policy, rules, now)
        _check_codes(asked, policy, standing, now)
    texts = _texts(case_id, command_key, asked)
    if not (standing.is_recorded or case.state in _OPENING):
        # Before a text is stored: a text that is corrected after a refusal may come under the same key.
        as_they_stand = {told.kind: told.ref for told in texts}
        lifecycle.decide(case, _command(asked, actor, command_key, as_they_stand, case, policy, standing), now)
    refs = await put_texts(services.database, agency, case_id, texts)
    command = _command(asked, actor, command_key, refs, case, policy, standing)
    # What stands here may change before the workflow decides; it looks again.
    conditional = command.model_copy(update={"expected_sequence": expected_sequence})
    return await services.actions.act(agency, case_id, conditional)


async def _standing(services: Services, agency: str, case_id: UUID, asked: ActionAsked, command_key: str) -> Standing:
    async with services.database.of(agency) as connection:
        case = await case_by_id(connection, case_id)
        if case is None:
            raise NotFound("There is no such complaint.")
        names_people = isinstance(asked, TriageAsked | AssignAsked | ReopenAsked)
        people = await colleagues(connection) if names_people else []
        other = None
        if isinstance(asked, MarkDuplicateAsked):
            other = await id_of_reference(connection, asked.duplicate_of) or _uuid(asked.duplicate_of)
            if other is not None and await case_by_id(connection, other) is None:
                other = None
        return Standing(
            case=case,
            is_recorded=await is_recorded(connection, case_id, command_key),
            takers=frozenset(person.name for person in people if not TAKERS.isdisjoint(person.roles)),
            other_case_id=other,
        )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _refuse_what_is_refused(
    case: Case, actor: Actor, asked: ActionAsked, policy: Policy, rules: Rules, now: datetime
) -> None:
    """Raise the reason why not, before anything is stored; a case that is just being opened is left to its workflow."""
    refused: Refused | None = None
    if case.state not in _OPENING:
        refused = lifecycle.why_not(case, asked.action, actor)
    if refused is None and isinstance(asked, AnswerAsked | ProposeAnswerAsked):
        refused = refusal_of_remedies(asked.issues, policy.severity)
    if refused is None and isinstance(asked, AnswerAsked):
        refused = refusal_of_answer(case, actor, asked.issues, policy.severity)
    if refused is None and isinstance(asked, ReopenAsked):
        refused = refusal_of_review(case, actor, rules, now)
    if refused is not None:
        raise refused


def _check_codes(asked: ActionAsked, policy: Policy, standing: Standing, now: datetime) -> None:
    today = policy.calendar.local_date(now)
    check = CodeCheck(policy, today)
    match asked:
        case TriageAsked():
            for number, issue in enumerate(asked.issues):
                check.service(f"issues.{number}.service", issue.service)
                check.term(f"issues.{number}.category", issue.category, Kind.INTAKE)
            check.office("office", asked.office)
            check.team("team", asked.team)
            check.person("owner", asked.owner, standing.takers)
        case AssignAsked():
            check.team("team", asked.team)
            check.person("owner", asked.owner, standing.takers)
            if asked.follow_up_on is not None and asked.follow_up_on < today:
                check.refuse("follow_up_on", "'follow_up_on': this day is over; name today or a day to come.")
        case ReopenAsked():
            check.person("reviewer", asked.reviewer, standing.takers)
        case TagRootCauseAsked():
            _check_causes(check, asked)
        case MarkDuplicateAsked() if standing.other_case_id is None:
            check.refuse("duplicate_of", f"'duplicate_of': there is no complaint '{asked.duplicate_of}' here.")
    check.done()


def _check_causes(check: CodeCheck, asked: TagRootCauseAsked) -> None:
    for number, issue in enumerate(asked.issues):
        field = f"issues.{number}.cause"
        if isinstance(issue.cause, ProcessFailure):
            check.term(f"{field}.failure", issue.cause.failure, Kind.FAILURE)
            check.term(f"{field}.contributing_cause", issue.cause.contributing_cause, Kind.CAUSE)
        else:
            check.term(f"{field}.reason", issue.cause.reason, Kind.NON_FAILURE)


def _texts(case_id: UUID, key: str, asked: BaseModel) -> list[Text]:
    if isinstance(asked, TriageAsked):
        return [text_of(case_id, key, f"issue-{i.number}", i.words) for i in asked.issues if i.words is not None]
    body: str | None = getattr(asked, "text", None)
    if body is None:
        return []
    return [text_of(case_id, key, _TEXT_KIND[asked.action], body)]  # type: ignore[attr-defined]  # every action's shape has it


def _command(
    asked: ActionAsked,
    actor: Actor,
    key: str,
    refs: dict[str, ContentRef],
    case: Case,
    policy: Policy,
    standing: Standing,
) -> Command:
    told = asked.model_dump(mode="json", exclude_none=True, exclude={"text"}) | {"actor": actor, "key": key}
    if isinstance(asked, TriageAsked):
        told |= _triaged(asked, refs, case, policy)
    elif isinstance(asked, MarkDuplicateAsked):
        told["duplicate_of"] = standing.other_case_id
    elif refs:
        told["text"] = next(iter(refs.values()))
    return COMMAND.validate_python(told)


def _triaged(asked: TriageAsked, refs: dict[str, ContentRef], case: Case, policy: Policy) -> dict[str, object]:
    first = asked.issues[0]
    # The receipt's office, not the present one: the same request must make the same command whenever it is repeated.
    office = asked.office or case.receipt.office
    route = policy.route(service=first.service, category=first.category, severity=asked.severity, office=office)
    return {
        "issues": [
            {"number": i.number, "service": i.service, "category": i.category, "words": refs.get(f"issue-{i.number}")}
            for i in asked.issues
        ],
        "track": asked.track or route.track,
        "team": asked.team or route.team,
        "approval_required": needs_approval(asked.severity, policy.severity),
        "vulnerable_stands": None if "vulnerable" in asked.model_fields_set else True,
    }
