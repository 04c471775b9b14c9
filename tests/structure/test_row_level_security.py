# SPDX-License-Identifier: Apache-2.0
"""Agencies are apart, and every role can do what it must and no more: a forgotten filter finds nothing."""

from __future__ import annotations

import importlib
import pkgutil
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.types.json import Jsonb
from sqlalchemy import Column, Table

import models.tables
from models.tables import cases
from models.tables.base import METADATA
from run.settings import API_ROLE, REPORTING_ROLE, WORKER_ROLE
from tests.databases import SECOND_AGENCY, Database
from tests.servers import PostgresServer
from tests.structure import schema

for module in pkgutil.iter_modules(models.tables.__path__, "models.tables."):
    importlib.import_module(module.name)

DISPOSAL_ROLE = "putright_disposal"
ROLES = (WORKER_ROLE, API_ROLE, REPORTING_ROLE, DISPOSAL_ROLE)
FIRST, SECOND = "riverbend", SECOND_AGENCY["slug"]
OF_AN_AGENCY = sorted(name for name, table in METADATA.tables.items() if "agency" in table.columns)
CASE_TABLES = sorted(table.name for table in vars(cases).values() if isinstance(table, Table))
WITHOUT_POLICY = {
    "receipt_pending": "a queue over all agencies: ids only",
    "outbox_pending": "a queue over all agencies: ids only",
    "affected_pending": "a queue over all agencies: ids only",
    "fix_pending": "a queue over all agencies: ids only",
    "case_search": "read by search_cases alone, which filters by itself; full-text operators are not leakproof",
    "staff_identity": "sign-in comes before the agency is known; read by functions alone",
    "token": "sign-in comes before the agency is known; read by functions alone",
    "browser_session": "sign-in comes before the agency is known; read by functions alone",
}
"""Tables with an agency and no row-level security, and why that is safe: the API's role may not read them."""
CHECKED_WORDS = {
    "state": "received",
    "stage": "intake",
    "measure": "cause",
    "kind": "cell",
    "what": "case",
    "what_changed": "added",
    "decision": "accept",
    "no_failure": None,
    "defer_until": None,
    "name": "ann",
}
"""Columns whose values a CHECK watches."""
OTHER_WORDS: dict[str, dict[str, object]] = {
    "attachment": {"state": "clean", "name": uuid.uuid4()},
    "affected_list": {"help": "notify", "occasion": "accepted"},
    "affected_person": {"result": None, "reason": None, "done_at": None},
    "fix_event": {"state": "worked_out"},
    "fix_file": {"state": "worked_out", "verdict": None},
    "signal_evidence": {"source": "event"},
    "text_drift": {"kind": "failure"},
    "text_model": {"kind": "failure"},
    "text_suggestion": {"kind": "failure"},
}
"""Where a table has words of its own for such a column."""


@pytest.fixture(scope="module")
def filled(postgres_server: PostgresServer, migrated_template: str) -> Iterator[Database]:
    """A database in which every table of an agency holds a row of either agency."""
    database = Database(postgres_server, postgres_server.new_database(template=migrated_template))
    with psycopg.connect(database.dsn()) as connection:
        connection.execute("SET session_replication_role = replica")  # rows refer to nothing; the checks still hold
        for table in OF_AN_AGENCY:
            for agency in (FIRST, SECOND):
                write_row(connection, METADATA.tables[table], agency)
    yield database
    postgres_server.drop_database(database.name)


def write_row(connection: psycopg.Connection, table: Table, agency: str) -> None:
    row = {column.name: value_for(column) for column in table.columns if column.server_default is None}
    row |= {"agency": agency} | OTHER_WORDS.get(table.name, {})
    names, holders = ", ".join(row), ", ".join(f"%({name})s" for name in row)
    connection.execute(f"INSERT INTO {table.name} ({names}) VALUES ({holders}) ON CONFLICT DO NOTHING", row)


def value_for(column: Column[Any]) -> object:
    if column.name in CHECKED_WORDS:
        return CHECKED_WORDS[column.name]
    kind = schema.type_of(column)
    values: dict[str, object] = {
        "uuid": uuid.uuid4(),
        "text": uuid.uuid4().hex,
        "text[]": ["x"],
        "bytea": uuid.uuid4().bytes,
        "jsonb": Jsonb({}),
        "boolean": True,
        "date": date(2026, 3, 2),
        "timestamp with time zone": datetime(2026, 3, 2, tzinfo=UTC),
        "tsvector": "x",
        "xid8": "1",
        "uuid[]": [uuid.uuid4()],
        "double precision[]": [0.5],
    }
    return values.get(kind, 1)


def as_role(connection: psycopg.Connection, role: str, agency: str | None) -> None:
    connection.execute(f"SET LOCAL ROLE {role}")
    if agency is not None:
        connection.execute("SELECT set_config('putright.agency', %s, true)", [agency])


def may(connection: psycopg.Connection, role: str, right: str, table: str) -> bool:
    (granted,) = connection.execute("SELECT has_table_privilege(%s, %s, %s)", [role, table, right]).fetchone() or (
        None,
    )
    return bool(granted)


@pytest.fixture
def owner(filled: Database) -> Iterator[psycopg.Connection]:
    """The owner's connection, in a transaction that ends with the test."""
    with psycopg.connect(filled.dsn()) as connection:
        yield connection
        connection.rollback()


def readable(connection: psycopg.Connection, role: str) -> list[str]:
    return [t for t in OF_AN_AGENCY if may(connection, role, "SELECT", t) and t not in WITHOUT_POLICY]


@pytest.mark.parametrize("table", OF_AN_AGENCY)
def test_the_test_itself_has_rows_of_both_agencies_to_hide(owner: psycopg.Connection, table: str) -> None:
    agencies = {slug for (slug,) in owner.execute(f"SELECT agency FROM {table}").fetchall()}

    assert {FIRST, SECOND} <= agencies


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("agency", [None, "", "nowhere"], ids=["nothing set", "empty", "unknown"])
def test_a_forgotten_agency_finds_nothing(owner: psycopg.Connection, role: str, agency: str | None) -> None:
    tables = readable(owner, role)
    assert tables
    as_role(owner, role, agency)

    found = {table: owner.execute(f"SELECT count(*) FROM {table}").fetchone() for table in tables}

    assert found == dict.fromkeys(tables, (0,))


@pytest.mark.parametrize("role", ROLES)
def test_a_forgotten_filter_finds_the_own_agency_only(owner: psycopg.Connection, role: str) -> None:
    tables = readable(owner, role)
    as_role(owner, role, FIRST)

    for table in tables:
        agencies = {slug for (slug,) in owner.execute(f"SELECT agency FROM {table}").fetchall()}
        assert agencies == {FIRST}, table


def test_the_worker_cannot_write_for_another_agency_than_the_one_it_has_set(owner: psycopg.Connection) -> None:
    writable = [t for t in OF_AN_AGENCY if t not in WITHOUT_POLICY and may(owner, WORKER_ROLE, "INSERT", t)]
    assert set(CASE_TABLES) - WITHOUT_POLICY.keys() <= set(writable)
    as_role(owner, WORKER_ROLE, FIRST)

    for table in writable:
        with pytest.raises(errors.InsufficientPrivilege, match="row-level security"), owner.transaction():
            write_row(owner, METADATA.tables[table], SECOND)


@pytest.mark.parametrize("table", OF_AN_AGENCY)
def test_every_table_of_an_agency_is_guarded_or_closed_to_the_api(owner: psycopg.Connection, table: str) -> None:
    query = "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = %s::regclass"
    (is_guarded,) = owner.execute(query, [table]).fetchone() or (None,)

    assert is_guarded is (table not in WITHOUT_POLICY)
    if table in WITHOUT_POLICY:
        assert not may(owner, API_ROLE, "SELECT", table)
        assert not may(owner, REPORTING_ROLE, "SELECT", table)


@pytest.mark.parametrize("right", ["INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"])
def test_the_api_cannot_write_a_case(owner: psycopg.Connection, right: str) -> None:
    assert [table for table in CASE_TABLES if may(owner, API_ROLE, right, table)] == []


@pytest.mark.parametrize("right", ["DELETE", "TRUNCATE"])
def test_the_api_deletes_nothing_at_all(owner: psycopg.Connection, right: str) -> None:
    assert [table for table in METADATA.tables if may(owner, API_ROLE, right, table)] == []


@pytest.mark.parametrize("table", ["receipt", "receipt_pending", "content", "case_key", "policy_version", "agency"])
def test_the_api_takes_in_complaints_through_its_door_alone(owner: psycopg.Connection, table: str) -> None:
    assert not any(may(owner, API_ROLE, right, table) for right in ("INSERT", "UPDATE"))


@pytest.mark.parametrize("table", ["case_search", "case_key", "token", "browser_session", "staff_identity"])
def test_what_only_functions_may_read_is_closed(owner: psycopg.Connection, table: str) -> None:
    as_role(owner, API_ROLE, FIRST)

    with pytest.raises(errors.InsufficientPrivilege):
        owner.execute(f"SELECT FROM {table}")


def test_reporting_reads_nothing_of_a_single_case_and_writes_nothing(owner: psycopg.Connection) -> None:
    of_a_case = {name for name, table in METADATA.tables.items() if "case_id" in table.columns}
    may_read = {name for name in METADATA.tables if may(owner, REPORTING_ROLE, "SELECT", name)}

    assert may_read.isdisjoint(of_a_case)
    assert "cell_day" in may_read
    for right in ("INSERT", "UPDATE", "DELETE", "TRUNCATE"):
        assert [name for name in METADATA.tables if may(owner, REPORTING_ROLE, right, name)] == []


@pytest.mark.parametrize("table", ["case_event", "receipt", "content", "cell_delta", "queue_delta", "anchor"])
@pytest.mark.parametrize("right", ["UPDATE", "DELETE", "TRUNCATE"])
def test_the_worker_cannot_rewrite_the_past(owner: psycopg.Connection, table: str, right: str) -> None:
    assert not may(owner, WORKER_ROLE, right, table)


def test_disposal_removes_content_and_destroys_keys_and_that_is_all(owner: psycopg.Connection) -> None:
    removable = {name for name in METADATA.tables if may(owner, DISPOSAL_ROLE, "DELETE", name)}
    assert removable == {"content", "fix_text", "signal_evidence"}
    assert [name for name in METADATA.tables if may(owner, DISPOSAL_ROLE, "UPDATE", name)] == ["case_key"]


@pytest.mark.parametrize("table", ["content", "fix_text", "signal_evidence"])
def test_words_are_removed_by_disposal_of_their_own_agency_and_altered_by_nobody(
    owner: psycopg.Connection, table: str
) -> None:
    with pytest.raises(errors.RestrictViolation), owner.transaction():
        owner.execute(f"UPDATE {table} SET agency = agency")
    as_role(owner, DISPOSAL_ROLE, FIRST)

    removed = owner.execute(f"DELETE FROM {table} RETURNING agency").fetchall()

    assert {agency for (agency,) in removed} == {FIRST}


@pytest.mark.parametrize("right", ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"])
def test_nobody_may_go_round_by_a_partition(owner: psycopg.Connection, right: str) -> None:
    partitions = owner.execute(
        "SELECT oid::regclass::text FROM pg_class WHERE relispartition AND relkind = 'r'"
    ).fetchall()
    assert len(partitions) > 2

    assert [name for (name,) in partitions for role in ROLES if may(owner, role, right, name)] == []


def test_no_role_is_above_the_rules(owner: psycopg.Connection) -> None:
    query = """SELECT rolname FROM pg_roles WHERE rolname = ANY (%s)
               AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb)"""

    assert owner.execute(query, [list(ROLES)]).fetchall() == []


def test_a_function_with_its_owners_rights_fixes_where_it_looks_and_looks_last_at_temporary_things(
    owner: psycopg.Connection,
) -> None:
    query = """SELECT oid::regprocedure::text, coalesce(array_to_string(proconfig, ';'), '')
               FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef"""
    functions: dict[str, str] = dict(owner.execute(query).fetchall())
    assert len(functions) > 5

    assert [name for name, fixed in functions.items() if "search_path=pg_catalog, public, pg_temp" not in fixed] == []


def test_no_function_is_for_everybody(owner: psycopg.Connection) -> None:
    query = """SELECT oid::regprocedure::text FROM pg_proc
               WHERE pronamespace = 'public'::regnamespace AND has_function_privilege('public', oid, 'EXECUTE')"""

    assert owner.execute(query).fetchall() == []


def test_search_finds_the_own_agencys_words_only(owner: psycopg.Connection) -> None:
    owner.execute("UPDATE case_search SET words = to_tsvector('simple', 'gazebo')")
    (own,) = owner.execute("SELECT case_id FROM case_search WHERE agency = %s", [FIRST]).fetchone() or (None,)
    as_role(owner, API_ROLE, FIRST)
    search = "SELECT o_case_id FROM search_cases('gazebo', NULL, NULL, 10)"
    assert owner.execute(search).fetchall() == [(own,)]
    owner.execute("SELECT set_config('putright.agency', '', true)")

    assert owner.execute(search).fetchall() == []


def test_a_text_cannot_be_put_into_a_case_of_another_agency(owner: psycopg.Connection) -> None:
    (case_id,) = owner.execute("SELECT case_id FROM receipt WHERE agency = %s", [FIRST]).fetchone() or (None,)
    as_role(owner, API_ROLE, SECOND)

    with pytest.raises(errors.NoDataFound):
        owner.execute("SELECT put_content(%s, %s, gen_random_uuid(), 'note', 'x', '', '')", [SECOND, case_id])
