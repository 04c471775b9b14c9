# SPDX-License-Identifier: Apache-2.0
"""Accepting a complaint: one round trip to `accept_receipt`, durable when it answers, whatever state Temporal is in."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.reads.database import Database, RecordAway
from models.commands import Receipt
from models.receiving import Intake
from models.refusals import KeyReused

_ACCEPT = text("""
    SELECT o_request_hash, o_facts, o_is_new FROM accept_receipt(
        :agency, :case_id, :key, :request_hash, :reference, :accepted_at, :received_at, :facts, :wrapped_key,
        CAST(:ids AS uuid[]), CAST(:kinds AS text[]), CAST(:bodies AS text[]), CAST(:salts AS bytea[]),
        CAST(:digests AS bytea[]))
""")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A receipt that is durable: a new one, or the first answer to the same key."""

    receipt: Receipt
    is_new: bool


async def accept(engine: AsyncEngine, intake: Intake) -> Accepted:
    """Write the receipt, its texts, its key and its place in the queue, or return the first answer to the same key.

    Raises KeyReused when the key was sent with another request.
    """
    async with engine.begin() as connection:
        return await _accepted(connection, intake)


async def take_in(database: Database, intake: Intake) -> Accepted:
    """Do the same in one round trip, once more where the connection had died unnoticed.

    Raises KeyReused, or RecordAway.
    """
    try:
        async with database.doors() as connection:
            return await _accepted(connection, intake)
    except RecordAway as away:
        if not away.is_of_one_connection:
            raise
    async with database.doors() as connection:
        return await _accepted(connection, intake)


async def _accepted(connection: AsyncConnection, intake: Intake) -> Accepted:
    receipt = intake.receipt
    told = {
        "agency": receipt.agency,
        "case_id": receipt.case_id,
        "key": intake.key,
        "request_hash": intake.request_hash,
        "reference": receipt.reference,
        "accepted_at": receipt.accepted_at,
        "received_at": receipt.received_at,
        "facts": intake.facts,
        "wrapped_key": intake.wrapped_key,
        "ids": [t.id for t in intake.texts],
        "kinds": [t.kind for t in intake.texts],
        "bodies": [t.body for t in intake.texts],
        "salts": [t.salt for t in intake.texts],
        "digests": [t.digest for t in intake.texts],
    }
    row = (await connection.execute(_ACCEPT, told)).one()
    if row.o_is_new:
        return Accepted(receipt, is_new=True)
    if row.o_request_hash != intake.request_hash:
        raise KeyReused("This Idempotency-Key was used for another complaint; send a new key with a new complaint.")
    return Accepted(Receipt.model_validate_json(row.o_facts), is_new=False)
