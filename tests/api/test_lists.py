# SPDX-License-Identifier: Apache-2.0
"""Lists: filters, order, and pages that hold every case once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from models.terms import Role, State
from tests.api.conftest import NOW, Front

PATH = "/api/v1/complaints"


async def everything(front: Front, headers: dict[str, str], **query: str | int) -> list[str]:
    """Walk all pages of a list and return the references in their order."""
    found: list[str] = []
    cursor = None
    for _ in range(50):
        asked = query | ({"cursor": cursor} if cursor else {})
        answer = await front.client.get(PATH, params=asked, headers=headers)
        assert answer.status_code == 200, answer.text
        found += [case["reference"] for case in answer.json()["cases"]]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found
    raise AssertionError("the list has no end")


@pytest.fixture
async def ann(front: Front) -> dict[str, str]:
    return await front.token(Role.CASEWORKER, name="ann")


async def spread(front: Front, count: int) -> list[dict[str, Any]]:
    """Return opened cases whose receipts and due dates lie an hour apart, two and two alike."""
    taken = [await front.open_case(narrative=f"Complaint number{n} about heating") for n in range(count)]
    async with front.owner.begin() as connection:
        for n, case in enumerate(taken):
            await connection.execute(
                text("UPDATE case_file SET sort_at = :at, queue_at = :at, due_at = :at WHERE case_id = :id"),
                {"at": NOW + timedelta(hours=n // 2 - 2), "id": UUID(case["id"])},
            )
            await connection.execute(
                text("UPDATE case_search SET sort_at = :at WHERE case_id = :id"),
                {"at": NOW + timedelta(hours=n // 2 - 2), "id": UUID(case["id"])},
            )
    return taken


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
@pytest.mark.parametrize(
    "query", [{"sort": "queue"}, {"sort": "newest"}, {"q": "heating"}, {"q": "heating", "state": "in_triage"}]
)
async def test_pages_of_any_length_hold_every_case_once_in_one_order(
    front: Front, ann: dict[str, str], limit: int, query: dict[str, Any]
) -> None:
    taken = await spread(front, 7)

    found = await everything(front, ann, limit=limit, **query)

    assert sorted(found) == sorted(case["reference"] for case in taken)
    due_first = [case["reference"] for case in sorted(taken, key=lambda case: (taken.index(case) // 2, case["id"]))]
    assert found == (due_first if query.get("sort") == "queue" else due_first[::-1])


async def test_filters_narrow_a_list(front: Front, ann: dict[str, str]) -> None:
    waiting, closed = await front.case_at(State.IN_TRIAGE), await front.case_at(State.CLOSED)

    async def found(**query: str | int) -> list[str]:
        return await everything(front, ann, **query)

    assert set(await found(sort="newest")) == {closed["reference"], waiting["reference"]}
    assert await found() == await found(open="true") == [waiting["reference"]]
    assert await found(sort="newest", open="false") == [closed["reference"]]
    assert await found(sort="newest", state="closed", service="benefits", category="too_slow") == [closed["reference"]]
    assert await found(stage="triage", channel="web") == [waiting["reference"]]
    assert await found(sort="newest", severity=1) == [closed["reference"]]
    assert await found(sort="newest", owner="nobody") == []
    assert await found(q="lost", open="false") == [closed["reference"]]


async def test_late_cases_are_found_as_such(front: Front, ann: dict[str, str]) -> None:
    taken = await spread(front, 6)

    late = await everything(front, ann, overdue="true")
    rest = await everything(front, ann, overdue="false")

    assert len(late) == 4
    assert sorted(late + rest) == sorted(case["reference"] for case in taken)


async def test_a_reference_finds_its_case_however_it_is_typed(front: Front, ann: dict[str, str]) -> None:
    taken = await front.open_case()

    assert await everything(front, ann, q=taken["reference"].lower().replace("-", " ")) == [taken["reference"]]


@pytest.mark.parametrize(
    "query", ["cursor=x", "cursor=WyJhIl0", "limit=0", "limit=201", "q=a%00b", "sort=oldest", "state=moo"]
)
async def test_what_a_list_does_not_know_is_refused_by_field(front: Front, ann: dict[str, str], query: str) -> None:
    answer = await front.client.get(f"{PATH}?{query}", headers=ann)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [query.partition("=")[0]]


async def test_a_cursor_of_another_order_is_refused(front: Front, ann: dict[str, str]) -> None:
    await spread(front, 3)
    first = await front.client.get(f"{PATH}?sort=newest&limit=1", headers=ann)

    answer = await front.client.get(PATH, params={"cursor": first.json()["next_cursor"], "sort": "queue"}, headers=ann)

    assert answer.status_code == 422


@pytest.mark.parametrize("words", ["'", '"', "a & | !", "-", "(", "foo:*", "\\", "ж 漢字", "or or or"])
async def test_any_words_may_be_searched_for(front: Front, ann: dict[str, str], words: str) -> None:
    assert await everything(front, ann, q=words) == []
