# SPDX-License-Identifier: Apache-2.0
"""Letters leave at least once, under one Message-ID, and what is hopeless is noted."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime
from email import message_from_bytes
from email.policy import SMTP
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.mail import (
    GIVE_UP_AFTER_ATTEMPTS,
    FolderMailer,
    Letters,
    Mail,
    Mailer,
    SmtpMailer,
    Undeliverable,
    message_of,
)
from models.case import new_case
from models.commands import (
    SYSTEM,
    Acknowledge,
    Answer,
    Approve,
    Escalate,
    IssueAnswer,
    IssueTriage,
    MarkDuplicate,
    ProposeAnswer,
    RequestInformation,
    Triage,
    WarnOfDeadline,
)
from models.messages import Amount
from models.references import secret_for
from models.terms import Action, ClockName, Finding, Remedy, Track
from tests.given import ANN, MONDAY, SUE, a_command, a_key, a_policy, a_receipt
from tests.letters import (
    ADA,
    SECRETS_KEY,
    Post,
    a_case_by_post,
    a_mail_server,
    a_writable_case,
    correspondence,
    lived,
    said,
)
from tests.record import Record


@pytest.fixture
def post() -> Iterator[Post]:
    with a_mail_server() as server:
        yield server


@pytest.fixture
async def staff(owner_engine: AsyncEngine) -> None:
    triage = a_command(Action.TRIAGE, new_case(a_receipt()))
    assert isinstance(triage, Triage)
    async with owner_engine.begin() as connection:
        await connection.execute(
            text("""INSERT INTO staff (agency, name, display_name, email, roles, teams) VALUES
                    ('riverbend', 'ann', 'Ann Field', 'ann@riverbend.example', '{caseworker}', '{}'),
                    ('riverbend', 'sue', 'Sue Hill', 'sue@riverbend.example', '{supervisor}', ARRAY[:team]),
                    ('riverbend', 'sam', 'Sam Low', 'sam@riverbend.example', '{supervisor}', '{streets}'),
                    ('lakeside', 'lee', 'Lee Far', 'lee@lakeside.example', '{supervisor}', ARRAY[:team])"""),
            {"team": triage.team},
        )


async def rows(engine: AsyncEngine, query: str) -> list[tuple[object, ...]]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(query))]


def body_of(post: Post, position: int = -1) -> str:
    return str(post.received[position].get_content())


class Dying(Mailer):
    """Hands a letter over and then never comes back."""

    def __init__(self, first: Mailer) -> None:
        self.first = first
        self.handed_over = asyncio.Event()

    async def send(self, mail: Mail) -> None:
        await self.first.send(mail)
        self.handed_over.set()
        await asyncio.Event().wait()


async def die_after_handing_over(engine: AsyncEngine, mailer: Mailer) -> None:
    """Empty the outbox in a process that dies between handing a letter over and noting that."""
    dying = Dying(mailer)
    process = asyncio.create_task(correspondence(engine, dying).send_some())
    await dying.handed_over.wait()
    process.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await process


async def let_claims_run_out(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE outbox_pending SET claimed_until = '-infinity'"))


async def test_a_receipt_reaches_the_complainant_with_reference_dates_and_who_we_are(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, post: Post
) -> None:
    case = await a_writable_case(record, worker_engine)

    assert await correspondence(worker_engine, SmtpMailer(post.url)).send_some() == 1

    [message] = post.received
    [(message_id, is_sent)] = await rows(owner_engine, "SELECT message_id, sent_at IS NOT NULL FROM outbox")
    assert message["To"] == ADA
    assert message["Message-ID"] == message_id
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"]
    assert case.receipt.reference in message["Subject"]
    assert "Dear Ada Byron," in body_of(post)
    assert "March 2, 2026" in body_of(post)
    assert "https://complaints.example/a/riverbend/track" in body_of(post)
    assert secret_for(case.id, SECRETS_KEY) in body_of(post)
    assert is_sent
    assert await rows(owner_engine, "SELECT * FROM outbox_pending") == []


async def test_who_was_imported_learns_the_secret_from_the_first_personal_letter(
    record: Record, worker_engine: AsyncEngine, post: Post, staff: None
) -> None:
    case = await a_writable_case(record, worker_engine, is_imported=True)
    understood = await said(record, case, "acknowledgement", "Your form went astray.")
    await lived(worker_engine, case, Acknowledge(actor=ANN, key=a_key(), text=understood))

    await correspondence(worker_engine, SmtpMailer(post.url)).send_some()

    assert len(post.received) == 1
    assert secret_for(case.id, SECRETS_KEY) in body_of(post)


async def test_a_letter_is_written_in_the_language_of_the_complainant(
    record: Record, worker_engine: AsyncEngine, post: Post
) -> None:
    await a_writable_case(record, worker_engine, language="es")

    await correspondence(worker_engine, SmtpMailer(post.url)).send_some()

    assert "2 de marzo de 2026" in body_of(post)
    assert post.received[0]["Content-Language"] == "es"


async def test_every_letter_that_an_event_causes_can_be_filled_in(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, post: Post, staff: None
) -> None:
    case = await a_writable_case(record, worker_engine)
    other = await a_writable_case(record, worker_engine)
    question = await said(record, case, "question", "Which office was it?")
    understood = await said(record, case, "acknowledgement", "Your form went astray.")
    answer = await said(record, case, "answer", "We found your form. **Sorry**: {reference} stays open.")
    due_at = MONDAY
    proposal = a_command(Action.PROPOSE_ANSWER, case)
    assert isinstance(proposal, ProposeAnswer)
    case = await lived(worker_engine, case, a_command(Action.TRIAGE, case))
    case = await lived(worker_engine, case, Acknowledge(actor=ANN, key=a_key(), text=understood))
    case = await lived(worker_engine, case, RequestInformation(actor=ANN, key=a_key(), text=question))
    case = await lived(worker_engine, case, a_command(Action.RECORD_INFORMATION, case))
    case = await lived(
        worker_engine, case, WarnOfDeadline(actor=SYSTEM, key=a_key(), clock=ClockName.ANSWER, due_at=due_at)
    )
    case = await lived(worker_engine, case, Escalate(actor=SYSTEM, key=a_key(), clock=ClockName.ANSWER, due_at=due_at))
    case = await lived(worker_engine, case, ProposeAnswer(actor=ANN, key=a_key(), text=answer, issues=proposal.issues))
    case = await lived(worker_engine, case, Approve(actor=SUE, key=a_key()))
    case = await lived(worker_engine, case, a_command(Action.TAG_ROOT_CAUSE, case), a_command(Action.CLOSE, case))
    await lived(worker_engine, case, a_command(Action.REOPEN, case))
    await lived(worker_engine, other, MarkDuplicate(actor=ANN, key=a_key(), duplicate_of=case.id))
    third = await a_writable_case(record, worker_engine)
    await lived(worker_engine, third, a_command(Action.WITHDRAW, third))

    sender = correspondence(worker_engine, SmtpMailer(post.url))
    while await sender.send_some():
        pass

    bodies = {str(message["Subject"]): message.get_content() for message in post.received}
    whole = "\n".join(bodies.values())
    assert await rows(owner_engine, "SELECT letter, failure FROM outbox WHERE sent_at IS NULL") == []
    assert "Which office was it?" in whole
    assert "Your form went astray." in whole
    assert "We found your form. **Sorry**: {reference} stays open." in whole
    assert "Sue Hill" not in whole
    assert "Our answer to your complaint" in next(subject for subject in bodies if "late" in subject)
    assert case.receipt.reference in next(
        body for body in bodies.values() if "goes on under" in body or "joined" in body
    )
    assert {str(m["To"]) for m in post.received} == {ADA, "ann@riverbend.example", "sue@riverbend.example"}


async def test_an_answer_tells_every_point_with_what_was_found_and_given_and_is_signed_by_whose_case_it_is(
    record: Record, worker_engine: AsyncEngine, post: Post, staff: None
) -> None:
    case = await a_writable_case(record, worker_engine)
    answer = await said(record, case, "answer", "Your form lay in a wrong tray.")
    triage = Triage(
        actor=ANN,
        key=a_key(),
        issues=(
            IssueTriage(number=1, service="benefits", category="too_slow"),
            IssueTriage(number=2, service="parking", category="too_slow"),
        ),
        severity=1,
        track=Track.STANDARD,
        team="payments",
        owner="ann",
    )
    refund = Amount(cents=125_050, authority="Rule 12(b)")
    issues = (
        IssueAnswer(number=1, finding=Finding.UPHELD, remedies=(Remedy.REFUND,), amount=refund),
        IssueAnswer(number=2, finding=Finding.NOT_UPHELD, remedies=(Remedy.NONE,)),
    )
    case = await lived(worker_engine, case, triage)
    case = await lived(worker_engine, case, ProposeAnswer(actor=ANN, key=a_key(), text=answer, issues=issues))
    await lived(worker_engine, case, Approve(actor=SUE, key=a_key()))

    await correspondence(worker_engine, SmtpMailer(post.url)).send_some()

    [sent] = [message for message in post.received if "Our answer" in message["Subject"]]
    letter = str(sent.get_content()).replace("\r\n", "\n")
    assert "Your form lay in a wrong tray." in letter
    assert (
        "1. Benefit payments: It took too long\n"
        "   You were right. You get, or need not pay, $1,250.50. The rule that allows it: Rule 12(b)." in letter
    )
    assert "2. Parking and fines: " in letter
    assert "   We found no mistake of ours.\n" in letter
    assert "Ann Field" in letter
    assert "Sue Hill" not in letter


async def test_an_answer_without_its_text_is_not_sent_without_it(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, post: Post
) -> None:
    case = await a_writable_case(record, worker_engine)
    gone = a_command(Action.ANSWER, case)
    assert isinstance(gone, Answer)
    await lived(worker_engine, case, a_command(Action.TRIAGE, case), gone)

    await correspondence(worker_engine, SmtpMailer(post.url)).send_some()

    [(failure,)] = await rows(owner_engine, "SELECT failure FROM outbox WHERE letter = 'answer'")
    assert failure == "The letter 'answer' (en) lacks answer."
    assert await rows(owner_engine, "SELECT kind FROM fault") == [("letter_undeliverable",)]


async def without_receipt_letter(engine: AsyncEngine) -> None:
    """Change the record to one whose only policy is of a time before there were receipt letters."""
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE policy_version DISABLE TRIGGER USER"))
        await connection.execute(
            text("""UPDATE policy_version SET document = jsonb_set(document, '{letters}',
                    jsonb_path_query_array(document -> 'letters', '$[*] ? (@.kind != "receipt")'))""")
        )


async def test_a_letter_whose_words_the_policy_lacks_waits_for_them_and_its_case_is_marked_meanwhile(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, post: Post
) -> None:
    await without_receipt_letter(owner_engine)
    await a_writable_case(record, worker_engine)
    marks = "SELECT kind, detail, cleared_at IS NULL FROM fault"
    for _ in range(2):
        await correspondence(worker_engine, SmtpMailer(post.url)).send_some()
        await let_claims_run_out(owner_engine)

    assert await rows(owner_engine, marks) == [("letter_waits", "The policy has no letter 'receipt' in 'en'.", True)]
    assert await rows(owner_engine, "SELECT sent_at, failure FROM outbox") == [(None, None)]

    async with owner_engine.begin() as connection:
        mended = json.dumps(a_policy().model_dump(mode="json"))
        await connection.execute(
            text("""INSERT INTO policy_version (agency, version, effective_from, content_hash, document)
                    VALUES ('riverbend', 2, '2026-01-01', 'mended', CAST(:document AS jsonb))"""),
            {"document": mended},
        )
    await correspondence(worker_engine, SmtpMailer(post.url)).send_some()

    assert len(post.received) == 1
    assert [is_open for *_, is_open in await rows(owner_engine, marks)] == [False]


async def test_a_letter_that_waits_too_long_for_its_words_is_given_up_with_the_reason(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, post: Post
) -> None:
    await without_receipt_letter(owner_engine)
    await a_writable_case(record, worker_engine)
    async with owner_engine.begin() as connection:
        await connection.execute(text(f"UPDATE outbox_pending SET attempts = {GIVE_UP_AFTER_ATTEMPTS - 1}"))

    await correspondence(worker_engine, SmtpMailer(post.url)).send_some()

    [(failure,)] = await rows(owner_engine, "SELECT failure FROM outbox")
    assert str(failure).endswith("The policy has no letter 'receipt' in 'en'.")
    assert await rows(owner_engine, "SELECT kind FROM fault WHERE cleared_at IS NULL") == [("letter_undeliverable",)]


async def test_a_process_that_dies_before_its_note_repeats_the_letter_with_the_same_message_id(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, post: Post
) -> None:
    await a_writable_case(record, worker_engine)
    await die_after_handing_over(worker_engine, SmtpMailer(post.url))
    assert await correspondence(worker_engine, SmtpMailer(post.url)).send_some() == 0
    await let_claims_run_out(owner_engine)

    await correspondence(worker_engine, SmtpMailer(post.url)).send_some()

    assert len(post.received) == 2
    assert len({message["Message-ID"] for message in post.received}) == 1
    assert post.received[0].as_bytes() == post.received[1].as_bytes()


async def test_a_letter_that_was_noted_is_not_sent_again_though_it_is_still_in_the_queue(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, post: Post
) -> None:
    await a_writable_case(record, worker_engine)
    sender = correspondence(worker_engine, SmtpMailer(post.url))
    await sender.send_some()
    async with owner_engine.begin() as connection:
        await connection.execute(text("INSERT INTO outbox_pending (id, agency) SELECT id, agency FROM outbox"))

    await sender.send_some()

    assert len(post.received) == 1
    assert await rows(owner_engine, "SELECT * FROM outbox_pending") == []


async def test_a_refused_recipient_is_noted_as_a_fault_that_names_nobody(
    record: Record,
    worker_engine: AsyncEngine,
    owner_engine: AsyncEngine,
    post: Post,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    post.replies[ADA] = f"550 no mailbox {ADA}"
    case = await a_writable_case(record, worker_engine)

    await correspondence(worker_engine, SmtpMailer(post.url)).send_some()

    [(failure, sent_at)] = await rows(owner_engine, "SELECT failure, sent_at FROM outbox")
    assert failure == "The mail server refused it (reply 550)."
    assert sent_at is None
    assert await rows(owner_engine, "SELECT case_id, detail FROM fault") == [(case.id, failure)]
    assert await rows(owner_engine, "SELECT * FROM outbox_pending") == []
    ours = [entry.getMessage() for entry in caplog.records if entry.name != "mail.log"]  # that is the test's server
    assert not [message for message in ours if ADA in message]


async def test_a_mailbox_that_is_full_today_is_tried_again_later(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, post: Post
) -> None:
    post.replies[ADA] = "452 full"
    await a_writable_case(record, worker_engine)
    sender = correspondence(worker_engine, SmtpMailer(post.url))
    await sender.send_some()
    assert await sender.send_some() == 0
    post.replies.clear()
    await let_claims_run_out(owner_engine)

    await sender.send_some()

    assert len(post.received) == 1
    assert await rows(owner_engine, "SELECT failure FROM outbox") == [(None,)]


async def test_a_server_that_is_away_costs_no_letter_and_after_days_a_person_learns_of_it(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine
) -> None:
    await a_writable_case(record, worker_engine)
    sender = correspondence(worker_engine, SmtpMailer("smtp://127.0.0.1:1"))
    await sender.send_some()
    assert await rows(owner_engine, "SELECT attempts, claimed_until > now() FROM outbox_pending") == [(1, True)]
    await let_claims_run_out(owner_engine)
    async with owner_engine.begin() as connection:
        await connection.execute(text(f"UPDATE outbox_pending SET attempts = {GIVE_UP_AFTER_ATTEMPTS - 1}"))

    await sender.send_some()

    [(failure,)] = await rows(owner_engine, "SELECT failure FROM outbox")
    assert str(failure).startswith(f"Given up after {GIVE_UP_AFTER_ATTEMPTS} attempts")
    assert await rows(owner_engine, "SELECT * FROM outbox_pending") == []


async def test_one_letter_that_fails_unexpectedly_does_not_hold_up_the_others(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, post: Post
) -> None:
    await a_writable_case(record, worker_engine, email="first@home.example")
    await a_writable_case(record, worker_engine)
    server = SmtpMailer(post.url)

    class Picky(Mailer):
        async def send(self, mail: Mail) -> None:
            if mail.recipients == (ADA,):
                raise RuntimeError("unexpected")
            await server.send(mail)

    await correspondence(worker_engine, Picky()).send_some()

    assert [str(message["To"]) for message in post.received] == ["first@home.example"]
    assert len(await rows(owner_engine, "SELECT * FROM outbox_pending")) == 1


async def test_nobody_to_write_to_is_noted_and_not_tried_again(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, post: Post
) -> None:
    case = await a_writable_case(record, worker_engine, email="")
    await lived(worker_engine, case, a_command(Action.TRIAGE, case), a_command(Action.ESCALATE, case))

    await correspondence(worker_engine, SmtpMailer(post.url)).send_some()

    noted = await rows(owner_engine, "SELECT letter, failure FROM outbox ORDER BY sequence, letter")
    assert noted == [(letter, "No address is known.") for letter in ("receipt", "escalation", "late")]
    assert await rows(owner_engine, "SELECT * FROM outbox_pending") == []
    assert await rows(owner_engine, "SELECT * FROM fault") == []
    assert post.received == []


async def test_supervisors_of_another_team_are_written_to_only_where_the_team_has_none(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, post: Post, staff: None
) -> None:
    async with owner_engine.begin() as connection:
        await connection.execute(text("UPDATE staff SET is_active = false WHERE name = 'sue'"))
    case = await a_writable_case(record, worker_engine)
    await lived(worker_engine, case, a_command(Action.TRIAGE, case), a_command(Action.ESCALATE, case))

    await correspondence(worker_engine, SmtpMailer(post.url)).send_some()

    assert sorted(str(message["To"]) for message in post.received) == [ADA, ADA, "sam@riverbend.example"]


async def test_without_a_mail_server_a_letter_is_a_file_that_a_repetition_overwrites(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, tmp_path: Path
) -> None:
    await a_writable_case(record, worker_engine)
    folder = FolderMailer(tmp_path / "mail")
    await die_after_handing_over(worker_engine, folder)
    await let_claims_run_out(owner_engine)

    await correspondence(worker_engine, folder).send_some()

    [(message_id,)] = await rows(owner_engine, "SELECT message_id FROM outbox WHERE sent_at IS NOT NULL")
    assert [file.name for file in (tmp_path / "mail").iterdir()] == [f"{str(message_id).strip('<>')}.eml"]


async def test_who_left_only_a_postal_address_gets_one_letter_by_post_however_often_it_is_sent(
    record: Record, worker_engine: AsyncEngine, owner_engine: AsyncEngine, post: Post, tmp_path: Path
) -> None:
    case = await a_case_by_post(record, worker_engine)
    by_post = Letters(SmtpMailer(post.url), tmp_path)
    await die_after_handing_over(worker_engine, by_post)
    await let_claims_run_out(owner_engine)

    assert await correspondence(worker_engine, by_post).send_some() == 1
    assert await correspondence(worker_engine, by_post).send_some() == 0

    [(message_id,)] = await rows(owner_engine, "SELECT message_id FROM outbox WHERE sent_at IS NOT NULL")
    [letter] = tmp_path.iterdir()  # noqa: ASYNC240  a test may wait
    assert letter.name == f"{str(message_id).strip('<>')}.txt"
    assert "\n\nBo Lee\n1 Elm Street\nRiverbend\n\nMarch 2, 2026\n\n" in letter.read_text()
    assert case.receipt.reference in letter.read_text()
    assert secret_for(case.id, SECRETS_KEY) in letter.read_text()
    assert post.received == []


async def test_a_letter_by_post_bears_the_day_it_is_where_the_agency_is(
    record: Record, worker_engine: AsyncEngine, post: Post, tmp_path: Path
) -> None:
    evening = datetime(2026, 3, 4, 1, 30, tzinfo=UTC)
    await a_case_by_post(record, worker_engine, received_at=evening, received_on=date(2026, 3, 3))

    await correspondence(worker_engine, Letters(SmtpMailer(post.url), tmp_path)).send_some()

    [letter] = tmp_path.iterdir()  # noqa: ASYNC240  a test may wait
    assert "Riverbend\n\nMarch 3, 2026\n\n" in letter.read_text()
    assert "March 4" not in letter.read_text()


def a_mail(**facts: object) -> Mail:
    told: dict[str, object] = {
        "message_id": f"<1234@{'a-long-name.' * 6}example.gov>",
        "sender": "complaints@riverbend.example",
        "sender_name": "Riverbend, Department of “Services”",
        "reply_to": "complaints@riverbend.example",
        "recipients": (ADA,),
        "subject": "Your complaint",
        "body": "Hello,\n\nétoile\n",
        "language": "en",
        "written_at": MONDAY,
        "written_on": MONDAY.date(),
    }
    return Mail(**(told | facts))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "address",
    [
        "ada@home.example\r\nBcc: eve@evil.example",
        "ada\n@home.example",
        "ada\r\n@home.example",
        "ada",
        "@home.example",
        "a b@home.example",
        "ada@",
        "ada@-x",
        "a<b>@x.example",
    ],
)
def test_an_address_that_is_none_never_reaches_a_header(address: str) -> None:
    with pytest.raises(Undeliverable) as refused:
        message_of(a_mail(recipients=(address,)))

    assert address not in str(refused.value)


def test_a_message_id_stays_whole_however_long_the_domain_is() -> None:
    mail = a_mail()

    assert mail.message_id.encode() in message_of(mail).as_bytes()


@pytest.mark.parametrize(
    ("subject", "first"),
    [
        ("What we are putting right: news from Riverbend Department of Public Services", "What we are putting right"),
        ("Our answer to your complaint RIV-ZB7R-55HF-29D9", "Our answer to your complaint RIV-ZB7R-55HF-29D9\r\n"),
        ("Quién está viendo su queja, y qué falta para darle nuestra respuesta: noticias", "=?utf-8?q?Qui=C3=A9n"),
    ],
)
def test_a_subject_begins_on_the_first_line_also_where_it_is_too_long_for_one(subject: str, first: str) -> None:
    written = message_of(a_mail(subject=subject)).as_bytes()

    assert f"\r\nSubject: {first}".encode() in written
    assert message_from_bytes(written, policy=SMTP)["Subject"] == subject
    assert max(len(line) for line in written.splitlines() if line.startswith((b"Subject", b" "))) <= 78


def test_a_domain_in_another_script_is_spelled_in_ascii() -> None:
    assert message_of(a_mail(recipients=("ada@bücher.example",)))["To"] == "ada@xn--bcher-kva.example"
