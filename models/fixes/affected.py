# SPDX-License-Identifier: Apache-2.0
"""People whom a failure affected: who is meant by which cells, which lists make themselves, what names their letters.

A list comes from a table (also people who never complained) or from the agency's own complaints; on it nobody stands
twice. What is told at the acceptance and the verdict of a fix goes to lists that are made by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID, uuid5

from pydantic import StringConstraints

from models.aggregates import monday_of
from models.fixes.cells import OTHER_FAMILY
from models.fixes.commands import CellRef
from models.fixes.fix import Fix
from models.fixes.terms import Occasion
from models.messages import Amount, Message
from models.terms import Remedy

LINE_LIMIT = 200
ADDRESS_LIMIT = 500
"""As long as any contact that an import keeps."""
UNTOLD_BEGINNING = timedelta(weeks=26)
"""How far back the complaints of a fix go that no signal and no plan gives a beginning."""
_NAMESPACE = UUID("5d2b7b8e-0c1f-5f0e-9d64-6a1a0c7c9e21")
Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=LINE_LIMIT, pattern=r"^[^\x00\r\n]*$")]
Address = Annotated[str, StringConstraints(strip_whitespace=True, max_length=ADDRESS_LIMIT, pattern=r"^[^\x00\r\n]*$")]


class AffectedPerson(Message):
    """Somebody on a list: how to reach them, and what they get."""

    name: Name = ""
    email: Address = ""
    post: Annotated[str, StringConstraints(strip_whitespace=True, max_length=1_000, pattern=r"^[^\x00]*$")] = ""
    """Where a letter goes that has no e-mail address to go to; with neither, a person deals with the exception."""
    phone: Name = ""
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]
    case_id: UUID | None = None
    remedy: Remedy | None = None
    amount: Amount | None = None

    def row(self) -> dict[str, Any]:
        """Return the person as the record's door takes them in."""
        return {
            "case_id": str(self.case_id) if self.case_id else None,
            "contact": {
                "name": self.name,
                "email": self.email,
                **{way: told for way, told in (("post", self.post), ("phone", self.phone)) if told},
            },
            "language": self.language,
            "remedy": self.remedy.value if self.remedy else None,
            "amount_cents": self.amount.cents if self.amount else None,
            "authority": self.amount.authority if self.amount else None,
        }


def complainant_listed(contact: Mapping[str, str], language: str, case_id: UUID) -> AffectedPerson:
    """Return a complainant as a list has them, whatever their contact looks like: an import keeps what its file says.

    An address is never cut, which would make it somebody else's: one that is none is refused when it is written to.
    """
    known = {way: " ".join(contact.get(way, "").split()) for way in ("name", "email", "phone")}
    return AffectedPerson(
        name=known["name"][:LINE_LIMIT],
        email=known["email"],
        post=contact.get("post", ""),
        phone=known["phone"][:LINE_LIMIT],
        language=language,
        case_id=case_id,
    )


def list_id_for(fix: Fix, occasion: Occasion, linked: UUID | None = None) -> UUID:
    """Return the list of those who are told on an occasion: of an acceptance, or of the latest verdict.

    `linked`: the signal whose complainants are told because it was linked after the words had been approved.
    """
    verdict_of = f"{fix.attempt}/{fix.effective_on}" if occasion is Occasion.JUDGED else ""
    return uuid5(_NAMESPACE, f"{fix.id}/{occasion}/{verdict_of}" + (f"/{linked}" if linked else ""))


def message_id_for(list_id: UUID, number: int, domain: str) -> str:
    """Return the Message-ID of a person's letter, the same however often it is sent (RFC 5322 §3.6.4)."""
    return f"<{uuid5(list_id, str(number))}@{domain}>"


def asked_cells(cells: Iterable[CellRef], families: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the cells as the record's query for complainants takes them; `families`: of the policy's codes.

    Whose complaints a cell counts is what `CellRef.contains` says of weekly counts.
    """
    return [_asked_cell(cell, families) for cell in cells]


def _asked_cell(cell: CellRef, families: Mapping[str, str]) -> dict[str, Any]:
    asked: dict[str, Any] = {name: getattr(cell, name) for name in ("measure", "service", "office", "channel")}
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


_TOLD_IN = {"en": "What follows is in {language}.", "es": "Lo que sigue está en {language}."}
_LANGUAGES = {"en": {"en": "English", "es": "inglés"}, "es": {"en": "Spanish", "es": "español"}}
_ANOTHER = {"en": "another language", "es": "otro idioma"}


def told_in(language: str, reader: str) -> str:
    """Return what language words are in, in the reader's language, or in English where we know no other."""
    reader = reader if reader in _TOLD_IN else "en"
    return _TOLD_IN[reader].format(language=_LANGUAGES.get(language, _ANOTHER)[reader])


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
