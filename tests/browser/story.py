# SPDX-License-Identifier: Apache-2.0
"""Something true for every page to show: complaints lived through the interface, a day at the desk, one signal."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Self
from uuid import UUID, uuid4

import httpx

from tests.browser.product import AGENCY, Product

COMPLAINTS = (
    (
        "My housing aid renewal was sent back for the third time, each time for another missing paper.",
        "Please accept the papers you have.",
        ("housing", "passed_around", "northgate"),
    ),
    (
        "My payment for March has not come. The telephone line says my file does not exist.",
        "Please find my file and pay.",
        ("benefits", "lost", "eastside"),
    ),
    ("I asked for a birth record on the first of the month. Nobody answers.", None, ("records", "too_slow", "central")),
    ("The street light at Mill and Third is out since the storm.", None, ("streets", "needs_repair", "mill_park")),
    (
        "I was fined for parking although my permit was on the dashboard. I have a photo.",
        "Take the fine back.",
        ("parking", "wrong_decision", None),
    ),
    ("The clerk spoke to my mother as if she were a child.", "An apology.", ("benefits", "treated_badly", "harbor")),
    ("There is a smell of a gas leak in our hallway and no one comes.", None, ("housing", "unsafe", "southfield")),
)
ANSWER = "We found your request and the record is in the mail. We had nobody at that desk for a week. We are sorry."
CONTACT = {"name": "Jo Rivers", "email": "jo.rivers@example.org", "phone": "555-0123"}
UPHELD = [{"number": 1, "finding": "upheld", "remedies": ["apology"]}]
NO_ONE_THERE = {
    "kind": "failure", "failure": "TIM2", "contributing_cause": "CAP", "severity": 1, "harm": 2, "scope": "group",
}  # fmt: skip


@dataclass
class Told:
    """What the story holds, for tests to find."""

    receipts: list[dict[str, str]] = field(default_factory=list)
    day_id: UUID = field(default_factory=uuid4)
    signal_id: UUID = field(default_factory=uuid4)

    walk_in: dict[str, str] = field(default_factory=dict)

    @property
    def waiting(self) -> dict[str, str]:
        """A complaint with a question to its sender."""
        return self.receipts[1]

    @property
    def open(self) -> dict[str, str]:
        """A complaint that is being looked into."""
        return self.receipts[0]

    @property
    def answered(self) -> dict[str, str]:
        """A complaint that is closed."""
        return self.receipts[2]


class Desk:
    """Somebody working through the interface."""

    def __init__(self, product: Product, name: str) -> None:
        headers = {"Authorization": f"Bearer {product.token(name)}"}
        self._client = httpx.Client(base_url=f"{product.base_url}/api/v1", headers=headers, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def file(self, **complaint: object) -> dict[str, str]:
        """Take a complaint in."""
        response = self._client.post("/complaints", json=complaint, headers={"Idempotency-Key": str(uuid4())})
        assert response.status_code == httpx.codes.CREATED, response.text
        taken: dict[str, str] = response.json()
        return taken

    def act(self, case_id: str, action: str, **asked: object) -> None:
        """Ask something of a case."""
        response = self._client.post(
            f"/complaints/{case_id}/actions",
            json={"action": action, **asked},
            headers={"Idempotency-Key": str(uuid4())},
        )
        assert response.is_success, response.text

    def triage(self, case_id: str, service: str, category: str, **asked: object) -> None:
        """Say what a case is about, how grave it is and whose."""
        issues = [{"number": 1, "service": service, "category": category}]
        self.act(case_id, "triage", issues=issues, **asked)


def live_through(product: Product) -> Told:
    """Fill an empty installation."""
    told = Told()
    with Desk(product, "ann") as ann, Desk(product, "ben") as ben, Desk(product, "ivy") as ivy:
        _live_through(told, ann, ben)
        _hold_a_day(product, told, ivy)
    _raise_a_signal(product, told)
    return told


def _live_through(told: Told, ann: Desk, ben: Desk) -> None:
    for narrative, wanted, (service, category, office) in COMPLAINTS:
        asked = {"narrative": narrative, "wanted": wanted, "contact": CONTACT, "channel": "phone"}
        told.receipts.append(ann.file(**asked, service=service, category=category, office=office))
    first, second, third, _, fifth, *_ = [receipt["id"] for receipt in told.receipts]
    ann.triage(first, "housing", "passed_around", severity=2, owner="ann")
    ann.act(
        first, "acknowledge", text="I am Ann Archer. You were sent away three times over papers we may have already."
    )
    ann.act(first, "note", text="Northgate has the papers; they are being scanned now.")
    ann.triage(second, "benefits", "lost", severity=2, owner="ann")
    ann.act(second, "request_information", text="At which address did you live in January?")
    ben.triage(third, "records", "too_slow", severity=1, owner="ben")
    ben.act(third, "answer", text=ANSWER, issues=UPHELD)
    ben.act(third, "tag_root_cause", issues=[{"number": 1, "cause": NO_ONE_THERE}])
    ben.act(third, "close")
    ann.triage(fifth, "parking", "wrong_decision", severity=3, owner="ann")
    ann.act(fifth, "propose_answer", text="The fine is taken back; your permit was valid.", issues=UPHELD)


def _hold_a_day(product: Product, told: Told, ivy: Desk) -> None:
    today = datetime.now(UTC).date()
    product.write(
        "problem_solving_day", id=told.day_id, agency=AGENCY, name="Problem Solving Day at Northgate Library",
        place="12 Elm Street", held_on=today, office="northgate", roster=["ivy", "ann"], made_by="leo",
    )  # fmt: skip
    told.walk_in = ivy.file(
        narrative="My resident parking permit was renewed, but the sticker never came.", channel="event",
        service="parking", category="too_slow", event_id=str(told.day_id),
    )  # fmt: skip


def _raise_a_signal(product: Product, told: Told) -> None:
    today = datetime.now(UTC).date()
    monday = today - timedelta(days=today.weekday() + 7)
    began = monday - timedelta(weeks=3)
    product.write(
        "signal", id=told.signal_id, agency=AGENCY, measure="cause", code="TIM2", family="TIM", service="records",
        office="central", began_week=began, raised_on=today, decide_by=today + timedelta(days=10),
    )  # fmt: skip
    product.write(
        "signal_week", signal_id=told.signal_id, as_of=today, agency=AGENCY, inputs_hash="test", observed=23,
        expected=6.2, threshold=11, p_value=0.00002, q_value=0.004, window_weeks=4,
        sentences=[
            "Stalled, Public records, Central Office: 23 complaints in 4 weeks, where 6.2 were expected.",
            "It began four weeks ago; chance alone would do this here less than once in 1,000 years.",
        ],
        evidence={"cells": [["TIM", "TIM2", "records", "central"]], "series": series(monday)},
    )  # fmt: skip


def series(last_monday: date, weeks: int = 78) -> dict[str, list[object]]:
    """Return a year and a half of weeks: quiet, and then not."""
    mondays = [last_monday - timedelta(weeks=back) for back in reversed(range(weeks))]
    quiet = [(index * 7) % 4 for index in range(weeks - 4)]
    return {
        "weeks": [monday.isoformat() for monday in mondays],
        "observed": [*quiet, 4, 5, 6, 8],
        "expected": [1.55] * weeks,
        "upper_band": [5] * weeks,
    }
