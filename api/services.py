# SPDX-License-Identifier: Apache-2.0
"""What the routes are given to work with, put together once by run/api.py (and by tests)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from api.reads.database import Database
from api.reads.policies import Policies
from models.commands import Command
from models.fixes.commands import FixCommand
from workflows.complaint import Answer
from workflows.systemic_fix import FixAnswer


class Acts(Protocol):
    """The way from a command to its answer (api/actions.py)."""

    async def act(self, agency: str, case_id: UUID, command: Command) -> Answer:
        """Have the command done; raises Refused, and Busy when no answer came in time."""

    async def act_on_fix(self, agency: str, fix_id: UUID, command: FixCommand) -> FixAnswer:
        """Do the same with a systemic fix."""


class Conductor(Protocol):
    """What else is asked of Temporal (api/conductor.py)."""

    async def is_there(self) -> bool:
        """Return whether Temporal answers."""

    async def analyse(self, agency: str, as_of: date) -> str:
        """Start the look for recurring failures as of the end of a day; return the workflow's id. Raises Busy."""


class SignIn(Protocol):
    """The sign-in provider (api/sign_in.py)."""

    @property
    def issuer(self) -> str:
        """Who vouches for people."""

    async def begin(self, request: Request, callback_url: str, go_on_to: str) -> Response:
        """Send the browser to the provider; raises SignInFailed."""

    async def finish(self, request: Request) -> tuple[str, str]:
        """Return whom the provider vouches for, and where they were going; raises SignInFailed."""


@dataclass(frozen=True, slots=True)
class WebSettings:
    """What of the settings the routes need."""

    public_url: str
    rate_limit_per_address: str
    rate_limit_in_total: str
    signs_anyone_in: bool = False
    """Whether the local sign-in provider is on; then every page says so."""
    temporal_ui_url: str = ""

    @property
    def is_https(self) -> bool:
        """Whether browsers reach us over https, so that cookies may be bound to it."""
        return self.public_url.startswith("https://")


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a route may use."""

    database: Database
    policies: Policies
    actions: Acts
    conductor: Conductor
    sign_in: SignIn | None
    settings: WebSettings
    clock: Callable[[], datetime]
    case_keys: bytes
    """What the keys of cases are wrapped with."""
    complainant_secrets: bytes
    """What the complainants' secrets are derived from."""
