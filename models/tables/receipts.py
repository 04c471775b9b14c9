# SPDX-License-Identifier: Apache-2.0
"""Receipts, their content and keys; agencies and their policy versions."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, FetchedValue, Integer, LargeBinary, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from models.tables.base import METADATA, queue

agency = Table(
    "agency",
    METADATA,
    Column("slug", Text, primary_key=True),
    Column("prefix", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("added_at", DateTime(timezone=True), nullable=False, server_default=FetchedValue()),
)

policy_version = Table(
    "policy_version",
    METADATA,
    Column("agency", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("content_hash", Text, nullable=False),
    Column("effective_from", DateTime(timezone=True), nullable=False),
    Column("document", JSONB, nullable=False),
    Column("stored_at", DateTime(timezone=True), nullable=False, server_default=FetchedValue()),
)

receipt = Table(
    "receipt",
    METADATA,
    Column("case_id", Uuid, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("idempotency_key", Text, nullable=False),
    Column("request_hash", LargeBinary, nullable=False),
    Column("reference", Text, nullable=False),
    Column("accepted_at", DateTime(timezone=True), nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=True),
    Column("facts", LargeBinary, nullable=False),
)

receipt_pending = queue("receipt_pending", "case_id")

case_key = Table(
    "case_key",
    METADATA,
    Column("case_id", Uuid, primary_key=True),
    Column("wrapped", LargeBinary, nullable=True),
    Column("made_at", DateTime(timezone=True), nullable=False, server_default=FetchedValue()),
    Column("destroyed_at", DateTime(timezone=True), nullable=True),
)

content = Table(
    "content",
    METADATA,
    Column("case_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("added_at", DateTime(timezone=True), nullable=False, server_default=FetchedValue()),
)
