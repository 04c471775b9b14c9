# SPDX-License-Identifier: Apache-2.0
"""Daily anchors: the proof that nothing was cut off or taken away."""

from __future__ import annotations

from sqlalchemy import Column, Date, DateTime, FetchedValue, Integer, LargeBinary, Table, Text, Uuid

from models.tables.base import METADATA

anchor = Table(
    "anchor",
    METADATA,
    Column("agency", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("receipt_count", Integer, nullable=False),
    Column("case_count", Integer, nullable=False),
    Column("fix_count", Integer, nullable=False, server_default=FetchedValue()),
    Column("hash", LargeBinary, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False, server_default=FetchedValue()),
)

anchor_case = Table(
    "anchor_case",
    METADATA,
    Column("agency", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("case_id", Uuid, primary_key=True),
    Column("sequence", Integer, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

anchor_fix = Table(
    "anchor_fix",
    METADATA,
    Column("agency", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("fix_id", Uuid, primary_key=True),
    Column("sequence", Integer, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)
