# SPDX-License-Identifier: Apache-2.0
"""Weekly counts in, alarms out: the body of `putright scan`.

COUNTS.csv has the columns `series`, `period`, `count` and may have `exposure`. A period is a whole number (the number
of the week) or a date in ISO 8601 (any day of the week, the same throughout a series); within a series each week is
there, zeros written. Rows may come in any order. Exposure (volume served, positive) makes the expectation proportional
to it. The year has 52 weeks if periods are numbers, and 365.2425 days if they are dates.

FLAGS.csv has one row per series and period in the range, judged from the series' earlier weeks alone: `observed` and
`expected` of that week, `threshold`, the highest count of that week that would have been no alarm after the weeks
before it, `p_value`, the chance of so unusual a look back over all windows, and `alarm` (1 or 0), which is 1 when the
p-value is at most alpha. `expected`, `threshold` and `p_value` are empty where there was too little past to judge by.
The threshold lies below `expected` where the weeks before brought so many that a longer window is over its limit
already: then a week that does not fall clearly below what is usual goes on with the alarm.
"""

import csv
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from analytics.arrays import FloatArray, IntArray
from analytics.baseline import WEEKS_PER_YEAR, BaselineSettings, KnownReasons
from analytics.scanning import Judged, ScanSettings, scan, weeks_looked_at
from run.analyst.tables import BadTable, WrongOption, first_bad_line, read_table, whole_or_not

DEFAULT_WINDOWS = ScanSettings().windows
WEEKS_IN_A_NUMBERED_YEAR = 52.0
DAYS_PER_WEEK = 7
OUT_COLUMNS = ("series", "period", "observed", "expected", "threshold", "p_value", "alarm")
NUMBER = r"^-?[0-9]{1,9}$"
_PERIODS = "a whole number (of the week) or a date such as 2026-11-23"
COUNT = r"^[0-9]{1,12}$"
DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"


@dataclass(frozen=True, slots=True)
class _Periods:
    """How periods are written, and the numbers of the first and last to be judged."""

    are_dates: bool
    first: int
    last: int


def scan_counts(
    counts: Path,
    out: Path,
    *,
    first: str,
    last: str,
    alpha: float = 0.01,
    windows: tuple[int, ...] = DEFAULT_WINDOWS,
) -> str:
    """Judge the periods from `first` to `last` of every series in one file, write another, and say what came of it.

    Raises BadTable, in which case nothing is written.
    """
    table = read_table(counts, ("series", "period", "count"), ("exposure",))
    is_period = pl.col("period").str.contains(DATE) | pl.col("period").str.contains(NUMBER)
    _refuse(counts, table, ~is_period, "the period {period!r} should be " + _PERIODS)
    periods = _periods(table, first, last)
    table = _checked(counts, table, periods)
    settings = _settings(alpha, windows, periods)
    pieces = [_judged(group, periods, settings) for group in _alike(table, periods, settings)]
    judged = pl.concat(pieces).sort("series_order", "number") if pieces else None
    if judged is None or judged.is_empty():
        raise WrongOption(f"No series has a period from {first} to {last}; look at the range.")
    _write(out, judged)
    return _came_of(judged) + _beyond(table, periods)


def _came_of(judged: pl.DataFrame) -> str:
    """Return how many weeks were judged, and in how many of them and of the series there was an alarm."""
    alarms = judged.filter(pl.col("alarm") == 1)
    unjudged = int(judged["p_value"].is_null().sum())
    found = (
        f"{_weeks(len(alarms))} with an alarm, in {alarms['series'].n_unique():,} series" if len(alarms) else "no alarm"
    )
    said = f"{_weeks(len(judged) - unjudged)} judged in {judged['series'].n_unique():,} series: {found}."
    return said + (f" {_weeks(unjudged)} could not be judged for want of a past." if unjudged else "")


def _weeks(count: int) -> str:
    return "1 week" if count == 1 else f"{count:,} weeks"


def _beyond(table: pl.DataFrame, periods: _Periods) -> str:
    """Return that the range asked for goes on where the table ends, or nothing: a slip of the hand would go unseen."""
    ends = table.sort("number").row(-1, named=True)
    begins = table.sort("number").row(0, named=True)
    said = ""
    if begins["number"] > periods.first:
        said += f" The table begins with {begins['period']}: what you asked for before it is not there."
    if ends["number"] + (DAYS_PER_WEEK if periods.are_dates else 1) <= periods.last:
        said += f" The table ends with {ends['period']}: what you asked for after it is not there."
    return said


def _settings(alpha: float, windows: tuple[int, ...], periods: _Periods) -> ScanSettings:
    year = WEEKS_PER_YEAR if periods.are_dates else WEEKS_IN_A_NUMBERED_YEAR
    try:
        return ScanSettings(
            windows=windows,
            false_alarm_rate=alpha,
            baseline=replace(BaselineSettings(), season_weeks=year),
        )
    except ValueError as problem:
        raise WrongOption(str(problem)) from problem


def _periods(table: pl.DataFrame, first: str, last: str) -> _Periods:
    """Return how the periods are written, told by the first row, and the range asked for."""
    are_dates = bool(table["period"].head(1).str.contains(DATE)[0])
    kind = "a date such as 2026-11-23" if are_dates else "a whole number"
    numbers = []
    for asked in (first, last):
        try:
            numbers.append(date.fromisoformat(asked).toordinal() if are_dates else int(asked))
        except ValueError as problem:
            raise WrongOption(f"The range must be given like the periods, as {kind}; {asked!r} is not.") from problem
    if numbers[0] > numbers[1]:
        raise WrongOption(f"The range ends before it begins: {first} to {last}; turn it round.")
    return _Periods(are_dates, *numbers)


def _checked(path: Path, table: pl.DataFrame, periods: _Periods) -> pl.DataFrame:
    """Return the rows with their numbers, in order of series (as they first come) and period."""
    _refuse(path, table, pl.col("series") == "", "the series has no name; give it one")
    _refuse(
        path, table, ~pl.col("count").str.contains(COUNT), "{count!r} is no count; it must be a whole number from 0 up"
    )
    if periods.are_dates:
        number = pl.col("period").str.to_date("%Y-%m-%d", strict=False).cast(pl.Int64) + date(1970, 1, 1).toordinal()
        fits = pl.col("period").str.contains(DATE)
        wanted = "a date such as 2026-11-23, as on the line above"
    else:
        number = pl.col("period").cast(pl.Int64, strict=False)
        fits = pl.col("period").str.contains(NUMBER)
        wanted = f"{_PERIODS}, and all periods of one kind"
    table = table.with_columns(number=pl.when(fits).then(number), count=pl.col("count").cast(pl.Int64))
    _refuse(path, table, pl.col("number").is_null(), "the period {period!r} should be " + wanted)
    if "exposure" in table.columns:
        table = table.with_columns(size=pl.col("exposure").cast(pl.Float64, strict=False))
        is_bad = pl.col("size").is_null() | ~pl.col("size").is_finite() | (pl.col("size") <= 0)
        _refuse(path, table, is_bad, "the exposure {exposure!r} must be a number above 0")
    orders = table.group_by("series", maintain_order=True).agg(first_line=pl.col("line").min())
    orders = orders.with_row_index("series_order").select("series", "series_order")
    table = table.join(orders, on="series", how="left").sort("series_order", "number", "line")
    step = DAYS_PER_WEEK if periods.are_dates else 1
    table = table.with_columns(
        step=pl.col("number").diff().over("series_order"), before=pl.col("period").shift(1).over("series_order")
    )
    _refuse(path, table, pl.col("step") == 0, "series {series!r} has the period {period} twice; keep one")
    jump = "series {series!r} goes from {before} to {period}; every week must be there, one without complaints as 0"
    _refuse(path, table, pl.col("step") != step, jump)
    return table


def _refuse(path: Path, table: pl.DataFrame, is_bad: pl.Expr, sentence: str) -> None:
    """Raise BadTable for the first line for which the expression holds."""
    row = first_bad_line(table, is_bad)
    if row is not None:
        raise BadTable(f"{path}, line {row['line']}: " + sentence.format(**row) + ".")


def _alike(table: pl.DataFrame, periods: _Periods, settings: ScanSettings) -> list[pl.DataFrame]:
    """Return the rows of series that begin and end together, so that they can be judged together.

    What lies further back than is looked at is dropped, so that old series of any age fall together.
    """
    step = DAYS_PER_WEEK if periods.are_dates else 1
    earliest = periods.first - (weeks_looked_at(settings) - 1) * step
    table = table.filter(pl.col("number") <= periods.last)
    last = pl.col("number").max().over("series_order")
    table = table.filter((pl.col("number") >= earliest) & (last >= periods.first))
    table = table.with_columns(begins=pl.col("number").min().over("series_order"), ends=last)
    return table.partition_by("begins", "ends", maintain_order=True)


def _judged(group: pl.DataFrame, periods: _Periods, settings: ScanSettings) -> pl.DataFrame:
    """Return the judged rows of series that begin and end together."""
    step = DAYS_PER_WEEK if periods.are_dates else 1
    weeks = group["series_order"].value_counts()["count"][0]
    numbers = group["number"].to_numpy()[:weeks]
    first_judged = int(np.searchsorted(numbers, periods.first))
    known = KnownReasons()
    if "size" in group.columns:
        known = KnownReasons(log_offset=_log_exposure(_matrix(group["size"], weeks)))
    counts: IntArray = group["count"].to_numpy().reshape(-1, weeks)
    found = scan(counts, first_judged=first_judged, first_week=int(numbers[0]) // step, settings=settings, known=known)
    is_judged = np.tile(np.arange(weeks) >= first_judged, len(counts))
    rows = group.filter(pl.Series(is_judged)).select("series", "series_order", "period", "number")
    return rows.with_columns(_columns(found))


def _matrix(column: pl.Series, weeks: int) -> FloatArray:
    return np.asarray(column.to_numpy(), dtype=np.float64).reshape(-1, weeks)


def _log_exposure(exposure: FloatArray) -> FloatArray:
    """Return the logarithm of the exposure over its first value: only changes matter, and large numbers stay small."""
    return np.log(exposure / exposure[:, :1])


def _columns(found: Judged) -> list[pl.Series]:
    return [
        pl.Series("observed", found.observed.ravel()),
        pl.Series("expected", found.expected.ravel()).fill_nan(None),
        pl.Series("threshold", found.threshold.ravel()).fill_nan(None),
        pl.Series("p_value", found.p_value.ravel()).fill_nan(None),
        pl.Series("alarm", found.alarm.ravel().astype(np.int64)),
    ]


def _write(out: Path, judged: pl.DataFrame) -> None:
    columns = [
        judged["series"].to_list(),
        judged["period"].to_list(),
        judged["observed"].to_list(),
        ["" if value is None else f"{value:.6g}" for value in judged["expected"].to_list()],
        ["" if value is None else f"{value:.0f}" for value in judged["threshold"].to_list()],
        ["" if value is None else f"{value:.6g}" for value in judged["p_value"].to_list()],
        judged["alarm"].to_list(),
    ]
    with whole_or_not(out) as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(OUT_COLUMNS)
        writer.writerows(zip(*columns, strict=True))
