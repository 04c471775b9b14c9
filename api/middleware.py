# SPDX-License-Identifier: Apache-2.0
"""What every request passes: the size of its body, where it comes from, and the headers of its answer. Plain ASGI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.identity import SECURE_SESSION_COOKIE, SESSION_COOKIE
from api.problems import Forbidden, Problem, TooLarge

BODY_LIMIT_BYTES = 1024 * 1024
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES = frozenset({"same-origin", "none"})
"""What browsers say of requests from our own pages, and of what a person typed in."""
_TOO_LARGE = f"A request of more than {BODY_LIMIT_BYTES // 1024} KiB is not taken."
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_HSTS = "max-age=31536000"
Tell = Callable[[Request, Problem], Awaitable[Response]]
"""How a problem is told: to a person as a page, to a program as JSON."""


class Guard:
    """Refuses bodies that are too long and requests other sites make in a signed-in person's name."""

    def __init__(self, app: ASGIApp, *, is_https: bool, tell: Tell) -> None:
        self._app = app
        self._tell = tell
        self._headers = SECURITY_HEADERS | ({"Strict-Transport-Security": _HSTS} if is_https else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                # What is personal must not stay in caches; what is published says so itself.
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        if (problem := _too_large(headers) or _from_elsewhere(scope["method"], headers)) is not None:
            response = await self._tell(Request(scope, receive), problem)
            await response(scope, receive, send_with_headers)
            return
        await self._app(scope, _bounded(receive), send_with_headers)


def _too_large(headers: Headers) -> Problem | None:
    length = headers.get("content-length", "0")
    return TooLarge(_TOO_LARGE) if length.isdecimal() and int(length) > BODY_LIMIT_BYTES else None


def _bounded(receive: Receive) -> Receive:
    """Return `receive` with an end to bodies that do not say how long they are."""
    taken = 0

    async def receive_bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > BODY_LIMIT_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE)
        return message

    return receive_bounded


def _from_elsewhere(method: str, headers: Headers) -> Problem | None:
    """Refuse what changes something by cookie alone, unless the browser says that our own page asks.

    A bearer token is no cookie: other sites cannot send it, so programs need no more than that.
    """
    if method in _SAFE_METHODS or "authorization" in headers or not _has_session(headers.get("cookie", "")):
        return None
    site = headers.get("sec-fetch-site")
    if site in _OWN_SITES or (site is None and _is_own_origin(headers)):
        return None
    return Forbidden("This request comes from another site. Use the page of this site.")


def _has_session(cookie: str) -> bool:
    return any(part.strip().partition("=")[0] in {SESSION_COOKIE, SECURE_SESSION_COOKIE} for part in cookie.split(";"))


def _is_own_origin(headers: Headers) -> bool:
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == headers.get("host")
