# SPDX-License-Identifier: Apache-2.0
"""Queue pages and search at 100,000 cases of three agencies (python -m benchmarks.queues).

Row-level security on, the API's own role, a kilobyte of text in each case, common and rare words, first and deep
pages; milliseconds at the API over HTTP, one caller.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import statistics
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from sqlalchemy.ext.asyncio import create_async_engine

from activities.history import HistoryWriter, Story
from activities.policies import Policies
from benchmarks.product import Connection
from models import lifecycle
from models.case import new_case
from models.commands import SYSTEM, Command, Receive, SendReceipt
from models.events import Event
from models.receiving import Intake, Submission, intake_of
from models.story import apply
from models.terms import Action
from run.embedded.temporal import free_port
from run.embedded.temporary import TemporaryPostgres, temporary_folder, temporary_postgres
from run.migrate import migrate
from run.settings import API_ROLE, PROJECT_FOLDER, WORKER_ROLE, Settings, libpq_url
from run.tokens import create_token
from tests.given import POLICY_FOLDER, a_command, a_policy

CASES = int(os.environ.get("BENCHMARK_CASES", "100000"))
AGENCIES = {"riverbend": "RIV", "lakeside": "LAK", "hillcrest": "HIL"}
BATCH = 2_000
REPEATS = 60
DEEP_PAGES = 100
SERVICES = ("benefits", "permits", "housing", "records", "streets", "parking")
CATEGORIES = ("lost", "too_slow", "not_told", "wrong_decision")
TEAMS = ("front_desk", "payments", "permits_and_housing", "records")
OWNERS = ("ann", "ben", "cat", "dan", None)
ENDS = (Action.TRIAGE, Action.ANSWER, Action.TAG_ROOT_CAUSE, Action.CLOSE)
_chance = random.Random(7)
WORDS = [f"word{number}" for number in range(20_000)]
WEIGHTS = [1 / (rank + 2) for rank in range(len(WORDS))]
"""Zipf's law: word0 is in most texts, word19999 in hardly any."""


def a_text() -> str:
    """Return about a kilobyte of words."""
    return " ".join(_chance.choices(WORDS, WEIGHTS, k=130))


def stories(now: datetime) -> Iterator[Story]:
    """Return so many lawful stories; four in ten are still open."""
    for number in range(CASES):
        slug = list(AGENCIES)[number % len(AGENCIES)]
        yield a_story(slug, now - timedelta(minutes=20 * (CASES - number) / 3))


def a_story(slug: str, at: datetime) -> Story:
    """Return one story that began at a moment."""
    submission = Submission(
        agency=slug, prefix=AGENCIES[slug], key=secrets.token_hex(8), narrative=a_text(), channel="web",
        received_at=at, received_on=at.date(), service=_chance.choice(SERVICES), category=_chance.choice(CATEGORIES),
    )  # fmt: skip
    intake = intake_of(submission, at, b"w" * 32)
    return Story(intake, tuple(_events(intake, at)))


def _events(intake: Intake, at: datetime) -> Iterator[Event]:
    case = new_case(intake.receipt)
    team = _chance.choice(TEAMS)
    commands: list[Command | Action] = [
        Receive(actor=SYSTEM, key="receive", receipt=intake.receipt, team=team, policy_version=1),
        SendReceipt(actor=SYSTEM, key="send-receipt"),
    ]
    commands += ENDS if _chance.random() < 0.6 else ENDS[: _chance.randrange(3)]
    for asked in commands:
        command = a_command(asked, case) if isinstance(asked, Action) else asked
        if command.action is Action.TRIAGE:
            command = command.model_copy(update={"team": team, "owner": _chance.choice(OWNERS)})
        event = lifecycle.decide(case, command, at)
        case = apply(case, event)
        yield event


async def fill(postgres: TemporaryPostgres) -> None:
    """Write the cases and bring PostgreSQL's statistics up to date."""
    engine = create_async_engine(postgres.server.url(role=WORKER_ROLE))
    writer, now, began = HistoryWriter(engine, Policies()), datetime.now(UTC), time.perf_counter()
    waiting: dict[str, list[Story]] = {slug: [] for slug in AGENCIES}
    for story in stories(now):
        slug = story.intake.receipt.agency
        waiting[slug].append(story)
        if len(waiting[slug]) == BATCH:
            await writer.write(slug, waiting[slug], now)
            waiting[slug] = []
    for slug, rest in waiting.items():
        if rest:
            await writer.write(slug, rest, now)
    await engine.dispose()
    print(f"{CASES:,} cases written in {time.perf_counter() - began:.0f} s")
    with psycopg.connect(libpq_url(postgres.server.url()), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


QUERIES = {
    "queue, what is due first": "sort=queue&open=true",
    "queue of a team": "sort=queue&open=true&team=payments",
    "queue of an owner": "sort=queue&open=true&owner=ann",
    "overdue": "sort=queue&open=true&overdue=true",
    "newest of a service": "sort=newest&service=housing",
    "search, a word in most texts": "q=word0",
    "search, a common word": "q=word40",
    "search, a rare word": "q=word15000",
    "search, two words": "q=word12+word300",
    "search, a word in no text": "q=nowhere",
}


async def measure(port: int, token: str) -> None:
    """Ask every question many times, first pages and deep ones."""
    connection = Connection(port, token)
    await connection.open()
    for name, query in QUERIES.items():
        first = [await _timed(connection, query) for _ in range(REPEATS)]
        deep, cursor, depth = [], first[0][1], 0
        while cursor and depth < DEEP_PAGES:
            took, cursor = await _timed(connection, f"{query}&cursor={urllib.parse.quote(cursor)}")
            depth += 1
            deep.append(took)
        print(f"{name:<30} first page {_figures([t for t, _ in first])} | pages 2–{depth + 1} {_figures(deep)}")
    connection.close()


async def _timed(connection: Connection, query: str) -> tuple[float, str | None]:
    began = time.perf_counter()
    status, answer = await connection.ask("GET", f"/api/v1/complaints?limit=50&{query}")
    assert status == 200, answer
    return 1000 * (time.perf_counter() - began), answer.get("next_cursor")


def _figures(milliseconds: list[float]) -> str:
    if len(milliseconds) < 2:
        return "–"
    return f"p50 {statistics.median(milliseconds):5.1f} p95 {statistics.quantiles(milliseconds, n=20)[-1]:5.1f} ms"


def main() -> None:
    """Fill, serve, measure."""
    with temporary_folder() as folder, temporary_postgres(durable=True) as postgres:
        first = a_policy()
        policies = {
            POLICY_FOLDER / slug: first.model_copy(
                update={"agency": first.agency.model_copy(update={"slug": slug, "reference_prefix": prefix})}
            )
            for slug, prefix in AGENCIES.items()
        }
        url = postgres.server.url()
        migrate(url, policies, {WORKER_ROLE: "bench", API_ROLE: "bench"}, now=datetime.now(UTC))
        asyncio.run(fill(postgres))
        with psycopg.connect(libpq_url(url)) as connection:
            connection.execute(
                "INSERT INTO staff (agency, name, display_name, roles)"
                " VALUES ('riverbend', 'ann', 'Ann', '{caseworker}')"
            )
        _serve_and_measure(folder, postgres)


def _serve_and_measure(folder: Path, postgres: TemporaryPostgres) -> None:
    key_file = folder / "master.key"
    key_file.write_text(secrets.token_hex(32))
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PUTRIGHT_")} | {
        "PUTRIGHT_HOME": str(folder),
        "PUTRIGHT_PORT": str(port),
        "PUTRIGHT_DATABASE_URL": postgres.server.url(),
        "PUTRIGHT_WORKER_DATABASE_URL": postgres.server.url(role=WORKER_ROLE),
        "PUTRIGHT_API_DATABASE_URL": postgres.server.url(role=API_ROLE),
        "PUTRIGHT_TEMPORAL_ADDRESS": f"127.0.0.1:{free_port()}",
        "PUTRIGHT_MASTER_KEY_FILE": str(key_file),
    }
    token = create_token(
        Settings.load(["database_url"], environment=environment),
        agency="riverbend", name="ann", role="caseworker", label="bench", days=1, now=datetime.now(UTC),
    )  # fmt: skip
    api = subprocess.Popen([sys.executable, "-m", "run.cli", "api"], cwd=PROJECT_FOLDER, env=environment)
    try:
        _wait(f"http://127.0.0.1:{port}/healthz")
        asyncio.run(measure(port, token))
    finally:
        api.terminate()
        api.wait(30)


def _wait(url: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(url, timeout=2)  # noqa: S310 - our own address
        except OSError:
            time.sleep(0.2)
        else:
            return
    sys.exit("the API did not answer")


if __name__ == "__main__":
    main()
