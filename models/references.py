# SPDX-License-Identifier: Apache-2.0
"""Identity: case ids (uuid7), workflow ids, public references and the complainant's secret.

A reference is `PREFIX-XXXX-XXXX-XXXX`: the agency's prefix and sixty random bits of the case id in Crockford's
base 32 (no I, L, O, U), so it can be read out on the telephone and found again without a second table.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "U": "V"})
_GROUPS = 3
_GROUP_LENGTH = 4
_CHARACTERS = _GROUPS * _GROUP_LENGTH
_REFERENCE = re.compile(r"^([A-Z][A-Z0-9]{1,7})-([0-9A-Z]{4})-([0-9A-Z]{4})-([0-9A-Z]{4})$")
WORKFLOW_ID_PREFIX = "complaint/"
FIX_WORKFLOW_ID_PREFIX = "fix/"
AFFECTED_WORKFLOW_ID_PREFIX = "affected/"


def uuid7_at(moment_at: datetime, randomness: bytes | None = None) -> UUID:
    """Return a version 7 UUID (RFC 9562 §5.7) of `moment_at`, with ten random bytes given or drawn."""
    milliseconds = int(moment_at.timestamp() * 1000)
    rest = int.from_bytes(os.urandom(10) if randomness is None else randomness, "big")
    value = (
        (milliseconds & (2**48 - 1)) << 80 | 0x7 << 76 | (rest >> 68 & 0xFFF) << 64 | 0b10 << 62 | rest & (2**62 - 1)
    )
    return UUID(int=value)


def moment_of(case_id: UUID) -> datetime:
    """Return the moment that a version 7 UUID carries, to the millisecond."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=case_id.int >> 80)


def workflow_id_for(case_id: UUID) -> str:
    """Return the id of the case's workflow; it holds nothing personal."""
    return f"{WORKFLOW_ID_PREFIX}{case_id}"


def fix_workflow_id_for(fix_id: UUID) -> str:
    """Return the id of a systemic fix's workflow."""
    return f"{FIX_WORKFLOW_ID_PREFIX}{fix_id}"


def affected_workflow_id_for(list_id: UUID) -> str:
    """Return the id of the workflow that helps the people on a list."""
    return f"{AFFECTED_WORKFLOW_ID_PREFIX}{list_id}"


def case_id_of(workflow_id: str) -> UUID | None:
    """Return the case a workflow id belongs to, or None for other workflows."""
    return UUID(workflow_id.removeprefix(WORKFLOW_ID_PREFIX)) if workflow_id.startswith(WORKFLOW_ID_PREFIX) else None


def _letters(number: int, count: int) -> str:
    return "".join(CROCKFORD[number >> 5 * place & 31] for place in reversed(range(count)))


def _grouped(letters: str) -> str:
    return "-".join(letters[start : start + _GROUP_LENGTH] for start in range(0, len(letters), _GROUP_LENGTH))


def reference_for(prefix: str, case_id: UUID) -> str:
    """Return the public reference of a case in the agency with that prefix."""
    return f"{prefix}-{_grouped(_letters(case_id.int & (2**60 - 1), _CHARACTERS))}"


def normal_reference(text: str) -> str | None:
    """Return a typed reference in its one spelling (case, spaces, O for 0 forgiven), or None if it is none."""
    squeezed = re.sub(r"[^0-9A-Za-z]", "", text).upper()
    if len(squeezed) <= _CHARACTERS:
        return None
    prefix, letters = squeezed[:-_CHARACTERS], squeezed[-_CHARACTERS:].translate(_READ_AS)
    reference = f"{prefix}-{_grouped(letters)}"
    return reference if _REFERENCE.match(reference) else None


def secret_for(case_id: UUID, key: bytes) -> str:
    """Return the complainant's secret: sixty bits of HMAC-SHA256 of the receipt's id, so no clear copy is stored."""
    digest = hmac.new(key, case_id.bytes, hashlib.sha256).digest()
    return _grouped(_letters(int.from_bytes(digest[:8], "big") & (2**60 - 1), _CHARACTERS))


def is_secret(text: str, case_id: UUID, key: bytes) -> bool:
    """Return whether a typed secret is the case's, in constant time."""
    typed = re.sub(r"[^0-9A-Za-z]", "", text).upper().translate(_READ_AS)
    return hmac.compare_digest(typed.encode(), secret_for(case_id, key).replace("-", "").encode())
