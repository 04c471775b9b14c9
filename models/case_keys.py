# SPDX-License-Identifier: Apache-2.0
"""The key of each case's payloads: random, wrapped by a key-wrapping key, bound to its case (AES-256-GCM).

Destroying the wrapped key makes every payload of the case unreadable, wherever copies of it lie.
"""

from __future__ import annotations

import os
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12
WRONG_MASTER_KEY_SENTENCE = "The case's key cannot be opened with this master key; restore the one it was made with."


class KeyDestroyed(Exception):
    """The case's key has been destroyed; its payloads can never be read again."""


class WrongMasterKey(Exception):
    """The wrapped key does not open: the master key is not the one it was wrapped with."""


def new_key() -> bytes:
    """Return a fresh random key."""
    return os.urandom(KEY_BYTES)


def seal(key: bytes, text: bytes, context: bytes) -> bytes:
    """Return nonce and ciphertext of `text`; only the same context opens it."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, text, context)


def unseal(key: bytes, sealed: bytes, context: bytes) -> bytes:
    """Return the text that was sealed, or raise InvalidTag."""
    return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)


def wrapped(key: bytes, case_id: UUID, wrapping_key: bytes) -> bytes:
    """Return the case's key as the record may hold it."""
    return seal(wrapping_key, key, case_id.bytes)


def unwrapped(sealed: bytes, case_id: UUID, wrapping_key: bytes) -> bytes:
    """Return the case's key."""
    try:
        return unseal(wrapping_key, sealed, case_id.bytes)
    except InvalidTag as problem:
        raise WrongMasterKey(WRONG_MASTER_KEY_SENTENCE) from problem
