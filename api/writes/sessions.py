# SPDX-License-Identifier: Apache-2.0
"""Browser sessions: a random secret in the browser, its hash in the record. A new role is a new session."""

from __future__ import annotations

import secrets

from sqlalchemy import text

from api.reads.database import Database
from api.reads.people import hash_of
from models.terms import Role

_START = text("SELECT start_session(:hash, :agency, :name, :role)")
_END = text("SELECT end_session(:hash)")


async def start_session(database: Database, agency: str, name: str, role: Role) -> str:
    """Begin a session of an active person in one of their roles; return the secret for the cookie."""
    secret = secrets.token_urlsafe(32)
    async with database.doors() as connection:
        told = {"hash": hash_of(secret), "agency": agency, "name": name, "role": role.value}
        await connection.execute(_START, told)
    return secret


async def end_session(database: Database, secret: str) -> None:
    """End a session; one that is unknown or over stays so."""
    async with database.doors() as connection:
        await connection.execute(_END, {"hash": hash_of(secret)})
