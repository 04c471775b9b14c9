# SPDX-License-Identifier: Apache-2.0
"""The whole product for browser tests: real PostgreSQL, real Temporal, worker and API in a thread of their own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_urlsafe

import httpx
import psycopg
from psycopg.types.json import Jsonb

from api.reads.people import hash_of
from models.terms import Role
from run.account_writing import write_accounts
from run.accounts import ACCOUNTS
from run.api import run_api
from run.migrate import migrate
from run.settings import API_ROLE, WORKER_ROLE, Settings
from run.tokens import create_token
from run.worker import run_worker
from tests.given import POLICY_FOLDER, a_policy
from tests.servers import PostgresServer, TemporalServer

AGENCY = "riverbend"
READY_WITHIN_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Product:
    """A running installation with one agency and its staff."""

    base_url: str
    settings: Settings
    dsn: str

    def token(self, name: str) -> str:
        """Return a bearer token of an account in its first role."""
        role = next(account.roles[0] for account in ACCOUNTS if account.name == name)
        now = datetime.now(UTC)
        return create_token(self.settings, agency=AGENCY, name=name, role=role, label="test", days=1, now=now)

    def session(self, name: str, role: Role) -> str:
        """Return the secret of a browser session, as signing in begins one."""
        secret = token_urlsafe(32)
        self.write("browser_session", hash=hash_of(secret), agency=AGENCY, name=name, role=role.value)
        return secret

    def write(self, table: str, **row: object) -> None:
        """Write a row as the owner of the record; for registers that a background run would have written."""
        values = {name: Jsonb(value) if isinstance(value, dict) else value for name, value in row.items()}
        names, marks = ", ".join(values), ", ".join(f"%({name})s" for name in values)
        with psycopg.connect(self.dsn) as connection:
            connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)


@contextlib.contextmanager
def running_product(postgres: PostgresServer, temporal: TemporalServer, home: Path) -> Iterator[Product]:
    """Run worker and API until the block ends."""
    database = postgres.new_database()
    owner_url = postgres.url(database=database)
    migrate(
        owner_url, {POLICY_FOLDER: a_policy()}, {WORKER_ROLE: "for tests", API_ROLE: "for tests"}, now=datetime.now(UTC)
    )
    settings = _settings(postgres, temporal, database, home)
    settings.make_master_key()
    write_accounts(owner_url, a_policy().agency)
    product = Product(settings.public_url, settings, postgres.dsn(database=database))
    with _in_a_thread(settings):
        _wait_until_ready(settings.public_url)
        yield product


def _settings(postgres: PostgresServer, temporal: TemporalServer, database: str, home: Path) -> Settings:
    port = _free_port()
    told = {
        "HOME": str(home),
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "DATABASE_URL": postgres.url(database=database),
        "WORKER_DATABASE_URL": postgres.url(role=WORKER_ROLE, database=database),
        "API_DATABASE_URL": postgres.url(role=API_ROLE, database=database),
        "TEMPORAL_ADDRESS": temporal.address,
        "TEMPORAL_NAMESPACE": temporal.namespace,
        "MASTER_KEY_FILE": str(home / "master.key"),
        "RATE_LIMIT_PER_ADDRESS": "10000/minute",
        "RATE_LIMIT_IN_TOTAL": "10000/minute",
    }
    return Settings.load(environment={f"PUTRIGHT_{name}": value for name, value in told.items()})


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _in_a_thread(settings: Settings) -> Iterator[None]:
    """Run worker and API on a loop of their own, begun and ended in its thread: the test's thread has the driver's."""
    handle: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def everything() -> None:
        stop = asyncio.Event()
        handle.set_result((asyncio.get_running_loop(), stop))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(run_worker(settings, stop))
            tasks.create_task(run_api(settings, stop))

    thread = threading.Thread(target=lambda: asyncio.run(everything()))
    thread.start()
    loop, stop = handle.result()
    try:
        yield
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(stop.set)
        thread.join()


def _wait_until_ready(base_url: str) -> None:
    until = time.monotonic() + READY_WITHIN_SECONDS
    while True:
        try:
            if httpx.get(f"{base_url}/readyz").is_success:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < until, "the product is not ready in time"
        time.sleep(0.2)
