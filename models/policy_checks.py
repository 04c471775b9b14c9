# SPDX-License-Identifier: Apache-2.0
"""What policy files must agree on: words that exist, scales without gaps, a clock for each standard, a home for all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from models.routing import ANYTHING, NOT_STATED, RoutingRule, homeless, unreachable
from models.taxonomy import Kind, Taxonomy, Term
from models.terms import ANSWERED_AS, ClockName, Remedy, Scope, Track
from models.working_time import Unit, WorkingCalendar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from models.agency import Agency, Channel, Office, Service, Team
    from models.holiday_calendar import CalendarRules
    from models.policy_source import Faults, Row, TomlSource
    from models.retention import Retention
    from models.severity import Level, Severity
    from models.standards import Standards

ROUTING: Final = "routing.csv"
TAXONOMY: Final = "taxonomy.csv"


def check_agency(source: TomlSource, agency: Agency, faults: Faults) -> None:
    """Report ids used twice, texts that lack a language, and anything but one central office."""
    lists: dict[str, Sequence[Service | Office | Team | Channel]] = {
        "services": agency.services,
        "offices": agency.offices,
        "teams": agency.teams,
        "channels": agency.channels,
    }
    for name, things in lists.items():
        _report_twice(source, [(name, place, thing.id) for place, thing in enumerate(things)], faults)
    if len(set(agency.languages)) < len(agency.languages):
        faults.add(source.name, source.line_of("languages"), "A language is named twice.")
    if sum(office.is_central for office in agency.offices) != 1:
        faults.add(source.name, source.line_of("offices"), "Exactly one office is the central one.")
    if agency.accountable_executive is None:
        faults.add(source.name, 1, "`accountable_executive` is missing: who answers for putting things right?")
    for place, service in enumerate(agency.services):
        check_languages(source, ("services", place, "name"), service.name, agency, faults)
        check_languages(source, ("services", place, "covers"), service.covers, agency, faults)
    for place, channel in enumerate(agency.channels):
        check_languages(source, ("channels", place, "name"), channel.name, agency, faults)
    for key in ("greeting", "notice", "external_route"):
        check_languages(source, (key,), getattr(agency, key), agency, faults)
    for language, greeting in agency.greeting.items():
        if "{name}" not in greeting.named:
            faults.add(source.name, source.line_of("greeting", language, "named"), "The greeting must say {name}.")


def check_languages(
    source: TomlSource, path: tuple[str | int, ...], texts: Mapping[str, object], agency: Agency, faults: Faults
) -> None:
    """Report languages of the agency a text lacks, and languages it has that the agency does not write in."""
    for language in agency.languages:
        if language not in texts:
            faults.add(source.name, source.line_of(*path), f"`{path[-1]}` is missing in the language '{language}'.")
    for language in texts.keys() - set(agency.languages):
        faults.add(source.name, source.line_of(*path, language), f"The agency does not write in '{language}'.")


def check_standards(
    source: TomlSource, standards: Standards, agency: Agency | None, calendar: WorkingCalendar | None, faults: Faults
) -> None:
    """Report clocks without a standard, standards that no clock would use, and days before or outside their time."""
    if calendar is not None and not calendar.first_on <= standards.effective_on <= calendar.last_on:
        faults.add(source.name, source.line_of("effective_on"), "The working calendar does not cover this day.")
    _report_twice(source, [("standards", place, each.id) for place, each in enumerate(standards.standards)], faults)
    wanted = {(clock, None) for clock in ClockName if clock is not ClockName.ANSWER}
    missing: set[tuple[ClockName, Track | None]] = wanted | {(ClockName.ANSWER, track) for track in Track}
    for place, standard in enumerate(standards.standards):
        line = source.line_of("standards", place)
        drives = (standard.clock, standard.track)
        if drives not in missing:
            faults.add(source.name, line, f"Another standard already drives the clock {_clock(*drives)}.")
        missing.discard(drives)
        if standard.unit is Unit.BUSINESS_DAYS and standard.warn_before_working_days > standard.amount:
            faults.add(source.name, line, f"'{standard.id}' would warn before the time has begun.")
        if agency is not None:
            check_languages(source, ("standards", place, "promise"), standard.promise, agency, faults)
    for clock, track in sorted(missing, key=str):
        faults.add(source.name, 1, f"No standard drives the clock {_clock(clock, track)}.")


def check_calendar(source: TomlSource, rules: CalendarRules, holidays: Mapping[date, str], faults: Faults) -> None:
    """Report closures that can never matter: twice, on a holiday, on a closed weekday, outside the years covered."""
    if rules.first_year > rules.last_year:
        faults.add(source.name, source.line_of("last_year"), "The calendar ends before it begins.")
    for weekday, (opens, closes) in rules.opening_hours.items():
        if opens >= closes:
            line = source.line_of("opening_hours", weekday.name.lower())
            faults.add(source.name, line, f"{weekday.name.capitalize()} closes before it opens.")
    seen: set[date] = set()
    for place, closure in enumerate(rules.closures):
        reasons = {
            "closed twice": closure.on in seen,
            f"a public holiday already ({holidays.get(closure.on)})": closure.on in holidays,
            "a day of the week that is never open": closure.on.weekday() not in set(rules.opening_hours),
            "outside the years of the calendar": not rules.first_year <= closure.on.year <= rules.last_year,
        }
        for reason in (reason for reason, is_so in reasons.items() if is_so):
            faults.add(source.name, source.line_of("closures", place, "on"), f"{closure.on} is {reason}.")
        seen.add(closure.on)


def check_taxonomy(rows: Sequence[Row[Term]], agency: Agency | None, faults: Faults) -> None:
    """Report codes used twice, families that do not exist, and rows that lack what their kind needs."""
    families = {row.value.code for row in rows if row.value.kind is Kind.FAMILY}
    seen: dict[str, int] = {}
    for row in rows:
        term = row.value
        if term.code in seen:
            faults.add(TAXONOMY, row.line, f"The code {term.code} stands on line {seen[term.code]} already.")
        seen.setdefault(term.code, row.line)
        for sentence in _wrong_with(term, families, agency):
            faults.add(TAXONOMY, row.line, sentence)
    for kind in Kind:
        if not any(row.value.kind is kind for row in rows):
            faults.add(TAXONOMY, 1, f"There is no row of the kind '{kind}'.")


def _wrong_with(term: Term, families: set[str], agency: Agency | None) -> Iterable[str]:
    if term.kind is Kind.FAILURE:
        if term.driver is None:
            yield f"The failure {term.code} needs a driver (EF, EA, EC, TR, HU or EM)."
        if term.family not in families or not term.code.startswith(term.family or " "):
            yield f"The failure {term.code} must begin with the code of a family, and name it."
    elif term.family is not None or term.driver is not None:
        yield f"Only failures have a family and a driver; {term.code} is of the kind '{term.kind}'."
    if (term.kind is Kind.INTAKE) != term.code.islower():
        yield f"{term.code}: codes of intake categories are small letters, all others capitals and digits."
    if term.kind is Kind.INTAKE and agency is not None and "es" in agency.languages and term.name_es is None:
        yield f"The intake category {term.code} is read by complainants and lacks its Spanish name."


def _check_told(source: TomlSource, severity: Severity, agency: Agency, faults: Faults) -> None:
    """Report what a complainant could not be told, or asked, in their language."""
    for place, remedy in enumerate(severity.remedies):
        path = ("remedies", place, "told")
        if remedy.id is not Remedy.NONE:
            check_languages(source, path, remedy.told, agency, faults)
        for words in remedy.told.values():
            if remedy.is_money and not ("{amount}" in words and "{authority}" in words):
                faults.add(source.name, source.line_of(*path), "Who gets money is told {amount} and {authority}.")
    known = {finding.id for finding in severity.findings}
    for word in sorted(set(ANSWERED_AS) - known):
        faults.add(source.name, source.line_of("findings"), f"`findings` does not say how '{word}' is told.")
    for place, finding in enumerate(severity.findings):
        check_languages(source, ("findings", place, "told"), finding.told, agency, faults)
    if severity.vulnerable_circumstances is not None:
        check_languages(source, ("vulnerable_circumstances",), severity.vulnerable_circumstances, agency, faults)


def check_severity(source: TomlSource, severity: Severity, agency: Agency | None, faults: Faults) -> None:
    """Report scales with gaps, words that lack a meaning, and rules that contradict each other."""

    def report(sentence: str, *path: str | int) -> None:
        faults.add(source.name, source.line_of(*path), sentence)

    for scale in ("levels", "harms"):
        _check_scale(source, scale, getattr(severity, scale), faults)
    meant: tuple[tuple[str, list[str], list[str]], ...] = (
        ("scopes", [meaning.id for meaning in severity.scopes], list(Scope)),
        ("remedies", [meaning.id for meaning in severity.remedies], list(Remedy)),
    )
    for key, ids, words in meant:
        _report_twice(source, [(key, place, word) for place, word in enumerate(ids)], faults)
        for word in set(words) - set(ids):
            report(f"`{key}` does not say what '{word}' means.", key)
    levels = {step.level for step in severity.levels}
    for table, key in (
        ("safety_screen", "severity"),
        ("approval", "severity_at_least"),
        ("on_the_spot", "severity_at_most"),
    ):
        if getattr(getattr(severity, table), key) not in levels:
            report(f"`{key}` is not one of the levels of severity.", table, key)
    if severity.on_the_spot.severity_at_most >= severity.approval.severity_at_least:
        report("What another person must approve cannot be settled on the spot.", "on_the_spot", "severity_at_most")
    if severity.on_the_spot.remedy_cents_at_most > severity.approval.remedy_cents_over:
        report(
            "Money that another person must approve cannot be granted on the spot.",
            "on_the_spot",
            "remedy_cents_at_most",
        )
    if agency is not None:
        check_languages(source, ("safety_screen", "words"), severity.safety_screen.words, agency, faults)
        _check_told(source, severity, agency, faults)


def check_routing(
    rows: Sequence[Row[RoutingRule]],
    agency: Agency | None,
    taxonomy: Taxonomy | None,
    severity: Severity | None,
    faults: Faults,
) -> None:
    """Report words that do not exist, rows that can never win, and complaints that no row fits."""
    known: dict[str, set[str]] = {}
    if agency is not None:
        known["service"] = {service.id for service in agency.services}
        known["office"] = {office.id for office in agency.offices}
        known["team"] = {team.id for team in agency.teams}
    if taxonomy is not None:
        known["category"] = {term.code for term in taxonomy.of(Kind.INTAKE) if term.retired_on is None}
    if severity is not None:
        known["severity"] = {step.id for step in severity.levels}
    for row in rows:
        for column, words in known.items():
            word = getattr(row.value, column)
            if word not in words and (word != ANYTHING or column == "team"):
                faults.add(ROUTING, row.line, f"There is no {column} '{word}' (or it is retired).")
    _check_order(rows, faults)


def _check_order(rows: Sequence[Row[RoutingRule]], faults: Faults) -> None:
    rules = [row.value for row in rows]
    for index, blamed in unreachable(rules).items():
        why = "the rows above together fit" if blamed is None else f"line {rows[blamed].line} comes first and fits"
        faults.add(ROUTING, rows[index].line, f"This row can never win: {why} everything it is about.")
    if example := homeless(rules):
        said = ", ".join(
            f"{axis} {value if value != NOT_STATED else 'any other or not stated'}" for axis, value in example.items()
        )
        faults.add(ROUTING, rows[-1].line if rows else 1, f"No row fits a complaint with {said}.")


def check_retention(source: TomlSource, retention: Retention, faults: Faults) -> None:
    """Report kinds of record that are named twice."""
    _report_twice(source, [("items", place, item.id) for place, item in enumerate(retention.items)], faults)


def _check_scale(source: TomlSource, scale: str, steps: tuple[Level, ...], faults: Faults) -> None:
    _report_twice(source, [(scale, place, step.id) for place, step in enumerate(steps)], faults)
    if [step.level for step in steps] != list(range(len(steps))):
        faults.add(source.name, source.line_of(scale), f"`{scale}` counts 0, 1, 2, … without a gap.")


def _report_twice(source: TomlSource, ids: Iterable[tuple[str, int, str]], faults: Faults) -> None:
    seen: set[str] = set()
    for name, place, word in ids:
        if word in seen:
            faults.add(source.name, source.line_of(name, place, "id"), f"'{word}' stands in `{name}` twice.")
        seen.add(word)


def _clock(clock: ClockName, track: Track | None) -> str:
    return f"'{clock}'" if track is None else f"'{clock}' on the track '{track}'"
