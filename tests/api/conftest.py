# SPDX-License-Identifier: Apache-2.0
"""The interface over a real record; what the workflow would decide is decided in this process."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.case_records import DatabaseCaseRecords
from activities.fix_records import DatabaseFixRecords
from activities.interface import Batch, CaseAddress, FixAddress, FixBatch
from activities.policies import Policies as WorkersPolicies
from api.actions import Busy
from api.app import create_app
from api.reads.answers import RecordedAnswers
from api.reads.database import Database
from api.reads.people import hash_of
from api.reads.policies import Policies
from api.services import Services, WebSettings
from models import lifecycle
from models.case import Case
from models.commands import SYSTEM, Command, SendReceipt
from models.events import Event
from models.fixes import lifecycle as fix_lifecycle
from models.fixes.commands import FixCommand
from models.fixes.fix import Fix, FixEvent
from models.fixes.story import apply as apply_to_fix
from models.story import apply
from models.terms import Role, State
from tests.given import a_key
from tests.record import WRAPPING_KEY, records_of
from workflows.complaint import Answer
from workflows.systemic_fix import FixAnswer

NOW = datetime(2026, 3, 4, 16, 30, tzinfo=UTC)
SECRETS_KEY = b"s" * 32


@dataclass(slots=True)
class DecidingHere:
    """Actions without Temporal: the same decisions on the same record, one at a time."""

    records: DatabaseCaseRecords
    fix_records: DatabaseFixRecords
    recorded: RecordedAnswers
    is_away: bool = False

    async def act(self, agency: str, case_id: UUID, command: Command) -> Answer:
        if (known := await self.recorded(agency, case_id, command)) is not None:
            assert isinstance(known, Answer)
            return known
        if self.is_away:
            raise Busy("The action has not been answered in time. Ask again with the same key.")
        case = await self.opened(agency, case_id)
        event = lifecycle.decide(case, command, NOW)
        await self._write(case, event)
        return Answer(sequence=event.sequence, state=event.target, at=event.at)

    async def opened(self, agency: str, case_id: UUID) -> Case:
        """Open the case of a bare receipt, as its workflow does first of all."""
        loaded = await self.records.load(CaseAddress(agency=agency, case_id=case_id))
        case = loaded.case
        if loaded.opening is None:
            return case
        for command in (loaded.opening, SendReceipt(actor=SYSTEM, key="send-receipt")):
            event = lifecycle.decide(case, command, case.counted_from)
            await self._write(case, event)
            case = apply(case, event)
        return case

    async def act_on_fix(self, agency: str, fix_id: UUID, command: FixCommand) -> FixAnswer:
        if (known := await self.recorded(agency, fix_id, command)) is not None:
            assert isinstance(known, FixAnswer)
            return known
        if self.is_away:
            raise Busy("The action has not been answered in time. Ask again with the same key.")
        event = fix_lifecycle.decide(await self.opened_fix(agency, fix_id), command, NOW)
        await self._write_of_fix(agency, event)
        return FixAnswer(sequence=event.sequence, state=event.target, at=event.at)

    async def opened_fix(self, agency: str, fix_id: UUID) -> Fix:
        """Open a fix that has no event yet, as its workflow does first of all."""
        loaded = await self.fix_records.load_fix(FixAddress(agency=agency, fix_id=fix_id))
        if loaded.opening is None:
            return loaded.fix
        event = fix_lifecycle.decide(loaded.fix, loaded.opening, NOW)
        await self._write_of_fix(agency, event)
        return apply_to_fix(loaded.fix, event)

    async def _write_of_fix(self, agency: str, event: FixEvent) -> None:
        recorded = await self.fix_records.record_fix(FixBatch(agency=agency, fix_id=event.fix_id, events=(event,)))
        assert recorded.was_appended

    async def _write(self, case: Case, event: Event) -> None:
        recorded = await self.records.record(Batch(agency=case.agency, case_id=case.id, events=(event,)))
        assert recorded.was_appended


@dataclass(slots=True)
class ConductorHere:
    """Temporal's other side, for tests."""

    is_up: bool = True
    asked: list[tuple[str, date]] = field(default_factory=list)

    async def is_there(self) -> bool:
        return self.is_up

    async def analyse(self, agency: str, as_of: date) -> str:
        self.asked.append((agency, as_of))
        return f"root-cause/{agency}/{as_of}"


@dataclass(slots=True)
class Front:
    """The interface with what a test needs around it."""

    app: FastAPI
    client: httpx.AsyncClient
    services: Services
    actions: DecidingHere
    conductor: ConductorHere
    owner: AsyncEngine
    worker: AsyncEngine

    async def token(self, role: Role, *, name: str | None = None, agency: str = "riverbend") -> dict[str, str]:
        """Return the headers of somebody of the agency in that role."""
        name, clear = name or f"{role.value}-{agency}", secrets.token_urlsafe(16)
        async with self.owner.begin() as connection:
            await connection.execute(
                text("""
                    INSERT INTO staff (agency, name, display_name, roles, teams)
                    VALUES (:agency, :name, :name, ARRAY[:role], '{general}')
                    ON CONFLICT (agency, name) DO UPDATE SET roles = staff.roles || excluded.roles
                """),
                {"agency": agency, "name": name, "role": role.value},
            )
            await connection.execute(
                text("INSERT INTO token (hash, agency, name, role, label, expires_at) VALUES (:h, :a, :n, :r, '', :e)"),
                {"h": hash_of(clear), "a": agency, "n": name, "r": role.value, "e": NOW + timedelta(days=1)},
            )
        return {"Authorization": f"Bearer {clear}"}

    async def file(self, **fields: object) -> dict[str, Any]:
        """File a complaint as the public does, and return its receipt."""
        body = {"agency": "riverbend", "narrative": "My form was lost.", "service": "benefits", "category": "too_slow"}
        answer = await self.client.post("/api/v1/complaints", json=body | fields, headers={"Idempotency-Key": a_key()})
        assert answer.status_code == 201, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def open_case(self, **fields: object) -> dict[str, Any]:
        """File a complaint and have its case opened."""
        taken = await self.file(**fields)
        await self.actions.opened(str(fields.get("agency", "riverbend")), UUID(taken["id"]))
        return taken

    async def act(
        self, case_id: str, headers: dict[str, str], key: str | None = None, **asked: object
    ) -> httpx.Response:
        """Ask for something to be done."""
        keyed = headers | {"Idempotency-Key": key or a_key()}
        return await self.client.post(f"/api/v1/complaints/{case_id}/actions", json=asked, headers=keyed)

    async def case_at(self, state: State, **fields: object) -> dict[str, Any]:
        """Return a complaint that caseworkers have brought to that state."""
        taken = await self.open_case(**fields)
        worker = await self.token(Role.CASEWORKER, name="ann")
        triage = {"issues": [{"number": 1, "service": "benefits", "category": "too_slow"}], "severity": 1}
        answer = {"text": "We found it.", "issues": [{"number": 1, "finding": "upheld", "remedies": ["apology"]}]}
        tag = {"issues": [{"number": 1, "cause": {"kind": "none", "reason": "N1"}}]}
        steps: list[dict[str, Any]] = [
            {"action": "triage"} | triage,
            {"action": "answer"} | answer,
            {"action": "tag_root_cause"} | tag,
            {"action": "close"},
        ]
        for asked in steps[: {State.IN_TRIAGE: 0, State.IN_RESOLUTION: 1, State.ANSWERED: 2, State.CLOSED: 4}[state]]:
            done = await self.act(taken["id"], worker, **asked)
            assert done.status_code == 200, done.text
        return taken


@pytest.fixture
async def front(api_engine: AsyncEngine, owner_engine: AsyncEngine, worker_engine: AsyncEngine) -> AsyncIterator[Front]:
    database = Database(api_engine)
    actions = DecidingHere(
        records_of(worker_engine), DatabaseFixRecords(worker_engine, WorkersPolicies()), RecordedAnswers(database)
    )
    conductor = ConductorHere()
    services = Services(
        database=database,
        policies=Policies(database),
        actions=actions,
        conductor=conductor,
        sign_in=None,
        settings=WebSettings("http://127.0.0.1:8000", "1000/minute", "10000/minute"),
        clock=lambda: NOW,
        case_keys=WRAPPING_KEY,
        complainant_secrets=SECRETS_KEY,
    )
    app = create_app(services)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        yield Front(app, client, services, actions, conductor, owner_engine, worker_engine)
