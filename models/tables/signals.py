# SPDX-License-Identifier: Apache-2.0
"""Signals of recurring process failures, the decisions, and how many people were served."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Date,
    DateTime,
    Double,
    FetchedValue,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from models.tables.base import METADATA

exposure = Table(
    "exposure",
    METADATA,
    Column("agency", Text, primary_key=True),
    Column("service", Text, primary_key=True),
    Column("office", Text, primary_key=True),
    Column("week", Date, primary_key=True),
    Column("served", Integer, nullable=False),
    Column("recorded_at", DateTime(timezone=True), primary_key=True, server_default=FetchedValue()),
)

signal_run = Table(
    "signal_run",
    METADATA,
    Column("agency", Text, primary_key=True),
    Column("as_of", Date, primary_key=True),
    Column("inputs_hash", Text, primary_key=True),
    Column("settings", JSONB, nullable=False),
    Column("cells", Integer, nullable=False),
    Column("ran_at", DateTime(timezone=True), nullable=False, server_default=FetchedValue()),
)

signal = Table(
    "signal",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("measure", Text, nullable=False),
    Column("kind", Text, nullable=False, server_default=FetchedValue()),
    Column("code", Text, nullable=True),
    Column("family", Text, nullable=True),
    Column("service", Text, nullable=True),
    Column("region", Text, nullable=True),
    Column("office", Text, nullable=True),
    Column("channel", Text, nullable=True),
    Column("began_week", Date, nullable=False),
    Column("raised_on", Date, nullable=False),
    Column("decide_by", Date, nullable=False),
)

signal_week = Table(
    "signal_week",
    METADATA,
    Column("signal_id", Uuid, primary_key=True),
    Column("as_of", Date, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("inputs_hash", Text, nullable=False),
    Column("observed", Integer, nullable=False),
    Column("expected", Double, nullable=False),
    Column("threshold", Integer, nullable=False),
    Column("p_value", Double, nullable=False),
    Column("q_value", Double, nullable=False),
    Column("window_weeks", SmallInteger, nullable=False),
    Column("sentences", ARRAY(Text), nullable=False),
    Column("evidence", JSONB, nullable=False),
)

signal_decision = Table(
    "signal_decision",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("signal_id", Uuid, nullable=False),
    Column("agency", Text, nullable=False),
    Column("decision", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("defer_until", Date, nullable=True),
    Column("decided_by", Text, nullable=False),
    Column("decided_at", DateTime(timezone=True), nullable=False, server_default=FetchedValue()),
    Column("command_key", Text, nullable=False),
    Column("request_hash", LargeBinary, nullable=False),
    Column("fix_id", Uuid, nullable=True),
)

signal_evidence = Table(
    "signal_evidence",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("signal_id", Uuid, nullable=False),
    Column("agency", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("words", Text, nullable=False),
    Column("people_count", Integer, nullable=True),
    Column("gathered_on", Date, nullable=True),
    Column("added_by", Text, nullable=False),
    Column("added_at", DateTime(timezone=True), nullable=False),
    Column("command_key", Text, nullable=False),
    Column("request_hash", LargeBinary, nullable=False),
)
