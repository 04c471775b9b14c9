# SPDX-License-Identifier: Apache-2.0
"""The record for tests: receipts taken in as the API takes them in."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.case_records import DatabaseCaseRecords
from activities.interface import CaseAddress
from activities.policies import Policies
from api.writes.receipts import Accepted, accept
from models.receiving import Submission, intake_of
from tests.databases import Database
from tests.given import MONDAY, a_key

WRAPPING_KEY = b"w" * 32


@dataclass(frozen=True, slots=True)
class Record:
    """A database, as the API's role reaches it."""

    database: Database
    engine: AsyncEngine


@pytest.fixture
def record(database: Database, api_engine: AsyncEngine) -> Record:
    return Record(database, api_engine)


def a_submission(**facts: object) -> Submission:
    """Return a complaint as somebody sends it."""
    told = Submission(
        agency="riverbend",
        prefix="RIV",
        key=a_key(),
        narrative="My form was lost between two offices.",
        channel="web",
        received_at=MONDAY,
        received_on=MONDAY.date(),
        service="benefits",
        category="too_slow",
    )
    return dataclasses.replace(told, **facts)  # type: ignore[arg-type]


async def take_in(engine: AsyncEngine, submission: Submission) -> Accepted:
    """Accept a complaint: one that somebody sends is received in this moment, an imported one was some time ago."""
    is_older = submission.is_imported or submission.received_at is None
    accepted_at = datetime.now(UTC) if is_older else submission.received_at
    assert accepted_at is not None
    return await accept(engine, intake_of(submission, accepted_at, WRAPPING_KEY))


async def accepted(record: Record, **facts: object) -> CaseAddress:
    """Accept a complaint and return where its case is."""
    taken = await take_in(record.engine, a_submission(**facts))
    return CaseAddress(agency=taken.receipt.agency, case_id=taken.receipt.case_id)


def records_of(engine: AsyncEngine) -> DatabaseCaseRecords:
    """Return the record as the worker has it."""
    return DatabaseCaseRecords(engine, Policies(), mail_domain="example.gov", clock=lambda: datetime.now(UTC))
