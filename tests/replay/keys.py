# SPDX-License-Identifier: Apache-2.0
"""One fixed key for the payloads of kept histories, so that they can be read anywhere; they hold nothing personal."""

from __future__ import annotations

from temporalio.converter import DataConverter

from run.codec import CaseKeys, data_converter

FIXED_KEY = b"kept histories, read everywhere!"


class FixedKey(CaseKeys):
    """Keys without a record: the same for every case."""

    def __init__(self) -> None:
        """Need nothing."""

    async def of(self, workflow_id: str) -> bytes:
        """Return the one key."""
        return FIXED_KEY


def fixed_converter() -> DataConverter:
    """Return the product's converter with the fixed key."""
    return data_converter(FixedKey())
