# SPDX-License-Identifier: Apache-2.0
"""Complaints as they come in, and what their senders get back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from api.shapes import Email, Line, Post, Shape, Text, Word, example
from api.shapes_actions import ComplainantAsked

Reference = Annotated[
    str,
    Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["RIV-7K2M-04QX-9TBC"]),
]
Secret = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["4F7N-0W2K-XQ8E"])]


class ContactGiven(Shape):
    """How the complainant can be reached; leave it out to stay anonymous."""

    name: Line | None = None
    email: Email | None = None
    phone: Line | None = None
    post: Post | None = None


class ComplaintFiled(Shape):
    """A complaint as somebody sends it."""

    model_config = example(
        narrative="I sent my renewal form in March. Nobody can find it and my payments have stopped.",
        wanted="Please find it and pay what I missed.",
        service="benefits",
        category="too_slow",
        language="en",
        contact={"name": "Jo Doe", "email": "jo@example.org"},
    )

    agency: Annotated[Word | None, Field(description="May be left out where only one agency takes complaints.")] = None
    narrative: Text
    wanted: Text | None = None
    service: Word | None = None
    category: Word | None = None
    office: Word | None = None
    language: Word | None = None
    channel: Annotated[Word, Field(description="The public says web; staff say how it came in.")] = "web"
    contact: ContactGiven | None = None
    vulnerable: Annotated[
        bool | None,
        Field(description="Whether the person affected is in vulnerable circumstances; left out: nothing is said."),
    ] = None
    event_id: Annotated[UUID | None, Field(description="Staff only: the Problem Solving Day it was taken in at.")] = (
        None
    )


class NextDates(Shape):
    """By when the complainant hears from us, if nothing stops the clock."""

    acknowledge_by: datetime
    answer_by: datetime


class ComplaintTaken(Shape):
    """The receipt; the same key and complaint again give the same."""

    model_config = example(
        id="01930c1e-8f6a-7c1d-9b57-3f0a5d2e7c11",
        reference="RIV-7K2M-04QX-9TBC",
        secret="4F7N-0W2K-XQ8E",  # noqa: S106  an example
        receipt="We have your complaint RIV-7K2M-04QX-9TBC …",
        next={"acknowledge_by": "2026-03-04T23:00:00Z", "answer_by": "2026-04-10T22:00:00Z"},
        track_url="https://complaints.example.gov/a/riverbend/track",
    )

    id: str
    reference: str
    secret: str
    receipt: str
    next: NextDates
    track_url: str


class TrackAsked(Shape):
    """What a complainant shows to see the complaint."""

    reference: Reference
    secret: Secret


class TrackActionAsked(TrackAsked):
    """What a complainant asks for."""

    model_config = example(
        reference="RIV-7K2M-04QX-9TBC",
        secret="4F7N-0W2K-XQ8E",  # noqa: S106  an example
        asked={"action": "record_information", "text": "The form went to the Northgate office on 3 March."},
    )

    asked: ComplainantAsked
