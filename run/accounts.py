# SPDX-License-Identifier: Apache-2.0
"""The demonstration accounts: one person for each role, known to the local sign-in provider by name alone."""

from __future__ import annotations

from dataclasses import dataclass

from models.terms import Role
from run.settings import Settings


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


def account_lines(settings: Settings) -> list[str]:
    """Return what the ready message says of the accounts."""
    who = ", ".join(f"{account.name} ({account.roles[0]})" for account in ACCOUNTS)
    return [f"Sign in at {settings.public_url}/sign-in without a password, as {who}."]
