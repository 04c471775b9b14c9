# SPDX-License-Identifier: Apache-2.0
"""What the words of complaints tell: models, suggestions, copies of one letter, and the weekly look at all of them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from models.tables.base import METADATA

text_model = Table(
    "text_model",
    METADATA,
    Column("agency", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("made_for", Date, nullable=False),
    Column("fitted_at", DateTime(timezone=True), nullable=False),
    Column("cases", Integer, nullable=False),
    Column("labels", Integer, nullable=False),
    Column("checked_cases", Integer, nullable=False),
    Column("accuracy", Double, nullable=True),
    Column("calibration_error", Double, nullable=True),
    Column("training_hash", Text, nullable=False),
    Column("payload", LargeBinary, nullable=True),
)

text_suggestion = Table(
    "text_suggestion",
    METADATA,
    Column("case_id", Uuid, primary_key=True),
    Column("number", SmallInteger, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("codes", ARRAY(Text), nullable=False),
    Column("chances", ARRAY(Double), nullable=False),
    Column("abstained", Boolean, nullable=False),
    Column("words", JSONB, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
)

text_read = Table(
    "text_read",
    METADATA,
    Column("case_id", Uuid, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("models", Text, nullable=False),
    Column("issues_hash", Text, nullable=False),
    Column("nearest", ARRAY(Uuid), nullable=False),
    Column("cosines", ARRAY(Double), nullable=False),
    Column("read_at", DateTime(timezone=True), nullable=False),
)

text_copy = Table(
    "text_copy",
    METADATA,
    Column("case_id", Uuid, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("of_case_id", Uuid, nullable=False),
    Column("similarity", Double, nullable=False),
    Column("found_at", DateTime(timezone=True), nullable=False),
)

text_band = Table(
    "text_band",
    METADATA,
    Column("agency", Text, primary_key=True),
    Column("key", BigInteger, primary_key=True),
    Column("letter_id", Uuid, primary_key=True),
    Column("case_id", Uuid, nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
)

coding_queue = Table(
    "coding_queue",
    METADATA,
    Column("agency", Text, primary_key=True),
    Column("week", Date, primary_key=True),
    Column("place", SmallInteger, primary_key=True),
    Column("case_id", Uuid, nullable=False),
    Column("number", SmallInteger, nullable=False),
    Column("uncertainty", Double, nullable=False),
    Column("distinctness", Double, nullable=False),
)

text_drift = Table(
    "text_drift",
    METADATA,
    Column("agency", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("week", Date, primary_key=True),
    Column("cases_before", Integer, nullable=False),
    Column("cases_after", Integer, nullable=False),
    Column("shares", JSONB, nullable=False),
    Column("words", ARRAY(Text), nullable=False),
    Column("words_p_value", Double, nullable=True),
    Column("made_at", DateTime(timezone=True), nullable=False),
)

text_new_failure = Table(
    "text_new_failure",
    METADATA,
    Column("agency", Text, primary_key=True),
    Column("week", Date, primary_key=True),
    Column("place", SmallInteger, primary_key=True),
    Column("case_ids", ARRAY(Uuid), nullable=False),
    Column("letter_count", Integer, nullable=False),
    Column("expected_count", Double, nullable=False),
    Column("words", ARRAY(Text), nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
)
