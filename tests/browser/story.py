# SPDX-License-Identifier: Apache-2.0
"""Something true for every page to show: complaints lived through the interface, a day at the desk, a signal, fixes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Self
from uuid import UUID, uuid4

import httpx
from psycopg.types.json import Jsonb

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
    planned_fix: str = ""
    """A fix that is worked out, and waits for its plan to be registered."""
    judged_fix: str = ""
    """A fix whose weekly looks have found that it works."""
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

    def open_fix(self, **asked: object) -> str:
        """Open a systemic fix."""
        response = self._client.post("/fixes", json=asked, headers={"Idempotency-Key": str(uuid4())})
        assert response.is_success, response.text
        return str(response.json()["fix_id"])

    def lead(self, fix_id: str, action: str, **asked: object) -> None:
        """Ask something of a fix."""
        response = self._client.post(
            f"/fixes/{fix_id}/actions", json={"action": action, **asked}, headers={"Idempotency-Key": str(uuid4())}
        )
        assert response.is_success, response.text

    def state_of_fix(self, fix_id: str) -> str:
        """Return where a fix stands."""
        return str(self._client.get(f"/fixes/{fix_id}").json()["state"])

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
    with Desk(product, "sue") as sue:
        _lead_fixes(product, told, sue)
    _read_texts(product, told)
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


def _read_texts(product: Product, told: Told) -> None:
    """Leave what a worker's reading would have left: a suggestion, a copy, and the week's look at coding."""
    now = datetime.now(UTC)
    week = now.date() - timedelta(days=now.weekday())
    ids = [receipt["id"] for receipt in told.receipts]
    best = {"codes": ["needs_repair", "too_slow"], "chances": [0.71, 0.2], "abstained": False, "made_at": now}
    said = {"needs_repair": ["street light", "is out"]}
    product.write(
        "text_suggestion", case_id=ids[3], number=1, kind="category", agency=AGENCY, version=1, **best, words=said
    )
    product.write(
        "text_copy", case_id=ids[3], agency=AGENCY, of_case_id=ids[2], similarity=0.9, found_at=now
    )  # fmt: skip
    product.write(
        "coding_queue", agency=AGENCY, week=week, place=1, case_id=ids[0], number=1, uncertainty=0.9, distinctness=1.0
    )
    product.write(
        "text_drift", agency=AGENCY, kind="failure", week=week, cases_before=300, cases_after=80, shares=Jsonb([]),
        words=[], words_p_value=0.4, made_at=now,
    )  # fmt: skip
    product.write(
        "text_new_failure", agency=AGENCY, week=week, place=1, case_ids=[UUID(one) for one in ids[:2]],
        letter_count=5, expected_count=0.2, words=["kiosk", "screen"], made_at=now,
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
        evidence={"cells": [["TIM", "TIM2", "records", "central", "", ""]], "series": series(monday), **CARD},
    )  # fmt: skip


CARD = {
    "kind": "surge", "issues": 23, "complaints": 22, "clusters": 20, "false_share_at_most": 0.1,
    "waiting": {"expected": 4.2, "low": 2, "high": 7, "by": "delay"},
    "by_channel": [
        {"code": "phone", "observed": 14, "expected": 2.9}, {"code": "web", "observed": 9, "expected": 3.3},
    ],
    "ranking": {
        "place": 1, "excess_per_quarter_at_least": 31.2, "harm": 1.4, "persistence": 1.06, "vulnerability": 1.0,
        "priority": 46.3, "harm_known_of": [19, 23],
        "formula": "At least 31.2 more than expected in a quarter × harm 1.4 × lasting 1.06 × vulnerable people 1 = 46",
    },
    "doubts": ["The policy changed on March 2, 2026, within these weeks: a new code can look like a failure."],
    "not_found": ["too few causes that are confirmed yet"],
    "by_office": [
        {"code": "central", "observed": 19, "expected": 3.1}, {"code": "harbor", "observed": 4, "expected": 3.1},
    ],
    "creep": {
        "excess": 12.4, "threshold": 9.1, "weeks_under_way": 31, "since": "2025-08-04", "in_control_years": 20.0,
        "p_value": 0.01, "sentence": "It has also crept up for 31 weeks.",
    },
}  # fmt: skip


LOST = {"measure": "cause", "family": "HND", "code": "HND3", "service": "benefits"}
CHANGED_WEEKS_AGO, WEEKS_COUNTED = 14, 66
JUDGED_WITHIN_SECONDS = 120


def _lead_fixes(product: Product, told: Told, sue: Desk) -> None:
    monday = datetime.now(UTC).date()
    monday -= timedelta(days=monday.weekday())
    changed_on = monday - timedelta(weeks=CHANGED_WEEKS_AGO)
    for back in range(1, WEEKS_COUNTED + 1):
        week = monday - timedelta(weeks=back)
        for office, count in (("northgate", 9 if week < changed_on else 2), ("harbor", 16), ("eastside", 11)):
            product.write(
                "cell_day", agency=AGENCY, measure="cause", code="HND3", service="benefits", office=office,
                channel="web", week=week, happened_on=week, total=count + (back * 7) % 3,
            )  # fmt: skip
    told.planned_fix = _worked_out(sue, "Forms are lost at Eastside", changed_on, "eastside")
    told.judged_fix = _worked_out(sue, "Paper renewals are lost at Northgate", changed_on, "northgate")
    plan = {
        "targets": [LOST | {"office": "northgate"}], "controls": [LOST | {"office": "harbor"}], "baseline_rate": 10,
        "change_planned_on": str(changed_on), "look_on": str(changed_on + timedelta(weeks=16)),
    }  # fmt: skip
    sue.lead(told.judged_fix, "register", plan=plan)
    sue.lead(told.judged_fix, "finish_measure", number=1, done_on=str(changed_on), effective_on=str(changed_on))
    sue.lead(told.judged_fix, "put_in_place", changed_on=str(changed_on))
    until = time.monotonic() + JUDGED_WITHIN_SECONDS
    while sue.state_of_fix(told.judged_fix) != "effective":
        assert time.monotonic() < until, "the fix was not judged in time"
        time.sleep(0.5)
    sue.lead(
        told.judged_fix, "approve_words", occasion="accepted",
        words="You said: your renewal forms were lost. You were right. From March on, somebody opens the post by nine.",
    )  # fmt: skip


def _worked_out(sue: Desk, title: str, due_on: date, office: str) -> str:
    fix_id = sue.open_fix(title=title, cells=[LOST | {"office": office}])
    sue.lead(fix_id, "describe", statement="Since the move in August, forms sent by post are not found again.")
    sue.lead(fix_id, "add_cause", category="PRO", whys=["They lie unopened for days.", "Nobody is named for the post."])
    sue.lead(fix_id, "add_cause", category="CAP", whys=["Two posts are vacant."])
    sue.lead(fix_id, "add_evidence", source="conversation", words="Said at the library in May.", people_count=7)
    sue.lead(fix_id, "add_evidence", source="employee_idea", words="A clerk photographed the pile.")
    sue.lead(fix_id, "add_option", words="Name one person for each morning's post.")
    sue.lead(fix_id, "add_option", words="Take renewals on line only.")
    sue.lead(fix_id, "choose_option", number=1, reason="Not everybody is on line, and it can start at once.")
    sue.lead(
        fix_id, "plan_measure", number=1, words="The rota names who opens the post by nine.", kind="procedure",
        strength="intermediate", owner="ann", due_on=str(due_on), document="Office order 14",
    )  # fmt: skip
    return fix_id


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
