# SPDX-License-Identifier: Apache-2.0
"""The demonstration accounts: one person for each role, known to the local sign-in provider by name alone."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import create_engine, text
from sqlalchemy.dialects.postgresql import insert

from models.agency import Agency
from models.tables.registers import staff, staff_identity
from models.terms import Role
from run.policy_folder import read_policy
from run.settings import Settings
from run.sign_in import LOCAL_ISSUER


@dataclass(frozen=True, slots=True)
class Account:
    """A person to try Putright out as; the first role is the one they begin in."""

    name: str
    display_name: str
    roles: tuple[Role, ...]


ACCOUNTS = (
    Account("ann", "Ann Archer", (Role.CASEWORKER,)),
    Account("ben", "Ben Brook", (Role.CASEWORKER,)),
    Account("cara", "Cara Castle", (Role.CASEWORKER,)),
    Account("dan", "Dan Dale", (Role.CASEWORKER,)),
    Account("sue", "Sue Summers", (Role.SUPERVISOR, Role.CASEWORKER)),
    Account("ivy", "Ivy Ingram", (Role.INTAKE,)),
    Account("amy", "Amy Alder", (Role.ANALYST,)),
    Account("leo", "Leo Lane", (Role.LIAISON, Role.INTAKE)),
    Account("adm", "Ada Mills", (Role.ADMINISTRATOR,)),
    Account("odo", "Odo Ortega", (Role.AUDITOR,)),
)


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


def account_lines(settings: Settings) -> list[str]:
    """Return what the ready message says of the accounts."""
    who = ", ".join(f"{account.name} ({account.roles[0]})" for account in ACCOUNTS)
    return [f"Sign in at {settings.public_url}/sign-in without a password, as {who}."]


def _row(account: Account, agency: Agency) -> dict[str, object]:
    return {
        "agency": agency.slug,
        "name": account.name,
        "display_name": account.display_name,
        "email": f"{account.name}@{agency.slug}.example",
        "roles": [role.value for role in account.roles],
        "teams": [team.id for team in agency.teams],
    }
