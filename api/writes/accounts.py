# SPDX-License-Identifier: Apache-2.0
"""Ways in: adding a person, closing and opening an account, revoking a token; each with a row that says who did it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from api.reads.people import Staff
from models.refusals import AlreadyDone, SamePerson
from models.tables.registers import account_change, staff
from models.terms import Role

_REVOKE = text("SELECT revoke_token(:hash, :now)")
_IDENTITY = text("SELECT put_identity(:issuer, :subject, :name)")


async def add_account(
    connection: AsyncConnection,
    by: Staff,
    now: datetime,
    *,
    name: str,
    display_name: str,
    roles: Iterable[Role],
    teams: Iterable[str],
    issuer: str | None,
    subject: str,
) -> None:
    """Add a person and say whom the provider, if there is one, means by them.

    Raises AlreadyDone where the name or the provider's subject is taken.
    """
    row = {
        "agency": by.agency,
        "name": name,
        "display_name": display_name,
        "roles": [role.value for role in roles],
        "teams": list(teams),
    }
    written = await connection.execute(upsert(staff).values(**row).on_conflict_do_nothing().returning(staff.c.name))
    if written.scalar_one_or_none() is None:
        raise AlreadyDone(f"There is an account {name} already.")
    told = {"issuer": issuer, "subject": subject, "name": name}
    if issuer is not None and not (await connection.execute(_IDENTITY, told)).scalar_one():
        raise AlreadyDone(f"The sign-in name {subject} belongs to another account.")
    await _note(connection, by, now, "added", name, {"roles": row["roles"], "teams": row["teams"]})


async def set_active(connection: AsyncConnection, by: Staff, now: datetime, *, name: str, is_active: bool) -> bool:
    """Close an account, or open it again; return whether there is one. Its sessions and tokens follow at once.

    Raises SamePerson for one's own, so that no agency is left without an administrator by a slip.
    """
    if name == by.name and not is_active:
        raise SamePerson("You cannot close your own account; another administrator can.")
    found = await connection.scalar(select(staff.c.is_active).where(staff.c.name == name).with_for_update())
    if found is None:
        return False
    if found is not is_active:
        await connection.execute(update(staff).where(staff.c.name == name).values(is_active=is_active))
        await _note(connection, by, now, "opened" if is_active else "closed", name, {})
    return True


async def revoke(connection: AsyncConnection, by: Staff, now: datetime, *, token_hash: bytes) -> bool:
    """Revoke a token; return whether it was one of this agency's that still worked."""
    name = (await connection.execute(_REVOKE, {"hash": token_hash, "now": now})).scalar_one()
    if name is None:
        return False
    await _note(connection, by, now, "token_revoked", name, {"token": token_hash.hex()[:8]})
    return True


async def _note(
    connection: AsyncConnection, by: Staff, now: datetime, what_changed: str, name: str, detail: dict[str, object]
) -> None:
    row = {"agency": by.agency, "at": now, "actor": by.name, "what_changed": what_changed, "name": name}
    await connection.execute(insert(account_change).values(**row, detail=detail).inline())
