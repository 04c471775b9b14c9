# SPDX-License-Identifier: Apache-2.0
"""One process that starts everything on one machine, keeps it running, and stops it in order.

PostgreSQL and Temporal first (unless they are external ones), then what must be done once (migrations, a
demonstration), then worker and API. A child that ends is started again, later each time. The children die with this
process however it dies; those that ever outlive it are ended by the next start on the same data folder.
"""

import contextlib
import fcntl
import http.client
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from run.embedded import postgres, temporal
from run.embedded.processes import (
    CannotStart,
    Child,
    Ledger,
    Program,
    bound_log,
    kill_group,
    start,
)
from run.settings import PROJECT_FOLDER, Settings

LOOK_EVERY_SECONDS = 0.1
TELL_EVERY_SECONDS = 5.0
START_WITHIN_SECONDS = 180.0
LONGEST_PAUSE_SECONDS = 30.0
# A child that has run this long has recovered, so its next end is a first one again.
RECOVERED_AFTER_SECONDS = 60.0
# While starting, a child that ends this often will not come up by trying again.
ENDS_WHILE_STARTING = 5
WORKER_NICENESS = 10
# The API itself waits 5 s for a Temporal that says nothing.
ANSWER_WITHIN_SECONDS = 10.0
# An external Temporal may be starting too. Past this, complaints are received without it and it is waited for aside.
TEMPORAL_WITHIN_SECONDS = 20.0
LOOK_FOR_TEMPORAL_EVERY_SECONDS = 15.0


class AskedToStop(Exception):
    """A person or the system asked us to stop, with this signal."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number
        super().__init__(f"asked by {number.name}")


def putright(*words: str) -> list[str]:
    """Return the command line of the `putright` command, run by this very Python."""
    return [sys.executable, "-c", "import sys; from run.cli import main; sys.exit(main())", *words]


@dataclass(frozen=True, slots=True)
class Commands:
    """What is run besides the servers. `preparations` run once, one after the other, each with its words."""

    preparations: Sequence[tuple[str, Sequence[str]]] = field(
        default_factory=lambda: [("bringing the database up to date", putright("migrate"))]
    )
    worker: Sequence[str] = field(default_factory=lambda: putright("worker"))
    api: Sequence[str] = field(default_factory=lambda: putright("api"))


@dataclass(slots=True)
class Kept:
    """A program that is to run until we stop."""

    program: Program
    log_file: Path
    child: Child
    started_at: float
    end_count: int = 0
    start_again_at: float | None = None


def supervise(
    settings: Settings,
    *,
    say: Callable[[str], None],
    accounts: Callable[[], Sequence[str]] = tuple,
    commands: Commands | None = None,
) -> None:
    """Start everything, say when it is ready, and keep it running until SIGINT, SIGTERM or SIGHUP.

    Without an external Temporal that answers it goes on, and says what does and what does not work until then.

    `accounts` gives the lines about demonstration accounts for the ready message. Call it from the main thread.
    Raises CannotStart (also NoAccount, SettingsFaults) with a sentence when something cannot be started; nothing is
    left running then.
    """
    with _only_one(settings.home, settings.public_url):
        Supervisor(settings, say, commands or Commands()).run(accounts)


class Supervisor:
    """The state of one supervised run."""

    def __init__(self, settings: Settings, say: Callable[[str], None], commands: Commands) -> None:
        self._settings = settings
        self._say = say
        self._commands = commands
        self._kept: list[Kept] = []
        self._asked_to_stop: signal.Signals | None = None
        self._ready = False
        self._is_asking = False
        self._temporal_answers = True
        self._look_for_temporal_at = 0.0
        self._ledger = Ledger(settings.home / "processes.json")
        self._environment = {**os.environ, "PUTRIGHT_HOME": str(settings.home)}

    def run(self, accounts: Callable[[], Sequence[str]]) -> None:
        """Start, tell, keep, stop."""
        began_at = time.monotonic()
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, self._ask_to_stop)
        try:
            self._start_everything()
            self._say(self._ready_line(time.monotonic() - began_at, accounts()))
            self._ready = True
            while True:
                self._look()
                self._look_for_temporal()
                self._pause()
        except AskedToStop as asked:
            self._say(f"Stopping, as {_words_for(asked.number)} asks …")
        finally:
            self._stop_everything()
        self._say("Stopped. Everything is kept in " + str(self._settings.home) + ".")

    def _ask_to_stop(self, number: int, _frame: FrameType | None) -> None:
        self._asked_to_stop = signal.Signals(number)
        if self._is_asking:
            raise AskedToStop(self._asked_to_stop)

    def _pause(self) -> None:
        """Wait a moment. Raises AskedToStop as soon as somebody asked."""
        if self._asked_to_stop is not None:
            raise AskedToStop(self._asked_to_stop)
        time.sleep(LOOK_EVERY_SECONDS)

    # Starting

    def _start_everything(self) -> None:
        for name in self._ledger.end_orphans():
            self._say(f"Ended a {name} that an earlier start had left running.")
        self._refuse_used_ports()
        # Temporal comes up by itself while PostgreSQL's folder is being made.
        conductor = self._start_temporal() if self._settings.has_embedded_temporal else None
        self._start_postgres() if self._settings.has_embedded_database else self._need_master_key()
        if conductor:
            self._wait_for("Temporal", conductor.is_ready)
            conductor.keep_closed_workflows()
        for words, command in self._commands.preparations:
            self._prepare(words, command)
        # On a busy machine, taking in complaints goes before everything that can wait.
        self._keep(
            self._child_program("worker", self._commands.worker, stop_within_seconds=30.0, niceness=WORKER_NICENESS)
        )
        self._keep(self._child_program("API", self._commands.api, stop_within_seconds=20.0))
        self._wait_for("API", lambda: self._readiness() is not None)
        if conductor is None:
            self._wait_for_external_temporal()

    def _start_temporal(self) -> temporal.EmbeddedTemporal:
        folder = self._settings.home / "temporal"
        folder.mkdir(mode=0o700, exist_ok=True)
        server = temporal.EmbeddedTemporal(
            port=self._settings.temporal_port,
            namespace=self._settings.temporal_namespace,
            ui_port=self._settings.temporal_ui_port,
            folder=folder,
        )
        self._say("Temporal is starting …")
        self._keep(server.program())
        return server

    def _start_postgres(self) -> None:
        place = postgres.place_for(self._settings)
        server = postgres.EmbeddedPostgres(place)
        if place.data.exists():
            self._need_master_key()
            self._say("PostgreSQL is starting …")
        else:
            self._settings.make_master_key()
            under = f" under the account {place.account.name}" if place.account else ""
            self._say(f"PostgreSQL is starting for the first time, in {place.folder}{under} …")
        server.prepare()
        self._keep(server.program())
        self._wait_for("PostgreSQL", server.is_ready)
        server.make_database()

    def _need_master_key(self) -> None:
        """Check that the key is there; a new one would make what the old one locked unreadable for ever."""
        if not self._settings.master_key_file.is_file():
            sentence = (
                f"The master key {self._settings.master_key_file} is missing, and there are data that it protects. "
                "Put it back from your backup, or name its file in PUTRIGHT_MASTER_KEY_FILE. For a new database, make "
                "one: `openssl rand -hex 32` gives a line to put there."
            )
            raise CannotStart(sentence)

    def _prepare(self, words: str, command: Sequence[str]) -> None:
        self._say(f"{words[:1].upper()}{words[1:]} …")
        child = start(self._child_program("preparation", command, stop_within_seconds=20.0), self._log("preparation"))
        told = child.log_file.stat().st_size
        try:
            while (code := child.ended()) is None:
                self._look()
                told = self._tell_news(child.log_file, told)
                self._pause()
            told = self._tell_news(child.log_file, told)
        finally:
            child.stop()
        if code:
            sentence = f"{words[:1].upper()}{words[1:]} failed (exit code {code})."
            raise CannotStart(sentence)

    def _tell_news(self, log_file: Path, told: int) -> int:
        """Say the whole lines that came into a log since it was `told` bytes long, and return how far that is."""
        with log_file.open("rb") as log:
            log.seek(told)
            whole = log.read().rpartition(b"\n")[0]
        for line in whole.splitlines():
            self._say("    " + line.decode("utf-8", "replace"))
        return told + len(whole) + 1 if whole else told

    def _child_program(
        self, name: str, command: Sequence[str], *, stop_within_seconds: float, niceness: int = 0
    ) -> Program:
        return Program(
            name,
            command,
            self._environment,
            folder=PROJECT_FOLDER,
            stop_within_seconds=stop_within_seconds,
            niceness=niceness,
        )

    def _log(self, name: str) -> Path:
        return self._settings.home / "log" / f"{name.lower()}.log"

    def _keep(self, program: Program) -> None:
        log_file = self._log(program.name)
        self._kept.append(Kept(program, log_file, start(program, log_file), time.monotonic()))
        self._write_ledger()

    def _write_ledger(self) -> None:
        self._ledger.write([kept.child for kept in self._kept])

    def _wait_for(self, name: str, is_ready: Callable[[], bool]) -> None:
        """Wait until something answers, visibly. Raises CannotStart when a child will not come up, or time is over."""
        began_at = told_at = time.monotonic()
        while not is_ready():
            self._look()
            self._pause()
            now = time.monotonic()
            if now - began_at > START_WITHIN_SECONDS:
                words = self._last_words(name)
                sentence = f"{name} gave no answer for {START_WITHIN_SECONDS:.0f} s.\n{words}".rstrip()
                raise CannotStart(sentence)
            if now - told_at > TELL_EVERY_SECONDS:
                self._say(f"    still waiting for {name} ({now - began_at:.0f} s)")
                told_at = now
        self._say(f"{name} is ready ({time.monotonic() - began_at:.1f} s).")

    def _last_words(self, name: str) -> str:
        return next((kept.child.last_words() for kept in self._kept if kept.program.name == name), "")

    def _readiness(self) -> dict[str, bool] | None:
        """Return what the API says can be done now, or nothing while it or the record does not answer."""
        # A server that listens on every address answers on loopback too.
        host = "127.0.0.1" if self._settings.host in {"0.0.0.0", "localhost"} else self._settings.host  # noqa: S104 - compared, not bound
        connection = http.client.HTTPConnection(host, self._settings.port, timeout=ANSWER_WITHIN_SECONDS)
        self._is_asking = True  # a signal need not wait for the answer
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            return dict(json.loads(answer.read())) if answer.status == http.HTTPStatus.OK else None
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            self._is_asking = False
            connection.close()

    def _ask_for_temporal(self) -> bool:
        return (self._readiness() or {}).get("temporal", False)

    def _wait_for_external_temporal(self) -> None:
        """Wait for it for a while, visibly, and then go on: receipts do not need it."""
        address = self._settings.temporal_address
        began_at = told_at = time.monotonic()
        while not (answers := self._ask_for_temporal()) and time.monotonic() - began_at < TEMPORAL_WITHIN_SECONDS:
            self._look()
            self._pause()
            if time.monotonic() - told_at > TELL_EVERY_SECONDS:
                told_at = time.monotonic()
                self._say(f"    still waiting for Temporal at {address} ({told_at - began_at:.0f} s)")
        self._temporal_answers = answers
        self._look_for_temporal_at = time.monotonic() + LOOK_FOR_TEMPORAL_EVERY_SECONDS

    def _look_for_temporal(self) -> None:
        """Say so when the Temporal that was missing at the start has come."""
        if self._temporal_answers or time.monotonic() < self._look_for_temporal_at:
            return
        self._look_for_temporal_at = time.monotonic() + LOOK_FOR_TEMPORAL_EVERY_SECONDS
        if self._ask_for_temporal():
            self._temporal_answers = True
            self._say(f"Temporal at {self._settings.temporal_address} answers now: Putright is ready.")

    def _ready_line(self, seconds: float, accounts: Sequence[str]) -> str:
        settings = self._settings
        conductor = f"   Temporal: {settings.temporal_ui_url}" if settings.temporal_ui_url else ""
        state = "is ready" if self._temporal_answers else "runs without Temporal"
        lines = [f"Putright {state} ({seconds:.1f} s): {settings.public_url}{conductor}   Ctrl-C stops it."]
        if not self._temporal_answers:
            lines.append(
                f"Warning: Temporal at {settings.temporal_address} does not answer: complaints are received and wait; "
                "nothing can be done with a case until it does. Is PUTRIGHT_TEMPORAL_ADDRESS right?"
            )
        if why := settings.why_nobody_can_sign_in:
            lines.append(f"Warning: people cannot sign in, only programs with a token. {why}")
        return "\n".join([*lines, *(f"    {account}" for account in accounts)])

    def _refuse_used_ports(self) -> None:
        """Raise CannotStart naming every port that somebody else holds."""
        wanted = [("PUTRIGHT_PORT", self._settings.host, self._settings.port)]
        if self._settings.has_embedded_temporal:
            wanted.append(("PUTRIGHT_TEMPORAL_PORT", temporal.LOOPBACK, self._settings.temporal_port))
            wanted.append(("PUTRIGHT_TEMPORAL_UI_PORT", temporal.LOOPBACK, self._settings.temporal_ui_port))
        faults = [
            f"Port {port} on {host} is in use by another program. Stop that program, or name another port in {name}."
            for name, host, port in wanted
            if not _can_listen(host, port)
        ]
        if faults:
            raise CannotStart("\n".join(faults))

    # Keeping

    def _look(self) -> None:
        """Start again what has ended, each time after a longer pause."""
        for kept in self._kept:
            now = time.monotonic()
            if kept.start_again_at is not None:
                if now >= kept.start_again_at:
                    self._start_again(kept)
            elif (code := kept.child.ended()) is not None:
                self._note_end(kept, code, now)
            else:
                bound_log(kept.log_file)

    def _note_end(self, kept: Kept, code: int, now: float) -> None:
        # Whatever it had started in its session goes too, so that nothing holds its port or its socket.
        kill_group(kept.child.pid)
        recovered = now - kept.started_at > RECOVERED_AFTER_SECONDS
        kept.end_count = 1 if recovered else kept.end_count + 1
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        if not self._ready and kept.end_count >= ENDS_WHILE_STARTING:
            sentence = f"{kept.program.name} {how} again and again. Its last words:\n{kept.child.last_words()}"
            raise CannotStart(sentence)
        pause_seconds = min(LONGEST_PAUSE_SECONDS, 0.5 * 2 ** (kept.end_count - 1))
        kept.start_again_at = now + pause_seconds
        self._say(f"{kept.program.name} {how}; it is started again in {pause_seconds:g} s. Its log: {kept.log_file}")

    def _start_again(self, kept: Kept) -> None:
        kept.child = start(kept.program, kept.log_file)
        kept.started_at = time.monotonic()
        kept.start_again_at = None
        self._write_ledger()

    # Stopping

    def _stop_everything(self) -> None:
        """Stop in the reverse order of starting, so that nobody loses what it stands on."""
        for kept in reversed(self._kept):
            if kept.child.ended() is None and not kept.child.stop():
                self._say(f"{kept.program.name} did not stop in {kept.program.stop_within_seconds:g} s and was killed.")
        self._ledger.write([])
        # Not empty means that a server of another start uses it; then it is theirs.
        with contextlib.suppress(OSError):
            self._settings.socket_folder.rmdir()


def _words_for(number: signal.Signals) -> str:
    """Return a signal's name with what most likely sent it."""
    return "Ctrl-C (SIGINT)" if number is signal.SIGINT else number.name


def _can_listen(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As the servers do: a port whose last connections are only cooling down is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


@contextlib.contextmanager
def _only_one(home: Path, url: str) -> Iterator[None]:
    """Hold the data folder's lock, which the kernel lets go of however we end. Raises CannotStart when it is held."""
    try:
        # Root's PostgreSQL runs under another account, which must be able to pass through.
        home.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        lock: IO[str] = (home / "putright.lock").open("a+", encoding="utf-8")
    except OSError as problem:
        sentence = f"The data folder {home} cannot be used: {problem.strerror}. Name another in PUTRIGHT_HOME."
        raise CannotStart(sentence) from problem
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            sentence = (
                f"Putright already runs on the data folder {home} ({holder}). "
                "Stop it first, or name another data folder in PUTRIGHT_HOME."
            )
            raise CannotStart(sentence) from problem
        lock.truncate(0)
        lock.write(f"process {os.getpid()}, {url}\n")
        lock.flush()
        yield
