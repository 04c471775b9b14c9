# SPDX-License-Identifier: Apache-2.0
"""The demonstration agency's three years, written as history up to today and then handed over.

What is not at its end by then is a live case from here on: its receipt waits for the relay like any other.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from multiprocessing import get_context
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.database import transaction
from activities.history import HistoryWriter, Story
from activities.policies import Policies, in_force_at
from models.clocks import Rules
from models.contacts import can_be_written_to
from models.fixes.terms import FixState
from models.messages import canonical, sha256
from models.policy import Policy
from models.receiving import Submission, intake_of
from models.tables.fixes import fix_file
from models.tables.receipts import receipt
from models.tables.registers import import_progress, problem_solving_day, staff
from models.tables.signals import signal, signal_decision
from run.accounts import ACCOUNTS
from run.composition import engine_for, secrets_of
from run.demo import AGENCY, KEY, Asked, NoDemonstration
from run.demonstration.lives import SUE, TEAMS, Diary, Life, World
from run.demonstration.looking_back import LookingBack
from run.demonstration.mending import AMY, LEO
from run.demonstration.plan import Planned, ProblemSolvingDay, Setting, plan, problem_solving_days
from run.demonstration.themes import PLANTINGS, THEMES
from run.settings import Settings

BATCH_STORIES: Final = 300
SHARES_AT_MOST: Final = 4
TELL_EVERY: Final = timedelta(seconds=5)
_DIARY_MARGIN: Final = timedelta(days=250)
"""So far beyond today people make plans; what lies there is not told."""
_ROSTER: Final = ("ivy", "ann", "ben")
_DISPLAY_NAMES: Final = {account.name: account.display_name for account in ACCOUNTS}


@dataclass(slots=True)
class Loaded:
    """What was written."""

    written: int = 0
    live: int = 0
    held: int = 0


async def load(
    settings: Settings, asked: Asked, *, now: datetime, say: Callable[[str], object] = lambda _: None
) -> tuple[str, ...]:
    """Load the demonstration and say in sentences what was done; what is there already is left as it is.

    `say` hears meanwhile how far it is. Raises NoDemonstration where the policy is another.
    """
    owner = engine_for(settings.database_url, connections=1)
    worker = engine_for(settings.worker_database_url, connections=2)
    try:
        book = await _Book.read(worker, Policies())
        day = asked.today or now.astimezone(ZoneInfo(book.newest.agency.time_zone)).date()
        setting = await _begun(worker, book) or book.setting(asked.seed, day, asked.years, asked.rate)
        await _write_registers(owner, problem_solving_days(setting))
        months = [setting.until - timedelta(days=28 * n) for n in range(setting.years * 14)]
        await HistoryWriter(worker, Policies()).make_months(months)
        loaded = await _while_telling(_by_all_processors(settings, setting, now), worker, setting, say)
        say("Looking for recurring failures, as was looked then, and leading the fixes that came of it …")
        await LookingBack(owner, worker, book.newest, setting, now).look_back()
        told = (*_sentences(loaded, setting), *await _on_what_was_found(worker, setting))
        await _note_the_end(owner, setting, loaded.written + loaded.held)
    finally:
        await worker.dispose()
        await owner.dispose()
    return told


async def _on_what_was_found(engine: AsyncEngine, setting: Setting) -> tuple[str, str]:
    """Return sentences on the signals and the fixes."""
    async with transaction(engine, AGENCY) as connection:
        decided = select(signal_decision.c.id).where(signal_decision.c.signal_id == signal.c.id).exists()
        found = await connection.scalar(select(func.count()).select_from(signal)) or 0
        waiting = await connection.scalar(select(func.count()).select_from(signal).where(~decided)) or 0
        states = [FixState(state) for state in await connection.scalars(select(fix_file.c.state))]
    told = ", ".join(f"{states.count(state)} {state.label.lower()}" for state in FixState if state in states)
    mended = f"{len(states)} systemic fixes came of the others: {told or 'none'}."
    wait = "waits" if waiting == 1 else "wait"
    return (
        f"Of {found} signals of recurring failures, {waiting} {wait} for a supervisor's decision.",
        f"{mended} Nobody is written to about what lies before {setting.today}.",
    )


async def _note_the_end(owner: AsyncEngine, setting: Setting, complaints: int) -> None:
    """Note that everything is there, so that nobody looks through it again."""
    row = {"agency": AGENCY, "source": f"{KEY}{setting.name}", "file_sha256": sha256(setting.name.encode())}
    async with transaction(owner, AGENCY) as connection:
        noted = upsert(import_progress).values(**row, rows_done=complaints)
        await connection.execute(noted.on_conflict_do_nothing())


async def _while_telling(
    loading: Coroutine[Any, Any, Loaded], engine: AsyncEngine, setting: Setting, say: Callable[[str], object]
) -> Loaded:
    """Load, and look every few seconds how many complaints are there; say so where there are more than before."""
    expected, told = len(plan(setting)), 0
    task = asyncio.create_task(loading)
    while not (await asyncio.wait([task], timeout=TELL_EVERY.total_seconds()))[0]:
        if (there := await _complaints_there(engine)) > told:
            say(f"{there:,} of {expected:,} complaints are in the record …")
        told = there
    return task.result()


async def _complaints_there(engine: AsyncEngine) -> int:
    async with transaction(engine, AGENCY) as connection:
        query = select(func.count()).where(receipt.c.idempotency_key.startswith(KEY, autoescape=True))
        return (await connection.execute(query)).scalar_one()


async def _by_all_processors(settings: Settings, setting: Setting, now: datetime) -> Loaded:
    """Tell the lives in as many processes as there are processors: it is all arithmetic, and each writes its own."""
    shares = min(os.cpu_count() or 1, SHARES_AT_MOST)
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(shares, mp_context=get_context("spawn")) as pool:
        parts = [loop.run_in_executor(pool, write_share, settings, setting, now, n, shares) for n in range(shares)]
        done = await asyncio.gather(*parts)
    return Loaded(sum(d.written for d in done), sum(d.live for d in done), sum(d.held for d in done))


def write_share(settings: Settings, setting: Setting, now: datetime, share: int, shares: int) -> Loaded:
    """Live and write every `shares`-th batch, in a process of its own."""
    return asyncio.run(_write_share(settings, setting, now, share, shares))


async def _write_share(settings: Settings, setting: Setting, now: datetime, share: int, shares: int) -> Loaded:
    engine = engine_for(settings.worker_database_url, connections=2)
    try:
        book = await _Book.read(engine, Policies())
        coming = plan(setting)
        starts = range(share * BATCH_STORIES, len(coming), shares * BATCH_STORIES)
        batches = [coming[start : start + BATCH_STORIES] for start in starts]
        return await _write_stories(engine, book, setting, batches, secrets_of(settings).case_keys, now)
    finally:
        await engine.dispose()


def _sentences(loaded: Loaded, setting: Setting) -> Iterator[str]:
    over, live = loaded.written - loaded.live, loaded.live
    yield f"{over:,} complaints of {setting.years} years are in the record to their end; {live} are open and go on."
    if loaded.held:
        yield f"{loaded.held:,} more were there already from a load that was broken off."


class _Book:
    """The agency's policy versions."""

    def __init__(self, versions: list[tuple[datetime, int]], policies: dict[int, Policy]) -> None:
        self.versions = versions
        self.policies = policies
        self.newest = policies[versions[-1][1]]
        self._worlds: dict[int, World] = {}

    @classmethod
    async def read(cls, engine: AsyncEngine, policies: Policies) -> _Book:
        async with transaction(engine, AGENCY) as connection:
            try:
                versions = await policies.versions(connection, AGENCY)
            except LookupError as problem:
                raise NoDemonstration(str(problem)) from problem
            book = cls(versions, {n: await policies.version(connection, AGENCY, n) for _, n in versions})
        book.must_know_the_words()
        return book

    def must_know_the_words(self) -> None:
        """Refuse a policy that lacks what the demonstration speaks of."""
        known = {service.id for service in self.newest.agency.services} | self.newest.taxonomy.by_code.keys()
        themes = (*THEMES, *(planting.theme for planting in PLANTINGS))
        spoken = {word for theme in themes for word in (theme.service, theme.category, theme.failure)}
        if lost := sorted(spoken - known):
            raise NoDemonstration(
                f"The demonstration is made for the default policy, and this one has no {', '.join(lost)}."
            )

    def setting(self, seed: int, day: date, years: int, rate: float) -> Setting:
        """Return what a plan is made for."""
        names = {office.id: office.name for office in self.newest.agency.offices}
        return Setting(seed, day, self.newest.calendar, names, years, rate)

    def world_of(self, received_at: datetime, setting: Setting) -> World:
        """Return what a complaint received then lives in."""
        number = in_force_at(self.versions, received_at)
        if number not in self._worlds:
            self._worlds[number] = world_in(setting, self.policies[number], number)
        return self._worlds[number]


def world_in(setting: Setting, policy: Policy, version: int) -> World:
    """Return what lives happen in under one version of the policy."""
    first = setting.today - timedelta(days=366 * (setting.years + 1))
    return World(
        policy=policy,
        policy_version=version,
        rules=Rules(standards=policy.standards, calendar=policy.calendar),
        diary=Diary(policy.calendar, first, setting.today + _DIARY_MARGIN),
        until=setting.until,
    )


async def _begun(engine: AsyncEngine, book: _Book) -> Setting | None:
    """Return what a demonstration that was loaded, or begun, before was made for."""
    async with transaction(engine, AGENCY) as connection:
        query = select(receipt.c.idempotency_key).where(
            receipt.c.agency == AGENCY, receipt.c.idempotency_key.startswith(KEY, autoescape=True)
        )
        key = (await connection.execute(query.limit(1))).scalar_one_or_none()
    if key is None:
        return None
    _, seed, day, years, rate, _ = key.split(":")
    return book.setting(int(seed), date.fromisoformat(day), int(years), float(rate))


async def _write_stories(
    engine: AsyncEngine,
    book: _Book,
    setting: Setting,
    batches: Sequence[Sequence[Planned]],
    wrapping_key: bytes,
    now: datetime,
) -> Loaded:
    """Write batch after batch, one being written while the next is lived."""
    writer = HistoryWriter(engine, Policies())
    loaded = Loaded()
    writing: asyncio.Task[None] | None = None
    for batch in batches:
        held = await writer.held(AGENCY, [_key(setting, one) for one in batch])
        loaded.held += len(held)
        missing = [one for one in batch if _key(setting, one) not in held]
        stories = [_story(one, book, setting, wrapping_key) for one in missing]
        if writing is not None:
            await writing
        writing = asyncio.create_task(_write(writer, stories, loaded, now))
    if writing is not None:
        await writing
    return loaded


async def _write(writer: HistoryWriter, stories: Sequence[Story], loaded: Loaded, now: datetime) -> None:
    written = await writer.write(AGENCY, stories, now)
    loaded.written += len(written.new)
    loaded.live += sum(story.goes_on for story in stories if story.intake.receipt.case_id in written.new)


def _story(one: Planned, book: _Book, setting: Setting, wrapping_key: bytes) -> Story:
    world = book.world_of(one.received_at, setting)
    contact = one.person.contact
    submission = Submission(
        agency=AGENCY,
        prefix=world.policy.agency.reference_prefix,
        key=_key(setting, one),
        narrative=one.narrative,
        channel=one.channel,
        received_at=one.received_at,
        received_on=world.policy.calendar.local_date(one.received_at),
        wanted=one.wanted,
        contact=canonical(contact).decode() if contact else "",
        can_be_written_to=can_be_written_to(contact),
        service=one.theme.service,
        category=one.theme.category,
        office=one.office,
        language=one.language,
        event_id=one.event_id,
    )
    life = Life(one, intake := intake_of(submission, one.received_at, wrapping_key, one.case_id), world)
    life.live()
    return Story(intake, tuple(life.events), tuple(life.texts), goes_on=not life.case.state.is_final)


def _key(setting: Setting, one: Planned) -> str:
    return f"{KEY}{setting.name}:{one.number}"


async def _write_registers(owner: AsyncEngine, days: Iterable[ProblemSolvingDay]) -> None:
    """Write the people of the story, who need no way to sign in, and the Problem Solving Days."""
    async with transaction(owner, AGENCY) as connection:
        await connection.execute(upsert(staff).on_conflict_do_nothing(), list(_people()))
        await connection.execute(upsert(problem_solving_day).on_conflict_do_nothing(), [_day_row(day) for day in days])


def _people() -> Iterator[dict[str, object]]:
    teams: dict[str, list[str]] = {"ivy": ["front_desk"], SUE.name: sorted(TEAMS)}
    for team, people in TEAMS.items():
        for person in people:
            teams.setdefault(person.name, []).append(team)
    roles = {"ivy": ["intake"], SUE.name: ["supervisor"], AMY.name: ["analyst"], LEO.name: ["liaison", "intake"]}
    teams |= {AMY.name: sorted(TEAMS), LEO.name: sorted(TEAMS)}
    for name, own in sorted(teams.items()):
        yield {
            "agency": AGENCY,
            "name": name,
            "display_name": _DISPLAY_NAMES[name],
            "roles": roles.get(name, ["caseworker"]),
            "teams": own,
        }


def _day_row(day: ProblemSolvingDay) -> dict[str, object]:
    place = day.office.replace("_", " ").title()
    return {
        "id": day.id,
        "agency": AGENCY,
        "name": f"Problem Solving Day, {place}",
        "place": f"{place} Service Center, main hall",
        "held_on": day.held_on,
        "office": day.office,
        "roster": list(_ROSTER),
        "made_by": SUE.name,
    }
