# SPDX-License-Identifier: Apache-2.0
"""Databases for tests: built by the migrations once, then copied for every test that asks."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from models.policy import Policy
from run.migrate import migrate
from run.settings import API_ROLE, WORKER_ROLE
from tests.given import POLICY_FOLDER, a_policy
from tests.servers import PostgresServer

SECOND_AGENCY = {"name": "Lakeside Permit Office", "slug": "lakeside", "reference_prefix": "LAK"}


def second_policy(first: Policy) -> Policy:
    """Return the policy of another agency, to prove that it sees nothing of the first."""
    return first.model_copy(update={"agency": first.agency.model_copy(update=SECOND_AGENCY)})


@dataclass(frozen=True, slots=True)
class Database:
    """A migrated database with two agencies."""

    server: PostgresServer
    name: str

    @property
    def owner_url(self) -> str:
        return self.server.url(database=self.name)

    @property
    def worker_url(self) -> str:
        return self.server.url(role=WORKER_ROLE, database=self.name)

    @property
    def api_url(self) -> str:
        return self.server.url(role=API_ROLE, database=self.name)

    def dsn(self) -> str:
        """psycopg's address for the superuser."""
        return self.server.dsn(database=self.name)


@pytest.fixture(scope="session")
def migrated_template(postgres_server: PostgresServer) -> str:
    name = postgres_server.new_database()
    policy = a_policy()
    policies = {POLICY_FOLDER: policy, POLICY_FOLDER / "second": second_policy(policy)}
    passwords = {WORKER_ROLE: "for tests", API_ROLE: "for tests"}
    migrate(postgres_server.url(database=name), policies, passwords, now=datetime.now(UTC))
    return name


@pytest.fixture
def database(postgres_server: PostgresServer, migrated_template: str) -> Iterator[Database]:
    name = postgres_server.new_database(template=migrated_template)
    yield Database(postgres_server, name)
    postgres_server.drop_database(name)


@contextlib.asynccontextmanager
async def _engine(url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(url, pool_size=10)
    try:
        yield engine
    finally:
        await engine.dispose()


@pytest.fixture
async def worker_engine(database: Database) -> AsyncIterator[AsyncEngine]:
    async with _engine(database.worker_url) as engine:
        yield engine


@pytest.fixture
async def api_engine(database: Database) -> AsyncIterator[AsyncEngine]:
    async with _engine(database.api_url) as engine:
        yield engine


@pytest.fixture
async def owner_engine(database: Database) -> AsyncIterator[AsyncEngine]:
    async with _engine(database.owner_url) as engine:
        yield engine
