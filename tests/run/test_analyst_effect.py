# SPDX-License-Identifier: Apache-2.0
"""The door for analysts: counts in, a verdict on a fix out."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from run.analyst.effect import FixAsked, effect_of
from run.analyst.tables import BadTable

MONDAY = date(2025, 1, 6)
CHANGED_ON = MONDAY + timedelta(weeks=52)
ASKED = FixAsked(target="lost", controls=("late", "rude"), changed_on=CHANGED_ON.isoformat())
Row = tuple[str, str, int]


def day(week: int) -> str:
    return (MONDAY + timedelta(weeks=week)).isoformat()


def number(week: int) -> str:
    return str(week)


def rows_of(weeks: int = 78, *, after: int = 2, period: Callable[[int], str] = day) -> list[Row]:
    """Return five a week of "lost" for a year and then `after`; the others go on with ten."""
    rows = []
    for week in range(weeks):
        wobble = (week % 3) - 1
        rows.append(("lost", period(week), (5 if week < 52 else after) + wobble))
        rows.append(("late", period(week), 10 + wobble))
        rows.append(("rude", period(week), 10 - wobble))
    return rows


def csv_of(rows: list[Row], header: str = "series,period,count") -> str:
    return "\n".join([header, *(f"{series},{period},{count}" for series, period, count in rows)]) + "\n"


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    path = tmp_path / "counts.csv"
    path.write_text(csv_of(rows_of()), encoding="utf-8")
    return path


def verdict_of(counts: Path, asked: FixAsked = ASKED) -> dict[str, Any]:
    out = counts.with_name("verdict.json")
    effect_of(counts, out, asked)
    verdict: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return verdict


def refusal_of(counts: Path, asked: FixAsked = ASKED) -> str:
    """Return why it is refused, after seeing that nothing was written."""
    out = counts.with_name("verdict.json")
    with pytest.raises(BadTable) as refused:
        effect_of(counts, out, asked)
    assert sorted(path.name for path in counts.parent.iterdir()) == [counts.name]
    return str(refused.value)


def test_a_fix_that_worked_is_told_with_everything_it_rests_on(counts: Path) -> None:
    verdict = verdict_of(counts)

    assert verdict["verdict"] == "effective"
    assert verdict["weeks_still_needed"] is None
    assert verdict["rate_ratio"]["lower"] < 0.4 < verdict["rate_ratio"]["upper"] < 0.7
    assert verdict["probability_reduced"] > 0.99
    assert verdict["e_value"] > 20
    assert verdict["observed"] == 53
    assert verdict["expected"] == pytest.approx(130, rel=0.02)
    assert (verdict["pre_weeks"], verdict["post_weeks"]) == (52, 26)
    assert verdict["controls"] == ["late", "rude"]
    assert set(verdict["checks"]) == {"placebo", "displacement", "intake"}
    assert verdict["checks"]["placebo"]["passed"]
    assert verdict["sentences"][0] == (
        "Since January 5, 2026: 53 complaints where 130 would have been expected without the change."
    )
    assert [week["part"] for week in verdict["series"]] == ["before"] * 52 + ["after"] * 26
    assert verdict["series"][0] == {
        "period": "2025-01-06",
        "observed": 4,
        "expected": pytest.approx(5.0, abs=0.3),
        "lower": pytest.approx(2, abs=1),
        "upper": pytest.approx(9, abs=1),
        "part": "before",
    }


def test_it_says_the_same_every_time(counts: Path) -> None:
    assert verdict_of(counts) == verdict_of(counts)


def test_a_fix_that_changed_nothing_is_told_so(counts: Path) -> None:
    counts.write_text(csv_of(rows_of(after=5)), encoding="utf-8")

    assert verdict_of(counts)["verdict"] == "not effective"


def test_weeks_may_be_numbers(counts: Path) -> None:
    counts.write_text(csv_of(rows_of(period=number)), encoding="utf-8")

    verdict = verdict_of(counts, replace(ASKED, changed_on="52"))

    assert verdict["verdict"] == "effective"
    assert verdict["sentences"][0].startswith("Since week 52: ")
    assert verdict["series"][0]["period"] == 0


def test_a_change_in_mid_week_makes_that_week_one_of_transition(counts: Path) -> None:
    in_mid_week = (CHANGED_ON + timedelta(days=2)).isoformat()

    verdict = verdict_of(counts, replace(ASKED, changed_on=in_mid_week, transition_weeks=3))

    assert (verdict["pre_weeks"], verdict["post_weeks"]) == (52, 22)
    assert verdict["left_out"]["transition_weeks"] == 4
    assert [week["part"] for week in verdict["series"]].count("left out") == 4


def test_trigger_and_masked_weeks_are_left_out(counts: Path) -> None:
    asked = replace(ASKED, trigger_from=day(44), trigger_to=day(51), masked=((day(10), day(12)), (day(60), day(60))))

    verdict = verdict_of(counts, asked)

    assert (verdict["pre_weeks"], verdict["post_weeks"]) == (52 - 8 - 3, 25)
    assert verdict["left_out"] == {
        "trigger_weeks": 8,
        "trigger_was_given": True,
        "transition_weeks": 0,
        "masked_weeks": 4,
    }


def test_high_weeks_before_the_change_are_left_out_without_being_asked(counts: Path) -> None:
    rows = [(s, p, c + 9 if s == "lost" and day(44) <= p < day(52) else c) for s, p, c in rows_of(after=5)]
    counts.write_text(csv_of(rows), encoding="utf-8")

    verdict = verdict_of(counts)

    assert verdict["left_out"]["trigger_weeks"] >= 8
    assert not verdict["left_out"]["trigger_was_given"]
    assert verdict["rate_ratio"]["estimate"] == pytest.approx(1.0, abs=0.05)


def test_before_the_change_has_weeks_there_is_no_ratio(counts: Path) -> None:
    counts.write_text(csv_of(rows_of(52)), encoding="utf-8")

    verdict = verdict_of(counts)

    assert verdict["verdict"] == "not yet known"
    assert verdict["rate_ratio"] is None
    assert verdict["weeks_still_needed"] > 0


def test_other_series_of_the_file_are_looked_at_for_complaints_that_moved(counts: Path) -> None:
    moved = [("moved", day(week), 3 if week < 52 else 9) for week in range(78)]
    gaps = [("new", day(week), 3) for week in range(60, 78)]
    counts.write_text(csv_of([*rows_of(), *moved, *gaps]), encoding="utf-8")

    found = {one["series"]: one["risen"] for one in verdict_of(counts)["checks"]["displacement"]["neighbours"]}

    assert found == {"late": False, "rude": False, "moved": True}


def test_without_controls_what_was_served_is_the_expectation(counts: Path) -> None:
    rows = [line + (",100" if index else ",exposure") for index, line in enumerate(csv_of(rows_of()).splitlines())]
    counts.write_text("\n".join(rows), encoding="utf-8")

    verdict = verdict_of(counts, replace(ASKED, controls=()))

    assert verdict["verdict"] == "effective"
    assert any("no controls" in sentence for sentence in verdict["sentences"])


def test_a_byte_order_mark_and_blank_lines_do_no_harm(counts: Path) -> None:
    counts.write_text("\ufeff" + csv_of(rows_of()).replace("\nrude", "\n\nrude", 1), encoding="utf-8")

    assert verdict_of(counts)["verdict"] == "effective"


def with_line(rows: list[Row], line: int, text: str) -> str:
    lines = csv_of(rows).splitlines()
    lines[line - 1] = text
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (with_line(rows_of(), 5, f"lost,{day(1)},-1"), "line 5: a count cannot be -1; give 0 or more."),
        (with_line(rows_of(), 5, f"lost,{day(1)},4.5"), "line 5: '4.5' is not a whole number"),
        (with_line(rows_of(), 5, f"lost,{day(1)},"), "line 5: '' is not a whole number"),
        (with_line(rows_of(), 5, f"lost,{day(1)}"), "line 5: 2 fields where the heading has 3"),
        (with_line(rows_of(), 5, f",{day(1)},4"), "line 5: the series is empty"),
        (with_line(rows_of(), 5, "lost,soon,4"), "line 5: 'soon' is no week"),
        (with_line(rows_of(), 5, "lost,7,4"), "line 5: the period is a number and those above are not"),
        (with_line(rows_of(), 5, f"lost,{day(0)},4"), "line 5: lost has a row for 2025-01-06 on line 2 already"),
        (with_line(rows_of(), 5, "lost,2025-01-14,4"), "line 5: 2025-01-14 does not lie whole weeks after 2025-01-06"),
        (with_line(rows_of(), 5, f"other,{day(1)},4"), "line 8: lost has no row for 2025-01-13; add it, with 0"),
        (csv_of(rows_of()[:-1]), f"after the last line of rude: rude has no row for {day(77)}"),
        (csv_of([row for row in rows_of(period=number) if row[:2] != ("rude", "0")]), "line 6: rude has no row for 0"),
        (csv_of(rows_of(), "series,period,count,number"), "line 1: the column 'number' is unknown"),
        (csv_of(rows_of(), "series,period,count,period"), "line 1: the column period is there twice"),
        ("series,period\n", "line 1: there is no column count"),
        ("series,period,count\n", "holds no counts below its heading"),
        ("", "line 1: there is no column series"),
        ('series,period,count\n"lost,1,2\n', "line 2: unexpected end of data"),
        ("series,period,count,exposure\nlost,1,2,0\n", "line 2: the exposure '0' is not a number above 0"),
        ("series,period,count,exposure\nlost,1,2,nan\n", "line 2: the exposure 'nan' is not a number above 0"),
        ("series,period,count\nlost,1,2\nlost,99999999,2\nlate,1,1\nrude,1,1\n", "mend the period that is wrong"),
        ("series,period,count\nlost,9999-12-31,2\n", "line 2: '9999-12-31' is no week"),
        (csv_of([(s, p, c) for s, p, c in rows_of() if s != "rude"]), "has no series 'rude'"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_line(counts: Path, text: str, said: str) -> None:
    counts.write_text(text, encoding="utf-8")

    assert said in refusal_of(counts)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"target": "found"}, "has no series 'found'"),
        ({"controls": ("late", "")}, "single commas"),
        ({"controls": ("late", "late")}, "each named once"),
        ({"controls": ("lost",)}, "other series than the target"),
        ({"changed_on": "soon"}, "--changed-on: 'soon' is no week"),
        ({"changed_on": "52"}, "--changed-on: 52 is a number, while the table's periods are dates"),
        ({"changed_on": day(5)}, "5 weeks before the change are too few"),
        ({"transition_weeks": -1}, "transition weeks are 0 or more"),
        ({"target_reduction": 1.5}, "target reduction is a share"),
        ({"trigger_to": day(40)}, "Give --trigger-from"),
        ({"trigger_from": day(60)}, "No week before the change"),
        ({"masked": ((day(3), "soon"),)}, "--mask: 'soon' is no week"),
        ({"neighbours": ("found",)}, "has no series 'found'"),
    ],
)
def test_options_that_do_not_fit_are_refused(counts: Path, other: dict[str, Any], said: str) -> None:
    assert said in refusal_of(counts, replace(ASKED, **other))


def test_a_file_that_is_not_there_or_not_text_is_refused(counts: Path) -> None:
    missing = counts.with_name("missing.csv")
    with pytest.raises(BadTable, match="cannot be read"):
        effect_of(missing, counts.with_name("verdict.json"), ASKED)

    counts.write_bytes(b"series,period,count\nl\xf6st,1,2\n")
    assert "not in UTF-8" in refusal_of(counts)


def test_an_older_verdict_stays_if_the_new_one_cannot_be_written(counts: Path) -> None:
    with pytest.raises(BadTable, match="cannot be written"):
        effect_of(counts, counts.parent / "nowhere" / "verdict.json", ASKED)

    out = counts.with_name("verdict.json")
    out.write_text("older", encoding="utf-8")
    counts.write_text("", encoding="utf-8")
    with pytest.raises(BadTable):
        effect_of(counts, out, ASKED)
    assert out.read_text(encoding="utf-8") == "older"
