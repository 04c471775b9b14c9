# SPDX-License-Identifier: Apache-2.0
"""Mail: how a letter leaves the house: by an SMTP server, where there is none as a file in a folder, or by post.

A letter's Message-ID never changes, so that one repeated after a crash can be told from a second one. Addresses stand
in the message and nowhere else: no error and no log line of this module names one.
"""

from __future__ import annotations

import asyncio
import os
import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UniqueUnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import aiosmtplib

from models.wording import day_in_words

PERMANENT = 500
"""Replies from here on are final, those below may come out otherwise another day (RFC 5321 §4.2.1)."""
SEND_WITHIN_SECONDS = 15.0
DONE_WITHIN_SECONDS = 25.0
"""Less than a claim of the outbox lasts, so that no other worker takes the letter up meanwhile."""
GIVE_UP_AFTER_ATTEMPTS = 130
"""With an hour between attempts some five days, as RFC 5321 §4.5.4.1 advises."""
_DEFAULT_PORT = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}
_LOCAL_PART = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")
_DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


class Undeliverable(Exception):
    """The letter cannot be delivered, now or later; the sentence says why and names nobody."""


class NotDeliveredYet(Exception):
    """The letter could not be handed over this time; trying again later is right."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A letter with its envelope."""

    message_id: str
    sender: str
    sender_name: str
    reply_to: str
    recipients: tuple[str, ...]
    """Empty: it goes by post."""
    subject: str
    body: str
    language: str
    written_at: datetime
    written_on: date
    """The day in the agency's zone, as the letter itself names days."""
    post: str = ""
    """Name and postal address of whoever has no e-mail address."""


class Mailer(Protocol):
    """Hands letters over."""

    async def send(self, mail: Mail) -> None:
        """Hand the letter over; raises Undeliverable or NotDeliveredYet."""


class _Subject(UniqueUnstructuredHeader, BaseHeader):  # type: ignore[misc] # as the registry joins the two itself
    """A subject that begins on the first line: left to itself, one that is a little too long leaves that line empty."""

    def fold(self, *, policy: Policy) -> str:
        """Return the header as it is written, its lines broken between words."""
        if not self.isascii() or not policy.max_line_length:
            return super().fold(policy=policy)
        whole = f"{self.name}: {self}"
        lines = textwrap.wrap(
            whole, policy.max_line_length, subsequent_indent=" ", break_long_words=False, break_on_hyphens=False
        )
        return policy.linesep.join((*lines, ""))


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("subject", _Subject)
_WRITTEN = SMTP.clone(header_factory=_HEADERS)


def message_of(mail: Mail) -> EmailMessage:
    """Return the letter as a message (RFC 5322), marked as sent by a machine (RFC 3834)."""
    message = EmailMessage(policy=_WRITTEN)
    message["Message-ID"] = mail.message_id
    message["Date"] = format_datetime(mail.written_at)
    message["From"] = _address(mail.sender, mail.sender_name)
    message["Reply-To"] = _address(mail.reply_to)
    message["To"] = [_address(recipient) for recipient in mail.recipients]
    message["Subject"] = mail.subject
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.body, cte="quoted-printable")
    message["Content-Language"] = mail.language  # after the content, which clears every header about it
    return message


def _address(address: str, name: str = "") -> Address:
    """Return an address that is safe in a header, its domain spelled in ASCII; raises Undeliverable."""
    local, separator, domain = address.strip().rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError as problem:
        raise Undeliverable("The address has a domain that cannot exist.") from problem
    if not separator or not _LOCAL_PART.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        raise Undeliverable("The address is not one that mail can be sent to.")
    return Address(name, username=local, domain=domain)


class SmtpMailer:
    """Sends by an SMTP server, told as smtp://host:25, smtps://user:password@host:465 or smtp+starttls://host:587."""

    def __init__(self, url: str) -> None:
        self._server = urlsplit(url)

    async def send(self, mail: Mail) -> None:
        """Hand the letter to the server, over a connection of its own."""
        message = message_of(mail)
        try:
            async with self._connection() as connection:
                refused, _ = await connection.send_message(message)
        except aiosmtplib.SMTPRecipientsRefused as problem:
            raise _refusal(refusal.code for refusal in problem.recipients) from problem
        except aiosmtplib.SMTPDataError as problem:
            raise _refusal([problem.code]) from problem
        except (aiosmtplib.SMTPException, OSError) as problem:
            # A sender or a password that the server refuses is a setting that somebody will correct.
            raise NotDeliveredYet(type(problem).__name__) from problem
        if refused:
            codes = ", ".join(str(reply.code) for reply in refused.values())
            raise Undeliverable(f"{len(refused)} of {len(mail.recipients)} recipients were refused (reply {codes}).")

    def _connection(self) -> aiosmtplib.SMTP:
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.hostname,
            port=server.port or _DEFAULT_PORT[server.scheme],
            username=unquote(server.username) if server.username else None,
            password=unquote(server.password) if server.password else None,
            use_tls=server.scheme == "smtps",
            start_tls=server.scheme == "smtp+starttls",
            timeout=SEND_WITHIN_SECONDS,
        )


def _refusal(replies: Iterable[int]) -> Undeliverable | NotDeliveredYet:
    codes = sorted(set(replies))
    said = f"The mail server refused it (reply {', '.join(map(str, codes))})."
    # As long as one recipient may yet be reached, the letter is not given up.
    return Undeliverable(said) if min(codes, default=0) >= PERMANENT else NotDeliveredYet(said)


class FolderMailer:
    """Writes every letter as a file, named by its Message-ID: sent again, it takes its own place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, mail: Mail) -> None:
        """Write the letter, whole or not at all."""
        await _put(self.file_of(mail.message_id), message_of(mail).as_bytes())

    def file_of(self, message_id: str) -> Path:
        """Return where the letter with that Message-ID is written."""
        return _file_in(self._folder, message_id, ".eml")


class Letters:
    """Mails what has an e-mail address; the rest it writes into a folder, for people to print and to post.

    Sent again, a letter takes its own place, also where somebody has taken it from the folder meanwhile.
    """

    def __init__(self, mailer: Mailer, folder: Path) -> None:
        self._mailer = mailer
        self._folder = folder

    async def send(self, mail: Mail) -> None:
        """Hand the letter over, by mail or by post."""
        if mail.recipients:
            await self._mailer.send(mail)
            return
        day = day_in_words(mail.written_on, mail.language)
        printed = f"{mail.sender_name}\n\n{mail.post.strip()}\n\n{day}\n\n{mail.subject}\n\n{mail.body.strip()}\n"
        await _put(_file_in(self._folder, mail.message_id, ".txt"), printed.encode())


def mailer_for(smtp_url: str, folder: Path, post: Path) -> Mailer:
    """Return how letters leave with these settings: by the server that is told, else into the folder; or by post."""
    return Letters(SmtpMailer(smtp_url) if smtp_url else FolderMailer(folder), post)


def _file_in(folder: Path, message_id: str, suffix: str) -> Path:
    return folder / (re.sub(r"[^A-Za-z0-9.@-]", "_", message_id.strip("<>")) + suffix)


async def _put(file: Path, content: bytes) -> None:
    try:
        await asyncio.to_thread(_write, file, content)
    except OSError as problem:
        raise NotDeliveredYet(f"{file.parent}: {problem.strerror}") from problem


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = file.with_suffix(f".{os.getpid()}.part")
    with unfinished.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    unfinished.replace(file)
