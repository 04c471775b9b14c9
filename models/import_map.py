# SPDX-License-Identifier: Apache-2.0
"""Column maps: how a row of another system's export becomes a complaint.

A map says which column holds what; the file need not have all of them. What a row does not say stays unknown, and what
it says wrongly is refused with a sentence. Pure: files are read in run/importing.py, rows written in activities/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cached_property, lru_cache
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints

from models.messages import SHORT_TEXT_LIMIT, Code, Message, canonical
from models.policy_source import Fault, Faults, model_from, read_toml

TEXT_LIMIT: Final = 50_000
CODE_LIMIT: Final = 80
CONTACT_LIMIT: Final = 500
ISO: Final = "iso"
EARLIEST: Final = date(1970, 1, 1)
"""Case ids carry the moment of receipt as milliseconds since then (RFC 9562 §5.7)."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""What a reader makes of bytes that are not UTF-8."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Column = Annotated[str, StringConstraints(min_length=1, max_length=SHORT_TEXT_LIMIT)]
Cells = Mapping[str, Any]
"""One row as the file has it, by column."""


class Plain(Message):
    """A column taken as it stands."""

    column: Column


class Moment(Message):
    """A column with a date, or with a date and a time."""

    column: Column
    formats: Annotated[tuple[str, ...], Field(min_length=1)] = (ISO,)
    """Tried in order: `iso` (RFC 3339), or a pattern of Python's strptime such as `%m/%d/%Y`."""


class Coded(Message):
    """A column whose words become codes; a word that `values` does not name is kept, spelt as a code."""

    column: Column
    values: dict[str, Code] = Field(default_factory=dict)


class Outcome(Message):
    """How the source says the complaint ended."""

    column: Column
    still_open: tuple[str, ...] = ()
    """Words which say that it has not ended: such a row is no history, whatever the rest is taken for."""


class Circumstances(Message):
    """A column that tells whether the person affected is in vulnerable circumstances; any other word leaves it open."""

    column: Column
    yes: Annotated[tuple[str, ...], Field(min_length=1)]
    """Words which say so."""
    no: tuple[str, ...] = ()
    """Words which say that it is not so: none, where the source only ever marks those who are."""


class ContactColumns(Message):
    """Columns with what is personal."""

    name: Column | None = None
    email: Column | None = None
    phone: Column | None = None
    post: Column | None = None

    @property
    def named(self) -> dict[str, str]:
        """Return the columns that are named, by what they hold."""
        return self.model_dump(exclude_none=True)


Part = Literal[
    "id",
    "received",
    "service",
    "category",
    "office",
    "channel",
    "narrative",
    "wanted",
    "closed",
    "outcome",
    "vulnerable",
]


class ImportMap(Message):
    """A column map."""

    source: Name
    """Stands in every row's key: two maps with the same source speak of the same complaints."""
    default_channel: Code = "letter"
    language: Code = "en"
    absent: tuple[str, ...] = ()
    """Words that stand for nothing, beside the empty cell."""
    required: tuple[Part, ...] = ()
    """What every row must say."""
    id: Plain | None = None
    received: Moment | None = None
    service: Coded | None = None
    category: Coded | None = None
    office: Coded | None = None
    channel: Coded | None = None
    narrative: Plain | None = None
    wanted: Plain | None = None
    closed: Moment | None = None
    outcome: Outcome | None = None
    vulnerable: Circumstances | None = None
    contact: ContactColumns = ContactColumns()

    @cached_property
    def columns(self) -> dict[str, str]:
        """Return every column the map names, by what it holds."""
        parts = {part: getattr(self, part) for part in Part.__args__}  # type: ignore[attr-defined]  # a Literal's words
        named = {part: value.column for part, value in parts.items() if value is not None}
        return named | {f"contact.{part}": column for part, column in self.contact.named.items()}


class MapFaults(Exception):
    """A column map that cannot be used, with every fault at once."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


class RowRejected(Exception):
    """A row that cannot be taken in; its text is the reason, one sentence."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where and when rows are read: the agency's time zone and its today."""

    time_zone: str
    today: date


@dataclass(frozen=True, slots=True)
class ImportedRow:
    """A complaint as a row tells it; None is unknown."""

    source_id: str | None
    received_at: datetime | None
    received_on: date | None
    service: str | None
    category: str | None
    office: str | None
    channel: str
    narrative: str
    wanted: str
    contact: dict[str, str]
    closed_at: datetime | None
    outcome: str | None
    is_open: bool
    """The source says that it is not settled."""
    vulnerable: bool | None
    """Whether the source says that the person affected is in vulnerable circumstances."""

    @property
    def contact_json(self) -> str:
        """The contact as `content` stores it; empty where there is none."""
        return canonical(self.contact).decode() if self.contact else ""


def read_map(name: str, toml: str) -> ImportMap:
    """Return the map of a TOML text; raises MapFaults with every fault, each with its line."""
    faults = Faults()
    source = read_toml(name, toml, faults)
    read = model_from(source, ImportMap, faults) if source else None
    if read is not None and not read.columns:
        faults.add(name, 1, "The map names no column.")
    if read is not None and (lost := [part for part in read.required if part not in read.columns]):
        faults.add(name, 1, f"The map requires {', '.join(lost)} and does not say in which column to find it.")
    if read is None or faults.found:
        raise MapFaults(faults.in_order())
    return read


def row_of(import_map: ImportMap, cells: Cells, place: Place) -> ImportedRow:
    """Return the complaint of a row, or raise RowRejected with the reason."""
    told = _Told(import_map, cells)
    for part in import_map.required:
        if not told.text(part):
            raise RowRejected(f"The column '{import_map.columns[part]}' is empty, and the map requires it.")
    received = _moment(told, import_map.received, "received", place)
    closed = _moment(told, import_map.closed, "closed", place)
    if received and closed and closed[1] < received[1]:
        raise RowRejected(f"It was closed on {closed[1]}, before it was received on {received[1]}.")
    outcome = told.text("outcome")
    return ImportedRow(
        source_id=told.text("id") or None,
        received_at=received[0] if received else None,
        received_on=received[1] if received else None,
        service=told.code("service", import_map.service),
        category=told.code("category", import_map.category),
        office=told.code("office", import_map.office),
        channel=told.code("channel", import_map.channel) or import_map.default_channel,
        narrative=told.long_text("narrative"),
        wanted=told.long_text("wanted"),
        contact=told.contact(),
        closed_at=closed[0] if closed else None,
        outcome=" ".join(outcome.split())[:CODE_LIMIT] or None,
        is_open=import_map.outcome is not None and outcome in import_map.outcome.still_open,
        vulnerable=told.circumstances(import_map.vulnerable),
    )


class _Told:
    """What a row says, by what the map is looking for."""

    def __init__(self, import_map: ImportMap, cells: Cells) -> None:
        self._map = import_map
        self._cells = cells

    def raw(self, part: str) -> object:
        """Return a cell as the file has it; None where map or file lack the column."""
        column = self._map.columns.get(part)
        return None if column is None else self._cells.get(column)

    def text(self, part: str) -> str:
        """Return a cell as text without outer spaces; empty where nothing is said."""
        value = self.raw(part)
        if value is None:
            return ""
        if not isinstance(value, str | int | float | date):
            raise RowRejected(f"The column '{self._map.columns[part]}' holds a list or an object instead of one value.")
        text = str(value).strip()
        _must_be_clean(text, self._map.columns[part])
        return "" if text in self._map.absent else text

    def long_text(self, part: str) -> str:
        """Return a free text."""
        text = self.text(part)
        if len(text) > TEXT_LIMIT:
            column = self._map.columns[part]
            raise RowRejected(f"The text in '{column}' has {len(text):,} characters; at most {TEXT_LIMIT:,} are taken.")
        return text

    def code(self, part: str, coded: Coded | None) -> str | None:
        """Return a word as a code, or None where nothing is said."""
        text = self.text(part)
        if not text or coded is None:
            return None
        return coded.values.get(text) or slug(text) or None

    def circumstances(self, column: Circumstances | None) -> bool | None:
        """Return whether the person is said to be in vulnerable circumstances, or None where neither is said."""
        text = self.text("vulnerable")
        if column is None or text not in {*column.yes, *column.no}:
            return None
        return text in column.yes

    def contact(self) -> dict[str, str]:
        """Return what is personal, as far as it is said."""
        contact = {part: self.text(f"contact.{part}") for part in self._map.contact.named}
        for part, text in contact.items():
            if len(text) > CONTACT_LIMIT:
                column = self._map.columns[f"contact.{part}"]
                raise RowRejected(f"The column '{column}' has more than {CONTACT_LIMIT} characters.")
        return {part: text for part, text in contact.items() if text}


def _must_be_clean(text: str, column: str) -> None:
    if "\x00" in text:
        raise RowRejected(f"The column '{column}' holds a NUL character, which no text has.")
    if _SURROGATE.search(text):
        raise RowRejected(f"The column '{column}' holds bytes that are not UTF-8.")


def slug(text: str) -> str:
    """Return a word in the spelling of codes: small letters of any script, digits and underscores, at most eighty."""
    return re.sub(r"[\W_]+", "_", text.casefold()).strip("_")[:CODE_LIMIT].rstrip("_")


def _moment(told: _Told, column: Moment | None, part: Part, place: Place) -> tuple[datetime, date] | None:
    """Return a moment with its date in the agency's time zone, or None where nothing is said.

    A date without a time begins its day, so that the day itself is the day of receipt for every clock.
    """
    text = told.text(part)
    if not text or column is None:
        return None
    value = told.raw(part)
    read = _from_value(value) if isinstance(value, date) else _parsed(text, column.formats)
    if read is None:
        raise RowRejected(f"'{text[:40]}' in '{column.column}' is no date in the form {' or '.join(column.formats)}.")
    zone = _zone(place.time_zone)
    local = read.replace(tzinfo=zone) if read.tzinfo is None else read.astimezone(zone)
    if local.date() > place.today:
        raise RowRejected(f"The date {local.date()} in '{column.column}' is in the future.")
    if local.date() < EARLIEST:
        raise RowRejected(f"The date {local.date()} in '{column.column}' is before {EARLIEST}, which cannot be kept.")
    return local.astimezone(UTC), local.date()


def _from_value(value: date) -> datetime:
    return value if isinstance(value, datetime) else datetime.combine(value, time())


@lru_cache(maxsize=8_192)
def _parsed(text: str, formats: tuple[str, ...]) -> datetime | None:
    for form in formats:
        try:
            return datetime.fromisoformat(text) if form == ISO else datetime.strptime(text, form)  # noqa: DTZ007 - _moment sets the zone
        except ValueError:
            continue
    return None


@lru_cache(maxsize=32)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
