# SPDX-License-Identifier: Apache-2.0
"""The migrated schema as PostgreSQL's own catalogues tell it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row, tuple_row
from sqlalchemy import Column
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

VERSION_TABLE = "alembic_version"
_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy has not typed it

_TABLES = """
    SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
    AND NOT relispartition AND relname <> %s ORDER BY relname
"""
_COLUMNS = """
    SELECT attname AS name, format_type(atttypid, atttypmod) AS type, NOT attnotnull AS is_nullable,
           atthasdef OR attidentity <> '' AS is_filled_in,
           attnum = ANY ((SELECT conkey FROM pg_constraint
                          WHERE conrelid = attrelid AND contype = 'p')::int2[]) AS is_key
    FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_OBJECTS = """
    SELECT 'relation', c.oid::regclass::text, c.relkind::text || coalesce(c.relacl::text, '') FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relname !~ %(version)s
    UNION ALL SELECT 'column', a.attrelid::regclass::text || '.' || a.attname,
           format_type(a.atttypid, a.atttypmod) || a.attnotnull || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
           || a.attidentity::text || coalesce(a.attacl::text, '')
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0
      AND NOT a.attisdropped AND c.relname !~ %(version)s
    UNION ALL SELECT 'constraint', conrelid::regclass::text || '.' || conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text !~ %(version)s
    UNION ALL SELECT 'function', oid::regprocedure::text, pg_get_functiondef(oid) || coalesce(proacl::text, '')
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT 'trigger', tgrelid::regclass::text || '.' || tgname, pg_get_triggerdef(oid)
    FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'policy', polrelid::regclass::text || '.' || polname, pg_get_expr(polqual, polrelid)
    FROM pg_policy
    ORDER BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """A column of a table."""

    name: str
    type: str
    is_nullable: bool
    is_filled_in: bool
    """By a default, or by counting."""
    is_key: bool


def type_of(column: Column[Any]) -> str:
    """Return the type of a column that Python knows, as PostgreSQL spells it."""
    return column.type.compile(dialect=_DIALECT).lower()


def columns(connection: psycopg.Connection[Any], table: str) -> list[StoredColumn]:
    """Return a table's columns in their order."""
    with connection.cursor(row_factory=class_row(StoredColumn)) as cursor:
        return cursor.execute(_COLUMNS, [table]).fetchall()


def tables(connection: psycopg.Connection[Any]) -> list[str]:
    """Return the names of our tables; partitions belong to theirs."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return [name for (name,) in cursor.execute(_TABLES, [VERSION_TABLE])]


def objects(connection: psycopg.Connection[Any]) -> list[tuple[str, str, str]]:
    """Return everything of ours with its definition, in a fixed order."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(_OBJECTS, {"version": f"^{VERSION_TABLE}"}).fetchall()
        return [(kind, name, definition) for kind, name, definition in rows]
