# SPDX-License-Identifier: Apache-2.0
"""Who is asking: programs by bearer token, people by a browser session. Every route says for whom it is.

A route without `who(…)` or `public` is refused by a test, so nothing is open by forgetting.
"""

from __future__ import annotations

from typing import Annotated

from cachetools import TTLCache
from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.limits import PublicLimits
from api.problems import Forbidden, NotSignedIn
from api.reads.people import Staff, hash_of, holder_of_session, holder_of_token
from api.services import Services
from models.commands import Actor
from models.terms import Role

COMPLAINANT = Actor(name="complainant", role=Role.COMPLAINANT)
SESSION_COOKIE = "sid"
SECURE_SESSION_COOKIE = "__Host-sid"
TOKENS_KNOWN = 10_000
TOKEN_KNOWN_SECONDS = 5
"""So long may a token that has been revoked still be taken."""
_BEARER = "bearer "
_scheme = HTTPBearer(auto_error=False, description="A token of `putright token create`.")


def services_of(request: Request) -> Services:
    """Return what routes work with."""
    services: Services = request.app.state.services
    return services


def session_cookie(services: Services) -> str:
    """Return the name of the session's cookie: over https one that no other host or path can set."""
    return SECURE_SESSION_COOKIE if services.settings.is_https else SESSION_COOKIE


def bearer_of(request: Request) -> str | None:
    """Return the token of a request, if it has one."""
    header = request.headers.get("authorization", "")
    return header[len(_BEARER) :].strip() if header[: len(_BEARER)].lower() == _BEARER else None


async def signed_in(request: Request) -> Staff | None:
    """Return who is asking, or None for somebody unknown; raises NotSignedIn or TooMany for a wrong token."""
    services = services_of(request)
    if (token := bearer_of(request)) is not None:
        return await _of_token(request, services, token)
    if session := request.cookies.get(session_cookie(services)):
        return await holder_of_session(services.database, session, services.clock())
    return None


async def _of_token(request: Request, services: Services, token: str) -> Staff:
    known: TTLCache[bytes, Staff] = request.app.state.known_tokens
    hashed = hash_of(token)
    if (staff := known.get(hashed)) is None:
        limits, address = _limits_of(request), _address_of(request)
        await limits.check_guesses(address)
        staff = await holder_of_token(services.database, token, services.clock())
        if staff is None:
            await limits.count_guess(address)
            raise NotSignedIn("This token is unknown, expired or revoked.")
        known[hashed] = staff
    return staff


def _limits_of(request: Request) -> PublicLimits:
    limits: PublicLimits = request.app.state.limits
    return limits


def _address_of(request: Request) -> str:
    return request.client.host if request.client else ""


def known_tokens() -> TTLCache[bytes, Staff]:
    """Return an empty memory of tokens seen: programs ask often, and each look-up is a round trip to the record."""
    return TTLCache(TOKENS_KNOWN, TOKEN_KNOWN_SECONDS)


class Who:
    """The dependency of a route for signed-in people in these roles."""

    def __init__(self, *roles: Role) -> None:
        self.roles = frozenset(roles)

    async def __call__(
        self,
        request: Request,
        _credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_scheme)] = None,
    ) -> Staff:
        """Return who is asking; raises NotSignedIn or Forbidden."""
        staff = await signed_in(request)
        if staff is None:
            raise NotSignedIn
        # A page that tells of a problem shows the same menu as the page that was asked for.
        request.state.person = staff
        if staff.role not in self.roles:
            wanted = " or ".join(sorted(role.value for role in self.roles))
            raise Forbidden(f"This is for the role {wanted}; you act as {staff.role.value}.")
        return staff


def who(*roles: Role) -> Who:
    """Return the dependency that lets these roles in and gives the route the person."""
    return Who(*roles)


class Public:
    """The dependency of a route for everybody: counted against the limits unless somebody known asks."""

    def __init__(self, *, is_limited: bool = True, looks: bool = True) -> None:
        self.is_limited = is_limited
        self.looks = looks
        """Whether it matters who asks; where not, nothing is looked up."""

    async def __call__(self, request: Request) -> Staff | None:
        """Return who is asking, if known; raises TooMany."""
        staff = await signed_in(request) if self.looks else None
        if self.is_limited and staff is None:
            await _limits_of(request).count(_address_of(request))
            request.state.is_counted = True
        return staff


async def forgive(request: Request) -> None:
    """Take back the count of a request that was refused for what stands in it; typing errors lock nobody out."""
    if getattr(request.state, "is_counted", False):
        request.state.is_counted = False
        await _limits_of(request).forgive(_address_of(request))


public = Public()
"""For routes that take something in or show something personal."""
open_to_all = Public(is_limited=False)
"""For routes that show only what is published anyway."""
anybody = Public(is_limited=False, looks=False)
"""For routes where it does not matter who asks."""


async def _given(request: Request) -> Services:
    """Return what routes work with; a plain function would cost each request a thread."""
    return services_of(request)


Given = Annotated[Services, Depends(_given)]
