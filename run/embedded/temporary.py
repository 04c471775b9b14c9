# SPDX-License-Identifier: Apache-2.0
"""An embedded PostgreSQL for a while: in a folder of its own, gone with its data when the block ends."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from run.embedded import postgres, processes
from run.embedded.accounts import account_named
from run.settings import Settings

START_WITHIN_SECONDS = 120.0


@dataclass(slots=True)
class TemporaryPostgres:
    """A running PostgreSQL with an empty database `putright`."""

    server: postgres.EmbeddedPostgres
    log_file: Path
    child: processes.Child

    def kill(self) -> None:
        """End the server as kill -9 does."""
        self.child.process.kill()
        self.child.process.wait()

    def start_again(self) -> None:
        """Start the server on the data it had."""
        self.server.prepare()
        self.child = processes.start(self.server.program(), self.log_file)
        postgres.wait_until_ready(self.server, self.child, within_seconds=START_WITHIN_SECONDS)


@contextlib.contextmanager
def temporary_postgres(*, durable: bool) -> Iterator[TemporaryPostgres]:
    """Run PostgreSQL in a new folder until the block ends; `durable=False` switches fsync off."""
    with temporary_folder() as folder:
        account = account_named(Settings().account) if os.geteuid() == 0 else None
        programs = postgres.programs_for(account, Settings().shared_folder)
        place = postgres.PostgresPlace(folder / "postgres", folder / "socket", programs, account)
        postgres.own(place.folder, account)
        postgres.own(place.socket_folder, account)
        server = postgres.EmbeddedPostgres(place, durable=durable)
        server.prepare()
        log_file = folder / "log" / "postgres.log"
        running = TemporaryPostgres(server, log_file, processes.start(server.program(), log_file))
        try:
            postgres.wait_until_ready(server, running.child, within_seconds=START_WITHIN_SECONDS)
            server.make_database()
            yield running
        finally:
            running.child.stop()


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give a folder with a short path that PostgreSQL's account can pass through, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="putright-", dir="/tmp"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
