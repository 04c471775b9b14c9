# SPDX-License-Identifier: Apache-2.0
"""The whole product for a benchmark: `putright up` in a folder of its own, with a token; and a lean HTTP client."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, LiteralString

import psutil
import psycopg

from run.embedded.temporal import free_port
from run.embedded.temporary import temporary_folder
from run.settings import PROJECT_FOLDER, Settings, libpq_url
from run.tokens import create_token

READY_WITHIN_SECONDS = 300
"""Long enough for the demonstration to be loaded."""


@dataclass(frozen=True, slots=True)
class Product:
    """Everything, running."""

    settings: Settings
    supervisor: subprocess.Popen[bytes]
    token: str

    @property
    def dsn(self) -> str:
        """Psycopg's address for the superuser."""
        return libpq_url(self.settings.database_url)

    def count(self, query: LiteralString) -> int:
        """Return one number out of the record."""
        with psycopg.connect(self.dsn) as connection:
            row = connection.execute(query).fetchone()
        return int(row[0]) if row else 0

    def text(self, query: LiteralString) -> str:
        """Return one value out of the record, as text."""
        with psycopg.connect(self.dsn) as connection:
            row = connection.execute(query).fetchone()
        return str(row[0]) if row else ""

    def memory(self) -> list[str]:
        """Return a line with the resident memory of each process."""
        processes = psutil.Process(self.supervisor.pid).children(recursive=True)
        lines = []
        for process in processes:
            with contextlib.suppress(psutil.Error):
                words = process.cmdline()
                name = next((w for w in words if w in {"worker", "api"}), Path(words[0]).name if words else "?")
                mib = process.memory_info().rss / 2**20
                if mib > 20 and "postgres:" not in " ".join(words):
                    lines.append(f"  {name:<10} {mib:6.0f} MiB")
        return lines


@contextlib.contextmanager
def running(*, demo: bool = False) -> Iterator[Product]:
    """Run `putright up` until the block ends."""
    with temporary_folder() as folder:
        ports = {"PORT": free_port(), "TEMPORAL_PORT": free_port(), "TEMPORAL_UI_PORT": free_port()}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PUTRIGHT_")}
        environment |= {"PUTRIGHT_HOME": str(folder / "home")} | {f"PUTRIGHT_{n}": str(p) for n, p in ports.items()}
        command = [sys.executable, "-m", "run.cli", "up", *(["--demo"] if demo else [])]
        supervisor = subprocess.Popen(command, cwd=PROJECT_FOLDER, env=environment, stdout=subprocess.DEVNULL)
        try:
            _wait_until_ready(f"http://127.0.0.1:{ports['PORT']}/readyz", supervisor)
            settings = Settings.load(["database_url"], environment=environment)
            token = create_token(
                settings,
                agency="riverbend",
                name="ann",
                role="caseworker",
                label="bench",
                days=1,
                now=datetime.now(UTC),
            )
            yield Product(settings, supervisor, token)
        finally:
            supervisor.send_signal(signal.SIGTERM)
            supervisor.wait(90)


def _wait_until_ready(url: str, supervisor: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < until:
        if supervisor.poll() is not None:
            sys.exit("putright up ended before it was ready")
        with contextlib.suppress(OSError):
            if urllib.request.urlopen(url, timeout=5).status == 200:  # noqa: S310 - our own address
                return
        time.sleep(0.2)
    sys.exit("putright up was not ready in time")


class Connection:
    """One kept-alive HTTP/1.1 connection: as little work as can be, for the machine is shared with the server."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._token = token

    async def open(self) -> None:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def ask(self, method: str, path: str, body: object = None, headers: str = "") -> tuple[int, Any]:
        """Send a request and return status and JSON body."""
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nAuthorization: Bearer {self._token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n{headers}\r\n"
        )
        self._writer.write(head.encode() + content)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        lines = answer.decode().lower().split("\r\n")
        length = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length:"))
        payload = await self._reader.readexactly(length)
        return int(lines[0].split()[1]), json.loads(payload)

    def close(self) -> None:
        """Hang up."""
        self._writer.close()
