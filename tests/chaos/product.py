# SPDX-License-Identifier: Apache-2.0
"""The whole product for chaos: its servers and processes, each of which can be killed and is started again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, LiteralString

import httpx
import psycopg
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from run.embedded.temporal import free_port
from run.embedded.temporary import temporary_folder
from run.settings import API_ROLE, PROJECT_FOLDER, WORKER_ROLE, Settings
from run.tokens import create_token
from tests.servers import PostgresServer, TemporalServer, embedded_postgres, temporal_dev_server

STAFF = (
    ("ann", "Ann Alvarez", ["caseworker"]),
    ("sue", "Sue Supervisor", ["supervisor"]),
)
READY_WITHIN_SECONDS = 60


class Postbox:
    """Takes every mail and remembers its Message-ID."""

    def __init__(self) -> None:
        self.message_ids: list[str] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Take a mail."""
        head = (envelope.content or b"").partition(b"\r\n\r\n")[0] if isinstance(envelope.content, bytes) else b""
        names = [line for line in head.split(b"\r\n") if line.lower().startswith(b"message-id:")]
        self.message_ids.append(names[0].partition(b":")[2].strip().decode())
        return "250 taken"


@dataclass(slots=True)
class Product:
    """Everything that runs."""

    postgres: PostgresServer
    temporal: TemporalServer
    postbox: Postbox
    environment: dict[str, str]
    folder: Path
    port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    kills: list[str] = field(default_factory=list)
    starting: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, name: str) -> None:
        """Start worker or API."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "run.cli", name],
                cwd=PROJECT_FOLDER, env=self.environment, stdout=log, stderr=log,
            )  # fmt: skip

    def kill(self, name: str) -> None:
        """Kill -9 one part, and start it again."""
        self.kills.append(name)
        if name == "postgres":
            self.postgres.kill()
            self.postgres.start_again()
        elif name == "temporal":
            self.temporal.kill()
            self.temporal.start_again()
        else:
            self.processes[name].kill()
            self.processes[name].wait()
            self.start_if_ended(name)

    def start_if_ended(self, name: str) -> None:
        """Start worker or API again unless somebody else has; killing and keeping run in threads of their own."""
        with self.starting:
            if self.processes[name].poll() is not None:
                self.start(name)

    async def keep_running(self, over: asyncio.Event) -> None:
        """Start again what has ended by itself, as the supervisor does."""
        while not over.is_set():
            for name in list(self.processes):
                self.start_if_ended(name)
            await asyncio.sleep(0.5)

    def lose_temporals_store(self) -> None:
        """Kill Temporal, delete all it knew, and start it again."""
        self.kills.append("temporal's store")
        self.temporal.kill()
        for path in self.temporal.server.folder.glob("temporal.db*"):
            path.unlink()
        self.temporal.start_again()

    def wait_until_ready(self) -> None:
        """Wait until the API answers."""
        until = time.monotonic() + READY_WITHIN_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == httpx.codes.OK:
                    return
            time.sleep(0.2)
        raise TimeoutError((self.folder / "api.log").read_text()[-4000:])

    def rows(self, query: LiteralString, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the record, as the superuser."""
        with psycopg.connect(self.postgres.dsn()) as connection:
            return connection.execute(query, parameters).fetchall()

    def stop(self) -> None:
        """Stop worker and API."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def running_product() -> Iterator[Product]:
    """Run PostgreSQL (fsync on), Temporal (on file), a mail server, a worker and the API until the block ends."""
    with (
        temporary_folder() as folder,
        embedded_postgres() as postgres,
        temporal_dev_server(on_file=True) as temporal,
        _postbox() as (postbox, smtp_url),
    ):
        port = free_port()
        key_file = folder / "master.key"
        key_file.write_text(secrets.token_hex(32))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PUTRIGHT_")} | {
            "PUTRIGHT_HOME": str(folder),
            "PUTRIGHT_PORT": str(port),
            "PUTRIGHT_DATABASE_URL": postgres.url(),
            "PUTRIGHT_WORKER_DATABASE_URL": postgres.url(role=WORKER_ROLE),
            "PUTRIGHT_API_DATABASE_URL": postgres.url(role=API_ROLE),
            "PUTRIGHT_TEMPORAL_ADDRESS": temporal.address,
            "PUTRIGHT_TEMPORAL_NAMESPACE": temporal.namespace,
            "PUTRIGHT_MASTER_KEY_FILE": str(key_file),
            "PUTRIGHT_SMTP_URL": smtp_url,
            "PUTRIGHT_RATE_LIMIT_PER_ADDRESS": "100000/minute",
            "PUTRIGHT_RATE_LIMIT_IN_TOTAL": "100000/minute",
        }
        subprocess.run(
            [sys.executable, "-m", "run.cli", "migrate"], cwd=PROJECT_FOLDER, env=environment, check=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        product = Product(postgres, temporal, postbox, environment, folder, port)
        _give_accounts(product)
        for name in ("worker", "api"):
            product.start(name)
        try:
            product.wait_until_ready()
            yield product
        finally:
            product.stop()


@contextlib.contextmanager
def _postbox() -> Iterator[tuple[Postbox, str]]:
    postbox = Postbox()
    controller = Controller(postbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield postbox, f"smtp://127.0.0.1:{controller.port}"
    finally:
        controller.stop()


def _give_accounts(product: Product) -> None:
    with psycopg.connect(product.postgres.dsn()) as connection:
        for name, display_name, roles in STAFF:
            connection.execute(
                "INSERT INTO staff (agency, name, display_name, email, roles) VALUES ('riverbend', %s, %s, %s, %s)",
                (name, display_name, f"{name}@example.gov", roles),
            )
    settings = Settings.load(["database_url"], environment=product.environment)
    for name, _, roles in STAFF:
        product.tokens[name] = create_token(
            settings, agency="riverbend", name=name, role=roles[0], label="chaos", days=1, now=datetime.now(UTC)
        )
