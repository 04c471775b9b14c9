# SPDX-License-Identifier: Apache-2.0
"""A real Temporal server from its wheel: the developers' server of Temporal's own command-line tool, on one file.

Its store conducts; the record is PostgreSQL's. Even so nothing acknowledged may be lost, so the file is written in
full sync. It has no sign-in, so server and pages listen on loopback only.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from run.embedded import processes
from run.embedded.processes import CannotStart, Child, Program

LOOPBACK = "127.0.0.1"
# Closed workflows stay visible this long in Temporal's pages. The record keeps everything; this is for looking.
RETENTION = "168h"
# Taking in complaints does not need Temporal, so on a busy machine it goes first.
NICENESS = 5
SEARCH_ATTRIBUTES = {"Agency": "Keyword", "Stage": "Keyword", "State": "Keyword"}
# A person's own settings files of the tool must not redirect it.
NO_SETTINGS = ("--disable-config-file", "--env-file", os.devnull)
# Both are needed for tests that let years pass: the first allows it, the second makes each leap take 50 ms, not 1 s.
TIME_SKIPPING = {
    "frontend.WorkflowTimeSkippingEnabled": "true",
    "history.timerProcessorMaxTimeShift": '"1ms"',
}


@dataclass(frozen=True, slots=True)
class EmbeddedTemporal:
    """One server, with a folder of its own. Its store is a file there, or with `on_file=False` ends with the server.

    Without a page port there are no pages.
    """

    port: int
    namespace: str
    folder: Path
    on_file: bool = True
    ui_port: int | None = None
    dynamic_settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Where clients find it."""
        return f"{LOOPBACK}:{self.port}"

    def program(self) -> Program:
        """Return how to run the server. Raises CannotStart when its wheel is not installed."""
        command = [temporal_tool(), "server", "start-dev", *NO_SETTINGS, "--ip", LOOPBACK, "--port", str(self.port)]
        command += ["--namespace", self.namespace, "--log-level", "warn"]
        if self.ui_port is None:
            command.append("--headless")
        else:
            command += ["--ui-ip", LOOPBACK, "--ui-port", str(self.ui_port), "--ui-disable-news-fetch"]
        if self.on_file:
            command += ["--db-filename", str(self.folder / "temporal.db")]
            command += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=full"]
        for name, kind in SEARCH_ATTRIBUTES.items():
            command += ["--search-attribute", f"{name}={kind}"]
        for name, value in self.dynamic_settings.items():
            command += ["--dynamic-config-value", f"{name}={value}"]
        # It writes a note of its version into its user's home.
        environment = {**tool_environment(), "HOME": str(self.folder), "TEMPORAL_VERSION_CHECK_DISABLED": "1"}
        return Program(name="Temporal", command=command, environment=environment, niceness=NICENESS)

    def is_ready(self) -> bool:
        """Whether the server answers and knows the namespace."""
        return ask(self.address, "operator", "namespace", "describe", "--namespace", self.namespace).returncode == 0

    def keep_closed_workflows(self) -> None:
        """Set how long closed workflows are kept, at every start, for an old store may hold an old value."""
        answer = ask(
            self.address, "operator", "namespace", "update", "--namespace", self.namespace, "--retention", RETENTION
        )
        if answer.returncode:
            sentence = f"Temporal's retention could not be set: {answer.stderr.strip()}"
            raise CannotStart(sentence)


def temporal_tool() -> str:
    """Return the path of Temporal's tool as its wheel installed it. Raises CannotStart when it is missing."""
    beside = Path(sys.executable).with_name("temporal")
    found = str(beside) if beside.is_file() else shutil.which("temporal")
    if found is None:
        sentence = "Temporal is not installed with this Python; run `make run`, which installs it."
        raise CannotStart(sentence)
    return found


def tool_environment() -> dict[str, str]:
    """Return the tool's environment: ours, without what a person may have set for a Temporal of their own."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("TEMPORAL_", "XDG_"))}


def ask(address: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run one command of Temporal's tool against the server at `address`, and return its answer."""
    command = [temporal_tool(), *words, *NO_SETTINGS, "--address", address, "--command-timeout", "5s"]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=tool_environment()
    )


def wait_until_ready(server: EmbeddedTemporal, child: Child, *, within_seconds: float) -> None:
    """Wait for a server that was just started. Raises CannotStart with its last words when it ends or stays silent."""
    give_up_at = time.monotonic() + within_seconds
    while not (is_listening(server.port) and server.is_ready()):
        if child.ended() is not None or time.monotonic() > give_up_at:
            sentence = f"Temporal did not come up. Its last words:\n{child.last_words()}"
            raise CannotStart(sentence)
        time.sleep(processes.LOOK_EVERY_SECONDS)


def is_listening(port: int, host: str = LOOPBACK) -> bool:
    """Whether anything takes connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def free_port() -> int:
    """Return a loopback port that nothing used a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
