# SPDX-License-Identifier: Apache-2.0
"""The agency: who it is, what it does, where and through which channels people reach it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from models.messages import Message
from models.working_time import TimeZoneName

Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
"""A word that records and routing rows use: small letters, digits and underscores."""
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\r\n\x00]+$")]
Paragraph = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4_000)]
Names = dict[Language, Line]
"""The same words in every language of the agency."""


Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=200)]


class Contact(Message):
    """How the complaints office is reached."""

    phone: Line
    email: Email
    post: Line


class Executive(Message):
    """Who answers for it that recurring problems are put right."""

    title: Line
    email: Email


class Greeting(Message):
    """How a letter begins: with the name, and where there is none."""

    named: Line
    unnamed: Line


class Service(Message):
    """Something the agency does for people."""

    id: Id
    name: Names
    covers: Names


class Office(Message):
    """A place where the agency serves people."""

    id: Id
    name: Line
    region: Id
    is_central: bool = False


class Team(Message):
    """The people who take over a complaint together."""

    id: Id
    name: Line
    looks_after: Line


class Channel(Message):
    """A way by which a complaint arrives."""

    id: Id
    name: Names


class Agency(Message):
    """One agency and its parts."""

    name: Line
    slug: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,39}$")]
    reference_prefix: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]{1,7}$")]
    time_zone: TimeZoneName
    languages: Annotated[tuple[Language, ...], Field(min_length=1, max_length=20)]
    """The first is the language of staff, and of everybody who has not said another."""
    contact: Contact
    accountable_executive: Executive | None = None
    """None in versions of a policy from before there was one; today's names somebody."""
    greeting: dict[Language, Greeting]
    notice: dict[Language, Paragraph]
    """The legal notice under every published standard and every answer."""
    external_route: dict[Language, Paragraph]
    """Whom to turn to outside the agency."""
    services: Annotated[tuple[Service, ...], Field(min_length=1)]
    offices: Annotated[tuple[Office, ...], Field(min_length=1)]
    teams: Annotated[tuple[Team, ...], Field(min_length=1)]
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)]

    def language_for(self, asked: str | None) -> str:
        """Return the language to write in: the one asked for if the agency has it, else its first."""
        return asked if asked in self.languages else self.languages[0]

    def greeting_for(self, name: str | None, language: str) -> str:
        """Return the first line of a letter to somebody whose name may not be known."""
        greeting = self.greeting[language]
        return greeting.named.replace("{name}", name) if name else greeting.unnamed
