# SPDX-License-Identifier: Apache-2.0
"""Signing in: the agency's own provider vouches for a person (OpenID Connect, code flow with PKCE), we keep a session.

Between the two halves of a sign-in its state stands in a signed cookie of ten minutes. A role is chosen after signing
in; each role is a session of its own, so that what the record says a person did as is always plain.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

import httpx
from authlib.integrations.base_client import OAuthError
from authlib.integrations.starlette_client import OAuth
from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from itsdangerous import BadSignature, URLSafeTimedSerializer

from api.identity import Given, open_to_all, session_cookie, who
from api.pages.site import PageRoute, first_page_of, safe_address
from api.problems import Forbidden, NotFound, Problem
from api.reads.people import SIGNED_IN_AT_MOST, Staff, staff_of_identity
from api.services import Services, SignIn
from api.writes.sessions import end_session, start_session
from models.terms import STAFF_ROLES, Role

STATE_COOKIE = "sign-in"
STATE_SECONDS = 600
START, LOCAL, CALLBACK = "/sign-in/start", "/sign-in/as", "/sign-in/callback"
router = APIRouter(include_in_schema=False, route_class=PageRoute)


class SignInFailed(Problem):
    """The provider did not vouch for the person, or the sign-in was not begun here."""

    status = HTTPStatus.FORBIDDEN
    code = "sign-in-failed"
    title = "Signing in did not work"


class OidcSignIn:
    """An OpenID Connect provider.

    `name` is what people's identities are stored under: the issuer's address, for a provider that keeps its address.
    """

    trusts_environment = True
    """Whether the proxies that the environment names stand between us and the provider."""

    def __init__(self, issuer_url: str, name: str, client_id: str, client_secret: str, signing_key: bytes) -> None:
        self._name = name
        self._signer = URLSafeTimedSerializer(signing_key, salt="sign-in")
        oauth = OAuth()
        self._client = oauth.register(
            "staff",
            client_id=client_id,
            client_secret=client_secret,
            server_metadata_url=f"{issuer_url}/.well-known/openid-configuration",
            client_kwargs={
                "scope": "openid profile",
                "code_challenge_method": "S256",
                "trust_env": self.trusts_environment,
            },
        )

    @property
    def issuer(self) -> str:
        """Who vouches for people."""
        return self._name

    async def begin(self, request: Request, callback_url: str, go_on_to: str) -> Response:
        """Send the browser to the provider; raises SignInFailed where the provider cannot be reached."""
        request.scope["session"] = {}
        try:
            response: Response = await self._client.authorize_redirect(request, callback_url)
        except (OAuthError, httpx.HTTPError) as problem:
            raise SignInFailed("The sign-in provider cannot be reached just now. Try again in a minute.") from problem
        kept = self._signer.dumps({"session": request.scope["session"], "go_on_to": go_on_to})
        response.set_cookie(
            STATE_COOKIE,
            kept,
            max_age=STATE_SECONDS,
            path="/sign-in",
            httponly=True,
            samesite="lax",
            secure=callback_url.startswith("https://"),
        )
        return response

    async def finish(self, request: Request) -> tuple[str, str]:
        """Return whom the provider vouches for, and where they were going; raises SignInFailed."""
        try:
            kept = self._signer.loads(request.cookies.get(STATE_COOKIE, ""), max_age=STATE_SECONDS)
        except BadSignature as problem:
            raise SignInFailed("The sign-in took too long or was begun elsewhere. Sign in again.") from problem
        request.scope["session"] = kept["session"]
        try:
            token: dict[str, Any] = await self._client.authorize_access_token(request)
            subject = str(token["userinfo"]["sub"])
        except (OAuthError, httpx.HTTPError, ValueError, KeyError) as problem:
            # ValueError: a token that is not what it says (joserfc's faults derive from it).
            raise SignInFailed("The sign-in provider did not confirm who you are. Sign in again.") from problem
        return subject, str(kept["go_on_to"])


class LocalSignIn(OidcSignIn):
    """The provider that believes anybody, on this machine: people choose who they are on our own sign-in page.

    The flow is the real one (state, PKCE, code, a signed ID token); only the provider's page is asked by us and not by
    the browser. So the browser needs to reach nothing but this site, also through a tunnel and without a network.
    """

    trusts_environment = False

    async def begin_as(self, request: Request, callback_url: str, go_on_to: str, subject: str) -> Response:
        """Have the provider vouch for a person and send the browser on to our callback; raises SignInFailed."""
        response = await self.begin(request, callback_url, go_on_to)
        try:
            async with httpx.AsyncClient(trust_env=False) as browser:
                vouched = await browser.post(response.headers["location"], data={"sub": subject})
        except httpx.HTTPError as problem:
            raise SignInFailed("The local sign-in does not answer just now. Try again in a minute.") from problem
        back = urlsplit(vouched.headers.get("location", ""))
        if vouched.status_code != HTTPStatus.FOUND or back.path != CALLBACK:
            raise SignInFailed("The local sign-in did not vouch for this person.")
        # Without a host: whatever address the browser reaches us by, it comes back to the same.
        response.headers["location"] = f"{back.path}?{back.query}"
        response.status_code = HTTPStatus.SEE_OTHER
        return response


@router.get(START)
async def start(
    request: Request, services: Given, _: Annotated[Staff | None, Depends(open_to_all)], going_to: str = ""
) -> Response:
    """Send the browser to the agency's sign-in provider; the local one's page is our own."""
    provider, own = _provider(services), safe_address(going_to)
    if isinstance(provider, LocalSignIn):
        return _to(f"/sign-in?next={quote(own, safe='/')}" if own else "/sign-in")
    return await provider.begin(request, services.settings.public_url + CALLBACK, own)


@router.post(LOCAL)
async def start_as(
    request: Request,
    services: Given,
    _: Annotated[Staff | None, Depends(open_to_all)],
    subject: Annotated[str, Form(max_length=80, pattern=r"^[^\x00-\x20\x7f]+$")],
    going_to: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Go on as the person chosen, where the local provider lets anybody be anybody; nowhere else."""
    provider = _provider(services)
    if not isinstance(provider, LocalSignIn):
        raise NotFound("People sign in with the agency's own provider here.")
    return await provider.begin_as(request, services.settings.public_url + CALLBACK, safe_address(going_to), subject)


@router.get(CALLBACK)
async def callback(request: Request, services: Given, _: Annotated[Staff | None, Depends(open_to_all)]) -> Response:
    """Take the provider's word, and begin a session in the person's first role."""
    provider = _provider(services)
    subject, go_on_to = await provider.finish(request)
    account = await staff_of_identity(services.database, provider.issuer, subject)
    if account is None:
        raise Forbidden("You are signed in with the provider, but have no account here. Ask your administrator.")
    role = account.roles[0]
    await _end(request, services)  # on a desk that people share, whoever was signed in before is so no longer
    secret = await start_session(services.database, account.agency, account.name, role)
    response = _to(go_on_to or first_page_of(role))
    _set_session(response, services, secret)
    response.delete_cookie(STATE_COOKIE, path="/sign-in")
    return response


@router.post("/role")
async def change_role(
    request: Request,
    services: Given,
    staff: Annotated[Staff, Depends(who(*STAFF_ROLES))],
    role: Annotated[Role, Form()],
) -> Response:
    """Go on in another of one's roles: a new session, and the old one ends."""
    if role not in staff.roles:
        raise Forbidden("That is not one of your roles.")
    secret = await start_session(services.database, staff.agency, staff.name, role)
    await _end(request, services)
    response = _to(first_page_of(role))
    _set_session(response, services, secret)
    return response


@router.post("/sign-out")
async def sign_out(request: Request, services: Given, _: Annotated[Staff | None, Depends(open_to_all)]) -> Response:
    """End the session."""
    await _end(request, services)
    response = _to("/sign-in?done=signed-out")
    response.delete_cookie(session_cookie(services), path="/", secure=services.settings.is_https, httponly=True)
    return response


async def _end(request: Request, services: Services) -> None:
    if secret := request.cookies.get(session_cookie(services)):
        await end_session(services.database, secret)


def _provider(services: Services) -> SignIn:
    if services.sign_in is None:
        raise SignInFailed("No sign-in provider is set up here; programs use a bearer token.")
    return services.sign_in


def _to(address: str) -> RedirectResponse:
    return RedirectResponse(address, status_code=HTTPStatus.SEE_OTHER)


def _set_session(response: Response, services: Services, secret: str) -> None:
    response.set_cookie(
        session_cookie(services),
        secret,
        max_age=int(SIGNED_IN_AT_MOST.total_seconds()),
        path="/",
        httponly=True,
        samesite="lax",
        secure=services.settings.is_https,
    )
