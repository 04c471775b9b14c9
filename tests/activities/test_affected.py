# SPDX-License-Identifier: Apache-2.0
"""Affected people: lists that begin with an event, one letter each, and what could not be done listed for staff."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.exceptions import ApplicationError

from activities import affected as module
from activities.affected import BY_TELEPHONE, NO_ADDRESS, DatabaseAffected
from activities.interface import AffectedAddress, AffectedProgress, FixAddress
from activities.mail import FolderMailer, Letters, Mail, Mailer, NotDeliveredYet, SmtpMailer, Undeliverable
from activities.policies import Policies
from activities.sweeping_fixes import FORGOTTEN_AFTER, forget_refused_lists
from models.commands import ProcessFailure, TagRootCause
from models.fixes.affected import AffectedPerson, list_id_for, message_id_for
from models.fixes.commands import ApproveWords, CellRef, LinkSignal, Translation
from models.fixes.fix import Fix
from models.fixes.terms import Help, Occasion
from models.messages import Amount
from models.terms import Action, Remedy
from tests.affected import WORDS, a_person, beginning, list_row, listed, people, rows_of
from tests.fix_record import an_opening, fix_words, lived_fix, opened_fix
from tests.given import SUE, a_command, a_key
from tests.letters import a_mail_server, a_writable_case, lived, opened
from tests.record import Record, accepted

ZONE = ZoneInfo("America/Chicago")
BENEFITS = CellRef(measure="intake", code="too_slow", service="benefits")


@dataclasses.dataclass
class Desk:
    """A mailer that keeps what it is given, or does as it is told."""

    sent: list[Mail] = dataclasses.field(default_factory=list)
    problem: Exception | None = None

    async def send(self, mail: Mail) -> None:
        if self.problem is not None:
            raise self.problem
        self.sent.append(mail)


def helping(engine: AsyncEngine, mailer: Mailer) -> DatabaseAffected:
    return DatabaseAffected(
        engine,
        Policies(),
        mailer,
        mail_from="complaints@riverbend.example",
        clock=lambda: datetime.now(UTC),
    )


@pytest.fixture
async def fix(record: Record, worker_engine: AsyncEngine) -> Fix:
    return await opened_fix(worker_engine, await an_opening(record, cells=(BENEFITS,)))


async def begun(
    record: Record, engine: AsyncEngine, fix: Fix, who: tuple[AffectedPerson, ...], help_: Help = Help.NOTIFY
) -> AffectedAddress:
    address = await listed(record, fix, who, help_=help_)
    await lived_fix(engine, fix, await beginning(record, fix, address, help_=help_, count=len(who)))
    return address


async def waiting_lists(engine: AsyncEngine) -> list[object]:
    async with engine.connect() as connection:
        return list(await connection.scalars(text("SELECT list_id FROM affected_pending")))


async def test_a_list_waits_for_its_workflow_only_when_the_event_is_recorded(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, fix: Fix
) -> None:
    address = await listed(record, fix, people(3))
    assert await waiting_lists(owner_engine) == []
    with pytest.raises(ApplicationError, match="has begun"):
        await helping(worker_engine, Desk()).draw_list(address)

    await lived_fix(worker_engine, fix, await beginning(record, fix, address, count=3))

    assert await waiting_lists(owner_engine) == [address.list_id]
    assert await helping(worker_engine, Desk()).draw_list(address) == AffectedProgress(people=3)


async def test_the_same_list_again_is_the_same_list(record: Record, fix: Fix, owner_engine: AsyncEngine) -> None:
    address = await listed(record, fix, people(3))

    await listed(record, fix, people(3), list_id=address.list_id)

    assert len(await rows_of(owner_engine, address)) == 3


async def test_nobody_stands_twice_on_a_list(record: Record, fix: Fix, owner_engine: AsyncEngine) -> None:
    first, second = people(2)
    again = first.model_copy(update={"name": "The same", "email": first.email.upper()})
    nameless = a_person("Without an address")

    address = await listed(record, fix, (first, again, nameless, second, nameless))

    names = [row.contact["name"] for row in await rows_of(owner_engine, address)]
    assert names == [first.name, nameless.name, second.name, nameless.name]


async def test_two_of_one_name_and_postal_address_are_one_person_and_a_name_alone_makes_nobody_the_same(
    record: Record, fix: Fix, owner_engine: AsyncEngine
) -> None:
    home = {"post": "1 Elm Street\nRiverbend"}
    bo, cy = a_person("Bo Lee", **home), a_person("Cy Lee", **home)

    address = await listed(record, fix, (bo, cy, a_person("bo lee", **home), a_person("Di Day"), a_person("Di Day")))

    assert [row.contact["name"] for row in await rows_of(owner_engine, address)] == [
        "Bo Lee", "Cy Lee", "Di Day", "Di Day",
    ]  # fmt: skip


async def test_an_event_that_names_no_list_marks_the_fix(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, fix: Fix
) -> None:
    nowhere = AffectedAddress(agency=fix.agency, list_id=uuid4())

    await lived_fix(worker_engine, fix, await beginning(record, fix, nowhere))

    assert await waiting_lists(owner_engine) == []
    async with owner_engine.connect() as connection:
        marks = [tuple(row) for row in await connection.execute(text("SELECT case_id, kind FROM fault"))]
    assert marks == [(fix.id, "affected_list_missing")]


async def test_a_second_list_that_is_missing_is_said_beside_the_first(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, fix: Fix
) -> None:
    nowhere = [AffectedAddress(agency=fix.agency, list_id=uuid4()) for _ in range(2)]

    for address in nowhere:
        fix = await lived_fix(worker_engine, fix, await beginning(record, fix, address))

    async with owner_engine.connect() as connection:
        (detail,) = await connection.scalars(text("SELECT detail FROM fault"))
    assert all(f"The list {address.list_id} that event" in detail for address in nowhere)


async def test_everybody_gets_one_letter_under_the_message_id_of_list_and_number(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, fix: Fix
) -> None:
    address = await begun(record, worker_engine, fix, people(3))
    with a_mail_server() as post:
        progress = await helping(worker_engine, SmtpMailer(post.url)).help_some(address)

    assert progress == AffectedProgress(people=3, done=3)
    ids = [message_id_for(address.list_id, number, "riverbend.example") for number in (1, 2, 3)]
    assert sorted(str(message["Message-ID"]) for message in post.received) == sorted(ids)
    rows = await rows_of(owner_engine, address)
    assert [(row.result, row.message_id) for row in rows] == [("done", message_id) for message_id in ids]
    told = next(message for message in post.received if "person-1@" in str(message["To"]))
    assert isinstance(told, EmailMessage)
    assert WORDS in said(told)
    assert "Dear Person 1," in said(told)
    assert "\n\n\n" not in said(told)
    assert (await list_row(owner_engine, address)).finished_at is not None


def said(message: EmailMessage) -> str:
    return str(message.get_content()).replace("\r\n", "\n")


async def test_words_are_told_in_the_readers_language_or_it_is_said_what_language_they_are_in(
    record: Record, worker_engine: AsyncEngine, fix: Fix
) -> None:
    where = FixAddress(agency=fix.agency, fix_id=fix.id)
    eva = a_person("Eva", "eva@home.example", language="es")
    both, one = [await listed(record, fix, (eva,)) for _ in range(2)]
    spanish = Translation(
        language="es", words=await fix_words(record, where, "Sus papeles están en su lugar.", "words-es")
    )
    asked = await beginning(record, fix, both)
    fix = await lived_fix(worker_engine, fix, asked.model_copy(update={"translations": (spanish,)}))
    await lived_fix(worker_engine, fix, await beginning(record, fix, one))
    desk = Desk()

    for address in (both, one):
        await helping(worker_engine, desk).help_some(address)

    translated, untranslated = (mail.body for mail in desk.sent)
    assert "Sus papeles están en su lugar." in translated
    assert WORDS not in translated
    assert f"Lo que sigue está en inglés.\n\n{WORDS}" in untranslated


async def test_helping_again_writes_to_nobody_twice(record: Record, worker_engine: AsyncEngine, fix: Fix) -> None:
    address = await begun(record, worker_engine, fix, people(3))
    desk = Desk()
    await helping(worker_engine, desk).help_some(address)

    again = await helping(worker_engine, desk).help_some(address)

    assert again == AffectedProgress(people=3, done=3)
    assert len(desk.sent) == 3


async def test_two_workers_at_once_write_to_nobody_twice(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, fix: Fix
) -> None:
    address = await begun(record, worker_engine, fix, people(40))
    desk = Desk()

    await asyncio.gather(*(helping(worker_engine, desk).help_some(address) for _ in range(2)))

    assert sorted(mail.message_id for mail in desk.sent) == sorted({mail.message_id for mail in desk.sent})
    assert (await list_row(owner_engine, address)).done_count == 40


async def test_the_remedy_of_each_person_is_told_with_its_amount(
    record: Record, worker_engine: AsyncEngine, fix: Fix
) -> None:
    money = Amount(cents=1250, authority="Act 12")
    refund = a_person("Ada", "ada@home.example", remedy=Remedy.REFUND, amount=money)
    apology = a_person("Eva", "eva@home.example", language="es", remedy=Remedy.APOLOGY)
    address = await begun(record, worker_engine, fix, (refund, apology), Help.REMEDY)
    desk = Desk()

    await helping(worker_engine, desk).help_some(address)

    told = {mail.recipients[0]: mail for mail in desk.sent}
    assert "What you get: a refund ($12.50)." in told["ada@home.example"].body
    assert "Lo que usted recibe: una disculpa." in told["eva@home.example"].body
    assert told["eva@home.example"].language == "es"


async def test_who_has_no_address_and_whose_address_is_refused_are_exceptions_for_staff(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, fix: Fix
) -> None:
    unreachable = a_person("Without an address")
    refused, last = people(2)
    address = await begun(record, worker_engine, fix, (unreachable, refused, last))
    with a_mail_server() as post:
        post.replies[refused.email] = "550 no such mailbox"
        progress = await helping(worker_engine, SmtpMailer(post.url)).help_some(address)

    assert progress == AffectedProgress(people=3, done=1, exceptions=2)
    rows = await rows_of(owner_engine, address)
    assert [row.result for row in rows] == ["exception", "exception", "done"]
    assert rows[0].reason == NO_ADDRESS
    assert "refused" in rows[1].reason
    assert refused.email not in rows[1].reason
    assert (await list_row(owner_engine, address)).exception_count == 2


async def test_a_remedy_without_words_is_an_exception_and_holds_nobody_else_back(
    record: Record,
    worker_engine: AsyncEngine,
    owner_engine: AsyncEngine,
    fix: Fix,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wordless(remedy: str | None, *_: object) -> str:
        return "" if remedy is None else Remedy(f"{remedy} of another kind")

    monkeypatch.setattr(module, "remedy_in_words", wordless)
    first, second = people(2)
    address = await begun(record, worker_engine, fix, (first.model_copy(update={"remedy": Remedy.OTHER}), second))

    progress = await helping(worker_engine, Desk()).help_some(address)

    assert progress == AffectedProgress(people=2, done=1, exceptions=1)
    rows = await rows_of(owner_engine, address)
    assert [row.result for row in rows] == ["exception", "done"]
    assert "by hand" in rows[0].reason


async def test_what_fails_for_now_is_tried_again_later_and_given_up_in_the_end(
    record: Record,
    worker_engine: AsyncEngine,
    owner_engine: AsyncEngine,
    fix: Fix,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "GIVE_UP_AFTER_ATTEMPTS", 3)
    address = await begun(record, worker_engine, fix, people(1))
    desk = Desk(problem=NotDeliveredYet("greylisted"))

    waiting = [(await helping(worker_engine, desk).help_some(address)).waiting for _ in range(3)]

    assert waiting == [1, 1, 0]
    (row,) = await rows_of(owner_engine, address)
    assert (row.result, row.reason) == ("exception", "Given up after 3 attempts: greylisted")


async def test_who_was_tried_least_often_comes_first(
    record: Record, worker_engine: AsyncEngine, fix: Fix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PEOPLE_AT_A_TIME", 2)
    address = await begun(record, worker_engine, fix, people(4))
    await helping(worker_engine, Desk(problem=NotDeliveredYet("full"))).help_some(address)
    desk = Desk()

    await helping(worker_engine, desk).help_some(address)

    assert sorted(mail.recipients[0] for mail in desk.sent) == ["person-3@home.example", "person-4@home.example"]


async def test_a_mistake_of_ours_with_one_person_holds_no_result_back_from_the_others(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, fix: Fix
) -> None:
    address = await begun(record, worker_engine, fix, people(1))

    await helping(worker_engine, Desk(problem=Undeliverable("It cannot be."))).help_some(address)

    (row,) = await rows_of(owner_engine, address)
    assert (row.result, row.reason, row.message_id) == ("exception", "It cannot be.", None)


async def test_complainants_are_told_when_the_words_of_an_acceptance_are_approved(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, fix: Fix
) -> None:
    now = datetime.now(UTC)
    recent: dict[str, Any] = {"received_at": now, "received_on": now.astimezone(ZONE).date()}
    ada = await a_writable_case(record, worker_engine, **recent)
    same = await a_writable_case(record, worker_engine, email="ADA@home.example", **recent)
    await a_writable_case(record, worker_engine, email="bob@home.example", service="permits", **recent)
    long_ago = now - timedelta(weeks=60)
    await a_writable_case(
        record, worker_engine, email="old@home.example", received_at=long_ago, received_on=long_ago.date()
    )
    where = FixAddress(agency=fix.agency, fix_id=fix.id)
    words = await fix_words(record, where, WORDS)

    await lived_fix(worker_engine, fix, ApproveWords(actor=SUE, key=a_key(), occasion=Occasion.ACCEPTED, words=words))
    (list_id,) = await waiting_lists(owner_engine)
    address = AffectedAddress(agency=fix.agency, list_id=list_id)  # type: ignore[arg-type]
    desk = Desk()
    drawn = await helping(worker_engine, desk).draw_list(address)
    again = await helping(worker_engine, desk).draw_list(address)
    await helping(worker_engine, desk).help_some(address)

    assert drawn == again == AffectedProgress(people=1)
    (row,) = await rows_of(owner_engine, address)
    assert row.case_id in {ada.id, same.id}
    assert [mail.recipients[0].lower() for mail in desk.sent] == ["ada@home.example"]
    assert WORDS in desk.sent[0].body


async def test_those_told_are_of_the_fix_as_it_was_when_the_words_were_approved(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, fix: Fix
) -> None:
    now = datetime.now(UTC)
    recent: dict[str, Any] = {"received_at": now, "received_on": now.astimezone(ZONE).date()}
    await a_writable_case(record, worker_engine, **recent)
    await a_writable_case(record, worker_engine, email="bob@home.example", service="permits", **recent)
    words = await fix_words(record, FixAddress(agency=fix.agency, fix_id=fix.id), WORDS)
    approval = ApproveWords(actor=SUE, key=a_key(), occasion=Occasion.ACCEPTED, words=words)
    permits = CellRef(measure="intake", code="too_slow", service="permits")
    linked = LinkSignal(actor=SUE, key=a_key(), signal_id=uuid4(), cells=(permits,))
    await lived_fix(worker_engine, fix, approval, linked)
    address = AffectedAddress(agency=fix.agency, list_id=list_id_for(fix, Occasion.ACCEPTED))

    await helping(worker_engine, Desk()).draw_list(address)

    assert [row.contact["email"] for row in await rows_of(owner_engine, address)] == ["ada@home.example"]


@pytest.mark.parametrize("is_first_drawn_first", [True, False])
async def test_complainants_of_a_signal_that_is_linked_later_are_told_the_approved_words_and_nobody_twice(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, fix: Fix, *, is_first_drawn_first: bool
) -> None:
    now = datetime.now(UTC)
    recent: dict[str, Any] = {"received_at": now, "received_on": now.astimezone(ZONE).date()}
    await a_writable_case(record, worker_engine, **recent)
    await a_writable_case(record, worker_engine, email="ADA@home.example", service="permits", **recent)
    await a_writable_case(record, worker_engine, email="bob@home.example", service="permits", **recent)
    words = await fix_words(record, FixAddress(agency=fix.agency, fix_id=fix.id), WORDS)
    approval = ApproveWords(actor=SUE, key=a_key(), occasion=Occasion.ACCEPTED, words=words)
    permits = CellRef(measure="intake", code="too_slow", service="permits")
    linked = LinkSignal(actor=SUE, key=a_key(), signal_id=uuid4(), cells=(permits,))
    await lived_fix(worker_engine, fix, approval, linked)
    lists = [list_id_for(fix, Occasion.ACCEPTED), list_id_for(fix, Occasion.ACCEPTED, linked.signal_id)]
    desk = Desk()

    assert set(await waiting_lists(owner_engine)) == set(lists)
    for list_id in lists if is_first_drawn_first else reversed(lists):
        address = AffectedAddress(agency=fix.agency, list_id=list_id)
        await helping(worker_engine, desk).draw_list(address)
        await helping(worker_engine, desk).help_some(address)

    assert sorted(mail.recipients[0].lower() for mail in desk.sent) == ["ada@home.example", "bob@home.example"]
    assert all(WORDS in mail.body for mail in desk.sent)


async def test_who_left_no_e_mail_address_is_on_the_list_and_gets_a_letter_by_post_or_is_an_exception(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, fix: Fix, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    facts: dict[str, Any] = {"received_at": now, "received_on": now.astimezone(ZONE).date()}
    by_post = {"name": "Bo Lee", "post": "1 Elm Street\nRiverbend"}
    for contact in (by_post, by_post, {"name": "Cy Day", "phone": "555 0100"}, {}, {}):
        told = json.dumps(contact) if contact else ""
        await opened(worker_engine, await accepted(record, contact=told, can_be_written_to="post" in contact, **facts))
    words = await fix_words(record, FixAddress(agency=fix.agency, fix_id=fix.id), WORDS)
    await lived_fix(worker_engine, fix, ApproveWords(actor=SUE, key=a_key(), occasion=Occasion.ACCEPTED, words=words))
    (list_id,) = await waiting_lists(owner_engine)
    address = AffectedAddress(agency=fix.agency, list_id=list_id)  # type: ignore[arg-type]
    desk = Desk()

    await helping(worker_engine, desk).draw_list(address)
    progress = await helping(worker_engine, Letters(desk, tmp_path)).help_some(address)

    (letter,) = tmp_path.iterdir()  # noqa: ASYNC240  a test may wait
    assert progress == AffectedProgress(people=4, done=1, exceptions=3)
    assert (await list_row(owner_engine, address)).posted_count == 1
    assert sorted(row.reason for row in await rows_of(owner_engine, address) if row.reason) == [
        NO_ADDRESS, NO_ADDRESS, BY_TELEPHONE,
    ]  # fmt: skip
    assert desk.sent == []
    assert "\n\nBo Lee\n1 Elm Street\nRiverbend\n\n" in letter.read_text()
    assert WORDS in letter.read_text()


async def test_one_odd_contact_of_an_import_is_an_exception_and_its_list_is_finished(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, fix: Fix, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    facts: dict[str, Any] = {"received_at": now, "received_on": now.astimezone(ZONE).date()}
    odd = {"name": "Ada\nByron " * 50, "email": "ada\n@home.example", "phone": "555\n0100"}
    imported = await accepted(record, contact=json.dumps(odd), is_imported=True, source="old", **facts)
    await opened(worker_engine, imported)
    await a_writable_case(record, worker_engine, email="bob@home.example", **facts)
    words = await fix_words(record, FixAddress(agency=fix.agency, fix_id=fix.id), WORDS)
    await lived_fix(worker_engine, fix, ApproveWords(actor=SUE, key=a_key(), occasion=Occasion.ACCEPTED, words=words))
    (list_id,) = await waiting_lists(owner_engine)
    address = AffectedAddress(agency=fix.agency, list_id=list_id)  # type: ignore[arg-type]
    folder = FolderMailer(tmp_path)

    await helping(worker_engine, folder).draw_list(address)
    progress = await helping(worker_engine, folder).help_some(address)

    assert progress == AffectedProgress(people=2, done=1, exceptions=1)
    reasons = {row.reason for row in await rows_of(owner_engine, address)}
    assert reasons == {"The address is not one that mail can be sent to.", None}


async def test_a_list_of_nobody_is_finished_at_once(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, fix: Fix
) -> None:
    words = await fix_words(record, FixAddress(agency=fix.agency, fix_id=fix.id), WORDS)
    await lived_fix(worker_engine, fix, ApproveWords(actor=SUE, key=a_key(), occasion=Occasion.ACCEPTED, words=words))
    (list_id,) = await waiting_lists(owner_engine)
    address = AffectedAddress(agency=fix.agency, list_id=list_id)  # type: ignore[arg-type]

    assert await helping(worker_engine, Desk()).draw_list(address) == AffectedProgress(people=0)
    assert (await list_row(owner_engine, address)).finished_at is not None


async def found(engine: AsyncEngine, *cells: dict[str, object], agency: str = "riverbend") -> list[str]:
    """Return the addresses of those whose complaints are counted in the cells."""
    query = text("SELECT o_contact ->> 'email' FROM complainants_in(CAST(:cells AS jsonb), :since, :until)")
    values = {"cells": json.dumps(cells), "since": date(2020, 1, 1), "until": date(2100, 1, 1)}
    async with engine.begin() as connection:
        await connection.execute(text("SELECT set_config('putright.agency', :a, true)"), {"a": agency})
        return sorted(await connection.scalars(query, values))


async def test_complainants_are_found_by_cause_category_service_office_and_channel(
    record: Record, worker_engine: AsyncEngine, api_engine: AsyncEngine
) -> None:
    case = await a_writable_case(record, worker_engine, office="harbor", channel="phone")
    await a_writable_case(record, worker_engine, email="bob@home.example", office="central")
    case = await lived(worker_engine, case, a_command(Action.TRIAGE, case))
    case = await lived(worker_engine, case, a_command(Action.ANSWER, case))
    tag = a_command(Action.TAG_ROOT_CAUSE, case)
    assert isinstance(tag, TagRootCause)
    assert isinstance(tag.issues[0].cause, ProcessFailure)
    await lived(worker_engine, case, tag)

    assert await found(api_engine, {"measure": "cause", "codes": ["HND3"]}) == ["ada@home.example"]
    assert await found(api_engine, {"measure": "cause", "codes": ["HND4"]}) == []
    assert await found(api_engine, {"measure": "cause", "other_than": ["HND4"]}) == ["ada@home.example"]
    assert await found(api_engine, {"measure": "cause", "other_than": ["HND3"]}) == []
    assert await found(api_engine, {"measure": "cause", "service": "permits"}) == []
    assert await found(api_engine, {"measure": "intake"}) == ["ada@home.example", "bob@home.example"]
    assert await found(api_engine, {"measure": "intake", "office": "central"}) == ["bob@home.example"]
    assert await found(api_engine, {"measure": "intake", "codes": ["too_slow"]}, {"measure": "cause"}) == [
        "ada@home.example",
        "bob@home.example",
    ]
    assert await found(api_engine, {"measure": "intake", "channel": "web"}) == ["bob@home.example"]
    assert await found(api_engine, {"measure": "cause", "channel": "phone"}) == ["ada@home.example"]
    assert await found(api_engine, {"measure": "cause", "channel": "web"}) == []
    assert await found(api_engine, {"measure": "intake"}, agency="lakeside") == []
    assert await found(api_engine) == []


async def test_what_a_list_says_cannot_be_changed_and_a_result_is_said_once(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, fix: Fix
) -> None:
    address = await begun(record, worker_engine, fix, people(2))
    await helping(worker_engine, Desk()).help_some(address)

    for statement in (
        "DELETE FROM affected_person",
        "DELETE FROM affected_list",
        "TRUNCATE affected_person",
        "UPDATE affected_person SET result = 'exception', reason = 'x'",
        "UPDATE affected_person SET language = 'es'",
        "UPDATE affected_list SET people_count = 1",
        "UPDATE affected_list SET words_id = gen_random_uuid()",
    ):
        async with owner_engine.connect() as connection:
            with pytest.raises(DBAPIError, match="append-only"):
                await connection.execute(text(statement))


async def test_only_disposal_removes_the_way_to_reach_somebody(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, fix: Fix
) -> None:
    address = await begun(record, worker_engine, fix, people(1))
    removal = text("UPDATE affected_person SET contact = NULL")
    async with worker_engine.begin() as connection:
        await connection.execute(text("SELECT set_config('putright.agency', 'riverbend', true)"))
        with pytest.raises(DBAPIError, match="permission denied"):
            await connection.execute(removal)

    async with owner_engine.begin() as connection:
        await connection.execute(text("SET LOCAL ROLE putright_disposal"))
        await connection.execute(text("SELECT set_config('putright.agency', 'riverbend', true)"))
        await connection.execute(removal)

    assert [row.contact for row in await rows_of(owner_engine, address)] == [None]
    assert (await helping(worker_engine, Desk()).help_some(address)).exceptions == 1


async def test_a_list_that_no_event_takes_up_leaves_with_its_people_and_one_that_began_stays(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, fix: Fix
) -> None:
    begun_one = await begun(record, worker_engine, fix, people(2))
    refused = await listed(record, fix, people(2))
    now = datetime.now(UTC)

    assert await forget_refused_lists(worker_engine, fix.agency, now) == 0, "it may be taken up yet"
    assert len(await rows_of(owner_engine, refused)) == 2
    assert await forget_refused_lists(worker_engine, fix.agency, now + FORGOTTEN_AFTER) == 1

    assert await rows_of(owner_engine, refused) == []
    assert len(await rows_of(owner_engine, begun_one)) == 2
    assert await forget_refused_lists(worker_engine, fix.agency, now + FORGOTTEN_AFTER) == 0
