# SPDX-License-Identifier: Apache-2.0
"""Filling in a letter."""

from __future__ import annotations

import pytest

from models.letters import Letter, LetterKind, MissingValues

LETTER = Letter(kind=LetterKind.WITHDRAWN, language="en", subject="Complaint {reference}", body="{greeting}\n\nDone.\n")


def test_every_name_in_braces_is_replaced() -> None:
    filled = LETTER.filled({"reference": "RIV-0000-0000-0001", "greeting": "Hello,", "not_said": "x"})

    assert (filled.subject, filled.body) == ("Complaint RIV-0000-0000-0001", "Hello,\n\nDone.\n")


def test_what_a_complainant_wrote_in_braces_is_not_filled_in() -> None:
    assert LETTER.filled({"reference": "R", "greeting": "Dear {reference},"}).body == "Dear {reference},\n\nDone.\n"


def test_a_value_with_a_line_break_does_not_become_a_header_of_the_mail() -> None:
    subject = LETTER.filled({"reference": "R\r\nBcc: everybody@x.example", "greeting": ""}).subject

    assert subject == "Complaint R Bcc: everybody@x.example"


def test_a_letter_is_not_sent_with_a_gap() -> None:
    with pytest.raises(MissingValues, match="'withdrawn' \\(en\\) lacks greeting, reference"):
        LETTER.filled({})
