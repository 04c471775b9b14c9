# SPDX-License-Identifier: Apache-2.0
"""Writing the demonstration accounts (run/accounts.py) into the register of staff; done again, it changes nothing."""

from __future__ import annotations

from sqlalchemy import create_engine, text
from sqlalchemy.dialects.postgresql import insert

from models.agency import Agency
from models.tables.registers import staff, staff_identity
from run.accounts import ACCOUNTS, Account
from run.policy_folder import read_policy
from run.settings import LOCAL_ISSUER, Settings


class NotHere(Exception):
    """Demonstration accounts are refused where anybody but this machine could use them."""


def seed_accounts(settings: Settings) -> str:
    """Make the accounts of the policy's agency, or leave them as they are; return a sentence.

    Raises NotHere unless everything is embedded on this machine only.
    """
    if not settings.may_sign_anyone_in:
        raise NotHere("Demonstration accounts are for the embedded servers on this machine only.")
    agency = read_policy(settings.policy_folder).agency
    write_accounts(settings.database_url, agency)
    return f"{agency.name} has the accounts {', '.join(account.name for account in ACCOUNTS)}."


def write_accounts(owner_url: str, agency: Agency) -> None:
    """Write the accounts and their identities with the local provider."""
    engine = create_engine(owner_url)
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT set_config('putright.agency', :slug, true)"), {"slug": agency.slug})
            rows = [_row(account, agency) for account in ACCOUNTS]
            connection.execute(insert(staff).values(rows).on_conflict_do_nothing())
            identities = [
                {"issuer": LOCAL_ISSUER, "subject": a.name, "agency": agency.slug, "name": a.name} for a in ACCOUNTS
            ]
            connection.execute(insert(staff_identity).values(identities).on_conflict_do_nothing())
    finally:
        engine.dispose()


def _row(account: Account, agency: Agency) -> dict[str, object]:
    return {
        "agency": agency.slug,
        "name": account.name,
        "display_name": account.display_name,
        "email": f"{account.name}@{agency.slug}.example",
        "roles": [role.value for role in account.roles],
        "teams": [team.id for team in agency.teams],
    }
