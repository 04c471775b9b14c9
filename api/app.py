# SPDX-License-Identifier: Apache-2.0
"""The application: the JSON interface under /api/v1, the pages beside it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from starlette.middleware import Middleware

from api import complaints, days, fixes, health, lifecycle, policy, sign_in, signals, texts, track
from api.identity import anybody, forgive, known_tokens
from api.limits import PublicLimits
from api.middleware import Guard
from api.pages import router as pages
from api.pages.site import NOTHING_HERE, problem_page, wants_page
from api.problems import (
    NotFound,
    NotSignedIn,
    Problem,
    TooMany,
    Unprocessable,
    add_problem_handlers,
    problem_response,
    problems,
)
from api.queries import only_known_queries
from api.services import Services

PREFIX = "/api/v1"
VERSION = "1"
_ABOUT = """
Complaints of a public agency, from receipt to root cause.

* **Filing and tracking** need no account: a complaint is answered with a reference and a secret.
* **Everything else** is for the agency's staff: send `Authorization: Bearer <token>` (`putright token create`).
* **Idempotency-Key**: send one with whatever changes something, and ask again with the same key when an answer is lost.
  The same key and request get the first answer; the same key with another request is refused (409).
* **Problems** are `application/problem+json` (RFC 9457); `detail` is one sentence for a person.
* **Lists** go on with `cursor`; there is no counting and no page number.
"""


def create_app(services: Services) -> FastAPI:
    """Return the application, working with these services."""
    app = _interface([Middleware(Guard, is_https=services.settings.is_https, tell=_told)])
    app.state.services = services
    app.state.limits = PublicLimits(services.settings.rate_limit_per_address, services.settings.rate_limit_in_total)
    app.state.known_tokens = known_tokens()
    add_problem_handlers(app, _told)
    app.include_router(sign_in.router)
    app.include_router(pages.router)
    return app


async def _told(request: Request, problem: Problem) -> Response:
    """Return a problem to a person as a page, to a program as JSON."""
    if isinstance(problem, Unprocessable):
        await forgive(request)
    if not wants_page(request):
        return problem_response(problem)
    if problem.status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
        # Where a form is sent to, there is nothing to look at either.
        problem = NotFound(NOTHING_HERE)
    return await problem_page(request, problem)


def described() -> dict[str, Any]:
    """Return the interface's OpenAPI description; pages and sign-in are no part of it."""
    return _interface([]).openapi()


def _interface(middleware: list[Middleware]) -> FastAPI:
    app = FastAPI(
        title="Putright",
        version=VERSION,
        description=_ABOUT,
        # The usual documentation pages load programs from elsewhere, which our own policy for pages forbids.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        middleware=middleware,
    )
    app.include_router(health.router)
    for part in (complaints, track, lifecycle, policy, signals, texts, fixes, days):
        app.include_router(
            part.router,
            prefix=PREFIX,
            dependencies=[Depends(only_known_queries)],
            # Whatever the route: a token can be wrong, guessed too often, and a query misspelled.
            responses=problems(NotSignedIn, TooMany, Unprocessable),
        )

    @app.get(f"{PREFIX}/openapi.json", include_in_schema=False)
    async def description(_: Annotated[object, Depends(anybody)]) -> dict[str, Any]:
        """Serve the description to everybody: it holds no secrets."""
        return app.openapi()

    return app
