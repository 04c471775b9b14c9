# SPDX-License-Identifier: Apache-2.0
"""Bringing a database to the newest schema and policy; done again, it changes nothing.

`python -m run.migrate --check` takes a new database up, down and up again, and says whether the same stands there.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from alembic import command
from alembic.config import Config
from psycopg import sql
from rich.console import Console
from sqlalchemy import Connection, create_engine, func, insert, make_url, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from models.policy import Policy
from models.tables.receipts import agency as agency_table
from models.tables.receipts import policy_version
from run.embedded.processes import CannotStart
from run.embedded.temporary import temporary_postgres
from run.settings import API_ROLE, WORKER_ROLE, Settings

MIGRATIONS = Path(__file__).resolve().parents[1] / "migrations"
MONTHS_AHEAD = 6
_MIGRATING = 7_305_198_240_117
"""Number of the advisory lock that lets one process migrate at a time."""


def upgrade(connection: Connection) -> None:
    """Bring the schema to the newest revision, in the connection's transaction."""
    command.upgrade(_config(connection), "head")


def downgrade(connection: Connection) -> None:
    """Take every revision back."""
    command.downgrade(_config(connection), "base")


def migrate(database_url: str, policies: Mapping[Path, Policy], passwords: Mapping[str, str], *, now: datetime) -> None:
    """Bring schema, roles, partitions and policies up to date; everything or nothing.

    `passwords` by role lets the worker and the API sign in; an empty one leaves the role as it is.
    """
    engine = create_engine(database_url)
    try:
        with engine.begin() as connection:
            connection.execute(select(func.pg_advisory_xact_lock(_MIGRATING)))
            upgrade(connection)
            for role in (WORKER_ROLE, API_ROLE):
                _let_sign_in(connection, role, passwords.get(role, ""))
            make_months(connection, now.date() - timedelta(days=31), now.date() + timedelta(days=31 * MONTHS_AHEAD))
            for policy in policies.values():
                store_policy(connection, policy)
    finally:
        engine.dispose()


def make_months(connection: Connection, first: date, last: date) -> int:
    """Make the partitions of these months; return how many were missing."""
    return int(connection.execute(select(func.make_partitions(first, last))).scalar_one())


def store_policy(connection: Connection, policy: Policy) -> int:
    """Store the agency and this version of its policy unless it is the newest already; return its number."""
    agency = policy.agency
    row = {"prefix": agency.reference_prefix, "name": agency.name, "time_zone": agency.time_zone}
    connection.execute(
        upsert(agency_table).values(slug=agency.slug, **row).on_conflict_do_update(index_elements=["slug"], set_=row)
    )
    connection.execute(text("SELECT set_config('putright.agency', :slug, true)"), {"slug": agency.slug})
    newest = connection.execute(
        select(policy_version.c.version, policy_version.c.content_hash)
        .where(policy_version.c.agency == agency.slug)
        .order_by(policy_version.c.version.desc())
        .limit(1)
    ).one_or_none()
    if newest is not None and newest.content_hash == policy.content_hash:
        return int(newest.version)
    version = (newest.version if newest else 0) + 1
    effective_from = datetime.combine(policy.effective_on, datetime.min.time(), ZoneInfo(agency.time_zone))
    connection.execute(
        insert(policy_version).values(
            agency=agency.slug,
            version=version,
            content_hash=policy.content_hash,
            effective_from=effective_from.astimezone(UTC),
            document=policy.model_dump(mode="json"),
        )
    )
    return int(version)


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _let_sign_in(connection: Connection, role: str, password: str) -> None:
    if password:
        statement = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
        connection.exec_driver_sql(statement.as_string())


def role_passwords(settings: Settings) -> dict[str, str]:
    """Return what the worker's and the API's roles sign in with: what their addresses say, or something random.

    Embedded, nobody types them: the socket's folder lets only us in.
    """
    addresses = {WORKER_ROLE: settings.worker_database_url, API_ROLE: settings.api_database_url}
    told = {role: make_url(url).password or "" for role, url in addresses.items() if url}
    return {role: str(password) or secrets.token_urlsafe(32) for role, password in told.items()}


def check(database_url: str) -> str:
    """Take an empty database up, down and up again; return what is wrong in a sentence, or nothing."""
    engine = create_engine(database_url)
    try:
        with engine.begin() as connection:
            upgrade(connection)
            first = _columns(connection)
        with engine.begin() as connection:
            downgrade(connection)
            left = _columns(connection)
        with engine.begin() as connection:
            upgrade(connection)
            second = _columns(connection)
    finally:
        engine.dispose()
    if left:
        return f"The way down leaves {', '.join(sorted({table for table, *_ in left}))} behind."
    return "" if first == second else "After up, down and up again other columns stand there than at first."


def _columns(connection: Connection) -> list[tuple[str, ...]]:
    query = text("""
        SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name <> 'alembic_version' ORDER BY table_name, ordinal_position
    """)
    return [tuple(row) for row in connection.execute(query)]


def main(arguments: list[str]) -> int:
    """Check the migrations on a PostgreSQL of their own; return the exit code."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if arguments != ["--check"]:
        console.print("Usage: python -m run.migrate --check (to bring a database up to date: putright migrate)")
        return 2
    try:
        with temporary_postgres(durable=False) as running:
            wrong = check(running.server.url())
    except CannotStart as problem:
        console.print(str(problem))
        return 3
    console.print(wrong or "The migrations go up, down and up again.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
