# SPDX-License-Identifier: Apache-2.0
"""Reading complaints on the record: what is learnt, what is proposed, what is a copy, and what goes with a text."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from activities import text_reading, text_sums
from activities.database import transaction
from activities.interface import TextLearning, TextLearnt, TextLook
from activities.policies import Policies
from activities.text_apart import SumDied, apart
from activities.text_learning import DatabaseTexts
from activities.text_rows import is_our_turn
from analytics.text import suggesting
from tests.databases import Database
from tests.live import at_once
from tests.servers import PostgresServer
from tests.texts import AGENCY, CODES, NIGHT, Told, told, write
from tests.unit.analytics.text.letters import NEW_TOPIC, TOPICS, labelled, letter

KINDS = ("category", "failure", "likeness")
DAY = timedelta(days=1)


def texts_of(engine: AsyncEngine) -> DatabaseTexts:
    """Return the activities of a worker that has just been started."""
    return DatabaseTexts(engine, Policies(), apart=at_once)


async def learn(
    engine: AsyncEngine, at: Any = NIGHT, agency: str = AGENCY, kinds: tuple[str, ...] = KINDS
) -> dict[str, TextLearnt]:
    texts = texts_of(engine)
    return {
        kind: await texts.learn_texts(TextLearning(agency=agency, kind=kind, asked_at=at))  # type: ignore[arg-type]
        for kind in kinds
    }


async def rows(engine: AsyncEngine, query: str, agency: str = AGENCY) -> list[dict[str, Any]]:
    async with transaction(engine, agency) as connection:
        return [dict(row) for row in (await connection.execute(text(query))).mappings()]


async def suggestions(engine: AsyncEngine) -> list[dict[str, Any]]:
    return await rows(engine, "SELECT * FROM text_suggestion ORDER BY kind, case_id, number")


@pytest.fixture(scope="module")
def learnt_template(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    """A database to be copied, of an agency that has learnt from a hundred coded complaints."""
    database = Database(postgres_server, postgres_server.new_database(template=migrated_template))

    async def fill() -> None:
        engine = create_async_engine(database.worker_url)
        await write(engine, told(25, seed=1))
        await learn(engine)
        await engine.dispose()

    asyncio.run(fill())
    yield database.name
    postgres_server.drop_database(database.name)


@pytest.fixture
def database(
    postgres_server: PostgresServer, migrated_template: str, request: pytest.FixtureRequest
) -> Iterator[Database]:
    """A database as others have it, or one that has learnt, where the test asks for `learnt`."""
    template = request.getfixturevalue("learnt_template") if "learnt" in request.fixturenames else migrated_template
    name = postgres_server.new_database(template=template)
    yield Database(postgres_server, name)
    postgres_server.drop_database(name)


@pytest.fixture
def learnt(worker_engine: AsyncEngine) -> AsyncEngine:
    """The record of an agency that has learnt."""
    return worker_engine


def one(topic: str, *, seed: int = 7, **made_of_it: Any) -> Told:
    """Return one more complaint about a topic."""
    words = letter(TOPICS.get(topic, topic), np.random.default_rng(seed))
    return Told(words, received_at=NIGHT - timedelta(hours=3), **made_of_it)


async def test_what_people_coded_is_learnt_once_a_day(worker_engine: AsyncEngine) -> None:
    await write(worker_engine, told(25, seed=1))

    first = await learn(worker_engine)
    again = await learn(worker_engine)

    assert {kind: (made.version, made.is_new) for kind, made in first.items()} == dict.fromkeys(KINDS, (1, True))
    assert {kind: (made.version, made.is_new) for kind, made in again.items()} == dict.fromkeys(KINDS, (1, False))
    kept = {row["kind"]: row for row in await rows(worker_engine, "SELECT * FROM text_model")}
    assert (kept["failure"]["cases"], kept["failure"]["labels"], kept["likeness"]["cases"]) == (100, 4, 100)
    assert kept["failure"]["checked_cases"] == 10
    assert kept["failure"]["accuracy"] == 1.0
    assert 0 <= kept["failure"]["calibration_error"] < 0.3


async def test_the_next_night_learns_from_what_came_meanwhile_and_leaves_no_older_numbers(learnt: AsyncEngine) -> None:
    assert not (await learn(learnt, NIGHT + DAY))["failure"].is_new
    await write(learnt, [one("rude staff", failure="CON1", category="treated_badly")])

    later = await learn(learnt, NIGHT + 2 * DAY)

    assert {kind: made.version for kind, made in later.items()} == dict.fromkeys(KINDS, 2)
    kept = await rows(learnt, "SELECT version, payload IS NULL AS is_gone FROM text_model ORDER BY kind, version")
    assert [(row["version"], row["is_gone"]) for row in kept] == [(1, True), (2, False)] * 3


async def test_the_same_cases_teach_the_same_numbers(learnt: AsyncEngine, worker_engine: AsyncEngine) -> None:
    await write(worker_engine, told(25, seed=1), "lakeside")
    await learn(worker_engine, agency="lakeside", kinds=("failure",))

    query = "SELECT payload, training_hash FROM text_model WHERE kind = 'failure'"
    assert await rows(learnt, query) == await rows(worker_engine, query, "lakeside")


async def test_too_few_coded_cases_teach_nothing(worker_engine: AsyncEngine) -> None:
    await write(worker_engine, told(5, seed=1))

    assert {made.version for kind, made in (await learn(worker_engine)).items() if kind != "likeness"} == {0}


async def test_a_new_complaint_is_read_for_both_codes_and_tagged_by_nobody(learnt: AsyncEngine) -> None:
    (case_id,) = await write(learnt, [one("lost document")])

    assert await texts_of(learnt).reader.read_lately(AGENCY, NIGHT) >= 1
    category, failure = await suggestions(learnt)

    assert (category["case_id"], failure["case_id"]) == (case_id, case_id)
    assert (failure["codes"][0], category["codes"][0]) == CODES["lost document"]
    assert failure["chances"][0] == max(failure["chances"])
    assert sum(failure["chances"]) == pytest.approx(1)
    assert not failure["abstained"]
    assert set(" ".join(failure["words"]["HND3"]).split()) & set(TOPICS["lost document"].split())
    assert await rows(learnt, f"SELECT * FROM case_tag WHERE case_id = '{case_id}'") == []
    (file,) = await rows(learnt, f"SELECT category, severity FROM case_file WHERE case_id = '{case_id}'")
    assert file == {"category": None, "severity": None}


async def test_what_is_decided_is_suggested_no_more(learnt: AsyncEngine) -> None:
    await write(learnt, [one("lost document", category="lost"), one("rude staff", failure="CON1", category="lost")])

    await texts_of(learnt).reader.read_lately(AGENCY, NIGHT)

    assert [(row["kind"], row["codes"][0]) for row in await suggestions(learnt)] == [("failure", "HND3")]


async def test_reading_again_changes_nothing_until_there_is_a_newer_model(learnt: AsyncEngine) -> None:
    await write(learnt, [one("lost document")])
    reader = texts_of(learnt).reader
    await reader.read_all(AGENCY, NIGHT)
    before = await suggestions(learnt)

    assert await reader.read_all(AGENCY, NIGHT + DAY) == 0
    assert await suggestions(learnt) == before
    await write(learnt, [one("rude staff", failure="CON1", category="treated_badly")])
    await learn(learnt, NIGHT + DAY, kinds=("failure",))
    assert await texts_of(learnt).reader.read_all(AGENCY, NIGHT + DAY) == 2
    assert {row["kind"]: row["version"] for row in await suggestions(learnt)} == {"category": 1, "failure": 2}


async def test_words_that_were_never_learnt_are_not_guessed_at(learnt: AsyncEngine) -> None:
    await write(learnt, [Told("Xylophone zebra quartz.", received_at=NIGHT)])

    await texts_of(learnt).reader.read_lately(AGENCY, NIGHT)

    assert [row["abstained"] for row in await suggestions(learnt)] == [True, True]


async def test_before_anything_was_learnt_complaints_are_read_for_copies_alone(worker_engine: AsyncEngine) -> None:
    await write(worker_engine, [one("lost document")])

    assert await texts_of(worker_engine).reader.read_lately(AGENCY, NIGHT) == 1
    assert await suggestions(worker_engine) == []


async def test_near_copies_are_those_of_the_first_letter(worker_engine: AsyncEngine) -> None:
    words = letter(TOPICS["late payment"], np.random.default_rng(3), words=120)
    edited = words.replace(words.split()[50], "altogether", 1)
    other = letter(TOPICS["late payment"], np.random.default_rng(4), words=120)
    half_alike = " ".join([*words.split()[:92], *other.split()[:28]])
    letters = [words, edited, f"{words} $250.00", half_alike]
    told_ = [Told(each, received_at=NIGHT - (10 - place) * DAY) for place, each in enumerate(letters)]
    first, second, *_ = await write(worker_engine, told_[:2])
    await texts_of(worker_engine).reader.read_all(AGENCY, NIGHT)
    third, _other = await write(worker_engine, told_[2:])

    await texts_of(worker_engine).reader.read_all(AGENCY, NIGHT)

    copies = await rows(
        worker_engine, "SELECT case_id, of_case_id, similarity FROM text_copy ORDER BY found_at, case_id"
    )
    assert {(row["case_id"], row["of_case_id"]) for row in copies} == {(second, first), (third, first)}
    assert all(0.7 <= row["similarity"] <= 1 for row in copies)


async def test_a_letter_of_half_a_year_ago_and_one_of_few_words_are_no_copies(worker_engine: AsyncEngine) -> None:
    words = letter(TOPICS["late payment"], np.random.default_rng(3))
    old, new = NIGHT - 27 * 7 * DAY, NIGHT - DAY
    await write(worker_engine, [Told(words, received_at=old), Told("It took too long.", received_at=new)])
    await write(worker_engine, [Told(words, received_at=new), Told("It took too long.", received_at=new)])

    await texts_of(worker_engine).reader.read_all(AGENCY, NIGHT)

    assert await rows(worker_engine, "SELECT * FROM text_copy") == []


async def test_the_nearest_answered_cases_stand_beside_an_open_one(learnt: AsyncEngine) -> None:
    (case_id,) = await write(learnt, [one("wrong decision")])

    await texts_of(learnt).reader.read_lately(AGENCY, NIGHT)

    query = f"""SELECT t.no_failure FROM text_read r CROSS JOIN unnest(r.nearest) AS near (id)
                JOIN case_tag t ON t.case_id = near.id WHERE r.case_id = '{case_id}'"""
    nearest = await rows(learnt, query)
    assert len(nearest) >= 3
    assert {row["no_failure"] for row in nearest} == {"N1"}


async def test_an_agencys_complaints_are_compared_with_its_own_alone(learnt: AsyncEngine) -> None:
    words = one("lost document")
    await write(learnt, [words])
    await write(learnt, [words], "lakeside")

    await texts_of(learnt).reader.read_lately(AGENCY, NIGHT)

    assert await rows(learnt, "SELECT * FROM text_copy", "lakeside") == []
    assert await rows(learnt, "SELECT * FROM text_suggestion", "lakeside") == []


async def test_what_a_text_left_behind_goes_with_it(learnt: AsyncEngine, owner_engine: AsyncEngine) -> None:
    (case_id,) = await write(learnt, [one("lost document")])
    look = TextLook(agency=AGENCY, asked_at=NIGHT)
    await texts_of(learnt).read_texts(look)
    async with transaction(owner_engine, AGENCY) as connection:
        await connection.execute(text("SET LOCAL ROLE putright_disposal"))
        await connection.execute(text(f"DELETE FROM content WHERE case_id = '{case_id}'"))

    await texts_of(learnt).read_texts(look)

    for table in ("text_suggestion", "text_band"):
        assert await rows(learnt, f"SELECT * FROM {table} WHERE case_id = '{case_id}'") == []
    assert (await rows(learnt, "SELECT count(*) AS n FROM text_band"))[0]["n"] > 0


async def test_two_workers_read_a_complaint_once(learnt: AsyncEngine) -> None:
    await write(learnt, [one("lost document"), one("late payment")])

    read = await asyncio.gather(*(texts_of(learnt).reader.read_lately(AGENCY, NIGHT) for _ in range(3)))

    assert sorted(read) == [0, 0, 4]
    assert len(await suggestions(learnt)) == 4


async def test_the_week_is_looked_at_once(learnt: AsyncEngine) -> None:
    open_ones = [one(topic, seed=seed, category="lost") for seed, topic in enumerate(TOPICS)]
    await write(learnt, [*open_ones, open_ones[0]])
    look = TextLook(agency=AGENCY, asked_at=NIGHT)
    texts = texts_of(learnt)
    await texts.read_texts(look)

    found = await texts.look_at_texts(look)
    again = await texts.look_at_texts(TextLook(agency=AGENCY, asked_at=NIGHT + DAY))

    queue = await rows(learnt, "SELECT * FROM coding_queue ORDER BY place")
    assert (found.queued, again.queued) == (len(queue), 0)
    assert 4 <= len(queue) <= 5
    worth = [row["uncertainty"] * row["distinctness"] for row in queue]
    assert worth == sorted(worth, reverse=True)
    (week,) = {str(row["week"]) for row in queue}
    assert week == "2026-03-02"
    drift = await rows(learnt, "SELECT kind, shares, words_p_value FROM text_drift ORDER BY kind")
    assert [(row["kind"], row["shares"]) for row in drift] == [("category", []), ("failure", [])]
    assert all(row["words_p_value"] > 0.05 for row in drift)


async def test_before_anything_was_learnt_those_least_alike_are_coded_first(worker_engine: AsyncEngine) -> None:
    topics = [*TOPICS, *TOPICS]
    await write(worker_engine, [one(topic, seed=seed, category="lost") for seed, topic in enumerate(topics)])
    look = TextLook(agency=AGENCY, asked_at=NIGHT)

    assert (await texts_of(worker_engine).look_at_texts(look)).queued == 8
    assert {row["uncertainty"] for row in await rows(worker_engine, "SELECT uncertainty FROM coding_queue")} == {1.0}


async def test_a_queue_with_nobody_in_it_is_tried_again_the_next_night(learnt: AsyncEngine) -> None:
    texts = texts_of(learnt)
    empty = await texts.look_at_texts(TextLook(agency=AGENCY, asked_at=NIGHT))
    await write(learnt, [one("rude staff", category="lost")])

    later = await texts.look_at_texts(TextLook(agency=AGENCY, asked_at=NIGHT + DAY))

    assert (empty.queued, later.queued) == (0, 1)


async def test_a_night_waits_until_whoever_reads_is_done(learnt: AsyncEngine) -> None:
    await write(learnt, [one("lost document")])
    async with transaction(learnt, AGENCY) as other:
        assert await is_our_turn(other, AGENCY)
        night = asyncio.create_task(texts_of(learnt).reader.read_all(AGENCY, NIGHT))
        assert await texts_of(learnt).reader.read_lately(AGENCY, NIGHT) == 0
        assert not night.done()

    assert await night == 101


async def test_a_tag_that_is_given_more_often_than_before_is_said(worker_engine: AsyncEngine) -> None:
    earlier = [Told(t.words, t.failure, t.category, t.received_at - 60 * DAY) for t in told(15, seed=1)]
    later = [Told(t.words, "HND3", "lost", t.received_at) for t in told(15, seed=2, since=40 * DAY)]
    await write(worker_engine, [*earlier, *later])

    found = await texts_of(worker_engine).look_at_texts(TextLook(agency=AGENCY, asked_at=NIGHT))

    assert found.changed == 2
    (drift,) = await rows(worker_engine, "SELECT * FROM text_drift WHERE kind = 'failure'")
    shift = next(each for each in drift["shares"] if each["code"] == "HND3")
    assert (drift["cases_before"], drift["cases_after"]) == (60, 60)
    assert shift["before"] == pytest.approx(0.25)
    assert shift["after"] == 1.0


async def test_alike_complaints_that_no_code_fits_are_put_to_the_supervisor(learnt: AsyncEngine) -> None:
    rng = np.random.default_rng(9)
    new = [
        Told(letter(NEW_TOPIC, rng, on_topic=0.5), category="lost", received_at=NIGHT - place * DAY)
        for place in range(1, 8)
    ]
    ids = await write(learnt, new)
    look = TextLook(agency=AGENCY, asked_at=NIGHT)
    await texts_of(learnt).read_texts(look)

    found = await texts_of(learnt).look_at_texts(look)

    assert found.new_failures == 1
    (proposed,) = await rows(learnt, "SELECT * FROM text_new_failure")
    assert set(proposed["case_ids"]) <= set(ids)
    assert proposed["letter_count"] >= 5
    assert set(proposed["words"]) & set(NEW_TOPIC.split())


async def remove_texts(owner_engine: AsyncEngine, which: str) -> None:
    """Take texts out of the record as disposal does."""
    async with transaction(owner_engine, AGENCY) as connection:
        await connection.execute(text("SET LOCAL ROLE putright_disposal"))
        await connection.execute(text(f"DELETE FROM content WHERE {which}"))


async def test_a_text_that_the_sums_cannot_take_is_read_without_suggestion_and_only_once(
    learnt: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = text_sums.proposed

    def particular(suggester: Any, texts: list[str], may_be: frozenset[str]) -> Any:
        if any("poison" in each for each in texts):
            raise RecursionError
        return real(suggester, texts, may_be)

    poison, good = await write(learnt, [Told("poison " * 20, received_at=NIGHT), one("lost document")])
    reader = texts_of(learnt).reader
    await reader.read_lately(AGENCY, NIGHT)
    before = {row["case_id"] for row in await suggestions(learnt)}
    await rows(learnt, "UPDATE text_read SET models = '0/0/0' RETURNING 1")
    monkeypatch.setattr(text_sums, "proposed", particular)

    read = await reader.read_lately(AGENCY, NIGHT)

    assert (before, read) == ({poison, good}, 2)
    assert {row["case_id"] for row in await suggestions(learnt)} == {good}
    assert await reader.read_lately(AGENCY, NIGHT) == 0
    assert len(await rows(learnt, f"SELECT * FROM text_read WHERE case_id = '{poison}'")) == 1


async def test_what_the_record_refuses_is_no_texts_fault(learnt: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: object) -> None:
        raise ProgrammingError("INSERT", {}, LookupError("no such column"))

    monkeypatch.setattr(text_reading, "_put", refused)
    await write(learnt, [one("lost document")])

    with pytest.raises(ProgrammingError):
        await texts_of(learnt).reader.read_lately(AGENCY, NIGHT)
    assert await rows(learnt, "SELECT * FROM text_read") == []


async def test_a_model_of_another_version_suggests_nothing_until_the_next_night(
    learnt: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suggesting, "METHOD", "another/9")
    await write(learnt, [one("lost document")])

    await texts_of(learnt).reader.read_lately(AGENCY, NIGHT)
    before = await suggestions(learnt)
    (read,) = await rows(learnt, "SELECT nearest FROM text_read ORDER BY read_at, cardinality(nearest) DESC LIMIT 1")
    await learn(learnt, NIGHT + DAY, kinds=("category", "failure"))
    await texts_of(learnt).reader.read_lately(AGENCY, NIGHT + DAY)

    assert (before, len(await suggestions(learnt))) == ([], 2)
    assert len(read["nearest"]) == 5


async def test_what_was_learnt_goes_when_too_few_texts_are_left(learnt: AsyncEngine, owner_engine: AsyncEngine) -> None:
    texts = texts_of(learnt)
    await write(learnt, [one("lost document")])
    await texts.reader.read_lately(AGENCY, NIGHT)
    (before,) = await rows(learnt, "SELECT count(*) AS n FROM text_suggestion")
    await remove_texts(owner_engine, "kind = 'narrative'")

    nights = [await learn(learnt, NIGHT + night * DAY) for night in (1, 2)]
    await write(learnt, [one("rude staff")])
    await texts.reader.read_lately(AGENCY, NIGHT + 2 * DAY)

    assert before["n"] == 2
    assert [{(made.version, made.is_new) for made in night.values()} for night in nights] == [{(2, True)}, {(2, False)}]
    assert await rows(learnt, "SELECT * FROM text_model WHERE payload IS NOT NULL") == []
    assert len(await rows(learnt, "SELECT * FROM text_suggestion")) == 2
    assert not any(texts.reader._known.values())


async def test_an_issue_that_is_given_other_words_is_read_again(learnt: AsyncEngine, owner_engine: AsyncEngine) -> None:
    (case_id,) = await write(learnt, [one("lost document", category="lost")])
    reader = texts_of(learnt).reader
    await reader.read_lately(AGENCY, NIGHT)
    (before,) = await suggestions(learnt)
    other, words = uuid4(), one("rude staff").words
    put = text("SELECT put_content(:agency, :case_id, :id, 'issue-1', :words, '', '')")
    change = text("UPDATE case_file SET snapshot = jsonb_set(snapshot, '{issues,0,words}', jsonb_build_object('id', "
                  "CAST(:id AS text))) WHERE case_id = :case_id")  # fmt: skip
    async with transaction(owner_engine, AGENCY) as connection:
        await connection.execute(put, {"agency": AGENCY, "case_id": case_id, "id": other, "words": words})
        await connection.execute(change, {"case_id": case_id, "id": str(other)})

    read = await reader.read_lately(AGENCY, NIGHT)
    (after,) = await suggestions(learnt)

    assert (before["codes"][0], read, after["codes"][0]) == ("HND3", 1, "CON1")
    assert await reader.read_lately(AGENCY, NIGHT) == 0


async def test_words_that_few_others_wrote_are_not_shown() -> None:
    words, codes = labelled(20, seed=1)
    for place in [place for place, code in enumerate(codes) if code == "lost document"][:4]:
        words[place] += " gonzalez" * 3
    suggester = suggesting.fit_suggester(words, codes)
    asked = "passport, gonzalez"

    (proposed,) = text_sums.proposed(suggester, [asked], frozenset(codes))

    spoken = suggester.words_that_speak(asked, "lost document", 40)
    assert max(each.contribution for each in spoken if "gonzalez" in each.words) > 0
    assert "passport" in proposed.words["lost document"]
    assert not any("gonzalez" in word for found in proposed.words.values() for word in found)


@pytest.mark.parametrize(
    ("complaints", "more", "tries"),
    [
        pytest.param(told(5, seed=1), told(1, seed=2), [0, 0, 0], id="too few"),
        pytest.param([Told("Late.", "TIM2", "lost")] * 60, [Told("Late.", "TIM2", "lost")], [2, 2, 4], id="one code"),
    ],
)
async def test_the_first_night_is_tried_again_only_when_more_is_coded(
    worker_engine: AsyncEngine, complaints: list[Told], more: list[Told], tries: list[int]
) -> None:
    texts, asked, seen = texts_of(worker_engine), [], []
    real = texts.learn_texts

    async def learn_texts(learning: TextLearning) -> TextLearnt:
        asked.append(learning.kind)
        return await real(learning)

    texts.learn_texts = learn_texts  # type: ignore[method-assign]
    await write(worker_engine, complaints)
    for arrived in ([], [], more):
        await write(worker_engine, arrived)
        await texts.first_night(AGENCY, NIGHT)
        seen.append(len(asked))

    assert seen == tries


async def test_what_to_code_first_waits_for_no_more_than_the_root_causes_to_be_learnt(
    worker_engine: AsyncEngine,
) -> None:
    texts, queued = texts_of(worker_engine), {}
    real = texts.learn_texts

    async def learn_texts(learning: TextLearning) -> TextLearnt:
        queued[learning.kind] = len(await rows(worker_engine, "SELECT FROM coding_queue"))
        return await real(learning)

    texts.learn_texts = learn_texts  # type: ignore[method-assign]
    await write(worker_engine, [*told(15, seed=1), one("rude staff", category="lost")])
    await texts.first_night(AGENCY, NIGHT)

    assert queued == {"failure": 0, "category": 1, "likeness": 1}


async def test_looks_go_that_are_past_or_name_what_was_removed(learnt: AsyncEngine, owner_engine: AsyncEngine) -> None:
    (case_id,) = await write(learnt, [one("lost document")])
    drift = """INSERT INTO text_drift SELECT 'riverbend', 'failure', :week, 400, 90, '[]', :words, 0.01, :at"""
    new = """INSERT INTO text_new_failure
             SELECT 'riverbend', :week, :place, ARRAY[CAST(:case_id AS uuid)], 5, 0.1, '{kiosk}', :at"""
    texts, look = texts_of(learnt), TextLook(agency=AGENCY, asked_at=NIGHT)
    removed, kept = case_id, (await rows(learnt, "SELECT min(case_id::text) AS id FROM case_tag"))[0]["id"]
    last, this = (NIGHT - 7 * DAY).date(), NIGHT.date()
    async with transaction(learnt, AGENCY) as connection:
        for week in (last, this):
            await connection.execute(text(drift), {"week": week, "words": ["passport"], "at": NIGHT})
            for place, named in enumerate((removed, kept), start=1):
                told_ = {"week": week, "place": place, "case_id": named, "at": NIGHT}
                await connection.execute(text(new), told_)
    await remove_texts(owner_engine, f"case_id = '{removed}'")

    await texts.read_texts(look)

    assert await rows(learnt, "SELECT week FROM text_drift") == [{"week": this}]
    assert await rows(learnt, "SELECT week, place FROM text_new_failure") == [{"week": this, "place": 2}]
    await remove_texts(owner_engine, "body ~ 'passport'")
    await texts.read_texts(look)
    assert await rows(learnt, "SELECT week FROM text_drift") == []


async def test_a_long_sum_is_done_in_a_process_of_its_own() -> None:
    assert await apart(sorted, [3, 1, 2], reverse=True) == [3, 2, 1]


async def test_what_a_long_sum_raises_is_raised_and_its_death_is_told() -> None:
    with pytest.raises(ValueError, match="no-number"):
        await apart(int, "no-number")
    with pytest.raises(SumDied, match="exit code 3"):
        await apart(os._exit, 3)


async def test_a_long_sum_that_nobody_waits_for_any_more_ends_at_once() -> None:
    sleeping = asyncio.create_task(apart(time.sleep, 600))
    while not (children := multiprocessing.active_children()):
        await asyncio.sleep(0.02)

    sleeping.cancel()
    await asyncio.wait([sleeping])

    assert sleeping.cancelled()
    await asyncio.to_thread(children[0].join, 30)
    assert not children[0].is_alive()


async def test_the_api_reads_what_was_found_and_never_the_numbers(learnt: AsyncEngine, api_engine: AsyncEngine) -> None:
    assert len(await rows(api_engine, "SELECT version, cases FROM text_model")) == 3
    with pytest.raises(DBAPIError, match="permission denied"):
        await rows(api_engine, "SELECT payload FROM text_model")
