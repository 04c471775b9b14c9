# SPDX-License-Identifier: Apache-2.0
"""Events, and the read model that is made of them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
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
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR

from models.tables.base import METADATA, queue

case_event = Table(
    "case_event",
    METADATA,
    Column("case_id", Uuid, primary_key=True),
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

case_file = Table(
    "case_file",
    METADATA,
    Column("case_id", Uuid, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("is_open", Boolean, nullable=False),
    Column("is_history", Boolean, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("last_hash", LargeBinary, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=True),
    Column("sort_at", DateTime(timezone=True), nullable=False),
    Column("channel", Text, nullable=False),
    Column("service", Text, nullable=True),
    Column("category", Text, nullable=True),
    Column("office", Text, nullable=True),
    Column("severity", SmallInteger, nullable=True),
    Column("vulnerable", Boolean, nullable=True),
    Column("track", Text, nullable=False),
    Column("team", Text, nullable=True),
    Column("owner", Text, nullable=True),
    Column("attention", ARRAY(Text), nullable=False),
    Column("event_id", Uuid, nullable=True),
    Column("follow_up_on", Date, nullable=True),
    Column("due_clock", Text, nullable=True),
    Column("due_at", DateTime(timezone=True), nullable=True),
    Column("queue_at", DateTime(timezone=True), nullable=False),
    Column("review_round", SmallInteger, nullable=False),
    Column("answered_at", DateTime(timezone=True), nullable=True),
    Column("closed_at", DateTime(timezone=True), nullable=True),
    Column("last_event_at", DateTime(timezone=True), nullable=False),
    Column("policy_version", Integer, nullable=False),
    Column("snapshot", JSONB, nullable=False),
)

case_issue = Table(
    "case_issue",
    METADATA,
    Column("case_id", Uuid, primary_key=True),
    Column("number", SmallInteger, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("service", Text, nullable=True),
    Column("category", Text, nullable=True),
    Column("finding", Text, nullable=True),
    Column("remedies", ARRAY(Text), nullable=False),
)

case_tag = Table(
    "case_tag",
    METADATA,
    Column("case_id", Uuid, primary_key=True),
    Column("number", SmallInteger, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("failure", Text, nullable=True),
    Column("no_failure", Text, nullable=True),
    Column("contributing_cause", Text, nullable=True),
    Column("severity", SmallInteger, nullable=True),
    Column("harm", SmallInteger, nullable=True),
    Column("scope", Text, nullable=True),
    Column("service", Text, nullable=True),
    Column("office", Text, nullable=True),
    Column("channel", Text, nullable=False),
    Column("received_on", Date, nullable=True),
    Column("tagged_at", DateTime(timezone=True), nullable=False),
)

case_clock = Table(
    "case_clock",
    METADATA,
    Column("case_id", Uuid, primary_key=True),
    Column("run", SmallInteger, primary_key=True),
    Column("clock", Text, nullable=False),
    Column("agency", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("stopped_at", DateTime(timezone=True), nullable=True),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("is_paused", Boolean, nullable=False),
)

case_search = Table(
    "case_search",
    METADATA,
    Column("case_id", Uuid, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("sort_at", DateTime(timezone=True), nullable=False),
    Column("words", TSVECTOR, nullable=False),
)

attachment = Table(
    "attachment",
    METADATA,
    Column("case_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("name", Uuid, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("added_at", DateTime(timezone=True), nullable=False, server_default=FetchedValue()),
)

outbox = Table(
    "outbox",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("case_id", Uuid, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("letter", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("written_at", DateTime(timezone=True), nullable=False),
    Column("sent_at", DateTime(timezone=True), nullable=True),
    Column("failure", Text, nullable=True),
)

outbox_pending = queue("outbox_pending", "id")

fault = Table(
    "fault",
    METADATA,
    Column("id", BigInteger, primary_key=True, server_default=FetchedValue()),
    Column("agency", Text, nullable=False),
    Column("case_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("found_at", DateTime(timezone=True), nullable=False, server_default=FetchedValue()),
    Column("cleared_at", DateTime(timezone=True), nullable=True),
)
