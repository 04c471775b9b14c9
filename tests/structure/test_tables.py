# SPDX-License-Identifier: Apache-2.0
"""The tables as Python knows them are the tables that the migrations make."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from enum import StrEnum

import psycopg
import pytest

import models.tables
from models.tables.base import METADATA
from models.terms import Stage, State
from tests.servers import PostgresServer
from tests.structure import schema

for module in pkgutil.iter_modules(models.tables.__path__, "models.tables."):
    importlib.import_module(module.name)

TABLES = sorted(METADATA.tables)


@pytest.fixture
def connection(postgres_server: PostgresServer, migrated_template: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_server.dsn(database=migrated_template)) as connection:
        yield connection


def test_both_know_the_same_tables(connection: psycopg.Connection) -> None:
    assert schema.tables(connection) == TABLES


@pytest.mark.parametrize("table", TABLES)
def test_a_tables_columns_have_the_names_types_and_order_that_python_knows(
    table: str, connection: psycopg.Connection
) -> None:
    known = METADATA.tables[table].columns

    assert [(column.name, column.type, column.is_nullable) for column in schema.columns(connection, table)] == [
        (column.name, schema.type_of(column), bool(column.nullable)) for column in known
    ]


@pytest.mark.parametrize("table", TABLES)
def test_what_the_database_fills_in_is_known_to_python(table: str, connection: psycopg.Connection) -> None:
    filled_in = {column.name for column in schema.columns(connection, table) if column.is_filled_in}

    assert {c.name for c in METADATA.tables[table].columns if c.server_default is not None} == filled_in


@pytest.mark.parametrize("table", TABLES)
def test_a_tables_key_is_the_one_that_python_knows(table: str, connection: psycopg.Connection) -> None:
    key = {column.name for column in schema.columns(connection, table) if column.is_key}

    assert {column.name for column in METADATA.tables[table].primary_key} == key


@pytest.mark.parametrize(
    ("table", "column", "words"),
    [("case_event", "state", State), ("case_file", "state", State), ("case_file", "stage", Stage)],
)
def test_the_record_takes_the_words_of_the_process_and_no_other(
    table: str, column: str, words: type[StrEnum], connection: psycopg.Connection
) -> None:
    query = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND conname = %s"
    (definition,) = connection.execute(query, [table, f"{table}_{column}_check"]).fetchone() or ("",)

    assert set(re.findall(r"'(\w+)'::text", definition)) == {word.value for word in words}
