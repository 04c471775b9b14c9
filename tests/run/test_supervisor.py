# SPDX-License-Identifier: Apache-2.0
"""One command starts everything and stops everything, and nothing it leaves behind stands in the way of the next."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue

import psutil
import pytest

from run.embedded.accounts import Account, account_named, can_pass, can_read
from run.embedded.temporal import free_port, is_listening
from run.embedded.temporary import temporary_folder
from run.settings import PROJECT_FOLDER, Settings
from tests.servers import PostgresServer

WAIT_SECONDS = 150.0
IS_ROOT = os.geteuid() == 0


class Supervised:
    """A supervised run in a process of its own, and what it has said."""

    def __init__(
        self, home: Path, *, account: Account | None = None, python: str = sys.executable, **environment: str
    ) -> None:
        self.home = home
        self.port = int(environment.get("PUTRIGHT_PORT", free_port()))
        self.temporal_port = free_port()
        self.said: list[str] = []
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        told = {
            "PUTRIGHT_HOME": str(home),
            "PUTRIGHT_PORT": str(self.port),
            "PUTRIGHT_TEMPORAL_PORT": str(self.temporal_port),
            "PUTRIGHT_TEMPORAL_UI_PORT": str(free_port()),
            **environment,
        }
        own = {name: value for name, value in os.environ.items() if not name.startswith("PUTRIGHT_")}
        self.process = subprocess.Popen(
            [python, "-m", "tests.run.stand_ins"],
            cwd=PROJECT_FOLDER,
            env={**own, **told},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            user=account.user_id if account else None,
            group=account.group_id if account else None,
            extra_groups=[] if account else None,
        )
        STARTED.append(self)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self.process.stdout.close()
        self._lines.put(None)

    def hear(self, pattern: str) -> str:
        """Wait for a line like this."""
        while True:
            try:
                line = self._lines.get(timeout=WAIT_SECONDS)
            except Empty:
                line = None
            if line is None:
                pytest.fail(f"{pattern!r} was never said, but:\n" + "\n".join(self.said))
            self.said.append(line)
            if re.search(pattern, line):
                return line

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, words: str) -> psutil.Process:
        """The direct child whose command line holds these words."""
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if words in " ".join(child.cmdline()))

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(WAIT_SECONDS)


STARTED: list[Supervised] = []


def python_for(account: Account) -> str:
    """This Python, or where the account cannot reach it, the system's of the same version."""
    real = Path(sys.executable).resolve()
    if can_pass(account, real.parent) and can_read(account, real):
        return sys.executable
    beside = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    if not Path(beside).exists():
        pytest.skip(f"{real} is closed to ordinary users here, and there is no {beside}")
    return beside


@pytest.fixture
def home() -> Iterator[Path]:
    with temporary_folder() as folder:
        home = folder / "var"
        yield home
        while STARTED:
            # Only after a failed test does anything still run here; its children die with it.
            STARTED.pop().end(signal.SIGKILL)
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(Settings(home=home).socket_folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_one_signal_stops_every_child_and_the_data_are_there_at_the_next_start(
    home: Path, number: signal.Signals
) -> None:
    first = Supervised(home)
    ready = first.hear("Putright is ready")
    first.hear("caseworker: casey")
    descendants = first.descendants()

    assert f"http://127.0.0.1:{first.port}" in ready
    assert "Temporal: http://127.0.0.1:" in ready
    assert first.end(number) == 0
    first.hear("Stopping, as .*" + number.name)
    assert not [process for process in descendants if process.is_running()]

    second = Supervised(home)
    second.hear("start number 2")
    second.hear("Putright is ready")
    assert second.end() == 0


def test_what_a_killed_start_leaves_does_not_stand_in_the_way_of_the_next(home: Path) -> None:
    first = Supervised(home)
    first.hear("Putright is ready")
    descendants = first.descendants()
    first.end(signal.SIGKILL)

    second = Supervised(home, PUTRIGHT_PORT=str(first.port))
    second.hear("start number 2")
    second.hear("Putright is ready")

    assert not [process for process in descendants if process.is_running()]
    assert second.end() == 0


def test_a_second_start_on_the_same_folder_is_refused_with_a_sentence(home: Path) -> None:
    first = Supervised(home)
    first.hear("is starting")

    second = Supervised(home)

    second.hear(f"already runs on the data folder {home} \\(process {first.process.pid}")
    assert second.process.wait(WAIT_SECONDS) == 1
    assert first.end() == 0


def test_a_port_that_somebody_holds_is_named(home: Path) -> None:
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        port = somebody.getsockname()[1]

        run = Supervised(home, PUTRIGHT_PORT=str(port))

        run.hear(f"Port {port} on 127.0.0.1 is in use by another program.*PUTRIGHT_PORT")
        assert run.process.wait(WAIT_SECONDS) == 1


def test_a_child_that_is_killed_is_started_again_and_it_is_said(home: Path) -> None:
    run = Supervised(home)
    run.hear("Putright is ready")
    killed = {words: run.child(words) for words in ("stand_ins api", "stand_ins worker", "start-dev", "/postgres")}

    for name, words in (("API", "api"), ("worker", "worker"), ("Temporal", "start-dev"), ("PostgreSQL", "/postgres")):
        run.child(words).kill()
        run.hear(f"{name} was killed by signal 9; it is started again")

    # Its end is said before it is up again; the third start of this folder shows that the record came back whole.
    assert run.end() == 0
    assert not [process for process in killed.values() if process.is_running()]
    again = Supervised(home)
    again.hear("Putright is ready")
    assert again.end() == 0


def test_a_part_that_will_not_come_up_is_reported_with_its_last_words_and_all_the_rest_stops(home: Path) -> None:
    home.mkdir(mode=0o711)
    (home / "break-the-api").touch()

    run = Supervised(home)

    run.hear("API ended with exit code 3 again and again")
    run.hear("the horse has no shoes")
    assert run.process.wait(WAIT_SECONDS) == 1
    assert not is_listening(run.temporal_port)


def test_a_missing_master_key_is_never_replaced_while_there_are_data_it_protects(home: Path) -> None:
    first = Supervised(home)
    first.hear("Putright is ready")
    first.end()
    key = home / "secrets" / "master.key"
    assert key.stat().st_mode & 0o777 == 0o600

    key.unlink()
    second = Supervised(home)

    second.hear("The master key .* is missing")
    assert second.process.wait(WAIT_SECONDS) == 1
    assert not key.exists()


def test_an_external_database_means_that_none_is_started_here(home: Path, postgres_server: PostgresServer) -> None:
    database = postgres_server.new_database()
    home.mkdir(mode=0o711)
    key = home / "key"
    key.write_text("0f" * 32, "ascii")

    run = Supervised(
        home, PUTRIGHT_DATABASE_URL=postgres_server.dsn(database=database), PUTRIGHT_MASTER_KEY_FILE=str(key)
    )
    run.hear("start number 1")
    run.hear("Putright is ready")

    assert not [name for name in home.iterdir() if name.name.startswith("postgres")]
    assert not [child for child in run.descendants() if child.name() == "postgres"]
    assert run.end() == 0
    postgres_server.drop_database(database)


def test_an_external_temporal_that_is_away_is_waited_for_warned_of_and_noticed_when_it_comes(home: Path) -> None:
    port = free_port()
    run = Supervised(home, PUTRIGHT_TEMPORAL_ADDRESS=f"127.0.0.1:{port}")

    run.hear(f"still waiting for Temporal at 127.0.0.1:{port}")
    run.hear("Putright runs without Temporal")
    run.hear(f"Temporal at 127.0.0.1:{port} does not answer: complaints are received and wait")
    assert not [line for line in run.said if "Putright is ready" in line]
    with socket.socket() as temporal:
        temporal.bind(("127.0.0.1", port))
        temporal.listen()
        run.hear(f"Temporal at 127.0.0.1:{port} answers now: Putright is ready")
    assert run.end() == 0


def test_it_is_said_that_people_cannot_sign_in_where_others_can_reach_the_address(home: Path) -> None:
    run = Supervised(home, PUTRIGHT_HOST="0.0.0.0")

    run.hear("people cannot sign in.*PUTRIGHT_HOST is 0.0.0.0.*PUTRIGHT_OIDC_ISSUER")
    assert run.end() == 0


@pytest.mark.skipif(not IS_ROOT, reason="only root must run PostgreSQL under another account")
def test_root_may_keep_its_folder_closed_for_then_the_data_lie_in_a_place_made_for_them(home: Path) -> None:
    home.mkdir(mode=0o700)
    shared = home.parent / "shared"

    run = Supervised(home, PUTRIGHT_SHARED_FOLDER=str(shared))
    run.hear("Putright is ready")

    place = Path((home / "postgres.place").read_text("utf-8").strip())
    assert place.parent == shared
    assert place.stat().st_mode & 0o777 == 0o700
    assert home.stat().st_mode & 0o777 == 0o700
    assert run.end() == 0

    again = Supervised(home, PUTRIGHT_SHARED_FOLDER=str(shared))
    again.hear("start number 2")
    assert again.end() == 0


@pytest.mark.skipif(not IS_ROOT, reason="every other test here runs as an ordinary user already")
def test_an_ordinary_user_needs_no_other_account(home: Path) -> None:
    account = account_named(Settings().account)
    home.mkdir(mode=0o700)
    os.chown(home, account.user_id, account.group_id)
    packages = sysconfig.get_path("purelib")
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    run = Supervised(home, account=account, python=python_for(account), PYTHONPATH=packages, PATH=programs)
    run.hear("Putright is ready")

    assert {child.uids().effective for child in run.descendants()} == {account.user_id}
    assert run.end() == 0
