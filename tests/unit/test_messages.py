# SPDX-License-Identifier: Apache-2.0
"""Messages are frozen, closed to unknown fields, and have one spelling."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from models import lifecycle
from models.commands import COMMAND, ISSUE_LIMIT, Note, Triage
from models.messages import Amount, Code, ContentRef, Key, canonical, canonical_message, sha256
from models.terms import Action, State
from tests.given import ANN, a_case_at, a_command, a_text

SOURCE_OF = {row.action: min(row.sources) for row in lifecycle.TRANSITIONS}


def a_note() -> Note:
    return Note(actor=ANN, key="key", text=a_text())


@pytest.mark.parametrize("action", Action)
def test_every_command_reads_back_as_itself_and_hashes_the_same(action: Action) -> None:
    command = a_command(action, a_case_at(SOURCE_OF[action]))
    again = COMMAND.validate_json(canonical_message(command))

    assert again == command
    assert type(again) is type(command)
    assert again.request_hash == command.request_hash


def test_a_message_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        a_note().key = "other"  # type: ignore[misc]  # the point of the test


def test_an_unknown_field_is_an_error() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        COMMAND.validate_python(a_note().model_dump() | {"txet": "?"})


def test_an_unknown_action_is_an_error() -> None:
    with pytest.raises(ValidationError, match="does not match any of the expected tags"):
        COMMAND.validate_python(a_note().model_dump() | {"action": "annotate"})


def test_free_text_cannot_slip_into_a_command() -> None:
    with pytest.raises(ValidationError):
        COMMAND.validate_python(a_note().model_dump() | {"text": "My name is Ann Example."})


def test_there_is_one_spelling_of_a_value() -> None:
    assert canonical({"b": 1, "a": ["é", None]}) == '{"a":["é",null],"b":1}'.encode()


def test_what_is_absent_is_left_out_so_that_a_new_optional_field_changes_no_old_hash() -> None:
    triage = a_command(Action.TRIAGE, a_case_at(State.IN_TRIAGE))
    assert isinstance(triage, Triage)

    assert b"office" not in canonical_message(triage.model_copy(update={"office": None}))


def test_the_request_hash_hangs_on_the_asker_and_the_key() -> None:
    note = a_note()

    assert note.model_copy(update={"key": "other"}).request_hash != note.request_hash
    assert note.model_copy(update={"text": a_text()}).request_hash != note.request_hash


def test_a_hash_is_of_the_parts_one_after_another() -> None:
    assert sha256(b"ab", b"c") == sha256(b"abc")


@pytest.mark.parametrize("text", ["", "x" * 81, "two\nlines", "a\x00b"])
def test_what_cannot_be_a_code_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Code).validate_python(text)


@pytest.mark.parametrize("text", ["", "x" * 201, "with space", "ünïcode", "tab\t"])
def test_what_cannot_be_a_key_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Key).validate_python(text)


@pytest.mark.parametrize("digest", ["", "ab", "AB" * 32, "zz" * 32])
def test_a_digest_is_64_hexadecimal_digits(digest: str) -> None:
    with pytest.raises(ValidationError):
        ContentRef(id=a_text().id, digest=digest)


@pytest.mark.parametrize("cents", [0, -1, 100_000_001])
def test_a_sum_of_money_has_bounds(cents: int) -> None:
    with pytest.raises(ValidationError):
        Amount(cents=cents, authority="31 USC 3724")


def test_a_complaint_has_a_bounded_number_of_issues() -> None:
    triage = a_command(Action.TRIAGE, a_case_at(State.IN_TRIAGE))
    assert isinstance(triage, Triage)
    many = [triage.issues[0].model_dump()] * (ISSUE_LIMIT + 1)

    with pytest.raises(ValidationError, match="at most"):
        COMMAND.validate_python(triage.model_dump() | {"issues": many})
