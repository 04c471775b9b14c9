# SPDX-License-Identifier: Apache-2.0
"""The `putright` command: everything that can be started, with exit codes and errors a person can act on.

Exit codes: 0 done; 1 done and something is wrong with the data (a broken chain, rejected rows, faults in a policy);
2 used wrongly or wrongly set; 3 something needed could not be reached or started.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from run.analyst.commands import add_doors
from run.settings import Need, Settings, SettingsFaults

TELL_EVERY_SECONDS = 5.0
WRONG_DATA, WRONG_USE, OUT_OF_REACH = 1, 2, 3
_out = Console(highlight=False, soft_wrap=True, markup=False)
_err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)

app = typer.Typer(
    name="putright",
    help="Putright takes in complaints, puts each one right, and finds what must be put right behind them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
policy_app = typer.Typer(help="The agency's numbers and words.", no_args_is_help=True)
demo_app = typer.Typer(help="The demonstration agency.", no_args_is_help=True)
token_app = typer.Typer(help="Keys with which programs sign in.", no_args_is_help=True)
app.add_typer(policy_app, name="policy")
app.add_typer(demo_app, name="demo")
app.add_typer(token_app, name="token")


def main() -> int:
    """Run the command line and return its exit code; an expected failure is one sentence."""
    try:
        app()
    except SettingsFaults as faults:
        for sentence in faults.faults:
            _err.print(sentence)
        return WRONG_USE
    except Exception as problem:
        if not _says_out_of_reach(problem):
            raise
        _err.print(f"PostgreSQL cannot be reached or asks for something else: {_first_line(problem)}")
        return OUT_OF_REACH
    return 0


def _says_out_of_reach(problem: Exception) -> bool:
    """Whether a database driver says so; one that is not loaded says nothing, and loading it takes half a second."""
    drivers = (sys.modules.get(name) for name in ("psycopg", "sqlalchemy.exc"))
    return isinstance(problem, tuple(driver.OperationalError for driver in drivers if driver))


def _first_line(problem: BaseException) -> str:
    return str(getattr(problem, "orig", None) or problem).strip().partition("\n")[0]


def _settings(*needs: Need) -> Settings:
    settings = Settings.load(needs)
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    return settings


def _settings_of_what_runs(*needs: Need, temporal: bool = False) -> Settings:
    """Return the settings for work on a record that somebody else has started; refuse where nobody has."""
    from run.reach import nothing_runs  # noqa: PLC0415 - `putright --help` need not load everything

    settings = _settings(*needs)
    if sentence := nothing_runs(settings, temporal=temporal):
        raise _fail(sentence, OUT_OF_REACH)
    return settings


@contextlib.contextmanager
def _counting(words: str) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how many cases are done so far; elsewhere say it every few seconds, for a log."""
    done, told_at = 0, time.monotonic()
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=_err, transient=True) as progress:
        bar = progress.add_task(words, total=None)

        def count(more: int) -> None:
            nonlocal done, told_at
            done += more
            told = f"{words}: {done:,} so far …"
            progress.update(bar, description=told)
            if not _err.is_terminal and time.monotonic() - told_at > TELL_EVERY_SECONDS:
                told_at = time.monotonic()
                _err.print(told)

        yield count


def _fail(sentence: str, code: int) -> typer.Exit:
    _err.print(sentence)
    return typer.Exit(code)


def _until_stopped(work: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run a program that works until SIGINT or SIGTERM."""

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, stop.set)
        await work(stop)

    asyncio.run(run())


@app.command()
def up(
    demo: Annotated[bool, typer.Option("--demo", help="With the demonstration agency's complaints.")] = False,
) -> None:
    """Start everything on this machine under one process, and keep it running until Ctrl-C."""
    from run.accounts import account_lines  # noqa: PLC0415 - `putright --help` need not load everything
    from run.embedded.accounts import NoAccount  # noqa: PLC0415
    from run.embedded.processes import CannotStart  # noqa: PLC0415
    from run.supervisor import Commands, putright, supervise  # noqa: PLC0415

    settings = _settings("database_url", "worker_database_url", "api_database_url")
    people = ("--demonstration-accounts",) if settings.may_sign_anyone_in else ()
    preparations = [("bringing the database up to date", putright("migrate", *people))]
    if demo:
        preparations.append(("loading the demonstration agency", putright("demo", "load")))
    try:
        supervise(
            settings,
            say=_out.print,
            accounts=lambda: account_lines(settings) if settings.may_sign_anyone_in else (),
            commands=Commands(preparations=preparations),
        )
    except (CannotStart, NoAccount) as problem:
        raise _fail(str(problem), OUT_OF_REACH) from problem


@app.command()
def api() -> None:
    """Run the API and the pages alone; several may run at once."""
    from run.api import run_api  # noqa: PLC0415

    settings = _settings("api_database_url")
    _until_stopped(lambda stop: run_api(settings, stop))


@app.command()
def worker() -> None:
    """Run a worker alone; several may run at once."""
    from run.worker import run_worker  # noqa: PLC0415

    settings = _settings("worker_database_url")
    _until_stopped(lambda stop: run_worker(settings, stop))


@app.command()
def migrate(
    demonstration_accounts: Annotated[
        bool, typer.Option("--demonstration-accounts", help="Then also do what `demo accounts` does.")
    ] = False,
) -> None:
    """Bring schema, roles, partitions and policy up to date."""
    from run.composition import now  # noqa: PLC0415
    from run.migrate import migrate as bring_up_to_date  # noqa: PLC0415
    from run.migrate import role_passwords  # noqa: PLC0415

    settings = _settings("database_url")
    policy = _read_policy(settings.policy_folder)
    bring_up_to_date(settings.database_url, {settings.policy_folder: policy}, role_passwords(settings), now=now())
    _out.print(f"The database holds the newest schema, and the policy of {policy.agency.name} in force.")
    if demonstration_accounts:
        _make_demonstration_accounts(settings)


def _read_policy(folder: Path) -> Any:  # noqa: ANN401 - Policy, imported late to keep `--help` quick
    from models.policy import PolicyFaults  # noqa: PLC0415
    from run.policy_folder import read_policy  # noqa: PLC0415

    if not folder.is_dir():
        raise _fail(f"There is no policy folder {folder}.", WRONG_USE)
    try:
        return read_policy(folder)
    except PolicyFaults as faults:
        for fault in faults.faults:
            _err.print(f"{folder}/{fault}")
        count = len(faults.faults)
        raise _fail(f"{count} fault{'s' if count > 1 else ''} in the policy.", WRONG_DATA) from faults


@policy_app.command("check")
def policy_check(
    folder: Annotated[Path | None, typer.Argument(help="The policy's folder; default: PUTRIGHT_POLICY_FOLDER.")] = None,
) -> None:
    """Check a policy and name every fault at once, with file and line."""
    checked = folder or _settings().policy_folder
    policy = _read_policy(checked)
    _out.print(f"The policy of {policy.agency.name} in {checked} is without fault.")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV, JSON Lines or Parquet.", exists=True, dir_okay=False)],
    column_map: Annotated[str, typer.Option("--map", help="`cfpb`, `nyc311`, or the path of a column map in TOML.")],
    agency: Annotated[str, typer.Option(help="The agency's slug; needed only where there are several.")] = "",
    as_history: Annotated[
        bool, typer.Option("--as-history", help="Record closed complaints without a live workflow.")
    ] = False,
    rejects: Annotated[Path | None, typer.Option(help="Where bad rows go; default: beside the file read.")] = None,
    limit: Annotated[int | None, typer.Option(help="Read no more rows than this.", min=1)] = None,
) -> None:
    """Take in complaints from a file, each once, however often it is run."""
    from run.importing import ImportImpossible, import_file  # noqa: PLC0415

    settings = _settings_of_what_runs("worker_database_url")
    importing = import_file(
        settings, file, column_map, agency=agency, as_history=as_history, rejects=rejects, limit=limit, console=_err
    )
    try:
        outcome = asyncio.run(importing)
    except ImportImpossible as problem:
        raise _fail(str(problem), WRONG_USE) from problem
    for line in outcome.lines():
        _out.print(line)
    if outcome.rejected:
        raise typer.Exit(WRONG_DATA)


@app.command()
def exposure(
    file: Annotated[Path, typer.Argument(help="CSV with service,office,week,served.", exists=True, dir_okay=False)],
    agency: Annotated[str, typer.Option(help="The agency's slug; needed only where there are several.")] = "",
) -> None:
    """Take in how many people each service served at each office in each week; all of the file or nothing."""
    from run.exposure import BadExposure, take_in  # noqa: PLC0415

    settings = _settings_of_what_runs("worker_database_url")
    try:
        _out.print(asyncio.run(take_in(settings, file, agency=agency)))
    except BadExposure as problem:
        for fault in problem.faults:
            _err.print(fault)
        raise _fail(str(problem), WRONG_DATA if problem.faults else WRONG_USE) from problem


@demo_app.command("load")
def demo_load(
    seed: Annotated[int, typer.Option(help="The same seed and day make the same complaints.")] = 1998,
    today: Annotated[str, typer.Option(help="The last day of the story, as YYYY-MM-DD; default: today.")] = "",
) -> None:
    """Load three years of made-up complaints, three planted failures, the fixes of two, and Problem Solving Days."""
    from run.composition import now  # noqa: PLC0415
    from run.demo import Asked, NoDemonstration, load_demo  # noqa: PLC0415

    settings = _settings_of_what_runs("database_url", "worker_database_url")
    day = _day(today) if today else None
    try:
        lines = asyncio.run(load_demo(settings, Asked(seed, day), now=now(), say=_out.print))
    except NoDemonstration as problem:
        raise _fail(str(problem), WRONG_USE) from problem
    for line in lines:
        _out.print(line)


@demo_app.command("accounts")
def demo_accounts() -> None:
    """Make the demonstration accounts; refused unless everything is embedded, on this machine only."""
    _make_demonstration_accounts(_settings_of_what_runs("database_url"))


def _make_demonstration_accounts(settings: Settings) -> None:
    from run.account_writing import NotHere, seed_accounts  # noqa: PLC0415

    try:
        _out.print(seed_accounts(settings))
    except NotHere as problem:
        raise _fail(str(problem), WRONG_USE) from problem


@app.command()
def analyze(
    agency: Annotated[str, typer.Option(help="The agency's slug; default: every agency.")] = "",
    as_of: Annotated[
        str, typer.Option("--as-of", help="The last day that counts, YYYY-MM-DD; default: yesterday.")
    ] = "",
) -> None:
    """Look for recurring process failures now, or as of a past day; the same inputs give the same answer."""
    from run.analyzing import CannotAnalyze  # noqa: PLC0415
    from run.analyzing import analyze as look  # noqa: PLC0415

    settings = _settings_of_what_runs("worker_database_url", temporal=True)
    day = _day(as_of) if as_of else None
    try:
        lines = asyncio.run(look(settings, agency=agency, as_of=day, say=_err.print))
    except CannotAnalyze as problem:
        raise _fail(str(problem), WRONG_USE) from problem
    for line in lines:
        _out.print(line)


@app.command()
def verify(
    agency: Annotated[str, typer.Option(help="The agency's slug; default: every agency.")] = "",
) -> None:
    """Walk every chain and anchor, and say the first link that is broken."""
    from run.verify import verify_record  # noqa: PLC0415

    settings = _settings_of_what_runs("worker_database_url")
    with _counting("Cases verified") as count:
        holds = asyncio.run(verify_record(settings, agency=agency, say=_out.print, on_cases=count))
    if not holds:
        raise typer.Exit(WRONG_DATA)


@app.command()
def rebuild(
    agency: Annotated[str, typer.Option(help="The agency's slug; default: every agency.")] = "",
    workflows: Annotated[bool, typer.Option("--workflows", help="Also every open case's workflow.")] = False,
) -> None:
    """Make the read model again from the events, case by case, while everybody goes on working."""
    from run.rebuild import rebuild_record  # noqa: PLC0415

    settings = _settings_of_what_runs("worker_database_url", temporal=workflows)
    with _counting("Cases told again") as count:
        asyncio.run(rebuild_record(settings, agency=agency, workflows=workflows, say=_out.print, on_cases=count))


@token_app.command("create")
def token_create(
    name: Annotated[str, typer.Argument(help="The account, such as `ann`.")],
    role: Annotated[str, typer.Option(help="The role the token acts in; one of the account's.")],
    label: Annotated[str, typer.Option(help="What it is for.")],
    agency: Annotated[str, typer.Option(help="The agency's slug; needed only where there are several.")] = "",
    days: Annotated[int, typer.Option(help="How long it is good for.", min=1, max=366)] = 90,
) -> None:
    """Make a bearer token and show it once; only its hash is stored."""
    from run.composition import now  # noqa: PLC0415
    from run.tokens import NoSuchAccount, create_token  # noqa: PLC0415

    settings = _settings_of_what_runs("database_url")
    try:
        _out.print(create_token(settings, agency=agency, name=name, role=role, label=label, days=days, now=now()))
    except NoSuchAccount as problem:
        raise _fail(str(problem), WRONG_USE) from problem


add_doors(app)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as problem:
        raise _fail(f"{text!r} is not a day; write it as 2026-11-30.", WRONG_USE) from problem


if __name__ == "__main__":
    sys.exit(main())
