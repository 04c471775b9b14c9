# SPDX-License-Identifier: Apache-2.0
"""A signal's page: its numbers agree, its complaints show what was behind them, and twins tell of each other."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, text

from api.reads.fixes import open_fixes_of
from models.terms import Role, State
from tests.api.conftest import Front
from tests.api.test_case_page import words
from tests.api.test_registers import EVIDENCE, FAILURE, a_signal, decide
from tests.api.test_staff_pages import send, sign_in
from tests.given import a_key

NEXT_LOOK = date(2026, 3, 8)
"""A Sunday: the week of the complaints is whole."""


async def coded(front: Front, cause: dict[str, Any]) -> dict[str, Any]:
    """Return a closed case with that root cause."""
    taken = await front.case_at(State.ANSWERED)
    ann = await front.token(Role.CASEWORKER, name="ann")
    tagged = await front.act(taken["id"], ann, action="tag_root_cause", issues=[{"number": 1, "cause": cause}])
    assert tagged.status_code == 200, tagged.text
    return taken


async def whole_week(front: Front, **changed: str) -> UUID:
    """Return a signal that was looked at when the week of the test's complaints was over."""
    signal_id = await a_signal(front, **changed)
    async with front.owner.begin() as connection:
        await connection.exec_driver_sql(f"UPDATE signal_week SET as_of = '{NEXT_LOOK}' WHERE as_of = '2026-03-07'")
    return signal_id


async def page_of(front: Front, signal_id: UUID) -> str:
    await sign_in(front, Role.SUPERVISOR, "sue")
    page = await front.client.get(f"/signals/{signal_id}")
    assert page.status_code == 200
    return page.text


async def test_complaints_of_a_kind_show_the_root_cause_they_were_coded_with(front: Front) -> None:
    lost = await coded(front, FAILURE)
    unclear = await coded(front, {"kind": "none", "reason": "N2"})
    fresh = await front.open_case()
    signal_id = await whole_week(front, measure="intake", code="too_slow", family="intake")

    rows = (await page_of(front, signal_id)).partition('id="behind"')[2].split("data-row")

    def row(case: dict[str, Any]) -> str:
        return words(next(row for row in rows if case["reference"] in row))

    assert "Dropped or lost, because of: " in row(lost)
    assert "HND3" not in row(lost)
    assert "No process failure: cannot be determined" in row(unclear)
    assert "not coded yet" in row(fresh)


async def test_the_list_holds_the_weeks_that_are_counted_and_says_so(front: Front) -> None:
    await coded(front, FAILURE)
    signal_id = await a_signal(front, began_week=date(2026, 3, 9))

    before = await page_of(front, signal_id)
    async with front.owner.begin() as connection:
        await connection.exec_driver_sql("UPDATE signal_week SET as_of = '2026-03-15' WHERE as_of = '2026-03-07'")
    after = await page_of(front, signal_id)

    assert "received from February 2, 2026 to March 1, 2026" in words(before)
    assert "9 complaints in the 4 weeks to March 1, 2026" in words(before)
    assert before.count("data-row") == 0
    assert "received from February 16, 2026 to March 15, 2026" in words(after)
    assert after.count("data-row") == 1


async def test_twins_tell_of_each_other_and_stand_together(front: Front) -> None:
    await coded(front, FAILURE)
    cause = await whole_week(front)
    intake = await whole_week(front, measure="intake", code="too_slow", family="intake")
    apart = await whole_week(front, measure="intake", code="lost", family="intake")

    by_cause, by_kind, alone = [await page_of(front, signal_id) for signal_id in (cause, intake, apart)]
    listed = (await front.client.get("/signals")).text

    assert f'href="/signals/{intake}"' in by_cause
    assert "1 complaint counted here is counted in" in words(by_cause)
    assert f'href="/signals/{cause}"' in by_kind
    assert "One matter" not in alone
    matter = listed.partition('class="matter"')[2].partition("</div>")[0]
    assert f"/signals/{cause}" in matter
    assert f"/signals/{intake}" in matter
    assert f"/signals/{apart}" not in matter


async def test_twins_of_which_not_every_issue_was_looked_at_share_at_least_so_many(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.reads.signal_cases.ISSUES_COMPARED", 1)
    for _ in range(2):
        await coded(front, FAILURE)
    cause = await whole_week(front)
    await whole_week(front, measure="intake", code="too_slow", family="intake")

    assert "at least 1 complaint counted here is counted in" in words(await page_of(front, cause))


async def test_twins_that_were_decided_stand_each_for_itself_in_the_list(front: Front) -> None:
    await coded(front, FAILURE)
    twins = [await whole_week(front), await whole_week(front, measure="intake", code="too_slow", family="intake")]
    await sign_in(front, Role.SUPERVISOR, "sue")
    for signal_id in twins:
        await send(front, f"/signals/{signal_id}/decisions", key=a_key(), decision="reject", reason="The move.")

    assert 'class="matter"' not in (await front.client.get("/signals")).text


async def test_signals_that_share_few_complaints_are_no_twins(front: Front) -> None:
    await coded(front, FAILURE)
    for reason in ("HND1", "HND1"):
        await coded(front, FAILURE | {"failure": reason})
    cause = await whole_week(front)
    for category in ("lost", "lost"):
        await front.open_case(category=category)
    other = await whole_week(front, measure="intake", code="lost", family="intake")

    assert "One matter" not in await page_of(front, cause)
    assert "One matter" not in await page_of(front, other)


async def test_a_decided_signal_shows_its_decision_first_and_what_comes_next(front: Front) -> None:
    signal_id = await a_signal(front)
    await sign_in(front, Role.SUPERVISOR, "sue")
    await send(front, f"/signals/{signal_id}/decisions", key=a_key(), decision="accept", reason="The move.")

    page = await page_of(front, signal_id)

    assert page.index('id="decided"') < page.index("It happened.")
    assert "The fix says who does what, and by when." in page
    assert "Dealt with by the fix" in page
    again = page.partition("Decide again</summary>")[2]
    assert "supersedes the one that stands" in again
    assert re.search(r'<details class="action"><summary id="decide">', page)


async def test_a_summary_does_not_repeat_the_title(front: Front) -> None:
    signal_id = await a_signal(front, service=None)
    async with front.owner.begin() as connection:
        await connection.exec_driver_sql(
            "UPDATE signal_week SET sentences = ARRAY['Dropped or lost: 9 complaints in 4 weeks.', "
            "'It began in the week of February 23, 2026; that is seldom.']"
        )

    page = words(await page_of(front, signal_id))

    assert " 9 complaints in 4 weeks." in page
    assert "Dropped or lost:" not in page
    assert "It began in the week of February 23, 2026" in page


async def test_one_open_fix_is_enough_for_a_signal_and_another_signal_can_be_linked_to_it(front: Front) -> None:
    first, second = await a_signal(front), await a_signal(front, code="HND1")
    await sign_in(front, Role.SUPERVISOR, "sue")
    fresh = await page_of(front, first)
    await send(front, f"/signals/{first}/decisions", key=a_key(), decision="accept", reason="The move.")
    taken_up, other = await page_of(front, first), await page_of(front, second)
    fix_id = re.findall(r'href="/fixes/([0-9a-f-]{36})"', taken_up)[0]

    unsaid = await send(front, f"/signals/{second}/decisions", key=a_key(), decision="link", reason="The same.")
    told = {"key": a_key(), "decision": "link", "reason": "The same."}
    linked = await send(front, f"/signals/{second}/decisions", **told, fix_id=fix_id)
    again = await send(front, f"/signals/{first}/decisions", key=a_key(), decision="accept", reason="Once more.")

    assert 'id="decision-accept"' in fresh
    assert 'id="decision-link"' not in fresh
    assert 'id="decision-accept"' not in taken_up
    assert f'<option value="{fix_id}"' in other
    assert (unsaid.status_code, linked.status_code, again.status_code) == (422, 303, 409)
    assert "Choose the fix that deals with it." in words(unsaid.text)
    assert "An open fix deals with this signal already" in words(again.text)
    assert f'href="/fixes/{fix_id}"' in await page_of(front, second)


async def twins_of_which_one_has_a_fix(front: Front) -> tuple[UUID, UUID, str]:
    """Return a signal by root cause that led to a fix, its twin by kind of problem, and the fix."""
    await coded(front, FAILURE)
    cause = await whole_week(front)
    intake = await whole_week(front, measure="intake", code="too_slow", family="intake")
    await sign_in(front, Role.SUPERVISOR, "sue")
    told = {"key": a_key(), "decision": "accept", "reason": "The move.", "fix_title": "The post at Northgate"}
    assert (await send(front, f"/signals/{cause}/decisions", **told)).status_code == 303
    fix_id = re.findall(r'href="/fixes/([0-9a-f-]{36})"', await page_of(front, cause))[0]
    return cause, intake, fix_id


async def test_whose_twin_has_an_open_fix_is_offered_to_be_linked_to_it_first(front: Front) -> None:
    _, intake, fix_id = await twins_of_which_one_has_a_fix(front)

    page = await page_of(front, intake)
    told = {"key": a_key(), "decision": "link", "reason": "The same.", "fix_id": fix_id}
    linked = await send(front, f"/signals/{intake}/decisions", **told)

    assert "The same matter has an open fix: The post at Northgate" in words(page)
    assert re.findall(r'id="decision-(\w+)"', page) == ["link", "reject", "defer", "second"]
    assert re.search(rf'<option value="{fix_id}" selected', page)
    assert linked.status_code == 303
    after = await page_of(front, intake)
    assert "The same matter has an open fix" not in after
    assert f'href="/fixes/{fix_id}"' in after


async def test_a_second_fix_of_one_matter_is_opened_by_nobody_who_does_not_mean_it(front: Front) -> None:
    cause, intake, fix_id = await twins_of_which_one_has_a_fix(front)
    path = f"/signals/{intake}/decisions"
    told = {"key": a_key(), "reason": "The door is another matter."}

    unmeant = await send(front, path, **told, decision="accept")
    meant = [await send(front, path, **told, decision="second") for _ in range(2)]
    fixes = re.findall(r'href="/fixes/([0-9a-f-]{36})"', await page_of(front, intake))

    assert unmeant.status_code == 409
    assert "The fix “The post at Northgate” is open for the same matter" in words(unmeant.text)
    assert [answer.status_code for answer in meant] == [303, 303]
    assert fixes[0] != fix_id
    assert f'href="/fixes/{fix_id}"' in await page_of(front, cause)


async def test_a_program_is_told_of_the_fix_of_a_twin_and_says_so_where_it_means_a_second(front: Front) -> None:
    cause, intake, fix_id = await twins_of_which_one_has_a_fix(front)
    sue = await front.token(Role.SUPERVISOR)
    asked = {"decision": "accept", "reason": "Another matter."}
    opening = {"title": "The door", "signal_id": str(intake), "reason": "Another matter."}

    twins = (await front.client.get(f"/api/v1/signals/{intake}", headers=sue)).json()["twins"]
    refused = await decide(front, intake, sue, **asked)
    refused_too = await front.client.post("/api/v1/fixes", json=opening, headers=sue | {"Idempotency-Key": a_key()})
    done = await decide(front, intake, sue, **asked, opens_second_fix=True)

    assert twins == [{"signal_id": str(cause), "shared_complaints": 1, "fix_id": fix_id}]
    assert [answer.status_code for answer in (refused, refused_too)] == [409, 409]
    assert {answer.json()["type"] for answer in (refused, refused_too)} == {"/problems/same-matter"}
    assert done.status_code == 201
    assert done.json()["fix_id"] not in {fix_id, None}


@contextmanager
def statements_of(front: Front) -> Iterator[list[str]]:
    """Gather what is asked of the record meanwhile."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    engine = front.services.database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield asked
    event.remove(engine, "before_cursor_execute", note)


async def test_while_others_who_accept_a_signal_have_to_wait_no_complaints_are_compared(front: Front) -> None:
    _, intake, _ = await twins_of_which_one_has_a_fix(front)
    sue = await front.token(Role.SUPERVISOR)

    with statements_of(front) as asked:
        refused = await decide(front, intake, sue, decision="accept", reason="Another matter.")

    assert refused.status_code == 409
    (locked,) = [place for place, statement in enumerate(asked) if "pg_advisory_xact_lock" in statement]
    compared = [place for place, statement in enumerate(asked) if "case_tag" in statement]
    assert len(compared) == 1
    assert compared[0] < locked


async def test_of_a_signal_and_its_twin_accepted_at_once_one_leads_to_a_fix(front: Front) -> None:
    await coded(front, FAILURE)
    twins = [await whole_week(front), await whole_week(front, measure="intake", code="too_slow", family="intake")]
    sue = await front.token(Role.SUPERVISOR)

    answers = await asyncio.gather(
        *(decide(front, signal_id, sue, decision="accept", reason="The move.") for signal_id in twins)
    )

    assert sorted(answer.status_code for answer in answers) == [201, 409]


async def test_the_fixes_of_many_signals_are_found_with_as_many_queries_as_that_of_one(front: Front) -> None:
    sue = await front.token(Role.SUPERVISOR)
    signal_ids = [await a_signal(front, code=code) for code in ("HND1", "HND2", "HND3")]
    for signal_id in signal_ids[1:]:
        opened = await decide(front, signal_id, sue, decision="accept", reason="So.", fix_title=f"Of {signal_id}")
        assert opened.status_code == 201, opened.text
    seen = []

    for among in (signal_ids[:2], signal_ids):
        async with front.services.database.of("riverbend") as connection:
            with statements_of(front) as asked:
                found = await open_fixes_of(connection, among)
        assert {signal_id: row.title for signal_id, row in found.items()} == {s: f"Of {s}" for s in among[1:]}
        seen.append(len(asked))

    assert seen[0] == seen[1]


async def test_once_the_fix_of_a_twin_has_ended_another_is_opened_as_any(front: Front) -> None:
    _, intake, fix_id = await twins_of_which_one_has_a_fix(front)
    await send(front, f"/fixes/{fix_id}/actions/abandon", key=a_key(), reason="The office has closed.", sequence="1")

    page = await page_of(front, intake)

    assert 'id="decision-accept"' in page
    assert "The same matter has an open fix" not in page


async def test_the_list_shows_how_often_signals_were_right(front: Front) -> None:
    await sign_in(front, Role.SUPERVISOR, "sue")
    for code, decision in (("HND1", "accept"), ("HND2", "reject"), ("HND3", "reject")):
        signal_id = await a_signal(front, code=code)
        await send(front, f"/signals/{signal_id}/decisions", key=a_key(), decision=decision, reason="So.")

    listed = words((await front.client.get("/signals")).text)

    assert "too few to say 1 of 3 decided signals" in listed


CARD = {
    "issues": 9, "complaints": 8, "clusters": 6,
    "waiting": {"expected": 4.2, "low": 2, "high": 7, "by": "delay"},
    "completeness": {"share": 0.83, "weeks": [1.0, 0.83]},
    "masked_weeks": ["2026-01-05", "2026-01-12"],
    "by_office": [
        {"code": "harbor", "observed": 7, "expected": 1.2}, {"code": "", "observed": 2, "expected": 0.3},
    ],
    "by_channel": [{"code": "web", "observed": 9, "expected": 1.5}],
    "where_exactly": {"offices": ["harbor"], "observed": 7, "expected": 1.2, "p_value": 0.004},
    "ranking": {
        "place": 2, "excess_per_quarter_at_least": 11.5, "harm": 1.4, "persistence": 1.1, "vulnerability": 1.25,
        "priority": 22.1, "formula": "At least 11.5 more …", "harm_known_of": [5, 9], "vulnerable_known_of": [6, 8],
    },
    "doubts": ["The policy changed on March 2, 2026, within these weeks."],
}  # fmt: skip


async def with_evidence(front: Front, signal_id: UUID, **evidence: object) -> None:
    """Have the latest week hold more than its series."""
    async with front.owner.begin() as connection:
        await connection.execute(
            text("UPDATE signal_week SET evidence = CAST(:evidence AS jsonb) WHERE signal_id = :id"),
            {"id": signal_id, "evidence": json.dumps(EVIDENCE | evidence)},
        )


async def test_a_card_says_what_stands_beside_the_count_where_it_is_and_what_it_weighs(front: Front) -> None:
    signal_id = await a_signal(front)
    await with_evidence(front, signal_id, **CARD)
    async with front.owner.begin() as connection:
        await connection.execute(
            text("""
                INSERT INTO text_drift SELECT 'riverbend', kind, '2026-03-02', 400, 90, shares, '{}', 0.6, '2026-03-02'
                FROM (VALUES ('failure', CAST('[{"code": "HND3", "before": 0.1, "after": 0.3, "q": 0.01}]' AS jsonb)),
                             ('category', CAST('[{"code": "lost", "before": 0.1, "after": 0.3, "q": 0.01}]' AS jsonb))
                ) AS looks (kind, shares)
            """)
        )

    page = words(await page_of(front, signal_id))

    assert "Seen 9 issues in 8 complaints in 4 weeks" in page
    assert "9 issues in 8 complaints in the 4 weeks to March 1, 2026: 1.5 were expected" in page
    assert "2 near-identical letters: the 8 complaints are 6 different letters." in page
    assert "Not counted: about 4.2 more (2 to 7) are expected" in page
    assert "About 83% of the root causes of these weeks are confirmed already" in page
    assert "2 weeks between January 5, 2026 and January 12, 2026 were not learned from" in page
    assert "Most of all at Harbor Service Center: 7 seen, 1.2 expected." in page
    assert "Harbor Service Center 7 1.2 not stated 2 0.3" in page
    assert "By channel" not in page
    assert "It came number 2 among the findings of its look, by root cause, as we coded it." in page
    assert "The policy changed on March 2, 2026, within these weeks." in page
    assert "“Dropped or lost” went from 10% to 30% of the cases." in page
    assert "“Lost" not in page


async def test_each_factor_of_the_weight_says_what_it_is_made_of(front: Front) -> None:
    signal_id = await a_signal(front)
    ranking = CARD["ranking"] | {"vulnerable": 2, "usual_vulnerable_share": 0.12}  # type: ignore[operator]
    await with_evidence(front, signal_id, **CARD | {"ranking": ranking})

    page = words(await page_of(front, signal_id))

    assert (
        "More than expected, at least: 11.5 in a quarter 9 issues in 8 complaints came in 4 weeks, where 1.5 were "
        "expected. It is 95 percent sure that a quarter at this pace brings at least so many more than expected."
        in page
    )
    assert (
        "Harm: × 1.40 The mean weight of the harm that was coded, known of 5 of 9 issues. The policy's weights are: "
        "none or not known 1, minimal 1, minor 1.5, moderate 2, major 4, catastrophic 8." in page
    )
    assert "this has gone on for 1 week." in page
    assert (
        "Vulnerable people: × 1.25 1 and the share of people in vulnerable circumstances, drawn towards the agency's "
        "usual share of 12%. It is known of 6 of 8 complaints, and 2 of these are." in page
    )


async def test_of_two_signals_of_one_matter_only_the_one_that_weighs_more_says_it_came_first(front: Front) -> None:
    await coded(front, FAILURE)
    light = await whole_week(front)
    heavy = await whole_week(front, measure="intake", code="too_slow", family="intake")
    for signal_id, priority in ((light, 2.5), (heavy, 40.0)):
        ranking = CARD["ranking"] | {"place": 1, "priority": priority}  # type: ignore[operator]
        await with_evidence(front, signal_id, ranking=ranking)

    first, second = await page_of(front, heavy), await page_of(front, light)

    assert "It came first among the findings of its look, by kind of problem, as people told it." in words(first)
    assert "It came first" not in second
    rank = second.partition('id="rank"')[2].partition("</section>")[0]
    assert f'href="/signals/{heavy}"' in rank
    assert "by kind of problem, as people told it, came first." in words(rank)


async def test_what_was_checked_and_not_found_stands_with_what_would_make_a_signal_wrong(front: Front) -> None:
    signal_id = await a_signal(front)
    before = await page_of(front, signal_id)
    await with_evidence(front, signal_id, **CARD, not_found=["near-identical letters, as campaigns send them"])
    async with front.owner.begin() as connection:
        await connection.exec_driver_sql(
            "INSERT INTO text_drift VALUES "
            "('riverbend', 'failure', '2026-03-02', 400, 90, '[]', '{}', 0.6, '2026-03-02')"
        )

    doubts = words((await page_of(front, signal_id)).partition('id="doubts"')[2].partition("</section>")[0])

    assert "The policy changed on March 2, 2026, within these weeks." in doubts
    assert (
        "Checked and not found: near-identical letters, as campaigns send them; codes that are used otherwise than "
        "before." in doubts
    )
    assert "What Problem Solving Days brought is not counted." in doubts
    assert "Checked and not found" not in before


async def test_a_standing_signal_and_a_creeping_one_have_figures_of_their_own(front: Front) -> None:
    standing, creeping = await a_signal(front, kind="standing"), await a_signal(front, kind="creep", code="HND1")
    creep = {
        "excess": 12.4, "threshold": 9.1, "weeks_under_way": 31, "since": "2025-08-04", "in_control_years": 20.0,
        "p_value": 0.01, "sentence": "It has crept up for 31 weeks.",
    }  # fmt: skip
    out_of_proportion = {
        "ebgm": 2.64, "eb05": 2.08, "eb95": 3.31, "observed": 9, "expected": 3.4, "weeks": 52,
        "false_share_at_most": 0.05, "is_prior_learnt": True, "sentence": "It is 2.6 times as often as elsewhere.",
    }  # fmt: skip
    await with_evidence(front, standing, kind="standing", standing=out_of_proportion, creep=creep)
    await with_evidence(front, creeping, kind="creep", creep=creep)

    one, other = words(await page_of(front, standing)), words(await page_of(front, creeping))

    assert "Always too many · counted by root cause" in one
    assert "Times as often 2.6 (90 % sure: 2.1 to 3.3)" in one
    assert "It has crept up for 31 weeks." in one
    assert "Unusual from" not in one
    assert "A little more every week · counted by root cause" in other
    assert "Creeping for 31 weeks" in other
    assert "Chance alone about once in 20 years" in other


async def test_a_kind_that_is_new_is_listed_as_new(front: Front) -> None:
    signal_id = await a_signal(front)
    await with_evidence(front, signal_id, is_new=True)

    page, listed = words(await page_of(front, signal_id)), words((await front.client.get("/signals")).text)

    assert "New · counted by root cause" in page
    assert "more than before" not in page.lower()
    assert "more than before" not in listed.lower()


async def test_what_a_card_cannot_say_it_does_not_say(front: Front) -> None:
    standing, creeping = await a_signal(front, kind="standing"), await a_signal(front, kind="creep", code="HND1")
    creep = {
        "excess": 9.0, "threshold": 14.0, "weeks_under_way": 31, "since": "2025-08-04", "in_control_years": 20.0,
        "p_value": 0.01, "sentence": "It has crept up for 31 weeks.",
    }  # fmt: skip
    out_of_proportion = {
        "ebgm": 2.64, "eb05": 2.08, "eb95": 3.31, "observed": 9, "expected": 3.4, "weeks": 52,
        "false_share_at_most": None, "is_prior_learnt": False, "sentence": "It is 2.6 times as often as elsewhere.",
    }  # fmt: skip
    await with_evidence(front, standing, kind="standing", standing=out_of_proportion)
    await with_evidence(front, creeping, kind="creep", creep=creep)

    one, other = words(await page_of(front, standing)), words(await page_of(front, creeping))

    assert "False among such signals too little is known to say" in one
    assert "Creeping for 31 weeks" in other
    assert "Beyond what is tolerated" not in other
    assert "Chance alone" not in other


async def test_an_issue_is_named_where_its_complaint_has_several(front: Front) -> None:
    taken = await front.open_case()
    ann = await front.token(Role.CASEWORKER, name="ann")
    issues = [{"number": number, "service": "benefits", "category": "too_slow"} for number in (1, 2)]
    assert (await front.act(taken["id"], ann, action="triage", issues=issues, severity=1)).status_code == 200
    signal_id = await whole_week(front, measure="intake", code="too_slow", family="intake")

    page = words(await page_of(front, signal_id))

    assert f"{taken['reference']} · issue 2 of 2 · Benefit payments" in page


async def test_the_rule_of_a_decision_stands_under_it_in_numbers(front: Front) -> None:
    signal_id = await a_signal(front)
    await sign_in(front, Role.SUPERVISOR, "sue")
    await send(front, f"/signals/{signal_id}/decisions", key=a_key(), decision="reject", reason="A holiday.")

    decided = words((await page_of(front, signal_id)).partition('id="decided"')[2].partition("</section>")[0])

    assert (
        "should a look find 1.5 times the excess of this decision, which was 0.9 more a week than expected" in decided
    )
    assert "Not seen again in the looks of 8 weeks, it expires." in decided


async def test_an_expired_signal_says_so_and_leaves_the_list_of_those_to_decide(front: Front) -> None:
    signal_id = await a_signal(front, raised_on=date(2025, 11, 4))
    async with front.owner.begin() as connection:
        await connection.execute(text("UPDATE signal_week SET as_of = as_of - 120"))
        await connection.execute(
            text("INSERT INTO signal_run (agency, as_of, inputs_hash, settings, cells) "
                 "VALUES ('riverbend', '2026-03-01', 'h', '{}', 9)")
        )  # fmt: skip

    page, listed = words(await page_of(front, signal_id)), words((await front.client.get("/signals")).text)

    assert "It expired on January 2, 2026: the weekly looks of 8 weeks have not seen it again." in page
    assert "No signal waits for a decision." in listed
    assert "expired on January 2, 2026: not seen since November 7, 2025" in listed


async def test_title_sentence_and_complaints_are_of_the_place_of_the_latest_look(front: Front) -> None:
    signal_id = await whole_week(front, service="benefits")
    narrow = [["HND", "HND3", "benefits", "harbor", "south", ""], ["HND", "HND3", "benefits", "", "", ""]]
    await with_evidence(front, signal_id, cells=narrow)
    async with front.owner.begin() as connection:
        await connection.exec_driver_sql(
            "UPDATE signal_week SET sentences = ARRAY['Dropped or lost, Benefit payments, Harbor Service Center, "
            "channel Web: 9 complaints in 4 weeks.', 'It began in the week of February 23, 2026; that is seldom.']"
        )
    await coded(front, FAILURE)

    page = await page_of(front, signal_id)

    assert "<h1>Dropped or lost · Benefit payments · Harbor Service Center</h1>" in page
    assert '<p class="lead">9 complaints in 4 weeks.</p>' in page
    assert page.count("data-row") == 0


async def test_the_list_and_the_page_say_alike_since_when_it_is_and_whether_it_is_late(front: Front) -> None:
    late = await a_signal(front, raised_on=date(2026, 2, 10), decide_by=date(2026, 3, 3))
    in_time = await a_signal(front, code="HND1")
    await with_evidence(front, late, began_week="2026-02-09")

    page, other = words(await page_of(front, late)), words(await page_of(front, in_time))
    listed = words((await front.client.get("/signals")).text)

    said = (
        "More than before · counted by root cause, as we coded it · since the week of February 9, 2026 · decide by "
        "March 3, 2026 late"
    )
    assert said in page
    assert said in listed
    assert "Since the week of February 9, 2026" in page
    assert "since the week of February 23, 2026 · decide by March 17, 2026" in other
    assert "March 17, 2026 late" not in other


async def test_what_weighs_most_stands_first_among_those_to_decide(front: Front) -> None:
    light, heavy = await a_signal(front, raised_on=date(2026, 3, 3)), await a_signal(front, raised_on=date(2026, 2, 1))
    for signal_id, priority in ((light, 2.5), (heavy, 40.0)):
        await with_evidence(front, signal_id, ranking=CARD["ranking"] | {"priority": priority})  # type: ignore[operator]
    await sign_in(front, Role.SUPERVISOR, "sue")

    listed = (await front.client.get("/signals")).text

    assert listed.index(f"/signals/{heavy}") < listed.index(f"/signals/{light}")


async def test_evidence_stands_beside_the_signal_counted_apart(front: Front) -> None:
    signal_id, key = await a_signal(front), a_key()
    await sign_in(front, Role.ANALYST, "amy")
    path = f"/signals/{signal_id}/evidence"
    told = {"key": key, "source": "event", "words": "Said at the library.", "people_count": "11"}

    unsaid = await send(front, path, key=a_key(), words="")
    added = [await send(front, path, **told) for _ in range(2)]
    await send(front, path, key=a_key(), source="employee_idea", words="A clerk: scan them at the door.")
    page = words((await front.client.get(f"/signals/{signal_id}")).text)

    assert (unsaid.status_code, [answer.status_code for answer in added]) == (422, [303, 303])
    assert "Say where it comes from." in words(unsaid.text)
    assert "Said at an event or in a conversation 1 piece, for 11 people Said at the library." in page
    assert "An employee's observation or idea 1 piece A clerk: scan them at the door." in page
    assert "Seen 9 complaints in 4 weeks" in page


async def test_a_number_of_people_stands_beside_evidence_whose_words_do_not_say_it(front: Front) -> None:
    signal_id = await a_signal(front)
    await sign_in(front, Role.SUPERVISOR, "sue")
    for said, people in (("20 people at the library.", "20"), ("In 2020, at the school.", "1200")):
        told = {"source": "event", "words": said, "people_count": people}
        await send(front, f"/signals/{signal_id}/evidence", key=a_key(), **told)

    page = await page_of(front, signal_id)

    assert "20 people at the library. added by" in words(page)
    assert "In 2020, at the school. 1,200 people · added by" in words(page)


async def test_what_is_wrong_with_a_form_is_said_with_the_name_of_the_field(front: Front) -> None:
    signal_id = await a_signal(front)
    await sign_in(front, Role.SUPERVISOR, "sue")
    told = {"source": "event", "words": "Said at the library.", "people_count": "many", "gathered_on": "yesterday"}

    evidence = await send(front, f"/signals/{signal_id}/evidence", key=a_key(), **told)
    too_long = {"decision": "accept", "reason": "The move.", "fix_title": "x" * 201}
    decision = await send(front, f"/signals/{signal_id}/decisions", key=a_key(), **too_long)

    def summary(page: str) -> str:
        return words(page.partition('id="errors"')[2].partition("</div>")[0])

    assert "For how many people it speaks: Write a whole number, 0 or more." in summary(evidence.text)
    assert "Gathered on: Write the date as year-month-day" in summary(evidence.text)
    assert "Name of the fix: This is longer than 200 characters." in summary(decision.text)


async def test_what_stands_in_the_fields_of_another_decision_is_not_read(front: Front) -> None:
    signal_id = await a_signal(front)
    await sign_in(front, Role.SUPERVISOR, "sue")
    left_over = {"defer_until": "some day", "fix_title": "x" * 201}

    told = {"decision": "reject", "reason": "A holiday."}
    decided = await send(front, f"/signals/{signal_id}/decisions", key=a_key(), **told, **left_over)

    assert decided.status_code == 303


async def test_a_fix_takes_the_evidence_of_its_signal_along(front: Front) -> None:
    signal_id = await a_signal(front)
    await sign_in(front, Role.SUPERVISOR, "sue")
    told = {"source": "survey", "words": "One in nine waited.", "people_count": "90"}
    await send(front, f"/signals/{signal_id}/evidence", key=a_key(), **told)
    await send(front, f"/signals/{signal_id}/decisions", key=a_key(), decision="accept", reason="The move.")
    fix = re.findall(r'href="(/fixes/[0-9a-f-]{36})"', await page_of(front, signal_id))[0]

    page = words((await front.client.get(fix)).text)

    assert "Attached to a signal: found by a survey, 1 piece, for 90 people One in nine waited." in page
