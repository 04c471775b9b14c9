# SPDX-License-Identifier: Apache-2.0
"""Letters for tests: cases whose complainants can be written to, and a mail server that does as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.correspondence import Correspondence
from activities.interface import Batch, CaseAddress
from activities.letter_values import Links
from activities.mail import Mailer
from activities.policies import Policies
from models import lifecycle
from models.case import Case
from models.commands import SYSTEM, Command, SendReceipt
from models.messages import ContentRef
from models.receiving import text_of
from models.story import apply
from tests.given import a_key
from tests.record import Record, accepted, records_of

ADA = "ada@home.example"
SECRETS_KEY = b"s" * 32


@dataclass(slots=True)
class Post:
    """A mail server: what it took in, and which reply it gives instead for a recipient."""

    received: list[EmailMessage] = field(default_factory=list)
    replies: dict[str, str] = field(default_factory=dict)
    url: str = ""

    async def handle_RCPT(  # noqa: N802 - the name is aiosmtpd's
        self, server: object, session: object, envelope: Envelope, address: str, rcpt_options: object
    ) -> str:
        if address in self.replies:
            return self.replies[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: object, session: object, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        self.received.append(message)
        return "250 OK"


class _OnAnyPort(Controller):
    """A controller that asks itself whether it answers on the port it was given, not on port 0."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def a_mail_server() -> Iterator[Post]:
    """Run a mail server on a free port."""
    post = Post()
    controller = _OnAnyPort(post, hostname="127.0.0.1", port=0)
    controller.start()
    post.url = f"smtp://127.0.0.1:{controller.port}"
    try:
        yield post
    finally:
        controller.stop()


def correspondence(engine: AsyncEngine, mailer: Mailer) -> Correspondence:
    """Return what empties the outbox."""
    return Correspondence(
        engine,
        Policies(),
        mailer,
        mail_from="complaints@riverbend.example",
        links=Links("https://complaints.example"),
        secrets_key=SECRETS_KEY,
        clock=lambda: datetime.now(UTC),
    )


async def a_writable_case(record: Record, engine: AsyncEngine, *, email: str = ADA, **facts: object) -> Case:
    """Return an opened case, its receipt's letter in the outbox."""
    contact = json.dumps({"name": "Ada Byron", "email": email})
    address = await accepted(record, contact=contact, can_be_written_to=True, **facts)
    return await opened(engine, address)


async def a_case_by_post(record: Record, engine: AsyncEngine, **facts: object) -> Case:
    """Return an opened case of somebody who left a postal address alone, its receipt's letter in the outbox."""
    contact = json.dumps({"name": "Bo Lee", "post": "1 Elm Street\nRiverbend"})
    return await opened(engine, await accepted(record, contact=contact, can_be_written_to=True, **facts))


async def opened(engine: AsyncEngine, address: CaseAddress) -> Case:
    """Return the case of a receipt after its first two events, recorded."""
    records = records_of(engine)
    loaded = await records.load(address)
    assert loaded.opening is not None
    return await lived(engine, loaded.case, loaded.opening, SendReceipt(actor=SYSTEM, key="send-receipt"))


async def lived(engine: AsyncEngine, case: Case, *commands: Command) -> Case:
    """Return the case after these commands, decided and recorded one after another."""
    for command in commands:
        event = lifecycle.decide(case, command, case.last_event_at or case.counted_from)
        batch = Batch(agency=case.agency, case_id=case.id, events=(event,))
        assert (await records_of(engine).record(batch)).was_appended
        case = apply(case, event)
    return case


async def said(record: Record, case: Case, kind: str, body: str) -> ContentRef:
    """Store a text of the case and return its reference."""
    text_ = text_of(case.id, a_key(), kind, body)
    put = text("SELECT put_content(:agency, :case_id, :id, :kind, :body, :salt, :digest)")
    async with record.engine.begin() as connection:
        values = {"id": text_.id, "kind": kind, "body": body, "salt": text_.salt, "digest": text_.digest}
        await connection.execute(put, {"agency": case.agency, "case_id": case.id, **values})
    return text_.ref
