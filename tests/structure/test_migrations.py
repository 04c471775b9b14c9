# SPDX-License-Identifier: Apache-2.0
"""Migrations go up, down and up again, and are quick or fail quickly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DataError

from run.migrate import MIGRATIONS, downgrade, migrate, upgrade
from tests.databases import Database
from tests.given import POLICY_FOLDER, a_policy
from tests.servers import PostgresServer
from tests.structure import schema

VERSIONS = sorted(path for path in (MIGRATIONS / "versions").glob("*.py") if path.name != "__init__.py")


@pytest.fixture
def empty(postgres_server: PostgresServer) -> Iterator[str]:
    name = postgres_server.new_database()
    yield name
    postgres_server.drop_database(name)


@pytest.fixture
def engine(postgres_server: PostgresServer, empty: str) -> Iterator[Engine]:
    engine = create_engine(postgres_server.url(database=empty))
    yield engine
    engine.dispose()


def contents(postgres_server: PostgresServer, database: str) -> list[tuple[str, str, str]]:
    with psycopg.connect(postgres_server.dsn(database=database)) as connection:
        return schema.objects(connection)


def test_up_down_and_up_again_leaves_what_up_left(postgres_server: PostgresServer, empty: str, engine: Engine) -> None:
    with engine.begin() as connection:
        upgrade(connection)
    first = contents(postgres_server, empty)
    with engine.begin() as connection:
        downgrade(connection)
    assert contents(postgres_server, empty) == []
    with engine.begin() as connection:
        upgrade(connection)

    assert contents(postgres_server, empty) == first
    assert {kind for kind, _, _ in first} == {"relation", "column", "constraint", "function", "trigger", "policy"}


def test_migrating_again_changes_nothing(postgres_server: PostgresServer, database: Database) -> None:
    now = datetime.now(UTC)
    migrate(database.owner_url, {POLICY_FOLDER: a_policy()}, {}, now=now)
    first = contents(postgres_server, database.name)
    with psycopg.connect(database.dsn()) as connection:
        versions = connection.execute("SELECT count(*) FROM policy_version").fetchone()
    migrate(database.owner_url, {POLICY_FOLDER: a_policy()}, {}, now=now)

    assert contents(postgres_server, database.name) == first
    with psycopg.connect(database.dsn()) as connection:
        assert connection.execute("SELECT count(*) FROM policy_version").fetchone() == versions


def test_a_migration_that_fails_leaves_nothing(postgres_server: PostgresServer, empty: str, engine: Engine) -> None:
    def upgrade_and_fail() -> None:
        with engine.begin() as connection:
            upgrade(connection)
            connection.exec_driver_sql("SELECT 1 / 0")

    with pytest.raises(DataError, match="division by zero"):
        upgrade_and_fail()

    assert contents(postgres_server, empty) == []


def test_there_is_one_newest_revision() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))

    assert len(ScriptDirectory.from_config(config).get_heads()) == 1


@pytest.mark.parametrize("version", VERSIONS, ids=lambda path: path.stem)
def test_a_migration_would_rather_fail_than_queue_everyone_behind_it(version: Path) -> None:
    source = version.read_text("utf-8")
    for direction in ("upgrade", "downgrade"):
        body = source.partition(f"def {direction}(")[2].partition("\ndef ")[0]
        assert "SET LOCAL lock_timeout" in body


@pytest.mark.parametrize("version", VERSIONS, ids=lambda path: path.stem)
def test_a_migration_is_named_by_its_number_and_what_it_does(version: Path) -> None:
    assert re.fullmatch(r"\d{4}_[a-z0-9_]+\.py", version.name)
