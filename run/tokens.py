# SPDX-License-Identifier: Apache-2.0
"""Bearer tokens: made here, shown once, stored as a hash."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import create_engine, insert, select, text

from models.tables.receipts import agency as agency_table
from models.tables.registers import staff, token
from run.settings import Settings

PREFIX = "putright_"


class NoSuchAccount(LookupError):
    """There is no active account of that name in that role."""


def create_token(settings: Settings, *, agency: str, name: str, role: str, label: str, days: int, now: datetime) -> str:
    """Make a token for an account in one of its roles and return its clear text."""
    clear = PREFIX + secrets.token_urlsafe(32)
    engine = create_engine(settings.database_url)
    try:
        with engine.begin() as connection:
            slugs = list(connection.scalars(select(agency_table.c.slug)))
            slug = agency or (slugs[0] if len(slugs) == 1 else "")
            if slug not in slugs:
                raise NoSuchAccount(f"Name the agency with --agency: {', '.join(slugs) or 'there is none yet'}.")
            connection.execute(text("SELECT set_config('putright.agency', :slug, true)"), {"slug": slug})
            query = select(staff.c.roles).where(staff.c.agency == slug, staff.c.name == name, staff.c.is_active)
            roles = connection.execute(query).scalar_one_or_none()
            if roles is None or role not in roles:
                has = f"It has: {', '.join(roles)}." if roles else "There is no such account."
                raise NoSuchAccount(f"The account {name} of {slug} cannot act as {role}. {has}")
            row = {"hash": hashlib.sha256(clear.encode()).digest(), "agency": slug, "name": name, "role": role}
            connection.execute(insert(token).values(label=label, expires_at=now + timedelta(days=days), **row))
    finally:
        engine.dispose()
    return clear
