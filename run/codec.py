# SPDX-License-Identifier: Apache-2.0
"""The payload codec: everything a complaint's workflow sends through Temporal is encrypted with the case's own key.

Payloads of other workflows (the weekly analysis) carry nothing personal and are encrypted with one key of the
installation, derived from the master key.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Self
from uuid import UUID

from cachetools import TTLCache
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
)

from models.case_keys import KeyDestroyed, seal, unseal, unwrapped
from models.references import case_id_of

_ENCODING = b"binary/putright-aes-gcm"
_CACHED_KEYS = 20_000
_KEY_SECONDS = 300
"""A destroyed key is forgotten by every process within this time; whoever destroys it ends the workflow at once."""
_log = logging.getLogger(__name__)


class CaseKeys:
    """The keys of cases, out of the record, remembered for some minutes."""

    def __init__(self, engine: AsyncEngine, wrapping_key: bytes, installation_key: bytes) -> None:
        self._engine = engine
        self._wrapping_key = wrapping_key
        self._installation_key = installation_key
        self._known: TTLCache[UUID, bytes] = TTLCache(_CACHED_KEYS, _KEY_SECONDS)
        self.on_destroyed: Callable[[UUID], Awaitable[None]] | None = None
        """Called when a payload of a case without a key turns up: a worker ends its workflow."""

    async def of(self, workflow_id: str) -> bytes:
        """Return the key for a workflow's payloads; raises KeyDestroyed."""
        case_id = case_id_of(workflow_id)
        if case_id is None:
            return self._installation_key
        if (key := self._known.get(case_id)) is None:
            key = self._known[case_id] = await self._fetched(case_id)
        return key

    def forget(self, case_id: UUID) -> None:
        """Forget a key, because it was destroyed."""
        self._known.pop(case_id, None)

    async def _fetched(self, case_id: UUID) -> bytes:
        async with self._engine.connect() as connection:
            row = (
                await connection.execute(text("SELECT * FROM case_key_of(:case_id)"), {"case_id": case_id})
            ).one_or_none()
        if row is None or row.o_wrapped is None:
            _log.warning("the key of case %s is gone; its payloads cannot be read", case_id)
            if self.on_destroyed is not None:
                await self.on_destroyed(case_id)
            message = f"The key of case {case_id} has been destroyed."
            raise KeyDestroyed(message)
        return unwrapped(row.o_wrapped, case_id, self._wrapping_key)


class CaseCodec(PayloadCodec, WithSerializationContext):
    """Encrypts payloads with the key of the workflow they belong to."""

    def __init__(self, keys: CaseKeys, workflow_id: str = "") -> None:
        self._keys = keys
        self._workflow_id = workflow_id

    def with_context(self, context: SerializationContext) -> Self:
        """Return the codec of the workflow that a payload belongs to."""
        return type(self)(self._keys, getattr(context, "workflow_id", None) or "")

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt; the metadata name the encoding and whose key opens it."""
        key, owner = await self._keys.of(self._workflow_id), self._workflow_id.encode()
        return [
            Payload(
                metadata={"encoding": _ENCODING, "owner": owner},
                data=seal(key, payload.SerializeToString(), owner),
            )
            for payload in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt what is encrypted, and leave the rest as it is."""
        return [await self._decoded(payload) for payload in payloads]

    async def _decoded(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != _ENCODING:
            return payload
        owner = payload.metadata["owner"]
        key = await self._keys.of(owner.decode())
        return Payload.FromString(unseal(key, payload.data, owner))


def data_converter(keys: CaseKeys) -> DataConverter:
    """Return pydantic's converter with encryption, of failures' texts too."""
    return dataclasses.replace(
        pydantic_data_converter,
        payload_codec=CaseCodec(keys),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )
