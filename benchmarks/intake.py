# SPDX-License-Identifier: Apache-2.0
"""Receipts accepted a second, and how soon the relay has started their workflows (python -m benchmarks.intake).

All of `putright up` runs on this machine (fsync on), the load comes from this process, each complaint has a kilobyte
of text and a key of its own.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from uuid import uuid4

from benchmarks.product import Connection, Product, running

NARRATIVE = "I sent the renewal form twice and both times it was lost between the two offices. " * 12
ALONE, AT_ONCE, MANY, BURST = 300, 8, 4_000, 1_000


def a_body() -> dict[str, object]:
    """Return a complaint of a kilobyte."""
    return {
        "narrative": NARRATIVE,
        "service": "benefits",
        "category": "lost",
        "contact": {"name": "Pat Doe", "email": "pat@example.org"},
    }


async def file_complaints(product: Product, count: int, at_once: int) -> tuple[float, list[float]]:
    """File so many complaints, so many at once; return seconds in all and milliseconds of each."""
    took: list[float] = []
    left = iter(range(count))

    async def clerk() -> None:
        connection = Connection(product.settings.port, product.token)
        await connection.open()
        for _ in left:
            began = time.perf_counter()
            status, answer = await connection.ask(
                "POST", "/api/v1/complaints", a_body(), f"Idempotency-Key: {uuid4()}\r\n"
            )
            took.append(1000 * (time.perf_counter() - began))
            assert status == 201, answer
        connection.close()

    began = time.perf_counter()
    await asyncio.gather(*(clerk() for _ in range(at_once)))
    return time.perf_counter() - began, took


def drained(product: Product) -> float:
    """Return how many seconds it takes until no receipt waits for its workflow; then let the letters leave, too."""
    began = time.perf_counter()
    while product.count("SELECT count(*) FROM receipt_pending"):
        time.sleep(0.25)
    took = time.perf_counter() - began
    while product.count("SELECT count(*) FROM outbox_pending"):
        time.sleep(0.25)
    time.sleep(2)
    return took


def main() -> None:
    """Measure and print."""
    with running() as product:
        asyncio.run(file_complaints(product, 50, 2))
        drained(product)
        _, alone = asyncio.run(file_complaints(product, ALONE, 1))
        p50, p95 = statistics.median(alone), statistics.quantiles(alone, n=20)[-1]
        print(f"one at a time: p50 {p50:.1f} ms, p95 {p95:.1f} ms (goal: p50 < 20 ms)")
        drained(product)
        seconds, many = asyncio.run(file_complaints(product, BURST, AT_ONCE))
        backlog = product.count("SELECT count(*) FROM receipt_pending")
        print(f"a burst of {BURST:,}, {AT_ONCE} at once: {BURST / seconds:.0f}/s; backlog {backlog}", end="")
        print(f", drained in {drained(product):.0f} s")
        seconds, many = asyncio.run(file_complaints(product, MANY, AT_ONCE))
        p50, p95 = statistics.median(many), statistics.quantiles(many, n=20)[-1]
        print(f"{MANY:,}, {AT_ONCE} at once: {MANY / seconds:.0f}/s (goal 350), p50 {p50:.1f} ms, p95 {p95:.1f} ms")
        print("resident memory:", *product.memory(), sep="\n")


if __name__ == "__main__":
    main()
