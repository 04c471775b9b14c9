# SPDX-License-Identifier: Apache-2.0
"""The administrator's page: accounts, tokens, policy, and how the installation does. No complaint is seen from here."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.identity import COMPLAINANT, Given, who
from api.pages.forms import Faults, Form, Sent, sent
from api.pages.place import Place, place_of
from api.pages.site import PageRoute, to
from api.pages.words import ROLES, Option, Pair, counted
from api.problems import NotFound
from api.reads.accounts import AccountRow, ChangeRow, TokenRow, account_changes, accounts, tokens
from api.reads.people import Staff
from api.reads.policies import Version
from api.reads.state import LOOKED_AT, Waiting, waiting
from api.writes.accounts import add_account, revoke, set_active
from models.commands import SYSTEM
from models.refusals import AlreadyDone
from models.terms import Role

router = APIRouter(include_in_schema=False, route_class=PageRoute)
ADMINISTRATORS = (Role.ADMINISTRATOR,)
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_RESERVED = frozenset({SYSTEM.name, COMPLAINANT.name})
"""Who acts under these names is no member of staff: the process itself, and the complainant."""
_HASH = re.compile(r"[0-9a-f]{64}")
_CHANGES = {
    "added": "added the account",
    "closed": "closed the account",
    "opened": "opened the account again",
    "token_revoked": "revoked a token of",
}


@dataclass(frozen=True, slots=True)
class AccountLine:
    """An account in the list."""

    name: str
    display_name: str
    roles: str
    teams: str
    is_active: bool
    is_me: bool


@dataclass(frozen=True, slots=True)
class TokenLine:
    """A token in the list."""

    hash: str
    mark: str
    name: str
    role: str
    label: str
    made: str
    used: str
    until: str
    works: bool


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """A change of somebody's way in, in a sentence."""

    at: str
    sentence: str


@router.get("/admin")
async def administration(
    request: Request, services: Given, person: Annotated[Staff, Depends(who(*ADMINISTRATORS))]
) -> Response:
    """Show who may sign in, which programs may, under which policy, and how the installation does."""
    return await _page(request, await place_of(services, person), Form())


@router.post("/admin/accounts")
async def add(request: Request, services: Given, person: Annotated[Staff, Depends(who(*ADMINISTRATORS))]) -> Response:
    """Add an account."""
    place, form = await place_of(services, person), await sent(request)
    try:
        await _add(place, form)
    except (Faults, AlreadyDone) as wrong:
        errors = wrong.errors if isinstance(wrong, Faults) else {"name": str(wrong)}
        return await _page(request, place, form.again(errors), HTTPStatus.UNPROCESSABLE_ENTITY)
    return to("/admin?done=account-added#accounts")


@router.post("/admin/accounts/{name}/{change}")
async def change_account(
    name: str, change: str, services: Given, person: Annotated[Staff, Depends(who(*ADMINISTRATORS))]
) -> Response:
    """Close an account, or open it again."""
    if change not in {"close", "open"}:
        raise NotFound("An account can be closed, or opened again.")
    async with services.database.of(person.agency) as connection:
        found = await set_active(connection, person, services.clock(), name=name, is_active=change == "open")
    if not found:
        raise NotFound("There is no such account.")
    return to(f"/admin?done=account-{'opened' if change == 'open' else 'closed'}#accounts")


@router.post("/admin/tokens/{token}/revoke")
async def revoke_token(
    token: str, services: Given, person: Annotated[Staff, Depends(who(*ADMINISTRATORS))]
) -> Response:
    """Revoke a token; one that is over stays so."""
    if not _HASH.fullmatch(token):
        raise NotFound("There is no such token.")
    async with services.database.of(person.agency) as connection:
        found = await revoke(connection, person, services.clock(), token_hash=bytes.fromhex(token))
    if not found:
        raise NotFound("There is no such token, or it has been revoked already.")
    return to("/admin?done=token-revoked#tokens")


async def _add(place: Place, form: Sent) -> None:
    services = place.services
    name = form.line("name", missing="Write the account's name.")
    display_name = form.line("display_name", missing="Write the person's name.")
    if name and not _NAME.fullmatch(name):
        form.errors["name"] = "Use small letters, digits, dots and dashes, such as j.doe."
    if name in _RESERVED:
        form.errors["name"] = f"The record calls others {name}; choose another name."
    roles = [Role(value) for value in form.many("roles") if value in ROLES]
    if not roles:
        form.errors["roles"] = "Choose at least one role."
    subject = form.line("subject") or name
    known_teams = {team.value for team in place.words.teams}
    form.check()
    async with services.database.of(place.person.agency) as connection:
        await add_account(
            connection,
            place.person,
            place.now,
            name=name,
            display_name=display_name,
            roles=roles,
            teams=[team for team in form.many("teams") if team in known_teams],
            issuer=services.sign_in.issuer if services.sign_in else None,
            subject=subject,
        )


async def _page(request: Request, place: Place, form: Form, status: int = HTTPStatus.OK) -> Response:
    services, agency = place.services, place.person.agency
    async with services.database.of(agency) as connection:
        people, held = await accounts(connection), await tokens(connection)
        changes, left = await account_changes(connection), await waiting(connection)
    version = await services.policies.current(agency, place.now)
    record, temporal = await asyncio.gather(services.database.is_there(), services.conductor.is_there())
    names = {each.name: each.display_name for each in people}
    return place.page(
        request,
        "admin",
        "admin/administration.html",
        status=status,
        form=form,
        accounts=[_account(each, place) for each in people],
        tokens=[_token(each, place, names) for each in held],
        changes=change_lines(changes, place, names),
        roles=[Option(role.value, label) for role, label in ROLES.items()],
        teams=place.words.teams,
        policy=_policy(version, place),
        health=_health(left, record=record, temporal=temporal),
        temporal_ui=services.settings.temporal_ui_url,
        has_provider=services.sign_in is not None,
    )


def _account(row: AccountRow, place: Place) -> AccountLine:
    return AccountLine(
        name=row.name,
        display_name=row.display_name,
        roles=", ".join(ROLES[role] for role in row.roles),
        teams=", ".join(place.words.team(team) for team in row.teams),
        is_active=row.is_active,
        is_me=row.name == place.person.name,
    )


def _token(row: TokenRow, place: Place, names: dict[str, str]) -> TokenLine:
    if row.revoked_at is not None:
        until = f"revoked {place.times.day(row.revoked_at)}"
    else:
        until = f"{'ran out' if row.is_over(place.now) else 'until'} {place.times.day(row.expires_at)}"
    return TokenLine(
        hash=row.hash.hex(),
        mark=row.hash.hex()[:8],
        name=names.get(row.name, row.name),
        role=ROLES[row.role],
        label=row.label,
        made=place.times.day(row.made_at),
        used=place.times.moment(row.last_used_at) or "never",
        until=until,
        works=not row.is_over(place.now),
    )


def change_lines(rows: tuple[ChangeRow, ...], place: Place, names: dict[str, str]) -> list[ChangeLine]:
    """Return what was changed of ways in, a sentence each."""
    return [
        ChangeLine(
            place.times.moment(row.at),
            f"{names.get(row.actor, row.actor)} {_CHANGES[row.what_changed]} {names.get(row.name, row.name)}"
            + (f" ({row.detail['token']})" if "token" in row.detail else "")
            + (f" as {', '.join(ROLES[Role(role)] for role in row.detail['roles'])}" if "roles" in row.detail else ""),
        )
        for row in rows
    ]


def _policy(version: Version, place: Place) -> tuple[Pair, ...]:
    policy = version.policy
    return (
        Pair("Version in force", str(version.number)),
        Pair("In force since", place.times.day(version.effective_from)),
        Pair("Fingerprint", policy.content_hash[:12]),
        Pair("Covers", f"{counted(len(policy.agency.services), 'services')}, "
             f"{counted(len(policy.agency.offices), 'offices')}, {counted(len(policy.agency.teams), 'teams')}"),
        Pair("Codes of the taxonomy", str(len(policy.taxonomy.terms))),
    )  # fmt: skip


def _health(left: Waiting, *, record: bool, temporal: bool) -> tuple[Pair, ...]:
    opened = (
        f"{left.unopened} of the newest {LOOKED_AT:,} wait to be opened" if left.unopened else "all of them are opened"
    )
    marked = ", ".join(f"{kind}: {count}" for kind, count in left.faults.items())
    return (
        Pair("The record (PostgreSQL)", "answers" if record else "does not answer: nothing can be done"),
        Pair("Temporal", "answers" if temporal else "does not answer: complaints are taken in, actions wait"),
        Pair("Receipts", opened),
        Pair("Cases marked with a fault", marked or "none"),
    )
