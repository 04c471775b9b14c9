# SPDX-License-Identifier: Apache-2.0
"""Counts as append-only deltas and their folded totals."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    FetchedValue,
    Integer,
    SmallInteger,
    Table,
    Text,
    Uuid,
)

from models.tables.base import METADATA, Xid8

cell_delta = Table(
    "cell_delta",
    METADATA,
    Column("id", BigInteger, primary_key=True, server_default=FetchedValue()),
    Column("agency", Text, nullable=False),
    Column("case_id", Uuid, nullable=False),
    Column("measure", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("office", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("week", Date, nullable=False),
    Column("harm", SmallInteger, nullable=True),
    Column("vulnerable", Boolean, nullable=True),
    Column("change", SmallInteger, nullable=False),
    Column("happened_at", DateTime(timezone=True), nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=FetchedValue()),
    Column("xid", Xid8, nullable=False, server_default=FetchedValue()),
)

cell_day = Table(
    "cell_day",
    METADATA,
    Column("agency", Text, primary_key=True),
    Column("measure", Text, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("service", Text, primary_key=True),
    Column("office", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("week", Date, primary_key=True),
    Column("happened_on", Date, primary_key=True),
    Column("total", Integer, nullable=False),
)

queue_delta = Table(
    "queue_delta",
    METADATA,
    Column("id", BigInteger, primary_key=True, server_default=FetchedValue()),
    Column("agency", Text, nullable=False),
    Column("case_id", Uuid, nullable=False),
    Column("queue", Text, nullable=False),
    Column("change", SmallInteger, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=FetchedValue()),
    Column("xid", Xid8, nullable=False, server_default=FetchedValue()),
)

queue_total = Table(
    "queue_total",
    METADATA,
    Column("agency", Text, primary_key=True),
    Column("queue", Text, primary_key=True),
    Column("total", Integer, nullable=False),
)

fold_mark = Table(
    "fold_mark",
    METADATA,
    Column("agency", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("folded_below", Xid8, nullable=False),
)
