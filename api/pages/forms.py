# SPDX-License-Identifier: Apache-2.0
"""What was typed into a form, what is wrong with it, and the key under which it is done once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from uuid import uuid4

from fastapi import Request
from starlette.datastructures import UploadFile

from api.pages.languages import ENGLISH, Tongue

TEXT_LIMIT = 50_000
LINE_LIMIT = 200
YES, NO = "yes", "no"
"""How an answer that may also be left open stands in a form; open, it is empty."""


def new_key() -> str:
    """Return the key of a form that is about to be shown; sent twice, the form is done once."""
    return f"form-{uuid4()}"


def as_chosen(answer: bool | None) -> str:  # noqa: FBT001 - the answer is all there is to say
    """Return an answer as a form holds it."""
    return "" if answer is None else YES if answer else NO


@dataclass(frozen=True)
class Form:
    """A form as it is shown: empty, filled in beforehand, or sent back with sentences beside what is wrong."""

    values: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    """By field, one sentence each; under "" what belongs to no field."""
    key: str = field(default_factory=new_key)
    prefix: str = ""
    """Set before every id, so that several forms fit on one page."""
    numbers: tuple[int, ...] = ()
    """The issues a triage asks for."""
    because: str = ""
    """Why the values are suggested."""
    labels: dict[str, str] = field(default_factory=dict)
    """What its fields are called, as they were drawn."""

    def value(self, name: str) -> str:
        """Return what stands in a field."""
        value = self.values.get(name, "")
        return value if isinstance(value, str) else (value[0] if value else "")

    def many(self, name: str) -> tuple[str, ...]:
        """Return all that is ticked under a name."""
        value = self.values.get(name, ())
        return (value,) if isinstance(value, str) else tuple(value)


@dataclass(frozen=True, slots=True)
class Offer:
    """An action that may be asked for, with its form."""

    name: str
    label: str
    button: str
    form: Form
    is_next: bool
    is_open: bool


@dataclass(frozen=True, slots=True)
class NotNow:
    """An action that is refused now, with the sentence why."""

    name: str
    label: str
    sentence: str


class Faults(Exception):
    """A form that cannot be accepted as it is."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(" ".join(errors.values()))
        self.errors = dict(errors)


class Sent:
    """A form as it was sent; asks for fields and gathers what is wrong with them."""

    def __init__(self, values: Mapping[str, tuple[str, ...]], tongue: Tongue = ENGLISH) -> None:
        self._values = values
        self.say = tongue.say
        """Says a sentence in the language of whoever filled the form in."""
        self.errors: dict[str, str] = {}

    @property
    def values(self) -> dict[str, Sequence[str]]:
        """What was typed, to be shown again."""
        return dict(self._values)

    @property
    def key(self) -> str:
        """The form's idempotency key; a form that lost it gets a new one."""
        typed = self._typed("key")
        return (
            typed
            if typed.isascii() and typed.isprintable() and 0 < len(typed) <= LINE_LIMIT and " " not in typed
            else new_key()
        )

    def _typed(self, name: str) -> str:
        return (self._values.get(name) or ("",))[0].replace("\r\n", "\n").strip()

    def many(self, name: str) -> tuple[str, ...]:
        """Return all that was ticked under a name."""
        return tuple(value for value in self._values.get(name, ()) if value)

    def text(self, name: str, *, missing: str = "", limit: int = TEXT_LIMIT) -> str:
        """Return a text; `missing` is the sentence for one that must not be empty."""
        typed = self._typed(name)
        if not typed and missing:
            self.errors[name] = missing
        elif "\x00" in typed:
            self.errors[name] = self.say("This text holds a sign that cannot be stored.")
        elif len(typed) > limit:
            self.errors[name] = self.say("This text is longer than %(limit)s characters.", limit=f"{limit:,}")
        return typed

    def line(self, name: str, *, missing: str = "") -> str:
        """Return a text of one line."""
        typed = " ".join(self.text(name, missing=missing).split())
        if len(typed) > LINE_LIMIT:
            self.errors[name] = self.say("This is longer than %(limit)s characters.", limit=LINE_LIMIT)
        return typed

    def code(self, name: str, allowed: set[str] | frozenset[str], *, missing: str = "") -> str | None:
        """Return the option chosen, or None; one that is not offered is a fault."""
        typed = self._typed(name)
        if not typed:
            if missing:
                self.errors[name] = missing
            return None
        if typed not in allowed:
            self.errors[name] = self.say("Choose one of those offered.")
            return None
        return typed

    def yes_or_no(self, name: str) -> bool | None:
        """Return whether yes was chosen, or None where neither was."""
        chosen = self.code(name, {YES, NO})
        return None if chosen is None else chosen == YES

    def number(self, name: str, *, missing: str = "") -> int | None:
        """Return a whole number, or None."""
        typed = self._typed(name)
        if typed.isdecimal():
            return int(typed)
        if typed or missing:
            self.errors[name] = "Write a whole number, 0 or more." if typed else missing
        return None

    def day(self, name: str, *, missing: str = "") -> date | None:
        """Return a date, or None."""
        typed = self._typed(name)
        if not typed:
            if missing:
                self.errors[name] = missing
            return None
        try:
            return date.fromisoformat(typed)
        except ValueError:
            self.errors[name] = "Write the date as year-month-day, such as 2026-03-09."
            return None

    def cents(self, name: str) -> int | None:
        """Return a sum in cents, typed in dollars, or None."""
        typed = self._typed(name).replace("$", "").replace(",", "")
        if not typed:
            return None
        try:
            cents = Decimal(typed) * 100
        except InvalidOperation:
            cents = Decimal(0)
        if not cents.is_finite() or cents <= 0 or cents != cents.to_integral_value() or cents > 100_000_000:  # noqa: PLR2004 - models/messages.py, Amount
            self.errors[name] = "Write the sum in dollars, such as 25 or 25.50."
            return None
        return int(cents)

    def check(self) -> None:
        """Raise Faults if anything was wrong so far."""
        if self.errors:
            raise Faults(self.errors)

    def again(self, errors: Mapping[str, str] | None = None, *, prefix: str = "") -> Form:
        """Return the form to be shown again, with what was typed and the same key."""
        return Form(self.values, self.errors if errors is None else errors, key=self.key, prefix=prefix)


def check_day_to_come(on: date | None, today: date, *, field: str = "follow_up_on") -> None:
    """Raise Faults for a promised day that is over."""
    if on is not None and on < today:
        raise Faults({field: "This day is over; name today or a day to come."})


async def sent(request: Request, tongue: Tongue = ENGLISH) -> Sent:
    """Return the form that a request carries; what is wrong with it is said in that language."""
    form = await request.form(max_files=0, max_fields=400)
    return Sent({name: tuple(str(value) for value in form.getlist(name)) for name in form}, tongue)


async def sent_with_file(request: Request) -> Sent:
    """Return a form that may carry a table as a file; its text stands under the field's name.

    Bytes that are no UTF-8 stand in it as surrogates, for whoever reads the table to refuse.
    """
    async with request.form(max_files=1, max_fields=400) as form:
        values = {name: tuple([await _read(value) for value in form.getlist(name)]) for name in form}
    return Sent(values)


async def _read(value: UploadFile | str) -> str:
    return value if isinstance(value, str) else (await value.read()).decode(errors="surrogateescape")
