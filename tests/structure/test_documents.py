# SPDX-License-Identifier: Apache-2.0
"""Documents cannot go stale: reference pages are what the source says, links lead somewhere, no page is forgotten."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models.terms import Action, ClockName, Role, Stage, State
from run import reference
from run.settings import FOUND_OUT, PREFIX, PROJECT_FOLDER, Settings

DOCS = PROJECT_FOLDER / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)")


@pytest.mark.parametrize("name", reference.PAGES)
def test_a_reference_page_is_what_the_source_says(name: str) -> None:
    assert (reference.FOLDER / name).read_text("utf-8") == reference.PAGES[name](), "Run `make reference`."


def test_a_page_that_differs_is_named_and_so_is_a_missing_one(tmp_path: Path) -> None:
    reference.write(tmp_path)
    assert reference.stale(tmp_path) == ()
    first, second, *_ = reference.PAGES
    (tmp_path / first).write_text("Other words.", "utf-8")
    (tmp_path / second).unlink()

    assert reference.stale(tmp_path) == (first, second)


def test_no_reference_page_is_left_over() -> None:
    assert {path.name for path in reference.FOLDER.iterdir()} == reference.PAGES.keys()


@pytest.mark.parametrize("words", [State, Stage, Action], ids=lambda words: words.__name__)
def test_the_lifecycle_page_names_every_word_of_the_process(words: type[State | Stage | Action]) -> None:
    text = reference.lifecycle_page()

    assert [word for word in words if word.label not in text] == []


def test_the_lifecycle_page_tells_what_becomes_of_every_clock() -> None:
    text = reference.lifecycle_page()

    assert [clock for clock in ClockName if clock.value.replace("_", " ") not in text] == []


def test_every_setting_is_explained() -> None:
    told = Settings.model_fields.keys() - FOUND_OUT

    assert [name for name in told if not Settings.model_fields[name].description] == []
    assert [name for name in told if f"`{PREFIX}{name.upper()}`" not in reference.settings_page()] == []


@pytest.mark.parametrize("document", PAGES, ids=lambda document: str(document.relative_to(DOCS)))
def test_every_link_leads_somewhere(document: Path) -> None:
    targets = LINK.findall(document.read_text("utf-8"))

    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_every_page_is_reached_from_the_index() -> None:
    index = DOCS / "index.md"
    linked = {(DOCS / target).resolve() for target in LINK.findall(index.read_text("utf-8"))}

    assert [page for page in PAGES if page != index and page.resolve() not in linked] == []


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [page.name[:4] for page in DECISIONS] == [f"{number:04}" for number in range(1, len(DECISIONS) + 1)]


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda decision: decision.stem)
def test_a_decision_fits_a_page_and_says_why(decision: Path) -> None:
    text = decision.read_text("utf-8")

    assert len(text.splitlines()) < 60
    assert text.startswith(f"# {decision.name[:4]}")
    assert re.search(r"^(\*\*|## )Why", text, re.MULTILINE)


def test_the_glossary_names_every_stage_and_every_role_of_staff() -> None:
    glossary = (DOCS / "glossary.md").read_text("utf-8")
    outside = {Role.SYSTEM, Role.IMPORT}

    assert [stage for stage in Stage if f"| {stage.label} |" not in glossary] == []
    assert [role for role in set(Role) - outside if f"| {role.value} |" not in glossary] == []
