# SPDX-License-Identifier: Apache-2.0
"""From the form of a complaint to the complaint, for the public's page and for the desk."""

from __future__ import annotations

from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from api.pages.forms import Sent
from api.pages.words import Option
from api.shapes import Email
from api.shapes_complaints import ComplaintFiled, ContactGiven
from models.policy import Policy
from models.taxonomy import Kind

POST_LIMIT = 1_000
_EMAIL: TypeAdapter[str] = TypeAdapter(Email)


def filed_of(sent: Sent, policy: Policy, *, agency: str, channel: str, event_id: UUID | None = None) -> ComplaintFiled:
    """Return the complaint; raises Faults with a sentence for each field that is wrong."""
    services = {service.id for service in policy.agency.services}
    categories = {term.code for term in policy.taxonomy.of(Kind.INTAKE)}
    offices = {office.id for office in policy.agency.offices}
    narrative = sent.text("narrative", missing=sent.say("Tell us what went wrong."))
    wanted = sent.text("wanted") or None
    codes = {
        "service": sent.code("service", services),
        "category": sent.code("category", categories),
        "office": sent.code("office", offices),
        "language": sent.code("language", frozenset(policy.agency.languages)),
    }
    vulnerable = sent.yes_or_no("vulnerable")
    contact = _contact(sent)
    sent.check()
    return ComplaintFiled(
        agency=agency,
        narrative=narrative,
        wanted=wanted,
        channel=channel,
        contact=contact,
        vulnerable=vulnerable,
        event_id=event_id,
        **codes,
    )


def _contact(sent: Sent) -> ContactGiven | None:
    name, phone, email = sent.line("name"), sent.line("phone"), sent.line("email")
    post = sent.text("post")
    if email:
        try:
            email = _EMAIL.validate_python(email)
        except ValidationError:
            sent.errors["email"] = sent.say("Write the e-mail address like name@example.org.")
    if len(post) > POST_LIMIT:
        sent.errors["post"] = sent.say("This address is longer than %(limit)s characters.", limit=f"{POST_LIMIT:,}")
    if sent.errors or not (name or phone or email or post):
        return None
    return ContactGiven(name=name or None, phone=phone or None, email=email or None, post=post or None)


def service_options(policy: Policy, language: str) -> tuple[Option, ...]:
    """Return the services in the reader's language."""
    return tuple(Option(service.id, service.name[language]) for service in policy.agency.services)


def category_options(policy: Policy, language: str) -> tuple[Option, ...]:
    """Return what people complain about, in the reader's language."""
    return tuple(Option(term.code, term.name_in(language)) for term in policy.taxonomy.of(Kind.INTAKE))
