# SPDX-License-Identifier: Apache-2.0
"""A command that cannot do its work says in a sentence what is missing, and with which exit code."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from activities.interface import RootCauseOutcome, RootCauseRun
from run import analyzing
from run.analyzing import CannotAnalyze, analyze
from run.embedded.temporal import free_port
from run.settings import PROJECT_FOLDER, Settings
from run.worker import run_worker
from tests.databases import Database


def putright(home: Path, *words: str, **told: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("PUTRIGHT_")}
    environment = {**own, "PUTRIGHT_HOME": str(home), "PUTRIGHT_TEMPORAL_PORT": str(free_port()), **told}
    command = [sys.executable, "-m", "run.cli", *words]
    return subprocess.run(command, cwd=PROJECT_FOLDER, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "words",
    [
        ("verify",),
        ("rebuild", "--workflows"),
        ("analyze",),
        ("demo", "load"),
        ("demo", "accounts"),
        ("token", "create", "ann", "--role", "caseworker", "--label", "scan station"),
        ("import", "README.md", "--map", "cfpb"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_command_that_needs_the_servers_says_that_nothing_runs_and_how_to_start_it(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = putright(tmp_path, *words)

    assert done.returncode == 3
    assert done.stderr.startswith(f"Nothing runs on the data folder {tmp_path}: start it with `putright up`")
    assert len(done.stderr.splitlines()) == 1, "no warning of anybody else's stands before or after it"


def test_a_policy_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = putright(tmp_path, "policy", "check", str(tmp_path / "nowhere"))

    assert (done.returncode, done.stderr) == (2, f"There is no policy folder {tmp_path / 'nowhere'}.\n")


def test_loading_what_writes_the_reference_warns_of_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import run.reference"], cwd=PROJECT_FOLDER, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


async def test_a_day_that_has_not_come_and_an_agency_that_is_none_are_not_analyzed(
    database: Database, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path, worker_database_url=database.worker_url, temporal_address="127.0.0.1:1")

    with pytest.raises(CannotAnalyze, match="2999-01-01 has not come yet"):
        await analyze(settings, agency="riverbend", as_of=date(2999, 1, 1))
    with pytest.raises(CannotAnalyze, match="There is no agency nowhere"):
        await analyze(settings, agency="nowhere", as_of=None)


async def test_what_takes_long_is_announced_before_it_begins(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path, worker_database_url=database.worker_url, master_key_file=tmp_path / "master.key")
    settings.make_master_key()
    told: list[str] = []

    async def no_client(*_: object) -> None:
        pass

    async def looks(_client: object, run: RootCauseRun, _queue: str) -> RootCauseOutcome:
        told.append("looks")
        return RootCauseOutcome(
            agency=run.agency,
            as_of=date(2026, 3, 2),
            inputs_hash="0" * 64,
            cells=9,
            raised=(),
            seen_again=(),
            sentences=(),
        )

    monkeypatch.setattr(analyzing, "temporal_client", no_client)
    monkeypatch.setattr(analyzing, "look", looks)

    lines = await analyze(settings, agency="riverbend", as_of=None, say=told.append)

    assert told[0].startswith("A worker looks at every failure and place of riverbend")
    assert told[1:] == ["looks"]
    assert lines[0].startswith(
        "riverbend, as of March 2, 2026: the weeks up to that of February 23, 2026 to March 1, 2026"
    )


async def test_a_worker_that_still_waits_for_temporal_stops_when_asked(database: Database, tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path,
        worker_database_url=database.worker_url,
        temporal_address=f"127.0.0.1:{free_port()}",
        master_key_file=tmp_path / "master.key",
    )
    settings.make_master_key()
    stop = asyncio.Event()
    working = asyncio.create_task(run_worker(settings, stop))
    await asyncio.sleep(0.2)
    assert not working.done()

    stop.set()

    async with asyncio.timeout(60):
        await working
