# SPDX-License-Identifier: Apache-2.0
"""What worker and API are put together from: engines, keys, the Temporal client."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from temporalio.client import Client
from temporalio.service import GrpcCompression, RPCError

from run.codec import CaseKeys, data_converter
from run.settings import Settings

CASE_KEYS = "case-keys"
OTHER_PAYLOADS = "other-payloads"
COMPLAINANT_SECRETS = "complainant-secrets"
_RETRY_SECONDS = 1.0
_log = logging.getLogger(__name__)


def now() -> datetime:
    """Return the time; the edges alone look at a clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Secrets:
    """What is derived from the master key."""

    case_keys: bytes
    other_payloads: bytes
    complainant_secrets: bytes


def secrets_of(settings: Settings) -> Secrets:
    """Return the secrets of this installation."""
    return Secrets(
        case_keys=settings.derived_secret(CASE_KEYS),
        other_payloads=settings.derived_secret(OTHER_PAYLOADS),
        complainant_secrets=settings.derived_secret(COMPLAINANT_SECRETS),
    )


def engine_for(url: str, *, connections: int) -> AsyncEngine:
    """Return an engine that keeps that many connections; after one has died, the pool makes all of them anew."""
    return create_async_engine(url, pool_size=connections, max_overflow=0, pool_recycle=1800, hide_parameters=True)


def case_keys(engine: AsyncEngine, secrets: Secrets) -> CaseKeys:
    """Return the keys of cases, read through the engine."""
    return CaseKeys(engine, secrets.case_keys, secrets.other_payloads)


async def temporal_client(settings: Settings, keys: CaseKeys, *, lazy: bool = False) -> Client:
    """Connect to Temporal, waiting for it; `lazy` connects with the first call instead."""
    while True:
        try:
            return await Client.connect(
                settings.temporal_address,
                namespace=settings.temporal_namespace,
                data_converter=data_converter(keys),
                tls=settings.temporal_tls,
                api_key=settings.temporal_api_key or None,
                grpc_compression=GrpcCompression.NONE,
                lazy=lazy,
            )
        except (RPCError, RuntimeError, OSError) as problem:
            _log.warning("waiting for Temporal at %s (%s)", settings.temporal_address, type(problem).__name__)
            await asyncio.sleep(_RETRY_SECONDS)
