# SPDX-License-Identifier: Apache-2.0
"""Weekly counts in, a verdict on a fix out: the body of `putright effect`.

COUNTS.csv has the columns `series`, `period` and `count`, and may have `exposure`, how much was served. A period is a
week: a whole number, or the date of its first day. Every series that is used has a row for every week, with 0 if
nothing came. VERDICT.json says what docs/analytics/effect.md explains.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from analytics.arrays import BoolArray, FloatArray
from analytics.effect import Effect, EffectSettings, RateRatio
from analytics.effect_checks import Checks, Study, assess, without_trigger
from analytics.effect_words import LeftOut, sentences
from models.wording import english_day
from run.analyst.tables import BadTable, WrongOption, check_heading

NEEDED = ("series", "period", "count")
OPTIONAL = ("exposure",)
MOST_NEIGHBOURS = 100
"""So many other series of the file are looked at for complaints that moved, unless they are named."""

LAST_YEAR = 9000
LONGEST_STUDY_WEEKS = 10_000
_WHOLE = re.compile(r"[+-]?[0-9]{1,9}")

Period = int | date


@dataclass(frozen=True, slots=True)
class FixAsked:
    """Which fix is to be judged. Periods as in the table; ranges are inclusive."""

    target: str
    controls: tuple[str, ...]
    changed_on: str
    transition_weeks: int = 0
    trigger_from: str | None = None
    trigger_to: str | None = None
    target_reduction: float = 0.5
    masked: tuple[tuple[str, str], ...] = ()
    neighbours: tuple[str, ...] | None = None
    """Series to which complaints may have moved; None: the controls and whatever else the file holds."""


@dataclass(slots=True)
class _Series:
    """The rows of one series: per period the count, the exposure and the line."""

    rows: dict[Period, tuple[int, float, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Masks:
    """What each week is, and why weeks are left out."""

    is_before: BoolArray
    is_after: BoolArray
    left_out: LeftOut


def effect_of(counts: Path, out: Path, asked: FixAsked) -> str:
    """Write the verdict on a fix to a JSON file, and return it in a sentence or two.

    Raises BadTable, in which case nothing is written.
    """
    settings = _settings(asked)
    table = _read(counts)
    periods = _periods(counts, table, (asked.target, *asked.controls))
    names = _names(counts, table, asked, periods)
    study, masks = _study(table, names, periods, asked, settings)
    try:
        effect, checks = assess(study, tuple(range(1, len(names))), settings)
    except ValueError as problem:
        raise BadTable(f"{counts}: {problem}") from problem
    said = sentences(effect, checks, masks.left_out, settings, names=names, weeks=[_said(period) for period in periods])
    content = {
        "verdict": effect.verdict.value,
        **_figures(effect, periods),
        **_checks(checks, names),
        "target": asked.target,
        "controls": list(asked.controls),
        "changed_on": asked.changed_on,
        "target_reduction": asked.target_reduction,
        "left_out": {
            "trigger_weeks": masks.left_out.trigger_weeks,
            "trigger_was_given": masks.left_out.trigger_was_given,
            "transition_weeks": masks.left_out.transition_weeks,
            "masked_weeks": masks.left_out.masked_weeks,
        },
        "counts_sha256": hashlib.sha256(counts.read_bytes()).hexdigest(),
        "sentences": list(said),
        "series": _chart(effect, study, periods),
    }
    _write(out, content)
    return " ".join(said[:3])


def _settings(asked: FixAsked) -> EffectSettings:
    if asked.transition_weeks < 0:
        raise WrongOption("The transition weeks are 0 or more.")
    if not asked.target or "" in asked.controls:
        raise WrongOption("Name the target, and the controls with single commas between them.")
    if asked.target in asked.controls or len(set(asked.controls)) < len(asked.controls):
        raise WrongOption("The controls are other series than the target, each named once.")
    try:
        return EffectSettings(target_reduction=asked.target_reduction)
    except ValueError as problem:
        raise WrongOption(str(problem)) from problem


# -- reading ----------------------------------------------------------------------------------------------------------


def _read(path: Path) -> dict[str, _Series]:
    """Return the table by series, or raise BadTable for the first line that cannot be used."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            table = _table_of(path, _numbered(path, lines))
    except OSError as problem:
        raise BadTable(f"{path} cannot be read: {problem.strerror}.") from problem
    except UnicodeDecodeError as problem:
        raise BadTable(f"{path} is not in UTF-8; save it as CSV in UTF-8.") from problem
    if not table:
        raise BadTable(f"{path} holds no counts below its heading.")
    return table


def _numbered(path: Path, lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not blank with the line it ends on."""
    reader = csv.reader(lines, strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, [cell.strip() for cell in row]
    except csv.Error as problem:
        raise BadTable(f"{path}, line {reader.line_num}: {problem}; mend the line.") from problem


def _table_of(path: Path, rows: Iterator[tuple[int, list[str]]]) -> dict[str, _Series]:
    header = next(rows, (1, []))[1]
    check_heading(f"{path}, line 1", header, NEEDED, OPTIONAL)
    position = {name: header.index(name) for name in header}
    table: dict[str, _Series] = {}
    kind: type | None = None
    known: dict[str, Period] = {}
    for line, row in rows:
        where = f"{path}, line {line}"
        if len(row) != len(header):
            raise BadTable(f"{where}: {len(row)} fields where the heading has {len(header)}; mend the line.")
        if not (name := row[position["series"]]):
            raise BadTable(f"{where}: the series is empty; name it or leave the row out.")
        text = row[position["period"]]
        period = known[text] if text in known else known.setdefault(text, _period(where, text))
        kind = kind or type(period)
        if type(period) is not kind:
            raise BadTable(f"{where}: the period is a {_kind(period)} and those above are not; use one kind.")
        count = _count(where, row[position["count"]])
        exposure = _exposure(where, row[position["exposure"]]) if "exposure" in position else 1.0
        series = table.setdefault(name, _Series())
        if period in series.rows:
            raise BadTable(
                f"{where}: {name} has a row for {period} on line {series.rows[period][2]} already; keep one of them."
            )
        series.rows[period] = (count, exposure, line)
    return table


def _period(where: str, text: str) -> Period:
    if _WHOLE.fullmatch(text):
        return int(text)
    try:
        on = date.fromisoformat(text)
    except ValueError:
        on = date.max
    if on.year > LAST_YEAR:
        raise BadTable(f"{where}: {text!r} is no week; give a whole number or a date like 2026-01-05.")
    return on


def _kind(period: Period) -> str:
    return "date" if isinstance(period, date) else "number"


def _count(where: str, text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise BadTable(f"{where}: {text!r} is not a whole number; give the count of complaints.")
    if (count := int(text)) < 0:
        raise BadTable(f"{where}: a count cannot be {count}; give 0 or more.")
    return count


def _exposure(where: str, text: str) -> float:
    try:
        exposure = float(text)
    except ValueError:
        exposure = math.nan
    if not (math.isfinite(exposure) and exposure > 0):
        raise BadTable(f"{where}: the exposure {text!r} is not a number above 0; give how much was served.")
    return exposure


# -- weeks and series -------------------------------------------------------------------------------------------------


def _periods(path: Path, table: dict[str, _Series], used: tuple[str, ...]) -> Sequence[Period]:
    """Return every week in order, or raise BadTable for a series that is not there or has a gap."""
    for name in used:
        if name not in table:
            raise WrongOption(f"{path} has no series {name!r}; name one that stands in its column series.")
    first = min(min(table[name].rows) for name in used)
    last = max(max(table[name].rows) for name in used)
    periods = _weeks_between(first, last)
    if len(periods) > LONGEST_STUDY_WEEKS:
        raise BadTable(f"{path}: from {first} to {last} are {len(periods):,} weeks; mend the period that is wrong.")
    expected = set(periods)
    for name in used:
        rows = table[name].rows
        for period, (_, _, line) in rows.items():
            if period not in expected:
                raise BadTable(
                    f"{path}, line {line}: {period} does not lie whole weeks after {first}; give weeks, "
                    "as whole numbers or dates 7 days apart."
                )
        missing = next((period for period in periods if period not in rows), None)
        if missing is not None:
            line = min((row[2] for period, row in rows.items() if _after(period, missing)), default=0)
            where = f"{path}, line {line}" if line else f"{path}, after the last line of {name}"
            raise BadTable(f"{where}: {name} has no row for {missing}; add it, with 0 if nothing came.")
    return periods


def _after(period: Period, other: Period) -> bool:
    return period > other  # type: ignore[operator]


def _weeks_between(first: Period, last: Period) -> Sequence[Period]:
    if isinstance(first, date) and isinstance(last, date):
        return [first + timedelta(weeks=week) for week in range((last - first).days // 7 + 1)]
    assert isinstance(first, int)
    assert isinstance(last, int)
    return range(first, last + 1)


def _names(path: Path, table: dict[str, _Series], asked: FixAsked, periods: Sequence[Period]) -> tuple[str, ...]:
    """Return target, controls and neighbours, the last only if they have every week."""
    if asked.neighbours is not None:
        _periods(path, table, (asked.target, *asked.controls, *asked.neighbours))
        others = asked.neighbours
    else:
        whole = set(periods)
        others = tuple(name for name, series in table.items() if series.rows.keys() >= whole)
        others = others if len(others) <= MOST_NEIGHBOURS else ()
    return tuple(dict.fromkeys((asked.target, *asked.controls, *others)))


def _study(
    table: dict[str, _Series],
    names: tuple[str, ...],
    periods: Sequence[Period],
    asked: FixAsked,
    settings: EffectSettings,
) -> tuple[Study, _Masks]:
    """Return the counts with what each week is; weeks that raised the signal are looked for unless they are given."""

    def column(part: int) -> FloatArray:
        return np.array([[table[name].rows[period][part] for period in periods] for name in names], dtype=np.float64)

    masks = _masks(periods, asked)
    controls = tuple(range(1, 1 + len(asked.controls)))
    study = Study(column(0), column(1), 0, controls, masks.is_before, masks.is_after)
    if asked.trigger_from is not None or masks.is_before.sum() < settings.least_weeks_before:
        return study, masks
    study, found = without_trigger(study)
    return study, replace(masks, left_out=replace(masks.left_out, trigger_weeks=found))


def _masks(periods: Sequence[Period], asked: FixAsked) -> _Masks:
    """Return which weeks lie before and after, those left out in neither."""
    changed = _option("--changed-on", asked.changed_on, periods)
    if not _after(_week_end(_week_end(periods[-1])), changed):
        raise WrongOption(
            f"--changed-on: {asked.changed_on} lies beyond the table, which ends with {_said(periods[-1])}; "
            "give a week that is in it, or the next."
        )
    is_before = np.array([not _after(_week_end(period), changed) for period in periods], dtype=np.bool_)
    is_begun = np.array([not _after(changed, period) for period in periods], dtype=np.bool_)
    is_after = is_begun & (np.cumsum(is_begun) > asked.transition_weeks)
    trigger = np.zeros_like(is_before)
    if asked.trigger_from is not None or asked.trigger_to is not None:
        if asked.trigger_from is None:
            raise WrongOption("Give --trigger-from, the first week that raised the signal, with --trigger-to.")
        start = _option("--trigger-from", asked.trigger_from, periods)
        end = periods[-1] if asked.trigger_to is None else _option("--trigger-to", asked.trigger_to, periods)
        trigger = _within(periods, start, end) & is_before
        if not trigger.any():
            raise WrongOption("No week before the change lies from --trigger-from to --trigger-to; give weeks that do.")
    masked = np.zeros_like(is_before)
    for low, high in asked.masked:
        masked |= _within(periods, _option("--mask", low, periods), _option("--mask", high, periods))
    transition = int((~is_before & ~is_after).sum())
    left_out = LeftOut(int(trigger.sum()), bool(trigger.any()), transition, int(masked.sum()))
    return _Masks(is_before & ~trigger & ~masked, is_after & ~masked, left_out)


def _option(name: str, text: str, periods: Sequence[Period]) -> Period:
    """Return an option's week, of the kind the table uses."""
    try:
        period = _period(name, text)
    except BadTable as problem:
        raise WrongOption(str(problem)) from problem
    if type(period) is not type(periods[0]):
        raise WrongOption(f"{name}: {text} is a {_kind(period)}, while the table's periods are {_kind(periods[0])}s.")
    return period


def _week_end(period: Period) -> Period:
    """Return where the next week begins."""
    return period + timedelta(weeks=1) if isinstance(period, date) else period + 1


def _within(periods: Sequence[Period], low: Period, high: Period) -> BoolArray:
    """Return the weeks that have a day from `low` to `high`, both included."""
    return np.array([_after(_week_end(period), low) and not _after(period, high) for period in periods], dtype=np.bool_)


# -- writing ----------------------------------------------------------------------------------------------------------


def _said(period: Period) -> str:
    return english_day(period) if isinstance(period, date) else f"week {period}"


def _written(period: Period) -> str | int:
    return period.isoformat() if isinstance(period, date) else period


def _rounded(number: float) -> float:
    """Return six significant figures: more would differ between machines."""
    return float(f"{number:.6g}")


def _ratio(ratio: RateRatio) -> dict[str, float]:
    return {"estimate": _rounded(ratio.estimate), "lower": _rounded(ratio.lower), "upper": _rounded(ratio.upper)}


def _figures(effect: Effect, periods: Sequence[Period]) -> dict[str, Any]:
    """Return the verdict's numbers; what nothing is known about before the first week after the change is null."""

    def when(column: int | None) -> str | int | None:
        return None if column is None else _written(periods[column])

    is_begun = effect.weeks_after > 0
    return {
        "weeks_still_needed": effect.weeks_still_needed,
        "rate_ratio": _ratio(effect.rate_ratio) if is_begun else None,
        "probability_reduced": _rounded(effect.probability_reduced) if is_begun else None,
        "probability_worthwhile": _rounded(effect.probability_worthwhile) if is_begun else None,
        "probability_target_met": _rounded(effect.probability_target_met) if is_begun else None,
        "e_value": _rounded(effect.e_value),
        "highest_e_value": _rounded(effect.highest_e_value),
        "e_value_worthwhile": _rounded(effect.e_value_worthwhile),
        "effective_since": when(effect.success_column),
        "relapsed_by": when(effect.relapse_column),
        "observed": effect.observed,
        "expected": _rounded(effect.expected),
        "dispersion": _rounded(effect.dispersion),
        "pre_weeks": effect.weeks_before,
        "post_weeks": effect.weeks_after,
        "planned_weeks": effect.planned_weeks,
        "complaints_per_week_before": _rounded(effect.complaints_per_week),
        "widen_the_cell": effect.is_too_quiet,
    }


def _checks(checks: Checks, names: tuple[str, ...]) -> dict[str, Any]:
    tried, entry = checks.placebo, checks.intake
    return {
        "checks": {
            "placebo": {"passed": tried.is_passed, "tried": tried.tried, "worked": tried.worked},
            "displacement": {
                "passed": not any(neighbour.has_risen for neighbour in checks.displacement),
                "neighbours": [
                    {
                        "series": names[neighbour.series],
                        "rate_ratio": _ratio(neighbour.rate_ratio),
                        "probability_risen": _rounded(neighbour.probability_risen),
                        "risen": neighbour.has_risen,
                        "extra": _rounded(neighbour.extra_count),
                    }
                    for neighbour in checks.displacement
                ],
            },
            "intake": {
                "passed": entry.is_passed,
                "controls_ratio": None if entry.controls_ratio is None else _ratio(entry.controls_ratio),
                "silent": [{"series": names[series], "weeks": weeks} for series, weeks in entry.silent],
            },
        }
    }


def _chart(effect: Effect, study: Study, periods: Sequence[Period]) -> list[dict[str, Any]]:
    """Return the chart's weeks: what came, what would have come without the change, and its 90 % band."""
    chart = effect.chart
    return [
        {
            "period": _written(period),
            "observed": int(study.counts[study.target, column]),
            "expected": _rounded(float(chart.expected[column])),
            "lower": int(chart.lower[column]),
            "upper": int(chart.upper[column]),
            "part": "before" if study.is_before[column] else "after" if study.is_after[column] else "left out",
        }
        for column, period in enumerate(periods)
    ]


def _write(out: Path, content: dict[str, Any]) -> None:
    """Write beside the place and move there, so that there is never half a file."""
    text = json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    beside = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(out)
    except OSError as problem:
        beside.unlink(missing_ok=True)
        raise WrongOption(f"{out} cannot be written: {problem.strerror}.") from problem
