# SPDX-License-Identifier: Apache-2.0
"""Real servers for tests: PostgreSQL 18 and Temporal, started as the product starts them, in folders of their own.

Ask for the fixtures `postgres_server` and `temporal_server` (one each per test process, so also per xdist worker), or
use the context managers where a test kills or restarts its own. Nothing is shared with an installation on the machine.
"""

import contextlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from run.embedded import postgres, processes, temporal
from run.embedded.temporary import START_WITHIN_SECONDS, TemporaryPostgres, temporary_folder, temporary_postgres
from run.settings import DATABASE, EMBEDDED_SUPERUSER, libpq_url


@dataclass(slots=True)
class PostgresServer:
    """A running PostgreSQL with an empty database `putright`, where tests make databases of their own."""

    running: TemporaryPostgres

    @property
    def server(self) -> postgres.EmbeddedPostgres:
        """How it is run."""
        return self.running.server

    @property
    def child(self) -> processes.Child:
        """The process that runs now."""
        return self.running.child

    def url(self, *, role: str = EMBEDDED_SUPERUSER, database: str = DATABASE) -> str:
        """SQLAlchemy's address (postgresql+psycopg://…); the superuser's unless a role is named."""
        return self.server.url(role=role, database=database)

    def dsn(self, *, role: str = EMBEDDED_SUPERUSER, database: str = DATABASE) -> str:
        """psycopg's address of the same."""
        return libpq_url(self.url(role=role, database=database))

    def new_database(self, *, template: str = "template0") -> str:
        """Make a database (a copy of `template`, which nobody may be using) and return its name."""
        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(self.dsn(database="postgres"), autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
            )
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, ending whoever still uses it."""
        with psycopg.connect(self.dsn(database="postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def kill(self) -> None:
        """End the server as kill -9 does."""
        self.running.kill()

    def start_again(self) -> None:
        """Start the server on the data it had."""
        self.running.start_again()


@dataclass(slots=True)
class TemporalServer:
    """A running Temporal server."""

    server: temporal.EmbeddedTemporal
    log_file: Path
    child: processes.Child

    @property
    def address(self) -> str:
        """Where a client connects: host:port."""
        return self.server.address

    @property
    def namespace(self) -> str:
        """The namespace that exists on it, with the product's search attributes."""
        return self.server.namespace

    def kill(self) -> None:
        """End the server as kill -9 does."""
        self.child.process.kill()
        self.child.process.wait()

    def start_again(self) -> None:
        """Start the server on the same port, with the store it had if that is a file."""
        self.child = processes.start(self.server.program(), self.log_file)
        temporal.wait_until_ready(self.server, self.child, within_seconds=START_WITHIN_SECONDS)


@contextlib.contextmanager
def embedded_postgres(*, durable: bool = True) -> Iterator[PostgresServer]:
    """Run PostgreSQL in a new folder until the block ends; `durable=False` switches fsync off."""
    with temporary_postgres(durable=durable) as running:
        yield PostgresServer(running)


@contextlib.contextmanager
def temporal_dev_server(
    *,
    namespace: str = "putright",
    on_file: bool = False,
    time_skipping: bool = False,
    dynamic_settings: Mapping[str, str] | None = None,
) -> Iterator[TemporalServer]:
    """Run Temporal on a free port until the block ends, its store in memory unless `on_file`.

    With `time_skipping`, `WorkflowEnvironment.start_time_skipping_v2` features work against this server too.
    """
    with temporary_folder() as folder:
        settings = {**(temporal.TIME_SKIPPING if time_skipping else {}), **(dynamic_settings or {})}
        server = temporal.EmbeddedTemporal(
            port=temporal.free_port(),
            namespace=namespace,
            folder=folder,
            on_file=on_file,
            dynamic_settings=settings,
        )
        log_file = folder / "log" / "temporal.log"
        running = TemporalServer(server, log_file, processes.start(server.program(), log_file))
        try:
            temporal.wait_until_ready(server, running.child, within_seconds=START_WITHIN_SECONDS)
            yield running
        finally:
            running.child.stop()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL for this test process, as durable as the product's."""
    with embedded_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def temporal_server() -> Iterator[TemporalServer]:
    """One Temporal for this test process, in memory, able to skip time."""
    with temporal_dev_server(time_skipping=True) as server:
        yield server
