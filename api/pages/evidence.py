# SPDX-License-Identifier: Apache-2.0
"""What speaks of a failure beside complaints, as the pages of its signals and of its fix show it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from api.pages.place import Place
from api.pages.signal_words import SOURCES
from api.pages.words import counted
from api.reads.signals import SignalEvidence

_PEOPLE = re.compile(r"(\d+) (?:people|persons?)\b")


@dataclass(frozen=True, slots=True)
class EvidenceLine:
    """Something that speaks of the failure beside complaints."""

    words: str
    told: str


@dataclass(frozen=True, slots=True)
class EvidenceGroup:
    """What one kind of source has shown, counted apart."""

    label: str
    count: str
    pieces: list[EvidenceLine]


def grouped(evidence: Sequence[SignalEvidence], place: Place) -> list[EvidenceGroup]:
    """Return the evidence by where it comes from; sources are never added up, for one person may speak in several."""
    groups = []
    for source in SOURCES:
        pieces = [each for each in evidence if each.source.value == source.value]
        people = [each.people_count for each in pieces if each.people_count is not None]
        spoken_for = f", for {_people(sum(people))}" if people else ""
        count = f"{counted(len(pieces), 'pieces')}{spoken_for}"
        if pieces:
            groups.append(EvidenceGroup(source.label, count, [_piece(each, place) for each in pieces]))
    return groups


def _piece(each: SignalEvidence, place: Place) -> EvidenceLine:
    people = people_beside(each.words, each.people_count)
    gathered = f"gathered on {place.times.day(each.gathered_on)}" if each.gathered_on else ""
    by = f"added by {place.words.person(each.added_by)}, {place.times.moment(each.added_at)}"
    return EvidenceLine(each.words, " · ".join(part for part in (people, gathered, by) if part))


def people_beside(words: str, count: int | None) -> str:
    """Return for how many people something speaks; nothing where that is not known, or its words say the number."""
    if count is None or str(count) in _PEOPLE.findall(words.replace(",", "")):
        return ""
    return _people(count)


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count:,} people"
