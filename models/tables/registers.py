# SPDX-License-Identifier: Apache-2.0
"""Registers: reads, people, sign-ins, Problem Solving Days, imports."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, FetchedValue, LargeBinary, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from models.tables.base import METADATA

audit_read = Table(
    "audit_read",
    METADATA,
    Column("id", BigInteger, primary_key=True, server_default=FetchedValue()),
    Column("agency", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=FetchedValue()),
    Column("actor", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("case_id", Uuid, nullable=True),
    Column("filter", JSONB, nullable=True),
)

staff = Table(
    "staff",
    METADATA,
    Column("agency", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("email", Text, nullable=True),
    Column("roles", ARRAY(Text), nullable=False),
    Column("teams", ARRAY(Text), nullable=False, server_default=FetchedValue()),
    Column("is_active", Boolean, nullable=False, server_default=FetchedValue()),
)

staff_identity = Table(
    "staff_identity",
    METADATA,
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("name", Text, nullable=False),
)

token = Table(
    "token",
    METADATA,
    Column("hash", LargeBinary, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False, server_default=FetchedValue()),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True), nullable=True),
    Column("last_used_at", DateTime(timezone=True), nullable=True),
)

account_change = Table(
    "account_change",
    METADATA,
    Column("id", BigInteger, primary_key=True, server_default=FetchedValue()),
    Column("agency", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),
    Column("what_changed", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("detail", JSONB, nullable=False, server_default=FetchedValue()),
)

browser_session = Table(
    "browser_session",
    METADATA,
    Column("hash", LargeBinary, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=FetchedValue()),
    Column("last_seen_at", DateTime(timezone=True), nullable=False, server_default=FetchedValue()),
    Column("ended_at", DateTime(timezone=True), nullable=True),
)

problem_solving_day = Table(
    "problem_solving_day",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("held_on", Date, nullable=False),
    Column("office", Text, nullable=True),
    Column("roster", ARRAY(Text), nullable=False, server_default=FetchedValue()),
    Column("made_by", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False, server_default=FetchedValue()),
    Column("closed_at", DateTime(timezone=True), nullable=True),
)

import_progress = Table(
    "import_progress",
    METADATA,
    Column("agency", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("file_sha256", LargeBinary, primary_key=True),
    Column("rows_done", BigInteger, nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False, server_default=FetchedValue()),
)
