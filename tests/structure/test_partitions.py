# SPDX-License-Identifier: Apache-2.0
"""The turn of a month: partitions come in time, and what came before them moves in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from models.references import uuid7_at
from tests.databases import Database

TURN_AT = datetime(2031, 3, 1, tzinfo=UTC)
"""Far off, so that no partition is there yet."""
A_MILLISECOND = timedelta(milliseconds=1)
LOWEST, HIGHEST = bytes(10), b"\xff" * 10


@pytest.fixture
def owner(database: Database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.dsn(), autocommit=True) as connection:
        yield connection


def write(owner: psycopg.Connection, *case_ids: UUID) -> None:
    for case_id in case_ids:
        owner.execute(
            """INSERT INTO case_event (case_id, sequence, agency, command_key, request_hash, action, actor, role, state,
                                       at, canonical, hash)
               VALUES (%s, 1, 'riverbend', 'receive', '', 'receive', 'putright', 'system', 'received', %s, 'c', 'h')""",
            [case_id, TURN_AT],
        )
        owner.execute(
            """INSERT INTO content (case_id, id, agency, kind, body, salt, digest)
               VALUES (%s, %s, 'riverbend', 'narrative', 'Words.', '', '')""",
            [case_id, case_id],
        )


def make(owner: psycopg.Connection, first: date, last: date) -> int:
    (made,) = owner.execute("SELECT make_partitions(%s, %s)", [first, last]).fetchone() or (0,)
    return int(made)


def where(owner: psycopg.Connection, table: str) -> dict[UUID, str]:
    return dict(owner.execute(f"SELECT case_id, tableoid::regclass::text FROM {table}").fetchall())


@pytest.mark.parametrize("table", ["case_event", "content"])
def test_what_came_before_its_partition_moves_in_and_nothing_is_lost(owner: psycopg.Connection, table: str) -> None:
    last = uuid7_at(TURN_AT - A_MILLISECOND, HIGHEST)
    first = uuid7_at(TURN_AT, LOWEST)
    much_later = uuid7_at(TURN_AT + timedelta(days=31), LOWEST)
    write(owner, last, first, much_later)
    assert set(where(owner, table).values()) == {f"{table}_default"}
    before = owner.execute(f"SELECT * FROM {table} ORDER BY case_id").fetchall()

    assert make(owner, date(2031, 2, 15), date(2031, 3, 1)) == 4

    assert where(owner, table) == {
        last: f"{table}_2031_02",
        first: f"{table}_2031_03",
        much_later: f"{table}_default",
    }
    assert owner.execute(f"SELECT * FROM {table} ORDER BY case_id").fetchall() == before


def test_what_comes_after_its_partition_goes_straight_in(owner: psycopg.Connection) -> None:
    make(owner, date(2031, 2, 1), date(2031, 3, 1))
    last, first = uuid7_at(TURN_AT - A_MILLISECOND, HIGHEST), uuid7_at(TURN_AT, LOWEST)
    write(owner, last, first)

    assert where(owner, "case_event") == {last: "case_event_2031_02", first: "case_event_2031_03"}


def test_made_twice_is_made_once(owner: psycopg.Connection) -> None:
    assert make(owner, date(2031, 1, 31), date(2031, 3, 1)) == 6
    assert make(owner, date(2031, 1, 31), date(2031, 3, 1)) == 0
    assert make(owner, date(2031, 3, 31), date(2031, 4, 1)) == 2


def test_a_year_has_twelve_months_whatever_day_it_is_asked_for(owner: psycopg.Connection) -> None:
    assert make(owner, date(2031, 1, 31), date(2031, 12, 1)) == 24


def test_the_lowest_id_of_a_moment_is_the_one_that_python_makes(owner: psycopg.Connection) -> None:
    for moment_at in (TURN_AT, datetime(2012, 1, 1, tzinfo=UTC), TURN_AT + timedelta(milliseconds=123)):
        (floor,) = owner.execute("SELECT uuid7_floor(%s)", [moment_at]).fetchone() or (None,)
        assert floor is not None
        assert floor <= uuid7_at(moment_at, LOWEST)
        assert floor > uuid7_at(moment_at - A_MILLISECOND, HIGHEST)


def test_months_are_those_of_utc_wherever_the_asker_is(owner: psycopg.Connection) -> None:
    owner.execute("SET timezone = 'Pacific/Auckland'")
    make(owner, date(2031, 2, 1), date(2031, 3, 1))
    last, first = uuid7_at(TURN_AT - A_MILLISECOND, HIGHEST), uuid7_at(TURN_AT, LOWEST)
    write(owner, last, first)

    assert where(owner, "content") == {last: "content_2031_02", first: "content_2031_03"}


def test_no_more_than_forty_years_are_made_at_once(owner: psycopg.Connection) -> None:
    with pytest.raises(errors.RaiseException, match="more than 40 years"):
        make(owner, date(2000, 1, 1), date(2041, 1, 1))


@pytest.mark.parametrize("statement", ["UPDATE {} SET agency = 'x'", "DELETE FROM {}", "TRUNCATE {}"])
@pytest.mark.parametrize("table", ["case_event", "case_event_default", "case_event_2031_03"])
def test_a_new_partition_and_the_default_one_are_append_only_too(
    owner: psycopg.Connection, table: str, statement: str
) -> None:
    make(owner, date(2031, 3, 1), date(2031, 3, 1))
    write(owner, uuid7_at(TURN_AT), uuid7_at(TURN_AT + timedelta(days=99)))

    with pytest.raises(errors.RestrictViolation, match="append-only"):
        owner.execute(statement.format(table))


def test_one_key_stands_once_in_a_cases_life_in_a_moved_partition_too(owner: psycopg.Connection) -> None:
    case_id = uuid7_at(TURN_AT)
    write(owner, case_id)
    make(owner, date(2031, 3, 1), date(2031, 3, 1))

    with pytest.raises(errors.UniqueViolation):
        write(owner, case_id)
