# SPDX-License-Identifier: Apache-2.0
"""Limits of the public routes: so many requests from one address, so many from all together.

A request that is refused for what stands in it does not count, so that typing errors lock nobody out; a wrong secret
does. The counts stand in the memory of each API process: with two processes behind one address the real limits are up
to twice those of the settings. Bearer tokens and signed-in people are not counted; tokens that nobody holds are, on
every route, before they cost the record more look-ups.
"""

from __future__ import annotations

import ipaddress
import math
import time

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter

from api.problems import TooMany

_GUESS = "guess"
_V6_NETWORK_BITS = 64
"""What one household or phone gets; within it an address is changed at will."""


class PublicLimits:
    """The limits of one API process."""

    def __init__(self, per_address: str, in_total: str) -> None:
        self._per_address = parse(per_address)
        self._in_total = parse(in_total)
        self._storage = MemoryStorage()
        self._limiter = FixedWindowRateLimiter(self._storage)

    async def count(self, address: str) -> None:
        """Count one request; raises TooMany with the time to wait."""
        await self._hit(self._per_address, "address", _network_of(address))
        await self._hit(self._in_total, "all", "")

    async def forgive(self, address: str) -> None:
        """Take back the count of a request that came to nothing."""
        for limit, kind, key in (
            (self._per_address, "address", _network_of(address)),
            (self._in_total, "all", ""),
        ):
            storage_key = limit.key_for(kind, key)
            if await self._storage.get(storage_key) > 0:
                await self._storage.incr(storage_key, limit.get_expiry(), amount=-1)

    async def check_guesses(self, address: str) -> None:
        """Look whether an address may show another unknown token; raises TooMany where it has shown its fill."""
        if not await self._limiter.test(self._per_address, _GUESS, _network_of(address)):
            raise await self._too_many(self._per_address, _GUESS, _network_of(address))

    async def count_guess(self, address: str) -> None:
        """Count a token that nobody holds."""
        await self._limiter.hit(self._per_address, _GUESS, _network_of(address))

    async def _hit(self, limit: RateLimitItem, kind: str, key: str) -> None:
        if not await self._limiter.hit(limit, kind, key):
            raise await self._too_many(limit, kind, key)

    async def _too_many(self, limit: RateLimitItem, kind: str, key: str) -> TooMany:
        reset_at, _ = await self._limiter.get_window_stats(limit, kind, key)
        seconds = max(1, math.ceil(reset_at - time.time()))
        whose = "from all together" if kind == "all" else "from one address"
        wait = "1 second" if seconds == 1 else f"{seconds} seconds"
        verb = "is" if limit.amount == 1 else "are"
        sentence = f"At most {_in_words(limit)} {whose} {verb} taken here. Ask again in {wait}."
        return TooMany(sentence, headers={"Retry-After": str(seconds)})


def _in_words(limit: RateLimitItem) -> str:
    """Return a limit as people say it, as in 30 requests in a minute."""
    unit = limit.GRANULARITY.name
    span = (f"an {unit}" if unit == "hour" else f"a {unit}") if limit.multiples == 1 else f"{limit.multiples} {unit}s"
    return f"{limit.amount} {'request' if limit.amount == 1 else 'requests'} in {span}"


def _network_of(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:  # noqa: PLR2004  IP version 4
        return address
    return str(ipaddress.ip_network((parsed, _V6_NETWORK_BITS), strict=False))
