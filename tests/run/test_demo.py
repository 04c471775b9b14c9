# SPDX-License-Identifier: Apache-2.0
"""The demonstration: years that were lived by the rules, a failure to be found, and cases that go on."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from activities.case_records import DatabaseCaseRecords
from activities.interface import CaseAddress, Loaded
from activities.verifying import verify_agency
from models import lifecycle
from models.case import Case, new_case
from models.clocks import next_moment
from models.events import GENESIS_HASH, Event, chained
from models.fixes import lifecycle as fix_lifecycle
from models.fixes.commands import ApproveWords
from models.fixes.fix import Fix, FixEvent
from models.fixes.story import apply as apply_to_fix
from models.fixes.terms import FixState, Occasion, Verdict
from models.fixes.watching import Rhythm, next_look
from models.messages import canonical
from models.policy import Policy
from models.receiving import Submission, intake_of
from models.story import apply
from models.terms import Action, State
from run.demo import RATE, Asked, load_demo
from run.demonstration import loading
from run.demonstration.lives import Life, World
from run.demonstration.loading import world_in, write_share
from run.demonstration.plan import Fate, Planned, Setting, plan
from run.demonstration.themes import MENDED, RECENT, THEMES, UNCHANGED
from run.settings import Settings
from tests.databases import Database
from tests.given import a_policy
from tests.record import WRAPPING_KEY, records_of
from tests.servers import PostgresServer

SEED = 3
TODAY = date(2026, 11, 18)
NOW = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return a_policy()


FEWER = RATE / 4
"""A smaller agency, with all that is planted: what is written here need not be thirteen thousand."""


def a_setting(policy: Policy, *, seed: int = SEED, rate: float = RATE) -> Setting:
    names = {office.id: office.name for office in policy.agency.offices}
    return Setting(seed, TODAY, policy.calendar, names, rate=rate)


def lived(one: Planned, world: World) -> Life:
    submission = Submission(
        agency="riverbend", prefix="RIV", key="demo", narrative=one.narrative, channel=one.channel,
        received_at=one.received_at, received_on=one.received_at.date(), service=one.theme.service,
        category=one.theme.category, office=one.office, contact=canonical(one.person.contact).decode(),
        event_id=one.event_id,
    )  # fmt: skip
    life = Life(one, intake_of(submission, one.received_at, WRAPPING_KEY, one.case_id), world)
    life.live()
    return life


def test_the_same_seed_and_day_make_the_same_complaints_and_another_seed_others(policy: Policy) -> None:
    first, again = plan(a_setting(policy)), plan(a_setting(policy))
    other = plan(a_setting(policy, seed=8))

    assert first == again
    assert [one.narrative for one in other[:50]] != [one.narrative for one in first[:50]]


def test_a_life_is_told_the_same_way_twice_and_every_step_is_lawful(policy: Policy) -> None:
    setting = a_setting(policy)
    world = world_in(setting, policy, 1)
    for one in plan(setting)[::45]:
        life, again = lived(one, world), lived(one, world)
        assert [(e.at, e.command.action, e.command.actor) for e in life.events] == [
            (e.at, e.command.action, e.command.actor) for e in again.events
        ]
        case = new_case(life.case.receipt)
        for event in life.events:
            assert lifecycle.decide(case, event.command, event.at) == event
            case = apply(case, event)
        assert case == life.case


def test_three_years_bring_ten_thousand_complaints_to_their_end(policy: Policy) -> None:
    setting = a_setting(policy)
    coming = plan(setting)
    world = world_in(setting, policy, 1)

    old = [one for one in coming if setting.until - one.received_at > timedelta(days=60)]
    answered = [one for one in old if one.fate not in {Fate.WITHDRAWN, Fate.DUPLICATE}]
    assert len(answered) > 10_000
    assert all(lived(one, world).case.state.is_final for one in answered[:9_000:200])


def test_years_have_seasons_and_weeks_have_weekends(policy: Policy) -> None:
    coming = plan(a_setting(policy))
    days = Counter(one.received_at.astimezone(a_setting(policy).zone).weekday() for one in coming)
    streets = Counter(one.received_at.month for one in coming if one.theme.service == "streets")

    assert days[0] > 2 * days[5]
    assert streets[1] > 2 * streets[7]
    assert {one.language for one in coming} == {"en", "es"}
    assert {one.fate for one in coming} == set(Fate)


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A database with the demonstration, whose first load was broken off."""

    database: Database
    settings: Settings
    lines: tuple[str, ...]

    def asks(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database.dsn()) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def demonstration(
    postgres_server: PostgresServer, migrated_template: str, tmp_path_factory: pytest.TempPathFactory, policy: Policy
) -> Iterator[Demonstration]:
    folder: Path = tmp_path_factory.mktemp("home")
    database = Database(postgres_server, postgres_server.new_database(template=migrated_template))
    settings = Settings(
        home=folder,
        database_url=database.owner_url,
        worker_database_url=database.worker_url,
        temporal_address="127.0.0.1:1",
        master_key_file=folder / "master.key",
    )
    settings.make_master_key()
    write_share(settings, a_setting(policy, rate=FEWER), NOW, 5, 9)
    # The second load is asked for another seed and another day; it goes on with the one that was begun.
    later = NOW + timedelta(days=1)
    lines = asyncio.run(load_demo(settings, Asked(SEED + 1, years=2), now=later))
    yield Demonstration(database, settings, lines)
    postgres_server.drop_database(database.name)


def test_a_load_that_was_broken_off_goes_on_and_a_second_one_changes_nothing(
    demonstration: Demonstration, policy: Policy
) -> None:
    expected = len(plan(a_setting(policy, rate=FEWER)))

    assert "from a load that was broken off" in demonstration.lines[1]
    assert demonstration.asks("SELECT count(*) FROM receipt") == [(expected,)]
    began = time.monotonic()
    again = asyncio.run(load_demo(demonstration.settings, Asked(SEED, TODAY), now=NOW))
    assert time.monotonic() - began < 1
    told = f"The demonstration of 2026-11-18 is there already, {expected:,} complaints; nothing was changed."
    assert again == (told,)
    assert demonstration.asks("SELECT count(*) FROM receipt") == [(expected,)]


async def test_how_far_the_load_is_is_said_only_where_it_has_come_further(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts, is_over = iter([0, 0, 300, 300, 600, 600]), asyncio.Event()
    told: list[str] = []

    async def there(_: object) -> int:
        count = next(counts, None)
        if count is None:
            is_over.set()
        return 600 if count is None else count

    async def load() -> loading.Loaded:
        await is_over.wait()
        return loading.Loaded(written=900)

    monkeypatch.setattr(loading, "_complaints_there", there)
    monkeypatch.setattr(loading, "TELL_EVERY", timedelta(milliseconds=1))
    setting = a_setting(policy, rate=FEWER)

    await loading._while_telling(load(), None, setting, told.append)  # type: ignore[arg-type]

    of = f"of {len(plan(setting)):,} complaints are in the record …"
    assert told == [f"300 {of}", f"600 {of}"]


def test_most_are_closed_and_some_go_on(demonstration: Demonstration) -> None:
    states = dict(demonstration.asks("SELECT state, count(*) FROM case_file GROUP BY 1"))
    actions = {action for (action,) in demonstration.asks("SELECT DISTINCT action FROM case_event")}

    assert states[State.CLOSED] > 3_000
    open_count = sum(count for state, count in states.items() if not State(state).is_final)
    assert 40 <= open_count <= 350
    assert states[State.WAITING_FOR_COMPLAINANT] > 0
    assert states[State.ANSWERED] > 0
    assert actions == set(Action) - {Action.RECORD_AS_HISTORY}
    ((waiting, of_open),) = demonstration.asks(
        "SELECT count(*), count(*) FILTER (WHERE is_open) FROM receipt_pending JOIN case_file USING (case_id)"
    )
    assert waiting == of_open == open_count
    assert demonstration.asks("SELECT sum(change) FROM queue_delta WHERE queue = 'open'") == [(open_count,)]


def test_every_chain_verifies_and_nothing_lies_ahead(demonstration: Demonstration) -> None:
    last: dict[Any, bytes] = {}
    for case_id, canonical_bytes, stored, at in demonstration.asks(
        "SELECT case_id, canonical, hash, at FROM case_event ORDER BY case_id, sequence"
    ):
        last[case_id] = chained(last.get(case_id, GENESIS_HASH), canonical_bytes)
        assert last[case_id] == stored
        assert at <= NOW
    assert last == dict(demonstration.asks("SELECT case_id, last_hash FROM case_file"))


def test_open_cases_load_as_live_ones_with_nothing_left_unsaid(demonstration: Demonstration, policy: Policy) -> None:
    ids = [case_id for (case_id,) in demonstration.asks("SELECT case_id FROM case_file WHERE is_open ORDER BY 1")]
    until = a_setting(policy).until

    for loaded in asyncio.run(_load(demonstration, ids)):
        moment = next_moment(loaded.case, loaded.rules)
        assert loaded.opening is None
        assert moment is None or moment.at > until


async def _load(demonstration: Demonstration, ids: list[Any]) -> list[Loaded]:
    engine = create_async_engine(demonstration.database.worker_url)
    records: DatabaseCaseRecords = records_of(engine)
    try:
        return [await records.load(CaseAddress(agency="riverbend", case_id=case_id)) for case_id in ids]
    finally:
        await engine.dispose()


def test_the_read_model_is_what_the_events_make(demonstration: Demonstration) -> None:
    rows = demonstration.asks("SELECT case_id, snapshot FROM case_file ORDER BY md5(case_id::text) LIMIT 60")
    for case_id, snapshot in rows:
        events = demonstration.asks(f"SELECT canonical FROM case_event WHERE case_id = '{case_id}' ORDER BY sequence")
        ((facts,),) = demonstration.asks(f"SELECT facts FROM receipt WHERE case_id = '{case_id}'")
        case = new_case(Case.model_validate(snapshot).receipt.model_validate_json(facts))
        for (stored,) in events:
            case = apply(case, Event.model_validate_json(stored))
        assert case == Case.model_validate(snapshot)


def test_of_most_people_somebody_asked_whether_they_are_in_vulnerable_circumstances(
    demonstration: Demonstration,
) -> None:
    ((known, vulnerable),) = demonstration.asks("""
        SELECT avg((vulnerable IS NOT NULL)::integer), avg(vulnerable::integer)
        FROM case_file WHERE severity IS NOT NULL
    """)

    assert 0.6 < known < 0.8
    assert 0.1 < vulnerable < 0.4


def test_the_planted_failure_stands_out_in_its_last_weeks(demonstration: Demonstration) -> None:
    query = f"""
        SELECT week >= date '{TODAY}' - 56, sum(change), count(DISTINCT week) FROM cell_delta
        WHERE measure = 'cause' AND code = 'HND3' AND service = 'housing' AND office = '{RECENT.office}' GROUP BY 1
    """
    counts = {is_late: int(count) for is_late, count, _ in demonstration.asks(query)}

    assert counts[True] >= 12
    # The year before had less than one in a month.
    assert counts.get(False, 0) <= 12


def test_a_problem_solving_day_was_held_and_todays_waits(demonstration: Demonstration) -> None:
    days = demonstration.asks("""
        SELECT d.held_on, d.roster, count(f.case_id), count(f.answered_at) FROM problem_solving_day d
        LEFT JOIN case_file f ON f.event_id = d.id GROUP BY d.id ORDER BY 1 DESC LIMIT 2
    """)

    assert days[0] == (TODAY, ["ivy", "ann", "ben"], 0, 0)
    assert days[1][0] == date(2026, 11, 17)
    assert days[1][2] > days[1][3] > 0


def test_the_failure_of_the_last_weeks_is_flagged_and_waits_for_its_decision(demonstration: Demonstration) -> None:
    waiting = demonstration.asks(f"""
        SELECT code, service FROM signal
        WHERE raised_on > date '{TODAY}' - 35 AND office = '{RECENT.office}'
          AND id NOT IN (SELECT signal_id FROM signal_decision)
    """)

    # By what is found behind it, or, before enough of it is found, by what people complain about.
    assert {(RECENT.theme.failure, "housing"), (RECENT.theme.category, "housing")} & set(waiting), waiting


def test_nothing_of_the_past_waits_beside_it(demonstration: Demonstration, policy: Policy) -> None:
    surveillance = policy.surveillance
    waiting = demonstration.asks(f"""
        SELECT raised_on, code, office, st.why FROM signal
        JOIN signal_states(
            '{TODAY}', {surveillance.expires_after_weeks}, {surveillance.returns_when_excess_grows}
        ) st ON st.signal_id = signal.id
        WHERE st.state = 'to_decide'
    """)

    assert [told for told in waiting if told[0] <= TODAY - timedelta(weeks=6)] == []


def fixes_of(demonstration: Demonstration) -> dict[str, Fix]:
    """Return the fixes of the story by the office they are about, folded from events that are lawful."""
    fixes: dict[str, Fix] = {}
    for (fix_id,) in demonstration.asks("SELECT fix_id FROM fix_opening ORDER BY opened_at"):
        fix = Fix(id=fix_id, agency="riverbend")
        for (stored,) in demonstration.asks(
            f"SELECT canonical FROM fix_event WHERE fix_id = '{fix_id}' ORDER BY sequence"
        ):
            event = FixEvent.model_validate_json(stored)
            assert fix_lifecycle.decide(fix, event.command, event.at) == event
            assert event.at <= NOW
            fix = apply_to_fix(fix, event)
        plan_ = fix.plan or fix.rounds[-1].plan
        fixes[plan_.targets[0].office or ""] = fix
    return fixes


def test_what_the_fix_that_works_is_compared_with_has_the_same_season_so_that_its_verdict_hangs_on_no_day() -> None:
    compared = [theme for theme in THEMES if theme.service == MENDED.theme.service]

    assert len(compared) > 2
    assert {theme.months for theme in compared} == {MENDED.theme.months}


def test_a_fix_that_works_was_led_by_the_rules_and_complainants_count_as_told(demonstration: Demonstration) -> None:
    mended = fixes_of(demonstration)[MENDED.office]

    assert mended.state is FixState.EFFECTIVE
    assert mended.approved == (Occasion.ACCEPTED, Occasion.JUDGED)
    assert mended.effect is not None
    assert mended.effect.rate_ratio < 0.6
    upcoming = next_look(mended, Rhythm(time_zone="America/Chicago"))
    assert upcoming is not None
    assert upcoming.at.date() > TODAY - timedelta(days=1)
    lists = demonstration.asks(f"""
        SELECT occasion, people_count, done_count, finished_at = begun_at FROM affected_list
        WHERE fix_id = '{mended.id}' ORDER BY begun_at
    """)
    assert [(occasion, is_over) for occasion, _, _, is_over in lists] == [("accepted", True), ("judged", True)]
    assert all(people == done > 0 for _, people, done, _ in lists)
    assert lists[1][1] > lists[0][1]


def test_a_fix_that_does_not_work_was_opened_again_by_itself_and_waits_for_its_workflow(
    demonstration: Demonstration,
) -> None:
    fix = fixes_of(demonstration)[UNCHANGED.office]

    assert fix.state is FixState.WORKED_OUT
    assert [ended.effect.verdict for ended in fix.rounds] == [Verdict.NOT_EFFECTIVE]
    assert len(fix.causes) == 2, "what is thought of since"
    assert len(demonstration.asks("SELECT FROM fix_pending")) == 2


def test_what_people_are_told_of_a_fix_stands_in_every_language_of_the_agency(
    demonstration: Demonstration, policy: Policy
) -> None:
    events = demonstration.asks("SELECT canonical FROM fix_event WHERE action = 'approve_words'")
    approved = [FixEvent.model_validate_json(bytes(canonical)).command for (canonical,) in events]
    bodies = dict(demonstration.asks("SELECT id, body FROM fix_text"))

    assert approved
    for command in approved:
        assert isinstance(command, ApproveWords)
        translations = command.translations or ()
        assert [each.language for each in translations] == list(policy.agency.languages[1:])
        assert all("nos dijo" in bodies[each.words.id] for each in translations)
        assert "You told us" in bodies[command.words.id]


def test_nobody_is_written_to_about_what_is_over(demonstration: Demonstration) -> None:
    assert demonstration.asks("SELECT FROM affected_pending") == []
    assert demonstration.asks("SELECT FROM affected_person WHERE result IS NULL OR message_id IS NOT NULL") == []
    assert demonstration.asks("SELECT count(*) FROM fix_alert") == [(1,)]


async def test_the_whole_record_verifies(demonstration: Demonstration) -> None:
    engine = create_async_engine(demonstration.database.worker_url)
    try:
        verdict = await verify_agency(engine, "riverbend")
    finally:
        await engine.dispose()

    assert verdict.breaks == []
    assert (verdict.fixes, verdict.removed_texts) == (2, 0)
