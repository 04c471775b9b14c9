# SPDX-License-Identifier: Apache-2.0
"""Complaints whose words tell what they are about, led through their lives, for the tests of reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.case_records import OPENING_KEY
from activities.history import HistoryWriter, Story
from activities.policies import Policies
from models import lifecycle
from models.case import new_case
from models.commands import (
    SYSTEM,
    Answer,
    Close,
    Command,
    IssueAnswer,
    IssueTag,
    IssueTriage,
    NoFailure,
    ProcessFailure,
    Receive,
    SendReceipt,
    TagRootCause,
    Triage,
)
from models.events import Event
from models.receiving import Text, intake_of, text_of
from models.story import apply
from models.terms import Finding, Remedy, Scope, Track
from tests.given import ANN, MONDAY, a_key
from tests.record import WRAPPING_KEY, a_submission
from tests.unit.analytics.text.letters import TOPICS, letter

AGENCY = "riverbend"
NIGHT = datetime(2026, 3, 3, 8, tzinfo=MONDAY.tzinfo)
"""Two in the morning where the agency is, after MONDAY."""
CODES = {
    "lost document": ("HND3", "lost"),
    "late payment": ("TIM2", "too_slow"),
    "rude staff": ("CON1", "treated_badly"),
    "wrong decision": ("N1", "wrong_decision"),
}
"""The root cause and the kind of problem that people give to each topic."""


@dataclass(frozen=True, slots=True)
class Told:
    """A complaint: what it says, and what people have made of it by now."""

    words: str
    failure: str | None = None
    category: str | None = None
    """None: not triaged yet."""
    received_at: datetime = MONDAY


def told(count: int, seed: int, *, is_coded: bool = True, since: timedelta = timedelta(days=90)) -> list[Told]:
    """Return complaints of every topic by turns, spread over the time before NIGHT."""
    rng = np.random.default_rng(seed)
    topics = [topic for _ in range(count) for topic in TOPICS]
    step = since / len(topics)
    found = []
    for place, topic in enumerate(topics):
        failure, category = CODES[topic] if is_coded else (None, None)
        found.append(Told(letter(TOPICS[topic], rng), failure, category, NIGHT - since + step * place))
    return found


async def write(engine: AsyncEngine, complaints: Sequence[Told], agency: str = AGENCY) -> list[UUID]:
    """Write the complaints with their lives so far, and return their ids."""
    stories = [_story(one, agency) for one in complaints]
    await HistoryWriter(engine, Policies()).write(agency, stories, NIGHT)
    return [story.intake.receipt.case_id for story in stories]


def _story(one: Told, agency: str) -> Story:
    prefix = "RIV" if agency == AGENCY else "LAK"
    facts = {"agency": agency, "prefix": prefix, "narrative": one.words, "received_at": one.received_at}
    submission = a_submission(**facts, received_on=one.received_at.date(), category=None)
    intake = intake_of(submission, one.received_at, WRAPPING_KEY)
    case = new_case(intake.receipt)
    answer = text_of(case.id, "answer", "text", "We are sorry.")
    commands: list[Command] = [
        Receive(actor=SYSTEM, key=OPENING_KEY, receipt=intake.receipt, team="front_desk", policy_version=1),
        SendReceipt(actor=SYSTEM, key=a_key()),
    ]
    if one.category:
        commands += [triaged(one.category), _answered(answer)]
    if one.failure:
        commands += [_coded(one.failure), Close(actor=ANN, key=a_key())]
    events: list[Event] = []
    for number, command in enumerate(commands):
        events.append(lifecycle.decide(case, command, one.received_at + timedelta(hours=number)))
        case = apply(case, events[-1])
    texts: tuple[Text, ...] = (answer,) if one.category else ()
    return Story(intake, tuple(events), texts, goes_on=not case.state.is_final)


def triaged(category: str) -> Triage:
    """Return the triage of a complaint with one issue."""
    issue = IssueTriage(number=1, service="benefits", category=category)
    return Triage(actor=ANN, key=a_key(), issues=(issue,), severity=1, track=Track.STANDARD, team="front_desk")


def _answered(text: Text) -> Answer:
    found = IssueAnswer(number=1, finding=Finding.UPHELD, remedies=(Remedy.APOLOGY,))
    return Answer(actor=ANN, key=a_key(), text=text.ref, issues=(found,))


def _coded(code: str) -> TagRootCause:
    failed = ProcessFailure(failure=code, contributing_cause="PRO", severity=2, harm=2, scope=Scope.ONE_PERSON)
    cause = NoFailure(reason=code) if code.startswith("N") else failed
    return TagRootCause(actor=ANN, key=a_key(), issues=(IssueTag(number=1, cause=cause),))
