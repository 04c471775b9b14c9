# SPDX-License-Identifier: Apache-2.0
"""What the demonstration agency's people do about two of its failures: their words, their plans, and when.

One plan works, the other does not. Codes are those of the default policy (policy/).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from models.commands import Actor
from models.fixes.terms import CauseCategory, EvidenceSource, MeasureKind, Strength
from models.terms import Role
from run.demonstration.themes import MENDED, UNCHANGED, Planting

AMY: Final = Actor(name="amy", role=Role.ANALYST)
LEO: Final = Actor(name="leo", role=Role.LIAISON)
Whys = tuple[CauseCategory, tuple[str, ...]]
"""A chain of whys, and the branch it stands on."""
InLanguages = Mapping[str, str]
"""The same words by language, the agency's first one first."""


@dataclass(frozen=True, slots=True)
class PlannedMeasure:
    """A measure of a plan."""

    words: str
    kind: MeasureKind
    strength: Strength
    owner: str
    document: str = ""


@dataclass(frozen=True, slots=True)
class Mending:
    """How a planted failure is dealt with."""

    name: str
    """What tells this fix from the others of the story."""
    planting: Planting
    reason: str
    """Why the signal was taken up."""
    title: str
    statement: str
    causes: tuple[Whys, ...]
    evidence: tuple[tuple[EvidenceSource, str, int | None], ...]
    options: tuple[str, ...]
    why_chosen: str
    """Why the first option was chosen."""
    measures: tuple[PlannedMeasure, ...]
    reduction: float
    """By what share it is to become less."""
    told_at_acceptance: InLanguages
    told_at_verdict: InLanguages = field(default_factory=dict)
    """What complainants are told when it works."""
    thoughts_afterwards: tuple[Whys, ...] = ()
    """What is thought of when it does not work."""


MENDINGS: Final = (
    Mending(
        name="notices",
        planting=MENDED,
        reason="Four letters in a week say the same of Eastside. This is no bad luck.",
        title="Notices go to old addresses",
        statement=(
            "Since the counter in Eastside enters new addresses in its own register, notices of the benefits office go "
            "to where people no longer live. They miss dates that they never heard of, and their benefits stop."
        ),
        causes=(
            (
                CauseCategory.TECHNOLOGY,
                (
                    "The notices take their address from the payments register.",
                    "Eastside's counter writes a new address into the register of visitors alone.",
                    "The two registers are not joined; nobody was told that they are two.",
                ),
            ),
            (CauseCategory.PROCESS, ("A notice that comes back as undeliverable is filed, and nobody calls.",)),
        ),
        evidence=(
            (EvidenceSource.EMPLOYEE_IDEA, "The counter keeps a list of people who came back to tell us twice.", 41),
            (EvidenceSource.CONVERSATION, "At the Problem Solving Day, six people brought the envelope along.", 6),
        ),
        options=(
            "Join the two registers, so that an address is entered once.",
            "Remind the counter to enter every address twice.",
        ),
        why_chosen="What must be done twice will be forgotten again. Once joined, it cannot go wrong this way.",
        measures=(
            PlannedMeasure(
                "Join the register of visitors to the payments register.",
                MeasureKind.SYSTEM,
                Strength.STRONGER,
                "dan",
                "Change 214 of the payments register",
            ),
            PlannedMeasure(
                "Call people whose notice comes back, before anything is stopped.",
                MeasureKind.PROCEDURE,
                Strength.INTERMEDIATE,
                "ben",
            ),
        ),
        reduction=0.5,
        told_at_acceptance={
            "en": "You told us that our notices went to an old address although you had given us the new one at "
            "Eastside. You were right: the address was written into one register and not into the other. We are "
            "joining the two.",
            "es": "Usted nos dijo que nuestros avisos llegaban a una dirección anterior aunque había dado la nueva en "
            "Eastside. Tenía razón: la dirección se anotaba en un registro y no en el otro. Estamos uniendo los dos.",
        },
        told_at_verdict={
            "en": "You told us that our notices went to old addresses. The two registers have been joined since, and "
            "we have counted every week: far fewer notices go astray than before. We go on counting for a year. "
            "Thank you for telling us.",
            "es": "Usted nos dijo que nuestros avisos llegaban a direcciones anteriores. Desde entonces los dos "
            "registros están unidos, y hemos contado cada semana: se pierden muchos menos avisos que antes. "
            "Seguiremos contando durante un año. Gracias por decírnoslo.",
        },
    ),
    Mending(
        name="desks",
        planting=UNCHANGED,
        reason="Northgate alone sends papers to desks that cannot decide them.",
        title="Applications go from desk to desk",
        statement=(
            "Applications for permits that are handed in at Northgate are sent to desks that cannot decide them, and "
            "come back weeks later. Applicants lose the season."
        ),
        causes=(
            (
                CauseCategory.PEOPLE,
                (
                    "The counter chooses the desk by the title of the form.",
                    "New colleagues do not know which desk decides what.",
                ),
            ),
        ),
        evidence=((EvidenceSource.SURVEY, "Of the applicants asked, every third had waited for a wrong desk.", 60),),
        options=("A checklist at the counter.", "One form that asks what is to be built and names the desk by itself."),
        why_chosen="A checklist is there within weeks, and costs nothing.",
        measures=(
            PlannedMeasure(
                "Lay a checklist of desks on the counter and go through it with everybody.",
                MeasureKind.PROCEDURE,
                Strength.INTERMEDIATE,
                "cara",
                "Checklist of desks, first edition",
            ),
        ),
        reduction=0.7,
        told_at_acceptance={
            "en": "You told us that your application went from Northgate to a desk that could not decide it. We have "
            "looked at how the desk is chosen there, and are changing it.",
            "es": "Usted nos dijo que su solicitud pasó de Northgate a una oficina que no podía decidirla. Hemos "
            "revisado cómo se elige allí la oficina, y lo estamos cambiando.",
        },
        thoughts_afterwards=(
            (
                CauseCategory.PROCESS,
                (
                    "The checklist is not used when the line is long.",
                    "The form does not ask what decides on the desk, so the list cannot be answered.",
                ),
            ),
        ),
    ),
)
