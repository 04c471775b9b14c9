# SPDX-License-Identifier: Apache-2.0
"""The servers that come with the product are the ones we say, keep what they are given, and listen to nobody else."""

import os
import subprocess
import time
from pathlib import Path

import psycopg
import pytest
from temporalio.client import Client

from run.embedded import postgres, temporal
from run.embedded.accounts import Account
from run.embedded.processes import CannotStart, Program, start
from run.embedded.temporary import temporary_folder
from tests.servers import PostgresServer, TemporalServer, embedded_postgres, temporal_dev_server


def test_the_record_is_kept_by_postgresql_18_with_nothing_left_to_chance(postgres_server: PostgresServer) -> None:
    with psycopg.connect(postgres_server.dsn()) as connection:
        settings: dict[str, str] = dict(connection.execute("SELECT name, setting FROM pg_settings").fetchall())

    assert settings["server_version_num"].startswith("18")
    assert {settings[name] for name in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums")} == {"on"}
    assert (settings["jit"], settings["listen_addresses"], settings["max_connections"]) == ("off", "", "200")
    assert (settings["TimeZone"], settings["server_encoding"]) == ("UTC", "UTF8")


def test_nobody_else_can_enter_the_data_or_the_socket(postgres_server: PostgresServer) -> None:
    place = postgres_server.server.place

    for folder in (place.folder, place.data, place.socket_folder):
        assert folder.stat().st_mode & 0o077 == 0
        assert folder.stat().st_uid == (place.account.user_id if place.account else os.geteuid())


def test_postgresql_never_runs_as_root(postgres_server: PostgresServer) -> None:
    owner = Path(f"/proc/{postgres_server.child.pid}").stat().st_uid

    assert owner != 0


def test_what_was_committed_is_there_after_the_server_was_killed() -> None:
    with embedded_postgres() as server:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS number")

        server.kill()
        server.start_again()

        with psycopg.connect(server.dsn()) as connection:
            assert connection.execute("SELECT number FROM kept").fetchall() == [(7,)]


def test_a_server_left_over_by_a_killed_start_is_ended_before_the_next(postgres_server: PostgresServer) -> None:
    left_over = postgres_server.child

    postgres_server.start_again()

    assert left_over.ended() is not None
    assert postgres_server.server.is_ready()


def test_a_database_made_from_a_template_holds_what_the_template_holds(postgres_server: PostgresServer) -> None:
    template = postgres_server.new_database()
    with psycopg.connect(postgres_server.dsn(database=template), autocommit=True) as connection:
        connection.execute("CREATE TABLE held (number int)")

    copy = postgres_server.new_database(template=template)

    with psycopg.connect(postgres_server.dsn(database=copy)) as connection:
        assert connection.execute("SELECT count(*) FROM held").fetchall() == [(0,)]
    for name in (copy, template):
        postgres_server.drop_database(name)


async def test_temporal_has_the_namespace_the_search_attributes_and_loopback_only(
    temporal_server: TemporalServer,
) -> None:
    client = await Client.connect(temporal_server.address, namespace=temporal_server.namespace)

    # An attribute that the server does not know would make the query an error.
    found = await client.count_workflows("Agency = 'x' AND Stage = 'Intake' AND State = 'received'")
    assert found.count == 0
    assert not temporal.is_listening(temporal_server.server.port, host="127.0.0.2")


async def test_temporal_on_a_file_remembers_its_workflows_and_its_retention_after_a_kill() -> None:
    with temporal_dev_server(on_file=True) as server:
        server.server.keep_closed_workflows()
        client = await Client.connect(server.address, namespace=server.namespace)
        await client.start_workflow("Kept", id="kept", task_queue="nobody")

        server.kill()
        server.start_again()

        again = await Client.connect(server.address, namespace=server.namespace)
        described = await again.get_workflow_handle("kept").describe()
        assert described.workflow_type == "Kept"
        assert "168h" in temporal.ask(server.address, "operator", "namespace", "describe", "-n", "putright").stdout


def test_a_copy_of_the_programs_works_as_well_where_the_account_cannot_reach_the_installed_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = Account("somebody", os.geteuid(), os.getegid())
    monkeypatch.setattr(postgres, "can_read", lambda _account, _path: False)

    with temporary_folder() as shared:
        programs = [postgres.programs_for(account, shared) for _ in range(2)]

        assert programs[0] == programs[1]
        assert programs[0].is_relative_to(shared)
        for name in ("initdb", "postgres"):
            answer = subprocess.run([programs[0] / name, "--version"], capture_output=True, text=True, check=True)
            assert "(PostgreSQL) 18." in answer.stdout
        assert [folder.name for folder in shared.iterdir()] == [programs[0].relative_to(shared).parts[0]]


def test_a_place_that_nobody_may_pass_through_is_refused_with_advice() -> None:
    nobody = Account("nobody", 65534, 65534)
    with temporary_folder() as folder:
        folder.chmod(0o700)

        with pytest.raises(CannotStart, match="PUTRIGHT_SHARED_FOLDER"):
            postgres.open_shared_folder(folder / "shared", nobody)


def test_a_folder_of_somebody_else_is_never_taken_over() -> None:
    somebody_else = Account("somebody else", os.geteuid() + 1, os.getegid())
    with temporary_folder() as folder:
        taken = folder / "postgres"
        taken.mkdir()

        with pytest.raises(CannotStart, match="belongs to another account"):
            postgres.own(taken, somebody_else)


def test_a_program_that_can_wait_yields_the_processor_also_to_other_sessions(tmp_path: Path) -> None:
    child = start(Program("sleeper", ["/bin/sleep", "60"], {}, niceness=7), tmp_path / "sleeper.log")
    try:
        while Path(f"/proc/{child.pid}/comm").read_text("ascii").strip() != "sleep":
            time.sleep(0.01)
        assert os.getpriority(os.PRIO_PROCESS, child.pid) == 7
        group = Path(f"/proc/{child.pid}/autogroup")
        shared_among_sessions = group.read_text("ascii").strip() if group.exists() else ""
        assert not shared_among_sessions or shared_among_sessions.endswith("nice 7")
    finally:
        child.stop()
