# SPDX-License-Identifier: Apache-2.0
"""Taking a complaint in: checked against the policy, durable in one round trip, answered with its receipt.

Temporal has no part in it: a complaint is accepted whenever the record can be written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from api.codes import CodeCheck
from api.reads.days import day_is_there
from api.reads.people import Staff
from api.reads.policies import AgencyRow
from api.services import Services
from api.shapes_complaints import ComplaintFiled, ContactGiven
from api.writes.receipts import Accepted, take_in
from models.commands import Receipt
from models.contacts import can_be_written_to
from models.letters import LetterKind
from models.messages import canonical
from models.policy import Policy
from models.receiving import Submission, intake_of
from models.references import secret_for
from models.taxonomy import Kind
from models.wording import day_in_words

PUBLIC_CHANNEL = "web"


@dataclass(frozen=True, slots=True)
class Taken:
    """A complaint that is durable, and what its sender is told."""

    receipt: Receipt
    is_new: bool
    secret: str
    receipt_subject: str
    receipt_text: str
    acknowledge_by: datetime
    answer_by: datetime
    track_url: str
    policy: Policy


def key_of_filing(staff: Staff | None, key: str | None) -> str:
    """Return the receipt's key: the public's apart from each desk's, and from those of imports.

    Without a key every sending is a new complaint, so two people who write the same words are both heard.
    """
    return f"{staff.name if staff else 'public'}:{key or uuid4()}"


async def file_complaint(services: Services, filed: ComplaintFiled, *, staff: Staff | None, key: str | None) -> Taken:
    """Take a complaint in, once per key; raises Unprocessable, UnknownAgency, KeyReused or RecordAway."""
    now = services.clock()
    agency = await services.policies.agency_named(staff.agency if staff else filed.agency, now)
    version = await services.policies.current(agency.slug, now)
    await _check(services, agency, version.policy, filed, staff, now)
    submission = _submission(filed, agency, version.policy, key_of_filing(staff, key), now)
    accepted = await take_in(services.database, intake_of(submission, now, services.case_keys))
    return await _taken(services, accepted, filed.contact)


async def _check(
    services: Services, agency: AgencyRow, policy: Policy, filed: ComplaintFiled, staff: Staff | None, now: datetime
) -> None:
    check = CodeCheck(policy, policy.calendar.local_date(now))
    if filed.agency not in {None, agency.slug}:
        check.refuse("agency", f"'agency': you take complaints in for {agency.slug} only.")
    check.service("service", filed.service)
    check.term("category", filed.category, Kind.INTAKE)
    check.office("office", filed.office)
    check.language("language", filed.language)
    check.channel("channel", filed.channel)
    if staff is None and filed.channel != PUBLIC_CHANNEL:
        check.refuse("channel", "'channel': complaints sent here come by web.")
    if filed.event_id is not None and not await _is_event(services, agency.slug, filed.event_id, staff):
        check.refuse("event_id", "'event_id': there is no such Problem Solving Day.")
    check.done()


async def _is_event(services: Services, agency: str, event_id: UUID, staff: Staff | None) -> bool:
    if staff is None:
        return False
    async with services.database.of(agency) as connection:
        return await day_is_there(connection, event_id)


def _submission(
    filed: ComplaintFiled, agency: AgencyRow, policy: Policy, key: str, received_at: datetime
) -> Submission:
    contact = filed.contact.model_dump(exclude_none=True) if filed.contact else {}
    return Submission(
        agency=agency.slug,
        prefix=agency.prefix,
        key=key,
        narrative=filed.narrative,
        channel=filed.channel,
        received_at=received_at,
        received_on=policy.calendar.local_date(received_at),
        wanted=filed.wanted or "",
        contact=canonical(contact).decode() if contact else "",
        can_be_written_to=can_be_written_to(contact),
        service=filed.service,
        category=filed.category,
        office=filed.office,
        language=filed.language or policy.agency.languages[0],
        event_id=filed.event_id,
        vulnerable=filed.vulnerable,
    )


async def _taken(services: Services, accepted: Accepted, contact: ContactGiven | None) -> Taken:
    """Return what the sender is told, out of the stored receipt, so that a repetition is told the same."""
    receipt = accepted.receipt
    counted_from = receipt.received_at or receipt.accepted_at
    version = await services.policies.in_force(receipt.agency, counted_from, services.clock())
    policy = version.policy
    acknowledge_by, answer_by = version.next_dates(counted_from)
    track_url = f"{services.settings.public_url}/a/{receipt.agency}/track"
    language = policy.agency.language_for(receipt.language)
    secret = secret_for(receipt.case_id, services.complainant_secrets)

    def words(moment: datetime) -> str:
        return day_in_words(policy.calendar.local_date(moment), language)

    # What is promised must be able to happen: nobody can write to somebody without an address.
    kind = LetterKind.RECEIPT if receipt.can_be_written_to else LetterKind.RECEIPT_SHOWN
    letter = policy.letter(kind, language).filled(
        {
            "agency_name": policy.agency.name,
            "agency_phone": policy.agency.contact.phone,
            "agency_email": policy.agency.contact.email,
            "greeting": policy.agency.greeting_for(contact.name if contact else None, language),
            "reference": receipt.reference,
            "secret": secret,
            "received_on": words(counted_from),
            "acknowledge_by": words(acknowledge_by),
            "answer_by": words(answer_by),
            "track_url": track_url,
        }
    )
    return Taken(
        receipt=receipt,
        is_new=accepted.is_new,
        secret=secret,
        receipt_subject=letter.subject,
        receipt_text=letter.body,
        acknowledge_by=acknowledge_by,
        answer_by=answer_by,
        track_url=track_url,
        policy=policy,
    )
