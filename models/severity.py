# SPDX-License-Identifier: Apache-2.0
"""How bad: severity of the failure, harm to the person, scope, danger words, and what needs a second person."""

from __future__ import annotations

import re
import unicodedata
from functools import cached_property
from typing import Annotated

from pydantic import Field

from models.agency import Id, Language, Line, Names
from models.messages import Message
from models.terms import Finding, Remedy, Scope

Cents = Annotated[int, Field(ge=0, le=100_000_000)]
Step = Annotated[int, Field(ge=0, le=9)]


class Level(Message):
    """One step of a scale."""

    level: Step
    id: Id
    name: Line
    definition: Line


class ScopeMeaning(Message):
    """What a scope means here."""

    id: Scope
    name: Line
    definition: Line


class RemedyMeaning(Message):
    """What a remedy means here, and whether it costs money and so needs a recorded legal authority."""

    id: Remedy
    name: Line
    definition: Line
    told: Names = Field(default_factory=dict)
    """What the complainant is told of it, in each language; of money with {amount} and {authority} in it."""
    is_money: bool = False


class FindingMeaning(Message):
    """How the complainant is told what was found for one point of the complaint."""

    id: Finding
    told: Names


class SafetyScreen(Message):
    """Words that may mean danger: whoever writes one is looked at the same day."""

    look_within_working_days: Annotated[int, Field(ge=0, le=5)]
    severity: Step
    """What a complaint with such a word is taken for until a person has looked."""
    words: dict[Language, Annotated[tuple[Line, ...], Field(min_length=1)]]

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        phrases = sorted({_plain(word) for words in self.words.values() for word in words}, key=len, reverse=True)
        return re.compile(r"(?<!\w)(?:" + "|".join(re.escape(phrase) for phrase in phrases) + r")(?!\w)")

    def words_in(self, text: str) -> tuple[str, ...]:
        """Return the danger words a text holds, in their order, each once; capitals and accents do not matter."""
        return tuple(dict.fromkeys(self._pattern.findall(_plain(text))))


class Approval(Message):
    """When another person must approve an answer."""

    severity_at_least: Step
    harm_at_least: Step
    remedy_cents_over: Cents
    """A remedy in money of more than this; 0: any money."""


class OnTheSpot(Message):
    """What whoever takes a complaint in may settle at once, alone."""

    severity_at_most: Step
    remedy_cents_at_most: Cents
    remedies: tuple[Remedy, ...]


class Severity(Message):
    """The agency's scales, and the rules that hang on them."""

    levels: Annotated[tuple[Level, ...], Field(min_length=1)]
    harms: Annotated[tuple[Level, ...], Field(min_length=1)]
    scopes: Annotated[tuple[ScopeMeaning, ...], Field(min_length=1)]
    remedies: Annotated[tuple[RemedyMeaning, ...], Field(min_length=1)]
    findings: tuple[FindingMeaning, ...] = ()
    """Empty in policies of a time before points were told one by one."""
    safety_screen: SafetyScreen
    approval: Approval
    on_the_spot: OnTheSpot
    vulnerable_circumstances: Names | None = None
    """What counts as such, as staff and complainants are asked; None in policies of a time before anybody was asked."""

    def vulnerable_circumstances_in(self, language: str) -> str:
        """Return what counts as vulnerable circumstances, in a language; nothing where the policy does not say."""
        return (self.vulnerable_circumstances or {}).get(language, "")

    def level_id(self, level: int | None) -> str | None:
        """Return the word for a severity as routing rows use it; None stays None, an unknown level raises KeyError."""
        return None if level is None else {step.level: step.id for step in self.levels}[level]

    def why_another_person(self, *, severity: int, harm: int, remedy_cents: int) -> str | None:
        """Return why an answer needs another person's approval, as a sentence, or None if it does not."""
        if severity >= self.approval.severity_at_least:
            return f"The answer to a complaint of severity {severity} is approved by another person."
        if harm >= self.approval.harm_at_least:
            return f"The answer to a complaint with harm {harm} is approved by another person."
        if remedy_cents > self.approval.remedy_cents_over:
            return "A remedy in money is approved by another person."
        return None

    def why_not_on_the_spot(self, *, severity: int, remedy: Remedy, remedy_cents: int) -> str | None:
        """Return why the desk may not settle this alone, as a sentence, or None if it may."""
        if severity > self.on_the_spot.severity_at_most:
            return f"A complaint of severity {severity} is not settled on the spot."
        if remedy not in self.on_the_spot.remedies:
            return f"The remedy '{remedy.value}' is beyond what may be settled on the spot."
        if remedy_cents > self.on_the_spot.remedy_cents_at_most:
            return f"More than ${self.on_the_spot.remedy_cents_at_most / 100:,.2f} is not granted on the spot."
        return None


def _plain(text: str) -> str:
    """Return a text without capitals, accents and runs of spaces."""
    bare = "".join(mark for mark in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(mark))
    return " ".join(bare.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split())
