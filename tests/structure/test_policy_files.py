# SPDX-License-Identifier: Apache-2.0
"""The default policy: complete, total, owned, and readable by the people it is for."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys

import pytest

from models.letter_files import letter_file
from models.letters import Letter, LetterKind
from models.policy import POLICY_FILES
from models.routing import RoutingRule, first_fit
from models.taxonomy import Kind
from models.terms import ClockName, Track
from models.working_time import Unit
from tests.unit.policy_texts import POLICY_FOLDER, README, default_policy, default_texts

POLICY = default_policy()
TEXTS = default_texts()
BANNED = (
    "pursuant",
    "aforementioned",
    "hereby",
    "herein",
    "customer",
    "henceforth",
    "in accordance with",
    "por medio de la presente",
)
LONGEST_SENTENCE_WORDS = 25


def test_every_complaint_has_a_team_and_every_row_has_a_complaint() -> None:
    services = [*(service.id for service in POLICY.agency.services), None]
    categories = [*(term.code for term in POLICY.taxonomy.of(Kind.INTAKE)), None]
    severities = [*(level.id for level in POLICY.severity.levels), None]
    offices = [*(office.id for office in POLICY.agency.offices), None]

    used: set[RoutingRule] = {
        first_fit(POLICY.routing, service=service, category=category, severity=severity, office=office)
        for service, category, severity, office in itertools.product(services, categories, severities, offices)
    }

    assert used == set(POLICY.routing)


def test_every_team_is_sent_something() -> None:
    assert {rule.team for rule in POLICY.routing} == {team.id for team in POLICY.agency.teams}


def test_the_taxonomy_is_eight_families_of_five_six_non_failures_and_seven_causes() -> None:
    taxonomy = POLICY.taxonomy
    families = [family.code for family in taxonomy.of(Kind.FAMILY)]

    assert families == ["ACC", "INF", "TIM", "ACU", "HND", "CON", "DES", "CMP"]
    assert [term.code for term in taxonomy.of(Kind.FAILURE)] == [f"{f}{n}" for f in families for n in range(1, 6)]
    assert [term.code for term in taxonomy.of(Kind.NON_FAILURE)] == [f"N{n}" for n in range(1, 7)]
    assert len(taxonomy.of(Kind.CAUSE)) == 7
    assert taxonomy.by_code["HND3"].family == "HND"


@pytest.mark.parametrize(
    ("clock", "track", "amount", "unit"),
    [
        (ClockName.RECEIPT, None, 1, Unit.MINUTES),
        (ClockName.ACKNOWLEDGE, None, 3, Unit.BUSINESS_DAYS),
        (ClockName.ANSWER, Track.FRONTLINE, 5, Unit.BUSINESS_DAYS),
        (ClockName.ANSWER, Track.STANDARD, 20, Unit.BUSINESS_DAYS),
        (ClockName.ANSWER, Track.COMPLEX, 60, Unit.CALENDAR_DAYS),
        (ClockName.TAG_AND_CLOSE, None, 5, Unit.BUSINESS_DAYS),
        (ClockName.REVIEW, None, 20, Unit.BUSINESS_DAYS),
    ],
)
def test_the_defaults_are_those_of_the_codes_they_come_from(
    clock: ClockName, track: Track | None, amount: int, unit: Unit
) -> None:
    standard = POLICY.standards.of(clock, track)

    assert (standard.amount, standard.unit) == (amount, unit)


def test_one_pause_of_ten_days_and_sixty_days_for_a_review() -> None:
    assert POLICY.standards.pause.at_most_working_days == 10
    assert POLICY.standards.review_window_calendar_days == 60


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_every_file_says_who_owns_it(name: str) -> None:
    assert "Owner: " in "\n".join(TEXTS[name].splitlines()[:2])


def test_the_readme_names_every_file_and_no_other() -> None:
    named = set(re.findall(r"^\| `([^`]+)`", (POLICY_FOLDER / README).read_text("utf-8"), re.MULTILINE))

    assert named == {*POLICY_FILES, "letters/<occasion>.<language>.md"}


@pytest.mark.parametrize("kind", [kind for kind in LetterKind if not kind.is_for_staff])
def test_a_letter_says_the_same_in_every_language(kind: LetterKind) -> None:
    first, *others = (POLICY.letter(kind, language) for language in POLICY.agency.languages)

    assert all(other.placeholders == first.placeholders for other in others)
    assert len({letter.body for letter in (first, *others)}) == len(POLICY.agency.languages)


@pytest.mark.parametrize("letter", POLICY.letters, ids=lambda letter: letter_file(letter.kind, letter.language))
def test_letters_are_written_in_plain_words_and_short_sentences(letter: Letter) -> None:
    text = letter.body
    sentences = re.split(r"[.!?:]\s|\n\n|\n- ", text)

    assert [word for word in BANNED if word in text.casefold()] == []
    assert [sentence for sentence in sentences if len(sentence.split()) > LONGEST_SENTENCE_WORDS] == []


def test_standards_and_calendars_are_light_enough_for_a_workflow() -> None:
    heavy = "import sys, models.policy; sys.exit(', '.join({'holidays', 'sqlalchemy', 'numpy'} & sys.modules.keys()))"

    outcome = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=False)

    assert outcome.stderr.strip() == ""
