# SPDX-License-Identifier: Apache-2.0
"""Systemic fixes: what opened them, their texts and events, and the read model."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    FetchedValue,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from models.tables.base import METADATA, queue

fix_opening = Table(
    "fix_opening",
    METADATA,
    Column("fix_id", Uuid, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("command_key", Text, nullable=False),
    Column("request_hash", LargeBinary, nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("command", LargeBinary, nullable=False),
)

fix_pending = queue("fix_pending", "fix_id")

fix_text = Table(
    "fix_text",
    METADATA,
    Column("fix_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("added_at", DateTime(timezone=True), nullable=False, server_default=FetchedValue()),
)

fix_event = Table(
    "fix_event",
    METADATA,
    Column("fix_id", Uuid, primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("command_key", Text, nullable=False),
    Column("request_hash", LargeBinary, nullable=False),
    Column("action", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=FetchedValue()),
    Column("canonical", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

fix_file = Table(
    "fix_file",
    METADATA,
    Column("fix_id", Uuid, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("is_open", Boolean, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("last_hash", LargeBinary, nullable=False),
    Column("title_id", Uuid, nullable=False),
    Column("owner", Text, nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("attempt", SmallInteger, nullable=False),
    Column("changed_on", Date, nullable=True),
    Column("look_on", Date, nullable=True),
    Column("verdict", Text, nullable=True),
    Column("last_event_at", DateTime(timezone=True), nullable=False),
    Column("snapshot", JSONB, nullable=False),
)

fix_signal = Table(
    "fix_signal",
    METADATA,
    Column("fix_id", Uuid, primary_key=True),
    Column("signal_id", Uuid, primary_key=True),
    Column("agency", Text, nullable=False),
)
