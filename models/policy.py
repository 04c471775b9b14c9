# SPDX-License-Identifier: Apache-2.0
"""The policy: an agency's numbers and words as one object, read from files that their owners can read.

`parse_policy` takes the files' texts (run/ reads them from disk) and returns the policy, or raises every fault at once.
What the files mean, who owns which and how a change takes effect: policy/README.md.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeVar

from models import policy_checks as checks
from models.agency import Agency
from models.holiday_calendar import CalendarRules, UnknownHolidays, calendar_for, public_holidays
from models.letter_files import LETTERS_FOLDER, read_letters
from models.letters import Letter, LetterKind, letter_of
from models.messages import Message, canonical_message, sha256
from models.policy_source import Fault, Faults, TomlSource, model_from, read_csv, read_toml
from models.retention import Retention
from models.routing import RoutingRule, first_fit
from models.severity import Severity
from models.standards import Standards
from models.surveillance import SurveillanceSettings
from models.taxonomy import Taxonomy, Term
from models.working_time import WorkingCalendar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

AGENCY: Final = "agency.toml"
STANDARDS: Final = "service_standards.toml"
CALENDAR: Final = "working_calendar.toml"
SEVERITY: Final = "severity.toml"
RETENTION: Final = "retention.toml"
SURVEILLANCE: Final = "surveillance.toml"
POLICY_FILES: Final = (AGENCY, STANDARDS, CALENDAR, checks.ROUTING, checks.TAXONOMY, SEVERITY, RETENTION, SURVEILLANCE)
"""The files every policy has; the letters stand beside them in LETTERS_FOLDER as <occasion>.<language>.md."""

Part = TypeVar("Part", bound=Message)


class PolicyFaults(Exception):
    """A policy that cannot be used, with every fault at once."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


class Policy(Message):
    """One version of everything an agency decides by itself."""

    agency: Agency
    standards: Standards
    calendar: WorkingCalendar
    routing: tuple[RoutingRule, ...]
    taxonomy: Taxonomy
    severity: Severity
    letters: tuple[Letter, ...]
    retention: Retention
    surveillance: SurveillanceSettings

    @property
    def effective_on(self) -> date:
        """The first day of receipt to which this version applies."""
        return self.standards.effective_on

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of what the policy says; comments and line ends of its files do not count, new holidays do."""
        return sha256(canonical_message(self)).hex()

    def route(
        self,
        *,
        service: str | None = None,
        category: str | None = None,
        severity: int | None = None,
        office: str | None = None,
    ) -> RoutingRule:
        """Return the routing row for a complaint as far as it is known: its team, track and reason."""
        level = self.severity.level_id(severity)
        return first_fit(self.routing, service=service, category=category, severity=level, office=office)

    def letter(self, kind: LetterKind, language: str | None = None) -> Letter:
        """Return the letter in the language asked for, or in the agency's first where it does not have that."""
        wanted = self.agency.languages[0] if kind.is_for_staff else self.agency.language_for(language)
        return letter_of(self.letters, kind, wanted)


def parse_policy(files: Mapping[str, str]) -> Policy:
    """Return the policy that the files hold, by name relative to their folder; raises PolicyFaults with every fault."""
    faults = Faults()
    files = {name: _plain(text) for name, text in files.items()}
    _report_names(files, faults)
    agency = _agency(files, faults)
    calendar = _calendar(files, agency, faults)
    taxonomy = _taxonomy(files, agency, faults)
    severity = _severity(files, agency, faults)
    parts = {
        "agency": agency,
        "standards": _standards(files, agency, calendar, faults),
        "calendar": calendar,
        "routing": _routing(files, agency, taxonomy, severity, faults),
        "taxonomy": taxonomy,
        "severity": severity,
        "letters": _letters(files, agency, faults),
        "retention": _retention(files, faults),
        "surveillance": _toml_part(files, SURVEILLANCE, SurveillanceSettings, faults)[1],
    }
    if faults.found:
        raise PolicyFaults(faults.in_order())
    return Policy.model_validate(parts)


def _plain(text: str) -> str:
    """Return a text without what editors and spreadsheets add unseen: a byte order mark, and line ends of two signs."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def _report_names(files: Mapping[str, str], faults: Faults) -> None:
    for name in POLICY_FILES:
        if name not in files:
            faults.add(name, 1, "The file is missing.")
    for name in files:
        if name not in POLICY_FILES and not name.startswith(LETTERS_FOLDER):
            faults.add(name, 1, "This file is no part of a policy; is its name misspelt?")


def _toml_part(
    files: Mapping[str, str], name: str, model: type[Part], faults: Faults
) -> tuple[TomlSource | None, Part | None]:
    source = read_toml(name, files[name], faults) if name in files else None
    return source, model_from(source, model, faults) if source else None


def _agency(files: Mapping[str, str], faults: Faults) -> Agency | None:
    source, agency = _toml_part(files, AGENCY, Agency, faults)
    if source and agency:
        checks.check_agency(source, agency, faults)
    return agency


def _calendar(files: Mapping[str, str], agency: Agency | None, faults: Faults) -> WorkingCalendar | None:
    source, rules = _toml_part(files, CALENDAR, CalendarRules, faults)
    if not source or not rules:
        return None
    try:
        holidays = public_holidays(rules)
    except UnknownHolidays as problem:
        faults.add(CALENDAR, source.line_of("holidays"), str(problem))
        return None
    checks.check_calendar(source, rules, holidays, faults)
    return calendar_for(rules, agency.time_zone) if agency and not faults.in_file(CALENDAR) else None


def _standards(
    files: Mapping[str, str], agency: Agency | None, calendar: WorkingCalendar | None, faults: Faults
) -> Standards | None:
    source, standards = _toml_part(files, STANDARDS, Standards, faults)
    if source and standards:
        checks.check_standards(source, standards, agency, calendar, faults)
    return standards


def _taxonomy(files: Mapping[str, str], agency: Agency | None, faults: Faults) -> Taxonomy | None:
    if checks.TAXONOMY not in files:
        return None
    rows = read_csv(checks.TAXONOMY, files[checks.TAXONOMY], Term, faults)
    checks.check_taxonomy(rows, agency, faults)
    return Taxonomy(terms=tuple(row.value for row in rows))


def _severity(files: Mapping[str, str], agency: Agency | None, faults: Faults) -> Severity | None:
    source, severity = _toml_part(files, SEVERITY, Severity, faults)
    if source and severity:
        checks.check_severity(source, severity, agency, faults)
    return severity


def _routing(
    files: Mapping[str, str],
    agency: Agency | None,
    taxonomy: Taxonomy | None,
    severity: Severity | None,
    faults: Faults,
) -> tuple[RoutingRule, ...]:
    if checks.ROUTING not in files:
        return ()
    rows = read_csv(checks.ROUTING, files[checks.ROUTING], RoutingRule, faults)
    checks.check_routing(rows, agency, taxonomy, severity, faults)
    return tuple(row.value for row in rows)


def _letters(files: Mapping[str, str], agency: Agency | None, faults: Faults) -> tuple[Letter, ...]:
    found = {name: text for name, text in files.items() if name.startswith(LETTERS_FOLDER)}
    return read_letters(found, agency.languages if agency else None, faults)


def _retention(files: Mapping[str, str], faults: Faults) -> Retention | None:
    source, retention = _toml_part(files, RETENTION, Retention, faults)
    if source and retention:
        checks.check_retention(source, retention, faults)
    return retention
