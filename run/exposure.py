# SPDX-License-Identifier: Apache-2.0
"""`putright exposure`: how many people were served, from a file; all of it or, with any fault, nothing."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path

from activities.exposure import Served, policy_of, record_exposure
from activities.imports import importing_agencies
from models.policy import Policy
from run.composition import engine_for
from run.settings import Settings

COLUMNS = ("service", "office", "week", "served")
MOST_SERVED = 100_000_000
MOST_FAULTS_TOLD = 20


class BadExposure(Exception):
    """Nothing was taken in; the text says why, and `faults` what is wrong in which line."""

    def __init__(self, sentence: str, faults: tuple[str, ...] = ()) -> None:
        super().__init__(sentence)
        self.faults = faults


async def take_in(settings: Settings, file: Path, *, agency: str) -> str:
    """Take the file in and return what came of it, as a sentence; told again it changes nothing.

    Raises BadExposure for a file with any fault, and where it is not clear which agency is meant.
    """
    engine = engine_for(settings.worker_database_url, connections=2)
    try:
        slugs = [one.slug for one in await importing_agencies(engine)]
        chosen = _chosen(slugs, agency)
        told = read_exposure(file, await policy_of(engine, chosen))
        new = await record_exposure(engine, chosen, told)
    finally:
        await engine.dispose()
    return f"{len(told):,} figures read: {new:,} new or changed, {len(told) - new:,} known already."


def _chosen(slugs: list[str], agency: str) -> str:
    if agency and agency not in slugs:
        raise BadExposure(f"There is no agency {agency}.")
    if not agency and len(slugs) != 1:
        raise BadExposure("Say which agency: " + ", ".join(slugs) + "." if slugs else "There is no agency.")
    return agency or slugs[0]


def read_exposure(file: Path, policy: Policy) -> list[Served]:
    """Return every row of the file; raises BadExposure, with each fault and its line, if there is any."""
    faults: list[str] = []
    told: dict[tuple[str, str, date], Served] = {}
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            for line, row in _rows(lines, faults):
                one = _served(row, policy)
                if isinstance(one, str):
                    faults.append(f"{file.name}, line {line}: {one}")
                elif (one.service, one.office, one.week) in told:
                    faults.append(f"{file.name}, line {line}: this service, office and week stand in an earlier line.")
                else:
                    told[one.service, one.office, one.week] = one
    except (UnicodeDecodeError, csv.Error) as problem:
        raise BadExposure(f"{file.name} cannot be read: it is no CSV in UTF-8.") from problem
    if faults:
        more = len(faults) - MOST_FAULTS_TOLD
        shown = (*faults[:MOST_FAULTS_TOLD], *((f"… and {more:,} more.",) if more > 0 else ()))
        raise BadExposure(f"Nothing was taken in: {len(faults):,} bad row{'' if len(faults) == 1 else 's'}.", shown)
    return list(told.values())


def _rows(lines: Iterator[str], faults: list[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield every row with the number of its line; raises BadExposure for a heading without the columns."""
    reader = csv.DictReader(lines, strict=True)
    heading = tuple(name.strip().lower() for name in reader.fieldnames or ())
    if sorted(heading) != sorted(COLUMNS):
        raise BadExposure(f"The first line must name the columns {','.join(COLUMNS)}; it says {','.join(heading)}.")
    reader.fieldnames = list(heading)
    for row in reader:
        if None in row or None in row.values():
            faults.append(f"Line {reader.line_num}: {len(COLUMNS)} fields are wanted.")
        else:
            yield reader.line_num, {name: value.strip() for name, value in row.items()}


def _served(row: Mapping[str, str], policy: Policy) -> Served | str:
    """Return the row's figure, or what is wrong with it."""
    if row["service"] not in {service.id for service in policy.agency.services}:
        return f"the policy has no service {row['service']!r}."
    if row["office"] not in {office.id for office in policy.agency.offices}:
        return f"the policy has no office {row['office']!r}."
    try:
        week = date.fromisoformat(row["week"])
    except ValueError:
        return f"{row['week']!r} is no date such as 2026-03-02."
    if week.weekday():
        return f"{week} is no Monday; the week is named by its Monday, {week - timedelta(days=week.weekday())}."
    is_number = row["served"].isascii() and row["served"].isdigit() and len(row["served"]) <= len(str(MOST_SERVED))
    if not is_number or int(row["served"]) > MOST_SERVED:
        return f"{row['served']!r} is no whole number from 0 to {MOST_SERVED:,}."
    return Served(row["service"], row["office"], week, int(row["served"]))
