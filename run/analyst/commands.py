# SPDX-License-Identifier: Apache-2.0
"""The doors for analysts on the command line: tables in, a table out; no record and no server is needed.

What is wrong with a table is one sentence that names the line, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

WRONG_DATA, WRONG_USE = 1, 2
_out = Console(highlight=False, soft_wrap=True, markup=False)
_err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
_File = Annotated[Path, typer.Argument(help="A CSV file in UTF-8.", exists=True, dir_okay=False, readable=True)]
_Out = Annotated[Path, typer.Option("--out", help="The file to write, whole or not at all.", dir_okay=False)]


@contextmanager
def _sentences(out: Path, *read: Path) -> Iterator[None]:
    """Say in one sentence what is wrong, and end with 1 for a table and with 2 for an option.

    What is written may be none of the files that are read.
    """
    from run.analyst.tables import BadTable, WrongOption  # noqa: PLC0415 - `putright --help` need not load the sums

    try:
        if out.exists() and any(out.samefile(path) for path in read):
            raise WrongOption(f"{out} is read; name another file to write.")
        yield
    except BadTable as problem:
        _err.print(str(problem))
        raise typer.Exit(WRONG_USE if isinstance(problem, WrongOption) else WRONG_DATA) from problem


def scan(
    counts: _File,
    *,
    first: Annotated[str, typer.Option("--from", help="The first period to judge: a week's number or a date.")],
    last: Annotated[str, typer.Option("--to", help="The last period to judge.")],
    out: _Out,
    alpha: Annotated[float, typer.Option(help="The false alarm rate of one series in one period.")] = 0.01,
    windows: Annotated[str, typer.Option(help="Lengths looked at, in weeks: 1,2,4. Default: as shipped.")] = "",
) -> None:
    """Say which weekly counts are unusual: COUNTS has series,period,count[,exposure]; judged from earlier data only.

    Out comes a CSV file with a line for each series and week of the range:

    - series, period: as in the table
    - observed, expected: the complaints of that week
    - threshold: the highest count that would have been no alarm after the weeks before it; below expected where those
      brought so many that a week of the usual count still belongs to their alarm
    - p_value: the chance of so unusual a look back over all windows
    - alarm: 1 where the p_value is at most alpha, else 0

    Where there was too little past to judge by, expected, threshold and p_value are empty.
    """
    with _sentences(out, counts):
        from run.analyst.scan import DEFAULT_WINDOWS, scan_counts  # noqa: PLC0415

        asked = _whole_numbers(windows) if windows else DEFAULT_WINDOWS
        _out.print(scan_counts(counts, out, first=first, last=last, alpha=alpha, windows=asked))


def cube_scan(
    events: _File,
    *,
    as_of: Annotated[str, typer.Option("--as-of", help="Judged last is the week that is over by this day.")],
    out: _Out,
) -> None:
    """Find what recurs and where: EVENTS has received_on and any columns; false discoveries held over all cells.

    Out comes a JSON object:

    - as_of: the day given; last_week_begins, last_week_ends: of the last week judged
    - method, inputs_hash: by which a look can be compared with another
    - false_discovery_rate: the share of false signals that is allowed; has_enough_past: whether any could be found
    - dimensions: the columns looked at; stands_above: which lies within which; columns_left_out: which name single rows
    - cells_looked_at: how many; signals: the most pressing first

    Each signal has:

    - cell, sentences: where it is, and what happened, in words
    - window_weeks, observed, expected, threshold: how many came in that many weeks; above the threshold is unusual
    - p_value, q_value, recurrence_years: how seldom chance does this, in the cell alone and among all of them
    - began_week, excess, excess_per_quarter_at_least: since when, and how many more than expected
    - priority, formula: what its place in the order comes from
    - members: which other cells it makes unusual; by: how it is spread over the columns that its cell leaves open
    - series: its weeks, with observed, expected and upper_band
    """
    with _sentences(out, events):
        from run.analyst.cube_scan import cube_scan as look  # noqa: PLC0415

        _out.print(look(events, out, as_of=_day(as_of)))


def disproportionality(pairs: _File, *, out: _Out) -> None:
    """Say which pairs come together too often: PAIRS has a,b[,stratum][,id]; empirical-Bayes ratios (EBGM).

    Out comes a CSV file with a line for each pair, the most out of proportion first:

    - a, b: the pair; n: the reports that name both
    - expected: how many would name both if the two had nothing to do with each other
    - ebgm: how many times the expected it is, as best known; eb05, eb95: it lies between these with a chance of 90 %

    A pair is out of proportion where eb05 is at least 2 and n at least 3.
    """
    with _sentences(out, pairs):
        from run.analyst.disproportionality import disproportionality_of  # noqa: PLC0415

        _out.print(disproportionality_of(pairs, out))


def effect(
    counts: _File,
    *,
    target: Annotated[str, typer.Option(help="The series that was to fall.")],
    controls: Annotated[str, typer.Option(help="Series the change did not touch: S1,S2.")] = "",
    changed_on: Annotated[str, typer.Option("--changed-on", help="The period in which the change was in place.")],
    out: _Out,
    transition_weeks: Annotated[int, typer.Option(min=0, help="Weeks after the change that are not judged.")] = 0,
    trigger_from: Annotated[str, typer.Option(help="The first period that raised the signal; left out.")] = "",
    trigger_to: Annotated[str, typer.Option(help="The last of them.")] = "",
    target_reduction: Annotated[float, typer.Option(help="The share that was to go away.")] = 0.5,
) -> None:
    """Say whether a change worked: COUNTS has series,period,count[,exposure]; the verdict with all it rests on.

    Out comes a JSON object:

    - verdict: effective, not effective or not yet known; weeks_still_needed: until it may be known
    - rate_ratio: what is left of the complaints (estimate, and 90 % between lower and upper)
    - probability_reduced, probability_worthwhile, probability_target_met: that they fell at all, by a fifth, as asked
    - e_value, highest_e_value, e_value_worthwhile: evidence now, at its highest, of a fall by a fifth; 20 is enough
    - effective_since, relapsed_by: periods, or null
    - observed, expected: complaints since the change, and without it; dispersion: how much the weeks vary beyond chance
    - pre_weeks, post_weeks, planned_weeks: how many were compared, and how many are to be
    - complaints_per_week_before; widen_the_cell: whether too few come to judge by
    - checks: placebo, displacement and intake, each with whether it is passed
    - target, controls, changed_on, target_reduction: as asked; left_out: how many weeks were, and why
    - counts_sha256: of the table; sentences: all this in words; series: the chart, week by week
    """
    with _sentences(out, counts):
        from run.analyst.effect import FixAsked, effect_of  # noqa: PLC0415

        asked = FixAsked(
            target=target,
            controls=tuple(name.strip() for name in controls.split(",") if name.strip()),
            changed_on=changed_on,
            transition_weeks=transition_weeks,
            trigger_from=trigger_from or None,
            trigger_to=trigger_to or None,
            target_reduction=target_reduction,
        )
        _out.print(effect_of(counts, out, asked))


def suggest(
    *,
    train: Annotated[Path, typer.Option(help="A CSV file to learn from.", exists=True, dir_okay=False)],
    test: Annotated[Path, typer.Option(help="A CSV file to suggest for.", exists=True, dir_okay=False)],
    text: Annotated[str, typer.Option(help="The column that holds the words.")],
    label: Annotated[str, typer.Option(help="The column that holds what people coded.")],
    out: _Out,
) -> None:
    """Suggest codes for texts: the label, its probability, the three likeliest, and whether it abstains.

    Out comes a CSV file with a line for each row of the table to suggest for, in its order:

    - row: its number, from 1
    - label, probability: the likeliest
    - top_1, top_2, top_3: the three likeliest, the first first; empty where there are fewer
    - abstained: true where nothing should be proposed and a person should look, else false
    """
    with _sentences(out, train, test):
        from run.analyst.suggest import suggest as learn  # noqa: PLC0415

        done = learn(train, test, text=text, label=label, out=out)
        _out.print(
            f"Learnt from {done.learnt_from:,} texts; suggested for {done.suggested:,}, of which it abstained on "
            f"{done.abstained:,}."
        )


def add_doors(app: typer.Typer) -> None:
    """Add the doors to the `putright` command."""
    for name, door in (
        ("scan", scan),
        ("cube-scan", cube_scan),
        ("disproportionality", disproportionality),
        ("effect", effect),
        ("suggest", suggest),
    ):
        app.command(name, rich_help_panel="For analysts, on tables")(door)


def _whole_numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as problem:
        _err.print(f"{text!r} are no windows; write whole weeks as 1,2,4.")
        raise typer.Exit(WRONG_USE) from problem


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as problem:
        _err.print(f"{text!r} is not a day; write it as 2026-11-30.")
        raise typer.Exit(WRONG_USE) from problem
