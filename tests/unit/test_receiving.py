# SPDX-License-Identifier: Apache-2.0
"""From what was sent to what the record takes in."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from models.case_keys import unwrapped
from models.commands import Receipt
from models.messages import canonical, sha256
from models.receiving import Intake, Submission, intake_of, text_of
from models.references import moment_of, reference_for, uuid7_at
from tests.given import MONDAY
from tests.record import WRAPPING_KEY, a_submission

LATER = MONDAY + timedelta(hours=3)


def taken(submission: Submission) -> Intake:
    return intake_of(submission, LATER, WRAPPING_KEY)


def test_the_case_id_carries_the_date_of_receipt_and_the_reference_comes_out_of_it() -> None:
    receipt = taken(a_submission(received_at=MONDAY)).receipt

    assert moment_of(receipt.case_id) == MONDAY
    assert receipt.reference == reference_for("RIV", receipt.case_id)
    assert receipt.accepted_at == LATER


def test_where_the_date_of_receipt_is_unknown_it_stays_unknown() -> None:
    receipt = taken(a_submission(received_at=None, received_on=None, is_imported=True)).receipt

    assert (receipt.received_at, receipt.received_on) == (None, None)
    assert moment_of(receipt.case_id) == LATER


def test_texts_stand_apart_and_only_their_ids_and_digests_travel() -> None:
    intake = taken(a_submission(narrative="My name is Ann Example.", wanted="An apology."))

    assert {text.kind: text.body for text in intake.texts} == {
        "narrative": "My name is Ann Example.",
        "wanted": "An apology.",
    }
    assert b"Example" not in intake.facts
    assert intake.receipt.narrative == intake.texts[0].ref
    assert intake.receipt.contact is None


def test_the_facts_read_back_as_the_receipt() -> None:
    intake = taken(a_submission())

    assert Receipt.model_validate_json(intake.facts) == intake.receipt


def test_a_text_is_found_again_under_the_id_that_case_and_key_give_it() -> None:
    case_id = uuid7_at(MONDAY)
    first, again = text_of(case_id, "key", "note", "Words."), text_of(case_id, "key", "note", "Words.")

    assert first.id == again.id
    assert first.digest != again.digest, "salts are random, so that equal texts cannot be told to be equal"
    assert text_of(case_id, "other", "note", "Words.").id != first.id
    assert text_of(case_id, "key", "answer", "Words.").id != first.id


def test_a_digest_is_the_hash_of_salt_and_words() -> None:
    text = text_of(uuid7_at(MONDAY), "key", "note", "Größe", salt=b"salt")

    assert text.digest == sha256(b"salt", "Größe".encode())


def test_every_case_gets_a_key_of_its_own() -> None:
    intakes = [taken(a_submission()) for _ in range(5)]

    keys = {unwrapped(intake.wrapped_key, intake.receipt.case_id, WRAPPING_KEY) for intake in intakes}

    assert len(keys) == 5


def test_the_same_complaint_sent_again_is_the_same_request_though_time_has_passed() -> None:
    first = a_submission()

    assert dataclasses.replace(first, received_at=LATER, received_on=LATER.date()).request_hash == first.request_hash


NOT_SAID = {"agency", "prefix", "key", "received_at", "received_on", "can_be_written_to", "is_imported", "source"}
"""What is no part of the request: where it goes, under what key, when it came; the address follows from the contact."""


@pytest.mark.parametrize("field", sorted({field.name for field in dataclasses.fields(Submission)} - NOT_SAID))
def test_another_word_anywhere_is_another_request(field: str) -> None:
    first = a_submission()
    other = uuid7_at(MONDAY) if field == "event_id" else "something else"

    assert dataclasses.replace(first, **{field: other}).request_hash != first.request_hash  # type: ignore[arg-type]


def test_what_the_sender_says_of_the_persons_circumstances_stands_on_the_receipt() -> None:
    assert taken(a_submission(vulnerable=True)).receipt.vulnerable is True
    assert taken(a_submission(vulnerable=False)).receipt.vulnerable is False


def test_where_nothing_is_said_of_circumstances_receipt_and_request_are_as_before_anybody_was_asked() -> None:
    silent = a_submission()
    hashed = {
        "narrative": silent.narrative, "channel": "web", "wanted": "", "contact": "", "service": "benefits",
        "category": "too_slow", "office": None, "language": "en", "event": "None", "received_on": "",
    }  # fmt: skip

    assert silent.request_hash == sha256(canonical(hashed))
    assert b"vulnerable" not in taken(silent).facts


def test_of_an_import_the_date_is_part_of_the_request() -> None:
    first = a_submission(is_imported=True)

    assert dataclasses.replace(first, received_on=LATER.date() + timedelta(days=1)).request_hash != first.request_hash


def test_of_an_import_what_a_map_says_of_circumstances_is_no_part_of_the_request() -> None:
    first = a_submission(is_imported=True)

    for said in (True, False):
        assert dataclasses.replace(first, vulnerable=said).request_hash == first.request_hash
