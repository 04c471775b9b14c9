# SPDX-License-Identifier: Apache-2.0
"""Complaints in, what recurs and where out: the body of `putright cube-scan`.

EVENTS.csv has one row per complaint: `received_on` (a date in ISO 8601) and any other columns, each a dimension. Which
stands above which is seen from the data. An empty field is a value of its own, `(not stated)`. Columns in which most
values occur once name single complaints and are left out. Judged is the last week, Monday to Sunday, that is over at
the end of the day given; later complaints, those of a week that is not over included, are not read.

SIGNALS.json has the `signals`, the most pressing first: the cell that tells the story, what else it makes unusual
(`members`), how many came and how many were expected in how many weeks, since when, how likely by chance, its weekly
series, and how it is spread over the dimensions it leaves open (`by`).
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from analytics.card import parts_of, rank_findings
from analytics.cube import monday_of, week_of
from analytics.detection import METHOD, Finding, detect, hash_of_inputs
from analytics.dimensions import Events, Overlaps, build_any_cube, nesting
from analytics.ranking import Ranking
from analytics.scores import DetectionSettings, score_cells
from analytics.wording import Labels, sentences
from models.wording import english_day
from run.analyst.tables import BadTable, WrongOption, first_bad_line, read_table, whole_or_not

DATE_COLUMN = "received_on"
DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
NOT_STATED = "(not stated)"
MOST_DIMENSIONS = 12
FEWEST_ROWS_TO_TELL_NAMES = 20
PARTS_SHOWN = 12
DAYS_PER_WEEK = 7
FIRST_DAY_OF_POLARS = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class _Read:
    """The events of the weeks that are over, the last of these weeks, and the columns left out."""

    events: Events
    first_week: int
    as_of_week: int
    left_out: tuple[str, ...]


def cube_scan(events: Path, out: Path, *, as_of: date, settings: DetectionSettings | None = None) -> str:
    """Look at all cells of the complaints in one file, write the signals to another, and say what came of it.

    Raises BadTable, in which case nothing is written.
    """
    settings = settings or DetectionSettings()
    read = _read(events, as_of, settings)
    cube = build_any_cube(read.events, first_week=read.first_week, as_of_week=read.as_of_week)
    overlaps = Overlaps(read.events, read.as_of_week)
    findings = detect(cube, as_of_week=read.as_of_week, settings=settings, overlaps=overlaps)
    ranking = rank_findings(findings)
    looked_at = len(cube.cells) + sum(count for _, count in cube.silent_counts)
    is_judged = bool(findings) or score_cells(cube, as_of_week=read.as_of_week, settings=settings) is not None
    last_day = monday_of(read.as_of_week + 1) - timedelta(days=1)
    document = {
        "as_of": as_of.isoformat(),
        "last_week_begins": monday_of(read.as_of_week).isoformat(),
        "last_week_ends": last_day.isoformat(),
        "method": METHOD,
        "inputs_hash": hash_of_inputs(cube, as_of_week=read.as_of_week, settings=settings),
        "false_discovery_rate": settings.false_discovery_rate,
        "has_enough_past": is_judged,
        "dimensions": list(read.events.names),
        "stands_above": dict(sorted(nesting(read.events).items())),
        "columns_left_out": list(read.left_out),
        "cells_looked_at": looked_at,
        "signals": [_signal(findings[place], read.events, ranking, int(place)) for place in ranking.order],
    }
    with whole_or_not(out) as lines:
        json.dump(document, lines, ensure_ascii=False, indent=1)
        lines.write("\n")
    found = "one signal" if len(findings) == 1 else f"{len(findings):,} signals"
    short = "" if is_judged else " There is too little past to judge by."
    unread = (
        ""
        if last_day == as_of
        else f"; what came after it, up to {english_day(as_of)}, is part of a week and was not read"
    )
    return (
        f"{int(read.events.count.sum()):,} complaints, {looked_at:,} cells looked at: {found}.{short} "
        f"The last week judged is that of {english_day(monday_of(read.as_of_week))} to {english_day(last_day)}{unread}."
    )


def _signal(finding: Finding, events: Events, ranking: Ranking, place: int) -> dict[str, Any]:
    series = finding.series
    return {
        "cell": finding.cell.named,
        "sentences": list(sentences(finding, Labels(day=english_day))),
        "window_weeks": finding.window_weeks,
        "observed": finding.observed_count,
        "expected": round(finding.expected_count, 4),
        "threshold": finding.threshold_count,
        "p_value": finding.p_value,
        "q_value": finding.q_value,
        "recurrence_years": finding.recurrence_years,
        "began_week": monday_of(finding.began_week).isoformat(),
        "excess": round(finding.excess_count, 4),
        "excess_per_quarter_at_least": round(float(ranking.excess_per_quarter[place]), 4),
        "priority": round(float(ranking.priority[place]), 4),
        "formula": ranking.formula(place),
        "members": [member.named for member in finding.members],
        "by": {name: _spread(finding, events, name) for name in events.names if name not in finding.cell.named},
        "series": {
            "weeks": [monday_of(week).isoformat() for week in series.weeks],
            "observed": list(series.observed_counts),
            "expected": [round(value, 3) for value in series.expected_counts],
            "upper_band": list(series.upper_band),
        },
    }


def _spread(finding: Finding, events: Events, name: str) -> list[dict[str, Any]]:
    """Return how the finding is spread over one dimension, the largest excess first."""
    dimension = events.names.index(name)
    rows = events.rows_of(finding.cell)
    values = events.values[dimension]
    parts = parts_of(finding, events.codes[rows, dimension], events.week[rows], events.count[rows], len(values))
    return [
        {
            "value": values[part],
            "observed": int(parts.observed[part]),
            "expected": round(float(parts.expected[part]), 3),
        }
        for part in parts.shown()[:PARTS_SHOWN]
    ]


def _read(path: Path, as_of: date, settings: DetectionSettings) -> _Read:
    """Return the file's events up to the last whole week."""
    columns = _columns(path)
    table = read_table(path, (DATE_COLUMN,), columns)
    day = pl.col(DATE_COLUMN).str.to_date("%Y-%m-%d", strict=False)
    is_bad = ~pl.col(DATE_COLUMN).str.contains(DATE) | day.is_null()
    if (bad := first_bad_line(table, is_bad)) is not None:
        raise BadTable(f"{path}, line {bad['line']}: {bad[DATE_COLUMN]!r} is not a day; write it as 2026-11-30.")
    left_out = tuple(name for name in columns if _names_single_rows(table[name]))
    kept = [name for name in columns if name not in left_out]
    if not 0 < len(kept) <= MOST_DIMENSIONS:
        raise BadTable(
            f"{path}, line 1: {len(kept)} columns can serve as dimensions beside {DATE_COLUMN}; "
            f"give 1 to {MOST_DIMENSIONS}."
        )
    # Day 1 of the ordinals is a Monday.
    week = (day.cast(pl.Int64) + FIRST_DAY_OF_POLARS - 1) // DAYS_PER_WEEK
    as_of_week = week_of(date.fromordinal(as_of.toordinal() + 1)) - 1
    table = table.with_columns(week=week).filter(pl.col("week") <= as_of_week)
    if table.is_empty():
        raise WrongOption(f"No complaint was received by {english_day(monday_of(as_of_week + 1))}; give a later day.")
    last_week = int(table.select(pl.col("week").max()).item())
    if as_of_week - last_week >= max(settings.windows):
        raise WrongOption(
            f"The last complaint was received in the week of {english_day(monday_of(last_week))}, and no window that "
            f"ends on {english_day(as_of)} reaches back to it; look at the year of --as-of."
        )
    longest = settings.baseline.longest_baseline_weeks + settings.baseline.gap_weeks
    earliest = int(table.select(pl.col("week").min()).item())
    first_week = max(earliest, as_of_week - longest)
    table = table.filter(pl.col("week") >= first_week)
    return _Read(_events(table, kept), first_week, as_of_week, left_out)


def _columns(path: Path) -> tuple[str, ...]:
    """Return the names in the first line other than the date's; whatever is wrong with the file is said on reading."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            header = next(csv.reader(lines), [])
    except (OSError, csv.Error):
        return ()
    if "" in header:
        raise BadTable(f"{path}, line 1: column {header.index('') + 1} has no name; give it one.")
    if "line" in header or "week" in header:
        raise BadTable(f"{path}, line 1: a column may not be called line or week; give it another name.")
    return tuple(dict.fromkeys(name for name in header if name != DATE_COLUMN))


def _names_single_rows(column: pl.Series) -> bool:
    """Return whether most values occur once, as those of a number or a narrative do."""
    return len(column) >= FEWEST_ROWS_TO_TELL_NAMES and 2 * column.n_unique() > len(column)


def _events(table: pl.DataFrame, names: list[str]) -> Events:
    """Return the rows as numbered values, alike ones counted together."""
    alike = table.group_by([*names, "week"]).agg(count=pl.len()).sort([*names, "week"])
    values, codes = [], []
    for name in names:
        said = alike[name].str.strip_chars().replace("", NOT_STATED)
        known = said.unique().sort()
        values.append(tuple(known.to_list()))
        codes.append(said.replace_strict(known, pl.int_range(len(known), eager=True)).to_numpy().astype(np.int64))
    return Events(
        names=tuple(names),
        values=tuple(values),
        codes=np.column_stack(codes),
        week=alike["week"].to_numpy().astype(np.int64),
        count=alike["count"].to_numpy().astype(np.int64),
    )
