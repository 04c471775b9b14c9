# SPDX-License-Identifier: Apache-2.0
"""Limits of the public routes: so many requests from one address, so many from all together.

The counts stand in the memory of each API process: with two processes behind one address the real limits are up to
twice those of the settings. Bearer tokens and signed-in people are not counted.
"""

from __future__ import annotations

import ipaddress
import math
import time

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter

from api.problems import TooMany

_V6_NETWORK_BITS = 64
"""What one household or phone gets; within it an address is changed at will."""


class PublicLimits:
    """The limits of one API process."""

    def __init__(self, per_address: str, in_total: str) -> None:
        self._per_address = parse(per_address)
        self._in_total = parse(in_total)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    async def count(self, address: str) -> None:
        """Count one request; raises TooMany with the time to wait."""
        await self._hit(self._per_address, "address", _network_of(address))
        await self._hit(self._in_total, "all", "")

    async def _hit(self, limit: RateLimitItem, kind: str, key: str) -> None:
        if await self._limiter.hit(limit, kind, key):
            return
        reset_at, _ = await self._limiter.get_window_stats(limit, kind, key)
        seconds = max(1, math.ceil(reset_at - time.time()))
        sentence = f"That was more than {limit} allowed here. Ask again in {seconds} seconds."
        raise TooMany(sentence, headers={"Retry-After": str(seconds)})


def _network_of(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:  # noqa: PLR2004  IP version 4
        return address
    return str(ipaddress.ip_network((parsed, _V6_NETWORK_BITS), strict=False))
