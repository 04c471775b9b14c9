# SPDX-License-Identifier: Apache-2.0
"""Ways in, for administrators: accounts, tokens, and who changed them; and whom the local provider offers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.reads.database import Database
from models.tables.registers import account_change, staff
from models.terms import Role

CHANGES_SHOWN = 50
_TOKENS = text("SELECT * FROM tokens_of_agency()")
_PEOPLE = text("SELECT * FROM people_of_provider(:issuer)")


@dataclass(frozen=True, slots=True)
class AccountRow:
    """A person of the agency, whether they may still sign in or not."""

    name: str
    display_name: str
    roles: tuple[Role, ...]
    teams: tuple[str, ...]
    is_active: bool


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A bearer token; its hash names it and signs nobody in."""

    hash: bytes
    name: str
    role: Role
    label: str
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None

    def is_over(self, now: datetime) -> bool:
        """Return whether it is revoked or has run out."""
        return self.revoked_at is not None or self.expires_at <= now


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A change of somebody's way in."""

    at: datetime
    actor: str
    what_changed: str
    name: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Offered:
    """Somebody whom a provider vouches for."""

    subject: str
    agency: str
    display_name: str
    roles: tuple[Role, ...]


async def accounts(connection: AsyncConnection) -> tuple[AccountRow, ...]:
    """Return everybody of the agency, those who may sign in first."""
    columns = staff.c
    query = select(columns.name, columns.display_name, columns.roles, columns.teams, columns.is_active).order_by(
        columns.is_active.desc(), columns.display_name, columns.name
    )
    rows = await connection.execute(query)
    return tuple(
        AccountRow(r.name, r.display_name, tuple(map(Role, r.roles)), tuple(r.teams), r.is_active) for r in rows
    )


async def tokens(connection: AsyncConnection) -> tuple[TokenRow, ...]:
    """Return the agency's tokens, by account, the newest first."""
    rows = await connection.execute(_TOKENS)
    return tuple(
        TokenRow(
            hash=bytes(row.o_hash),
            name=row.o_name,
            role=Role(row.o_role),
            label=row.o_label,
            made_at=row.o_made_at,
            expires_at=row.o_expires_at,
            revoked_at=row.o_revoked_at,
            last_used_at=row.o_last_used_at,
        )
        for row in rows
    )


async def account_changes(connection: AsyncConnection) -> tuple[ChangeRow, ...]:
    """Return the last changes of ways in, the newest first."""
    columns = account_change.c
    query = (
        select(columns.at, columns.actor, columns.what_changed, columns.name, columns.detail)
        .order_by(columns.at.desc(), columns.id.desc())
        .limit(CHANGES_SHOWN)
    )
    return tuple(ChangeRow(*row) for row in await connection.execute(query))


async def people_of_provider(database: Database, issuer: str) -> tuple[Offered, ...]:
    """Return the active people of every agency whom a provider vouches for."""
    async with database.doors() as connection:
        rows = (await connection.execute(_PEOPLE, {"issuer": issuer})).all()
    return tuple(Offered(r.o_subject, r.o_agency, r.o_display_name, tuple(map(Role, r.o_roles))) for r in rows)
