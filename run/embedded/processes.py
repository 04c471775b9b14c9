# SPDX-License-Identifier: Apache-2.0
"""Programs as children that die with us, are stopped in their own way, and are found again if they ever outlive us."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from run.embedded.accounts import Account

LAUNCHER = Path(__file__).with_name("launch.py")
LOOK_EVERY_SECONDS = 0.05
LOG_LIMIT_BYTES = 20_000_000


class CannotStart(Exception):
    """Why something could not be started, in a sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run and how to end it: the signals in turn, each with the seconds to wait before the next."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    account: Account | None = None
    folder: Path = Path("/")
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within_seconds: float = 15.0
    niceness: int = 0
    """How readily it lets others have the processor (0 to 19)."""


@dataclass(slots=True)
class Child:
    """A program that runs, or has run."""

    program: Program
    process: subprocess.Popen[bytes]
    log_file: Path
    started: str | None = field(default=None)

    @property
    def pid(self) -> int:
        """The number the kernel knows it by."""
        return self.process.pid

    def ended(self) -> int | None:
        """Return the exit code if it has ended (negative: the signal that killed it), else nothing."""
        return self.process.poll()

    def stop(self) -> bool:
        """End it in its own way, by force if it does not listen. Returns whether it ended of itself."""
        if self.ended() is None:
            self.process.send_signal(self.program.stop_signal)
        try:
            self.process.wait(self.program.stop_within_seconds)
        except subprocess.TimeoutExpired:
            kill_group(self.pid)
            self.process.wait()
            return False
        return True

    def last_words(self, line_count: int = 8) -> str:
        """Return the last lines of its log, for the sentence that reports its end."""
        try:
            text = self.log_file.read_bytes()[-8192:].decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(f"    {line}" for line in text.splitlines()[-line_count:])


def start(program: Program, log_file: Path) -> Child:
    """Start a program whose output goes to the end of `log_file`.

    It gets a session of its own, so that Ctrl-C in a terminal reaches only us and the order of stopping is ours. Call
    it from the main thread: the death signal watches the thread that started the child. Raises CannotStart.
    """
    account = f"{program.account.user_id}:{program.account.group_id}" if program.account else "-"
    launch = [str(os.getpid()), str(int(program.stop_signal)), account, str(program.niceness), *program.command]
    log_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    bound_log(log_file)
    try:
        with log_file.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(LAUNCHER), *launch],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=program.folder,
                env=dict(program.environment),
                start_new_session=True,
            )
    except OSError as problem:
        sentence = f"{program.name} could not be started: {problem.strerror}: {problem.filename}."
        raise CannotStart(sentence) from problem
    return Child(program, process, log_file, started_mark(process.pid))


def bound_log(log_file: Path) -> None:
    """Put a log that has grown too long aside, keeping one old one.

    Its writer appends through an open file, so the content is copied and the file emptied, not renamed.
    """
    if not log_file.exists() or log_file.stat().st_size <= LOG_LIMIT_BYTES:
        return
    log_file.with_suffix(".old.log").write_bytes(log_file.read_bytes())
    os.truncate(log_file, 0)


def started_mark(pid: int) -> str | None:
    """Return a mark that tells this process from a later one with the same number, or nothing when there is none."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except FileNotFoundError:
        return None if Path("/proc/self").exists() else _started_by_ps(pid)
    except ProcessLookupError:
        return None
    # The name in brackets may hold spaces and brackets; after it, field 3 is the state and field 22 the start.
    fields = status.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def _started_by_ps(pid: int) -> str | None:
    answer = subprocess.run(["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None


def kill_group(pid: int) -> None:
    """End a child and whatever it started, at once. Nothing happens when they are gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def end_stranger(pid: int, mark: str, stop_signal: int, within_seconds: float) -> None:
    """End a process that is not our child but is known by its number and mark: politely, then by force."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, stop_signal)
    if not _gone(pid, mark, within_seconds):
        kill_group(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _gone(pid, mark, within_seconds)


def _gone(pid: int, mark: str, within_seconds: float) -> bool:
    give_up_at = time.monotonic() + within_seconds
    while started_mark(pid) == mark:
        if time.monotonic() > give_up_at:
            return False
        time.sleep(LOOK_EVERY_SECONDS)
    return True


class Ledger:
    """The children of one data folder, on disk, so that a next start can end those that outlived a killed parent."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def write(self, children: Sequence[Child]) -> None:
        """Replace what is written by these children."""
        rows = [
            {
                "name": child.program.name,
                "pid": child.pid,
                "mark": child.started,
                "signal": int(child.program.stop_signal),
                "within_seconds": child.program.stop_within_seconds,
            }
            for child in children
        ]
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(rows, indent=1), "utf-8")
        new.replace(self._file)

    def end_orphans(self) -> tuple[str, ...]:
        """End every process still running that an earlier start left, last started first. Returns their names."""
        try:
            rows = json.loads(self._file.read_text("utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            # Replaced as a whole, so a broken file is not ours; the parent's death has ended its children anyhow.
            return ()
        orphans = [row for row in reversed(rows) if row["mark"] and started_mark(row["pid"]) == row["mark"]]
        for row in orphans:
            end_stranger(row["pid"], row["mark"], row["signal"], row["within_seconds"])
        return tuple(row["name"] for row in orphans)
