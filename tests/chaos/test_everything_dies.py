# SPDX-License-Identifier: Apache-2.0
"""Every part is killed in mid-flight, and Temporal's store deleted once: no acknowledged complaint is lost or doubled.

The short form runs with the suite; `make chaos` runs the long one.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest

from run.settings import PROJECT_FOLDER
from tests.chaos.product import Product, running_product

pytestmark = pytest.mark.chaos
AT_ONCE = 8
GIVE_UP_AFTER_SECONDS = 3600
AGAIN = {502, 503, 504, 429}
NARRATIVE = "My renewal form was lost between two offices, twice. " * 10


def steps() -> list[tuple[str, dict[str, Any]]]:
    """Return what the scripted caseworker does, as the API takes it."""
    triage = {
        "issues": [{"number": 1, "service": "benefits", "category": "too_slow"}],
        "severity": 1,
        "track": "standard",
        "team": "front_desk",
    }
    answer = {
        "text": "We found your form and renewed your card. We are sorry.",
        "issues": [{"number": 1, "finding": "upheld", "remedies": ["apology"]}],
    }
    cause = {"kind": "failure", "failure": "HND3", "contributing_cause": "PRO", "severity": 2, "harm": 2}
    tag = {"issues": [{"number": 1, "cause": cause | {"scope": "one_person"}}]}
    return [
        ("acknowledge", {"text": "I am looking into the lost form."}),
        ("triage", triage),
        ("answer", answer),
        ("tag_root_cause", tag),
        ("close", {}),
    ]


@dataclass(slots=True)
class Story:
    """What the outside saw."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    """Idempotency key to case id."""
    retries: int = 0


async def insist(story: Story, ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """Ask until there is an answer, as a patient client does: the same request with the same key."""
    async with asyncio.timeout(GIVE_UP_AFTER_SECONDS):
        while True:
            try:
                response = await ask()
                if response.status_code not in AGAIN:
                    return response
            except httpx.TransportError:
                pass
            story.retries += 1
            await asyncio.sleep(random.uniform(0.1, 0.8))


async def one_life(product: Product, client: httpx.AsyncClient, story: Story) -> None:
    """File a complaint and take it to closed."""
    key = str(uuid4())
    body = {
        "narrative": NARRATIVE,
        "service": "benefits",
        "category": "too_slow",
        "contact": {"name": "Pat Doe", "email": f"{key}@example.org"},
    }
    filed = await insist(story, lambda: client.post("/api/v1/complaints", json=body, headers={"Idempotency-Key": key}))
    assert filed.status_code in {200, 201}, filed.text
    case_id = story.acknowledged[key] = filed.json()["id"]
    headers = {"Authorization": f"Bearer {product.tokens['ann']}"}
    for action, fields in steps():
        step_key = f"{key}-{action}"

        async def ask(
            action: str = action, fields: dict[str, Any] = fields, step_key: str = step_key
        ) -> httpx.Response:
            return await client.post(
                f"/api/v1/complaints/{case_id}/actions",
                json={"action": action, **fields},
                headers=headers | {"Idempotency-Key": step_key},
            )

        while True:
            done = await insist(story, ask)
            if done.status_code == httpx.codes.CONFLICT and "is new" in done.text:
                await asyncio.sleep(0.3)  # accepted, and its workflow has not opened it yet
                continue
            assert done.status_code == httpx.codes.OK, f"{action}: {done.status_code} {done.text}"
            break


async def trouble(product: Product, rng: random.Random, *, kills: int, done: asyncio.Event) -> None:
    """Kill one part after another, and once lose Temporal's store."""
    parts = ["worker", "api", "postgres", "temporal"]
    plan = [parts[number % len(parts)] for number in range(kills)]
    rng.shuffle(plan)
    plan.insert(len(plan) // 2, "store")
    for part in plan:
        await asyncio.sleep(rng.uniform(1.5, 4.0))
        if part == "store":
            await asyncio.to_thread(product.lose_temporals_store)
        else:
            await asyncio.to_thread(product.kill, part)
    done.set()


async def live_through(product: Product, *, complaints: int, kills: int, seed: int) -> Story:
    """Live all lives while everything dies around them."""
    story, over, done, turns = Story(), asyncio.Event(), asyncio.Event(), asyncio.Semaphore(AT_ONCE)
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(base_url=product.url, timeout=15, limits=limits) as client:

        async def one() -> None:
            async with turns:
                await one_life(product, client, story)

        async def all_lives() -> None:
            await asyncio.gather(*(one() for _ in range(complaints)))
            while not done.is_set():  # a quick machine lives on until every part has died
                await asyncio.gather(*(one() for _ in range(AT_ONCE)))
            over.set()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(all_lives())
            tasks.create_task(trouble(product, random.Random(seed), kills=kills, done=done))
            tasks.create_task(product.keep_running(over))
    return story


def assert_nothing_lost_or_doubled(product: Product, story: Story) -> None:
    complaints = len(story.acknowledged)
    receipts = product.rows("SELECT split_part(idempotency_key, ':', 2), case_id::text FROM receipt")
    assert dict(receipts) == story.acknowledged
    assert len(receipts) == complaints
    states = product.rows("SELECT state, count(*) FROM case_file GROUP BY state")
    assert states == [("closed", complaints)]
    lives = Counter(product.rows("SELECT array_agg(action ORDER BY sequence)::text FROM case_event GROUP BY case_id"))
    wanted = "{receive,send_receipt," + ",".join(action for action, _ in steps()) + "}"
    assert lives == {(wanted,): complaints}


def assert_every_letter_arrived(product: Product) -> None:
    written = {row[0] for row in product.rows("SELECT message_id FROM outbox WHERE recipient = 'complainant'")}
    arrived = Counter(product.postbox.message_ids)
    assert written <= set(arrived), "a letter was lost"
    assert set(arrived) <= {row[0] for row in product.rows("SELECT message_id FROM outbox")}
    repeated = sum(count - 1 for count in arrived.values())
    # Only what was in a worker's hands (or PostgreSQL's) when it died may come twice.
    assert repeated <= AT_ONCE * 4 * len(product.kills)


async def until_quiet(product: Product) -> None:
    async with asyncio.timeout(120):
        while product.rows("SELECT 1 FROM receipt_pending UNION ALL SELECT 1 FROM outbox_pending LIMIT 1"):
            await asyncio.sleep(0.5)


@pytest.mark.parametrize(
    ("complaints", "kills"),
    [
        pytest.param(24, 5, id="short", marks=pytest.mark.timeout(900)),
        pytest.param(200, 40, id="long", marks=[pytest.mark.long, pytest.mark.timeout(5400)]),
    ],
)
async def test_every_acknowledged_complaint_exists_once_and_reaches_its_end(complaints: int, kills: int) -> None:
    with running_product() as product:
        story = await live_through(product, complaints=complaints, kills=kills, seed=complaints)
        await until_quiet(product)

        assert_nothing_lost_or_doubled(product, story)
        assert_every_letter_arrived(product)
        verified = subprocess.run(
            [sys.executable, "-m", "run.cli", "verify"], cwd=PROJECT_FOLDER, env=product.environment, check=False,
            capture_output=True, text=True,
        )  # fmt: skip
        assert verified.returncode == 0, verified.stdout + verified.stderr
        print(f"{len(story.acknowledged)} complaints, killed {Counter(product.kills)}, {story.retries} retries")
