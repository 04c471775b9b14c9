# SPDX-License-Identifier: Apache-2.0
"""People whom a failure affected, list by list, and the letters to the accountable executive."""

from __future__ import annotations

from sqlalchemy import (
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

affected_list = Table(
    "affected_list",
    METADATA,
    Column("list_id", Uuid, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("fix_id", Uuid, nullable=False),
    Column("help", Text, nullable=False),
    Column("occasion", Text, nullable=True),
    Column("source_id", Uuid, nullable=True),
    Column("words_id", Uuid, nullable=True),
    Column("people_count", Integer, nullable=False),
    Column("request_hash", LargeBinary, nullable=True),
    Column("added_by", Text, nullable=False),
    Column("added_at", DateTime(timezone=True), nullable=False),
    Column("drawn_at", DateTime(timezone=True), nullable=True),
    Column("begun_at", DateTime(timezone=True), nullable=True),
    Column("finished_at", DateTime(timezone=True), nullable=True),
    Column("done_count", Integer, nullable=False, server_default=FetchedValue()),
    Column("posted_count", Integer, nullable=False, server_default=FetchedValue()),
    Column("exception_count", Integer, nullable=False, server_default=FetchedValue()),
)

affected_person = Table(
    "affected_person",
    METADATA,
    Column("list_id", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("case_id", Uuid, nullable=True),
    Column("contact", JSONB, nullable=True),
    Column("language", Text, nullable=False),
    Column("remedy", Text, nullable=True),
    Column("amount_cents", Integer, nullable=True),
    Column("authority", Text, nullable=True),
    Column("attempts", SmallInteger, nullable=False, server_default=FetchedValue()),
    Column("result", Text, nullable=True),
    Column("reason", Text, nullable=True),
    Column("message_id", Text, nullable=True),
    Column("done_at", DateTime(timezone=True), nullable=True),
)

affected_pending = queue("affected_pending", "list_id")

signal_escalation = Table(
    "signal_escalation",
    METADATA,
    Column("signal_id", Uuid, primary_key=True),
    Column("due_on", Date, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("told_at", DateTime(timezone=True), nullable=False),
)

fix_alert = Table(
    "fix_alert",
    METADATA,
    Column("fix_id", Uuid, primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("told_at", DateTime(timezone=True), nullable=False),
)
