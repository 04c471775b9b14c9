# SPDX-License-Identifier: Apache-2.0
"""People whom a failure affected: how a list of them is read, who is meant by which cells, what names their letters.

A list comes from an uploaded table (also people who never complained) or from the agency's own complaints; on it nobody
stands twice. What is told at the acceptance and the verdict of a fix goes to lists that are made by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Self
from uuid import UUID, uuid5

from pydantic import Field, StringConstraints, model_validator

from models.aggregates import monday_of
from models.fixes.commands import CellRef
from models.fixes.fix import Fix
from models.fixes.terms import Help, Occasion
from models.messages import Amount, Code, Message, canonical, sha256
from models.policy_source import Fault, Faults, read_csv
from models.terms import Remedy

UPLOADED = "list.csv"
"""What an uploaded table is called in the sentences about it."""
MOST_PEOPLE = 1_000_000
UNTOLD_BEGINNING = timedelta(weeks=26)
"""How far back the complaints of a fix go that no signal and no plan gives a beginning."""
OTHER_FAMILY = "other"
"""The family of causes that the policy does not know."""
_NAMESPACE = UUID("5d2b7b8e-0c1f-5f0e-9d64-6a1a0c7c9e21")
Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200, pattern=r"^[^\x00\r\n]*$")]
Address = Annotated[str, StringConstraints(strip_whitespace=True, max_length=254, pattern=r"^[^\x00\r\n]*$")]


class AffectedPerson(Message):
    """Somebody on a list: how to reach them, and what they get."""

    name: Name = ""
    email: Address = ""
    """Empty: cannot be written to, which is an exception for a person to deal with."""
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")] = "en"
    case_id: UUID | None = None
    remedy: Remedy | None = None
    amount: Amount | None = None

    def row(self) -> dict[str, Any]:
        """Return the person as the record's door takes them in."""
        return {
            "case_id": str(self.case_id) if self.case_id else None,
            "contact": {"name": self.name, "email": self.email},
            "language": self.language,
            "remedy": self.remedy.value if self.remedy else None,
            "amount_cents": self.amount.cents if self.amount else None,
            "authority": self.amount.authority if self.amount else None,
        }


class UploadedPerson(Message):
    """A row of an uploaded table."""

    name: Name = ""
    email: Address = ""
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")] | None = None
    remedy: Remedy | None = None
    amount_cents: Annotated[int, Field(gt=0, le=100_000_000)] | None = None
    authority: Code | None = None

    @model_validator(mode="after")
    def _is_somebody(self) -> Self:
        if not self.name and not self.email:
            raise ValueError("a row names somebody, by name or e-mail address")
        if (self.amount_cents is None) is not (self.authority is None):
            raise ValueError("an amount is paid by an authority: give amount_cents and authority, or neither")
        if self.amount_cents is not None and self.remedy is None:
            raise ValueError("an amount belongs to a remedy")
        return self


class ListFaults(Exception):
    """A table that cannot be used, with every fault at once."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(f"Line {fault.line}: {fault.sentence}" for fault in faults))
        self.faults = faults


def read_people(text: str, help_: Help, languages: tuple[str, ...]) -> tuple[AffectedPerson, ...]:
    """Return the people of an uploaded CSV, nobody twice; raises ListFaults with every fault by its line.

    Columns: name, email, language, remedy, amount_cents, authority; cells may be empty. Remedies are named on lists of
    those who get one, and on no others. Who has no language is written to in the first.
    """
    faults = Faults()
    rows = read_csv(UPLOADED, text.removeprefix("\ufeff").replace("\r\n", "\n"), UploadedPerson, faults)
    for row in rows:
        for sentence in _wrong_with(row.value, help_, languages):
            faults.add(UPLOADED, row.line, sentence)
    if faults.found:
        raise ListFaults(faults.in_order())
    people = once_each(_person(row.value, languages[0]) for row in rows)
    if not 1 <= len(people) <= MOST_PEOPLE:
        raise ListFaults((Fault(UPLOADED, 1, f"A list names 1 to {MOST_PEOPLE:,} people; this one {len(people):,}."),))
    return people


def _wrong_with(person: UploadedPerson, help_: Help, languages: tuple[str, ...]) -> Iterable[str]:
    if help_ is Help.REMEDY and person.remedy in {None, Remedy.NONE}:
        yield "Everybody on a list of remedies gets one; name it in the column remedy."
    if help_ is Help.NOTIFY and person.remedy is not None:
        yield "Nobody on this list gets a remedy; make a list of remedies of it, or leave the column empty."
    if person.language is not None and person.language not in languages:
        yield f"The agency does not write in '{person.language}'."


def _person(row: UploadedPerson, language: str) -> AffectedPerson:
    amount = None
    if row.amount_cents is not None and row.authority is not None:
        amount = Amount(cents=row.amount_cents, authority=row.authority)
    return AffectedPerson(
        name=row.name, email=row.email, language=row.language or language, remedy=row.remedy, amount=amount
    )


def once_each(people: Iterable[AffectedPerson]) -> tuple[AffectedPerson, ...]:
    """Return the people, of each e-mail address the first; who has none stands for themselves."""
    kept: dict[str, AffectedPerson] = {}
    for number, person in enumerate(people):
        kept.setdefault(person.email.lower() or f"without an address {number}", person)
    return tuple(kept.values())


def request_hash_of(fix_id: UUID, help_: Help, people: Iterable[AffectedPerson]) -> bytes:
    """Return the SHA-256 of a list: the same id with another list is another request."""
    return sha256(canonical({"fix": str(fix_id), "help": help_.value, "people": [person.row() for person in people]}))


def list_id_for(fix: Fix, occasion: Occasion) -> UUID:
    """Return the list of those who are told on an occasion: of an acceptance, or of the latest verdict."""
    verdict_of = f"{fix.attempt}/{fix.effective_on}" if occasion is Occasion.JUDGED else ""
    return uuid5(_NAMESPACE, f"{fix.id}/{occasion}/{verdict_of}")


def message_id_for(list_id: UUID, number: int, domain: str) -> str:
    """Return the Message-ID of a person's letter, the same however often it is sent (RFC 5322 §3.6.4)."""
    return f"<{uuid5(list_id, str(number))}@{domain}>"


def asked_cells(cells: Iterable[CellRef], families: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the cells as the record's query for complainants takes them; `families`: of the policy's codes."""
    return [_asked_cell(cell, families) for cell in cells]


def _asked_cell(cell: CellRef, families: Mapping[str, str]) -> dict[str, Any]:
    asked: dict[str, Any] = {"measure": cell.measure, "service": cell.service, "office": cell.office}
    if cell.code is not None:
        return asked | {"codes": [cell.code]}
    if cell.family is None or cell.measure == "intake":
        return asked
    if cell.family == OTHER_FAMILY:
        return asked | {"other_than": sorted(families)}
    return asked | {"codes": sorted(code for code, family in families.items() if family == cell.family)}


def cells_told_of(fix: Fix) -> tuple[CellRef, ...]:
    """Return whose complaints led to the fix: its own cells, and those its plans are judged by."""
    plans = [*(ended.plan for ended in fix.rounds), *([fix.plan] if fix.plan else [])]
    targets = [target for plan in plans for target in plan.targets]
    return tuple(dict.fromkeys((*fix.cells, *targets)))


def told_since(fix: Fix, began_weeks: Iterable[date], opened_on: date) -> date:
    """Return the day from which on complaints led to the fix: the beginning of its earliest signal, if any."""
    plans = [*(ended.plan for ended in fix.rounds), *([fix.plan] if fix.plan else [])]
    known = [*began_weeks, *(plan.trigger_from for plan in plans if plan.trigger_from)]
    return min(known, default=monday_of(opened_on - UNTOLD_BEGINNING))


_GETS = {"en": "What you get: {remedy}.", "es": "Lo que usted recibe: {remedy}."}
_REMEDIES = {
    Remedy.APOLOGY: {"en": "an apology", "es": "una disculpa"},
    Remedy.EXPLANATION: {"en": "an explanation", "es": "una explicación"},
    Remedy.CORRECTION: {"en": "a correction", "es": "una corrección"},
    Remedy.EXPEDITED: {"en": "faster handling", "es": "una atención más rápida"},
    Remedy.REFUND: {"en": "a refund", "es": "un reembolso"},
    Remedy.OTHER: {"en": "what is said above", "es": "lo que se dice arriba"},
}


def remedy_in_words(remedy: str | None, amount_cents: int | None, language: str) -> str:
    """Return what somebody gets as a sentence of their letter, in English where we know no other; empty for nothing."""
    words = _REMEDIES.get(Remedy(remedy)) if remedy else None
    if words is None:
        return ""
    amount = f" (${amount_cents / 100:,.2f})" if amount_cents else ""
    return _GETS.get(language, _GETS["en"]).format(remedy=words.get(language, words["en"]) + amount)
