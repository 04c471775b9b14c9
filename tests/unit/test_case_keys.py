# SPDX-License-Identifier: Apache-2.0
"""A case's key is wrapped for its case alone."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidTag

from models.case_keys import KEY_BYTES, WrongMasterKey, new_key, seal, unseal, unwrapped, wrapped
from models.references import uuid7_at
from tests.given import MONDAY

WRAPPING_KEY, OTHER_KEY = b"w" * KEY_BYTES, b"o" * KEY_BYTES
CASE_ID, OTHER_CASE = uuid7_at(MONDAY), uuid7_at(MONDAY)


def test_a_wrapped_key_opens_again() -> None:
    key = new_key()

    assert unwrapped(wrapped(key, CASE_ID, WRAPPING_KEY), CASE_ID, WRAPPING_KEY) == key


def test_a_wrapped_key_of_one_case_does_not_open_for_another() -> None:
    with pytest.raises(WrongMasterKey):
        unwrapped(wrapped(new_key(), CASE_ID, WRAPPING_KEY), OTHER_CASE, WRAPPING_KEY)


def test_another_master_key_is_told_in_a_sentence() -> None:
    with pytest.raises(WrongMasterKey, match="restore the one it was made with"):
        unwrapped(wrapped(new_key(), CASE_ID, WRAPPING_KEY), CASE_ID, OTHER_KEY)


def test_keys_are_long_and_never_the_same() -> None:
    assert len({new_key() for _ in range(100)}) == 100
    assert len(new_key()) == KEY_BYTES


def test_the_same_text_is_sealed_differently_each_time_and_opens_each_time() -> None:
    key = new_key()
    first, second = seal(key, b"text", b"here"), seal(key, b"text", b"here")

    assert first != second
    assert unseal(key, first, b"here") == unseal(key, second, b"here") == b"text"
    assert b"text" not in first


@pytest.mark.parametrize("position", [0, 12, -1])
def test_a_changed_byte_is_noticed(position: int) -> None:
    key = new_key()
    sealed = bytearray(seal(key, b"text", b"here"))
    sealed[position] ^= 1

    with pytest.raises(InvalidTag):
        unseal(key, bytes(sealed), b"here")


def test_a_sealed_text_opens_only_where_it_belongs() -> None:
    key = new_key()

    with pytest.raises(InvalidTag):
        unseal(key, seal(key, b"text", b"here"), b"there")
