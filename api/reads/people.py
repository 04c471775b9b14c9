# SPDX-License-Identifier: Apache-2.0
"""Who somebody is: by token, by session, by the sign-in provider's word. Asked before the agency is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.reads.database import Database
from models.commands import Actor
from models.tables.registers import staff
from models.terms import Role

IDLE_AT_MOST = timedelta(hours=1)
SIGNED_IN_AT_MOST = timedelta(hours=12)
_OF_TOKEN = text("SELECT * FROM holder_of_token(:hash, :now)")
_OF_SESSION = text("SELECT * FROM holder_of_session(:hash, :now, :idle, :longest)")
_OF_IDENTITY = text("SELECT * FROM staff_of_identity(:issuer, :subject)")


@dataclass(frozen=True, slots=True)
class Staff:
    """Somebody of the agency, signed in, in the one role they act in now."""

    agency: str
    name: str
    display_name: str
    role: Role
    roles: tuple[Role, ...] = ()
    """All roles of this person; with a token only the token's."""
    teams: tuple[str, ...] = field(default=())

    @property
    def actor(self) -> Actor:
        """The same person as commands name them."""
        return Actor(name=self.name, role=self.role)


@dataclass(frozen=True, slots=True)
class Account:
    """A person as the sign-in provider's word finds them, before they have chosen a role."""

    agency: str
    name: str
    display_name: str
    roles: tuple[Role, ...]
    teams: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Colleague:
    """A person whom work can be given to."""

    name: str
    display_name: str
    roles: tuple[Role, ...]
    teams: tuple[str, ...]


def hash_of(secret: str) -> bytes:
    """Return how a token or session is stored: a random 256-bit secret needs no slow hash."""
    return sha256(secret.encode()).digest()


async def holder_of_token(database: Database, token: str, now: datetime) -> Staff | None:
    """Return whose token it is, or None for one that is unknown, expired or revoked."""
    async with database.doors() as connection:
        row = (await connection.execute(_OF_TOKEN, {"hash": hash_of(token), "now": now})).one_or_none()
    return _staff(row, (row.o_role,)) if row else None


async def holder_of_session(database: Database, session: str, now: datetime) -> Staff | None:
    """Return who is signed in with this session, or None when it has ended or rested too long."""
    times = {"now": now, "idle": IDLE_AT_MOST, "longest": SIGNED_IN_AT_MOST}
    async with database.doors() as connection:
        row = (await connection.execute(_OF_SESSION, {"hash": hash_of(session), **times})).one_or_none()
    return _staff(row, row.o_roles) if row else None


async def staff_of_identity(database: Database, issuer: str, subject: str) -> Account | None:
    """Return the person the sign-in provider means, or None for a stranger."""
    async with database.doors() as connection:
        row = (await connection.execute(_OF_IDENTITY, {"issuer": issuer, "subject": subject})).one_or_none()
    if row is None:
        return None
    return Account(row.o_agency, row.o_name, row.o_display_name, tuple(map(Role, row.o_roles)), tuple(row.o_teams))


async def colleagues(connection: AsyncConnection) -> list[Colleague]:
    """Return the active people of the agency, by name."""
    query = (
        select(staff.c.name, staff.c.display_name, staff.c.roles, staff.c.teams)
        .where(staff.c.is_active)
        .order_by(staff.c.display_name)
    )
    rows = await connection.execute(query)
    return [Colleague(r.name, r.display_name, tuple(map(Role, r.roles)), tuple(r.teams)) for r in rows]


def _staff(row: Row[Any], roles: list[str] | tuple[str, ...]) -> Staff:
    return Staff(
        agency=row.o_agency,
        name=row.o_name,
        display_name=row.o_display_name,
        role=Role(row.o_role),
        roles=tuple(map(Role, roles)),
        teams=tuple(row.o_teams),
    )
